/* SPDX-License-Identifier: ISC */
#ifndef PG_H
#define PG_H

#include <sys/queue.h>

#include <libpq-fe.h>
#include <stdarg.h>
#include <stdint.h>

#include "authd/store/sql/db.h"
#include "param.h"

/*
 * Inside the PostgreSQL engine. Connections are in pipeline mode: whatever is
 * sent is a request with a Sync behind it, so that an error is its own, and
 * results come in the order of requests. The first connection writes, and
 * nothing else does; the others read.
 */

/* conn.c */

/* Milliseconds of the server's time: a test's moved clock is not its own. */
uint64_t	 pg_ms(void);

struct conn;
struct batch;

struct request {
	TAILQ_ENTRY(request)	 entry;
	struct query		*query;
	struct params		*params;
	struct batch		*batch;	/* or a turn's statements */
	void			(*done)(struct request *);
	void			*arg;
	int			 writes; /* by itself, in no turn */
	uint64_t		 sent_ms;
	uint64_t		 behind; /* which turn has to be over before */
	int			 again;	/* it was sent before */
	/* what came back */
	unsigned		 step;	/* commands that are answered */
	PGresult		*result; /* the last, NULL: none */
	char			 state[6]; /* SQLSTATE of the first error */
	unsigned		 failed_at;
};
TAILQ_HEAD(requests, request);

/*
 * What happens on the way: of the connection that writes (w 1) or one that
 * reads.
 */
struct conn_ops {
	void	(*ready)(struct conn *);	/* it may be sent to */
	void	(*lost)(struct conn *, const char *why);
	void	(*done)(struct conn *);		/* with what there was to read */
};
struct conn	*pg_conn_new(const struct conn_ops *);
/* Begins; ready or lost is called later. -1: not even that. */
int		 conn_connect(struct conn *, const char *const *keys,
		    const char *const *values);
/* Its requests are left in `orphans`, in order. */
void		 pg_conn_close(struct conn *, struct requests *orphans);
int		 conn_is_ready(const struct conn *);
int		 conn_is_off(const struct conn *);
unsigned	 conn_load(const struct conn *);
/* How long the oldest that it was sent (or the connecting) has waited. */
uint64_t	 conn_waits_ms(const struct conn *);
/* -1: it is lost. */
int		 conn_send(struct conn *, struct request *);
/* Read and write what there is, without waiting; 1: it is lost. */
int		 conn_pump(struct conn *);
int		 conn_fd(const struct conn *);

struct request	*request_new(struct query *, struct params *);
void		 request_free(struct request *);
/* 0: it did what it should; -1. */
int		 request_failed(const struct request *);

/* batch.c: the statements of one turn */

struct statement {
	STAILQ_ENTRY(statement)	 entry;
	struct query		*query;
	struct params		*params;
	int			 was_none;	/* it came back without a row */
};
STAILQ_HEAD(statements, statement);

struct batch {
	struct statements	 list;
	unsigned		 n;
	int64_t			 serial;	/* a random number */
};
struct batch	*batch_new(void);
void		 batch_free(struct batch *);
int		 batch_add(struct batch *, struct query *, struct params *);
void		 batch_last_first(struct batch *);
struct statement *batch_at(struct batch *, unsigned);
void		 batch_drop(struct batch *, struct statement *);

/*
 * What the files below pg.c ask and tell it, given before anything else is
 * called of them.
 */
struct server_ops {
	/* NULL: none that may be sent to just now. */
	struct conn	*(*writer)(void);
	/* Is it up, or was a moment ago? */
	int		 (*is_there)(void);
	/* It is not: whoever waits is told. */
	void		 (*down)(const char *why);
	/* Connect anew; who waits waits on for a while. */
	void		 (*again)(const char *why);
	/* Send what may be sent. */
	void		 (*dispatch)(void);
};

/* turn.c: what is written */

void		 pg_turn_init(const struct server_ops *);
int		 turn_write(struct query *, const char *, va_list);
void		 turn_spoil(void);
int		 turn_has_writes(void);
void		 turn_send(void (*)(int, void *), void *);
/* There is a connection that writes, and nobody else has: what is known. */
void		 turn_resume(int64_t epoch, int64_t last);
/* Nothing of what is under way is said to be in the store. */
void		 turn_give_up(void);
/* How long somebody has waited for a commit, 0: nobody does. */
uint64_t	 turn_waits_ms(void);
/* The number up to which questions have to wait, and the one that is done. */
uint64_t	 turn_behind(void);
uint64_t	 turn_done(void);
/* Is one that was given up in the store after all? Then what makes it good. */
int		 turn_is_unsure(int64_t last);
void		 turn_settle(void);
/* The engine stops. */
void		 turn_clear(void);

/* apply.c */

extern const char	pg_schema[];
/* `connect` begins a connection beside the others. */
int		 apply_begin(PGconn *(*connect)(const char *options,
		    const char *name), void (*)(const char *, void *), void *);

/* aside.c: what reads */

void		 pg_aside_init(const struct server_ops *);
struct aside	*aside_new(void (*)(void *), void (*)(void *), void *, int *);
/* Before the store is up. */
struct aside	*aside_early(void (*)(void *), void (*)(void *), void *, int *);
void		 aside_cancel(struct aside *);
int		 aside_read(struct query *, const char *, va_list);
int		 aside_write(struct query *, const char *, va_list);
unsigned	 aside_changes(void);
int		 aside_step(struct query *);
void		 aside_done(struct query *);
/* The row that is at hand. */
const char	*aside_value(struct query *, int, size_t *len, unsigned *type);
/* What waits to be sent, in order. */
struct requests	*aside_unsent(void);
/* Nobody gets an answer: those that wait are told. */
void		 aside_fail(struct requests *);

#endif
