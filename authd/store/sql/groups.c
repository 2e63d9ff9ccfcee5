/* SPDX-License-Identifier: ISC */
/*
 * The list of sessions: a group for each system, a page at a time. What a page
 * costs depends on its length and on how many organizations the caller sees,
 * never on how many sessions there are: schema.c keeps what is needed.
 */
#include <string.h>

#include "base/clock.h"
#include "base/compat.h"
#include "authd/store/store.h"
#include "scope.h"
#include "db.h"

/*
 * Whoever sees so few groups has them looked up and sorted; for others the
 * groups are walked through in order, and those that are not theirs skipped;
 * the index that is walked says whose they are.
 */
#define FEW	200
/*
 * And over no more than so many rows in one go: who asks for a page far behind
 * asks again, from where the walk has come to, and the last such places are
 * remembered for a while, for the next pages.
 */
#define STEP	1000
#define MARKS	32
#define MARK_MS	10000

/* The parameters of all: those of scope.h, ?3 states (a bit for each rank). */

/*
 * A system has a row for each of its states, and the one stands for it whose
 * by_... names none of the states that are asked for (schema.c). For all groups
 * there is an arm for each state and each set of others that it is behind, as
 * ?6 and ?7 and so on say, each in order; -1 is none. Each begins behind the
 * row with key ?22 of system ?23, where ?24 is -1 or its state, and else with
 * the key ?25, which none has.
 */
#define ARMS	8
#define ARM(keys, by, key, than, rank, behind)				\
	"SELECT g.system_id, " keys " FROM support_groups g WHERE"	\
	" " rank " >= 0 AND g.rank = " rank " AND g." by " = " behind	\
	" AND (g." key ", g.system_id) " than				\
	" (iif(?24 IN (-1, " rank "), ?22, ?25), ?23)"			\
	" AND (?1 = 'owner' OR g.organization_id IN (SELECT id FROM v))"
#define ALL_ARMS(keys, by, key, than, begin, end)			\
	begin ARM(keys, by, key, than, "?6", "?7") end " UNION ALL "	\
	begin ARM(keys, by, key, than, "?8", "?9") end " UNION ALL "	\
	begin ARM(keys, by, key, than, "?10", "?11") end " UNION ALL "	\
	begin ARM(keys, by, key, than, "?12", "?13") end " UNION ALL "	\
	begin ARM(keys, by, key, than, "?14", "?15") end " UNION ALL "	\
	begin ARM(keys, by, key, than, "?16", "?17") end " UNION ALL "	\
	begin ARM(keys, by, key, than, "?18", "?19") end " UNION ALL "	\
	begin ARM(keys, by, key, than, "?20", "?21") end
#define ALL(keys, by, key, than, order)					\
	VISIBLE ALL_ARMS(keys, by, key, than, "", "")			\
	" ORDER BY " order " LIMIT ?4 OFFSET ?5"
/* A server has to be told that no arm is needed to its end. */
#define ALL_PG(keys, by, key, than, order)				\
	VISIBLE "SELECT * FROM (" ALL_ARMS(keys, by, key, than, "(",	\
	" ORDER BY " order " LIMIT ?4 + ?5)") ") x"			\
	" ORDER BY " order " LIMIT ?4 OFFSET ?5"
#define OF_ORGS(keys, by, key, than, order)				\
	VISIBLE "SELECT g.system_id, " keys " FROM v"			\
	" CROSS JOIN systems s ON s.organization_id = v.id"		\
	" CROSS JOIN support_groups g ON g.system_id = s.id"		\
	" WHERE ((?3 >> g.rank) & 1) = 1 AND (g." by " & ?3) = 0"	\
	" ORDER BY " order " LIMIT ?4 OFFSET ?5"

/* By their places: a union has no other names for them on a server. */
#define BY(desc)	"2" desc ", 1" desc
#define PAGE(text, server, sort)					\
	{ .sql = (text), .pg = (server), .name = "list by " sort }
#define PAGES(of, pg, than, desc)	{				\
	PAGE(of("g.created_at", "by_created", "created_at", than,	\
	    BY(desc)), pg("g.created_at", "by_created", "created_at",	\
	    than, BY(desc)), "created_at"),				\
	PAGE(of("g.started_at", "by_started", "started_at", than,	\
	    BY(desc)), pg("g.started_at", "by_started", "started_at",	\
	    than, BY(desc)), "started_at"),				\
	PAGE(of("g.expires_at", "by_expires", "expires_at", than,	\
	    BY(desc)), pg("g.expires_at", "by_expires", "expires_at",	\
	    than, BY(desc)), "expires_at"),				\
	PAGE(of("g.created_at, g.rank", "by_status", "created_at", than, \
	    "3" desc ", " BY(desc)), pg("g.created_at, g.rank",		\
	    "by_status", "created_at", than, "3" desc ", " BY(desc)),	\
	    "status") }
#define SAME(keys, by, key, than, order)	NULL

#define K(name)	#name,
static const char *const	sorts[] = { API_SORT_KEYS };
#undef K

/* By how many are seen, direction, sort; those in the order of the keys. */
static struct query	pages[2][2][sizeof(sorts) / sizeof(sorts[0])] = {
	{ PAGES(ALL, ALL_PG, ">", ""), PAGES(ALL, ALL_PG, "<", " DESC") },
	{ PAGES(OF_ORGS, SAME, ">", ""), PAGES(OF_ORGS, SAME, "<", " DESC") }
};

#define BY_STATUS	3	/* the sort whose rows are by state first */

/* Where walks have come to, the last one taken in turn. */
static struct {
	struct list_query	lq;
	uint64_t		at_ms;		/* 0: free */
} marks[MARKS];
static unsigned	next_mark;
static int64_t	step = STEP, few = FEW;

#ifdef RELAYD_TESTING
void
db_list_step(int64_t rows)
{
	step = rows;
	few = rows < STEP ? 0 : FEW;
	memset(marks, 0, sizeof(marks));
}
#endif

static const int	by_rank[] = { SESSION_ACTIVE, SESSION_PENDING,
    SESSION_EXPIRED, SESSION_CLOSED };

static int
ranks_of(uint32_t statuses)
{
	int	rank, bits = 0;

	for (rank = 0; rank < 4; rank++)
		if (statuses & STATUS_BIT(by_rank[rank]))
			bits |= 1 << rank;
	return (bits);
}

static unsigned
sort_of(const char *name)
{
	unsigned	i;

	for (i = 0; i < sizeof(sorts) / sizeof(sorts[0]); i++)
		if (strcmp(name, sorts[i]) == 0)
			return (i);
	return (0);
}

/* One number, 0 when there is none. */
static int
take_total(struct query *q, int r, int64_t *total)
{
	*total = 0;
	if (r == STORE_NONE)
		return (0);
	if (r == 0) {
		*total = db_int(q, 0);
		db_done(q);
	}
	return (r);
}

static int
groups_count(const struct list_query *lq, const char *role, int64_t *total)
{
	static struct query	all = QUERY("SELECT sum(n) FROM support_counts"
	    " WHERE organization_id = '' AND (bits & ?1) <> 0");
	static struct query	some = QUERY(VISIBLE "SELECT sum(c.n) FROM v"
	    " CROSS JOIN support_counts c ON c.organization_id = v.id"
	    " WHERE (c.bits & ?3) <> 0 AND" OWN_IS_THERE);
	int			ranks = ranks_of(lq->statuses);

	if (strcmp(role, "owner") == 0)
		return (take_total(&all, db_read(&all, "n", ranks), total));
	return (take_total(&some, db_read(&some, "ttn", role, lq->org_id,
	    ranks), total));
}

/* Of the one system that was asked for: 1 or 0. */
static int
group_one(const struct list_query *lq, const char *role, int64_t *total)
{
	static struct query	q = QUERY("SELECT 1 FROM support_groups g"
	    " WHERE g.system_id = ?4 AND ((?3 >> g.rank) & 1) = 1"
	    " AND (?1 = 'owner' OR" OWN_IS_THERE ")" IS_SEEN " LIMIT 1");

	return (take_total(&q, db_read(&q, "ttnt", role, lq->org_id,
	    ranks_of(lq->statuses), lq->system_id), total));
}

/* Its figures: of the states that were asked for. */
static int
group_times(struct group_row *g, int ranks)
{
	static struct query	q = QUERY("SELECT rank, n, started_at,"
	    " expires_at, (SELECT count(DISTINCT node_id) FROM support_nodes"
	    " WHERE system_id = ?1 AND ((?2 >> rank) & 1) = 1)"
	    " FROM support_groups WHERE system_id = ?1"
	    " AND ((?2 >> rank) & 1) = 1 ORDER BY rank");
	int64_t			rank, started, expires;
	int			r, first = 1, open = 0;

	for (r = db_read(&q, "Tn", g->system_id, ranks); r == 0;
	    r = db_step(&q), first = 0) {
		rank = db_int(&q, 0) & 3;
		started = db_int(&q, 2);
		expires = db_int(&q, 3);
		g->sessions += db_int(&q, 1);
		g->nodes = db_int(&q, 4);
		if (first)
			g->status = by_rank[rank];
		open |= rank < 2;
		if (first || (rank < 2 ? started < g->started_at :
		    !open && started >= g->started_at))
			g->started_at = started;
		if (first || (rank < 2 ? expires > g->expires_at :
		    !open && started >= g->started_at))
			g->expires_at = expires;
	}
	return (r == STORE_NONE ? 0 : -1);
}

static int
group_system(struct group_row *g)
{
	static struct query	q = QUERY("SELECT s.name, s.type, s.system_key,"
	    " s.organization_id, o.name, o.type FROM systems s"
	    " LEFT JOIN organizations o ON o.id = s.organization_id"
	    " AND o.deleted_at IS NULL WHERE s.id = ?1");
	int			r;

	if ((r = db_read(&q, "T", g->system_id)) != 0)
		return (r == STORE_NONE ? 0 : -1);
	db_text(&q, 0, g->system.name, sizeof(g->system.name));
	db_text(&q, 1, g->system.type, sizeof(g->system.type));
	db_text(&q, 2, g->system.key, sizeof(g->system.key));
	db_text(&q, 3, g->system.org_id, sizeof(g->system.org_id));
	db_text(&q, 4, g->system.org_name, sizeof(g->system.org_name));
	db_text(&q, 5, g->system.org_type, sizeof(g->system.org_type));
	g->has_system = 1;
	db_done(&q);
	return (0);
}

/* The arms that have rows which stand for systems: at most 8. */
static void
arms_of(int ranks, int arm[2 * ARMS])
{
	int	rank, behind, n = 0;

	for (rank = 0; rank < 4; rank++)
		for (behind = 0; (ranks >> rank) & 1 && behind < 16; behind++)
			if ((behind & (ranks | 1 << rank)) == 0) {
				arm[n++] = rank;
				arm[n++] = behind;
			}
	while (n < 2 * ARMS)
		arm[n++] = -1;
}

static int
same_list(const struct list_query *a, const struct list_query *b)
{
	return (strcmp(a->org_role, b->org_role) == 0 &&
	    strcmp(a->org_id, b->org_id) == 0 &&
	    a->statuses == b->statuses &&
	    sort_of(a->sort_by) == sort_of(b->sort_by) &&
	    a->descending == b->descending);
}

/* The nearest place before a row; from the beginning where none is known. */
static void
mark_find(const struct list_query *lq, int64_t row, struct walked *w)
{
	uint64_t	now = clock_ms();
	unsigned	i;

	*w = lq->walked;
	for (i = 0; i < MARKS; i++)
		if (marks[i].at_ms != 0 && now - marks[i].at_ms < MARK_MS &&
		    same_list(&marks[i].lq, lq) &&
		    marks[i].lq.walked.rows <= row &&
		    marks[i].lq.walked.rows > w->rows)
			*w = marks[i].lq.walked;
}

static void
mark_keep(const struct list_query *lq, const struct walked *w)
{
	unsigned	i = next_mark++ % MARKS;

	marks[i].lq = *lq;
	marks[i].lq.walked = *w;
	marks[i].at_ms = clock_ms();
}

/* `n` rows, so many behind a place. */
static int
groups_first(struct query *q, const struct list_query *lq, const char *role,
    const struct walked *w, int64_t n, int64_t skip)
{
	int	ranks = ranks_of(lq->statuses), a[2 * ARMS], i;
	int	rank = sort_of(lq->sort_by) == BY_STATUS ? w->rank : -1;
	int64_t	none = lq->descending ? INT64_MAX : INT64_MIN;

	arms_of(ranks, a);
	for (i = 0; i < 2 * ARMS && w->begun && rank != -1; i += 2)
		if (lq->descending ? a[i] > rank : a[i] < rank)
			a[i] = -1;
	return (db_read(q, "ttniinnnnnnnnnnnnnnnniTni", role, lq->org_id,
	    ranks, n, skip, a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7],
	    a[8], a[9], a[10], a[11], a[12], a[13], a[14], a[15],
	    w->begun ? w->number : none, w->id, rank, none));
}

/* The row that is at hand is the last so far. */
static void
walked_to(struct query *q, const struct list_query *lq, struct walked *w)
{
	w->begun = 1;
	db_text(q, 0, w->id, sizeof(w->id));
	w->number = db_int(q, 1);
	if (sort_of(lq->sort_by) == BY_STATUS)
		w->rank = (int)db_int(q, 2);
}

/* Go on over `step` rows: one row is read, the last. */
static int
groups_step(struct query *q, const struct list_query *lq, const char *role,
    struct walked *w)
{
	int	r = groups_first(q, lq, role, w, 1, step - 1);

	if (r == STORE_NONE) {		/* there are not as many any more */
		w->done = 1;
		return (0);
	}
	if (r == 0) {
		walked_to(q, lq, w);
		w->rows += step;
		db_done(q);
		mark_keep(lq, w);
	}
	return (r);
}

/* Rows up to a page's length, the first of which is there if r is 0. */
static int
take_rows(struct query *q, int r, const struct list_query *lq,
    struct group_row *rows, size_t *n, struct walked *w)
{
	for (; r == 0; r = db_step(q)) {
		db_text(q, 0, rows[*n].system_id, sizeof(rows[*n].system_id));
		walked_to(q, lq, w);
		if (++*n == lq->page_size) {
			db_done(q);
			return (0);
		}
	}
	return (r == STORE_NONE ? 0 : -1);
}

/* Whoever sees few groups. */
static int
groups_few(const struct list_query *lq, const char *role,
    struct group_row *rows, size_t *n, struct walked *w)
{
	struct query	*q = &pages[1][lq->descending != 0]
	    [sort_of(lq->sort_by)];
	int64_t		 len = lq->page_size;

	w->done = 1;
	return (take_rows(q, db_read(q, "ttnii", role, lq->org_id,
	    ranks_of(lq->statuses), len, ((int64_t)lq->page - 1) * len), lq,
	    rows, n, w));
}

static int
groups_page(const struct list_query *lq, const char *role,
    struct group_row *rows, size_t *n, struct walked *w)
{
	struct query	*q = &pages[0][lq->descending != 0]
	    [sort_of(lq->sort_by)];
	int64_t		 skip = ((int64_t)lq->page - 1) * lq->page_size;
	int		 r;

	if (skip > step)
		mark_find(lq, skip, w);
	if (skip - w->rows > step)
		return (groups_step(q, lq, role, w));
	r = take_rows(q, groups_first(q, lq, role, w, lq->page_size,
	    skip - w->rows), lq, rows, n, w);
	w->done = 1;
	w->rows = skip + (int64_t)*n;
	if (r == 0 && w->rows > step)
		mark_keep(lq, w);
	return (r);
}

/* What is behind the last one is not looked for. */
static int
groups_all(const struct list_query *lq, const char *role, int64_t *total,
    struct group_row *rows, size_t *n, struct walked *w)
{
	if (groups_count(lq, role, total) == -1)
		return (-1);
	if (((int64_t)lq->page - 1) * lq->page_size >= *total) {
		w->done = 1;
		return (0);
	}
	if (*total <= few && strcmp(role, "owner") != 0)
		return (groups_few(lq, role, rows, n, w));
	return (groups_page(lq, role, rows, n, w));
}

int
db_groups(const struct list_query *lq, int64_t *total, struct group_row *rows,
    size_t *n, struct walked *w)
{
	char	role[WORD_SIZE];
	size_t	i;

	*n = 0;
	memset(w, 0, sizeof(*w));
	db_role(lq->org_role, role);
	if (lq->system_id[0] == '\0') {
		if (groups_all(lq, role, total, rows, n, w) == -1)
			return (-1);
	} else {
		w->done = 1;
		if (group_one(lq, role, total) == -1)
			return (-1);
		if (*total > 0 && lq->page == 1)
			strlcpy(rows[(*n)++].system_id, lq->system_id,
			    sizeof(rows[0].system_id));
	}
	for (i = 0; i < *n; i++)
		if (group_times(&rows[i], ranks_of(lq->statuses)) == -1 ||
		    group_system(&rows[i]) == -1)
			return (-1);
	return (0);
}

int
db_group_sessions(const struct list_query *lq, const char *system_id,
    void (*fn)(const struct session_row *, void *), void *arg)
{
	static struct query	q = QUERY(DB_SESSION_COLUMNS
	    "WHERE system_id = ?1 AND status IN ('pending', 'active') AND"
	    " (?2 & CASE status WHEN 'pending' THEN 1 ELSE 2 END) != 0"
	    " ORDER BY node_id IS NOT NULL, length(node_id), node_id,"
	    " started_at DESC, id");
	struct session_row	 s;
	int			 r;

	r = db_read(&q, "Tn", system_id, (int)lq->statuses);
	for (; r == 0; r = db_step(&q)) {
		db_session_read(&q, &s);
		fn(&s, arg);
	}
	return (r == STORE_NONE ? 0 : -1);
}
