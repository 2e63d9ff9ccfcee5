/* SPDX-License-Identifier: ISC */
/*
 * The audit log. Where its chains end is in memory, so that an event costs one
 * statement; it is read again when a transaction came to nothing.
 */
#include <sodium.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compat.h"
#include "authd/store/chain.h"
#include "authd/store/store.h"
#include "metrics/count.h"
#include "db.h"

#define ID_BYTES	16	/* of a daemon, in the names of its chains */

struct ends {
	int		known;
	unsigned	lost;		/* db_lost() when it was read */
	int64_t		event;		/* the last */
	int64_t		old, old_event;	/* in no chain: how many, the last */
	struct end {
		char	name[CHAIN_NAME_SIZE];
		int64_t	seq;
		uint8_t	hash[AUDIT_HASH_SIZE];
	} end[CHAIN_COUNT];
};

static struct {
	struct ends	now;		/* with what is written in this turn */
	struct ends	kept;		/* as the store has it for certain */
	struct ends	sent;		/* as it will, if it takes the turn */
	int		held, owed;
	unsigned long	purged;
} audit;

void
store_audit_hold(int on)
{
	audit.held = on;
}

int
db_audit_is_held(void)
{
	audit.owed |= audit.held;
	return (audit.held);
}

void
db_audit_made_up(void)
{
	audit.owed = 0;
}

uint64_t
store_audit_head(enum audit_chain chain)
{
	return (audit.now.known ? (uint64_t)audit.now.end[chain].seq : 0);
}

int
store_audit_owed(void)
{
	return (audit.owed);
}

unsigned long
store_audit_purged(void)
{
	return (audit.purged);
}

/* --- where the chains end --- */

static int
last_event(int64_t *event)
{
	static struct query	q = QUERY("SELECT max(event)"
	    " FROM audit_events");

	return (db_number(&q, db_read(&q, ""), event) == 0 ? 0 : -1);
}

/* 0, STORE_NONE: it has not begun; -1. */
static int
chain_name(int chain, char name[CHAIN_NAME_SIZE])
{
	static struct query	q = QUERY("SELECT name FROM audit_chains"
	    " WHERE chain = ?");
	int			r;

	if ((r = db_read(&q, "n", chain)) != 0)
		return (r);
	db_text(&q, 0, name, CHAIN_NAME_SIZE);
	db_done(&q);
	return (0);
}

/* All of it was removed by somebody: row 1, which then is no first one. */
static int
chain_end(int chain, struct end *e)
{
	static struct query	q = QUERY("SELECT seq, hash FROM audit_events"
	    " WHERE chain = ? ORDER BY event DESC LIMIT 1");
	int			r;

	e->seq = 0;
	memset(e->hash, 0, sizeof(e->hash));
	if ((r = db_read(&q, "n", chain)) != 0)
		return (r == STORE_NONE ? 0 : -1);
	e->seq = db_int(&q, 0);
	(void)db_blob(&q, 1, e->hash, sizeof(e->hash));
	db_done(&q);
	return (0);
}

/* What a chain says of it when it begins. */
static int
old_events(struct ends *e)
{
	static struct query	q = QUERY("SELECT count(*), max(event) FROM"
	    " audit_events WHERE chain IS NULL");

	if (db_read(&q, "") != 0)
		return (-1);
	e->old = db_int(&q, 0);
	e->old_event = db_int(&q, 1);
	db_done(&q);
	return (0);
}

/* One that has not begun has no name. */
static int
ends_load(struct ends *e)
{
	int	chain, r, begun = 1;

	memset(e, 0, sizeof(*e));
	for (chain = CHAIN_DONE; chain < CHAIN_COUNT; chain++) {
		if ((r = chain_name(chain, e->end[chain].name)) == -1 ||
		    (r == 0 && chain_end(chain, &e->end[chain]) == -1))
			return (-1);
		begun &= r == 0;
	}
	if ((!begun && old_events(e) == -1) || last_event(&e->event) == -1)
		return (-1);
	e->lost = db_lost();
	e->known = 1;
	return (0);
}

static int
ends_read(void)
{
	if (audit.now.known && audit.now.lost == db_lost())
		return (0);
	return (ends_load(&audit.now));
}

/* It takes several turns: what is known meanwhile is not touched. */
int
db_audit_load(void)
{
	static struct ends	loaded;

	if (ends_load(&loaded) == -1)
		return (-1);
	audit.now = audit.kept = loaded;
	return (0);
}

void
db_audit_sent(void)
{
	audit.sent = audit.now;
}

void
db_audit_written(int ok)
{
	if (ok)
		audit.kept = audit.sent;
	else
		audit.now = audit.kept;
}

/* --- writing --- */

static int
insert(const struct audit_row *r)
{
	static struct query	q = QUERY("INSERT INTO audit_events (event,"
	    " chain, seq, time, actor, impersonator, token_id, address,"
	    " action, session_id, service, access_id, object, request_id,"
	    " outcome, reason, count, duration_ms, bytes_in, bytes_out, prev,"
	    " hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
	    " ?, ?, ?, ?, ?)");

	return (db_write(&q, "iniittttTtttttTtiuuubb", r->event, r->chain,
	    r->seq, r->at, r->actor, r->impersonator, r->token_id, r->address,
	    r->action, r->session, r->service, r->access, r->object,
	    r->request, r->outcome, r->reason, r->count, r->duration_ms,
	    r->bytes_in, r->bytes_out, r->prev, sizeof(r->prev), r->hash,
	    sizeof(r->hash)));
}

/* A number that somebody took behind our back is passed over. */
static int
append(struct audit_row *r)
{
	struct end	*e = &audit.now.end[r->chain];
	int		 res = STORE_TAKEN, tries;

	r->seq = e->seq + 1;
	memcpy(r->prev, e->hash, sizeof(r->prev));
	strlcpy(r->chain_name, e->name, sizeof(r->chain_name));
	for (tries = 0; res == STORE_TAKEN && tries < 2; tries++) {
		if (tries > 0 && last_event(&audit.now.event) == -1)
			return (-1);
		r->event = audit.now.event + 1;
		chain_hash(r, r->hash);
		res = insert(r);
	}
	if (res != 0)
		return (-1);
	audit.now.event = r->event;
	e->seq = r->seq;
	memcpy(e->hash, r->hash, sizeof(e->hash));
	return (0);
}

static int
name_add(int chain, const char *name)
{
	static struct query	q = QUERY("INSERT INTO audit_chains (chain,"
	    " name) VALUES (?, ?)");

	return (db_write(&q, "nT", chain, name) == 0 ? 0 : -1);
}

/* The first event says how much stood there before it, in no chain. */
static int
chain_begin(int chain, int64_t at)
{
	static struct audit_row	row;
	struct end		*e = &audit.now.end[chain];
	uint8_t			 id[ID_BYTES];
	char			 hex[2 * ID_BYTES + 1];

	randombytes_buf(id, sizeof(id));
	snprintf(e->name, sizeof(e->name), "%s-%s", chain_word(chain),
	    sodium_bin2hex(hex, sizeof(hex), id, sizeof(id)));
	chain_row(&row, chain, at, CHAIN_BEGIN, "done");
	if (audit.now.old > 0)
		snprintf(row.reason, sizeof(row.reason), "%lld events from "
		    "before, up to %lld, are in no chain",
		    (long long)audit.now.old, (long long)audit.now.old_event);
	return (name_add(chain, e->name) == -1 ? -1 : append(&row));
}

/* Where others write as well only the server knows behind which it comes. */
static int
append_there(const struct audit_row *r)
{
	static struct query	q = QUERY2("", "SELECT relayd.audit($1, $2,"
	    " $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,"
	    " $17, $18, $19)");

	return (db_write(&q, "nTittttTtttttTtiuuu", r->chain,
	    chain_word(r->chain), r->at, r->actor, r->impersonator,
	    r->token_id, r->address, r->action, r->session, r->service,
	    r->access, r->object, r->request, r->outcome, r->reason, r->count,
	    r->duration_ms, r->bytes_in, r->bytes_out));
}

int
store_audit(struct audit_row *r)
{
	if (db_is_shared())
		return (append_there(r));
	if (ends_read() == -1) {
		db_void();
		return (-1);
	}
	if (audit.now.end[r->chain].name[0] == '\0' &&
	    chain_begin(r->chain, r->at) == -1) {
		audit.now.known = 0;
		return (-1);
	}
	return (append(r));
}

/* --- reading --- */

#define COLUMNS								\
	"SELECT event, chain, ifnull((SELECT name FROM audit_chains c"	\
	" WHERE c.chain = e.chain), ''), seq, time, actor, impersonator,"	\
	" token_id, address, action, session_id, service, access_id,"	\
	" object, request_id, outcome, reason, count, duration_ms,"	\
	" bytes_in, bytes_out, prev, hash FROM audit_events e "

static void
text(struct query *q, int i, char *dst, size_t size, int *odd)
{
	size_t	len;

	(void)db_bytes(q, i, &len);
	*odd |= db_type(q, i) != 0 && db_type(q, i) != 't';
	db_text(q, i, dst, size);
	*odd |= strlen(dst) != len;
}

static int64_t
number(struct query *q, int i, int *odd)
{
	if (db_type(q, i) == 'i')
		return (db_int(q, i));
	*odd |= db_type(q, i) != 0;
	return (AUDIT_UNSAID);
}

static void
fill(struct query *q, struct audit_row *r)
{
	int	i = 0, *odd = &r->is_odd;

	memset(r, 0, sizeof(*r));
	r->event = db_int(q, i++);
	r->chain = db_type(q, i) == 0 ? CHAIN_NONE : (int)db_int(q, i);
	*odd |= db_type(q, i) == 'i' ? db_int(q, i) != r->chain ||
	    r->chain <= CHAIN_NONE : db_type(q, i) != 0;
	if (*odd && (r->chain <= CHAIN_NONE || r->chain >= CHAIN_COUNT))
		r->chain = CHAIN_COUNT;
	i++;
	text(q, i++, r->chain_name, sizeof(r->chain_name), odd);
	r->seq = number(q, i++, odd);
	r->at = number(q, i++, odd);
	text(q, i++, r->actor, sizeof(r->actor), odd);
	text(q, i++, r->impersonator, sizeof(r->impersonator), odd);
	text(q, i++, r->token_id, sizeof(r->token_id), odd);
	text(q, i++, r->address, sizeof(r->address), odd);
	text(q, i++, r->action, sizeof(r->action), odd);
	text(q, i++, r->session, sizeof(r->session), odd);
	text(q, i++, r->service, sizeof(r->service), odd);
	text(q, i++, r->access, sizeof(r->access), odd);
	text(q, i++, r->object, sizeof(r->object), odd);
	text(q, i++, r->request, sizeof(r->request), odd);
	text(q, i++, r->outcome, sizeof(r->outcome), odd);
	text(q, i++, r->reason, sizeof(r->reason), odd);
	r->count = number(q, i++, odd);
	r->duration_ms = number(q, i++, odd);
	r->bytes_in = number(q, i++, odd);
	r->bytes_out = number(q, i++, odd);
	*odd |= db_blob(q, i++, r->prev, sizeof(r->prev)) == -1 &&
	    r->chain != CHAIN_NONE;
	*odd |= db_blob(q, i++, r->hash, sizeof(r->hash)) == -1 &&
	    r->chain != CHAIN_NONE;
}

int
db_audit(const char *after, void (*add)(const struct audit_row *, void *),
    void *arg)
{
	static struct query	 q = QUERY(COLUMNS
	    "WHERE event > ?1 ORDER BY event LIMIT ?2");
	static struct audit_row	 row;
	int64_t			 from = strtoll(after, NULL, 10);
	int			 r;

	if (after[0] == '\0') {
		if (last_event(&from) == -1)
			return (-1);
		from -= STORE_EVENTS;
	}
	for (r = db_read(&q, "in", from, STORE_EVENTS); r == 0;
	    r = db_step(&q)) {
		fill(&q, &row);
		add(&row, arg);
	}
	return (r == STORE_NONE ? 0 : -1);
}

/* The one event of each chain that a statement has. */
static int
each_chain(struct query *q, void (*add)(const struct audit_row *, void *),
    void *arg, int heads)
{
	static struct audit_row	row;
	int			chain, r;

	for (chain = CHAIN_DONE; chain < CHAIN_COUNT; chain++) {
		if ((r = db_read(q, "n", chain)) == -1)
			return (-1);
		if (r == STORE_NONE)
			continue;
		fill(q, &row);
		db_done(q);
		if (heads && db_is_shared())
			audit.now.end[chain].seq = row.seq;
		add(&row, arg);
	}
	return (0);
}

/* The oldest of each. */
int
db_audit_tails(void (*add)(const struct audit_row *, void *), void *arg)
{
	static struct query	q = QUERY(COLUMNS
	    "WHERE chain = ? ORDER BY event LIMIT 1");

	return (each_chain(&q, add, arg, 0));
}

int
db_audit_heads(void (*add)(const struct audit_row *, void *), void *arg)
{
	static struct query	q = QUERY(COLUMNS
	    "WHERE chain = ? ORDER BY event DESC LIMIT 1");

	return (each_chain(&q, add, arg, 1));
}

/* --- what goes again --- */

/* The oldest of a chain, in order: how many go, and the last of these. */
static unsigned
purge_find(int chain, int64_t before, int64_t below, unsigned n,
    struct audit_row *last)
{
	static struct query	q = QUERY("SELECT event, seq, hash, action,"
	    " time FROM audit_events WHERE chain = ? ORDER BY event LIMIT ?");
	unsigned		found = 0;
	int			r;

	for (r = db_read(&q, "nn", chain, (int)n); r == 0; r = db_step(&q)) {
		if (db_int(&q, 4) >= before && db_int(&q, 1) >= below) {
			db_done(&q);
			break;
		}
		last->event = db_int(&q, 0);
		last->seq = db_int(&q, 1);
		(void)db_blob(&q, 2, last->hash, sizeof(last->hash));
		db_text(&q, 3, last->action, sizeof(last->action));
		found++;
	}
	/* What says that all before has gone would only be written again. */
	return (found == 1 && strcmp(last->action, CHAIN_PURGE) == 0 ? 0 :
	    found);
}

static int
purge_delete(int chain, int64_t event)
{
	static struct query	q = QUERY("DELETE FROM audit_events"
	    " WHERE chain = ? AND event <= ?");

	return (db_write(&q, "ni", chain, event));
}

unsigned
db_audit_purge(int chain, int64_t before, int64_t max, unsigned n)
{
	static struct audit_row	last, row;
	char			hex[HEX64_SIZE];

	/* Of a cluster's only one member comes here at a time. */
	if (db_is_shared())
		audit.now.known = 0;
	if (ends_read() == -1 || (n = purge_find(chain, before,
	    audit.now.end[chain].seq - max + 1, n, &last)) == 0 ||
	    purge_delete(chain, last.event) != 0)
		return (0);
	chain_row(&row, chain, clock_wall_ms(), CHAIN_PURGE, "done");
	row.count = n;
	snprintf(row.reason, sizeof(row.reason), CHAIN_PURGE_TO,
	    (long long)last.seq, chain_hex(last.hash, hex));
	count_by(CT_STORE_PURGED, n);
	audit.purged++;
	return (store_audit(&row) == 0 ? n : 0);
}

unsigned
db_audit_purge_old(int64_t before, unsigned n)
{
	static struct query	q = QUERY("DELETE FROM audit_events"
	    " WHERE event IN (SELECT e.event FROM audit_events e"
	    " WHERE e.chain IS NULL ORDER BY e.event LIMIT ?2) AND time < ?1");

	if (db_write_now(&q, "in", before, (int)n) != 0)
		return (0);
	n = db_changes();
	count_by(CT_STORE_PURGED, n);
	return (n);
}
