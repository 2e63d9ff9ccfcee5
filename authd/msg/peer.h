/* SPDX-License-Identifier: ISC */
#ifndef PEER_H
#define PEER_H

#include <sys/queue.h>

#include <stdint.h>

#include "imsg/imsg.h"
#include "base/index.h"
#include "imsg/msg.h"

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

enum peer_state {
	P_NEW,	   /* muxd: may log in, nothing else */
	P_LOGIN,   /* muxd: its login is being looked at */
	P_BOUND,   /* muxd: has a session, yamux is not up yet */
	P_UP,	   /* muxd: a tunnel */
	P_AGAIN,   /* muxd, termd: kept from before a restart, has to tell */
	P_CLOSING, /* muxd: was told to go */
	P_READY,   /* proxyd, control, termd */
	P_REFUSED  /* muxd: its login was; has nothing more to say */
};

TAILQ_HEAD(streams, stream);
TAILQ_HEAD(grants, grant);

struct peer {
	/* set once */
	struct link		 link;		/* by instance */
	TAILQ_ENTRY(peer)	 entry;		/* of all */
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

TAILQ_HEAD(peers, peer);
extern struct peers	peers;

/* Who waits for an answer: survives the death of the one who asked. */
struct asker {
	uint64_t	instance;	/* 0: nobody */
	uint32_t	id;
};

struct peer	*peer_find(uint64_t instance);
struct peer	*peer_of(struct chan *);
/* The asker's channel, NULL when it has gone. */
struct chan	*asker_chan(const struct asker *);
struct asker	 asker_of(struct chan *, const struct imsg *);

void	 peer_set_state(struct peer *, enum peer_state);
enum peer_state peer_state(const struct peer *);
const char *peer_state_name(enum peer_state);

/* Tell a muxd or termd to close with this WebSocket code. */
void	 peer_close(struct peer *, uint16_t code, const char *reason);
/* The one way out: detach, free. The channel goes with it. */
void	 peer_free(struct peer *);

/* Handlers of the parent's channel. */
int	 peer_spawned(struct chan *, struct imsg *);
int	 peer_spawned_all(struct chan *, struct imsg *);
/* The store is open and the sessions are loaded: let the workers in. */
void	 peer_store_ready(void);
/*
 * Have SPAWNED_ALL and the store both come? Until then every request that
 * needs the store is answered with 503.
 */
int	 peer_is_ready(void);

/* For the tests' walk: the dispatch table of all children's channels. */
extern const struct dispatch	peer_table[];
extern const size_t		peer_rows;

#endif
