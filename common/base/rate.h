/* SPDX-License-Identifier: ISC */
#ifndef RATE_H
#define RATE_H

#include <stddef.h>
#include <stdint.h>

#include "imsg/msg.h"

/*
 * Attempts counted in fixed windows, one per key, starting at the key's first
 * attempt. Attempts beyond the limit do not prolong the window. A table has a
 * fixed number of places; when those a key may take are all in use, the window
 * that has counted least gives way, of several the oldest: a flood of keys
 * pushes out itself. tunnel-protocol.md, 1.6.
 */

struct rate;

/* `places` is rounded up to a power of two. NULL when out of memory. */
struct rate	*rate_new(size_t places);
void		 rate_free(struct rate *);

/*
 * Count an attempt for `key`: 0 when it is within `limit` per `window_ms`,
 * else -1 and the seconds until the window ends (at least 1) in *retry_s.
 */
int		 rate_hit(struct rate *, const char *key, uint64_t limit,
		    uint64_t window_ms, uint32_t *retry_s);
/* Would the next attempt be refused? Counts nothing; returns like rate_hit. */
int		 rate_peek(struct rate *, const char *key, uint64_t limit,
		    uint32_t *retry_s);

/* How many attempts the key's window has counted; counts nothing. */
uint64_t	 rate_count(struct rate *, const char *key);

/*
 * Take one back: for counters of what is here, not of what has happened. Their
 * window is RATE_EVER, their limit may be UINT64_MAX.
 */
#define RATE_EVER	UINT64_MAX
void		 rate_back(struct rate *, const char *key);

/*
 * Where several count to one limit each tells of so many at once: what they
 * have had together is known to a hundredth for each of them.
 */
static inline uint64_t
rate_batch(uint64_t limit)
{
	return (limit >= 100 ? limit / 100 : 1);
}

/* addr_key() of a printed address. What is not an address is its own key. */
void		 rate_address(const char *addr, char key[ADDR_SIZE]);

#endif
