/* SPDX-License-Identifier: ISC */
/*
 * What goes again. Whoever makes rows pushes out his own first: of a system the
 * oldest sessions beyond a count go. They and what is older than the
 * configuration says go bit by bit, in turns of their own; and when the file is
 * nearly as large as it may be, the oldest of what is over goes before anybody
 * is refused: sessions that nobody used, then refusals, then sessions with
 * their rows of the access log, then what was done.
 */
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "authd/store/store.h"
#include "metrics/count.h"
#include "db.h"

#define USED_TIMES	10	/* as many of those that were used */
#define TRIM_EACH	16	/* or fewer over these counts */
#define TRIMS_MAX	64	/* systems that wait for it */
#define SOME		200	/* at once */
#define SOME_ROWS	1000	/* small ones: of a log */

enum { RANK_EXPIRED = 2, RANK_CLOSED = 3 };	/* of schema.c */

static struct {
	int64_t		max;		/* unused ones of a system and state */
	unsigned	n;
	char		system[TRIMS_MAX][ID_SIZE];
} trims = { .max = 100 };

static unsigned
gone(int r)
{
	unsigned	n = r == 0 ? db_changes() : 0;

	count_by(CT_STORE_PURGED, n);
	return (n);
}

/*
 * A session with its rows of the access log, of which it may have many: so many
 * of these at once. 1: it has gone; 0: not yet.
 */
static int
session_delete(const char *id, unsigned *rows)
{
	static struct query	log = QUERY("DELETE FROM support_access_logs"
	    " WHERE id IN (SELECT a.id FROM support_access_logs a"
	    " WHERE a.session_id = ?1 LIMIT ?2)");
	static struct query	se = QUERY("DELETE FROM support_sessions"
	    " WHERE id = ?1");
	unsigned		n;

	n = gone(db_write_now(&log, "Un", id, (int)*rows));
	*rows -= n < *rows ? n : *rows;
	return (*rows > 0 && gone(db_write_now(&se, "U", id)) == 1);
}

static unsigned
trim_used(const char *system_id, const char *status)
{
	static struct query	q = QUERY("SELECT s.id FROM support_sessions s"
	    " WHERE s.system_id = ?1 AND s.status = ?2"
	    " ORDER BY s.started_at DESC LIMIT 1 OFFSET ?3");
	char			id[UUID_SIZE];
	unsigned		n = 0, rows = SOME_ROWS;

	while (rows > 0 && db_read(&q, "TTi", system_id, status,
	    trims.max * USED_TIMES) == 0) {
		db_text(&q, 0, id, sizeof(id));
		db_done(&q);
		n++;
		if (!session_delete(id, &rows))
			break;
	}
	return (n);
}

/* By state, so that an index has the order. */
static unsigned
trim(const char *system_id, const char *status)
{
	static struct query	q = QUERY("DELETE FROM support_sessions"
	    " WHERE id IN (SELECT s.id FROM support_sessions s"
	    " WHERE s.system_id = ?1 AND s.status = ?2 AND s.used = 0"
	    " ORDER BY s.started_at DESC LIMIT ?4 OFFSET ?3)");

	unsigned		n;

	n = gone(db_write_now(&q, "TTin", system_id, status, trims.max, SOME));
	return (n == 0 ? trim_used(system_id, status) : n);
}

static void
trim_later(const char *system_id)
{
	unsigned	i;

	for (i = 0; i < trims.n; i++)
		if (strcmp(trims.system[i], system_id) == 0)
			return;
	if (trims.n < TRIMS_MAX)
		strlcpy(trims.system[trims.n++], system_id, ID_SIZE);
}

/* Its groups know how many there are; not each time, many may stay. */
static void
trim_look(void *arg)
{
	static struct query	q = QUERY("SELECT n FROM support_groups"
	    " WHERE system_id = ?1 AND rank = ?2");
	const char		*id = arg;
	int64_t			n;
	int			rank;

	for (rank = RANK_EXPIRED; rank <= RANK_CLOSED; rank++) {
		if (db_read(&q, "Tn", id, rank) != 0)
			continue;
		n = db_int(&q, 0);
		db_done(&q);
		if (n > trims.max && n % TRIM_EACH == 0)
			trim_later(id);
	}
}

void
db_trim(const char *system_id)
{
	char	*id = strdup(system_id);
	int	 r;

	if (id == NULL)
		return;
	(void)db_aside(trim_look, free, id, &r);
	if (r == -1)
		free(id);
}

/* Of those that wait one; it waits on while there is more of it. */
static unsigned
purge_trims(void)
{
	const char	*id;
	unsigned	 n;

	if (trims.n == 0)
		return (0);
	id = trims.system[trims.n - 1];
	n = trim(id, "expired") + trim(id, "closed");
	if (n == 0)
		trims.n--;
	return (1);
}

/* Sessions that are over since before `before`, oldest first. */
static unsigned
purge_sessions(int used, int64_t before, int n)
{
	static struct query	q = QUERY("SELECT s.id FROM support_sessions s"
	    " WHERE s.status IN ('closed', 'expired') AND s.used = ?1"
	    " AND s.closed_at < ?2 ORDER BY s.closed_at LIMIT 1");
	char			id[UUID_SIZE];
	unsigned		found = 0, rows = SOME_ROWS;

	while (n-- > 0 && rows > 0 && db_read(&q, "ni", used, before) == 0) {
		db_text(&q, 0, id, sizeof(id));
		db_done(&q);
		found++;
		if (!session_delete(id, &rows))
			break;
	}
	return (found);
}

/* Of the access log the newest stay, and those that are open. */
static unsigned
purge_rows(int64_t max)
{
	static struct query	last = QUERY("SELECT max(rowid)"
	    " FROM support_access_logs");
	static struct query	q = QUERY("DELETE FROM support_access_logs"
	    " WHERE id IN (SELECT a.id FROM support_access_logs a"
	    " WHERE a.rowid <= ?1 AND a.disconnected_at IS NOT NULL"
	    " ORDER BY a.rowid LIMIT ?2)");
	int64_t			to;

	if (db_read(&last, "") != 0)
		return (0);
	to = db_int(&last, 0) - max;
	db_done(&last);
	return (to <= 0 ? 0 : gone(db_write_now(&q, "in", to, SOME_ROWS)));
}

/* By age and number; nothing while somebody walks along the chains. */
static unsigned
purge_events(const struct store_keep *k)
{
	unsigned	n;

	if (db_audit_is_held())
		return (1);	/* soon again */
	n = db_audit_purge_old(k->done_before, SOME) +
	    db_audit_purge(CHAIN_REFUSED, k->refused_before, k->refused_max,
	    SOME_ROWS) +
	    db_audit_purge(CHAIN_DONE, k->done_before, k->done_max, SOME);
	if (n == 0)
		db_audit_made_up();
	return (n);
}

/* Nobody is refused because of it any more. */
static unsigned
purge_revocations(int64_t now)
{
	static struct query	q = QUERY("DELETE FROM revocations"
	    " WHERE (kind, id) IN (SELECT r.kind, r.id FROM revocations r"
	    " WHERE r.until < ?1 LIMIT ?2)");

	return (gone(db_write_now(&q, "in", now, SOME)));
}

/*
 * Tokens of pairing whose own time is over, too; a member's clock does not say
 * when that is.
 */
static unsigned
purge_consumed(int64_t now)
{
	static struct query	q = QUERY("DELETE FROM consumed_jtis"
	    " WHERE id IN (SELECT c.id FROM consumed_jtis c"
	    " WHERE c.until < ?1 LIMIT ?2)");
	static struct query	there = QUERY2("", "DELETE FROM consumed_jtis"
	    " WHERE id IN (SELECT c.id FROM consumed_jtis c"
	    " WHERE c.until < now_ms() LIMIT $1)");

	return (gone(db_is_shared() ?
	    db_write_now(&there, "n", SOME_ROWS) :
	    db_write_now(&q, "in", now, SOME_ROWS)));
}

/* Removed systems and organizations, long after their last session. */
static unsigned
purge_removed(int64_t before)
{
	static struct query	systems = QUERY("DELETE FROM systems"
	    " WHERE id IN (SELECT s.id FROM systems s"
	    " WHERE s.deleted_at < ?1 LIMIT ?2)");
	static struct query	orgs = QUERY("DELETE FROM organizations"
	    " WHERE id IN (SELECT o.id FROM organizations o"
	    " WHERE o.deleted_at < ?1 LIMIT ?2)");

	return (gone(db_write_now(&systems, "in", before, SOME)) +
	    gone(db_write_now(&orgs, "in", before, SOME)));
}

/* One at a time, also where it takes more than a turn. */
static struct {
	struct store_keep	keep;
	int			running;
	int			more;		/* the last one found some */
} purge;

static void
purge_run(void *arg)
{
	const struct store_keep	*k = &purge.keep;
	unsigned		n;

	(void)arg;
	n = purge_trims();
	n += purge_rows(k->log_max);
	n += purge_sessions(0, k->sessions_before, SOME);
	n += purge_sessions(1, k->log_before, SOME / 10);
	n += purge_events(k);
	n += purge_revocations(k->now);
	n += purge_consumed(k->now);
	n += purge_removed(k->log_before);
	purge.more = n > 0;
}

static void
purge_ran(void *arg)
{
	(void)arg;
	purge.running = 0;
}

int
store_purge(const struct store_keep *k)
{
	int	r;

	if (purge.running)
		return (1);
	trims.max = k->sessions_max;
	purge.keep = *k;
	purge.running = 1;
	(void)db_aside(purge_run, purge_ran, NULL, &r);
	if (r == -1)
		purge.running = 0;
	return (purge.running || purge.more);
}

static void
purge_oldest(void)
{
	if (purge_sessions(0, INT64_MAX, SOME) == 0 &&
	    db_audit_purge(CHAIN_REFUSED, INT64_MAX, 0, SOME) == 0 &&
	    purge_sessions(1, INT64_MAX, SOME / 10) == 0 &&
	    db_audit_purge_old(INT64_MAX, SOME) == 0)
		(void)db_audit_purge(CHAIN_DONE, INT64_MAX, 0, SOME);
}

void
store_limit(uint64_t bytes)
{
	db_limit(bytes, purge_oldest);
}
