/* SPDX-License-Identifier: ISC */
/*
 * A beat is a write like any other: it is there if our writes are, and is not
 * if somebody else writes in our name.
 */
#include <string.h>

#include "authd/core/session.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "handlers.h"
#include "member.h"
#include "proc/proc.h"

#define BEAT_MS		5000
#define AGAIN_MS	1000	/* one that could not be written */
#define SILENT_MS	15000	/* ours: no logins any more */
#define CLOCK_MS	10000	/* that one may be off by */
#define DRAINED_MS	20000	/* it counts as drained just now */

static void	beat(void *);

static struct {
	struct member_row	 row[CLUSTER_MAX];	/* by name */
	size_t			 n;
	struct timer		 timer;
	int			 beating;	/* one is on its way */
	uint64_t		 beat_ms;	/* the last that was written */
	int			 said;		/* that we are silent */
	int64_t			 skew_ms;	/* what the store is ahead */
	uint64_t		 forwarded[2];	/* in, out */
	int			 draining, hurry;	/* a beat says so at once */
	uint64_t		 drained_ms;	/* when one was last seen to */
	void			(*then)(int);
	after_fn		 after;
	void			(*beaten)(int);
} members;

void
member_init(after_fn after)
{
	members.after = after;
	timer_init(&members.timer, beat, NULL);
	store_member(member_self());
	store_member_at(proc_conf()->cluster_address,
	    (uint16_t)proc_conf()->cluster_port);
}

/* A row of our name that says so is our own, of before an upgrade. */
int
member_on_was_at(struct chan *c, struct imsg *m)
{
	struct msg_was_at	in;

	(void)c;
	if (get_was_at(m, &in) == -1 || in.port > UINT16_MAX)
		return (-1);
	store_member_was_at(in.address, (uint16_t)in.port);
	return (0);
}

void
member_on_beat(void (*fn)(int))
{
	members.beaten = fn;
}

const char *
member_self(void)
{
	return (proc_conf()->cluster_name);
}

int
member_is_one(void)
{
	return (member_self()[0] != '\0');
}

int
member_has_begun(void)
{
	return (members.beat_ms != 0);
}

int
member_is_silent(void)
{
	return (member_is_one() && (members.beat_ms == 0 ||
	    clock_ms() - members.beat_ms >= SILENT_MS));
}

void
member_forwarded(int out)
{
	members.forwarded[out]++;
}

int64_t
member_now(void)
{
	return (clock_wall_ms() + members.skew_ms);
}

/* --- who is there --- */

const struct member_row *
member_find(const char *name)
{
	size_t	i;

	for (i = 0; i < members.n; i++)
		if (strcmp(members.row[i].name, name) == 0)
			return (&members.row[i]);
	return (NULL);
}

int
member_is_alive(const struct member_row *m)
{
	return (m->silent_ms < MEMBER_GONE_MS);
}

int
member_is_elsewhere(const char *name)
{
	const struct member_row	*m;

	return (name[0] != '\0' && strcmp(name, member_self()) != 0 &&
	    (m = member_find(name)) != NULL && member_is_alive(m));
}

/* One that drains has nothing to be first with, unless all do. */
const struct member_row *
member_first(void)
{
	const struct member_row	*last = NULL;
	size_t			 i;

	for (i = members.n; i > 0; i--)
		if (member_is_alive(&members.row[i - 1]) && (last == NULL ||
		    last->draining || !members.row[i - 1].draining))
			last = &members.row[i - 1];
	return (last);
}

const struct member_row *
member_other(void)
{
	size_t	i;

	for (i = 0; i < members.n; i++)
		if (member_is_elsewhere(members.row[i].name) &&
		    !members.row[i].draining)
			return (&members.row[i]);
	return (NULL);
}

int
member_is_first(void)
{
	const struct member_row	*first = member_first();

	return (!member_is_one() || (first != NULL &&
	    strcmp(first->name, member_self()) == 0));
}

void
member_drains(int on)
{
	size_t	i;

	if (members.draining == on)
		return;
	members.draining = on;
	members.hurry = 1;
	for (i = 0; i < members.n; i++)
		if (strcmp(members.row[i].name, member_self()) == 0)
			members.row[i].draining = on;
	if (members.beat_ms != 0 && !members.beating)
		timer_set(&members.timer, 0);
}

int
member_is_draining(void)
{
	return (members.draining);
}

/* It is looked at with each beat, and when one says that it begins. */
static void
note_drains(void)
{
	size_t	i;

	for (i = 0; i < members.n; i++)
		if (members.row[i].draining &&
		    member_is_alive(&members.row[i]))
			members.drained_ms = clock_ms();
}

int
member_somebody_drains(void)
{
	return (members.draining || (members.drained_ms != 0 &&
	    clock_ms() - members.drained_ms < DRAINED_MS));
}

void
member_each(void (*fn)(const struct member_row *, void *), void *arg)
{
	size_t	i;

	for (i = 0; i < members.n; i++)
		fn(&members.row[i], arg);
}

static void
note_changes(const struct member_row *was, const struct member_row *is)
{
	int	before = was != NULL && member_is_alive(was);

	if (strcmp(is->name, member_self()) != 0 &&
	    before != member_is_alive(is))
		log_info("member %s: %s", is->name, before ? "gone" :
		    "is there");
}

/* Ours: nothing depends on it, but that of tokens and ends of sessions. */
static void
note_clock(const struct member_row *us)
{
	int64_t	was = members.skew_ms, is = us->beat_at + us->silent_ms -
		    clock_wall_ms();

	members.skew_ms = is;
	if ((is > CLOCK_MS || is < -CLOCK_MS) &&
	    (was <= CLOCK_MS && was >= -CLOCK_MS))
		log_warnx("cluster: our clock is %lld s %s the store's",
		    (long long)(is > 0 ? is : -is) / 1000, is > 0 ? "behind" :
		    "ahead of");
}

/* Who has begun, and waits to know the others? */
static void
begun(int ok)
{
	void	(*then)(int) = members.then;

	members.then = NULL;
	if (then != NULL)
		then(ok);
}

static void
members_known(const struct answer *a, void *arg)
{
	const struct member_row	*us;
	size_t			 i, n = a->n < CLUSTER_MAX ? a->n :
				    CLUSTER_MAX;

	(void)arg;
	if (a->r == -1) {
		begun(0);
		return;
	}
	for (i = 0; i < n; i++)
		note_changes(member_find(a->member[i].name), &a->member[i]);
	if (n > 0)
		memcpy(members.row, a->member, n * sizeof(members.row[0]));
	members.n = n;
	note_drains();
	if ((us = member_find(member_self())) != NULL)
		note_clock(us);
	begun(1);
}

void
member_look(void)
{
	if (member_is_one() && store_is_up())
		(void)store_ask(&(struct question){ .what = ASK_MEMBERS,
		    .key = "" }, members_known, NULL);
}

/* --- our beat --- */

static void
note_silence(void)
{
	int	silent = member_is_silent();

	if (silent && !members.said)
		log_warnx("cluster: no beat of ours could be written for %d "
		    "s: tunnels stay, nobody logs in", SILENT_MS / 1000);
	else if (!silent && members.said)
		log_info("cluster: our beat is written again");
	members.said = silent;
}

/* Others have written to them: what is shown of them is as new as a beat. */
static void
heads_known(const struct answer *a, void *arg)
{
	(void)a;
	(void)arg;
}

static void
beat_done(void *arg, int ok)
{
	int	late;

	(void)arg;
	members.beating = 0;
	if (ok) {
		late = member_is_silent();
		members.beat_ms = clock_ms();
		member_look();
		(void)store_ask(&(struct question){ .what = ASK_AUDIT_HEADS,
		    .key = "" }, heads_known, NULL);
		members.beaten(late);
	}
	timer_set(&members.timer, !ok ? AGAIN_MS : members.hurry ? 0 :
	    BEAT_MS);
	note_silence();
	if (!ok || !store_is_up())
		begun(0);
}

static void
beat_write(void)
{
	const struct conf	*c = proc_conf();
	struct member_row	 m = { .port = (uint16_t)c->cluster_port,
				    .draining = members.draining,
				    .tunnels = session_tunnels(),
				    .sessions = session_count(),
				    .forwarded_in = members.forwarded[0],
				    .forwarded_out = members.forwarded[1] };

	strlcpy(m.name, c->cluster_name, sizeof(m.name));
	strlcpy(m.address, c->cluster_address, sizeof(m.address));
	strlcpy(m.version, RELAYD_VERSION, sizeof(m.version));
	members.beating = 1;
	members.hurry = 0;
	(void)store_member_beat(&m, members.beat_ms == 0);
	(void)store_member_sweep(&(struct sweep){ .gone_ms = MEMBER_GONE_MS,
	    .grace_ms = c->grace * 1000, .startup_ms = members.beat_ms == 0 ?
	    c->startup_grace * 1000 : 0 });
	members.after(beat_done, NULL);
}

static void
beat(void *arg)
{
	(void)arg;
	if (members.beating)
		return;
	if (store_is_up()) {
		beat_write();
		return;
	}
	note_silence();
	timer_set(&members.timer, AGAIN_MS);
}

void
member_begin(void (*then)(int))
{
	if (!member_is_one()) {
		then(1);
		return;
	}
	members.then = then;
	beat_write();
}

void
member_end(void)
{
	timer_del(&members.timer);
	if (member_is_one() && members.beat_ms != 0 && store_is_up())
		(void)store_member_gone(member_self());
}

/* --- who has what --- */

enum holder_at
holder_of(const struct facts *f, const struct member_row **m)
{
	const struct session_row	*se = &f->session;

	*m = NULL;
	if (f->got_session == -1)
		return (HOLDER_DOWN);
	if (f->got_session != 0 || (se->status != SESSION_PENDING &&
	    se->status != SESSION_ACTIVE))
		return (HOLDER_OVER);
	if (se->member[0] == '\0' || (*m = member_find(se->member)) == NULL ||
	    !member_is_alive(*m)) {
		*m = NULL;
		return (HOLDER_NOBODY);
	}
	return (strcmp(se->member, member_self()) == 0 ? HOLDER_HERE :
	    HOLDER_THERE);
}
