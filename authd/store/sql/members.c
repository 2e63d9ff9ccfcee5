/* SPDX-License-Identifier: ISC */
/*
 * Members of a cluster. Times are the store's, as members' clocks may differ;
 * a file has no members, and is asked all the same.
 */
#include <string.h>

#include "base/compat.h"
#include "authd/store/store.h"
#include "db.h"

int
store_member_beat(const struct member_row *m, int fresh)
{
	static struct query	q = QUERY2("INSERT INTO members (name,"
	    " address, port, version, started_at, beat_at, draining, tunnels,"
	    " sessions, forwarded_in, forwarded_out)"
	    " VALUES (?1, ?2, ?3, ?4, " LITE_NOW ", " LITE_NOW ", ?5, ?6, ?7,"
	    " ?8, ?9) ON CONFLICT (name) DO UPDATE SET"
	    " address = excluded.address, port = excluded.port,"
	    " version = excluded.version, started_at = CASE WHEN ?10 = 1 THEN"
	    " excluded.started_at ELSE started_at END,"
	    " beat_at = excluded.beat_at, draining = excluded.draining,"
	    " tunnels = excluded.tunnels, sessions = excluded.sessions,"
	    " forwarded_in = excluded.forwarded_in,"
	    " forwarded_out = excluded.forwarded_out",
	    "INSERT INTO members AS m (name,"
	    " address, port, version, started_at, beat_at, draining, tunnels,"
	    " sessions, forwarded_in, forwarded_out)"
	    " VALUES ($1, $2, $3, $4, now_ms(), now_ms(), $5, $6, $7, $8, $9)"
	    " ON CONFLICT (name) DO UPDATE SET"
	    " address = excluded.address, port = excluded.port,"
	    " version = excluded.version, started_at = CASE WHEN $10 = 1 THEN"
	    " excluded.started_at ELSE m.started_at END,"
	    " beat_at = excluded.beat_at, draining = excluded.draining,"
	    " tunnels = excluded.tunnels, sessions = excluded.sessions,"
	    " forwarded_in = excluded.forwarded_in,"
	    " forwarded_out = excluded.forwarded_out");

	return (db_write(&q, "TTnTniiiin", m->name, m->address, (int)m->port,
	    m->version, m->draining, (int64_t)m->tunnels,
	    (int64_t)m->sessions, (int64_t)m->forwarded_in,
	    (int64_t)m->forwarded_out, fresh));
}

/* What it had is the next sweep's. */
int
store_member_gone(const char *name)
{
	static struct query	q = QUERY("UPDATE members SET beat_at = 0"
	    " WHERE name = ?");

	return (db_write(&q, "T", name));
}

int
store_member_sweep(const struct sweep *s)
{
	static struct query	q = QUERY2("SELECT ?, ?, ?, ? WHERE 0",
	    "SELECT relayd.sweep($1, $2, $3, $4)");

	return (db_write(&q, "Tiii", db_member(), (int64_t)s->gone_ms,
	    (int64_t)s->grace_ms, (int64_t)s->startup_ms));
}

int
store_loss_seen(const struct loss_row *l)
{
	static struct query	q = QUERY2("SELECT ?, ?, ? WHERE 0",
	    "DELETE FROM session_losses"
	    " WHERE member = $1 AND session_id = $2 AND generation = $3");

	return (db_write(&q, "TUi", db_member(), l->session,
	    (int64_t)l->generation));
}

/* A file has none. */
int
db_losses(void (*fn)(const struct loss_row *, void *), void *arg)
{
	static struct query	q = QUERY2("SELECT '', 0 WHERE ?1 IS NULL",
	    "SELECT session_id, generation FROM session_losses"
	    " WHERE member = $1");
	struct loss_row		l;
	int			r;

	for (r = db_read(&q, "T", db_member()); r == 0; r = db_step(&q)) {
		db_text(&q, 0, l.session, sizeof(l.session));
		l.generation = (uint64_t)db_int(&q, 1);
		fn(&l, arg);
	}
	return (r == STORE_NONE ? 0 : -1);
}

int
db_members(void (*fn)(const struct member_row *, void *), void *arg)
{
#define COLUMNS								\
	"SELECT name, address, port, version, draining, started_at,"	\
	" beat_at, tunnels, sessions, forwarded_in, forwarded_out, "
	static struct query	q = QUERY2(COLUMNS LITE_NOW
	    " - beat_at FROM members WHERE name > '' ORDER BY name",
	    COLUMNS "now_ms() - beat_at FROM members ORDER BY name");
	struct member_row	m;
	int			r;

	for (r = db_read(&q, ""); r == 0; r = db_step(&q)) {
		memset(&m, 0, sizeof(m));
		db_text(&q, 0, m.name, sizeof(m.name));
		db_text(&q, 1, m.address, sizeof(m.address));
		m.port = (uint16_t)db_int(&q, 2);
		db_text(&q, 3, m.version, sizeof(m.version));
		m.draining = db_int(&q, 4) != 0;
		m.started_at = db_int(&q, 5);
		m.beat_at = db_int(&q, 6);
		m.tunnels = (uint64_t)db_int(&q, 7);
		m.sessions = (uint64_t)db_int(&q, 8);
		m.forwarded_in = (uint64_t)db_int(&q, 9);
		m.forwarded_out = (uint64_t)db_int(&q, 10);
		m.silent_ms = db_int(&q, 11);
		fn(&m, arg);
	}
	return (r == STORE_NONE ? 0 : -1);
#undef COLUMNS
}

static int
at(struct query *q, const char *id, struct at_row *r)
{
	int	n;

	if ((n = db_read(q, "T", id)) != 0)
		return (n);
	memset(r, 0, sizeof(*r));
	db_text(q, 0, r->member, sizeof(r->member));
	db_done(q);
	return (0);
}

int
db_relay_at(const char *id, struct at_row *r)
{
	static struct query	q = QUERY("SELECT member FROM relay_sessions"
	    " WHERE id = ?");

	return (at(&q, id, r));
}

int
db_recording_at(const char *id, struct at_row *r)
{
	static struct query	q = QUERY("SELECT member"
	    " FROM terminal_recordings WHERE id = ?");

	return (at(&q, id, r));
}
