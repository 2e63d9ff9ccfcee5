/* SPDX-License-Identifier: ISC */
/* Streams: asked for, busy, idle for a while, closed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "job/answer.h"
#include "authd.h"
#include "base/clock.h"
#include "base/compat.h"
#include "door/conn.h"
#include "job/forward.h"
#include "grant.h"
#include "imsg/imsg.h"
#include "base/log.h"
#include "proc/proc.h"
#include "upstream.h"

TAILQ_HEAD(streams, upstream);

static struct {
	struct streams	all, old, dead;
	struct timer	sweep;
} upstreams = { TAILQ_HEAD_INITIALIZER(upstreams.all),
	TAILQ_HEAD_INITIALIZER(upstreams.old),
	TAILQ_HEAD_INITIALIZER(upstreams.dead), { NULL, NULL, 0, 0 } };

static int	upstream_opened(struct chan *, struct imsg *, void *);
static struct upstream *upstream_new(struct grant *, const char *, int);
static void	upstream_readable(evutil_socket_t, short, void *);
static void	upstream_writable(evutil_socket_t, short, void *);
static void	upstream_unidle(struct upstream *);
static void	upstream_sweep(void *);
static void	upstream_trim(void *);

void
upstream_init(void)
{
	timer_init(&upstreams.sweep, upstream_sweep, NULL);
}

int
upstream_open(struct conn *c, struct grant *g, const char *service)
{
	struct chan	*ch = link_chan();

	if (call_start(&c->call, ch, AUTHD_CALL_MS, upstream_opened, c) == 0)
		return (-1);
	/* conn_resume() finds the grant again by the token; hold this one. */
	c->state = CONN_WAIT;
	c->opening = grant_ref(g);
	strlcpy(c->service, service, sizeof(c->service));
	if (say_stream_open(ch, c->call.id, -1, &(struct msg_stream_open){
	    .grant = g->id, .service = service }) == -1) {
		call_cancel(&c->call);
		grant_unref(c->opening);
		c->opening = NULL;
		return (-1);
	}
	return (0);
}

static int
upstream_opened(struct chan *ch, struct imsg *m, void *arg)
{
	struct conn	*c = arg;
	struct grant	*g = c->opening;
	struct upstream	*st;
	int		 fd;
	struct msg_stream_opened	 yes;
	struct msg_stream_refused	 no;

	(void)ch;
	c->opening = NULL;
	if (m == NULL) {
		grant_unref(g);
		answer_later(c, 503, "service temporarily unavailable", 1);
		return (0);
	}
	if (get_stream_refused(m, &no) == 0 && no.status != 0) {
		grant_unref(g);
		answer_later(c, no.status, no.message, no.status == 429 ||
		    no.status == 503 ? 1 : 0);
		return (0);
	}
	if (get_stream_opened(m, &yes) == -1) {
		grant_unref(g);
		answer_later(c, 503, "service temporarily unavailable", 1);
		return (-1);
	}
	fd = m_take_fd(m);
	st = upstream_new(g, c->service, fd);
	grant_unref(g);
	if (st == NULL) {
		answer_later(c, 503, "service temporarily unavailable", 1);
		return (0);
	}
	st->c = c;
	c->x.st = st;
	conn_resume(c);
	return (0);
}

static struct upstream *
upstream_new(struct grant *g, const char *service, int fd)
{
	struct upstream	*st;

	if ((st = calloc(1, sizeof(*st))) == NULL) {
		close(fd);
		return (NULL);
	}
	st->fd = fd;
	strlcpy(st->service, service, sizeof(st->service));
	event_assign(&st->ev_read, proc_base(), fd, EV_READ | EV_PERSIST,
	    upstream_readable, st);
	event_assign(
	    &st->ev_write, proc_base(), fd, EV_WRITE, upstream_writable, st);
	TAILQ_INSERT_TAIL(&upstreams.all, st, all_entry);
	grant_stream_add(g, st);
	conn_fds(1);
	upstream_reading(st, 1);
	return (st);
}

void
upstream_reading(struct upstream *st, int on)
{
	if (st->reading == (unsigned)on)
		return;
	st->reading = (unsigned)on;
	if (on)
		event_add(&st->ev_read, NULL);
	else
		event_del(&st->ev_read);
}

void
upstream_writing(struct upstream *st)
{
	if (st->writing)
		return;
	st->writing = 1;
	event_add(&st->ev_write, NULL);
}

static void
upstream_readable(evutil_socket_t fd, short what, void *arg)
{
	struct upstream	*st = arg;

	(void)fd;
	(void)what;
	if (st->dead)
		return;
	if (st->c != NULL)
		forward_stream_readable(st->c);
	else
		upstream_close(st);	/* nobody asked for anything */
}

static void
upstream_writable(evutil_socket_t fd, short what, void *arg)
{
	struct upstream	*st = arg;

	(void)fd;
	(void)what;
	st->writing = 0;
	if (!st->dead && st->c != NULL)
		forward_stream_writable(st->c);
}

struct upstream *
upstream_take(struct conn *c, struct grant *g, const char *service)
{
	struct upstream	*st;

	TAILQ_FOREACH(st, &g->idle, idle_entry)
		if (strcmp(st->service, service) == 0)
			break;
	if (st == NULL)
		return (NULL);
	upstream_unidle(st);
	st->c = c;
	return (st);
}

static void
upstream_unidle(struct upstream *st)
{
	TAILQ_REMOVE(&st->g->idle, st, idle_entry);
	TAILQ_REMOVE(&upstreams.old, st, old_entry);
	st->g->se->n_idle--;
	st->idle_ms = 0;
}

void
upstream_keep(struct upstream *st)
{
	struct session	*se = st->g->se;

	st->c = NULL;
	st->used = 1;
	if (st->g->state != GRANT_GOOD) {
		upstream_close(st);
		return;
	}
	st->idle_ms = conn_now();
	TAILQ_INSERT_HEAD(&st->g->idle, st, idle_entry);
	TAILQ_INSERT_TAIL(&upstreams.old, st, old_entry);
	upstream_reading(st, 1);
	if (++se->n_idle > st->g->idle_max && !timer_is_set(&se->trim)) {
		timer_init(&se->trim, upstream_trim, se);
		timer_set(&se->trim, STREAM_TRIM_MS);
	}
	if (!timer_is_set(&upstreams.sweep))
		timer_set(&upstreams.sweep, STREAM_IDLE_MS);
}

void
upstream_close(struct upstream *st)
{
	if (st->dead)
		return;
	if (st->c == NULL && st->idle_ms != 0)
		upstream_unidle(st);
	else if (st->c != NULL && st->c->x.st == st)
		st->c->x.st = NULL;
	st->dead = 1;
	st->c = NULL;
	event_del(&st->ev_read);
	event_del(&st->ev_write);
	close(st->fd);
	conn_fds(-1);
	buf_put(&st->in);
	TAILQ_REMOVE(&upstreams.all, st, all_entry);
	TAILQ_INSERT_TAIL(&upstreams.dead, st, all_entry);
	grant_stream_del(st->g, st);
}

void
upstream_reap(void)
{
	struct upstream	*st;

	while ((st = TAILQ_FIRST(&upstreams.dead)) != NULL) {
		TAILQ_REMOVE(&upstreams.dead, st, all_entry);
		free(st);
	}
}

/* What has been idle too long; the oldest is first. */
static void
upstream_sweep(void *arg)
{
	struct upstream	*st;
	uint64_t	 now = clock_ms();

	(void)arg;
	while ((st = TAILQ_FIRST(&upstreams.old)) != NULL &&
	    now - st->idle_ms >= STREAM_IDLE_MS)
		upstream_close(st);
	if (st != NULL)
		timer_set(&upstreams.sweep, st->idle_ms + STREAM_IDLE_MS - now);
}

/* More of a session lies idle than may: the oldest go. */
static void
upstream_trim(void *arg)
{
	struct session	*se = arg;
	struct upstream	*st, *next;
	uint64_t	 now = clock_ms();

	for (st = TAILQ_FIRST(&upstreams.old); st != NULL; st = next) {
		next = TAILQ_NEXT(st, old_entry);
		if (st->g->se != se)
			continue;
		if (se->n_idle <= st->g->idle_max)
			return;
		if (now - st->idle_ms < STREAM_TRIM_MS) {
			timer_set(&se->trim, STREAM_TRIM_MS);
			return;
		}
		if (se->n_idle == 1) {
			/* Its last one may take the session along. */
			upstream_close(st);
			return;
		}
		upstream_close(st);
	}
}

void
upstream_cut(uint64_t gid, const char *why)
{
	struct upstream	*st;

again:
	TAILQ_FOREACH(st, &upstreams.all, all_entry) {
		if (st->gid != gid)
			continue;
		if (st->c != NULL)
			forward_abort(st->c, why);
		upstream_close(st);
		goto again;
	}
}

void
upstream_drop_idle(struct grant *g)
{
	struct upstream	*st;

	while ((st = TAILQ_FIRST(&g->idle)) != NULL)
		upstream_close(st);
}

int
upstream_on_idle_drop(struct chan *ch, struct imsg *m)
{
	struct msg_idle_drop	 in;
	struct upstream	*st, *next;
	uint32_t	 n = 0;

	if (get_idle_drop(m, &in) == -1)
		return (-1);
	for (st = TAILQ_FIRST(&upstreams.old); st != NULL; st = next) {
		next = TAILQ_NEXT(st, old_entry);
		if (strcmp(st->g->se->id, in.session) != 0)
			continue;
		upstream_close(st);
		n++;
	}
	(void)say_idle_dropped(ch, m->id, -1, &(struct msg_idle_dropped){
	    .streams = n });
	return (0);
}
