/* SPDX-License-Identifier: ISC */
/*
 * Requests that two parsers on the way could read as two different ones: a
 * service never gets to see them, or sees them in one strict form.
 */
#include <sys/socket.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "regress/lib/proxyd_story.h"
#include "regress/lib/tap.h"

#define INNER	"GET /inner HTTP/1.1\r\nHost: " HOST "\r\n\r\n"

static struct drive	d;

/* A request line and fields with what makes it the operator's, then a rest. */
static void
ask(int fd, const char *line, const char *fields, size_t len, const char *rest)
{
	put(fd, "%s\r\nHost: " HOST "\r\nCookie: support_proxy_" SLUG "=%s\r\n",
	    line, proxy_token(SESSION, "one"));
	put_bytes(fd, fields, len);
	put(fd, "%s", rest);
}

#define LAST	"0\r\n\r\n"
#define F(text)	text, sizeof(text) - 1

/* Heads that are refused. Nothing asks for a stream, nothing follows. */
static void
heads(void)
{
	static const struct {
		const char	*what, *fields;
		size_t		 len;
	} t[] = {
		{ "CL.TE", F("Content-Length: 6\r\nTransfer-Encoding: chunked"
		    "\r\n\r\n0\r\n\r\n") },
		{ "TE.CL", F("Transfer-Encoding: chunked\r\nContent-Length: 4"
		    "\r\n\r\n5\r\nGET /\r\n0\r\n\r\n") },
		{ "TE.TE, another after it", F("Transfer-Encoding: chunked\r\n"
		    "Transfer-Encoding: x\r\n\r\n0\r\n\r\n") },
		{ "TE.TE, identity before it", F("Transfer-Encoding: identity"
		    "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") },
		{ "TE.TE, in one list", F("Transfer-Encoding: chunked, "
		    "identity\r\n\r\n0\r\n\r\n") },
		{ "TE, xchunked", F("Transfer-Encoding: xchunked\r\n\r\n") },
		{ "TE, in quotes", F("Transfer-Encoding: \"chunked\"\r\n\r\n") },
		{ "TE, behind a vertical tab", F("Transfer-Encoding: \013chunked"
		    "\r\nContent-Length: 3\r\n\r\n") },
		{ "TE, chunked and a parameter", F("Transfer-Encoding: chunked;"
		    "a=b\r\n\r\n0\r\n\r\n") },
		{ "TE, a blank before the colon", F("Transfer-Encoding : "
		    "chunked\r\n\r\n0\r\n\r\n") },
		{ "TE, a tab before the colon", F("Transfer-Encoding\t: "
		    "chunked\r\n\r\n0\r\n\r\n") },
		{ "TE, folded", F("Transfer-Encoding:\r\n chunked\r\n\r\n") },
		{ "TE, behind a blank", F(" Transfer-Encoding: chunked\r\n"
		    "Content-Length: 0\r\n\r\n") },
		{ "TE, behind a bare LF", F("X: a\nTransfer-Encoding: chunked"
		    "\r\n\r\n0\r\n\r\n") },
		{ "TE, behind a bare CR", F("X: a\rTransfer-Encoding: chunked"
		    "\r\n\r\n0\r\n\r\n") },
		{ "duplicate lengths, two numbers", F("Content-Length: 0\r\n"
		    "Content-Length: 5\r\n\r\nGET /") },
		{ "duplicate lengths, one number", F("Content-Length: 5\r\n"
		    "Content-Length: 5\r\n\r\nGET /") },
		{ "duplicate lengths, in a list", F("Content-Length: 5, 5"
		    "\r\n\r\nGET /") },
		{ "a length with a sign", F("Content-Length: +5\r\n\r\nGET /") },
		{ "a length with a minus", F("Content-Length: -0\r\n\r\n") },
		{ "a length in hex", F("Content-Length: 0x5\r\n\r\nGET /") },
		{ "a length with a blank", F("Content-Length: 1 5\r\n\r\n") },
		{ "a length that overflows", F("Content-Length: "
		    "18446744073709551617\r\n\r\n") },
		{ "a length that is folded", F("Content-Length: 1\r\n 5\r\n"
		    "\r\nGET /") },
		{ "a length with NUL", F("Content-Length: 5\0\r\n\r\nGET /") },
		{ "a blank before a length's colon", F("Content-Length : 5\r\n"
		    "\r\nGET /") },
		{ "obs-fold", F("X: a\r\n b\r\n\r\n") },
		{ "obs-fold with a tab", F("X: a\r\n\tb\r\n\r\n") },
		{ "a bare LF", F("X: a\nY: b\r\n\r\n") },
		{ "bare LFs at the end", F("X: a\n\n") },
		{ "a bare CR", F("X: a\rY: b\r\n\r\n") },
		{ "a bare CR at the end", F("X: a\r\r\n\r\n") },
		{ "NUL in a value", F("X: a\0b\r\n\r\n") },
		{ "NUL in a name", F("X\0: a\r\n\r\n") },
		{ "a field without a colon", F("X\r\n\r\n") },
		{ "a field without a name", F(": a\r\n\r\n") },
		{ "Host twice", F("Host: evil\r\n\r\n") },
		{ "a body on an upgrade", F("Connection: Upgrade\r\nUpgrade: "
		    "websocket\r\nContent-Length: 5\r\n\r\nGET /") },
	};
	size_t	 i;
	char	*a;
	int	 fd, st;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		fd = browser(&d, 0);
		ask(fd, strstr(t[i].fields, "websocket") != NULL ?
		    "GET /x HTTP/1.1" : "POST /x HTTP/1.1", t[i].fields,
		    t[i].len, INNER);
		a = answer(fd);
		ok(status_of(a) == 400 || status_of(a) == 501,
		    "%s: refused (%d)", t[i].what, status_of(a));
		ok(get_until(fd, "HTTP/1.1 ")[0] == '\0',
		    "%s: and nothing after it is read", t[i].what);
		close(fd);
	}
	fd = browser(&d, 0);
	st = open_stream(&d, fd, "/last", 0);
	ok(strncmp(request_at(st), "GET /last ", 10) == 0,
	    "none of them has asked for a stream");
	close(st);
	close(fd);
}

/* All that the service reads until the stream ends. */
static const char *
seen_at(int st)
{
	static char	seen[65536];

	snprintf(seen, sizeof(seen), "%s", get_until(st, "\xff"));
	close(st);
	return (seen);
}

/* Chunks that are no strict ones, at once and behind what has gone out. */
static void
chunks(void)
{
	static const struct {
		const char	*what, *body;
		size_t		 len;
	} t[] = {
		{ "an extension in quotes", F("3;a=\"b\"\r\nabc\r\n" LAST) },
		{ "a line end in quotes", F("3;a=\"\r\nabc\r\n" LAST) },
		{ "a size in hex with 0x", F("0x3\r\nabc\r\n" LAST) },
		{ "a size with a sign", F("+3\r\nabc\r\n" LAST) },
		{ "a size that overflows", F("10000000000000003\r\nabc\r\n"
		    LAST) },
		{ "no size", F(";a\r\nabc\r\n" LAST) },
		{ "a blank before the size", F(" 3\r\nabc\r\n" LAST) },
		{ "a size that ends in LF", F("3\nabc\r\n" LAST) },
		{ "a size that ends in CR", F("3\rabc\r\n" LAST) },
		{ "an extension with LF", F("3;a\nb\r\nabc\r\n" LAST) },
		{ "an extension with CR", F("3;a\rb\r\nabc\r\n" LAST) },
		{ "an extension with NUL", F("3;a\0b\r\nabc\r\n" LAST) },
		{ "data without its end", F("3\r\nabcd\r\n" LAST) },
		{ "data that ends in LF", F("3\r\nabc\n" LAST) },
		{ "a last chunk with LF", F("0\r\n\nX") },
		{ "a trailer with LF", F("0\r\nA: b\nC: d\r\n\r\n") },
		{ "a trailer that is folded", F("0\r\n A: b\r\n\r\n") },
	};
	static const char	te[] = "Transfer-Encoding: chunked\r\n\r\n";
	const char		*seen;
	size_t			 i;
	int			 fd, st;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		fd = browser(&d, 0);
		ask(fd, "POST /c HTTP/1.1", te, sizeof(te) - 1, "2\r\nok\r\n");
		st = stream_yes(&d);
		(void)get_until(st, "2\r\nok\r\n");
		put_bytes(fd, t[i].body, t[i].len);
		put(fd, INNER);
		is_int(status_of(answer(fd)), 400, "%s: 400", t[i].what);
		seen = seen_at(st);
		ok(strstr(seen, "inner") == NULL && strchr(seen, '\n') == NULL,
		    "%s: the service does not see it", t[i].what);
		ok(get_until(fd, "HTTP/1.1 ")[0] == '\0',
		    "%s: nor what follows", t[i].what);
		close(fd);

		fd = browser(&d, 0);
		put(fd, "POST /c HTTP/1.1\r\nHost: " HOST "\r\nCookie: "
		    "support_proxy_" SLUG "=%s\r\n%s%.*s",
		    proxy_token(SESSION, "one"), te, (int)t[i].len,
		    t[i].body);
		put_bytes(fd, t[i].body + strlen(t[i].body), t[i].len -
		    strlen(t[i].body));
		st = stream_yes(&d);
		put(fd, INNER);
		is_int(status_of(answer(fd)), 400, "%s, at once: 400",
		    t[i].what);
		ok(strstr(seen_at(st), "inner") == NULL,
		    "%s, at once: nothing behind it goes on", t[i].what);
		close(fd);
	}
}

/* What is odd but has one meaning arrives in its strict form. */
static void
strict(void)
{
	static const struct {
		const char	*line, *fields, *want, *never;
	} t[] = {
		{ "POST /n HTTP/1.1", "content-LENGTH:   2  \r\n\r\nhi",
		    "\r\nContent-Length: 2\r\n", "LENGTH" },
		{ "POST /n HTTP/1.1", "TRANSFER-encoding:  CHUNKED \r\n\r\n"
		    "0\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n",
		    "CHUNKED" },
		{ "\r\nGET /n HTTP/1.1", "\r\n", "GET /n HTTP/1.1\r\n",
		    "Transfer" },
		{ "GET http://" HOST "/n HTTP/1.1", "\r\n",
		    "GET /n HTTP/1.1\r\nHost: 10.0.0.5:8080\r\n", HOST },
		{ "GET /n HTTP/1.1", "Transfer_Encoding: chunked\r\n"
		    "Connection: close, Transfer-Encoding\r\n\r\n",
		    "GET /n HTTP/1.1\r\n", "hunked" },
	};
	size_t	 i;
	char	*a;
	int	 fd, st;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		fd = browser(&d, 0);
		ask(fd, t[i].line, t[i].fields, strlen(t[i].fields), "");
		st = stream_yes(&d);
		a = request_at(st);
		ok(strstr(a, t[i].want) != NULL &&
		    strstr(a, t[i].never) == NULL, "strict form %zu", i + 1);
		put(st, "OK\nHTTP/1.1 204 Fine\r\n\r\n");
		is_int(status_of(answer(fd)), 204, "strict form %zu: answered",
		    i + 1);
		close(st);
		close(fd);
	}
}

/* Several requests in one piece: each is read when the last is answered. */
static void
pipelining(void)
{
	int	 fd = browser(&d, 0), st;
	char	 cookie[4096];

	snprintf(cookie, sizeof(cookie), "Host: " HOST "\r\nCookie: "
	    "support_proxy_" SLUG "=%s\r\n", proxy_token(SESSION, "one"));
	put(fd, "GET /1 HTTP/1.1\r\n%s\r\nPOST /2 HTTP/1.1\r\n%s"
	    "Content-Length: 3\r\n\r\nabcPOST /3 HTTP/1.1\r\n%s"
	    "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nT: t\r\n\r\n"
	    "GET /4 HTTP/1.0\r\n%s\r\n", cookie, cookie, cookie, cookie);
	st = stream_yes(&d);
	ok(strncmp(request_at(st), "GET /1 ", 7) == 0, "pipelined: the first");
	ok(is_quiet(st, 30), "the second waits for the first's answer");
	put(st, "OK\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
	is_str(body_of(answer(fd)), "1", "which comes");
	ok(strncmp(request_at(st), "POST /2 ", 8) == 0, "the second");
	ok(strcmp(get_until(st, "abc"), "abc") == 0, "with its body");
	put(st, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2");
	is_str(body_of(answer(fd)), "2", "its answer");
	ok(strncmp(request_at(st), "POST /3 ", 8) == 0, "the third");
	is_str(get_until(st, "0\r\n\r\n"), "1\r\nx\r\n0\r\n\r\n",
	    "with its chunks, without its trailer");
	put(st, "HTTP/1.1 200 OK\r\nTrailer: T\r\nTransfer-Encoding: chunked"
	    "\r\n\r\n1\r\n3\r\n0\r\nT: u\r\n\r\n");
	is_str(header_of(get_until(fd, "\r\n\r\n"), "trailer", 0), "",
	    "no trailer is announced");
	is_str(get_until(fd, "0\r\n\r\n"), "1\r\n3\r\n0\r\n\r\n",
	    "and none comes");
	ok(strncmp(request_at(st), "GET /4 HTTP/1.1\r\n", 17) == 0,
	    "the fourth, of HTTP/1.0");
	put(st, "HTTP/1.1 200 OK\r\n\r\nfour");
	(void)shutdown(st, SHUT_WR);
	is_str(body_of(answer(fd)), "four", "a service that just closes");
	is_int(end_of(fd), 0, "and so does the connection");
	close(st);
	close(fd);
}

/* A body that comes when authd has gone is one all the same. */
static void
unasked(void)
{
	static const char	body[] = "GET /healthz HTTP/1.1\r\n"
				    "Host: a\r\n\r\nG";
	int			fd = browser(&d, 0);

	put(fd, "POST /admin/sessions HTTP/1.1\r\nHost: a\r\n"
	    "Authorization: Bearer t\r\nContent-Length: %zu\r\n\r\n",
	    sizeof(body) - 1);
	ok(is_quiet(fd, 50), "its body is waited for");
	shut(&d.authd);
	ok(drive_logs(&d, "authd"), "authd has gone");
	put(fd, "%s", body);
	is_int(status_of(answer(fd)), 503, "then nobody can be asked");
	ok(is_quiet(fd, 50), "and its body is no request");
	put(fd, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
	is_str(body_of(answer(fd)), "ok", "the next one is what is behind it");
	close(fd);
	drive_channel(&d);
}

int
main(void)
{
	struct conf	cf;

	proxyd_conf(&cf);
	cf.relay = 1;
	drive_start(&d, ROLE_PROXYD, &cf);
	grant_first(&d);
	heads();
	chunks();
	strict();
	pipelining();
	unasked();
	is_int(drive_leave(&d), 0, "proxyd ends well");
	return (done_testing());
}
