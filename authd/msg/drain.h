/* SPDX-License-Identifier: ISC */
#ifndef DRAIN_H
#define DRAIN_H

#include <stdint.h>

/*
 * This relayd is to be empty: it takes no tunnel, relay session or pairing any
 * more, asks its clients to come to another, and says what is left. A tunnel
 * that is in use stays as long as it is; nothing is cut off. The parent
 * remembers it for the authd that follows; whether it is so says
 * member_is_draining(). several-daemons.md, 4.
 */

/* Once, before the first message. */
void	drain_init(void);
/* From now on, for so long; again: with another end. */
void	drain_begin(uint32_t seconds);
/* All as before. 0, or -1: it does not drain. */
int	drain_cancel(void);

/* How it stands: what is left, and what has gone since it began. */
struct drain {
	/* LATE: the time is over, and something is left. */
	enum drain_state { DRAIN_NOT, DRAIN_ON, DRAIN_DONE, DRAIN_LATE } state;
	uint64_t	left_s;		/* of its time */
	unsigned	tunnels, busy;	/* of these in use, now */
	uint64_t	oldest_s;	/* how long the oldest stream is open */
	unsigned	relays;		/* relay sessions that are to go */
	unsigned	devices;	/* connections for pairing */
	unsigned	waiting;	/* requests, for a session to come again */
	uint64_t	moved;		/* tunnels that were asked to go */
};
void	drain_look(struct drain *);

#endif
