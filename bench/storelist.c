/* SPDX-License-Identifier: ISC */
/*
 * usage: storelist file systems sessions [page]
 *
 * What a page of the list of sessions costs: a new store with so many systems,
 * each with so many sessions, is asked for pages of 20 in every order, by who
 * sees all of it and by who sees a part. One line: the median of all pages, and
 * of the dearest kind of page its median, in microseconds. With a page, far
 * behind: the dearest of the pieces that the way there is made in, in any order;
 * the most that a whole way takes; and the most that the page behind it does.
 */
#include <sodium.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "authd/store/store.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/index.h"

#define ROUNDS	51
#define KINDS	24

static const char *const	sorts[] = { "created_at", "started_at",
    "expires_at", "status" };
static const struct { const char *role, *org; } callers[] = {
	{ "owner", "o" }, { "distributor", "d" }, { "customer", "c7" },
};

__attribute__((format(printf, 2, 3))) static void
run(sqlite3 *db, const char *fmt, ...)
{
	char	text[4096];
	va_list	ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK) {
		fprintf(stderr, "storelist: %s\n", sqlite3_errmsg(db));
		exit(1);
	}
}

/* A hundred customers, every other one of a distributor's. */
static void
fill(const char *path, int systems, int sessions)
{
	sqlite3	*db;

	if (sqlite3_open(path, &db) != SQLITE_OK)
		exit(1);
	run(db, "BEGIN");
	run(db, "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1"
	    " FROM n WHERE i < 99) INSERT INTO organizations SELECT 'c' || i,"
	    " 'C', 'customer', CASE i %% 2 WHEN 0 THEN 'd' END, 1, NULL"
	    " FROM n");
	run(db, "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1"
	    " FROM n WHERE i < %d) INSERT INTO systems (id, name, system_key,"
	    " system_secret_public, system_secret_sha256, organization_id,"
	    " created_at, updated_at) SELECT printf('s%%07d', i), 'S', i, 'p',"
	    " 's', 'c' || (i %% 100), 1, 1 FROM n", systems - 1);
	run(db, "WITH RECURSIVE y(s) AS (SELECT 0 UNION ALL SELECT s + 1"
	    " FROM y WHERE s < %d), e(i) AS (SELECT 0 UNION ALL SELECT i + 1"
	    " FROM e WHERE i < %d) INSERT INTO support_sessions (id,"
	    " system_id, node_id, session_token, started_at, expires_at,"
	    " status, created_at, updated_at, generation) SELECT"
	    " lower(hex(randomblob(16))), printf('s%%07d', s), CASE WHEN"
	    " i %% 3 THEN i %% 3 END, hex(randomblob(16)), 7919 * (s + i)"
	    " %% 999983, 7919 * (s + i) %% 999983 + i, CASE WHEN i = 0 THEN"
	    " 'active' WHEN i %% 2 THEN 'closed' ELSE 'expired' END,"
	    " 7919 * (s + i) %% 999983, 1, 1 FROM y, e", systems - 1,
	    sessions - 1);
	run(db, "COMMIT");
	sqlite3_close(db);
}

struct page {
	int			 r;
	struct walked		 walked;
	size_t			 n, sessions;
	struct group_row	 groups[20];
};

static void
got_sessions(const struct answer *a, void *arg)
{
	struct page	*p = arg;

	p->r |= a->r;
	p->sessions = a->n;
}

static void
got_groups(const struct answer *a, void *arg)
{
	struct page	*p = arg;

	p->r |= a->r;
	p->walked = a->walked;
	for (p->n = 0; p->n < a->n && p->n < 20; p->n++)
		p->groups[p->n] = a->group[p->n];
}

/* Microseconds of one page, its sessions included. */
static double
page(const struct list_query *lq)
{
	static struct page	p;
	uint64_t		from = clock_ns();

	p.r = 0;
	(void)store_ask(&(struct question){ .what = ASK_GROUPS, .list = lq },
	    got_groups, &p);
	(void)store_ask(&(struct question){ .what = ASK_PAGE_SESSIONS,
	    .list = lq, .groups = p.groups, .n = p.n }, got_sessions, &p);
	if (p.r != 0 || p.n == 0 || p.sessions == 0) {
		fprintf(stderr, "storelist: a page is missing\n");
		exit(1);
	}
	return ((double)(clock_ns() - from) / 1000);
}

static int
less(const void *a, const void *b)
{
	double	x = *(const double *)a, y = *(const double *)b;

	return (x < y ? -1 : x > y);
}

/* The median page of this kind. */
static double
kind(unsigned i)
{
	struct list_query	lq = { .statuses = STATUS_ALL, .page = 1,
	    .page_size = 20, .descending = i % 2 };
	double			us[ROUNDS];
	size_t			n;

	strlcpy(lq.sort_by, sorts[i / 2 % 4], sizeof(lq.sort_by));
	strlcpy(lq.org_role, callers[i / 8].role, sizeof(lq.org_role));
	strlcpy(lq.org_id, callers[i / 8].org, sizeof(lq.org_id));
	for (n = 0; n < ROUNDS; n++)
		us[n] = page(&lq);
	qsort(us, ROUNDS, sizeof(us[0]), less);
	return (us[ROUNDS / 2]);
}

/* Of the processor's time: a piece is short, and others may have their turn. */
static uint64_t
spent_ns(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ((uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec);
}

/* Microseconds of the way to a page, and the dearest of its pieces. */
static double
way(struct list_query *lq, double *piece)
{
	static struct page	p;
	uint64_t		from, begin = spent_ns();
	double			us;

	memset(&lq->walked, 0, sizeof(lq->walked));
	memset(&p, 0, sizeof(p));
	do {
		from = spent_ns();
		(void)store_ask(&(struct question){ .what = ASK_GROUPS,
		    .list = lq }, got_groups, &p);
		lq->walked = p.walked;
		us = (double)(spent_ns() - from) / 1000;
		if (us > *piece)
			*piece = us;
	} while (p.r == 0 && !p.walked.done);
	if (p.r != 0 || p.n == 0) {
		fprintf(stderr, "storelist: a far page is missing\n");
		exit(1);
	}
	return ((double)(spent_ns() - begin) / 1000);
}

static void
far(uint32_t number)
{
	struct list_query	lq = { .statuses = STATUS_ALL,
	    .page_size = 20, .org_role = "owner", .org_id = "o" };
	double			us, piece = 0, whole = 0, next = 0, ignored = 0;
	unsigned		i;

	for (i = 0; i < 8; i++) {
		strlcpy(lq.sort_by, sorts[i / 2], sizeof(lq.sort_by));
		lq.descending = i % 2;
		lq.page = number;
		if ((us = way(&lq, &piece)) > whole)
			whole = us;
		lq.page++;
		if ((us = way(&lq, &ignored)) > next)
			next = us;
	}
	printf(" %.0f %.0f %.0f", piece, whole, next);
}

int
main(int argc, char **argv)
{
	double		us[KINDS];
	unsigned	i;

	if (argc < 4 || argc > 5 || sodium_init() == -1)
		return (2);
	index_init();
	unlink(argv[1]);
	if (store_open(argv[1]) == -1)
		return (1);
	fill(argv[1], atoi(argv[2]), atoi(argv[3]));
	for (i = 0; i < KINDS; i++)
		us[i] = kind(i);
	qsort(us, KINDS, sizeof(us[0]), less);
	printf("%.0f %.0f", us[KINDS / 2], us[KINDS - 1]);
	if (argc == 5)
		far((uint32_t)atoi(argv[4]));
	printf("\n");
	store_close();
	unlink(argv[1]);
	return (0);
}
