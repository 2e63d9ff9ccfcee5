/* SPDX-License-Identifier: ISC */
/*
 * One question to all other members, each over a connection as its client's
 * requests are passed on by. Who has not answered in time is named, and not
 * waited for. The answers come from members, but over a network: they are
 * looked at as any bytes are.
 */
#include <sys/socket.h>

#include <cjson/cJSON.h>
#include <errno.h>
#include <llhttp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "gather.h"
#include "imsg/call.h"
#include "imsg/imsg.h"
#include "proc/conf.h"
#include "proc/link.h"
#include "proc/proc.h"
#include "proxyd/door/buf.h"
#include "proxyd/door/conn.h"
#include "proxyd/member.h"

#define AT_ONCE		16	/* connections that are made for one */

/* One of the others. */
struct part {
	struct gather		*g;
	char			 member[MEMBER_SIZE];
	struct reach		 reach;
	struct mlink		*l;
	unsigned		 begun:1, over:1, retried:1, has_head:1,
				 keep:1;
	struct httphead_scan	 scan;
	int			 status;
	char			*body;
	size_t			 len, got;
	cJSON			*doc;
};

struct gather {
	struct addr	 client;
	uint32_t	 flags;
	char		 id[REQUEST_SIZE];
	int		 method;
	char		*request;
	size_t		 request_len;
	struct call	 call;		/* who is there */
	struct timer	 late;
	char		 self[MEMBER_SIZE];
	struct part	*part;
	size_t		 n, going, left, bytes;
	int		 done;
	void		(*then)(struct gather *, void *);
	void		*arg;
};

static unsigned	under_way;

static void	gather_next(struct gather *);
static void	part_link(struct part *);
static void	part_readable(void *);

/* ---- one of them ---- */

static void
part_drop(struct part *p)
{
	reach_cancel(&p->reach);
	mlink_free(p->l);
	p->l = NULL;
}

/* All of it has come (NULL), or it will not. */
static void
part_end(struct part *p, const char *why)
{
	struct gather	*g = p->g;

	if (why == NULL && (p->doc = cJSON_ParseWithLength(p->body,
	    p->got)) == NULL)
		why = p->status >= 300 ? "it refuses" :
		    "its answer is no JSON";
	if (why != NULL) {
		log_request(g->id);
		log_info("member %s: %s", p->member, why);
		log_request(NULL);
		p->status = 0;
	} else if (p->keep && p->l->in->len == 0) {
		mlink_keep(p->l);
		p->l = NULL;
	}
	part_drop(p);
	freezero(p->body, p->len);
	p->body = NULL;
	p->over = 1;
	g->going--;
	g->left--;
	gather_next(g);
}

/* NULL, or what is wrong with its head. */
static const char *
part_head(struct part *p, const struct httphead *h)
{
	struct gather	*g = p->g;

	if (!(h->flags & HTTPHEAD_LENGTH) || h->content_length == 0)
		return ("its answer has no length");
	if (h->content_length > GATHER_MAX - g->bytes)
		return ("its answer is too long");
	p->len = (size_t)h->content_length;
	if ((p->body = malloc(p->len)) == NULL)
		return ("out of memory");
	g->bytes += p->len;
	p->status = h->status;
	p->keep = (h->flags & HTTPHEAD_KEEPALIVE) != 0;
	p->has_head = 1;
	buf_drop(p->l->in, h->head_len);
	return (NULL);
}

/* More is there. */
static void
part_look(struct part *p)
{
	static struct httphead	 h;
	struct buf		*b = p->l->in;
	const char		*why;
	size_t			 n;
	int			 r;

	if (!p->has_head) {
		r = httphead_response(&h, &p->scan, p->g->method,
		    b->data + b->off, b->len, &why);
		if (r == 0)
			return;
		if (r == -1 || (why = part_head(p, &h)) != NULL) {
			part_end(p, why);
			return;
		}
	}
	n = b->len < p->len - p->got ? b->len : p->len - p->got;
	memcpy(p->body + p->got, b->data + b->off, n);
	p->got += n;
	buf_drop(b, n);
	if (p->got == p->len)
		part_end(p, NULL);
}

/* One that waited was closed meanwhile: once more on a new one. */
static void
part_closed(struct part *p)
{
	if (p->l->used && !p->retried && !p->has_head &&
	    (p->l->in == NULL || p->l->in->len == 0)) {
		p->retried = 1;
		part_drop(p);
		part_link(p);
	} else
		part_end(p, "it has closed the connection");
}

static void
part_readable(void *arg)
{
	struct part	*p = arg;
	struct mlink	*l = p->l;
	size_t		 room;
	char		*to;
	ssize_t		 n;

	if (l->in == NULL && (l->in = buf_get()) == NULL) {
		part_end(p, "out of memory");
		return;
	}
	to = buf_room(l->in, &room);
	if (room == 0) {
		part_end(p, "its head is too long");
		return;
	}
	n = recv(l->fd, to, room, 0);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		part_closed(p);
		return;
	}
	l->in->len += (size_t)n;
	buf_secret(l->in, l->in->len);
	part_look(p);
}

static void
part_go(struct part *p, struct mlink *l)
{
	struct gather	*g = p->g;

	p->l = l;
	l->readable = part_readable;
	l->arg = p;
	/* There is room: nothing of another request is on its way. */
	if (send(l->fd, g->request, g->request_len, MSG_NOSIGNAL) !=
	    (ssize_t)g->request_len) {
		part_closed(p);
		return;
	}
	mlink_reading(l, 1);
}

static void
part_linked(void *arg, struct mlink *l, const char *why)
{
	if (l != NULL)
		part_go(arg, l);
	else
		part_end(arg, why);
}

static void
part_link(struct part *p)
{
	struct gather	*g = p->g;
	struct mlink	*l = NULL;

	if (!p->retried)
		l = mlink_take(p->member, &g->client, g->flags);
	if (l != NULL) {
		part_go(p, l);
		return;
	}
	strlcpy(p->reach.member, p->member, sizeof(p->reach.member));
	p->reach.client = g->client;
	p->reach.flags = g->flags;
	p->reach.then = part_linked;
	p->reach.arg = p;
	reach_begin(&p->reach, g->id, GATHER_MS);
}

/* ---- all of them ---- */

/* What there is goes to who asked; nothing of `g` is touched behind it. */
static void
gather_end(struct gather *g)
{
	if (g->done)
		return;
	g->done = 1;
	timer_del(&g->late);
	g->then(g, g->arg);
}

/*
 * Some at a time; one that fails at once comes here again, so that the
 * outermost call alone goes on.
 */
static void
gather_next(struct gather *g)
{
	static int	 within;
	struct part	*p;
	size_t		 i;

	if (within)
		return;
	within = 1;
	for (i = 0; i < g->n && g->going < AT_ONCE; i++) {
		p = &g->part[i];
		if (p->begun)
			continue;
		p->begun = 1;
		g->going++;
		part_link(p);
	}
	within = 0;
	if (g->left == 0)
		gather_end(g);
}

static void
gather_late(void *arg)
{
	struct gather	*g = arg;
	size_t		 i;

	log_request(g->id);
	if (g->part == NULL)
		log_info("cluster: authd does not say who is there");
	for (i = 0; i < g->n; i++) {
		if (g->part[i].over)
			continue;
		log_info("member %s: no answer in time", g->part[i].member);
		g->part[i].status = 0;
		part_drop(&g->part[i]);
	}
	log_request(NULL);
	call_cancel(&g->call);
	gather_end(g);
}

/* A line each. 0, or -1. */
static int
take_names(struct gather *g, const char *lines)
{
	const char	*s, *end;
	size_t		 n = 0;

	for (s = lines; (s = strchr(s, '\n')) != NULL; s++)
		n++;
	if (n > CLUSTER_MAX)
		return (-1);
	if ((g->part = calloc(n + 1, sizeof(*g->part))) == NULL)
		return (-1);
	for (s = lines; (end = strchr(s, '\n')) != NULL; s = end + 1) {
		if (end == s || end - s >= MEMBER_SIZE)
			return (-1);
		g->part[g->n].g = g;
		memcpy(g->part[g->n++].member, s, (size_t)(end - s));
	}
	return (0);
}

static int
gather_named(struct chan *c, struct imsg *m, void *arg)
{
	struct msg_members_are	 in;
	struct gather		*g = arg;

	(void)c;
	if (m == NULL) {
		gather_end(g);
		return (0);
	}
	if (get_members_are(m, &in) == -1 || take_names(g, in.others) == -1) {
		g->n = 0;
		gather_end(g);
		return (-1);
	}
	strlcpy(g->self, in.self, sizeof(g->self));
	g->left = g->n;
	gather_next(g);
	return (0);
}

int
gather_may(const struct conn *c)
{
	return (proc_conf()->cluster_port != 0 &&
	    !(c->listen_flags & LISTEN_FORWARDED));
}

/* 0, or -1: no memory. */
static int
gather_request(struct gather *g, const char *method, const char *path,
    const char *token)
{
	static const char	form[] = "%s %s HTTP/1.1\r\nHost: relayd\r\n"
				    "Accept: application/json\r\n%s%s%s\r\n";
	size_t			size = sizeof(form) + strlen(method) +
				    strlen(path) + strlen(token) + 32;
	int			n;

	if ((g->request = malloc(size)) == NULL)
		return (-1);
	n = snprintf(g->request, size, form, method, path, token[0] != '\0' ?
	    "Authorization: Bearer " : "", token, token[0] != '\0' ?
	    "\r\n" : "");
	g->request_len = (size_t)n;
	return (0);
}

struct gather *
gather_begin(struct conn *c, const char *method, const char *path,
    const char *token, void (*then)(struct gather *, void *), void *arg)
{
	struct chan	*ch = link_chan();
	struct gather	*g;
	uint32_t	 id;

	if (under_way >= GATHERS_MAX || (g = calloc(1, sizeof(*g))) == NULL)
		return (NULL);
	under_way++;
	timer_init(&g->late, gather_late, g);
	g->client = c->addr;
	g->flags = c->listen_flags & LISTEN_ALONG;
	strlcpy(g->id, c->request, sizeof(g->id));
	g->method = strcmp(method, "GET") == 0 ? HTTP_GET : HTTP_DELETE;
	g->then = then;
	g->arg = arg;
	if (gather_request(g, method, path, token) == -1 ||
	    (id = call_start(&g->call, ch, GATHER_MS, gather_named, g)) == 0) {
		gather_free(g);
		return (NULL);
	}
	timer_set(&g->late, GATHER_MS);
	(void)say_members(ch, id, -1, &(struct msg_members){
	    .request = g->id });
	return (g);
}

const char *
gather_self(const struct gather *g)
{
	return (g->self);
}

int
gather_at(const struct gather *g, size_t i, struct gathered *one)
{
	if (i >= g->n)
		return (-1);
	one->member = g->part[i].member;
	one->status = g->part[i].status;
	one->doc = g->part[i].doc;
	if (one->doc == NULL)
		one->status = 0;
	return (0);
}

void
gather_free(struct gather *g)
{
	size_t	i;

	if (g == NULL)
		return;
	under_way--;
	timer_del(&g->late);
	call_cancel(&g->call);
	for (i = 0; i < g->n; i++) {
		part_drop(&g->part[i]);
		freezero(g->part[i].body, g->part[i].len);
		cJSON_Delete(g->part[i].doc);
	}
	free(g->part);
	if (g->request != NULL)
		freezero(g->request, g->request_len);
	free(g);
}
