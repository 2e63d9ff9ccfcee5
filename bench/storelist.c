/* SPDX-License-Identifier: ISC */
/*
 * usage: storelist systems sessions [page]
 *
 * What a page of the list of sessions costs: a new store with so many systems,
 * each with so many sessions, is asked for pages of 20 in every order, by who
 * sees all of it and by who sees a part. One line: the median of all pages, and
 * of the dearest kind of page its median, in microseconds. With a page, far
 * behind: the dearest of the pieces that the way there is made in, in any
 * order; the most that a whole way takes; and the most that the page behind it
 * does. Last, of sessions that are written one by one, each with its commit,
 * the median and the 99th percentile. With RELAYD_STORE_SERVER, the words for
 * libpq, all of it is on a PostgreSQL server, in an empty database of it.
 */
#include <libpq-fe.h>
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
#include "regress/lib/storeworld.h"

#define ROUNDS	51
#define KINDS	24
#define INSERTS	500

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

extern const char	pg_schema[];

__attribute__((format(printf, 2, 3))) static void
ask(PGconn *pg, const char *fmt, ...)
{
	static char	 text[65536];
	va_list		 ap;
	PGresult	*r;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r = PQexec(pg, text);
	if (PQresultStatus(r) != PGRES_COMMAND_OK) {
		fprintf(stderr, "storelist: %s\n", PQerrorMessage(pg));
		exit(1);
	}
	PQclear(r);
}

/* The same; relayd's own tables are made of what is there then. */
static void
fill_server(int systems, int sessions)
{
	PGconn	*pg = PQconnectdb(getenv("RELAYD_STORE_SERVER"));

	ask(pg, "SET client_min_messages = error");
	ask(pg, "ALTER TABLE public.support_sessions DISABLE TRIGGER USER");
	ask(pg, "INSERT INTO relayd.organizations SELECT 'c' || i, 'C',"
	    " 'customer', CASE i %% 2 WHEN 0 THEN 'd' END, 1, NULL"
	    " FROM generate_series(0, 99) i");
	ask(pg, "INSERT INTO public.systems (id, name, system_key,"
	    " system_secret_public, system_secret_sha256, organization_id)"
	    " SELECT 's' || to_char(i, 'FM0000000'), 'S', i, 'p', 's', 'c' ||"
	    " i %% 100 FROM generate_series(0, %d) i", systems - 1);
	ask(pg, "INSERT INTO public.support_sessions (system_id, node_id,"
	    " session_token, started_at, expires_at, status, created_at)"
	    " SELECT 's' || to_char(s, 'FM0000000'), CASE WHEN i %% 3 > 0 THEN"
	    " i %% 3 END, s || '-' || i, relayd.at(7919 * (s + i) %% 999983 + 1),"
	    " relayd.at(7919 * (s + i) %% 999983 + i + 1), CASE WHEN i = 0"
	    " THEN 'active' WHEN i %% 2 > 0 THEN 'closed' ELSE 'expired' END,"
	    " relayd.at(7919 * (s + i) %% 999983 + 1)"
	    " FROM generate_series(0::bigint, %d) s, generate_series(0, %d) i",
	    systems - 1, sessions - 1);
	ask(pg, "ALTER TABLE public.support_sessions ENABLE TRIGGER USER");
	ask(pg, "%s", pg_schema);
	ask(pg, "VACUUM ANALYZE");
	PQfinish(pg);
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
ask_groups(const struct list_query *lq, struct page *p)
{
	const struct answer	*a = world_ask(&(struct question){
				    .what = ASK_GROUPS, .list = lq });

	p->r |= a->r;
	p->walked = a->walked;
	for (p->n = 0; p->n < a->n && p->n < 20; p->n++)
		p->groups[p->n] = a->group[p->n];
}

static void
ask_sessions(const struct list_query *lq, struct page *p)
{
	const struct answer	*a = world_ask(&(struct question){
				    .what = ASK_PAGE_SESSIONS, .list = lq,
				    .groups = p->groups, .n = p->n });

	p->r |= a->r;
	p->sessions = a->n;
}

/* Microseconds of one page, its sessions included. */
static double
page(const struct list_query *lq)
{
	static struct page	p;
	uint64_t		from = clock_ns();

	p.r = 0;
	ask_groups(lq, &p);
	ask_sessions(lq, &p);
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

/*
 * Of the processor's time: a piece is short, and others may have their turn; of
 * a server's what one waits.
 */
static uint64_t
spent_ns(void)
{
	struct timespec	ts;

	if (world_is_server())
		return (clock_ns());
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
		ask_groups(lq, &p);
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

static void
inserts(int systems)
{
	struct session_row	se = { .status = SESSION_ACTIVE,
	    .started_at = 1000000, .expires_at = 2000000,
	    .created_at = 1000000, .updated_at = 1000000, .generation = 1 };
	double			us[INSERTS];
	uint64_t		from;
	unsigned		i;

	for (i = 0; i < INSERTS; i++) {
		snprintf(se.id, sizeof(se.id), "00000000-0000-4000-8000-%012x",
		    i);
		snprintf(se.token_hash, sizeof(se.token_hash), "new%u", i);
		snprintf(se.system_id, sizeof(se.system_id), "s%07u",
		    i * 7919 % (unsigned)systems);
		snprintf(se.node, sizeof(se.node), "n%u", i);
		from = clock_ns();
		if (store_session_insert(&se) != 0 || !world_commit()) {
			fprintf(stderr, "storelist: cannot write\n");
			exit(1);
		}
		us[i] = (double)(clock_ns() - from) / 1000;
	}
	qsort(us, INSERTS, sizeof(us[0]), less);
	printf(" %.0f %.0f", us[INSERTS / 2], us[INSERTS * 99 / 100]);
}

int
main(int argc, char **argv)
{
	double		us[KINDS];
	unsigned	i;

	if (argc < 3 || argc > 4)
		return (2);
	world_open();
	if (world_is_server())
		fill_server(atoi(argv[1]), atoi(argv[2]));
	else
		fill(world_path(), atoi(argv[1]), atoi(argv[2]));
	for (i = 0; i < KINDS; i++)
		us[i] = kind(i);
	qsort(us, KINDS, sizeof(us[0]), less);
	printf("%.0f %.0f", us[KINDS / 2], us[KINDS - 1]);
	if (argc == 4)
		far((uint32_t)atoi(argv[3]));
	inserts(atoi(argv[1]));
	printf("\n");
	world_close();
	return (0);
}
