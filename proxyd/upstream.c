/* SPDX-License-Identifier: ISC */
/* Streams: asked for, busy, idle for a while, closed. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "authd.h"
#include "base/clock.h"
#include "base/compat.h"
#include "door/limits.h"
#include "door/now.h"
#include "grant.h"
#include "imsg/imsg.h"
#include "moving.h"
#include "base/log.h"
#include "base/want.h"
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
static void	upstream_ended(evutil_socket_t, short, void *);
static void	upstream_unidle(struct upstream *);
static void	upstream_sweep(void *);
static void	upstream_trim(void *);

void
upstream_init(void)
{
	timer_init(&upstreams.sweep, upstream_sweep, NULL);
}

int
upstream_open(struct upstream_ask *a, struct grant *g, const char *service)
{
	struct chan	*ch = link_chan();

	if (call_start(&a->call, ch, AUTHD_CALL_MS, upstream_opened, a) == 0)
		return (-1);
	a->g = grant_ref(g);
	strlcpy(a->service, service, sizeof(a->service));
	if (say_stream_open(ch, a->call.id, -1, &(struct msg_stream_open){
	    .grant = g->id, .service = service, .request = a->request }) == -1) {
		upstream_ask_end(a);
		return (-1);
	}
	return (0);
}

void
upstream_ask_end(struct upstream_ask *a)
{
	call_cancel(&a->call);
	grant_unref(a->g);
	a->g = NULL;
}

static int
upstream_opened(struct chan *ch, struct imsg *m, void *arg)
{
	struct upstream_ask		*a = arg;
	struct grant			*g = a->g;
	struct msg_stream_opened	 yes;
	struct msg_stream_refused	 no;
	int				 r = 0;

	(void)ch;
	a->g = NULL;
	if (m != NULL && get_stream_refused(m, &no) == 0 && no.status != 0) {
		grant_unref(g);
		a->answered(a, no.status, no.message, no.status == 429 ||
		    no.status == 503 ? 1 : 0);
		return (0);
	}
	if (m != NULL && get_stream_opened(m, &yes) == -1)
		r = -1;
	if (m != NULL && r == 0)
		a->user->st = upstream_new(g, a->service, m_take_fd(m));
	grant_unref(g);
	if (a->user->st == NULL) {
		a->answered(a, 503, "service temporarily unavailable", 1);
		return (r);
	}
	a->user->st->user = a->user;
	a->answered(a, 0, "", 0);
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
	event_assign(&st->ev_end, proc_base(), fd, EV_CLOSED, upstream_ended,
	    st);
	TAILQ_INSERT_TAIL(&upstreams.all, st, all_entry);
	grant_stream_add(g, st);
	limits_fds(1);
	upstream_reading(st, 1);
	return (st);
}

void
upstream_reading(struct upstream *st, int on)
{
	if (st->reading == (unsigned)on)
		return;
	st->reading = (unsigned)on;
	if (on) {
		event_del(&st->ev_end);
		event_want(&st->ev_read, NULL);
	} else {
		event_del(&st->ev_read);
		event_want(&st->ev_end, NULL);
	}
}

int
upstream_hung_up(const struct upstream *st)
{
	struct pollfd	pfd = { st->fd, 0, 0 };

	return (poll(&pfd, 1, 0) == -1 || (pfd.revents & POLLHUP));
}

/*
 * While the browser does not take what came before. The far end's own shutdown
 * is a clean end, for which there is time.
 */
static void
upstream_ended(evutil_socket_t fd, short what, void *arg)
{
	struct upstream	*st = arg;

	(void)fd;
	(void)what;
	if (!st->dead && st->user != NULL && upstream_hung_up(st))
		st->user->broken(st->user);
}

void
upstream_writing(struct upstream *st)
{
	if (st->writing)
		return;
	st->writing = 1;
	event_want(&st->ev_write, NULL);
}

static void
upstream_readable(evutil_socket_t fd, short what, void *arg)
{
	struct upstream	*st = arg;

	(void)fd;
	(void)what;
	if (st->dead)
		return;
	if (st->user != NULL)
		st->user->readable(st->user);
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
	if (!st->dead && st->user != NULL)
		st->user->writable(st->user);
}

int
upstream_take(struct upstream_user *user, struct grant *g, const char *service)
{
	struct upstream	*st;

	TAILQ_FOREACH(st, &g->idle, idle_entry)
		if (strcmp(st->service, service) == 0)
			break;
	if (st == NULL)
		return (-1);
	upstream_unidle(st);
	st->user = user;
	user->st = st;
	return (0);
}

static void
upstream_unidle(struct upstream *st)
{
	TAILQ_REMOVE(&st->g->idle, st, idle_entry);
	TAILQ_REMOVE(&upstreams.old, st, old_entry);
	st->g->se->n_idle--;
	st->idle_ms = 0;
}

/* Nobody is busy with it any more. */
static void
upstream_leave(struct upstream *st)
{
	if (st->user != NULL)
		st->user->st = NULL;
	st->user = NULL;
}

void
upstream_keep(struct upstream *st)
{
	struct session	*se = st->g->se;

	upstream_leave(st);
	st->used = 1;
	if (st->g->state != GRANT_GOOD) {
		upstream_close(st);
		return;
	}
	st->idle_ms = now_ms();
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
	if (st->user == NULL && st->idle_ms != 0)
		upstream_unidle(st);
	upstream_leave(st);
	st->dead = 1;
	event_del(&st->ev_read);
	event_del(&st->ev_write);
	event_del(&st->ev_end);
	close(st->fd);
	limits_fds(-1);
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
		if (st->user != NULL)
			st->user->cut(st->user, why);
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

	if (get_idle_drop(m, &in) == -1 || in.moves > 1)
		return (-1);
	if (in.moves)
		moving_mark(in.session);
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
