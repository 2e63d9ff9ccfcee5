/* SPDX-License-Identifier: ISC */
#ifndef JWK_H
#define JWK_H

#include <stddef.h>
#include <stdint.h>

struct msg_jwk_key;

/*
 * The public keys of one identity provider, and what is signed with them:
 * RS256, PS256, ES256, ES384 and EdDSA (Ed25519), each with a key of its own
 * kind alone. Pure but for OpenSSL. RFC 7518, 3; RFC 8037, 3.1.
 */

#define JWK_KEYS_MAX	32
#define JWK_SIG_MAX	1024	/* bytes of a signature */
#define JWK_TRIES	8	/* keys that one signature is tried with */

struct jwk_set;

/* Once, before the sandbox closes: libcrypto loads what it wants. 0, -1. */
int		 jwk_init(void);

struct jwk_set	*jwk_set_new(void);
void		 jwk_set_free(struct jwk_set *);	/* NULL is allowed */
/*
 * 0, also for one that is not used since it is none (a point that is not on its
 * curve, say); -1: there are too many.
 */
int		 jwk_set_add(struct jwk_set *, const struct msg_jwk_key *);
size_t		 jwk_set_count(const struct jwk_set *);
/* Name ("": none) and kind of the n-th, for people. */
const char	*jwk_set_name(const struct jwk_set *, size_t n);
const char	*jwk_set_kind(const struct jwk_set *, size_t n);

/* Is this an algorithm of ours? */
int		 jwk_knows(const char *alg);
/*
 * Is `sig` the signature of `text`? `kid` NULL: by any key that fits the
 * algorithm. UNKNOWN: there is none of that name for it; or by none of them.
 */
enum jwk_said { JWK_GOOD, JWK_WRONG, JWK_UNKNOWN };
enum jwk_said	 jwk_check(const struct jwk_set *, const char *alg,
		    const char *kid, const void *text, size_t len,
		    const uint8_t *sig, size_t sig_len);

#endif
