/* SPDX-License-Identifier: ISC */
#ifndef ACME_H
#define ACME_H

/* Challenges of ACME (RFC 8555, 8.3), as the parent has them. */

struct chan;
struct conn;
struct httphead;
struct imsg;

/* From the parent: CHALLENGE. */
int	acme_on_challenge(struct chan *, struct imsg *);
/* Is it one of them (1: and is answered)? */
int	acme_answer(struct conn *, const struct httphead *);

#endif
