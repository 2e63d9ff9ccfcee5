/* SPDX-License-Identifier: ISC */
#include <sys/queue.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authd/core/budget.h"
#include "authd/core/session.h"
#include "authd/facts.h"
#include "await.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/index.h"
#include "moving.h"
#include "proc/proc.h"

#define LOOK_MS		50	/* between two looks for those who wait */

struct waiting {
	TAILQ_ENTRY(waiting)	 entry;
	struct claim		 place;
	uint64_t		 asker, until_ms;
	holder_then		 then;
	void			*arg;
};
TAILQ_HEAD(waitings, waiting);

/* A session that is waited for. */
struct awaited {
	struct link		 by_session;
	TAILQ_ENTRY(awaited)	 entry;
	char			 session[UUID_SIZE];
	struct waitings		 waiting;
	unsigned		 n;		/* of them */
	uint64_t		 asker;		/* whose share the question took */
	uint64_t		 ask_ms;	/* the next not before */
	int			 asking;
};
TAILQ_HEAD(awaiteds, awaited);

static struct {
	struct index	by_session;
	struct awaiteds	all;
	struct budget	places;
	struct timer	timer;
} await = { .all = TAILQ_HEAD_INITIALIZER(await.all),
	.places = { .total = AWAIT_MAX, .one = AWAIT_ONE,
	.few = UINT64_MAX } };

static void	look_all(void *);
static void	asked(const struct facts *, void *);

void
await_init(void)
{
	timer_init(&await.timer, look_all, NULL);
}

static struct awaited *
awaited_get(const char *session)
{
	struct awaited	*a;
	struct link	*l;

	for (l = index_find(&await.by_session, index_key(session)); l != NULL;
	    l = index_next(l)) {
		a = OWNER(l, struct awaited, by_session);
		if (strcmp(a->session, session) == 0)
			return (a);
	}
	if ((a = calloc(1, sizeof(*a))) == NULL)
		return (NULL);
	strlcpy(a->session, session, sizeof(a->session));
	TAILQ_INIT(&a->waiting);
	index_add(&await.by_session, &a->by_session, index_key(session));
	TAILQ_INSERT_TAIL(&await.all, a, entry);
	return (a);
}

/* Nobody waits: it is forgotten. Else it is looked at soon. */
static void
awaited_rest(struct awaited *a)
{
	if (a->asking)
		return;
	if (!TAILQ_EMPTY(&a->waiting)) {
		if (!timer_is_set(&await.timer))
			timer_set(&await.timer, LOOK_MS);
		return;
	}
	index_del(&await.by_session, &a->by_session);
	TAILQ_REMOVE(&await.all, a, entry);
	free(a);
}

/* ---- who is told ---- */

static int
is_late(const struct awaited *a, const struct waiting *w)
{
	(void)a;
	return (clock_ms() >= w->until_ms);
}

static int
is_askers(const struct awaited *a, const struct waiting *w)
{
	return (w->asker == a->asker);
}

/* All, or those of whom that is true. */
static void
tell(struct awaited *a, int (*whom)(const struct awaited *,
    const struct waiting *), enum holder_at at, const struct member_row *m)
{
	struct waiting	*w, *next;

	for (w = TAILQ_FIRST(&a->waiting); w != NULL; w = next) {
		next = TAILQ_NEXT(w, entry);
		if (whom != NULL && !whom(a, w))
			continue;
		TAILQ_REMOVE(&a->waiting, w, entry);
		a->n--;
		budget_leave(&await.places, &w->place);
		w->then(at, m, w->arg);
		free(w);
	}
}

/* ---- what is known ---- */

/* All members have the same grace: so long ago its tunnel went. */
static int
has_just_left(const struct session_row *row)
{
	int64_t	left = row->grace_at - (int64_t)proc_conf()->grace * 1000;

	return (row->grace_at != 0 && member_now() - left < AWAIT_MS);
}

/*
 * No member has it, or the row says that we do, and memory does not: what we
 * gave away is not committed yet.
 */
static int
is_on_its_way(enum holder_at at, const struct session_row *row)
{
	return (member_somebody_drains() && (at == HOLDER_HERE ||
	    (at == HOLDER_NOBODY && has_just_left(row))));
}

static void
ask(struct awaited *a)
{
	a->asking = 1;
	a->asker = TAILQ_FIRST(&a->waiting)->asker;
	(void)facts_ask(NEED_SESSION, &(struct facts_keys){
	    .session = a->session, .asker = a->asker }, asked, a);
}

/* It is in memory: nobody needs to be asked. */
static void
look_here(struct awaited *a, const struct session *se)
{
	enum moving	 how = moving_of(se);
	struct waiting	*w;

	if (how == MOVING_NOT)
		tell(a, NULL, HOLDER_HERE, NULL);
	else if (how == MOVING_COMES)
		tell(a, is_late, HOLDER_HERE, NULL);
	else
		TAILQ_FOREACH(w, &a->waiting, entry)
			w->until_ms = clock_ms() + AWAIT_MS;
}

static void
look(struct awaited *a)
{
	const struct session	*se;

	if (a->asking)
		return;
	if ((se = session_find(a->session)) != NULL)
		look_here(a, se);
	else if (clock_ms() >= a->ask_ms && !TAILQ_EMPTY(&a->waiting)) {
		ask(a);
		return;			/* it may have gone */
	}
	awaited_rest(a);
}

/* What has come meanwhile is known better here. */
static void
asked(const struct facts *f, void *arg)
{
	struct awaited			*a = arg;
	const struct member_row		*m;
	enum holder_at			 at = holder_of(f, &m);

	a->asking = 0;
	a->ask_ms = clock_ms() + AWAIT_ASK_MS;
	if (session_find(a->session) != NULL) {
		look(a);
		return;
	}
	/* Also where one proxyd has used up its share of questions. */
	if (at == HOLDER_DOWN)
		tell(a, is_askers, at, NULL);
	else if (is_on_its_way(at, &f->session))
		tell(a, is_late, at, NULL);
	else
		tell(a, NULL, at, m);
	if (at == HOLDER_DOWN)
		a->ask_ms = 0;
	awaited_rest(a);
}

static void
look_all(void *arg)
{
	struct awaited	*a, *next;

	(void)arg;
	for (a = TAILQ_FIRST(&await.all); a != NULL; a = next) {
		next = TAILQ_NEXT(a, entry);
		look(a);
	}
}

/* ---- who asks ---- */

static struct waiting *
waiting_new(uint64_t asker)
{
	struct waiting	*w = calloc(1, sizeof(*w));
	char		 holder[24];

	snprintf(holder, sizeof(holder), "%llu", (unsigned long long)asker);
	if (w == NULL || budget_take(&await.places, &w->place, holder, NULL,
	    1) == -1) {
		free(w);
		return (NULL);
	}
	w->asker = asker;
	w->until_ms = clock_ms() + AWAIT_MS;
	return (w);
}

void
await_where(const char *session, uint64_t asker, holder_then then, void *arg)
{
	const struct session	*se;
	struct awaited		*a;
	struct waiting		*w;

	if (!member_is_one() || ((se = session_find(session)) != NULL &&
	    moving_of(se) == MOVING_NOT)) {
		then(HOLDER_HERE, NULL, arg);
		return;
	}
	if ((w = waiting_new(asker)) == NULL) {
		then(HOLDER_DOWN, NULL, arg);
		return;
	}
	if ((a = awaited_get(session)) == NULL || a->n >= AWAIT_SESSION) {
		budget_leave(&await.places, &w->place);
		free(w);
		then(HOLDER_DOWN, NULL, arg);
		return;
	}
	w->then = then;
	w->arg = arg;
	TAILQ_INSERT_TAIL(&a->waiting, w, entry);
	a->n++;
	look(a);
}

unsigned
await_count(void)
{
	return ((unsigned)await.places.used);
}
