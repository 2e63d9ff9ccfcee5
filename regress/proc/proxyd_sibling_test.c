/* SPDX-License-Identifier: ISC */
/* Services that share a host: which of them a path is for. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "regress/lib/proxyd_story.h"
#include "regress/lib/tap.h"

static struct drive	d;

static void
granted_on(uint32_t call, uint64_t grant, const char *session)
{
	say_id(d.authd, call, granted, .grant = grant, .session = session,
	    .operator = "op", .expires = (uint64_t)time(NULL) + 28800,
	    .idle_max = 32);
}

static void
grant_siblings(uint64_t grant)
{
	static const struct {
		const char	*name, *host, *path, *prefix;
	} t[] = {
		{ "ui", "app.lan", "", "" },
		{ "api", "App.LAN", "", "/api/" },
		{ "twin", "app.lan", "/api", "" },
		{ "v2", "app.lan", "/api/v2", "/" },
		{ "other", "b.lan", "", "" },
		{ "bare", "", "", "" },
	};
	uint32_t	call = hear_next(d.authd, grant, NULL)->id;
	size_t		i;

	say(d.authd, services_begin, .version = 2, .count = 6,
	    .session = SESSION);
	for (i = 0; i < 6; i++)
		say(d.authd, service, .name = t[i].name,
		    .target = "10.0.0.5:80", .host = t[i].host,
		    .path = t[i].path, .path_prefix = t[i].prefix);
	say(d.authd, services_end);
	granted_on(call, grant, SESSION);
}

/* The service that is asked for, by its name; the path as it gets it. */
static const char *
asked_for(const char *label, const char *path, uint64_t grant, char line[64])
{
	static char		 name[SERVICE_SIZE];
	struct msg_stream_open	 in;
	int			 fd = browser(&d, 0), sv[2];
	const char		*a;
	uint32_t		 id;

	put(fd, "GET %s HTTP/1.1\r\nHost: %s--" SLUG "." DOMAIN "\r\n"
	    "Cookie: support_proxy_" SLUG "=%s\r\n\r\n", path, label,
	    proxy_token(SESSION, "siblings"));
	if (grant != 0)
		grant_siblings(grant);
	id = hear_next(d.authd, stream_open, &in)->id;
	snprintf(name, sizeof(name), "%s", in.service);
	stream_pair(sv);
	say_fd(d.authd, id, sv[1], stream_opened, .stream = 7000 + id);
	a = request_at(sv[0]);
	snprintf(line, 64, "%.*s", (int)strcspn(a, "\r"), a);
	put(sv[0], "OK\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
	    "Connection: close\r\n\r\n");
	is_str(header_of(answer(fd), "content-security-policy", 0),
	    "frame-ancestors 'self'", "operator-44(partial): who has no policy "
	    "gets one");
	close(sv[0]);
	close(fd);
	return (name);
}

static void
siblings(void)
{
	char	line[64];

	is_str(asked_for("ui", "/", 800, line), "ui", "/ is for the named one");
	is_str(asked_for("ui", "/api/login?x", 0, line), "api",
	    "operator-40: /api/login is for /api's");
	is_str(line, "GET /login?x HTTP/1.1", "operator-40: by its own rule");
	is_str(asked_for("ui", "/api", 0, line), "api", "operator-40: /api too");
	is_str(asked_for("ui", "/apix", 0, line), "ui",
	    "operator-40: /apix is not");
	is_str(asked_for("ui", "/api/v2/x", 0, line), "v2",
	    "operator-40: the longest wins");
	is_str(line, "GET /api/v2/x HTTP/1.1", "a path stays");
	is_str(asked_for("twin", "/api/login", 0, line), "twin",
	    "operator-40: of two that are equal the named one has it");
	is_str(asked_for("other", "/api/login", 0, line), "other",
	    "another host's services have no say");
	is_str(asked_for("bare", "/api/login", 0, line), "bare",
	    "nor have others for one without a host");
}

/* ---- of several sessions ---- */

#define SECOND	"22222222-3e4f-4061-8283-94a5b6c7d8e9"
#define FAR	"33333333-3e4f-4061-8283-94a5b6c7d8e9"
#define P(l)	"https://" l "--" SLUG "." DOMAIN

struct entry {
	const char	*name, *target, *host, *prefix, *node;
};

static void
table(const char *session, const char *system, const char *node, int anew,
    const struct entry *t, unsigned n)
{
	static uint32_t	version = 10;
	unsigned	i;

	say(d.authd, services_begin, .version = ++version, .count = n,
	    .session = session, .system = system, .node = node,
	    .anew = (uint8_t)anew);
	for (i = 0; i < n; i++)
		say(d.authd, service, .name = t[i].name, .target = t[i].target,
		    .host = t[i].host, .path_prefix = t[i].prefix,
		    .node_id = t[i].node);
	say(d.authd, services_end);
	flush_authd(&d);		/* browsers come after it */
}

static const struct entry	first[] = {
	{ "ui", "10.0.0.1:80", "app.lan", "", "" },
	{ "api", "10.0.0.1:81", "app.lan", "/api", "" },
	{ "both", "10.0.0.2:443", "both.lan", "", "2" },
	{ "alone", "10.0.0.3:80", "alone.lan", "", "7" },
};
static const struct entry	second[] = {
	{ "files", "10.0.0.1:90", "APP.lan", "/files/", "" },
	{ "ui", "10.0.0.1:91", "app.lan", "/deep", "" },
	{ "both", "127.0.0.1:443", "both.lan", "", "2" },
	{ "only", "10.0.0.4:80", "only.lan", "", "" },
	{ "bare", "10.0.0.1:92", "", "", "" },
};
static const struct entry	far[] = {
	{ "thief", "10.0.0.6:80", "app.lan", "/files/more", "" },
};
#define N(t)	((unsigned)(sizeof(t) / sizeof(t[0])))

static int
ask(const char *label, const char *path)
{
	int	fd = browser(&d, 0);

	put(fd, "GET %s HTTP/1.1\r\nHost: %s--" SLUG "." DOMAIN "\r\n"
	    "Cookie: support_proxy_" SLUG "=%s\r\n\r\n", path, label,
	    proxy_token(SESSION, "several"));
	return (fd);
}

/* A question for a grant on the sibling: its call. */
static uint32_t
asks_for(const char *service)
{
	struct msg_grant	in;
	uint32_t		call = hear_next(d.authd, grant, &in)->id;

	ok(strcmp(in.slug, SLUG) == 0 && strcmp(in.sibling, SECOND) == 0 &&
	    strcmp(in.service, service) == 0 && !in.bearer &&
	    strcmp(in.token, proxy_token(SESSION, "several")) == 0,
	    "operator-40(partial): %s: a grant on the sibling is asked for, "
	    "with the same token", service);
	return (call);
}

/* Open: the stream's end, if it is asked for as it should be. */
static int
opens(uint64_t grant, const char *service, const char *line)
{
	struct msg_stream_open	in;
	uint32_t		id = hear_next(d.authd, stream_open, &in)->id;
	const char		*a;
	int			sv[2];

	ok(in.grant == grant && strcmp(in.service, service) == 0,
	    "operator-40: a stream to %s of session %s (%s, %llu)", service,
	    grant == 900 ? "one" : "two", in.service,
	    (unsigned long long)in.grant);
	stream_pair(sv);
	say_fd(d.authd, id, sv[1], stream_opened, .stream = 8000 + id);
	a = request_at(sv[0]);
	ok(strncmp(a, line, strlen(line)) == 0, "operator-39(partial): %s",
	    line);
	return (sv[0]);
}

/* It answers, and sends the browser `to`: what that becomes. */
static const char *
sends(int fd, int st, const char *to)
{
	static char	got[256];
	const char	*a, *v;

	put(st, "OK\nHTTP/1.1 302 Found\r\nContent-Length: 0\r\n"
	    "Location: %s\r\nConnection: close\r\n\r\n", to);
	a = answer(fd);
	v = strstr(a, "Location: ");
	snprintf(got, sizeof(got), "%.*s", v == NULL ? 0 :
	    (int)strcspn(v + 10, "\r"), v == NULL ? "" : v + 10);
	close(st);
	close(fd);
	return (got);
}

/* Who serves a path, and where its answers send the browser. */
static const struct {
	const char	*label, *path;
	uint64_t	 grant;		/* 900: of the host's own session */
	const char	*service, *line, *sends, *becomes, *what;
} ways[] = {
	{ "ui", "/files/x", 901, "files", "GET /x HTTP/1.1",
	    "http://10.0.0.1:90/files/", P("files") "/files/",
	    "operator-42: by its target, as its own node knows it" },
	{ "ui", "/files/more/x", 901, "files", "GET /more/x HTTP/1.1",
	    "http://10.0.0.1:81/", "http://10.0.0.1:81/",
	    "operator-42: another node's target is a stranger" },
	{ "ui", "/deep/x", 901, "ui", "GET /x HTTP/1.1",
	    "http://10.0.0.1:91/y", P("ui") "/y",
	    "operator-42: one whose label is taken stays on the browser's" },
	{ "ui", "/api/x", 900, "api", "GET /x HTTP/1.1",
	    "http://only.lan/", P("only") "/",
	    "operator-42: a host that only a sibling knows" },
	{ "only", "/", 901, "only", "GET / HTTP/1.1",
	    "http://app.lan/", P("ui") "/", "operator-42: and back" },
	{ "both", "/", 901, "both", "GET / HTTP/1.1", "/x", "/x",
	    "in the tunnel of the node that it is on" },
	{ "alone", "/", 900, "alone", "GET / HTTP/1.1", "/x", "/x",
	    "or the first that knows it" },
};

static void
several(void)
{
	int		fd, st;
	uint32_t	call;
	size_t		i;

	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		fd = ask(ways[i].label, ways[i].path);
		if (i == 0) {
			call = hear_next(d.authd, grant, NULL)->id;
			table(SESSION, "sys", "1", 1, first, N(first));
			table(SECOND, "sys", "2", 0, second, N(second));
			table(FAR, "else", "2", 1, far, N(far));
			granted_on(call, 900, SESSION);
			granted_on(asks_for("files"), 901, SECOND);
		}
		st = opens(ways[i].grant, ways[i].service, ways[i].line);
		is_str(sends(fd, st, ways[i].sends), ways[i].becomes, "%s",
		    ways[i].what);
	}
	fd = ask("bare", "/");
	call = hear_next(d.authd, stream_open, NULL)->id;
	say_id(d.authd, call, stream_refused, .status = 404,
	    .message = "service not found in tunnel manifest");
	is_int(status_of(answer(fd)), 404,
	    "without a host a service is on its own session's hosts only");
	close(fd);
}

/* What a sibling says no to, with a change of its table before, and without. */
static void
astray(void)
{
	int		fd, st;
	uint32_t	call;

	fd = ask("ui", "/files/x");
	call = hear_next(d.authd, stream_open, NULL)->id;
	table(SECOND, "sys", "2", 0, NULL, 0);
	say_id(d.authd, call, stream_refused, .status = 404,
	    .message = "tunnel not found for session");
	st = opens(900, "ui", "GET /files/x HTTP/1.1");
	(void)sends(fd, st, "/");
	table(SECOND, "sys", "2", 0, second, N(second));
	fd = ask("ui", "/files/x");
	call = hear_next(d.authd, stream_open, NULL)->id;
	say_id(d.authd, call, stream_refused, .status = 404,
	    .message = "tunnel not found for session");
	is_int(status_of(answer(fd)), 404, "no other way: its answer");
	close(fd);
	say(d.authd, grant_end, .grant = 901, .why = END_SESSION);
	flush_authd(&d);
	fd = ask("ui", "/files/x");
	call = asks_for("files");
	table(SECOND, "sys", "2", 0, NULL, 0);
	say_id(d.authd, call, granted, .status = 404,
	    .message = "support session not found");
	st = opens(900, "ui", "GET /files/x HTTP/1.1");
	(void)sends(fd, st, "/");
}

/* A sibling's end, while the host's own session goes on. */
static void
ends(void)
{
	int	fd, st;

	table(SECOND, "sys", "2", 0, second, N(second));
	fd = ask("ui", "/files/x");
	granted_on(asks_for("files"), 902, SECOND);
	st = opens(902, "files", "GET /x HTTP/1.1");
	put(st, "OK\nHTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
	(void)get_until(fd, "half");
	say(d.authd, grant_end, .grant = 902, .why = END_SESSION);
	is_int(end_of(fd), ECONNRESET, "operator-34(partial): what runs there ends");
	close(st);
	close(fd);
	flush_authd(&d);
	table(SESSION, "sys", "1", 1, first, N(first));
	fd = ask("ui", "/files/x");
	st = opens(900, "ui", "GET /files/x HTTP/1.1");
	(void)sends(fd, st, "/");
	ok(1, "authd begins anew: siblings that it does not name are none");
}

/* A grant is for what it was asked for, not for whoever has the same bytes. */
static void
kinds(void)
{
	struct msg_grant	 in;
	const char		*token = proxy_token(SESSION, "kinds");
	int			 fd = browser(&d, 0);
	uint32_t		 call;

	put(fd, "GET / HTTP/1.1\r\nHost: ui--" SLUG "." DOMAIN "\r\n"
	    "Cookie: support_proxy_" SLUG "=%s\r\n\r\n", token);
	call = hear_next(d.authd, grant, &in)->id;
	is_int(in.bearer, 0, "a cookie is a proxy token's");
	table(SESSION, "sys", "1", 0, first, N(first));
	granted_on(call, 903, SESSION);
	(void)sends(fd, opens(903, "ui", "GET / HTTP/1.1"), "/");
	fd = browser(&d, 0);
	put(fd, "GET /api/support-sessions/" SESSION "/proxy/ui/ HTTP/1.1\r\n"
	    "Host: a\r\nAuthorization: Bearer %s\r\n\r\n", token);
	(void)hear_next(d.authd, grant, &in);
	ok(in.bearer == 1 && strcmp(in.service, "ui") == 0,
	    "the same bytes as a bearer are an operator's, and asked about");
	close(fd);
}

int
main(void)
{
	struct conf	cf;

	proxyd_conf(&cf);
	drive_start(&d, ROLE_PROXYD, &cf);
	siblings();
	say(d.authd, grant_end, .grant = 800, .why = END_SESSION);
	flush_authd(&d);
	several();
	astray();
	ends();
	kinds();
	is_int(drive_leave(&d), 0, "proxyd ends well");
	return (done_testing());
}
