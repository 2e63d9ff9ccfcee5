/* SPDX-License-Identifier: ISC */
/*
 * A binary heap of timers and one libevent timer for the earliest: moving the
 * clock is then one addition and one look at the heap.
 */
#include <event2/event.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "compat.h"
#include "log.h"
#include "want.h"

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
	uint64_t	  slow;		/* so many times, for tests; 0: is not */
	uint64_t	  slow_ns;	/* since when */
	uint64_t	  firing_ms;	/* what is due by then is called now */
	int		  firing;
} clocks;

static uint64_t
real_ns(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec);
}

uint64_t
clock_ns(void)
{
	uint64_t	ns = real_ns();

	if (clocks.slow != 0)
		ns = clocks.slow_ns + (ns - clocks.slow_ns) / clocks.slow;
	return (ns + clocks.offset_ms * 1000000);
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
	    (int64_t)clocks.offset_ms);
}

int64_t
clock_wall(void)
{
	return (clock_wall_ms() / 1000);
}

/* What libevent has to complain of is a line of our log. */
static void
clock_complaint(int severity, const char *text)
{
	if (severity >= EVENT_LOG_WARN)
		log_warnx("%s", text);
}

void
clock_complaints(void)
{
	event_set_log_callback(clock_complaint);
}

void
clock_init(struct event_base *base)
{
	const char	*method = event_base_get_method(base);

	/*
	 * What libevent falls back to without memory is not what we count on.
	 */
	if (strcmp(method, "poll") == 0 || strcmp(method, "select") == 0)
		fatalx("event loop: only %s(2)", method);
	clock_init_any(base);
}

void
clock_init_any(struct event_base *base)
{
#ifdef RELAYD_TESTING
	const char	*slow = getenv("RELAYD_CLOCK_SLOW");

	if (slow != NULL) {
		clocks.slow = strtoull(slow, NULL, 10);
		clocks.slow_ns = real_ns();
	}
#endif
	clock_complaints();
	clocks.ev = event_new(base, -1, 0, clock_fire, NULL);
	if (clocks.ev == NULL)
		fatalx("clock: out of memory");
}

void
clock_clear(void)
{
	size_t	i;

	for (i = 0; i < clocks.n; i++)
		clocks.heap[i]->slot = 0;
	if (clocks.ev != NULL)
		event_free(clocks.ev);
	free(clocks.heap);
	clocks.ev = NULL;
	clocks.heap = NULL;
	clocks.n = clocks.cap = 0;
	clocks.armed_ms = 0;
}

static void
heap_place(size_t i, struct timer *t)
{
	clocks.heap[i] = t;
	t->slot = i + 1;
}

static void
heap_up(size_t i)
{
	struct timer	*t = clocks.heap[i];

	while (i > 0 && clocks.heap[(i - 1) / 2]->due_ms > t->due_ms) {
		heap_place(i, clocks.heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	heap_place(i, t);
}

static void
heap_down(size_t i)
{
	struct timer	*t = clocks.heap[i];
	size_t		 c;

	while ((c = 2 * i + 1) < clocks.n) {
		if (c + 1 < clocks.n &&
		    clocks.heap[c + 1]->due_ms < clocks.heap[c]->due_ms)
			c++;
		if (clocks.heap[c]->due_ms >= t->due_ms)
			break;
		heap_place(i, clocks.heap[c]);
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

	if (clocks.firing || clocks.ev == NULL)
		return;
	if (clocks.n == 0) {
		if (clocks.armed_ms != 0)
			event_del(clocks.ev);
		clocks.armed_ms = 0;
		return;
	}
	/*
	 * A wake-up a little early is harmless and saves a call; one much too
	 * early would cost an idle process a turn for nothing.
	 */
	if (clocks.armed_ms != 0 && clocks.armed_ms <= clocks.heap[0]->due_ms &&
	    clocks.heap[0]->due_ms - clocks.armed_ms < EARLY_MS)
		return;
	now = clock_ms();
	wait = clocks.heap[0]->due_ms > now ? clocks.heap[0]->due_ms - now : 0;
	tv.tv_sec = (time_t)(wait / 1000);
	tv.tv_usec = (suseconds_t)(wait % 1000) * 1000;
	event_want(clocks.ev, &tv);
	clocks.armed_ms = clocks.heap[0]->due_ms;
}

static void
clock_fire(evutil_socket_t fd, short what, void *arg)
{
	struct timer	*t;

	(void)fd;
	(void)what;
	(void)arg;
	clocks.armed_ms = 0;
	clocks.firing = 1;
	clocks.firing_ms = clock_ms();
	while (clocks.n > 0 && clocks.heap[0]->due_ms <= clocks.firing_ms) {
		t = clocks.heap[0];
		timer_del(t);
		t->fn(t->arg);
	}
	clocks.firing = 0;
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
	if (clocks.n == clocks.cap) {
		cap = clocks.cap == 0 ? 16 : clocks.cap * 2;
		heap = reallocarray(clocks.heap, cap, sizeof(*heap));
		if (heap == NULL)
			fatal("clock: timer");
		clocks.heap = heap;
		clocks.cap = cap;
	}
	t->due_ms = clock_ms() + ms;
	/* Not in this round again: descriptors must get their turn too. */
	if (clocks.firing && t->due_ms <= clocks.firing_ms)
		t->due_ms = clocks.firing_ms + 1;
	heap_place(clocks.n++, t);
	heap_up(clocks.n - 1);
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
	last = clocks.heap[--clocks.n];
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
uint64_t
clock_moved(void)
{
	return (clocks.offset_ms);
}

void
clock_move(uint64_t ms)
{
	struct timeval	now = { 0, 0 };

	clocks.offset_ms += ms;
	if (clocks.n > 0)
		event_want(clocks.ev, &now);
}
#endif
