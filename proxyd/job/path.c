/* SPDX-License-Identifier: ISC */
/*
 * The path proxy: a service below the API's own host, for programs that have an
 * operator's token and no cookies. What a service says comes from the API's
 * origin here: a browser is told to believe nothing of it. operator-api.md, 8.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "answer.h"
#include "api.h"
#include "base/compat.h"
#include "base/label.h"
#include "proc/conf.h"
#include "proc/proc.h"
#include "proxy.h"
#include "proxyd/refused.h"
#include "whose.h"

#define FRONT	"/api/support-sessions/"
#define MIDDLE	"/proxy/"

/* Take FRONT{id}MIDDLE{service}{rest} apart. */
static int
path_split(const struct slice *path, struct slice *id, struct slice *service,
    struct slice *rest)
{
	const char	*p = path->s, *end = path->s + path->len, *q;

	if (path->len < sizeof(FRONT) || memcmp(p, FRONT,
	    sizeof(FRONT) - 1) != 0)
		return (0);
	p += sizeof(FRONT) - 1;
	if ((q = memchr(p, '/', (size_t)(end - p))) == NULL ||
	    (size_t)(end - q) < sizeof(MIDDLE) - 1 ||
	    memcmp(q, MIDDLE, sizeof(MIDDLE) - 1) != 0)
		return (0);
	id->s = p;
	id->len = (size_t)(q - p);
	service->s = q + sizeof(MIDDLE) - 1;
	if ((q = memchr(service->s, '/', (size_t)(end - service->s))) == NULL)
		q = end;
	service->len = (size_t)(q - service->s);
	rest->s = q < end ? q : "/";
	rest->len = q < end ? (size_t)(end - q) : 1;
	return (1);
}

/* As authd lets a manifest have it. */
int
path_service_is_good(const struct slice *v)
{
	size_t	i;

	for (i = 0; i < v->len; i++)
		if (!(v->s[i] >= 'a' && v->s[i] <= 'z') &&
		    !(v->s[i] >= 'A' && v->s[i] <= 'Z') &&
		    !(v->s[i] >= '0' && v->s[i] <= '9') &&
		    (i == 0 || strchr("._-", v->s[i]) == NULL))
			return (0);
	return (v->len > 0 && v->len < SERVICE_SIZE);
}

/*
 * Where WebDAV copies to is an address below the one that is asked for: what
 * is in front of it there goes, and its path is left, which is enough for a
 * service (RFC 4918, 10.3). Another address is the service's to refuse.
 */
static void
destination_strip(struct slice *v, const struct httphead *h,
    const struct slice *front)
{
	const struct slice	*host = httphead_get(h, "host");
	struct slice		 at = *v;
	const char		*p;

	if (at.len > 0 && at.s[0] != '/') {
		if ((p = memmem(at.s, at.len, "://", 3)) == NULL)
			return;
		at.len -= (size_t)(p + 3 - at.s);
		at.s = p + 3;
		if (host == NULL || at.len < host->len ||
		    strncasecmp(at.s, host->s, host->len) != 0)
			return;
		at.s += host->len;
		at.len -= host->len;
	}
	if (at.len <= front->len || at.s[front->len] != '/' ||
	    memcmp(at.s, front->s, front->len) != 0)
		return;
	v->s = at.s + front->len;
	v->len = at.len - front->len;
}

/* The service is not shown who asks, nor what a browser has for the API. */
static void
path_head(struct httphead *h, const struct slice *rest)
{
	struct slice	front = h->path;
	size_t		i, n = 0;

	if (rest->s >= front.s && rest->s < front.s + front.len)
		front.len = (size_t)(rest->s - front.s);
	for (i = 0; i < h->nfields; i++) {
		if (httphead_is(&h->field[i], "authorization") ||
		    httphead_is(&h->field[i], "cookie"))
			continue;
		if (httphead_is(&h->field[i], "destination"))
			destination_strip(&h->field[i].value, h, &front);
		h->field[n++] = h->field[i];
	}
	h->nfields = n;
	h->path = *rest;
}

int
path_begin(struct conn *c, const struct httphead *h)
{
	struct slice	 id, service, rest, token;
	struct proxy	*p;
	const char	*why;
	char		 session[UUID_SIZE];

	if (!proc_conf()->path_proxy ||
	    !path_split(&h->path, &id, &service, &rest))
		return (0);
	if ((why = api_bearer(h, &token)) != NULL) {
		refused(c, ALONE_TOKEN);
		answer_json(c, 401, why, NULL, 0, ANSWER_BEARER);
	} else if (!path_service_is_good(&service))
		answer_error(c, 400, "invalid service name");
	else if (whose_id(&id, session) == -1)
		answer_error(c, 404, "support session not found");
	else if ((p = proxy_take(c, h)) != NULL) {
		p->by_path = BY_PATH;
		p->bearer = token;
		snprintf(p->service, sizeof(p->service), "%.*s",
		    (int)service.len, service.s);
		memset(&p->to, 0, sizeof(p->to));
		label_of_service(p->service, p->to.host.label);
		whose_slug(session, p->to.host.slug);
		path_head(p->head, &rest);
		p->again(p);
	}
	return (1);
}
