/* SPDX-License-Identifier: ISC */
/*
 * The internal interface: an existing back end has looked at its operator, and
 * asks for a service by the secret that it shares with us and the session's own
 * token. authd says whether they are right. operator-api.md, 9.
 */
#include <sodium.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "api.h"
#include "base/compat.h"
#include "base/label.h"
#include "base/log.h"
#include "base/rate.h"
#include "give.h"
#include "internal.h"
#include "metrics/count.h"
#include "proc/conf.h"
#include "proc/link.h"
#include "proc/proc.h"
#include "proxy.h"
#include "proxyd/refused.h"
#include "whose.h"

#define FRONT	"/api/proxy/"
#define TERMINAL	"/api/terminal/"
#define LIST	"services"	/* no service's name here */
#define NOBODY	"00000000000000000000000000000000"
#define RATE_MS		60000
#define RATE_PLACES	16384

static struct rate	*rates, *over;		/* by session */

void
internal_init(void)
{
	if ((rates = rate_new(RATE_PLACES)) == NULL ||
	    (over = rate_new(RATE_PLACES)) == NULL)
		fatal("internal");
}

/* {id}/{service}{rest} behind `front`; what is missing is empty. */
static void
path_take(const struct slice *path, const char *front, struct slice *id,
    struct slice *service, struct slice *rest)
{
	const char	*p = path->s + strlen(front);
	const char	*end = path->s + path->len, *q;

	if ((q = memchr(p, '/', (size_t)(end - p))) == NULL)
		q = end;
	id->s = p;
	id->len = (size_t)(q - p);
	p = q < end ? q + 1 : end;
	if ((q = memchr(p, '/', (size_t)(end - p))) == NULL)
		q = end;
	service->s = p;
	service->len = (size_t)(q - p);
	rest->s = q < end ? q : "/";
	rest->len = q < end ? (size_t)(end - q) : 1;
}

/* A session that cannot be is one that nobody has. */
static void
slug_take(char slug[SLUG_SIZE], const struct slice *id)
{
	char	session[UUID_SIZE];

	slug[0] = '\0';
	if (id->len == 0)
		return;
	if (whose_id(id, session) == -1)
		strlcpy(slug, NOBODY, SLUG_SIZE);
	else
		whose_slug(session, slug);
}

/* Both secrets, as authd takes them; too long ones are none. */
static char *
token_take(const struct httphead *h)
{
	static const struct slice	 none = { "", 0 };
	const struct slice		*secret, *token;
	size_t				 size;
	char				*text;

	if ((secret = httphead_get(h, "x-internal-secret")) == NULL)
		secret = &none;
	if ((token = httphead_get(h, "x-session-token")) == NULL)
		token = &none;
	size = secret->len + token->len + 2;
	if (size >= TOKEN_SIZE)
		return (strdup("\n"));
	if ((text = malloc(size)) != NULL)
		snprintf(text, size, "%.*s\n%.*s", (int)secret->len,
		    secret->s, (int)token->len, token->s);
	return (text);
}

/*
 * Under which name the browser has it: without one its hosts stay as they are.
 */
static void
host_take(struct proxy *p, const struct httphead *h)
{
	const struct slice	*v = httphead_get(h, "x-proxy-host");
	struct host		 host;
	uint16_t		 port = 0;

	p->named = v != NULL && host_parse(&host, &port, v,
	    proc_conf()->proxy_domain) == HOST_OK &&
	    strcmp(host.slug, p->to.host.slug) == 0;
	if (p->named)
		p->to.port = port;
}

/* What the back end shows is for us: no service hears of it (O1). */
static void
head_strip(struct httphead *h)
{
	size_t	i, n = 0;

	for (i = 0; i < h->nfields; i++)
		if (!httphead_is(&h->field[i], "x-internal-secret") &&
		    !httphead_is(&h->field[i], "x-session-token") &&
		    !httphead_is(&h->field[i], "x-proxy-host"))
			h->field[n++] = h->field[i];
	h->nfields = n;
}

/* Of all proxyds: 0, or -1 and how long no more of them is let through. */
static int
rate_take(const char *slug, const struct grant *g, uint32_t *wait)
{
	uint64_t	limit = proc_conf()->internal_rate;

	if (rate_peek(over, slug, 1, wait) == -1 ||
	    rate_hit(rates, slug, limit, RATE_MS, wait) == -1)
		return (-1);
	if (rate_count(rates, slug) % rate_batch(limit) == 0 &&
	    link_chan() != NULL)
		(void)say_rate_used(link_chan(), 0, -1,
		    &(struct msg_rate_used){ .grant = g->id });
	return (0);
}

void
internal_over(const char *session, uint32_t wait_s)
{
	struct slice	id = { session, strlen(session) };
	char		slug[SLUG_SIZE];
	uint32_t	ignored;

	slug_take(slug, &id);
	if (wait_s > 0 && wait_s <= RATE_MS / 1000)
		(void)rate_hit(over, slug, 1, (uint64_t)wait_s * 1000,
		    &ignored);
}

/* What is no service goes to who has it, and this job is over. */
static void
internal_leave(struct proxy *p, const struct grant *g)
{
	struct httphead	*h = p->head;
	struct conn	*c = p->c;
	char		 session[UUID_SIZE];
	uint64_t	 id = g->id;
	int		 wants = p->wants;

	strlcpy(session, g->se->id, sizeof(session));
	p->head = NULL;
	proxy_leave(p);
	if (wants == WANTS_TERMINAL)
		give_internal(c, h, session, id);
	else
		api_internal_services(c, session, id);
	free(h);
}

/* Of the list: may it be asked for so? 0: answered. */
static int
list_is_good(struct conn *c, const struct httphead *h)
{
	if (!c->is_head && !slice_eq(&h->method_name, "GET"))
		answer_json(c, 405, "method not allowed", NULL, 0,
		    "Allow: GET, HEAD\r\n");
	else if ((h->flags & HTTPHEAD_UPGRADE) || c->body_left)
		answer_error(c, 400, "this call takes no body");
	else
		return (1);
	return (0);
}

/* After authd's yes: a stranger hears of no rate and no name. */
static int
internal_granted(struct proxy *p, const struct grant *g)
{
	uint32_t	wait;

	if (rate_take(p->to.host.slug, g, &wait) == -1) {
		count(CT_LIMITED_API);
		refused(p->c, ALONE_RATE);
		answer_later(p->c, 429, "too many requests for this session",
		    wait);
	} else if (p->wants == WANTS_TERMINAL ||
	    (p->wants == WANTS_LIST && list_is_good(p->c, p->head))) {
		internal_leave(p, g);
	} else if (p->wants == WANTS_SERVICE) {
		if (!p->unnamed)
			return (1);
		answer_error(p->c, 400, "invalid service name");
	}
	return (0);
}

void
internal_begin(struct conn *c, const struct httphead *h)
{
	struct slice	 id, service, rest;
	struct proxy	*p;
	int		 terminal = h->path.len >= sizeof(TERMINAL) - 1 &&
			    memcmp(h->path.s, TERMINAL, sizeof(TERMINAL) - 1)
			    == 0;

	path_take(&h->path, terminal ? TERMINAL : FRONT, &id, &service,
	    &rest);
	if (terminal && service.len > 0) {
		answer_error(c, 404, "api not found");
		return;
	}
	if ((p = proxy_take(c, h)) == NULL)
		return;
	if ((p->internal = token_take(h)) == NULL) {
		answer_later(c, 503, "service temporarily unavailable", 1);
		return;
	}
	p->by_path = BY_INTERNAL;
	p->granted = internal_granted;
	p->wants = terminal ? WANTS_TERMINAL : slice_eq(&service, LIST) &&
	    rest.len == 1 ? WANTS_LIST : WANTS_SERVICE;
	p->bearer.s = p->internal;
	p->bearer.len = strlen(p->internal);
	memset(&p->to, 0, sizeof(p->to));
	p->unnamed = p->wants != WANTS_SERVICE ||
	    !path_service_is_good(&service);
	snprintf(p->service, sizeof(p->service), "%.*s", p->unnamed ? 1 :
	    (int)service.len, p->unnamed ? "-" : service.s);
	label_of_service(p->service, p->to.host.label);
	slug_take(p->to.host.slug, &id);
	host_take(p, h);
	head_strip(p->head);
	p->head->path = rest;
	p->again(p);
}
