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
set(const char *in, const char *want)
{
	struct slice	v = slice(in);
	char		out[512];
	size_t		n = cookie_set(&v, 1, out);

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

int
main(void)
{
	struct slice	q, t;
	char		query[4096], out[16];

	if (sodium_init() == -1)
		bail_out("sodium");
	forms();
	strip("a=1", "a=1");
	strip("support_proxy=x", "");
	strip("support_proxy_1=x; a=1", "a=1");
	strip("a=1; support_proxy_1=x", "a=1");
	strip("a=1;  b = 2;support_proxy=x;c;; d=\"q\"",
	    "a=1;  b = 2;c; d=\"q\"");
	strip("a=1; SUPPORT_PROXY_x=1; support_proxying=2; b=2", "a=1; b=2");
	strip("a==;b;;c=\xff", "a==;b;;c=\xff");
	strip("", "");
	set("a=1", "a=1; Secure; SameSite=Lax");
	set("a=1; SECURE; samesite=None", "a=1; SECURE; samesite=None");
	set("a=1;domain=x;Path=/;Domain = y;Odd; Partitioned",
	    "a=1;Path=/;Odd; Partitioned; Secure; SameSite=Lax");
	set("support_proxy=1", "");
	set("Support_proxy_0=1; Path=/", "");
	set("", "");
	/* Without a name a browser sends the value only: ours again. */
	set("=support_proxy_1=x", "");
	set(" = support_proxy_1=x; Path=/", "");
	set("=a", "=a; Secure; SameSite=Lax");
	set("domain=1; Path=/", "domain=1; Path=/; Secure; SameSite=Lax");
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
