/* SPDX-License-Identifier: ISC */
#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/rate.h"
#include "named.h"
#include "proc/proc.h"

#define PLACES	16384	/* keys that one proxyd's are remembered by */

struct counters {
	TAILQ_ENTRY(counters)	 entry;
	uint64_t		 proxyd;
	struct rate		*rate[NAMED_KINDS];
	struct penalties	*penalties;
};

static struct {
	TAILQ_HEAD(, counters)	all;
	unsigned		n;
} named = { .all = TAILQ_HEAD_INITIALIZER(named.all) };

static struct counters *
counters_of(uint64_t proxyd)
{
	struct counters	*c;

	TAILQ_FOREACH(c, &named.all, entry)
		if (c->proxyd == proxyd)
			break;
	return (c);
}

static void
counters_free(struct counters *c)
{
	int	i;

	for (i = 0; i < NAMED_KINDS; i++)
		rate_free(c->rate[i]);
	penalties_free(c->penalties);
	free(c);
}

int
named_came(uint64_t proxyd)
{
	struct counters	*c;
	int		 i;

	if ((c = calloc(1, sizeof(*c))) == NULL)
		return (-1);
	c->proxyd = proxyd;
	if ((c->penalties = penalties_new(PLACES)) == NULL) {
		counters_free(c);
		return (-1);
	}
	for (i = 0; i < NAMED_KINDS; i++)
		if ((c->rate[i] = rate_new(PLACES)) == NULL) {
			counters_free(c);
			return (-1);
		}
	TAILQ_INSERT_TAIL(&named.all, c, entry);
	named.n++;
	return (0);
}

void
named_gone(uint64_t proxyd)
{
	struct counters	*c = counters_of(proxyd);

	if (c == NULL)
		return;
	TAILQ_REMOVE(&named.all, c, entry);
	named.n--;
	counters_free(c);
}

unsigned
named_proxyds(void)
{
	return (named.n > 0 ? named.n : 1);
}

/* What the others leave of the limit: its own share in any case. */
static uint64_t
limit_of(const struct counters *own, enum named kind, const char *key,
    uint64_t limit)
{
	const struct counters	*c;
	uint64_t		 share = limit / named_proxyds(), n, others = 0;

	if (share == 0)
		share = 1;
	TAILQ_FOREACH(c, &named.all, entry) {
		if (c == own)
			continue;
		n = rate_count(c->rate[kind], key);
		others += n < share ? n : share;
	}
	return (others + share < limit ? limit - others : share);
}

int
named_hit(enum named kind, uint64_t proxyd, const char *key, uint64_t limit,
    uint64_t window_ms, uint32_t *retry_s)
{
	struct counters	*c = counters_of(proxyd);

	if (c == NULL)
		return (0);
	return (rate_hit(c->rate[kind], key, limit_of(c, kind, key, limit),
	    window_ms, retry_s));
}

int
named_peek(enum named kind, uint64_t proxyd, const char *key, uint64_t limit,
    uint32_t *retry_s)
{
	struct counters	*c = counters_of(proxyd);

	if (c == NULL)
		return (0);
	return (rate_peek(c->rate[kind], key, limit_of(c, kind, key, limit),
	    retry_s));
}

/*
 * Is it in one of these networks? Few, and only who has offended is looked up.
 */
static int
is_in(const struct addr *a, const char (*list)[64], unsigned n)
{
	struct addr_net	net;
	unsigned	i;

	for (i = 0; i < n; i++)
		if (addr_net_parse(&net, list[i]) == 0 &&
		    addr_in(a, &net, 1))
			return (1);
	return (0);
}

/* A trusted proxy that names nobody stands for all who are behind it. */
static int
is_exempt(const struct addr *a)
{
	const struct conf	*c = proc_conf();

	return (is_in(a, c->penalty_exempt, c->n_penalty_exempt) ||
	    is_in(a, c->trusted_proxy, c->n_trusted_proxy));
}

static uint64_t
price_of(enum penalty_cause cause)
{
	const struct conf	*c = proc_conf();

	switch (cause) {
	case PENALTY_NOAUTH:
		return (1000 * c->penalty_noauth);
	case PENALTY_CRASH:
		return (1000 * c->penalty_crash);
	default:
		return (1000 * c->penalty_authfail);
	}
}

/* What other proxyds say, each no more than its share of what is allowed. */
static uint64_t
price_elsewhere(const struct counters *own, const struct addr *a,
    uint64_t min_ms, uint64_t now)
{
	const struct counters	*c;
	uint64_t		 share = min_ms / named_proxyds(), n, sum = 0;

	TAILQ_FOREACH(c, &named.all, entry) {
		if (c == own)
			continue;
		n = penalty_price(c->penalties, a, now);
		sum += n < share ? n : share;
	}
	return (sum);
}

void
named_offence(uint64_t proxyd, const char *addr, enum penalty_cause cause)
{
	const struct conf		*conf = proc_conf();
	const struct penalty_rule	 rule = {
	    .min_ms = 1000 * conf->penalty_min,
	    .max_ms = 1000 * conf->penalty_max };
	struct counters			*c = counters_of(proxyd);
	struct addr			 a;
	uint64_t			 now = clock_ms();

	if (c == NULL || addr_parse(&a, addr, strlen(addr)) == -1 ||
	    is_exempt(&a))
		return;
	penalty_add(c->penalties, &a, cause, price_of(cause),
	    price_elsewhere(c, &a, rule.min_ms, now), &rule, now);
}

uint32_t
named_shut_out(uint64_t proxyd, const char *addr)
{
	const struct counters	*c = counters_of(proxyd);
	struct addr		 a;
	uint64_t		 ms;

	if (c == NULL || addr_parse(&a, addr, strlen(addr)) == -1 ||
	    (ms = penalty_wait(c->penalties, &a, clock_ms())) == 0 ||
	    is_exempt(&a))
		return (0);
	return ((uint32_t)((ms + 999) / 1000));
}

int
named_try(enum named kind, uint64_t proxyd, const char *addr)
{
	const struct conf	*conf = proc_conf();
	char			 key[ADDR_SIZE];
	uint32_t		 retry;

	if (named_shut_out(proxyd, addr) > 0)
		return (-1);
	rate_address(addr, key);
	return (named_hit(kind, proxyd, key, conf->rate_address,
	    conf->rate_address_s * 1000, &retry));
}

size_t
named_forgive(const struct addr *a)
{
	struct counters	*c;
	size_t		 n = 0;

	TAILQ_FOREACH(c, &named.all, entry)
		n += a == NULL ? penalties_clear(c->penalties, clock_ms()) :
		    (size_t)penalty_clear(c->penalties, a, clock_ms());
	return (n);
}

void
named_penalties(void (*fn)(uint64_t, const struct penalty *, void *),
    void *arg)
{
	const struct counters	*c;
	const struct penalty	*p;
	size_t			 at;

	TAILQ_FOREACH(c, &named.all, entry)
		for (at = 0; (p = penalty_next(c->penalties, &at,
		    clock_ms())) != NULL;)
			fn(c->proxyd, p, arg);
}

size_t
named_penalty_count(void)
{
	const struct counters	*c;
	size_t			 at, n = 0;

	TAILQ_FOREACH(c, &named.all, entry)
		for (at = 0; penalty_next(c->penalties, &at, clock_ms()) !=
		    NULL;)
			n++;
	return (n);
}
