/* SPDX-License-Identifier: ISC */
#ifndef AGAIN_H
#define AGAIN_H

#include <stdint.h>

#include "authd/cred/jwt.h"
#include "imsg/msg.h"

struct peer;
struct stream;

/*
 * Terminals that wait for their operator. A termd says that he has left; he may
 * come back as who he was, and to that one alone. At most AGAIN_ONE of an
 * operator's wait, then the first of them ends. operator-api.md, 6.6.
 */
#define AGAIN_ONE	8

/* The number in `text`; 0: it is none. */
uint64_t	 again_number(const char *text);
/*
 * The operator's open terminal, of that session (NULL: of any); NULL: there is
 * no such.
 */
struct stream	*again_find(const struct operator *, const char *session,
		    uint64_t stream);
/* He was let in to it: before he is. */
void		 again_came(const struct stream *, const char *addr,
		    const char *request);
/* Each of the operator's; when its operator left it (clock_ms()), 0: not. */
void		 again_each(const struct operator *,
		    void (*)(struct stream *, uint64_t away_ms, void *),
		    void *arg);

#endif
