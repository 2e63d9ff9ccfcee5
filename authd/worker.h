/* SPDX-License-Identifier: ISC */
#ifndef WORKER_H
#define WORKER_H

#include <sys/queue.h>

#include <stdint.h>

#include "imsg.h"
#include "index.h"
#include "msg.h"

struct admission;
struct grant;
struct report;
struct services;
struct session;
struct stream;

/*
 * The other processes, as authd sees them: a channel each, and what it stands
 * for. The parent's SPAWNED makes them, the end of the channel ends them.
 */

enum worker_state {
	W_NEW,		/* muxd: may log in, nothing else */
	W_LOGIN,	/* muxd: its login is being looked at */
	W_BOUND,	/* muxd: has a session, yamux is not up yet */
	W_UP,		/* muxd: a tunnel */
	W_AGAIN,	/* muxd, termd: kept from before a restart, has to tell */
	W_CLOSING,	/* muxd: was told to go */
	W_READY,	/* proxyd, control, termd */
	W_REFUSED	/* muxd: its login was; has nothing more to say */
};

TAILQ_HEAD(streams, stream);
TAILQ_HEAD(grants, grant);

struct worker {
	/* set once */
	struct link		 link;		/* by instance */
	TAILQ_ENTRY(worker)	 entry;		/* of all */
	struct chan		*chan;
	int			 role;
	uint64_t		 instance, nonce;
	struct admission	*admission;	/* what it was started for */
	/* muxd */
	struct session		*session;	/* NULL: none, or over */
	uint64_t		 generation;
	struct streams		 streams, waiting;
	unsigned		 nstreams;	/* counted: open or being opened */
	unsigned		 nwaiting;
	int			 holding;	/* nobody moves up just now */
	struct services		*building;	/* between BEGIN and END */
	struct report		*report;
	uint32_t		 lease_mib;
	uint32_t		 announced;	/* streams still to come */
	/* proxyd */
	struct grants		 grants;
	unsigned		 ngrants;
	/* termd */
	uint64_t		 stream;	/* its stream, 0: none */
	/* statistics, from muxd */
	uint64_t		 bytes_in, bytes_out;
	uint32_t		 rtt_us, client_streams;
	int64_t			 since;		/* wall ms */
};

TAILQ_HEAD(workers, worker);
extern struct workers	workers;

/* Who waits for an answer: survives the death of the one who asked. */
struct asker {
	uint64_t	instance;	/* 0: nobody */
	uint32_t	id;
};

struct worker	*worker_find(uint64_t instance);
struct worker	*worker_of(struct chan *);
/* The asker's channel, NULL when it has gone. */
struct chan	*asker_chan(const struct asker *);
struct asker	 asker_of(struct chan *, const struct imsg *);

void	 worker_set_state(struct worker *, enum worker_state);
enum worker_state worker_state(const struct worker *);
const char *worker_state_name(enum worker_state);

/* Tell a muxd or termd to close with this WebSocket code. */
void	 worker_close(struct worker *, uint16_t code, const char *reason);
/* The one way out: detach, free. The channel goes with it. */
void	 worker_free(struct worker *);

/* Handlers of the parent's channel. */
int	 worker_spawned(struct chan *, struct imsg *);
int	 worker_spawned_all(struct chan *, struct imsg *);
/* The store is open and the sessions are loaded: let the workers in. */
void	 worker_store_ready(void);
/*
 * Have SPAWNED_ALL and the store both come? Until then every request that
 * needs the store is answered with 503.
 */
int	 worker_is_ready(void);

/* For the tests' walk: the dispatch table of all children's channels. */
extern const struct dispatch	worker_table[];
extern const size_t		worker_rows;

#endif
