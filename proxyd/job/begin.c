/* SPDX-License-Identifier: ISC */
/* Whose request is this? The rows of architecture.md. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "acme.h"
#include "answer.h"
#include "api.h"
#include "base/clock.h"
#include "base/log.h"
#include "begin.h"
#include "console.h"
#include "forward.h"
#include "give.h"
#include "internal.h"
#include "metrics/count.h"
#include "proc/conf.h"
#include "proc/proc.h"
#include "proxy.h"
#include "rendezvous.h"
#include "proxyd/authd.h"
#include "proxyd/door/route.h"
#include "proxyd/door/trust.h"
#include "proxyd/refused.h"

#define ASTRAY_EVERY_MS	1000

static void	request_log(const struct conn *, const struct httphead *);
static void	request_astray(const struct conn *, const struct httphead *);
static void	request_lost(struct conn *, const struct httphead *);
static void	request_here(struct conn *, const struct httphead *, enum route,
		    const struct route_to *, const struct slice *);
static void	request_health(struct conn *);
static int	is_pairing(const struct conn *, const struct httphead *);
static void	request_probe(struct conn *, const struct httphead *);

_Static_assert(CT_ROUTE_NOT_FOUND - CT_ROUTE_PROXY == ROUTE_NOT_FOUND -
    ROUTE_PROXY && CT_ROUTE_API - CT_ROUTE_PROXY == ROUTE_API - ROUTE_PROXY,
    "metrics/proxyd.def");

void
request_begin(struct conn *c, const struct httphead *h)
{
	struct route_to	to;
	struct slice	host;
	enum route	route;

	c->is_head = slice_eq(&h->method_name, "HEAD");
	c->keep = (h->flags & HTTPHEAD_KEEPALIVE) != 0;
	c->html = 0;
	c->again = 0;
	c->body_left = (h->flags & HTTPHEAD_CHUNKED) ||
	    ((h->flags & HTTPHEAD_LENGTH) && h->content_length > 0);
	if (log_is_verbose())
		request_log(c, h);
	if (trust_host(&host, c->trusted, h, proc_conf()->proxy_domain) == -1) {
		c->html = (unsigned)wants_page(h);
		refused(c, ALONE_HOST);
		answer_error(c, 400, "X-Forwarded-Host contradicts Host");
		return;
	}
	route = route_find(&to, h, &host, c->listen_flags, proc_conf());
	if (h->head_len > HTTPHEAD_MAX && route != ROUTE_PROXY) {
		log_debug("request refused: head too long");
		c->keep = 0;
		c->body_left = 1;
		refused(c, ALONE_HEAD_LONG);
		answer_error(c, 431, "head too long");
		return;
	}
	count(CT_ROUTE_PROXY + (unsigned)route);
	if (proc_conf()->cluster_port == 0 ||
	    !forward_begin(c, h, route, &to, &host, request_here))
		request_here(c, h, route, &to, &host);
}

void
request_again(struct conn *c, const struct httphead *h)
{
	const char	*domain = proc_conf()->proxy_domain;
	struct route_to	 to;
	struct slice	 host;
	enum route	 route;

	/* It was right once; the configuration may have changed. */
	if (trust_host(&host, c->trusted, h, domain) == -1) {
		answer_error(c, 400, "X-Forwarded-Host contradicts Host");
		return;
	}
	route = route_find(&to, h, &host, c->listen_flags, proc_conf());
	if (!forward_begin(c, h, route, &to, &host, request_here))
		request_here(c, h, route, &to, &host);
}

/* This is the place for it. */
static void
request_here(struct conn *c, const struct httphead *h, enum route route,
    const struct route_to *to, const struct slice *host)
{
	switch (route) {
	case ROUTE_PROXY:
		proxy_begin(c, h, to);
		break;
	case ROUTE_BAD_HOST:
		c->html = (unsigned)wants_page(h);
		refused(c, ALONE_HOST);
		answer_error(c, 400, "invalid support proxy subdomain");
		break;
	case ROUTE_BAD_NAME:
		c->html = (unsigned)wants_page(h);
		refused(c, ALONE_HOST);
		answer_error(c, 400, "invalid service name in subdomain");
		break;
	case ROUTE_HEALTH:
		request_health(c);
		break;
	case ROUTE_PROBE:
		request_probe(c, h);
		break;
	case ROUTE_TUNNEL:
		give_tunnel(c, h);
		break;
	case ROUTE_TERMINAL:
		give_terminal(c, h, &to->id);
		break;
	case ROUTE_TCP:
		give_tcp(c, h, &to->id, &to->service);
		break;
	case ROUTE_RELAY:
		give_relay(c, h, &to->id, host);
		break;
	case ROUTE_ADMIN:
		rendezvous_begin(c, h);
		break;
	case ROUTE_PAIR:
		give_pair(c, h);
		break;
	case ROUTE_API:
		if (c->listen_flags & LISTEN_INTERNAL) {
			internal_begin(c, h);
			break;
		}
		request_astray(c, h);
		if (!path_begin(c, h))
			api_begin(c, h);
		break;
	case ROUTE_CONSOLE:
		console_begin(c, h);
		break;
	case ROUTE_ACME:
		if (!acme_answer(c, h))
			request_lost(c, h);
		break;
	case ROUTE_NOT_FOUND:
		request_lost(c, h);
		break;
	}
}

/* Nobody's. */
static void
request_lost(struct conn *c, const struct httphead *h)
{
	request_astray(c, h);
	if (is_pairing(c, h))
		answer_as(c, 404, "text/plain;charset=utf-8", "",
		    "Not found", 9);
	else if (h->path.len >= 4 && memcmp(h->path.s, "/api", 4) == 0 &&
	    (h->path.len == 4 || h->path.s[4] == '/'))
		answer_error(c, 404, "api not found");
	else {
		c->html = (unsigned)wants_page(h);
		answer_plain(c, 404, "404 page not found");
	}
}

/*
 * A client that speaks HTTP/2 unasked (RFC 9113, 3.3) reads frames only: an
 * empty SETTINGS, and a GOAWAY with HTTP_1_1_REQUIRED.
 */
static void
answer_http2(struct conn *c)
{
	static const char	frames[] = "\0\0\0\4\0\0\0\0\0"
	    "\0\0\x20\7\0\0\0\0\0" "\0\0\0\0" "\0\0\0\xd"
	    "HTTP/1.1 is spoken here.";
	struct iovec		iov = { (void *)(uintptr_t)frames,
	    sizeof(frames) - 1 };

	if (conn_writev(c, &iov, 1) == 0)
		conn_answered(c);
}

void
request_refuse(struct conn *c, int status, const char *why)
{
	static const char	preface[] = "PRI * HTTP/2.0\r\n";

	refused(c, status == 408 ? ALONE_SLOW : status == 431 ?
	    ALONE_HEAD_LONG : status == 503 ? ALONE_BUSY : ALONE_HEAD);
	if (status == 505 && c->in->len >= sizeof(preface) - 1 &&
	    memcmp(c->in->data + c->in->off, preface,
	    sizeof(preface) - 1) == 0)
		answer_http2(c);
	else if (status == 431 && c->in != NULL) {
		/* Only a browser has that much, and it may not be at fault. */
		c->html = memmem(c->in->data + c->in->off, c->in->len,
		    "text/html", 9) != NULL;
		answer_json(c, status, why, NULL, 0, jar_overlong(c->in));
	} else
		answer_error(c, status, why);
}

/* Of a relay session's id six characters: rendezvous-protocol.md, D13. */
static size_t
path_shown(const struct slice *path)
{
	static const struct slice	ids[] = { { "/relay/", 7 },
	    { "/admin/sessions/", 16 } };
	size_t				i;

	for (i = 0; i < 2; i++)
		if (path->len > ids[i].len + 6 &&
		    memcmp(path->s, ids[i].s, ids[i].len) == 0)
			return (ids[i].len + 6);
	return (path->len);
}

/* Never the query: it may hold a token or a ticket. */
static void
request_log(const struct conn *c, const struct httphead *h)
{
	char	addr[ADDR_SIZE], path[256], host[128];

	addr_print(&c->addr, addr);
	log_request(c->request);
	log_debug("%s: %.*s %s%s", addr, (int)h->method_name.len,
	    h->method_name.s, log_escape(host, sizeof(host),
	    h->host.s != NULL ? h->host.s : "", h->host.len),
	    log_escape(path, sizeof(path), h->path.s, path_shown(&h->path)));
	log_request(NULL);
}

/*
 * A customer's client on another path: it will come again, and only this side
 * can say what it does wrong. A line a second, whoever asks.
 */
static void
request_astray(const struct conn *c, const struct httphead *h)
{
	static uint64_t		 last_ms;
	const struct slice	*auth;
	char			 addr[ADDR_SIZE], path[256];

	if (!(h->flags & HTTPHEAD_UPGRADE) ||
	    (auth = httphead_get(h, "Authorization")) == NULL ||
	    auth->len < 6 || strncasecmp(auth->s, "Basic ", 6) != 0 ||
	    (last_ms != 0 && clock_ms() - last_ms < ASTRAY_EVERY_MS))
		return;
	last_ms = clock_ms();
	addr_print(&c->addr, addr);
	log_request(c->request);
	log_info("%s: no tunnel path: %s", addr, log_escape(path, sizeof(path),
	    h->path.s, h->path.len));
	log_request(NULL);
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

/* messages.md, section 7: below /ws, and where there is nothing else. */
static int
is_pairing(const struct conn *c, const struct httphead *h)
{
	return ((c->listen_flags & (LISTEN_ONLY | LISTEN_RELAY)) ==
	    LISTEN_ONLY ||
	    ((c->listen_flags & LISTEN_PAIR) && h->path.len >= 3 &&
	    memcmp(h->path.s, "/ws", 3) == 0));
}

/*
 * pairing-protocol.md, 2: how many sessions there are; rendezvous-protocol.md,
 * D26.
 */
static void
request_probe(struct conn *c, const struct httphead *h)
{
	char	pairing[64];
	int	n;

	if (!c->is_head && !slice_eq(&h->method_name, "GET")) {
		answer_json(c, 405, "method not allowed", NULL, 0,
		    "Allow: GET, HEAD\r\n");
		return;
	}
	switch (route_probe(&h->path)) {
	case PROBE_PAIRING:
		n = snprintf(pairing, sizeof(pairing),
		    "{\"status\":\"ok\",\"sessions\":%u}",
		    authd_pairings());
		answer_text(c, "application/json;charset=utf-8", pairing,
		    (size_t)n);
		break;
	case PROBE_ALIVE:
		answer_text(c, "text/plain; charset=utf-8", "ok", 2);
		break;
	default:
		if (authd_is_usable())
			answer_text(c, "text/plain; charset=utf-8", "ready",
			    5);
		else
			answer_later(c, 503, authd_drains() ? "draining" :
			    "not ready", 1);
		break;
	}
}
