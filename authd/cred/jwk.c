/* SPDX-License-Identifier: ISC */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "imsg/msg.h"
#include "jwk.h"

#define RSA_MIN		256	/* bytes of a modulus */

struct key {
	enum jwk_kind	 kind;
	char		 kid[KID_SIZE], alg[ALG_SIZE];
	EVP_PKEY	*pkey;
};

struct jwk_set {
	size_t		n;
	struct key	keys[JWK_KEYS_MAX];
};

static const struct alg {
	const char	*name;
	enum jwk_kind	 kind;
	const char	*digest;	/* NULL: it has its own */
	int		 pss;
	size_t		 raw;		/* ECDSA: bytes of r and of s */
} algs[] = {
	{ "RS256", JWK_RSA, "SHA256", 0, 0 },
	{ "PS256", JWK_RSA, "SHA256", 1, 0 },
	{ "ES256", JWK_P256, "SHA256", 0, 32 },
	{ "ES384", JWK_P384, "SHA384", 0, 48 },
	{ "EdDSA", JWK_ED25519, NULL, 0, 0 },
};

static const struct alg *
alg_find(const char *name)
{
	size_t	i;

	for (i = 0; i < sizeof(algs) / sizeof(algs[0]); i++)
		if (strcmp(algs[i].name, name) == 0)
			return (&algs[i]);
	return (NULL);
}

int
jwk_knows(const char *name)
{
	return (alg_find(name) != NULL);
}

int
jwk_init(void)
{
	EVP_MD	*md;

	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1 ||
	    (md = EVP_MD_fetch(NULL, "SHA2-256", NULL)) == NULL)
		return (-1);
	EVP_MD_free(md);
	return (0);
}

struct jwk_set *
jwk_set_new(void)
{
	return (calloc(1, sizeof(struct jwk_set)));
}

void
jwk_set_free(struct jwk_set *s)
{
	size_t	i;

	for (i = 0; s != NULL && i < s->n; i++)
		EVP_PKEY_free(s->keys[i].pkey);
	free(s);
}

size_t
jwk_set_count(const struct jwk_set *s)
{
	return (s == NULL ? 0 : s->n);
}

const char *
jwk_set_name(const struct jwk_set *s, size_t n)
{
	return (s->keys[n].kid);
}

const char *
jwk_set_kind(const struct jwk_set *s, size_t n)
{
	static const char *const	names[] = { [JWK_RSA] = "RSA",
	    [JWK_P256] = "P-256", [JWK_P384] = "P-384",
	    [JWK_ED25519] = "Ed25519" };

	return (names[s->keys[n].kind]);
}

/* ---- keys ---- */

static EVP_PKEY *
from_params(const char *type, OSSL_PARAM_BLD *bld)
{
	OSSL_PARAM	*params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY_CTX	*ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY	*pkey = NULL;

	if (params == NULL || ctx == NULL ||
	    EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
		pkey = NULL;
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(ctx);
	return (pkey);
}

/* An odd modulus of some length, an odd exponent that is not 1. */
static int
is_rsa(const struct blob *a, const struct blob *b)
{
	const uint8_t	*n = a->p, *e = b->p;

	return (a->len >= RSA_MIN && n[0] != 0 && (n[a->len - 1] & 1) &&
	    b->len > 0 && b->len <= 4 && e[0] != 0 && (e[b->len - 1] & 1) &&
	    (b->len > 1 || e[0] > 1));
}

static EVP_PKEY *
rsa_new(const struct blob *a, const struct blob *b)
{
	OSSL_PARAM_BLD	*bld = OSSL_PARAM_BLD_new();
	BIGNUM		*n = BN_bin2bn(a->p, (int)a->len, NULL);
	BIGNUM		*e = BN_bin2bn(b->p, (int)b->len, NULL);
	EVP_PKEY	*pkey = NULL;

	if (bld != NULL && n != NULL && e != NULL && is_rsa(a, b) &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e) == 1)
		pkey = from_params("RSA", bld);
	OSSL_PARAM_BLD_free(bld);
	BN_free(n);
	BN_free(e);
	return (pkey);
}

/*
 * A point that is not on its curve would give away nothing here, but is none.
 */
static EVP_PKEY *
ec_new(const char *group, size_t size, const struct blob *x,
    const struct blob *y)
{
	OSSL_PARAM_BLD	*bld = OSSL_PARAM_BLD_new();
	uint8_t		 point[1 + 2 * 48];
	EVP_PKEY	*pkey = NULL;
	EVP_PKEY_CTX	*ctx = NULL;

	if (bld != NULL && x->len == size && y->len == size) {
		point[0] = POINT_CONVERSION_UNCOMPRESSED;
		memcpy(point + 1, x->p, size);
		memcpy(point + 1 + size, y->p, size);
		if (OSSL_PARAM_BLD_push_utf8_string(bld,
		    OSSL_PKEY_PARAM_GROUP_NAME, group, 0) == 1 &&
		    OSSL_PARAM_BLD_push_octet_string(bld,
		    OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * size) == 1)
			pkey = from_params("EC", bld);
	}
	if (pkey != NULL && ((ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey,
	    NULL)) == NULL || EVP_PKEY_public_check(ctx) != 1)) {
		EVP_PKEY_free(pkey);
		pkey = NULL;
	}
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_BLD_free(bld);
	return (pkey);
}

static EVP_PKEY *
key_make(const struct msg_jwk_key *m)
{
	switch (m->kind) {
	case JWK_RSA:
		return (rsa_new(&m->a, &m->b));
	case JWK_P256:
		return (ec_new("prime256v1", 32, &m->a, &m->b));
	case JWK_P384:
		return (ec_new("secp384r1", 48, &m->a, &m->b));
	case JWK_ED25519:
		return (m->a.len == 32 ? EVP_PKEY_new_raw_public_key_ex(NULL,
		    "ED25519", NULL, m->a.p, 32) : NULL);
	default:
		return (NULL);
	}
}

int
jwk_set_add(struct jwk_set *s, const struct msg_jwk_key *m)
{
	struct key	*k;

	if (s->n == JWK_KEYS_MAX)
		return (-1);
	k = &s->keys[s->n];
	if ((k->pkey = key_make(m)) != NULL) {
		k->kind = m->kind;
		strlcpy(k->kid, m->kid, sizeof(k->kid));
		strlcpy(k->alg, m->alg, sizeof(k->alg));
		s->n++;
	}
	ERR_clear_error();
	return (0);
}

/* ---- signatures ---- */

/* r and s as they are in a token, in the form that OpenSSL has them in. */
static int
ecdsa_der(const uint8_t *sig, size_t half, uint8_t **der)
{
	ECDSA_SIG	*es = ECDSA_SIG_new();
	BIGNUM		*r = BN_bin2bn(sig, (int)half, NULL);
	BIGNUM		*s = BN_bin2bn(sig + half, (int)half, NULL);
	int		 len = -1;

	if (es != NULL && r != NULL && s != NULL &&
	    ECDSA_SIG_set0(es, r, s) == 1) {
		r = s = NULL;		/* they are its own now */
		len = i2d_ECDSA_SIG(es, der);
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(es);
	return (len);
}

static int
verify(const struct key *k, const struct alg *alg, const void *text,
    size_t len, const uint8_t *sig, size_t sig_len)
{
	EVP_MD_CTX	*md = EVP_MD_CTX_new();
	EVP_PKEY_CTX	*ctx = NULL;
	int		 good;

	good = md != NULL && EVP_DigestVerifyInit_ex(md, &ctx, alg->digest,
	    NULL, NULL, k->pkey, NULL) == 1;
	if (good && alg->pss)
		good = EVP_PKEY_CTX_set_rsa_padding(ctx,
		    RSA_PKCS1_PSS_PADDING) == 1 &&
		    EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx,
		    RSA_PSS_SALTLEN_DIGEST) == 1;
	good = good && EVP_DigestVerify(md, sig, sig_len, text, len) == 1;
	EVP_MD_CTX_free(md);
	ERR_clear_error();
	return (good);
}

static int
is_signed(const struct key *k, const struct alg *alg, const void *text,
    size_t len, const uint8_t *sig, size_t sig_len)
{
	uint8_t	*der = NULL;
	int	 n, good;

	if (alg->raw == 0)
		return (verify(k, alg, text, len, sig, sig_len));
	if (sig_len != 2 * alg->raw ||
	    (n = ecdsa_der(sig, alg->raw, &der)) <= 0)
		return (0);
	good = verify(k, alg, text, len, der, (size_t)n);
	OPENSSL_free(der);
	return (good);
}

/* The algorithm says which kind of key; the key may say which algorithm. */
static int
fits(const struct key *k, const struct alg *alg, const char *kid)
{
	return (k->kind == alg->kind &&
	    (k->alg[0] == '\0' || strcmp(k->alg, alg->name) == 0) &&
	    (kid == NULL || strcmp(k->kid, kid) == 0));
}

enum jwk_said
jwk_check(const struct jwk_set *s, const char *name, const char *kid,
    const void *text, size_t len, const uint8_t *sig, size_t sig_len)
{
	const struct alg	*alg = alg_find(name);
	size_t			 i, tried = 0;

	for (i = 0; s != NULL && alg != NULL && i < s->n &&
	    tried < JWK_TRIES; i++) {
		if (!fits(&s->keys[i], alg, kid))
			continue;
		if (is_signed(&s->keys[i], alg, text, len, sig, sig_len))
			return (JWK_GOOD);
		tried++;
	}
	return (kid != NULL && tried > 0 ? JWK_WRONG : JWK_UNKNOWN);
}
