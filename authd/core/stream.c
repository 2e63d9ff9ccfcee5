/* SPDX-License-Identifier: ISC */
/*
 * The life of a stream: asked for, perhaps waiting for room, its audit row
 * written, opened, ended by muxd's last word. It leaves its lists in
 * stream_free() only, which end_run() calls.
 */
#include <sodium.h>

#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "base/target.h"
#include "grant.h"
#include "proc/conf.h"
#include "services.h"
#include "session.h"
#include "stream.h"

#define ROOM_MS		200	/* for proxyds to let go of idle streams */
#define TELL_MS		1500	/* for a tunnel to tell after a restart */
#define WAITING_MAX	64	/* streams of one tunnel that wait for room; */
#define WAITING_ONE	32	/* of one proxyd, where there are several */
#define KILLED_MS	10000	/* for muxd's last word */
#define ENDED_EXTRA	1024	/* announced, though they ended meanwhile */

/*
 * A number: 43 bits for the ms of authd's start, 6 to count on in, so that 64
 * streams for each ms since are none of the next authd's, and 14 that all of
 * this authd's have alike: of members that start in the same ms each has its
 * own.
 */
#define COUNT_BITS	6
#define TAG_BITS	14

static void	stream_admit(struct stream *, const struct now *);

struct streams	stream_ends = TAILQ_HEAD_INITIALIZER(stream_ends);

static struct {
	struct index	table;
	struct streams	ungranted;	/* that no grant answers for */
	unsigned	nungranted;
	uint64_t	last;		/* number without its tag */
	uint32_t	tag;
} streams = { .ungranted = TAILQ_HEAD_INITIALIZER(streams.ungranted) };

void
stream_init(const struct now *now)
{
	streams.last = (uint64_t)now->wall_ms << COUNT_BITS;
	streams.tag = randombytes_uniform(1U << TAG_BITS);
}

static uint64_t
stream_number(void)
{
	return (++streams.last << TAG_BITS | streams.tag);
}

unsigned
stream_count(void)
{
	return ((unsigned)streams.table.count);
}

unsigned
stream_free_count(void)
{
	return (streams.nungranted);
}

struct stream *
stream_find(uint64_t id)
{
	struct link	*l = index_find(&streams.table, id);

	return (l == NULL ? NULL : OWNER(l, struct stream, link));
}

static void
stream_hang(struct stream *st, struct grant *g)
{
	st->grant = g;
	if (g == NULL) {
		TAILQ_INSERT_TAIL(&streams.ungranted, st, of_free);
		streams.nungranted++;
	} else {
		TAILQ_INSERT_TAIL(&g->streams, st, of_grant);
		g->nstreams++;
	}
}

static void
stream_unhang(struct stream *st)
{
	if (st->grant == NULL) {
		TAILQ_REMOVE(&streams.ungranted, st, of_free);
		streams.nungranted--;
	} else {
		TAILQ_REMOVE(&st->grant->streams, st, of_grant);
		grant_stream_gone(st->grant);
	}
	st->grant = NULL;
}

static struct stream *
stream_new(const struct stream_ask *ask, uint64_t id, const struct now *now)
{
	struct stream	*st;

	if (effect_owe(OWED_STREAM) == -1)
		return (NULL);
	if ((st = calloc(1, sizeof(*st))) == NULL) {
		effect_paid(OWED_STREAM);
		return (NULL);
	}
	st->id = id;
	st->since_ms = now->ms;
	st->kind = ask->kind;
	st->tunnel = ask->tunnel;
	st->terminal = ask->terminal;
	strlcpy(st->service, ask->service, sizeof(st->service));
	st->who = *ask->who;
	strlcpy(st->addr, ask->addr, sizeof(st->addr));
	st->asker = ask->asker;
	if ((st->lender = ask->lender) != NULL)
		TAILQ_INSERT_TAIL(&st->lender->lent_streams, st, of_lender);
	due_init(&st->due, DUE_STREAM);
	index_add(&streams.table, &st->link, st->id);
	stream_hang(st, ask->grant);
	return (st);
}

/* Asking. */

enum refusal
stream_begin(const struct stream_ask *ask, uint64_t *id, const struct now *now)
{
	struct stream	*st;

	if ((st = stream_new(ask, stream_number(), now)) == NULL)
		return (REFUSE_BUSY);
	*id = st->id;
	stream_admit(st, now);
	return (REFUSE_NOT);
}

static void
stream_queue_end(struct stream *st, enum stream_end end)
{
	if (st->end < end)
		st->end = end;
	if (st->queued)
		return;
	st->queued = 1;
	due_del(&st->due);
	TAILQ_INSERT_TAIL(&stream_ends, st, end_entry);
}

static void
stream_give_up(struct stream *st, enum refusal no)
{
	st->refusal = no;
	st->accounted = 1;
	stream_queue_end(st, STREAM_ENDED);
}

static unsigned
waiting_of(const struct tunnel *t, uint64_t instance)
{
	const struct stream	*st;
	unsigned		 n = 0;

	TAILQ_FOREACH(st, &t->waiting, of_tunnel)
		n += st->asker.instance == instance;
	return (n);
}

/* 0, or -1: refused. */
static int
stream_wait(struct stream *st, uint64_t until)
{
	struct tunnel	*t = st->tunnel;

	if (t->nwaiting >= WAITING_MAX || (grant_doors() > 1 &&
	    waiting_of(t, st->asker.instance) >= WAITING_ONE)) {
		stream_give_up(st, REFUSE_TUNNEL_FULL);
		return (-1);
	}
	st->state = STREAM_QUEUED;
	TAILQ_INSERT_TAIL(&t->waiting, st, of_tunnel);
	t->nwaiting++;
	due_set(&st->due, until);
	return (0);
}

/* Idle streams never cost anyone a refusal: ask for them, once at a time. */
static void
stream_ask_room(struct session *se, const struct now *now)
{
	if (se->idle_drop_ms != 0 && now->ms - se->idle_drop_ms < ROOM_MS)
		return;
	se->idle_drop_ms = now->ms;
	effect_add(EFFECT_IDLE_DROP)->session = se;
}

/*
 * Is there a place in the tunnel for it? A proxyd among several has three
 * quarters at most: a broken one that holds what it can leaves some to others.
 */
static int
stream_has_room(const struct stream *st)
{
	const struct door	*d = st->grant != NULL ? st->grant->door : NULL;
	unsigned		 max = (unsigned)core_env.conf->max_streams;
	const struct stream	*other;
	unsigned		 n = 0;

	if (st->tunnel->nstreams >= max)
		return (0);
	if (d == NULL || grant_doors() == 1)
		return (1);
	TAILQ_FOREACH(other, &st->tunnel->streams, of_tunnel)
		n += other->grant != NULL && other->grant->door == d;
	return (n < max - max / 4);
}

/* Take a place in the tunnel, or wait for one; then the audit row. */
static void
stream_admit(struct stream *st, const struct now *now)
{
	struct tunnel	*t = st->tunnel;
	enum refusal	 no;

	st->state = STREAM_NEW;
	if (t->state == TUNNEL_AGAIN) {
		(void)stream_wait(st, now->ms + TELL_MS);
		return;
	}
	if ((no = st->kind->check(st)) != REFUSE_NOT) {
		stream_give_up(st, no);
		return;
	}
	if (!stream_has_room(st)) {
		if (stream_wait(st, now->ms + ROOM_MS) == 0)
			stream_ask_room(t->session, now);
		return;
	}
	st->state = STREAM_ROW;
	TAILQ_INSERT_TAIL(&t->streams, st, of_tunnel);
	t->nstreams++;
	st->row = st->kind->row(st, now);
	rowlog_asked(st->row, st->asker.request);
	if (st->row == NULL)
		stream_give_up(st, REFUSE_BUSY);
	else if (st->row->saved)
		stream_saved(st->id, 1);
	else
		effect_add(EFFECT_STREAM_ROW)->number = st->id;
}

void
stream_next(struct tunnel *t, const struct now *now)
{
	struct stream	*st, *next;

	if (t->session == NULL || t->session->over || tunnel_is_ending(t) ||
	    t->state == TUNNEL_AGAIN)
		return;
	for (st = TAILQ_FIRST(&t->waiting); st != NULL; st = next) {
		next = TAILQ_NEXT(st, of_tunnel);
		if (!stream_has_room(st))
			continue;
		TAILQ_REMOVE(&t->waiting, st, of_tunnel);
		t->nwaiting--;
		due_del(&st->due);
		stream_admit(st, now);
	}
}

/* Opening. */

/* What it hangs on has ended in this turn: end_run() will refuse it. */
static int
stream_is_doomed(const struct stream *st)
{
	const struct tunnel	*t = st->tunnel;

	return (t->session == NULL || t->session->over ||
	    tunnel_is_ending(t) ||
	    (st->lender != NULL && st->lender->over) ||
	    (st->grant != NULL && st->grant->over && st->grant->kills));
}

void
stream_saved(uint64_t id, int ok)
{
	struct stream	*st = stream_find(id);
	struct effect	*e;

	if (st == NULL || st->queued || st->state != STREAM_ROW ||
	    stream_is_doomed(st))
		return;
	if (!ok || st->row->failed) {
		stream_give_up(st, REFUSE_STORE);
		return;
	}
	st->state = STREAM_OPENED;
	e = effect_add(EFFECT_PAIR);
	e->number = st->id;
	e->to = st->asker;
}

struct stream *
stream_to_pair(uint64_t id)
{
	struct stream	*st = stream_find(id);

	if (st == NULL || (!st->queued && !stream_is_doomed(st)))
		return (st);
	st->state = STREAM_ROW;
	return (NULL);
}

void
stream_given(uint64_t id)
{
	struct stream	*st = stream_find(id);

	if (st != NULL)
		st->asker.instance = 0;
}

void
stream_failed(uint64_t id, enum refusal no)
{
	struct stream	*st = stream_find(id);

	if (st == NULL)
		return;
	if (no == REFUSE_NOT)
		st->asker.instance = 0;
	stream_give_up(st, no);
}

enum refusal
stream_service(const struct stream *st, const struct service **sv)
{
	*sv = services_find(st->tunnel->session->services, st->service);
	if (*sv == NULL)
		return (REFUSE_SERVICE_NONE);
	return (target_parse((*sv)->target, NULL) == TARGET_OK ? REFUSE_NOT :
	    REFUSE_TARGET);
}

/* Ends. */

void
stream_account(struct stream *st, uint64_t in, uint64_t out,
    const char *outcome, const struct now *now)
{
	uint64_t	more_in = 0, more_out = 0;

	if (st->row == NULL)
		return;
	if (in > st->counted_in)
		more_in = in - st->counted_in;
	if (out > st->counted_out)
		more_out = out - st->counted_out;
	st->counted_in += more_in;
	st->counted_out += more_out;
	rowlog_count(st->row, more_in, more_out, outcome, now);
}

/*
 * Of a row that is over its end alone is written: with the stream's last word.
 */
void
stream_moved(const struct tunnel *t, uint64_t id, uint64_t in, uint64_t out,
    const struct now *now)
{
	struct stream	*st = stream_find(id);

	if (st != NULL && st->tunnel == t && st->state == STREAM_OPENED &&
	    st->end == STREAM_LIVES && !st->row->over)
		stream_account(st, in, out, NULL, now);
}

int
stream_ended(const struct tunnel *t, uint64_t id, enum end_reason why,
    uint64_t in, uint64_t out, const struct now *now)
{
	struct stream	*st = stream_find(id);
	struct effect	*e;

	/* One that was killed before this authd knew it: nothing to do. */
	if (st == NULL || st->tunnel != t || st->state < STREAM_OPENED ||
	    st->end == STREAM_ENDED)
		return (-1);
	/* What a terminal has said already says more. */
	stream_account(st, in, out, st->state == STREAM_KILLED ||
	    (st->kind->own_row && st->row->row.outcome[0] != '\0') ? NULL :
	    end_reason_name(why), now);
	st->accounted = 1;
	if (st->kind->told) {
		e = effect_add(EFFECT_OVER);
		e->to.instance = st->terminal;
		e->code = why;
	}
	stream_queue_end(st, STREAM_ENDED);
	return (0);
}

void
stream_kill(struct stream *st, enum end_reason why)
{
	if (st->state == STREAM_KILLED || st->queued)
		return;
	st->why = why;
	st->refusal = REFUSE_SESSION_OVER;
	stream_queue_end(st, STREAM_KILL);
}

void
stream_orphans(struct session *se)
{
	struct stream	*st;

	while ((st = TAILQ_FIRST(&se->lent_streams)) != NULL) {
		TAILQ_REMOVE(&se->lent_streams, st, of_lender);
		st->lender = NULL;
	}
}

void
stream_lose(struct stream *st, enum refusal no)
{
	if (!st->queued) {
		st->refusal = no;
		st->why = END_TUNNEL;
	}
	stream_queue_end(st, STREAM_ENDED);
}

/* It ends with its token, also when no grant tells it so. */
static void
stream_arm_due(struct stream *st, const struct now *now)
{
	int64_t	left = st->who.expires - now->wall_ms / 1000;

	if (st->queued || st->state != STREAM_OPENED)
		return;
	due_set(&st->due, now->ms + (left > 0 ? (uint64_t)left * 1000 : 0));
}

void
stream_let_go(struct stream *st, const struct now *now)
{
	stream_unhang(st);
	stream_hang(st, NULL);
	if (st->kind->lapses)
		stream_arm_due(st, now);
}

void
stream_killed(struct stream *st, const struct now *now)
{
	st->state = STREAM_KILLED;
	due_set(&st->due, now->ms + KILLED_MS);
}

int
stream_is_late(uint64_t id)
{
	const struct stream	*st = stream_find(id);

	return (st != NULL && st->state == STREAM_KILLED && !st->queued);
}

/* It waited for too long; or the token under which it was opened is over. */
void
stream_due(struct due *d)
{
	struct stream	*st = OWNER(d, struct stream, due);
	struct effect	*e;

	if (st->state == STREAM_KILLED) {
		e = effect_add(EFFECT_LATE);
		e->to.instance = st->tunnel->instance;
		e->number = st->id;
	} else if (st->state == STREAM_OPENED)
		stream_kill(st, END_GRANT);
	else
		stream_give_up(st, st->tunnel->state == TUNNEL_AGAIN ?
		    REFUSE_NOT_READY : REFUSE_TUNNEL_FULL);
}

struct stream *
stream_rotate(void)
{
	struct stream	*st = TAILQ_FIRST(&streams.ungranted);

	if (st == NULL)
		return (NULL);
	TAILQ_REMOVE(&streams.ungranted, st, of_free);
	TAILQ_INSERT_TAIL(&streams.ungranted, st, of_free);
	return (st);
}

void
stream_refuse(struct stream *st, enum refusal no)
{
	struct effect	*e;

	if (st->asker.instance == 0)
		return;
	if (st->row != NULL && st->kind->own_row)
		rowlog_say(st->row, refusal_info(no)->text);
	core_env.refused(&(struct refused){ .who = &st->who,
	    .type = st->kind->type, .addr = st->addr,
	    .session = st->tunnel->session != NULL ?
	    st->tunnel->session->row.id : "", .service = st->service,
	    .request = st->asker.request, .why = no });
	e = effect_add(st->kind->refused);
	e->to = st->asker;
	e->refusal = no;
	st->asker.instance = 0;
}

void
stream_free(struct stream *st, const struct now *now)
{
	struct tunnel	*t = st->tunnel;

	TAILQ_REMOVE(&stream_ends, st, end_entry);
	if (st->state == STREAM_QUEUED) {
		TAILQ_REMOVE(&t->waiting, st, of_tunnel);
		t->nwaiting--;
	} else if (st->state != STREAM_NEW) {
		TAILQ_REMOVE(&t->streams, st, of_tunnel);
		t->nstreams--;
		tunnel_room(t);
	}
	if (st->row != NULL)
		st->kind->leave_row(st->row, now);
	stream_unhang(st);
	if (st->lender != NULL)
		TAILQ_REMOVE(&st->lender->lent_streams, st, of_lender);
	index_del(&streams.table, &st->link);
	effect_paid(OWED_STREAM);
	freezero(st, sizeof(*st));
}

/* After a restart. */

int
stream_may_restore(const struct tunnel *t, uint64_t id)
{
	return (t->session != NULL && stream_find(id) == NULL &&
	    t->nstreams < core_env.conf->max_streams + ENDED_EXTRA);
}

const char *
stream_restore(const struct stream_ask *ask, uint64_t id, struct rowlog *row,
    uint64_t in, uint64_t out, const struct now *now)
{
	struct tunnel	*t = ask->tunnel;
	struct stream	*st;

	if (strcmp(row->row.session_id, t->session->row.id) != 0) {
		rowlog_release(row);
		return ("no open row in the access log");
	}
	if ((st = stream_new(ask, id, now)) == NULL) {
		rowlog_release(row);
		return ("out of memory");
	}
	st->row = row;
	/* Of a row that several have this may be the others'. */
	st->counted_in = in < row->row.bytes_in ? in : row->row.bytes_in;
	st->counted_out = out < row->row.bytes_out ? out : row->row.bytes_out;
	st->state = STREAM_OPENED;
	TAILQ_INSERT_TAIL(&t->streams, st, of_tunnel);
	t->nstreams++;
	if (id >> TAG_BITS > streams.last)
		streams.last = id >> TAG_BITS;
	if (st->who.expires != 0)
		stream_arm_due(st, now);
	return (NULL);
}
