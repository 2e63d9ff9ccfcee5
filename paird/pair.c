/* SPDX-License-Identifier: ISC */
/* Clients, and sessions by code: pairing-protocol.md, sections 3, 6, 8, 9. */
#include <sodium.h>

#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "pair_int.h"

#define OPEN_MS		60000	/* a code can be joined */
#define LATE_MS		65000	/* its target is told, after its own timer */
#define IDLE_MS		120000
#define PING_MS		30000
#define SILENT_MS	90000
#define RATE_SECOND	50	/* messages of a client, */
#define RATE_BURST	200	/* data of a pair not counted */
#define OPERATIONS	30	/* of an address in a minute */
#define FAILURES	5
#define FAILURES_ALL	300	/* connects of everybody in a minute */
#define FAILED_MS	600000	/* so long it is remembered who */
#define CODE_LEN	6

void
pairs_init(const struct pair_ops *ops)
{
	memset(&pair, 0, sizeof(pair));
	pair.ops = ops;
	TAILQ_INIT(&pair.open);
	TAILQ_INIT(&pair.late);
	TAILQ_INIT(&pair.paired);
	TAILQ_INIT(&pair.watches);
	TAILQ_INIT(&pair.idle);
	TAILQ_INIT(&pair.heard);
	TAILQ_INIT(&pair.pinged);
	randombytes_buf(pair.key, sizeof(pair.key));
}

void
pairs_configure(const struct pair_limits *l)
{
	pair.limits = *l;
}

void
pairs_clear(void)
{
	place_clear();
}

const struct pair_count *
pairs_count(void)
{
	return (&pair.count);
}

/* What is said. */

static void
say(struct client *c, const char *text)
{
	pairs_send(c, text, strlen(text));
}

/* Its end: whatever it had has been taken from it before. */
static void
client_close(struct client *c, uint16_t code, const char *reason,
    uint64_t now)
{
	pairs_leave(c, now);
	pair.ops->close(c->io, code, reason);
}

/* Sessions. */

static struct sessions *
queue_of(const struct session *s)
{
	return (s->state == SESSION_OPEN ? &pair.open :
	    s->state == SESSION_LATE ? &pair.late : &pair.paired);
}

/* Nobody finds it any more. */
static void
session_uncode(struct session *s)
{
	index_del(&pair.by_code, &s->link);
	pair.count.sessions--;
}

/* The one way out. */
static void
session_end(struct session *s, uint64_t now)
{
	struct client	*t = s->target, *c = s->controller;

	if (s->state != SESSION_LATE)
		session_uncode(s);
	TAILQ_REMOVE(queue_of(s), s, entry);
	pair.count.paired -= s->state == SESSION_PAIRED;
	freezero(s, sizeof(*s));
	t->session = NULL;
	if (c != NULL) {
		c->session = NULL;
		pairs_busy(c, now);
	}
	pairs_busy(t, now);
}

static struct client *
counterpart(const struct client *c)
{
	const struct session	*s = c->session;

	return (s == NULL ? NULL : s->target == c ? s->controller :
	    s->target);
}

void *
pairs_counterpart(const struct client *c)
{
	const struct client	*other = counterpart(c);

	return (other != NULL ? other->io : NULL);
}

int
pairs_has_met(const struct client *c)
{
	const struct watch	*w;

	if ((c->session != NULL && c->session->state == SESSION_PAIRED) ||
	    c->given != NULL || c->pending)
		return (1);
	TAILQ_FOREACH(w, &c->watches, of_holder)
		if (w->given || w->asked > 0)
			return (1);
	return (0);
}

/* It has left its session, for whatever reason. */
static void
session_leave(struct client *c, uint64_t now)
{
	struct client	*other = counterpart(c);

	if (c->session == NULL)
		return;
	session_end(c->session, now);
	if (other != NULL)
		pairs_error(other, "peer_disconnected");
}

/* Both hear why, and are closed. */
static void
session_fail(struct session *s, const char *code, uint64_t now)
{
	struct client	*t = s->target, *c = s->controller;

	session_end(s, now);
	pairs_error(t, code);
	if (c != NULL)
		pairs_error(c, code);
	client_close(t, 1000, "", now);
	if (c != NULL)
		client_close(c, 1000, "", now);
}

static struct session *
session_find(const char *code)
{
	struct link	*l = index_find(&pair.by_code, pairs_key(code,
			    CODE_LEN));
	struct session	*s;

	for (; l != NULL; l = index_next(l)) {
		s = OWNER(l, struct session, link);
		if (sodium_memcmp(s->code, code, CODE_LEN) == 0)
			return (s);
	}
	return (NULL);
}

/* Six ASCII digits, as a string. */
static int
code_read(const struct json_value *v, char code[CODE_LEN + 1])
{
	size_t	i, units;

	if (json_string(v, code, CODE_LEN, &units) != CODE_LEN)
		return (-1);
	code[CODE_LEN] = '\0';
	for (i = 0; i < CODE_LEN; i++)
		if (code[i] < '0' || code[i] > '9')
			return (-1);
	return (0);
}

/* Both limits of its address, and everybody's: P6, P7. 0, or -1: told. */
static int
operation_allowed(struct client *c, uint64_t now)
{
	struct place	*p = c->place;

	if (window_full(&p->failures, FAILURES, now) ||
	    (p->failed != 0 && now - p->failed < FAILED_MS &&
	    window_full(&pair.failed, FAILURES_ALL + 1, now)) ||
	    window_hit(&p->operations, OPERATIONS, now) == -1) {
		pairs_error(c, "rate_limited");
		return (-1);
	}
	return (0);
}

static void
operation_failed(struct client *c, const char *code, uint64_t now)
{
	struct place	*p = c->place;

	(void)window_hit(&p->failures, FAILURES, now);
	p->failed = now != 0 ? now : 1;
	pairs_error(c, code);
}

static void
connect_failed(struct client *c, const char *code, uint64_t now)
{
	(void)window_hit(&pair.failed, FAILURES_ALL + 1, now);
	operation_failed(c, code, now);
}

static void
on_listen(struct client *c, const struct json_value *otc, uint64_t now)
{
	struct session	*s;
	char		 code[CODE_LEN + 1];

	if (code_read(otc, code) == -1) {
		pairs_error(c, "invalid_otc");
		return;
	}
	if (operation_allowed(c, now) == -1)
		return;
	session_leave(c, now);
	if (session_find(code) != NULL) {
		operation_failed(c, "otc_in_use", now);
		return;
	}
	if (pair.count.sessions >= pair.limits.max_sessions ||
	    (s = calloc(1, sizeof(*s))) == NULL) {
		pairs_error(c, "relay_capacity");
		return;
	}
	memcpy(s->code, code, sizeof(s->code));
	explicit_bzero(code, sizeof(code));
	s->target = c;
	s->since = now;
	index_add(&pair.by_code, &s->link, pairs_key(s->code, CODE_LEN));
	TAILQ_INSERT_TAIL(&pair.open, s, entry);
	pair.count.sessions++;
	c->session = s;
	pairs_busy(c, now);
	say(c, "{\"type\":\"ack\",\"message\":\"session_open\"}");
}

static void
on_connect(struct client *c, const struct json_value *otc, uint64_t now)
{
	struct session	*s;
	char		 code[CODE_LEN + 1];

	if (code_read(otc, code) == -1) {
		pairs_error(c, "invalid_otc");
		return;
	}
	if (operation_allowed(c, now) == -1)
		return;
	session_leave(c, now);		/* its own code is not there then */
	s = session_find(code);
	explicit_bzero(code, sizeof(code));
	if (s == NULL || s->controller != NULL) {
		connect_failed(c, s == NULL ? "otc_not_found" :
		    "peer_already_connected", now);
		return;
	}
	TAILQ_REMOVE(&pair.open, s, entry);
	s->state = SESSION_PAIRED;
	s->since = now;
	s->controller = c;
	TAILQ_INSERT_TAIL(&pair.paired, s, entry);
	pair.count.paired++;
	pair.count.pairings++;
	c->session = s;
	pairs_busy(c, now);
	say(s->target, "{\"type\":\"peer_found\"}");
	say(c, "{\"type\":\"peer_found\"}");
}

static void
on_data(struct client *c, const struct json_value *payload, uint64_t now)
{
	static char	 text[PAIR_MESSAGE_MAX + 64];
	struct client	*other = counterpart(c);
	size_t		 n;

	if (other == NULL) {
		pair.count.dropped++;
		return;
	}
	if (payload->kind != JSON_ABSENT) {
		c->session->volume += payload->len;
		if (c->session->volume > PAIR_VOLUME_MAX) {
			session_fail(c->session, "session_data_limit", now);
			return;
		}
	}
	pair.count.data++;
	if (payload->kind == JSON_ABSENT) {
		say(other, "{\"type\":\"data\"}");
		return;
	}
	n = strlcpy(text, "{\"type\":\"data\",\"payload\":", sizeof(text));
	memcpy(text + n, payload->s, payload->len);
	n += payload->len;
	text[n++] = '}';
	pairs_send(other, text, n);
}

static void
on_done(struct client *c, uint64_t now)
{
	struct client	*other = counterpart(c);

	if (c->session == NULL)
		return;
	session_end(c->session, now);
	if (other != NULL)
		say(other, "{\"type\":\"done\"}");
}

/* Clients. */

struct client *
pairs_open(uint64_t now, void *io, const struct addr *addr)
{
	struct client	*c;

	if (pair.count.clients >= pair.limits.max_clients ||
	    (c = calloc(1, sizeof(*c))) == NULL) {
		pair.count.refused++;
		return (NULL);
	}
	if ((c->place = place_enter(addr, now)) == NULL) {
		free(c);
		pair.count.refused++;
		return (NULL);
	}
	c->io = io;
	c->tokens = RATE_BURST * 1000;
	c->filled = c->idle = now;
	TAILQ_INIT(&c->watches);
	TAILQ_INIT(&c->asks);
	TAILQ_INSERT_TAIL(&pair.idle, c, by_idle);
	pair.count.clients++;
	return (c);
}

static void
client_heard(struct client *c, uint64_t now)
{
	if (!c->busy)
		return;
	c->heard = now;
	TAILQ_REMOVE(&pair.heard, c, by_heard);
	TAILQ_INSERT_TAIL(&pair.heard, c, by_heard);
}

/* 0, or -1: too fast, and closed. */
static int
client_rate(struct client *c, uint64_t now)
{
	uint64_t	gain = now - c->filled;

	/* What is full in 4 s need not be counted further. */
	c->tokens += (gain < 10000 ? gain : 10000) * RATE_SECOND;
	if (c->tokens > RATE_BURST * 1000)
		c->tokens = RATE_BURST * 1000;
	c->filled = now;
	if (c->tokens < 1000) {
		client_close(c, 1008, "rate limit", now);
		return (-1);
	}
	c->tokens -= 1000;
	return (0);
}

enum member { M_TYPE, M_OTC, M_PAYLOAD, M_JTI, M_TOKEN, M_TARGET, M_PUBLIC,
	M_CONTROLLER, M_SIG, M_ERROR, M_HASH, M_COUNT };

static int
is_type(const char *type, long len, const char *word)
{
	return (len == (long)strlen(word) &&
	    memcmp(type, word, (size_t)len) == 0);
}

static void
dispatch(struct client *c, const char *type, long len,
    const struct json_member *m, uint64_t now)
{
	const struct json_value	keys[2] = { m[M_PUBLIC].value,
	    m[M_CONTROLLER].value };

	if (is_type(type, len, "listen"))
		on_listen(c, &m[M_OTC].value, now);
	else if (is_type(type, len, "connect"))
		on_connect(c, &m[M_OTC].value, now);
	else if (is_type(type, len, "data"))
		on_data(c, &m[M_PAYLOAD].value, now);
	else if (is_type(type, len, "done"))
		on_done(c, now);
	else if (is_type(type, len, "bootstrap_watch"))
		boot_watch(c, &m[M_JTI].value, &m[M_HASH].value, now);
	else if (is_type(type, len, "bootstrap_init"))
		boot_init(c, &m[M_JTI].value, &m[M_TOKEN].value,
		    &m[M_TARGET].value, now);
	else if (is_type(type, len, "bootstrap_ack") ||
	    is_type(type, len, "bootstrap_reject"))
		boot_answer(c, is_type(type, len, "bootstrap_reject"),
		    &m[M_JTI].value, keys, &m[M_SIG].value,
		    &m[M_ERROR].value, now);
	else
		pairs_error(c, "unknown_type");
}

void
pairs_message(struct client *c, const char *s, size_t len, uint64_t now)
{
	struct json_member	m[M_COUNT] = { [M_TYPE] = { .name = "type" },
	    [M_OTC] = { .name = "otc" }, [M_PAYLOAD] = { .name = "payload" },
	    [M_JTI] = { .name = "jti" }, [M_TOKEN] = { .name = "token" },
	    [M_TARGET] = { .name = "targetPubKey" },
	    [M_PUBLIC] = { .name = "publicKey" },
	    [M_CONTROLLER] = { .name = "controllerPubKey" },
	    [M_SIG] = { .name = "controllerSig" },
	    [M_ERROR] = { .name = "error" }, [M_HASH] = { .name = "tokenHash" }
	};
	struct json_value	whole;
	char			type[32];
	size_t			units;
	long			n = -1;
	int			good;

	if (c->over)
		return;
	client_heard(c, now);
	good = json_read(s, len, &whole, m, M_COUNT) == 0;
	if (good)
		n = json_string(&m[M_TYPE].value, type, sizeof(type), &units);
	/* What a pair sends is held back by its volume and its reader. */
	if (!(n == 4 && memcmp(type, "data", 4) == 0 &&
	    counterpart(c) != NULL) && client_rate(c, now) == -1)
		return;
	if (!good)
		pairs_error(c, "invalid_message");
	else
		dispatch(c, type, n, m, now);
}

void
pairs_control(struct client *c, uint64_t now)
{
	if (c->over)
		return;
	client_heard(c, now);
	(void)client_rate(c, now);
}

void
pairs_leave(struct client *c, uint64_t now)
{
	if (c->over)
		return;
	session_leave(c, now);
	boot_leave(c, now);
	if (c->busy) {
		TAILQ_REMOVE(&pair.heard, c, by_heard);
		TAILQ_REMOVE(&pair.pinged, c, by_ping);
	} else
		TAILQ_REMOVE(&pair.idle, c, by_idle);
	c->over = 1;
}

void
pairs_gone(struct client *c, uint64_t now)
{
	pairs_leave(c, now);
	place_leave(c->place);
	pair.count.clients--;
	free(c);
}

/* Time. */

static void
sessions_tick(uint64_t now)
{
	struct session	*s;

	while ((s = TAILQ_FIRST(&pair.open)) != NULL &&
	    now - s->since >= OPEN_MS) {
		session_uncode(s);
		TAILQ_REMOVE(&pair.open, s, entry);
		s->state = SESSION_LATE;	/* its age goes on */
		TAILQ_INSERT_TAIL(&pair.late, s, entry);
	}
	while ((s = TAILQ_FIRST(&pair.late)) != NULL &&
	    now - s->since >= LATE_MS)
		session_fail(s, "otc_expired", now);
	while ((s = TAILQ_FIRST(&pair.paired)) != NULL &&
	    now - s->since >= pair.limits.paired_ms)
		session_fail(s, "session_expired", now);
}

static void
clients_tick(uint64_t now)
{
	struct client	*c;

	while ((c = TAILQ_FIRST(&pair.idle)) != NULL &&
	    now - c->idle >= IDLE_MS)
		client_close(c, 1001, "idle", now);
	while ((c = TAILQ_FIRST(&pair.heard)) != NULL &&
	    now - c->heard >= SILENT_MS) {
		if (pair.ops->is_held(c->io)) {
			client_heard(c, now);
			continue;
		}
		pairs_leave(c, now);
		pair.ops->drop(c->io);
	}
	while ((c = TAILQ_FIRST(&pair.pinged)) != NULL &&
	    now - c->pinged >= PING_MS) {
		c->pinged = now;
		TAILQ_REMOVE(&pair.pinged, c, by_ping);
		TAILQ_INSERT_TAIL(&pair.pinged, c, by_ping);
		pair.ops->ping(c->io);
	}
}

void
pairs_tick(uint64_t now)
{
	sessions_tick(now);
	boot_tick(now);
	clients_tick(now);
}

static uint64_t
sooner(uint64_t a, uint64_t b)
{
	return (a < b ? a : b);
}

uint64_t
pairs_due(void)
{
	const struct client	*c;
	const struct session	*s;
	uint64_t		 due = boot_due();

	if ((s = TAILQ_FIRST(&pair.open)) != NULL)
		due = sooner(due, s->since + OPEN_MS);
	if ((s = TAILQ_FIRST(&pair.late)) != NULL)
		due = sooner(due, s->since + LATE_MS);
	if ((s = TAILQ_FIRST(&pair.paired)) != NULL)
		due = sooner(due, s->since + pair.limits.paired_ms);
	if ((c = TAILQ_FIRST(&pair.idle)) != NULL)
		due = sooner(due, c->idle + IDLE_MS);
	if ((c = TAILQ_FIRST(&pair.heard)) != NULL)
		due = sooner(due, c->heard + SILENT_MS);
	if ((c = TAILQ_FIRST(&pair.pinged)) != NULL)
		due = sooner(due, c->pinged + PING_MS);
	return (due);
}
