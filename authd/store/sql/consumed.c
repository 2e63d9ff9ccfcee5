/* SPDX-License-Identifier: ISC */
/* Used tokens of pairing: what of them outlives authd. */
#include <string.h>

#include "authd/store/store.h"
#include "db.h"

int
store_consumed_add(const struct consumed_row *row)
{
	static struct query	q = QUERY("INSERT INTO consumed_jtis (id, until)"
	    " VALUES (?, ?)"
	    " ON CONFLICT (id) DO UPDATE SET until = excluded.until");

	return (db_write(&q, "Ti", row->id, row->until));
}

/* If that one has gone, from the beginning. */
int
db_consumed_next(const char *id, struct consumed_row *row)
{
	static struct query	q = QUERY("SELECT c.id, c.until"
	    " FROM consumed_jtis c WHERE (c.until, c.id) >"
	    " (ifnull((SELECT p.until FROM consumed_jtis p WHERE p.id = ?1),"
	    " 0), ?1) ORDER BY c.until, c.id LIMIT 1");
	int			n;

	if ((n = db_read(&q, "T", id)) != 0)
		return (n);
	memset(row, 0, sizeof(*row));
	db_text(&q, 0, row->id, sizeof(row->id));
	row->until = db_int(&q, 1);
	db_done(&q);
	return (0);
}
