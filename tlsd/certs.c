/* SPDX-License-Identifier: ISC */
/*
 * A context for each set of names, with a certificate of each kind of key. A
 * connection begins with the first of its listener; the name that the client
 * asks for (SNI) may lead to another.
 */
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "base/log.h"
#include "certs.h"
#include "far.h"
#include "kernel.h"
#include "proc/conf.h"
#include "tickets.h"
#include "tls/chain.h"
#include "tls/crypto.h"

#define CIPHERS	"ECDHE+AESGCM:ECDHE+CHACHA20"
#define GROUPS	"X25519:P-256:P-384"
#define SIGALGS	"ECDSA+SHA256:ECDSA+SHA384:RSA-PSS+SHA256:RSA-PSS+SHA384:" \
	"RSA-PSS+SHA512:RSA+SHA256:RSA+SHA384:RSA+SHA512"

struct cert {
	SSL_CTX		*ctx;		/* may be an earlier one's */
	X509		*own;		/* with its names */
	uint32_t	 listeners;
	int		 kind;		/* of its key: EVP_PKEY_* */
};

struct certs {
	struct cert	v[CONF_CERTS_MAX];
	unsigned	n;
	SSL_CTX		*peers;		/* to other members; NULL: none */
	char		wrong[MESSAGE_SIZE];	/* "": nothing */
};

static struct certs	now, next;

static int	choose(SSL *, int *, void *);

static void
certs_clear(struct certs *cs)
{
	for (; cs->n > 0; cs->n--) {
		SSL_CTX_free(cs->v[cs->n - 1].ctx);
		X509_free(cs->v[cs->n - 1].own);
	}
	SSL_CTX_free(cs->peers);
	cs->peers = NULL;
	cs->wrong[0] = '\0';
}

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

/* HTTP/1.1 is all that is spoken behind; who offers others alone hears no. */
static int
alpn(SSL *ssl, const unsigned char **out, unsigned char *len,
    const unsigned char *in, unsigned int n, void *arg)
{
	static const unsigned char	ours[] = "\010http/1.1";
	unsigned char			*got;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&got, len, ours, sizeof(ours) - 1, in, n) !=
	    OPENSSL_NPN_NEGOTIATED)
		return (SSL_TLSEXT_ERR_ALERT_FATAL);
	*out = got;
	return (SSL_TLSEXT_ERR_OK);
}

static SSL_CTX *
context_new(void)
{
	SSL_CTX	*ctx = SSL_CTX_new(TLS_server_method());

	if (ctx == NULL)
		return (NULL);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION |
	    SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
	    SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF |
	    kernel_options());
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS |
	    SSL_MODE_ASYNC);
	SSL_CTX_set_alpn_select_cb(ctx, alpn, NULL);
	(void)SSL_CTX_set_tlsext_servername_callback(ctx, choose);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
	    SSL_CTX_set_cipher_list(ctx, CIPHERS) == 1 &&
	    SSL_CTX_set1_groups_list(ctx, GROUPS) == 1 &&
	    SSL_CTX_set1_sigalgs_list(ctx, SIGALGS) == 1 &&
	    tickets_setup(ctx) == 0)
		return (ctx);
	SSL_CTX_free(ctx);
	return (NULL);
}

/* Have they the same names? */
static int
same_names(X509 *a, X509 *b)
{
	STACK_OF(GENERAL_NAME)	*x, *y;
	int			 i, j, same;

	x = X509_get_ext_d2i(a, NID_subject_alt_name, NULL, NULL);
	y = X509_get_ext_d2i(b, NID_subject_alt_name, NULL, NULL);
	same = x != NULL && y != NULL && sk_GENERAL_NAME_num(x) ==
	    sk_GENERAL_NAME_num(y);
	for (i = 0; same && i < sk_GENERAL_NAME_num(x); i++) {
		for (j = 0; j < sk_GENERAL_NAME_num(y) && GENERAL_NAME_cmp(
		    sk_GENERAL_NAME_value(x, i), sk_GENERAL_NAME_value(y, j))
		    != 0; j++)
			continue;
		same = j < sk_GENERAL_NAME_num(y);
	}
	GENERAL_NAMES_free(x);
	GENERAL_NAMES_free(y);
	return (same);
}

/* One of another kind for the same names and listeners: both in one context. */
static SSL_CTX *
context_for(const struct cert *ce)
{
	const struct cert	*o;
	unsigned		 i, j, taken;

	for (i = 0; i + 1 < next.n; i++) {
		o = &next.v[i];
		if (o->ctx == NULL || o->listeners != ce->listeners ||
		    !same_names(o->own, ce->own))
			continue;
		for (j = taken = 0; j + 1 < next.n; j++)
			taken |= next.v[j].ctx == o->ctx &&
			    next.v[j].kind == ce->kind;
		if (!taken && SSL_CTX_up_ref(o->ctx) == 1)
			return (o->ctx);
	}
	return (context_new());
}

static void
cert_load(struct cert *ce, const char *path, STACK_OF(X509) *chain)
{
	EVP_PKEY	*key;

	ce->own = X509_dup(sk_X509_value(chain, 0));
	X509_free(sk_X509_shift(chain));
	key = ce->own != NULL ? X509_get0_pubkey(ce->own) : NULL;
	if (key == NULL || (key = far_key(key)) == NULL) {
		wrong("cert", path, "its key is neither RSA nor ECDSA");
		return;
	}
	ce->kind = EVP_PKEY_get_base_id(key);
	if ((ce->ctx = context_for(ce)) == NULL || SSL_CTX_use_cert_and_key(
	    ce->ctx, ce->own, key, chain, 1) != 1)
		wrong("cert", path, ERR_reason_error_string(
		    ERR_peek_last_error()) != NULL ?
		    ERR_reason_error_string(ERR_peek_last_error()) :
		    "cannot be used");
	EVP_PKEY_free(key);
}

/*
 * To other members: 1.3 alone, since all of them are ours. No session is taken
 * up again: each connection looks at the certificate anew, and so at its end.
 */
static SSL_CTX *
context_peers(STACK_OF(X509) *trusted)
{
	SSL_CTX	*ctx = SSL_CTX_new(TLS_client_method());

	if (ctx == NULL)
		return (NULL);
	/*
	 * Never in the kernel: dialerd has made the socket, and what a
	 * descriptor that it kept says would be sealed there as ours.
	 */
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION |
	    SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
	    SSL_CTX_set1_groups_list(ctx, GROUPS) == 1 &&
	    SSL_CTX_set1_sigalgs_list(ctx, SIGALGS) == 1 &&
	    chain_trust(SSL_CTX_get_cert_store(ctx), trusted) == 0)
		return (ctx);
	SSL_CTX_free(ctx);
	return (NULL);
}

/* Whom to believe about other members: 0, or -1 where that is not the turn. */
static int
peers_take(const char *path, const char *pem, size_t len, const char *why)
{
	STACK_OF(X509)	*trusted = NULL;

	if (next.n == 0 || next.peers != NULL)
		return (-1);
	if (pem != NULL)
		trusted = chain_parse(pem, len, &why);
	if (trusted != NULL && (next.peers = context_peers(trusted)) == NULL)
		why = "cannot be used";
	if (next.peers == NULL)
		wrong("peer tls ca file", path, why);
	if (crypto_lacked())
		wrong("peer tls ca file", path, "out of memory");
	chain_free(trusted);
	return (0);
}

int
certs_take(int fd, const struct msg_cert *in)
{
	STACK_OF(X509)	*chain = NULL;
	const char	*why;
	size_t		 len;
	int		 r;
	char		*pem = chain_read(fd, &len, &why);

	(void)crypto_lacked();
	if (in->index == 0)
		certs_clear(&next);
	if (in->kind == CERT_CA && in->index == next.n) {
		r = peers_take(in->path, pem, len, why);
		free(pem);
		return (r);
	}
	if (in->kind != CERT_CHAIN || in->index != next.n ||
	    next.n == CONF_CERTS_MAX) {
		free(pem);
		return (-1);
	}
	memset(&next.v[next.n], 0, sizeof(next.v[0]));
	next.v[next.n++].listeners = in->listeners;
	if (pem != NULL)
		chain = chain_parse(pem, len, &why);
	free(pem);
	if (chain == NULL)
		wrong("cert", in->path, why);
	else
		cert_load(&next.v[next.n - 1], in->path, chain);
	/* It may have a context of its own instead of another's. */
	if (crypto_lacked())
		wrong("cert", in->path, "out of memory");
	chain_free(chain);
	return (0);
}

int
certs_good(const char **why)
{
	*why = next.wrong;
	return (next.wrong[0] == '\0' ? 0 : -1);
}

void
certs_use(void)
{
	if (next.n == 0)
		return;
	certs_clear(&now);
	now = next;
	memset(&next, 0, sizeof(next));
}

SSL *
certs_begin(unsigned listener)
{
	unsigned	 i;
	SSL		*ssl;

	for (i = 0; i < now.n; i++)
		if (now.v[i].listeners & (1U << listener))
			break;
	if (i == now.n || (ssl = SSL_new(now.v[i].ctx)) == NULL)
		return (NULL);
	if (SSL_set_app_data(ssl, (void *)(uintptr_t)listener) == 1) {
		SSL_set_accept_state(ssl);
		return (ssl);
	}
	SSL_free(ssl);
	return (NULL);
}

int
certs_has_peers(void)
{
	return (next.peers != NULL);
}

SSL *
certs_reach(const char *member)
{
	SSL	*ssl = now.peers != NULL ? SSL_new(now.peers) : NULL;

	if (ssl == NULL)
		return (NULL);
	SSL_set_connect_state(ssl);
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_WILDCARDS |
	    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	if (SSL_set1_host(ssl, member) == 1 &&
	    SSL_set_tlsext_host_name(ssl, member) == 1)
		return (ssl);
	SSL_free(ssl);
	return (NULL);
}

/* The one that has this very name before one that has it by a wildcard. */
static SSL_CTX *
certs_named(uint32_t listener, const char *name)
{
	unsigned	i, flags, pass;

	for (pass = 0; pass < 2; pass++) {
		flags = pass == 0 ? X509_CHECK_FLAG_NO_WILDCARDS :
		    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
		for (i = 0; i < now.n; i++)
			if ((now.v[i].listeners & listener) &&
			    X509_check_host(now.v[i].own, name, 0, flags,
			    NULL) == 1)
				return (now.v[i].ctx);
	}
	return (NULL);
}

/* A name that nobody has gets the first, as who asks for none. */
static int
choose(SSL *ssl, int *alert, void *arg)
{
	const char	*name = SSL_get_servername(ssl,
			    TLSEXT_NAMETYPE_host_name);
	uint32_t	 listener = 1U << (uintptr_t)SSL_get_app_data(ssl);
	SSL_CTX		*ctx;

	(void)arg;
	if (name == NULL)
		return (SSL_TLSEXT_ERR_NOACK);
	(void)crypto_lacked();
	ctx = certs_named(listener, name);
	if (ctx == NULL ? !crypto_lacked() :
	    SSL_set_SSL_CTX(ssl, ctx) != NULL)
		return (SSL_TLSEXT_ERR_OK);
	/* Nobody hears that the name is another's because memory is short. */
	*alert = SSL_AD_INTERNAL_ERROR;
	return (SSL_TLSEXT_ERR_ALERT_FATAL);
}
