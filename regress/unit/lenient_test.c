/* SPDX-License-Identifier: ISC */
/* Odd answers: what is read, as what, and what is refused with which reason. */
#include <llhttp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxyd/http/hdr.h"
#include "proxyd/http/lenient.h"
#include "regress/lib/passedon.h"
#include "regress/lib/tap.h"

static struct httphead	h;
static const char	*why;

static int
parse(const char *s, size_t len)
{
	struct lenient		 l = { 0 };
	static char		*copy;

	free(copy);
	if ((copy = malloc(len)) == NULL)
		bail_out("out of memory");
	memcpy(copy, s, len);
	memset(&h, 0, sizeof(h));
	why = NULL;
	return (lenient_response(&h, &l, HTTP_GET, copy, len, &why));
}

/* Status, framing and fields in one line. */
static const char *
shown(void)
{
	static char	out[2048];
	size_t		i, n;

	n = (size_t)snprintf(out, sizeof(out), "%d %.*s;", h.status,
	    (int)h.reason.len, h.reason.s);
	if (h.flags & HTTPHEAD_CHUNKED)
		n += (size_t)snprintf(out + n, sizeof(out) - n, " chunked;");
	if (h.flags & HTTPHEAD_LENGTH)
		n += (size_t)snprintf(out + n, sizeof(out) - n, " %llu;",
		    (unsigned long long)h.content_length);
	if (h.flags & HTTPHEAD_TO_CLOSE)
		n += (size_t)snprintf(out + n, sizeof(out) - n, " close;");
	for (i = 0; i < h.nfields; i++)
		if (!httphead_is(&h.field[i], "content-length") &&
		    !httphead_is(&h.field[i], "transfer-encoding"))
			n += (size_t)snprintf(out + n, sizeof(out) - n,
			    " %.*s=%.*s", (int)h.field[i].name.len,
			    h.field[i].name.s, (int)h.field[i].value.len,
			    h.field[i].value.s);
	return (out);
}

#define OK	"HTTP/1.1 200 OK\r\n"

static void
taken(void)
{
	static const struct {
		const char	*what, *head, *want;
	} t[] = {
		{ "a length beside chunks",
		    OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
		    "200 OK; chunked;" },
		{ "two lengths beside chunks", OK "Content-Length: 5\r\n"
		    "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n",
		    "200 OK; chunked;" },
		{ "a length twice",
		    OK "Content-Length: 5\r\nContent-Length: 5\r\nA: b\r\n\r\n",
		    "200 OK; 5; A=b" },
		{ "a list of one length", OK "Content-Length: 5, 05\r\n\r\n",
		    "200 OK; 5;" },
		{ "a length that is no number", OK "Content-Length: x\r\n\r\n",
		    "200 OK; close;" },
		{ "a length with a sign", OK "Content-Length: -1\r\n\r\n",
		    "200 OK; close;" },
		{ "an empty length", OK "Content-Length:\r\n\r\n",
		    "200 OK; close;" },
		{ "a length beyond all", OK
		    "Content-Length: 9999999999999999999\r\n\r\n",
		    "200 OK; close;" },
		{ "chunked twice", OK "Transfer-Encoding: chunked\r\n"
		    "Transfer-Encoding: Chunked\r\n\r\n", "200 OK; chunked;" },
		{ "chunked twice in a list",
		    OK "Transfer-Encoding: chunked, chunked\r\n\r\n",
		    "200 OK; chunked;" },
		{ "identity", OK "Transfer-Encoding: identity\r\n"
		    "Content-Length: 3\r\n\r\n", "200 OK; 3;" },
		{ "identity alone", OK "Transfer-Encoding: identity\r\n\r\n",
		    "200 OK; close;" },
		{ "chunked in 1.0", "HTTP/1.0 200 OK\r\n"
		    "Transfer-Encoding: chunked\r\n\r\n", "200 OK; chunked;" },
		{ "line feeds alone",
		    "HTTP/1.0 200 OK\nContent-Length: 2\nA: b\n\n",
		    "200 OK; 2; A=b" },
		{ "both kinds of line", "HTTP/1.1 404 Not Found\r\nA: b\n"
		    "Content-Length: 0\r\n\n", "404 Not Found; 0; A=b" },
		{ "more carriage returns", "HTTP/1.1 200 OK\r\r\nA: b\r\r\n\r\n",
		    "200 OK; close; A=b" },
		{ "blanks before a colon",
		    OK "A : b\r\nContent-Length \t: 4\r\n\r\n",
		    "200 OK; 4; A=b" },
		{ "an odd name, and a line without colon", OK "A(b): c\r\n"
		    "nothing\r\n more of it\r\n: d\r\nE: f\r\n"
		    "Content-Length: 1\r\n\r\n", "200 OK; 1; E=f" },
		{ "a folded line", OK "A: b\r\n\t c\r\n  d\r\nE: f\r\n"
		    "Content-Length: 1\r\n\r\n", "200 OK; 1; A=b c d E=f" },
		{ "a folded length", OK "Content-Length:\r\n 7\r\nE: f\r\n\r\n",
		    "200 OK; 7; E=f" },
		{ "control characters", OK "A: b\001c\177d\r\n"
		    "Content-Length: 1\r\n\r\n", "200 OK; 1; A=b c d" },
		{ "an empty line before", "\r\n\n" OK "Content-Length: 0\r\n"
		    "\r\n", "200 OK; 0;" },
		{ "more blanks, and no reason",
		    "HTTP/1.1  \t204\t\r\nA: b\r\n\r\n", "204 ; A=b" },
		{ "a reason close by", "HTTP/1.1 200OK\r\n\r\n",
		    "200 OK; close;" },
		{ "another version", "http/2.0 200 OK\r\n\r\n",
		    "200 OK; close;" },
		{ "a radio", "ICY 200 OK\r\nicy-name: x\r\n\r\n",
		    "200 OK; close; icy-name=x" },
		{ "no field at all", "HTTP/1.0 200 OK\n\n", "200 OK; close;" },
	};
	size_t	i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		if (parse(t[i].head, strlen(t[i].head)) != 1) {
			ok(0, "%s: %s", t[i].what, why);
			continue;
		}
		is_str(shown(), t[i].want, "%s", t[i].what);
		ok(!(h.flags & HTTPHEAD_KEEPALIVE), "%s: its connection ends",
		    t[i].what);
		is_int((int)h.head_len, (int)strlen(t[i].head), "%s: its bytes",
		    t[i].what);
		if (strlen(t[i].head) > 4)
			is_int(parse(t[i].head, strlen(t[i].head) - 1), 0,
			    "%s: a byte short: not yet", t[i].what);
	}
	is_int(parse(OK "Content-Length: 1\r\n\r\n", 38), 1, "a good one");
	ok((h.flags & HTTPHEAD_KEEPALIVE) != 0, "and its connection stays");
}

static void
refused(void)
{
	static const struct {
		const char	*head, *want;
	} t[] = {
		{ OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
		    "it names two lengths" },
		{ OK "Content-Length: 5, x\r\n\r\n", "it names two lengths" },
		{ OK "Transfer-Encoding: gzip, chunked\r\n\r\n",
		    "it uses a transfer coding other than chunked" },
		{ OK "Transfer-Encoding: x\r\n\r\n",
		    "it uses a transfer coding other than chunked" },
		{ "<html>\r\n\r\n", "it does not begin with a status line" },
		{ "HTTP/1.1 2000 OK\r\n\r\n",
		    "its status is no number of three digits" },
		{ "HTTP/1.1 020 OK\r\n\r\n",
		    "its status is no number of three digits" },
		{ "HTTP/1.1\r\n\r\n", "it does not begin with a status line" },
		{ "HTTP/1.1 \r\n\r\n",
		    "its status is no number of three digits" },
		{ "HTTP/0.9 200 OK\r\n\r\n",
		    "it does not begin with a status line" },
		{ "SSH-2.0-x\r\n", "it speaks SSH: use a terminal" },
		{ "\025\003\001", "it speaks TLS: the service needs the mark "
		    "for it" },
	};
	static char	big[HTTPHEAD_RESPONSE_MAX + 32];
	size_t		i, n;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		is_int(parse(t[i].head, strlen(t[i].head)), -1, "%s",
		    t[i].head);
		is_str(why, t[i].want, "the reason");
	}
	is_int(parse("HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n", 27), -1, "NUL");
	is_str(why, "its head has a NUL character", "the reason");

	/* The limits, on both sides, in both readings. */
	for (n = 0; n < 2; n++) {
		const char	*eol = n == 0 ? "\r\n" : "\n";
		size_t		 len;

		len = (size_t)sprintf(big, "HTTP/1.1 200 OK%s", eol);
		for (i = 0; i < HTTPHEAD_FIELDS - 1; i++)
			len += (size_t)sprintf(big + len,
			    "Set-Cookie: c%zu=v%s", i, eol);
		is_int(parse(big, len + (size_t)sprintf(big + len, "%s", eol)),
		    1, "255 cookies");
		len += (size_t)sprintf(big + len, "A: b%sC: d%s%s", eol, eol,
		    eol);
		is_int(parse(big, len), -1, "257 fields");
		ok(why != NULL && strstr(why, "too many fields") != NULL,
		    "the reason: %s", why);
		len = (size_t)sprintf(big, "HTTP/1.1 200 OK%sA: ", eol);
		memset(big + len, 'a', sizeof(big) - len);
		/* What is written anew has to fit too. */
		len = HTTPHEAD_RESPONSE_MAX - (n == 0 ? 4 : 16);
		sprintf(big + len, "%s%s", eol, eol);
		is_int(parse(big, len + 2 * strlen(eol)), 1,
		    "a head of 256 KiB");
		memset(big + len, 'a', 16);
		is_int(parse(big, HTTPHEAD_RESPONSE_MAX), -1, "a longer one");
		is_str(why, "its head is too long", "the reason");
	}
}

/* The data of strict chunks, a string. */
static const char *
data_of(const char *p, size_t len)
{
	static char		out[256];
	struct httphead_chunk	c;
	size_t			n;

	memset(&c, 0, sizeof(c));
	memcpy(out, p, len);
	if (httphead_chunk_strip(&c, out, len, &n) != (ssize_t)len)
		return (NULL);
	out[n] = '\0';
	return (out);
}

/*
 * Chunks of ordinary heads, in one piece and cut anywhere: what goes on is
 * strict, what comes before the first odd line is as it came.
 */
static void
chunks(void)
{
#define HELLO	"5\r\nhello\r\n"
#define END	"0\r\n\r\n"
	static const struct {
		const char	*what, *says;
		int		 ends, done;
		const char	*kept, *whole, *data;
	} t[] = {
		{ "strict", "5;x=y\r\nhello\r\n0;z\r\nT: r\r\n\r\nmore", 0, 1,
		    "5;x=y\r\nhello\r\n0;z\r\n\r\n",
		    "5;x=y\r\nhello\r\n0;z\r\n\r\n", "hello" },
		{ "LF behind a size", HELLO "1\n,\r\n" END, 0, 1, HELLO,
		    HELLO "1\r\n,\r\n" END, "hello," },
		{ "LF behind data", HELLO "1\r\n,\n" END, 0, 1,
		    HELLO "1\r\n,", HELLO "1\r\n,\r\n" END, "hello," },
		{ "LF behind data, and more", HELLO "1\r\n,\n3\r\nyou\r\n" END,
		    0, 1, HELLO "1\r\n,", HELLO "1\r\n,\r\n3\r\nyou\r\n" END,
		    "hello,you" },
		{ "LF everywhere", "5\nhello\n1;x\n,\n0\nT: r\n\n", 0, 1, "",
		    "6\r\nhello,\r\n" END, "hello," },
		{ "blanks behind a size", HELLO "1  \t\r\n,\r\n" END, 0, 1,
		    HELLO, HELLO "1\r\n,\r\n" END, "hello," },
		{ "blanks before an extension", "5 ; x\r\nhello\r\n" END, 0, 1,
		    "", HELLO END, "hello" },
		{ "blanks behind the last size", HELLO "0 \r\n\r\n", 0, 1,
		    HELLO, HELLO END, "hello" },
		{ "LF behind the last size", HELLO "0\n\r\n", 0, 1, HELLO,
		    HELLO END, "hello" },
		{ "LF as the last line", HELLO "0\r\n\n", 0, 1, HELLO,
		    HELLO END, "hello" },
		{ "LF in trailers", HELLO "0\r\nT: r\r\nU: s\n\r\n", 0, 1,
		    HELLO, HELLO END, "hello" },
		{ "no last line", HELLO "0\r\n", 1, 1, HELLO, HELLO END,
		    "hello" },
		{ "no last line, half a line end", HELLO "0\r", 1, 1, HELLO,
		    HELLO END, "hello" },
		{ "no last line, half of it", HELLO "0\r\n\r", 1, 1, HELLO,
		    HELLO END, "hello" },
		{ "no last line, LF", "5\nhello\n0\n", 1, 1, "", HELLO END,
		    "hello" },
		{ "no last line, half a trailer", HELLO "0\r\nT", 1, 1, HELLO,
		    HELLO END, "hello" },
		{ "no last line, nothing else", "0\r\n", 1, 1, "", END, "" },
		{ "no last line, the connection stays", HELLO "0\r\n", 0, 0,
		    HELLO, HELLO, "hello" },
		{ "a size that may go on", HELLO "0", 1, 0, HELLO, HELLO,
		    "hello" },
		{ "an extension that goes on", HELLO "0;x", 1, 0, HELLO, HELLO,
		    "hello" },
		{ "no last chunk", HELLO, 1, 0, HELLO, HELLO, "hello" },
		{ "no last chunk, LF", "5\nhello\n", 1, 0, "", HELLO, "hello" },
		{ "CR behind a size of more", HELLO "1\r", 1, 0, HELLO, HELLO,
		    "hello" },
		{ "no end of data", HELLO "3\r\nyo", 1, 0, HELLO "3\r\nyo",
		    HELLO "3\r\nyo", "helloyo" },
	};
	static const char *const	bad[] = { "\n", " 5\nhello\n", "5\n\nhello\n",
		"5\nhelloX", HELLO "1\n,,\n", HELLO "g\n", HELLO "1\r,\n",
		HELLO "0\n: x\n\n", "5\nhello\n\n0\n\n", HELLO "-1\n" };
	char				 out[PASSEDON_ROOM(64)];
	struct passedon			 o = { .out = out };
	size_t				 i, len, step;
	const char			*data;
	int				 good;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		len = strlen(t[i].says);
		good = passedon(&o, t[i].says, len, len, t[i].ends) == 0 &&
		    o.len == strlen(t[i].whole) &&
		    memcmp(out, t[i].whole, o.len) == 0;
		ok(good, "%s: %.*s", t[i].what, good ? 0 : (int)o.len, out);
		for (good = 0, step = 1; step <= len; step++)
			good += passedon(&o, t[i].says, len, step,
			    t[i].ends) == 0 && o.done == t[i].done &&
			    passedon_is_strict(out, o.len) == t[i].done &&
			    o.len >= strlen(t[i].kept) &&
			    memcmp(out, t[i].kept, strlen(t[i].kept)) == 0 &&
			    (data = data_of(out, o.len)) != NULL &&
			    strcmp(data, t[i].data) == 0;
		is_int(good, (int)len, "%s: in pieces of any length",
		    t[i].what);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		len = strlen(bad[i]);
		for (good = 0, step = 1; step <= len; step++)
			good += passedon(&o, bad[i], len, step, 1) == -1 &&
			    !o.done && passedon_is_strict(out, o.len) == 0;
		is_int(good, (int)len, "broken chunks %zu: no end goes on", i);
	}
}

int
main(void)
{
	taken();
	refused();
	chunks();
	return (done_testing());
}
