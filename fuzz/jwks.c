/* SPDX-License-Identifier: ISC */
/*
 * What an identity provider answers: a document, keys, and the addresses in
 * them; then each key as authd takes it, with a signature that is none.
 */
#include <stdlib.h>
#include <string.h>

#include "authd/cred/jwk.h"
#include "dialerd/discovery.h"
#include "dialerd/json.h"
#include "dialerd/jwks.h"
#include "fuzz.h"

static void
take(void *set, const struct jwk *k)
{
	if (k->a_len > sizeof(k->a) || k->b_len > sizeof(k->b) ||
	    k->kid[sizeof(k->kid) - 1] != '\0' ||
	    jwk_set_add(set, &(struct msg_jwk_key){ .kind = (uint8_t)k->kind,
	    .kid = k->kid, .alg = k->alg, .a = { k->a, k->a_len },
	    .b = { k->b, k->b_len } }) == -1)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const	algs[] = { "RS256", "PS256", "ES256",
	    "ES384", "EdDSA" };
	static const uint8_t		sig[256] = { 1 };
	struct jwk_set			*set = jwk_set_new();
	struct discovery		 d;
	const char			*why;
	char				*text = malloc(len + 1);
	char				 host[PLACE_SIZE];
	uint16_t			 port;
	size_t				 i;

	if (set == NULL || text == NULL)
		abort();
	memcpy(text, data, len);
	text[len] = '\0';
	if (place_of(text, host, &port) == 0 && (host[0] == '\0' ||
	    port == 0 || !place_is_same(text, text)))
		abort();
	if (discovery_read(text, len, "https://idp.test", &d, &why) == 0 &&
	    !place_is_same(d.keys, "https://idp.test"))
		abort();
	if (jwks_read(text, len, take, set, &why) > JWKS_MAX)
		abort();
	for (i = 0; i < sizeof(algs) / sizeof(algs[0]); i++)
		if (jwk_check(set, algs[i], NULL, "text", 4, sig,
		    sizeof(sig)) == JWK_GOOD)
			abort();
	jwk_set_free(set);
	free(text);
	return (0);
}
