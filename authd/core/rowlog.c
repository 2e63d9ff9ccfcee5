/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "due.h"
#include "rowlog.h"

#define ROWS_OPEN_MAX	65536
#define ROWS_OPERATOR	4096		/* of one operator */
#define IDLE_MS		(15 * 60 * 1000)
#define SWEEP_MS	60000
#define FLUSH_MS	1000		/* counters reach the store this late */

enum dirty { CLEAN, FRESH, WRITTEN };

static void	rowlog_over(struct rowlog *, int64_t, const char *,
		    const struct now *);
static void	rowlog_free(struct rowlog *);
static void	rowlog_touch(struct rowlog *, const struct now *);

static struct {
	struct index		 by_use, by_id, by_session;
	TAILQ_HEAD(, rowlog)	 all, dirty;
	struct due		 sweep, due;
	int			 flush_now;	/* the second is over */
	struct budget		 places;
} rows = { .places = { .total = ROWS_OPEN_MAX, .one = ROWS_OPERATOR,
    .few = ROWS_OPERATOR } };

void
rowlog_init(const struct now *now)
{
	TAILQ_INIT(&rows.all);
	TAILQ_INIT(&rows.dirty);
	due_init(&rows.sweep, DUE_ROW_SWEEP);
	due_init(&rows.due, DUE_ROW_FLUSH);
	due_set(&rows.sweep, now->ms + SWEEP_MS);
}

void
rowlog_each(void (*fn)(const struct rowlog *, void *), void *arg)
{
	const struct rowlog	*a;

	TAILQ_FOREACH(a, &rows.all, entry)
		if (!a->over)
			fn(a, arg);
}

unsigned
rowlog_open(void)
{
	return ((unsigned)rows.by_id.count);
}

static uint64_t
use_key(const char *operator, const char *session, const char *service)
{
	return (index_key2(operator, session) ^ index_key(service));
}

/* What is in the store already is taken in any case. */
static struct rowlog *
rowlog_alloc(const char *operator, int is_there)
{
	struct rowlog	*a;

	if ((a = calloc(1, sizeof(*a))) == NULL)
		return (NULL);
	if (budget_take(&rows.places, &a->place, operator, NULL, 1) == -1 &&
	    !is_there) {
		free(a);
		return (NULL);
	}
	TAILQ_INSERT_TAIL(&rows.all, a, entry);
	return (a);
}

static int
is_web(const struct rowlog *a)
{
	return (strcmp(a->row.type, ROW_WEB) == 0);
}

static void
rowlog_link(struct rowlog *a)
{
	index_add(&rows.by_id, &a->by_id, index_key(a->row.id));
	index_add(&rows.by_use, &a->by_use, use_key(a->row.operator_id,
	    a->row.session_id, a->row.service));
	index_add(&rows.by_session, &a->by_session,
	    index_key(a->row.session_id));
}

static void
rowlog_unlink(struct rowlog *a)
{
	index_del(&rows.by_id, &a->by_id);
	index_del(&rows.by_use, &a->by_use);
	index_del(&rows.by_session, &a->by_session);
}

static struct rowlog *
rowlog_new(const char *type, const struct operator *who, const char *session,
    const char *service, const char *ip, const struct now *now)
{
	struct rowlog		*a;
	struct access_row	*r;

	if ((a = rowlog_alloc(who->id, 0)) == NULL)
		return (NULL);
	r = &a->row;
	core_env.uuid(r->id);
	strlcpy(r->session_id, session, sizeof(r->session_id));
	strlcpy(r->operator_id, who->id, sizeof(r->operator_id));
	strlcpy(r->operator_name, who->name, sizeof(r->operator_name));
	strlcpy(r->type, type, sizeof(r->type));
	strlcpy(r->org_role, who->org_role, sizeof(r->org_role));
	strlcpy(r->org_id, who->org_id, sizeof(r->org_id));
	strlcpy(r->service, service, sizeof(r->service));
	strlcpy(r->ip, ip, sizeof(r->ip));
	strlcpy(r->token_id, who->token_id, sizeof(r->token_id));
	strlcpy(r->impersonator, who->impersonator, sizeof(r->impersonator));
	r->connected_at = a->used_ms = now->wall_ms;
	a->refs = 1;
	a->fresh = 1;
	rowlog_link(a);
	a->dirty = FRESH;
	TAILQ_INSERT_TAIL(&rows.dirty, a, dirty_entry);
	return (a);
}

/* A row that could not be written is of use to those who wait for it only. */
static int
is_use(const struct rowlog *a, const struct operator *who,
    const char *session, const char *service)
{
	const struct access_row	*r = &a->row;

	return (is_web(a) && strcmp(r->operator_id, who->id) == 0 &&
	    strcmp(r->session_id, session) == 0 &&
	    strcmp(r->service, service) == 0 &&
	    strcmp(r->impersonator, who->impersonator) == 0 &&
	    strcmp(r->org_role, who->org_role) == 0 &&
	    strcmp(r->org_id, who->org_id) == 0);
}

struct rowlog *
rowlog_web(const struct operator *who, const char *session,
    const char *service, const char *ip, const struct now *now)
{
	struct link	*l;
	struct rowlog	*a;

	for (l = index_find(&rows.by_use, use_key(who->id, session, service));
	    l != NULL; l = index_next(l)) {
		a = OWNER(l, struct rowlog, by_use);
		if (is_use(a, who, session, service)) {
			a->refs++;
			a->used_ms = now->wall_ms;
			return (a);
		}
	}
	return (rowlog_new(ROW_WEB, who, session, service, ip, now));
}

struct rowlog *
rowlog_terminal(const struct operator *who, const char *session,
    const char *ip, const struct now *now)
{
	return (rowlog_new("web_terminal", who, session, "terminal", ip, now));
}

struct rowlog *
rowlog_tcp(const struct operator *who, const char *session,
    const char *service, const char *ip, const struct now *now)
{
	return (rowlog_new("tcp", who, session, service, ip, now));
}

struct rowlog *
rowlog_view(const struct operator *who, const char *session, const char *what,
    const char *ip, const struct now *now)
{
	return (rowlog_new("view", who, session, what, ip, now));
}

void
rowlog_asked(struct rowlog *a, const char *request)
{
	if (a != NULL && a->fresh && a->row.request[0] == '\0')
		strlcpy(a->row.request, request, sizeof(a->row.request));
}

static struct rowlog *
rowlog_find(const char *id)
{
	struct link	*l;
	struct rowlog	*a;

	for (l = index_find(&rows.by_id, index_key(id)); l != NULL;
	    l = index_next(l)) {
		a = OWNER(l, struct rowlog, by_id);
		if (strcmp(a->row.id, id) == 0)
			return (a);
	}
	return (NULL);
}

struct rowlog *
rowlog_take(const char *id)
{
	struct rowlog	*a = rowlog_find(id);

	if (a != NULL)
		a->refs++;
	return (a);
}

void
rowlog_operator(const struct rowlog *a, struct operator *who)
{
	const struct access_row	*r = &a->row;

	memset(who, 0, sizeof(*who));
	strlcpy(who->id, r->operator_id, sizeof(who->id));
	strlcpy(who->name, r->operator_name, sizeof(who->name));
	strlcpy(who->org_role, r->org_role, sizeof(who->org_role));
	strlcpy(who->org_id, r->org_id, sizeof(who->org_id));
	strlcpy(who->token_id, r->token_id, sizeof(who->token_id));
	strlcpy(who->impersonator, r->impersonator,
	    sizeof(who->impersonator));
}

int
rowlog_load(const struct access_row *row, const struct now *now)
{
	struct rowlog	*a;

	if (rowlog_find(row->id) != NULL)
		return (0);
	if ((a = rowlog_alloc(row->operator_id, 1)) == NULL)
		return (-1);
	a->row = *row;
	a->saved = 1;
	a->used_ms = now->wall_ms;
	rowlog_link(a);
	return (0);
}

void
rowlog_settle(const struct now *now)
{
	struct rowlog	*a, *next;

	for (a = TAILQ_FIRST(&rows.all); a != NULL; a = next) {
		next = TAILQ_NEXT(a, entry);
		if (a->refs == 0 && !is_web(a))
			rowlog_over(a, now->wall_ms, "lost in a restart", now);
	}
}

/* Use and end. */

void
rowlog_say(struct rowlog *a, const char *outcome)
{
	if (!a->over)
		strlcpy(a->row.outcome, outcome, sizeof(a->row.outcome));
}

void
rowlog_count(struct rowlog *a, uint64_t in, uint64_t out, const char *outcome,
    const struct now *now)
{
	a->row.bytes_in += in;
	a->row.bytes_out += out;
	if (in > 0 || out > 0)
		a->end_said = 0;
	a->used_ms = now->wall_ms;
	if (outcome != NULL)
		rowlog_say(a, outcome);
	rowlog_touch(a, now);
}

void
rowlog_release(struct rowlog *a)
{
	if (--a->refs > 0)
		return;
	if (a->over && a->dirty == CLEAN)
		rowlog_free(a);
}

void
rowlog_close(struct rowlog *a, const struct now *now)
{
	rowlog_over(a, now->wall_ms, NULL, now);
	rowlog_release(a);
}

/* The row ends: nobody finds it any more, its last words are written. */
static void
rowlog_over(struct rowlog *a, int64_t at, const char *outcome,
    const struct now *now)
{
	if (a->over)
		return;
	if (outcome != NULL)
		rowlog_say(a, outcome);
	a->over = 1;
	rowlog_unlink(a);
	a->row.disconnected_at = at;
	rowlog_touch(a, now);
}

void
rowlog_end_session(const char *session, const struct now *now)
{
	struct link	*l, *next;
	struct rowlog	*a;

	for (l = index_find(&rows.by_session, index_key(session)); l != NULL;
	    l = next) {
		next = index_next(l);
		a = OWNER(l, struct rowlog, by_session);
		if (!a->failed && is_web(a) &&
		    strcmp(a->row.session_id, session) == 0)
			rowlog_over(a, now->wall_ms, "session over", now);
	}
}

void
rowlog_each_of(const char *session, void (*fn)(const struct rowlog *, void *),
    void *arg)
{
	const struct rowlog	*a;
	struct link		*l;

	for (l = index_find(&rows.by_session, index_key(session)); l != NULL;
	    l = index_next(l)) {
		a = OWNER(l, struct rowlog, by_session);
		if (!a->over && !a->failed &&
		    strcmp(a->row.session_id, session) == 0)
			fn(a, arg);
	}
}

static void
rowlog_free(struct rowlog *a)
{
	if (!a->over)
		rowlog_unlink(a);
	TAILQ_REMOVE(&rows.all, a, entry);
	budget_leave(&rows.places, &a->place);
	freezero(a, sizeof(*a));
}

void
rowlog_sweep(const struct now *now)
{
	struct rowlog	*a, *next;

	for (a = TAILQ_FIRST(&rows.all); a != NULL; a = next) {
		next = TAILQ_NEXT(a, entry);
		if (a->refs == 0 && a->saved && is_web(a) &&
		    now->wall_ms - a->used_ms >= IDLE_MS)
			rowlog_over(a, a->used_ms, NULL, now);
	}
	due_set(&rows.sweep, now->ms + SWEEP_MS);
}

/* Writing: counters once a second, all that changed in one transaction. */

static void
rowlog_touch(struct rowlog *a, const struct now *now)
{
	if (a->dirty == CLEAN)
		TAILQ_INSERT_TAIL(&rows.dirty, a, dirty_entry);
	a->dirty = FRESH;
	if (!rows.due.is_set)
		due_set(&rows.due, now->ms + FLUSH_MS);
}

void
rowlog_due(void)
{
	rows.flush_now = 1;
}

void
rowlog_flush_all(void)
{
	rows.flush_now = 1;
}

void
rowlog_flush(void (*write)(const struct access_row *, int, int))
{
	struct rowlog	*a;
	int		 ends;

	TAILQ_FOREACH(a, &rows.dirty, dirty_entry) {
		if (a->dirty != FRESH || !(a->fresh || rows.flush_now))
			continue;
		ends = a->over && !a->end_said;
		write(&a->row, a->fresh, ends);
		a->end_said |= ends;
		a->dirty = WRITTEN;
		a->writing = 1;
	}
	rows.flush_now = 0;
}

static void
rowlog_clean(struct rowlog *a)
{
	TAILQ_REMOVE(&rows.dirty, a, dirty_entry);
	a->dirty = CLEAN;
	if (a->over && a->refs == 0)
		rowlog_free(a);
}

/* A row that never was in the store: whoever waits for it is refused. */
static void
rowlog_void(struct rowlog *a)
{
	if (!a->over)
		rowlog_unlink(a);
	a->failed = a->over = 1;
	rowlog_clean(a);
}

void
rowlog_flushed(int ok, const struct now *now)
{
	struct rowlog	*a, *next;

	for (a = TAILQ_FIRST(&rows.dirty); a != NULL; a = next) {
		next = TAILQ_NEXT(a, dirty_entry);
		if (!a->writing)
			continue;
		a->writing = 0;
		if (!ok)
			a->end_said = 0;
		if (a->fresh && !ok) {
			rowlog_void(a);
			continue;
		}
		if (a->fresh)
			a->saved = 1;
		a->fresh = 0;
		if (a->dirty == WRITTEN && ok)
			rowlog_clean(a);
		else	/* used or ended since, or not written: in a second */
			rowlog_touch(a, now);
	}
}

unsigned
rowlog_clear(void)
{
	struct rowlog	*a;
	unsigned	 used = 0;

	while ((a = TAILQ_FIRST(&rows.all)) != NULL) {
		used += a->refs > 0;
		rowlog_free(a);
	}
	TAILQ_INIT(&rows.dirty);
	due_del(&rows.sweep);
	due_del(&rows.due);
	return (used);
}
