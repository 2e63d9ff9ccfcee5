/* SPDX-License-Identifier: ISC */
#include <sodium.h>

#include "proxyd/http/cookie.h"
#include "regress/lib/tap.h"

#define SLUG	"0f8b1c2d3e4f5061728394a5b6c7d8e9"
#define SESSION	"0f8b1c2d-3e4f-5061-7283-94a5b6c7d8e9"

static struct slice
slice(const char *s)
{
	struct slice	v = { s, strlen(s) };

	return (v);
}

static const char *
token_of(const char *json)
{
	static char	text[2048];
	char		b64[1024];

	sodium_bin2base64(b64, sizeof(b64), (const unsigned char *)json,
	    strlen(json), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	snprintf(text, sizeof(text), "eyJ9.%s.c2ln", b64);
	return (text);
}

static int
is_for(const char *token)
{
	struct slice	v = slice(token);

	return (cookie_token_is_for(&v, SLUG));
}

static void
forms(void)
{
	ok(is_for(token_of("{\"token_type\":\"proxy\",\"session_id\":\""
	    SESSION "\"}")), "a proxy token of this session");
	ok(!is_for(token_of("{\"token_type\":\"access\",\"session_id\":\""
	    SESSION "\"}")), "an access token");
	ok(!is_for(token_of("{\"token_type\":\"proxy\",\"session_id\":\""
	    "0f8b1c2d-3e4f-5061-7283-94a5b6c7d8e0\"}")), "another session's");
	ok(!is_for(token_of("{\"token_type\":\"proxy\",\"session_id\":7}")),
	    "a number for a session");
	ok(!is_for(token_of("[]")) && !is_for(token_of("")) &&
	    !is_for(token_of("{\"token_type\":\"proxy\"}")), "less than that");
	ok(!is_for("abc") && !is_for("") && !is_for("a.b.c") &&
	    !is_for("..") && !is_for("a.b.c.d"), "operator-33(partial): no "
	    "token at all");
}

static void
strip(const char *in, const char *want)
{
	struct slice	v = slice(in);
	char		out[512];
	size_t		n = cookie_strip(&v, out);

	out[n] = '\0';
	is_str(out, want, "operator-37: Cookie: %s", in);
}

static void
set(const char *in, int secure, const char *want)
{
	struct slice	v = slice(in);
	char		out[512];
	size_t		n = cookie_set(&v, secure, out);

	out[n] = '\0';
	is_str(out, want, "operator-43: Set-Cookie: %s", in);
}

static void
redirect(const char *path, const char *query, const char *token,
    const char *want)
{
	struct slice	p = slice(path), q = slice(query), t;
	char		out[512];
	long		n;

	t.s = strstr(query, token);
	t.len = strlen(token);
	n = cookie_redirect(&p, &q, &t, out, sizeof(out));
	out[n > 0 ? n : 0] = '\0';
	is_str(out, want, "operator-30 operator-31: %s?%s", path, query);
}

static struct httphead	h;

/* A request with these cookies, in up to two fields. */
static const struct httphead *
with(const char *one, const char *two)
{
	static char		text[8192];
	struct httphead_scan	scan = { 0 };
	const char		*why = "incomplete";
	int			status;

	snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n"
	    "Cookie: %s\r\nCookie: %s\r\n\r\n", one, two);
	if (httphead_request(&h, &scan, text, strlen(text), &status, &why) != 1)
		diag("%s", why);
	return (&h);
}

#define OTHER(c)	"support_proxy_" c c c c c c c c c c c c c c c c	\
    c c c c c c c c c c c c c c c c

static void
which(void)
{
	struct slice	t[COOKIE_TRIES], e[COOKIE_ENDS];
	char		line[4096];
	size_t		i, n = 0;

	is_int((int)cookie_tokens(with("support_proxy_" SLUG "=1; "
	    "support_proxy_" SLUG "=2; support_proxy_" SLUG "=3",
	    "support_proxy_" SLUG "=4; __Host-support_proxy=own"), SLUG, t), 4,
	    "four are tried");
	ok(slice_eq(&t[0], "own") && slice_eq(&t[3], "3"),
	    "the host's own first");
	is_int((int)cookie_tokens(with("support_proxy=x", ""), SLUG, t), 0,
	    "the old name counts only with a token of this session");
	is_int(cookie_lacks(with("__Host-support_proxy=own", ""), SLUG, 0),
	    COOKIE_LACKS_DOMAIN, "the parent domain's is lacking");
	is_int(cookie_lacks(with("support_proxy_" SLUG "=1", ""), SLUG, 0),
	    COOKIE_LACKS_HOST, "the host's own is lacking");
	is_int(cookie_lacks(with("support_proxy_" SLUG "=1",
	    "__Host-support_proxy=own"), SLUG, 1), COOKIE_LACKS_HOST,
	    "over plain http it has another name");

	n += (size_t)snprintf(line, sizeof(line), OTHER("a") "=junk; "
	    "support_proxy_" SLUG "=junk; support_proxy_Ab=1; "
	    OTHER("g") "=1");
	for (i = 0; i < 7; i++)
		n += (size_t)snprintf(line + n, sizeof(line) - n,
		    "; support_proxy_%032zx=%s", i, token_of(i == 3 ?
		    "{\"exp\":3}" : i == 5 ? "{\"exp\":5}" :
		    "{\"exp\":100}"));
	n = cookie_ends(with(line, ""), SLUG, e);
	is_int((int)n, 3, "of eight others five stay");
	ok(slice_eq(&e[0], OTHER("a")), "one without a token goes");
	ok(n == 3 && e[1].s[e[1].len - 1] == '3' &&
	    e[2].s[e[2].len - 1] == '5', "then those that end first");
	is_int((int)cookie_ends(with("a=1", ""), SLUG, e), 0, "none");
}

int
main(void)
{
	struct slice	q, t;
	char		query[4096], out[16];

	if (sodium_init() == -1)
		bail_out("sodium");
	forms();
	which();
	strip("a=1", "a=1");
	strip("a=1; __Host-support_proxy=x; __host-Support_Proxy_1=y;b=2",
	    "a=1;b=2");
	strip("__Host-a=1", "__Host-a=1");
	set("__Host-support_proxy=1; Path=/; Secure", 1, "");
	strip("support_proxy=x", "");
	strip("support_proxy_1=x; a=1", "a=1");
	strip("a=1; support_proxy_1=x", "a=1");
	strip("a=1;  b = 2;support_proxy=x;c;; d=\"q\"",
	    "a=1;  b = 2;c; d=\"q\"");
	strip("a=1; SUPPORT_PROXY_x=1; support_proxying=2; b=2", "a=1; b=2");
	strip("a==;b;;c=\xff", "a==;b;;c=\xff");
	strip("", "");
	set("a=1", 1, "a=1; Secure; SameSite=Lax");
	set("a=1; SECURE; samesite=None", 1, "a=1; SECURE; samesite=None");
	set("a=1;domain=x;Path=/;Domain = y;Odd; Partitioned", 1,
	    "a=1;Path=/;Odd; Partitioned; Secure; SameSite=Lax");
	set("support_proxy=1", 1, "");
	set("Support_proxy_0=1; Path=/", 1, "");
	set("", 1, "");
	/* Without a name a browser sends the value only: ours again. */
	set("=support_proxy_1=x", 1, "");
	set(" = support_proxy_1=x; Path=/", 1, "");
	set("=a", 1, "=a; Secure; SameSite=Lax");
	set("domain=1; Path=/", 1, "domain=1; Path=/; Secure; SameSite=Lax");
	/* To a browser at plain http: what it would drop for these. */
	set("a=1", 0, "a=1; SameSite=Lax");
	set("a=1; Secure; Path=/; HttpOnly; SameSite=Strict", 0,
	    "a=1; Path=/; HttpOnly; SameSite=Strict");
	set("a=1;secure ; SameSite = none;Partitioned; Odd", 0,
	    "a=1; Odd; SameSite=Lax");
	set("secure=1; samesite=nonesuch", 0, "secure=1; samesite=nonesuch");
	redirect("/a", "token=T", "T", "/a");
	redirect("/a", "token=T&b=%20", "T", "/a?b=%20");
	redirect("/a", "b&token=T", "T", "/a?b");
	redirect("/a%2F", "b=1&token=T&c=2&", "T", "/a%2F?b=1&c=2&");
	redirect("//evil", "token=T", "T", "/evil");
	redirect("/\\\\/evil", "token=T", "T", "/evil");
	redirect("/%5Cevil", "token=T", "T", "/%5Cevil");
	redirect("/", "&&token=T&&", "T", "/?&&&");

	snprintf(query, sizeof(query), "x=token=1&token=abc&token=%s&y",
	    token_of("{\"token_type\":\"proxy\",\"session_id\":\"" SESSION
	    "\"}"));
	q = slice(query);
	ok(cookie_query_token(&q, SLUG, &t) && t.s == strstr(query, "eyJ9"),
	    "operator-33: the application's token is passed over");
	q = slice("token=abc&token=");
	ok(!cookie_query_token(&q, SLUG, &t),
	    "operator-33: token=abc is the application's");
	q.s = NULL;
	q.len = 0;
	ok(!cookie_query_token(&q, SLUG, &t), "no query");
	q = slice("token=T");
	t.s = q.s + 6;
	t.len = 1;
	is_int(cookie_redirect(&q, &q, &t, out, 8), -1, "no room");
	return (done_testing());
}
