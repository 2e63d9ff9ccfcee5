/* SPDX-License-Identifier: ISC */
/*
 * The embedded store: one SQLite file in WAL mode, its schema, the turn's
 * transaction, statements. The one place in relayd that may wait for a disk.
 */
#include <sqlite3.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "metrics/count.h"
#include "authd/store/store.h"
#include "schema.h"
#include "authd/store/sql/db.h"
#include "authd/store/sql/engine.h"

#define PROBE_BYTES (1 << 20)	/* or a 64th of what it may have */
#define BUSY_MS		50	/* for a shell that looks into the file */

static int	 store_setup(void);
static int	 schema_check(void);
static void	 store_works(void);
static int	 db_run(const char *);
static int	 lite_read(struct query *, const char *, va_list);
static int	 lite_step(struct query *);
static void	 lite_done(struct query *);
static int64_t	 lite_int(struct query *, int);
static int	 lite_commit(void);
static void	 db_failed(const char *);
static int	 db_prepare(struct query *);
static int	 db_bind(struct query *, const char *, va_list);

static struct {
	sqlite3		*db;
	struct query	*prepared;
	int		 in_turn;	/* a transaction is open */
	int		 turn_failed;	/* its writes are void */
	int		 down;		/* the last transaction failed */
	int		 said;		/* so, and not that it is back */
	unsigned	 lost;		/* transactions that came to nothing */
	char		 why_not[128];	/* it could not be opened */
	uint64_t	 limit;		/* bytes, 0: none */
	int64_t		 pages, page_size;	/* the same in pages */
	void		(*oldest)(void);	/* away with what is over */
	/* since lite_spent_us(): all, the longest, whose */
	uint64_t	 turn, spent_ns, most_ns;
	const char	*slowest;
} store = { .slowest = "" };

static uint64_t
spend_begin(void)
{
	return (clock_ns());
}

static void
spend_end(uint64_t from, const char *name, uint64_t before)
{
	uint64_t	ns = clock_ns() - from;

	store.spent_ns += ns;
	if (before + ns > store.most_ns) {
		store.most_ns = before + ns;
		store.slowest = name;
	}
}

/* A statement's steps of one turn are one. */
static void
spend_end_query(uint64_t from, struct query *q)
{
	if (q->turn != store.turn)
		q->spent_ns = 0;
	q->turn = store.turn;
	spend_end(from, q->name, q->spent_ns);
	q->spent_ns += clock_ns() - from;
}

static uint64_t
lite_spent_us(const char **slowest, uint64_t *most)
{
	uint64_t	us = store.spent_ns / 1000;

	*slowest = store.slowest;
	*most = store.most_ns / 1000;
	store.spent_ns = store.most_ns = 0;
	store.slowest = "";
	store.turn++;
	return (us);
}

static int
lite_is_up(void)
{
	return (store.db != NULL && !store.down);
}

/* Said once when it goes; store_works() says when it is back. */
static void
db_failed(const char *what)
{
	if (store.in_turn)
		store.turn_failed = 1;
	store.down = 1;
	count(CT_STORE_ERROR);
	if (store.said)
		return;
	store.said = 1;
	log_warnx("store: down: %s: %s", what,
	    store.db != NULL ? sqlite3_errmsg(store.db) : "not open");
}

/* What somebody wanted written is in it: not what a probe wrote. */
static void
store_works(void)
{
	if (store.said)
		log_info("store: back");
	store.said = store.down = 0;
}

static int
db_run(const char *sql)
{
	uint64_t	from = spend_begin();
	int		r;

	r = sqlite3_exec(store.db, sql, NULL, NULL, NULL);
	/* The text may be gone when the turn is over. */
	spend_end(from, strcmp(sql, "COMMIT") == 0 ? "commit" : "db_run", 0);
	return (r == SQLITE_OK ? 0 : -1);
}

static const char *
lite_why_not(void)
{
	return (store.why_not);
}

/*
 * SQLite tries to read what it cannot write, and then has that error: 0, or
 * what the system says of the file itself.
 */
static int
file_error(const char *path)
{
	int	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd == -1)
		return (errno);
	close(fd);
	return (0);
}

/* Why it could not be opened: the first failure, before what it brings on. */
static void
open_failed(const char *path)
{
	int	code, error = 0;

	if (store.why_not[0] != '\0')
		return;
	if (store.db == NULL) {
		strlcpy(store.why_not, "out of memory", sizeof(store.why_not));
		return;
	}
	code = sqlite3_errcode(store.db) & 0xff;
	if (code == SQLITE_CANTOPEN && path != NULL)
		error = file_error(path);
	if (error == 0 && (code == SQLITE_CANTOPEN || code == SQLITE_IOERR))
		error = sqlite3_system_errno(store.db);
	snprintf(store.why_not, sizeof(store.why_not), "%s%s%s",
	    sqlite3_errmsg(store.db), error != 0 ? ": " : "",
	    error != 0 ? strerror(error) : "");
}

static int
lite_open(const char *path)
{
	int	r, error;

	if (store.db != NULL)
		return (0);
	store.why_not[0] = '\0';
	r = sqlite3_open_v2(path, &store.db, SQLITE_OPEN_READWRITE |
	    SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
	/* Where a file cannot be written SQLite is content to read it. */
	if (r == SQLITE_OK && sqlite3_db_readonly(store.db, "main") == 1) {
		error = file_error(path);
		snprintf(store.why_not, sizeof(store.why_not), "it cannot be "
		    "written%s%s", error != 0 ? ": " : "",
		    error != 0 ? strerror(error) : "");
	}
	if (r != SQLITE_OK || store.why_not[0] != '\0' ||
	    store_setup() == -1 ||
	    db_run("BEGIN IMMEDIATE") == -1 || db_run("COMMIT") == -1) {
		open_failed(path);
		store.said = store.down = 1;
		sqlite3_close(store.db);
		store.db = NULL;
		return (-1);
	}
	store_works();
	return (0);
}

static void
lite_limit(uint64_t bytes, void (*oldest)(void))
{
	store.limit = bytes;
	store.oldest = oldest;
}

static int64_t
pragma_number(const char *sql)
{
	sqlite3_stmt	*s;
	int64_t		 v = -1;

	if (sqlite3_prepare_v2(store.db, sql, -1, &s, NULL) != SQLITE_OK)
		return (-1);
	if (sqlite3_step(s) == SQLITE_ROW)
		v = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return (v);
}

/* SQLite then says itself that it is full, before a write is cut short. */
static int
store_set_limit(void)
{
	int64_t	size = pragma_number("PRAGMA page_size");
	char	sql[64];

	if (store.limit == 0 || size <= 0)
		return (0);
	store.page_size = size;
	store.pages = (int64_t)store.limit / size;
	snprintf(sql, sizeof(sql), "PRAGMA max_page_count = %lld",
	    (long long)store.pages);
	return (db_run(sql));
}

static struct query	all_pages = { .sql = "PRAGMA page_count",
	.name = "all_pages" };
static struct query	free_pages = { .sql = "PRAGMA freelist_count",
	.name = "free_pages" };

static int
read_own(struct query *q, const char *types, ...)
{
	va_list	ap;
	int	r;

	va_start(ap, types);
	r = lite_read(q, types, ap);
	va_end(ap);
	return (r);
}

static int64_t
pages_of(struct query *q)
{
	int64_t	n;

	if (read_own(q, "") != 0)
		return (0);
	n = lite_int(q, 0);
	lite_done(q);
	return (n);
}

/* All but a sixteenth is in use: the oldest makes room for what comes. */
static void
make_room(void)
{
	int64_t	full = store.pages / 16 * 15, n;

	if (store.pages == 0 || (n = pages_of(&all_pages)) <= full)
		return;
	if (n - pages_of(&free_pages) > full)
		store.oldest();
}

static uint64_t
lite_used(void)
{
	int64_t	n = pages_of(&all_pages) - pages_of(&free_pages);

	return (n < 0 ? 0 : (uint64_t)(n * store.page_size));
}

/*
 * NORMAL: a commit survives the death of any process; the last few may be lost
 * with the power, together with the accesses they were about.
 */
static int
store_setup(void)
{
	sqlite3_busy_timeout(store.db, BUSY_MS);
	sqlite3_extended_result_codes(store.db, 1);
	if (db_run("PRAGMA journal_mode = WAL") == -1 ||
	    db_run("PRAGMA synchronous = NORMAL") == -1 ||
	    db_run("PRAGMA foreign_keys = ON") == -1 ||
	    db_run("PRAGMA temp_store = MEMORY") == -1 ||
	    db_run("PRAGMA trusted_schema = OFF") == -1)
		return (-1);
	if (schema_check() == -1)
		return (-1);
	return (store_set_limit());
}

/* All of it, and the version, or nothing. */
static int
schema_run(const char *const *sql, size_t n)
{
	char	version[64];
	size_t	i;

	snprintf(version, sizeof(version), "PRAGMA user_version = %d",
	    STORE_SCHEMA);
	if (db_run("BEGIN IMMEDIATE") == -1)
		return (-1);
	for (i = 0; i < n; i++)
		if (db_run(sql[i]) == -1)
			break;
	if (i == n && db_run(version) == 0 && db_run("COMMIT") == 0)
		return (0);
	open_failed(NULL);
	(void)db_run("ROLLBACK");
	return (-1);
}

/* A new file is made at once, an older one brought up to date. */
static int
schema_check(void)
{
	int	v = (int)pragma_number("PRAGMA user_version");

	if (v == STORE_SCHEMA)
		return (0);
	if (v > STORE_SCHEMA)
		snprintf(store.why_not, sizeof(store.why_not), "schema %d is "
		    "of a newer relayd, this one knows %d at most", v,
		    STORE_SCHEMA);
	if (v < 0 || v > STORE_SCHEMA)
		return (-1);
	if (v == 0 && schema_run(&schema_new, 1) == -1)
		return (-1);
	if (v != 0 && schema_run(&schema_from[v - 1],
	    (size_t)(STORE_SCHEMA - v)) == -1)
		return (-1);
	log_info("store: %s, schema %d", v == 0 ? "made a new one" :
	    "brought up to date", STORE_SCHEMA);
	return (0);
}

static void
lite_close(void)
{
	struct query	*q;

	while ((q = store.prepared) != NULL) {
		store.prepared = q->next;
		sqlite3_finalize(q->stmt);
		q->stmt = NULL;
	}
	sqlite3_close(store.db);
	store.db = NULL;
	store.lost++;
	store.in_turn = store.turn_failed = 0;
}

static int
lite_has_writes(void)
{
	return (store.in_turn);
}

static int
lite_commit(void)
{
	int	failed;

	if (!store.in_turn)
		return (0);
	if (!store.turn_failed)
		make_room();
	if (!store.turn_failed && db_run("COMMIT") == -1)
		db_failed("commit");
	failed = store.turn_failed;
	if (failed && !sqlite3_get_autocommit(store.db))
		(void)db_run("ROLLBACK");
	store.lost += failed != 0;
	store.in_turn = store.turn_failed = 0;
	if (failed)
		return (-1);
	store_works();
	return (0);
}

/*
 * A failure to begin is remembered too, so that nobody who wrote in this turn
 * is told that it worked.
 */
static int
turn_begin(void)
{
	if (store.in_turn)
		return (store.turn_failed ? -1 : 0);
	store.in_turn = 1;
	if (store.db == NULL || db_run("BEGIN IMMEDIATE") == -1) {
		db_failed("begin");
		return (-1);
	}
	return (0);
}

/*
 * As much as a turn may want to write is written and taken away again, and the
 * version as it is: pages go to the disk, or do not.
 */
static int
probe_write(void)
{
	char	much[160], version[64];

	snprintf(much, sizeof(much), "INSERT INTO audit_events (time, action,"
	    " outcome, reason) VALUES (0, 'probe', 'refused', zeroblob(%llu))",
	    (unsigned long long)(store.limit != 0 && store.limit / 64 <
	    PROBE_BYTES ? store.limit / 64 : PROBE_BYTES));
	snprintf(version, sizeof(version), "PRAGMA user_version = %d",
	    STORE_SCHEMA);
	make_room();
	return (!store.turn_failed && db_run(much) == 0 &&
	    db_run("DELETE FROM audit_events"
	    " WHERE rowid = last_insert_rowid()") == 0 &&
	    db_run(version) == 0 && db_run("COMMIT") == 0 ? 0 : -1);
}

static int
lite_probe(void)
{
	int	good;

	if (store.db == NULL)
		return (-1);
	if (!store.down)
		return (0);
	(void)lite_commit();
	good = turn_begin() == 0 && probe_write() == 0;
	if (!sqlite3_get_autocommit(store.db))
		(void)db_run("ROLLBACK");
	store.in_turn = store.turn_failed = 0;
	store.down = !good;
	return (good ? 0 : -1);
}

static unsigned
lite_lost(void)
{
	return (store.lost);
}

static unsigned
lite_changes(void)
{
	return ((unsigned)sqlite3_changes(store.db));
}

#ifdef RELAYD_TESTING
struct query *
db_prepared(void)
{
	return (store.prepared);
}
#endif

static int
db_prepare(struct query *q)
{
	if (q->stmt != NULL)
		return (0);
	if (store.db == NULL || sqlite3_prepare_v3(store.db, q->sql, -1,
	    SQLITE_PREPARE_PERSISTENT, &q->stmt, NULL) != SQLITE_OK) {
		db_failed("prepare");
		return (-1);
	}
	q->next = store.prepared;
	store.prepared = q;
	return (0);
}

static int
bind_unless(struct query *q, int i, int64_t v)
{
	return (v == AUDIT_UNSAID ? sqlite3_bind_null(q->stmt, i) :
	    sqlite3_bind_int64(q->stmt, i, v));
}

static int
db_bind(struct query *q, const char *types, va_list ap)
{
	const char	*s;
	int		 i, r = SQLITE_OK;

	for (i = 1; *types != '\0' && r == SQLITE_OK; types++, i++) {
		switch (*types) {
		case 't':
		case 'T':
		case 'U':
			s = va_arg(ap, const char *);
			r = *types == 't' && s[0] == '\0' ?
			    sqlite3_bind_null(q->stmt, i) :
			    sqlite3_bind_text(q->stmt, i, s, -1,
			    SQLITE_TRANSIENT);
			break;
		case 'j':
			s = va_arg(ap, const char *);
			r = sqlite3_bind_text64(q->stmt, i, s,
			    va_arg(ap, size_t), SQLITE_TRANSIENT, SQLITE_UTF8);
			break;
		case 'b':
			s = va_arg(ap, const char *);
			r = sqlite3_bind_blob64(q->stmt, i, s,
			    va_arg(ap, size_t), SQLITE_TRANSIENT);
			break;
		case 'i':
			r = sqlite3_bind_int64(q->stmt, i,
			    va_arg(ap, int64_t));
			break;
		case 'u':
			r = bind_unless(q, i, va_arg(ap, int64_t));
			break;
		case 'n':
			r = sqlite3_bind_int(q->stmt, i, va_arg(ap, int));
			break;
		default:
			r = SQLITE_MISUSE;
		}
	}
	return (r == SQLITE_OK ? 0 : -1);
}

static int
lite_write(struct query *q, const char *types, va_list ap)
{
	uint64_t	from = spend_begin();
	int		r = -1;

	if (turn_begin() == -1 || db_prepare(q) == -1)
		goto out;
	r = db_bind(q, types, ap);
	if (r == 0)
		r = sqlite3_step(q->stmt);
	if (r == SQLITE_DONE || r == SQLITE_ROW) {
		r = 0;
	} else if (r == SQLITE_CONSTRAINT_UNIQUE ||
	    r == SQLITE_CONSTRAINT_PRIMARYKEY) {
		r = STORE_TAKEN;
	} else {
		r = -1;
		db_failed("write");
	}
	lite_done(q);
out:
	spend_end_query(from, q);
	return (r);
}

static int
lite_read(struct query *q, const char *types, va_list ap)
{
	int	r;

	if (db_prepare(q) == -1)
		return (-1);
	r = db_bind(q, types, ap);
	if (r == -1) {
		db_failed("bind");
		lite_done(q);
		return (-1);
	}
	return (lite_step(q));
}

static int
lite_step(struct query *q)
{
	uint64_t	from = spend_begin();
	int		r;

	r = sqlite3_step(q->stmt);
	spend_end_query(from, q);
	if (r == SQLITE_ROW)
		return (0);
	if (r != SQLITE_DONE)
		db_failed("read");
	lite_done(q);
	return (r == SQLITE_DONE ? STORE_NONE : -1);
}

/* Bound values may be hashes of secrets: they do not stay. */
static void
lite_done(struct query *q)
{
	sqlite3_reset(q->stmt);
	sqlite3_clear_bindings(q->stmt);
}

/*
 * Without memory SQLite hands out nothing for what is there: whoever went by an
 * empty text would write it back. The next authd reads it anew.
 */
static void
lite_has(const void *p)
{
	if (p == NULL && sqlite3_errcode(store.db) == SQLITE_NOMEM)
		fatalx("store: out of memory");
}

static void
lite_text(struct query *q, int i, char *dst, size_t size)
{
	const char	*s = (const char *)sqlite3_column_text(q->stmt, i);

	lite_has(s);
	if (strlcpy(dst, s != NULL ? s : "", size) >= size)
		dst[size - 1] = '\0';
}

static const char *
lite_bytes(struct query *q, int i, size_t *len)
{
	const char	*s = (const char *)sqlite3_column_text(q->stmt, i);

	lite_has(s);
	*len = s != NULL ? (size_t)sqlite3_column_bytes(q->stmt, i) : 0;
	return (s);
}

static int64_t
lite_int(struct query *q, int i)
{
	return (sqlite3_column_int64(q->stmt, i));
}

static int
lite_type(struct query *q, int i)
{
	switch (sqlite3_column_type(q->stmt, i)) {
	case SQLITE_NULL:
		return (0);
	case SQLITE_INTEGER:
		return ('i');
	case SQLITE_TEXT:
		return ('t');
	case SQLITE_BLOB:
		return ('b');
	}
	return ('?');
}

static int
lite_blob(struct query *q, int i, void *dst, size_t size)
{
	const void	*p;

	memset(dst, 0, size);
	if (lite_type(q, i) != 'b' ||
	    (size_t)sqlite3_column_bytes(q->stmt, i) != size)
		return (-1);
	if ((p = sqlite3_column_blob(q->stmt, i)) == NULL) {
		lite_has(p);
		return (-1);
	}
	memcpy(dst, p, size);
	return (0);
}

static void
lite_spoil(void)
{
	store.in_turn = store.turn_failed = 1;
}

static int
lite_version(void)
{
	return (store.db == NULL ? -1 :
	    (int)pragma_number("PRAGMA user_version"));
}

const struct engine	sqlite_engine = {
	.name = "sqlite", .version = lite_version,
	.open = lite_open, .why_not = lite_why_not, .close = lite_close,
	.is_up = lite_is_up, .has_writes = lite_has_writes,
	.commit = lite_commit, .probe = lite_probe, .used = lite_used,
	.spent_us = lite_spent_us, .limit = lite_limit, .lost = lite_lost,
	.spoil = lite_spoil, .write = lite_write, .changes = lite_changes, .read = lite_read,
	.step = lite_step, .done = lite_done, .text = lite_text,
	.bytes = lite_bytes, .number = lite_int, .type = lite_type,
	.blob = lite_blob
};
