/* SPDX-License-Identifier: ISC */
/*
 * The TLS contexts, each made when it is first needed: reading the certificates
 * of the authorities costs 10 ms, which a tunnel over ws:// does not need. Nor
 * may OpenSSL itself be there before (late.c).
 */
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <string.h>

#include "base/log.h"
#include "net.h"
#include "net_int.h"

#define NKINDS	(DIAL_TLS_SERVICE_OLD + 1)

static struct {
	SSL_CTX		*ctx[NKINDS];
	int		 insecure;
	const char	*ca_file;
} tls;

static int	server_setup(SSL_CTX *, int);
static int	service_setup(SSL_CTX *, int);

void
net_init(struct event_base *base, int insecure, const char *ca_file)
{
	tls.insecure = insecure;
	tls.ca_file = ca_file;
	net_resolver_init(base);
}

void
net_clear(void)
{
	int	i;

	net_resolver_clear();
	for (i = 0; i < NKINDS; i++) {
		SSL_CTX_free(tls.ctx[i]);
		tls.ctx[i] = NULL;
	}
}

int
net_check(int needed)
{
	if (*tls.ca_file != '\0')
		return (net_tls(DIAL_TLS_PROXY) == NULL ? -1 : 0);
	return (needed && TLS_client_method() == NULL ? -1 : 0);
}

SSL_CTX *
net_tls(enum dial_tls kind)
{
	SSL_CTX			*ctx = tls.ctx[kind];
	const SSL_METHOD	*method;

	if (ctx != NULL)
		return (ctx);
	method = TLS_client_method();
	ctx = method == NULL ? NULL : SSL_CTX_new(method);
	if (ctx == NULL || (kind == DIAL_TLS_SERVER || kind == DIAL_TLS_PROXY ?
	    server_setup(ctx, kind == DIAL_TLS_SERVER && tls.insecure) :
	    service_setup(ctx, kind == DIAL_TLS_SERVICE_OLD)) == -1) {
		log_warnx("tls: cannot be set up");
		SSL_CTX_free(ctx);
		return (NULL);
	}
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	tls.ctx[kind] = ctx;
	return (ctx);
}

/* A file that was asked for and cannot be used is a fault; none is a pity. */
static int
authorities(SSL_CTX *ctx)
{
	unsigned long	e;

	if (*tls.ca_file == '\0') {
		if (SSL_CTX_set_default_verify_paths(ctx) != 1)
			log_warnx("tls: no certificates of authorities");
		return (0);
	}
	ERR_clear_error();
	if (SSL_CTX_load_verify_file(ctx, tls.ca_file) == 1)
		return (0);
	/* Of a file that cannot be opened the first error is the system's. */
	e = ERR_get_error();
	log_warnx("%s: %s", tls.ca_file, ERR_GET_LIB(e) == ERR_LIB_SYS ?
	    strerror(ERR_GET_REASON(e)) :
	    "no certificates can be read there");
	ERR_clear_error();
	return (-1);
}

static int
server_setup(SSL_CTX *ctx, int insecure)
{
	static const unsigned char	alpn[] = "\010http/1.1";

	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_alpn_protos(ctx, alpn, sizeof(alpn) - 1) != 0)
		return (-1);
	SSL_CTX_set_verify(ctx, insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER,
	    NULL);
	return (insecure ? 0 : authorities(ctx));
}

/*
 * Nothing is checked there, so an old key is no worse than a new. `old` is for
 * what its owner calls `:tls-old`: TLS 1.0 and 1.1, renegotiation as it was
 * before 2010, ciphers that are found on such machines.
 */
static int
service_setup(SSL_CTX *ctx, int old)
{
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	if (!old)
		return (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) ==
		    1 ? 0 : -1);
	SSL_CTX_set_options(ctx, SSL_OP_LEGACY_SERVER_CONNECT);
	return (SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION) == 1 &&
	    SSL_CTX_set_cipher_list(ctx, "ALL:!aNULL:!eNULL:@SECLEVEL=0") ==
	    1 ? 0 : -1);
}
