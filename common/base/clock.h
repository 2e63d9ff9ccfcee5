/* SPDX-License-Identifier: ISC */
#ifndef CLOCK_H
#define CLOCK_H

#include <stddef.h>
#include <stdint.h>

struct event_base;

/*
 * The one clock. Every time-out, expiry and rate window reads it, so that a
 * test build can move it and prove hours in milliseconds (messages.md,
 * section 8). Time never goes backwards.
 */

/*
 * Milliseconds and nanoseconds of a monotonic clock; the origin is arbitrary.
 */
uint64_t	clock_ms(void);
uint64_t	clock_ns(void);

/* Wall clock: milliseconds and whole seconds since 1970, UTC. */
int64_t		clock_wall_ms(void);
int64_t		clock_wall(void);

/*
 * A one-shot timer, embedded in its owner. Zeroed memory plus timer_init() is
 * a valid unset timer. The callback may set, delete or free any timer,
 * including its own.
 */
struct timer {
	void		(*fn)(void *);
	void		 *arg;
	uint64_t	  due_ms;	/* of clock_ms() */
	size_t		  slot;		/* place in the heap + 1; 0: not set */
};

/*
 * From now on what libevent complains of is a line of our log, and not of
 * standard error. clock_init() sees to it, too, but an event_base_new() before
 * it may complain already.
 */
void	clock_complaints(void);

/* Once per process, before the first timer_set(); aborts when out of memory. */
void	clock_init(struct event_base *);
/* The same for who does without epoll(7) on purpose. */
void	clock_init_any(struct event_base *);
/* Unsets every timer. */
void	clock_clear(void);

void	timer_init(struct timer *, void (*)(void *), void *);
/*
 * Call back `ms` from now, at the earliest in the loop's next round; a set
 * timer is moved. A difference of times that came out negative counts as past.
 */
void	timer_set(struct timer *, uint64_t ms);
/* Unset; harmless when not set. Must be called before the owner is freed. */
void	timer_del(struct timer *);
int	timer_is_set(const struct timer *);

#ifdef RELAYD_TESTING
/*
 * With RELAYD_CLOCK_SLOW=N in the environment of a process its time goes by N
 * times slower from clock_init() on, and on by clock_move() as ever: what has a
 * deadline meets it when the test says so, however busy the machine is. The
 * wall clock is not slower.
 */

/* Move both clocks forward by `ms`; what became due is called by the loop. */
void	clock_move(uint64_t ms);
/* By how much it was moved in all. */
uint64_t clock_moved(void);
#endif

#endif
