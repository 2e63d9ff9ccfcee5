/* SPDX-License-Identifier: ISC */
/* The end that is a PostgreSQL server. */
#include <libpq-fe.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authd/store/pg/where.h"
#include "authd/store/store.h"
#include "base/compat.h"
#include "storecopy.h"

#define TEXT_SIZE	2048
#define FLIGHT		400	/* rows that are sent before one is answered */
#define PAGE		"1000"	/* rows that are fetched at a time */

extern const char	pg_schema[];

static struct {
	PGconn		*pg;
	unsigned	 flying;
	int		 prepared;
} server;

static void
server_failed(const char *what, const PGresult *r)
{
	const char	*m = r != NULL ? PQresultErrorField(r,
			    PG_DIAG_MESSAGE_PRIMARY) : NULL;
	char		 why[256];

	strlcpy(why, m != NULL ? m : PQerrorMessage(server.pg), sizeof(why));
	why[strcspn(why, "\n")] = '\0';
	fail("PostgreSQL: %s: %s", what, why);
}

static PGresult *
server_ask(const char *what, const char *sql)
{
	PGresult	*r = PQexec(server.pg, sql);

	if (PQresultStatus(r) != PGRES_TUPLES_OK &&
	    PQresultStatus(r) != PGRES_COMMAND_OK)
		server_failed(what, r);
	return (r);
}

static void
server_run(const char *what, const char *sql)
{
	PQclear(server_ask(what, sql));
}

static int64_t
server_number(const char *what, const char *sql)
{
	PGresult	*r = server_ask(what, sql);
	int64_t		 n = PQntuples(r) == 1 ?
			    strtoll(PQgetvalue(r, 0, 0), NULL, 10) : 0;

	PQclear(r);
	return (n);
}

static void
server_connect(const char *conninfo, const struct with *with)
{
	PQconninfoOption	*o;
	struct where		 w;
	char			*err = NULL;

	if ((o = PQconninfoParse(conninfo, &err)) == NULL)
		fail("%s", err != NULL ? err : "out of memory");
	where_fill(&w, o, with->password, with->ca, "-c client_min_messages=error"
	    " -c search_path=relayd,public -c TimeZone=UTC"
	    " -c DateStyle=ISO -c bytea_output=hex -c jit=off"
	    " -c standard_conforming_strings=on"
	    " -c idle_in_transaction_session_timeout=0"
	    " -c statement_timeout=0 -c lock_timeout=5000", "relayd copies");
	server.pg = PQconnectdbParams(w.key, w.value, 0);
	if (PQstatus(server.pg) != CONNECTION_OK)
		server_failed("cannot connect", NULL);
	PQconninfoFree(o);
}

static int64_t
server_version(void)
{
	if (server_number("tables", "SELECT 1 WHERE"
	    " to_regclass('relayd.schema_version') IS NOT NULL") != 1)
		return (0);
	return (server_number("schema", "SELECT version FROM"
	    " relayd.schema_version"));
}

/* As in lite.c. */
static void
server_check(void)
{
	PGresult	*r = server_ask("tables", "SELECT relname FROM"
			    " pg_class c JOIN pg_namespace n ON n.oid ="
			    " c.relnamespace WHERE nspname = 'relayd' AND"
			    " relkind = 'r'");
	size_t		 k;
	int		 i;

	for (i = 0; i < PQntuples(r); i++) {
		for (k = 0; k < ntables; k++)
			if (strcmp(tables[k].name, PQgetvalue(r, i, 0)) == 0)
				break;
		if (k == ntables && !is_derived(PQgetvalue(r, i, 0)))
			fail("there is a table %s, which is not known",
			    PQgetvalue(r, i, 0));
	}
	PQclear(r);
}

/*
 * A relayd that writes there is connected, or held off by the row that each of
 * its turns takes.
 */
static void
server_open(const char *conninfo, const struct with *with, int writes)
{
	int64_t	version;

	server_connect(conninfo, with);
	if ((version = server_version()) == 0 && writes) {
		server_run("making the tables", pg_schema);
		version = server_version();
	}
	if (version != STORE_SCHEMA)
		fail("the server's schema is %lld, this program knows %d: "
		    "relayctl schema apply", (long long)version,
		    STORE_SCHEMA);
	server_run("begin", "BEGIN ISOLATION LEVEL REPEATABLE READ");
	server_run("the row of who writes", "SELECT 1 FROM relayd.writer"
	    " WHERE one = 1 FOR UPDATE");
	server_run("the rows of members that write",
	    "LOCK TABLE relayd.writers");
	if (server_number("who is connected", "SELECT count(*) FROM"
	    " pg_stat_activity WHERE datname = current_database() AND"
	    " application_name LIKE 'relayd writes%'") != 0)
		fail("a relayd uses the server's database: it has to be "
		    "stopped");
	server_check();
}

static int64_t
server_count(const struct table *t)
{
	char	sql[TEXT_SIZE];

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s",
	    t->count != NULL ? t->count : t->name);
	return (server_number(t->name, sql));
}

/* A value as SQLite has it; bytes are told apart by the result's own memory. */
static void
server_value(const PGresult *r, int row, int i, char type, struct value *v)
{
	static unsigned char	blobs[COLUMNS_MAX][1024];

	v->s = PQgetisnull(r, row, i) ? NULL : PQgetvalue(r, row, i);
	v->len = (size_t)PQgetlength(r, row, i);
	if (v->s == NULL)
		return;
	if (type == 'i' && (v->s[0] == 't' || v->s[0] == 'f'))
		v->s = v->s[0] == 't' ? "1" : "0";
	if (type != 'b')
		return;
	if (v->len < 2 || sodium_hex2bin(blobs[i], sizeof(blobs[i]), v->s + 2,
	    v->len - 2, NULL, &v->len, NULL) == -1)
		fail("PostgreSQL: bytes that cannot be read");
	v->s = (char *)blobs[i];
}

static void
server_read(const struct table *t, void (*row)(const struct table *,
    const struct value *))
{
	char		 sql[TEXT_SIZE];
	struct value	 v[COLUMNS_MAX];
	PGresult	*r;
	int		 i, k, n = (int)strlen(t->types), rows;

	snprintf(sql, sizeof(sql), "DECLARE rows NO SCROLL CURSOR FOR"
	    " SELECT %s FROM relayd.%s ORDER BY %s", t->columns, t->name,
	    t->order);
	server_run(t->name, sql);
	do {
		r = server_ask(t->name, "FETCH " PAGE " FROM rows");
		rows = PQntuples(r);
		for (i = 0; i < rows; i++) {
			for (k = 0; k < n; k++)
				server_value(r, i, k, t->types[k], &v[k]);
			row(t, v);
		}
		PQclear(r);
	} while (rows > 0);
	server_run(t->name, "CLOSE rows");
}

static void
server_prepare(const struct table *t)
{
	unsigned	 type[COLUMNS_MAX];
	char		 sql[TEXT_SIZE], place[16];
	PGresult	*r;
	int		 i, n = (int)strlen(t->types);

	for (i = 0; i < n; i++)		/* pg_type.dat */
		type[i] = t->types[i] == 'i' ? 20 : t->types[i] == 'b' ? 17 :
		    t->types[i] == 'u' ? 2950 : 25;
	snprintf(sql, sizeof(sql), "INSERT INTO relayd.%s (%s) VALUES (",
	    t->name, t->columns);
	for (i = 0; i < n; i++) {
		snprintf(place, sizeof(place), "%s$%d", i > 0 ? ", " : "",
		    i + 1);
		strlcat(sql, place, sizeof(sql));
	}
	strlcat(sql, ")", sizeof(sql));
	r = PQprepare(server.pg, t->name, t->insert != NULL ? t->insert : sql,
	    n, type);
	if (PQresultStatus(r) != PGRES_COMMAND_OK)
		server_failed(t->name, r);
	PQclear(r);
	if (PQenterPipelineMode(server.pg) == 0)
		server_failed(t->name, NULL);
	server.prepared = 1;
}

/* What was sent is answered: all of it, or nothing is kept. */
static void
server_land(const struct table *t)
{
	PGresult	*r;
	int		 synced = 0;

	if (server.flying == 0)
		return;
	if (PQpipelineSync(server.pg) == 0)
		server_failed(t->name, NULL);
	while (!synced) {
		if ((r = PQgetResult(server.pg)) == NULL) {
			if (PQstatus(server.pg) != CONNECTION_OK)
				server_failed(t->name, NULL);
			continue;
		}
		synced = PQresultStatus(r) == PGRES_PIPELINE_SYNC;
		if (!synced && PQresultStatus(r) != PGRES_COMMAND_OK)
			server_failed(t->name, r);
		PQclear(r);
	}
	server.flying = 0;
}

static void
server_write(const struct table *t, const struct value *v)
{
	const char	*s[COLUMNS_MAX];
	int		 len[COLUMNS_MAX], format[COLUMNS_MAX];
	int		 i, n = (int)strlen(t->types);

	if (!server.prepared)
		server_prepare(t);
	for (i = 0; i < n; i++) {
		s[i] = v[i].s;
		len[i] = (int)v[i].len;
		format[i] = t->types[i] == 'b';
		if (!format[i] && s[i] != NULL && strlen(s[i]) != v[i].len)
			fail("%s: a text has a NUL in it, which a server "
			    "cannot hold", t->name);
	}
	if (PQsendQueryPrepared(server.pg, t->name, n, s, len, format, 0) == 0)
		server_failed(t->name, NULL);
	if (++server.flying >= FLIGHT)
		server_land(t);
}

static void
server_written(const struct table *t)
{
	server_land(t);
	if (server.prepared && PQexitPipelineMode(server.pg) == 0)
		server_failed(t->name, NULL);
	server.prepared = 0;
}

static void
server_commit(void)
{
	server_run("commit", "COMMIT");
	PQfinish(server.pg);
}

const struct end	server_end = {
	.open = server_open, .count = server_count, .read = server_read,
	.write = server_write, .written = server_written,
	.commit = server_commit
};
