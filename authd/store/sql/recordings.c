/* SPDX-License-Identifier: ISC */
/* Recordings of terminals: what there is of each, and how much of all. */
#include <string.h>

#include "authd/store/store.h"
#include "base/uuid.h"
#include "db.h"

#define COLUMNS								\
	"SELECT id, session_id, operator_id, operator_name, started_at,"	\
	" ended_at, bytes, sha256 FROM terminal_recordings "

static void
fill(struct query *q, struct recording_row *r)
{
	memset(r, 0, sizeof(*r));
	db_text(q, 0, r->id, sizeof(r->id));
	db_text(q, 1, r->session_id, sizeof(r->session_id));
	db_text(q, 2, r->operator_id, sizeof(r->operator_id));
	db_text(q, 3, r->operator_name, sizeof(r->operator_name));
	r->started_at = db_int(q, 4);
	r->ended_at = db_int(q, 5);
	r->bytes = (uint64_t)db_int(q, 6);
	db_text(q, 7, r->sha256, sizeof(r->sha256));
}

/* The one row that a question has found. */
static int
one(struct query *q, int r, struct recording_row *row)
{
	if (r != 0)
		return (r);
	fill(q, row);
	db_done(q);
	return (0);
}

int
store_recording_add(const struct recording_row *r)
{
	static struct query	q = QUERY("INSERT INTO terminal_recordings"
	    " (id, session_id, operator_id, operator_name, started_at, member)"
	    " VALUES (?, ?, ?, ?, ?, ?)");

	return (db_write(&q, "Ttttit", r->id, r->session_id, r->operator_id,
	    r->operator_name, r->started_at, db_member()));
}

/* It ended with its terminal, where the access log says when that was. */
int
store_recording_end(const struct recording_row *r)
{
	static struct query	q = QUERY2("UPDATE terminal_recordings"
	    " SET ended_at = ifnull((SELECT a.disconnected_at"
	    " FROM support_access_logs a WHERE a.id = ?1), ?2), bytes = ?3,"
	    " sha256 = ?4 WHERE id = ?1 AND ended_at IS NULL",
	    "UPDATE terminal_recordings SET"
	    " ended_at = coalesce((SELECT a.disconnected_at"
	    " FROM support_access_logs a WHERE a.id = $1::uuid), $2),"
	    " bytes = $3, sha256 = $4 WHERE id = $1 AND ended_at IS NULL");

	return (db_write(&q, "Tiit", r->id, r->ended_at, (int64_t)r->bytes,
	    r->sha256));
}

/* The row of the access log may still be there to say whose it is. */
int
store_recording_adopt(const char *id, int64_t at, uint64_t bytes)
{
	static struct query	q = QUERY2("INSERT OR IGNORE INTO"
	    " terminal_recordings (id, session_id, operator_id,"
	    " operator_name, started_at, ended_at, bytes)"
	    " SELECT ?1, a.session_id, a.operator_id, a.operator_name,"
	    " ifnull(a.connected_at, ?2), ?2, ?3 FROM (SELECT 1)"
	    " LEFT JOIN support_access_logs a ON a.id = ?1",
	    "INSERT INTO terminal_recordings (id, session_id, operator_id,"
	    " operator_name, started_at, ended_at, bytes)"
	    " SELECT $1, a.session_id, a.operator_id, a.operator_name,"
	    " coalesce(a.connected_at, $2), $2, $3 FROM (SELECT 1) o"
	    " LEFT JOIN support_access_logs a ON a.id = $1::uuid"
	    " ON CONFLICT (id) DO NOTHING");

	return (db_write(&q, "Tii", id, at, (int64_t)bytes));
}

int
store_recording_del(const char *id)
{
	static struct query	q = QUERY("DELETE FROM terminal_recordings"
	    " WHERE id = ?");

	return (db_write(&q, "T", id));
}

int
db_recording(const char *id, struct recording_row *row)
{
	static struct query	q = QUERY(COLUMNS "WHERE id = ?");

	return (one(&q, db_read(&q, "T", id), row));
}

int
db_recording_oldest(struct recording_row *row)
{
	static struct query	q = QUERY(COLUMNS "WHERE ended_at IS NOT NULL"
	    " AND started_at >= 0 ORDER BY started_at, id LIMIT 1");

	return (one(&q, db_read(&q, ""), row));
}

int
db_recording_next(const char *after, struct recording_row *row)
{
	static struct query	first = QUERY(COLUMNS
	    "WHERE started_at >= 0 ORDER BY started_at, id LIMIT 1");
	static struct query	next = QUERY(COLUMNS
	    "WHERE (started_at, id) > (SELECT r.started_at, r.id"
	    " FROM terminal_recordings r WHERE r.id = ?)"
	    " ORDER BY started_at, id LIMIT 1");

	if (after[0] == '\0')
		return (one(&first, db_read(&first, ""), row));
	return (one(&next, db_read(&next, "T", after), row));
}

int
db_recording_next_open(const char *after, struct recording_row *row)
{
	static struct query	q = QUERY(COLUMNS
	    "WHERE id > ? AND ended_at IS NULL ORDER BY id LIMIT 1");

	return (one(&q, db_read(&q, "T", after), row));
}

int
db_recording_sum(struct recording_sum *sum)
{
	static struct query	q = QUERY("SELECT n, bytes"
	    " FROM terminal_recording_sum WHERE one = 1");
	int			r;

	if ((r = db_read(&q, "")) != 0)
		return (r);
	sum->n = db_int(&q, 0);
	sum->bytes = db_int(&q, 1);
	db_done(&q);
	return (0);
}

/* Counting stops where the list does. */
static int
count_of(const char *session, int64_t *total)
{
	static struct query	q = QUERY("SELECT count(*) FROM (SELECT 1"
	    " FROM terminal_recordings WHERE session_id = ?1 LIMIT ?2) few");

	return (db_number(&q, db_read(&q, "Tn", session, STORE_LOGS), total));
}

int
db_recordings_of(const char *session, const struct list_query *lq,
    int64_t *total, void (*fn)(const struct recording_row *, void *),
    void *arg)
{
	static struct query	q = QUERY(COLUMNS "WHERE session_id = ?"
	    " ORDER BY started_at DESC, id DESC LIMIT ? OFFSET ?");
	struct recording_row	row;
	int64_t			skip = ((int64_t)lq->page - 1) * lq->page_size;
	int			r;

	if (count_of(session, total) != 0)
		return (-1);
	if (skip >= *total)
		return (0);
	for (r = db_read(&q, "Tii", session, (int64_t)lq->page_size, skip);
	    r == 0; r = db_step(&q)) {
		fill(&q, &row);
		fn(&row, arg);
	}
	return (r == STORE_NONE ? 0 : -1);
}

int
db_recordings_named(const char *begin,
    void (*fn)(const struct recording_row *, void *), void *arg)
{
	static struct query	q = QUERY(COLUMNS "WHERE id >= ? AND id <= ?"
	    " ORDER BY id LIMIT 2");
	struct recording_row	row;
	char			first[UUID_SIZE], last[UUID_SIZE];
	int			r;

	if (uuid_range(begin, first, last) == -1)
		return (0);
	for (r = db_read(&q, "TT", first, last); r == 0; r = db_step(&q)) {
		fill(&q, &row);
		fn(&row, arg);
	}
	return (r == STORE_NONE ? 0 : -1);
}
