/* SPDX-License-Identifier: ISC */
/*
 * tlsd as it reaches out to other members of a cluster, for a proxyd: who
 * proves to be the one that was meant is spoken to, and nobody else. This
 * program is the parent, the proxyds, and the member, honest or not.
 */
#include <sys/mman.h>
#include <sys/socket.h>

#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "metrics/ids.h"
#include "net/crowd.h"
#include "regress/lib/drive.h"
#include "regress/lib/tap.h"
#include "tlsd/client.h"
#include "tlsd/doors.h"

static struct drive	 d;
static char		 dir[64] = "/tmp/relayd-reach-XXXXXX";
static uint64_t		 instance = 70;
static uint64_t		*counted;		/* CT_* */

/*
 * Certificates: of two authorities and one under the other, for b, with a name
 * in various places.
 */
static void
make(void)
{
	static const char	text[] = "exec 2>/dev/null; cd %s\n"
	    "new='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'\n"
	    "for ca in ca other; do openssl req -x509 $new -subj /CN=$ca "
	    "-days 30 -out $ca.crt -keyout $ca.key; done\n"
	    "one() { openssl req -new $new -subj /CN=$5 -keyout $1.key -out "
	    "$1.csr; printf '%%s\\n' subjectAltName=$2 $6 >$1.ext; "
	    "openssl x509 -req -in "
	    "$1.csr -CA $3.crt -CAkey $3.key -set_serial 7 -days $4 -extfile "
	    "$1.ext -out $1.crt; }\n"
	    "one b DNS:x,DNS:b ca 30 x; one strange DNS:b other 30 b\n"
	    "one c DNS:c,DNS:bb,DNS:*,IP:127.0.0.1 ca 30 b\n"
	    "one old DNS:b ca -1 b\n"
	    "one asks DNS:b ca 30 b extendedKeyUsage=clientAuth\n"
	    "one mid DNS:mid other 30 mid basicConstraints=critical,CA:TRUE\n"
	    "one under DNS:b mid 30 b\n"
	    "chmod 644 *.key\n";
	char			cmd[2000];

	if (snprintf(cmd, sizeof(cmd), text, dir) >= (int)sizeof(cmd) ||
	    system(cmd) != 0)
		bail("openssl");
}

static int
file(const char *name)
{
	char	path[128];
	int	fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		bail("%s", path);
	return (fd);
}

static void
cert(int kind, unsigned index, const char *name)
{
	say_fd(d.parent, 0, file(name), cert, .kind = (uint8_t)kind,
	    .index = (uint16_t)index, .listeners = 3, .path = "/some.crt");
}

/* A RELOAD with this authority ("": none): what it says to that. */
static int
reload(const char *ca, const char **why)
{
	struct msg_reload_said	 in;
	static struct conf	 cf;
	static uint8_t		 buf[CHUNK_MAX];
	long			 n;

	conf_init(&cf);
	strlcpy(cf.cluster_ca_file, "/ca", sizeof(cf.cluster_ca_file));
	n = conf_pack(&cf, ROLE_TLSD, buf, sizeof(buf));
	cert(CERT_CHAIN, 0, "b.crt");
	if (ca[0] != '\0')
		cert(CERT_CA, 1, ca);
	say_id(d.parent, 9, reload, .conf = { buf, (size_t)n });
	(void)hear(d.parent, reload_said, &in);
	*why = in.why;
	if (in.yes)
		say(d.parent, reload_swap);
	return (in.yes);
}

static int
proxyd(void)
{
	int	sv[2];

	if (imsg_pair(sv) == -1)
		bail("pair");
	say_fd(d.parent, 0, sv[1], peer, .role = ROLE_PROXYD,
	    .instance = ++instance);
	return (sv[0]);
}

static void
start(void)
{
	struct conf	 cf;
	const char	*why;

	conf_init(&cf);
	drive_start(&d, ROLE_TLSD, &cf);
	if (!reload("ca.crt", &why))
		bail("%s", why);
}

/* ---- the member ---- */

struct member {
	int	 fd;
	SSL	*ssl;
	SSL_CTX	*ctx;
};

/* One that is asked for: our end is its. */
static uint32_t
asked(int sock, struct member *m, const char *name)
{
	static uint32_t	id = 100;
	int		sv[2];

	loopback_pair(sv, 0);
	m->fd = sv[0];
	m->ssl = NULL;
	m->ctx = NULL;
	if (fcntl(m->fd, F_SETFL, O_NONBLOCK) == -1 ||
	    fcntl(sv[1], F_SETFL, 0) == -1)	/* that it waits is mended */
		bail("fcntl");
	say_fd(sock, ++id, sv[1], secure, .member = name);
	return (id);
}

static void
gone(struct member *m)
{
	SSL_free(m->ssl);
	SSL_CTX_free(m->ctx);
	shut(&m->fd);
	ERR_clear_error();
}

static int
waits(struct member *m, int r)
{
	int		error = SSL_get_error(m->ssl, r);
	struct pollfd	p = { m->fd, error == SSL_ERROR_WANT_WRITE ? POLLOUT :
	    POLLIN, 0 };

	if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
		return (0);
	if (poll(&p, 1, WAIT_MS) != 1)
		bail("TLS: nothing came");
	return (1);
}

/* Who shows that certificate; 1: TLS runs. */
static int
shows(struct member *m, const char *name, int version)
{
	char	crt[128], key[128];
	int	r;

	snprintf(crt, sizeof(crt), "%s/%s.crt", dir, name);
	snprintf(key, sizeof(key), "%s/%s.key", dir, name);
	if ((m->ctx = SSL_CTX_new(TLS_server_method())) == NULL ||
	    SSL_CTX_use_certificate_file(m->ctx, crt, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_use_PrivateKey_file(m->ctx, key, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_set_max_proto_version(m->ctx, version) != 1 ||
	    (m->ssl = SSL_new(m->ctx)) == NULL ||
	    SSL_set_fd(m->ssl, m->fd) != 1)
		bail("member %s", name);
	SSL_set_accept_state(m->ssl);
	while ((r = SSL_do_handshake(m->ssl)) != 1)
		if (!waits(m, r))
			break;
	ERR_clear_error();
	return (r == 1);
}

/* Bytes that it says up to now; at most so many. */
static size_t
says(struct member *m, char *text, size_t size)
{
	int	r;

	while ((r = SSL_read(m->ssl, text, (int)size)) <= 0)
		if (!waits(m, r))
			return (0);
	return ((size_t)r);
}

/* ---- what comes of it ---- */

static void
fails(int sock, uint32_t id, const char *why, const char *what)
{
	struct msg_secure_failed	 in;
	struct imsg			*m = hear_next(sock, secure_failed, &in);

	is_int((long)m->id, (long)id, "%s: no", what);
	ok(strstr(in.why, why) != NULL, "because: %s", in.why);
}

/* The far end of a connection that has come to be. */
static int
runs(int sock, uint32_t id, uint64_t *number)
{
	struct msg_secured	 in;
	struct imsg		*m = hear_next(sock, secured, &in);

	if (m->id != id || m->fd == -1 || in.id == 0)
		bail("SECURED");
	*number = in.id;
	return (m->fd);
}

/* All is well: both ways, to a clean end. */
static void
serves(int sock, const char *after)
{
	struct member	m;
	char		text[16] = "";
	uint64_t	number;
	uint32_t	id = asked(sock, &m, "b");
	int		fd;

	ok(shows(&m, "b", TLS1_3_VERSION), "%s: b is reached", after);
	is_str(SSL_get_servername(m.ssl, TLSEXT_NAMETYPE_host_name), "b",
	    "by its name");
	fd = runs(sock, id, &number);
	put_bytes(fd, "good day", 8);
	(void)says(&m, text, sizeof(text) - 1);
	is_str(text, "good day", "what is said goes there");
	memset(text, 0, sizeof(text));
	if (SSL_write(m.ssl, "hello", 5) != 5 ||
	    poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, WAIT_MS) != 1 ||
	    recv(fd, text, 5, 0) == -1)
		bail("back");
	is_str(text, "hello", "and back");
	say(sock, plain_end, .id = number, .clean = 1);
	shut(&fd);
	is_int((long)says(&m, text, sizeof(text)), 0, "to its end");
	is_int(SSL_get_shutdown(m.ssl), SSL_RECEIVED_SHUTDOWN, "a clean one");
	gone(&m);
}

/* How the member ends: in order, or cut off. */
static void
test_ends(int sock)
{
	struct msg_secure_end	in;
	struct member		m;
	uint64_t		number;
	uint32_t		id;
	char			c;
	int			fd, clean;

	for (clean = 1; clean >= 0; clean--) {
		id = asked(sock, &m, "b");
		(void)shows(&m, "b", TLS1_3_VERSION);
		fd = runs(sock, id, &number);
		if (SSL_write(m.ssl, "x", 1) != 1)
			bail("write");
		if (clean)
			(void)SSL_shutdown(m.ssl);
		shutdown(m.fd, SHUT_RDWR);
		if (fcntl(fd, F_SETFL, 0) == -1 || recv(fd, &c, 1, 0) != 1)
			bail("what was said before");
		is_int((long)recv(fd, &c, 1, 0), 0, "the end of one that %s",
		    clean ? "has said all" : "is cut off");
		if (clean) {
			(void)hear_next(sock, secure_end, &in);
			is_int((long)in.id, (long)number, "is said to be that");
		} else
			is_int(hear_maybe(sock, IMSG_SECURE_END, &(struct imsg){
			    .fd = -1 }, 50), 0, "is not");
		shut(&fd);
		gone(&m);
	}
}

static void
test_impostors(int sock)
{
	static const struct {
		const char	*shows, *why, *what;
		int		 version;
	} who[] = {
		{ "strange", "its certificate: unable to get local issuer",
		    "b of another authority", TLS1_3_VERSION },
		{ "other", "its certificate: self-signed certificate",
		    "that authority itself", TLS1_3_VERSION },
		{ "c", "is not one of that name", "c, which has b as a common "
		    "name and a star", TLS1_3_VERSION },
		{ "old", "certificate has expired", "b of yesterday",
		    TLS1_3_VERSION },
		{ "asks", "certificate purpose", "b's that is for who asks "
		    "alone", TLS1_3_VERSION },
		{ "b", "protocol version", "b with TLS 1.2", TLS1_2_VERSION },
	};
	uint64_t	before = counted[CT_TLS_FAIL_MEMBER];
	struct member	m;
	uint32_t	id;
	size_t		i;

	for (i = 0; i < sizeof(who) / sizeof(who[0]); i++) {
		id = asked(sock, &m, "b");
		(void)shows(&m, who[i].shows, who[i].version);
		fails(sock, id, who[i].why, who[i].what);
		gone(&m);
	}
	is_int((long)(counted[CT_TLS_FAIL_MEMBER] - before), (long)i,
	    "each is counted");
	serves(sock, "none of them");
}

static void
test_odd(int sock)
{
	struct member	m;
	uint32_t	id;
	char		hello[4096];

	id = asked(sock, &m, "b");
	put_bytes(m.fd, "HTTP/1.1 200 OK\r\n\r\n", 19);
	fails(sock, id, "wrong version number", "one that speaks plain");
	gone(&m);
	id = asked(sock, &m, "b");
	shut(&m.fd);
	fails(sock, id, "TLS: ", "one that hangs up");
	id = asked(sock, &m, "b");
	if (poll(&(struct pollfd){ m.fd, POLLIN, 0 }, 1, WAIT_MS) != 1 ||
	    recv(m.fd, hello, sizeof(hello), 0) <= 0)
		bail("no hello");
	ok(memmem(hello, sizeof(hello), "HTTP", 4) == NULL, "a hello is all "
	    "that is said first");
	drive_clock(&d, CLIENT_REACH_MS);
	fails(sock, id, "no handshake in time", "one that says nothing");
	gone(&m);
	serves(sock, "any of them");
}

/* One that takes nothing: as much waits as sockets hold. */
static void
test_deaf(int sock)
{
	static uint8_t	piece[65536];
	struct member	m;
	uint64_t	number;
	uint32_t	id = asked(sock, &m, "b");
	int		fd, idle = 0;
	size_t		sent = 0;
	ssize_t		n;

	(void)shows(&m, "b", TLS1_3_VERSION);
	fd = runs(sock, id, &number);
	if (fcntl(fd, F_SETFL, O_NONBLOCK) == -1)
		bail("fcntl");
	while (idle < 3 && sent < (256U << 20)) {
		if ((n = send(fd, piece, sizeof(piece), MSG_NOSIGNAL)) > 0)
			sent += (size_t)n;
		else
			idle = poll(&(struct pollfd){ fd, POLLOUT, 0 }, 1,
			    100) == 1 ? 0 : idle + 1;
	}
	ok(sent < (64U << 20), "who is not read cannot say more: %zu KiB",
	    sent >> 10);
	shut(&fd);
	gone(&m);
}

/* So many of one proxyd, and another's all the same. */
static void
test_many(int sock)
{
	static struct member	m[REACHES_MAX + 1];
	uint64_t		before = counted[CT_TLS_FAIL_MEMBER];
	uint32_t		id = 0;
	int			other = proxyd(), i;

	for (i = 0; i <= REACHES_MAX; i++)
		id = asked(sock, &m[i], "b");
	fails(sock, id, "too many", "one more than there may be");
	is_int((long)(counted[CT_TLS_FAIL_MEMBER] - before), 1, "counted");
	serves(other, "another proxyd");
	for (i = 0; i <= REACHES_MAX; i++)
		gone(&m[i]);
	for (i = 0; i < REACHES_MAX; i++)
		(void)hear_next(sock, secure_failed, NULL);
	serves(sock, "when they are over");
	shut(&other);
}

/* How many it holds for members is bounded, for each proxyd. */
static void
test_share(void)
{
	enum { FILES = 256, MOST = (FILES - 96) / 2 / REACHES_SHARE };
	static struct member	m[MOST];
	static int		fd[MOST];
	static uint64_t		number[MOST];
	struct member		more;
	uint32_t		id;
	int			sock, other, i;

	drive_with.files = FILES;
	start();
	drive_with.files = 0;
	sock = proxyd();
	other = proxyd();
	for (i = 0; i < MOST; i++) {
		id = asked(sock, &m[i], "b");
		if (!shows(&m[i], "b", TLS1_3_VERSION))
			bail("member %d", i);
		fd[i] = runs(sock, id, &number[i]);
	}
	id = asked(sock, &more, "b");
	fails(sock, id, "too many connections to members", "a proxyd's "
	    "share is used up");
	gone(&more);
	serves(other, "another proxyd has its own");
	for (i = 0; i < MOST; i++) {
		gone(&m[i]);
		say(sock, plain_end, .id = number[i], .clean = 0);
		shut(&fd[i]);
	}
	drive_clock(&d, CLIENT_WORD_MS);
	serves(sock, "when they are over");
	shut(&sock);
	shut(&other);
	is_int(drive_leave(&d), 0, "it ends well");
}

/* To the n-th listener. */
static int
comes(int n)
{
	struct sockaddr_in	sin = { .sin_family = AF_INET,
				    .sin_port = htons((in_port_t)d.port[n]),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int			fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC,
				    0);

	if (fd == -1 || connect(fd, (struct sockaddr *)&sin, sizeof(sin)) ==
	    -1)
		bail("connect");
	return (fd);
}

/* Who is let in hears that it is not understood; who is not hears nothing. */
static int
let_in(int n)
{
	int	fd = comes(n), in;
	char	alert;

	put_bytes(fd, "\x16\x03\x01\0\x05junk!", 10);
	if (poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, WAIT_MS) != 1)
		bail("neither let in nor closed");
	in = recv(fd, &alert, 1, 0) == 1;
	shut(&fd);
	return (in);
}

/* A member stands for many, and who else comes from its address for one. */
static void
test_crowd(void)
{
	static int	fd[CROWD_HALF_ADDRESS + 1];
	int		i, n;

	for (n = 1; n >= 0; n--) {
		for (i = 0; i < CROWD_HALF_ADDRESS + n; i++)
			fd[i] = comes(n);
		ok(let_in(n) == n, n ? "so many of a member are let in" :
		    "not so many of somebody else");
		if (n)
			ok(let_in(0), "which leaves room for others of its "
			    "address");
		while (i > 0)
			shut(&fd[--i]);
		drive_clock(&d, CLIENT_HANDSHAKE_MS);
	}
}

/* Its proxyd goes while it is under way. */
static void
test_gone(int sock)
{
	struct member	m;
	int		other = proxyd();
	char		c;
	ssize_t		n;

	(void)asked(other, &m, "b");
	shut(&other);
	do
		if (poll(&(struct pollfd){ m.fd, POLLIN, 0 }, 1, WAIT_MS) != 1)
			bail("a handshake goes on without its proxyd");
	while ((n = recv(m.fd, &c, 1, 0)) == 1 || (n == -1 &&
	    errno == EAGAIN));
	ok(n == 0 || errno == ECONNRESET,
	    "without its proxyd a handshake ends");
	gone(&m);
	serves(sock, "that");
}

static void
ends(int lies, int sock, const char *what)
{
	is_int(hear_end(lies), 0, "%s: that proxyd is heard no more", what);
	shut(&lies);
	serves(sock, what);
}

static void
test_lies(int sock)
{
	struct member	m;
	int		lies = proxyd(), sv[2];

	say_id(lies, 5, secure, .member = "b");
	ends(lies, sock, "no connection");
	lies = proxyd();
	stream_pair(sv);
	say_fd(lies, 5, sv[1], secure, .member = "");
	ends(lies, sock, "no name");
	shut(&sv[0]);
	lies = proxyd();
	stream_pair(sv);
	say_fd(lies, 0, sv[1], secure, .member = "b");
	ends(lies, sock, "no number");
	shut(&sv[0]);
	lies = proxyd();
	say_fd(lies, 5, file("b.crt"), secure, .member = "b");
	ends(lies, sock, "a file");
	lies = proxyd();
	(void)asked(lies, &m, "b");
	say(lies, plain_end, .id = 1000000, .clean = 1);
	ends(lies, sock, "the end of what was not yet");
	gone(&m);
}

static void
test_authority(int sock)
{
	struct member	 m;
	const char	*why = "";
	uint32_t	 id;

	is_int(reload("b.key", &why), 0, "an authority that is none");
	is_str(why, "peer tls ca file /some.crt: no certificate in PEM",
	    "and which");
	serves(sock, "the old one counts on");
	is_int(reload("", &why), 0, "no authority");
	is_str(why, "peer tls ca file: it has not come", "which is said");
	serves(sock, "as before");
	is_int(reload("other.crt", &why), 1, "another authority");
	id = asked(sock, &m, "b");
	(void)shows(&m, "b", TLS1_3_VERSION);
	fails(sock, id, "its certificate: ", "b of the one of before");
	gone(&m);
	id = asked(sock, &m, "b");
	ok(shows(&m, "strange", TLS1_3_VERSION), "b of the new one");
	(void)hear_next(sock, secured, NULL);
	gone(&m);
	is_int(reload("strange.crt", &why), 1, "no authority: a certificate");
	id = asked(sock, &m, "b");
	ok(shows(&m, "strange", TLS1_3_VERSION), "which is that of b, and counts");
	(void)hear_next(sock, secured, NULL);
	gone(&m);
	is_int(reload("mid.crt", &why), 1, "an authority under another one");
	id = asked(sock, &m, "b");
	ok(shows(&m, "under", TLS1_3_VERSION), "b of that one");
	(void)hear_next(sock, secured, NULL);
	gone(&m);
	id = asked(sock, &m, "b");
	(void)shows(&m, "strange", TLS1_3_VERSION);
	fails(sock, id, "its certificate: ", "b of the one over it");
	gone(&m);
	is_int(reload("ca.crt", &why), 1, "back again");
}

static void
test_leave(void)
{
	struct member	m;
	uint64_t	number;
	uint32_t	id;
	int		stays = proxyd(), leaves = proxyd(), fd;

	serves(stays, "before it leaves");
	say(leaves, plain_leave);
	serves(leaves, "a proxyd that leaves");
	say(d.parent, leave, .seconds = 0);
	(void)hear_next(stays, secure_leave, NULL);
	(void)hear_next(leaves, secure_leave, NULL);
	ok(1, "all proxyds are told to ask others");
	drive_clock(&d, 2000);
	id = asked(leaves, &m, "b");
	ok(shows(&m, "b", TLS1_3_VERSION), "who leaves, too, is served on");
	fd = runs(leaves, id, &number);
	shut(&leaves);
	drive_clock(&d, 1);
	put_bytes(fd, "x", 1);
	is_int((long)says(&m, (char[4]){ 0 }, 4), 1, "what runs runs on");
	shut(&fd);
	gone(&m);
	is_int(drive_wait(&d), 0, "and with the last it goes");
	shut(&stays);
}

/* Where the configuration has no cluster with TLS, or none that is ours. */
static void
test_none(void)
{
	struct conf	cf;
	struct member	m;
	int		sock;

	conf_init(&cf);
	drive_start(&d, ROLE_TLSD, &cf);
	sock = proxyd();
	(void)asked(sock, &m, "b");
	is_int(hear_end(sock), 0, "without a cluster nobody asks for that");
	gone(&m);
	shut(&sock);
	cert(CERT_CA, 0, "ca.crt");
	ok(drive_wait(&d) != 0, "an authority before a certificate: it does "
	    "not go on");
	drive_start(&d, ROLE_TLSD, &cf);
	cert(CERT_CHAIN, 0, "b.crt");
	cert(CERT_CA, 1, "ca.crt");
	cert(CERT_CA, 1, "ca.crt");
	ok(drive_wait(&d) != 0, "two of them: it does not go on");
}

int
main(void)
{
	char	cmd[128];
	int	sock;

	if (mkdtemp(dir) == NULL)
		bail("mkdtemp");
	make();
	drive_with.counters = memfd_create("counters", MFD_CLOEXEC);
	if (drive_with.counters == -1 ||
	    ftruncate(drive_with.counters, METRIC_PAGE) == -1 ||
	    (counted = mmap(NULL, METRIC_PAGE, PROT_READ, MAP_SHARED,
	    drive_with.counters, 0)) == MAP_FAILED)
		bail("counters");
	start();
	sock = proxyd();
	serves(sock, "at first");
	test_ends(sock);
	test_impostors(sock);
	test_odd(sock);
	test_deaf(sock);
	test_many(sock);
	test_crowd();
	test_gone(sock);
	test_lies(sock);
	test_authority(sock);
	shut(&sock);
	test_leave();
	test_share();
	test_none();
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	(void)!system(cmd);
	return (done_testing());
}
