/* SPDX-License-Identifier: ISC */
/* The clock: order, moving it, and what callbacks may do. */
#include <event2/event.h>

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "regress/lib/tap.h"

#define MANY	500

static struct event_base	*base;
static struct timer		 timers[MANY];
static struct {
	int		 fired, wrong_order, dead;
	uint64_t	 last_due;
	struct timer	*last;
} seen;

static void
turn(void)
{
	int	i;

	for (i = 0; i < 4; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static void
on_timer(void *arg)
{
	struct timer	*t = arg;

	seen.fired++;
	if (t->due_ms < seen.last_due)
		seen.wrong_order++;
	seen.last_due = t->due_ms;
	seen.last = t;
}

static void
fresh(void)
{
	int	i;

	memset(&seen, 0, sizeof(seen));
	for (i = 0; i < MANY; i++) {
		timer_del(&timers[i]);
		timer_init(&timers[i], on_timer, &timers[i]);
	}
}

static void
test_time(void)
{
	uint64_t	ms = clock_ms();
	int64_t		wall = clock_wall();

	ok(clock_ns() / 1000000 >= ms, "one origin for both units");
	clock_move(3600000);
	ok(clock_ms() - ms >= 3600000 && clock_ms() - ms < 3700000,
	    "moving moves the monotonic clock");
	ok(clock_wall() - wall >= 3600 && clock_wall() - wall < 3700,
	    "and the wall clock");
	ok(clock_wall_ms() / 1000 - clock_wall() <= 1, "its two units agree");
}

/* Random sets, moves and deletions against a count. */
static void
test_order(void)
{
	uint32_t	r = 12345;
	int		i, k, set = 0;

	fresh();
	for (k = 0; k < 20000; k++) {
		r = r * 1664525 + 1013904223;
		i = (int)((r >> 8) % MANY);
		if ((r >> 24) % 4 == 0)
			timer_del(&timers[i]);
		else
			timer_set(&timers[i], 1000 + (r >> 4) % 100000);
	}
	for (i = 0; i < MANY; i++)
		set += timer_is_set(&timers[i]);
	turn();
	is_int(seen.fired, 0, "nothing is early");
	clock_move(50000);
	turn();
	ok(seen.fired > 0 && seen.fired < set, "some are due");
	clock_move(100000);
	turn();
	is_int(seen.fired, set, "each that was set fired once");
	is_int(seen.wrong_order, 0, "in the order of their times");
	for (i = 0, set = 0; i < MANY; i++)
		set += timer_is_set(&timers[i]);
	is_int(set, 0, "and is unset after");
}

static void
on_free_others(void *arg)
{
	struct timer	*t = arg;
	int		 i;

	seen.fired++;
	for (i = 0; i < MANY; i++)
		if (&timers[i] != t) {
			timer_del(&timers[i]);
			timer_init(&timers[i], NULL, NULL);
		}
}

static void
on_again(void *arg)
{
	seen.fired++;
	timer_set(arg, 0);
}

static void
on_free_self(void *arg)
{
	seen.dead++;
	free(arg);
}

static void
test_callbacks(void)
{
	struct timer	*t;
	int		 i;

	fresh();
	for (i = 0; i < MANY; i++) {
		timer_init(&timers[i], on_free_others, &timers[i]);
		timer_set(&timers[i], 10);
	}
	clock_move(20);
	turn();
	is_int(seen.fired, 1, "a callback may unset all that are due with it");
	fresh();
	timer_init(&timers[0], on_again, &timers[0]);
	timer_set(&timers[0], 0);
	event_base_loop(base, EVLOOP_ONCE);
	ok(seen.fired == 1, "one that sets itself again at once leaves the "
	    "others a turn");
	event_base_loop(base, EVLOOP_ONCE);
	is_int(seen.fired, 2, "and fires in the next");
	timer_del(&timers[0]);
	if ((t = malloc(sizeof(*t))) == NULL)
		fatal("memory");
	timer_init(t, on_free_self, t);
	timer_set(t, 5);
	clock_move(5);
	turn();
	is_int(seen.dead, 1, "a callback may free its own timer");
}

static void
test_edges(void)
{
	struct event_base	*other;

	fresh();
	timer_del(&timers[0]);
	ok(!timer_is_set(&timers[0]), "unsetting what is not set is harmless");
	timer_set(&timers[0], (uint64_t)-5000);
	ok(timer_is_set(&timers[0]), "a negative time");
	turn();
	is_int(seen.fired, 1, "is past");
	timer_set(&timers[0], (uint64_t)INT64_MAX);
	timer_set(&timers[1], 1000);
	clock_move(1000);
	turn();
	ok(seen.fired == 2 && seen.last == &timers[1],
	    "a time in millions of years does not come before others");
	clock_clear();
	ok(!timer_is_set(&timers[0]), "clearing the clock unsets timers");
	timer_del(&timers[0]);
	other = event_base_new();
	clock_init(other);
	timer_set(&timers[0], 0);
	event_base_loop(other, EVLOOP_ONCE);
	is_int(seen.fired, 3, "and it can be set up again");
	clock_clear();
	event_base_free(other);
}

/* A million times slower: none of what a machine can make of it is a second. */
static void
test_slow(void)
{
	struct event_base	*slow = event_base_new();
	uint64_t		 now;

	setenv("RELAYD_CLOCK_SLOW", "1000000", 1);
	clock_init(slow);
	unsetenv("RELAYD_CLOCK_SLOW");
	now = clock_ms();
	timer_set(&timers[0], 20);
	usleep(50000);
	event_base_loop(slow, EVLOOP_NONBLOCK);
	ok(clock_ms() - now < 20 && timer_is_set(&timers[0]),
	    "a clock that is slow: what is due soon is not yet");
	clock_move(20);
	event_base_loop(slow, EVLOOP_ONCE);
	ok(clock_ms() - now >= 20 && !timer_is_set(&timers[0]),
	    "it is, when the clock is moved");
	clock_clear();
	event_base_free(slow);
}

int
main(void)
{
	if ((base = event_base_new()) == NULL)
		fatal("event base");
	clock_init(base);
	test_time();
	test_order();
	test_callbacks();
	test_edges();
	test_slow();
	event_base_free(base);
	return (done_testing());
}
