/* SPDX-License-Identifier: ISC */
/* Who fails waits, each time longer; a flood of addresses forgives nobody. */
#include <sodium.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "authd/core/penalty.h"
#include "regress/lib/tap.h"

#define PRICE	10000		/* the defaults */
#define ENOUGH	10
#define FLOOD	1000000
#define WORST	1000		/* who were shut out before a flood */

static const struct penalty_rule	rule = { .min_ms = 100000,
    .max_ms = 600000 };

static struct addr
address(const char *text)
{
	struct addr	a;

	if (addr_parse(&a, text, strlen(text)) == -1)
		bail_out("no address");
	return (a);
}

static void
offend(struct penalties *all, const struct addr *a, int n, uint64_t now)
{
	while (n-- > 0)
		penalty_add(all, a, PENALTY_AUTHFAIL, PRICE, 0, &rule, now);
}

static void
waits(void)
{
	struct penalties	*all = penalties_new(64);
	struct addr		 a = address("192.0.2.1");
	struct addr		 b = address("192.0.2.2");
	uint64_t		 now = 1000000, wait, last;
	int			 i, longer = 1;

	offend(all, &a, ENOUGH - 1, now);
	is_int(penalty_wait(all, &a, now), 0, "nine failures cost nothing yet");
	offend(all, &a, 1, now);
	is_int(penalty_wait(all, &a, now), 100000, "the tenth costs 100 s");
	is_int(penalty_wait(all, &b, now), 0, "its neighbour nothing");
	is_int(penalty_wait(all, &a, now + 99999), 1, "to the last moment");
	is_int(penalty_wait(all, &a, now + 100000), 0, "and no longer");
	last = penalty_wait(all, &a, now);
	now += last;
	for (i = 0; i < 12; i++) {
		offend(all, &a, ENOUGH, now);
		wait = penalty_wait(all, &a, now);
		longer &= wait > last || wait == rule.max_ms;
		last = wait;
		now += wait;
	}
	ok(longer, "each time it waits longer");
	is_int(last, rule.max_ms, "up to the limit, and no longer");
	offend(all, &a, 1, now);
	is_int(penalty_wait(all, &a, now), 0, "ten failures each time");
	now += rule.max_ms + PRICE;
	offend(all, &a, ENOUGH, now);
	is_int(penalty_wait(all, &a, now), 100000,
	    "a quiet while, and it is as if new");
	offend(all, &a, 1000, now);
	is_int(penalty_wait(all, &a, now), rule.max_ms,
	    "a thousand at once are no more than the limit");
	penalties_free(all);
}

/* 5, 10, 20 ... 300 s: what clients do; three behind one address. */
static void
patient(void)
{
	struct penalties	*all = penalties_new(64);
	struct addr		 a = address("192.0.2.1");
	uint64_t		 now = 1000000, delay = 5000, wait = 0;
	int			 i;

	for (i = 0; i < 1000; i++) {
		offend(all, &a, 3, now);
		wait |= penalty_wait(all, &a, now);
		now += delay;
		delay = delay * 2 > 300000 ? 300000 : delay * 2;
	}
	is_int(wait, 0, "clients with a wrong secret that come back as "
	    "clients do shut nobody out");
	penalties_free(all);
}

static void
families(void)
{
	struct penalties	*all = penalties_new(64);
	struct addr		 a = address("2001:db8::1");
	struct addr		 b = address("2001:db8::ffff:1");
	struct addr		 c = address("2001:db8:0:1::1");
	struct addr		 v4 = address("192.0.2.1");
	struct addr		 mapped = address("::ffff:192.0.2.1");
	uint64_t		 now = 5;

	offend(all, &a, ENOUGH, now);
	ok(penalty_wait(all, &b, now) > 0, "IPv6 counts by its /64");
	is_int(penalty_wait(all, &c, now), 0, "another /64 is another");
	offend(all, &v4, ENOUGH, now);
	ok(penalty_wait(all, &mapped, now) > 0, "mapped is IPv4");
	ok(penalty_clear(all, &v4, now) && !penalty_clear(all, &v4, now),
	    "one is forgiven, once");
	is_int(penalty_wait(all, &v4, now), 0, "and may");
	is_int(penalties_clear(all, now), 1, "so is the rest");
	is_int(penalty_wait(all, &a, now), 0, "and may, too");
	penalties_free(all);
}

/* What others say makes the last straw, and nothing without one's own. */
static void
others(void)
{
	struct penalties	*all = penalties_new(64);
	struct addr		 a = address("192.0.2.1");
	uint64_t		 now = 5;

	penalty_add(all, &a, PENALTY_NOAUTH, 1000, 98000, &rule, now);
	is_int(penalty_wait(all, &a, now), 0, "a little less is not enough");
	penalty_add(all, &a, PENALTY_NOAUTH, 1000, 98000, &rule, now);
	is_int(penalty_wait(all, &a, now), 100000, "enough is");
	penalties_free(all);
}

static struct addr
numbered(uint32_t n)
{
	struct addr	a = { { 0x20, 0x01, 0x0d, 0xb8 } };

	memcpy(a.b + 4, &n, sizeof(n));
	return (a);
}

static long
resident_kib(void)
{
	FILE	*f = fopen("/proc/self/statm", "r");
	long	 total, resident = -1;

	if (f == NULL || fscanf(f, "%ld %ld", &total, &resident) != 2)
		bail_out("statm");
	(void)fclose(f);
	return (resident * sysconf(_SC_PAGESIZE) / 1024);
}

static int
how_many_wait(const struct penalties *all, uint64_t now)
{
	struct addr	a;
	uint32_t	i;
	int		n = 0;

	for (i = 0; i < WORST; i++) {
		a = numbered(i);
		n += penalty_wait(all, &a, now) > 0;
	}
	return (n);
}

static void
flood(void)
{
	struct penalties	*all = penalties_new(16384);
	struct addr		 a;
	uint64_t		 now = 5;
	size_t			 at = 0, known = 0;
	uint32_t		 i;
	long			 before = 0, grown;

	for (i = 0; i < WORST; i++) {
		a = numbered(i);
		offend(all, &a, ENOUGH, now);
	}
	for (i = 0; i < FLOOD; i++) {
		a = numbered(WORST + i);
		offend(all, &a, 1, now);
		if (i == FLOOD / 10)
			before = resident_kib();
	}
	grown = resident_kib() - before;
	diag("%ld KiB more after %d addresses more", grown,
	    FLOOD - FLOOD / 10);
	ok(grown < 256, "a million addresses take no memory");
	is_int(how_many_wait(all, now), WORST,
	    "and push out nobody who is shut out");
	is_int(penalty_price(all, &a, now), PRICE, "the newest is known");
	while (penalty_next(all, &at, now) != NULL)
		known++;
	is_int(known, 16384, "of the others, as many as there is room for");
	penalties_free(all);
}

int
main(void)
{
	if (sodium_init() == -1)
		return (1);
	waits();
	patient();
	families();
	others();
	flood();
	return (done_testing());
}
