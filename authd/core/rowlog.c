/* SPDX-License-Identifier: ISC */
#include <cjson/cJSON.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rowlog.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "authd/cred/secret.h"

#define ACCESS_MAX	65536		/* open rows */
#define IDLE_MS		(15 * 60 * 1000)
#define SWEEP_MS	60000
#define FLUSH_MS	1000		/* counters reach the store this late */

enum dirty { CLEAN, FRESH, WRITTEN };

static void	rowlog_sweep(void *);
static void	rowlog_due(void *);
static void	rowlog_over(struct rowlog *, int64_t, const char *);
static void	rowlog_free(struct rowlog *);
static void	rowlog_touch(struct rowlog *);
static void	rowlog_metadata(struct rowlog *);

static struct {
	struct index		 by_use, by_id;
	TAILQ_HEAD(, rowlog)	 all, dirty;
	struct timer		 sweep, due;
	int			 flush_now;	/* the second is over */
} rows;

int
rowlog_init(void)
{
	TAILQ_INIT(&rows.all);
	TAILQ_INIT(&rows.dirty);
	timer_init(&rows.sweep, rowlog_sweep, NULL);
	timer_init(&rows.due, rowlog_due, NULL);
	timer_set(&rows.sweep, SWEEP_MS);
	return (0);
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

static struct rowlog *
rowlog_alloc(void)
{
	struct rowlog	*a;

	if (rows.by_id.count >= ACCESS_MAX ||
	    (a = calloc(1, sizeof(*a))) == NULL)
		return (NULL);
	TAILQ_INSERT_TAIL(&rows.all, a, entry);
	return (a);
}

static int
is_web(const struct rowlog *a)
{
	return (strcmp(a->row.type, "ui_proxy") == 0);
}

static void
rowlog_link(struct rowlog *a)
{
	index_add(&rows.by_id, &a->by_id, index_key(a->row.id));
	index_add(&rows.by_use, &a->by_use, use_key(a->row.operator_id,
	    a->row.session_id, a->service));
}

static void
rowlog_unlink(struct rowlog *a)
{
	index_del(&rows.by_id, &a->by_id);
	index_del(&rows.by_use, &a->by_use);
}

static struct rowlog *
rowlog_new(const char *type, const struct operator *who, const char *session,
    const char *service, const char *ip)
{
	struct rowlog	*a;

	if ((a = rowlog_alloc()) == NULL)
		return (NULL);
	secret_uuid(a->row.id);
	strlcpy(a->row.session_id, session, sizeof(a->row.session_id));
	strlcpy(a->row.operator_id, who->id, sizeof(a->row.operator_id));
	strlcpy(a->row.operator_name, who->name,
	    sizeof(a->row.operator_name));
	strlcpy(a->row.type, type, sizeof(a->row.type));
	strlcpy(a->row.org_role, who->org_role, sizeof(a->row.org_role));
	strlcpy(a->row.org_id, who->org_id, sizeof(a->row.org_id));
	strlcpy(a->service, service, sizeof(a->service));
	strlcpy(a->ip, ip, sizeof(a->ip));
	strlcpy(a->token_id, who->token_id, sizeof(a->token_id));
	strlcpy(a->impersonator, who->impersonator, sizeof(a->impersonator));
	a->row.connected_at = a->used_ms = clock_wall_ms();
	a->refs = 1;
	rowlog_metadata(a);
	rowlog_link(a);
	(void)store_access_insert(&a->row);
	a->inserting = 1;
	a->dirty = WRITTEN;
	TAILQ_INSERT_TAIL(&rows.dirty, a, dirty_entry);
	return (a);
}

struct rowlog *
rowlog_web(const struct operator *who, const char *session,
    const char *service, const char *ip)
{
	struct link	*l;
	struct rowlog	*a;

	for (l = index_find(&rows.by_use, use_key(who->id, session, service));
	    l != NULL; l = index_next(l)) {
		a = OWNER(l, struct rowlog, by_use);
		if (is_web(a) && strcmp(a->row.operator_id, who->id) == 0 &&
		    strcmp(a->row.session_id, session) == 0 &&
		    strcmp(a->service, service) == 0 &&
		    strcmp(a->impersonator, who->impersonator) == 0 &&
		    strcmp(a->row.org_role, who->org_role) == 0 &&
		    strcmp(a->row.org_id, who->org_id) == 0) {
			a->refs++;
			a->used_ms = clock_wall_ms();
			return (a);
		}
	}
	return (rowlog_new("ui_proxy", who, session, service, ip));
}

struct rowlog *
rowlog_terminal(const struct operator *who, const char *session,
    const char *ip)
{
	return (rowlog_new("web_terminal", who, session, "terminal", ip));
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
	memset(who, 0, sizeof(*who));
	strlcpy(who->id, a->row.operator_id, sizeof(who->id));
	strlcpy(who->name, a->row.operator_name, sizeof(who->name));
	strlcpy(who->org_role, a->row.org_role, sizeof(who->org_role));
	strlcpy(who->org_id, a->row.org_id, sizeof(who->org_id));
	strlcpy(who->token_id, a->token_id, sizeof(who->token_id));
	strlcpy(who->impersonator, a->impersonator,
	    sizeof(who->impersonator));
	who->may_connect = 1;
}

/* Its JSON text, with the first `len` bytes of the outcome. 0; -1: too long. */
static int
metadata_print(struct rowlog *a, size_t len)
{
	cJSON	*o = cJSON_CreateObject();
	char	*text, outcome[MESSAGE_SIZE];
	int	 r = -1;

	strlcpy(outcome, a->outcome, len < sizeof(outcome) ? len + 1 :
	    sizeof(outcome));
	cJSON_AddStringToObject(o, "service", a->service);
	cJSON_AddStringToObject(o, "ip", a->ip);
	if (a->token_id[0] != '\0')
		cJSON_AddStringToObject(o, "token_id", a->token_id);
	if (a->impersonator[0] != '\0')
		cJSON_AddStringToObject(o, "impersonator", a->impersonator);
	cJSON_AddNumberToObject(o, "bytes_in", (double)a->bytes_in);
	cJSON_AddNumberToObject(o, "bytes_out", (double)a->bytes_out);
	if (outcome[0] != '\0')
		cJSON_AddStringToObject(o, "outcome", outcome);
	text = cJSON_PrintUnformatted(o);
	if (text != NULL && strlcpy(a->row.metadata, text,
	    sizeof(a->row.metadata)) < sizeof(a->row.metadata))
		r = 0;
	free(text);
	cJSON_Delete(o);
	return (r);
}

/*
 * What the row says beside its columns. The outcome may hold words of the
 * customer's: they do not push out the rest.
 */
static void
rowlog_metadata(struct rowlog *a)
{
	size_t	len = strlen(a->outcome);

	while (metadata_print(a, len) == -1) {
		if (len == 0) {
			strlcpy(a->row.metadata, "{}",
			    sizeof(a->row.metadata));
			return;
		}
		len /= 2;
	}
}

static void
meta_str(const cJSON *o, const char *name, char *dst, size_t size)
{
	const cJSON	*v = cJSON_GetObjectItemCaseSensitive(o, name);

	if (cJSON_IsString(v))
		strlcpy(dst, v->valuestring, size);
}

static uint64_t
meta_count(const cJSON *o, const char *name)
{
	const cJSON	*v = cJSON_GetObjectItemCaseSensitive(o, name);

	return (cJSON_IsNumber(v) && v->valuedouble >= 0 &&
	    v->valuedouble < 9e15 ? (uint64_t)v->valuedouble : 0);
}

static int
rowlog_load_one(const struct access_row *row)
{
	struct rowlog	*a;
	cJSON		*o;

	if ((a = rowlog_alloc()) == NULL)
		return (-1);
	a->row = *row;
	o = cJSON_Parse(row->metadata);
	meta_str(o, "service", a->service, sizeof(a->service));
	meta_str(o, "ip", a->ip, sizeof(a->ip));
	meta_str(o, "token_id", a->token_id, sizeof(a->token_id));
	meta_str(o, "impersonator", a->impersonator, sizeof(a->impersonator));
	meta_str(o, "outcome", a->outcome, sizeof(a->outcome));
	a->bytes_in = meta_count(o, "bytes_in");
	a->bytes_out = meta_count(o, "bytes_out");
	cJSON_Delete(o);
	a->saved = 1;
	a->used_ms = clock_wall_ms();
	rowlog_link(a);
	return (0);
}

int
rowlog_load(void)
{
	struct access_row	row;
	char			after[UUID_SIZE] = "";
	int			r;

	while ((r = store_access_next_open(after, &row)) == 0) {
		strlcpy(after, row.id, sizeof(after));
		/* Not those that an attempt before this one has loaded. */
		if (rowlog_find(row.id) == NULL &&
		    rowlog_load_one(&row) == -1) {
			log_warnx("access log: too many open rows");
			return (0);
		}
	}
	return (r == STORE_NONE ? 0 : -1);
}

void
rowlog_settle(void)
{
	struct rowlog	*a, *next;

	for (a = TAILQ_FIRST(&rows.all); a != NULL; a = next) {
		next = TAILQ_NEXT(a, entry);
		if (a->refs == 0 && !is_web(a))
			rowlog_over(a, clock_wall_ms(), "lost in a restart");
	}
}

/* Use and end. */

void
rowlog_count(struct rowlog *a, uint64_t in, uint64_t out, const char *outcome)
{
	a->bytes_in += in;
	a->bytes_out += out;
	a->used_ms = clock_wall_ms();
	if (outcome != NULL && !a->over)
		strlcpy(a->outcome, outcome, sizeof(a->outcome));
	rowlog_touch(a);
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
rowlog_close(struct rowlog *a, const char *outcome)
{
	rowlog_over(a, clock_wall_ms(), outcome);
	rowlog_release(a);
}

/* The row ends: nobody finds it any more, its last words are written. */
static void
rowlog_over(struct rowlog *a, int64_t at, const char *outcome)
{
	if (a->over)
		return;
	a->over = 1;
	rowlog_unlink(a);
	a->row.disconnected_at = at;
	if (outcome != NULL)
		strlcpy(a->outcome, outcome, sizeof(a->outcome));
	rowlog_touch(a);
	if (!timer_is_set(&rows.due))
		timer_set(&rows.due, FLUSH_MS);
}

void
rowlog_end_session(const char *session)
{
	struct rowlog	*a, *next;

	for (a = TAILQ_FIRST(&rows.all); a != NULL; a = next) {
		next = TAILQ_NEXT(a, entry);
		if (!a->failed && is_web(a) &&
		    strcmp(a->row.session_id, session) == 0)
			rowlog_over(a, clock_wall_ms(), "session over");
	}
}

static void
rowlog_free(struct rowlog *a)
{
	if (!a->over)
		rowlog_unlink(a);
	TAILQ_REMOVE(&rows.all, a, entry);
	freezero(a, sizeof(*a));
}

static void
rowlog_sweep(void *arg)
{
	struct rowlog	*a, *next;
	int64_t		 now = clock_wall_ms();

	(void)arg;
	for (a = TAILQ_FIRST(&rows.all); a != NULL; a = next) {
		next = TAILQ_NEXT(a, entry);
		if (a->refs == 0 && a->saved && is_web(a) &&
		    now - a->used_ms >= IDLE_MS)
			rowlog_over(a, a->used_ms, NULL);
	}
	timer_set(&rows.sweep, SWEEP_MS);
}

/* Writing: counters once a second, all that changed in one transaction. */

static void
rowlog_touch(struct rowlog *a)
{
	if (a->dirty == CLEAN)
		TAILQ_INSERT_TAIL(&rows.dirty, a, dirty_entry);
	a->dirty = FRESH;
	if (!timer_is_set(&rows.due))
		timer_set(&rows.due, FLUSH_MS);
}

static void
rowlog_due(void *arg)
{
	(void)arg;
	rows.flush_now = 1;
}

void
rowlog_flush_all(void)
{
	rows.flush_now = 1;
}

void
rowlog_flush(void)
{
	struct rowlog	*a;

	if (!rows.flush_now)
		return;
	rows.flush_now = 0;
	TAILQ_FOREACH(a, &rows.dirty, dirty_entry) {
		if (a->dirty != FRESH || !a->saved)
			continue;
		rowlog_metadata(a);
		(void)store_access_update(&a->row);
		a->dirty = WRITTEN;
	}
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

static void
rowlog_flushed_one(struct rowlog *a, int ok)
{
	if (a->inserting && !ok) {
		rowlog_void(a);
		return;
	}
	if (a->inserting)
		a->saved = 1;
	a->inserting = 0;
	if (a->dirty == WRITTEN && ok) {
		rowlog_clean(a);
		return;
	}
	/* Used or ended since, or not written: again in a second. */
	a->dirty = FRESH;
	if (!timer_is_set(&rows.due))
		timer_set(&rows.due, FLUSH_MS);
}

void
rowlog_flushed(int ok)
{
	struct rowlog	*a, *next;

	for (a = TAILQ_FIRST(&rows.dirty); a != NULL; a = next) {
		next = TAILQ_NEXT(a, dirty_entry);
		if (a->inserting || a->dirty == WRITTEN)
			rowlog_flushed_one(a, ok);
	}
}
