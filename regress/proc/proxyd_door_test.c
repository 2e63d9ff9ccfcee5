/* SPDX-License-Identifier: ISC */
/* proxyd's door: who comes in, whose request it is, what is given away. */
#include <sys/resource.h>
#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "regress/lib/proxyd_story.h"
#include "regress/lib/tap.h"

#define UPGRADE	"Connection: Upgrade\r\nUpgrade: websocket\r\n"		\
	"Sec-WebSocket-Version: 13\r\n"					\
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define ACCEPT	"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

static struct drive	d;

/* One request, one answer, on a connection of its own. */
static char *
ask(int listener, const char *request)
{
	int	 fd = browser(&d, listener);
	char	*a;

	put_bytes(fd, request, strlen(request));
	a = answer(fd);
	close(fd);
	return (a);
}

static void
is_envelope(const char *a, int status, const char *message, const char *what)
{
	char	want[512];

	snprintf(want, sizeof(want),
	    "{\"code\":%d,\"message\":\"%s\",\"data\":null}", status, message);
	is_int(status_of(a), status, "%s: status", what);
	is_str(body_of(a), want, "%s: envelope", what);
}

static void
classes(void)
{
	char	*a;

	a = ask(0, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
	is_int(status_of(a), 404, "row 10: 404");
	is_str(body_of(a), "404 page not found\n", "row 10: plain text");
	a = ask(0, "GET /admin/sessions HTTP/1.1\r\nHost: a\r\n\r\n");
	is_int(status_of(a), 404, "a later row: 404");
	a = ask(0, "GET /api/nothing HTTP/1.1\r\nHost: a\r\n\r\n");
	is_envelope(a, 404, "api not found", "operator-1: unknown route");
	is_str(header_of(a, "content-type", 0),
	    "application/json; charset=utf-8", "operator-1: content type");
	is_str(header_of(a, "x-content-type-options", 0), "nosniff",
	    "API answer: nosniff");
	is_str(header_of(a, "x-frame-options", 0), "DENY",
	    "API answer: no frames");
	is_str(header_of(a, "cache-control", 0), "no-store",
	    "API answer: not stored");
	a = ask(0, "POST /api/support-sessions HTTP/1.1\r\nHost: a\r\n"
	    "Content-Length: 2\r\n\r\n{}");
	is_envelope(a, 405, "method not allowed", "operator-1: unknown method");
	is_str(header_of(a, "allow", 0), "GET, HEAD", "which there are");
	a = ask(0, "PUT /api/systems HTTP/1.1\r\nHost: a\r\n"
	    "Content-Length: 2\r\n\r\n{}");
	is_str(header_of(a, "allow", 0), "GET, HEAD, POST", "of several calls");
	a = ask(0, "POST /api/openapi.yaml HTTP/1.1\r\nHost: a\r\n"
	    "Content-Length: 2\r\n\r\n{}");
	is_int(status_of(a), 405, "the description is only read");
	a = ask(0, "GET /api/support-sessions HTTP/1.1\r\nHost: a\r\n\r\n");
	is_int(status_of(a), 401, "no token");
	is_str(header_of(a, "www-authenticate", 0), "Bearer", "what it takes");
	ok(strlen(header_of(a, "date", 0)) == 29 &&
	    strcmp(header_of(a, "date", 0) + 25, " GMT") == 0, "the date: %s",
	    header_of(a, "date", 0));
	a = ask(1, "GET /api/health HTTP/1.1\r\nHost: a\r\n\r\n");
	is_int(status_of(a), 200, "row 2: health on an internal listener");
	ok(strstr(body_of(a), "\"status\":\"healthy\"") != NULL,
	    "row 2: healthy");
	a = ask(0, "GET /api/health HTTP/1.1\r\nHost: a\r\n\r\n");
	is_int(status_of(a), 404, "row 2: not on a public listener");
	a = ask(1, "GET /api/support-sessions HTTP/1.1\r\nHost: a\r\n\r\n");
	is_envelope(a, 404, "api not found", "row 2: nothing else there");
	a = ask(1, "GET / HTTP/1.1\r\nHost: " HOST "\r\n\r\n");
	is_int(status_of(a), 404, "row 2: no proxied host there");
	a = ask(2, "GET /api/support-sessions HTTP/1.1\r\nHost: a\r\n\r\n");
	is_int(status_of(a), 404, "a tunnel listener has no API");
	a = ask(0, "HEAD /api/nothing HTTP/1.1\r\nHost: a\r\n"
	    "Connection: close\r\n\r\n");
	ok(a == NULL, "HEAD: no body follows");
}

static void
pipelined(void)
{
	int	 fd = browser(&d, 0);
	char	*a;

	put(fd, "GET /one HTTP/1.1\r\nHost: a\r\n\r\n"
	    "GET /api/two HTTP/1.1\r\nHost: a\r\n\r\n"
	    "GET /two HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
	    "\r\nGET /three HTTP/1.0\r\n\r\n");
	a = answer(fd);
	is_str(body_of(a), "404 page not found\n", "pipelined: first");
	is_str(header_of(a, "connection", 0), "", "HTTP/1.1: it goes on");
	a = answer(fd);
	is_int(status_of(a), 404, "pipelined: second");
	ok(strstr(body_of(a), "api not found") != NULL, "pipelined: in order");
	a = answer(fd);
	is_str(header_of(a, "connection", 0), "keep-alive",
	    "HTTP/1.0 that asks for it hears that it goes on");
	a = answer(fd);
	is_int(status_of(a), 404, "pipelined: the last");
	is_str(header_of(a, "connection", 0), "close", "HTTP/1.0: closes");
	is_int(end_of(fd), 0, "HTTP/1.0: closed");
	close(fd);
}

/* A head of exactly `len` bytes. */
static void
head_of(int fd, const char *host, size_t len)
{
	static char	text[70000];
	size_t		n;

	n = (size_t)snprintf(text, sizeof(text),
	    "GET /x HTTP/1.1\r\nHost: %s\r\nX: ", host);
	memset(text + n, 'x', len - n - 4);
	memcpy(text + len - 4, "\r\n\r\n", 4);
	put_bytes(fd, text, len);
}

static void
limits(void)
{
	static const char *const	twice[] = { "Authorization: Bearer x",
	    "Host: a", "Origin: http://a", "Upgrade: websocket",
	    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
	    "Content-Length: 0" };
	char				request[512], *a;
	size_t				i;
	int				fd, fds[70], dropped = 0;

	fd = browser(&d, 0);
	head_of(fd, "a", 16384);
	is_int(status_of(answer(fd)), 404, "a head of 16 KiB is taken");
	close(fd);
	fd = browser(&d, 0);
	head_of(fd, "a", 16385);
	is_int(status_of(answer(fd)), 431, "a head of 16 KiB + 1: 431");
	is_int(end_of(fd), 0, "431: closed");
	close(fd);
	fd = browser(&d, 0);
	head_of(fd, HOST, 65536);
	is_int(status_of(answer(fd)), 401,
	    "for a proxied host a head of 64 KiB is taken");
	head_of(fd, HOST, 30000);
	is_int(status_of(answer(fd)), 401, "and another behind it");
	close(fd);
	fd = browser(&d, 0);
	head_of(fd, HOST, 65537);
	is_int(status_of(answer(fd)), 431, "a head of 64 KiB + 1: 431");
	close(fd);
	fd = browser(&d, 2);
	head_of(fd, HOST, 16385);
	is_int(status_of(answer(fd)), 431, "on a tunnel listener as always");
	close(fd);
	for (i = 0; i < sizeof(twice) / sizeof(twice[0]); i++) {
		snprintf(request, sizeof(request), "GET /x HTTP/1.1\r\n"
		    "Host: a\r\n%s\r\n%s\r\n\r\n", twice[i], twice[i]);
		is_int(status_of(ask(0, request)), 400, "twice: 400: %s",
		    twice[i]);
	}
	is_int(status_of(ask(0, "garbage\r\n\r\n")), 400, "garbage: 400");

	fd = browser(&d, 0);
	put(fd, "GET /x HTTP/1.1\r\nHo");
	(void)ask(0, "GET /y HTTP/1.1\r\nHost: a\r\n\r\n");
	drive_clock(&d, 9000);
	ok(is_quiet(fd, 50), "half a head: 9 s are fine");
	drive_clock(&d, 1100);
	a = answer(fd);
	is_int(status_of(a), 408, "half a head: 408 after 10 s");
	is_int(end_of(fd), 0, "half a head: closed");
	close(fd);
	fd = browser(&d, 0);
	(void)ask(0, "GET /y HTTP/1.1\r\nHost: a\r\n\r\n");
	drive_clock(&d, 10100);
	is_int(end_of(fd), 0, "no byte at all: closed after 10 s");
	close(fd);

	/* 64 of one address without a head; then again with one less. */
	for (i = 0; i < 70; i++)
		fds[i] = browser(&d, 0);
	for (i = 64; i < 70; i++)
		dropped += end_of(fds[i]) == 0;
	is_int(dropped, 6, "more than 64 unclassified of one address drop");
	ok(is_quiet(fds[63], 20), "the 64th is in");
	close(fds[0]);
	put(fds[1], "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
	is_int(status_of(answer(fds[1])), 404, "those who are in are served");
	fd = browser(&d, 0);
	put(fd, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
	is_int(status_of(answer(fd)), 404, "room again after that");
	close(fd);
	for (i = 1; i < 70; i++)
		close(fds[i]);
}

/* Wait until proxyd has nothing left to accept. */
static void
settle(void)
{
	drive_clock(&d, 0);
	drive_clock(&d, 0);
	(void)ask(1, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
}

/* How many of [from, to) it has closed; they come out closed here as well. */
static int
count_closed(int *fds, int from, int to)
{
	int	i, n = 0;

	for (i = from; i < to; i++)
		if (fds[i] != -1 && !is_quiet(fds[i], 0)) {
			shut(&fds[i]);
			n++;
		}
	return (n);
}

/* Descriptors for a crowd, here. */
static int
may_have(rlim_t n)
{
	struct rlimit	rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1 || rl.rlim_max < n)
		return (0);
	rl.rlim_cur = n;
	return (setrlimit(RLIMIT_NOFILE, &rl) == 0);
}

/*
 * Half-open heads from many addresses: those who have sent least go, the
 * oldest first, and whoever comes with a request has its answer.
 */
static void
crowds(void)
{
	enum { FULL = 4095, SILENT = 100, MORE = 200, GOOD = 40 };
	static int	fds[FULL + MORE];
	int		i, lost, good = 0;

	if (!may_have(FULL + MORE + 100)) {
		ok(1, "half-open heads # SKIP too few descriptors here");
		return;
	}
	for (i = 0; i < FULL; i++) {
		fds[i] = browser_from(&d, i / 60);
		if (i >= SILENT)
			put(fds[i], "GET /x HTTP/1.1\r\n");
		if (i % 50 == 49)
			settle();
	}
	settle();
	is_int(count_closed(fds, 0, FULL), 0, "4,095 half heads are in");
	drive_clock(&d, 1000);
	for (; i < FULL + MORE; i++) {
		fds[i] = browser_from(&d, i / 60);
		put(fds[i], "GET /x HTTP/1.1\r\nHost: a\r\n");
		if (i % 50 == 49)
			settle();
	}
	settle();
	is_int(count_closed(fds, 0, SILENT), SILENT,
	    "of more, those have gone first that had sent nothing");
	lost = count_closed(fds, SILENT, FULL);
	ok(lost >= MORE - SILENT - 1 && lost < MORE - SILENT + 10,
	    "then as many of the others as there are more (%d)", lost);
	for (i = 0; i < lost && fds[SILENT + i] == -1; i++)
		continue;
	is_int(i, lost, "the oldest of these");
	is_int(count_closed(fds, FULL, FULL + MORE), 0, "no new one");
	for (i = 0; i < GOOD; i++)
		good += status_of(ask(0, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"))
		    == 404;
	is_int(good, GOOD, "and every good request is answered");
	for (i = 0; i < FULL + MORE; i++)
		shut(&fds[i]);
	settle();
}

/* Long heads have their own limit: they are what costs memory. */
static void
long_heads(void)
{
	enum { N = 257 };
	static char	part[30000];
	int		fds[N], i, n;

	memset(part, 'x', sizeof(part));
	n = snprintf(part, sizeof(part), "GET / HTTP/1.1\r\nHost: " HOST
	    "\r\nX: ");
	part[n] = 'x';
	for (i = 0; i < N; i++) {
		fds[i] = browser_from(&d, i / 60);
		put_bytes(fds[i], part, sizeof(part));
		settle();
	}
	is_int(status_of(answer(fds[N - 1])), 503, "257 long heads: 503");
	is_int(count_closed(fds, 0, N - 1), 0, "256 are read");
	put(fds[0], "\r\n\r\n");
	is_int(status_of(answer(fds[0])), 401, "one of them is answered");
	close(fds[N - 1]);
	fds[N - 1] = browser(&d, 0);
	put_bytes(fds[N - 1], part, sizeof(part));
	put(fds[N - 1], "\r\n\r\n");
	is_int(status_of(answer(fds[N - 1])), 401, "and its place is free");
	for (i = 0; i < N; i++)
		close(fds[i]);
	settle();
}

/* One address: idle connections count, and the oldest makes room. */
static void
address(void)
{
	enum { FULL = 1024, MORE = 10 };
	static int	fds[FULL + MORE];
	int		i, served = 0;

	if (!may_have(FULL + MORE + 100)) {
		ok(1, "one address # SKIP too few descriptors here");
		return;
	}
	for (i = 0; i < FULL + MORE; i++) {
		fds[i] = browser_from(&d, 7);
		put(fds[i], "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
		served += status_of(answer(fds[i])) == 404;
	}
	is_int(served, FULL + MORE, "one address: each request is answered");
	is_int(count_closed(fds, 0, MORE), MORE,
	    "one address: above 1,024 connections the oldest idle one goes");
	is_int(count_closed(fds, MORE, FULL + MORE), 0, "and no other");
	for (i = 0; i < FULL + MORE; i++)
		shut(&fds[i]);
	settle();
}

/*
 * Out of descriptors: idle connections make room; when there are none, those
 * who wait are let in when others have gone.
 */
static void
descriptors(void)
{
	enum { N = 60 };
	struct drive	 full = d;
	struct conf	 cf;
	struct imsg	*m;
	int		 fds[N], i, served = 0;

	proxyd_conf(&cf);
	drive_with.files = 64;
	drive_start(&d, ROLE_PROXYD, &cf);
	drive_with.files = 0;
	for (i = 0; i < N; i++) {
		fds[i] = browser(&d, 0);
		put(fds[i], "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
		served += status_of(answer(fds[i])) == 404;
	}
	is_int(served, N, "out of descriptors: idle connections make room");
	ok(count_closed(fds, 0, 10) == 10, "the oldest first");
	for (i = 0; i < N; i++)
		shut(&fds[i]);
	for (i = 0; i < N; i++) {
		fds[i] = browser(&d, 0);
		put(fds[i], "GET /api/tunnel HTTP/1.1\r\nHost: a\r\n\r\n");
	}
	for (served = 0; served < N; served++) {
		if (is_quiet(d.authd, 300))
			break;
		(void)hear_next(d.authd, admit, NULL);
	}
	ok(served > 30 && served < N,
	    "accepting pauses before descriptors run out (%d)", served);
	ok(drive_logged(&d, "accepting pauses"), "and the log says so");
	drive_clock(&d, 2100);
	for (i = 0; i < served; i++)
		(void)answer(fds[i]);
	for (i = 0; i < served; i++)
		close(fds[i]);
	for (i = served; i < N; i++) {
		m = hear_next(d.authd, admit, NULL);
		say_id(d.authd, m->id, admitted, .status = 429,
		    .message = "later");
		if (status_of(answer(fds[i])) != 429)
			break;
		close(fds[i]);
	}
	is_int(i, N, "who waited is served then");
	is_int(drive_leave(&d), 0, "that proxyd ends well");
	d = full;
}

#ifdef __linux__
/* The system has none left while none of ours is there to go. */
static void
descriptors_again(void)
{
	struct drive	 full = d;
	struct rlimit	 old, none;
	struct conf	 cf;
	int		 fd, i;

	proxyd_conf(&cf);
	drive_start(&d, ROLE_PROXYD, &cf);
	(void)prlimit(d.pid, RLIMIT_NOFILE, NULL, &old);
	none = old;
	none.rlim_cur = 4;
	(void)prlimit(d.pid, RLIMIT_NOFILE, &none, NULL);
	fd = browser(&d, 0);
	put(fd, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
	for (i = 0; i < 500 && !drive_logged(&d, "accepting pauses"); i++)
		(void)is_quiet(fd, 20);
	(void)prlimit(d.pid, RLIMIT_NOFILE, &old, NULL);
	drive_clock(&d, 1000);
	is_int(status_of(answer(fd)), 404,
	    "no descriptor in the system: tried again after a while");
	close(fd);
	is_int(drive_leave(&d), 0, "that proxyd ends well too");
	d = full;
}
#endif

/* What ADMIT said, answered. */
static void
admit(uint8_t want_class, uint16_t status, uint32_t retry, const char *message)
{
	struct msg_admit	 in;
	struct imsg		*m = hear_next(d.authd, admit, &in);

	if (in.class != want_class)
		diag("class %u", in.class);
	say_id(d.authd, m->id, admitted, .status = status, .retry_s = retry,
	    .message = message, .nonce = 4711);
}

static char *
tunnel(int listener, const char *path, const char *more, uint16_t status)
{
	static char	*a;
	int		 fd = browser(&d, listener);

	put(fd, "GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n", path, more);
	admit(CLASS_TUNNEL, status, status ? 30 : 0,
	    "too many connection attempts");
	a = answer(fd);
	close(fd);
	return (a);
}

/* A connection has come to the parent: check all of it. Its descriptor. */
static int
given(uint8_t want_class, const char *want_bytes, const char *what)
{
	struct msg_give	 in;
	struct imsg	*m = hear_next(d.parent, give, &in);

	ok(m->fd != -1, "%s: given to the parent", what);
	ok(in.class == want_class && in.nonce == 4711 && in.instance == 0,
	    "%s: with nonce and instance of ADMITTED", what);
	is_str(in.addr, "127.0.0.1", "%s: with the address", what);
	is_str(in.accept, ACCEPT, "%s: with the accept value", what);
	ok(in.bytes.len == strlen(want_bytes) && memcmp(in.bytes.p, want_bytes,
	    in.bytes.len) == 0,
	    "%s: with every byte read", what);
	return (m->fd);
}

static void
tunnels(void)
{
	static const char	request[] = "GET /support/api/tunnel?node_id=7 "
	    "HTTP/1.1\r\nHost: a\r\nAuthorization: Basic Zm9vOmJhcg==\r\n"
	    UPGRADE "\r\n\x82\x80zzzz";
	char			*a, byte;
	int			 fd, far;

	a = tunnel(0, "/api/tunnel", UPGRADE, 429);
	is_envelope(a, 429, "too many connection attempts",
	    "tunnel-6(partial): refused by authd");
	is_str(header_of(a, "retry-after", 0), "30", "429: Retry-After");
	a = tunnel(0, "/api/tunnel", "", 429);
	is_int(status_of(a), 429, "row 1 of the checks comes before row 9");
	a = tunnel(0, "/api/tunnel", "", 0);
	is_int(status_of(a), 400, "no upgrade: 400");
	is_str(header_of(a, "sec-websocket-version", 0), "13",
	    "no upgrade: the version that we speak");
	a = tunnel(2, "/support/api/tunnel", UPGRADE "Origin: http://a\r\n", 0);
	is_int(status_of(a), 403, "an Origin: 403");
	a = tunnel(1, "/api/tunnel?node_id=x", UPGRADE, 0);
	is_envelope(a, 400, "invalid node_id format", "a bad node_id");
	a = tunnel(0, "/api/tunnel?node_id=x", UPGRADE "Origin: http://a\r\n",
	    0);
	is_int(status_of(a), 403, "row 10 comes before row 7");

	fd = browser(&d, 0);
	put_bytes(fd, request, sizeof(request) - 1);
	admit(CLASS_TUNNEL, 0, 0, "");
	far = given(CLASS_TUNNEL, request, "tunnel");
	put(far, "X");
	ok(recv(fd, &byte, 1, 0) == 1 && byte == 'X',
	    "tunnel: the descriptor is the browser's");
	close(far);
	is_int(end_of(fd), 0, "tunnel: nobody else holds it");
	close(fd);

	/* Behind an earlier answer on the same connection. */
	fd = browser(&d, 0);
	put(fd, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
	put_bytes(fd, request, sizeof(request) - 1);
	is_int(status_of(answer(fd)), 404, "the earlier answer comes first");
	admit(CLASS_TUNNEL, 0, 0, "");
	close(given(CLASS_TUNNEL, request, "second request"));
	close(fd);
}

static void
terminals(void)
{
	static const char	path[] = "GET /api/support-sessions/" SESSION
	    "/terminal?ticket=";
	char			 request[1024], *a;
	struct msg_admit	 in;
	struct imsg		*m;
	int			 fd;

	snprintf(request, sizeof(request), "%s HTTP/1.1\r\nHost: a\r\n"
	    UPGRADE "\r\n", path);
	a = ask(0, request);
	is_envelope(a, 401, "ticket required", "terminal without a ticket");
	snprintf(request, sizeof(request), "%sabc HTTP/1.1\r\nHost: a\r\n"
	    "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", path);
	is_int(status_of(ask(0, request)), 400, "terminal: bad upgrade: 400");
	snprintf(request, sizeof(request), "%sabc HTTP/1.1\r\nHost: a\r\n\r\n",
	    path);
	is_int(status_of(ask(0, request)), 404,
	    "terminal without Upgrade: 404");

	snprintf(request, sizeof(request), "%ssecretticket HTTP/1.1\r\n"
	    "Host: a\r\nOrigin: https://console\r\n" UPGRADE "\r\n", path);
	fd = browser(&d, 0);
	put_bytes(fd, request, strlen(request));
	m = hear_next(d.authd, admit, &in);
	ok(in.class == CLASS_TERMINAL, "terminal: ADMIT asks for its class");
	is_str(in.session, SESSION, "terminal: with the session");
	is_str(in.ticket, "secretticket", "terminal: with the ticket");
	is_str(in.origin, "https://console", "terminal: with the Origin");
	say_id(d.authd, m->id, admitted, .status = 401,
	    .message = "invalid or expired ticket");
	is_envelope(answer(fd), 401, "invalid or expired ticket",
	    "terminal refused");
	close(fd);
	fd = browser(&d, 0);
	put_bytes(fd, request, strlen(request));
	admit(CLASS_TERMINAL, 0, 0, "");
	close(given(CLASS_TERMINAL, request, "terminal"));
	close(fd);
}

static void
without_authd(void)
{
	struct msg_admitted	 yes = { .nonce = 1, .message = "" };
	uint8_t			 bytes[64];
	uint32_t		 call;
	long			 len;
	int			 fd, fd2;
	char			*a;

	fd = browser(&d, 0);
	put(fd, "GET /api/tunnel HTTP/1.1\r\nHost: a\r\n" UPGRADE "\r\n");
	(void)hear_next(d.authd, admit, NULL);
	shut(&d.authd);
	a = answer(fd);
	is_int(status_of(a), 503, "authd goes while asked: 503");
	ok(header_of(a, "retry-after", 0)[0] != '\0', "503: Retry-After");
	close(fd);
	a = ask(0, "GET /api/tunnel HTTP/1.1\r\nHost: a\r\n" UPGRADE "\r\n");
	is_int(status_of(a), 503, "no authd: 503");
	drive_channel(&d);
	is_int(status_of(tunnel(0, "/api/tunnel", "", 0)), 400,
	    "a new authd is asked");
	fd = browser(&d, 0);
	put(fd, "GET /api/tunnel HTTP/1.1\r\nHost: a\r\n" UPGRADE "\r\n");
	(void)hear_next(d.authd, admit, NULL);
	drive_clock(&d, 2100);
	is_int(status_of(answer(fd)), 503, "no answer in 2 s: 503");
	close(fd);

	/* A malformed answer ends the channel, not proxyd. */
	fd = browser(&d, 0);
	put(fd, "GET /api/tunnel HTTP/1.1\r\nHost: a\r\n" UPGRADE "\r\n");
	len = msg_put(IMSG_ADMITTED, &yes, bytes, sizeof(bytes) - 1);
	bytes[len] = 9;
	say_raw(d.authd, IMSG_ADMITTED, hear_next(d.authd, admit, NULL)->id,
	    -1, bytes, (size_t)len + 1);
	is_int(status_of(answer(fd)), 503, "a byte too many: 503");
	ok(hear_end(d.authd) == 0, "a byte too many: channel ends");
	close(fd);
	drive_channel(&d);
	say_id(d.authd, 1, login, .key = "what authd never says");
	ok(hear_end(d.authd) == 0, "a wrong type: channel ends");
	drive_channel(&d);

	/* The browser goes while authd is asked; the late answer is dropped. */
	fd = browser(&d, 0);
	put(fd, "GET /api/tunnel HTTP/1.1\r\nHost: a\r\n" UPGRADE "\r\n");
	call = hear_next(d.authd, admit, NULL)->id;
	close(fd);
	fd2 = browser(&d, 0);
	put(fd2, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
	(void)answer(fd2);
	close(fd2);
	say_id(d.authd, call, admitted, .nonce = 1);
	is_int(status_of(ask(0, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n")), 404,
	    "a late answer is dropped");
}

static void
stops(void)
{
	int	 idle = browser(&d, 0), busy = browser(&d, 0);

	put(idle, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
	(void)answer(idle);
	put(busy, "GET /api/tunnel HTTP/1.1\r\nHost: a\r\n\r\n");
	(void)hear_next(d.authd, admit, NULL);
	say(d.parent, stop);
	is_int(end_of(idle), 0, "stop: idle connections end");
	ok(is_quiet(busy, 50), "stop: a request is finished first");
	say(d.parent, clock, .ms = 2100);
	is_int(status_of(answer(busy)), 503, "stop: it has its answer");
	ok(hear_end(d.parent) == 0, "stop: then proxyd leaves");
	close(idle);
	close(busy);
}

int
main(void)
{
	struct conf	cf;

	proxyd_conf(&cf);
	drive_start(&d, ROLE_PROXYD, &cf);
	classes();
	pipelined();
	limits();
	tunnels();
	terminals();
	without_authd();
	crowds();
	long_heads();
	address();
	descriptors();
#ifdef __linux__
	descriptors_again();
#endif
	ok(!drive_logged(&d, "secretticket") && !drive_logged(&d, "ticket=") &&
	    !drive_logged(&d, "Zm9vOmJhcg"),
	    "operator-63(partial): no ticket and no credential in the log");
	ok(drive_logged(&d, "/terminal"), "the path is there");
	stops();
	is_int(drive_leave(&d), 0, "proxyd ends well");
	return (done_testing());
}
