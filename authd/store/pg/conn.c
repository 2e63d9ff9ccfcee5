/* SPDX-License-Identifier: ISC */
/* One connection to the server: connecting, sending, results. */
#include <event2/event.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "dialect.h"
#include "pg.h"
#include "proc/proc.h"

#define QUERIES_MAX	256	/* statements that there are */
#define TEXT_MAX	16384

enum conn_state { OFF, CONNECTING, READY };

struct conn {
	const struct conn_ops	*ops;
	enum conn_state		 state;
	PGconn			*pg;
	struct event		*ev;
	int			 fd;
	short			 events;
	uint64_t		 since_ms;	/* connecting */
	struct requests		 sent;
	unsigned		 nsent;
	uint8_t			 prepared[QUERIES_MAX];
};

static unsigned	numbered;	/* statements that were used */

static void	conn_event(evutil_socket_t, short, void *);

uint64_t
pg_ms(void)
{
	struct timespec	ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000);
}

/* --- requests --- */

struct request *
request_new(struct query *q, struct params *p)
{
	struct request	*r = calloc(1, sizeof(*r));

	if (r == NULL) {
		params_free(p);
		return (NULL);
	}
	r->query = q;
	r->params = p;
	return (r);
}

void
request_free(struct request *r)
{
	if (r == NULL)
		return;
	PQclear(r->result);
	params_free(r->params);
	free(r);
}

int
request_failed(const struct request *r)
{
	return (r->state[0] != '\0' || (r->batch == NULL && r->result == NULL) ?
	    -1 : 0);
}

/* --- the connection --- */

struct conn *
pg_conn_new(const struct conn_ops *ops)
{
	struct conn	*c = calloc(1, sizeof(*c));

	if (c == NULL)
		return (NULL);
	c->ops = ops;
	c->fd = -1;
	TAILQ_INIT(&c->sent);
	return (c);
}

static void
unwatch(struct conn *c)
{
	if (c->ev != NULL)
		event_free(c->ev);
	c->ev = NULL;
	c->events = 0;
}

/* libpq may change its socket while it connects. */
static int
watch(struct conn *c, short events)
{
	int	fd = PQsocket(c->pg);

	if (c->ev != NULL && fd == c->fd && events == c->events)
		return (0);
	unwatch(c);
	c->fd = fd;
	c->events = events;
	c->ev = event_new(proc_base(), fd, events | EV_PERSIST, conn_event, c);
	return (c->ev != NULL && event_add(c->ev, NULL) == 0 ? 0 : -1);
}

int
conn_connect(struct conn *c, const char *const *keys,
    const char *const *values)
{
	memset(c->prepared, 0, sizeof(c->prepared));
	c->since_ms = pg_ms();
	c->pg = PQconnectStartParams(keys, values, 0);
	if (c->pg == NULL || PQstatus(c->pg) == CONNECTION_BAD ||
	    watch(c, EV_WRITE) == -1)
		return (-1);
	c->state = CONNECTING;
	return (0);
}

void
pg_conn_close(struct conn *c, struct requests *orphans)
{
	unwatch(c);
	PQfinish(c->pg);
	c->pg = NULL;
	c->state = OFF;
	c->fd = -1;
	c->nsent = 0;
	TAILQ_CONCAT(orphans, &c->sent, entry);
}

int
conn_is_ready(const struct conn *c)
{
	return (c->state == READY);
}

int
conn_is_off(const struct conn *c)
{
	return (c->state == OFF);
}

unsigned
conn_load(const struct conn *c)
{
	return (c->nsent);
}

int
conn_fd(const struct conn *c)
{
	return (c->fd);
}

uint64_t
conn_waits_ms(const struct conn *c)
{
	const struct request	*r = TAILQ_FIRST(&c->sent);

	if (c->state == CONNECTING)
		return (pg_ms() - c->since_ms);
	return (c->state == READY && r != NULL ? pg_ms() - r->sent_ms : 0);
}

/* The first line of what libpq says; it has no secrets. */
static void
lost(struct conn *c)
{
	char	why[256];

	strlcpy(why, PQerrorMessage(c->pg), sizeof(why));
	why[strcspn(why, "\n")] = '\0';
	c->ops->lost(c, why[0] != '\0' ? why : "connection lost");
}

static void
connecting(struct conn *c)
{
	switch (PQconnectPoll(c->pg)) {
	case PGRES_POLLING_READING:
		if (watch(c, EV_READ) == -1)
			lost(c);
		break;
	case PGRES_POLLING_WRITING:
		if (watch(c, EV_WRITE) == -1)
			lost(c);
		break;
	case PGRES_POLLING_OK:
		if (PQsetnonblocking(c->pg, 1) == -1 ||
		    PQenterPipelineMode(c->pg) == 0 || watch(c, EV_READ) == -1) {
			lost(c);
			break;
		}
		c->state = READY;
		c->ops->ready(c);
		break;
	default:
		lost(c);
	}
}

/* --- sending --- */

/* A statement's name on the server, which is its number here. */
static int
name_of(struct query *q, char name[16])
{
	if (q->number == 0) {
		if (numbered + 1 >= QUERIES_MAX)
			return (-1);
		q->number = ++numbered;
	}
	snprintf(name, 16, "q%u", q->number);
	return (0);
}

/* A request of its own, which succeeds or not whatever becomes of others. */
static int
send_prepare(struct conn *c, struct query *q, const struct params *p)
{
	static char	 text[TEXT_MAX];
	struct request	*r;
	char		 name[16];

	if (name_of(q, name) == -1)
		return (-1);
	if (c->prepared[q->number])
		return (0);
	if (dialect_pg(q->pg != NULL ? q->pg : q->sql, text,
	    sizeof(text)) == -1 || (r = request_new(q, NULL)) == NULL)
		return (-1);
	if (PQsendPrepare(c->pg, name, text, p->n, p->type) == 0 ||
	    PQpipelineSync(c->pg) == 0) {
		request_free(r);
		return (-1);
	}
	c->prepared[q->number] = 1;
	r->sent_ms = pg_ms();
	TAILQ_INSERT_TAIL(&c->sent, r, entry);
	c->nsent++;
	return (0);
}

static int
send_one(struct conn *c, struct query *q, const struct params *p)
{
	char	name[16];

	return (name_of(q, name) == 0 && PQsendQueryPrepared(c->pg, name, p->n,
	    p->value, p->length, p->format, 0) == 1 ? 0 : -1);
}

static int
send_text(struct conn *c, const char *sql)
{
	return (PQsendQueryParams(c->pg, sql, 0, NULL, NULL, NULL, NULL,
	    0) == 1 ? 0 : -1);
}

/* All that has to be known on the server goes ahead of the transaction. */
static int
send_batch(struct conn *c, struct batch *b)
{
	struct statement	*s;

	STAILQ_FOREACH(s, &b->list, entry)
		if (send_prepare(c, s->query, s->params) == -1)
			return (-1);
	if (send_text(c, "BEGIN") == -1)
		return (-1);
	STAILQ_FOREACH(s, &b->list, entry) {
		s->was_none = 0;
		if (send_one(c, s->query, s->params) == -1)
			return (-1);
	}
	return (send_text(c, "COMMIT"));
}

int
conn_send(struct conn *c, struct request *r)
{
	int	res;

	PQclear(r->result);
	r->result = NULL;
	r->state[0] = '\0';
	r->step = 0;
	if (r->batch != NULL)
		res = send_batch(c, r->batch);
	else if ((res = send_prepare(c, r->query, r->params)) == 0)
		res = send_one(c, r->query, r->params);
	r->sent_ms = pg_ms();
	TAILQ_INSERT_TAIL(&c->sent, r, entry);
	c->nsent++;
	if (res == -1 || PQpipelineSync(c->pg) == 0 || PQflush(c->pg) == -1)
		return (-1);
	return (watch(c, PQflush(c->pg) == 1 ? EV_READ | EV_WRITE : EV_READ));
}

/* --- results --- */

/* After an error a transaction is open on the server, which is of no use. */
static void
roll_back(struct conn *c)
{
	static struct query	q = { .sql = "ROLLBACK", .name = "rollback" };
	static struct params	none;
	struct request		*r = request_new(&q, NULL);

	if (r == NULL)
		return;
	if (send_prepare(c, &q, &none) == -1 || send_one(c, &q, &none) == -1 ||
	    PQpipelineSync(c->pg) == 0) {
		request_free(r);
		return;
	}
	r->sent_ms = pg_ms();
	TAILQ_INSERT_TAIL(&c->sent, r, entry);
	c->nsent++;
	(void)PQflush(c->pg);
}

static void
synced(struct conn *c, struct request *r)
{
	TAILQ_REMOVE(&c->sent, r, entry);
	c->nsent--;
	if (r->state[0] != '\0' && r->params == NULL && r->batch == NULL &&
	    r->done == NULL) {
		c->prepared[r->query->number] = 0;
		log_warnx("store: %s: SQLSTATE %s", r->query->name, r->state);
	}
	if (r->batch != NULL && r->state[0] != '\0')
		roll_back(c);
	if (r->done != NULL)
		r->done(r);
	else
		request_free(r);
}

static void
failed(struct request *r, const PGresult *res)
{
	const char	*state = PQresultErrorField(res, PG_DIAG_SQLSTATE);

	if (r->state[0] != '\0')
		return;
	strlcpy(r->state, state != NULL ? state : "XX000", sizeof(r->state));
	r->failed_at = r->step;
	log_debug("store: %s: SQLSTATE %s: %s", r->query != NULL ?
	    r->query->name : "turn", r->state,
	    PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY));
}

/* Behind BEGIN the statements, which are counted from there. */
static void
came_back(struct request *r, const PGresult *res)
{
	struct statement	*s;

	if (r->batch != NULL && r->step > 0 && PQntuples(res) == 0 &&
	    (s = batch_at(r->batch, r->step - 1)) != NULL)
		s->was_none = 1;
}

/* NULL ends the results of one command; two of them: no more for now. */
static void
results(struct conn *c)
{
	struct request	*r;
	PGresult	*res;
	int		 nulls = 0;

	while (c->state == READY && (r = TAILQ_FIRST(&c->sent)) != NULL &&
	    nulls < 2 && !PQisBusy(c->pg)) {
		if ((res = PQgetResult(c->pg)) == NULL) {
			r->step += nulls++ == 0;
			continue;
		}
		nulls = 0;
		switch (PQresultStatus(res)) {
		case PGRES_PIPELINE_SYNC:
			PQclear(res);
			synced(c, r);
			break;
		case PGRES_COMMAND_OK:
		case PGRES_TUPLES_OK:
			if (PQresultStatus(res) == PGRES_TUPLES_OK)
				came_back(r, res);
			PQclear(r->result);
			r->result = res;
			break;
		case PGRES_PIPELINE_ABORTED:
			PQclear(res);
			break;
		default:
			failed(r, res);
			PQclear(res);
		}
	}
}

int
conn_pump(struct conn *c)
{
	int	r;

	if (PQconsumeInput(c->pg) == 0) {
		lost(c);
		return (1);
	}
	results(c);
	if (c->state != READY)
		return (1);
	if ((r = PQflush(c->pg)) == -1 ||
	    watch(c, r == 1 ? EV_READ | EV_WRITE : EV_READ) == -1) {
		lost(c);
		return (1);
	}
	return (0);
}

static void
conn_event(evutil_socket_t fd, short what, void *arg)
{
	struct conn	*c = arg;

	(void)fd;
	(void)what;
	if (c->state == CONNECTING)
		connecting(c);
	else if (c->state == READY)
		(void)conn_pump(c);
	c->ops->done(c);
}
