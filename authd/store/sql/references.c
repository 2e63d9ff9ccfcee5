/* SPDX-License-Identifier: ISC */
/* What stands for proxy tokens in browsers' cookies: cred/refer.h. */
#include "authd/store/store.h"
#include "db.h"

#define REFERENCES_MAX	32	/* of one operator and session: the newest */
#define SOME		16	/* that have ended, at once */

int
store_reference_add(const struct reference_row *r, int64_t now)
{
	static struct query	over = QUERY("DELETE FROM proxy_references"
	    " WHERE id IN (SELECT r.id FROM proxy_references r"
	    " WHERE r.expires_at <= ?1 LIMIT ?2)");
	static struct query	add = QUERY("INSERT INTO proxy_references (id,"
	    " session_id, operator_id, sealed, expires_at)"
	    " SELECT ?1, ?2, ?3, ?4, ?5"
	    " WHERE EXISTS (SELECT 1 FROM support_sessions WHERE id = ?2)"
	    " ON CONFLICT (id) DO NOTHING");
	static struct query	trim = QUERY("DELETE FROM proxy_references"
	    " WHERE id IN (SELECT r.id FROM proxy_references r"
	    " WHERE r.session_id = ?1 AND r.operator_id = ?2"
	    " ORDER BY r.expires_at DESC, r.rowid DESC LIMIT -1 OFFSET ?3)");

	if (db_write(&over, "in", now, SOME) == -1 ||
	    db_write(&add, "TUTTi", r->id, r->session_id, r->operator_id,
	    r->sealed, r->expires_at) == -1)
		return (-1);
	return (db_write(&trim, "UTn", r->session_id, r->operator_id,
	    REFERENCES_MAX));
}

int
db_reference_get(const char *id, struct reference_row *r)
{
	static struct query	q = QUERY("SELECT id, session_id, operator_id,"
	    " sealed, expires_at FROM proxy_references WHERE id = ?");
	int			n;

	if ((n = db_read(&q, "T", id)) != 0)
		return (n);
	db_text(&q, 0, r->id, sizeof(r->id));
	db_text(&q, 1, r->session_id, sizeof(r->session_id));
	db_text(&q, 2, r->operator_id, sizeof(r->operator_id));
	db_text(&q, 3, r->sealed, sizeof(r->sealed));
	r->expires_at = db_int(&q, 4);
	db_done(&q);
	return (0);
}
