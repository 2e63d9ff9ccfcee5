/* SPDX-License-Identifier: ISC */
/*
 * Whose request is this? The rows of architecture.md, and the subdomain
 * proxy's checks in the order of operator-api.md, 7.2: host, Origin, token,
 * exchange, session, stream.
 */
#include <openssl/crypto.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "api.h"
#include "base/clock.h"
#include "base/compat.h"
#include "proc/conf.h"
#include "proxyd/door/conn.h"
#include "proxyd/http/cookie.h"
#include "forward.h"
#include "proxyd/grant.h"
#include "base/log.h"
#include "proc/proc.h"
#include "request.h"
#include "proxyd/door/route.h"
#include "proxyd/session.h"
#include "proxyd/upstream.h"

enum origin { ORIGIN_OK, ORIGIN_SIBLING, ORIGIN_FOREIGN };

static void	proxy_checked(struct conn *, const struct httphead *,
		    const struct route_to *);
static void	request_log(const struct conn *, const struct httphead *);
static int	wants_page(const struct httphead *);
static void	request_health(struct conn *);

/* The name to go by: behind a trusted proxy it is in another field. */
static const struct slice *
host_of(const struct conn *c, const struct httphead *h)
{
	const struct slice	*v;

	if (c->trusted && (v = httphead_get(h, "x-forwarded-host")) != NULL)
		return (v);
	return (&h->host);
}

void
request_begin(struct conn *c, const struct httphead *h)
{
	struct route_to	to;
	char		id[UUID_SIZE] = "";

	c->x.head_len = h->head_len;
	c->x.retried = 0;
	c->is_head = slice_eq(&h->method_name, "HEAD");
	c->keep = (h->flags & HTTPHEAD_KEEPALIVE) != 0;
	c->html = 0;
	c->body_left = (h->flags & HTTPHEAD_CHUNKED) ||
	    ((h->flags & HTTPHEAD_LENGTH) && h->content_length > 0);
	if (log_is_verbose())
		request_log(c, h);
	switch (route_find(&to, h, host_of(c, h), c->listen_flags,
	    proc_conf())) {
	case ROUTE_PROXY:
		proxy_checked(c, h, &to);
		break;
	case ROUTE_BAD_HOST:
		c->html = (unsigned)wants_page(h);
		answer_error(c, 400, "invalid support proxy subdomain");
		break;
	case ROUTE_BAD_NAME:
		c->html = (unsigned)wants_page(h);
		answer_error(c, 400, "invalid service name in subdomain");
		break;
	case ROUTE_HEALTH:
		request_health(c);
		break;
	case ROUTE_TUNNEL:
		give_tunnel(c, h);
		break;
	case ROUTE_TERMINAL:
		if (route_is_uuid(&to.id)) {
			memcpy(id, to.id.s, to.id.len);
			id[to.id.len] = '\0';
		}
		give_terminal(c, h, id);
		break;
	case ROUTE_API:
		api_begin(c, h);
		break;
	case ROUTE_NOT_FOUND:
		if (h->path.len >= 4 && memcmp(h->path.s, "/api", 4) == 0 &&
		    (h->path.len == 4 || h->path.s[4] == '/'))
			answer_error(c, 404, "api not found");
		else
			answer_plain(c, 404, "404 page not found");
		break;
	}
}

/* Never the query: it may hold a token or a ticket. */
static void
request_log(const struct conn *c, const struct httphead *h)
{
	char	addr[ADDR_SIZE], path[256], host[128];

	addr_print(&c->addr, addr);
	log_debug("%s: %.*s %s%s", addr, (int)h->method_name.len,
	    h->method_name.s, log_escape(host, sizeof(host),
	    h->host.s != NULL ? h->host.s : "", h->host.len),
	    log_escape(path, sizeof(path), h->path.s, h->path.len));
}

static int
wants_page(const struct httphead *h)
{
	const struct slice	*v = httphead_get(h, "accept");

	return (v != NULL && memmem(v->s, v->len, "text/html", 9) != NULL);
}

/* operator-api.md, 9 */
static void
request_health(struct conn *c)
{
	static const char	data[] = "{\"service\":\"support\","
	    "\"status\":\"healthy\",\"version\":{\"version\":\""
	    RELAYD_VERSION "\"}}";

	answer_json(c, 200, "service healthy", data, sizeof(data) - 1, NULL);
}

/* ---- the subdomain proxy ---- */

/*
 * operator-api.md, 7.5: what another site's page makes the browser send is
 * refused. Origin decides; without one Sec-Fetch-Site, then Referer; without
 * any only GET and HEAD pass.
 */
static enum origin
origin_check(const struct httphead *h, const struct route_to *to,
    const struct slice **sibling)
{
	const struct conf	*cf = proc_conf();
	const char		*scheme = cf->proxy_plain ? "http" : "https";
	const struct slice	*v, *site, *mode, *dest;
	struct slice		 url, rest;
	uint16_t		 port = (uint16_t)cf->proxy_port;
	int			 plain;

	if ((v = httphead_get(h, "origin")) != NULL && v->len > 0)
		switch (host_origin(v, &to->host, cf->proxy_domain, scheme,
		    port, to->port)) {
		case 2:
			return (ORIGIN_OK);
		case 1:
			*sibling = v;
			return (ORIGIN_SIBLING);
		default:
			return (ORIGIN_FOREIGN);
		}
	plain = (slice_eq(&h->method_name, "GET") ||
	    slice_eq(&h->method_name, "HEAD")) &&
	    !(h->flags & HTTPHEAD_UPGRADE);
	if ((site = httphead_get(h, "sec-fetch-site")) != NULL) {
		if (slice_eq(site, "same-origin") || slice_eq(site, "none"))
			return (ORIGIN_OK);
		mode = httphead_get(h, "sec-fetch-mode");
		dest = httphead_get(h, "sec-fetch-dest");
		if (plain && mode != NULL && slice_eq(mode, "navigate") &&
		    dest != NULL && slice_eq(dest, "document"))
			return (ORIGIN_OK);
	}
	v = httphead_get(h, "referer");
	if (v != NULL && host_url_origin(v, &url, &rest) == 0)
		return (host_origin(&url, &to->host, cf->proxy_domain, scheme,
		    port, to->port) > 0 ? ORIGIN_OK : ORIGIN_FOREIGN);
	return (plain && site == NULL ? ORIGIN_OK : ORIGIN_FOREIGN);
}

/* The answer to a sibling's preflight. */
static void
answer_preflight(struct conn *c, const struct httphead *h,
    const struct slice *origin)
{
	static char		 extra[HTTPHEAD_MAX + 512];
	const struct slice	*want;
	static const struct slice dflt = {
	    "Content-Type, Authorization, X-Requested-With", 45 };

	if ((want = httphead_get(h, "access-control-request-headers")) == NULL)
		want = &dflt;
	snprintf(extra, sizeof(extra),
	    "Access-Control-Allow-Origin: %.*s\r\n"
	    "Access-Control-Allow-Credentials: true\r\n"
	    "Access-Control-Allow-Methods: GET, POST, PUT, PATCH, DELETE, "
	    "OPTIONS\r\nAccess-Control-Allow-Headers: %.*s\r\n"
	    "Access-Control-Max-Age: 3600\r\nVary: Origin\r\n",
	    (int)origin->len, origin->s, (int)want->len, want->s);
	answer_empty(c, 204, extra);
}

/* Remember the token that was right: the next request compares bytes only. */
static void
memo_set(struct conn *c, struct grant *g, const struct slice *token,
    const char *slug)
{
	char	*copy;

	if (c->memo == g)
		return;
	if ((copy = malloc(token->len)) == NULL)
		return;
	memcpy(copy, token->s, token->len);
	if (c->memo_token != NULL) {
		sodium_memzero(c->memo_token, c->memo_len);
		free(c->memo_token);
	}
	grant_unref(c->memo);
	c->memo = grant_ref(g);
	c->memo_token = copy;
	c->memo_len = token->len;
	strlcpy(c->memo_slug, slug, sizeof(c->memo_slug));
}

static int
memo_is(const struct conn *c, const struct slice *token, const char *slug)
{
	return (c->memo != NULL && c->memo_len == token->len &&
	    memcmp(c->memo_slug, slug, SLUG_SIZE) == 0 &&
	    CRYPTO_memcmp(c->memo_token, token->s, token->len) == 0);
}

/* Ask for this token's grant: 1 good, 0 the answer is given or comes. */
static int
token_grant(struct conn *c, const struct slice *token, const char *slug,
    struct grant **g)
{
	if (memo_is(c, token, slug) && grant_is_good(c->memo, c, token->s,
	    token->len, slug)) {
		*g = c->memo;
		return (1);
	}
	switch (grant_get(g, c, token->s, token->len, slug)) {
	case 1:
		memo_set(c, *g, token, slug);
		return (1);
	case -1:
		answer_later(c, 503, "service temporarily unavailable", 1);
		break;
	case -2:
		answer_later(c, 429, "too many refused tokens",
		    grant_refused_wait(c));
		break;
	default:
		break;		/* it waits */
	}
	return (0);
}

/* operator-api.md, 7.4: the token becomes a cookie. */
static void
answer_exchange(struct conn *c, const struct httphead *h,
    const struct route_to *to, const struct slice *token, struct grant *g)
{
	static char		 extra[HTTPHEAD_MAX + TOKEN_SIZE + 1024];
	static char		 where[HTTPHEAD_MAX + 8];
	const struct conf	*cf = proc_conf();
	int64_t			 left;
	long			 n;

	if ((n = cookie_redirect(&h->path, &h->query, token, where,
	    sizeof(where))) == -1) {
		answer_error(c, 414, "request target too long");
		return;
	}
	left = (int64_t)g->expires - clock_wall();
	snprintf(extra, sizeof(extra), "Location: %.*s\r\n"
	    "Set-Cookie: " COOKIE_NAME "_%s=%.*s; Path=/; Domain=.%s; "
	    "Max-Age=%lld; HttpOnly%s; SameSite=Lax\r\n"
	    "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n",
	    (int)n, where, to->host.slug, (int)token->len, token->s,
	    cf->proxy_domain, (long long)(left > 0 ? left : 0),
	    cf->proxy_plain ? "" : "; Secure");
	answer_empty(c, 302, extra);
	sodium_memzero(extra, sizeof(extra));
}

/*
 * Find the cookie that authd says yes to: 1, or 0 as token_grant(). One that
 * is known to be right goes before those that are not: another page may have
 * planted them on the parent domain, and each question counts as refused.
 */
static int
cookie_grant(struct conn *c, const struct httphead *h, const char *slug,
    struct grant **g)
{
	struct slice	tokens[COOKIE_TRIES];
	size_t		n, i;

	n = cookie_tokens(h, slug, tokens);
	for (i = 0; n > 1 && i < n; i++)
		if ((*g = grant_known(c, tokens[i].s, tokens[i].len,
		    slug)) != NULL) {
			memo_set(c, *g, &tokens[i], slug);
			return (1);
		}
	if (c->tried < n)
		return (token_grant(c, &tokens[c->tried], slug, g));
	if (c->refused != 0)
		answer_error(c, c->refused, c->refusal != NULL ? c->refusal :
		    "invalid proxy token");
	else
		answer_error(c, 401, "proxy token required");
	return (0);
}

/* The stream for it: a kept one, or authd makes one. */
static void
request_stream(struct conn *c, const struct httphead *h,
    const struct route_to *to, struct grant *g, const struct slice *sibling)
{
	static const struct slice	 none = { NULL, 0 };
	const struct service		*sv;
	const char			*name;
	struct upstream			*st = c->x.st;

	sv = session_service(g->se, to->host.label);
	name = sv != NULL ? sv->name : to->host.label;
	if (st == NULL && !c->x.retried)
		st = upstream_take(c, g, name);
	if (st != NULL)
		forward_begin(c, h, st, sv, to->host.label,
		    sibling != NULL ? sibling : &none);
	else if (upstream_open(c, g, name) == -1)
		answer_later(c, 503, "service temporarily unavailable", 1);
}

void
request_proxy(struct conn *c, const struct httphead *h)
{
	struct route_to	to;

	if (host_parse(&to.host, &to.port, host_of(c, h),
	    proc_conf()->proxy_domain) != HOST_OK)
		answer_error(c, 400, "invalid support proxy subdomain");
	else
		proxy_checked(c, h, &to);
}

/* The checks behind the host's, in their order. */
static void
proxy_checked(struct conn *c, const struct httphead *h,
    const struct route_to *to)
{
	const struct slice	*sibling = NULL;
	struct slice		 token;
	struct grant		*g;

	c->html = (unsigned)wants_page(h);
	switch (origin_check(h, to, &sibling)) {
	case ORIGIN_FOREIGN:
		answer_error(c, 403, "cross-site request refused");
		return;
	case ORIGIN_SIBLING:
		if (slice_eq(&h->method_name, "OPTIONS")) {
			answer_preflight(c, h, sibling);
			return;
		}
		break;
	case ORIGIN_OK:
		break;
	}
	if (c->x.st != NULL) {
		request_stream(c, h, to, c->x.st->g, sibling);
		return;
	}
	if (slice_eq(&h->method_name, "GET") &&
	    cookie_query_token(&h->query, to->host.slug, &token)) {
		if (c->refused != 0)
			answer_error(c, c->refused, c->refusal != NULL ?
			    c->refusal : "invalid proxy token");
		else if (token_grant(c, &token, to->host.slug, &g))
			answer_exchange(c, h, to, &token, g);
		return;
	}
	if (cookie_grant(c, h, to->host.slug, &g))
		request_stream(c, h, to, g, sibling);
}
