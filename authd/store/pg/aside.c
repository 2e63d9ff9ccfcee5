/* SPDX-License-Identifier: ISC */
/*
 * What reads: each question runs in a fiber, which waits where it has asked the
 * server. A question waits for the turn that was being written when it was
 * put, so that it sees it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "base/log.h"
#include "authd/store/store.h"
#include "fiber.h"
#include "pg.h"

#define RUNNING_MAX	64	/* the others wait without a stack */
#define CURSORS		8	/* results that one reads at a time */

struct aside {
	TAILQ_ENTRY(aside)	 entry;
	struct fiber		*fiber;	/* NULL: not begun */
	void			(*fn)(void *);
	void			(*done)(void *);
	void			*arg;
	int			 is_cancelled;
	int			 is_early;	/* reads what others wait for */
	struct request		*request;	/* that is waited for */
	struct request		*answer;
	uint64_t		 behind;
	unsigned		 changes;
	struct cursor {
		struct query	*query;
		PGresult	*result;
		int		 row, rows;
	} cursor[CURSORS];
};
TAILQ_HEAD(asides, aside);

static struct {
	const struct server_ops	*ops;
	struct asides	 waiting;
	unsigned	 running;
	struct aside	*now;		/* whose fiber runs */
	struct requests	 unsent;
} asides = {
	.waiting = TAILQ_HEAD_INITIALIZER(asides.waiting),
	.unsent = TAILQ_HEAD_INITIALIZER(asides.unsent)
};

static void	aside_begin(struct aside *);

void
pg_aside_init(const struct server_ops *ops)
{
	asides.ops = ops;
}

static void
aside_main(void *arg)
{
	struct aside	*a = arg;

	a->fn(a->arg);
}

static void
aside_free(struct aside *a)
{
	unsigned	i;

	for (i = 0; i < CURSORS; i++)
		PQclear(a->cursor[i].result);
	request_free(a->answer);
	free(a);
}

static void
aside_next(void)
{
	struct aside	*a;

	while (asides.running < RUNNING_MAX &&
	    (a = TAILQ_FIRST(&asides.waiting)) != NULL) {
		TAILQ_REMOVE(&asides.waiting, a, entry);
		aside_begin(a);
	}
}

/* 1: it is over; who waits for it is told, here, on the loop's stack. */
static int
aside_run(struct aside *a)
{
	int	over;

	asides.now = a;
	over = fiber_run(a->fiber);
	asides.now = NULL;
	if (!over)
		return (0);
	asides.running--;
	if (!a->is_cancelled)
		a->done(a->arg);
	aside_free(a);
	return (1);
}

static void
aside_begin(struct aside *a)
{
	asides.running++;
	a->fiber = fiber_new(aside_main, a);
	if (a->fiber == NULL) {
		/* As a store that does not answer; on this stack. */
		a->is_cancelled = 1;
		asides.now = a;
		a->fn(a->arg);
		asides.now = NULL;
		asides.running--;
		a->done(a->arg);
		aside_free(a);
		return;
	}
	(void)aside_run(a);
}

static struct aside *
aside_make(void (*fn)(void *), void (*done)(void *), void *arg, int early,
    int *r)
{
	struct aside	*a = NULL;

	*r = fiber_now() != NULL || (a = calloc(1, sizeof(*a))) == NULL ||
	    (asides.running < RUNNING_MAX &&
	    (a->fiber = fiber_new(aside_main, a)) == NULL) ? -1 : 0;
	if (*r == -1) {
		free(a);
		return (NULL);
	}
	a->fn = fn;
	a->done = done;
	a->arg = arg;
	a->is_early = early;
	a->behind = turn_behind();
	if (a->fiber == NULL) {
		TAILQ_INSERT_TAIL(&asides.waiting, a, entry);
		return (a);
	}
	asides.running++;
	if (aside_run(a))
		return (NULL);
	asides.ops->dispatch();
	return (a);
}

struct aside *
aside_new(void (*fn)(void *), void (*done)(void *), void *arg, int *r)
{
	return (aside_make(fn, done, arg, 0, r));
}

struct aside *
aside_early(void (*fn)(void *), void (*done)(void *), void *arg, int *r)
{
	return (aside_make(fn, done, arg, 1, r));
}

void
aside_cancel(struct aside *a)
{
	struct request	*r = a->request, *u;

	if (a->fiber == NULL) {
		TAILQ_REMOVE(&asides.waiting, a, entry);
		aside_free(a);
		return;
	}
	a->is_cancelled = 1;
	a->request = NULL;
	if (r != NULL) {
		r->arg = NULL;
		TAILQ_FOREACH(u, &asides.unsent, entry)
			if (u == r)
				break;
		if (u != NULL) {
			TAILQ_REMOVE(&asides.unsent, r, entry);
			request_free(r);
		}
	}
	(void)aside_run(a);
	aside_next();
}

/* --- asking --- */

static void
aside_answered(struct request *r)
{
	struct aside	*a = r->arg;

	if (a == NULL) {
		request_free(r);
		return;
	}
	a->request = NULL;
	a->answer = r;
	(void)aside_run(a);
	aside_next();
}

void
aside_fail(struct requests *list)
{
	struct request	*r;

	while ((r = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, r, entry);
		if (r->batch != NULL || r->done == NULL) {
			request_free(r);
			continue;
		}
		strlcpy(r->state, "08006", sizeof(r->state));
		r->done(r);
	}
}

static struct request *
aside_ask(struct query *q, const char *types, va_list ap, int writes)
{
	struct aside	*a = asides.now;
	struct request	*r;
	struct params	*p;

	if (a == NULL || a->is_cancelled ||
	    (!a->is_early && !asides.ops->is_there()) ||
	    (p = params_new(types, ap)) == NULL ||
	    (r = request_new(q, p)) == NULL)
		return (NULL);
	r->done = aside_answered;
	r->arg = a;
	r->behind = a->behind;
	r->writes = writes;
	a->request = r;
	TAILQ_INSERT_TAIL(&asides.unsent, r, entry);
	fiber_wait();
	r = a->answer;
	a->answer = NULL;
	if (r != NULL && a->is_cancelled) {
		request_free(r);
		r = NULL;
	}
	return (r);
}

static struct cursor *
cursor_of(const struct query *q)
{
	unsigned	i;

	for (i = 0; asides.now != NULL && i < CURSORS; i++)
		if (asides.now->cursor[i].query == q)
			return (&asides.now->cursor[i]);
	return (NULL);
}

/* An id that is none is nobody's. */
static int
result_of(const struct request *r)
{
	if (r == NULL)
		return (-1);
	if (strcmp(r->state, "22P02") == 0)
		return (STORE_NONE);
	if (request_failed(r) == -1) {
		if (strncmp(r->state, "08", 2) != 0)
			log_warnx("store: %s: SQLSTATE %s", r->query->name,
			    r->state);
		return (-1);
	}
	return (0);
}

int
aside_read(struct query *q, const char *types, va_list ap)
{
	struct request	*r = aside_ask(q, types, ap, 0);
	struct cursor	*c;
	int		 res = result_of(r);

	if (res == 0 && PQntuples(r->result) == 0)
		res = STORE_NONE;
	if (res == 0 && (c = cursor_of(NULL)) == NULL)
		res = -1;
	if (res == 0) {
		c->query = q;
		c->result = r->result;
		c->row = 0;
		c->rows = PQntuples(r->result);
		r->result = NULL;
	}
	request_free(r);
	return (res);
}

int
aside_write(struct query *q, const char *types, va_list ap)
{
	struct request	*r = aside_ask(q, types, ap, 1);
	int		 res = result_of(r);

	if (res == 0)
		asides.now->changes =
		    (unsigned)strtoul(PQcmdTuples(r->result), NULL, 10);
	request_free(r);
	return (res == STORE_NONE ? -1 : res);
}

unsigned
aside_changes(void)
{
	return (asides.now != NULL ? asides.now->changes : 0);
}

void
aside_done(struct query *q)
{
	struct cursor	*c = cursor_of(q);

	if (c == NULL)
		return;
	PQclear(c->result);
	memset(c, 0, sizeof(*c));
}

int
aside_step(struct query *q)
{
	struct cursor	*c = cursor_of(q);

	if (c != NULL && ++c->row < c->rows)
		return (0);
	aside_done(q);
	return (STORE_NONE);
}

const char *
aside_value(struct query *q, int i, size_t *len, unsigned *type)
{
	struct cursor	*c = cursor_of(q);

	*len = 0;
	if (c == NULL || PQgetisnull(c->result, c->row, i))
		return (NULL);
	*len = (size_t)PQgetlength(c->result, c->row, i);
	if (type != NULL)
		*type = PQftype(c->result, i);
	return (PQgetvalue(c->result, c->row, i));
}

struct requests *
aside_unsent(void)
{
	return (&asides.unsent);
}
