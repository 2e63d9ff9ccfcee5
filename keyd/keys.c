/* SPDX-License-Identifier: ISC */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "form.h"
#include "keys.h"
#include "metrics/count.h"
#include "proc/conf.h"
#include "tls/chain.h"
#include "tls/crypto.h"

#define RSA_BITS_MIN	2048
#define RSA_BITS_MAX	8192
#define SOON_DAYS	14	/* a certificate is warned of */
#define DAY		86400

struct key {
	EVP_PKEY	*pkey;		/* NULL: not both files have come */
	STACK_OF(X509)	*chain;
	uint8_t		 id[TLS_KEY_ID];
	int		 rsa;
	char		 path[PATH_SIZE];	/* of its certificate */
};

struct keyring {
	struct key	*v[CONF_CERTS_MAX];
	unsigned	 n;
	char		 wrong[MESSAGE_SIZE];	/* "": nothing */
};

static struct keyring	now, before, next;

static void
key_free(struct key *k)
{
	EVP_PKEY_free(k->pkey);
	chain_free(k->chain);
	free(k);
}

static void
ring_clear(struct keyring *r)
{
	while (r->n > 0)
		key_free(r->v[--r->n]);
	r->wrong[0] = '\0';
}

/* The first fault is what the asker of a reload hears. */
static void
wrong(const char *what, const char *path, const char *why)
{
	if (crypto_lacked())
		why = "out of memory";
	if (next.wrong[0] == '\0')
		snprintf(next.wrong, sizeof(next.wrong), "%s %.400s: %s", what,
		    path, why);
	ERR_clear_error();
}

/* Nobody is there to be asked for a password. */
static int
no_password(char *buf, int size, int rw, void *arg)
{
	(void)buf;
	(void)size;
	(void)rw;
	(void)arg;
	return (-1);
}

/* Is it of a kind that handshakes are signed with? */
static const char *
key_unfit(EVP_PKEY *k)
{
	char	curve[32] = "";
	size_t	len;

	if (EVP_PKEY_is_a(k, "RSA"))
		return (EVP_PKEY_get_bits(k) < RSA_BITS_MIN ||
		    EVP_PKEY_get_bits(k) > RSA_BITS_MAX ?
		    "RSA keys have 2048 to 8192 bits" : NULL);
	if (EVP_PKEY_is_a(k, "EC") && EVP_PKEY_get_group_name(k, curve,
	    sizeof(curve), &len) == 1 && (strcmp(curve, "prime256v1") == 0 ||
	    strcmp(curve, "secp384r1") == 0))
		return (NULL);
	return ("neither RSA nor ECDSA on P-256 or P-384");
}

static void
key_load(struct key *k, const char *pem, size_t len)
{
	const char	*why = "no private key in PEM, or one with a password";
	BIO		*bio = BIO_new_mem_buf(pem, (int)len);
	X509		*own = k->chain != NULL ? sk_X509_value(k->chain, 0) :
			    NULL;

	if (bio != NULL)
		k->pkey = PEM_read_bio_PrivateKey(bio, NULL, no_password,
		    NULL);
	BIO_free(bio);
	if (k->pkey != NULL)
		why = key_unfit(k->pkey);
	if (why == NULL && own != NULL &&
	    X509_check_private_key(own, k->pkey) != 1)
		why = "its key is another one";
	if (why == NULL && chain_key_id(k->pkey, k->id) == -1)
		why = "out of memory";
	if (why == NULL)
		k->rsa = EVP_PKEY_is_a(k->pkey, "RSA");
	if (why != NULL)
		wrong("key of", k->path, why);
}

static void
chain_load(struct key *k, const char *pem, size_t len)
{
	const char	*why;

	if ((k->chain = chain_parse(pem, len, &why)) == NULL)
		wrong("cert", k->path, why);
}

static struct key *
key_begin(const struct msg_cert *in)
{
	struct key	*k;

	if (in->index == 0)
		ring_clear(&next);
	if (in->index != next.n || next.n == CONF_CERTS_MAX ||
	    (k = calloc(1, sizeof(*k))) == NULL)
		return (NULL);
	strlcpy(k->path, in->path, sizeof(k->path));
	next.v[next.n++] = k;
	return (k);
}

/* The chain of each comes first, then its key. */
int
keys_take(int fd, const struct msg_cert *in)
{
	struct key	*k = NULL;
	const char	*why;
	size_t		 len = 0;
	char		*pem = chain_read(fd, &len, &why);

	(void)crypto_lacked();
	if (in->kind == CERT_CHAIN)
		k = key_begin(in);
	else if (in->kind == CERT_KEY && next.n > 0 &&
	    in->index == next.n - 1 && next.v[next.n - 1]->pkey == NULL)
		k = next.v[next.n - 1];
	if (k != NULL && pem == NULL)
		wrong("file of", k->path, why);
	else if (k != NULL && in->kind == CERT_CHAIN)
		chain_load(k, pem, len);
	else if (k != NULL)
		key_load(k, pem, len);
	if (k != NULL && crypto_lacked())
		wrong("file of", k->path, "out of memory");
	freezero(pem, len);
	return (k != NULL ? 0 : -1);
}

int
keys_judge(const char **why)
{
	*why = next.wrong;
	return (next.wrong[0] == '\0' ? 0 : -1);
}

STACK_OF(X509) *
keys_chain(void)
{
	return (next.n > 0 ? next.v[0]->chain : NULL);
}

/* Seconds since 1970, as far as that can be said. */
static int64_t
ends_at(X509 *x)
{
	int64_t		 wall = clock_wall();
	ASN1_TIME	*t = ASN1_TIME_set(NULL, (time_t)wall);
	int		 days = 0, seconds = 0;

	if (t == NULL || ASN1_TIME_diff(&days, &seconds, t,
	    X509_get0_notAfter(x)) != 1)
		days = seconds = 0;
	ASN1_TIME_free(t);
	return (wall + (int64_t)days * DAY + seconds);
}

void
keys_look(void)
{
	int64_t		first = INT64_MAX, at, left;
	unsigned	i;

	for (i = 0; i < now.n; i++) {
		at = ends_at(sk_X509_value(now.v[i]->chain, 0));
		left = at - clock_wall();
		if (at < first)
			first = at;
		if (left <= 0)
			log_warnx("cert %s: has ended", now.v[i]->path);
		else if (left < SOON_DAYS * DAY)
			log_warnx("cert %s: ends in %lld days",
			    now.v[i]->path, (long long)(left / DAY));
	}
	gauge(CT_KEY_CERTS, now.n);
	gauge(CT_KEY_EXPIRES, now.n == 0 ? 0 :
	    (uint64_t)(first < 0 ? 0 : first) * 1000000);
}

void
keys_use(void)
{
	if (next.n == 0)
		return;
	ring_clear(&before);
	before = now;
	now = next;
	memset(&next, 0, sizeof(next));
	keys_look();
}

static const struct key *
key_find(const struct keyring *r, const struct blob *id)
{
	unsigned	i;

	for (i = 0; i < r->n; i++)
		if (memcmp(r->v[i]->id, id->p, TLS_KEY_ID) == 0)
			return (r->v[i]);
	return (NULL);
}

static int
sign(EVP_PKEY *k, const struct form_scheme *how, const struct blob *tbs,
    uint8_t *sig, size_t *len)
{
	EVP_MD_CTX	*ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX	*pctx;
	int		 good;

	*len = TLS_SIG_MAX;
	good = ctx != NULL && EVP_DigestSignInit_ex(ctx, &pctx, how->digest,
	    NULL, NULL, k, NULL) == 1 && (!how->pss ||
	    (EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) ==
	    1)) && EVP_DigestSign(ctx, sig, len, tbs->p, tbs->len) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return (good ? 0 : -1);
}

enum keys_said
keys_sign(const struct msg_sign *in, uint8_t *sig, size_t *len)
{
	const struct form_scheme	*how;
	const struct key		*k;

	how = form_scheme(in->scheme, form_of(in->tbs.p, in->tbs.len));
	if (in->key.len != TLS_KEY_ID || how == NULL)
		return (KEYS_FORBIDDEN);
	if ((k = key_find(&now, &in->key)) == NULL &&
	    (k = key_find(&before, &in->key)) == NULL)
		return (KEYS_UNKNOWN);
	if (k->rsa != (how->key == FORM_RSA))
		return (KEYS_FORBIDDEN);
	return (sign(k->pkey, how, &in->tbs, sig, len) == 0 ? KEYS_SIGNED :
	    KEYS_UNKNOWN);
}
