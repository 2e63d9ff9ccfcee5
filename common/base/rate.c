/* SPDX-License-Identifier: ISC */
#include <sodium.h>

#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "clock.h"
#include "compat.h"
#include "rate.h"

#define WAYS	8		/* places that one key may take */
#define ID_LEN	16

struct place {
	uint8_t		id[ID_LEN];	/* keyed hash of the key */
	uint64_t	start_ms;
	uint64_t	window_ms;	/* 0: free */
	uint64_t	count;
};

struct rate {
	uint8_t		hash_key[crypto_generichash_KEYBYTES];
	size_t		sets;
	struct place	place[];
};

struct rate *
rate_new(size_t places)
{
	struct rate	*r;
	size_t		 sets;

	for (sets = 1; sets * WAYS < places; sets *= 2)
		continue;
	r = calloc(1, sizeof(*r) + sets * WAYS * sizeof(r->place[0]));
	if (r == NULL)
		return (NULL);
	r->sets = sets;
	randombytes_buf(r->hash_key, sizeof(r->hash_key));
	return (r);
}

void
rate_free(struct rate *r)
{
	free(r);
}

static int
place_live(const struct place *p, uint64_t now)
{
	return (p->window_ms != 0 && now - p->start_ms < p->window_ms);
}

/* Who has tried often is remembered longest: a flood of others tries once. */
static int
gives_way(const struct place *p, const struct place *to, uint64_t now)
{
	if (!place_live(p, now) || !place_live(to, now))
		return (!place_live(p, now) && place_live(to, now));
	if (p->count != to->count)
		return (p->count < to->count);
	return (p->start_ms < to->start_ms);
}

/* The key's place, or the one it may take: free, over, or the least. */
static struct place *
place_of(struct rate *r, const char *key, uint64_t now, uint8_t id[ID_LEN],
    int *known)
{
	struct place	*set, *best = NULL;
	uint64_t	 n;
	int		 i;

	crypto_generichash(id, ID_LEN, (const uint8_t *)key, strlen(key),
	    r->hash_key, sizeof(r->hash_key));
	memcpy(&n, id, sizeof(n));
	set = &r->place[(n & (r->sets - 1)) * WAYS];
	*known = 0;
	for (i = 0; i < WAYS; i++) {
		if (place_live(&set[i], now) &&
		    memcmp(set[i].id, id, ID_LEN) == 0) {
			*known = 1;
			return (&set[i]);
		}
		if (best == NULL || gives_way(&set[i], best, now))
			best = &set[i];
	}
	return (best);
}

static int
refused(const struct place *p, uint64_t limit, uint64_t now, uint32_t *retry_s)
{
	uint64_t	left;

	if (p->count < limit)
		return (0);
	left = p->start_ms + p->window_ms - now;
	*retry_s = (uint32_t)((left + 999) / 1000);
	if (*retry_s == 0)
		*retry_s = 1;
	return (-1);
}

int
rate_hit(struct rate *r, const char *key, uint64_t limit, uint64_t window_ms,
    uint32_t *retry_s)
{
	uint64_t	 now = clock_ms();
	struct place	*p;
	uint8_t		 id[ID_LEN];
	int		 known;

	p = place_of(r, key, now, id, &known);
	if (!known) {
		memcpy(p->id, id, sizeof(p->id));
		p->start_ms = now;
		p->window_ms = window_ms;
		p->count = 0;
	}
	if (refused(p, limit, now, retry_s) == -1)
		return (-1);
	p->count++;
	return (0);
}

/* The window of a key that has one, NULL. */
static struct place *
place_known(struct rate *r, const char *key, uint64_t now)
{
	struct place	*p;
	uint8_t		 id[ID_LEN];
	int		 known;

	p = place_of(r, key, now, id, &known);
	return (known ? p : NULL);
}

int
rate_peek(struct rate *r, const char *key, uint64_t limit, uint32_t *retry_s)
{
	uint64_t	 now = clock_ms();
	struct place	*p = place_known(r, key, now);

	return (p != NULL ? refused(p, limit, now, retry_s) : 0);
}

uint64_t
rate_count(struct rate *r, const char *key)
{
	struct place	*p = place_known(r, key, clock_ms());

	return (p != NULL ? p->count : 0);
}

void
rate_back(struct rate *r, const char *key)
{
	struct place	*p = place_known(r, key, clock_ms());

	if (p != NULL && p->count > 0 && --p->count == 0)
		p->window_ms = 0;
}

void
rate_address(const char *addr, char key[ADDR_SIZE])
{
	struct addr	a;

	if (addr_parse(&a, addr, strlen(addr)) == 0)
		addr_key(&a, key);
	else
		(void)strlcpy(key, addr, ADDR_SIZE);
}
