/* SPDX-License-Identifier: ISC */
#ifndef CONN_H
#define CONN_H

#include <sys/queue.h>
#include <sys/uio.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include <stdint.h>

#include "imsg/call.h"
#include "addr.h"
#include "buf.h"
#include "base/clock.h"
#include "http/head.h"
#include "imsg/msg.h"

struct api_call;
struct conf;
struct grant;
struct upstream;

/*
 * One accepted connection and the one request that is being answered on it.
 * Whatever is parsed next waits until that answer is out.
 */

enum conn_state {
	CONN_HEAD,		/* reading a request head, or idle */
	CONN_API_BODY,		/* reading an API call's body */
	CONN_WAIT,		/* authd has been asked */
	CONN_PROXY,		/* an exchange with a service runs */
	CONN_RAW,		/* bytes both ways, after a 101 */
	CONN_FLUSH,		/* the last answer is on its way out */
	CONN_LINGER,		/* all said; what still comes is thrown away */
	CONN_DEAD		/* closed; freed after this turn */
};

#define CONN_HEAD_MS	10000	/* operator-api.md, 12 */
#define CONN_BODY_MS	30000
#define CONN_IDLE_MS	75000	/* between requests */
#define CONN_LINGER_MS	3000
#define CONN_API_MS	15000	/* a hung answer; authd's own limit is 10 s */

/* How far a body has come in one direction. */
enum flow_kind { FLOW_NONE, FLOW_LENGTH, FLOW_CHUNKED, FLOW_TO_CLOSE };

struct flow {
	enum flow_kind		kind;
	int			done;	/* its last byte is known */
	uint64_t		left;	/* FLOW_LENGTH: bytes to come */
	size_t			ready;	/* bytes in the buffer that may go */
	struct httphead_chunk	chunk;
};

/* The exchange with a service (forward.c). */
struct exch {
	struct upstream		*st;
	struct flow		 up, down;
	struct httphead_scan	 scan;	/* of the response head */
	struct buf		*head;	/* of the request head, not written */
	char			*origin;	/* a sibling's, for CORS */
	size_t			 head_len;	/* held in conn's buffer */
	unsigned int		 interims;	/* 1xx so far, their bytes */
	size_t			 interim_len;
	int			 method;
	enum { X_LINE, X_HEAD, X_BODY } phase;
	unsigned int		 upgrade:1, http10:1, keep:1, repeatable:1,
				 retried:1, up_failed:1, responded:1, reuse:1,
				 dechunk:1, started:1;
};

struct conn {
	TAILQ_ENTRY(conn)	 entry;
	/* set once */
	int			 fd;
	uint32_t		 listen_flags;
	struct addr		 peer;
	int			 trusted;	/* peer is a trusted proxy */
	struct event		 ev_read, ev_write;
	struct timer		 timer;
	/* state */
	enum conn_state		 state;
	uint64_t		 deadline_ms;
	unsigned int		 classified:1, reading:1, writing:1, eof:1,
				 parsing:1;
	struct buf		*in;
	struct httphead_scan	 scan;
	char			*out;		/* what could not be written */
	size_t			 out_off, out_len;
	/* the request */
	struct addr		 addr;		/* of the client */
	unsigned int		 is_head:1, keep:1, html:1, body_left:1;
	/* who is asked */
	struct call		 call;		/* what authd is asked */
	struct grant		*waiting;
	TAILQ_ENTRY(conn)	 wait_entry;
	struct grant		*opening;	/* a stream of it */
	char			 service[SERVICE_SIZE];
	unsigned int		 tried;		/* tokens refused so far */
	int			 refused;	/* status of the last one */
	char			*refusal;
	struct api_call		*api;
	struct exch		 x;
	struct httphead_chunk	 dechunk;	/* for HTTP/1.0 */
	/* the last token and its grant, so that one compare finds it again */
	struct grant		*memo;
	char			*memo_token;
	size_t			 memo_len;
	char			 memo_slug[SLUG_SIZE];
};

/* Listeners: set up before the loop, opened by conn_run(). fd is taken. */
int	conn_listen(int fd, uint32_t flags);
void	conn_run(void);
/* Settings have changed: parse the networks again. 0, or -1 and `why`. */
int	conn_configure(const struct conf *, const char **why);
/* Stop accepting and finish; proc_exit() when the last one is done. */
void	conn_stop(void);
/* Free what was closed in this turn. */
void	conn_reap(void);

/* Descriptors in use change by `n`: accepting pauses when they run out. */
void	conn_fds(int n);

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
/* Run the held request again: what it waited for is decided. */
void	conn_resume(struct conn *);

/*
 * Write, and keep what does not go. 0, or -1: the connection is closed. The
 * vector is changed.
 */
int	conn_writev(struct conn *, struct iovec *, int n);
/* The system call under it: bytes, or -1 with errno. */
ssize_t	conn_sendv(int fd, struct iovec *, int n);
/* Try to write what is kept. 1: all out, 0: some left, -1: closed. */
int	conn_flush(struct conn *);
/*
 * Read more into c->in. Bytes read, 0 at the end, -1 with errno; ENOBUFS when
 * it is full.
 */
long	conn_read(struct conn *);
void	conn_reading(struct conn *, int on);
void	conn_writing(struct conn *);
/* clock_ms() as it was when this turn of the loop first asked. */
uint64_t conn_now(void);
/* Not later than `ms` from now something has to have happened. */
void	conn_deadline(struct conn *, uint64_t ms);

/* The client's address for messages and limits. */
void	conn_addr_key(const struct conn *, uint8_t key[16]);

#endif
