/* SPDX-License-Identifier: ISC */
/*
 * A binary heap of timers and one libevent timer for the earliest: moving the
 * clock is then one addition and one look at the heap.
 */
#include <event2/event.h>

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "clock.h"
#include "compat.h"
#include "log.h"

#define EARLY_MS	500

static void	heap_place(size_t, struct timer *);
static void	heap_up(size_t);
static void	heap_down(size_t);
static void	clock_arm(void);
static void	clock_fire(evutil_socket_t, short, void *);

static struct {
	struct event	 *ev;
	struct timer	**heap;
	size_t		  n, cap;
	uint64_t	  armed_ms;	/* what ev waits for; 0: nothing */
	uint64_t	  offset_ms;	/* moved by tests, else 0 */
	uint64_t	  firing_ms;	/* what is due by then is called now */
	int		  firing;
} cl;

uint64_t
clock_ns(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec +
	    cl.offset_ms * 1000000);
}

uint64_t
clock_ms(void)
{
	return (clock_ns() / 1000000);
}

int64_t
clock_wall_ms(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ((int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000 +
	    (int64_t)cl.offset_ms);
}

int64_t
clock_wall(void)
{
	return (clock_wall_ms() / 1000);
}

void
clock_init(struct event_base *base)
{
	cl.ev = event_new(base, -1, 0, clock_fire, NULL);
	if (cl.ev == NULL)
		fatalx("clock: out of memory");
}

void
clock_clear(void)
{
	size_t	i;

	for (i = 0; i < cl.n; i++)
		cl.heap[i]->slot = 0;
	if (cl.ev != NULL)
		event_free(cl.ev);
	free(cl.heap);
	cl.ev = NULL;
	cl.heap = NULL;
	cl.n = cl.cap = 0;
	cl.armed_ms = 0;
}

static void
heap_place(size_t i, struct timer *t)
{
	cl.heap[i] = t;
	t->slot = i + 1;
}

static void
heap_up(size_t i)
{
	struct timer	*t = cl.heap[i];

	while (i > 0 && cl.heap[(i - 1) / 2]->due_ms > t->due_ms) {
		heap_place(i, cl.heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	heap_place(i, t);
}

static void
heap_down(size_t i)
{
	struct timer	*t = cl.heap[i];
	size_t		 c;

	while ((c = 2 * i + 1) < cl.n) {
		if (c + 1 < cl.n &&
		    cl.heap[c + 1]->due_ms < cl.heap[c]->due_ms)
			c++;
		if (cl.heap[c]->due_ms >= t->due_ms)
			break;
		heap_place(i, cl.heap[c]);
		i = c;
	}
	heap_place(i, t);
}

/* Wait for the earliest timer, if that is not what we wait for already. */
static void
clock_arm(void)
{
	struct timeval	tv;
	uint64_t	now, wait;

	if (cl.firing || cl.ev == NULL)
		return;
	if (cl.n == 0) {
		if (cl.armed_ms != 0)
			event_del(cl.ev);
		cl.armed_ms = 0;
		return;
	}
	/*
	 * A wake-up a little early is harmless and saves a call; one much too
	 * early would cost an idle process a turn for nothing.
	 */
	if (cl.armed_ms != 0 && cl.armed_ms <= cl.heap[0]->due_ms &&
	    cl.heap[0]->due_ms - cl.armed_ms < EARLY_MS)
		return;
	now = clock_ms();
	wait = cl.heap[0]->due_ms > now ? cl.heap[0]->due_ms - now : 0;
	tv.tv_sec = (time_t)(wait / 1000);
	tv.tv_usec = (suseconds_t)(wait % 1000) * 1000;
	event_add(cl.ev, &tv);
	cl.armed_ms = cl.heap[0]->due_ms;
}

static void
clock_fire(evutil_socket_t fd, short what, void *arg)
{
	struct timer	*t;

	(void)fd;
	(void)what;
	(void)arg;
	cl.armed_ms = 0;
	cl.firing = 1;
	cl.firing_ms = clock_ms();
	while (cl.n > 0 && cl.heap[0]->due_ms <= cl.firing_ms) {
		t = cl.heap[0];
		timer_del(t);
		t->fn(t->arg);
	}
	cl.firing = 0;
	clock_arm();
}

void
timer_init(struct timer *t, void (*fn)(void *), void *arg)
{
	t->fn = fn;
	t->arg = arg;
	t->due_ms = 0;
	t->slot = 0;
}

void
timer_set(struct timer *t, uint64_t ms)
{
	struct timer	**heap;
	size_t		  cap;

	timer_del(t);
	if (cl.n == cl.cap) {
		cap = cl.cap == 0 ? 16 : cl.cap * 2;
		heap = reallocarray(cl.heap, cap, sizeof(*heap));
		if (heap == NULL)
			fatal("clock: timer");
		cl.heap = heap;
		cl.cap = cap;
	}
	t->due_ms = clock_ms() + ms;
	/* Not in this round again: descriptors must get their turn too. */
	if (cl.firing && t->due_ms <= cl.firing_ms)
		t->due_ms = cl.firing_ms + 1;
	heap_place(cl.n++, t);
	heap_up(cl.n - 1);
	clock_arm();
}

void
timer_del(struct timer *t)
{
	struct timer	*last;
	size_t		 i;

	if (t->slot == 0)
		return;
	i = t->slot - 1;
	t->slot = 0;
	last = cl.heap[--cl.n];
	if (last == t)
		return;
	heap_place(i, last);
	heap_up(i);
	heap_down(last->slot - 1);
}

int
timer_is_set(const struct timer *t)
{
	return (t->slot != 0);
}

#ifdef RELAYD_TESTING
void
clock_move(uint64_t ms)
{
	struct timeval	now = { 0, 0 };

	cl.offset_ms += ms;
	if (cl.n > 0)
		event_add(cl.ev, &now);
}
#endif
