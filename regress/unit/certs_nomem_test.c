/* SPDX-License-Identifier: ISC */
/*
 * The certificates of keyd and tlsd without memory: they are taken again and again
 * while the first, the second, the third ... request of libcrypto fails. Each time
 * they are whole, or refused for that reason: never a chain with a link less,
 * and never a good file that is said to be broken.
 */
#include <stdlib.h>

static int	 fail_at, asked;

static void *
flaky_malloc(size_t size)
{
	return (++asked == fail_at ? NULL : malloc(size));
}

static void *
flaky_realloc(void *p, size_t size)
{
	return (++asked == fail_at ? NULL : realloc(p, size));
}

#define malloc	flaky_malloc
#define realloc	flaky_realloc
#include "tls/crypto.c"		/* NOLINT(bugprone-suspicious-include) */
#undef malloc
#undef realloc

#include <openssl/ssl.h>

#include <fcntl.h>
#include <string.h>

#include "keyd/keys.h"
#include "regress/lib/tap.h"
#include "tls/chain.h"
#include "tlsd/certs.h"
#include "tlsd/far.h"

#define LINKS	7	/* more than a stack of libcrypto's has room for at first */
#define FIRST	60	/* requests, each; then one of */
#define EACH	211

static char	dir[] = "/tmp/relayd-certs-XXXXXX";

static void
die(const char *what)
{
	fprintf(stderr, "certs_nomem_test: %s\n", what);
	exit(1);
}

/* Two kinds of key for one name, and a chain of many links for each. */
static void
make(void)
{
	char	cmd[1024];

	snprintf(cmd, sizeof(cmd), "cd %s && for k in 'rsa:2048 a' "
	    "'ec:ec.pem b'; do set -- $k; [ $2 = a ] || openssl ecparam -name "
	    "prime256v1 -out ec.pem; openssl req -x509 -newkey $1 -nodes "
	    "-subj /CN=test -addext subjectAltName=DNS:test -days 30 -out "
	    "$2.one -keyout $2.key 2>/dev/null || exit 1; i=0; while [ $i -lt "
	    "%d ]; do cat $2.one; i=$((i + 1)); done > $2.crt; done", dir,
	    LINKS);
	if (system(cmd) != 0)
		die("openssl");
}

static int
file(const char *name)
{
	char	path[64];
	int	fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		die(path);
	return (fd);
}

static struct msg_cert
cert(unsigned i, unsigned kind)
{
	return ((struct msg_cert){ .index = i, .kind = kind, .listeners = 1,
	    .path = "/chain" });
}

/* 0, or -1 with the reason. */
static int
keyd_takes(const char **why)
{
	struct msg_cert	in[] = { cert(0, CERT_CHAIN), cert(0, CERT_KEY),
			    cert(1, CERT_CHAIN), cert(1, CERT_KEY) };

	if (keys_take(file("a.crt"), &in[0]) == -1 ||
	    keys_take(file("a.key"), &in[1]) == -1 ||
	    keys_take(file("b.crt"), &in[2]) == -1 ||
	    keys_take(file("b.key"), &in[3]) == -1)
		die("keyd takes no file");
	return (keys_judge(why));
}

static int
keyd_whole(void)
{
	return (sk_X509_num(keys_chain()) == LINKS);
}

static int
tlsd_takes(const char **why)
{
	struct msg_cert	in[] = { cert(0, CERT_CHAIN), cert(1, CERT_CHAIN),
			    cert(2, CERT_CA) };

	if (certs_take(file("a.crt"), &in[0]) == -1 ||
	    certs_take(file("b.crt"), &in[1]) == -1 ||
	    certs_take(file("b.crt"), &in[2]) == -1)
		die("tlsd takes no file");
	return (certs_good(why));
}

/* Both kinds are in the context that a connection begins with, whole. */
static int
tlsd_whole(void)
{
	STACK_OF(X509)	*chain;
	SSL_CTX		*ctx;
	SSL		*ssl;
	int		 kind, good = 1;

	certs_use();
	if ((ssl = certs_begin(0)) == NULL)
		die("no connection");
	ctx = SSL_get_SSL_CTX(ssl);
	for (kind = SSL_CERT_SET_FIRST; good &&
	    SSL_CTX_set_current_cert(ctx, kind) == 1; kind =
	    SSL_CERT_SET_NEXT)
		good = SSL_CTX_get0_chain_certs(ctx, &chain) == 1 &&
		    sk_X509_num(chain) == LINKS - 1;
	good = good && SSL_CTX_get0_certificate(ctx) != NULL &&
	    kind == SSL_CERT_SET_NEXT;
	SSL_free(ssl);
	return (good);
}

static void
each(const char *who, int (*takes)(const char **), int (*whole)(void))
{
	const char	*why;
	int		 all, at, good, failed = 0, refused = 0, wrong = 0;

	if (takes(&why) == -1)	/* what is made once */
		die(why);
	fail_at = asked = 0;
	ok(takes(&why) == 0 && whole(), "%s: whole with memory", who);
	all = asked;
	for (at = 1; at <= all; at += at < FIRST ? 1 : EACH) {
		fail_at = at;
		asked = 0;
		good = takes(&why) == 0;
		fail_at = 0;
		failed++;
		refused += !good;
		if (good && !whole())
			why = "half made";
		else if (good || strstr(why, "out of memory") != NULL)
			continue;
		if (wrong++ < 5)
			diag("%s: request %d: %s", who, at, why);
	}
	diag("%s: %d requests, %d failed, %d refused", who, all, failed,
	    refused);
	ok(refused > 0 && wrong == 0, "%s: whole, or refused for want of "
	    "memory", who);
	ok(takes(&why) == 0 && whole(), "%s: whole again", who);
}

int
main(void)
{
	char	cmd[64];

	if (mkdtemp(dir) == NULL)
		die("mkdtemp");
	make();
	crypto_begin();
	if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG |
	    OPENSSL_INIT_LOAD_SSL_STRINGS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS,
	    NULL) != 1 || far_init() == -1)
		die("libssl");
	crypto_begun();
	each("keyd", keyd_takes, keyd_whole);
	each("tlsd", tlsd_takes, tlsd_whole);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ok(system(cmd) == 0, "nothing is left behind");
	done_testing();
	return (tap_status());
}
