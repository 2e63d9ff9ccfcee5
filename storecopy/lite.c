/* SPDX-License-Identifier: ISC */
/* The end that is a SQLite file. */
#include <sys/file.h>

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "authd/store/sqlite/schema.h"
#include "base/compat.h"
#include "storecopy.h"

#define TEXT_SIZE	2048
#define BUSY_MS		5000

static struct {
	sqlite3		*db;
	sqlite3_stmt	*insert;
} lite;

static void
lite_run(const char *sql)
{
	if (sqlite3_exec(lite.db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail("SQLite: %s", sqlite3_errmsg(lite.db));
}

static sqlite3_stmt *
lite_prepare(const char *sql)
{
	sqlite3_stmt	*s;

	if (sqlite3_prepare_v2(lite.db, sql, -1, &s, NULL) != SQLITE_OK)
		fail("SQLite: %s", sqlite3_errmsg(lite.db));
	return (s);
}

static int64_t
lite_number(const char *sql)
{
	sqlite3_stmt	*s = lite_prepare(sql);
	int64_t		 n;

	if (sqlite3_step(s) != SQLITE_ROW)
		fail("SQLite: %s", sqlite3_errmsg(lite.db));
	n = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return (n);
}

static unsigned
columns(const struct table *t)
{
	char		sql[TEXT_SIZE];

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM pragma_table_info"
	    "('%s')", t->name);
	return ((unsigned)lite_number(sql));
}

/* What this program knows nothing of would get lost. */
static void
lite_check(void)
{
	sqlite3_stmt	*s = lite_prepare("SELECT name FROM sqlite_master"
			    " WHERE type = 'table' AND name NOT LIKE"
			    " 'sqlite%'");
	const char	*name;
	size_t		 i;

	while (sqlite3_step(s) == SQLITE_ROW) {
		name = (const char *)sqlite3_column_text(s, 0);
		for (i = 0; i < ntables; i++)
			if (strcmp(tables[i].name, name) == 0)
				break;
		if (i == ntables && !is_derived(name))
			fail("there is a table %s, which is not known", name);
		if (i < ntables && columns(&tables[i]) !=
		    strlen(tables[i].types))
			fail("the table %s has other columns than are known",
			    name);
	}
	sqlite3_finalize(s);
}

static void
lite_open(const char *path, const struct with *with, int writes)
{
	int64_t	version;
	char	sql[64];

	(void)with;
	if (sqlite3_open_v2(path, &lite.db, SQLITE_OPEN_READWRITE |
	    (writes ? SQLITE_OPEN_CREATE : 0), NULL) != SQLITE_OK)
		fail("%s: %s", path, sqlite3_errmsg(lite.db));
	sqlite3_busy_timeout(lite.db, BUSY_MS);
	lite_run("PRAGMA journal_mode = WAL");
	lite_run("PRAGMA foreign_keys = ON");
	lite_run("PRAGMA trusted_schema = OFF");
	lite_run("BEGIN IMMEDIATE");
	version = lite_number("PRAGMA user_version");
	if (version == 0 && writes) {
		lite_run(schema_new);
		snprintf(sql, sizeof(sql), "PRAGMA user_version = %d",
		    STORE_SCHEMA);
		lite_run(sql);
	} else if (version != STORE_SCHEMA) {
		fail("%s: its schema is %lld, this program knows %d: let "
		    "relayd bring it up to date first", path,
		    (long long)version, STORE_SCHEMA);
	}
	lite_check();
}

static int64_t
lite_count(const struct table *t)
{
	char	sql[TEXT_SIZE];

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", t->name);
	return (lite_number(sql));
}

static void
lite_read(const struct table *t, void (*row)(const struct table *,
    const struct value *))
{
	char		 sql[TEXT_SIZE];
	struct value	 v[COLUMNS_MAX];
	sqlite3_stmt	*s;
	int		 i, n = (int)strlen(t->types), r;

	snprintf(sql, sizeof(sql), "SELECT %s FROM %s ORDER BY %s",
	    t->columns, t->name, t->order);
	s = lite_prepare(sql);
	while ((r = sqlite3_step(s)) == SQLITE_ROW) {
		for (i = 0; i < n; i++) {
			v[i].s = sqlite3_column_type(s, i) == SQLITE_NULL ?
			    NULL : t->types[i] == 'b' ?
			    sqlite3_column_blob(s, i) :
			    (const char *)sqlite3_column_text(s, i);
			v[i].len = (size_t)sqlite3_column_bytes(s, i);
		}
		row(t, v);
	}
	if (r != SQLITE_DONE)
		fail("SQLite: %s: %s", t->name, sqlite3_errmsg(lite.db));
	sqlite3_finalize(s);
}

static void
lite_bind(int i, char type, const struct value *v)
{
	int	r;

	if (v->s == NULL)
		r = sqlite3_bind_null(lite.insert, i);
	else if (type == 'i')
		r = sqlite3_bind_int64(lite.insert, i,
		    strtoll(v->s, NULL, 10));
	else if (type == 'b')
		r = sqlite3_bind_blob64(lite.insert, i, v->s, v->len,
		    SQLITE_STATIC);
	else
		r = sqlite3_bind_text64(lite.insert, i, v->s, v->len,
		    SQLITE_STATIC, SQLITE_UTF8);
	if (r != SQLITE_OK)
		fail("SQLite: %s", sqlite3_errmsg(lite.db));
}

static void
lite_write(const struct table *t, const struct value *v)
{
	char	sql[TEXT_SIZE];
	int	i, n = (int)strlen(t->types);

	if (lite.insert == NULL) {
		snprintf(sql, sizeof(sql), "INSERT INTO %s (%s) VALUES (?",
		    t->name, t->columns);
		for (i = 1; i < n; i++)
			strlcat(sql, ", ?", sizeof(sql));
		strlcat(sql, ")", sizeof(sql));
		lite.insert = lite_prepare(sql);
	}
	for (i = 0; i < n; i++)
		lite_bind(i + 1, t->types[i], &v[i]);
	if (sqlite3_step(lite.insert) != SQLITE_DONE)
		fail("SQLite: %s: %s", t->name, sqlite3_errmsg(lite.db));
	sqlite3_reset(lite.insert);
}

static void
lite_written(const struct table *t)
{
	(void)t;
	sqlite3_finalize(lite.insert);
	lite.insert = NULL;
}

static void
lite_commit(void)
{
	lite_run("COMMIT");
	if (sqlite3_close(lite.db) != SQLITE_OK)
		fail("SQLite: %s", sqlite3_errmsg(lite.db));
}

const struct end	lite_end = {
	.open = lite_open, .count = lite_count, .read = lite_read,
	.write = lite_write, .written = lite_written, .commit = lite_commit
};
