/* SPDX-License-Identifier: ISC */
#ifndef CLIENT_H
#define CLIENT_H

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
 * socketpair on the other, whose far end a proxyd has. One to another member of
 * a cluster is its proxyd's as soon as TLS runs.
 */

enum client_state {
	CLIENT_HANDSHAKE,
	CLIENT_QUIET,		/* it is over, and nothing was said yet */
	CLIENT_OPEN,		/* a proxyd has it */
	CLIENT_LINGER,		/* all is said; the client is to notice */
	CLIENT_DEAD		/* closed; freed after this turn */
};

#define CLIENT_HANDSHAKE_MS	10000
#define CLIENT_REACH_MS		3000	/* of one to another member */
#define CLIENT_QUIET_MS		10000	/* as for a head, at proxyd's door */
#define CLIENT_LINGER_MS		3000
#define CLIENT_WORD_MS		1000	/* from an end to PLAIN_END */

/* What one side has sent and the other did not take. */
struct rest {
	uint8_t	*p;
	size_t	 off, len;
};

struct client {
	TAILQ_ENTRY(client)	 entry;
	LIST_ENTRY(client)	 by_id;
	/* set once */
	uint64_t		 id;
	uint32_t		 flags;		/* LISTEN_* */
	int			 out;		/* to another member */
	struct addr		 peer;		/* of one that came */
	struct event		 ev_net_read, ev_net_write, ev_plain_read,
				 ev_plain_write;
	struct timer		 timer;
	/* state */
	enum client_state		 state;
	struct sock		 net;
	int			 plain;		/* -1: none yet */
	uint64_t		 door;		/* who has the far end */
	uint32_t		 asked;		/* waits for it; 0: not any more */
	struct sign		 sign;
	struct seat		 seat;
	struct rest		 to_net, to_plain;
	unsigned int		 net_reading:1, net_writing:1, plain_reading:1,
				 plain_writing:1, net_eof:1, plain_eof:1,
				 half:1,	/* the client has said all */
				 said:1,	/* PLAIN_END has come */
				 clean:1,	/* and that it is a clean end */
				 in_job:1,	/* its handshake runs */
				 doomed:1;	/* closed while it did */
};

/* What goes through, and when (pump.c). */
struct client_ops {
	void	(*net)(struct client *);	/* TLS can be read */
	void	(*plain)(struct client *);	/* proxyd's side can be read */
	void	(*flush)(struct client *);	/* what waits can go on */
	/* Proxyd's side has ended, and it is known how. */
	void	(*ended)(struct client *);
	/* TLS runs with another member. */
	void	(*reached)(struct client *);
};

/* Once, before the loop. `ops` lives on. */
void	client_init(const struct client_ops *ops);
/* One was accepted (fd taken), at the n-th listener. */
void	client_new(int fd, unsigned listener, uint32_t flags,
	    const struct addr *, int trusted);
/* So many more (or fewer) have not come so far, and hold a descriptor. */
void	client_others(int);
/* The one close; safe in any state, frees later. `reset`: TCP is told. */
void	client_close(struct client *, const char *why, int reset);
/* Free what was closed in this turn. */
void	client_reap(void);
/* No more come; leave when the last one has gone. */
void	client_stop(void);
/* None comes any more: exit with the last. */
void	client_shut(void);

/* c->plain is there: its events. */
void	client_plain(struct client *);
/*
 * The client has said all and may wait for an answer: from now on its side can
 * be read once for each thing that happens to it.
 */
void	client_half(struct client *);
/* A side is to be read or written, or is not. */
void	client_watch(struct client *);
void	client_deadline(struct client *, uint64_t ms);

/* pump.c */
extern const struct client_ops	pump;

#endif
