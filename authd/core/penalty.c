/* SPDX-License-Identifier: ISC */
#include <sodium.h>

#include <stdlib.h>
#include <string.h>

#include "penalty.h"

#define WAYS		8	/* places that one address may take */
#define TIMES_MAX	20	/* of doubling; more than any max */

struct penalties {
	unsigned char	hash_key[crypto_shorthash_KEYBYTES];
	size_t		sets;
	struct penalty	place[];
};

const char *
penalty_cause_name(enum penalty_cause cause)
{
	static const char *const	names[PENALTY_CAUSES] = { "authfail",
	    "noauth", "crash" };

	return (names[cause]);
}

struct penalties *
penalties_new(size_t places)
{
	struct penalties	*all;
	size_t			 sets;

	for (sets = 1; sets * WAYS < places; sets *= 2)
		continue;
	all = calloc(1, sizeof(*all) + sets * WAYS * sizeof(all->place[0]));
	if (all == NULL)
		return (NULL);
	all->sets = sets;
	crypto_shorthash_keygen(all->hash_key);
	return (all);
}

void
penalties_free(struct penalties *all)
{
	free(all);
}

static int
is_known(const struct penalty *p, uint64_t now)
{
	return (p->offences > 0 && p->known_until > now);
}

/* The first of the places that it may take; *net is what counts of it. */
static size_t
set_of(const struct penalties *all, const struct addr *a, uint8_t net[16])
{
	unsigned char	hash[crypto_shorthash_BYTES];
	uint64_t	n;

	addr_net_of(a, net);
	crypto_shorthash(hash, net, 16, all->hash_key);
	memcpy(&n, hash, sizeof(n));
	return ((n & (all->sets - 1)) * WAYS);
}

static const struct penalty *
penalty_find(const struct penalties *all, const struct addr *a, uint64_t now)
{
	uint8_t			 net[16];
	const struct penalty	*p = &all->place[set_of(all, a, net)], *end;

	for (end = p + WAYS; p < end; p++)
		if (is_known(p, now) && memcmp(p->net, net, sizeof(net)) == 0)
			return (p);
	return (NULL);
}

static int
is_lighter(const struct penalty *p, const struct penalty *than, uint64_t now)
{
	if (!is_known(p, now) || !is_known(than, now))
		return (!is_known(p, now) && is_known(than, now));
	if (p->times != than->times)
		return (p->times < than->times);
	return (p->known_until < than->known_until);
}

/* Its place, else the lightest of those that it may take, emptied. */
static struct penalty *
penalty_get(struct penalties *all, const struct addr *a, uint64_t now)
{
	uint8_t		 net[16];
	struct penalty	*set = &all->place[set_of(all, a, net)], *p = set;
	int		 i;

	for (i = 0; i < WAYS; i++) {
		if (is_known(&set[i], now) &&
		    memcmp(set[i].net, net, sizeof(net)) == 0)
			return (&set[i]);
		if (is_lighter(&set[i], p, now))
			p = &set[i];
	}
	memset(p, 0, sizeof(*p));
	memcpy(p->net, net, sizeof(p->net));
	return (p);
}

static uint64_t
at_most(uint64_t n, uint64_t max)
{
	return (n < max ? n : max);
}

static uint64_t
later(uint64_t a, uint64_t b)
{
	return (a > b ? a : b);
}

static uint64_t
price_left(const struct penalty *p, uint64_t now)
{
	return (p->price_until > now ? p->price_until - now : 0);
}

/* Enough is enough. Who is out already stays so as long as his prices do. */
static void
shut_out(struct penalty *p, uint64_t price, const struct penalty_rule *rule,
    uint64_t now)
{
	if (p->out_until > now) {
		p->out_until = later(p->out_until, p->price_until);
		return;
	}
	p->out_until = now + at_most(price << p->times, rule->max_ms);
	if (p->times < TIMES_MAX)
		p->times++;
}

void
penalty_add(struct penalties *all, const struct addr *a,
    enum penalty_cause cause, uint64_t price_ms, uint64_t others_ms,
    const struct penalty_rule *rule, uint64_t now)
{
	struct penalty	*p;
	uint64_t	 price;

	if (price_ms == 0)
		return;
	p = penalty_get(all, a, now);
	p->offences++;
	p->cause = cause;
	price = at_most(price_left(p, now) + price_ms, rule->max_ms);
	p->price_until = now + price;
	/* As time is told in seconds, all of one second are at once. */
	if (price + others_ms + 999 >= rule->min_ms)
		shut_out(p, at_most(later(price, rule->min_ms), rule->max_ms),
		    rule, now);
	p->known_until = later(p->price_until, p->out_until) +
	    (p->times > 0 ? rule->max_ms : 0);
}

uint64_t
penalty_price(const struct penalties *all, const struct addr *a, uint64_t now)
{
	const struct penalty	*p = penalty_find(all, a, now);

	return (p != NULL ? price_left(p, now) : 0);
}

uint64_t
penalty_wait(const struct penalties *all, const struct addr *a, uint64_t now)
{
	const struct penalty	*p = penalty_find(all, a, now);

	return (p != NULL && p->out_until > now ? p->out_until - now : 0);
}

int
penalty_clear(struct penalties *all, const struct addr *a, uint64_t now)
{
	const struct penalty	*p = penalty_find(all, a, now);

	if (p == NULL)
		return (0);
	memset(&all->place[p - all->place], 0, sizeof(*p));
	return (1);
}

size_t
penalties_clear(struct penalties *all, uint64_t now)
{
	size_t	i, n = 0;

	for (i = 0; i < all->sets * WAYS; i++)
		n += (size_t)is_known(&all->place[i], now);
	memset(all->place, 0, all->sets * WAYS * sizeof(all->place[0]));
	return (n);
}

const struct penalty *
penalty_next(const struct penalties *all, size_t *at, uint64_t now)
{
	while (*at < all->sets * WAYS) {
		const struct penalty	*p = &all->place[(*at)++];

		if (is_known(p, now))
			return (p);
	}
	return (NULL);
}
