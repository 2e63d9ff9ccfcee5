/* SPDX-License-Identifier: ISC */
/*
 * How SQLite goes about each statement of the store: none reads a table from
 * one end to the other that grows with what customers and operators do, and
 * none that sorts has more to sort than a page or one caller's few.
 */
#include <sqlite3.h>
#include <dirent.h>
#include <stdint.h>
#include <unistd.h>

#include "authd/store/sql/db.h"
#include "authd/store/store.h"
#include "base/compat.h"
#include "regress/lib/tap.h"

/* Those that may sort, and what. */
static const char *const	sorters[] = {
	"db_group_sessions",	/* the open sessions of one system */
	"db_document",		/* the same, for whose users are newest */
	"db_system_detail",	/* and for the first node's */
};

static char	path[64];
static sqlite3	*db;

static void
got(const struct answer *a, void *arg)
{
	(void)a;
	(void)arg;
}

static void
on_commit(int yes, void *arg)
{
	*(int *)arg = yes;
}

/* Every question, and the lists in every way. */
static void
ask_all(void)
{
	static const char *const	sorts[] = { "created_at",
	    "started_at", "expires_at", "status" };
	static const char *const	roles[] = { "owner", "distributor",
	    "reseller", "customer" };
	struct list_query		lq = { .statuses = STATUS_ALL,
	    .page = 1, .page_size = 2 };
	struct system_query		sq = { .org_role = "owner" };
	struct group_row		g = { .system_id = "s" };
	struct question			q = { .key = "s", .org_role = "owner",
	    .org_id = "o", .user = "u", .list = &lq, .systems = &sq,
	    .groups = &g, .n = 1 };
	unsigned			i, role, what;

	q.what = ASK_LOGS;
	q.key = "e";
	(void)store_ask(&q, got, NULL);
	q.what = ASK_RECORDINGS_OF;
	(void)store_ask(&q, got, NULL);
	q.what = ASK_RECORDINGS_NAMED;
	(void)store_ask(&q, got, NULL);
	q.what = ASK_AUDIT;
	q.key = "";
	(void)store_ask(&q, got, NULL);
	q.what = ASK_RECORDINGS;
	(void)store_ask(&q, got, NULL);
	q.key = "s";
	q.what = ASK_SYSTEMS_WALK;
	for (i = 0; i < 4; i++) {
		sq.descending = i % 2;
		strlcpy(sq.sort_by, i < 2 ? "name" : "", sizeof(sq.sort_by));
		(void)store_ask(&q, got, NULL);
	}
	for (role = 0; role < 4; role++) {
		q.org_role = roles[role];
		strlcpy(lq.org_role, roles[role], sizeof(lq.org_role));
		strlcpy(lq.org_id, role == 1 ? "big" : "o", sizeof(lq.org_id));
		for (what = 0; what < ASK_COUNT; what++) {
			q.what = (enum store_what)what;
			(void)store_ask(&q, got, NULL);
		}
		for (i = 0; i < 8; i++) {
			q.what = ASK_GROUPS;
			lq.descending = i % 2;
			strlcpy(lq.sort_by, sorts[i / 2], sizeof(lq.sort_by));
			(void)store_ask(&q, got, NULL);
		}
		strlcpy(lq.system_id, "s", sizeof(lq.system_id));
		(void)store_ask(&q, got, NULL);
		lq.system_id[0] = '\0';
	}
}

/* Every write; what a page has groups of. */
static void
write_all(void)
{
	struct system_row	sys = { .id = "s", .org_id = "o" };
	struct org_row		org = { .id = "o", .type = "customer" };
	struct session_row	se = { .id = "e", .system_id = "s" };
	struct access_row	a = { .id = "a", .session_id = "e" };
	struct audit_row	ev = { .chain = CHAIN_REFUSED, .action = "x",
	    .outcome = "refused", .at = 1 };

	(void)store_org_add(&org, 1);
	(void)store_system_add(&sys, NULL);
	(void)store_session_insert(&se);
	(void)store_session_update(&se);
	(void)store_session_diagnostics("e", "{}", 2, 1);
	(void)store_session_users("e", "x", 1, 1);
	(void)store_session_services("e", "[]", 2, 1);
	(void)store_added_put("e", &(struct added_row){ .name = "n" });
	(void)store_added_del("e", "n");
	(void)store_access_insert(&a);
	(void)store_access_update(&a);
	(void)store_audit(&ev);
	ev.chain = CHAIN_DONE;
	(void)store_audit(&ev);
	(void)store_purge(&(struct store_keep){ .now = 0 });
	(void)store_system_enable("s", 1, 1);
	(void)store_system_change("s", &(struct system_change){ .name = NULL }, 1);
	(void)store_system_suspend("s", 0, 1);
	(void)store_system_secret("s", "p", "s", 0, 1);
	(void)store_system_register("s", 1);
	(void)store_token_add(&(struct token_row){ .id = "t" });
	(void)store_revoke("token", "t", 1, "");
	(void)store_recording_add(&(struct recording_row){ .id = "c",
	    .session_id = "e" });
	(void)store_recording_end(&(struct recording_row){ .id = "c",
	    .ended_at = 1, .bytes = 2 });
	(void)store_recording_adopt("d", 1, 2);
	(void)store_relay_add(&(struct relay_row){ .id = "r" });
	(void)store_relay_save(&(struct relay_row){ .id = "r" });
	(void)store_relay_take("r", "", 1);
	(void)store_relay_leave("r");
	(void)store_relay_sweep(1);
	(void)store_member_beat(&(struct member_row){ .name = "m",
	    .address = "a", .version = "v" }, 1);
	(void)store_consumed_add("u", 0, 1);
	(void)store_reference_add(&(struct reference_row){ .id = "r",
	    .session_id = "e", .expires_at = 2 }, 1);
	(void)sqlite3_exec(db, "INSERT INTO support_counts VALUES"
	    " ('big', 1, 1000)", NULL, NULL, NULL);
}

static void
close_all(void)
{
	struct session_row	se = { .id = "e", .system_id = "s",
	    .status = SESSION_CLOSED };
	struct session_row	next = { .id = "f", .system_id = "s",
	    .node = "1", .token_hash = "f" };

	/* So many are over that some have to go. */
	(void)sqlite3_exec(db, "INSERT INTO support_groups VALUES"
	    " ('s', 3, 1120, 1, 1, 1, 0, 0, 0, 0, 'o')", NULL, NULL, NULL);
	(void)store_session_insert(&next);
	(void)store_session_update(&se);
	(void)store_recording_del("c");
	(void)store_relay_del("r");
	(void)store_member_gone("m");
	(void)store_member_sweep(&(struct sweep){ .gone_ms = 1 });
	(void)store_loss_seen(&(struct loss_row){ .session = "e" });
	(void)store_purge(&(struct store_keep){ .log_before = INT64_MAX });
	(void)store_system_delete("s", 1);
	(void)store_org_delete("o", 1);
}

static int
is_sorter(const struct query *q)
{
	size_t	i;

	for (i = 0; i < sizeof(sorters) / sizeof(sorters[0]); i++)
		if (strcmp(sorters[i], q->name) == 0)
			return (1);
	/* What a caller with few groups sees. */
	return (strncmp(q->name, "list by", 7) == 0 &&
	    strstr(q->sql, "CROSS JOIN systems") != NULL);
}

/* Does its innermost part end after so many rows? */
static int
has_limit(const struct query *q)
{
	const char	*p = strchr(q->sql, ')');

	while (p != NULL && *p != '\0' && strncmp(p - 8, "LIMIT ?", 7) != 0)
		p = strchr(p + 1, ')');
	return (p != NULL && *p != '\0');
}

/* One line of a plan. */
static int
line_is_good(const struct query *q, const char *line)
{
	if (strncmp(line, "SCAN ", 5) == 0)
		return (strcmp(line, "SCAN CONSTANT ROW") == 0 ||
		    strcmp(line, "SCAN v") == 0 ||
		    strcmp(line, "SCAN few") == 0 ||
		    strcmp(line, "SCAN (subquery-1)") == 0 ||
		    (has_limit(q) && (strncmp(line,
		    "SCAN (subq", 10) == 0 || strcmp(line, "SCAN g") == 0)));
	if (strstr(line, "FOR ORDER BY") != NULL ||
	    strstr(line, "PART OF ORDER BY") != NULL)
		return (is_sorter(q));
	return (1);
}

static int
plan_is_good(const struct query *q)
{
	sqlite3_stmt	*s;
	char		 text[16384];
	const char	*line;
	int		 good = 1;

	snprintf(text, sizeof(text), "EXPLAIN QUERY PLAN %s", q->sql);
	if (sqlite3_prepare_v2(db, text, -1, &s, NULL) != SQLITE_OK) {
		diag("%s: %s", q->name, sqlite3_errmsg(db));
		return (0);
	}
	while (sqlite3_step(s) == SQLITE_ROW) {
		line = (const char *)sqlite3_column_text(s, 3);
		if (!line_is_good(q, line)) {
			diag("%s: %s", q->name, line);
			good = 0;
		}
	}
	sqlite3_finalize(s);
	return (good);
}

/* How many statements the sources have. */
static int
statements(const char *file)
{
	FILE	*f = fopen(file, "r");
	char	 line[512];
	int	 n = 0;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		n += (strstr(line, "QUERY(") != NULL &&
		    strstr(line, "PRAGMA") == NULL) ||
		    (strstr(line, "QUERY2(") != NULL &&
		    strstr(line, "QUERY2(\"\"") == NULL) ||
		    strstr(line, ".undo = &") != NULL;
	if (f != NULL)
		(void)fclose(f);
	return (n);
}

static int
all_statements(void)
{
	const char	*src = getenv("RELAYD_SRC");
	char		 dir[1024], file[2048];
	struct dirent	*e;
	DIR		*d;
	int		 n = 0;

	snprintf(dir, sizeof(dir), "%s/authd/store/sql",
	    src != NULL ? src : ".");
	if ((d = opendir(dir)) == NULL)
		return (-1);
	while ((e = readdir(d)) != NULL) {
		if (strstr(e->d_name, ".c") == NULL)
			continue;
		snprintf(file, sizeof(file), "%s/%s", dir, e->d_name);
		n += statements(file);
	}
	closedir(d);
	return (n);
}

static void
plans(void)
{
	struct query	*q;
	int		 n = 0, lists = 0;

	for (q = db_prepared(); q != NULL; q = q->next) {
		ok(plan_is_good(q), "the plan of %s: %.60s", q->name, q->sql);
		if (strncmp(q->name, "list by", 7) == 0 ||
		    strncmp(q->name, "systems by", 10) == 0)
			lists++;
		else
			n++;
	}
	is_int(lists, 20, "both ways, each direction, each sort key");
	is_int(n, all_statements(), "and no statement was left out");
}

int
main(void)
{
	int	done = 0;

	snprintf(path, sizeof(path), "/tmp/store_plan_test.%d", (int)getpid());
	unlink(path);
	is_int(store_open(path), 0, "a store");
	(void)store_audit(&(struct audit_row){ .chain = CHAIN_DONE,
	    .action = "x", .outcome = "done" });
	store_commit(on_commit, &done);
	store_close();
	is_int(done && store_open(path) == 0, 1, "with a chain");
	is_int(sqlite3_open(path, &db), SQLITE_OK, "seen from beside");
	write_all();
	store_commit(on_commit, &done);
	ok(done, "everything is written");
	ask_all();
	close_all();
	store_commit(on_commit, &done);
	ok(done, "and closed");
	plans();
	sqlite3_close(db);
	store_close();
	unlink(path);
	return (done_testing());
}
