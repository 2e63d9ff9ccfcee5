/* SPDX-License-Identifier: ISC */
/*
 * The core of pairing: limits of addresses, what it costs, and a crowd that
 * does everything at random while every table is compared with a simple one.
 */
#include <sodium.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "paird/pair_int.h"
#include "regress/lib/pairsound.h"
#include "regress/lib/tap.h"

#define LAST_MAX	256

/* A device: what it was told last, and how it ended. */
struct dev {
	struct client	*client;
	char		 last[LAST_MAX];
	unsigned	 said, pings;
	unsigned	 nth;		/* of all that was said, to it last */
	int		 closed;	/* code; -1: dropped */
};

static struct {
	uint64_t	 id;
	uint8_t		 hash[PAIR_HASH];
	int		 take;
} asks[256];
static unsigned	nasks, said_all;
static uint64_t	now = 1000;

static void
send_to(void *io, const char *text, size_t len)
{
	struct dev	*d = io;

	snprintf(d->last, sizeof(d->last), "%.*s", (int)len, text);
	d->said++;
	d->nth = ++said_all;
}

static void
close_it(void *io, uint16_t code, const char *reason)
{
	(void)reason;
	((struct dev *)io)->closed = code;
}

static void
drop_it(void *io)
{
	((struct dev *)io)->closed = -1;
}

static void
ping_it(void *io)
{
	((struct dev *)io)->pings++;
}

static int
is_held(void *io)
{
	(void)io;
	return (0);
}

static int
ask_it(uint64_t id, const uint8_t hash[PAIR_HASH], int take)
{
	if (nasks == 256)
		return (-1);
	asks[nasks].id = id;
	memcpy(asks[nasks].hash, hash, PAIR_HASH);
	asks[nasks++].take = take;
	return (0);
}

static const struct pair_ops	ops = { send_to, close_it, drop_it, ping_it,
	is_held, ask_it };

static struct dev *
dev_new(const char *addr)
{
	struct dev	*d = calloc(1, sizeof(*d));
	struct addr	 a;

	if (d == NULL || addr_parse(&a, addr, strlen(addr)) == -1)
		bail_out("address");
	d->client = pairs_open(now, d, &a);
	return (d);
}

static void
dev_free(struct dev *d)
{
	if (d->client != NULL)
		pairs_gone(d->client, now);
	free(d);
}

static const char *
tell(struct dev *d, const char *text)
{
	d->last[0] = '\0';
	pairs_message(d->client, text, strlen(text), now);
	return (d->last);
}

static const char *
tell_code(struct dev *d, const char *type, unsigned code)
{
	char	text[64];

	snprintf(text, sizeof(text), "{\"type\":\"%s\",\"otc\":\"%06u\"}",
	    type, code);
	return (tell(d, text));
}

static int
says(const char *text, const char *word)
{
	return (strstr(text, word) != NULL);
}

static void
begin(size_t clients, size_t sessions)
{
	pairs_clear();
	pairs_init(&ops);
	pairs_configure(&(struct pair_limits){ .max_clients = clients,
	    .max_sessions = sessions, .paired_ms = 180000 });
	nasks = 0;
}

/* How many connects of one address fail by otc_not_found before the limit. */
static unsigned
failures(const char *addr, unsigned most)
{
	struct dev	*d = dev_new(addr);
	unsigned	 n = 0;

	while (n < most && says(tell_code(d, "connect", 900000 + n),
	    "otc_not_found"))
		n++;
	dev_free(d);
	return (n);
}

static void
test_addresses(void)
{
	unsigned	four, six;

	begin(1000, 1000);
	four = failures("192.0.2.1", 9) + failures("192.0.2.2", 9) * 10 +
	    failures("::ffff:192.0.2.1", 9) * 100;
	six = failures("2001:db8::1", 9) + failures("2001:db8::ffff:1", 9) *
	    10 + failures("2001:db8:0:1::1", 9) * 100;
	is_int(four, 55, "an address has a budget, mapped or not");
	is_int(six, 505, "pairing-32: and an IPv6 /64 has one");
}

/* A target answers at once: what it says may not come before this. */
static void
test_order(void)
{
	struct dev	*a, *b;
	unsigned	 before;

	begin(10, 10);
	a = dev_new("192.0.2.1");
	b = dev_new("192.0.2.2");
	(void)tell_code(a, "listen", 482613);
	before = said_all;
	(void)tell_code(b, "connect", 482613);
	ok(a->nth == before + 1 && b->nth == before + 2 &&
	    says(a->last, "peer_found") && says(b->last, "peer_found"),
	    "pairing-11: both meet, and the target's is queued first");
	dev_free(b);
	dev_free(a);
}

/* Who is refused leaves nothing behind. */
static void
test_refused(void)
{
	struct dev	*d[10], *x;
	char		 addr[32];
	unsigned	 i, in = 0;

	begin(10, 10);
	for (i = 0; i < 10; i++) {
		snprintf(addr, sizeof(addr), "192.0.2.%u", i);
		d[i] = dev_new(addr);
	}
	for (i = 0; i < 100000; i++) {
		snprintf(addr, sizeof(addr), "10.%u.%u.1", i / 256 % 256,
		    i % 256);
		x = dev_new(addr);
		in += x->client != NULL;
		dev_free(x);
	}
	ok(in == 0 && pairs_count()->clients == 10 &&
	    pairs_count()->refused == 100000, "100,000 more are refused");
	dev_free(d[3]);
	d[3] = dev_new("192.0.2.3");
	x = dev_new("192.0.2.99");
	ok(d[3]->client != NULL && x->client == NULL,
	    "then there is room for who leaves, and for nobody else");
	dev_free(x);
	for (i = 0; i < 10; i++)
		dev_free(d[i]);
}

static void
test_everybody(void)
{
	struct dev	*a, *b, *x, *y;
	char		 addr[32];
	unsigned	 i, taken = 0, failed = 0;

	begin(1000, 1000);
	a = dev_new("192.0.2.1");
	b = dev_new("192.0.2.2");
	(void)tell_code(a, "listen", 482613);
	(void)tell_code(b, "connect", 482613);
	for (i = 0; i < 100; i++) {
		snprintf(addr, sizeof(addr), "198.51.%u.1", i);
		x = dev_new(addr);
		taken += says(tell_code(x, "connect", 482613),
		    "peer_already_connected") != 0;
		dev_free(x);
	}
	ok(taken == 100 && a->closed == 0 && b->closed == 0 && a->said == 2 &&
	    b->said == 1, "a hundred strangers disturb no pair");
	for (i = 0; i < 201; i++) {
		snprintf(addr, sizeof(addr), "203.0.%u.1", i);
		failed += failures(addr, 1);
	}
	is_int(failed, 201, "301 have failed");
	x = dev_new("203.0.7.1");
	y = dev_new("192.0.2.9");
	ok(says(tell_code(x, "connect", 1), "rate_limited") &&
	    says(tell_code(y, "listen", 2), "session_open"),
	    "pairing-35: who failed lately waits, who did not can pair");
	now += 60000;
	ok(says(tell_code(x, "connect", 1), "otc_not_found"),
	    "until the minute is over");
	dev_free(x);
	dev_free(y);
	dev_free(b);
	ok(says(a->last, "peer_disconnected"), "the pair ended by itself");
	dev_free(a);
}

static uint64_t
ns(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec);
}

/*
 * Work, not time: what a leaving client touches is what it has. The time is
 * told for who looks, against a bound that only a scan would cross.
 */
static void
test_cost(unsigned many, unsigned idle)
{
	struct dev	**d;
	char		  text[96], addr[32];
	uint64_t	  t;
	unsigned	  i;

	begin(many + idle, many);
	if ((d = calloc(many + idle, sizeof(*d))) == NULL)
		bail_out("memory");
	for (i = many; i < many + idle; i++) {
		snprintf(addr, sizeof(addr), "11.%u.%u.1", i >> 8 & 255,
		    i & 255);
		d[i] = dev_new(addr);
	}
	t = ns();
	for (i = 0; i < many; i++) {
		snprintf(addr, sizeof(addr), "10.%u.%u.1", i >> 8 & 255,
		    i & 255);
		d[i] = dev_new(addr);
		snprintf(text, sizeof(text), "{\"type\":\"bootstrap_watch\","
		    "\"jti\":\"bt_%032x\"}", i);
		(void)tell(d[i], text);
		(void)tell_code(d[i], "listen", i);
	}
	diag("%llu ns to come, watch and listen",
	    (unsigned long long)((ns() - t) / many));
	is_int((long)pairs_count()->watches, (long)many, "%u watches", many);
	is_int((long)pairs_count()->sessions, (long)many, "%u sessions", many);
	t = ns();
	for (i = 0; i < many; i++)
		dev_free(d[(i * 7919) % many]);
	t = (ns() - t) / many;
	diag("%llu ns a disconnect", (unsigned long long)t);
	ok(t < 50000 && pairs_count()->watches == 0 &&
	    pairs_count()->sessions == 0 && pairs_count()->clients == idle,
	    "pairing-58: a disconnect costs what it has, of %u", many);
	for (i = many; i < many + idle; i++)
		dev_free(d[i]);
	free(d);
}

/* The crowd. */

#define DEVS	40
#define CODES	12
#define JTIS	10
#define STEPS	200000

static struct dev	*crowd[DEVS];

static void
known_some(void)
{
	unsigned	i;

	while (nasks > 0) {
		i = randombytes_uniform(nasks);
		pairs_known(asks[i].id, (enum pair_known)
		    (randombytes_uniform(8) == 0 ? PAIR_USED : PAIR_NEW), now);
		asks[i] = asks[--nasks];
		if (randombytes_uniform(3) == 0)
			break;
	}
}

static void
random_message(struct dev *d)
{
	static const char *const	forms[][2] = {
		{ "{\"type\":\"listen\",\"otc\":\"0000", "\"}" },
		{ "{\"type\":\"connect\",\"otc\":\"0000", "\"}" },
		{ "{\"type\":\"data\",\"payload\":1", "}" },
		{ "{\"type\":\"done\",\"x\":1", "}" },
		{ "{\"type\":\"bootstrap_watch\",\"jti\":\"j", "\"}" },
		{ "{\"type\":\"bootstrap_init\",\"token\":\"t\","
		    "\"targetPubKey\":\"k\",\"jti\":\"j", "\"}" },
		{ "{\"type\":\"bootstrap_ack\",\"jti\":\"j", "\"}" },
		{ "{\"type\":\"bootstrap_reject\",\"jti\":\"j", "\"}" },
		{ "{\"type\":\"x", "\"}" }, { "nonsense", "" } };
	unsigned			 i = randombytes_uniform(10);
	char				 text[128];

	snprintf(text, sizeof(text), "%s%02u%s", forms[i][0],
	    randombytes_uniform(i < 2 ? CODES : JTIS), forms[i][1]);
	(void)tell(d, text);
}

static int
is_sound(void)
{
	struct client	*c[DEVS];
	unsigned	 i;

	for (i = 0; i < DEVS; i++)
		c[i] = crowd[i] != NULL ? crowd[i]->client : NULL;
	return (pair_is_sound(c, DEVS, nasks));
}

static void
random_step(void)
{
	unsigned	 i = randombytes_uniform(DEVS);
	char		 addr[32];

	if (crowd[i] == NULL) {
		snprintf(addr, sizeof(addr), "10.%u.%u.%u",
		    randombytes_uniform(200), randombytes_uniform(200),
		    randombytes_uniform(200));
		crowd[i] = dev_new(addr);
	} else if (crowd[i]->client == NULL ||
	    (crowd[i]->closed != 0 && randombytes_uniform(4) == 0) ||
	    randombytes_uniform(60) == 0) {
		dev_free(crowd[i]);
		crowd[i] = NULL;
	} else if (randombytes_uniform(80) == 0)
		pairs_leave(crowd[i]->client, now);
	else
		random_message(crowd[i]);
}

static void
test_crowd(void)
{
	unsigned	i, bad = 0;

	begin(DEVS - 4, CODES - 3);
	for (i = 0; i < STEPS && !bad; i++) {
		random_step();
		if (randombytes_uniform(3) == 0)
			known_some();
		now += randombytes_uniform(10) == 0 ?
		    randombytes_uniform(40000) : randombytes_uniform(300);
		pairs_tick(now);
		bad += pairs_due() <= now || !is_sound();
	}
	is_int(bad, 0, "%u random steps: all tables agree", i);
	for (i = 0; i < DEVS; i++)
		if (crowd[i] != NULL)
			dev_free(crowd[i]);
	ok(pairs_count()->clients == 0 && pairs_count()->sessions == 0 &&
	    pairs_count()->watches == 0 && pairs_due() == UINT64_MAX,
	    "and nothing is left");
	diag("%llu pairings, %llu tokens brought",
	    (unsigned long long)pairs_count()->pairings,
	    (unsigned long long)pairs_count()->bootstraps);
	ok(pairs_count()->pairings > 100 && pairs_count()->bootstraps > 100,
	    "it has done what it is for");
	while (nasks > 0)
		pairs_known(asks[--nasks].id, PAIR_NEW, now);
	is_int((long)pair.by_ask.count, 0, "no question is left");
}

/* A pair idles as long as it may, and is pinged. */
static void
test_pings(void)
{
	struct dev	*a;
	unsigned	 i;

	begin(10, 10);
	a = dev_new("192.0.2.1");
	(void)tell(a, "{\"type\":\"bootstrap_watch\",\"jti\":\"j\"}");
	for (i = 0; i < 9; i++) {
		now += 30000;
		pairs_tick(now);
		pairs_control(a->client, now);
	}
	ok(a->pings == 9 && a->closed == 0, "pairing-54: who watches is pinged "
	    "each 30 s, and stays");
	now += 30000;
	pairs_tick(now);
	now += 119999;
	pairs_tick(now);
	is_int(a->closed, 0, "its watch is over: it has two minutes");
	now += 1;
	pairs_tick(now);
	is_int(a->closed, 1001, "and no more");
	dev_free(a);
}

int
main(void)
{
	if (sodium_init() == -1)
		bail_out("sodium");
	index_init();
	test_addresses();
	test_everybody();
	test_order();
	test_refused();
	test_cost(100, 0);
	test_cost(10000, 0);
	test_cost(50000, 10000);
	test_pings();
	test_crowd();
	pairs_clear();
	return (done_testing());
}
