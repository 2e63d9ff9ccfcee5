/* SPDX-License-Identifier: ISC */
/*
 * The engine of a PostgreSQL server: its connections, and whether it is there.
 * It connects without waiting, looks which schema there is, makes a new epoch
 * for who writes (turn.c), reads where the audit log's chains end, and is up.
 * A connection that is lost is made anew at once, and who waits waits on; a
 * server that is not back in a moment, or does not answer, is down, and
 * whoever waits is told.
 */
#include <sys/socket.h>

#include <limits.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "metrics/count.h"
#include "authd/store/sql/engine.h"
#include "authd/store/store.h"
#include "pg.h"
#include "where.h"

#define CONNS_MAX	16
#define TICK_MS		50
#define ANSWER_MS	1400	/* a server that takes longer hangs */
#define GRACE_MS	1200	/* without one, before that is said */
#define RETRY_MS	200	/* between two attempts to connect */
#define SCHEMA_MS	1000	/* where tables are missing */
#define FINISH_MS	2000	/* when we stop */
#define PASSWORD_MAX	512

#define OPTIONS								\
	"-c search_path=relayd,public -c jit=off -c statement_timeout=1300" \
	" -c client_min_messages=error"					\
	" -c idle_in_transaction_session_timeout=5000"			\
	" -c TimeZone=UTC -c DateStyle=ISO -c bytea_output=hex"		\
	" -c standard_conforming_strings=on"				\
	" -c default_transaction_isolation=read\\ committed"

enum pg_state { P_OFF, P_CONNECTING, P_ASKING, P_LOADING, P_UP };

static void	writer_ready(struct conn *);
static void	writer_lost(struct conn *, const char *);
static void	reader_ready(struct conn *);
static void	reader_lost(struct conn *, const char *);
static void	conn_done(struct conn *);
static struct conn	*pg_writer(void);
static int	pg_is_there(void);
static void	pg_down(const char *);
static void	pg_again(const char *);
static void	pg_dispatch(void);
static void	pg_tick(void *);

static const struct conn_ops	writer_ops = { .ready = writer_ready,
    .lost = writer_lost, .done = conn_done };
static const struct conn_ops	reader_ops = { .ready = reader_ready,
    .lost = reader_lost, .done = conn_done };
static const struct server_ops	to_server = { .writer = pg_writer,
    .is_there = pg_is_there, .down = pg_down, .again = pg_again,
    .dispatch = pg_dispatch };

static struct {
	char		 password[PASSWORD_MAX], ca[PATH_MAX];
	PQconninfoOption *options;
	unsigned	 nconns;		/* the first writes */
	struct conn	*conn[CONNS_MAX];
	enum pg_state	 state;
	int		 was_up;		/* once */
	int		 down, said;
	int		 is_unsure;
	int		 version;		/* of its schema, -1: unknown */
	int		 load;			/* of where the chains end */
	uint64_t	 lost_ms, tried_ms;
	char		 why_not[256];
	struct timer	 tick;
} pg = { .nconns = 5, .down = 1, .version = -1 };

/* --- where it is --- */

int
store_server(const char *conninfo, unsigned conns)
{
	char	*err = NULL;

	pg.nconns = conns < 2 ? 2 : conns > CONNS_MAX ? CONNS_MAX : conns;
	PQconninfoFree(pg.options);
	pg.options = PQconninfoParse(conninfo, &err);
	if (pg.options == NULL)
		snprintf(pg.why_not, sizeof(pg.why_not), "%.150s",
		    err != NULL ? err : "out of memory");
	PQfreemem(err);
	timer_init(&pg.tick, pg_tick, NULL);
	pg_turn_init(&to_server);
	pg_aside_init(&to_server);
	db_use(&pg_engine);
	return (pg.options == NULL ? -1 : 0);
}

int
store_server_password(const char *s, size_t len)
{
	if (len >= sizeof(pg.password) || memchr(s, '\0', len) != NULL)
		return (-1);
	memcpy(pg.password, s, len);
	pg.password[len] = '\0';
	pg.password[strcspn(pg.password, "\r\n")] = '\0';
	return (0);
}

void
store_server_ca(const char *path)
{
	strlcpy(pg.ca, path, sizeof(pg.ca));
}

static const char *
ca_file(void)
{
	return (pg.ca[0] != '\0' ? pg.ca : NULL);
}

static int
connect_one(struct conn *c, int writes)
{
	struct where	w;
	char		name[32 + MEMBER_SIZE];

	/* Who else writes under this name is ended: relayd.fence(). */
	snprintf(name, sizeof(name), "relayd writes%s%s",
	    db_member()[0] != '\0' ? " " : "", db_member());
	where_fill(&w, pg.options, pg.password, ca_file(), OPTIONS, writes ?
	    name : "relayd reads");
	return (conn_connect(c, w.key, w.value));
}

static PGconn *
pg_connect(const char *options, const char *name)
{
	struct where	w;

	where_fill(&w, pg.options, pg.password, ca_file(), options, name);
	return (PQconnectStartParams(w.key, w.value, 0));
}

/* --- what may be sent --- */

static struct conn *
pg_writer(void)
{
	return (pg.state >= P_LOADING && conn_is_ready(pg.conn[0]) ?
	    pg.conn[0] : NULL);
}

static int
pg_is_there(void)
{
	return (!pg.down);
}

static struct conn *
reader(void)
{
	struct conn	*c, *best = NULL;
	unsigned	 i;

	for (i = 1; i < pg.nconns; i++) {
		c = pg.conn[i];
		if (c != NULL && conn_is_ready(c) && (best == NULL ||
		    conn_load(c) < conn_load(best)))
			best = c;
	}
	return (best);
}

static void
tick_soon(void)
{
	if (!timer_is_set(&pg.tick))
		timer_set(&pg.tick, TICK_MS);
}

static void
pg_dispatch(void)
{
	struct request	*r, *next;
	struct conn	*c;

	if (pg.state < P_LOADING)
		return;
	for (r = TAILQ_FIRST(aside_unsent()); r != NULL; r = next) {
		next = TAILQ_NEXT(r, entry);
		if (r->behind > turn_done())
			continue;
		if ((c = r->writes ? pg_writer() : reader()) == NULL)
			continue;
		TAILQ_REMOVE(aside_unsent(), r, entry);
		if (conn_send(c, r) == -1) {
			pg_again("cannot send");
			return;
		}
	}
	tick_soon();
}

/* --- up and down --- */

static void
close_all(void)
{
	struct requests	 left = TAILQ_HEAD_INITIALIZER(left), fail, back;
	struct request	*r;
	unsigned	 i;

	for (i = 0; i < pg.nconns; i++)
		if (pg.conn[i] != NULL)
			pg_conn_close(pg.conn[i], &left);
	TAILQ_INIT(&fail);
	TAILQ_INIT(&back);
	while ((r = TAILQ_FIRST(&left)) != NULL) {
		TAILQ_REMOVE(&left, r, entry);
		if (r->batch == NULL && r->done != NULL && r->arg != NULL &&
		    !r->writes && !r->again++)
			TAILQ_INSERT_TAIL(&back, r, entry);
		else
			TAILQ_INSERT_TAIL(&fail, r, entry);
	}
	TAILQ_CONCAT(&back, aside_unsent(), entry);
	TAILQ_CONCAT(aside_unsent(), &back, entry);
	pg.state = P_OFF;
	aside_fail(&fail);
}

static void
pg_again(const char *why)
{
	if (why != NULL && pg.was_up)
		log_debug("store: %s", why);
	if (why != NULL)
		strlcpy(pg.why_not, why, sizeof(pg.why_not));
	if (pg.lost_ms == 0)
		pg.lost_ms = pg_ms();
	close_all();
	tick_soon();
}

static void
tell_down(void)
{
	pg.down = 1;
	count(CT_STORE_ERROR);
	if (!pg.said && pg.was_up)
		log_warnx("store: down: %s", pg.why_not);
	pg.said |= pg.was_up;
	turn_give_up();
	aside_fail(aside_unsent());
}

static void
pg_down(const char *why)
{
	pg_again(why);
	tell_down();
}

static void
is_up(void)
{
	pg.state = P_UP;
	pg.down = 0;
	pg.lost_ms = 0;
	pg.why_not[0] = '\0';
	if (pg.said)
		log_info("store: back");
	else if (!pg.was_up)
		log_info("store: PostgreSQL, schema %d", STORE_SCHEMA);
	pg.said = 0;
	pg.was_up = 1;
	if (pg.is_unsure)
		turn_settle();
	pg.is_unsure = 0;
	pg_dispatch();
}

/* --- from a connection that is there to a store that is up --- */

static struct query	ask_tables = { .name = "tables",
    .pg = "SELECT 1 WHERE to_regclass('relayd.schema_version') IS NOT NULL" };
static struct query	ask_version = { .name = "version",
    .pg = "SELECT version, coalesce((to_jsonb(v) ->> 'major')::integer, 1)"
    " FROM relayd.schema_version v" };
static struct query	ask_others = { .name = "others",
    .pg = "SELECT relayd.others_write($1)" };
/*
 * Who writes as us now, elsewhere: its beat is as good as one of a member's. Of
 * our own place, or that of before an upgrade, is who was there before us,
 * unless its connection comes from another machine.
 */
static struct query	ask_twin = { .name = "twin",
    .pg = "SELECT m.address, m.port FROM relayd.members m WHERE m.name = $1"
    " AND relayd.now_ms() - m.beat_at < $4"
    " AND ((m.address, m.port) NOT IN (($2, $3), ($5, $6))"
    " OR EXISTS (SELECT 1 FROM pg_stat_activity a"
    " WHERE a.application_name = 'relayd writes ' || $1"
    " AND a.datname = current_database() AND a.usename = current_user"
    " AND a.pid <> pg_backend_pid()"
    " AND a.client_addr IS DISTINCT FROM inet_client_addr()))" };
static struct query	ask_fence = { .name = "fence",
    .pg = "SELECT epoch, last FROM relayd.fence()" };
static struct query	ask_member_fence = { .name = "member_fence",
    .pg = "SELECT epoch, last FROM relayd.fence($1)" };

static void
load_ends(void *arg)
{
	(void)arg;
	pg.load = db_audit_load();
}

static void
loaded_ends(void *arg)
{
	(void)arg;
	if (pg.state != P_LOADING)
		return;
	if (pg.load == 0)
		is_up();
	else
		pg_again("the audit log cannot be read");
}

/* What waits for a commit comes before what reads. */
static void
fenced(struct request *r)
{
	int64_t	epoch, last;
	int	res;

	if (request_failed(r) == -1 || PQntuples(r->result) != 1) {
		pg_again(r->state[0] != '\0' ? r->state : "no writer");
		request_free(r);
		return;
	}
	epoch = strtoll(PQgetvalue(r->result, 0, 0), NULL, 10);
	last = strtoll(PQgetvalue(r->result, 0, 1), NULL, 10);
	request_free(r);
	pg.state = P_LOADING;
	pg.is_unsure = turn_is_unsure(last);
	if (turn_waits_ms() != 0 || !pg.down) {
		is_up();
		turn_resume(epoch, last);
		return;
	}
	turn_resume(epoch, last);
	(void)aside_early(load_ends, loaded_ends, NULL, &res);
	if (res == -1)
		pg_again("out of memory");
}

static int
ask(struct query *q, void (*done)(struct request *), const char *types, ...)
{
	struct params	*p;
	struct request	*r;
	va_list		 ap;

	va_start(ap, types);
	p = types[0] != '\0' ? params_new(types, ap) : calloc(1, sizeof(*p));
	va_end(ap);
	r = p != NULL ? request_new(q, p) : NULL;

	if (r == NULL)
		return (-1);
	r->done = done;
	return (conn_send(pg.conn[0], r));
}

/* Somebody has to do something about it: it is looked at now and then. */
static void
not_so(void)
{
	pg_again(NULL);
	pg.tried_ms = pg_ms() + SCHEMA_MS - RETRY_MS;
}

static void
wrong_version(int v, int major)
{
	pg.version = v;
	if (major > STORE_MAJOR)
		snprintf(pg.why_not, sizeof(pg.why_not), "its schema is %d, "
		    "which is one of a later major version: this relayd is "
		    "too old for it", v);
	else
		snprintf(pg.why_not, sizeof(pg.why_not), "its schema is %d, "
		    "this relayd needs %d: relayctl schema apply", v,
		    STORE_SCHEMA);
	not_so();
}

/* 1: the answer is good. */
static int
is_answer(struct request *r)
{
	if (request_failed(r) == 0)
		return (1);
	pg_again(r->state[0] != '\0' ? r->state : "no answer");
	return (0);
}

/*
 * Two of one name would take each other's turns, and nobody would know which has
 * a session. Who is there stays; the other waits until it beats no more.
 */
static void
twin_known(struct request *r)
{
	if (!is_answer(r)) {
		request_free(r);
		return;
	}
	if (PQntuples(r->result) == 1) {
		snprintf(pg.why_not, sizeof(pg.why_not), "another relayd is "
		    "member %s of this cluster, at %.60s port %.5s: each "
		    "needs a name of its own", db_member(),
		    PQgetvalue(r->result, 0, 0), PQgetvalue(r->result, 0, 1));
		not_so();
	} else if (ask(&ask_member_fence, fenced, "T", db_member()) == -1) {
		pg_again("cannot send");
	}
	request_free(r);
}

static int
ask_member(void)
{
	const char	*at, *was_at;
	int		 port, was_port;

	at = db_member_at(&port);
	was_at = db_member_was_at(&was_port);
	return (ask(&ask_twin, twin_known, "TTniTn", db_member(), at, port,
	    (int64_t)MEMBER_GONE_MS, was_at, was_port));
}

/* Members of a cluster share a database with each other and nobody else. */
static void
others_known(struct request *r)
{
	const char	*name = db_member();

	if (!is_answer(r)) {
		request_free(r);
		return;
	}
	if (PQntuples(r->result) == 1 && PQgetvalue(r->result, 0,
	    0)[0] == 't') {
		strlcpy(pg.why_not, name[0] != '\0' ?
		    "a relayd without \"cluster\" writes to it" :
		    "members of a cluster write to it, and this relayd is "
		    "none", sizeof(pg.why_not));
		not_so();
	} else if ((name[0] != '\0' ? ask_member() : ask(&ask_fence, fenced,
	    "")) == -1) {
		pg_again("cannot send");
	}
	request_free(r);
}

static int
number_at(const struct request *r, int column)
{
	return (PQntuples(r->result) != 1 ? 0 :
	    (int)strtol(PQgetvalue(r->result, 0, column), NULL, 10));
}

static void
versioned(struct request *r)
{
	if (is_answer(r)) {
		pg.version = number_at(r, 0);
		if (pg.version < STORE_SCHEMA ||
		    number_at(r, 1) > STORE_MAJOR)
			wrong_version(pg.version, number_at(r, 1));
		else if (ask(&ask_others, others_known, "T", db_member()) ==
		    -1)
			pg_again("cannot send");
	}
	request_free(r);
}

static void
tabled(struct request *r)
{
	if (is_answer(r)) {
		if (PQntuples(r->result) == 0)
			wrong_version(0, 0);
		else if (ask(&ask_version, versioned, "") == -1)
			pg_again("cannot send");
	}
	request_free(r);
}

static void
writer_ready(struct conn *c)
{
	(void)c;
	pg.state = P_ASKING;
	if (ask(&ask_tables, tabled, "") == -1)
		pg_again("cannot send");
}

static void
writer_lost(struct conn *c, const char *why)
{
	(void)c;
	pg_again(why);
}

static void
reader_ready(struct conn *c)
{
	(void)c;
}

/* The one that writes says whether the server is there. */
static void
reader_lost(struct conn *c, const char *why)
{
	struct requests	 left = TAILQ_HEAD_INITIALIZER(left);
	struct request	*r;

	log_debug("store: a connection that reads: %s", why);
	pg_conn_close(c, &left);
	while ((r = TAILQ_LAST(&left, requests)) != NULL) {
		TAILQ_REMOVE(&left, r, entry);
		if (r->done == NULL || r->arg == NULL)
			request_free(r);
		else
			TAILQ_INSERT_HEAD(aside_unsent(), r, entry);
	}
	tick_soon();
}

static void
conn_done(struct conn *c)
{
	(void)c;
	pg_dispatch();
}

static int
connect_all(void)
{
	unsigned	i;

	pg.tried_ms = pg_ms();
	for (i = 0; i < pg.nconns; i++) {
		if (pg.conn[i] == NULL)
			pg.conn[i] = pg_conn_new(i == 0 ? &writer_ops :
			    &reader_ops);
		if (pg.conn[i] == NULL)
			return (-1);
		if (!conn_is_off(pg.conn[i]))
			continue;
		if (i == 0)
			pg.state = P_CONNECTING;
		if (connect_one(pg.conn[i], i == 0) == -1) {
			pg_again("cannot connect");
			return (-1);
		}
	}
	return (0);
}

static int
hangs(void)
{
	unsigned	i;

	for (i = 0; i < pg.nconns; i++)
		if (pg.conn[i] != NULL &&
		    conn_waits_ms(pg.conn[i]) > ANSWER_MS)
			return (1);
	return (0);
}

static int
is_idle(void)
{
	unsigned	i;

	if (pg.state != P_UP || turn_waits_ms() > 0 ||
	    !TAILQ_EMPTY(aside_unsent()))
		return (0);
	for (i = 0; i < pg.nconns; i++)
		if (conn_is_off(pg.conn[i]) || conn_load(pg.conn[i]) > 0)
			return (0);
	return (1);
}

static void
pg_tick(void *arg)
{
	(void)arg;
	if (pg.options == NULL)
		return;
	if (hangs())
		pg_down("no answer");
	else if (!pg.down && ((pg.lost_ms != 0 &&
	    pg_ms() - pg.lost_ms > GRACE_MS) ||
	    turn_waits_ms() > ANSWER_MS)) {
		if (pg.state == P_UP)
			pg_again("no answer");
		tell_down();
	}
	if (pg.tried_ms == 0 || pg_ms() >= pg.tried_ms + RETRY_MS)
		(void)connect_all();
	pg_dispatch();
	if (!is_idle())
		tick_soon();
}

/* --- the engine --- */

static int
pg_open(const char *where)
{
	(void)where;
	if (pg.options == NULL)
		return (-1);
	if (pg.was_up)
		return (pg.down ? -1 : 0);
	if (pg.tried_ms == 0)
		pg_tick(NULL);
	return (pg.why_not[0] != '\0' ? -1 : STORE_NONE);
}

static const char *
pg_why_not(void)
{
	return (pg.why_not);
}

static void
pg_close(void)
{
	close_all();
	turn_clear();
	timer_del(&pg.tick);
	sodium_memzero(pg.password, sizeof(pg.password));
	pg.was_up = 0;
	pg.down = 1;
	pg.tried_ms = pg.lost_ms = 0;
}

static int
pg_is_up(void)
{
	return (pg.was_up && !pg.down);
}

/* We stop: there is no loop any more. */
static void
pg_finish(void)
{
	uint64_t	 end = pg_ms() + FINISH_MS;
	struct pollfd	 p = { .events = POLLIN };

	while (turn_waits_ms() != 0 && pg_ms() < end) {
		if (pg_writer() == NULL)
			break;
		p.fd = conn_fd(pg.conn[0]);
		if (poll(&p, 1, 100) == -1 || conn_pump(pg.conn[0]) == 1)
			break;
	}
	turn_give_up();
}

static int
pg_probe(void)
{
	return (pg_is_up() ? 0 : -1);
}

static uint64_t
pg_used(void)
{
	return (0);
}

static uint64_t
pg_spent_us(const char **slowest, uint64_t *most)
{
	*slowest = "";
	*most = 0;
	return (0);
}

static unsigned
pg_lost(void)
{
	return (0);
}

static void
pg_commit(void (*then)(int, void *), void *arg)
{
	turn_send(then, arg);
	pg_dispatch();
}

static void
pg_text(struct query *q, int i, char *dst, size_t size)
{
	size_t		 len;
	const char	*s = aside_value(q, i, &len, NULL);

	strlcpy(dst, s != NULL ? s : "", size);
}

static const char *
pg_bytes(struct query *q, int i, size_t *len)
{
	return (aside_value(q, i, len, NULL));
}

/* A yes is 1. */
static int64_t
pg_number(struct query *q, int i)
{
	size_t		 len;
	const char	*s = aside_value(q, i, &len, NULL);

	return (s == NULL ? 0 : s[0] == 't' ? 1 : strtoll(s, NULL, 10));
}

static int
pg_type(struct query *q, int i)
{
	unsigned	type;
	size_t		len;

	if (aside_value(q, i, &len, &type) == NULL)
		return (0);
	switch (type) {
	case 20:	/* int8, int4, int2, numeric */
	case 21:
	case 23:
	case 1700:
		return ('i');
	case 25:	/* text, varchar, uuid */
	case 1043:
	case 2950:
		return ('t');
	case 17:
		return ('b');
	}
	return ('?');
}

static int
pg_blob(struct query *q, int i, void *dst, size_t size)
{
	size_t		 len, n;
	const char	*s = aside_value(q, i, &len, NULL), *end;

	memset(dst, 0, size);
	if (s == NULL || pg_type(q, i) != 'b' || len != 2 + 2 * size ||
	    sodium_hex2bin(dst, size, s + 2, len - 2, NULL, &n, &end) == -1 ||
	    n != size) {
		memset(dst, 0, size);
		return (-1);
	}
	return (0);
}

static int
pg_apply(void (*then)(const char *, void *), void *arg)
{
	return (apply_begin(pg_connect, then, arg));
}

static int
pg_version(void)
{
	return (pg.version);
}

const struct engine	pg_engine = {
	.name = "postgresql", .version = pg_version, .apply = pg_apply,
	.open = pg_open, .why_not = pg_why_not, .close = pg_close,
	.is_up = pg_is_up, .has_writes = turn_has_writes,
	.commit_later = pg_commit, .finish = pg_finish, .probe = pg_probe,
	.used = pg_used, .spent_us = pg_spent_us, .lost = pg_lost,
	.spoil = turn_spoil, .write = turn_write, .write_now = aside_write,
	.changes = aside_changes, .read = aside_read, .step = aside_step,
	.done = aside_done, .text = pg_text, .bytes = pg_bytes,
	.number = pg_number, .type = pg_type, .blob = pg_blob,
	.aside = aside_new, .cancel = aside_cancel
};
