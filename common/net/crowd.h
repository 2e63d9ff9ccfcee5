/* SPDX-License-Identifier: ISC */
#ifndef CROWD_H
#define CROWD_H

#include <sys/queue.h>

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/*
 * Who is here: every connection by its address, those whose request head has
 * begun or is awaited for the first time ("half"), and those that lie idle
 * between requests; and who has to go when it gets crowded. messages.md,
 * section 5. Pure but for memory.
 */

#define CROWD_HALF_MAX		4096	/* half ones of all addresses */
#define CROWD_HALF_ADDRESS	64	/* of one */
#define CROWD_ADDRESS		1024	/* connections of one, in any state */
#define CROWD_FRESH_MS		1000	/* to send a head in peace */

enum seat_at { SEAT_OUT, SEAT_FRESH, SEAT_HALF, SEAT_BUSY, SEAT_IDLE };

struct crowd_addr;

/* A connection's place, in its own struct; all zero before crowd_enter(). */
struct seat {
	TAILQ_ENTRY(seat)	 order;		/* by age where it is */
	TAILQ_ENTRY(seat)	 of_addr;	/* idle ones of its address */
	struct crowd_addr	*addr;
	enum seat_at		 at;
	uint64_t		 since_ms;	/* SEAT_FRESH */
	unsigned int		 level;		/* how much it has said */
};

enum crowd_room { CROWD_ROOM, CROWD_CLOSE, CROWD_FULL };

void	crowd_init(void);
/*
 * Is there room for one more from this address (`many`: it stands for many,
 * and only the whole counts)? CROWD_CLOSE: once *seat has left, ask again. The
 * oldest idle one of an address goes before a new one of it; the half one that
 * has sent least, the oldest of these, before a new one of anybody; one that
 * came in this second only if there is no other.
 */
enum crowd_room	crowd_room(const struct addr *, int many, uint64_t now_ms,
	    struct seat **seat);
/* In, as a half one. 0, or -1: out of memory. */
int	crowd_enter(struct seat *, const struct addr *, uint64_t now_ms);
/* So much of a head is there and the rest is awaited. */
void	crowd_half(struct seat *, size_t bytes);
void	crowd_busy(struct seat *);
void	crowd_idle(struct seat *);
/* It has gone; safe for one that never came. */
void	crowd_leave(struct seat *);
/* Who goes first when descriptors run out: NULL, nobody can be spared. */
struct seat *crowd_spare(uint64_t now_ms);

#endif
