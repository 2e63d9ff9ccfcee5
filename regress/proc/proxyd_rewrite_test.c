/* SPDX-License-Identifier: ISC */
/* Bodies of proxied answers: which are rewritten, and which are let alone. */
#include <sys/socket.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "regress/lib/proxyd_story.h"
#include "regress/lib/tap.h"

#define APP	"app.lan"
#define WEB	"web--" SLUG "." DOMAIN
#define WIKI	"wiki--" SLUG "." DOMAIN
#define PAGE	 "<a href=\"http://" APP "/x\">" APP			\
		 "</a> wiki.app.lan:443 xapp.lan"
#define PAGE_NEW "<a href=\"https://" WEB "/x\">" WEB "</a> " WIKI " xapp.lan"

static struct drive	d;
static char		packed[65536];
static size_t		packed_len;

/* The session's table: `web` with this host, and a sibling. */
static void
table(const char *host)
{
	static uint32_t	version = 1;

	say(d.authd, services_begin, .version = ++version, .count = 2,
	    .session = SESSION);
	say(d.authd, service, .name = "web", .target = "10.0.0.5:8080",
	    .host = host, .path = "", .path_prefix = "");
	say(d.authd, service, .name = "wiki", .target = "10.0.0.6:80",
	    .host = "wiki.app.lan", .path = "", .path_prefix = "");
	say(d.authd, services_end);
}

static void
pack(const char *text)
{
	z_stream	z;

	memset(&z, 0, sizeof(z));
	(void)deflateInit2(&z, 6, Z_DEFLATED, 31, 8, 0);
	z.next_in = (Bytef *)(uintptr_t)text;
	z.avail_in = (uInt)strlen(text);
	z.next_out = (Bytef *)packed;
	z.avail_out = sizeof(packed);
	(void)deflate(&z, Z_FINISH);
	packed_len = sizeof(packed) - z.avail_out;
	(void)deflateEnd(&z);
}

/* The unpacked text of an answer, or NULL. */
static const char *
unpacked(const char *a)
{
	static char	text[65536];
	z_stream	z;
	int		n;

	memset(&z, 0, sizeof(z));
	(void)inflateInit2(&z, 31);
	z.next_in = (Bytef *)(uintptr_t)body_of(a);
	z.avail_in = (uInt)atoi(header_of(a, "content-length", 0));
	z.next_out = (Bytef *)text;
	z.avail_out = sizeof(text) - 1;
	n = inflate(&z, Z_FINISH);
	text[sizeof(text) - 1 - z.avail_out] = '\0';
	(void)inflateEnd(&z);
	return (n == Z_STREAM_END && z.avail_in == 0 ? text : NULL);
}

/* A request of a new browser, and how its answer begins; the stream. */
__attribute__((format(printf, 4, 5))) static int
begun(int *fd, const char *path, uint64_t grant, const char *fmt, ...)
{
	static char	says[65536];
	va_list		ap;
	int		st;

	*fd = browser(&d, 0);
	st = open_stream(&d, *fd, path, grant);
	(void)request_at(st);
	va_start(ap, fmt);
	vsnprintf(says, sizeof(says), fmt, ap);
	va_end(ap);
	put(st, "OK\nHTTP/1.1 %s", says);
	return (st);
}

static void
both_close(int fd, int st)
{
	close(st);
	close(fd);
}

/* What the browser reads when the service says this, and ends or not. */
static char *
read_as(const char *head, const void *body, size_t len, int closes)
{
	int	 fd, st = begun(&fd, "/p", 0, "%s\r\n\r\n", head);
	char	*a;

	put_bytes(st, body, len);
	if (closes)
		(void)shutdown(st, SHUT_WR);
	a = answer(fd);
	both_close(fd, st);
	return (a);
}

static char *
page(const char *type, const char *more)
{
	char	head[1024];

	snprintf(head, sizeof(head), "200 OK\r\nContent-Type: %s\r\n"
	    "Content-Length: %zu%s", type, strlen(PAGE), more);
	return (read_as(head, PAGE, strlen(PAGE), 0));
}

static void
rewritten(void)
{
	static const char *const yes[] = { "text/html; charset=utf-8",
	    "text/css", "text/javascript", "Application/JavaScript" };
	static const char *const no[] = { "application/json", "text/plain",
	    "image/png", "application/octet-stream", "text/event-stream" };
	char	*a;
	size_t	 i;

	for (i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		a = page(yes[i], "");
		is_str(body_of(a), PAGE_NEW, "operator-45: %s is rewritten",
		    yes[i]);
	}
	for (i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		a = page(no[i], "\r\nETag: \"e\"\r\nDigest: d");
		is_str(body_of(a), PAGE, "operator-45: %s is not", no[i]);
		ok(strcmp(header_of(a, "etag", 0), "\"e\"") == 0 &&
		    *header_of(a, "digest", 0) == 'd', "nor is its head");
	}
	a = page("text/html", "\r\nETag: \"e\"\r\nDigest: d\r\n"
	    "Content-MD5: m\r\nRepr-Digest: r\r\nContent-Digest: c\r\n"
	    "Accept-Ranges: bytes\r\nLast-Modified: x\r\nSet-Cookie: a=b");
	is_int(atoi(header_of(a, "content-length", 0)), (int)strlen(PAGE_NEW),
	    "a rewritten body has its own length");
	is_str(header_of(a, "content-length", 1), "", "and one");
	is_str(header_of(a, "etag", 0), "W/\"e\"", "its ETag is weak");
	is_str(header_of(a, "accept-ranges", 0), "none", "it has no ranges");
	ok(*header_of(a, "digest", 0) == '\0' &&
	    *header_of(a, "content-md5", 0) == '\0' &&
	    *header_of(a, "repr-digest", 0) == '\0' &&
	    *header_of(a, "content-digest", 0) == '\0', "and no sums");
	ok(*header_of(a, "last-modified", 0) == 'x' &&
	    *header_of(a, "set-cookie", 0) != '\0', "the rest is there");
	a = page("text/html", "\r\nETag: W/\"e\"");
	is_str(header_of(a, "etag", 0), "W/\"e\"", "a weak ETag stays");

	a = read_as("200 OK\r\nContent-Type: text/html\r\nETag: \"e\"\r\n"
	    "Accept-Ranges: bytes\r\nContent-Length: 8", "xapp.lan", 8, 0);
	ok(strcmp(body_of(a), "xapp.lan") == 0 &&
	    strcmp(header_of(a, "etag", 0), "\"e\"") == 0 &&
	    strcmp(header_of(a, "accept-ranges", 0), "bytes") == 0,
	    "nothing to replace: as it was, head and body");
}

/* Chunks, an end by closing, browsers and servers of old. */
static void
framings(void)
{
	static const char	chunks[] = "6;x=\"y\"\r\n<a>app\r\n1\r\n.\r\n"
	    "3\r\nlan\r\n0\r\nT: r\r\n\r\n";
	int			fd, st;
	char			*a;

	a = read_as("200 OK\r\nContent-Type: text/html\r\nTrailer: T\r\n"
	    "Transfer-Encoding: chunked", chunks, sizeof(chunks) - 1, 0);
	is_str(body_of(a), "<a>" WEB, "chunks: a host over three of them");
	ok(*header_of(a, "transfer-encoding", 0) == '\0' &&
	    *header_of(a, "trailer", 0) == '\0', "chunks: and then none");
	a = read_as("200 OK\r\nContent-Type: text/html", PAGE, strlen(PAGE), 1);
	is_str(body_of(a), PAGE_NEW, "no length: to the end");
	is_int(atoi(header_of(a, "content-length", 0)), (int)strlen(PAGE_NEW),
	    "no length: it gets one");
	a = read_as("200 OK\r\nContent-Type: text/html", "x", 1, 1);
	is_str(body_of(a), "1\r\nx\r\n0\r\n\r\n", "no length, no host: chunks");
	a = read_as("200 OK\r\nContent-Type: text/html", "", 0, 1);
	is_str(body_of(a), "0\r\n\r\n", "no length and nothing");

	st = begun(&fd, "/trailer", 0, "200 OK\r\nContent-Type: text/html\r\n"
	    "Trailer: T\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\n<a>\r\n0\r\n"
	    "T: r\r\n\r\n");
	a = get_until(fd, "0\r\n\r\n");
	ok(*header_of(a, "trailer", 0) == '\0' && strcmp(body_of(a),
	    "3;x=y\r\n<a>\r\n0\r\n\r\n") == 0,
	    "chunks with nothing in them, without their trailer");
	both_close(fd, st);
	st = begun(&fd, "/lf", 0, "200 OK\nContent-Type: text/html\n"
	    "Transfer-Encoding: chunked\n\n7\napp.lan\n0\n\n");
	a = answer(fd);
	is_str(body_of(a), WEB, "lines that end in LF");
	close(st);
	get(fd, "/again");
	st = stream_yes(&d);
	(void)request_at(st);
	put(st, "OK\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: "
	    "text/css\r\n\r\nx{;}\n");
	is_str(body_of(answer(fd)), "x{;}\n", "the connection goes on");
	get(fd, "/more");
	(void)request_at(st);
	put(st, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nContent-Type: "
	    "text/css\r\n\r\n app.lan");
	is_str(body_of(answer(fd)), " " WEB, "and so does the stream");
	get(fd, "/pieces");
	(void)request_at(st);
	put(st, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nContent-Type: "
	    "text/html\r\n\r\n a");
	ok(is_quiet(fd, 50), "it waits for all of it");
	put(st, "pp.la");
	put(st, "n");
	is_str(body_of(answer(fd)), " " WEB, "a body in pieces");
	both_close(fd, st);

	fd = browser(&d, 0);
	put(fd, "GET /old HTTP/1.0\r\nHost: " HOST "\r\nCookie: "
	    "support_proxy_" SLUG "=%s\r\n\r\n", proxy_token(SESSION, "one"));
	st = stream_yes(&d);
	(void)request_at(st);
	put(st, "OK\nHTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n%s", chunks);
	a = answer(fd);
	is_str(body_of(a), "<a>" WEB, "HTTP/1.0");
	is_int(end_of(fd), 0, "HTTP/1.0: and a clean end");
	both_close(fd, st);
}

/* Old devices say no type, and a browser looks what it is. */
static void
untyped(void)
{
	int	 fd, st;
	char	*a;

	a = read_as("200 OK\r\nServer: x", PAGE, strlen(PAGE), 1);
	is_str(body_of(a), PAGE_NEW, "operator-45: no type, and a page");
	is_str(header_of(a, "content-type", 0), "", "which has none then");
	a = read_as("200 OK\r\nTransfer-Encoding: chunked",
	    "1\r\n<\r\n9\nb>app.lan\n0\r\n\r\n", 24, 0);
	is_str(body_of(a), "<b>" WEB, "in chunks");
	st = begun(&fd, "/pieces", 0, "200 OK\r\nContent-Length: %zu\r\n\r\n",
	    strlen(PAGE));
	put(st, "<");
	ok(is_quiet(fd, 50), "in pieces: it is not known at once");
	put(st, "%s", &PAGE[1]);
	is_str(body_of(answer(fd)), PAGE_NEW, "and then it is");
	both_close(fd, st);
	st = begun(&fd, "/data", 0, "200 OK\r\nContent-Length: 100\r\n\r\n");
	put(st, "<");
	ok(is_quiet(fd, 50), "no page");
	put(st, "data>app.lan");
	is_str(body_of(get_until(fd, "lan")), "<data>app.lan",
	    "goes on as it comes");
	both_close(fd, st);
	st = begun(&fd, "/nosniff", 0, "200 OK\r\nX-Content-Type-Options: "
	    "nosniff\r\nContent-Length: 100\r\n\r\n<b>app.lan");
	is_str(body_of(get_until(fd, "lan")), "<b>app.lan",
	    "nor where the browser may not look");
	both_close(fd, st);
}

/* Odd chunks of a page that is held, and of one that goes to HTTP/1.0. */
static void
odd_chunks(void)
{
#define HTML	"200 OK\r\nContent-Type: text/html\r\n"			\
		"Transfer-Encoding: chunked"
	static const struct {
		const char	*what, *says;
		int		 closes;
		const char	*reads;
	} t[] = {
		{ "LF, a host", "4\n app\n4 \n.lan\n0\n\n", 0, " " WEB },
		{ "LF, no host", "3\n<a>\n0\n\n", 0, "3\r\n<a>\r\n0\r\n\r\n" },
		{ "LF behind strict ones, no host", "3\r\n<a>\r\n1\n,\n0\n\n", 0,
		    "4\r\n<a>,\r\n0\r\n\r\n" },
		{ "LF behind the data of a strict one", "3\r\n<a>\n1\n,\n0\n\n", 0,
		    "4\r\n<a>,\r\n0\r\n\r\n" },
		{ "no last line, a host", "8\r\n app.lan\r\n0\r\n", 1, " " WEB },
		{ "no last line, no host", "3\r\n<a>\r\n0\r\n", 1,
		    "3\r\n<a>\r\n0\r\n\r\n" },
	};
	size_t	 i;
	int	 fd, st;
	char	*a;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		a = read_as(HTML, t[i].says, strlen(t[i].says), t[i].closes);
		is_str(a == NULL ? "" : body_of(a), t[i].reads, "%s",
		    t[i].what);
	}
	a = read_as(HTML, "8\n app.lan\n", 11, 1);
	is_int(status_of(a), 502, "LF, and no last chunk: 502");
	ok(strstr(body_of(a), "the answer ends before its last chunk") != NULL,
	    "with the reason");
	a = read_as(HTML, "8\n app.lan\nx\n", 13, 0);
	is_int(status_of(a), 502, "LF, and what is no size: 502");

	st = begun(&fd, "/slow", 0, HTML "\r\n\r\n8\r\n app.lan\r\n1");
	ok(is_quiet(fd, 50), "a page is held");
	drive_clock(&d, 5100);
	a = get_until(fd, "app.lan\r\n");
	is_str(body_of(a), "8\r\n app.lan\r\n",
	    "let go as it is, up to a line that is not whole");
	put(st, "\n!\n0\n\n");
	is_str(get_until(fd, "0\r\n\r\n"), "1\r\n!\r\n0\r\n\r\n",
	    "which is odd: what follows is in our chunks");
	both_close(fd, st);

	fd = browser(&d, 0);
	put(fd, "GET /old HTTP/1.0\r\nHost: " HOST "\r\nCookie: "
	    "support_proxy_" SLUG "=%s\r\n\r\n", proxy_token(SESSION, "one"));
	st = stream_yes(&d);
	(void)request_at(st);
	put(st, "OK\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "2\nok\n1\r\n!\r\n0\r\n");
	(void)shutdown(st, SHUT_WR);
	a = answer(fd);
	is_str(a == NULL ? "" : body_of(a), "ok!", "HTTP/1.0, odd chunks");
	both_close(fd, st);
}

static char *
read_packed(size_t len, int closes)
{
	char	head[256], length[64] = "";

	if (!closes)
		snprintf(length, sizeof(length), "\r\nContent-Length: %zu",
		    len);
	snprintf(head, sizeof(head), "200 OK\r\nContent-Type: text/html\r\n"
	    "ETag: \"e\"\r\nContent-Encoding: gzip%s", length);
	return (read_as(head, packed, len, closes));
}

static void
gzip(void)
{
	const char	*text;
	char		*a;
	size_t		 i, cut;
	int		 good;

	pack(PAGE);
	a = read_packed(packed_len, 0);
	is_str(header_of(a, "content-encoding", 0), "gzip", "gzip stays gzip");
	text = unpacked(a);
	ok(text != NULL && strcmp(text, PAGE_NEW) == 0,
	    "operator-46(partial): gzip is rewritten");
	is_str(header_of(a, "etag", 0), "W/\"e\"", "gzip: its ETag is weak");
	a = read_packed(packed_len, 1);
	text = unpacked(a);
	ok(text != NULL && strcmp(text, PAGE_NEW) == 0,
	    "gzip without a length");
	pack("nothing to replace");
	a = read_packed(packed_len, 0);
	ok(memcmp(body_of(a), packed, packed_len) == 0 &&
	    header_of(a, "etag", 0)[0] == '"', "gzip with nothing in it");

	pack(PAGE);
	for (good = 0, i = 0; i < packed_len; i += 7) {
		packed[i] ^= 0x55;
		a = read_packed(packed_len, 0);
		/* The time, flags and system in its head do not matter. */
		good += a != NULL && (memcmp(body_of(a), packed,
		    packed_len) == 0 || (i >= 4 && i < 10));
		packed[i] ^= 0x55;
	}
	is_int(good, (int)((packed_len + 6) / 7),
	    "operator-47: corrupt gzip passes as it is");
	for (good = 0, cut = 1; cut < packed_len; cut += 5) {
		a = read_packed(cut, 0);
		good += a != NULL && memcmp(body_of(a), packed, cut) == 0 &&
		    header_of(a, "etag", 0)[0] == '"';
	}
	is_int(good, (int)((packed_len + 3) / 5),
	    "operator-47: gzip that is cut short passes as it is");
	memcpy(packed + packed_len, "more", 4);
	a = read_packed(packed_len + 4, 0);
	ok(a != NULL && memcmp(body_of(a), packed, packed_len + 4) == 0,
	    "operator-47: gzip with something behind it passes as it is");
	a = page("text/html", "\r\nContent-Encoding: br");
	is_str(body_of(a), PAGE, "another encoding passes as it is");
}

#define FIELDS	"Content-Type: text/html\r\nETag: \"e\"\r\n"		\
		"Accept-Ranges: bytes\r\nContent-Length: 700"

static int
has_fields(const char *a)
{
	return (strcmp(header_of(a, "etag", 0), "\"e\"") == 0 &&
	    strcmp(header_of(a, "accept-ranges", 0), "bytes") == 0 &&
	    strcmp(header_of(a, "content-type", 0), "text/html") == 0);
}

/* Answers whose fields speak of a body that is not there, or in part. */
static void
bodiless(void)
{
	int	 fd = browser(&d, 0), st;
	char	*a;

	put(fd, "HEAD /h HTTP/1.1\r\nHost: " HOST "\r\nCookie: support_proxy_"
	    SLUG "=%s\r\n\r\n", proxy_token(SESSION, "one"));
	st = stream_yes(&d);
	(void)request_at(st);
	put(st, "OK\nHTTP/1.1 200 OK\r\n" FIELDS "\r\n\r\n");
	a = get_until(fd, "\r\n\r\n");
	ok(has_fields(a) && strcmp(header_of(a, "content-length", 0),
	    "700") == 0, "operator-47: the fields of HEAD stay");
	get(fd, "/304");
	(void)request_at(st);
	put(st, "HTTP/1.1 304 Not Modified\r\n" FIELDS "\r\n\r\n");
	a = answer(fd);
	ok(status_of(a) == 304 && has_fields(a) && strcmp(header_of(a,
	    "content-length", 0), "700") == 0, "operator-47: those of 304");
	get(fd, "/204");
	(void)request_at(st);
	put(st, "HTTP/1.1 204 No Content\r\n" FIELDS "\r\n\r\n");
	a = answer(fd);
	ok(status_of(a) == 204 && has_fields(a), "operator-47: those of 204");
	both_close(fd, st);
	a = read_as("206 Partial Content\r\nContent-Type: text/html\r\n"
	    "ETag: \"e\"\r\nAccept-Ranges: bytes\r\nContent-Range: bytes "
	    "0-6/700\r\nContent-Length: 7", APP, 7, 0);
	ok(status_of(a) == 206 && has_fields(a) &&
	    strcmp(body_of(a), APP) == 0, "operator-47: 206 stays as it is");
	a = read_as("404 Not Found\r\nContent-Type: text/html\r\n"
	    "Content-Length: 7", APP, 7, 0);
	is_str(body_of(a), APP, "and so does an error");
}

/* What the service is asked for. */
static void
encodings(void)
{
	static const struct {
		const char	*says, *sees;
	} t[] = {
		{ "gzip, deflate, br, zstd", "gzip" },
		{ "br;q=1, GZIP ; q=0.5", "gzip" },
		{ "br", "" }, { "gzip;q=0, br", "" }, { "gzip; q=0.000", "" },
		{ "identity", "" },
	};
	size_t	i;
	int	fd, st;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		fd = browser(&d, 0);
		put(fd, "GET /e HTTP/1.1\r\nHost: " HOST "\r\nCookie: "
		    "support_proxy_" SLUG "=%s\r\nAccept-Encoding: %s\r\n\r\n",
		    proxy_token(SESSION, "one"), t[i].says);
		st = stream_yes(&d);
		is_str(header_of(request_at(st), "accept-encoding", 0),
		    t[i].sees, "Accept-Encoding: %s", t[i].says);
		close(st);
		close(fd);
	}
}

/* Nothing is held that need not be. */
static void
streaming(void)
{
	int	 fd, st;
	char	*a;
	int	 i;

	st = begun(&fd, "/ev", 0, "200 OK\r\nContent-Type: text/event-stream\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n");
	a = get_until(fd, "data: 1\n\n\r\n");
	ok(strstr(a, "data: 1") != NULL,
	    "operator-49(partial): an event stream is not held");
	both_close(fd, st);

	st = begun(&fd, "/slow", 0, "200 OK\r\nContent-Type: text/html\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n8\r\n app.lan\r\n");
	ok(is_quiet(fd, 50), "a page is held");
	drive_clock(&d, 4000);
	ok(is_quiet(fd, 50), "for a while");
	drive_clock(&d, 1100);
	ok(!is_quiet(fd, 1000) && strstr(get_until(fd, "app.lan"), "app.lan") !=
	    NULL, "one that does not go on is let go as it is");
	put(st, "1\r\n!\r\n0\r\n\r\n");
	a = get_until(fd, "0\r\n\r\n");
	ok(strstr(a, "!\r\n0") != NULL, "and ends when it ends");
	both_close(fd, st);

	st = begun(&fd, "/drops", 0, "200 OK\r\nContent-Type: text/html\r\n\r\n");
	for (i = 0; i < 29; i++) {
		put(st, "x");
		drive_clock(&d, 2000);
	}
	put(st, "x");
	ok(is_quiet(fd, 50), "one that drips is held");
	drive_clock(&d, 3000);
	ok(!is_quiet(fd, 1000), "for a minute");
	a = get_until(fd, "x\r\n");
	is_str(header_of(a, "transfer-encoding", 0), "chunked",
	    "and goes on as it is");
	both_close(fd, st);

	/* A minute has gone: authd is asked, and its table has no host. */
	st = begun(&fd, "/none", 8, "200 OK\r\nContent-Type: text/html\r\n"
	    "Content-Length: 7\r\n\r\napp");
	ok(!is_quiet(fd, 3000) && strstr(get_until(fd, "app"), "app") != NULL,
	    "a session without hosts: nothing is held");
	table(APP);
	put(st, ".lan");
	is_str(get_until(fd, ".lan"), ".lan",
	    "and a host that comes later is too late for it");
	both_close(fd, st);
}

/* Ends in the midst of it. */
static void
ends(void)
{
	static const char	head[] = "200 OK\r\nContent-Type: text/html\r\n"
	    "Content-Length: 70\r\n\r\napp.lan";
	int	 fd, st;

	st = begun(&fd, "/cut", 0, head);
	close(st);
	is_int(status_of(answer(fd)), 502,
	    "operator-52(partial): a service that breaks off a held body: 502");
	close(fd);
	st = begun(&fd, "/gone", 0, head);
	close(fd);
	is_int(end_of(st), 0, "the browser goes: so does the stream");
	close(st);
	st = begun(&fd, "/bad", 0, "200 OK\r\nContent-Type: text/html\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n");
	is_int(status_of(answer(fd)), 502, "chunks that are broken: 502");
	both_close(fd, st);
	st = begun(&fd, "/new", 0, head);
	table("other.lan");
	put(st, "%063d", 0);
	ok(strncmp(body_of(answer(fd)), "app.lan000", 10) == 0,
	    "the services as they are when the body is there");
	table(APP);
	both_close(fd, st);
}

int
main(void)
{
	struct conf	cf;

	proxyd_conf(&cf);
	drive_start(&d, ROLE_PROXYD, &cf);
	grant_first(&d);
	table(APP);
	rewritten();
	framings();
	untyped();
	odd_chunks();
	gzip();
	bodiless();
	encodings();
	streaming();
	ends();
	is_int(drive_leave(&d), 0, "proxyd ends well");
	return (done_testing());
}
