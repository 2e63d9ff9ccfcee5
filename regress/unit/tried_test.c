/* SPDX-License-Identifier: ISC */
/* Refused credentials of an address: doc/messages.md, section 5. */
#include <event2/event.h>
#include <sodium.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/clock.h"
#include "proxyd/tried.h"
#include "regress/lib/tap.h"

static struct tried
of(const char *fmt, int n)
{
	struct tried	t;
	char		text[64];

	snprintf(text, sizeof(text), "%s %d", fmt, n);
	tried_make(&t, text, strlen(text));
	return (t);
}

static struct addr
from(int n)
{
	struct addr	a;
	char		text[ADDR_SIZE];

	snprintf(text, sizeof(text), "198.51.%d.%d", n / 250, n % 250);
	if (addr_parse(&a, text, strlen(text)) == -1)
		bail_out("no address");
	return (a);
}

/* All that an address may have refused, and be told so. */
static int
use_up(const struct addr *a, int first)
{
	struct tried	t;
	int		i, said = 0;

	for (i = 0; i < TRIED_MAX; i++) {
		t = of("used", first + i);
		said += tried_wait(a, &t) == 0 && tried_bad(a, &t) == 0;
	}
	return (said);
}

/* How many of so many new ones is authd asked about? */
static int
asked(const struct addr *a, int first, int many)
{
	struct tried	t;
	int		i, n = 0;

	for (i = 0; i < many; i++) {
		t = of("asked", first + i);
		n += tried_wait(a, &t) == 0;
	}
	return (n);
}

static void
keys(void)
{
	struct tried	a = of("a", 1), b = of("a", 1), c = of("a", 2);

	is_str(a.key, b.key, "a credential has one key");
	ok(strcmp(a.key, c.key) != 0, "another one another");
	ok(strstr(a.key, "a 1") == NULL && strlen(a.key) == sizeof(a.key) - 1,
	    "which does not tell it");
}

static void
many_refused(void)
{
	struct addr	a = from(1), other = from(2);
	struct tried	t = of("new", 1), none = { "" };

	is_int(use_up(&a, 0), TRIED_MAX, "%d are refused as such", TRIED_MAX);
	ok(tried_over(&a) > 0 && tried_over(&a) <= TRIED_MS / 1000,
	    "then it is 429, until the minute is over");
	is_int(tried_wait(&a, &t), 0, "but authd is asked");
	ok(tried_bad(&a, &t) > 0, "one that is bad: 429");
	t = of("new", 2);
	is_int(tried_wait(&a, &t), 0, "and asked about the next");
	tried_good(&t);
	is_int(tried_wait(&a, &none), 0, "what cannot be told from others too");
	t = of("new", 3);
	is_int(tried_over(&other), 0, "another address is not touched");
	is_int(tried_bad(&other, &t), 0, "and hears that its one is refused");
#ifdef RELAYD_TESTING
	clock_move(TRIED_MS);
	is_int(tried_over(&a), 0, "a minute later it begins anew");
	is_int(use_up(&a, 100), TRIED_MAX, "as often as before");
	ok(tried_over(&a) > 0, "and no more often");
	clock_move(TRIED_MS);
#endif
}

#ifdef RELAYD_TESTING
static void
flood(void)
{
	struct addr	a = from(3), b;
	struct tried	good = of("good", 1), t;
	int		n, i;

	tried_good(&good);
	is_int(use_up(&a, 200), TRIED_MAX, "the minute's");
	is_int(asked(&a, 0, 1000), TRIED_ASK, "of a flood authd is asked about "
	    "%d", TRIED_ASK);
	t = of("asked", 2000);
	is_int(tried_wait(&a, &t), 1, "the next one may come in a second");
	for (i = n = 0; i < 1000; i++)
		n += tried_wait(&a, &good) == 0;
	is_int(n, 1000, "and about what was good lately, always");
	clock_move(1000);
	is_int(asked(&a, 3000, 1000), TRIED_ASK, "as many in the next second");
	/* It was good, and is not any more. */
	(void)tried_bad(&a, &good);
	ok(tried_wait(&a, &good) > 1, "not about what was refused since");

	clock_move(TRIED_MS);
	tried_good(&good);
	(void)use_up(&a, 300);
	clock_move(1000);
	is_int(asked(&a, 4000, 1000), TRIED_ASK, "again");
	is_int(tried_wait(&a, &good), 0, "good again");
	clock_move(TRIED_GOOD_MS);
	(void)use_up(&a, 400);
	clock_move(1000);
	is_int(asked(&a, 5000, 1000), TRIED_ASK, "and again");
	ok(tried_wait(&a, &good) > 0, "which is forgotten in time");

	/* From many addresses. */
	clock_move(TRIED_MS);
	for (i = 0; i < 100; i++) {
		b = from(100 + i);
		(void)use_up(&b, 1000 + 20 * i);
	}
	for (i = n = 0; i < 100; i++) {
		b = from(100 + i);
		n += asked(&b, 6000 + 100 * i, 100);
	}
	is_int(n, TRIED_ASK_ALL, "of all such addresses, %d", TRIED_ASK_ALL);
	b = from(300);
	t = of("elsewhere", 1);
	is_int(tried_wait(&b, &t), 0, "an address without any is not touched");
	clock_move(TRIED_MS);
}

/* A page with a token that has run out asks and asks. */
static void
stale(void)
{
	struct addr	a = from(4);
	struct tried	t = of("stale", 1), fresh = of("fresh", 1);
	int		i, n;

	(void)use_up(&a, 5000);
	is_int(tried_wait(&a, &t), 0, "authd is asked about it");
	ok(tried_bad(&a, &t) > 0, "429");
	for (i = n = 0; i < 1000; i++)
		n += tried_wait(&a, &t) > 1;
	is_int(n, 1000, "and not asked again, for as long as that takes");
	is_int(tried_wait(&a, &fresh), 0, "a new one has all of the place");
	clock_move(TRIED_BAD_MS);
	is_int(tried_wait(&a, &t), 0, "later it is asked about again");
	tried_good(&t);
	is_int(tried_wait(&a, &t), 0, "one that has become good is good");
	clock_move(TRIED_MS);
}

/* Tables do not grow: who is pushed out is asked about with the others. */
static void
full(void)
{
	struct addr	a = from(5);
	struct tried	first = of("many", 0), last, t;
	int		i;

	tried_good(&first);
	for (i = 1; i < 100000; i++) {
		last = of("many", i);
		tried_good(&last);
	}
	(void)use_up(&a, 7000);
	is_int(asked(&a, 9000, 100), TRIED_ASK, "a flood");
	is_int(tried_wait(&a, &last), 0, "the last good one is known");
	ok(tried_wait(&a, &first) > 0, "of 100,000 the first is not");
	for (i = 0; i < 100000; i++) {
		t = of("bad", i);
		(void)tried_bad(&a, &t);
	}
	is_int(tried_wait(&a, &last), 0, "bad ones push out no good ones");
}
#endif

int
main(void)
{
	struct event_base	*base = event_base_new();

	if (sodium_init() == -1)
		return (1);
	/* What is within a second is so on a busy machine, too. */
	setenv("RELAYD_CLOCK_SLOW", "10000", 1);
	clock_init(base);
	tried_init();
	keys();
	many_refused();
#ifdef RELAYD_TESTING
	flood();
	stale();
	full();
#endif
	clock_clear();
	event_base_free(base);
	return (done_testing());
}
