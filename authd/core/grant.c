/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "effect.h"
#include "grant.h"
#include "guest.h"
#include "rowlog.h"
#include "stream.h"

#define GRANTS_MAX	65536	/* of all proxyds: each has its share */
#define FRESH_MS	120000	/* proxyd asks again after 60 s */
#define TELL_MS		1500	/* a tunnel's time to tell after a restart */

static void	grant_answer(struct grant *);

struct grants	grant_ends = TAILQ_HEAD_INITIALIZER(grant_ends);

static struct {
	struct index	table;
	struct grants	all;
	uint64_t	next;
	unsigned	doors;
} grants = { .all = TAILQ_HEAD_INITIALIZER(grants.all) };

void
grant_init(const struct now *now)
{
	grants.next = (uint64_t)now->wall_ms << 20;
}

unsigned
grant_doors(void)
{
	return (grants.doors > 0 ? grants.doors : 1);
}

unsigned
grant_count(void)
{
	return ((unsigned)grants.table.count);
}

void
door_init(struct door *d, uint64_t instance)
{
	memset(d, 0, sizeof(*d));
	d->instance = instance;
	TAILQ_INIT(&d->grants);
	grants.doors++;
}

static void
grant_queue(struct grant *g)
{
	if (g->over)
		return;
	g->over = 1;
	due_del(&g->wait);
	due_del(&g->expiry);
	TAILQ_INSERT_TAIL(&grant_ends, g, end_entry);
}

static void
grant_leave_door(struct grant *g)
{
	if (g->door == NULL)
		return;
	TAILQ_REMOVE(&g->door->grants, g, of_door);
	g->door->ngrants--;
	g->door = NULL;
}

void
door_gone(struct door *d)
{
	struct grant	*g;

	grants.doors--;
	while ((g = TAILQ_FIRST(&d->grants)) != NULL) {
		g->asker.instance = 0;
		grant_leave_door(g);
		grant_queue(g);
	}
}

void
grant_end(struct grant *g, enum end_reason why)
{
	if (!g->kills) {
		g->kills = 1;
		g->why = why;
	}
	grant_queue(g);
}

/*
 * Lapsed ones that nothing runs under would pile up otherwise. The oldest are
 * first, and behind a fresh one all are; what streams still hang on is no more
 * than there are streams.
 */
static void
grant_sweep(struct session *se, const struct now *now)
{
	struct grant	*g;

	TAILQ_FOREACH(g, &se->grants, of_session) {
		if (grant_is_fresh(g, now))
			break;
		if (g->nstreams == 0)
			grant_end(g, END_GRANT);
	}
}

static struct grant *
grant_alloc(const struct door *d)
{
	struct grant	*g;

	if (d->ngrants >= GRANTS_MAX / grant_doors() ||
	    effect_owe(OWED_GRANT) == -1)
		return (NULL);
	if ((g = calloc(1, sizeof(*g))) == NULL) {
		effect_paid(OWED_GRANT);
		return (NULL);
	}
	TAILQ_INIT(&g->streams);
	due_init(&g->wait, DUE_GRANT_WAIT);
	due_init(&g->expiry, DUE_GRANT_EXPIRY);
	return (g);
}

static void
grant_link(struct grant *g, struct door *d, struct session *se,
    struct session *lender)
{
	g->id = ++grants.next;
	g->door = d;
	g->session = se;
	index_add(&grants.table, &g->link, g->id);
	TAILQ_INSERT_TAIL(&grants.all, g, of_all);
	TAILQ_INSERT_TAIL(&d->grants, g, of_door);
	TAILQ_INSERT_TAIL(&se->grants, g, of_session);
	if ((g->lender = lender) != NULL)
		TAILQ_INSERT_TAIL(&lender->lent, g, of_lender);
	d->ngrants++;
}

enum refusal
grant_new(const struct grant_ask *ask, const struct now *now)
{
	struct grant	*g;
	struct rowlog	*row;
	int64_t		 left = ask->who->expires - now->wall_ms / 1000;

	grant_sweep(ask->session, now);
	row = rowlog_web(ask->who, ask->session->row.id, ask->service,
	    ask->addr, now);
	rowlog_asked(row, ask->asker.request);
	if (row == NULL)
		return (REFUSE_BUSY);
	if ((g = grant_alloc(ask->door)) == NULL) {
		rowlog_release(row);
		return (REFUSE_BUSY);
	}
	grant_link(g, ask->door, ask->session, ask->lender);
	g->who = *ask->who;
	strlcpy(g->addr, ask->addr, sizeof(g->addr));
	g->asked_ms = now->ms;
	g->asker = ask->asker;
	g->row = row;
	due_set(&g->expiry, now->ms + (left > 0 ? (uint64_t)left * 1000 : 0));
	strlcpy(g->reference, ask->reference, sizeof(g->reference));
	if (row->saved && ask->reference[0] == '\0')
		grant_saved(g->id, 1, now);
	else
		effect_add(EFFECT_GRANT_ROW)->number = g->id;
	return (REFUSE_NOT);
}

/* The audit row is in the store, or could not be written: then no access. */
void
grant_saved(uint64_t id, int ok, const struct now *now)
{
	struct grant	*g = grant_get(id);
	struct tunnel	*t;

	if (g == NULL || g->over || g->row == NULL)
		return;
	if (!ok || g->row->failed) {
		g->refusal = REFUSE_STORE;
		grant_queue(g);
		return;
	}
	t = g->session->tunnel;
	if (t != NULL && t->state == TUNNEL_AGAIN)
		due_set(&g->wait, now->ms + TELL_MS);
	else
		grant_answer(g);
}

void
grant_late(struct due *d)
{
	grant_answer(OWNER(d, struct grant, wait));
}

void
grant_announced(struct session *se)
{
	struct grant	*g;

	TAILQ_FOREACH(g, &se->grants, of_session)
		if (g->wait.is_set)
			grant_answer(g);
}

static void
grant_answer(struct grant *g)
{
	struct effect	*e;

	due_del(&g->wait);
	if (grant_is_doomed(g))
		return;		/* end_run() refuses it */
	rowlog_release(g->row);
	g->row = NULL;
	e = effect_add(EFFECT_GRANTED);
	e->number = g->id;
	e->to = g->asker;
	g->asker.instance = 0;
}

struct grant *
grant_to_say(uint64_t id, const struct asker *asker)
{
	struct grant	*g = grant_get(id);

	if (g == NULL || (!g->over && !grant_is_doomed(g)))
		return (g);
	if (g->door != NULL)
		g->asker = *asker;
	return (NULL);
}

void
grant_told(struct grant *g)
{
	g->told = 1;
}

void
grant_note_refused(const struct grant *g, enum refusal no)
{
	core_env.refused(&(struct refused){ .who = &g->who,
	    .type = ROW_WEB, .addr = g->addr,
	    .session = g->session->row.id, .service = "",
	    .request = g->asker.request, .why = no });
}

void
grant_busy(uint64_t id)
{
	struct grant	*g = grant_get(id);

	if (g == NULL || g->over)
		return;
	grant_note_refused(g, REFUSE_BUSY);
	g->dropped = 1;		/* it never knew it: */
	grant_end(g, END_GRANT);	/* what it opened, it guessed */
}

struct grant *
grant_get(uint64_t id)
{
	struct link	*l = index_find(&grants.table, id);

	return (l == NULL ? NULL : OWNER(l, struct grant, link));
}

struct grant *
grant_find(const struct door *d, uint64_t id)
{
	struct grant	*g = grant_get(id);

	return (g != NULL && g->door == d && !g->dropped && !g->over ? g :
	    NULL);
}

int
grant_is_fresh(const struct grant *g, const struct now *now)
{
	return (now->ms - g->asked_ms < FRESH_MS);
}

int
grant_is_doomed(const struct grant *g)
{
	return (g->session->over || (g->lender != NULL && g->lender->over));
}

/* Of one session, of several: the first of its grants that counts. */
struct held {
	const struct door	*door;
	int			 is;
};

static void
held_by(struct session *se, void *arg)
{
	struct held		*held = arg;
	const struct grant	*g;

	if (held->is)
		return;
	TAILQ_FOREACH(g, &se->grants, of_session)
		if (g->door == held->door && g->told && !g->dropped && !g->over)
			break;
	held->is = g != NULL;
}

int
grant_holds(const struct door *d, const char *system_id)
{
	struct held	held = { d, 0 };

	session_each_of(system_id, held_by, &held);
	guest_each_of(system_id, held_by, &held);
	return (held.is);
}

/* What still runs under it has to end with it. */
void
grant_drop(struct grant *g)
{
	g->dropped = 1;
	if (g->nstreams == 0)
		grant_queue(g);
}

void
grant_stream_gone(struct grant *g)
{
	if (--g->nstreams == 0 && g->dropped)
		grant_queue(g);
}

void
grant_expired(struct due *d)
{
	grant_end(OWNER(d, struct grant, expiry), END_GRANT);
}

struct grant *
grant_rotate(void)
{
	struct grant	*g = TAILQ_FIRST(&grants.all);

	if (g == NULL)
		return (NULL);
	TAILQ_REMOVE(&grants.all, g, of_all);
	TAILQ_INSERT_TAIL(&grants.all, g, of_all);
	return (g);
}

void
grant_free(struct grant *g)
{
	TAILQ_REMOVE(&grant_ends, g, end_entry);
	if (g->row != NULL)
		rowlog_release(g->row);
	index_del(&grants.table, &g->link);
	TAILQ_REMOVE(&grants.all, g, of_all);
	TAILQ_REMOVE(&g->session->grants, g, of_session);
	if (g->lender != NULL)
		TAILQ_REMOVE(&g->lender->lent, g, of_lender);
	grant_leave_door(g);
	effect_paid(OWED_GRANT);
	freezero(g, sizeof(*g));
}
