/* SPDX-License-Identifier: ISC */
#ifndef PENALTY_H
#define PENALTY_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/*
 * What addresses have done, in the manner of OpenSSH's PerSourcePenalties. Each
 * offence has a price in time. Prices add up, and run down as time goes by. Up
 * to `min_ms` they have no effect; from there on the address is shut out until
 * they have run down, and each time twice as long as the time before, up to
 * `max_ms`. How often it was shut out is forgotten when that is over since
 * `max_ms`. An IPv4 address counts whole, IPv6 by its /64.
 *
 * The places of a table are fixed. When those that an address may take are all
 * in use, the lightest gives way: who was shut out more often is heavier, then
 * whose time is longer. So addresses that do one thing each push out each other
 * and no real offender. Where an address belongs, nobody outside can tell.
 *
 * Pure: `now` is clock_ms() of the caller.
 */
enum penalty_cause {
	PENALTY_AUTHFAIL,	/* a wrong key or secret */
	PENALTY_NOAUTH,		/* came for a tunnel and never logged in */
	PENALTY_CRASH,		/* its muxd crashed */
	PENALTY_CAUSES
};

struct penalty {
	uint8_t			 net[16];	/* addr_net_of() */
	enum penalty_cause	 cause;		/* the newest */
	unsigned		 times;		/* it was shut out */
	uint64_t		 offences;	/* 0: a free place */
	uint64_t		 price_until;	/* then the prices are down */
	uint64_t		 out_until;	/* shut out till then */
	uint64_t		 known_until;	/* then it is as if new */
};

struct penalty_rule {
	uint64_t	min_ms, max_ms;
};

struct penalties;

/* `places` is rounded up to a power of two. NULL when out of memory. */
struct penalties	*penalties_new(size_t places);
void			 penalties_free(struct penalties *);

/*
 * One offence more; what comes within a second is at once. `others_ms` is what
 * others say that the address has done: it counts towards min_ms and towards
 * nothing else.
 */
void		 penalty_add(struct penalties *, const struct addr *,
		    enum penalty_cause, uint64_t price_ms, uint64_t others_ms,
		    const struct penalty_rule *, uint64_t now);
/* What its prices come to now. */
uint64_t	 penalty_price(const struct penalties *, const struct addr *,
		    uint64_t now);
/* How long it is shut out yet; 0: it is not. */
uint64_t	 penalty_wait(const struct penalties *, const struct addr *,
		    uint64_t now);
/* Forget it. Was there anything? */
int		 penalty_clear(struct penalties *, const struct addr *,
		    uint64_t now);
/* Forget all; how many there were. */
size_t		 penalties_clear(struct penalties *, uint64_t now);
/* One after the other, from *at = 0 on; NULL: no more. */
const struct penalty	*penalty_next(const struct penalties *, size_t *at,
			    uint64_t now);

const char	*penalty_cause_name(enum penalty_cause);

#endif
