/* SPDX-License-Identifier: ISC */
#ifndef CONN_H
#define CONN_H

#include <sys/queue.h>
#include <sys/uio.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include <stdint.h>

#include "base/addr.h"
#include "buf.h"
#include "base/clock.h"
#include "base/request.h"
#include "net/crowd.h"
#include "plain.h"
#include "http/head.h"

/*
 * One accepted connection, and the job that answers its request. Whatever is
 * parsed next waits until that answer is out.
 */

enum conn_state {
	CONN_HEAD,		/* reading a request head, or idle */
	CONN_JOB,		/* its job goes on with it */
	CONN_FLUSH,		/* the last answer is on its way out */
	CONN_LINGER,		/* all said; what still comes is thrown away */
	CONN_DEAD		/* closed; freed after this turn */
};

#define CONN_HEAD_MS	10000	/* operator-api.md, 12 */
#define CONN_BODY_MS	30000
#define CONN_IDLE_MS	75000	/* between requests */
#define CONN_LINGER_MS	3000
#define CONN_LOOK_MS	500	/* from its end to a look whether it is there */
#define CONN_HALF_MS	60000	/* to another; of silence, if it cannot tell */

struct conn;
struct httphead;

/* The other side has closed: what is that to a job? */
enum left {
	LEFT_GONE,		/* its end: the connection closes */
	LEFT_READS,		/* some of the answer is out, the rest follows */
	LEFT_WAITS		/* none is: an interim one may go before it */
};

/*
 * What the connection's one request is being made into (proxyd/job). Every
 * call but `end` may close the connection or answer; NULL stands for what is
 * said beside it.
 */
struct job_ops {
	const char	*name;
	/* The socket can be read. NULL: conn_read(), then `more`. */
	void		(*readable)(struct conn *);
	/* There is more in c->in. NULL: it waits. */
	void		(*more)(struct conn *);
	/* The socket can be written. NULL: conn_flush(). */
	void		(*writable)(struct conn *);
	/* The deadline has passed. */
	void		(*expired)(struct conn *);
	/* Is what comes in part of a body, or raw? NULL: no. */
	int		(*in_body)(const struct conn *);
	/* Give back what the job holds: answered, or the connection closes. */
	void		(*end)(struct conn *);
	/*
	 * The other side has closed, and may have gone, or still wait for the
	 * answer. Called at once, and again while it waits, which is no reason
	 * to wait longer. NULL: LEFT_GONE.
	 */
	enum left	(*left)(struct conn *);
};

/* Above the door: who takes a request, and who says what is wrong with it. */
struct door_ops {
	/* A head is complete, at the start of c->in: answer, or conn_job(). */
	void		(*begin)(struct conn *, const struct httphead *);
	/* It was another job's, and is looked at once more: conn_again(). */
	void		(*again)(struct conn *, const struct httphead *);
	void		(*refuse)(struct conn *, int status, const char *why);
};

struct conn {
	TAILQ_ENTRY(conn)	 entry;
	/* set once */
	int			 fd;
	uint32_t		 listen_flags;
	struct addr		 peer;
	int			 trusted;	/* peer is a trusted proxy */
	struct plain		 plain;		/* whose TLS it comes out of */
	struct event		 ev_read, ev_write;
	struct timer		 timer, look;
	/* state */
	enum conn_state		 state;
	uint64_t		 deadline_ms;
	struct seat		 seat;
	unsigned int		 reading:1, writing:1, eof:1, parsing:1,
				 http10:1,	/* takes no interim answer */
				 large:1;	/* counts as a long head */
	struct buf		*in;
	struct httphead_scan	 scan;
	char			*out;		/* what could not be written */
	size_t			 out_off, out_len;
	/* the request */
	struct addr		 addr;		/* of the client */
	char			 request[REQUEST_SIZE];	/* its id */
	/* of its head, held in `in`; until it is dropped nothing there moves */
	size_t			 head_len;
	unsigned int		 is_head:1, keep:1, html:1, body_left:1,
				 again:1;	/* conn_again() was called */
	unsigned int		 status;	/* that we answered, 0: none */
	const struct job_ops	*job;		/* CONN_JOB */
	void			*work;		/* the job's */
	/* what a job leaves for the next request, and what frees it */
	void			*kept;
	void			(*kept_free)(void *);
};

/* Once, before the loop. `ops` lives on. */
void	conn_init(const struct door_ops *ops);
/* Room for one from here, others making it if need be? 0 or -1. */
int	conn_admit(const struct addr *, int trusted);
/* Close one that can be spared: 1, or 0: none can. */
int	conn_shed(void);
/* A connection was let in; fd is taken. `from`: from a tlsd, or NULL. */
void	conn_new(int fd, uint32_t flags, const struct addr *, int trusted,
	    const struct plain *from);
/* Finish; proc_exit() when the last one is done. Accepting has ended before. */
void	conn_stop(void);
/*
 * The next answer on each connection is its last; who says nothing any more may
 * take his time. Then none comes any more: exit with the last.
 */
void	conn_leave(void);
void	conn_shut(void);
/* No request begins (1); those that came meanwhile do (0). */
void	conn_pause(int on);
/* Free what was closed in this turn. */
void	conn_reap(void);

/* From here on these calls are for the request's job: `work` is its own. */
void	conn_job(struct conn *, const struct job_ops *, void *work);
/*
 * The session of this request has left under it: once more it is asked where
 * that is. Nothing of the request is dropped yet, its head is read anew; the
 * job has let go of all that it had.
 */
void	conn_again(struct conn *);

/* The one close; safe in any state, frees later. `reset` aborts it for TCP. */
void	conn_close(struct conn *, const char *why, int reset);
/* Take the descriptor out, to give it away; conn_close() has to follow. */
int	conn_detach(struct conn *);

/*
 * The answer to this request is written (but maybe waits in `out`): go on with
 * the next one, or close as the request asked.
 */
void	conn_answered(struct conn *);
/* Parse what is there, if the connection is free for it. */
void	conn_parse(struct conn *);

/*
 * Write, and keep what does not go. 0, or -1: the connection is closed. The
 * vector is changed.
 */
int	conn_writev(struct conn *, struct iovec *, int n);
/* The interim answer 100 (RFC 9110, 15.2.1): as conn_writev(). */
int	conn_continue(struct conn *);
/* The system call under it: bytes, or -1 with errno. */
ssize_t	conn_sendv(int fd, struct iovec *, int n);
/* Into what waits in `out`: the vector but for `done` bytes. 0, -1: no memory. */
int	conn_keep(struct conn *, const struct iovec *, int n, size_t done);
/* Try to write what is kept. 1: all out, 0: some left, -1: closed. */
int	conn_flush(struct conn *);
/*
 * Read more into c->in. Bytes read, 0 at the end, -1 with errno; ENOBUFS when
 * it is full.
 */
long	conn_read(struct conn *);
/*
 * The same for a job that reads on: bytes read; 0 when there are none now, when
 * c->in is full (it is not read any more), when the other side has closed and
 * the job's `left` waits, or when the connection has been closed, `gone` being
 * why if it was at its end.
 */
long	conn_take(struct conn *, const char *gone);
void	conn_reading(struct conn *, int on);
void	conn_writing(struct conn *);
/* For `left` of jobs that wait, or that say a thing of their own. */
enum left	conn_waits(struct conn *);
enum left	conn_reads(struct conn *);
/* Nothing of the other side is left to be read, nor will there be. */
int	conn_is_last(const struct conn *);
/* Not later than `ms` from now something has to have happened. */
void	conn_deadline(struct conn *, uint64_t ms);

#endif
