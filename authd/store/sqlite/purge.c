/* SPDX-License-Identifier: ISC */
/*
 * What goes again. Whoever makes rows pushes out his own first: of a system the
 * oldest sessions beyond a count go when the next is made. What is older than
 * the configuration says goes bit by bit; and when the file is nearly as large
 * as it may be, the oldest of what is over goes before anybody is refused:
 * sessions that nobody used, then refusals, then sessions with their rows of
 * the access log, then what was done.
 */
#include "authd/store/store.h"
#include "metrics/count.h"
#include "sqlite.h"

#define UNUSED_MAX	100	/* of a system and state, that nobody used */
#define USED_MAX	1000	/* with those that were used */
#define TRIM_EACH	16	/* or fewer over these counts */
#define SOME		200	/* at once */

enum { RANK_EXPIRED = 2, RANK_CLOSED = 3 };	/* of schema.c */

static unsigned
gone(int r)
{
	unsigned	n = r == 0 ? db_changes() : 0;

	count_by(CT_STORE_PURGED, n);
	return (n);
}

/* By state, so that an index has the order. */
static void
trim(const char *system_id, const char *status, int64_t n)
{
	static struct query	unused = QUERY("DELETE FROM support_sessions"
	    " WHERE id IN (SELECT s.id FROM support_sessions s"
	    " WHERE s.system_id = ?1 AND s.status = ?2 AND s.used = 0"
	    " ORDER BY s.started_at DESC LIMIT -1 OFFSET ?3)");
	static struct query	any = QUERY("DELETE FROM support_sessions"
	    " WHERE id IN (SELECT s.id FROM support_sessions s"
	    " WHERE s.system_id = ?1 AND s.status = ?2"
	    " ORDER BY s.started_at DESC LIMIT -1 OFFSET ?3)");

	(void)gone(db_write(&unused, "TTn", system_id, status, UNUSED_MAX));
	if (n > USED_MAX)
		(void)gone(db_write(&any, "TTn", system_id, status, USED_MAX));
}

/* Its groups know how many there are; not each time, many may stay. */
void
db_trim(const char *system_id)
{
	static struct query	q = QUERY("SELECT n FROM support_groups"
	    " WHERE system_id = ?1 AND rank = ?2");
	int64_t			n;
	int			rank;

	for (rank = RANK_EXPIRED; rank <= RANK_CLOSED; rank++) {
		if (db_read(&q, "Tn", system_id, rank) != 0)
			continue;
		n = db_int(&q, 0);
		db_done(&q);
		if (n > UNUSED_MAX && n % TRIM_EACH == 0)
			trim(system_id, rank == RANK_EXPIRED ? "expired" :
			    "closed", n);
	}
}

/* Sessions that are over since before `before`, oldest first. */
static unsigned
purge_sessions(int used, int64_t before, int n)
{
	static struct query	q = QUERY("DELETE FROM support_sessions"
	    " WHERE id IN (SELECT s.id FROM support_sessions s"
	    " WHERE s.status IN ('closed', 'expired') AND s.used = ?1"
	    " AND s.closed_at < ?2 ORDER BY s.closed_at LIMIT ?3)");

	return (gone(db_write(&q, "nin", used, before, n)));
}

static unsigned
purge_events(const char *outcome, int64_t before, int n)
{
	static struct query	q = QUERY("DELETE FROM audit_events"
	    " WHERE rowid IN (SELECT e.rowid FROM audit_events e"
	    " WHERE e.outcome = ?1 AND e.time < ?2 ORDER BY e.time LIMIT ?3)");

	return (gone(db_write(&q, "Tin", outcome, before, n)));
}

/* Nobody is refused because of it any more. */
static unsigned
purge_revocations(int64_t now)
{
	static struct query	q = QUERY("DELETE FROM revocations"
	    " WHERE (kind, id) IN (SELECT r.kind, r.id FROM revocations r"
	    " WHERE r.until < ?1 LIMIT ?2)");

	return (gone(db_write(&q, "in", now, SOME)));
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

	return (gone(db_write(&systems, "in", before, SOME)) +
	    gone(db_write(&orgs, "in", before, SOME)));
}

int
store_purge(const struct store_keep *k)
{
	unsigned	n;

	n = purge_sessions(0, k->sessions_before, SOME);
	n += purge_sessions(1, k->log_before, SOME / 10);
	n += purge_events("refused", k->log_before, SOME);
	n += purge_events("done", k->log_before, SOME);
	n += purge_revocations(k->now);
	n += purge_removed(k->log_before);
	return (n > 0);
}

static void
purge_oldest(void)
{
	if (purge_sessions(0, INT64_MAX, SOME) == 0 &&
	    purge_events("refused", INT64_MAX, SOME) == 0 &&
	    purge_sessions(1, INT64_MAX, SOME / 10) == 0)
		(void)purge_events("done", INT64_MAX, SOME);
}

void
store_limit(uint64_t bytes)
{
	db_limit(bytes, purge_oldest);
}
