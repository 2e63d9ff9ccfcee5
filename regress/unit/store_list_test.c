/* SPDX-License-Identifier: ISC */
/*
 * The list of sessions is what one gets who reads them all, after whatever has
 * happened to them; and a page costs no more where there are more of them.
 */
#include <sqlite3.h>
#include <stdint.h>
#include <unistd.h>

#include "authd/store/sql/db.h"
#include "authd/store/store.h"
#include "base/compat.h"
#include "regress/lib/tap.h"

#define SYSTEMS	24
#define STEPS	600
#define PAGE	7

static char	path[64];
static sqlite3	*db;
static unsigned	seed = 7;

static unsigned
dice(unsigned n)
{
	seed = seed * 1103515245 + 12345;
	return ((seed >> 16) % n);
}

__attribute__((format(printf, 1, 2))) static void
run(const char *fmt, ...)
{
	char	text[4096];
	va_list	ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
		ok(0, "%s: %s", text, sqlite3_errmsg(db));
}

static void
begin(void)
{
	unlink(path);
	is_int(store_open(path), 0, "a store");
	is_int(sqlite3_open(path, &db), SQLITE_OK, "seen from beside");
	run("PRAGMA foreign_keys = ON");
	run("INSERT INTO organizations VALUES"
	    " ('d', 'D', 'distributor', NULL, 1, NULL),"
	    " ('r', 'R', 'reseller', 'd', 1, NULL),"
	    " ('rc', 'RC', 'customer', 'r', 1, NULL),"
	    " ('c', 'C', 'customer', 'd', 1, NULL),"
	    " ('gone', 'G', 'customer', 'd', 1, 2),"
	    " ('f', 'F', 'customer', 'd2', 1, NULL)");
}

static void
end(void)
{
	sqlite3_close(db);
	store_close();
	unlink(path);
}

/* Every system belongs to somebody, in turn; one of them is not known. */
static void
systems(int n)
{
	static const char *const	of[] = { "d", "r", "rc", "c", "gone",
	    "f", "who", "" };
	int				i;

	for (i = 0; i < n; i++)
		run("INSERT INTO systems (id, name, system_key,"
		    " system_secret_public, system_secret_sha256,"
		    " organization_id, created_at, updated_at) VALUES"
		    " ('s%04d', 'S', 'K%d', 'p', 's', '%s', 1, 1)", i, i,
		    of[i % 8]);
}

static void
insert(unsigned id, unsigned system)
{
	unsigned	t = dice(1000);

	/* A slot that is taken takes no second. */
	run("INSERT OR IGNORE INTO support_sessions (id, system_id, node_id,"
	    " session_token, started_at, expires_at, status, created_at,"
	    " updated_at, generation) VALUES ('%u', 's%04u', %s, 't%u', %u,"
	    " %u, '%s', %u, 1, 1)", id, system, dice(2) ? "NULL" :
	    dice(2) ? "'1'" : "'2'", id, t, t + dice(50),
	    dice(3) ? "pending" : "closed", t);
}

/* Something that happens, in the store's own words and in others'. */
static void
step(unsigned i)
{
	static const char *const	states[] = { "pending", "active",
	    "closed", "expired", "closed" };
	unsigned			any = dice(i + 1);

	switch (dice(7)) {
	case 0:
	case 1:
		insert(i, dice(SYSTEMS));
		break;
	case 2:
	case 3:
		run("UPDATE OR IGNORE support_sessions SET status = '%s'"
		    " WHERE id = '%u'", states[dice(5)], any);
		break;
	case 4:
		run("UPDATE support_sessions SET expires_at = %u"
		    " WHERE id = '%u'", dice(1100), any);
		break;
	case 5:
		run("DELETE FROM support_sessions WHERE id = '%u'", any);
		break;
	default:
		if (dice(8) == 0)
			run("UPDATE systems SET organization_id = '%s'"
			    " WHERE id = 's%04u'", dice(2) ? "c" : "r",
			    dice(SYSTEMS));
		insert(i, dice(SYSTEMS));
	}
}

/* Read them all: every session that matches, then groups of these. */
#define MATCHED								\
	"WITH m AS (SELECT ss.*, CASE ss.status WHEN 'active' THEN 0"	\
	" WHEN 'pending' THEN 1 WHEN 'expired' THEN 2 ELSE 3 END AS rank"	\
	" FROM support_sessions ss JOIN systems s ON s.id = ss.system_id"	\
	" LEFT JOIN organizations o ON o.id = s.organization_id"	\
	" AND o.deleted_at IS NULL"					\
	" LEFT JOIN organizations r ON r.id = o.parent"			\
	" AND r.deleted_at IS NULL"					\
	" WHERE ('%s' = 'owner' OR NOT EXISTS (SELECT 1"		\
	" FROM organizations d WHERE d.id = '%s'"			\
	" AND d.deleted_at IS NOT NULL))"				\
	" AND (?1 = 'owner'"						\
	" OR (?1 IN ('distributor', 'reseller', 'customer')"		\
	" AND s.organization_id = ?2)"					\
	" OR (?1 IN ('distributor', 'reseller')"			\
	" AND o.type = 'customer' AND o.parent = ?2)"			\
	" OR (?1 = 'distributor' AND o.type = 'reseller'"		\
	" AND o.parent = ?2)"						\
	" OR (?1 = 'distributor' AND o.type = 'customer'"		\
	" AND r.type = 'reseller' AND r.parent = ?2))"			\
	" AND ('%s' = '' OR ss.system_id = '%s')"			\
	" AND (%u & CASE ss.status WHEN 'pending' THEN 1"		\
	" WHEN 'active' THEN 2 WHEN 'closed' THEN 4 ELSE 8 END) != 0),"	\
	" l AS (SELECT *, row_number() OVER (PARTITION BY system_id"	\
	" ORDER BY started_at DESC, rank DESC, created_at DESC,"	\
	" expires_at DESC) AS nth FROM m),"				\
	" g AS (SELECT system_id, count(*) AS n,"			\
	" count(DISTINCT node_id) AS nodes, min(rank) AS best,"		\
	" max(created_at) AS created_at, coalesce("			\
	"min(CASE WHEN rank < 2 THEN started_at END),"			\
	" (SELECT l.started_at FROM l WHERE l.system_id = m.system_id"	\
	" AND nth = 1)) AS started_at,"					\
	" coalesce(max(CASE WHEN rank < 2 THEN expires_at END),"	\
	" (SELECT l.expires_at FROM l WHERE l.system_id = m.system_id"	\
	" AND nth = 1)) AS expires_at FROM m GROUP BY system_id)"

struct seen {
	int			 r;
	int64_t			 total;
	struct walked		 walked;
	size_t			 n;
	struct group_row	 rows[PAGE];
};

static void
got(const struct answer *a, void *arg)
{
	struct seen	*s = arg;

	s->r = a->r;
	s->total = a->total;
	s->walked = a->walked;
	for (s->n = 0; s->n < a->n && s->n < PAGE; s->n++)
		s->rows[s->n] = a->group[s->n];
}

/* In how many goes. */
static unsigned
page_of(const struct list_query *lq, struct seen *s)
{
	struct list_query	q = *lq;
	unsigned		n = 0;

	do {
		(void)store_ask(&(struct question){ .what = ASK_GROUPS,
		    .list = &q }, got, s);
		q.walked = s->walked;
	} while (s->r == 0 && !s->walked.done && ++n < 1000);
	return (n + 1);
}

static int	small_steps;

static const int	by_rank[] = { SESSION_ACTIVE, SESSION_PENDING,
    SESSION_EXPIRED, SESSION_CLOSED };

static sqlite3_stmt *
oracle(const struct list_query *lq, const char *what, const char *order)
{
	sqlite3_stmt	*st = NULL;
	char		 text[4096];

	snprintf(text, sizeof(text), MATCHED " %s %s", lq->org_role,
	    lq->org_id, lq->system_id, lq->system_id, (unsigned)lq->statuses,
	    what, order);
	if (sqlite3_prepare_v2(db, text, -1, &st, NULL) != SQLITE_OK)
		ok(0, "%s", sqlite3_errmsg(db));
	sqlite3_bind_text(st, 1, lq->org_role, -1, SQLITE_STATIC);
	if (lq->org_id[0] != '\0')	/* nobody's are nobody's */
		sqlite3_bind_text(st, 2, lq->org_id, -1, SQLITE_STATIC);
	return (st);
}

/* The states come by rank, then by the time of the state's last session. */
static void
order_of(const struct list_query *lq, char *dst, size_t size)
{
	const char	*dir = lq->descending ? "DESC" : "ASC";

	if (strcmp(lq->sort_by, "status") == 0)
		snprintf(dst, size, "ORDER BY best %s, (SELECT"
		    " max(m.created_at) FROM m WHERE m.system_id ="
		    " g.system_id AND m.rank = best) %s, system_id %s"
		    " LIMIT %d OFFSET %u", dir, dir, dir, PAGE,
		    (lq->page - 1) * PAGE);
	else
		snprintf(dst, size, "ORDER BY %s %s, system_id %s LIMIT %d"
		    " OFFSET %u", lq->sort_by, dir, dir, PAGE,
		    (lq->page - 1) * PAGE);
}

/* Is the row that the oracle has the one of the page? */
static int
same(sqlite3_stmt *st, const struct group_row *g)
{
	return (strcmp((const char *)sqlite3_column_text(st, 0),
	    g->system_id) == 0 &&
	    sqlite3_column_int64(st, 1) == g->started_at &&
	    sqlite3_column_int64(st, 2) == g->expires_at &&
	    by_rank[sqlite3_column_int(st, 3) & 3] == g->status &&
	    sqlite3_column_int64(st, 4) == g->sessions &&
	    sqlite3_column_int64(st, 5) == g->nodes && g->has_system);
}

static int
agrees(const struct list_query *lq)
{
	sqlite3_stmt	*st;
	struct seen	 s;
	char		 order[512];
	size_t		 i = 0;
	int		 good;

	if (small_steps)
		db_list_step(3);
	(void)page_of(lq, &s);
	st = oracle(lq, "SELECT count(*) FROM g", "");
	good = sqlite3_step(st) == SQLITE_ROW && s.r == 0 &&
	    s.total == sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	order_of(lq, order, sizeof(order));
	st = oracle(lq, "SELECT system_id, started_at, expires_at, best, n,"
	    " nodes FROM g", order);
	while (good && sqlite3_step(st) == SQLITE_ROW)
		good = i < s.n && same(st, &s.rows[i++]);
	good = good && i == s.n;
	if (!good)
		diag("%s of %s, %s %s, states %x, system %s, page %u: row %zu",
		    lq->org_role, lq->org_id, lq->sort_by, lq->descending ?
		    "desc" : "asc", (unsigned)lq->statuses, lq->system_id,
		    (unsigned)lq->page, i);
	sqlite3_finalize(st);
	return (good);
}

static const char *const	sorts[] = { "created_at", "started_at",
    "expires_at", "status" };
static const struct { const char *role, *org; } callers[] = {
	{ "owner", "o" }, { "distributor", "d" }, { "reseller", "r" },
	{ "customer", "c" }, { "customer", "rc" }, { "customer", "gone" },
	{ "distributor", "who" }, { "guest", "d" }, { "reseller", "" },
};
#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

/* One caller's question; `way`: two for each sort key, up and down. */
static void
ask_as(struct list_query *lq, unsigned caller, unsigned way)
{
	strlcpy(lq->org_role, callers[caller].role, sizeof(lq->org_role));
	strlcpy(lq->org_id, callers[caller].org, sizeof(lq->org_id));
	strlcpy(lq->sort_by, sorts[way / 2], sizeof(lq->sort_by));
	lq->descending = way % 2;
}

static int
all_agree(void)
{
	struct list_query	lq = { .page_size = PAGE };
	unsigned		caller, way;
	int			good = 1;

	for (caller = 0; caller < COUNT(callers); caller++)
		for (lq.statuses = 1; lq.statuses <= STATUS_ALL;
		    lq.statuses++)
			for (way = 0; way < 2 * COUNT(sorts); way++) {
				ask_as(&lq, caller, way);
				lq.page = 1 + dice(3);
				lq.system_id[0] = '\0';
				if (dice(8) == 0)
					snprintf(lq.system_id,
					    sizeof(lq.system_id), "s%04u",
					    dice(SYSTEMS + 1));
				if (dice(4) == 0)
					good &= agrees(&lq);
			}
	return (good);
}

/* Every page of this one, three rows at a time. */
static int
steps_agree(unsigned who)
{
	struct list_query	lq = { .page_size = PAGE };
	unsigned		way;
	int			good = 1;

	small_steps = 1;
	for (lq.statuses = 1; lq.statuses <= STATUS_ALL; lq.statuses++)
		for (way = 0; way < 2 * COUNT(sorts); way++)
			for (lq.page = 1; lq.page <= SYSTEMS / PAGE + 1;
			    lq.page++) {
				ask_as(&lq, who, way);
				good &= agrees(&lq);
			}
	small_steps = 0;
	db_list_step(1000);
	return (good);
}

static void
random_life(void)
{
	unsigned	i, who;
	int		good = 1, far = 1;

	begin();
	systems(SYSTEMS);
	for (i = 0; i < STEPS; i++) {
		step(i);
		if (i % 150 == 149)
			good &= all_agree();
		for (who = 0; (i == STEPS - 1 || (i == 80 && who == 0)) &&
		    who < COUNT(callers); who++)
			far &= steps_agree(who);
	}
	ok(good, "operator-8: %d steps: each page is what reading all gives",
	    STEPS);
	ok(far, "operator-2: also where there is a long way to a page");
	run("DELETE FROM support_sessions");
	ok(all_agree(), "and when all have gone");
	end();
}

/* What the statements have run since the last look. */
static int64_t
steps_taken(void)
{
	struct query	*q;
	int64_t		 n = 0;

	for (q = db_prepared(); q != NULL; q = q->next)
		n += sqlite3_stmt_status(q->stmt, SQLITE_STMTSTATUS_VM_STEP,
		    1);
	return (n);
}

/* The dearest of all pages. */
static int64_t
dearest(void)
{
	struct list_query	lq = { .page_size = PAGE, .page = 1 };
	struct seen		s;
	unsigned		caller, way;
	int64_t			n, most = 0;

	for (caller = 0; caller < 4; caller++)
		for (way = 0; way < 2 * COUNT(sorts); way++) {
			ask_as(&lq, caller, way);
			lq.statuses = STATUS_ALL;
			(void)steps_taken();
			(void)page_of(&lq, &s);
			if ((n = steps_taken()) > most)
				most = n;
		}
	return (most);
}

static void
on_commit(int yes, void *arg)
{
	(void)arg;
	ok(yes, "written");
}

/* A session of a system begins, runs, ends. */
static int64_t
writing(void)
{
	struct session_row	se = { .id = "new", .system_id = "s0003",
	    .node = "9", .started_at = 5000, .created_at = 5000 };
	int64_t			n;

	(void)steps_taken();
	(void)store_session_insert(&se);
	se.status = SESSION_ACTIVE;
	(void)store_session_update(&se);
	se.status = SESSION_CLOSED;
	(void)store_session_update(&se);
	n = steps_taken();
	store_commit(on_commit, NULL);
	return (n);
}

/* So many over sessions for each of so many systems, and an open one. */
static int64_t
cost(int nsystems, int each, int64_t *writes)
{
	int64_t	n;

	begin();
	run("BEGIN");
	systems(nsystems);
	run("WITH RECURSIVE y(s) AS (SELECT 0 UNION ALL SELECT s + 1 FROM y"
	    " WHERE s < %d), e(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM e"
	    " WHERE i < %d) INSERT INTO support_sessions (id, system_id,"
	    " node_id, session_token, started_at, expires_at, status,"
	    " created_at, updated_at, generation) SELECT s || '-' || i,"
	    " printf('s%%04d', s), CASE WHEN i %% 3 THEN i %% 3 END,"
	    " s || '+' || i, i, i + s, CASE WHEN i = 0 THEN 'active'"
	    " WHEN i %% 2 THEN 'closed' ELSE 'expired' END, i, 1, 1"
	    " FROM y, e", nsystems - 1, each - 1);
	run("COMMIT");
	n = dearest();
	*writes = writing();
	end();
	return (n);
}

/* Pages far behind: the way there is in pieces, and known for a while. */
static void
far(void)
{
	struct list_query	lq = { .page_size = PAGE, .page = 21,
	    .statuses = STATUS_ALL };
	struct seen		s;
	char			first[ID_SIZE];
	int			i;

	begin();
	systems(300);
	for (i = 0; i < 300; i++)
		run("INSERT INTO support_sessions (id, system_id,"
		    " session_token, started_at, expires_at, status,"
		    " created_at, updated_at, generation) VALUES ('%d',"
		    " 's%04d', 't%d', 1, 2, 'active', 1, 1, 1)", i, i, i);
	ask_as(&lq, 0, 0);
	db_list_step(30);
	is_int((int)page_of(&lq, &s), 5, "140 rows in pieces of 30");
	is_str(s.rows[0].system_id, "s0140", "operator-2: then the page");
	lq.page = 22;
	is_int((int)page_of(&lq, &s), 1, "the next is where it ended");
	is_str(s.rows[0].system_id, "s0147", "operator-2: and is the next");
	lq.page = 20;
	is_int((int)page_of(&lq, &s), 1, "the one before is near a piece's end");
	is_str(s.rows[0].system_id, "s0133", "operator-2: and is that one");
	strlcpy(lq.org_role, "distributor", sizeof(lq.org_role));
	strlcpy(first, s.rows[0].system_id, sizeof(first));
	(void)page_of(&lq, &s);
	ok(s.n == 0 || strcmp(s.rows[0].system_id, first) != 0,
	    "who sees less has places of his own");
	ask_as(&lq, 0, 0);
	lq.page = 1000000;
	is_int((int)page_of(&lq, &s), 1, "what is behind the last is not "
	    "looked for");
	is_int((int)s.n, 0, "there is nothing");
	db_list_step(1000);
	end();
}

static void
costs(void)
{
	int64_t	wfew, wmany, wwide;
	int64_t	few = cost(50, 3, &wfew), many = cost(50, 200, &wmany),
		wide = cost(1000, 2, &wwide);

	ok(many <= few * 5 / 4, "a page of 50 systems with 200 sessions each: "
	    "%lld steps, with 3: %lld", (long long)many, (long long)few);
	ok(wide <= few * 10, "of 1,000 systems: %lld", (long long)wide);
	ok(wmany <= wfew * 5 / 4 && wwide <= wfew * 5 / 4, "a session's life: "
	    "%lld, %lld and %lld steps", (long long)wfew, (long long)wmany,
	    (long long)wwide);
}

int
main(void)
{
	snprintf(path, sizeof(path), "/tmp/store_list_test.%d", (int)getpid());
	random_life();
	far();
	costs();
	return (done_testing());
}
