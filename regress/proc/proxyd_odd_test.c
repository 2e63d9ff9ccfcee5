/* SPDX-License-Identifier: ISC */
/* Clients and servers that are old or odd, and mean well. */
#include <sys/socket.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "regress/lib/proxyd_story.h"
#include "regress/lib/tap.h"

static struct drive	d;

/* ---- clients ---- */

/* A request line and fields to the service; the head as it arrives there. */
static const char *
arrives(const char *line, const char *fields)
{
	static char	 text[65536];
	int		 fd = browser(&d, 0), st;

	put(fd, "%s HTTP/1.1\r\nHost: " HOST "\r\nCookie: support_proxy_" SLUG
	    "=%s\r\n%s\r\n", line, proxy_token(SESSION, "one"), fields);
	st = stream_yes(&d);
	snprintf(text, sizeof(text), "%s", request_at(st));
	put(st, "OK\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	if (status_of(answer(fd)) != 200)
		diag("%s: no answer", line);
	close(st);
	close(fd);
	return (text);
}

static int
begins(const char *s, const char *with)
{
	return (strncmp(s, with, strlen(with)) == 0);
}

static void
clients(void)
{
	static const char	frames[] = "\0\0\0\4\0\0\0\0\0\0\0\x20\7";
	const char		*a;
	char			 got[80];
	int			 fd, st;

	ok(begins(arrives("BREW /pot", ""), "BREW /pot HTTP/1.1\r\n"),
	    "an unknown method goes to the service");
	ok(begins(arrives("GET /caf\303\251?\344=1", ""),
	    "GET /caf\303\251?\344=1 HTTP/1.1\r\n"),
	    "bytes above ASCII go as they are");
	a = arrives("POST /x", "Connection: Upgrade, HTTP2-Settings\r\n"
	    "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
	    "Content-Length: 0\r\n");
	ok(begins(a, "POST /x HTTP/1.1\r\n") && strstr(a, "Upgrade") == NULL &&
	    strstr(a, "Settings") == NULL,
	    "Upgrade: h2c is an ordinary request");
	a = arrives("GET /x", "Connection: upgrade\r\nUpgrade: tls/1.0\r\n");
	ok(strstr(a, "pgrade") == NULL, "no service sees another upgrade");

	fd = browser(&d, 0);
	put(fd, "GET /ws HTTP/1.1\r\nHost: " HOST "\r\nCookie: support_proxy_"
	    SLUG "=%s\r\nConnection: Upgrade\r\nUpgrade: h2c, WebSocket\r\n\r\n",
	    proxy_token(SESSION, "one"));
	st = stream_yes(&d);
	is_str(header_of(request_at(st), "upgrade", 0), "websocket",
	    "of a list of upgrades it sees WebSocket");
	put(st, "OK\nHTTP/1.1 101 Over\r\nConnection: Upgrade\r\n"
	    "Upgrade: h2c\r\n\r\n");
	is_int(status_of(answer(fd)), 502, "and may take up no other");
	close(st);
	close(fd);

	fd = browser(&d, 0);
	put(fd, "POST /api/support-sessions HTTP/1.1\r\nHost: a\r\n"
	    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
	    "HTTP2-Settings: AAMAAABk\r\nContent-Length: 0\r\n\r\n");
	is_int(status_of(answer(fd)), 405, "h2c to the API is no upgrade");
	close(fd);
	fd = browser(&d, 0);
	put(fd, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	(void)shutdown(fd, SHUT_WR);
	memset(got, 0, sizeof(got));
	ok(recv(fd, got, sizeof(got), MSG_WAITALL) > 40 &&
	    memcmp(got, frames, sizeof(frames) - 1) == 0,
	    "HTTP/2 unasked: SETTINGS and GOAWAY");
	ok(got[25] == 0xd && memcmp(got + 26, "HTTP/1.1", 8) == 0,
	    "with HTTP_1_1_REQUIRED");
	is_int(end_of(fd), 0, "and the end");
	close(fd);
}

/* ---- servers ---- */

#define CHUNKS	"2\r\nok\r\n0\r\n\r\n"
#define CHUNKED	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

/* What the browser reads when a service says this, then closes or not. */
static char *
read_as(const char *says, size_t len, int closes)
{
	int	 fd = browser(&d, 0), st = open_stream(&d, fd, "/odd", 0);
	char	*a;

	(void)request_at(st);
	put(st, "OK\n");
	put_bytes(st, says, len);
	if (closes)
		(void)shutdown(st, SHUT_WR);
	a = answer(fd);
	close(st);
	close(fd);
	return (a);
}

static void
servers(void)
{
	static const struct {
		const char	*what, *says;
		int		 closes;
	} t[] = {
		{ "a length with chunked", "HTTP/1.1 200 OK\r\n"
		    "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
		    CHUNKS, 0 },
		{ "one length twice", "HTTP/1.1 200 OK\r\nContent-Length: 2"
		    "\r\nContent-Length: 2\r\n\r\nok", 0 },
		{ "chunked twice", "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
		    "chunked\r\nTransfer-Encoding: chunked\r\n\r\n" CHUNKS, 0 },
		{ "identity", "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity"
		    "\r\n\r\nok", 1 },
		{ "chunked in HTTP/1.0", "HTTP/1.0 200 OK\r\n"
		    "Transfer-Encoding: chunked\r\n\r\n" CHUNKS, 0 },
		{ "lines that end in LF", "HTTP/1.1 200 OK\nTransfer-Encoding: "
		    "chunked\n\n2;x\nok\n0\nT: x\n\n", 0 },
		{ "chunks that end in LF", CHUNKED "2\nok\n0\n\n", 0 },
		{ "one line of chunks that ends in LF", CHUNKED
		    "2\r\nok\n0\r\n\r\n", 0 },
		{ "blanks behind a size", CHUNKED
		    "2  \r\nok\r\n0\r\n\r\n", 0 },
		{ "no last line", CHUNKED "2\r\nok\r\n0\r\n", 1 },
		{ "no last line, and LF", CHUNKED "2\nok\n0\n", 1 },
		{ "lines that end in LF, and a length",
		    "HTTP/1.0 200 OK\nContent-Length: 2\n\nok", 0 },
		{ "a blank before the colon", "HTTP/1.1 200 OK\r\n"
		    "Content-Length : 2\r\n\r\nok", 0 },
		{ "odd characters in a name", "HTTP/1.1 200 OK\r\n"
		    "X(y): z\r\nContent-Length: 2\r\n\r\nok", 0 },
		{ "HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nok", 1 },
	};
	size_t	 i;
	char	*a;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		a = read_as(t[i].says, strlen(t[i].says), t[i].closes);
		is_int(status_of(a), 200, "%s: read", t[i].what);
		ok(a != NULL && (strcmp(body_of(a), "ok") == 0 ||
		    strcmp(body_of(a), CHUNKS) == 0), "%s: whole", t[i].what);
		ok(a != NULL && (*header_of(a, "content-length", 0) == '\0') !=
		    (*header_of(a, "transfer-encoding", 0) == '\0') &&
		    *header_of(a, "content-length", 1) == '\0' &&
		    *header_of(a, "transfer-encoding", 1) == '\0',
		    "%s: its end is said in one way", t[i].what);
	}
}

static void
big_servers(void)
{
	static char	 says[300000];
	size_t		 n, len;
	char		*a;

	len = (size_t)snprintf(says, sizeof(says),
	    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n");
	for (n = 0; n < 255; n++)
		len += (size_t)snprintf(says + len, 64,
		    "Set-Cookie: c%zu=1; SameSite=None\r\n", n);
	len += (size_t)snprintf(says + len, 8, "\r\nok");
	a = read_as(says, len, 0);
	is_int(status_of(a), 200, "256 fields: read");
	is_str(header_of(a, "set-cookie", 508), "c254=1; SameSite=None; Secure",
	    "256 fields: the last is there");

	len = (size_t)snprintf(says, sizeof(says),
	    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n");
	for (n = 0; n < 20; n++) {
		len += (size_t)snprintf(says + len, 64, "X-%zu: ", n);
		memset(says + len, 'x', 12000);
		len += 12000;
		len += (size_t)snprintf(says + len, 64, "\r\n");
	}
	len += (size_t)snprintf(says + len, 8, "\r\nok");
	a = read_as(says, len, 0);
	is_int(status_of(a), 200, "a head of 240 KB: read");
	is_str(body_of(a), "ok", "a head of 240 KB: and its body");

	len = (size_t)snprintf(says, sizeof(says), "HTTP/1.1 200 OK\r\nX: ");
	memset(says + len, 'x', sizeof(says) - len);
	a = read_as(says, sizeof(says), 0);
	is_int(status_of(a), 502, "a head over 256 KiB: 502");
	ok(strstr(body_of(a), "too long") != NULL,
	    "a head over 256 KiB: the page says so");

	len = 0;
	for (n = 0; n < 60; n++)
		len += (size_t)snprintf(says + len, 64,
		    "HTTP/1.1 103 Early Hints\r\nX: %zu\r\n\r\n", n);
	len += (size_t)snprintf(says + len, 64,
	    "HTTP/1.1 204 Done\r\n\r\n");
	says[len] = '\0';
	n = 0;
	{
		int	 fd = browser(&d, 0), st = open_stream(&d, fd, "/", 0);

		(void)request_at(st);
		put(st, "OK\n%s", says);
		while (status_of(answer(fd)) == 103)
			n++;
		is_int((int)n, 60, "60 interim answers pass");
		close(st);
		close(fd);
	}
}

/* What stays refused says why, in the page and in the log. */
static void
refusals(void)
{
	static const struct {
		const char	*says, *why;
	} t[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3"
		    "\r\n\r\nokk", "names two lengths" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
		    "coding other than chunked" },
		{ "SSH-2.0-OpenSSH_9.2\r\n", "it speaks SSH" },
		{ "220 mail.example ESMTP\r\n", "with a status line" },
		{ "J\001\0025.5", "with a status line" },
		{ "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2\nokk\n",
		    "malformed chunks: a chunk is longer than its size" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		    "<p>\r\n",
		    "malformed chunks: what should be a size is none" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		    "1000000000000000\r\n",
		    "malformed chunks: a size has too many digits" },
	};
	size_t	 i;
	char	*a;

	drive_forget();
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		a = read_as(t[i].says, strlen(t[i].says), 0);
		is_int(status_of(a), 502, "%s: 502", t[i].why);
		ok(strstr(body_of(a), t[i].why) != NULL,
		    "%s: the answer says so", t[i].why);
		ok(drive_logs(&d, "session " SESSION ": web: answer refused: ")
		    && drive_logged(&d, t[i].why), "%s: and the log", t[i].why);
		drive_forget();
	}
}

/* The next request on this connection has an answer of its own. */
static void
goes_on(int fd, const char *what)
{
	put(fd, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
	is_int(status_of(answer(fd)), 404,
	    "%s: behind it the connection goes on", what);
}

/*
 * Chunks become odd when some have gone on as they came: the browser has all
 * of it in strict ones, and the service's connection is not used again.
 */
static void
later(void)
{
	static const struct {
		const char	*what, *next;
		int		 ends;
		const char	*reads;
	} t[] = {
		{ "data that ends in LF", "\n1\n,\n0\n\n", 0,
		    "\r\n1\r\n,\r\n0\r\n\r\n" },
		{ "a size that ends in LF", "\r\n1\n,\n0\n\n", 0,
		    "\r\n1\r\n,\r\n0\r\n\r\n" },
		{ "a blank behind a size", "\r\n1 \r\n,\r\n0\r\n\r\n", 0,
		    "\r\n1\r\n,\r\n0\r\n\r\n" },
		{ "a last line that ends in LF", "\r\n0\r\n\n", 0,
		    "\r\n0\r\n\r\n" },
		{ "no last line", "\r\n0\r\n", 1, "\r\n0\r\n\r\n" },
		{ "no last line, and a reset", "\r\n0\r\n", 2,
		    "\r\n0\r\n\r\n" },
		{ "nothing odd", "\r\n1;x\r\n,\r\n0;y\r\nT: u\r\n\r\n", 1,
		    "\r\n1;x\r\n,\r\n0;y\r\n\r\n" },
	};
	size_t	 i, k, at;
	char	*a;
	int	 fd, st, next;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		for (k = 0; k < 2; k++) {
			fd = browser(&d, 0);
			st = open_stream(&d, fd, "/late", 0);
			(void)request_at(st);
			put(st, "OK\n" CHUNKED "5\r\nhello");
			(void)get_until(fd, "\r\n\r\n5\r\nhello");
			if (k == 0)
				put(st, "%s", t[i].next);
			else
				for (at = 0; t[i].next[at] != '\0'; at++) {
					put(st, "%c", t[i].next[at]);
					flush_authd(&d);
				}
			if (t[i].ends == 1)
				(void)shutdown(st, SHUT_WR);
			else if (t[i].ends == 2)
				close(st);
			a = get_until(fd, "\r\n\r\n");
			is_str(a, t[i].reads, "%s, %s: strict chunks",
			    t[i].what, k == 0 ? "at once" : "byte by byte");
			get(fd, "/next");
			next = stream_yes(&d);
			(void)request_at(next);
			put(next, "OK\nHTTP/1.1 204 Next\r\nConnection: close"
			    "\r\n\r\n");
			is_int(status_of(answer(fd)), 204,
			    "%s: the next request has another stream",
			    t[i].what);
			if (t[i].ends != 2)
				close(st);
			close(next);
			close(fd);
		}
	}
}

/* A chunk that is broken, and a service that breaks off. */
static void
broken(void)
{
#define CODED	"Transfer-Encoding: chunked\r\n\r\n"
	static const struct {
		const char	*what, *head, *first, *next;
		int		 closes;	/* 1: in order, 2: not */
		const char	*why;
	} t[] = {
		{ "a stream that breaks off", "\r\n9 of more", "9 of more",
		    "", 2, "transfer broken: the stream has broken" },
		{ "a length that is not reached", "Content-Length: 9\r\n\r\n9 "
		    "of mo", "9 of mo", "", 1, "shorter than its length" },
		{ "the end of a connection", CODED "5\r\n9 of ", "9 of ",
		    "", 1, "ends before its last chunk" },
		{ "the end behind half a last chunk", CODED "5\r\n9 of \r\n",
		    "9 of \r\n", "0", 1, "ends before its last chunk" },
		{ "a chunk that is too long", CODED "5\r\n9 of ",
		    "9 of ", "more\r\n0\r\n\r\n", 0,
		    "malformed chunks: a chunk is longer than its size" },
		{ "one behind odd ones", CODED "5\n9 of \n", "9 of ",
		    "2\nmore\n0\n\n", 0,
		    "malformed chunks: a chunk is longer than its size" },
	};
	size_t	 i;
	char	*a;
	int	 fd, st;

	a = read_as("HTTP/1.1 200 OK\n\n", 17, 1);
	ok(a != NULL && strcmp(body_of(a), "0\r\n\r\n") == 0,
	    "an empty body to the end of the connection");
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		drive_forget();
		fd = browser(&d, 0);
		st = open_stream(&d, fd, "/", 0);
		(void)request_at(st);
		put(st, "OK\nHTTP/1.1 200 OK\r\n%s", t[i].head);
		(void)get_until(fd, t[i].first);
		put(st, "%s", t[i].next);
		if (t[i].closes == 1)
			(void)shutdown(st, SHUT_WR);
		if (t[i].closes != 0)
			close(st);
		ok(strstr(get_until(fd, "0\r\n\r\n"), "0\r\n\r\n") == NULL,
		    "%s is no end", t[i].what);
		ok(drive_logs(&d, "session " SESSION ": web: answer broken "
		    "off: ") && drive_logged(&d, t[i].why),
		    "%s: the log says what broke", t[i].what);
		if (t[i].closes == 0)
			close(st);
		close(fd);
	}
	fd = browser(&d, 0);
	st = open_stream(&d, fd, "/", 0);
	(void)request_at(st);
	put(st, "OK\nHTTP/1.1 200 OK\r\n\r\none");
	(void)get_until(fd, "one");
	shutdown(st, SHUT_WR);
	(void)get_until(fd, "0\r\n\r\n");
	goes_on(fd, "the end of the connection");
	close(st);
	close(fd);
}

/* An answer without a length breaks off, or proxyd dies in it. */
static void
killed(void)
{
	int	 fd = browser(&d, 0), old = browser(&d, 0), st, st2;
	char	*a;

	st = open_stream(&d, fd, "/", 0);
	(void)request_at(st);
	put(st, "OK\nHTTP/1.1 200 OK\r\n\r\n9 of more");
	put(old, "GET / HTTP/1.0\r\nHost: " HOST "\r\nCookie: support_proxy_"
	    SLUG "=%s\r\n\r\n", proxy_token(SESSION, "one"));
	st2 = stream_yes(&d);
	(void)request_at(st2);
	put(st2, "OK\nHTTP/1.1 200 OK\r\n\r\n9 of more");
	a = get_until(old, "9 of more");
	ok(*header_of(a, "transfer-encoding", 0) == '\0',
	    "HTTP/1.0: no chunks");
	close(st2);
	is_int(end_of(old), ECONNRESET, "it breaks off: HTTP/1.0 sees a reset");
	a = get_until(fd, "9 of more");
	is_str(header_of(a, "transfer-encoding", 0), "chunked",
	    "an answer without a length goes in chunks");
	drive_kill(&d);
	a = get_until(fd, "0\r\n\r\n");
	ok(strstr(a, "0\r\n\r\n") == NULL,
	    "proxyd is killed: the end is missing");
	close(fd);
	close(old);
	close(st);
}

int
main(void)
{
	struct conf	cf;

	proxyd_conf(&cf);
	drive_start(&d, ROLE_PROXYD, &cf);
	grant_first(&d);
	clients();
	servers();
	big_servers();
	refusals();
	later();
	broken();
	killed();
	return (done_testing());
}
