/* SPDX-License-Identifier: ISC */
/* The subdomain proxy: tokens, streams, heads, bodies. */
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "regress/lib/proxyd_story.h"
#include "regress/lib/tap.h"

#define OK_LENGTH(n)	"HTTP/1.1 200 OK\r\nContent-Length: " n "\r\n\r\n"

static struct drive	 d;
static char		*asked;	/* what through() sent to the service */

/* One request without body, one answer, on a connection of its own. */
__attribute__((format(printf, 1, 2))) static char *
ask(const char *fmt, ...)
{
	static char	 text[65536];
	va_list		 ap;
	int		 fd = browser(&d, 0);
	char		*a;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put_bytes(fd, text, strlen(text));
	a = answer(fd);
	close(fd);
	return (a);
}

static char *
ask_host(const char *host)
{
	return (ask("GET /elsewhere HTTP/1.1\r\nHost: %s\r\n\r\n", host));
}

static void
hosts(void)
{
	static const struct {
		const char	*host;
		int		 status;
	} t[] = {
		{ "a--b--" SLUG "." DOMAIN, 400 },
		{ "web--0f8b1c2d." DOMAIN, 400 },
		{ "web--" SLUG "0." DOMAIN, 400 },
		{ "web--0F8B1C2D3E4F5061728394A5B6C7D8E9." DOMAIN, 401 },
		{ "WEB--" SLUG ".Support.Example.COM", 401 },
		{ "web--" SLUG "." DOMAIN ".", 401 },
		{ "web--" SLUG "." DOMAIN ":8443", 401 },
		{ "web--" SLUG ".example.com", 400 },
		{ "web--" SLUG ".support.evil.example", 400 },
		{ "web." DOMAIN, 400 },
		{ "-web--" SLUG "." DOMAIN, 400 },
		{ "--" SLUG "." DOMAIN, 400 },
		{ DOMAIN, 404 },
		{ "x" DOMAIN, 404 },
	};
	size_t	i;
	char	*a;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		is_int(status_of(ask_host(t[i].host)), t[i].status,
		    "operator-28: %s", t[i].host);
	a = ask_host("web--0f8b1c2d." DOMAIN);
	is_str(body_of(a), "{\"code\":400,\"message\":\"invalid support proxy "
	    "subdomain\",\"data\":null}", "operator-28: its message");
	a = ask_host("_--" SLUG "." DOMAIN);
	is_str(body_of(a), "{\"code\":400,\"message\":\"invalid service name "
	    "in subdomain\",\"data\":null}", "operator-28: a bad name's");
	a = ask("GET / HTTP/1.1\r\nHost: " HOST "\r\n"
	    "Accept: text/html\r\n\r\n");
	is_int(status_of(a), 401, "for people: the same status");
	is_str(header_of(a, "content-type", 0), "text/html; charset=utf-8",
	    "for people: a page");
	ok(strstr(body_of(a), "proxy token required") != NULL,
	    "for people: the same message");
	ok(strstr(body_of(a), "Go back to the console") != NULL,
	    "for people: what to do next");
	a = ask("GET /x HTTP/1.1\r\nHost: console.example\r\n"
	    "Accept: text/html,*/*;q=0.8\r\n\r\n");
	is_str(header_of(a, "content-type", 0), "text/html; charset=utf-8",
	    "for people: a page outside /api too");
	is_int(status_of(a), 404, "for people: with its status");
	a = ask_host(HOST);
	is_str(header_of(a, "x-frame-options", 0), "DENY",
	    "for programs: the envelope");
}

static void
exchange(void)
{
	const char	*t = proxy_token(SESSION, "one");
	char		*a, other[4096], cookie[8192];
	int		 fd = browser(&d, 0), age;

	put(fd, "GET /a%%2Fb%%20c?x=%%26&token=%s&y HTTP/1.1\r\nHost: " HOST
	    "\r\nReferer: https://console.example/\r\n"
	    "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n"
	    "Sec-Fetch-Dest: document\r\n\r\n", t);
	grant_yes(&d, 1);
	a = answer(fd);
	is_int(status_of(a), 302, "operator-30: exchange is a 302");
	is_str(header_of(a, "location", 0), "/a%2Fb%20c?x=%26&y",
	    "operator-30 operator-41: the rest byte for byte");
	is_str(header_of(a, "cache-control", 0), "no-store",
	    "operator-30: no-store");
	is_str(header_of(a, "referrer-policy", 0), "no-referrer",
	    "operator-30: no-referrer");
	snprintf(cookie, sizeof(cookie), "support_proxy_" SLUG "=%s; Path=/; "
	    "Domain=." DOMAIN "; Max-Age=", t);
	ok(strncmp(header_of(a, "set-cookie", 0), cookie,
	    strlen(cookie)) == 0, "operator-30: the cookie");
	age = atoi(header_of(a, "set-cookie", 0) + strlen(cookie));
	ok(age > 28700 && age <= 28800,
	    "operator-30: Max-Age is what is left (%d)", age);
	ok(strstr(header_of(a, "set-cookie", 0),
	    "; HttpOnly; Secure; SameSite=Lax") != NULL,
	    "operator-30: its attributes");

	/* Known now: no question. Where the target points, it stays here. */
	put(fd, "GET //evil.example/x?token=%s HTTP/1.1\r\nHost: " HOST
	    "\r\n\r\n", t);
	is_str(header_of(answer(fd), "location", 0), "/evil.example/x",
	    "operator-31: //evil");
	put(fd, "GET /\\evil.example?token=%s HTTP/1.1\r\nHost: " HOST
	    "\r\n\r\n", t);
	is_str(header_of(answer(fd), "location", 0), "/evil.example",
	    "operator-31: /\\evil");
	put(fd, "GET /%%5Cevil.example?token=%s&token=a HTTP/1.1\r\nHost: " HOST
	    "\r\n\r\n", t);
	is_str(header_of(answer(fd), "location", 0), "/%5Cevil.example?token=a",
	    "operator-31: /%%5Cevil");
	close(fd);

	/* Another session's token, or no token at all, is the application's. */
	snprintf(other, sizeof(other), "%s",
	    proxy_token("11111111-2222-3333-4444-555555555555", "x"));
	a = ask("GET /?token=%s HTTP/1.1\r\nHost: " HOST "\r\n\r\n", other);
	is_int(status_of(a), 401, "a query token of another session: 401");
	a = ask("GET / HTTP/1.1\r\nHost: " HOST "\r\nCookie: support_proxy_"
	    "11111111222233334444555555555555=%s\r\n\r\n", other);
	is_int(status_of(a), 401, "operator-32: a cookie of another session");
	ok(strstr(body_of(a), "proxy token required") != NULL,
	    "operator-32: is not even read");
	ok(is_quiet(d.authd, 20), "operator-32: authd was not asked");
}

static void
refused(void)
{
	int	 fd, i;
	char	*a, other[4096];

	fd = browser(&d, 0);
	snprintf(other, sizeof(other), "%s", proxy_token(SESSION, "bad"));
	put(fd, "GET / HTTP/1.1\r\nHost: " HOST "\r\nCookie: support_proxy_"
	    SLUG "=%s; support_proxy_" SLUG "=%s\r\n\r\n", other,
	    proxy_token(SESSION, "two"));
	grant_no(&d, 401, "invalid proxy token");
	grant_yes(&d, 40);
	close(stream_yes(&d));
	a = answer(fd);
	is_int(status_of(a), 502, "of several cookies the first valid counts");
	close(fd);
	/* A link that has run out, opened in a browser. */
	fd = browser(&d, 0);
	put(fd, "GET /?token=%s HTTP/1.1\r\nHost: " HOST "\r\n"
	    "Accept: text/html\r\n\r\n", proxy_token(SESSION, "expired"));
	grant_no(&d, 401, "invalid proxy token");
	a = answer(fd);
	ok(status_of(a) == 401 && strstr(body_of(a), "<h1>") != NULL,
	    "an expired token is a page for people");
	close(fd);
	for (i = 0; i < 18; i++) {
		fd = browser(&d, 0);
		put(fd, "GET / HTTP/1.1\r\nHost: " HOST "\r\n"
		    "Cookie: support_proxy_" SLUG "=bad%d\r\n\r\n", i);
		grant_no(&d, 401, "invalid proxy token");
		a = answer(fd);
		close(fd);
	}
	is_str(body_of(a), "{\"code\":401,\"message\":\"invalid proxy token\","
	    "\"data\":null}", "a refused token: 401");
	fd = browser(&d, 0);
	put(fd, "GET / HTTP/1.1\r\nHost: " HOST "\r\n"
	    "Cookie: support_proxy_" SLUG "=bad\r\n\r\n");
	grant_no(&d, 401, "invalid proxy token");
	a = answer(fd);
	close(fd);
	is_int(status_of(a), 429, "20 refused in a minute: 429");
	ok(atoi(header_of(a, "retry-after", 0)) > 0, "429: Retry-After");
	a = ask("GET / HTTP/1.1\r\nHost: " HOST "\r\n"
	    "Cookie: support_proxy_" SLUG "=bad\r\n\r\n");
	is_int(status_of(a), 429, "once more with the same: 429");
	ok(atoi(header_of(a, "retry-after", 0)) > 0, "429: Retry-After");
	ok(is_quiet(d.authd, 20), "and authd is not asked");
	drive_clock(&d, 60000);
	fd = browser(&d, 0);
	put(fd, "GET / HTTP/1.1\r\nHost: " HOST "\r\n"
	    "Cookie: support_proxy_" SLUG "=bad\r\n\r\n");
	grant_no(&d, 404, "support session not found");
	is_int(status_of(answer(fd)), 404, "a minute later authd is asked");
	close(fd);
}

static void
heads(void)
{
	int	 fd = browser(&d, 0), st;
	char	*a;

	put(fd, "GET /a%%2Fb%%20c?x=%%26&y HTTP/1.1\r\nHost: " HOST ":443\r\n"
	    "Cookie: a=1; support_proxy_" SLUG "=%s; b=2;c=3\r\n"
	    "Cookie: support_proxy=old\r\n"
	    "Authorization: Basic app\r\nX-Internal-Secret: s\r\n"
	    "X-Session-Token: t\r\nX-Proxy-Host: u\r\nX-Forwarded-For: 1.2.3.4"
	    "\r\nX-Forwarded-Host: v\r\nForwarded: for=1.2.3.4\r\n"
	    "X_Forwarded_For: 1.2.3.4\r\nX-Forwarded_For: 1.2.3.4\r\n"
	    "X_Real_IP: 1.2.3.4\r\nX-Original-URL: /gone\r\n"
	    "X-Rewrite-URL: /gone\r\nTransfer_Encoding: gone\r\n"
	    "X-Host: gone\r\nProxy: gone\r\nX-HTTP-Method-Override: PUT\r\n"
	    "X-Real-IP: 1.2.3.4\r\nVia: 1.1 w\r\nConnection: keep-alive, X-Hop"
	    "\r\nX-Hop: 1\r\nTE: trailers\r\nAccept-Encoding: br\r\n"
	    "Origin: https://" HOST "\r\nReferer: https://" HOST "/p?q\r\n\r\n",
	    proxy_token(SESSION, "one"));
	grant_yes(&d, 7);
	st = stream_yes(&d);
	a = request_at(st);
	ok(strncmp(a, "GET /a%2Fb%20c?x=%26&y HTTP/1.1\r\n", 33) == 0,
	    "operator-41: path and query byte for byte");
	is_str(header_of(a, "host", 0), "10.0.0.5:8080",
	    "operator-38: Host is the target");
	is_str(header_of(a, "origin", 0), "http://10.0.0.5:8080",
	    "operator-38: Origin is the target");
	is_str(header_of(a, "referer", 0), "http://10.0.0.5:8080/p?q",
	    "operator-38: Referer is the target's");
	is_str(header_of(a, "cookie", 0), "a=1; b=2; c=3",
	    "operator-37: its own cookies");
	is_str(header_of(a, "cookie", 1), "", "operator-37: and no others");
	is_str(header_of(a, "authorization", 0), "Basic app",
	    "operator-37: its Authorization");
	is_str(header_of(a, "x-forwarded-proto", 0), "http",
	    "X-Forwarded-Proto is the scheme of Origin");
	ok(strstr(a, "1.2.3.4") == NULL && strstr(a, "gone") == NULL &&
	    strstr(a, "Via") == NULL && strstr(a, "support_proxy") == NULL,
	    "operator-37: no address, nothing by which a page would choose one");
	ok(strstr(a, "X-Internal-Secret: s\r\nX-Session-Token: t\r\n"
	    "X-Proxy-Host: u\r\n") != NULL && strstr(a, "Override: PUT"),
	    "what is the application's own passes");
	ok(strstr(a, "X-Hop") == NULL && strstr(a, "TE:") == NULL,
	    "hop-by-hop fields end here");
	is_str(header_of(a, "accept-encoding", 0), "br",
	    "Accept-Encoding passes");
	put(st, "OK\nHTTP/1.1 200 Fine\r\nContent-Length: 2\r\n"
	    "X-Frame-Options: DENY\r\nClear-Site-Data: *\r\nAlt-Svc: x\r\n"
	    "Strict-Transport-Security: y\r\nNEL: z\r\nReport-To: w\r\n"
	    "Access-Control-Allow-Origin: *\r\nKeep-Alive: timeout=5\r\n"
	    "Content-Security-Policy: default-src 'self'; frame-ancestors "
	    "https://a; img-src *\r\nSet-Cookie: s=1; Domain=x.example; Foo=b "
	    "; path=/\r\nSet-Cookie: support_proxy=evil\r\nSet-Cookie: u=\"v\";"
	    " SameSite=None; Secure\r\nSet-Cookie: Support_Proxy_x=1\r\n"
	    "X-App: kept\r\n\r\nok");
	a = answer(fd);
	if (a == NULL)
		bail_out("no answer");
	ok(strncmp(a, "HTTP/1.1 200 Fine\r\n", 19) == 0,
	    "the status line passes");
	is_str(body_of(a), "ok", "the body passes");
	is_str(header_of(a, "x-app", 0), "kept", "other fields pass");
	ok(strstr(a, "X-Frame") == NULL && strstr(a, "Alt-Svc") == NULL &&
	    strstr(a, "NEL") == NULL && strstr(a, "Report-To") == NULL &&
	    strstr(a, "Access-Control") == NULL && strstr(a, "Keep-") == NULL,
	    "what must not reach the browser does not");
	ok(strstr(a, "Clear-Site") == NULL && strstr(a, "Strict") == NULL,
	    "operator-44: no Clear-Site-Data, no HSTS");
	is_str(header_of(a, "content-security-policy", 0),
	    "default-src 'self'; img-src *; frame-ancestors 'self'",
	    "operator-44: the policy survives, with 'self' for whom it may be "
	    "framed by");
	is_str(header_of(a, "set-cookie", 0),
	    "s=1; Foo=b ; path=/; Secure; SameSite=Lax",
	    "operator-43: Domain goes, unknown attributes stay");
	is_str(header_of(a, "set-cookie", 1), "__Host-~s="
	    "#zqOHijNLJARp0Vn_hAtkNA; Foo=b; Path=/; Secure; HttpOnly; "
	    "Priority=High; SameSite=Lax", "with its witness");
	is_str(header_of(a, "set-cookie", 2), "u=\"v\"; SameSite=None; Secure",
	    "operator-43: SameSite stays");
	is_str(header_of(a, "set-cookie", 4), "",
	    "operator-43: no cookie named like ours");
	close(st);
	close(fd);

	/* With a host, and with a prefix. */
	services(&d, "web", "10.0.0.5:8080", "app.lan", "", "/panel");
	fd = browser(&d, 0);
	put(fd, "POST /panel/x HTTP/1.1\r\nHost: " HOST "\r\nCookie: "
	    "support_proxy=%s\r\nOrigin: https://" HOST "\r\nReferer: https://"
	    HOST "/p?q\r\nContent-Length: 0\r\n\r\n",
	    proxy_token(SESSION, "one"));
	st = stream_yes(&d);
	a = request_at(st);
	ok(strncmp(a, "POST /x HTTP/1.1\r\n", 18) == 0,
	    "operator-39: /panel/x is stripped; the old cookie name is taken");
	is_str(header_of(a, "host", 0), "app.lan",
	    "operator-38: Host is the service's");
	is_str(header_of(a, "origin", 0), "http://app.lan",
	    "operator-38: Origin is the service's");
	is_str(header_of(a, "referer", 0), "http://app.lan/p?q",
	    "operator-38: Referer keeps its own path");
	is_str(header_of(a, "content-length", 0), "0", "Content-Length: 0");
	close(st);
	is_int(status_of(answer(fd)), 502, "stream lost: 502");
	close(fd);
	services(&d, "web", "10.0.0.5:8080", "", "", "");
	flush_authd(&d);
}

/* One request with this field and the answer with that; what was asked. */
static char *
through(const char *field, const char *status, const char *location)
{
	int	 fd = browser(&d, 0), st;
	char	*a;

	put(fd, "GET /dir?x HTTP/1.1\r\nHost: " HOST "\r\n%sCookie: "
	    "support_proxy_" SLUG "=%s\r\n\r\n", field,
	    proxy_token(SESSION, "one"));
	st = stream_yes(&d);
	free(asked);
	asked = strdup(request_at(st));
	put(st, "OK\nHTTP/1.1 %s\r\nContent-Length: 0\r\nLocation: %s\r\n"
	    "Connection: close\r\n\r\n", status, location);
	a = answer(fd);
	close(fd);
	close(st);
	return (a);
}

/* Where an answer sends the browser. */
static void
redirects(void)
{
	char	*a;

	a = through("Origin: null\r\nSec-Fetch-Site: same-origin\r\n",
	    "301 Moved", "http://10.0.0.5:8080/dir/");
	is_str(header_of(a, "location", 0), "https://" HOST "/dir/",
	    "operator-42: a directory's redirect stays in the tunnel");
	is_str(header_of(asked, "origin", 0), "null",
	    "operator-38: a page that hides where it is");
	is_str(header_of(through("", "302 Found",
	    "https://elsewhere.example/"), "location", 0),
	    "https://elsewhere.example/", "operator-42: a stranger's is left");
	ok(strstr(asked, "Origin") == NULL && strstr(asked, "Referer") == NULL,
	    "operator-38: none where the browser sent none");
	(void)through("Referer: https://console.example/x\r\nSec-Fetch-Site: "
	    "none\r\n", "200 OK", "/");
	ok(strstr(asked, "console") == NULL,
	    "operator-38: where the browser came from is not told");

	/* One that wants https, and one that is never content. */
	services(&d, "web", "10.0.0.5:80", "", "", "");
	a = through("", "308 Moved", "https://10.0.0.5/dir?x");
	is_str(header_of(a, "location", 0), "https://" HOST "/dir?x",
	    "a device that sends browsers to its https");
	is_str(header_of(asked, "x-forwarded-proto", 0), "http",
	    "was told the truth");
	a = through("Origin: https://" HOST "\r\n", "200 OK", "/");
	is_str(header_of(asked, "x-forwarded-proto", 0), "https",
	    "and then what it wants to hear");
	is_str(header_of(asked, "origin", 0), "https://10.0.0.5",
	    "as Origin says");
	is_str(header_of(asked, "host", 0), "10.0.0.5", "and Host");
	a = through("", "302 Found", "https://10.0.0.5/login");
	is_int(status_of(a), 302, "it may send elsewhere");
	a = through("", "302 Found", "https://10.0.0.5/dir?x");
	is_int(status_of(a), 502, "but not round in circles");
	ok(strstr(body_of(a), "insists on https") != NULL, "with the reason");
	services(&d, "web", "10.0.0.5:8080", "", "", "");
	flush_authd(&d);
}

static void
origins(void)
{
	static const char	other[] =
	    "web--11111111222233334444555555555555." DOMAIN;
	char			*a;
	int			 fd, st;

	a = ask("POST / HTTP/1.1\r\nHost: " HOST "\r\nOrigin: https://%s\r\n"
	    "Content-Length: 0\r\n\r\n", other);
	is_int(status_of(a), 403, "operator-36: POST of another session");
	a = ask("GET / HTTP/1.1\r\nHost: " HOST "\r\nOrigin: https://%s\r\n"
	    "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", other);
	is_int(status_of(a), 403, "operator-36: upgrade of another session");
	a = ask("POST / HTTP/1.1\r\nHost: " HOST "\r\n"
	    "Content-Length: 0\r\n\r\n");
	is_int(status_of(a), 401,
	    "operator-36: POST of what is no browser: only the token counts");
	a = ask("POST / HTTP/1.1\r\nHost: " HOST "\r\nSec-Fetch-Mode: cors"
	    "\r\nContent-Length: 0\r\n\r\n");
	is_int(status_of(a), 403, "POST of a browser that names no page: 403");
	a = ask("POST / HTTP/1.1\r\nHost: " HOST "\r\nReferer: https://%s/\r\n"
	    "Content-Length: 0\r\n\r\n", other);
	is_int(status_of(a), 403, "POST with a foreign Referer: 403");
	a = ask("GET /i.png HTTP/1.1\r\nHost: " HOST "\r\n"
	    "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n\r\n");
	is_int(status_of(a), 403, "a cross-site image: 403");
	a = ask("GET / HTTP/1.1\r\nHost: " HOST "\r\nOrigin: null\r\n\r\n");
	is_int(status_of(a), 403, "Origin null: 403");
	a = ask("POST / HTTP/1.1\r\nHost: " HOST "\r\nOrigin: null\r\n"
	    "Sec-Fetch-Site: same-site\r\nContent-Length: 0\r\n\r\n");
	is_int(status_of(a), 403, "Origin null of a sibling or another: 403");
	a = ask("GET / HTTP/1.1\r\nHost: " HOST "\r\nOrigin: http://" HOST
	    "\r\n\r\n");
	is_int(status_of(a), 403, "its own host by http: 403");
	ok(is_quiet(d.authd, 20), "operator-36: nothing reaches authd");
	a = ask("OPTIONS / HTTP/1.1\r\nHost: " HOST "\r\nOrigin: https://api--"
	    SLUG "." DOMAIN "\r\nAccess-Control-Request-Headers: X-A\r\n\r\n");
	is_int(status_of(a), 204, "operator-35(partial): preflight");
	is_str(header_of(a, "access-control-allow-origin", 0),
	    "https://api--" SLUG "." DOMAIN, "operator-35(partial): origin");
	is_str(header_of(a, "access-control-allow-headers", 0), "X-A",
	    "operator-35(partial): headers echoed");
	fd = browser(&d, 0);
	put(fd, "GET / HTTP/1.1\r\nHost: " HOST "\r\nOrigin: https://api--"
	    SLUG "." DOMAIN "\r\nCookie: support_proxy_" SLUG "=%s\r\n\r\n",
	    proxy_token(SESSION, "one"));
	st = stream_yes(&d);
	is_str(header_of(request_at(st), "origin", 0), "null",
	    "operator-38: of a sibling that is in no table");
	put(st, "OK\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
	    "Access-Control-Allow-Origin: *\r\n\r\n");
	a = answer(fd);
	is_str(header_of(a, "access-control-allow-origin", 0),
	    "https://api--" SLUG "." DOMAIN, "operator-35: a sibling's GET");
	is_str(header_of(a, "access-control-allow-origin", 1), "",
	    "operator-35: exactly one value");
	is_str(header_of(a, "vary", 0), "Origin", "operator-35: Vary");
	close(fd);
	close(st);
}

static void
kept(void)
{
	int		 fd, fd2, st, st2;
	struct msg_idle_dropped	 in;
	struct imsg	*m;
	char		*a;

	fd = browser(&d, 0);
	st = open_stream(&d, fd, "/1", 0);
	a = request_at(st);
	ok(strncmp(a, "GET /1 ", 7) == 0,
	    "the request is written before the reply line is read");
	put(st, "OK\n" OK_LENGTH("1") "1");
	is_str(body_of(answer(fd)), "1", "kept: the first answer");
	get(fd, "/2");
	ok(strncmp(request_at(st), "GET /2 ", 7) == 0,
	    "kept: the second request on the same stream");
	put(st, OK_LENGTH("1") "2");
	is_str(body_of(answer(fd)), "2", "kept: the second answer");
	fd2 = browser(&d, 0);
	get(fd2, "/3");
	ok(strncmp(request_at(st), "GET /3 ", 7) == 0,
	    "kept: another connection with the same grant");
	get(fd, "/4");
	st2 = stream_yes(&d);
	ok(strncmp(request_at(st2), "GET /4 ", 7) == 0,
	    "while it is busy, a second stream is opened");
	put(st2, "OK\n" OK_LENGTH("1") "4");
	is_str(body_of(answer(fd)), "4", "the later one is answered first");
	put(st, OK_LENGTH("1") "3");
	is_str(body_of(answer(fd2)), "3", "and the other after it");

	/* authd needs them back. */
	say_id(d.authd, 77, idle_drop, .session = SESSION);
	m = hear_next(d.authd, idle_dropped, &in);
	ok(m->id == 77 && in.streams == 2,
	    "IDLE_DROP: both are let go");
	ok(end_of(st) == 0 && end_of(st2) == 0, "IDLE_DROP: closed");
	close(st);
	close(st2);

	/* Ten seconds. */
	get(fd, "/5");
	st = stream_yes(&d);
	(void)request_at(st);
	put(st, "OK\n" OK_LENGTH("0"));
	(void)answer(fd);
	drive_clock(&d, 9000);
	ok(is_quiet(st, 50), "kept for 9 s");
	drive_clock(&d, 1100);
	is_int(end_of(st), 0, "operator-51(partial): let go after 10 s");
	close(st);

	/* One that dies: seen while it is idle, or when it is used. */
	get(fd, "/6");
	st = stream_yes(&d);
	(void)request_at(st);
	put(st, "OK\n" OK_LENGTH("0"));
	(void)answer(fd);
	get(fd, "/7");
	(void)request_at(st);
	close(st);
	st = stream_yes(&d);
	ok(strncmp(request_at(st), "GET /7 ", 7) == 0,
	    "a dead kept stream: once more on a fresh one");
	close(st);
	is_int(status_of(answer(fd)), 502, "but only once");

	get(fd, "/8");
	st = stream_yes(&d);
	(void)request_at(st);
	put(st, "OK\n" OK_LENGTH("0"));
	(void)answer(fd);
	put(fd, "POST /9 HTTP/1.1\r\nHost: " HOST "\r\nContent-Length: 3\r\n"
	    "Origin: https://" HOST "\r\nCookie: support_proxy_" SLUG
	    "=%s\r\n\r\nabc", proxy_token(SESSION, "one"));
	(void)get_until(st, "abc");
	close(st);
	is_int(status_of(answer(fd)), 502, "a POST is not said twice");
	close(fd);
	close(fd2);
}

static void
bodies(void)
{
	int	 fd, st;
	char	*a;

	/* Chunked passes as it is; trailers too. */
	fd = browser(&d, 0);
	st = open_stream(&d, fd, "/c", 0);
	(void)request_at(st);
	put(st, "OK\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	put(st, "3;x=y\r\nabc\r\n1");
	put(st, "0\r\n0123456789abcdef\r\n0\r\n\r\n");
	a = answer(fd);
	is_str(body_of(a),
	    "3;x=y\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n",
	    "chunked: every byte as it came");
	put(fd, "HEAD /h HTTP/1.1\r\nHost: " HOST "\r\nCookie: support_proxy_"
	    SLUG "=%s\r\n\r\n", proxy_token(SESSION, "one"));
	(void)request_at(st);
	put(st, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
	a = get_until(fd, "\r\n\r\n");
	is_str(header_of(a, "content-length", 0), "5",
	    "operator-47(partial): HEAD keeps its length");
	get(fd, "/304");
	(void)request_at(st);
	put(st, "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n");
	a = answer(fd);
	is_str(header_of(a, "etag", 0), "\"x\"", "304 has no body");

	/* 100 and 103 before the answer; the body streams up meanwhile. */
	put(fd, "POST /u HTTP/1.1\r\nHost: " HOST "\r\nCookie: support_proxy_"
	    SLUG "=%s\r\nOrigin: https://" HOST "\r\nExpect: 100-continue\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n", proxy_token(SESSION, "one"));
	a = request_at(st);
	is_str(header_of(a, "expect", 0), "100-continue", "Expect passes");
	put(st, "HTTP/1.1 100 Continue\r\n\r\n");
	is_int(status_of(answer(fd)), 100, "100 comes back");
	put(st, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
	is_str(header_of(answer(fd), "link", 0), "</a>", "103 comes back");
	put(fd, "4\r\nwxyz\r\n0\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n");
	a = get_until(st, "0\r\n\r\n");
	is_str(a, "4\r\nwxyz\r\n0\r\n\r\n", "a chunked body goes up");
	ok(is_quiet(st, 20), "what follows it does not");
	put(st, OK_LENGTH("2") "up");
	is_str(body_of(answer(fd)), "up", "its answer");
	is_int(status_of(answer(fd)), 404, "then the next request");

	/* An early answer, with the rest of the body still to come. */
	put(fd, "POST /e HTTP/1.1\r\nHost: " HOST "\r\nCookie: support_proxy_"
	    SLUG "=%s\r\nOrigin: https://" HOST "\r\nContent-Length: 100000\r\n"
	    "\r\nxyz", proxy_token(SESSION, "one"));
	(void)get_until(st, "xyz");
	put(st, "HTTP/1.1 413 Too Big\r\nContent-Length: 3\r\n\r\nbig");
	a = answer(fd);
	is_str(body_of(a), "big", "an early answer arrives");
	is_str(header_of(a, "connection", 0), "close", "and closes");
	is_int(end_of(fd), 0, "cleanly");
	is_int(end_of(st), 0, "its stream too");
	close(st);
	close(fd);

	/* To the end of the connection: clean, then broken. */
	fd = browser(&d, 0);
	st = open_stream(&d, fd, "/z", 0);
	(void)request_at(st);
	put(st, "OK\nHTTP/1.1 200 OK\r\n\r\nwhole");
	shutdown(st, SHUT_WR);
	a = answer(fd);
	is_str(body_of(a), "5\r\nwhole\r\n0\r\n\r\n", "a clean end is said");
	close(fd);
	close(st);
	fd = browser(&d, 0);
	st = open_stream(&d, fd, "/z", 0);
	(void)request_at(st);
	put(st, "OK\nHTTP/1.1 200 OK\r\n\r\npart");
	(void)get_until(fd, "part\r\n");
	close(st);
	is_int(end_of(fd), ECONNRESET,
	    "operator-52: a broken end resets the connection");
	close(fd);
	fd = browser(&d, 0);
	st = open_stream(&d, fd, "/z", 0);
	(void)request_at(st);
	put(st, "OK\n" OK_LENGTH("10") "part");
	(void)get_until(fd, "part");
	shutdown(st, SHUT_WR);
	is_int(end_of(fd), ECONNRESET,
	    "operator-52: a short body resets the connection");
	close(fd);
	close(st);

	/* What has no body has no length, whatever the service says. */
	fd = browser(&d, 0);
	st = open_stream(&d, fd, "/none", 0);
	(void)request_at(st);
	put(st, "OK\nHTTP/1.1 204 N\r\nContent-Length: 5\r\n\r\n");
	is_str(header_of(answer(fd), "content-length", 0), "",
	    "204: no length");
	close(fd);
	close(st);

	/* HTTP/1.0 gets the data without the chunks. */
	fd = browser(&d, 0);
	put(fd, "GET /old HTTP/1.0\r\nHost: " HOST "\r\nCookie: support_proxy_"
	    SLUG "=%s\r\n\r\n", proxy_token(SESSION, "one"));
	st = stream_yes(&d);
	(void)request_at(st);
	put(st, "OK\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
	is_str(body_of(answer(fd)), "abcde", "HTTP/1.0: no chunks");
	close(fd);
	close(st);
}

/* What comes behind a request that waits moves nothing of it, nor is lost. */
static void
behind(void)
{
	static char	 more[65536];
	int		 fd = browser(&d, 0), i, n = 0, many = 0, good = 0;

	for (; n + 200 < (int)sizeof(more); many++)
		n += snprintf(more + n, sizeof(more) - (size_t)n,
		    "GET /none HTTP/1.1\r\nHost: x\r\nX-Pad: %0100d\r\n\r\n",
		    0);
	put(fd, "GET /waits HTTP/1.1\r\nHost: " HOST "\r\nX-Mark: m1\r\n"
	    "Cookie: support_proxy_" SLUG "=%s\r\n\r\n",
	    proxy_token(SESSION, "behind"));
	put_bytes(fd, more, (size_t)n);
	grant_yes(&d, 77);
	i = stream_yes(&d);
	ok(strstr(request_at(i), "X-Mark: m1\r\n") != NULL,
	    "behind a request that waits: its head is whole");
	put(i, "OK\n" OK_LENGTH("1") "w");
	is_str(body_of(answer(fd)), "w", "behind it: its answer");
	close(i);
	for (i = 0; i < many; i++)
		good += status_of(answer(fd)) == 404;
	is_int(good, many, "behind it: every one is answered");
	close(fd);
}

int
main(void)
{
	struct conf	cf;

	proxyd_conf(&cf);
	drive_start(&d, ROLE_PROXYD, &cf);
	hosts();
	exchange();
	refused();
	heads();
	redirects();
	origins();
	kept();
	bodies();
	behind();
	ok(!drive_logged(&d, proxy_token(SESSION, "one")) &&
	    !drive_logged(&d, "x=%26") && !drive_logged(&d, "support_proxy_"),
	    "operator-63(partial): no token, cookie or query in the log");
	is_int(drive_leave(&d), 0, "proxyd ends well");
	return (done_testing());
}
