/* SPDX-License-Identifier: ISC */
#ifndef INTERNAL_H
#define INTERNAL_H

#include "authd/core/refusal.h"
#include "authd/cred/jwt.h"
#include "authd/facts.h"

struct peer;

/*
 * An existing back end on a listener marked internal: what it shows instead of
 * an operator's token is the shared secret and the session's own, with a line's
 * end between them. operator-api.md, 9.
 */
extern const struct operator	back_end;

/* -1: out of memory. */
int		internal_rates(void);

/* What a new session's row has in place of its token. */
void		internal_token_new(char row[HEX64_SIZE]);

/*
 * For the session of this slug ("": it named none). A member of a cluster may
 * not have it: then `later`, which is "" otherwise, is what internal_known() is
 * to be asked with, before anything else is said, when NEED_SESSION is there.
 */
enum refusal	internal_grant(const char *token, const char *slug,
		    struct proxy_claims *, char later[HEX64_SIZE]);
enum refusal	internal_known(const struct facts *, const char *later,
		    struct proxy_claims *);

/*
 * What is no service, a terminal or the list of services, is asked for under
 * the grant that this proxyd got for the session by the same secrets; from here
 * on as whom.
 */
enum refusal	internal_again(const struct peer *proxyd, uint64_t grant,
		    const char *session, struct operator *who);

#endif
