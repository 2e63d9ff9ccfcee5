/* SPDX-License-Identifier: ISC */
/*
 * What is written in a turn of the loop goes to the server in one flight, as
 * one transaction. Its first statement takes the row of the writer, says under
 * which epoch it writes, and leaves its number there (relayd.turn). Who
 * connects anew makes a new epoch (relayd.fence), for which it waits until what
 * was under way is decided, and after which nothing older can be written; the
 * number that it finds then says whether the last turn was. So a commit whose
 * answer got lost has an answer all the same: it is done, or sent again.
 *
 * Who cannot be made to wait so long is told that the store does not work. If
 * the turn is found written later, what was told is made true: its sessions
 * are closed, its rows of the access log ended, and the audit log says so.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "authd/store/audit.h"
#include "authd/store/store.h"
#include "pg.h"

#define TRIES	3	/* of a turn that the server would have again */

static struct {
	const struct server_ops	*ops;
	struct batch	*now;		/* of this turn */
	int		 in_turn, failed;
	struct batch	*sent;		/* the one that is under way */
	int		 was_sent;
	unsigned	 tries;
	void		(*then)(int, void *);
	void		*arg;
	uint64_t	 since_ms;
	struct batch	*unsure;	/* given up */
	int64_t		 epoch;
	uint64_t	 last, over;	/* turns by number */
	void		(*taken)(const char *);
} turn;

static struct query	fence = { .name = "turn",
    .pg = "SELECT relayd.turn($1, $2)" };
static struct query	member_fence = { .name = "member_turn",
    .pg = "SELECT relayd.turn($1, $2, $3)" };

void
pg_turn_init(const struct server_ops *ops)
{
	turn.ops = ops;
}

void
store_on_taken(void (*fn)(const char *id))
{
	turn.taken = fn;
}

int
turn_has_writes(void)
{
	return (turn.in_turn);
}

uint64_t
turn_behind(void)
{
	return (turn.last + (turn.in_turn != 0));
}

uint64_t
turn_done(void)
{
	return (turn.over);
}

uint64_t
turn_waits_ms(void)
{
	return (turn.sent != NULL ? pg_ms() - turn.since_ms + 1 : 0);
}

void
turn_spoil(void)
{
	turn.in_turn = turn.failed = 1;
}

int
turn_write(struct query *q, const char *types, va_list ap)
{
	struct params	*p;

	turn.in_turn = 1;
	if (!turn.failed && !turn.ops->is_there())
		turn.failed = 1;
	if (turn.failed)
		return (-1);
	if (turn.now == NULL)
		turn.now = batch_new();
	if (turn.now == NULL || (p = params_new(types, ap)) == NULL) {
		turn.failed = 1;
		return (-1);
	}
	if (batch_add(turn.now, q, p) == -1) {
		params_free(p);
		turn.failed = 1;
		return (-1);
	}
	return (0);
}

/* What was written since is built on what is not there: it is void, too. */
static void
turn_over(int ok)
{
	void	(*then)(int, void *) = turn.then;

	batch_free(turn.sent);
	turn.sent = NULL;
	turn.was_sent = 0;
	turn.over = turn.last;
	db_audit_written(ok);
	if (!ok && turn.in_turn)
		turn.failed = 1;
	then(ok, turn.arg);
}

/* The statement at its head says under which epoch. */
static int
fence_in(struct batch *b)
{
	struct statement	*s = STAILQ_FIRST(&b->list);
	struct query		*q = db_member()[0] != '\0' ? &member_fence :
				    &fence;
	struct params		*p;

	if (s->query == q)
		batch_drop(b, s);
	p = q == &fence ? params_of("ii", turn.epoch, b->serial) :
	    params_of("Tii", db_member(), turn.epoch, b->serial);
	if (p == NULL)
		return (-1);
	if (batch_add(b, q, p) == -1) {
		params_free(p);
		return (-1);
	}
	batch_last_first(b);
	return (0);
}

static void	turn_answered(struct request *);

static void
turn_submit(void)
{
	struct conn	*c = turn.ops->writer();
	struct request	*r;

	if (c == NULL)
		return;
	if (fence_in(turn.sent) == -1 || (r = request_new(NULL, NULL)) == NULL) {
		turn_over(0);
		return;
	}
	r->batch = turn.sent;
	r->done = turn_answered;
	turn.was_sent = 1;
	if (conn_send(c, r) == -1)
		turn.ops->again("cannot send");
}

static void
say_taken(const struct statement *s)
{
	if (turn.taken != NULL)
		turn.taken(s->params->value[0]);
}

/*
 * 1: without the statement it may go. That is an answer: however many are
 * taken, the server does not hang.
 */
static int
is_taken(const struct request *r)
{
	struct statement	*s = batch_at(turn.sent, r->failed_at - 1);

	if ((strcmp(r->state, "23505") != 0 &&
	    strcmp(r->state, "RD002") != 0) || s == NULL ||
	    !s->query->may_be_taken)
		return (0);
	say_taken(s);
	batch_drop(turn.sent, s);
	turn.since_ms = pg_ms();
	return (1);
}

/* The server's state is no reason to try it with the next turn. */
static int
is_ours(const char *state)
{
	return (strncmp(state, "22", 2) == 0 || strncmp(state, "23", 2) == 0 ||
	    strncmp(state, "42", 2) == 0);
}

static void
turn_refused(const struct request *r)
{
	struct statement	*s = batch_at(turn.sent, r->failed_at - 1);
	char			 why[128];

	snprintf(why, sizeof(why), "%s: SQLSTATE %s", s != NULL ?
	    s->query->name : "commit", r->state);
	if (strcmp(r->state, "RD001") == 0) {
		turn.ops->again("somebody else writes to the database, too");
	} else if (strncmp(r->state, "57P0", 4) == 0 ||
	    strncmp(r->state, "08", 2) == 0) {
		turn.ops->again(why);
	} else if (is_ours(r->state) && strcmp(r->state, "23505") != 0) {
		log_warnx("store: %s; the turn is void", why);
		turn_over(0);
	} else {
		turn.ops->down(why);
	}
}

static void
turn_written(void)
{
	const struct statement	*s;

	STAILQ_FOREACH(s, &turn.sent->list, entry)
		if (s->was_none && s->query->none_is_taken)
			say_taken(s);
	turn_over(1);
}

static void
turn_answered(struct request *r)
{
	if (r->batch != turn.sent || turn.sent == NULL) {
		request_free(r);
		return;
	}
	if (r->state[0] == '\0') {
		turn_written();
	} else if (is_taken(r) || ((strcmp(r->state, "40P01") == 0 ||
	    strcmp(r->state, "40001") == 0) && turn.tries++ < TRIES)) {
		turn_submit();
	} else {
		turn_refused(r);
	}
	request_free(r);
}

void
turn_send(void (*then)(int, void *), void *arg)
{
	struct batch	*b = turn.now;
	int		 failed = turn.failed || b == NULL;

	if (!turn.in_turn) {
		then(1, arg);
		return;
	}
	turn.now = NULL;
	turn.in_turn = turn.failed = 0;
	turn.last++;
	turn.sent = b;
	turn.then = then;
	turn.arg = arg;
	turn.since_ms = pg_ms();
	turn.tries = 0;
	if (failed) {
		turn_over(0);
		return;
	}
	db_audit_sent();
	turn_submit();
}

void
turn_resume(int64_t epoch, int64_t last)
{
	turn.epoch = epoch;
	if (turn.sent == NULL)
		return;
	if (turn.was_sent && turn.sent->serial == last)
		turn_over(1);
	else
		turn_submit();
}

void
turn_give_up(void)
{
	if (turn.sent == NULL)
		return;
	if (turn.was_sent) {
		batch_free(turn.unsure);
		turn.unsure = turn.sent;
		turn.sent = NULL;
	}
	turn_over(0);
}

/* --- what was given up, and is there --- */

int
turn_is_unsure(int64_t last)
{
	if (turn.unsure != NULL && turn.unsure->serial == last)
		return (1);
	batch_free(turn.unsure);
	turn.unsure = NULL;
	return (0);
}

void
turn_settle(void)
{
	struct statement	*s;
	char			 reason[128];
	unsigned		 undone = 0;

	if (turn.unsure == NULL)
		return;
	STAILQ_FOREACH(s, &turn.unsure->list, entry)
		if (s->query->undo != NULL && db_write(s->query->undo, "U",
		    s->params->value[0]) == 0)
			undone++;
	snprintf(reason, sizeof(reason), "%u writes that were answered with a "
	    "failure were in the store, %u were taken back",
	    turn.unsure->n, undone);
	log_warnx("store: %s", reason);
	audit_done(&(struct audit){ .action = "store_settled",
	    .address = "authd", .reason = reason });
	batch_free(turn.unsure);
	turn.unsure = NULL;
}

void
turn_clear(void)
{
	batch_free(turn.now);
	batch_free(turn.sent);
	batch_free(turn.unsure);
	turn.now = turn.sent = turn.unsure = NULL;
}
