/* SPDX-License-Identifier: ISC */
#ifndef PEER_H
#define PEER_H

#include <sys/queue.h>

#include <stdint.h>

#include "authd/core/env.h"
#include "authd/core/grant.h"
#include "base/clock.h"
#include "base/index.h"
#include "imsg/imsg.h"
#include "imsg/msg.h"
#include "table.h"

struct admission;
struct facts_call;
struct relay;
struct report;
struct services;
struct tunnel;

/*
 * The other processes, as authd sees them: a channel each, and what it stands
 * for. The parent's SPAWNED makes them, the end of the channel ends them
 * (from_parent.c). What a role has here say its flags in roles.def.
 */

/* Of a tunnel: what it is saying, what it has from us, its figures. */
struct mux_part {
	struct services	*building;	/* between BEGIN and END */
	struct report	*report;
	struct claim	 lease;		/* MiB of window credit */
	uint64_t	 bytes_in, bytes_out;
	uint64_t	 rate_in, rate_out, told_ms;	/* bytes per s */
	int		 counted;	/* from the first byte, or: these are */
	uint32_t	 rtt_us, client_streams;
	int		 restored;	/* its session's added services, */
	int		 wants;		/* but not yet, after so many */
	unsigned	 retries;
	unsigned	 users;		/* said and asked about them, */
	uint64_t	 users_ms;	/* since then: users.c */
	char		 addr[ADDR_SIZE];	/* as it logged in */
	int64_t		 since;		/* wall ms: it did */
};

struct peer {
	/* set once */
	struct link		 link;		/* by instance */
	TAILQ_ENTRY(peer)	 entry;		/* of all */
	struct chan		*chan;
	int			 role;
	uint64_t		 instance, nonce;
	struct admission	*admission;	/* what it was started for */
	struct timer		 late;		/* it has to have moved by then */
	int			 goes;		/* that is when it ends */
	uint32_t		 announced;	/* streams still to come */
	/* RF_STREAM */
	uint64_t		 stream;	/* 0: none */
	uint64_t		 away_ms;	/* its operator left; 0: is here */
	unsigned		 came, left;	/* let in again; said so */
	struct facts_call	*asking;	/* may it be opened? */
	struct relay		*relay;		/* RF_RELAY; NULL: over */
	struct tunnel		*tunnel;	/* RF_LOGIN; NULL: others */
	union {
		struct mux_part		 mux;	/* RF_LOGIN */
		struct {			/* RF_DOORS */
			struct door	 door;
			unsigned	 rows;	/* of whom it refused alone, */
			uint64_t	 rows_ms;	/* since then */
		};
	};
};

TAILQ_HEAD(peers, peer);
extern struct peers	peers;

/* One that is a proxyd is told whether anybody can be let in. */
void		 peer_add(struct peer *);
/* The longest queue of what is to be said to one of them. */
size_t		 peer_queue_longest(void);
/* To all proxyds, if it has changed: can anybody be let in? */
void		 peer_say_usable(int usable);
void		 peer_remove(struct peer *);
struct peer	*peer_find(uint64_t instance);
struct peer	*peer_of(struct chan *);
/* Has its role one of these RF_ flags? */
int		 peer_has(const struct peer *, unsigned flags);
/* A tunnel's session, NULL: none, or over. */
struct session	*peer_session(const struct peer *);
/* The asker's channel, NULL when it has gone. */
struct chan	*asker_chan(const struct asker *);
/* Who sent this; log_request() has been said before, if it is a request. */
struct asker	 asker_of(struct chan *, const struct imsg *);

/*
 * A worker has 30 s to log in, or after a restart to tell what it has, and 5 s
 * to go: its own wait for its peer's close, and a second. Then `late` runs.
 */
void	 peer_set_state(struct peer *, enum peer_state);
void	 peer_must_go(struct peer *);
enum peer_state peer_state(const struct peer *);
const char *peer_state_name(enum peer_state);

/* Tell a muxd or termd to close with this WebSocket code. */
void	 peer_close(struct peer *, uint16_t code, const char *reason);

/*
 * Have SPAWNED_ALL and the store both come? Until then every request that
 * needs the store is answered with 503.
 */
int	 peer_is_ready(void);
void	 peer_set_ready(void);

#endif
