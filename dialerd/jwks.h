/* SPDX-License-Identifier: ISC */
#ifndef DIALERD_JWKS_H
#define DIALERD_JWKS_H

#include <stddef.h>

#include "imsg/msg.h"

/*
 * A set of public keys as identity providers publish it (RFC 7517), taken apart
 * into the numbers that a key is made of. Pure.
 */

#define JWKS_MAX	32	/* keys that are taken; the rest is as if unusable */
#define JWKS_LOOK	256	/* keys that are looked at */

struct jwk {
	enum jwk_kind	kind;
	char		kid[KID_SIZE];		/* "": it has none */
	char		alg[ALG_SIZE];		/* "": does not say */
	uint8_t		a[1024], b[66];		/* as in JWK_KEY */
	size_t		a_len, b_len;
};

/*
 * `fn` for each key that can check a signature: RSA of 2048 to 8192 bits,
 * P-256, P-384, Ed25519. One that is for something else, is of another kind,
 * has a private part, or is not well formed is left out and does no harm to the
 * others. Returns how many there were, or -1 and *why: not a set, or none.
 */
typedef void	(*jwk_fn)(void *, const struct jwk *);
int	jwks_read(const char *text, size_t len, jwk_fn, void *,
	    const char **why);

#endif
