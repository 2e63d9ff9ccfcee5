/* SPDX-License-Identifier: ISC */
#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include "authd/core/effect.h"
#include "authd/core/session.h"
#include "authd/core/stream.h"
#include "authd/core/web.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "moving.h"

#define LOOK_MS		50	/* between two looks for those who wait */
#define ASK_MS		200	/* between two questions to the store for one */

/* Who wants to know where one is that is on its way. */
struct waiting {
	TAILQ_ENTRY(waiting)	 entry;
	char			 session[UUID_SIZE];
	uint64_t		 asker, until_ms, ask_ms;
	holder_then		 then;
	void			*arg;
};
TAILQ_HEAD(waitings, waiting);

static struct waitings	waitings = TAILQ_HEAD_INITIALIZER(waitings);
static unsigned		nwaiting;
static struct timer	timer;

static void	look_all(void *);

void
moving_init(void)
{
	timer_init(&timer, look_all, NULL);
}

/* --- it is held --- */

/* Only pages, and none of those that outlasted the last hold. */
static int
may_run_empty(const struct session *se)
{
	const struct stream	*st;

	TAILQ_FOREACH(st, &se->tunnel->streams, of_tunnel)
		if (st->kind != &stream_web || st->id <= se->outlasted)
			return (0);
	return (1);
}

static void
held_in_vain(struct session *se)
{
	const struct stream	*st;

	se->held_ms = 0;
	TAILQ_FOREACH(st, &se->tunnel->streams, of_tunnel)
		if (st->id > se->outlasted)
			se->outlasted = st->id;
	log_debug("session %s: its tunnel does not run empty", se->row.id);
}

static int
is_held(const struct session *se)
{
	return (member_is_draining() && se->held_ms > clock_ms());
}

int
moving_hold(struct session *se)
{
	if (member_other() == NULL)
		return (0);
	if (se->held_ms != 0 && !is_held(se))
		held_in_vain(se);
	else if (se->held_ms == 0 && may_run_empty(se))
		se->held_ms = clock_ms() + MOVING_HOLD_MS;
	return (se->held_ms != 0);
}

static void
is_draining(const struct member_row *m, void *arg)
{
	if (m->draining && member_is_alive(m))
		*(int *)arg = 1;
}

static int
somebody_drains(void)
{
	int	drains = member_is_draining();

	member_each(is_draining, &drains);
	return (drains);
}

/* The proxyds ask from now on, whatever they know. */
void
moving_comes(struct session *se)
{
	if (member_is_one() && somebody_drains())
		effect_add(EFFECT_IDLE_DROP)->session = se;
}

/* --- who waits for it --- */

static void
end(struct waiting *w, enum holder_at at, const struct member_row *m)
{
	w->then(at, m, w->arg);
	free(w);
}

/* 0, or -1: there are too many. */
static int
park(struct waiting *w)
{
	if (nwaiting >= MOVING_MAX)
		return (-1);
	TAILQ_INSERT_TAIL(&waitings, w, entry);
	nwaiting++;
	if (!timer_is_set(&timer))
		timer_set(&timer, LOOK_MS);
	return (0);
}

static void
asked(enum holder_at at, const struct member_row *m, void *arg)
{
	struct waiting	*w = arg;

	w->ask_ms = clock_ms() + ASK_MS;
	if (at != HOLDER_NOBODY || clock_ms() >= w->until_ms ||
	    !somebody_drains() || park(w) == -1)
		end(w, at, m);
}

/* Its client is there, and what it offers is still to be told. */
static int
is_coming(const struct session *se)
{
	return (se->tunnel != NULL && (se->tunnel->state == TUNNEL_LOGIN ||
	    se->tunnel->state == TUNNEL_BOUND ||
	    (se->tunnel->state == TUNNEL_UP && se->services == NULL)) &&
	    member_is_one() && somebody_drains());
}

static void
look(struct waiting *w)
{
	const struct session	*se = session_find(w->session);

	if (se != NULL && clock_ms() < w->until_ms &&
	    (is_held(se) || is_coming(se)) && park(w) == 0)
		return;
	if (se == NULL && clock_ms() < w->ask_ms && park(w) == 0)
		return;
	holder_ask(w->session, w->asker, asked, w);
}

static void
look_all(void *arg)
{
	struct waitings	 all = TAILQ_HEAD_INITIALIZER(all);
	struct waiting	*w;

	(void)arg;
	TAILQ_CONCAT(&all, &waitings, entry);
	nwaiting = 0;
	while ((w = TAILQ_FIRST(&all)) != NULL) {
		TAILQ_REMOVE(&all, w, entry);
		look(w);
	}
}

void
moving_where(const char *session, uint64_t asker, holder_then then, void *arg)
{
	struct waiting	*w;

	if (!member_is_one()) {
		then(HOLDER_HERE, NULL, arg);
		return;
	}
	if ((w = calloc(1, sizeof(*w))) == NULL) {
		then(HOLDER_DOWN, NULL, arg);
		return;
	}
	strlcpy(w->session, session, sizeof(w->session));
	w->asker = asker;
	w->until_ms = clock_ms() + MOVING_WAIT_MS;
	w->then = then;
	w->arg = arg;
	look(w);
}
