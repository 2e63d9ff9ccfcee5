/* SPDX-License-Identifier: ISC */
#ifndef BEARER_H
#define BEARER_H

#include "authd/core/refusal.h"
#include "issuer.h"

/*
 * A bearer token, whoever has signed it: relayd's own (HS256), or an identity
 * provider of the configuration. At once, always: where a key is missing the
 * answer is that it is being fetched, and whoever asks comes again.
 */

/*
 * Was there no memory of late? Then a token that was taken for a bad one, by
 * those below or by jwt_open(), may be good. 1 or 0.
 */
int		bearer_lacks(void);

/* An operator's. REFUSE_NOT: it is good, and `who` is set. */
enum refusal	bearer_operator(const char *token, struct operator *who);

/*
 * For other uses, an identity provider's only: what it says of whom it is
 * about. The audience has to be in it ("": any), it may not have expired at
 * all, and nbf may be 300 s ahead. rendezvous-protocol.md, section 3.
 */
#define SCOPES_SIZE	2048
struct bearer {
	char	issuer[ISSUER_SIZE], subject[ID_SIZE];
	char	client[ID_SIZE];	/* azp, or client_id; "": neither */
	int64_t	expires;		/* seconds, wall clock */
	char	scopes[SCOPES_SIZE];	/* of scope and scp, a blank between */
};
/*
 * TOKEN_GOOD: `b` is set. TOKEN_KEY, TOKEN_KEYS and TOKEN_MEMORY are 503
 * (Retry-After 1, 5 and 5), all others 401.
 */
enum token_said	bearer_open(const char *token, const char *audience,
		    struct bearer *b);
/* Exactly this one of its scopes? */
int		bearer_has(const struct bearer *, const char *scope);

#endif
