/* SPDX-License-Identifier: ISC */
#ifndef INTERNAL_H
#define INTERNAL_H

#include "authd/core/refusal.h"
#include "authd/cred/jwt.h"

/*
 * An existing back end on a listener marked internal: what it shows instead of
 * an operator's token is the shared secret and the session's own, with a line's
 * end between them. operator-api.md, 9.
 */
extern const struct operator	back_end;

/* -1: out of memory. */
int		internal_init(void);

/* What a new session's row has in place of its token. */
void		internal_token_new(char row[HEX64_SIZE]);

/* For the session of this slug ("": it named none). */
enum refusal	internal_grant(const char *token, const char *slug,
		    struct proxy_claims *);

#endif
