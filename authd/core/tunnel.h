/* SPDX-License-Identifier: ISC */
#ifndef TUNNEL_H
#define TUNNEL_H

#include <sys/queue.h>

#include <stdint.h>

#include "env.h"

struct session;
struct stream;

TAILQ_HEAD(streams, stream);

enum tunnel_state {
	TUNNEL_NEW,		/* has no session yet */
	TUNNEL_LOGIN,		/* has one, its row is being written */
	TUNNEL_BOUND,		/* knows it, yamux is not up yet */
	TUNNEL_UP,
	TUNNEL_AGAIN,		/* from before a restart, has to tell */
	TUNNEL_CLOSING		/* was told to go */
};

/* A muxd, and what runs through it. */
struct tunnel {
	uint64_t		 instance;	/* set once */
	uint64_t		 generation;
	/* state */
	enum tunnel_state	 state;
	struct session		*session;	/* NULL: none, or over */
	struct streams		 streams;	/* open or being opened */
	struct streams		 waiting;	/* for room, or to be told */
	unsigned		 nstreams, nwaiting;
	/* its end */
	TAILQ_ENTRY(tunnel)	 end_entry, room_entry;
	int			 retired, gone;	/* waits for end_run() */
	int			 has_room;	/* waits for end_run() */
	uint16_t		 close_code;
	const char		*close_text;
};
TAILQ_HEAD(tunnels, tunnel);

/* NULL: out of memory. */
struct tunnel	*tunnel_new(uint64_t instance);
/* Both queue it for end_run(), which frees what is gone. */
/* Told to go: its streams end, its session goes on without it. */
void		 tunnel_retire(struct tunnel *, uint16_t code,
		    const char *text);
/* The muxd is no more: grace runs. */
void		 tunnel_gone(struct tunnel *, const struct now *);
/* There may be room for who waits. */
void		 tunnel_room(struct tunnel *);
static inline int
tunnel_is_ending(const struct tunnel *t)
{
	return (t->retired || t->gone);
}

/* For end.c. */
extern struct tunnels	tunnel_ends, tunnel_rooms;
void		 tunnel_free(struct tunnel *);

#endif
