/* SPDX-License-Identifier: ISC */
#ifndef CONN_H
#define CONN_H

#include <sys/queue.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include <stdint.h>

#include "base/addr.h"
#include "base/clock.h"
#include "net/crowd.h"
#include "net/net.h"
#include "sign.h"

/*
 * One connection: TLS on one side, and once something has come out of that, a
 * socketpair on the other, whose far end a proxyd has.
 */

enum conn_state {
	CONN_HANDSHAKE,
	CONN_QUIET,		/* it is over, and nothing was said yet */
	CONN_OPEN,		/* a proxyd has it */
	CONN_LINGER,		/* all is said; the client is to notice */
	CONN_DEAD		/* closed; freed after this turn */
};

#define CONN_HANDSHAKE_MS	10000
#define CONN_QUIET_MS		10000	/* as for a head, at proxyd's door */
#define CONN_LINGER_MS		3000
#define CONN_WORD_MS		1000	/* from an end to PLAIN_END */

/* What one side has sent and the other did not take. */
struct rest {
	uint8_t	*p;
	size_t	 off, len;
};

struct conn {
	TAILQ_ENTRY(conn)	 entry;
	LIST_ENTRY(conn)	 by_id;
	/* set once */
	uint64_t		 id;
	uint32_t		 flags;		/* LISTEN_* */
	struct addr		 peer;
	struct event		 ev_net_read, ev_net_write, ev_plain_read,
				 ev_plain_write;
	struct timer		 timer;
	/* state */
	enum conn_state		 state;
	struct sock		 net;
	int			 plain;		/* -1: none yet */
	uint64_t		 door;		/* who has the far end */
	struct sign		 sign;
	struct seat		 seat;
	struct rest		 to_net, to_plain;
	unsigned int		 net_reading:1, net_writing:1, plain_reading:1,
				 plain_writing:1, net_eof:1, plain_eof:1,
				 said:1,	/* PLAIN_END has come */
				 clean:1,	/* and that it is a clean end */
				 in_job:1,	/* its handshake runs */
				 doomed:1;	/* closed while it did */
};

/* Once, before the loop. */
void	conn_init(void);
/* One was accepted (fd taken), at the n-th listener. */
void	conn_new(int fd, unsigned listener, uint32_t flags,
	    const struct addr *, int trusted);
/* The one close; safe in any state, frees later. `reset`: TCP is told. */
void	conn_close(struct conn *, const char *why, int reset);
/* Free what was closed in this turn. */
void	conn_reap(void);
/* No more come; leave when the last one has gone. */
void	conn_stop(void);

/* c->plain is there: its events. */
void	conn_plain(struct conn *);
/* A side is to be read or written, or is not. */
void	conn_watch(struct conn *);
void	conn_deadline(struct conn *, uint64_t ms);

/* pump.c: what goes through. */

void	pump_net(struct conn *);	/* TLS can be read */
void	pump_plain(struct conn *);	/* proxyd's side can be read */
void	pump_flush(struct conn *);	/* what waits can go on */
/* First words of the client: to a proxyd with them. */
void	pump_open(struct conn *);
/* Has proxyd's side ended, and is it known how? */
void	pump_ended(struct conn *);

#endif
