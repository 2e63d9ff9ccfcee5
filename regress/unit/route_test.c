/* SPDX-License-Identifier: ISC */
#include "proxyd/http/urlmap.h"
#include "api/api.h"
#include "base/uuid.h"
#include "proxyd/door/route.h"
#include "regress/lib/services_of.h"
#include "regress/lib/tap.h"

#define SLUG	"0f8b1c2d3e4f5061728394a5b6c7d8e9"
#define ID	"0f8b1c2d-3e4f-5061-7283-94a5b6c7d8e9"

static struct conf	cf;
static struct httphead	h;
static char		text[4096];

static const struct httphead *
head(const char *line, const char *fields)
{
	struct httphead_scan	scan = { 0, 0, 0 };
	const char		*why = "incomplete";
	int			 status;

	snprintf(text, sizeof(text), "%s HTTP/1.1\r\n%s\r\n", line, fields);
	if (httphead_request(&h, &scan, text, strlen(text), &status, &why) != 1)
		diag("%s: %s", line, why);
	return (&h);
}

static void
goes(const char *line, const char *fields, uint32_t flags, enum route want)
{
	struct route_to	to;

	(void)head(line, fields);
	is_int(route_find(&to, &h, &h.host, flags, &cf), want,
	    "%s, listener %u", line, (unsigned)flags);
}

static const struct {
	const char	*line;
	enum route	 relay, both, pair;
} only[] = {
	{ "GET /ws", ROUTE_NOT_FOUND, ROUTE_PAIR, ROUTE_PAIR },
	{ "GET /ws/", ROUTE_NOT_FOUND, ROUTE_NOT_FOUND, ROUTE_NOT_FOUND },
	{ "GET /relay/x", ROUTE_RELAY, ROUTE_RELAY, ROUTE_NOT_FOUND },
	{ "POST /admin/sessions", ROUTE_ADMIN, ROUTE_ADMIN, ROUTE_NOT_FOUND },
	{ "GET /healthz", ROUTE_ADMIN, ROUTE_ADMIN, ROUTE_PROBE },
	{ "GET /readyz", ROUTE_PROBE, ROUTE_PROBE, ROUTE_PROBE },
	{ "GET /health", ROUTE_PROBE, ROUTE_PROBE, ROUTE_PROBE },
	{ "GET /api/tunnel", ROUTE_NOT_FOUND, ROUTE_NOT_FOUND,
	    ROUTE_NOT_FOUND },
	{ "GET /api/systems", ROUTE_NOT_FOUND, ROUTE_NOT_FOUND,
	    ROUTE_NOT_FOUND },
	{ "GET /", ROUTE_NOT_FOUND, ROUTE_NOT_FOUND, ROUTE_NOT_FOUND },
};

static void
routes(void)
{
	size_t	i;

#define PROXY	"Host: web--" SLUG ".d.example\r\n"
#define UP	"Connection: upgrade\r\nUpgrade: websocket\r\n"
	goes("GET /api/tunnel", PROXY, 0, ROUTE_PROXY);
	goes("GET /api/tunnel", PROXY, LISTEN_INTERNAL, ROUTE_TUNNEL);
	goes("GET /", "Host: x.d.example\r\n", 0, ROUTE_BAD_HOST);
	goes("GET /", "Host: -a--" SLUG ".d.example\r\n", 0, ROUTE_BAD_NAME);
	goes("GET /api/tunnel", "Host: a\r\n", 0, ROUTE_TUNNEL);
	goes("POST /support/api/tunnel?x", "Host: a\r\n", 0, ROUTE_TUNNEL);
	goes("GET /api/tunnel/", "Host: a\r\n", 0, ROUTE_API);
	goes("GET /api/tunnel", "Host: a\r\n", LISTEN_TUNNEL, ROUTE_TUNNEL);
	goes("GET /api/health", "Host: a\r\n", LISTEN_INTERNAL, ROUTE_HEALTH);
	goes("GET /api/health", "Host: a\r\n", LISTEN_TUNNEL, ROUTE_NOT_FOUND);
	for (i = 0; i < sizeof(only) / sizeof(only[0]); i++) {
		cf.relay = 1;
		goes(only[i].line, "Host: a\r\n", LISTEN_RELAY | LISTEN_ONLY,
		    only[i].relay);
		goes(only[i].line, "Host: a\r\n", LISTEN_RELAY | LISTEN_PAIR |
		    LISTEN_ONLY, only[i].both);
		goes(only[i].line, "Host: a\r\n", LISTEN_PAIR | LISTEN_ONLY,
		    only[i].pair);
		cf.relay = 0;
	}
	goes("GET /relay/x", "Host: a\r\n", LISTEN_RELAY | LISTEN_ONLY,
	    ROUTE_NOT_FOUND);
	goes("GET /health", "Host: a\r\n", LISTEN_TUNNEL, ROUTE_PROBE);
	goes("GET /health", "Host: a\r\n", LISTEN_INTERNAL, ROUTE_PROBE);
	goes("GET /healthz?a=b", "Host: a\r\n", 0, ROUTE_PROBE);
	goes("GET /readyz", "Host: a\r\n", 0, ROUTE_PROBE);
	goes("GET /", "Host: a\r\n", 0, ROUTE_CONSOLE);
	goes("GET /?token=x", "Host: a\r\n", 0, ROUTE_CONSOLE);
	goes("GET /assets/a.js", "Host: a\r\n", 0, ROUTE_CONSOLE);
	goes("GET /assets", "Host: a\r\n", 0, ROUTE_NOT_FOUND);
	goes("GET /", "Host: a\r\n", LISTEN_TUNNEL, ROUTE_NOT_FOUND);
	goes("GET /", "Host: a\r\n", LISTEN_INTERNAL, ROUTE_NOT_FOUND);
	goes("GET /.well-known/acme-challenge/x", "Host: a\r\n", 0,
	    ROUTE_ACME);
	goes("GET /.well-known/acme-challenge/x", "Host: a\r\n",
	    LISTEN_TUNNEL | LISTEN_TLS, ROUTE_ACME);
	goes("GET /.well-known/acme-challenge/x", "Host: a\r\n",
	    LISTEN_INTERNAL, ROUTE_NOT_FOUND);
	goes("GET /.well-known/acme-challenge/x", PROXY, 0, ROUTE_PROXY);
	goes("GET /.well-known/acme-challenge", "Host: a\r\n", 0,
	    ROUTE_NOT_FOUND);
	goes("GET //health", "Host: a\r\n", 0, ROUTE_NOT_FOUND);
	goes("GET /health/", "Host: a\r\n", 0, ROUTE_NOT_FOUND);
	goes("GET /readyz", PROXY, 0, ROUTE_PROXY);
	goes("GET /api/health", "Host: a\r\n", 0, ROUTE_API);
	goes("GET /api/support-sessions/x/terminal", "Host: a\r\n" UP, 0,
	    ROUTE_TERMINAL);
	goes("GET /api/support-sessions/x/terminal", "Host: a\r\n", 0,
	    ROUTE_API);
	goes("GET /api/support-sessions/x/terminal", "Host: a\r\n" UP,
	    LISTEN_INTERNAL, ROUTE_NOT_FOUND);
	goes("GET /api", "Host: a\r\n", 0, ROUTE_API);
	goes("GET /apix", "Host: a\r\n", 0, ROUTE_NOT_FOUND);
	goes("OPTIONS *", "Host: a\r\n", 0, ROUTE_NOT_FOUND);
	goes("GET /relay/x", "Host: a\r\n", 0, ROUTE_NOT_FOUND);
	snprintf(cf.tunnel_path[0], sizeof(cf.tunnel_path[0]), "/t");
	cf.n_tunnel_path = 1;
	goes("GET /t", "Host: a\r\n", 0, ROUTE_TUNNEL);
	goes("GET /api/tunnel", "Host: a\r\n", 0, ROUTE_API);
}

static void
api(const char *method, const char *path, int want)
{
	struct slice	m = { method, strlen(method) };
	struct slice	p = { path, strlen(path) };
	struct slice	holes[API_HOLES];

	is_int(api_match(&p, &m, holes), want, "%s %s", method, path);
}

static void
calls(void)
{
	api("GET", "/api/support-sessions", API_SESSION_LIST);
	api("GET", "/api/support-sessions/", 0);
	api("GET", "/api/support-sessionsx", 0);
	api("GET", "/api/support-sessions/" ID, API_SESSION_GET);
	api("DELETE", "/api/support-sessions/" ID, API_SESSION_CLOSE);
	api("PUT", "/api/support-sessions/" ID, -1);
	api("GET", "/api/support-sessions/" ID "/services", API_SERVICES);
	api("GET", "/api/support-sessions/" ID "/services/", 0);
	api("POST", "/api/support-sessions/" ID "/proxy-token",
	    API_PROXY_TOKEN);
	api("POST", "/api/support-sessions/" ID "/terminal-ticket",
	    API_TERMINAL_TICKET);
	api("GET", "/api/support-sessions//services", 0);
	api("GET", "/api/support-sessions/diagnostics", API_DIAGNOSTICS_OF);
	api("GET", "/api/systems", API_SYSTEM_LIST);
	api("POST", "/api/systems/register", API_SYSTEM_REGISTER);
	api("GET", "/api/systems/register", API_SYSTEM_GET);
	api("POST", "/api/sign-in", API_SIGN_IN);
	api("GET", "/api/sign-in", -1);
	api("PUT", "/api/systems/a.b", API_SYSTEM_UPDATE);
	api("GET", "/api/systems/", 0);
	api("POST", "/api/systems/a/regenerate-secret", API_SYSTEM_SECRET);
	api("POST", "/api/systems//regenerate-secret", 0);
	ok(uuid_is(ID, sizeof(ID) - 1), "a UUID");
	ok(!uuid_is(ID, sizeof(ID) - 2), "not one");
	ok(!uuid_is("0F8B1C2D-3e4f-5061-7283-94a5b6c7d8e9", 36),
	    "nor in upper case");
}

static const struct host	browser = { "web",
    "0123456789abcdef0123456789abcdef" };
static const struct origin_at	at = { "proxy.example", "https", 443, 0 };

/* What becomes of a path (operator-api.md, 7.7). */
static void
path(const char *in, const char *service_path, const char *prefix,
    const char *want)
{
	char		buf[REQHDR_MAX], line[600];
	struct out	o = { buf, 0, sizeof(buf), 0 };
	struct service	sv = { .label = "web", .target = "t:1" };
	struct service	*v[1];
	struct urlmap	map = { services_of(&sv, 1, v), NULL, NULL, &browser,
			    &at };
	struct reqhdr	a = { .service = &sv, .map = &map, .request = "r1" };

	snprintf(sv.path, sizeof(sv.path), "%s", service_path);
	snprintf(sv.path_prefix, sizeof(sv.path_prefix), "%s", prefix);
	snprintf(line, sizeof(line), "GET %s", in);
	(void)head(line, "Host: a\r\n");
	(void)reqhdr_build(&o, &h, &a);
	snprintf(line, sizeof(line), "GET %s HTTP/1.1\r\n", want);
	ok(o.len > strlen(line) && memcmp(buf, line, strlen(line)) == 0,
	    "operator-39: %s with path '%s', prefix '%s' is %s", in,
	    service_path, prefix, want);
}

/* What becomes of `fields` has `want`, which is all of it with a Cookie. */
static void
cookies(const char *fields, const char *want)
{
	char		 buf[REQHDR_MAX], *one, *two;
	struct out	 o = { buf, 0, sizeof(buf) - 1, 0 };
	struct service	 sv = { .label = "web", .target = "t:1" };
	struct service	*v[1];
	struct urlmap	 map = { services_of(&sv, 1, v), NULL, NULL, &browser,
			    &at };
	struct reqhdr	 a = { .service = &sv, .map = &map, .request = "r1" };

	(void)head("GET /", fields);
	is_int(reqhdr_build(&o, &h, &a), 0, "a request is made");
	buf[o.len] = '\0';
	one = strstr(buf, "Cookie: ");
	two = one == NULL ? NULL : strstr(one + 1, "Cookie: ");
	ok((one == NULL) == (*want == '\0') && two == NULL && (one == NULL ||
	    strncmp(one, want, strlen(want)) == 0), "operator-37: one Cookie "
	    "of %s", fields);
}

static void
all_cookies(void)
{
	cookies("Host: a\r\nCookie: a=1; b=2\r\n", "Cookie: a=1; b=2\r\n");
	cookies("Host: a\r\nCookie: a=1\r\nX: y\r\ncookie: b=2; c\r\n",
	    "Cookie: a=1; b=2; c\r\n");
	cookies("Host: a\r\nCookie: support_proxy=t\r\nCookie: b=2\r\n"
	    "Cookie: __Host-support_proxy=t\r\nCookie: c=3\r\n",
	    "Cookie: b=2; c=3\r\n");
	cookies("Host: a\r\nCookie: support_proxy=t\r\n", "");
	cookies("Host: a\r\n", "");
}

/* What becomes of this If-Match where answers are rewritten, or are not. */
static void
match(const char *value, int rewrites, const char *want)
{
	char		 buf[REQHDR_MAX], field[200], *got;
	struct out	 o = { buf, 0, sizeof(buf) - 1, 0 };
	struct service	 sv = { .label = "web", .target = "t:1" };
	struct service	*v[1];
	struct urlmap	 map = { services_of(&sv, 1, v), NULL, NULL, &browser,
			    &at };
	struct reqhdr	 a = { .service = &sv, .map = &map, .request = "r1",
			    .rewrites = rewrites };

	snprintf(field, sizeof(field), "Host: a\r\nIf-Match: %s\r\n", value);
	(void)head("PUT /", field);
	is_int(reqhdr_build(&o, &h, &a), 0, "a request is made");
	buf[o.len] = '\0';
	if ((got = strstr(buf, "If-Match: ")) != NULL)
		got[strcspn(got, "\r")] = '\0';
	is_str(got == NULL ? "" : got + 10, want, "If-Match: %s", value);
}

static void
matches(void)
{
	match("\"e\"", 1, "\"e\"");
	match("*", 1, "*");
	match("", 1, "");
	match("W/\"e\"", 1, "W/\"e\", \"e\"");
	match("W/\"e\"", 0, "W/\"e\"");
	match("W/\"a\", \"W/\", W/\"b,c\"", 1,
	    "W/\"a\", \"W/\", W/\"b,c\", \"a\", \"b,c\"");
	match("W/\"e", 1, "W/\"e");
	match("W/\"e\"x\"", 1, "W/\"e\"x\", \"e\"");
}

static void
paths(void)
{
	path("/panel", "", "/panel", "/");
	path("/panel/", "", "/panel", "/");
	path("/panel/x", "", "/panel", "/x");
	path("/panelx", "", "/panel", "/panelx");
	path("/panel?q", "", "/panel/", "/?q");
	path("/x", "/app", "", "/app/x");
	path("/app", "/app", "", "/app");
	path("/app/x", "/app/", "", "/app/x");
	path("/appx", "/app", "", "/app/appx");
	path("/x", "/app", "/panel", "/x");
	path("/x", "/", "/", "/x");
	path("/a%2Fb%20c?x=%26&y", "", "", "/a%2Fb%20c?x=%26&y");
}

/* A response head whose policy grows beyond all room is refused. */
static void
responses(void)
{
	static char		 in[60000], buf[RESPHDR_MAX];
	struct httphead_scan	 scan = { 0, 0, 0 };
	struct out		 o = { buf, 0, sizeof(buf), 0 };
	struct urlmap		 map = { { NULL, 0, 0 }, NULL, NULL, &browser,
				    &at };
	struct resphdr		 a;
	size_t			 n;
	const char		*why = "";

	memset(&a, 0, sizeof(a));
	a.map = &map;
	n = (size_t)snprintf(in, sizeof(in), "HTTP/1.1 200 OK\r\n"
	    "Content-Length: 0\r\nContent-Security-Policy: a");
	while (n < 50000) {
		memcpy(in + n, ",a", 2);
		n += 2;
	}
	memcpy(in + n, "\r\n\r\n", 4);
	is_int(httphead_response(&h, &scan, 1, in, n + 4, &why), 1,
	    "a long policy parses %s", why);
	is_int(resphdr_build(&o, &h, &a), -1, "but has no room: refused");

	n = (size_t)snprintf(in, sizeof(in), "HTTP/1.1 200 \r\n"
	    "Content-Security-Policy: FRAME-ANCESTORS *, x 'y' ;"
	    "frame-ancestorsx z;\r\nSet-Cookie: a=b\r\n\r\n");
	memset(&scan, 0, sizeof(scan));
	(void)httphead_response(&h, &scan, 1, in, n, &why);
	o.len = 0;
	o.over = 0;
	a.close = 1;
	is_int(resphdr_build(&o, &h, &a), 0, "two policies");
	buf[o.len] = '\0';
	is_str(buf, "HTTP/1.1 200 \r\nContent-Security-Policy: frame-ancestors "
	    "'self', x 'y' ; frame-ancestorsx z; frame-ancestors 'self'\r\n"
	    "Set-Cookie: a=b; SameSite=Lax\r\nTransfer-Encoding: chunked\r\n"
	    "Connection: close\r\n\r\n",
	    "each gets its frame-ancestors");
}

int
main(void)
{
	conf_init(&cf);
	snprintf(cf.proxy_domain, sizeof(cf.proxy_domain), "d.example");
	routes();
	calls();
	paths();
	all_cookies();
	matches();
	responses();
	return (done_testing());
}
