/* SPDX-License-Identifier: ISC */
/*
 * The slots. A leg has its slot in `seats` as long as it may be paired; whoever
 * leaves is out of it first and closed then, so that who comes back at once
 * finds it free, and nobody is paired with somebody that has gone.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "leg.h"
#include "pair.h"
#include "proc/link.h"
#include "proc/proc.h"

#define SEAT_MS		5000	/* for authd's word on a connection */
#define STATS_MS	1000	/* between two reports of what has moved */
#define EMPTY_MS	1000	/* without anybody, before authd is told */
#define EMPTY_AGAIN_MS	5000
#define PREFIX		6	/* of an id, in the log: D13 */

static int	pair_seated(struct chan *, struct imsg *, void *);
static void	stats_due(void *);
static void	empty_due(void *);
static struct leg *pair_leave(struct leg *, uint16_t, const char *);

static struct {
	TAILQ_HEAD(, leg)	 legs;
	unsigned		 nlegs;
	struct leg		*seats[RELAY_CHANNELS][SLOT_COUNT];
	char			 session[UUID_SIZE];
	struct timer		 stats, empty;
	uint64_t		 in, out;	/* since the last report */
	int64_t			 moved;
	int			 over;		/* pair_close_all() */
} pair = { .legs = TAILQ_HEAD_INITIALIZER(pair.legs) };

void
pair_init(void)
{
	timer_init(&pair.stats, stats_due, NULL);
	timer_init(&pair.empty, empty_due, NULL);
	timer_set(&pair.empty, EMPTY_AGAIN_MS);
}

/* What authd hears. */

static void
slot_say(const struct leg *l, int taken, uint16_t code, const char *why)
{
	if (link_chan() != NULL)
		(void)say_slot(link_chan(), 0, -1, &(struct msg_slot){
		    .channel = l->channel, .slot = l->slot,
		    .taken = (uint8_t)taken, .code = code, .addr = l->addr,
		    .why = why });
}

static void
stats_say(void)
{
	if (pair.moved == 0 || link_chan() == NULL)
		return;
	if (say_relay_stats(link_chan(), 0, -1, &(struct msg_relay_stats){
	    .in = pair.in, .out = pair.out, .moved = (uint64_t)pair.moved }) ==
	    -1)
		return;
	pair.in = pair.out = 0;
	pair.moved = 0;
}

static void
stats_due(void *arg)
{
	(void)arg;
	stats_say();
}

void
pair_count(const struct leg *l, uint64_t bytes)
{
	if (l->slot == SLOT_INITIATOR)
		pair.in += bytes;
	else
		pair.out += bytes;
	if (!timer_is_set(&pair.stats))
		timer_set(&pair.stats, STATS_MS);
	pair.moved = clock_wall_ms();
}

static void
empty_due(void *arg)
{
	(void)arg;
	if (pair.nlegs > 0)
		return;
	if (link_chan() != NULL)
		(void)say_relay_empty(link_chan(), 0);
	timer_set(&pair.empty, EMPTY_AGAIN_MS);
}

void
pair_announce(void)
{
	const struct leg	*l;

	TAILQ_FOREACH(l, &pair.legs, entry)
		if (l->state == LEG_SEATED)
			slot_say(l, 1, 0, "");
	stats_say();
}

/* Coming. */

/* No message of it is longer than the other can be told again. */
static void
pair_bound(struct leg *l, const struct leg *peer)
{
	if (peer->resume != NULL && l->resume == NULL &&
	    (l->pass.max == 0 || l->pass.max > RESUME_MESSAGE))
		l->pass.max = RESUME_MESSAGE;
}

/* Either may be gone when something was said to it: who has a slot is there. */
static void
pair_sit(struct leg *l)
{
	struct leg	**slots = pair.seats[l->channel], *peer;
	uint8_t		 slot = l->slot;
	struct pipe	*held = NULL;

	peer = slots[slot ^ 1];
	if (peer != NULL && peer->is_over)
		peer = NULL;
	slots[slot] = l;
	slot_say(l, 1, 0, "");
	if (peer != NULL) {
		l->peer = peer;
		peer->peer = l;
		held = peer->held;
		peer->held = NULL;
		pair_bound(l, peer);
		pair_bound(peer, l);
	}
	if (held != NULL)
		leg_give(l, held);
	if (slots[slot] == l)
		leg_seat(l);
	if (peer != NULL && slots[slot ^ 1] == peer)
		leg_update(peer);
}

/* Its slot is held. A holder who is not read has room for nobody's doubts. */
static void
pair_knock(struct leg *l, struct leg *holder)
{
	if (holder->knocker != NULL || !leg_is_read(holder)) {
		leg_end(l, WS_POLICY, "slot already connected");
		return;
	}
	holder->knocker = l;
	leg_knock(l);
	leg_ping(holder);
}

/* It says that it is who was lost. Who is there still is not, any more. */
static void
pair_back(struct leg *l, struct leg *old)
{
	struct leg	**slots = pair.seats[l->channel], *peer;
	uint8_t		 slot = l->slot;

	if (old != NULL && old->state == LEG_SEATED)
		leg_lost(old, "dialed again");
	old = slots[slot];
	if (old == NULL || old->state != LEG_AWAY || leg_again(l, old) == -1) {
		leg_end(l, WS_POLICY, "nothing to resume");
		return;
	}
	l->peer = peer = old->peer;
	old->peer = NULL;
	if (peer != NULL)
		peer->peer = l;
	if (old->is_over)
		leg_over(l, old->code, old->end_text);
	slots[slot] = l;
	slot_say(l, 1, 0, "");
	leg_seat(l);
	if (slots[slot] == l && l->is_over && l->state == LEG_SEATED) {
		(void)pair_leave(l, old->code, old->end_text);
		leg_end(l, old->code, old->end_text);
	} else if (peer != NULL && slots[slot ^ 1] == peer)
		leg_update(peer);
	leg_drop(old);
}

void
pair_arrive(struct leg *l, uint64_t nonce)
{
	TAILQ_INSERT_TAIL(&pair.legs, l, entry);
	pair.nlegs++;
	timer_del(&pair.empty);
	if (pair.over || call_start(&l->call, link_chan(), SEAT_MS,
	    pair_seated, l) == 0 || say_seat(link_chan(), l->call.id, -1,
	    &(struct msg_seat){ .nonce = nonce }) == -1)
		leg_refuse(l, 503, "relay service is restarting");
}

static int
pair_seated(struct chan *c, struct imsg *m, void *arg)
{
	struct msg_seated	 in;
	struct leg		*l = arg, *holder;

	(void)c;
	if (m == NULL || get_seated(m, &in) == -1 || in.slot >= SLOT_COUNT ||
	    in.channel >= RELAY_CHANNELS) {
		leg_refuse(l, 503, "relay service is restarting");
		return (m == NULL ? 0 : -1);
	}
	if (in.status != 0) {
		leg_refuse(l, in.status, in.message);
		return (0);
	}
	l->channel = in.channel;
	l->slot = in.slot;
	strlcpy(pair.session, in.session, sizeof(pair.session));
	proc_title("%.*s", PREFIX, pair.session);
	holder = pair.seats[l->channel][l->slot];
	if (in.code != 0)
		leg_end(l, in.code, in.message);
	else if (l->again)
		pair_back(l, holder);
	else if (holder != NULL && holder->state == LEG_AWAY) {
		pair_lost(holder, "began anew");
		leg_drop(holder);
		pair_sit(l);
	} else if (holder != NULL)
		pair_knock(l, holder);
	else
		pair_sit(l);
	return (0);
}

void
pair_alive(struct leg *l)
{
	struct leg	*knocker = l->knocker;

	if (knocker == NULL)
		return;
	l->knocker = NULL;
	leg_end(knocker, WS_POLICY, "slot already connected");
}

void
pair_knock_over(struct leg *l)
{
	struct leg	*holder = pair.seats[l->channel][l->slot];

	if (holder == NULL)
		return;
	pair_lost(holder, "gave no sign of life");
	leg_drop(holder);
}

/* Going. */

/* In the log, and to authd. */
static void
left_log(const struct leg *l, uint16_t code, const char *why)
{
	char	text[128];

	log_request(l->request);
	log_info("relay session %.*s: %s of channel %u left: %u %s", PREFIX,
	    pair.session, l->slot == SLOT_INITIATOR ? "initiator" :
	    "responder", l->channel, code, log_escape(text, sizeof(text), why,
	    strlen(why)));
	log_request(NULL);
	stats_say();
	slot_say(l, 0, code, why);
}

/* It is out of its slot; who knocked there sits down when all is done. */
static struct leg *
pair_leave(struct leg *l, uint16_t code, const char *why)
{
	struct leg	*knocker = l->knocker;

	if (pair.seats[l->channel][l->slot] != l)
		return (NULL);
	pair.seats[l->channel][l->slot] = NULL;
	l->knocker = NULL;
	if (l->peer != NULL)
		l->peer->peer = NULL;
	l->peer = NULL;
	if (l->state != LEG_AWAY)	/* that was said when it went */
		left_log(l, code, why);
	return (knocker);
}

/* Both leave; the one who stays behind hears it. */
static void
pair_part(struct leg *l, uint16_t code, const char *why, uint16_t peer_code,
    const char *peer_why)
{
	struct leg	*peer = l->peer, *one, *two = NULL;

	one = pair_leave(l, code, why);
	if (peer != NULL && peer->state == LEG_AWAY)
		/* It may come for what it has not heard yet, and for this. */
		leg_over(peer, peer_code, peer_why);
	else if (peer != NULL) {
		two = pair_leave(peer, peer_code, peer_why);
		leg_end(peer, peer_code, peer_why);
	}
	if (one != NULL)
		pair_sit(one);
	if (two != NULL)
		pair_sit(two);
}

int
pair_away(struct leg *l, const char *why)
{
	/* Who knocks there begins anew. */
	if (l->resume == NULL || l->state != LEG_SEATED || pair.over ||
	    l->knocker != NULL || proc_conf()->relay_resume == 0)
		return (0);
	left_log(l, WS_ABNORMAL, why);
	return (1);
}

void
pair_closed(struct leg *l)
{
	pair_part(l, ws_peer_code(&l->ws), "closed", WS_NORMAL,
	    "peer disconnected");
	leg_end(l, 0, "");
}

void
pair_lost(struct leg *l, const char *why)
{
	pair_part(l, WS_ABNORMAL, why, WS_GOING_AWAY, "peer connection lost");
}

void
pair_fault(struct leg *l)
{
	const char	*why = ws_error(&l->ws);

	pair_part(l, ws_own_code(&l->ws), why != NULL ? why :
	    "broke the rules of its messages", WS_GOING_AWAY,
	    "peer connection lost");
	leg_end(l, 0, "");
}

void
pair_late(struct leg *l)
{
	static const char	why[] = "peer did not connect in time";

	pair_part(l, WS_GOING_AWAY, why, WS_GOING_AWAY, why);
	leg_end(l, WS_GOING_AWAY, why);
}

/* D8: the one who sent hears why, the other is not there any more. */
void
pair_stalled(struct leg *l)
{
	pair_part(l, WS_ABNORMAL, "takes nothing", WS_INTERNAL,
	    "peer write failed");
	leg_drop(l);
}

void
pair_gone(struct leg *l)
{
	struct leg	*holder = pair.seats[l->channel][l->slot];

	if (holder != NULL && holder->knocker == l)
		holder->knocker = NULL;
	TAILQ_REMOVE(&pair.legs, l, entry);
	if (--pair.nlegs > 0)
		return;
	if (pair.over) {
		link_flush();
		proc_exit(0);
	}
	timer_set(&pair.empty, EMPTY_MS);
}

void
pair_close_all(uint16_t code, const char *reason)
{
	struct leg	*l, *next;

	if (pair.over)
		return;
	pair.over = 1;
	if (pair.nlegs == 0) {
		link_flush();
		proc_exit(0);
	}
	TAILQ_FOREACH(l, &pair.legs, entry) {
		if (l->state == LEG_SEATED || l->state == LEG_AWAY)
			(void)pair_leave(l, code, reason);
		l->knocker = NULL;
		if (l->state == LEG_KNOCKING || l->state == LEG_SEATED)
			leg_end(l, code, reason);
		l->hurry = 1;
		timer_set(&l->timer, CLOSE_MS);
	}
	for (l = TAILQ_FIRST(&pair.legs); l != NULL; l = next) {
		next = TAILQ_NEXT(l, entry);
		if (l->state == LEG_ASKING)
			leg_refuse(l, 503, reason);
		else if (l->state == LEG_AWAY)
			leg_drop(l);
	}
}
