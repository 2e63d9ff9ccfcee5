/* SPDX-License-Identifier: ISC */
/*
 * Relay sessions: what of them outlives authd. Of several members one has each,
 * or nobody; who has lost one, and does not know that yet, changes nothing of
 * it.
 */
#include <string.h>

#include "authd/store/store.h"
#include "base/compat.h"
#include "db.h"

#define OURS(n)	" AND (?" n " = '' OR ifnull(member, '') = ?" n ")"
/* `r` is of a member that is alive. */
#define LIVES(now, gone)						\
	"EXISTS (SELECT 1 FROM members m WHERE m.name = r.member"	\
	" AND m.beat_at >= " now " - " gone ")"

int
store_relay_add(const struct relay_row *r)
{
	static struct query	q = QUERY("INSERT INTO relay_sessions (id,"
	    " initiator, responder, channels, issuer, subject, client, addr,"
	    " label, created_at, expires_at, moved_at, bytes_in, bytes_out,"
	    " member) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");

	return (db_write(&q, "TTTntttttiiiiit", r->id, r->initiator,
	    r->responder, (int)r->channels, r->issuer, r->subject, r->client,
	    r->addr, r->label, r->created_at, r->expires_at, r->moved_at,
	    (int64_t)r->bytes_in, (int64_t)r->bytes_out, db_member()));
}

int
store_relay_save(const struct relay_row *r)
{
	static struct query	q = QUERY("UPDATE relay_sessions SET"
	    " moved_at = ?2, bytes_in = ?3, bytes_out = ?4 WHERE id = ?1"
	    OURS("5"));

	return (db_write(&q, "TiiiT", r->id, r->moved_at,
	    (int64_t)r->bytes_in, (int64_t)r->bytes_out, db_member()));
}

int
store_relay_del(const char *id)
{
	static struct query	q = QUERY("DELETE FROM relay_sessions"
	    " WHERE id = ?1" OURS("2"));

	return (db_write(&q, "TT", id, db_member()));
}

int
store_relay_take(const char *id, const char *member, int64_t now)
{
#define TAKE(n1, n2, n3, n4, n5, now)					\
	"UPDATE relay_sessions SET member = " n3 " WHERE id = " n1	\
	" AND coalesce(member, '') = " n2 " AND expires_at > " n5	\
	" AND NOT EXISTS (SELECT 1"					\
	" FROM members m WHERE m.name = " n2 " AND m.beat_at >= " now	\
	" - " n4 ")"
	static struct query	q = QUERY2(TAKE("?1", "?2", "?3", "?4", "?5",
	    LITE_NOW), TAKE("$1", "$2", "$3", "$4", "$5", "now_ms()"));

	return (db_write(&q, "TTTii", id, member, db_member(),
	    (int64_t)MEMBER_GONE_MS, now));
#undef TAKE
}

int
store_relay_leave(const char *id)
{
	static struct query	q = QUERY("UPDATE relay_sessions"
	    " SET member = NULL WHERE id = ? AND member = ?");

	return (db_write(&q, "TT", id, db_member()));
}

int
store_relay_sweep(int64_t before)
{
	static struct query	q = QUERY2("DELETE FROM relay_sessions AS r"
	    " WHERE r.id > '' AND r.expires_at < ?1 AND"
	    " ifnull(r.member, '') <> ?2 AND NOT " LIVES(LITE_NOW, "?3"),
	    "DELETE FROM relay_sessions r"
	    " WHERE r.expires_at < $1 AND coalesce(r.member, '') <> $2"
	    " AND NOT " LIVES("now_ms()", "$3"));

	return (db_write(&q, "iTi", before, db_member(),
	    (int64_t)MEMBER_GONE_MS));
}

#define COLUMNS								\
	"SELECT id, initiator, responder, channels, issuer, subject,"	\
	" client, addr, label, created_at, expires_at, moved_at,"	\
	" bytes_in, bytes_out, member FROM relay_sessions "

static void
relay_fill(struct query *q, struct relay_row *r)
{
	memset(r, 0, sizeof(*r));
	db_text(q, 0, r->id, sizeof(r->id));
	db_text(q, 1, r->initiator, sizeof(r->initiator));
	db_text(q, 2, r->responder, sizeof(r->responder));
	r->channels = (uint32_t)db_int(q, 3);
	db_text(q, 4, r->issuer, sizeof(r->issuer));
	db_text(q, 5, r->subject, sizeof(r->subject));
	db_text(q, 6, r->client, sizeof(r->client));
	db_text(q, 7, r->addr, sizeof(r->addr));
	db_text(q, 8, r->label, sizeof(r->label));
	r->created_at = db_int(q, 9);
	r->expires_at = db_int(q, 10);
	r->moved_at = db_int(q, 11);
	r->bytes_in = (uint64_t)db_int(q, 12);
	r->bytes_out = (uint64_t)db_int(q, 13);
	db_text(q, 14, r->member, sizeof(r->member));
}

static int
relay_found(struct query *q, int n, struct relay_row *r)
{
	if (n == 0) {
		relay_fill(q, r);
		db_done(q);
	}
	return (n);
}

int
db_relay_next(const char *after, struct relay_row *r)
{
	static struct query	q = QUERY(COLUMNS
	    "WHERE id > ?1 AND (?2 = '' OR member = ?2) ORDER BY id LIMIT 1");

	return (relay_found(&q, db_read(&q, "TT", after, db_member()), r));
}

int
db_relay_get(const char *id, struct relay_row *r)
{
	static struct query	q = QUERY(COLUMNS "WHERE id = ?");

	return (relay_found(&q, db_read(&q, "T", id), r));
}

int
db_relays_lost(const char *after, int64_t now,
    void (*fn)(const struct relay_row *, void *), void *arg)
{
	static struct query	q = QUERY2(COLUMNS
	    "r WHERE r.id > ?1 AND r.expires_at > ?2"
	    " AND ifnull(r.member, '') <> ?3 AND NOT " LIVES(LITE_NOW, "?4")
	    " ORDER BY r.id LIMIT ?5",
	    COLUMNS
	    "r WHERE r.id > $1 AND r.expires_at > $2"
	    " AND coalesce(r.member, '') <> $3 AND NOT " LIVES("now_ms()",
	    "$4") " ORDER BY r.id LIMIT $5");
	struct relay_row	r;
	int			n;

	for (n = db_read(&q, "TiTin", after, now, db_member(),
	    (int64_t)MEMBER_GONE_MS, STORE_MANY); n == 0; n = db_step(&q)) {
		relay_fill(&q, &r);
		fn(&r, arg);
	}
	return (n == STORE_NONE ? 0 : -1);
}
