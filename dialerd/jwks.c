/* SPDX-License-Identifier: ISC */
#include <cjson/cJSON.h>
#include <sodium.h>

#include <string.h>

#include "base/compat.h"
#include "json.h"
#include "jwks.h"

#define B64		sodium_base64_VARIANT_URLSAFE_NO_PADDING
#define RSA_MIN		256	/* bytes of a modulus */
#define RSA_MAX		1024
#define TEXT_MAX	1500	/* of one number */

/* A number of `size` bytes at most, without leading zeroes if `bare`. */
static int
number(const struct cJSON *key, const char *name, uint8_t *dst, size_t size,
    size_t *len)
{
	const char	*s = json_text(key, name, TEXT_MAX), *end;

	return (s != NULL && sodium_base642bin(dst, size, s, strlen(s), NULL,
	    len, &end, B64) == 0 && end == s + strlen(s) && *len > 0 ? 0 : -1);
}

static int
read_rsa(const struct cJSON *key, struct jwk *k)
{
	k->kind = JWK_RSA;
	if (number(key, "n", k->a, RSA_MAX, &k->a_len) == -1 ||
	    number(key, "e", k->b, 4, &k->b_len) == -1 ||
	    k->a_len < RSA_MIN || k->a[0] == 0 || k->b[0] == 0)
		return (-1);
	/* 1 would make a signature of anything, an even one none at all. */
	return ((k->b_len > 1 || k->b[0] > 1) &&
	    (k->b[k->b_len - 1] & 1) ? 0 : -1);
}

/* Coordinates are of full length: RFC 7518, 6.2.1.2. */
static int
read_ec(const struct cJSON *key, struct jwk *k)
{
	const char	*crv = json_text(key, "crv", 8);
	size_t		 size;

	if (crv == NULL)
		return (-1);
	k->kind = strcmp(crv, "P-256") == 0 ? JWK_P256 : JWK_P384;
	if (k->kind == JWK_P384 && strcmp(crv, "P-384") != 0)
		return (-1);
	size = k->kind == JWK_P256 ? 32 : 48;
	return (number(key, "x", k->a, size, &k->a_len) == 0 &&
	    number(key, "y", k->b, size, &k->b_len) == 0 &&
	    k->a_len == size && k->b_len == size ? 0 : -1);
}

static int
read_okp(const struct cJSON *key, struct jwk *k)
{
	const char	*crv = json_text(key, "crv", 8);

	k->kind = JWK_ED25519;
	return (crv != NULL && strcmp(crv, "Ed25519") == 0 &&
	    number(key, "x", k->a, 32, &k->a_len) == 0 && k->a_len == 32 ?
	    0 : -1);
}

/* Whatever may be absent: "" then. -1: it is there, and not such a text. */
static int
optional(const struct cJSON *key, const char *name, char *dst, size_t size)
{
	const char	*s = json_text(key, name, size);

	dst[0] = '\0';
	if (s != NULL)
		strlcpy(dst, s, size);
	return (s == NULL && cJSON_GetObjectItemCaseSensitive(key, name) !=
	    NULL ? -1 : 0);
}

/* Is it there to check signatures? RFC 7517, 4.2 and 4.3. */
static int
is_for_signatures(const struct cJSON *key)
{
	const cJSON	*ops, *op;
	char		 use[8];

	if (optional(key, "use", use, sizeof(use)) == -1 ||
	    (use[0] != '\0' && strcmp(use, "sig") != 0))
		return (0);
	ops = cJSON_GetObjectItemCaseSensitive(key, "key_ops");
	if (ops == NULL)
		return (1);
	cJSON_ArrayForEach(op, ops)
		if (cJSON_IsArray(ops) && cJSON_IsString(op) &&
		    strcmp(op->valuestring, "verify") == 0)
			return (1);
	return (0);
}

static int
read_key(const struct cJSON *key, struct jwk *k)
{
	const char	*kty = json_text(key, "kty", 8);

	memset(k, 0, sizeof(*k));
	if (!cJSON_IsObject(key) || json_is_odd(key) || kty == NULL ||
	    !is_for_signatures(key) ||
	    cJSON_GetObjectItemCaseSensitive(key, "d") != NULL ||
	    optional(key, "kid", k->kid, sizeof(k->kid)) == -1 ||
	    optional(key, "alg", k->alg, sizeof(k->alg)) == -1)
		return (-1);
	if (strcmp(kty, "RSA") == 0)
		return (read_rsa(key, k));
	if (strcmp(kty, "EC") == 0)
		return (read_ec(key, k));
	return (strcmp(kty, "OKP") == 0 ? read_okp(key, k) : -1);
}

int
jwks_read(const char *text, size_t len, jwk_fn fn, void *arg,
    const char **why)
{
	const cJSON	*keys, *key;
	struct cJSON	*o = json_document(text, len);
	struct jwk	 k;
	int		 n = 0, looked = 0;

	keys = cJSON_GetObjectItemCaseSensitive(o, "keys");
	*why = o == NULL || json_is_odd(o) || !cJSON_IsArray(keys) ?
	    "keys: not a JSON object with an array \"keys\"" : NULL;
	cJSON_ArrayForEach(key, keys) {
		if (*why != NULL || n == JWKS_MAX || looked++ == JWKS_LOOK)
			break;
		if (read_key(key, &k) == 0) {
			fn(arg, &k);
			n++;
		}
	}
	cJSON_Delete(o);
	if (*why == NULL && n == 0)
		*why = "keys: none that could check a signature";
	return (*why == NULL ? n : -1);
}
