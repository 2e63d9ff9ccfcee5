/* SPDX-License-Identifier: ISC */
/*
 * A request for a proxied host, up to its exchange: Origin, token, the token's
 * exchange for a cookie, stream. What has to be asked is asked and waited for,
 * one thing at a time; then the story goes on where it stood.
 */
#include <sodium.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/wipe.h"
#include "forward.h"
#include "give.h"
#include "metrics/count.h"
#include "proc/conf.h"
#include "proc/proc.h"
#include "proxy.h"
#include "proxyd/door/trust.h"
#include "proxyd/http/cookie.h"
#include "proxyd/http/hdr.h"
#include "proxyd/http/origin.h"
#include "proxyd/moving.h"
#include "proxyd/refused.h"

#define WAIT_MS		15000	/* what is asked has a deadline of its own */
#define ASTRAY_MAX	3	/* siblings in a row that have just gone */

static void	proxy_again(struct proxy *);
static int	proxy_moved(struct proxy *, int);
static void	proxy_token(struct proxy *);
static void	proxy_astray(struct proxy *, int, const char *, uint32_t);
static void	proxy_woken(struct grant_wait *, int, const char *);
static void	proxy_opened(struct upstream_ask *, int, const char *,
		    uint32_t);
static void	proxy_readable(struct upstream_user *);
static void	proxy_writable(struct upstream_user *);
static void	proxy_broken(struct upstream_user *);
static void	proxy_cut(struct upstream_user *, const char *);

/* Counts configurations. */
static unsigned int	settings;

void
proxy_reloaded(void)
{
	settings++;
}

/* ---- the job ---- */

static struct proxy *
proxy_of(const struct conn *c)
{
	return (c->work);
}

static void
waiting_expired(struct conn *c)
{
	conn_deadline(c, WAIT_MS);
}

/* One who wants another protocol has not said all. */
static enum left
waiting_left(struct conn *c)
{
	const struct httphead	*h = proxy_of(c)->head;

	return (h != NULL && (h->flags & HTTPHEAD_UPGRADE) ? LEFT_GONE :
	    LEFT_WAITS);
}

static void
exchange_readable(struct conn *c)
{
	up_readable(proxy_of(c));
}

static void
exchange_writable(struct conn *c)
{
	down_writable(proxy_of(c));
}

static void
exchange_expired(struct conn *c)
{
	struct proxy	*p = proxy_of(c);

	if (p->step == PROXY_RAW || p->x.responded)
		exch_cut(p, "idle for too long");
	else if (p->x.phase == X_LINE)
		exch_fail(p, 504, "the client did not answer in time");
	else
		exch_fail(p, 504, "the service did not answer in time");
}

/* A request that is whole is answered; half a one ends here. */
static enum left
exchange_left(struct conn *c)
{
	struct proxy	*p = proxy_of(c);

	if (p->step == PROXY_RAW || p->x.upgrade || (p->x.responded &&
	    !p->x.up.done))
		return (LEFT_GONE);
	if (!p->x.up.done) {
		exch_fail(p, 400, BODY_SHORT);
		return (LEFT_READS);
	}
	if (c->http10 || p->x.responded)
		exch_deadline(p);
	return (p->x.responded ? LEFT_READS : LEFT_WAITS);
}

static int
exchange_in_body(const struct conn *c)
{
	const struct proxy	*p = proxy_of(c);

	return (p->step == PROXY_RAW || !flow_over(&p->x.up));
}

void
proxy_leave(struct proxy *p)
{
	grant_wait_end(&p->wait);
	upstream_ask_end(&p->ask);
	exch_let_go(p);
	jar_clear(p);
	free(p->head);
	p->head = NULL;
	free(p->refusal);
	p->refusal = NULL;
	if (p->internal != NULL)
		freezero(p->internal, strlen(p->internal));
	p->internal = NULL;
	session_unref(p->se);
	p->se = NULL;
}

static void
proxy_end(struct conn *c)
{
	proxy_leave(proxy_of(c));
}

static const struct job_ops	waiting = {
	.name = "proxy, waiting",
	.expired = waiting_expired,
	.left = waiting_left,
	.end = proxy_end,
};

static const struct job_ops	exchange = {
	.name = "proxy",
	.readable = exchange_readable,
	.writable = exchange_writable,
	.expired = exchange_expired,
	.in_body = exchange_in_body,
	.left = exchange_left,
	.end = proxy_end,
};

static void
memo_clear(struct memo *m)
{
	grant_unref(m->g);
	if (m->token != NULL) {
		sodium_memzero(m->token, m->len);
		free(m->token);
	}
	memset(m, 0, sizeof(*m));
}

static void
proxy_free(void *arg)
{
	struct proxy	*p = arg;

	memo_clear(&p->memo);
	free(p);
}

/* The connection's, made with its first request. */
static struct proxy *
proxy_get(struct conn *c)
{
	struct proxy	*p = c->kept;

	if (p != NULL || (p = calloc(1, sizeof(*p))) == NULL)
		return (p);
	p->c = c;
	p->again = proxy_again;
	p->wait.woken = proxy_woken;
	p->ask.answered = proxy_opened;
	p->ask.user = &p->use;
	p->use.readable = proxy_readable;
	p->use.writable = proxy_writable;
	p->use.broken = proxy_broken;
	p->use.cut = proxy_cut;
	c->kept = p;
	c->kept_free = proxy_free;
	return (p);
}

/* ---- what the stream says ---- */

#define PROXY_OF(user)							\
	((struct proxy *)(void *)((char *)(user) - offsetof(struct proxy, use)))

static void
proxy_readable(struct upstream_user *u)
{
	down_readable(PROXY_OF(u));
}

static void
proxy_writable(struct upstream_user *u)
{
	up_writable(PROXY_OF(u));
}

static void
proxy_broken(struct upstream_user *u)
{
	down_broken(PROXY_OF(u));
}

static void
proxy_cut(struct upstream_user *u, const char *why)
{
	struct proxy	*p = PROXY_OF(u);
	char		 message[MESSAGE_SIZE];

	snprintf(message, sizeof(message), "stream ended: %s", why);
	if (p->step == PROXY_EXCHANGE)
		exch_fail(p, 502, message);
	else
		exch_cut(p, message);
}

/*
 * Said no to because its session has just gone to another member, or is not all
 * here yet? What was known was too old: it begins anew, once. 1: it does.
 */
static int
proxy_moved(struct proxy *p, int status)
{
	struct conn	*c = p->c;
	char		 id[UUID_SIZE];

	if ((status != 404 && status != 503) || c->again || p->head == NULL ||
	    c->head_len == 0 || p->to.host.slug[0] == '\0')
		return (0);
	host_session(&p->to.host, id);
	if (!moving_is(id))
		return (0);
	proxy_leave(p);
	conn_again(c);
	return (1);
}

/* ---- waiting ---- */

static void
proxy_wait(struct proxy *p, enum proxy_step step)
{
	p->step = step;
	conn_job(p->c, &waiting, p);
}

/* Does it go on? 0: answered. */
static int
proxy_goes_on(struct proxy *p)
{
	const char	*domain = proc_conf()->proxy_domain;
	struct slice	 host;

	if (p->settings == settings || p->by_path)
		return (1);
	p->settings = settings;
	if (trust_host(&host, p->c->trusted, p->head, domain) == 0 &&
	    host_parse(&p->to.host, &p->to.port, &host, domain) == HOST_OK)
		return (1);
	answer_error(p->c, 400, "invalid support proxy subdomain");
	return (0);
}

/* authd has spoken on a token, or it is to be looked at again. */
static void
proxy_woken(struct grant_wait *w, int status, const char *message)
{
	struct proxy	*p = (struct proxy *)(void *)((char *)w -
			    offsetof(struct proxy, wait));

	if (proxy_moved(p, status))
		return;
	if (status == 503) {
		answer_later(p->c, 503, message, 1);
		return;
	}
	if (p->step == PROXY_SIBLING && status != 0) {
		proxy_astray(p, status, message, w->wait_s);
		return;
	}
	if (status != 0) {
		p->tried++;
		p->refused = status;
		free(p->refusal);
		p->refusal = strdup(message);
	}
	if (proxy_goes_on(p))
		proxy_token(p);
}

/* ---- Origin ---- */

static enum origin
proxy_origin(const struct proxy *p)
{
	struct origin_at	 at = proxy_at(p);

	return (origin_check(p->head, &p->to.host, &at));
}

/* The answer to a sibling's preflight. */
static void
answer_preflight(struct conn *c, const struct httphead *h)
{
	static char		 extra[HTTPHEAD_PROXY_MAX + 512];
	const struct slice	*want, *origin = httphead_get(h, "origin");
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

/* ---- tokens ---- */

/* The words for a grant on the session that the request names. */
static struct grant_ask
ask_of(const struct proxy *p, const struct slice *token)
{
	struct grant_ask	ask = { .token = token->s,
	    .token_len = token->len, .slug = p->to.host.slug,
	    .bearer = (int)p->by_path, .service = p->by_path ? p->service : "" };

	return (ask);
}

static void
memo_set(struct memo *m, struct grant *g, const struct grant_ask *ask)
{
	char	*copy;

	if (m->g == g)
		return;
	if ((copy = malloc(ask->token_len)) == NULL)
		return;
	memcpy(copy, ask->token, ask->token_len);
	memo_clear(m);
	m->g = grant_ref(g);
	m->token = copy;
	m->len = ask->token_len;
	m->bearer = ask->bearer;
	strlcpy(m->slug, ask->slug, sizeof(m->slug));
}

static int
memo_is(const struct memo *m, const struct grant_ask *ask)
{
	return (m->g != NULL && m->len == ask->token_len &&
	    m->bearer == ask->bearer &&
	    memcmp(m->slug, ask->slug, SLUG_SIZE) == 0 &&
	    sodium_memcmp(m->token, ask->token, ask->token_len) == 0);
}

/* Unless it is known because this request has asked. */
static void
token_known(const struct proxy *p)
{
	if (!p->asked)
		count(CT_LOOKUP_CACHED);
}

/*
 * authd is not asked: the same as its no. Of several tokens the next may be
 * good.
 */
static void
proxy_unasked(struct proxy *p, enum proxy_step step)
{
	struct conn	*c = p->c;

	refused(c, ALONE_TOKENS);
	proxy_wait(p, step);
	proxy_woken(&p->wait, 429, TRIED_TEXT);
}

/* Ask for a grant: 1 good, 0 the answer is given or comes. */
static int
proxy_ask(struct proxy *p, enum proxy_step step, const struct grant_ask *ask,
    struct grant **g)
{
	struct conn	*c = p->c;

	p->wait.addr = c->addr;
	p->wait.request = c->request;
	switch (grant_for(g, &p->wait, ask)) {
	case 1:
		token_known(p);
		return (1);
	case -1:
		answer_later(c, 503, "service temporarily unavailable", 1);
		break;
	case -2:
		proxy_unasked(p, step);
		break;
	default:
		count(CT_LOOKUP_ASKED);
		p->asked = 1;
		proxy_wait(p, step);
		break;
	}
	return (0);
}

/* This token's: as proxy_ask(). */
static int
token_grant(struct proxy *p, const struct slice *token, struct grant **g)
{
	struct grant_ask	ask = ask_of(p, token);

	if (memo_is(&p->memo, &ask) &&
	    grant_is_good(p->memo.g, &p->c->addr, &ask)) {
		token_known(p);
		*g = p->memo.g;
		return (1);
	}
	if (!proxy_ask(p, PROXY_TOKEN, &ask, g))
		return (0);
	memo_set(&p->memo, *g, &ask);
	return (1);
}

/* What authd said of the last one. */
static void
answer_refused(struct proxy *p)
{
	const char	*why = p->refusal != NULL ? p->refusal :
			    "invalid proxy token";

	if (p->wants == WANTS_TERMINAL && p->refused == 404)
		give_internal_none(p->c, p->head, why);
	else if (p->refused == 429) {
		count(CT_LIMITED_REFUSED);
		answer_later(p->c, 429, why, p->wait.wait_s);
	} else
		answer_error(p->c, p->refused, why);
}

/* operator-api.md, 7.4: the token becomes a cookie. */
static void
answer_exchange(struct proxy *p, const struct slice *token,
    const struct grant *g)
{
	static char		 extra[HTTPHEAD_PROXY_MAX + JAR_MAX + 256];
	static char		 where[HTTPHEAD_PROXY_MAX + 8];
	const struct httphead	*h = p->head;
	struct conn		*c = p->c;
	long			 n, at;

	if ((n = cookie_redirect(&h->path, &h->query, token, where,
	    sizeof(where))) == -1) {
		refused(c, ALONE_HEAD_LONG);
		answer_error(c, 414, "request target too long");
		return;
	}
	at = snprintf(extra, sizeof(extra), "Location: %.*s\r\n"
	    "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n",
	    (int)n, where);
	if (jar_lines(p, COOKIE_LACKS_HOST | COOKIE_LACKS_DOMAIN, token, g,
	    extra + at, sizeof(extra) - (size_t)at) == -1)
		answer_error(c, 400, "token too long");
	else
		answer_empty(c, 302, extra);
	sodium_memzero(extra, sizeof(extra));
}

/*
 * Find the cookie that authd says yes to: 1, or 0 as token_grant(). One that
 * is known to be right goes before those that are not: another page may have
 * planted them on the parent domain, and each question counts as refused.
 */
static int
cookie_grant(struct proxy *p, struct slice *token, struct grant **g)
{
	struct slice		 tokens[COOKIE_TRIES];
	struct grant_ask	 ask;
	size_t			 n, i;

	n = cookie_tokens(p->head, p->to.host.slug, tokens);
	for (i = 0; n > 1 && i < n; i++) {
		ask = ask_of(p, &tokens[i]);
		if ((*g = grant_known(&p->c->addr, &ask)) != NULL) {
			memo_set(&p->memo, *g, &ask);
			*token = tokens[i];
			return (1);
		}
	}
	if (p->tried < n) {
		*token = tokens[p->tried];
		return (token_grant(p, token, g));
	}
	if (p->refused != 0)
		answer_refused(p);
	else if (wipe_lacks())		/* to look at what there is */
		answer_later(p->c, 503, "service temporarily unavailable", 1);
	else {
		refused(p->c, ALONE_TOKEN);
		answer_error(p->c, 401, "proxy token required");
	}
	return (0);
}

/* ---- the stream ---- */

static void
proxy_exchange(struct proxy *p, const struct service *sv)
{
	p->step = PROXY_EXCHANGE;
	conn_job(p->c, &exchange, p);
	up_begin(p, sv);
}

/*
 * Who said no is not the session of the host but one that a path led to. It may
 * have ended just now, or gone to another member, and then what authd said before
 * tells of it.
 */
static void
proxy_astray(struct proxy *p, int status, const char *message, uint32_t retry_s)
{
	char			 before[UUID_SIZE];
	const struct service	*sv;

	strlcpy(before, p->sibling, sizeof(before));
	sv = session_service_at(p->se, p->to.host.label, &p->head->path);
	if (++p->astray > ASTRAY_MAX || (sv != NULL && sv->session != p->se &&
	    sv->session->member[0] == '\0' &&
	    strcmp(sv->session->id, before) == 0))
		answer_later(p->c, status, message, retry_s);
	else
		proxy_again(p);
}

/*
 * The grant under which a service of this session is reached: the one that
 * there is, or of a sibling, which authd is asked for with the same token.
 */
static int
sibling_grant(struct proxy *p, const struct slice *token,
    const struct service *sv, struct grant **g)
{
	struct grant_ask	ask = ask_of(p, token);

	p->sibling[0] = '\0';
	if (p->se != (*g)->se) {
		session_unref(p->se);
		p->se = session_ref((*g)->se);
	}
	if (sv == NULL || sv->session == p->se)
		return (1);
	strlcpy(p->sibling, sv->session->id, sizeof(p->sibling));
	ask.sibling = sv->session;
	ask.service = sv->name;
	return (proxy_ask(p, PROXY_SIBLING, &ask, g));
}

/*
 * What the path leads to another member has: the request goes there as it came.
 * One that came for that goes no further: the two do not know the same. Nor does
 * one that was passed on for the host's own session, which is not here then.
 */
static void
proxy_elsewhere(struct proxy *p, const struct session *at, int is_own)
{
	struct conn	*c = p->c;
	struct httphead	*h = p->head;
	char		 member[MEMBER_SIZE];

	if ((c->listen_flags & LISTEN_LED) || c->head_len == 0 ||
	    (is_own && (c->listen_flags & LISTEN_FORWARDED))) {
		answer_later(c, 503, "the server that has this service has "
		    "just changed", 1);
		return;
	}
	strlcpy(member, at->member, sizeof(member));
	p->head = NULL;
	c->job = NULL;
	proxy_leave(p);
	forward_to(c, h, member, !is_own);
}

/* A kept one, or authd makes one. */
static void
proxy_stream(struct proxy *p, const struct slice *token, struct grant *g)
{
	const char		*label = p->to.host.label;
	const struct service	*sv = session_service_at(g->se, label,
				    &p->head->path);
	const char		*name = sv != NULL ? sv->name :
				    p->by_path ? p->service : label;

	if (sv != NULL && sv->session->member[0] != '\0') {
		proxy_elsewhere(p, sv->session, sv->session == g->se);
		return;
	}
	if (!sibling_grant(p, token, sv, &g))
		return;
	if (!p->retried && upstream_take(&p->use, g, name) == 0) {
		count(CT_STREAM_KEPT);
		proxy_exchange(p, sv);
		return;
	}
	/* Waiting first: the answer may come from under the question's feet. */
	proxy_wait(p, PROXY_STREAM);
	p->ask.request = p->c->request;
	if (upstream_open(&p->ask, g, name) == -1)
		answer_later(p->c, 503, "service temporarily unavailable", 1);
}

static void
proxy_opened(struct upstream_ask *a, int status, const char *message,
    uint32_t retry_s)
{
	struct proxy	*p = (struct proxy *)(void *)((char *)a -
			    offsetof(struct proxy, ask));

	if (proxy_moved(p, status))
		return;
	if (status != 0 && p->sibling[0] != '\0')
		proxy_astray(p, status, message, retry_s);
	else if (status != 0)
		answer_later(p->c, status, message, retry_s);
	else if (proxy_goes_on(p)) {
		count(CT_STREAM_NEW);
		proxy_exchange(p, session_own(p->use.st->g->se,
		    p->use.st->service));
	}
}

/* ---- the story ---- */

static void
proxy_token(struct proxy *p)
{
	const struct httphead	*h = p->head;
	struct slice		 token;
	struct grant		*g;

	if (p->by_path) {
		if (p->refused != 0)
			answer_refused(p);
		else if (token_grant(p, &p->bearer, &g) &&
		    (p->granted == NULL || p->granted(p, g)))
			proxy_stream(p, &p->bearer, g);
		return;
	}
	if (slice_eq(&h->method_name, "GET") &&
	    cookie_query_token(&h->query, p->to.host.slug, &token)) {
		if (p->refused != 0)
			answer_refused(p);
		else if (token_grant(p, &token, &g))
			answer_exchange(p, &token, g);
		return;
	}
	if (cookie_grant(p, &token, &g)) {
		jar_refresh(p, g);
		proxy_stream(p, &token, g);
	}
}

static void
proxy_again(struct proxy *p)
{
	exch_let_go(p);
	conn_job(p->c, &waiting, p);
	if (proxy_goes_on(p))
		proxy_token(p);
}

struct proxy *
proxy_take(struct conn *c, const struct httphead *h)
{
	struct proxy	*p;

	if ((p = proxy_get(c)) == NULL || (p->head = hdr_keep(h)) == NULL) {
		answer_later(c, 503, "service temporarily unavailable", 1);
		return (NULL);
	}
	p->settings = settings;
	p->retried = 0;
	p->tried = 0;
	p->asked = 0;
	p->refused = 0;
	p->from_sibling = 0;
	p->sibling[0] = '\0';
	p->astray = 0;
	p->by_path = BY_HOST;
	p->granted = NULL;
	p->named = p->unnamed = 0;
	conn_job(c, &waiting, p);
	return (p);
}

void
proxy_begin(struct conn *c, const struct httphead *h,
    const struct route_to *to)
{
	struct proxy	*p;

	c->html = (unsigned)wants_page(h);
	if ((p = proxy_take(c, h)) == NULL)
		return;
	p->to = *to;
	switch (proxy_origin(p)) {
	case ORIGIN_FOREIGN:
		refused(c, ALONE_CROSS_SITE);
		answer_error(c, 403, "cross-site request refused");
		return;
	case ORIGIN_SIBLING:
		if (slice_eq(&h->method_name, "OPTIONS")) {
			answer_preflight(c, h);
			return;
		}
		p->from_sibling = 1;
		break;
	case ORIGIN_OK:
		break;
	}
	proxy_token(p);
}
