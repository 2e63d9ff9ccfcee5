/* SPDX-License-Identifier: ISC */
#ifndef ISSUER_H
#define ISSUER_H

#include <stddef.h>
#include <stdint.h>

#include "jwt.h"

struct cJSON;
struct conf;
struct jwk_set;

/*
 * Identity providers (OpenID Connect): their keys as far as we know them,
 * tokens that they have signed, and whom these are about. Nothing here waits or
 * asks; where a key is missing the answer says so (msg/dialer.c then asks for
 * it). Places are those of the configuration, which is the same for all calls
 * between two issuers_reloaded().
 */

/* ---- what is known of them ---- */

struct issuer {
	char		 url[ISSUER_SIZE];
	struct jwk_set	*keys;		/* NULL: none yet */
	uint64_t	 got_ms;	/* these were fetched */
	char		 authorization[URL_SIZE], token[URL_SIZE];
	char		 device[URL_SIZE];	/* "": has none */
	char		 algs[WORD_SIZE];	/* advertised; "": not asked */
};

/* A new configuration: what is known of those that are still in it stays. */
void		 issuers_reloaded(const struct conf *);
void		 issuers_clear(void);
/* Is the algorithm one that it says it signs with? */
int		 issuer_signs(const struct issuer *, const char *alg);
/* NULL: there are not so many. */
struct issuer	*issuer_at(unsigned place);

/* ---- their tokens ---- */

enum token_said {
	TOKEN_GOOD, TOKEN_MALFORMED, TOKEN_ISSUER, TOKEN_AUDIENCE,
	TOKEN_EXPIRED, TOKEN_EARLY, TOKEN_ALGORITHM, TOKEN_SIGNATURE,
	TOKEN_KEY,		/* signed by a key that we do not know (yet) */
	TOKEN_KEYS,		/* and we know none of its issuer */
	TOKEN_MEMORY		/* there was none: bearer.c */
};

struct token_how {
	const char	*audience;	/* NULL: those of the configuration */
	int64_t		 now;		/* seconds */
	int64_t		 skew;		/* how wrong clocks may be, for exp */
	int64_t		 early;		/* and for nbf and iat */
	int		 advertised;	/* no algorithm but the issuer's own */
};

/*
 * With TOKEN_GOOD *payload is the caller's. `place` is set with TOKEN_GOOD,
 * TOKEN_KEY and TOKEN_KEYS.
 */
enum token_said	 issuer_open(const struct conf *, const char *token,
		    const struct token_how *, struct cJSON **payload,
		    unsigned *place);
/*
 * Whom it is about, by `claim`, `fixed`, `map` and `prefix` of relayd.conf(5).
 * 0; -1: it does not say, or at too great a length.
 */
int		 issuer_operator(const struct conf *, unsigned place,
		    const struct cJSON *payload, struct operator *);

/*
 * The words of a claim: text is taken apart at blanks, of a list every text is
 * one. `fn` for each; returns how many. A name with dots in it that the object
 * does not have leads into objects: realm_access.roles.
 */
typedef void	(*claim_fn)(void *, const char *word);
unsigned	 claim_words(const struct cJSON *payload, const char *name,
		    claim_fn, void *);

#endif
