/* SPDX-License-Identifier: ISC */
/*
 * After an upgrade: who takes the places of those that the old program started.
 * Their successors are there before they are asked to go; dialerd goes first,
 * since there is one. A proxyd finishes what it has, for `drain time`; a tlsd,
 * through which tunnels go, stays until the last has ended. Tunnels, terminals
 * and whatever else is one peer's alone stay as they are, and so does paird,
 * where devices wait for each other.
 */
#include <stdio.h>

#include "base/log.h"
#include "entries.h"
#include "upgrade.h"

#define R_MOVED		(R_DIALERD)
#define R_BESIDE	(R_AUTHD | R_CONTROL | R_PROXYD | R_METRICD | \
	R_TLSD | R_KEYD)
#define R_KEPT		(R_PAIRD)
#define CONTROL_S	10	/* for its clients; who follows begins anew */

static struct {
	enum { REPLACE_NOT, REPLACE_AUTHD, REPLACE_TURN, REPLACE_REST } step;
	uint64_t	before;		/* the old authd's instance; 0: none */
	void		(*done)(void);
} replace;

static void	replace_turned(void);

/* Whoever has a place of the old ones' keeps it for now. */
static int
replace_is_placed(int role)
{
	return ((R_BESIDE & ROLE_BIT(role)) == 0);
}

static void
each_slot(void (*fn)(struct slot *))
{
	struct slot	*s;
	unsigned	 n;

	for (s = supervise_slots(&n); n > 0; n--, s++)
		fn(s);
}

/*
 * authd first, since all others are connected with it. It does not open the
 * store before the old one has gone (SPAWNED_ALL).
 */
static void
begin_authd(struct slot *s)
{
	if (s->role == ROLE_AUTHD)
		supervise_fill(s);
}

static void
replace_begin(void)
{
	struct child	*c = child_authd();

	replace.step = REPLACE_AUTHD;
	replace.before = c != NULL ? c->instance : 0;
	each_slot(begin_authd);
}

static int
replace_is_turning(void)
{
	return (replace.step == REPLACE_AUTHD || replace.step == REPLACE_TURN);
}

/*
 * It is there, and waits. The proxyds turn to it, each as soon as it has been
 * answered by the old one, which then goes.
 */
static void
turn(struct child *authd)
{
	struct child	*c, *before = child_find(replace.before);

	replace.step = REPLACE_TURN;
	if (before == NULL) {
		replace_turned();
		return;
	}
	for (c = child_after(0); c != NULL; c = child_after(c->instance))
		if ((role_info(c->role)->flags & RF_DOORS) && c->chan != NULL)
			(void)authlink_join_next(c, authd);
	supervise_end(before);
}

static void
move(struct slot *s)
{
	if (s->child == NULL || !s->child->old)
		return;
	s->moved = 1;
	supervise_end(s->child);
}

static void
begin_rest(struct slot *s)
{
	if (R_MOVED & ROLE_BIT(s->role))
		move(s);
	supervise_fill(s);
}

/* The old authd has gone: everybody else turns, too, and all new ones start. */
static void
replace_turned(void)
{
	struct child	*c;

	replace.step = REPLACE_REST;
	for (c = child_after(0); c != NULL; c = child_after(c->instance))
		if (c->role == ROLE_AUTHD && !c->old)
			child_set_authd(c);
	authlink_all();
	each_slot(begin_rest);
}

static int
is_new_and_ready(const struct slot *s)
{
	if (!limits_wants(&env()->conf, s->role) || 
	    (R_KEPT & ROLE_BIT(s->role)))
		return (1);
	return (s->child != NULL && !s->child->old &&
	    s->child->state == CHILD_READY);
}

/*
 * Those who have a successor. Their answer to `relayctl upgrade` comes first.
 */
static void
end_old(void)
{
	struct child	*c;

	for (c = child_after(0); c != NULL; c = child_after(c->instance)) {
		if (!c->old || !(R_BESIDE & ROLE_BIT(c->role)))
			continue;
		entries_leave(c);
		if (c->role == ROLE_PROXYD)
			supervise_leave(c,
			    (uint32_t)env()->conf.drain_time);
		else if (c->role == ROLE_TLSD)
			supervise_leave(c, 0);
		else if (c->role == ROLE_CONTROL)
			supervise_leave(c, CONTROL_S);
		else
			supervise_end(c);
	}
}

static void
replace_ready(struct child *c)
{
	struct slot	*s;
	unsigned	 i, n;

	if (env()->stopping)
		return;
	if (replace.step == REPLACE_AUTHD && c->role == ROLE_AUTHD && !c->old)
		turn(c);
	if (replace.step != REPLACE_REST)
		return;
	s = supervise_slots(&n);
	for (i = 0; i < n; i++, s++)
		if (!is_new_and_ready(s))
			return;
	replace.step = REPLACE_NOT;
	replace.done();
	end_old();
}

static int
replace_ended(const struct child *c, const char *why)
{
	char	text[256];

	if (replace.step == REPLACE_NOT || env()->stopping)
		return (0);
	if (c->instance == replace.before) {
		if (replace.step == REPLACE_AUTHD)
			replace.before = 0;	/* it did not wait for us */
		return (replace.step == REPLACE_TURN);
	}
	if (c->old || c->slot == NULL)
		return (0);
	snprintf(text, sizeof(text), "the new %s does not start: %s",
	    role_name(c->role), why);
	goback_now(text);
	return (0);		/* there is no way back: go on as ever */
}

const struct supervise_ops *
replace_init(void (*done)(void))
{
	static const struct supervise_ops	ops = {
		.placed = replace_is_placed,
		.begin = replace_begin,
		.ready = replace_ready,
		.ended = replace_ended,
		.follow = replace_turned,
		.turning = replace_is_turning,
	};

	replace.done = done;
	return (&ops);
}
