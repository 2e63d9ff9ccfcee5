/* SPDX-License-Identifier: ISC */
/*
 * A change is noted for each follower, who is asked about a moment later, when
 * the store has it: may he see it? So a follower never hears of what is not
 * his, and a storm of changes costs each one a few questions at a time.
 */
#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include "authd/core/budget.h"
#include "authd/core/env.h"
#include "authd/core/may.h"
#include "authd/core/session.h"
#include "authd/facts.h"
#include "authd/redis/bus.h"
#include "base/clock.h"
#include "base/compat.h"
#include "follow.h"
#include "metrics/count.h"
#include "peer.h"
#include "proc/proc.h"

#define FOLLOWERS_MAX	512
#define FOLLOWERS_ONE	16	/* of one operator */
#define FOLLOWERS_FEW	128	/* of one organization, when few are left */
#define NOTES_MAX	32	/* more is: everything may have changed */
#define PAUSE_MS	200	/* from a change to the first word of it */
#define AGAIN_MS	1000	/* while the store cannot say */

struct note {
	char	session[UUID_SIZE];	/* "": the system itself */
	char	system[ID_SIZE];
};

struct follower {
	TAILQ_ENTRY(follower)	 entry;
	/* set once */
	uint64_t		 number;
	struct asker		 asker;
	struct operator		 who;
	struct claim		 place;
	struct timer		 expiry;	/* of the token */
	/* state */
	struct note		 note[NOTES_MAX];
	unsigned		 first, n;
	int			 all;		/* more than can be noted */
	int			 asking;	/* about the first */
};
static TAILQ_HEAD(, follower)	followers = TAILQ_HEAD_INITIALIZER(followers);

static void	follower_ask(struct follower *);

static struct {
	uint64_t	last;
	unsigned	n;
	struct budget	places;
	struct timer	pause;
	int		waiting;	/* for the commit of this turn */
	after_fn	after;		/* the turn's */
} all = { .places = { .total = FOLLOWERS_MAX, .one = FOLLOWERS_ONE,
    .few = FOLLOWERS_FEW } };

static struct follower *
follower_find(uint64_t number)
{
	struct follower	*f;

	TAILQ_FOREACH(f, &followers, entry)
		if (f->number == number)
			return (f);
	return (NULL);
}

static void
follower_free(struct follower *f)
{
	TAILQ_REMOVE(&followers, f, entry);
	all.n--;
	gauge(CT_FOLLOWERS, all.n);
	timer_del(&f->expiry);
	budget_leave(&all.places, &f->place);
	freezero(f, sizeof(*f));
}

static void
follower_end(struct follower *f, const char *why)
{
	struct chan	*c = asker_chan(&f->asker);

	if (c != NULL)
		(void)say_events_end(c, f->asker.id, -1,
		    &(struct msg_events_end){ .why = why });
	follower_free(f);
}

static void
follower_expired(void *arg)
{
	follower_end(arg, "token has expired");
}

/* ---- what is said ---- */

static void
say(const struct follower *f, enum event_kind kind, const struct note *n)
{
	struct chan	*c = asker_chan(&f->asker);

	if (c != NULL)
		(void)say_event(c, f->asker.id, -1, &(struct msg_event){
		    .kind = (uint8_t)kind, .session = n->session,
		    .system = n->system });
}

static void
pause_over(void *arg)
{
	struct follower	*f, *next;

	(void)arg;
	for (f = TAILQ_FIRST(&followers); f != NULL; f = next) {
		next = TAILQ_NEXT(f, entry);
		if (!f->asking)
			follower_ask(f);
	}
}

static void
pause_set(uint64_t ms)
{
	if (all.pause.fn == NULL)
		timer_init(&all.pause, pause_over, NULL);
	if (!timer_is_set(&all.pause))
		timer_set(&all.pause, ms);
}

/* 1: it was said, or need not be; 0: the store could not tell. */
static int
note_known(struct follower *f, const struct facts *facts)
{
	struct note	*n = &f->note[f->first];
	enum refusal	 no;

	if (f->all) {
		f->all = 0;
		say(f, EVENT_ALL, &(struct note){ .session = "" });
		return (1);
	}
	if ((no = may_see(facts)) == REFUSE_STORE || no == REFUSE_SECURITY)
		return (0);
	if (no == REFUSE_NOT)
		say(f, n->session[0] != '\0' ? EVENT_SESSION : EVENT_SYSTEM,
		    n);
	f->first = (f->first + 1) % NOTES_MAX;
	f->n--;
	return (1);
}

static void
follower_known(const struct facts *facts, void *arg)
{
	struct follower	*f = follower_find((uint64_t)(uintptr_t)arg);
	enum refusal	 no;

	if (f == NULL)
		return;
	f->asking = 0;
	no = may_act(facts);
	if (no == REFUSE_TOKEN_REVOKED || no == REFUSE_USER_REVOKED)
		follower_end(f, refusal_info(no)->text);
	else if (!note_known(f, facts))
		pause_set(AGAIN_MS);
	else if (f->n > 0 || f->all)
		pause_set(0);
}

static void
follower_ask(struct follower *f)
{
	struct chan	*c = asker_chan(&f->asker);

	if ((f->n == 0 && !f->all) || c == NULL)
		return;
	if (chan_queued(c) > CHAN_QUEUE_HIGH || !peer_is_ready()) {
		pause_set(AGAIN_MS);
		return;
	}
	f->asking = 1;
	(void)facts_ask(f->all ? NEED_REVOKED : NEED_SCOPE,
	    &(struct facts_keys){ .who = &f->who,
	    .system_id = f->all ? NULL : f->note[f->first].system,
	    .asker = f->asker.instance }, follower_known,
	    (void *)(uintptr_t)f->number);
}

/* ---- what is noted ---- */

/* In a cluster: what others are told when this turn is stored. */
static struct {
	struct note	note[NOTES_MAX];
	unsigned	n;
	int		waiting;
} told;

static void
tell(void *arg, int ok)
{
	unsigned	i, n = told.n;

	(void)arg;
	told.waiting = 0;
	told.n = 0;
	if (!ok)
		return;
	if (n > NOTES_MAX)
		bus_changed("", "");
	else
		for (i = 0; i < n; i++)
			bus_changed(told.note[i].session, told.note[i].system);
}

static int
has_others(void)
{
	return (proc_conf()->cluster_name[0] != '\0');
}

static void
tell_later(const char *session, const char *system)
{
	unsigned	i;

	if (!has_others())
		return;
	for (i = 0; i < told.n && i < NOTES_MAX; i++)
		if (strcmp(told.note[i].session, session) == 0 &&
		    strcmp(told.note[i].system, system) == 0)
			return;
	if (told.n < NOTES_MAX) {
		strlcpy(told.note[told.n].session, session,
		    sizeof(told.note[0].session));
		strlcpy(told.note[told.n].system, system,
		    sizeof(told.note[0].system));
	}
	if (told.n <= NOTES_MAX)
		told.n++;
	if (!told.waiting) {
		told.waiting = 1;
		all.after(tell, NULL);
	}
}

static void
stored(void *arg, int ok)
{
	(void)arg;
	(void)ok;
	all.waiting = 0;
	pause_set(PAUSE_MS);
}

/* The first is left alone: the store is being asked about it. */
static int
is_noted(const struct follower *f, const char *session, const char *system)
{
	const struct note	*n;
	unsigned		 i;

	for (i = f->asking ? 1 : 0; i < f->n; i++) {
		n = &f->note[(f->first + i) % NOTES_MAX];
		if (strcmp(n->session, session) == 0 &&
		    strcmp(n->system, system) == 0)
			return (1);
	}
	return (0);
}

static void
note_for(struct follower *f, const char *session, const char *system)
{
	struct note	*n;

	if (f->all || is_noted(f, session, system))
		return;
	if (f->n == NOTES_MAX || system[0] == '\0') {
		f->all = 1;
		f->n = 0;
		return;
	}
	n = &f->note[(f->first + f->n++) % NOTES_MAX];
	strlcpy(n->session, session, sizeof(n->session));
	strlcpy(n->system, system, sizeof(n->system));
}

static void
note(const char *session, const char *system)
{
	struct follower	*f;

	if (TAILQ_EMPTY(&followers))
		return;
	TAILQ_FOREACH(f, &followers, entry)
		note_for(f, session, system);
	if (!all.waiting) {
		all.waiting = 1;
		all.after(stored, NULL);
	}
}

void
follow_session_row(const struct session_row *row)
{
	tell_later(row->id, row->system_id);
	note(row->id, row->system_id);
}

void
follow_session(const struct session *se)
{
	follow_session_row(&se->row);
}

void
follow_others(const char *session, const char *system)
{
	note(session, system);
}

void
follow_session_id(const char *session)
{
	const struct session	*se;

	if ((!TAILQ_EMPTY(&followers) || has_others()) &&
	    (se = session_find(session)) != NULL)
		follow_session(se);
}

void
follow_system(const char *id)
{
	tell_later("", id);
	note("", id);
}

/* ---- who follows ---- */

void
follow_init(after_fn after)
{
	all.after = after;
}

enum refusal
follow_begin(const struct asker *asker, const struct operator *who)
{
	struct follower	*f;
	int64_t		 left = who->expires * 1000 - clock_wall_ms();

	if ((f = calloc(1, sizeof(*f))) == NULL)
		return (REFUSE_BUSY);
	if (budget_take(&all.places, &f->place, who->id, who->org_id, 1) ==
	    -1) {
		free(f);
		return (REFUSE_FOLLOWERS);
	}
	f->number = ++all.last;
	f->asker = *asker;
	f->who = *who;
	timer_init(&f->expiry, follower_expired, f);
	timer_set(&f->expiry, left > 0 ? (uint64_t)left : 0);
	TAILQ_INSERT_TAIL(&followers, f, entry);
	gauge(CT_FOLLOWERS, ++all.n);
	return (REFUSE_NOT);
}

void
follow_gone(uint64_t instance, uint32_t id)
{
	struct follower	*f;

	TAILQ_FOREACH(f, &followers, entry)
		if (f->asker.instance == instance && f->asker.id == id)
			break;
	if (f != NULL)
		follower_free(f);
}

void
follow_gone_all(uint64_t instance)
{
	struct follower	*f, *next;

	for (f = TAILQ_FIRST(&followers); f != NULL; f = next) {
		next = TAILQ_NEXT(f, entry);
		if (f->asker.instance == instance)
			follower_free(f);
	}
}

unsigned
follow_count(void)
{
	return (all.n);
}

uint64_t
follow_rotate(const struct operator **who)
{
	struct follower	*f = TAILQ_FIRST(&followers);

	if (f == NULL)
		return (0);
	TAILQ_REMOVE(&followers, f, entry);
	TAILQ_INSERT_TAIL(&followers, f, entry);
	*who = &f->who;
	return (f->number);
}

void
follow_end(uint64_t number, const char *why)
{
	struct follower	*f = follower_find(number);

	if (f != NULL)
		follower_end(f, why);
}
