/* SPDX-License-Identifier: ISC */
/* Relay sessions: what of them outlives authd. */
#include <string.h>

#include "authd/store/store.h"
#include "db.h"

int
store_relay_save(const struct relay_row *r)
{
	static struct query	q = QUERY("INSERT INTO relay_sessions (id,"
	    " initiator, responder, channels, issuer, subject, client, addr,"
	    " label, created_at, expires_at, moved_at, bytes_in, bytes_out,"
	    " member) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
	    " ON CONFLICT (id) DO UPDATE SET moved_at = excluded.moved_at,"
	    " bytes_in = excluded.bytes_in, bytes_out = excluded.bytes_out");

	return (db_write(&q, "TTTntttttiiiiit", r->id, r->initiator,
	    r->responder, (int)r->channels, r->issuer, r->subject, r->client,
	    r->addr, r->label, r->created_at, r->expires_at, r->moved_at,
	    (int64_t)r->bytes_in, (int64_t)r->bytes_out, db_member()));
}

int
store_relay_del(const char *id)
{
	static struct query	q = QUERY("DELETE FROM relay_sessions"
	    " WHERE id = ?");

	return (db_write(&q, "T", id));
}

int
db_relay_next(const char *after, struct relay_row *r)
{
	static struct query	q = QUERY("SELECT id, initiator, responder,"
	    " channels, issuer, subject, client, addr, label, created_at,"
	    " expires_at, moved_at, bytes_in, bytes_out FROM relay_sessions"
	    " WHERE id > ?1 AND (?2 = '' OR member = ?2) ORDER BY id LIMIT 1");
	int			n;

	if ((n = db_read(&q, "TT", after, db_member())) != 0)
		return (n);
	memset(r, 0, sizeof(*r));
	db_text(&q, 0, r->id, sizeof(r->id));
	db_text(&q, 1, r->initiator, sizeof(r->initiator));
	db_text(&q, 2, r->responder, sizeof(r->responder));
	r->channels = (uint32_t)db_int(&q, 3);
	db_text(&q, 4, r->issuer, sizeof(r->issuer));
	db_text(&q, 5, r->subject, sizeof(r->subject));
	db_text(&q, 6, r->client, sizeof(r->client));
	db_text(&q, 7, r->addr, sizeof(r->addr));
	db_text(&q, 8, r->label, sizeof(r->label));
	r->created_at = db_int(&q, 9);
	r->expires_at = db_int(&q, 10);
	r->moved_at = db_int(&q, 11);
	r->bytes_in = (uint64_t)db_int(&q, 12);
	r->bytes_out = (uint64_t)db_int(&q, 13);
	db_done(&q);
	return (0);
}
