/* SPDX-License-Identifier: ISC */
/*
 * A store of an older schema is brought up to date, and whose a row of the
 * access log is survives in columns what the metadata had no room for.
 */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdint.h>
#include <unistd.h>

#include "authd/store/metadata.h"
#include "authd/store/store.h"
#include "base/compat.h"
#include "regress/lib/tap.h"
#include "storecopy/storecopy.h"

/* What matters of schema 1. */
static const char	schema_1[] =
    "CREATE TABLE organizations (id TEXT PRIMARY KEY, name TEXT NOT NULL,"
    " type TEXT NOT NULL, parent TEXT, created_at INTEGER NOT NULL,"
    " deleted_at INTEGER);"
    "CREATE TABLE systems (id TEXT PRIMARY KEY, name TEXT NOT NULL,"
    " type TEXT, system_key TEXT NOT NULL UNIQUE,"
    " system_secret_public TEXT NOT NULL,"
    " system_secret_sha256 TEXT NOT NULL, organization_id TEXT,"
    " support_enabled INTEGER NOT NULL DEFAULT 0, registered_at INTEGER,"
    " suspended_at INTEGER, deleted_at INTEGER,"
    " created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL);"
    "CREATE TABLE support_sessions (id TEXT PRIMARY KEY,"
    " system_id TEXT NOT NULL REFERENCES systems (id) ON DELETE CASCADE,"
    " node_id TEXT, session_token TEXT NOT NULL UNIQUE,"
    " reconnect_token TEXT, reconnect_prev TEXT,"
    " started_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,"
    " status TEXT NOT NULL, closed_at INTEGER, closed_by TEXT,"
    " diagnostics TEXT, diagnostics_at INTEGER, users TEXT,"
    " users_at INTEGER, created_at INTEGER NOT NULL,"
    " updated_at INTEGER NOT NULL, generation INTEGER NOT NULL);"
    "CREATE TABLE support_session_services (session_id TEXT NOT NULL"
    " REFERENCES support_sessions (id) ON DELETE CASCADE, name TEXT NOT NULL,"
    " target TEXT NOT NULL, label TEXT, tls INTEGER NOT NULL, added_by TEXT,"
    " added_at INTEGER NOT NULL, PRIMARY KEY (session_id, name));"
    "CREATE TABLE support_access_logs (id TEXT PRIMARY KEY,"
    " session_id TEXT NOT NULL REFERENCES support_sessions (id)"
    " ON DELETE CASCADE, operator_id TEXT NOT NULL, operator_name TEXT,"
    " access_type TEXT NOT NULL, connected_at INTEGER NOT NULL,"
    " disconnected_at INTEGER, metadata TEXT, org_role TEXT,"
    " organization_id TEXT);"
    "CREATE TABLE audit_events (time INTEGER NOT NULL, actor TEXT,"
    " address TEXT, action TEXT NOT NULL, session_id TEXT,"
    " outcome TEXT NOT NULL, reason TEXT);"
    "CREATE TABLE revocations (kind TEXT NOT NULL, id TEXT NOT NULL,"
    " until INTEGER NOT NULL, reason TEXT, PRIMARY KEY (kind, id));"
    "INSERT INTO systems VALUES ('sys', 'one', NULL, 'key', 'p', 's', NULL,"
    " 1, 1, NULL, NULL, 1, 1);"
    "INSERT INTO support_sessions VALUES ('se', 'sys', NULL, 'token', NULL,"
    " NULL, 1, 2, 'active', NULL, NULL, NULL, NULL, NULL, NULL, 1, 1, 1);"
    "INSERT INTO support_session_services VALUES ('se', 'phone', 'h:1', 'l',"
    " 1, 'alice', 3);"
    "INSERT INTO support_access_logs VALUES ('a', 'se', 'alice', 'Alice',"
    " 'ui_proxy', 5, NULL, '{\"service\":\"web\",\"ip\":\"192.0.2.1\","
    "\"token_id\":\"t1\",\"impersonator\":\"root\",\"bytes_in\":7,"
    "\"bytes_out\":8,\"outcome\":\"clean\"}', 'owner', 'org');"
    /* no room, not JSON, none; and one that is over */
    "INSERT INTO support_access_logs VALUES ('b', 'se', 'bob', NULL,"
    " 'ui_proxy', 6, NULL, '{}', 'owner', NULL);"
    "INSERT INTO support_access_logs VALUES ('c', 'se', 'bob', NULL,"
    " 'ui_proxy', 6, NULL, '{\"service', 'owner', NULL);"
    "INSERT INTO support_access_logs VALUES ('d', 'se', 'bob', NULL,"
    " 'web_terminal', 6, NULL, NULL, 'owner', NULL);"
    "INSERT INTO support_access_logs VALUES ('e', 'se', 'bob', NULL,"
    " 'ui_proxy', 6, 9, '{\"service\":\"api\",\"ip\":\"192.0.2.2\"}',"
    " 'owner', NULL);"
    "INSERT INTO audit_events VALUES (5, 'alice', '192.0.2.1', 'close', 'se',"
    " 'done', 'x');"
    "INSERT INTO audit_events VALUES (6, NULL, '192.0.2.1', 'list', NULL,"
    " 'refused', 'y');"
    "PRAGMA user_version = 1;";

static char	path[64], version[16], cell[4096];

static const char *
sql(const char *text)
{
	sqlite3		*db;
	sqlite3_stmt	*s;

	cell[0] = '\0';
	if (sqlite3_open(path, &db) != SQLITE_OK)
		return ("no file");
	if (sqlite3_prepare_v2(db, text, -1, &s, NULL) == SQLITE_OK &&
	    sqlite3_step(s) == SQLITE_ROW &&
	    sqlite3_column_text(s, 0) != NULL)
		strlcpy(cell, (const char *)sqlite3_column_text(s, 0),
		    sizeof(cell));
	sqlite3_finalize(s);
	sqlite3_close(db);
	return (cell);
}

static int
exec(const char *text)
{
	sqlite3	*db;
	int	 r;

	if (sqlite3_open(path, &db) != SQLITE_OK)
		return (-1);
	r = sqlite3_exec(db, text, NULL, NULL, NULL);
	sqlite3_close(db);
	return (r == SQLITE_OK ? 0 : -1);
}

static struct access_row	row;
static size_t			rows;

static void
got_rows(const struct answer *a, void *arg)
{
	(void)arg;
	rows = a->n;
	if (a->n > 0)
		row = a->access[a->n - 1];
}

static void
open_rows(const char *after)
{
	rows = 0;
	memset(&row, 0, sizeof(row));
	(void)store_ask(&(struct question){ .what = ASK_OPEN_ROWS,
	    .key = after }, got_rows, NULL);
}

static void
on_commit(int yes, void *arg)
{
	(void)arg;
	ok(yes, "the commit says yes");
}

static void
migration(void)
{
	is_int(exec(schema_1), 0, "a file of schema 1");
	is_int(store_open(path), 0, "is opened");
	is_str(sql("PRAGMA user_version"), version, "and is of today's");
	is_str(sql("SELECT name || tls || tcp FROM support_session_services"),
	    "phone10", "what was added is no plain TCP");
	is_str(sql("SELECT rank || '|' || n || '|' || created_at || '|' ||"
	    " started_at || '|' || expires_at FROM support_groups"),
	    "0|1|1|1|2", "its sessions are in groups");
	is_str(sql("SELECT count(*) || '|' || sum(g.organization_id ="
	    " ifnull(s.organization_id, '')) FROM support_groups g"
	    " JOIN systems s ON s.id = g.system_id"), "1|1",
	    "which say whose they are");
	is_str(sql("SELECT bits || '|' || n FROM support_counts"), "1|1",
	    "and counted");
	open_rows("");
	is_int((int)rows, 1, "one row is open: who the others are for nobody "
	    "knows");
	is_str(row.id, "a", "the one whose metadata was whole");
	is_str(row.service, "web", "its service");
	is_str(row.ip, "192.0.2.1", "its address");
	is_str(row.token_id, "t1", "its token");
	is_str(row.impersonator, "root", "its impersonator");
	ok(row.bytes_in == 7 && row.bytes_out == 8, "its bytes");
	is_str(row.outcome, "clean", "its outcome");
	is_str(sql("SELECT service FROM support_access_logs WHERE id = 'e'"),
	    "api", "and so is one that was over");
	is_str(sql("SELECT disconnected_at FROM support_access_logs"
	    " WHERE id = 'e'"), "9", "as it was");
	is_str(sql("SELECT count(*) FROM pragma_table_info('systems')"), "19",
	    "systems have what a new file has");
	is_str(sql("SELECT count(*) FROM pragma_table_info("
	    "'support_sessions')"), "26", "and sessions");
	is_str(sql("SELECT ifnull(services, 'none') || '|' || services_at"
	    " FROM support_sessions"), "none|0",
	    "whose services nobody has written");
	is_str(sql("SELECT count(notes) || count(created_by) || name"
	    " FROM systems"), "00one", "of which nothing is known");
	is_str(sql("SELECT group_concat(event || '|' || time || '|' || action ||"
	    " '|' || ifnull(actor, '-') || '|' || count || '|' ||"
	    " ifnull(chain, '-')) FROM audit_events"),
	    "1|5|close|alice|1|-,2|6|list|-|1|-", "the audit log is as it was, "
	    "in no chain");
	ok(store_audit(&(struct audit_row){ .chain = CHAIN_DONE, .at = 7,
	    .action = "close", .outcome = "done", .count = 1 }) == 0,
	    "what comes now is in one");
	store_commit(on_commit, NULL);
	is_str(sql("SELECT group_concat(event || '|' || seq || '|' || action ||"
	    " '|' || ifnull(reason, '-')) FROM audit_events WHERE chain = 1"),
	    "3|1|audit_begin|2 events from before, up to 2, are in no chain,"
	    "4|2|close|-", "which says what stands before it");
	store_close();
	is_int(store_open(path), 0, "it opens again");
	open_rows("");
	is_str(row.token_id, "t1", "unchanged");
}

/* As clients read it: JSON whatever is in it. */
static void
words(void)
{
	char	metadata[METADATA_SIZE];

	memset(&row, 0, sizeof(row));
	strlcpy(row.service, "web", sizeof(row.service));
	strlcpy(row.ip, "127.0.0.1", sizeof(row.ip));
	strlcpy(row.token_id, "a\"b\\c\001", sizeof(row.token_id));
	strlcpy(row.outcome, "it said \"no\"\n", sizeof(row.outcome));
	row.bytes_in = 1ULL << 53;
	metadata_print(&row, metadata);
	is_str(metadata, "{\"service\":\"web\",\"ip\":\"127.0.0.1\","
	    "\"token_id\":\"a\\\"b\\\\c\\u0001\","
	    "\"bytes_in\":9007199254740992,\"bytes_out\":0,"
	    "\"outcome\":\"it said \\\"no\\\"\\\\x0a\"}", "the metadata is JSON");
}

/* A token id and an impersonator that JSON makes six times as long. */
static void
long_ids(void)
{
	char	metadata[METADATA_SIZE];

	memset(&row, 0, sizeof(row));
	strlcpy(row.id, "long", sizeof(row.id));
	strlcpy(row.session_id, "se", sizeof(row.session_id));
	strlcpy(row.operator_id, "eve", sizeof(row.operator_id));
	strlcpy(row.type, "ui_proxy", sizeof(row.type));
	strlcpy(row.service, "web", sizeof(row.service));
	memset(row.token_id, 1, sizeof(row.token_id) - 1);
	memset(row.impersonator, 2, sizeof(row.impersonator) - 1);
	row.connected_at = 1;
	metadata_print(&row, metadata);
	is_str(metadata, "{}", "the metadata has no room");
	is_int(store_access_insert(&row), 0, "the row is written");
	row.bytes_in = 3;
	is_int(store_access_update(&row), 0, "and changed");
	store_commit(on_commit, NULL);
	open_rows("a");
	is_int((int)rows, 1, "it comes back");
	is_int((int)strlen(row.token_id), ID_SIZE - 1, "with its token");
	is_int((int)strlen(row.impersonator), ID_SIZE - 1, "and impersonator");
	is_int((int)row.bytes_in, 3, "and its bytes");
}

static void
newer(void)
{
	store_close();
	(void)exec("PRAGMA user_version = 99");
	is_int(store_open(path), -1, "a newer one is not touched");
	ok(strstr(store_why_not(), "of a newer relayd") != NULL,
	    "and that is said (%s)", store_why_not());
	is_str(sql("PRAGMA user_version"), "99", "and stays what it is");
}

static void
fresh(void)
{
	store_close();
	unlink(path);
	is_int(store_open(path), 0, "a new one");
	is_str(sql("PRAGMA user_version"), version, "is of today's");
	is_str(sql("SELECT count(*) FROM pragma_table_info("
	    "'support_access_logs')"), "18", "with the same columns");
	is_str(sql("SELECT count(*) FROM pragma_table_info('systems')"), "19",
	    "of systems, too");
	is_str(sql("SELECT count(*) FROM pragma_table_info("
	    "'support_sessions')"), "26", "of sessions");
	is_str(sql("SELECT count(*) FROM pragma_table_info("
	    "'relay_sessions')"), "15", "and of relay sessions");
	is_str(sql("SELECT count(*) FROM pragma_table_info("
	    "'consumed_jtis')"), "2", "and of used tokens");
	store_close();
}

/* open(2) that has no room for who writes, once: SQLite then asks to read. */
static int	full;

static int
open_full(const char *name, int flags, int mode)
{
	if (full && (flags & O_ACCMODE) == O_RDWR) {
		full = 0;
		errno = ENOSPC;
		return (-1);
	}
	return (open(name, flags, mode));
}

static void
read_only(void)
{
	sqlite3_vfs	*vfs = sqlite3_vfs_find(NULL);

	is_int(vfs->xSetSystemCall(vfs, "open",
	    (sqlite3_syscall_ptr)open_full), SQLITE_OK, "open(2) is ours");
	full = 1;
	is_int(store_open(path), -1, "a file that can only be read is not opened");
	ok(!full && strstr(store_why_not(), "written") != NULL,
	    "and that is said (%s)", store_why_not());
	is_int(store_open(path), 0, "later it is");
	store_close();
	is_int(store_open("/nonexistent/store.db"), -1, "nor one in no directory");
	ok(strstr(store_why_not(), "No such file or directory") != NULL,
	    "and that is said (%s)", store_why_not());
	(void)vfs->xSetSystemCall(vfs, "open", NULL);
}

static long
columns(const char *s)
{
	long	n = 1;

	for (; *s != '\0'; s++)
		n += *s == ',';
	return (n);
}

/* What of them `relayctl store copy` knows, that it would else refuse. */
static void
copied(void)
{
	sqlite3_stmt	*s;
	sqlite3		*db;
	const char	*name;
	size_t		 i;

	if (sqlite3_open(path, &db) != SQLITE_OK || sqlite3_prepare_v2(db,
	    "SELECT m.name, group_concat(c.name, ', ') FROM sqlite_master m,"
	    " pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name"
	    " NOT LIKE 'sqlite%' GROUP BY m.name", -1, &s, NULL) != SQLITE_OK)
		return;
	while (sqlite3_step(s) == SQLITE_ROW) {
		name = (const char *)sqlite3_column_text(s, 0);
		for (i = 0; i < ntables; i++)
			if (strcmp(tables[i].name, name) == 0)
				break;
		if (is_derived(name))
			ok(i == ntables, "%s is made of others", name);
		else
			is_str(i < ntables ? tables[i].columns : "",
			    (const char *)sqlite3_column_text(s, 1),
			    "%s is in storecopy/tables.c with its columns",
			    name);
	}
	sqlite3_finalize(s);
	sqlite3_close(db);
	for (i = 0; i < ntables; i++)
		is_int(strlen(tables[i].types), columns(tables[i].columns),
		    "%s: each column has a type", tables[i].name);
}

int
main(void)
{
	char	suffix[80];

	snprintf(version, sizeof(version), "%d", STORE_SCHEMA);
	snprintf(path, sizeof(path), "/tmp/store_schema.%ld", (long)getpid());
	migration();
	words();
	long_ids();
	newer();
	fresh();
	read_only();
	copied();
	unlink(path);
	snprintf(suffix, sizeof(suffix), "%s-wal", path);
	unlink(suffix);
	snprintf(suffix, sizeof(suffix), "%s-shm", path);
	unlink(suffix);
	return (done_testing());
}
