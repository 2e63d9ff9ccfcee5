/* SPDX-License-Identifier: ISC */

/* Request and response heads, hosts, chunked bodies. */

#include <llhttp.h>

#include "regress/lib/tap.h"
#include "http/head.h"

#define H	"Host: a.example\r\n"
#define G	"GET / HTTP/1.1\r\n"

static struct httphead	 h;
static int		 status;
static const char	*why;

/* Parse a copy with nothing behind it, so that overreads are seen. */
static int
request(const char *s, size_t len)
{
	static char		*copy;
	struct httphead_scan	 sc = { 0 };

	free(copy);
	if ((copy = malloc(len == 0 ? 1 : len)) == NULL)
		bail_out("out of memory");
	memcpy(copy, s, len);
	status = 0;
	why = "";
	return (httphead_request(&h, &sc, copy, len, &status, &why));
}

static int
response(const char *s, int method)
{
	static char		*copy;
	struct httphead_scan	 sc = { 0 };
	size_t			 len = strlen(s);

	free(copy);
	if ((copy = malloc(len == 0 ? 1 : len)) == NULL)
		bail_out("out of memory");
	memcpy(copy, s, len);
	why = "";
	return (httphead_response(&h, &sc, method, copy, len, &why));
}

static int
is(const struct slice *sl, const char *s)
{
	return (s == NULL ? sl->s == NULL : sl->s != NULL && slice_eq(sl, s));
}

/* ---- requests that are refused, and with what ---- */

static const struct {
	const char	*name;
	const char	*in;
	int		 status;
} refused[] = {
	{ "a bare line feed", "GET / HTTP/1.1\n" H "\r\n", 400 },
	{ "a bare line feed behind a field", G "Host: a\nX: y\r\n\r\n", 400 },
	{ "a bare carriage return", G "Host: a\rb\r\n\r\n", 400 },
	{ "a bare CR before CRLF", G "Host: a\r\r\n\r\n", 400 },
	{ "a control character", G H "X: a\001b\r\n\r\n", 400 },
	{ "DEL", G H "X: a\177b\r\n\r\n", 400 },
	{ "a TLS hello", "\026\003\001\002", 400 },
	{ "a folded line", G H "X: a\r\n b\r\n\r\n", 400 },
	{ "a folded line, HTAB", G H "X: a\r\n\tb\r\n\r\n", 400 },
	{ "a blank before the first field", G " " H "\r\n", 400 },
	{ "a blank before a colon", G H "X : a\r\n\r\n", 400 },
	{ "a HTAB before a colon", G H "X\t: a\r\n\r\n", 400 },
	{ "a blank in a name", G H "X Y: a\r\n\r\n", 400 },
	{ "a field without colon", G H "Xabc\r\n\r\n", 400 },
	{ "a field without name", G H ": a\r\n\r\n", 400 },
	{ "a name outside ASCII", G H "X\303\251: a\r\n\r\n", 400 },
	{ "two empty lines first", "\r\n\r\n" G H "\r\n", 400 },
	{ "messages.md-6: Host twice", G H H "\r\n", 400 },
	{ "messages.md-6: Authorization twice", G H
	    "Authorization: Basic YTpi\r\nauthorization: Basic YTpi\r\n\r\n",
	    400 },
	{ "messages.md-6: Origin twice", G H
	    "Origin: https://a\r\nOrigin: https://a\r\n\r\n", 400 },
	{ "messages.md-6: Upgrade twice", G H
	    "Upgrade: websocket\r\nUpgrade: websocket\r\n\r\n", 400 },
	{ "messages.md-6: Sec-WebSocket-Key twice", G H
	    "Sec-WebSocket-Key: a\r\nsec-websocket-key: a\r\n\r\n", 400 },
	{ "messages.md-6: Sec-WebSocket-Protocol twice", G H
	    "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b\r\n\r\n",
	    400 },
	{ "Content-Length twice", "POST / HTTP/1.1\r\n" H
	    "Content-Length: 3\r\nContent-Length: 3\r\n\r\n", 400 },
	{ "Transfer-Encoding twice", "POST / HTTP/1.1\r\n" H
	    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
	    400 },
	{ "Content-Length with Transfer-Encoding", "POST / HTTP/1.1\r\n" H
	    "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
	{ "Transfer-Encoding with Content-Length", "POST / HTTP/1.1\r\n" H
	    "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 400 },
	{ "Content-Length with a sign", "POST / HTTP/1.1\r\n" H
	    "Content-Length: +3\r\n\r\n", 400 },
	{ "a negative Content-Length", "POST / HTTP/1.1\r\n" H
	    "Content-Length: -3\r\n\r\n", 400 },
	{ "a Content-Length list", "POST / HTTP/1.1\r\n" H
	    "Content-Length: 3, 3\r\n\r\n", 400 },
	{ "a hexadecimal Content-Length", "POST / HTTP/1.1\r\n" H
	    "Content-Length: 0x3\r\n\r\n", 400 },
	{ "an empty Content-Length", "POST / HTTP/1.1\r\n" H
	    "Content-Length:\r\n\r\n", 400 },
	{ "a Content-Length of 19 digits", "POST / HTTP/1.1\r\n" H
	    "Content-Length: 1000000000000000000\r\n\r\n", 400 },
	{ "a Content-Length of 30 digits", "POST / HTTP/1.1\r\n" H
	    "Content-Length: 100000000000000000000000000000\r\n\r\n", 400 },
	{ "Transfer-Encoding without chunked", "POST / HTTP/1.1\r\n" H
	    "Transfer-Encoding: gzip\r\n\r\n", 400 },
	{ "Transfer-Encoding, chunked not last", "POST / HTTP/1.1\r\n" H
	    "Transfer-Encoding: chunked, gzip\r\n\r\n", -1 },
	{ "Transfer-Encoding, something before chunked",
	    "POST / HTTP/1.1\r\n" H
	    "Transfer-Encoding: gzip, chunked\r\n\r\n", 501 },
	{ "Transfer-Encoding xchunked", "POST / HTTP/1.1\r\n" H
	    "Transfer-Encoding: xchunked\r\n\r\n", 400 },
	{ "Transfer-Encoding in HTTP/1.0", "POST / HTTP/1.0\r\n" H
	    "Transfer-Encoding: chunked\r\n\r\n", 400 },
	{ "messages.md-6: a body on an upgrade", G H
	    "Connection: Upgrade\r\nUpgrade: websocket\r\n"
	    "Content-Length: 1\r\n\r\n", 400 },
	{ "messages.md-6: a chunked body on an upgrade", G H
	    "Connection: Upgrade\r\nUpgrade: websocket\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n", 400 },
	{ "no Host", G "\r\n", 400 },
	{ "an empty Host", G "Host:\r\n\r\n", 400 },
	{ "a Host with a blank", G "Host: a b\r\n\r\n", 400 },
	{ "a Host with a comma", G "Host: a,b\r\n\r\n", 400 },
	{ "a Host with a path", G "Host: a/b\r\n\r\n", 400 },
	{ "a Host with a user", G "Host: a@b\r\n\r\n", 400 },
	{ "a Host with port 0", G "Host: a:0\r\n\r\n", 400 },
	{ "a Host with port 65536", G "Host: a:65536\r\n\r\n", 400 },
	{ "a target without slash", "GET x HTTP/1.1\r\n" H "\r\n", 400 },
	{ "a fragment", "GET /x#y HTTP/1.1\r\n" H "\r\n", 400 },
	{ "a HTAB in the target", "GET /\tx HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET *", "GET * HTTP/1.1\r\n" H "\r\n", 400 },
	{ "a user in an absolute target",
	    "GET http://u@a/ HTTP/1.1\r\n" H "\r\n", 400 },
	{ "an absolute target without host", "GET http:///x HTTP/1.1\r\n" H
	    "\r\n", 400 },
	{ "an ftp target", "GET ftp://a/ HTTP/1.1\r\n" H "\r\n", 400 },
	{ "two blanks behind the method", "GET  / HTTP/1.1\r\n" H "\r\n",
	    400 },
	{ "two blanks before the version", "GET /  HTTP/1.1\r\n" H "\r\n",
	    400 },
	{ "a blank behind the version", "GET / HTTP/1.1 \r\n" H "\r\n", 400 },
	{ "a HTAB behind the method", "GET\t/ HTTP/1.1\r\n" H "\r\n", 400 },
	{ "no version", "GET /\r\n" H "\r\n", 400 },
	{ "no target", "GET HTTP/1.1\r\n" H "\r\n", 400 },
	{ "a lower-case version", "GET / http/1.1\r\n" H "\r\n", 400 },
	{ "HTTP/1.10", "GET / HTTP/1.10\r\n" H "\r\n", 400 },
	{ "HTTP/0.9", "GET / HTTP/0.9\r\n" H "\r\n", 505 },
	{ "HTTP/1.2", "GET / HTTP/1.2\r\n" H "\r\n", 505 },
	{ "HTTP/2.0", "GET / HTTP/2.0\r\n" H "\r\n", 505 },
	{ "the HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505 },
	{ "another protocol", "GET / RTSP/1.0\r\n" H "\r\n", 400 },
	{ "a method that is no token", "G(T / HTTP/1.1\r\n" H "\r\n", 400 },
	{ "CONNECT", "CONNECT a:443 HTTP/1.1\r\n" H "\r\n", -1 },
	{ "an SSH greeting", "SSH-2.0-x\r\n\r\n", 400 }
};

static void
test_refused(void)
{
	size_t		 i, n, len;
	int		 rv;

	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		len = strlen(refused[i].in);
		rv = request(refused[i].in, len);
		/* -1: any refusal will do. */
		if (!ok(rv == -1 && (refused[i].status == -1 ? status >= 400 :
		    status == refused[i].status) && *why != '\0',
		    "refused: %s", refused[i].name))
			diag("returned %d, status %d, %s", rv, status, why);
		/* Nothing shorter may be taken for complete. */
		for (n = 0; n < len; n++)
			if (request(refused[i].in, n) == 1)
				break;
		if (n < len)
			ok(0, "%s: taken at %zu bytes", refused[i].name, n);
	}
	rv = request(G H "X: a\0b\r\n\r\n", sizeof(G H "X: a\0b\r\n\r\n") - 1);
	ok(rv == -1 && status == 400, "refused: a NUL");
}

/* ---- requests that are taken ---- */

static void
test_plain(void)
{
	static const char	 in[] = "GET /a%2Fb%20c?x=%26&y HTTP/1.1\r\n"
				    "Host: Web--1.Example.:8080\r\n"
				    "X-Empty:\r\n"
				    "X-Blank:   \t\r\n"
				    "X-Trim: \t a b \t \r\n"
				    "x-trim: second\r\n"
				    "X-Bytes: \303\251\r\n\r\n";
	static const char	 tail[] = "\x82\x85rest";
	char			 buf[512];
	const struct slice	*v;
	size_t			 n, len = sizeof(in) - 1;
	int			 early = 0;

	for (n = 0; n < len; n++)
		early += request(in, n) != 0;
	is_int(early, 0, "incomplete at every length before the end");
	memcpy(buf, in, len);
	memcpy(buf + len, tail, sizeof(tail));
	is_int(request(buf, len + sizeof(tail)), 1, "complete, more behind");
	is_int(h.head_len, len, "head length");
	ok(h.method == HTTP_GET && is(&h.method_name, "GET"), "method");
	ok(is(&h.target, "/a%2Fb%20c?x=%26&y"), "operator-41(partial): the "
	    "target is untouched");
	ok(is(&h.path, "/a%2Fb%20c") && is(&h.query, "x=%26&y"),
	    "operator-41(partial): path and query, raw");
	ok(is(&h.host, "Web--1.Example.:8080"), "host as sent");
	ok(h.minor == 1 && h.flags == HTTPHEAD_KEEPALIVE, "1.1, keep-alive, "
	    "no body");
	is_int(h.nfields, 6, "number of fields");
	v = httphead_get(&h, "x-empty");
	ok(v != NULL && v->s != NULL && v->len == 0, "an empty value");
	v = httphead_get(&h, "X-BLANK");
	ok(v != NULL && v->len == 0, "a value of blanks");
	v = httphead_get(&h, "x-TRIM");
	ok(v != NULL && is(v, "a b"), "blanks cut off, the first of two");
	ok(is(&h.field[4].value, "second") && httphead_is(&h.field[4],
	    "X-Trim"), "the second is in the list");
	v = httphead_get(&h, "X-Bytes");
	ok(v != NULL && is(v, "\303\251"), "bytes over 127 in a value");
	ok(httphead_get(&h, "X-Tri") == NULL, "no such field");
}

static int
parse(const char *s)
{
	return (request(s, strlen(s)));
}

static void
test_framing(void)
{
	ok(parse("POST / HTTP/1.1\r\n" H "Content-Length: 10 \r\n\r\n") == 1 &&
	    h.flags == (HTTPHEAD_LENGTH | HTTPHEAD_KEEPALIVE) &&
	    h.content_length == 10 && h.method == HTTP_POST,
	    "Content-Length");
	ok(parse("POST / HTTP/1.1\r\n" H
	    "Content-Length: 999999999999999999\r\n\r\n") == 1 &&
	    h.content_length == 999999999999999999ULL,
	    "a Content-Length of 18 digits");
	ok(parse("POST / HTTP/1.1\r\n" H "Transfer-Encoding: Chunked\r\n\r\n")
	    == 1 && h.flags == (HTTPHEAD_CHUNKED | HTTPHEAD_KEEPALIVE),
	    "chunked");
	ok(parse("POST / HTTP/1.1\r\n" H "Expect: 100-Continue\r\n"
	    "Content-Length: 1\r\n\r\n") == 1 && h.flags & HTTPHEAD_EXPECT,
	    "Expect");
	ok(parse(G H "Connection: close\r\n\r\n") == 1 && h.flags == 0,
	    "1.1 with close");
	ok(parse(G H "Connection: foo , CLOSE\r\n\r\n") == 1 && h.flags == 0,
	    "close in a list");
	ok(parse(G H "Connection: foo\r\nConnection: close\r\n\r\n") == 1 &&
	    h.flags == 0, "close in a second field");
	ok(parse(G H "Connection: closed\r\n\r\n") == 1 &&
	    h.flags == HTTPHEAD_KEEPALIVE, "closed is not close");
	ok(parse("GET / HTTP/1.0\r\n\r\n") == 1 && h.flags == 0 &&
	    h.minor == 0 && h.host.s == NULL, "1.0 without Host");
	ok(parse("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n") == 1 &&
	    h.flags == HTTPHEAD_KEEPALIVE, "1.0 with keep-alive");
	ok(parse("GET / HTTP/1.0\r\n" H "Connection: Upgrade\r\n"
	    "Upgrade: websocket\r\n\r\n") == 1 &&
	    !(h.flags & HTTPHEAD_UPGRADE), "1.0 does not upgrade");
	ok(parse(G H "Upgrade: websocket\r\n\r\n") == 1 &&
	    !(h.flags & HTTPHEAD_UPGRADE), "Upgrade without Connection");
	ok(parse("BREW / HTTP/1.1\r\n" H "\r\n") == 1 && h.method == -1 &&
	    is(&h.method_name, "BREW"), "any token is a method");
	ok(parse("get / HTTP/1.1\r\n" H "\r\n") == 1 && h.method == -1,
	    "in lower case too, and then it is another one");
	ok(parse("GET /\303\251?\377 HTTP/1.1\r\n" H "\r\n") == 1 &&
	    is(&h.path, "/\303\251") && is(&h.query, "\377"),
	    "bytes above ASCII in a target stay as they are");
	ok(parse("POST / HTTP/1.1\r\n" H "Connection: Upgrade, HTTP2-Settings"
	    "\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
	    "Content-Length: 2\r\n\r\n") == 1 && h.flags ==
	    (HTTPHEAD_KEEPALIVE | HTTPHEAD_LENGTH),
	    "h2c is no upgrade, and may have a body");
	ok(parse("POST / HTTP/1.1\r\n" H "Connection: Upgrade\r\n"
	    "Upgrade: websocket\r\n\r\n") == 1 &&
	    !(h.flags & HTTPHEAD_UPGRADE), "POST does not upgrade");
	ok(parse(G H "Connection: Upgrade\r\nUpgrade: h2c, WebSocket\r\n"
	    "Content-Length: 0\r\n\r\n") == 1 && h.flags & HTTPHEAD_UPGRADE,
	    "an empty body is no body");
	ok(parse("\r\n" G H "\r\n") == 1 && is(&h.method_name, "GET") &&
	    h.head_len == 2 + strlen(G H "\r\n"), "one empty line first");
	ok(parse(G "Host: a\r\n\r\nGET / HTTP/1.1\r\n") == 1 &&
	    h.head_len == strlen(G "Host: a\r\n\r\n"), "a second head behind");
}

static void
test_targets(void)
{
	ok(parse("GET http://B.example:81/x?y HTTP/1.1\r\n" H "\r\n") == 1 &&
	    is(&h.host, "B.example:81") && is(&h.path, "/x") &&
	    is(&h.query, "y"), "an absolute target: its host counts");
	ok(parse("GET HTTPS://b HTTP/1.1\r\n" H "\r\n") == 1 &&
	    is(&h.host, "b") && is(&h.path, "/") && is(&h.query, NULL),
	    "an absolute target without path");
	ok(parse("GET http://b?q HTTP/1.1\r\n" H "\r\n") == 1 &&
	    is(&h.host, "b") && is(&h.path, "/") && is(&h.query, "q"),
	    "an absolute target with query only");
	ok(parse("OPTIONS * HTTP/1.1\r\n" H "\r\n") == 1 && is(&h.path, "*"),
	    "OPTIONS *");
	ok(parse("GET /? HTTP/1.1\r\n" H "\r\n") == 1 && is(&h.query, "") &&
	    is(&h.path, "/"), "an empty query");
	ok(parse("GET //evil/\\x HTTP/1.1\r\n" H "\r\n") == 1 &&
	    is(&h.path, "//evil/\\x"), "operator-31(partial): slashes are "
	    "passed on as they are");
	ok(parse("GET /a?b?c HTTP/1.1\r\n" H "\r\n") == 1 &&
	    is(&h.path, "/a") && is(&h.query, "b?c"), "a second '?'");
	ok(parse("PROPFIND /a HTTP/1.1\r\n" H "\r\n") == 1 &&
	    is(&h.method_name, "PROPFIND"), "a method of WebDAV");
	ok(httphead_is_idempotent(h.method), "which may be said again");
	ok(httphead_is_idempotent(HTTP_GET) &&
	    httphead_is_idempotent(HTTP_TRACE) &&
	    httphead_is_idempotent(HTTP_DELETE) &&
	    !httphead_is_idempotent(HTTP_POST) &&
	    !httphead_is_idempotent(HTTP_PATCH) && !httphead_is_idempotent(-1),
	    "RFC 9110, 9.2.2: which others may, and which may not");
}

/* ---- limits ---- */

static void
test_limits(void)
{
	static char		 buf[HTTPHEAD_MAX + 16];
	struct httphead_scan	 sc = { 0 };
	size_t			 i, n, len;

	n = sprintf(buf, G H "X: ");
	memset(buf + n, 'x', sizeof(buf) - n);
	memcpy(buf + HTTPHEAD_MAX - 4, "\r\n\r\n", 4);
	is_int(request(buf, HTTPHEAD_MAX), 1, "a head of 16384 bytes");
	is_int(h.head_len, HTTPHEAD_MAX, "has that length");
	memset(buf + HTTPHEAD_MAX - 4, 'x', 4);
	memcpy(buf + HTTPHEAD_MAX - 3, "\r\n\r\n", 4);
	ok(request(buf, HTTPHEAD_MAX - 1) == 0, "one byte short: not yet");
	ok(request(buf, HTTPHEAD_MAX) == -1 && status == 431,
	    "without its end in 16384 bytes: 431");
	ok(request(buf, HTTPHEAD_MAX + 1) == -1 && status == 431,
	    "a head of 16385 bytes: 431");

	memset(buf, 'x', sizeof(buf));
	memcpy(buf, "GET /", 5);
	ok(request(buf, HTTPHEAD_MAX) == -1 && status == 414,
	    "a request line over 16384 bytes: 414");

	n = sprintf(buf, G H);
	for (i = 1; i < HTTPHEAD_REQUEST_FIELDS; i++)
		n += sprintf(buf + n, "X%zu: y\r\n", i);
	len = n;
	memcpy(buf + n, "\r\n", 2);
	ok(request(buf, n + 2) == 1 && h.nfields == HTTPHEAD_REQUEST_FIELDS &&
	    is(&h.field[99].name, "X99"), "100 fields");
	n = len + sprintf(buf + len, "Y: z\r\n\r\n");
	ok(request(buf, n) == -1 && status == 431, "101 fields: 431");

	/* Byte by byte with one scan state: each byte is looked at once. */
	n = sprintf(buf, "\r\n" G H "X: y\r\n\r\n");
	for (i = 1; i < n; i++)
		if (httphead_request(&h, &sc, buf, i, &status, &why) != 0)
			break;
	is_int(i, n, "byte by byte: incomplete to the last");
	is_int(httphead_request(&h, &sc, buf, n, &status, &why), 1,
	    "byte by byte: then complete");
}

/* ---- responses ---- */

static void
test_responses(void)
{
	ok(response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
	    HTTP_GET) == 1 && h.status == 200 && is(&h.reason, "OK") &&
	    h.flags == (HTTPHEAD_LENGTH | HTTPHEAD_KEEPALIVE) &&
	    h.content_length == 5, "200 with a length");
	ok(response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
	    HTTP_GET) == 1 && h.flags == (HTTPHEAD_CHUNKED |
	    HTTPHEAD_KEEPALIVE), "chunked");
	ok(response("HTTP/1.1 200 OK\r\n\r\n", HTTP_GET) == 1 &&
	    h.flags == HTTPHEAD_TO_CLOSE, "to the end of the connection, and "
	    "never keep-alive");
	ok(response("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n",
	    HTTP_GET) == 1 && h.flags == HTTPHEAD_TO_CLOSE,
	    "1.0 keep-alive without a length");
	ok(response("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"
	    "Content-Length: 0\r\n\r\n", HTTP_GET) == 1 &&
	    h.flags == (HTTPHEAD_LENGTH | HTTPHEAD_KEEPALIVE),
	    "1.0 keep-alive with a length");
	ok(response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
	    HTTP_HEAD) == 1 && h.flags == HTTPHEAD_KEEPALIVE &&
	    h.content_length == 5, "HEAD: no body, the length is known");
	ok(response("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
	    HTTP_GET) == 1 && h.flags == HTTPHEAD_KEEPALIVE, "304: no body");
	ok(response("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked"
	    "\r\n\r\n", HTTP_GET) == 1 && h.flags == HTTPHEAD_KEEPALIVE,
	    "204: no body");
	ok(response("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
	    HTTP_POST) == 1 && h.flags == (HTTPHEAD_INTERIM |
	    HTTPHEAD_KEEPALIVE) && h.head_len == 25, "100 is interim");
	ok(response("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket"
	    "\r\nConnection: Upgrade\r\n\r\n", HTTP_GET) == 1 &&
	    h.flags == (HTTPHEAD_UPGRADE | HTTPHEAD_KEEPALIVE),
	    "101 is an upgrade");
	ok(response("HTTP/1.1 200 OK\r\nUpgrade: h2\r\nUpgrade: h3\r\n"
	    "Connection: Upgrade\r\nContent-Length: 0\r\n\r\n", HTTP_GET) ==
	    1 && !(h.flags & HTTPHEAD_UPGRADE), "200 is none");
	ok(response("HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", HTTP_GET) ==
	    1 && h.status == 404 && h.reason.len == 0, "no reason");
	ok(response("HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n", HTTP_GET) ==
	    1 && h.reason.len == 0, "an empty reason");
	ok(response("HTTP/1.1 200 Tr\303\250s bien\r\n\r\n", HTTP_GET) == 1 &&
	    is(&h.reason, "Tr\303\250s bien"), "a reason with bytes over 127");
	ok(response("HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n"
	    "\r\n", HTTP_GET) == 1 && h.nfields == 2, "Set-Cookie twice");
	is_int(response("HTTP/1.1 200 OK\r\nA: b\r\n", HTTP_GET), 0,
	    "incomplete");
}

static void
test_bad_responses(void)
{
	static const char	*bad[] = {
		"HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.2 200 OK\r\n\r\n",
		"HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n",
		"HTTP/1.1 099 OK\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n",
		"HTTP/1.1  200 OK\r\n\r\n", "HTTP/1.1\r\n\r\n",
		"ICY 200 OK\r\n\r\n", "\r\nHTTP/1.1 200 OK\r\n\r\n",
		"SSH-2.0-OpenSSH_9.2\r\n\r\n", "<html>\n",
		"HTTP/1.1 200 OK\nA: b\n\n",
		"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
		    "Content-Length: 1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
		    "Transfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n",
		"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	};
	size_t			 i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(response(bad[i], HTTP_GET) == -1 && *why != '\0',
		    "bad response %zu is refused", i);
}

/* ---- hosts ---- */

static void
test_hosts(void)
{
	static const struct {
		const char	*in, *host;	/* host NULL: refused */
		int		 port;
	} t[] = {
		{ "a.example", "a.example", 0 },
		{ "A.Example:8080", "a.example", 8080 },
		{ "a.example.", "a.example", 0 },
		{ "A.EXAMPLE.:443", "a.example", 443 },
		{ "web--0f.support_x.example", "web--0f.support_x.example", 0 },
		{ "127.0.0.1:1", "127.0.0.1", 1 },
		{ "[::1]:65535", "::1", 65535 },
		{ "[FE80::1]", "fe80::1", 0 },
		{ "", NULL, 0 }, { ".", NULL, 0 }, { ":80", NULL, 0 },
		{ ".a", NULL, 0 }, { "a..b", NULL, 0 }, { "a..", NULL, 0 },
		{ "a:", NULL, 0 }, { "a:0", NULL, 0 }, { "a:65536", NULL, 0 },
		{ "a:000080", NULL, 0 }, { "a:8o", NULL, 0 },
		{ "a:1:2", NULL, 0 }, { "::1", NULL, 0 }, { "[::1", NULL, 0 },
		{ "[]", NULL, 0 }, { "[::1]x", NULL, 0 }, { "[a.b]x", NULL, 0 },
		{ "a b", NULL, 0 }, { "a/b", NULL, 0 }, { "a@b", NULL, 0 },
		{ "a%62", NULL, 0 }, { "\303\251", NULL, 0 }, { "a,b", NULL, 0 }
	};
	char			 host[HTTPHEAD_HOST_SIZE], big[300];
	struct slice		 sl;
	uint16_t		 port;
	size_t			 i;
	int			 rv;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		sl.s = t[i].in;
		sl.len = strlen(t[i].in);
		rv = httphead_split_host(&sl, host, &port);
		if (t[i].host == NULL)
			is_int(rv, -1, "operator-28(partial): host \"%s\" is "
			    "refused", t[i].in);
		else
			ok(rv == 0 && strcmp(host, t[i].host) == 0 &&
			    port == t[i].port, "operator-28(partial): host "
			    "\"%s\"", t[i].in);
	}
	memset(big, 'a', sizeof(big));
	sl.s = big;
	sl.len = HTTPHEAD_HOST_SIZE - 1;
	is_int(httphead_split_host(&sl, host, &port), 0, "255 bytes");
	sl.len++;
	is_int(httphead_split_host(&sl, host, &port), -1, "256 bytes");
}

static void
test_tokens(void)
{
	ok(parse(G H "Connection: keep-alive, Upgrade\r\nX: ,, a\t,\r\n"
	    "X: b\r\n\r\n") == 1, "lists");
	ok(httphead_has_token(&h, "connection", "upgrade"),
	    "tunnel-2(partial): keep-alive, Upgrade has upgrade");
	ok(httphead_has_token(&h, "connection", "Keep-Alive"), "the first");
	ok(!httphead_has_token(&h, "connection", "up"), "not a part");
	ok(httphead_has_token(&h, "X", "a") && httphead_has_token(&h, "X",
	    "b"), "blanks, empty elements, a second field");
	ok(!httphead_has_token(&h, "Y", "a"), "no such field");
}

/* ---- chunked bodies ---- */

static ssize_t
chunks(const char *s, size_t step, int *done, char *data)
{
	struct httphead_chunk	 c = { 0 };
	struct slice		 sl;
	size_t			 len = strlen(s), off = 0, n, o = 0;
	ssize_t			 used;

	while (off < len && !c.done) {
		n = len - off < step ? len - off : step;
		used = httphead_chunk_next(&c, s + off, n, &sl);
		if (used == -1)
			return (-1);
		memcpy(data + o, sl.s, sl.len);
		o += sl.len;
		off += used;
	}
	data[o] = '\0';
	*done = c.done;
	return (off);
}

static void
test_chunks(void)
{
	static const struct {
		const char	*in;
		int		 end;	/* bytes used, -1 refused, -2 goes on */
		const char	*data;
	} t[] = {
		{ "0\r\n\r\n", 5, "" },
		{ "5\r\nhello\r\n0\r\n\r\nGET", 15, "hello" },
		{ "a\r\n0123456789\r\n00\r\n\r\n", 21, "0123456789" },
		{ "A;x=\"y\"\r\n0123456789\r\n0\r\n\r\n", 26, "0123456789" },
		{ "1 \r\na\r\n0\r\n\r\n", 12, "a" },
		{ "1\r\na\r\n0;e\r\nX: y\r\nZ:\r\n\r\n", 23, "a" },
		{ "0\r\n", -2, "" }, { "5\r\nhel", -2, "hel" },
		{ "5\r\nhelloX", -1, NULL }, { "5\r\nhello\nX", -1, NULL },
		{ "5\nhello", -1, NULL }, { "\r\n", -1, NULL },
		{ ";a\r\n", -1, NULL }, { "g\r\n", -1, NULL },
		{ "1 0\r\na", -1, NULL }, { "1\tx\r\na", -1, NULL },
		{ "1 \t;x\r\na\r\n0\r\n\r\n", 15, "a" },
		{ "-1\r\n", -1, NULL }, { "0x5\r\n", -1, NULL },
		{ " 5\r\n", -1, NULL }, { "5;a\nb\r\n", -1, NULL },
		{ "5;a\001\r\n", -1, NULL }, { "5\r5", -1, NULL },
		{ "1000000000000000\r\n", -1, NULL },
		{ "fffffffffffffff\r\nab", -2, "ab" },
		{ "0\r\n X: y\r\n\r\n", -1, NULL },
		{ "0\r\nX: y\nZ\r\n\r\n", -1, NULL },
		{ "0\r\n: y\r\n\r\n", -1, NULL }, { "0\r\n\rx", -1, NULL }
	};
	static char		 big[HTTPHEAD_TRAILER_MAX + 64];
	struct httphead_chunk	 c = { 0 };
	char			 data[64];
	size_t			 i, step;
	ssize_t			 n;
	int			 done = 0, good;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		good = 1;
		for (step = 1; step < 40; step++) {
			n = chunks(t[i].in, step, &done, data);
			if (t[i].end == -1)
				good &= n == -1;
			else if (t[i].end == -2)
				good &= n == (ssize_t)strlen(t[i].in) &&
				    !done && strcmp(data, t[i].data) == 0;
			else
				good &= n == t[i].end && done &&
				    strcmp(data, t[i].data) == 0;
		}
		ok(good, "chunked body %zu, cut anywhere", i);
	}
	n = httphead_chunk_scan(&c, "3\r\nabc\r\n0\r\n\r\nxyz", 16);
	ok(n == 13 && c.done, "scanning stops at the end of the body");
	is_int(httphead_chunk_scan(&c, "more", 4), 0, "and stays there");

	memset(big, 'x', sizeof(big));
	big[0] = '5';
	big[1] = ';';
	memset(&c, 0, sizeof(c));
	is_int(httphead_chunk_scan(&c, big, HTTPHEAD_CHUNK_LINE),
	    HTTPHEAD_CHUNK_LINE, "a size line at the limit");
	is_int(httphead_chunk_scan(&c, big, 1), -1, "over it");
	memcpy(big, "0\r\n", 3);
	memset(&c, 0, sizeof(c));
	is_int(httphead_chunk_scan(&c, big, 3 + HTTPHEAD_TRAILER_MAX),
	    3 + HTTPHEAD_TRAILER_MAX, "trailers at the limit");
	is_int(httphead_chunk_scan(&c, big + 3, 1), -1, "over it");
}

/* What lenience adds: which is odd, and from where on it may not go as it is. */
static void
test_chunks_lenient(void)
{
	static const struct {
		const char	*in;
		int		 end;	/* as above */
		int		 odd, open, loose, ended;
	} t[] = {
		{ "5\r\nhello\r\n0\r\n\r\nGET", 15, 0, 0, 0, 1 },
		{ "1;e\r\na\r\n0;e\r\nX: y\r\nZ:\r\n\r\n", 25, 0, 0, 0, 1 },
		{ "5", -2, 0, 0, 1, 0 }, { "5\r", -2, 0, 0, 2, 0 },
		{ "5\r\n", -2, 0, 0, 0, 0 }, { "5\r\nhel", -2, 0, 0, 0, 0 },
		{ "5\r\nhello", -2, 0, 0, 0, 0 },
		{ "5\r\nhello\r", -2, 0, 0, 1, 0 },
		{ "5\r\nhello\r\n", -2, 0, 0, 0, 0 },
		{ "5\r\nhello\r\n1;x", -2, 0, 0, 3, 0 },
		{ "0\r", -2, 0, 0, 2, 1 }, { "0\r\n", -2, 0, 0, 3, 1 },
		{ "0\r\nX: y\r\n", -2, 0, 0, 9, 1 },
		{ "0\r\nX: ", -2, 0, 0, 6, 1 },
		{ "0\r\n\r", -2, 0, 0, 4, 1 }, { "0", -2, 0, 0, 1, 0 },
		{ "1 \r\na\r\n0\r\n\r\n", 12, 1, 0, 12, 1 },
		{ "1\t;x\r\na", -2, 1, 0, 7, 0 },
		{ "5\n", -2, 1, 0, 2, 0 }, { "5\nhe", -2, 1, 0, 4, 0 },
		{ "1\r\na\n", -2, 1, 1, 1, 0 },
		{ "1\r\na\n0\n\n", 8, 1, 1, 4, 1 },
		{ "1\na\n0\n\n", 7, 1, 0, 7, 1 },
		{ "1\r\na\r\n0\n\r\n", 10, 1, 0, 4, 1 },
		{ "1\r\na\r\n0\r\n\n", 10, 1, 0, 4, 1 },
		{ "1\r\na\r\n0\r\nX: y\n\r\n", 16, 1, 0, 10, 1 },
		{ "5\n\nhello", -1, 0, 0, 0, 0 }, { "\n", -1, 0, 0, 0, 0 },
		{ "5\nhello\n\n0", -1, 0, 0, 0, 0 },
		{ " 5\n", -1, 0, 0, 0, 0 }, { "5\rhello", -1, 0, 0, 0, 0 },
	};
	struct httphead_chunk	 c;
	size_t			 i, step, len, n, at;
	ssize_t			 used;
	int			 good;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		len = strlen(t[i].in);
		for (good = 0, step = 1; step <= len; step++) {
			memset(&c, 0, sizeof(c));
			c.lenient = 1;
			for (at = 0, used = 0; at < len && used != -1 &&
			    !c.done; at += used != -1 ? (size_t)used : 0) {
				n = len - at < step ? len - at : step;
				used = httphead_chunk_scan(&c, t[i].in + at, n);
			}
			if (t[i].end == -1)
				good += used == -1;
			else
				good += used != -1 && c.odd == t[i].odd &&
				    c.done == (t[i].end != -2) &&
				    (!c.done || at == (size_t)t[i].end) &&
				    (int)c.loose == t[i].loose &&
				    c.open == t[i].open &&
				    httphead_chunk_ended(&c) == t[i].ended;
		}
		is_int(good, (int)len, "lenient chunks %zu, cut anywhere", i);
	}
}

/* What is wrong with one that is refused. */
static void
test_chunks_why(void)
{
	static const struct {
		const char	*in, *why;
	} t[] = {
		{ "<p>", "what should be a size is none" },
		{ "5x", "what should be a size is none" },
		{ "0000000000000005", "a size has too many digits" },
		{ "5 5", "something behind a size" },
		{ "5;a\nb", "a control character or a quote behind a size" },
		{ "5\r5", "a CR alone behind a size" },
		{ "2\r\nabc\r\n", "a chunk is longer than its size" },
		{ "2\r\nab\r\r", "a chunk is longer than its size" },
		{ "0\r\n: y\r\n", "what should be a trailer is none" },
		{ "0\r\nX: \001", "a control character in a trailer" },
		{ "0\r\nX: y\rZ", "a CR alone in a trailer" },
		{ "0\r\n\rx", "a CR alone in place of the end" },
	};
	static char		 big[HTTPHEAD_TRAILER_MAX + 64];
	struct httphead_chunk	 c;
	size_t			 i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		memset(&c, 0, sizeof(c));
		is_int(httphead_chunk_scan(&c, t[i].in, strlen(t[i].in)), -1,
		    "broken chunks %zu", i);
		is_str(httphead_chunk_why(&c), t[i].why, "the reason");
		is_int(httphead_chunk_scan(&c, "0\r\n\r\n", 5), -1,
		    "and they stay so");
	}
	memset(big, 'x', sizeof(big));
	memcpy(big, "5;", 2);
	memset(&c, 0, sizeof(c));
	(void)httphead_chunk_scan(&c, big, HTTPHEAD_CHUNK_LINE + 1);
	is_str(httphead_chunk_why(&c), "the line of a size is too long",
	    "the reason");
	memcpy(big, "0\r\n", 3);
	memset(&c, 0, sizeof(c));
	(void)httphead_chunk_scan(&c, big, 4 + HTTPHEAD_TRAILER_MAX);
	is_str(httphead_chunk_why(&c), "its trailers are too long",
	    "the reason");
}

/* Trailers are cut out of what goes on, wherever the pieces end. */
static void
test_chunks_bare(void)
{
	static const char	 in[] = "3;e\r\nabc\r\n2\r\n\r\n\r\n0\r\n"
				    "X: y\r\nHost:\r\n\r\nGET /";
	static const char	 out[] = "3;e\r\nabc\r\n2\r\n\r\n\r\n0\r\n\r\n";
	struct httphead_chunk	 c;
	char			 piece[sizeof(in)], got[sizeof(in)];
	size_t			 cut, at, len, n;
	ssize_t			 r;
	int			 bad = 0;

	for (cut = 0; cut < sizeof(in); cut++) {
		memset(&c, 0, sizeof(c));
		for (at = n = 0; at < sizeof(in) - 1; at += len) {
			len = at < cut ? cut : sizeof(in) - 1 - cut;
			memcpy(piece, in + at, len);
			at += len;
			if ((r = httphead_chunk_bare(&c, piece, &len)) == -1) {
				bad++;
				break;
			}
			memcpy(got + n, piece, len);
			n += len;
			bad += c.done ? len < (size_t)r : len != (size_t)r;
			len = 0;
		}
		bad += !c.done || n != sizeof(out) - 1 + 5 ||
		    memcmp(got, out, sizeof(out) - 1) != 0 ||
		    memcmp(got + n - 5, "GET /", 5) != 0;
	}
	is_int(bad, 0, "trailers go, the body and what follows it stay");
	memset(&c, 0, sizeof(c));
	memcpy(piece, "0\r\n: y\r\n", 9);
	len = 9;
	is_int(httphead_chunk_bare(&c, piece, &len), -1, "a bad one is refused");
}

static void
segments(void)
{
	static const struct {
		const char	*v;
		size_t		 len;
		const char	*want;
	} cases[] = {
#define C(v, want)	{ v, sizeof(v) - 1, want }
		C("a-b", "a-b"),
		C("", ""),
		C("a%2Db%2d", "a-b-"),
		C("%61%2f+", "a/+"),
		C("%2525", "%25"),
		C("a%", ""),
		C("a%2", ""),
		C("%2g", ""),
		C("a%00b", ""),
		C("a%00", ""),
		C("a\0b", ""),
		C("abcdef%67", "abcdefg"),
		C("abcdefg%68", ""),
		C("abcdefgh", ""),
#undef C
	};
	struct slice	v;
	char		got[8];
	size_t		i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		v.s = cases[i].v;
		v.len = cases[i].len;
		slice_unescape(&v, got, sizeof(got));
		is_str(got, cases[i].want, "a segment: %s", cases[i].v);
	}
}

static void
weights(void)
{
	static const struct {
		const char	*el, *name;
		int		 wanted;
	} cases[] = {
		{ "gzip", "gzip", 1 },
		{ "gzip;q=0", "gzip", 0 },
		{ "gzip ; Q=0.000", "gzip", 0 },
		{ "gzip;q=0.001", "gzip", 1 },
		{ "gzip;q=1;x=0", "gzip", 1 },
		{ "gzip;x=1; q=0", "gzip", 0 },
		{ "gzip;q=", "gzip", 1 },
		{ "gzip;", "gzip", 1 },
		{ ";q=0", "", 0 },
		{ "", "", 1 },
	};
	struct slice	el;
	size_t		i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		el.s = cases[i].el;
		el.len = strlen(el.s);
		is_int(slice_cut_weight(&el), cases[i].wanted, "%s is %swanted",
		    cases[i].el, cases[i].wanted ? "" : "not ");
		ok(slice_eq(&el, cases[i].name), "it is called %s",
		    cases[i].name);
	}
}

int
main(void)
{
	test_refused();
	test_plain();
	test_framing();
	test_targets();
	test_limits();
	test_responses();
	test_bad_responses();
	test_hosts();
	test_tokens();
	test_chunks();
	test_chunks_lenient();
	test_chunks_why();
	test_chunks_bare();
	weights();
	segments();
	return (done_testing());
}
