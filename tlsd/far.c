/* SPDX-License-Identifier: ISC */
#include <openssl/async.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <stdlib.h>
#include <string.h>

#include "far.h"
#include "sign.h"
#include "tls/chain.h"

#define NAME	"far"
#define SPKI	"spki"		/* what a key is imported from */

/* A key: its public half is an ordinary one. */
struct far {
	EVP_PKEY	*pub;
	uint8_t		 id[TLS_KEY_ID];
};

/* A signature that is being made. */
struct far_sign {
	const struct far	*key;
	unsigned		 bits;		/* of the digest */
	int			 pss;
};

static OSSL_LIB_CTX	*far_ctx;

/* Keys. */

static void *
key_new(void *provider)
{
	(void)provider;
	return (calloc(1, sizeof(struct far)));
}

static void
key_free(void *data)
{
	struct far	*k = data;

	if (k != NULL)
		EVP_PKEY_free(k->pub);
	free(k);
}

/* It is whole: its private half is only not here. */
static int
key_has(const void *data, int selection)
{
	(void)selection;
	return (data != NULL);
}

static int
key_import(void *data, int selection, const OSSL_PARAM params[])
{
	struct far		*k = data;
	const OSSL_PARAM	*p = OSSL_PARAM_locate_const(params, SPKI);
	const unsigned char	*der;

	(void)selection;
	if (p == NULL || p->data_type != OSSL_PARAM_OCTET_STRING)
		return (0);
	der = p->data;
	k->pub = d2i_PUBKEY(NULL, &der, (long)p->data_size);
	return (k->pub != NULL && chain_key_id(k->pub, k->id) == 0);
}

static const OSSL_PARAM *
key_import_types(int selection)
{
	static const OSSL_PARAM	types[] = {
		OSSL_PARAM_octet_string(SPKI, NULL, 0), OSSL_PARAM_END };

	(void)selection;
	return (types);
}

/* Its public half alone, to be compared with a certificate's. */
static int
key_export(void *data, int selection, OSSL_CALLBACK *give, void *arg)
{
	struct far	*k = data;
	OSSL_PARAM	*params = NULL;
	int		 r;

	if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) ||
	    EVP_PKEY_todata(k->pub, EVP_PKEY_PUBLIC_KEY, &params) != 1)
		return (0);
	r = give(params, arg);
	OSSL_PARAM_free(params);
	return (r);
}

static const OSSL_PARAM *
key_export_types(int selection)
{
	static const OSSL_PARAM	types[] = {
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
		OSSL_PARAM_END };

	return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY ? NULL : types);
}

static int
key_get_params(void *data, OSSL_PARAM params[])
{
	const struct far	*k = data;

	return (EVP_PKEY_get_params(k->pub, params));
}

static const OSSL_PARAM *
key_gettable_params(void *provider)
{
	static const OSSL_PARAM	types[] = {
		OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_END };

	(void)provider;
	return (types);
}

static int
key_match(const void *a, const void *b, int selection)
{
	const struct far	*x = a, *y = b;

	(void)selection;
	return (EVP_PKEY_eq(x->pub, y->pub) == 1);
}

static const char *
key_signs_ec(int operation)
{
	return (operation == OSSL_OP_SIGNATURE ? "ECDSA" : "EC");
}

static const char *
key_signs_rsa(int operation)
{
	(void)operation;
	return ("RSA");
}

/* Signatures. */

static void *
sign_new(void *provider, const char *query)
{
	(void)provider;
	(void)query;
	return (calloc(1, sizeof(struct far_sign)));
}

static void
sign_free(void *ctx)
{
	free(ctx);
}

static unsigned
digest_bits(const char *name)
{
	static const struct {
		const char	*name;
		unsigned	 bits;
	} digests[] = {
		{ "SHA256", 256 }, { "SHA2-256", 256 }, { "SHA384", 384 },
		{ "SHA2-384", 384 }, { "SHA512", 512 }, { "SHA2-512", 512 },
	};
	size_t	i;

	for (i = 0; i < sizeof(digests) / sizeof(digests[0]); i++)
		if (OPENSSL_strcasecmp(digests[i].name, name) == 0)
			return (digests[i].bits);
	return (0);
}

/* TLS always has the salt as long as the digest, so of PSS only that it is. */
static int
sign_set_params(void *ctx, const OSSL_PARAM params[])
{
	struct far_sign		*s = ctx;
	const OSSL_PARAM	*p;
	const char		*word;
	int			 mode;

	if (params == NULL || (p = OSSL_PARAM_locate_const(params,
	    OSSL_SIGNATURE_PARAM_PAD_MODE)) == NULL)
		return (1);
	if (OSSL_PARAM_get_int(p, &mode) == 1)
		s->pss = mode == RSA_PKCS1_PSS_PADDING;
	else if (OSSL_PARAM_get_utf8_string_ptr(p, &word) == 1)
		s->pss = strcmp(word, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0;
	else
		return (0);
	return (1);
}

static const OSSL_PARAM *
sign_settable_params(void *ctx, void *provider)
{
	static const OSSL_PARAM	types[] = {
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL,
		    0),
		OSSL_PARAM_END };

	(void)ctx;
	(void)provider;
	return (types);
}

static int
sign_init(void *ctx, const char *digest, void *key, const OSSL_PARAM params[])
{
	struct far_sign	*s = ctx;

	if (key != NULL)
		s->key = key;
	if (digest != NULL)
		s->bits = digest_bits(digest);
	return (s->bits != 0 && sign_set_params(s, params));
}

/* The SignatureScheme (RFC 8446, 4.2.3) that this comes down to. */
static uint16_t
sign_scheme(const struct far_sign *s)
{
	unsigned	step = (s->bits - 256) / 128;	/* 0, 1, 2 */

	if (!EVP_PKEY_is_a(s->key->pub, "RSA"))
		return ((uint16_t)(0x0403 + (step << 8)));
	return ((uint16_t)(s->pss ? 0x0804 + step : 0x0401 + (step << 8)));
}

/* Ask, stand still, and go on with the answer. */
static int
sign_now_and_wait(const struct far_sign *s, const struct msg_sign *what,
    unsigned char *sig, size_t *len, size_t size)
{
	struct sign	*ask = sign_now();

	if (ask == NULL || ASYNC_get_current_job() == NULL ||
	    size < (size_t)EVP_PKEY_get_size(s->key->pub) ||
	    sign_ask(ask, what) == -1)
		return (0);
	while (ask->state == SIGN_WAITS)
		if (ASYNC_pause_job() != 1)
			return (0);
	if (ask->state != SIGN_DONE || ask->len > size)
		return (0);
	memcpy(sig, ask->sig, ask->len);
	*len = ask->len;
	return (1);
}

static int
sign_digest(void *ctx, unsigned char *sig, size_t *len, size_t size,
    const unsigned char *tbs, size_t n)
{
	const struct far_sign	*s = ctx;
	struct msg_sign		 what = { .key = { s->key->id, TLS_KEY_ID },
				    .scheme = sign_scheme(s),
				    .tbs = { tbs, n } };

	if (sig == NULL) {
		*len = (size_t)EVP_PKEY_get_size(s->key->pub);
		return (1);
	}
	return (n <= TLS_TBS_MAX &&
	    sign_now_and_wait(s, &what, sig, len, size));
}

/* The provider. */

#define FN(which, fn)	{ which, (void (*)(void))(fn) }
#define KEY_FUNCTIONS							\
	FN(OSSL_FUNC_KEYMGMT_NEW, key_new),				\
	FN(OSSL_FUNC_KEYMGMT_FREE, key_free),				\
	FN(OSSL_FUNC_KEYMGMT_HAS, key_has),				\
	FN(OSSL_FUNC_KEYMGMT_MATCH, key_match),				\
	FN(OSSL_FUNC_KEYMGMT_IMPORT, key_import),			\
	FN(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_import_types),		\
	FN(OSSL_FUNC_KEYMGMT_EXPORT, key_export),			\
	FN(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, key_export_types),		\
	FN(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get_params),		\
	FN(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable_params)

static const OSSL_DISPATCH	keys_rsa[] = { KEY_FUNCTIONS,
	FN(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, key_signs_rsa), { 0, NULL }
}, keys_ec[] = { KEY_FUNCTIONS,
	FN(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, key_signs_ec), { 0, NULL }
}, signs[] = {
	FN(OSSL_FUNC_SIGNATURE_NEWCTX, sign_new),
	FN(OSSL_FUNC_SIGNATURE_FREECTX, sign_free),
	FN(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, sign_init),
	FN(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, sign_digest),
	FN(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, sign_set_params),
	FN(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, sign_settable_params),
	{ 0, NULL }
};

static const OSSL_ALGORITHM	keymgmt[] = {
	{ "RSA:rsaEncryption", "provider=" NAME, keys_rsa, "" },
	{ "EC:id-ecPublicKey", "provider=" NAME, keys_ec, "" },
	{ NULL, NULL, NULL, NULL }
}, signature[] = {
	{ "RSA:rsaEncryption", "provider=" NAME, signs, "" },
	{ "ECDSA", "provider=" NAME, signs, "" },
	{ NULL, NULL, NULL, NULL }
};

static const OSSL_ALGORITHM *
query(void *provider, int operation, int *no_cache)
{
	(void)provider;
	*no_cache = 0;
	return (operation == OSSL_OP_KEYMGMT ? keymgmt :
	    operation == OSSL_OP_SIGNATURE ? signature : NULL);
}

static int
provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
    const OSSL_DISPATCH **out, void **ctx)
{
	static const OSSL_DISPATCH	functions[] = {
		FN(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query), { 0, NULL } };

	(void)in;
	*out = functions;
	*ctx = (void *)(uintptr_t)handle;
	return (1);
}

int
far_init(void)
{
	far_ctx = OSSL_LIB_CTX_new();
	return (far_ctx != NULL && OSSL_PROVIDER_add_builtin(far_ctx, NAME,
	    provider_init) == 1 && OSSL_PROVIDER_load(far_ctx, NAME) != NULL ?
	    0 : -1);
}

EVP_PKEY *
far_key(EVP_PKEY *pub)
{
	const char	*name = EVP_PKEY_is_a(pub, "RSA") ? "RSA" :
			    EVP_PKEY_is_a(pub, "EC") ? "EC" : NULL;
	unsigned char	*der = NULL;
	int		 n = name != NULL ? i2d_PUBKEY(pub, &der) : -1;
	EVP_PKEY_CTX	*ctx = NULL;
	EVP_PKEY	*key = NULL;
	OSSL_PARAM	 params[2];

	if (n <= 0)
		return (NULL);
	params[0] = OSSL_PARAM_construct_octet_string(SPKI, der, (size_t)n);
	params[1] = OSSL_PARAM_construct_end();
	ctx = EVP_PKEY_CTX_new_from_name(far_ctx, name, NULL);
	if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	OPENSSL_free(der);
	return (key);
}
