/* SPDX-License-Identifier: ISC */
/* keyd signs handshakes, and ends who asks for anything else. */
#include <sys/socket.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "regress/lib/drive.h"
#include "regress/lib/tap.h"
#include "tls/chain.h"

#define TLSD		70	/* the first instance */
#define HOUR_MS		3600000
#define EC_SHA256	0x0403
#define PSS_SHA256	0x0804
#define PKCS1_SHA256	0x0401
#define EC_SHA1		0x0203

static struct drive	 d;
static char		 dir[64] = "/tmp/relayd-keyd-XXXXXX";
static uint8_t		 id[TLS_KEY_ID];
static EVP_PKEY		*pub;
static uint64_t		 instance = TLSD;

/* A certificate and its key, which go again with the directory. */
static void
make(const char *name)
{
	char	cmd[512];

	snprintf(cmd, sizeof(cmd), "openssl req -x509 -newkey ec -pkeyopt "
	    "ec_paramgen_curve:P-256 -nodes -subj /CN=%s -days 30 -out "
	    "%s/%s.crt -keyout %s/%s.key 2>/dev/null", name, dir, name, dir,
	    name);
	if (system(cmd) != 0)
		bail("openssl");
}

static int
file(const char *name, const char *kind)
{
	char	path[256];
	int	fd;

	snprintf(path, sizeof(path), "%s/%s.%s", dir, name, kind);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		bail("%s", path);
	return (fd);
}

static void
learn(const char *name)
{
	FILE	*f = fdopen(file(name, "crt"), "r");
	X509	*x = f != NULL ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;

	if (x == NULL)
		bail("certificate");
	(void)fclose(f);
	EVP_PKEY_free(pub);
	pub = X509_get_pubkey(x);
	X509_free(x);
	if (chain_key_id(pub, id) == -1)
		bail("key");
}

/* The files, then RELOAD: what it says to that. */
static int
reload(const char *chain, const char *key, const char **why)
{
	struct msg_reload_said	 in;
	static struct conf	 cf;
	static uint8_t		 buf[CHUNK_MAX];
	long			 n;

	conf_init(&cf);
	n = conf_pack(&cf, ROLE_KEYD, buf, sizeof(buf));
	say_fd(d.parent, 0, file(chain, "crt"), cert, .kind = CERT_CHAIN,
	    .listeners = 1, .path = "/chain");
	say_fd(d.parent, 0, file(key, "key"), cert, .kind = CERT_KEY,
	    .listeners = 1, .path = "/chain");
	say_id(d.parent, 9, reload, .conf = { buf, (size_t)n });
	(void)hear(d.parent, reload_said, &in);
	*why = in.why;
	if (in.yes)
		say(d.parent, reload_swap);
	return (in.yes);
}

/* A tlsd's channel; `keys` has the ticket keys that it is told. */
static int
tlsd(struct msg_ticket_keys *keys)
{
	int	sv[2];

	if (imsg_pair(sv) == -1)
		bail("pair");
	say_fd(d.parent, 0, sv[1], peer, .role = ROLE_TLSD,
	    .instance = ++instance);
	(void)hear_next(sv[0], ticket_keys, keys);
	return (sv[0]);
}

/* What a server signs in TLS 1.3: 130 bytes. */
static const uint8_t *
tls13(void)
{
	static uint8_t	tbs[130];

	memset(tbs, ' ', 64);
	memcpy(tbs + 64, "TLS 1.3, server CertificateVerify", 34);
	memset(tbs + 98, 0x5a, 32);
	return (tbs);
}

/* And in TLS 1.2, with X25519: 100 bytes. */
static const uint8_t *
tls12(void)
{
	static uint8_t	tbs[100];

	memset(tbs, 0x17, sizeof(tbs));
	tbs[64] = 3;
	tbs[65] = 0;
	tbs[66] = 29;
	tbs[67] = 32;
	return (tbs);
}

/* Does it sign that? Is the signature right? */
static int
signs(int sock, uint16_t scheme, const uint8_t *tbs, size_t len)
{
	struct msg_signed	 in;
	EVP_MD_CTX		*ctx = EVP_MD_CTX_new();
	int			 good;

	say_id(sock, 5, sign, .key = { id, sizeof(id) }, .scheme = scheme,
	    .tbs = { tbs, len });
	(void)hear(sock, signed, &in);
	good = EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, pub) == 1 &&
	    EVP_DigestVerify(ctx, in.signature.p, in.signature.len, tbs, len)
	    == 1;
	EVP_MD_CTX_free(ctx);
	return (good);
}

/* A tlsd that asks for that is ended, and gets nothing. */
static void
refuses(uint16_t scheme, const uint8_t *tbs, size_t len, const char *what)
{
	struct msg_offence	in;
	struct imsg		m;
	int			sock = tlsd(NULL);

	say_id(sock, 5, sign, .key = { id, sizeof(id) }, .scheme = scheme,
	    .tbs = { tbs, len });
	is_int(hear_any(sock, &m, WAIT_MS), -1, "%s: not signed", what);
	(void)hear(d.parent, offence, &in);
	is_int((long)in.instance, (long)instance, "and the parent hears who");
	shut(&sock);
}

static void
test_refused(void)
{
	uint8_t	tbs[TLS_TBS_MAX];
	size_t	len;

	memcpy(tbs, tls13(), 130);
	memcpy(tbs + 64, "TLS 1.3, client CertificateVerify", 34);
	refuses(EC_SHA256, tbs, 130, "a client's proof");
	memcpy(tbs, tls13(), 130);
	tbs[63] = '!';
	refuses(EC_SHA256, tbs, 130, "63 spaces");
	refuses(EC_SHA256, tls13(), 129, "a byte less");
	memcpy(tbs, tls13(), 130);
	tbs[130] = 0;
	refuses(EC_SHA256, tbs, 131, "a byte more");
	refuses(EC_SHA256, tls13() + 98, 32, "a hash");
	refuses(EC_SHA256, tls13(), 0, "nothing");
	memset(tbs, 0x30, sizeof(tbs));
	for (len = 60; len <= TLS_TBS_MAX; len += 49)
		refuses(EC_SHA256, tbs, len, "the inside of a certificate");
	memcpy(tbs, tls12(), 100);
	tbs[64] = 1;
	refuses(EC_SHA256, tbs, 100, "a curve of one's own");
	memcpy(tbs, tls12(), 100);
	tbs[66] = 23;
	refuses(EC_SHA256, tbs, 100, "a point of the wrong length");
	refuses(EC_SHA1, tls12(), 100, "SHA-1");
	refuses(PSS_SHA256, tls13(), 130, "the scheme of another key");
	refuses(PKCS1_SHA256, tls13(), 130, "PKCS #1 in TLS 1.3");
}

static void
test_other(void)
{
	struct msg_signed	in;
	struct imsg		m;
	uint8_t			none[TLS_KEY_ID] = { 1 };
	int			sock = tlsd(NULL);

	say_id(sock, 5, sign, .key = { none, sizeof(none) },
	    .scheme = EC_SHA256, .tbs = { tls13(), 130 });
	(void)hear(sock, signed, &in);
	is_int((long)in.signature.len, 0, "a key that it does not have");
	say(sock, ticket_keys, .keys = { none, sizeof(none) });
	is_int(hear_any(sock, &m, WAIT_MS), -1, "a tlsd asks and says nothing");
	(void)hear(d.parent, offence, NULL);
	shut(&sock);
	sock = tlsd(NULL);
	say(sock, sign, .key = { id, sizeof(id) }, .scheme = EC_SHA256,
	    .tbs = { tls13(), 130 });
	is_int(hear_any(sock, &m, WAIT_MS), -1, "a question without an id");
	(void)hear(d.parent, offence, NULL);
	shut(&sock);
}

static void
test_tickets(void)
{
	struct msg_ticket_keys	 in;
	const uint8_t		*newest;
	uint8_t			 was[TLS_TICKET_KEY];
	int			 sock = tlsd(&in), other;

	is_int((long)in.keys.len, TLS_TICKET_KEY, "a ticket key at the start");
	memcpy(was, in.keys.p, sizeof(was));
	other = tlsd(&in);
	ok(memcmp(was, in.keys.p, sizeof(was)) == 0, "all have the same");
	drive_clock(&d, HOUR_MS);
	(void)hear(sock, ticket_keys, &in);
	is_int((long)in.keys.len, 2 * TLS_TICKET_KEY, "each hour a new one");
	newest = in.keys.p;
	ok(memcmp(was, newest, sizeof(was)) != 0 && memcmp(was,
	    newest + TLS_TICKET_KEY, sizeof(was)) == 0, "before the old");
	drive_clock(&d, HOUR_MS);
	(void)hear(sock, ticket_keys, &in);
	drive_clock(&d, HOUR_MS);
	(void)hear(sock, ticket_keys, &in);
	is_int((long)in.keys.len, 3 * TLS_TICKET_KEY, "three at most");
	newest = in.keys.p;
	ok(memcmp(was, newest + 2 * TLS_TICKET_KEY, sizeof(was)) != 0,
	    "and the first is forgotten");
	shut(&sock);
	shut(&other);
}

static void
test_reload(void)
{
	const char	*why;
	int		 sock = tlsd(NULL);

	is_int(reload("b", "a", &why), 0, "another's key is refused");
	is_str(why, "key of /chain: its key is another one", "with the reason");
	ok(signs(sock, EC_SHA256, tls13(), 130), "and the old one signs");
	is_int(reload("b", "b", &why), 1, "a new one");
	ok(signs(sock, EC_SHA256, tls13(), 130), "a handshake that began "
	    "before is signed with the key from before");
	learn("b");
	ok(signs(sock, EC_SHA256, tls13(), 130), "a new one with the new");
	shut(&sock);
}

/*
 * What a tlsd has asked lies there when keyd is told to stop: the handshake is
 * not to fail for that. Nor does it wait for ever.
 */
static void
test_stop(const struct conf *cf)
{
	struct msg_ticket_keys	 keys;
	const char	*why;
	int		 sock = tlsd(NULL), other = tlsd(NULL);

	drive_freeze(&d, 1);
	say(d.parent, stop);
	say_id(sock, 5, sign, .key = { id, sizeof(id) }, .scheme = EC_SHA256,
	    .tbs = { tls13(), 130 });
	drive_freeze(&d, 0);
	(void)hear(sock, signed, NULL);
	shut(&sock);
	ok(signs(other, EC_SHA256, tls13(), 130), "told to stop it signs for "
	    "whoever has it still");
	shut(&other);
	is_int(drive_wait(&d), 0, "and goes when all have turned away");
	drive_start(&d, ROLE_KEYD, cf);
	if (!reload("b", "b", &why))
		bail("%s", why);
	sock = tlsd(&keys);
	drive_clock(&d, HOUR_MS - 2000);
	say(d.parent, stop);
	ok(signs(sock, EC_SHA256, tls13(), 130), "who does not turn away");
	drive_clock(&d, 2000);
	ok(hear_maybe(sock, IMSG_TICKET_KEYS, &(struct imsg){ .fd = -1 },
	    100) == 0, "hears of no other ticket keys from it");
	drive_tick(&d, 5100);
	is_int(drive_wait(&d), 0, "does not hold it for more than 5 s");
	shut(&sock);
	drive_start(&d, ROLE_KEYD, cf);
	say(d.parent, stop);
	is_int(drive_wait(&d), 0, "nobody's keyd goes at once");
}

int
main(void)
{
	struct conf	 cf;
	const char	*why;
	char		 cmd[128];
	int		 sock;

	if (mkdtemp(dir) == NULL)
		bail("mkdtemp");
	make("a");
	make("b");
	learn("a");
	conf_init(&cf);
	drive_start(&d, ROLE_KEYD, &cf);
	is_int(reload("a", "a", &why), 1, "a certificate and its key");
	sock = tlsd(NULL);
	ok(signs(sock, EC_SHA256, tls13(), 130), "TLS 1.3");
	ok(signs(sock, EC_SHA256, tls12(), 100), "TLS 1.2");
	test_refused();
	test_other();
	ok(signs(sock, EC_SHA256, tls12(), 100), "others are served on");
	test_tickets();
	test_reload();
	shut(&sock);
	test_stop(&cf);
	drive_start(&d, ROLE_KEYD, &cf);
	is_int(drive_leave(&d), 0, "it leaves with the parent");
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	(void)!system(cmd);
	return (done_testing());
}
