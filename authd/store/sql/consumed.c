/* SPDX-License-Identifier: ISC */
/*
 * Used tokens of pairing: what of them outlives authd. Of several relayd the
 * first to write one has it, and their clocks may differ: then the server's
 * says how long.
 */
#include <string.h>

#include "authd/store/store.h"
#include "db.h"

static int
consumed_row(struct query *q, int r, struct consumed_row *row)
{
	if (r != 0)
		return (r);
	memset(row, 0, sizeof(*row));
	db_text(q, 0, row->id, sizeof(row->id));
	row->until = db_int(q, 1);
	db_done(q);
	return (0);
}

int
store_consumed_add(const char *id, int64_t now, int64_t keep_ms)
{
	static struct query	over = QUERY("DELETE FROM consumed_jtis"
	    " WHERE id = ? AND until <= ?");
	static struct query	add = QUERY("INSERT INTO consumed_jtis"
	    " (id, until) VALUES (?, ?)");
	static struct query	over_there = QUERY2("", "DELETE FROM"
	    " consumed_jtis WHERE id = $1 AND until <= now_ms()");
	static struct query	add_there = QUERY2("", "INSERT INTO"
	    " consumed_jtis (id, until) VALUES ($1, now_ms() + $2)");

	add.may_be_taken = add_there.may_be_taken = 1;
	if (db_is_shared())
		return (db_write(&over_there, "T", id) == -1 ? -1 :
		    db_write(&add_there, "Ti", id, keep_ms));
	return (db_write(&over, "Ti", id, now) == -1 ? -1 :
	    db_write(&add, "Ti", id, now + keep_ms));
}

/* If that one has gone, from the beginning. */
int
db_consumed_next(const char *id, struct consumed_row *row)
{
	static struct query	q = QUERY("SELECT c.id, c.until"
	    " FROM consumed_jtis c WHERE (c.until, c.id) >"
	    " (ifnull((SELECT p.until FROM consumed_jtis p WHERE p.id = ?1),"
	    " 0), ?1) ORDER BY c.until, c.id LIMIT 1");

	return (consumed_row(&q, db_read(&q, "T", id), row));
}

int
db_consumed_get(const char *id, struct consumed_row *row)
{
	static struct query	q = QUERY("SELECT id, until FROM consumed_jtis"
	    " WHERE id = ?");

	return (consumed_row(&q, db_read(&q, "T", id), row));
}
