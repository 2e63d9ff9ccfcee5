/* SPDX-License-Identifier: ISC */
/* How long tunnel-client waits between two attempts. */
#include "tunnel-client/client.h"
#include "regress/lib/tap.h"

/* The middle of the spread: no jitter. */
static uint64_t
middle(uint64_t ms)
{
	return (ms * BACKOFF_JITTER_PCT / 100);
}

/* Sent to others by a server that drains: one after the other is upgraded. */
static void
moved(void)
{
	struct backoff	b, saved;
	unsigned	i;

	backoff_init(&b, 5000, 300000);
	(void)backoff_next(&b, 0, 0, 0);
	saved = b;
	is_int(backoff_moved(&b, 20000, BACKOFF_MOVED_MS), BACKOFF_MOVED_MS,
	    "tunnel-56: who is sent to others by one that drains comes at once");
	b = saved;
	for (i = 0; i < BACKOFF_HURRIES; i++)
		is_int(backoff_moved(&b, 10, BACKOFF_MOVED_MS + 1), 0,
		    "tunnel-56: or within a second, also the time number %u",
		    i + 1);
	is_int(backoff_moved(&b, 0, (uint32_t)middle(10000)), 10000,
	    "tunnel-56: no more of them, in connections that do not last");
	is_int(backoff_next(&b, 0, 0, (uint32_t)middle(20000)), 20000,
	    "tunnel-56: where delays grow on");
	is_int(backoff_moved(&b, BACKOFF_HURRY_MS - 51,
	    (uint32_t)middle(40000)), 40000, "tunnel-56: nor one that is a moment too short");
	is_int(backoff_moved(&b, 1, 7), 7,
	    "tunnel-56: but one more for so much connection, in all");
	is_int(backoff_moved(&b, 0, (uint32_t)middle(80000)), 80000,
	    "tunnel-56: which is used up with it");
	is_int(backoff_moved(&b, 60001, 0), 0,
	    "tunnel-56: and some after one that has lasted");
	is_int(backoff_next(&b, 0, 0, (uint32_t)middle(5000)), 5000,
	    "tunnel-56: if nobody is there, the delays begin anew");
	(void)backoff_next(&b, UINT64_MAX, 0, 0);
	for (i = 0; i < BACKOFF_HURRIES; i++)
		(void)backoff_moved(&b, 0, 0);
	is_int(backoff_moved(&b, 0, (uint32_t)middle(10000)), 10000,
	    "tunnel-56: however long, none is saved up beyond those");
}

int
main(void)
{
	static const uint64_t	want[] = { 5000, 10000, 20000, 40000, 80000,
				    160000, 300000, 300000 };
	struct backoff		b, saved;
	uint64_t		low, high, v;
	uint32_t		r;
	size_t			i;

	backoff_init(&b, 5000, 300000);
	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		is_int(backoff_next(&b, 0, 0, (uint32_t)middle(want[i])),
		    want[i], "tunnel-56: delay %zu is %llu s", i + 1,
		    (unsigned long long)want[i] / 1000);
	is_int(backoff_next(&b, 60000, 0, (uint32_t)middle(300000)), 300000,
	    "tunnel-56: 60 s of connection change nothing");
	is_int(backoff_next(&b, 60001, 0, (uint32_t)middle(5000)), 5000,
	    "tunnel-56: more than that, and it is 5 s again");
	is_int(backoff_next(&b, 0, 0, (uint32_t)middle(10000)), 10000,
	    "tunnel-56: and grows again");

	low = UINT64_MAX;
	high = 0;
	saved = b;
	for (r = 0; r < 100000; r++) {
		b = saved;
		v = backoff_next(&b, 0, 0, r);
		low = v < low ? v : low;
		high = v > high ? v : high;
	}
	is_int(low, 16000, "tunnel-56: the jitter takes a fifth at most");
	is_int(high, 24000, "tunnel-56: and adds a fifth at most");
	b = saved;
	v = backoff_next(&b, 0, 0, UINT32_MAX);
	ok(v >= 16000 && v <= 24000, "whatever the random number");

	backoff_init(&b, 5000, 300000);
	is_int(backoff_next(&b, 0, 77000, 0), 77000,
	    "Retry-After is a lower bound");
	low = UINT64_MAX;
	high = 0;
	for (r = 0; r < 100000; r++) {
		backoff_init(&b, 5000, 300000);
		v = backoff_next(&b, 0, 77000, r);
		low = v < low ? v : low;
		high = v > high ? v : high;
	}
	ok(low == 77000 && high == 77000 + 15400,
	    "who were told the same do not come at once, nor sooner");
	backoff_init(&b, 5000, 300000);
	(void)backoff_next(&b, 0, 0, 0);
	is_int(backoff_next(&b, 0, 1000, (uint32_t)middle(10000)), 10000,
	    "and only that");
	is_int(backoff_next(&b, 0, UINT64_MAX, 0), 3600000,
	    "an hour at most");

	backoff_init(&b, 10000, 1000);
	is_int(backoff_next(&b, 0, 0, (uint32_t)middle(10000)), 10000,
	    "a maximum below the first is the first");
	is_int(backoff_next(&b, 0, 0, (uint32_t)middle(10000)), 10000,
	    "and stays");
	moved();

	backoff_init(&b, 0, 0);
	is_int(backoff_next(&b, 0, 0, 12345), 0, "no delay at all");
	return (done_testing());
}
