/* SPDX-License-Identifier: ISC */
/* Hosts in texts become proxy hosts, and nothing else in them changes. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxyd/http/repack.h"
#include "proxyd/http/rewrite.h"
#include "proxyd/http/sniff.h"
#include "regress/lib/services_of.h"
#include "regress/lib/tap.h"

#define SLUG	"0123456789abcdef0123456789abcdef"
#define P(l)	l "--" SLUG ".support.example.com"

static struct service	services[] = {
	{ .label = "one", .target = "10.0.0.1:80", .host = "example.org" },
	{ .label = "two", .target = "10.0.0.1:9090", .host = "app.example.org" },
	{ .label = "three", .target = "10.0.0.2:443", .tls = 1,
	    .host = "my.app.example.org" },
	{ .label = "ip", .target = "192.168.5.6:8080", .host = "192.168.5.6" },
	{ .label = "short", .target = "10.0.0.3:80", .host = "router" },
	{ .label = "near", .target = "10.0.0.4:80", .host = "localhost" },
	{ .label = "also", .target = "10.0.0.1:8081", .host = "app.example.org" },
	{ .label = "none", .target = "10.9.9.9:80" },
	{ .label = "port", .target = "10.0.0.5:3000", .host = "p.lan:8443" },
	{ .label = "odd", .target = "10.0.0.5:80", .host = "-x.lan" },
};
#define NSERVICES	(sizeof(services) / sizeof(services[0]))

static struct host		browser = { "two", SLUG };
static struct origin_at		at = { "support.example.com", "https", 443, 0 };
static struct service	*listed[NSERVICES];
#define MAP(browser, at)						\
	{ services_of(services, NSERVICES, listed), NULL, NULL, browser, at }

/* `in` rewritten in pieces of `step` bytes, as hold.c does. */
static const char *
rewritten(const struct rewrite *r, const char *in, size_t step)
{
	static struct repack	k;
	static char		out[65536];
	struct rewrite_out	o = { out, 0, sizeof(out) - 1, 0 };
	struct repack_body	body = { in, strlen(in), 0, 0 };
	int			n;

	(void)repack_begin(&k, r, &body);
	while ((n = repack_run(&k, step, &o)) == 1)
		continue;
	repack_end(&k);
	out[o.len] = '\0';
	return (n == 0 ? out : "broken");
}

static const struct {
	const char	*in, *want, *what;
} table[] = {
	{ "a example.org b app.example.org c my.app.example.org.",
	    "a " P("one") " b " P("two") " c " P("three") ".",
	    "three hosts, one within another" },
	{ "my.app.example.org app.example.org example.org",
	    P("three") " " P("two") " " P("one"), "in any order" },
	{ "http://app.example.org/x", "https://" P("two") "/x", "http://" },
	{ "HTTP://App.Example.ORG/x", "HTTPs://" P("two") "/x", "in any case" },
	{ "ws://example.org/s wss://example.org", "wss://" P("one") "/s wss://"
	    P("one"), "ws://" },
	{ "https://example.org:443/ http://example.org:80/",
	    "https://" P("one") "/ https://" P("one") "/", ":443 and :80" },
	{ "\"https:\\/\\/app.example.org\\/x\" 'http:\\/\\/app.example.org:80'",
	    "\"https:\\/\\/" P("two") "\\/x\" 'https:\\/\\/" P("two") "'",
	    "escaped slashes" },
	{ "http:\\\\/\\\\/example.org", "https:\\\\/\\\\/" P("one"),
	    "slashes escaped twice" },
	{ "//example.org/a \\/\\/example.org", "//" P("one") "/a \\/\\/"
	    P("one"), "no scheme" },
	{ "xexample.org example.orga 1example.org -example.org example.org-x "
	    "_example.org example.org_", NULL, "words that look alike" },
	{ "x.example.org example.org.uk a.app.example.org my.example.org", NULL,
	    "longer names" },
	{ "xmy.app.example.org my.app.example.organic", NULL, "both ends" },
	{ "see example.org. Or ..example.org.. .example.org",
	    "see " P("one") ". Or .." P("one") ".. ." P("one"),
	    "dots that belong to no name" },
	{ "192.168.5.6 v192.168.5.6 =192.168.5.6:8080", NULL,
	    "a bare IP address" },
	{ "http://192.168.5.6/ //192.168.5.6:8080/ https:\\/\\/192.168.5.6",
	    "https://" P("ip") "/ //" P("ip") "/ https:\\/\\/" P("ip"),
	    "an IP address behind slashes" },
	{ "//192.168.5.60 //1192.168.5.6 //192.168.5.6.7", NULL,
	    "other IP addresses" },
	{ "router localhost /router http:/router \\/router", NULL,
	    "single labels by themselves" },
	{ "//router/ http://localhost/", "//" P("short") "/ https://"
	    P("near") "/", "single labels behind slashes" },
	{ "app.example.org:8081 app.example.org:9090 app.example.org:443",
	    P("also") " " P("two") " " P("two"),
	    "a host of several: by port, else the service at hand" },
	{ "p.lan p.lan:8443 p.lan:3000", P("port") " " P("port") " " P("port"),
	    "a host with a port" },
	{ "example.org:81 example.org:99999 p.lan:3001", "example.org:81 "
	    P("one") ":99999 p.lan:3001", "a port of something else" },
	{ "example.org:80.example.org", P("one") ":80.example.org",
	    "a port that is none" },
	{ "root@example.org", NULL, "an address for mail" },
	{ "news://example.org xhttp://example.org", "news://" P("one")
	    " xhttp://" P("one"), "schemes that end alike" },
	{ "\\nhttp://example.org", "\\nhttps://" P("one"), "behind an escape" },
	{ "ftp://example.org https:example.org", "ftp://" P("one") " https:"
	    P("one"), "other schemes" },
	{ "10.9.9.9 //10.9.9.9 10.0.0.1 //-x.lan", NULL,
	    "what is no service's host" },
	{ "http://", NULL, "nothing" },
	{ P("one") " https://" P("two") "/", NULL, "proxy hosts stay" },
};

static void
texts(const struct rewrite *r)
{
	static char	padded[20000];
	const char	*want;
	size_t		 i, step, pad, good;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		want = table[i].want != NULL ? table[i].want : table[i].in;
		is_str(rewritten(r, table[i].in, 65536), want,
		    "operator-45: %s", table[i].what);
		for (good = 0, step = 1; step <= 64; step++)
			good += strcmp(rewritten(r, table[i].in, step),
			    want) == 0;
		is_int((int)good, 64, "operator-45: %s, in any pieces",
		    table[i].what);
		/* Wherever in a long text it stands. */
		for (good = 0, pad = 0; pad < 500; pad++) {
			memset(padded, pad % 3 == 0 ? ' ' : '/', pad);
			padded[pad] = ' ';
			strcpy(padded + pad + 1, table[i].in);
			good += strcmp(rewritten(r, padded, 100) + pad + 1,
			    want) == 0;
		}
		is_int((int)good, 500, "operator-45: %s, anywhere",
		    table[i].what);
	}
}

/* A text of one word that goes on and on, and one of nothing but hosts. */
static void
long_texts(const struct rewrite *r)
{
	static char	text[5000], want[sizeof(text) * 32];
	size_t		i, n = 0;

	memset(text, 'a', 4000);
	strcpy(text + 4000, ".example.org example.org");
	memcpy(want, text, 4000);
	strcpy(want + 4000, ".example.org " P("one"));
	is_str(rewritten(r, text, 7), want, "a long word is no host");
	want[0] = '\0';
	for (i = 0; i + 12 < 3000; i += 12) {
		memcpy(text + i, "example.org ", 13);
		n += (size_t)snprintf(want + n, sizeof(want) - n,
		    P("one") " ");
	}
	is_str(rewritten(r, text, 4096), want, "a text of hosts");
}

static void
types(void)
{
	static const struct {
		const char	*head;
		enum rewrite_kind kind;
	} t[] = {
		{ "200 OK\r\nContent-Type: text/html", REWRITE_PLAIN },
		{ "203 OK\r\nContent-Type: TEXT/CSS; charset=x", REWRITE_PLAIN },
		{ "200 OK\r\nContent-Type: application/x-javascript ;a",
		    REWRITE_PLAIN },
		{ "200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip",
		    REWRITE_GZIP },
		{ "200 OK\r\nContent-Type: text/html\r\nContent-Encoding: "
		    "identity", REWRITE_PLAIN },
		{ "200 OK\r\nContent-Type: text/html\r\nContent-Encoding: br",
		    REWRITE_NONE },
		{ "200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip"
		    "\r\nContent-Encoding: br", REWRITE_NONE },
		{ "200 OK\r\nContent-Type: application/json", REWRITE_NONE },
		{ "200 OK\r\nContent-Type: application/javascript+json",
		    REWRITE_NONE },
		{ "200 OK\r\nContent-Type: text/plain; a=javascript",
		    REWRITE_NONE },
		{ "200 OK\r\nContent-Type: text/event-stream", REWRITE_NONE },
		{ "200 OK\r\nContent-Type: image/svg+xml", REWRITE_NONE },
		{ "200 OK\r\nContent-Type: text/htmlx", REWRITE_NONE },
		{ "200 OK\r\nServer: x", REWRITE_SNIFF },
		{ "200 OK\r\nContent-Type: ", REWRITE_SNIFF },
		{ "200 OK\r\nContent-Encoding: gzip", REWRITE_NONE },
		{ "404 Not\r\nServer: x", REWRITE_NONE },
		{ "200 OK\r\nX-Content-Type-Options: NoSniff", REWRITE_NONE },
		{ "200 OK\r\nContent-Length: 5242881", REWRITE_NONE },
		{ "204 No\r\nContent-Type: text/html", REWRITE_NONE },
		{ "206 Part\r\nContent-Type: text/html", REWRITE_NONE },
		{ "304 Not\r\nContent-Type: text/html", REWRITE_NONE },
		{ "404 Not\r\nContent-Type: text/html", REWRITE_NONE },
		{ "200 OK\r\nContent-Type: text/html\r\nContent-Length: 5242880",
		    REWRITE_PLAIN },
		{ "200 OK\r\nContent-Type: text/html\r\nContent-Length: 5242881",
		    REWRITE_NONE },
	};
	static struct httphead	 h;
	struct httphead_scan	 scan;
	const char		*why;
	char			 text[256];
	size_t			 i, n;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		n = (size_t)snprintf(text, sizeof(text), "HTTP/1.1 %s\r\n\r\n",
		    t[i].head);
		memset(&scan, 0, sizeof(scan));
		if (httphead_response(&h, &scan, 1, text, n, &why) != 1)
			diag("%s", why);
		is_int((int)rewrite_kind(&h), (int)t[i].kind,
		    "which bodies: %.60s", t[i].head);
	}
}

/* What begins as a page, and what is said of each piece of it before. */
static void
sniffed(void)
{
	static const struct {
		const char	*body;
		int		 page;
	} t[] = {
		{ "<html>", 1 }, { "<HTML lang=x>", 1 }, { "<html", 0 },
		{ " \t\r\n\f<!DOCTYPE html>", 1 }, { "<!doctype html", 0 },
		{ "<!-- a", 1 }, { "<!-", 0 }, { "<a href=x>", 1 },
		{ "<b>", 1 }, { "<br>", 1 }, { "<body >", 1 }, { "<bx>", 0 },
		{ "<html/>", 0 }, { "<htmlx>", 0 }, { "<?xml ?><html>", 0 },
		{ "x<html>", 0 }, { "{\"a\":\"<html>\"}", 0 },
		{ "\xef\xbb\xbf<html>", 0 }, { " ", 0 }, { "<", 0 },
	};
	static char	blanks[SNIFF_MAX + 7], chunks[256], slow[16384];
	size_t		i, k, len, n;
	int		r, sure;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		len = strlen(t[i].body);
		is_int(sniff_page(t[i].body, len, 1), t[i].page,
		    "operator-45: a page: \"%s\"", t[i].body);
		for (k = 0, sure = 1; k < len; k++)
			if ((r = sniff_page(t[i].body, k, 0)) != -1 &&
			    r != t[i].page)
				sure = 0;
		ok(sure, "less of it never says otherwise");
		/* The same in chunks of one byte, however much is there. */
		for (k = n = 0; k < len; k++)
			n += (size_t)snprintf(chunks + n, sizeof(chunks) - n,
			    "1\r\n%c%s", t[i].body[k], k % 2 ? "\n" : "\r\n");
		n += (size_t)snprintf(chunks + n, sizeof(chunks) - n,
		    "0\r\n\r\n");
		for (k = 0; k < n; k++)
			if ((r = sniff_chunked(chunks, k, 0)) != -1 &&
			    r != t[i].page)
				sure = 0;
		ok(sure && sniff_chunked(chunks, n, 0) == t[i].page,
		    "nor in chunks");
	}
	memset(blanks, ' ', sizeof(blanks));
	memcpy(blanks + SNIFF_MAX - 6, "<html>", 6);
	is_int(sniff_page(blanks, SNIFF_MAX, 0), 1, "at the end of what counts");
	is_int(sniff_page(blanks, SNIFF_MAX - 1, 0), -1, "a byte less: not known");
	memset(blanks, ' ', sizeof(blanks));
	memcpy(blanks + SNIFF_MAX - 5, "<html>", 6);
	is_int(sniff_page(blanks, SNIFF_MAX + 1, 0), 0, "and not beyond it");
	/* What chunks add is not gone through again and again. */
	for (n = 0; n < sizeof(slow) - 64; )
		n += (size_t)snprintf(slow + n, sizeof(slow) - n,
		    "1;of=a-name-that-says-nothing-and-goes-on\r\n \r\n");
	is_int(sniff_chunked(slow, n / 2, 0), -1, "blanks in long chunks");
	is_int(sniff_chunked(slow, n, 0), 0, "are not waited for for long");
}

/* A packed body of nothing but empty blocks: how many turns does it take? */
static void
empty_blocks(const struct rewrite *r)
{
	static const char	head[] = "\x1f\x8b\x08\0\0\0\0\0\0\x03";
	static const char	last[] = "\x01\0\0\xff\xff\0\0\0\0\0\0\0\0";
	static struct repack	k;
	static char		in[500023];
	struct repack_body	body = { in, sizeof(in), 0, 1 };
	struct rewrite_out	o = { NULL, 0, SIZE_MAX, 0 };
	size_t			i;
	int			n, turns = 1;

	memcpy(in, head, 10);
	for (i = 10; i < 500010; i += 5)
		memcpy(in + i, "\0\0\0\xff\xff", 5);
	memcpy(in + i, last, 13);
	(void)repack_begin(&k, r, &body);
	while ((n = repack_run(&k, 10000, &o)) == 1)
		turns++;
	repack_end(&k);
	ok(n == 0 && o.len == 0, "operator-45: empty blocks are no text");
	ok(turns >= 50, "operator-45: and are not gone through in one turn");
}

/* Names that a hash without a key, FNV-1a, puts at the same place. */
static void
alike(void)
{
	static struct service	many[200];
	static struct service	*v[200];
	const struct urlmap	m = { services_of(many, 200, v), NULL, NULL,
				    &browser, &at };
	struct rewrite		*r;
	uint32_t		h;
	int			i, n;
	char			*s, *host;

	for (i = n = 0; n < 200; i++) {
		host = many[n].host;
		snprintf(host, sizeof(many[n].host), "h%d.lan", i);
		for (h = 2166136261U, s = host; *s != '\0'; s++)
			h = (h ^ (unsigned char)*s) * 16777619U;
		if (((h ^ h >> 15) & 2047) != 0)
			continue;
		snprintf(many[n].label, sizeof(many[n].label), "l%d", n);
		snprintf(many[n++].target, sizeof(many[0].target),
		    "10.0.0.1:80");
	}
	r = rewrite_new(&m);
	ok(r != NULL && rewrite_probes(r) < 150,
	    "operator-45: nobody can choose names that fall together");
	rewrite_free(r);
}

int
main(void)
{
	static const struct host	other = { "none", SLUG };
	static const struct origin_at	plain = { "support.example.com", "http",
					    8080, 0 };
	struct service			*v[1];
	const struct urlmap		map = MAP(&browser, &at);
	const struct urlmap		on_http = MAP(&other, &plain);
	const struct urlmap		hostless = { services_of(&services[7],
					    1, v), NULL, NULL, &browser, &at };
	struct rewrite			*r = rewrite_new(&map);

	texts(r);
	long_texts(r);
	empty_blocks(r);
	rewrite_free(r);
	alike();
	r = rewrite_new(&on_http);
	is_str(rewritten(r, "https://example.org wss:\\/\\/app.example.org:443",
	    9), "http://" P("one") ":8080 ws:\\/\\/" P("two") ":8080",
	    "a proxy without https, on a port of its own");
	rewrite_free(r);
	ok(rewrite_new(&hostless) == NULL, "no host: nothing to look for");
	types();
	sniffed();
	return (done_testing());
}
