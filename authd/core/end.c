/* SPDX-License-Identifier: ISC */
#include <stddef.h>

#include "due.h"
#include "effect.h"
#include "end.h"
#include "grant.h"
#include "rowlog.h"
#include "session.h"
#include "stream.h"
#include "ticket.h"
#include "tunnel.h"

/* Who hangs on what: sessions, then tunnels, then grants mark their own. */

static void
mark_streams(struct tunnel *t, enum end_reason why)
{
	struct stream	*st;

	TAILQ_FOREACH(st, &t->waiting, of_tunnel)
		stream_kill(st, why);
	TAILQ_FOREACH(st, &t->streams, of_tunnel)
		stream_kill(st, why);
}

static void
mark_session(struct session *se, const struct now *now)
{
	struct stream	*st;
	struct grant	*g;

	if (se->tunnel != NULL)
		mark_streams(se->tunnel, END_SESSION);
	TAILQ_FOREACH(g, &se->grants, of_session)
		grant_end(g, END_SESSION);
	TAILQ_FOREACH(g, &se->lent, of_lender)
		grant_end(g, END_SESSION);
	TAILQ_FOREACH(st, &se->lent_streams, of_lender)
		stream_kill(st, END_SESSION);
	/* One that is no guest any more need not be over. */
	if (se->guest)
		return;
	ticket_end_session(se->row.id);
	rowlog_end_session(se->row.id, now);
}

static void
lose_streams(struct tunnel *t)
{
	struct stream	*st;

	TAILQ_FOREACH(st, &t->waiting, of_tunnel)
		stream_lose(st, REFUSE_TUNNEL_NONE);
	TAILQ_FOREACH(st, &t->streams, of_tunnel)
		stream_lose(st, REFUSE_TUNNEL_NONE);
}

static void
mark_grant(struct grant *g, const struct now *now)
{
	struct stream	*st, *next;

	for (st = TAILQ_FIRST(&g->streams); st != NULL; st = next) {
		next = TAILQ_NEXT(st, of_grant);
		if (g->kills)
			stream_kill(st, g->why);
		stream_let_go(st, now);
	}
	/* What its proxyd has counts for that one no more. */
	if (g->session->tunnel != NULL)
		tunnel_room(g->session->tunnel);
}

static void
mark(const struct now *now)
{
	struct session	*se;
	struct tunnel	*t;
	struct grant	*g;

	TAILQ_FOREACH(se, &session_ends, end_entry)
		mark_session(se, now);
	TAILQ_FOREACH(t, &tunnel_ends, end_entry) {
		if (t->gone)
			lose_streams(t);
		else
			mark_streams(t, END_TUNNEL);
	}
	TAILQ_FOREACH(g, &grant_ends, end_entry)
		mark_grant(g, now);
}

/* Telling, and leaving. */

static void
tell_muxds(const struct now *now)
{
	struct stream	*st;
	struct effect	*e;

	TAILQ_FOREACH(st, &stream_ends, end_entry) {
		if (st->state != STREAM_OPENED)
			continue;
		if (st->end == STREAM_KILL) {
			e = effect_add(EFFECT_KILL);
			e->to.instance = st->tunnel->instance;
			e->number = st->id;
			e->code = st->why;
		}
		if (!st->accounted)
			stream_account(st, 0, 0, end_reason_name(st->why),
			    now);
	}
}

static void
tell_askers(void)
{
	struct stream	*st;
	struct effect	*e;

	TAILQ_FOREACH(st, &stream_ends, end_entry) {
		stream_refuse(st, st->refusal);
		if (st->state != STREAM_OPENED || st->end != STREAM_KILL ||
		    !st->kind->closes)
			continue;
		e = effect_add(EFFECT_CLOSE);
		e->to.instance = st->terminal;
		e->code = 1008;
		e->text = st->why == END_SESSION ? "session is over" :
		    "access ended";
	}
}

/* One that muxd was told of stays until its last word, if one can come. */
static void
leave_streams(const struct now *now)
{
	struct stream	*st, *next;

	for (st = TAILQ_FIRST(&stream_ends); st != NULL; st = next) {
		next = TAILQ_NEXT(st, end_entry);
		if (st->end == STREAM_KILL && st->state >= STREAM_OPENED) {
			stream_killed(st, now);
			st->queued = 0;
			TAILQ_REMOVE(&stream_ends, st, end_entry);
		} else {
			stream_free(st, now);
		}
	}
}

static void
leave_grants(void)
{
	struct grant	*g;
	struct effect	*e;

	while ((g = TAILQ_FIRST(&grant_ends)) != NULL) {
		if (g->asker.instance != 0) {
			e = effect_add(EFFECT_GRANT_REFUSED);
			e->to = g->asker;
			e->refusal = g->refusal != REFUSE_NOT ? g->refusal :
			    g->session->guest ? REFUSE_ELSEWHERE :
			    REFUSE_SESSION_OVER;
			grant_note_refused(g, e->refusal);
		} else if (g->door != NULL && !g->dropped) {
			e = effect_add(EFFECT_GRANT_END);
			e->to.instance = g->door->instance;
			e->number = g->id;
			e->code = g->why;
		}
		grant_free(g);
	}
}

static void
close_tunnel(const struct tunnel *t, uint16_t code, const char *text)
{
	struct effect	*e = effect_add(EFFECT_CLOSE);

	e->to.instance = t->instance;
	e->code = code;
	e->text = text;
}

static void
leave_tunnels(void)
{
	struct tunnel	*t;

	while ((t = TAILQ_FIRST(&tunnel_ends)) != NULL) {
		TAILQ_REMOVE(&tunnel_ends, t, end_entry);
		if (t->gone) {
			tunnel_free(t);
			continue;
		}
		t->retired = 0;
		t->state = TUNNEL_CLOSING;
		close_tunnel(t, t->close_code, t->close_text);
	}
}

static void
leave_sessions(void)
{
	struct session	*se;
	struct tunnel	*t;

	while ((se = TAILQ_FIRST(&session_ends)) != NULL) {
		t = se->tunnel;
		stream_orphans(se);
		session_unbind(se);
		if (t != NULL) {
			t->state = TUNNEL_CLOSING;
			close_tunnel(t, se->close_code, se->close_text);
		}
		session_reap(se);
	}
}

/* What became possible. */
static void
start(const struct now *now)
{
	struct tunnel	*t;

	while ((t = TAILQ_FIRST(&tunnel_rooms)) != NULL) {
		TAILQ_REMOVE(&tunnel_rooms, t, room_entry);
		t->has_room = 0;
		stream_next(t, now);
	}
}

static int
is_pending(void)
{
	return (!TAILQ_EMPTY(&session_ends) || !TAILQ_EMPTY(&tunnel_ends) ||
	    !TAILQ_EMPTY(&grant_ends) || !TAILQ_EMPTY(&stream_ends) ||
	    !TAILQ_EMPTY(&tunnel_rooms));
}

void
end_run(const struct now *now)
{
	while (is_pending()) {
		mark(now);
		/* A terminal hears why before it sees the stream's end. */
		tell_askers();
		tell_muxds(now);
		leave_streams(now);
		leave_grants();
		leave_tunnels();
		leave_sessions();
		start(now);
	}
}

void
core_due(const struct now *now)
{
	struct due	*d;

	while ((d = due_first()) != NULL && d->at <= now->ms) {
		due_del(d);
		switch (d->kind) {
		case DUE_SESSION_EXPIRY:
			session_expired(d, now);
			break;
		case DUE_SESSION_GRACE:
			session_lost(d, now);
			break;
		case DUE_SESSION_PUSH:
			session_push_due(d);
			break;
		case DUE_SESSION_RETRY:
			session_retry();
			break;
		case DUE_SESSION_LATER:
			session_later();
			break;
		case DUE_GRANT_EXPIRY:
			grant_expired(d);
			break;
		case DUE_GRANT_WAIT:
			grant_late(d);
			break;
		case DUE_STREAM:
			stream_due(d);
			break;
		case DUE_ROW_SWEEP:
			rowlog_sweep(now);
			break;
		case DUE_ROW_FLUSH:
			rowlog_due();
			break;
		}
	}
}

void
core_init(const struct now *now)
{
	session_init();
	rowlog_init(now);
	ticket_init();
	grant_init(now);
	stream_init(now);
}
