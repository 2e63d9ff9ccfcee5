/* SPDX-License-Identifier: ISC */
#include <event2/event.h>
#include <sodium.h>

#include <stdio.h>
#include <string.h>

#include "base/rate.h"
#include "base/clock.h"
#include "regress/lib/tap.h"

#define MINUTE	60000

static void
windows(void)
{
	struct rate	*r = rate_new(64);
	uint32_t	 retry = 0;
	int		 i, good = 1;

	for (i = 0; i < 10; i++)
		good &= rate_hit(r, "a", 10, MINUTE, &retry) == 0;
	ok(good, "ten of ten are let through");
	is_int(rate_hit(r, "a", 10, MINUTE, &retry), -1, "the 11th is not");
	ok(retry >= 59 && retry <= 60, "and hears when to try again: %u s",
	    (unsigned)retry);
	is_int(rate_hit(r, "b", 10, MINUTE, &retry), 0,
	    "another key is not touched");
#ifdef RELAYD_TESTING
	clock_move(30000);
	for (i = 0; i < 100; i++)
		(void)rate_hit(r, "a", 10, MINUTE, &retry);
	ok(retry <= 30, "refused attempts do not prolong the window");
	clock_move(30001);
	is_int(rate_peek(r, "a", 10, &retry), 0, "a peek counts nothing");
	for (i = 0, good = 1; i < 10; i++)
		good &= rate_hit(r, "a", 10, MINUTE, &retry) == 0;
	ok(good, "ten more in the next window");
	is_int(rate_peek(r, "a", 10, &retry), -1, "a peek sees the limit");
#endif
	rate_free(r);
}

/* A flood of keys takes the oldest places and no memory. */
static void
present(void)
{
	struct rate	*r = rate_new(64);
	uint32_t	 retry;
	int		 i;

	for (i = 0; i < 3; i++)
		(void)rate_hit(r, "a", UINT64_MAX, RATE_EVER, &retry);
#ifdef RELAYD_TESTING
	clock_move(365ULL * 86400 * 1000);
#endif
	is_int(rate_peek(r, "a", 3, &retry), -1, "what is here stays counted");
	rate_back(r, "a");
	is_int(rate_peek(r, "a", 3, &retry), 0, "one has gone");
	for (i = 0; i < 5; i++)
		rate_back(r, "a");
	(void)rate_hit(r, "a", UINT64_MAX, RATE_EVER, &retry);
	is_int(rate_peek(r, "a", 1, &retry), -1,
	    "more than came cannot go: one more is one");
	rate_free(r);
}

static void
bounded(void)
{
	struct rate	*r = rate_new(64);
	uint32_t	 retry;
	char		 key[32];
	int		 i, refused = 0;

	for (i = 0; i < 100000; i++) {
		snprintf(key, sizeof(key), "key %d", i);
		refused += rate_hit(r, key, 1, MINUTE, &retry) == -1;
	}
	is_int(refused, 0, "100000 keys in 64 places: none is refused");
	is_int(rate_hit(r, key, 1, MINUTE, &retry), -1,
	    "the newest key is remembered");
	rate_free(r);
}

/* Who is over a limit stays so, whoever else comes. */
static void
flood(void)
{
	struct rate	*r = rate_new(16384);
	uint32_t	 retry;
	char		 key[32];
	int		 i, k, out = 0;

	for (i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "bad %d", i);
		for (k = 0; k < 5; k++)
			(void)rate_hit(r, key, 5, MINUTE, &retry);
	}
	for (i = 0; i < 1000000; i++) {
		snprintf(key, sizeof(key), "key %d", i);
		(void)rate_hit(r, key, 5, MINUTE, &retry);
	}
	for (i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "bad %d", i);
		out += rate_peek(r, key, 5, &retry) == -1;
	}
	is_int(out, 1000, "a million keys make nobody forget who had enough");
	rate_free(r);
}

static void
same(const char *a, const char *b, int want, const char *what)
{
	char	ka[ADDR_SIZE], kb[ADDR_SIZE];

	rate_address(a, ka);
	rate_address(b, kb);
	is_int(strcmp(ka, kb) == 0, want, "%s", what);
}

int
main(void)
{
	struct event_base	*base = event_base_new();

	if (sodium_init() == -1)
		return (1);
	clock_init(base);
	windows();
	present();
	bounded();
	flood();
	same("192.0.2.1", "192.0.2.2", 0, "IPv4 addresses count whole");
	same("2001:db8::1", "2001:db8::ffff:1", 1, "IPv6 by /64");
	same("2001:db8::1", "2001:db8:0:1::1", 0, "another /64 is another");
	same("::ffff:192.0.2.1", "192.0.2.1", 1, "mapped is IPv4");
	same("nonsense", "nonsense", 1, "what is no address is its own key");
	clock_clear();
	event_base_free(base);
	return (done_testing());
}
