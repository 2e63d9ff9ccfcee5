/* SPDX-License-Identifier: ISC */
#ifndef COUNT_H
#define COUNT_H

#include <stdint.h>

#include "metrics/ids.h"

/*
 * Counting. The numbers of a process lie in a page that the parent has made,
 * and that metricd may read: to count is to add in memory, to show is to read
 * there, and nobody asks or waits for anybody. The page outlives the process:
 * the next one in its place counts on. What is no counter but a state (GAUGE)
 * the parent sets to 0 in between.
 *
 * Before counts_take(), and in tests that have no parent, the numbers are in
 * memory of one's own.
 */
extern uint64_t	*counts;

/* COUNTERS at the start: map it. Owns the fd. 0, or -1. */
int	counts_take(int fd, uint8_t role, uint8_t index);

/* A CT_* of one's own role (ids.h). */
static inline void
count(unsigned id)
{
	counts[id]++;
}

static inline void
count_by(unsigned id, uint64_t n)
{
	counts[id] += n;
}

/* What is now: a number, an amount of bytes, microseconds. */
static inline void
gauge(unsigned id, uint64_t n)
{
	counts[id] = n;
}

static inline void
gauge_move(unsigned id, int by)
{
	counts[id] += (uint64_t)(int64_t)by;
}

/* Which row of EACH_CLASS is that status'? 0: none. */
static inline unsigned
metric_class(unsigned status)
{
	return (status < 200 || status > 599 ? 0 : status / 100 - 1);
}

/* Which row of EACH_OUTCOME? 0: yes. */
unsigned	metric_outcome(unsigned status);

/* One more of a HISTOGRAM, which took so long. */
void	observe_us(unsigned id, uint64_t us);

#endif
