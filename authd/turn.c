/* SPDX-License-Identifier: ISC */
#include <sys/queue.h>

#include <stdlib.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "core/due.h"
#include "core/end.h"
#include "core/grant.h"
#include "core/rowlog.h"
#include "core/session.h"
#include "core/stream.h"
#include "metrics/count.h"
#include "msg/admit.h"
#include "msg/credit.h"
#include "msg/follow.h"
#include "msg/member.h"
#include "msg/named.h"
#include "msg/pairing.h"
#include "msg/peer.h"
#include "msg/recording.h"
#include "msg/run.h"
#include "now.h"
#include "proc/proc.h"
#include "store/audit.h"
#include "store/castdir.h"
#include "store/store.h"
#include "turn.h"

#define SLOW_MS		100	/* a turn that waited longer is logged */
#define PROBE_MS	1000	/* between looks at a store that is down */
#define PURGE_MS	60000	/* between looks for what is too old */
#define PURGE_NEXT_MS	200	/* when there was some */
#define SIZE_MS		15000	/* between two measurements of the store */
#define ROUNDS_MAX	16	/* commits in one turn: answers that ask on */

struct later {
	STAILQ_ENTRY(later)	 entry;
	void			(*fn)(void *, int);
	void			*arg;
	char			 request[REQUEST_SIZE];	/* for the log */
};
STAILQ_HEAD(laters, later);

static void	turn_committed(int, void *);
static void	turn_due(void *);

static struct {
	struct laters	waiting;	/* for the commit of this turn */
	struct laters	committing;	/* for the one that is under way */
	int		is_committing;
	struct timer	due;		/* the first deadline of the core */
	struct timer	probe, purge;
	unsigned	sessions, tunnels;	/* that the title says */
	unsigned long	count;
	uint64_t	sized_ms;	/* when the store was measured */
} turn = {
	.waiting = STAILQ_HEAD_INITIALIZER(turn.waiting),
	.committing = STAILQ_HEAD_INITIALIZER(turn.committing),
};

static void
turn_probe(void *arg)
{
	(void)arg;
	(void)store_probe();
}

static void
turn_purge(void *arg)
{
	int64_t			now = clock_wall_ms();
	const struct conf	*conf = proc_conf();
	struct store_keep	k = { .now = now,
	    .sessions_before = now - (int64_t)conf->keep_sessions * 1000,
	    .sessions_max = (int64_t)conf->keep_sessions_max,
	    .log_before = now - (int64_t)conf->keep_log * 1000,
	    .log_max = (int64_t)conf->keep_log_max,
	    .done_before = now - (int64_t)conf->keep_audit * 1000,
	    .done_max = (int64_t)conf->keep_audit_max,
	    .refused_before = now - (int64_t)conf->keep_refusals * 1000,
	    .refused_max = (int64_t)conf->keep_refusals_max };

	(void)arg;
	timer_set(&turn.purge, store_is_up() && member_is_first() &&
	    store_purge(&k) == 1 ?
	    PURGE_NEXT_MS : PURGE_MS);
}

static void
turn_taken(const char *id)
{
	struct session	*se = session_find(id);

	if (se != NULL)
		se->taken = 1;
	else
		pairing_taken(id);
}

void
turn_init(void)
{
	store_on_taken(turn_taken);
	store_on_system(follow_system);
	recording_init(turn_after);
	follow_init(turn_after);
	member_init(turn_after);
	pairing_init(turn_after);
	timer_init(&turn.due, turn_due, NULL);
	timer_init(&turn.probe, turn_probe, NULL);
	timer_init(&turn.purge, turn_purge, NULL);
	timer_set(&turn.purge, PURGE_MS);
}

void
turn_after(void (*fn)(void *, int), void *arg)
{
	struct later	*l;

	if ((l = malloc(sizeof(*l))) == NULL) {
		fn(arg, 0);
		return;
	}
	l->fn = fn;
	l->arg = arg;
	strlcpy(l->request, log_request_now(), sizeof(l->request));
	STAILQ_INSERT_TAIL(&turn.waiting, l, entry);
}

/* One that ended in the turn that made it needs both. */
static int
write_session(const struct session_row *row, int fresh)
{
	if (fresh && store_session_insert(row) == STORE_TAKEN)
		return (1);
	if (!fresh || row->leave_s != 0 || (row->status != SESSION_PENDING &&
	    row->status != SESSION_ACTIVE))
		(void)store_session_update(row);
	return (0);
}

static void
write_row(const struct access_row *row, int fresh, int ends)
{
	if (fresh) {
		(void)store_access_insert(row);
		audit_opened(row);
	}
	if (fresh || row->disconnected_at != 0)
		follow_session_id(row->session_id);
	if (!fresh || row->disconnected_at != 0)
		(void)store_access_update(row);
	if (ends)
		audit_ended(row);
}

void
turn_flush(void)
{
	session_flush(write_session, 1);
	rowlog_flush(write_row);
}

/* One at a time: what comes while one is under way is in the next. */
static void
turn_commit(void)
{
	session_flush(write_session, 0);
	rowlog_flush(write_row);
	if (STAILQ_EMPTY(&turn.waiting) && !store_has_writes())
		return;
	STAILQ_CONCAT(&turn.committing, &turn.waiting);
	turn.is_committing = 1;
	store_commit(turn_committed, NULL);
}

static void
turn_committed(int ok, void *arg)
{
	struct later	*l;

	(void)arg;
	turn.is_committing = 0;
	session_flushed(ok, now_at());
	rowlog_flushed(ok, now_at());
	while ((l = STAILQ_FIRST(&turn.committing)) != NULL) {
		STAILQ_REMOVE_HEAD(&turn.committing, entry);
		log_request(l->request);
		l->fn(l->arg, ok);
		log_request(NULL);
		free(l);
	}
}

/* What was said before an ending is said before it, also here. */
static void
turn_effects(void)
{
	run_effects(turn_after);
	end_run(now_at());
	run_effects(turn_after);
}

static void
turn_due(void *arg)
{
	(void)arg;
	core_due(now_at());
}

static void
turn_arm(void)
{
	const struct due	*d = due_first();
	uint64_t		 now = clock_ms();

	if (d == NULL)
		timer_del(&turn.due);
	else if (!timer_is_set(&turn.due) || turn.due.due_ms != d->at)
		timer_set(&turn.due, d->at > now ? d->at - now : 0);
}

/* ps says how many there are. */
static void
turn_title(void)
{
	if (turn.sessions == session_count() &&
	    turn.tunnels == session_tunnels())
		return;
	turn.sessions = session_count();
	turn.tunnels = session_tunnels();
	proc_title("%u session%s, %u tunnel%s", turn.sessions,
	    PLURAL(turn.sessions), turn.tunnels, PLURAL(turn.tunnels));
}

/* What it takes a look to know. */
static void
turn_sizes(void)
{
	uint64_t	bytes = 0;

	gauge(CT_RECORDINGS, recording_count());
	gauge(CT_RECORDING_BYTES, recording_open_bytes());
	(void)castdir_free(&bytes);
	gauge(CT_RECORDING_FREE, bytes);
	gauge(CT_PENALTIES, named_penalty_count());
	gauge(CT_AUDIT_HEAD_DONE, store_audit_head(CHAIN_DONE));
	gauge(CT_AUDIT_HEAD_REFUSED, store_audit_head(CHAIN_REFUSED));
	gauge(CT_QUEUE_LONGEST, peer_queue_longest());
}

/* What is now, for who looks (metrics/count.h). */
static void
turn_gauges(void)
{
	gauge(CT_STORE_UP, store_is_up());
	peer_say_usable(member_is_draining() ? USABLE_DRAINS :
	    store_is_up() && peer_is_ready() ? USABLE_YES : USABLE_NO);
	gauge(CT_DRAINING, member_is_draining());
	gauge(CT_SESSIONS_UP, session_tunnels());
	gauge(CT_SESSIONS_DOWN, session_count() - session_tunnels());
	gauge(CT_STREAMS, stream_count());
	gauge(CT_TERMINALS, admit_open(CLASS_TERMINAL));
	gauge(CT_TCPS, admit_open(CLASS_TCP));
	gauge(CT_GRANTS, grant_count());
	gauge(CT_CREDIT_LENT, (uint64_t)credit_leased_mib() << 20);
	gauge(CT_CREDIT_ALL, (uint64_t)credit_total_mib() << 20);
	if (!store_is_up() || (turn.sized_ms != 0 &&
	    clock_ms() - turn.sized_ms < SIZE_MS))
		return;
	turn.sized_ms = clock_ms();
	turn_sizes();
	gauge(CT_STORE_USED, store_used());
	gauge(CT_STORE_LIMIT, proc_conf()->store_max);
}

void
turn_end(void)
{
	uint64_t	 spent, most;
	const char	*slowest;
	int		i;

	turn_effects();
	for (i = 0; i < ROUNDS_MAX && !turn.is_committing; i++) {
		turn_commit();
		turn_effects();
		if (STAILQ_EMPTY(&turn.waiting))
			break;
	}
	if (!store_is_up() && !timer_is_set(&turn.probe))
		timer_set(&turn.probe, PROBE_MS);
	turn_arm();
	turn_title();
	turn_gauges();
	turn.count++;
	if ((spent = store_spent_us(&slowest, &most)) > 0)
		observe_us(CT_TURN, spent);
	if (spent > SLOW_MS * 1000) {
		count(CT_SLOW_TURN);
		log_warnx("store: a turn of %llu ms, the slowest: %.60s, %llu "
		    "ms", (unsigned long long)spent / 1000, slowest,
		    (unsigned long long)most / 1000);
	}
}

unsigned long
turn_count(void)
{
	return (turn.count);
}

void
turn_last(void)
{
	store_finish();
	audit_flush();
	rowlog_flush_all();
	turn_flush();
	turn_end();
	store_finish();
}
