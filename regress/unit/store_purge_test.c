/* SPDX-License-Identifier: ISC */
/*
 * What goes again: by age, by count, and the oldest when the store is nearly
 * full; and a store that fails, as the log tells of it.
 */
#include <sqlite3.h>
#include <stdint.h>
#include <unistd.h>

#include "authd/store/chain.h"
#include "authd/store/store.h"
#include "base/compat.h"
#include "base/log.h"
#include "regress/lib/tap.h"

#define DAY	86400000LL
#define NOW	(1000 * DAY)
#define LIMIT	(1 << 20)
#define MANY	6000

static char	path[64];
static char	last_session[UUID_SIZE];
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
	strlcpy(last_session, se.id, sizeof(last_session));
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

/* One with many rows; again: with more. */
static void
session_rows(const char *system, int64_t at, int n)
{
	static int		all;
	struct access_row	a = { .operator_id = "alice",
	    .type = "ui_proxy", .service = "web", .connected_at = at,
	    .disconnected_at = at };

	if (all == 0)
		session(system, at, 1);
	strlcpy(a.session_id, last_session, sizeof(a.session_id));
	while (n-- > 0) {
		snprintf(a.id, sizeof(a.id), "row%d", ++all);
		(void)store_access_insert(&a);
		(void)store_access_update(&a);
	}
}

static void
event(int64_t at, int chain, const char *reason)
{
	static struct audit_row	r;

	memset(&r, 0, sizeof(r));
	r.at = at;
	r.chain = chain;
	r.count = 1;
	r.duration_ms = r.bytes_in = r.bytes_out = AUDIT_UNSAID;
	strlcpy(r.action, "x", sizeof(r.action));
	strlcpy(r.outcome, chain == CHAIN_DONE ? "done" : "refused",
	    sizeof(r.outcome));
	strlcpy(r.reason, reason, sizeof(r.reason));
	(void)store_audit(&r);
}

/* What is wrong with the chains; "" nothing. */
static struct chain_walk	walk;
static size_t			nevents;

static void
got_events(const struct answer *a, void *arg)
{
	(void)arg;
	for (nevents = 0; nevents < a->n; nevents++)
		chain_walk_row(&walk, &a->event[nevents]);
}

static const char *
broken(void)
{
	char	after[24] = "-1";

	chain_walk_init(&walk);
	do {
		(void)store_ask(&(struct question){ .what = ASK_AUDIT,
		    .key = after }, got_events, NULL);
		snprintf(after, sizeof(after), "%lld",
		    (long long)walk.last_event);
	} while (nevents > 0);
	(void)chain_walk_end(&walk);
	return (walk.why);
}

static void
ages(void)
{
	struct store_keep	k = { .now = NOW,
	    .sessions_before = NOW - 30 * DAY, .log_before = NOW - 400 * DAY,
	    .done_before = NOW - 400 * DAY, .done_max = 1000000,
	    .refused_before = NOW - 100 * DAY, .refused_max = 1000000,
	    .sessions_max = 100, .log_max = 1000000 };
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
	event(NOW - 500 * DAY, CHAIN_DONE, "");
	event(NOW - 200 * DAY, CHAIN_REFUSED, "");
	event(NOW, CHAIN_DONE, "");
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
	is_int(number("SELECT count(*) FROM audit_events WHERE action = 'x'"),
	    1, "the audit log as long, and refusals as long as that says");
	is_str(broken(), "", "and its chains are whole");
	end();
}

/* Who walks along the chains keeps events for so long, not for good. */
static void
held(void)
{
	struct store_keep	k = { .now = NOW,
	    .sessions_before = NOW - 30 * DAY, .log_before = NOW - 400 * DAY,
	    .done_before = NOW - 400 * DAY, .done_max = 1000000,
	    .refused_before = NOW - 100 * DAY, .refused_max = 1000000,
	    .sessions_max = 100, .log_max = 1000000 };

	begin();
	event(NOW - 200 * DAY, CHAIN_REFUSED, "");
	ok(commit(), "a refusal that is old");
	is_int(store_audit_owed(), 0, "nothing has to wait");
	store_audit_hold(1);
	is_int(store_purge(&k), 1, "somebody walks: soon again");
	(void)commit();
	is_int(number("SELECT count(*) FROM audit_events WHERE action = 'x'"),
	    1, "and it stays");
	is_int(store_audit_owed(), 1, "what waits is owed");
	store_audit_hold(0);
	is_int(store_audit_owed(), 1, "also when nobody walks any more");
	is_int(store_purge(&k), 1, "then it goes");
	(void)commit();
	is_int(number("SELECT count(*) FROM audit_events WHERE action = 'x'"),
	    0, "all of it");
	is_int(store_audit_owed(), 1, "until there is no more");
	is_int(store_purge(&k), 0, "which it sees");
	(void)commit();
	is_int(store_audit_owed(), 0, "and the next one may walk");
	end();
}

static void
counts(void)
{
	struct store_keep	k = { .now = NOW, .sessions_max = 100,
	    .log_max = 1000000, .done_max = 1000000, .refused_max = 1000000 };
	int			i;

	begin();
	for (i = 0; i < 5; i++)
		session("other", NOW - 20 * DAY, 0);
	for (i = 0; i < 2000; i++)
		session("s", NOW + i, i % 100 == 0);
	ok(commit(), "one system makes 2,000 sessions");
	for (i = 0; store_purge(&k) == 1 && i < 1000; i++)
		(void)commit();
	ok(i > 5 && i < 1000, "which go in steps: %d", i);
	(void)commit();
	i = (int)number("SELECT count(*) FROM support_sessions WHERE system_id"
	    " = 's' AND used = 0");
	ok(i >= 100 && i <= 116, "of which the newest hundred stay: %d", i);
	is_int(number("SELECT count(*) FROM support_sessions WHERE used = 1"),
	    20, "and all that were used");
	is_int(number("SELECT count(*) FROM support_sessions WHERE system_id ="
	    " 'other'"), 5, "another one's are not touched");
	end();
	k.log_max = 50;
	k.done_max = 30;
	begin();
	session_rows("s", NOW, 2500);
	for (i = 0; i < 2500; i++)
		event(NOW, i % 2 ? CHAIN_DONE : CHAIN_REFUSED, "");
	ok(commit(), "a session with many rows, many events");
	for (i = 0; store_purge(&k) == 1 && i < 1000; i++)
		(void)commit();
	(void)commit();
	is_int(number("SELECT count(*) FROM support_access_logs"), 51,
	    "of the access log so many stay, and what is open");
	is_int(number("SELECT count(*) FROM support_sessions"), 1,
	    "and the session");
	i = (int)number("SELECT count(*) FROM audit_events WHERE chain = 1");
	ok(i >= 30 && i < 33, "of what was done so much, with what says so: "
	    "%d", i);
	ok(number("SELECT count(*) FROM audit_events WHERE chain = 2") > 1200,
	    "of refusals all that may");
	is_str(broken(), "", "the chains are whole");
	k.log_max = 1000000;
	session_rows("s", NOW, 2500);
	(void)commit();
	k.log_before = NOW + DAY;
	is_int(store_purge(&k), 1, "it goes");
	(void)commit();
	is_int(number("SELECT count(*) FROM support_access_logs"), 1551,
	    "a thousand rows at a time");
	while (store_purge(&k) == 1)
		(void)commit();
	(void)commit();
	is_int(number("SELECT count(*) FROM support_sessions"), 0,
	    "all of it, in the end");
	end();
}

/*
 * Used tokens of pairing, to their own end and no longer; also of a relayd that
 * has the name of a member: a file has no clock but ours.
 */
static void
tokens(const char *member)
{
	struct store_keep	k = { .now = NOW };
	char			id[HEX64_SIZE];
	int			i;

	store_member(member);
	begin();
	for (i = 0; i < 2500; i++) {
		snprintf(id, sizeof(id), "%064d", i);
		(void)store_consumed_add(id, NOW - 2000, i);
	}
	ok(commit(), "2,500 used tokens");
	is_int(store_purge(&k), 1, "purged bit by bit");
	ok(commit(), "and committed");
	is_int(number("SELECT count(*) FROM consumed_jtis"), 1500,
	    "a thousand at once");
	while (store_purge(&k) == 1)
		(void)commit();
	ok(commit() && number("SELECT count(*) FROM consumed_jtis") == 500 &&
	    number("SELECT min(until) FROM consumed_jtis") == NOW,
	    "those whose time is not over stay");
	(void)store_consumed_add(id, NOW + 500, DAY - 500);
	ok(commit() && number("SELECT max(until) FROM consumed_jtis") ==
	    NOW + DAY, "one that is used again has a new end");
	event(NOW, CHAIN_DONE, "");
	ok(commit() && store_is_up(), "nothing of it failed");
	is_int(number("SELECT count(*) FROM audit_events WHERE action = 'x'"),
	    1, "and an event is there");
	is_str(broken(), "", "in a chain that is whole");
	end();
	store_member("");
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
		event(NOW + i, CHAIN_REFUSED, text);
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
	ok(number("SELECT max(time) FROM audit_events WHERE action = 'x'") ==
	    NOW + MANY - 1 &&
	    number("SELECT min(time) FROM audit_events WHERE action = 'x'") >
	    NOW, "and of these the oldest went");
	is_str(broken(), "", "which the chain says");
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
	held();
	counts();
	tokens("");
	tokens("a");
	full();
	fails();
	return (done_testing());
}
