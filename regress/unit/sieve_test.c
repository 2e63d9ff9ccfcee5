/* SPDX-License-Identifier: ISC */
/* Services' cookies: what a browser is given, and what goes back. */
#include <sodium.h>
#include <stdio.h>

#include "proxyd/http/hdr.h"
#include "proxyd/http/sieve.h"
#include "regress/lib/tap.h"

static struct httphead	h;
static struct sieve	s;

/* Fields for a browser, ends of lines as '|'. */
static const char *
set(const char *value, const char *dir)
{
	static char	 text[16384];
	struct out	 o = { text, 0, sizeof(text) - 1, 0 };
	struct slice	 v = { value, strlen(value) }, d = { dir, strlen(dir) };
	char		*p;

	sieve_set(&o, &v, &d);
	text[o.len] = '\0';
	while ((p = strstr(text, "\r\n")) != NULL) {
		*p = '|';
		memmove(p + 1, p + 2, strlen(p + 2) + 1);
	}
	return (o.over ? "over" : text);
}

/* What a service gets of these, in up to two fields. */
static const char *
gets2(const char *path, int how, const char *one, const char *two)
{
	static char		in[65536], text[65536];
	struct out		o = { text, 0, sizeof(text) - 1, 0 };
	struct httphead_scan	scan = { 0 };
	const char		*why = "incomplete";
	int			 status;

	snprintf(in, sizeof(in), "GET %s HTTP/1.1\r\nHost: a\r\nCookie: %s\r\n"
	    "%s%s%s\r\n", path, one, two != NULL ? "Cookie: " : "",
	    two != NULL ? two : "", two != NULL ? "\r\n" : "");
	if (httphead_request_max(&h, &scan, sizeof(in), in, strlen(in),
	    &status, &why) != 1)
		diag("%s", why);
	sieve_read(&s, &h, how);
	sieve_put(&o, &s);
	text[o.len] = '\0';
	if (o.len > 2)
		text[o.len - 2] = '\0';
	return (text);
}

#define BOTH	(SIEVE_KNOWN | SIEVE_SCRIPTS)

static const char *
gets(const char *cookies)
{
	return (gets2("/", BOTH, cookies, NULL));
}

static void
sets(void)
{
	is_str(set("sid=v; Path=/; HttpOnly", "/"),
	    "Set-Cookie: __Host-~sid=.v; Path=/; Secure; HttpOnly; "
	    "Priority=High; SameSite=Lax|", "operator-43: one that scripts do not see");
	is_str(set("sid = a=b ; HttpOnly; Domain=x; Secure; Max-Age=5; "
	    "SameSite=None; Odd", "/"),
	    "Set-Cookie: __Host-~sid=.a=b; Max-Age=5; SameSite=None; Odd; "
	    "Path=/; Secure; HttpOnly; Priority=High|", "operator-43: attributes stay");
	is_str(set("sid=v; HttpOnly; Path=/a~b c/", "/"),
	    "Set-Cookie: __Host-~!a%7Eb%20c!~sid=.v; Path=/; Secure; HttpOnly;"
	    " Priority=High; SameSite=Lax|", "a path goes into the name");
	is_str(set("sid=v; HttpOnly; Path=/x; path", "/d"),
	    "Set-Cookie: __Host-~!d~sid=.v; Path=/; Secure; HttpOnly; "
	    "Priority=High; SameSite=Lax|", "the last Path counts, and an empty one is none");
	is_str(set("!x=v; HttpOnly", "/"),
	    "Set-Cookie: __Host-~!~!x=.v; Path=/; Secure; HttpOnly; "
	    "Priority=High; SameSite=Lax|", "a name that looks like a path");
	is_str(set("csrf=t; Path=/", "/"),
	    "Set-Cookie: csrf=t; Path=/; Secure; SameSite=Lax|"
	    "Set-Cookie: __Host-~csrf=#iD5gmgXYXBh6AZytk8EiNw; Path=/; Secure; "
	    "HttpOnly; Priority=High; SameSite=Lax|", "one for scripts has a witness");
	is_str(set("__Host-a=1; Path=/; HttpOnly", "/"),
	    "Set-Cookie: __Host-a=1; Path=/; HttpOnly; Secure; SameSite=Lax|",
	    "what browsers protect already stays");
	is_str(set("__Host-~sid=.evil; Path=/", "/"), "",
	    "operator-43: no service writes such names itself");
	is_str(set("support_proxy=1", "/"), "", "operator-43: nor ours");
	is_str(set("=a", "/"), "Set-Cookie: =a; Secure; SameSite=Lax|",
	    "without a name");
}

static void
big(void)
{
	char	v[4200];

	memset(v, 'v', sizeof(v));
	memcpy(v, "sid=", 4);
	strcpy(v + 4080, "; HttpOnly");
	ok(strncmp(set(v, "/"), "Set-Cookie: __Host-~sid=.vv", 27) == 0,
	    "a long one");
	memset(v, 'v', sizeof(v));
	memcpy(v, "sid=", 4);
	strcpy(v + 4096, "; HttpOnly");
	ok(strncmp(set(v, "/"), "Set-Cookie: sid=vvv", 19) == 0,
	    "one that would get too long stays as it was");
}

static void
certain(void)
{
	is_str(gets("__Host-~sid=.v; sid=evil"), "Cookie: sid=v",
	    "a planted one of its name does not go");
	is_str(gets("sid=evil; sid=worse; __Host-~sid=.v; sid="),
	    "Cookie: sid=v", "nor several");
	is_str(gets2("/", SIEVE_KNOWN, "__Host-~sid=.v", "a=1"),
	    "Cookie: sid=v", "strictly: nothing else goes");
	is_str(gets2("/", BOTH, "__Host-~sid=.v", "sid=evil"), "Cookie: sid=v",
	    "in two fields");
	is_str(gets("csrf=t; csrf=evil; "
	    "__Host-~csrf=#iD5gmgXYXBh6AZytk8EiNw"), "Cookie: csrf=t",
	    "one for scripts: the right one goes");
	is_str(gets("csrf=evil; __Host-~csrf=#iD5gmgXYXBh6AZytk8EiNw; "
	    "csrf=t; csrf=t"), "Cookie: csrf=t", "in any order, once");
	is_str(gets2("/", SIEVE_KNOWN, "csrf=u; "
	    "__Host-~csrf=#iD5gmgXYXBh6AZytk8EiNw", NULL), "",
	    "strictly: no other value");
	is_str(gets("__Host-a=1; __Host-support_proxy=t; support_proxy_1=2"),
	    "Cookie: __Host-a=1", "operator-37: a host's own, but ours");
	is_str(gets2("/", 0, "a=1; sid=evil; __Host-~b=.2", NULL),
	    "Cookie: b=2", "at first nothing plain goes");
	is_str(gets("__Host-~sid=v; __Host-~=.x; __Host-~!%zz~sid=.v; "
	    "__Host-~!abc=.v"), "Cookie: =x", "odd ones are none");
}

static void
scripts(void)
{
	is_str(gets("lang=de; a=1"), "Cookie: lang=de; a=1",
	    "a script's goes");
	is_str(gets("lang=de; a=1; lang=en"), "Cookie: a=1",
	    "of two of one name none does");
	is_str(gets("csrf=new; __Host-~csrf=#iD5gmgXYXBh6AZytk8EiNw"),
	    "Cookie: csrf=new", "a script has changed what the service set");
	is_str(gets("csrf=new; csrf=evil; "
	    "__Host-~csrf=#iD5gmgXYXBh6AZytk8EiNw"), "",
	    "that, or somebody else: none");
	is_str(gets("__Host-~csrf=#iD5gmgXYXBh6AZytk8EiNw; a=1"),
	    "Cookie: a=1", "a script has deleted it");
	ok(s.n > 0 && s.item[1].script, "nothing vouches for it yet");
	is_str(gets("flag; b=1"), "Cookie: b=1", "none without a name");
}

/* What some services would read as a cookie of theirs. */
static void
disguised(void)
{
	static const char	*planted[] = { "SID=evil", "$Version=1",
	    "\xe2\x80\x80sid=evil", "x=\"1,sid=evil\"", "x=\"1",
	    "a_b=evil", "A.B=evil", "CSRF=evil", "sid[0]=evil", "(=1" };
	char			 text[256];
	size_t			 i;

	for (i = 0; i < sizeof(planted) / sizeof(planted[0]); i++) {
		snprintf(text, sizeof(text), "%s; __Host-~sid=.good; "
		    "__Host-~a.b=.2; __Host-~csrf=#iD5gmgXYXBh6AZytk8EiNw",
		    planted[i]);
		is_str(gets(text), "Cookie: sid=good; a.b=2",
		    "operator-43: nor does %s go", planted[i]);
	}
	is_str(gets("x={\"a\":1,\"b\":2}; y=\"1\"; a.b=1"),
	    "Cookie: x={\"a\":1,\"b\":2}; y=\"1\"; a.b=1",
	    "operator-43: what a script may have set does");
	is_str(gets("lang=de; LANG=evil"), "",
	    "operator-43: of two that are alike neither does");
	is_str(gets("Csrf=evil; csrf=t; __Host-~csrf=#iD5gmgXYXBh6AZytk8EiNw"),
	    "Cookie: csrf=t", "operator-43: one that is known does, alone");
}

static void
paths(void)
{
	const char	*c = "__Host-~sid=.root; __Host-~!a~sid=.a; "
	    "__Host-~!a!b~sid=.ab; __Host-~!a!b!~sid=.abs";
	struct slice	 p = { "/a/b/c", 6 }, d = sieve_dir(&p);

	is_str(gets2("/", BOTH, c, NULL), "Cookie: sid=root", "/");
	is_str(gets2("/a?x=/b", BOTH, c, NULL), "Cookie: sid=a; sid=root",
	    "/a: the longer one first");
	is_str(gets2("/ab", BOTH, c, NULL), "Cookie: sid=root", "/ab");
	is_str(gets2("/a/b/c", BOTH, c, NULL),
	    "Cookie: sid=abs; sid=ab; sid=a; sid=root", "/a/b/c");
	is_str(gets2("/", BOTH, "__Host-~!a~sid=.a; sid=evil", NULL), "",
	    "for another path it is the service's name still");
	ok(d.len == 4, "the default path of /a/b/c");
	p.len = 2;
	d = sieve_dir(&p);
	ok(d.len == 1, "and of /a");
}

static void
many(void)
{
	static char	text[60000];
	size_t		n = 0;
	int		i;

	for (i = 0; i < 400; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "c%d=1; ", i);
	snprintf(text + n, sizeof(text) - n, "__Host-~sid=.v");
	is_str(gets(text), "Cookie: sid=v", "of 400 cookies what is certain");
}

int
main(void)
{
	if (sodium_init() == -1)
		bail_out("sodium");
	sets();
	big();
	certain();
	scripts();
	disguised();
	paths();
	many();
	return (done_testing());
}
