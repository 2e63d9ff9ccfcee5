/* SPDX-License-Identifier: ISC */
/*
 * What goes again: by age, by count, and the oldest when the store is nearly
 * full; and a store that fails, as the log tells of it.
 */
#include <sqlite3.h>
#include <stdint.h>
#include <unistd.h>

#include "authd/store/store.h"
#include "base/compat.h"
#include "base/log.h"
#include "regress/lib/tap.h"

#define DAY	86400000LL
#define NOW	(1000 * DAY)
#define LIMIT	(1 << 20)
#define MANY	6000

static char	path[64];
static int	said_down, said_back;

static void
printer(enum log_level level, const char *line)
{
	(void)level;
	said_down += strstr(line, "store: down") != NULL;
	said_back += strstr(line, "store: back") != NULL;
}

static long long
number(const char *text)
{
	sqlite3		*db;
	sqlite3_stmt	*s;
	long long	 v = -1;

	if (sqlite3_open(path, &db) == SQLITE_OK &&
	    sqlite3_prepare_v2(db, text, -1, &s, NULL) == SQLITE_OK) {
		v = sqlite3_step(s) == SQLITE_ROW ?
		    sqlite3_column_int64(s, 0) : 0;
		sqlite3_finalize(s);
	}
	sqlite3_close(db);
	return (v);
}

static void
on_commit(int yes, void *arg)
{
	*(int *)arg = yes;
}

static int
commit(void)
{
	int	ok = 0;

	store_commit(on_commit, &ok);
	return (ok);
}

static void
begin(void)
{
	struct system_row	sys = { .id = "s", .key = "k" };

	snprintf(path, sizeof(path), "/tmp/store_purge_test.%d",
	    (int)getpid());
	unlink(path);
	store_limit(LIMIT);
	is_int(store_open(path), 0, "a store");
	(void)store_system_add(&sys, NULL);
	strlcpy(sys.id, "other", sizeof(sys.id));
	strlcpy(sys.key, "o", sizeof(sys.key));
	(void)store_system_add(&sys, NULL);
	ok(commit(), "with two systems");
}

static void
end(void)
{
	char	more[80];

	store_close();
	unlink(path);
	snprintf(more, sizeof(more), "%s-wal", path);
	unlink(more);
	snprintf(more, sizeof(more), "%s-shm", path);
	unlink(more);
}

/* A session that began and ended then; used: somebody was in it. */
static void
session(const char *system, int64_t at, int used)
{
	static int		n;
	struct session_row	se = { .started_at = at, .created_at = at,
	    .status = SESSION_ACTIVE };
	struct access_row	a = { .operator_id = "alice",
	    .type = "ui_proxy", .service = "web", .connected_at = at };

	snprintf(se.id, sizeof(se.id), "id%d", ++n);
	strlcpy(se.token_hash, se.id, sizeof(se.token_hash));
	strlcpy(se.system_id, system, sizeof(se.system_id));
	(void)store_session_insert(&se);
	(void)store_session_diagnostics(se.id, "{}", 2, at);
	if (used) {
		strlcpy(a.id, se.id, sizeof(a.id));
		strlcpy(a.session_id, se.id, sizeof(a.session_id));
		(void)store_access_insert(&a);
	}
	se.status = SESSION_CLOSED;
	se.closed_at = at;
	(void)store_session_update(&se);
}

static void
ages(void)
{
	struct store_keep	k = { NOW, NOW - 30 * DAY, NOW - 400 * DAY };
	struct session_row	open = { .id = "open", .system_id = "s",
	    .node = "1", .token_hash = "open", .status = SESSION_ACTIVE };
	int			i;

	begin();
	(void)store_session_insert(&open);
	for (i = 0; i < 3; i++) {
		session("s", NOW - 20 * DAY, i == 0);
		session("s", NOW - 40 * DAY, i == 0);
		session("s", NOW - 500 * DAY, i == 0);
	}
	(void)store_audit(NOW - 500 * DAY, "", "", "x", "", "done", "");
	(void)store_audit(NOW - 500 * DAY, "", "", "x", "", "refused", "");
	(void)store_audit(NOW, "", "", "x", "", "done", "");
	ok(commit(), "sessions of three ages");
	is_int(number("SELECT count(*) FROM support_sessions WHERE diagnostics"
	    " IS NOT NULL"), 0, "diagnostics have gone with each");
	is_int(store_purge(&k), 1, "some are too old");
	ok(commit(), "and go");
	is_int(store_purge(&k), 0, "then none");
	ok(commit(), "is");
	is_int(number("SELECT count(*) FROM support_sessions"), 5,
	    "unused ones after 30 days, used ones after 400, open ones never");
	is_int(number("SELECT count(*) FROM support_access_logs"), 2,
	    "the log is kept as long as its sessions");
	is_int(number("SELECT count(*) FROM audit_events"), 1,
	    "the audit log as long");
	end();
}

static void
counts(void)
{
	int	i;

	begin();
	for (i = 0; i < 5; i++)
		session("other", NOW - 20 * DAY, 0);
	for (i = 0; i < 2000; i++)
		session("s", NOW + i, i % 100 == 0);
	ok(commit(), "one system makes 2,000 sessions");
	i = (int)number("SELECT count(*) FROM support_sessions WHERE system_id"
	    " = 's' AND used = 0");
	ok(i >= 100 && i <= 116, "of which the newest hundred stay: %d", i);
	is_int(number("SELECT count(*) FROM support_sessions WHERE used = 1"),
	    20, "and all that were used");
	is_int(number("SELECT count(*) FROM support_sessions WHERE system_id ="
	    " 'other'"), 5, "another one's are not touched");
	end();
}

/* Until the oldest have to go, and on. */
static void
full(void)
{
	static char	text[MESSAGE_SIZE];
	int		i, failed = 0;

	begin();
	memset(text, 'x', sizeof(text) - 1);
	for (i = 0; i < 20; i++)
		session("s", NOW - DAY + i, 0);
	for (i = 0; i < MANY; i++) {
		if (i % 40 == 0)
			session("s", NOW + i, 1);
		(void)store_audit(NOW + i, "", "", "x", "", "refused", text);
		failed += i % 8 == 0 && !commit();
	}
	failed += !commit();
	is_int(failed, 0, "a store at its limit never refuses");
	ok(number("PRAGMA page_count") * 4096 <= LIMIT, "nor does it grow: "
	    "%lld pages", number("PRAGMA page_count"));
	is_int(number("SELECT count(*) FROM support_sessions WHERE used = 0"),
	    0, "what nobody used went first");
	is_int(number("SELECT count(*) FROM support_sessions"), MANY / 40,
	    "what was used stays while refusals can go");
	ok(number("SELECT max(time) FROM audit_events") == NOW + MANY - 1 &&
	    number("SELECT min(time) FROM audit_events") > NOW,
	    "and of these the oldest went");
	for (i = 0; i < MANY; i++) {
		session("s", NOW + DAY + i, 1);
		failed += i % 8 == 0 && !commit();
	}
	is_int(failed, 0, "with used sessions it never refuses, too");
	ok(number("SELECT min(started_at) FROM support_sessions") >
	    NOW + DAY, "the oldest of these went");
	end();
}

/* A probe may succeed where the next write fails. */
static void
fails(void)
{
	int	i;

	begin();
	log_printer(printer);
	number("CREATE TRIGGER full BEFORE INSERT ON support_sessions "
	    "BEGIN SELECT RAISE(ABORT, 'full'); END");
	for (i = 0; i < 5; i++) {
		session("s", NOW, 0);
		ok(!commit() && !store_is_up(), "a write fails");
		ok(store_probe() == 0 && store_is_up(), "a probe does not");
	}
	ok(said_down == 1 && said_back == 0, "that it is down is said once, "
	    "that it is back never");
	number("DROP TRIGGER full");
	session("s", NOW, 0);
	ok(commit() && said_back == 1, "it is back with the first write");
	is_int(number("SELECT count(*) FROM audit_events"), 0,
	    "a probe leaves nothing");
	log_printer(NULL);
	end();
}

int
main(void)
{
	log_init("test", -1, 0);
	ages();
	counts();
	full();
	fails();
	return (done_testing());
}
