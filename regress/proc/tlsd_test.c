/* SPDX-License-Identifier: ISC */
/*
 * tlsd among neighbours that lie: a keyd that signs nothing, or something else,
 * a proxyd that speaks of what is not its own, a parent that gives what nobody
 * can use. What is not theirs to say ends who says it; other connections go on.
 * And among those that leave: nobody's connection is lost for that.
 */
#include <sys/socket.h>

#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/listen.h"
#include "regress/lib/drive.h"
#include "regress/lib/tap.h"
#include "tls/chain.h"

static struct drive	 d;
static char		 dir[64] = "/tmp/relayd-tlsd-XXXXXX";
static EVP_PKEY		*key;
static SSL_CTX		*ctx;
static int		 keyd = -1;
static uint64_t		 instance = 70;

static int
file(const char *name, int flags)
{
	char	path[128];
	int	fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if ((fd = open(path, flags | O_CLOEXEC, 0600)) == -1)
		bail("%s", path);
	return (fd);
}

static void
make(void)
{
	char	cmd[256];
	FILE	*f;

	snprintf(cmd, sizeof(cmd), "cd %s && openssl req -x509 -newkey ec "
	    "-pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=a.test -days 30 "
	    "-out crt -keyout key 2>/dev/null", dir);
	if (system(cmd) != 0 || (f = fdopen(file("key", O_RDONLY), "r")) ==
	    NULL || (key = PEM_read_PrivateKey(f, NULL, NULL, NULL)) == NULL)
		bail("openssl");
	(void)fclose(f);
}

/* A RELOAD with this file as certificate: what it says to that. */
static int
reload_with(const struct conf *cf, const char *chain, const char **why)
{
	struct msg_reload_said	 in;
	static uint8_t		 buf[CHUNK_MAX];
	long			 n;

	n = conf_pack(cf, ROLE_TLSD, buf, sizeof(buf));
	say_fd(d.parent, 0, file(chain, O_RDONLY), cert, .kind = CERT_CHAIN,
	    .listeners = 1, .path = "/chain");
	say_id(d.parent, 9, reload, .conf = { buf, (size_t)n });
	(void)hear(d.parent, reload_said, &in);
	*why = in.why;
	if (in.yes)
		say(d.parent, reload_swap);
	return (in.yes);
}

static int
reload(const char *chain, const char **why)
{
	static struct conf	cf;

	conf_init(&cf);
	return (reload_with(&cf, chain, why));
}

/* A neighbour's channel. */
static int
peer(int role)
{
	int	sv[2];

	if (imsg_pair(sv) == -1)
		bail("pair");
	say_fd(d.parent, 0, sv[1], peer, .role = (uint8_t)role,
	    .instance = ++instance);
	return (sv[0]);
}

static void
keyd_new(void)
{
	static const uint8_t	keys[TLS_TICKET_KEY] = { 1 };

	shut(&keyd);
	keyd = peer(ROLE_KEYD);
	say(keyd, ticket_keys, .keys = { keys, sizeof(keys) });
}

static void
start_with(const struct conf *cf)
{
	const char	*why;

	drive_start(&d, ROLE_TLSD, cf);
	if (!reload_with(cf, "crt", &why))
		bail("%s", why);
	keyd = -1;
	keyd_new();
}

static void
start(void)
{
	struct conf	cf;

	conf_init(&cf);
	start_with(&cf);
}

/* ---- clients ---- */

struct visitor {
	int	 fd;
	SSL	*ssl;
};

static void
visit(struct visitor *v)
{
	struct sockaddr_in	sin = { .sin_family = AF_INET,
	    .sin_port = htons((uint16_t)d.port[0]),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	v->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(v->fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    fcntl(v->fd, F_SETFL, O_NONBLOCK) == -1 ||
	    (v->ssl = SSL_new(ctx)) == NULL || SSL_set_fd(v->ssl, v->fd) != 1)
		bail("visitor");
	SSL_set_connect_state(v->ssl);
}

static void
leave(struct visitor *v)
{
	SSL_free(v->ssl);
	shut(&v->fd);
	ERR_clear_error();
}

/*
 * Until the answer `r` of OpenSSL is none that asks to wait. 1: it may go on.
 */
static int
waits(struct visitor *v, int r)
{
	int		error = SSL_get_error(v->ssl, r);
	struct pollfd	p = { v->fd, error == SSL_ERROR_WANT_WRITE ? POLLOUT :
	    POLLIN, 0 };

	if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
		return (0);
	if (poll(&p, 1, WAIT_MS) != 1)
		bail("TLS: nothing came");
	return (1);
}

/* As far as its own words get it: nothing more without a signature. */
static void
greets(struct visitor *v)
{
	visit(v);
	if (SSL_do_handshake(v->ssl) == 1)
		bail("a handshake of one side");
}

static int
shakes(struct visitor *v)
{
	int	r;

	while ((r = SSL_do_handshake(v->ssl)) != 1)
		if (!waits(v, r))
			return (0);
	return (1);
}

/* What comes up to the end, with how that is: a farewell of TLS, or none. */
static const char *
hears(struct visitor *v, int *farewell)
{
	static char	text[4096];
	size_t		len = 0;
	int		r;

	for (;;) {
		r = SSL_read(v->ssl, text + len, (int)(sizeof(text) - 1 - len));
		if (r > 0)
			len += (size_t)r;
		else if (!waits(v, r))
			break;
	}
	text[len] = '\0';
	*farewell = SSL_get_error(v->ssl, r) == SSL_ERROR_ZERO_RETURN;
	ERR_clear_error();
	return (text);
}

/* ---- what keyd is asked ---- */

static size_t
right(uint8_t *sig, size_t size, const struct blob *tbs)
{
	EVP_MD_CTX	*c = EVP_MD_CTX_new();
	size_t		 len = size;

	if (EVP_DigestSignInit(c, NULL, EVP_sha256(), NULL, key) != 1 ||
	    EVP_DigestSign(c, sig, &len, tbs->p, tbs->len) != 1)
		bail("signature");
	EVP_MD_CTX_free(c);
	return (len);
}

/* The next question is answered as it should be. */
static void
sign(void)
{
	struct msg_sign	 in;
	struct imsg	*m = hear(keyd, sign, &in);
	uint8_t		 sig[TLS_SIG_MAX];
	size_t		 len = right(sig, sizeof(sig), &in.tbs);

	say_id(keyd, m->id, signed, .signature = { sig, len });
}

/* A visitor who has said `hello`, and the far end that a proxyd was given. */
static int
open_one(struct visitor *v, int proxyd, uint64_t *id)
{
	struct msg_plain	 in;
	struct imsg		*m;
	char			 text[8] = "";
	struct pollfd		 p;
	int			 fd;

	greets(v);
	sign();
	if (!shakes(v) || SSL_write(v->ssl, "hello", 5) != 5)
		bail("an honest handshake");
	m = hear(proxyd, plain, &in);
	fd = m->fd;
	*id = in.id;
	p = (struct pollfd){ fd, POLLIN, 0 };
	if (in.flags != LISTEN_TLS || strcmp(in.addr, "127.0.0.1") != 0 ||
	    poll(&p, 1, WAIT_MS) != 1 || recv(fd, text, 5, 0) != 5 ||
	    strcmp(text, "hello") != 0)
		bail("PLAIN: %s, %s", in.addr, text);
	return (fd);
}

/* All is well: one that is served from beginning to end. */
static void
serves(int proxyd, const char *after)
{
	struct visitor	v;
	uint64_t	id;
	int		fd = open_one(&v, proxyd, &id), farewell;

	put_bytes(fd, "good day", 8);
	say(proxyd, plain_end, .id = id, .clean = 1);
	shut(&fd);
	is_str(hears(&v, &farewell), "good day", "%s: a visitor is served",
	    after);
	is_int(farewell, 1, "%s: to a clean end", after);
	leave(&v);
}

/* ---- a keyd that lies ---- */

static void
unsigned_handshake(const char *what)
{
	ok(drive_logs(&d, "closed: not signed"), "%s: that handshake fails",
	    what);
	drive_forget();
}

static void
test_signatures(int proxyd)
{
	static uint8_t	 junk[TLS_SIG_MAX];
	struct visitor	 v;
	struct msg_sign	 in;
	struct imsg	*m;
	size_t		 len[] = { 0, 1, 71, TLS_SIG_MAX }, i;

	memset(junk, 0x30, sizeof(junk));
	for (i = 0; i < sizeof(len) / sizeof(len[0]); i++) {
		greets(&v);
		m = hear(keyd, sign, NULL);
		say_id(keyd, m->id, signed, .signature = { junk, len[i] });
		is_int(shakes(&v), 0, "%zu bytes of junk are no signature",
		    len[i]);
		leave(&v);
	}
	unsigned_handshake("none");
	/* What is good for one handshake is good for no other. */
	greets(&v);
	m = hear(keyd, sign, &in);
	len[0] = right(junk, sizeof(junk), &in.tbs);
	say_id(keyd, m->id, signed, .signature = { junk, len[0] });
	is_int(shakes(&v), 1, "a right one is");
	leave(&v);
	greets(&v);
	m = hear(keyd, sign, NULL);
	say_id(keyd, m->id, signed, .signature = { junk, len[0] });
	is_int(shakes(&v), 0, "the one of before is none");
	leave(&v);
	serves(proxyd, "a keyd that signs nothing right");
}

static void
test_answers(int proxyd)
{
	static const uint8_t	 sig[4];
	struct visitor		 v;
	struct imsg		*m;
	uint32_t		 id;

	greets(&v);
	id = hear(keyd, sign, NULL)->id;
	say_id(keyd, id + 1, signed, .signature = { sig, sizeof(sig) });
	say_id(keyd, id, signed, .signature = { sig, 0 });
	say_id(keyd, id, signed, .signature = { sig, sizeof(sig) });
	is_int(shakes(&v), 0, "answers to what nobody asked, and one twice");
	leave(&v);
	serves(proxyd, "they are dropped");

	greets(&v);
	m = hear(keyd, sign, NULL);
	(void)m;
	drive_clock(&d, 5100);
	is_int(shakes(&v), 0, "a keyd that says nothing for 5 s");
	unsigned_handshake("then");
	leave(&v);
	serves(proxyd, "one that is awake again");

	greets(&v);
	(void)hear(keyd, sign, NULL);
	shut(&keyd);
	is_int(shakes(&v), 0, "a keyd that goes amidst a handshake");
	leave(&v);
	greets(&v);
	is_int(shakes(&v), 0, "without one there is none");
	leave(&v);
	keyd_new();
	serves(proxyd, "the next keyd");
}

/* What keyd may not say: its channel ends, and the next is heard. */
static void
keyd_ends(int proxyd, const char *what)
{
	is_int(hear_end(keyd), 0, "%s: that keyd is heard no more", what);
	keyd_new();
	serves(proxyd, what);
}

static void
test_keyd(int proxyd)
{
	static const uint8_t	keys[TLS_TICKET_KEYS * TLS_TICKET_KEY];
	int			sv[2];

	test_signatures(proxyd);
	test_answers(proxyd);
	say(keyd, ticket_keys, .keys = { keys, 0 });
	keyd_ends(proxyd, "no ticket key");
	say(keyd, ticket_keys, .keys = { keys, TLS_TICKET_KEY - 1 });
	keyd_ends(proxyd, "a ticket key in part");
	say_raw(keyd, IMSG_TICKET_KEYS, 0, -1, "\0\0\377\377", 4);
	keyd_ends(proxyd, "more of them than come");
	say(keyd, signed, .signature = { keys, 3 });
	keyd_ends(proxyd, "a signature without a number");
	say(keyd, plain_end, .id = 1, .clean = 1);
	keyd_ends(proxyd, "a proxyd's word");
	stream_pair(sv);
	say_fd(keyd, 0, sv[1], plain, .id = 1, .flags = LISTEN_TLS,
	    .addr = "192.0.2.1");
	keyd_ends(proxyd, "a connection");
	shut(&sv[0]);
}

/* ---- a proxyd that lies ---- */

/* It is ended for that; its neighbour's connection `v` is not touched. */
static void
refuses(int proxyd, struct visitor *v, int fd, int lies, const char *what)
{
	char	text[8] = "";
	int	r;

	is_int(hear_end(lies), 0, "%s: that proxyd is heard no more", what);
	put_bytes(fd, "still", 5);
	while ((r = SSL_read(v->ssl, text, 5)) <= 0 && waits(v, r))
		continue;
	is_str(text, "still", "%s: another's connection goes on", what);
	serves(proxyd, what);
	shut(&lies);
}

static void
test_proxyd(int proxyd)
{
	struct visitor	v;
	uint64_t	id;
	int		fd = open_one(&v, proxyd, &id), other, sv[2];

	other = peer(ROLE_PROXYD);
	say(other, plain_end, .id = 0, .clean = 1);
	refuses(proxyd, &v, fd, other, "the end of number 0");
	other = peer(ROLE_PROXYD);
	say(other, plain_end, .id = 1000000, .clean = 1);
	refuses(proxyd, &v, fd, other, "the end of what was not yet");
	other = peer(ROLE_PROXYD);
	say(other, plain_end, .id = id, .clean = 1);
	refuses(proxyd, &v, fd, other, "the end of another's");
	other = peer(ROLE_PROXYD);
	say(other, plain_end, .id = id, .clean = 2);
	refuses(proxyd, &v, fd, other, "an end that is neither");
	other = peer(ROLE_PROXYD);
	say_id(other, 5, sign, .scheme = 0x403);
	refuses(proxyd, &v, fd, other, "a question for keyd");
	other = peer(ROLE_PROXYD);
	stream_pair(sv);
	say_fd(other, 0, sv[1], plain_end, .id = id, .clean = 1);
	refuses(proxyd, &v, fd, other, "a descriptor");
	shut(&sv[0]);
	other = peer(ROLE_PROXYD);
	say_raw(other, IMSG_PLAIN_END, 0, -1, "\1\2", 2);
	refuses(proxyd, &v, fd, other, "half a message");
	leave(&v);
	shut(&fd);
}

/* How the connection of a proxyd ends that does not say how it is meant. */
static void
test_ends(void)
{
	struct visitor	v;
	uint64_t	id;
	int		proxyd = peer(ROLE_PROXYD), fd, farewell;

	fd = open_one(&v, proxyd, &id);
	put_bytes(fd, "part", 4);
	shut(&fd);
	drive_clock(&d, 1100);
	is_str(hears(&v, &farewell), "part", "an end without a word");
	is_int(farewell, 0, "is no clean one");
	leave(&v);
	fd = open_one(&v, proxyd, &id);
	say(proxyd, plain_end, .id = id, .clean = 0);
	shut(&fd);
	(void)hears(&v, &farewell);
	is_int(farewell, 0, "nor one that is said to be none");
	leave(&v);
	fd = open_one(&v, proxyd, &id);
	put_bytes(fd, "x", 1);
	shut(&proxyd);
	shut(&fd);
	(void)hears(&v, &farewell);
	is_int(farewell, 0, "nor that of a proxyd that has gone");
	leave(&v);
}

/* One that takes nothing: as much waits as two sockets hold, and no more. */
static void
test_deaf(int proxyd)
{
	static uint8_t	piece[65536];
	struct visitor	v;
	uint64_t	id;
	long		before;
	int		fd = open_one(&v, proxyd, &id), r, idle = 0;
	size_t		sent = 0;
	struct pollfd	p = { v.fd, POLLOUT, 0 };

	before = drive_kib(&d, "status", "VmRSS:");
	while (idle < 3 && sent < (256U << 20)) {
		if ((r = SSL_write(v.ssl, piece, sizeof(piece))) > 0)
			sent += (size_t)r;
		else
			idle = poll(&p, 1, 100) == 1 ? 0 : idle + 1;
	}
	ok(sent < (64U << 20), "who is not read cannot say more: %zu KiB",
	    sent >> 10);
	ok(drive_kib(&d, "status", "VmRSS:") - before < 16384,
	    "and tlsd does not keep it");
	shut(&fd);
	leave(&v);
}

/* ---- neighbours that leave ---- */

/* At an upgrade: the old keyd is asked, and the new one is there. */
static void
test_keyd_follows(int proxyd)
{
	struct visitor	 v;
	struct msg_sign	 in;
	struct imsg	*m;
	uint8_t		 sig[TLS_SIG_MAX];
	size_t		 len;
	int		 old = keyd;

	greets(&v);
	m = hear(old, sign, &in);
	keyd = -1;
	keyd_new();
	serves(proxyd, "a second keyd");
	len = right(sig, sizeof(sig), &in.tbs);
	say_id(old, m->id, signed, .signature = { sig, len });
	is_int(shakes(&v), 1, "what the first was asked it answers");
	leave(&v);
	is_int(hear_end(old), 0, "and is let go");
	shut(&old);
	/* One that waits for an answer which nobody is there for any more. */
	old = keyd;
	greets(&v);
	(void)hear(old, sign, NULL);
	keyd = -1;
	keyd_new();
	serves(proxyd, "a third");
	leave(&v);
	is_int(hear_end(old), 0, "who is not waited for is let go");
	shut(&old);
}

/* The last one leaves, and somebody speaks who has his handshake behind him. */
static void
test_none_left(void)
{
	struct visitor	 v;
	struct msg_plain in;
	struct imsg	*m;
	struct pollfd	 p;
	char		 text[8] = "";
	int		 proxyd = peer(ROLE_PROXYD), next, fd, farewell;

	serves(proxyd, "one proxyd");
	greets(&v);
	sign();
	is_int(shakes(&v), 1, "a handshake");
	drive_clock(&d, 1);
	say(proxyd, plain_leave);
	drive_clock(&d, 1);
	if (SSL_write(v.ssl, "wait", 4) != 4)
		bail("write");
	drive_clock(&d, 1);
	next = peer(ROLE_PROXYD);
	m = hear(next, plain, &in);
	fd = m->fd;
	p = (struct pollfd){ fd, POLLIN, 0 };
	if (poll(&p, 1, WAIT_MS) == 1)
		(void)recv(fd, text, sizeof(text) - 1, 0);
	is_str(text, "wait", "his words wait for the next one");
	put_bytes(fd, "here", 4);
	say(next, plain_end, .id = in.id, .clean = 1);
	shut(&fd);
	is_str(hears(&v, &farewell), "here", "who answers");
	leave(&v);
	shut(&proxyd);
	shut(&next);
}

/* A proxyd that closes without all that was said to it. */
static void
test_unread(int proxyd)
{
	struct visitor	 v;
	struct pollfd	 p = { .events = POLLIN };
	uint64_t	 id;
	int		 fd = open_one(&v, proxyd, &id), farewell;

	if (SSL_write(v.ssl, "more", 4) != 4)
		bail("write");
	p.fd = fd;
	if (poll(&p, 1, WAIT_MS) != 1)
		bail("more");
	drive_freeze(&d, 1);
	put_bytes(fd, "answer", 6);
	say(proxyd, plain_end, .id = id, .clean = 1);
	shut(&fd);
	drive_freeze(&d, 0);
	is_str(hears(&v, &farewell), "answer", "what it said comes all the "
	    "same");
	is_int(farewell, 1, "to a clean end");
	leave(&v);
}

/* Who has said half of whose he is when tlsd leaves: served, then it goes. */
static void
test_half_way(void)
{
	static const char	 line[] =
	    "PROXY TCP4 192.0.2.7 127.0.0.1 4444 80\r\n";
	struct visitor		 v;
	struct msg_plain	 in;
	struct imsg		*m;
	struct conf		 cf;
	int			 proxyd, fd, farewell;

	conf_init(&cf);
	snprintf(cf.trusted_proxy[0], sizeof(cf.trusted_proxy[0]),
	    "127.0.0.1/32");
	cf.n_trusted_proxy = 1;
	drive_with.flags = LISTEN_PROXY;
	start_with(&cf);
	proxyd = peer(ROLE_PROXYD);
	visit(&v);
	put_bytes(v.fd, line, 9);
	drive_clock(&d, 1);
	say(d.parent, leave, .seconds = 0);
	drive_clock(&d, LEAVE_DOORS_MS);
	put_bytes(v.fd, line + 9, sizeof(line) - 1 - 9);
	(void)SSL_do_handshake(v.ssl);
	sign();
	if (!shakes(&v) || SSL_write(v.ssl, "hello", 5) != 5)
		bail("an honest handshake");
	m = hear(proxyd, plain, &in);
	fd = m->fd;
	is_str(in.addr, "192.0.2.7", "half-way in when it leaves");
	put_bytes(fd, "good day", 8);
	say(proxyd, plain_end, .id = in.id, .clean = 1);
	shut(&fd);
	is_str(hears(&v, &farewell), "good day", "and served");
	leave(&v);
	is_int(drive_wait(&d), 0, "then it goes");
	shut(&proxyd);
	drive_with.flags = 0;
}

/* ---- a parent that is wrong ---- */

static void
wrong_parent(const char *what)
{
	ok(drive_wait(&d) != 0, "%s: it does not go on", what);
}

static void
test_parent(int proxyd)
{
	const char	*why = "";
	int		 fd, sv[2];

	fd = file("junk", O_WRONLY | O_CREAT);
	(void)!write(fd, "-----BEGIN NONSENSE-----\n", 25);
	shut(&fd);
	is_int(reload("junk", &why), 0, "what is no certificate: %s", why);
	serves(proxyd, "the old one is used on");
	is_int(reload("key", &why), 0, "a key in its place: %s", why);
	serves(proxyd, "as before");
	say_fd(d.parent, 0, file("crt", O_RDONLY), cert, .kind = CERT_KEY,
	    .listeners = 1, .path = "/chain");
	wrong_parent("the file of a key");
	shut(&proxyd);
	start();
	say_fd(d.parent, 0, file("crt", O_RDONLY), cert, .kind = CERT_CHAIN,
	    .index = 3, .listeners = 1, .path = "/chain");
	wrong_parent("a certificate out of its turn");
	start();
	if (imsg_pair(sv) == -1)
		bail("pair");
	say_fd(d.parent, 0, sv[1], peer, .role = ROLE_AUTHD, .instance = 9);
	is_int(hear_end(sv[0]), 0, "authd is no neighbour");
	shut(&sv[0]);
	(void)drive_leave(&d);
	start();
	say_fd(d.parent, 0, file("crt", O_RDONLY), peer, .role = ROLE_PROXYD,
	    .instance = 9);
	wrong_parent("a file for a channel");
}

int
main(void)
{
	struct visitor	v;
	char		cmd[128];
	int		proxyd;

	if (mkdtemp(dir) == NULL)
		bail("mkdtemp");
	make();
	if ((ctx = SSL_CTX_new(TLS_client_method())) == NULL)
		bail("SSL_CTX");
	start();
	proxyd = peer(ROLE_PROXYD);
	serves(proxyd, "at first");
	test_keyd(proxyd);
	test_proxyd(proxyd);
	test_deaf(proxyd);
	test_keyd_follows(proxyd);
	test_unread(proxyd);
	shut(&proxyd);
	test_ends();
	test_none_left();
	greets(&v);
	sign();
	is_int(shakes(&v), 1, "without a proxyd there is a handshake");
	proxyd = peer(ROLE_PROXYD);
	if (SSL_write(v.ssl, "late", 4) != 4)
		bail("write");
	(void)hear(proxyd, plain, NULL);
	ok(1, "and the next one is given the connection");
	leave(&v);
	test_parent(proxyd);
	test_half_way();
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	(void)!system(cmd);
	return (done_testing());
}
