/* SPDX-License-Identifier: ISC */
/*
 * OpenSSL for a program that often does without: loaded with the first TLS
 * context and not at each start, of which it is half (bench/RESULTS.md). Who
 * links this in place of -lssl calls its functions by their own names; one that
 * is missing here does not link. Before TLS_client_method(), which is NULL if
 * the library is not there, none of them may be called but the two that free.
 */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <dlfcn.h>

#include "base/log.h"

#define TEXT_OF(x)	#x
#define TEXT(x)		TEXT_OF(x)
/* The one whose headers we were compiled with. */
#define LIBRARY		"libssl.so." TEXT(OPENSSL_SHLIB_VERSION)

/* F: gives something back; V: does not; N: nor does it when there is nothing. */
#define ALL(F, V, N)							\
	F(SSL_CTX *, SSL_CTX_new, (const SSL_METHOD *a), (a))		\
	N(SSL_CTX_free, (SSL_CTX *a), (a))				\
	F(long, SSL_CTX_ctrl, (SSL_CTX *a, int b, long c, void *d),	\
	    (a, b, c, d))						\
	F(int, SSL_CTX_load_verify_file, (SSL_CTX *a, const char *b),	\
	    (a, b))							\
	F(int, SSL_CTX_set_default_verify_paths, (SSL_CTX *a), (a))	\
	F(int, SSL_CTX_set_alpn_protos, (SSL_CTX *a,			\
	    const unsigned char *b, unsigned int c), (a, b, c))		\
	F(int, SSL_CTX_set_cipher_list, (SSL_CTX *a, const char *b),	\
	    (a, b))							\
	F(uint64_t, SSL_CTX_set_options, (SSL_CTX *a, uint64_t b), (a, b)) \
	V(SSL_CTX_set_security_level, (SSL_CTX *a, int b), (a, b))	\
	V(SSL_CTX_set_verify, (SSL_CTX *a, int b, SSL_verify_cb c),	\
	    (a, b, c))							\
	F(SSL *, SSL_new, (SSL_CTX *a), (a))				\
	N(SSL_free, (SSL *a), (a))					\
	F(long, SSL_ctrl, (SSL *a, int b, long c, void *d), (a, b, c, d)) \
	F(int, SSL_set_fd, (SSL *a, int b), (a, b))			\
	V(SSL_set_bio, (SSL *a, BIO *b, BIO *c), (a, b, c))		\
	F(BIO *, SSL_get_rbio, (const SSL *a), (a))			\
	F(X509_VERIFY_PARAM *, SSL_get0_param, (SSL *a), (a))		\
	F(int, SSL_set1_host, (SSL *a, const char *b), (a, b))		\
	V(SSL_set_hostflags, (SSL *a, unsigned int b), (a, b))		\
	V(SSL_set_connect_state, (SSL *a), (a))				\
	F(int, SSL_do_handshake, (SSL *a), (a))				\
	F(long, SSL_get_verify_result, (const SSL *a), (a))		\
	F(int, SSL_get_error, (const SSL *a, int b), (a, b))		\
	F(int, SSL_pending, (const SSL *a), (a))			\
	F(int, SSL_has_pending, (const SSL *a), (a))			\
	V(SSL_set_read_ahead, (SSL *a, int b), (a, b))			\
	F(int, SSL_read_ex, (SSL *a, void *b, size_t c, size_t *d),	\
	    (a, b, c, d))						\
	F(int, SSL_write_ex, (SSL *a, const void *b, size_t c,		\
	    size_t *d), (a, b, c, d))					\
	F(int, SSL_shutdown, (SSL *a), (a))				\
	F(const BIO_METHOD *, BIO_f_ssl, (void), ())			\
	F(BIO *, BIO_new, (const BIO_METHOD *a), (a))			\
	F(long, BIO_ctrl, (BIO *a, int b, long c, void *d), (a, b, c, d)) \
	F(int, BIO_method_type, (const BIO *a), (a))			\
	F(int, X509_VERIFY_PARAM_set1_ip_asc, (X509_VERIFY_PARAM *a,	\
	    const char *b), (a, b))					\
	F(const char *, X509_verify_cert_error_string, (long a), (a))	\
	V(ERR_clear_error, (void), ())					\
	F(unsigned long, ERR_get_error, (void), ())			\
	V(ERR_error_string_n, (unsigned long a, char *b, size_t c),	\
	    (a, b, c))							\
	F(const char *, ERR_reason_error_string, (unsigned long a), (a))

#define PLACE(type, name, takes, gives)	AT_##name,
#define PLACE_VOID(name, takes, gives)	AT_##name,
enum { ALL(PLACE, PLACE_VOID, PLACE_VOID) AT_TLS_client_method, PLACES };

#define NAME(type, name, takes, gives)	#name,
#define NAME_VOID(name, takes, gives)	#name,
static const char *const	names[] = {
	ALL(NAME, NAME_VOID, NAME_VOID) "TLS_client_method"
};

static void	*at[PLACES];	/* in libssl, or in libcrypto that it needs */

/* 0, or -1 after a line in the log. Once there it stays. */
static int
load(void)
{
	void	*library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	int	 i;

	if (library == NULL) {
		log_warnx("tls: %s", dlerror());
		return (-1);
	}
	for (i = 0; i < PLACES; i++)
		if ((at[i] = dlsym(library, names[i])) == NULL) {
			log_warnx("tls: %s: no %s", LIBRARY, names[i]);
			(void)dlclose(library);
			at[AT_TLS_client_method] = NULL;
			return (-1);
		}
	return (0);
}

/* The compiler compares each with its declaration in OpenSSL's headers. */
#define REAL(name)	((__typeof__(&name))at[AT_##name])
#define CALL(type, name, takes, gives)					\
	type name takes { return (REAL(name) gives); }
#define CALL_VOID(name, takes, gives)					\
	void name takes { REAL(name) gives; }
#define CALL_FREE(name, takes, gives)					\
	void name takes { if (a != NULL) REAL(name) gives; }
ALL(CALL, CALL_VOID, CALL_FREE)

const SSL_METHOD *
TLS_client_method(void)
{
	if (at[AT_TLS_client_method] == NULL && load() == -1)
		return (NULL);
	return (REAL(TLS_client_method)());
}
