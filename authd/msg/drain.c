/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "authd/core/session.h"
#include "authd/core/stream.h"
#include "authd/core/ticket.h"
#include "authd/now.h"
#include "admit.h"
#include "await.h"
#include "base/clock.h"
#include "base/log.h"
#include "drain.h"
#include "handlers.h"
#include "member.h"
#include "moving.h"
#include "pairing.h"
#include "peer.h"
#include "proc/proc.h"
#include "relay.h"
#include "ws/ws.h"

#define TICK_MS		500	/* between looks at who can go, */
#define SOON_MS		100	/* and while one is being emptied */
/* For the balancer to see that we are not ready: etc/front-haproxy.cfg. */
#define FIRST_MS	2000
#define EACH_MS		10	/* a tunnel: 100 go in a second */
/* From when proxyds are told to ask: what was let in before that comes first. */
#define EMPTY_MS	300

static void	drain_tick(void *);

static struct {
	int64_t		until;		/* wall ms */
	uint64_t	began_ms;
	uint64_t	half_ms;	/* of the time, for those who can go */
	uint64_t	window_ms;	/* of it, as few do not take all */
	uint64_t	moved;
	struct timer	timer;
} drain;

void
drain_init(void)
{
	timer_init(&drain.timer, drain_tick, NULL);
	await_init();
}

static void
drain_set(int64_t until)
{
	int64_t	left = until - clock_wall_ms();

	drain.until = until;
	drain.began_ms = clock_ms();
	drain.half_ms = left > 2 * FIRST_MS ? (uint64_t)left / 2 - FIRST_MS : 0;
	member_drains(1);
	pairing_leave();
	timer_set(&drain.timer, TICK_MS);
}

static void
drain_tell_parent(void)
{
	(void)say_drain(proc_parent(), 0, -1, &(struct msg_drain){
	    .until = (uint64_t)drain.until });
}

void
drain_begin(uint32_t seconds)
{
	if (!member_is_draining())
		drain.moved = 0;
	drain_set(clock_wall_ms() + (int64_t)seconds * 1000);
	drain_tell_parent();
	log_info("draining, for up to %u s: %u tunnel%s", seconds,
	    session_tunnels(), PLURAL(session_tunnels()));
}

int
drain_cancel(void)
{
	if (!member_is_draining())
		return (-1);
	drain.until = 0;
	drain.window_ms = 0;
	timer_del(&drain.timer);
	member_drains(0);
	drain_tell_parent();
	log_info("draining is cancelled");
	return (0);
}

/* To an authd that follows one to which that was said. */
int
drain_on_drain(struct chan *c, struct imsg *m)
{
	struct msg_drain	 in;

	(void)c;
	if (get_drain(m, &in) == -1 || in.until > INT64_MAX)
		return (-1);
	if (in.until != 0 && !member_is_draining())
		drain_set((int64_t)in.until);
	return (0);
}

/* Each at its own moment, in no order: they do not all come back at once. */
static int
is_its_turn(uint64_t number)
{
	uint64_t	at = drain.window_ms == 0 ? 0 :
			    (number * 0x9e3779b97f4a7c15ULL >> 16) %
			    drain.window_ms;

	return (clock_ms() >= drain.began_ms + FIRST_MS + at);
}

/*
 * Nothing runs. Proxyds that have asked within the last two seconds think that
 * it stays here, and would bring the next request: they are told first.
 */
static void
tell_first(struct session *se)
{
	if (se->empty_ms >= drain.began_ms)
		return;
	moving_tell(se);
	(void)moving_hold(se);
	se->empty_ms = clock_ms() + EMPTY_MS;
}

/*
 * Who has a ticket comes with it in a moment, and only we know it; who has been
 * let in has yet to open his stream. He is waited for, and waits for nothing;
 * for as long as one ticket lasts: who makes them again and again would keep
 * his session here.
 */
static int
is_expected(struct session *se)
{
	if (!ticket_waits(se->row.id, now_at()) &&
	    !admit_is_coming(se->row.id))
		return (0);
	if (se->expect_ms < drain.began_ms)
		se->expect_ms = clock_ms();
	if (clock_ms() - se->expect_ms >= proc_conf()->ticket_lifetime * 1000)
		return (0);
	se->held_ms = se->empty_ms = 0;
	return (1);
}

/*
 * A proxyd keeps idle streams, for the next request. 1: it is being emptied,
 * look again soon.
 */
static int
move(struct session *se)
{
	struct tunnel	*t = session_tunnel(se);

	if (t == NULL || t->state != TUNNEL_UP || se->newcomer != NULL ||
	    !is_its_turn(t->instance) || is_expected(se))
		return (0);
	if (t->nstreams > 0 || t->nwaiting > 0) {
		se->empty_ms = 0;
		moving_tell(se);
		return (moving_hold(se));
	}
	if (member_other() != NULL) {
		tell_first(se);
		if (clock_ms() < se->empty_ms)
			return (1);
	}
	session_detach(se, proc_conf()->grace, now_at());
	tunnel_retire(t, WS_GOING_AWAY, WS_REASON_DRAINING);
	drain.moved++;
	return (0);
}

static void
drain_tick(void *arg)
{
	struct session	*se, *next;
	uint64_t	 window = (uint64_t)(session_tunnels() +
			    relay_left()) * EACH_MS;
	int		 soon = 0;

	(void)arg;
	if (window > drain.half_ms)
		window = drain.half_ms;
	if (window > drain.window_ms)
		drain.window_ms = window;
	for (se = TAILQ_FIRST(&sessions); se != NULL; se = next) {
		next = TAILQ_NEXT(se, entry);
		soon |= move(se);
	}
	relay_give(is_its_turn);
	pairing_leave();
	timer_set(&drain.timer, soon ? SOON_MS : TICK_MS);
}

void
drain_look(struct drain *d)
{
	const struct session	*se;
	const struct stream	*st;
	uint64_t		 since = clock_ms();
	struct msg_pair_state	 pairs;
	int64_t			 left = drain.until - clock_wall_ms();
	int			 some;

	memset(d, 0, sizeof(*d));
	d->moved = drain.moved;
	d->tunnels = session_tunnels();
	TAILQ_FOREACH(se, &sessions, entry) {
		if (se->tunnel == NULL || se->tunnel->nstreams == 0)
			continue;
		d->busy++;
		TAILQ_FOREACH(st, &se->tunnel->streams, of_tunnel)
			if (st->since_ms < since)
				since = st->since_ms;
	}
	d->oldest_s = (clock_ms() - since) / 1000;
	d->relays = relay_left();
	d->waiting = await_count();
	if (pairing_is(&pairs) == 0)
		d->devices = pairs.clients;
	if (!member_is_draining())
		return;
	d->left_s = left > 0 ? (uint64_t)(left + 999) / 1000 : 0;
	/* One that has just begun does not know yet what there is. */
	some = d->tunnels + d->relays + d->devices + d->waiting > 0;
	d->state = left > 0 && (!peer_is_ready() || some) ? DRAIN_ON : some ?
	    DRAIN_LATE : DRAIN_DONE;
}
