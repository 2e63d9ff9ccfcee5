/* SPDX-License-Identifier: ISC */
#include <sodium.h>

#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include "consumed.h"

#define BUCKETS		262144	/* a power of two: four each, at the most */
#define FORGET		16	/* by one call */

struct used {
	struct used		*next;		/* of its bucket */
	STAILQ_ENTRY(used)	 entry;		/* oldest first */
	int64_t			 until;		/* wall ms */
	uint8_t			 hash[CONSUMED_HASH];
};

static struct {
	struct used		**bucket;
	STAILQ_HEAD(, used)	  all;
	size_t			  count;
	uint8_t			  key[crypto_shorthash_KEYBYTES];
} used;

/* Who chooses jtis does not choose where they lie. */
static struct used **
bucket_of(const uint8_t hash[CONSUMED_HASH])
{
	uint64_t	n;
	uint8_t		out[crypto_shorthash_BYTES];

	crypto_shorthash(out, hash, CONSUMED_HASH, used.key);
	memcpy(&n, out, sizeof(n));
	return (&used.bucket[n & (BUCKETS - 1)]);
}

static void
forget_first(void)
{
	struct used	*u = STAILQ_FIRST(&used.all), **at;

	for (at = bucket_of(u->hash); *at != u; at = &(*at)->next)
		continue;
	*at = u->next;
	STAILQ_REMOVE_HEAD(&used.all, entry);
	used.count--;
	free(u);
}

/* No call does more than that, so that none is a stop. */
static void
forget_some(const struct now *now)
{
	const struct used	*u;
	int			 n;

	for (n = 0; n < FORGET && (u = STAILQ_FIRST(&used.all)) != NULL &&
	    u->until <= now->wall_ms; n++)
		forget_first();
}

enum consumed
consumed_look(const uint8_t hash[CONSUMED_HASH], const struct now *now)
{
	const struct used	*u;

	if (used.bucket == NULL)
		return (CONSUMED_NEW);
	forget_some(now);
	for (u = *bucket_of(hash); u != NULL; u = u->next)
		if (sodium_memcmp(u->hash, hash, CONSUMED_HASH) == 0 &&
		    u->until > now->wall_ms)
			return (CONSUMED_USED);
	return (CONSUMED_NEW);
}

static int
begin(void)
{
	if (used.bucket != NULL)
		return (0);
	if ((used.bucket = calloc(BUCKETS, sizeof(*used.bucket))) == NULL)
		return (-1);
	crypto_shorthash_keygen(used.key);
	STAILQ_INIT(&used.all);
	return (0);
}

enum consumed
consumed_take(const uint8_t hash[CONSUMED_HASH], size_t most,
    const struct now *now)
{
	struct used	*u, **at;

	if (begin() == -1)
		return (CONSUMED_FULL);
	forget_some(now);
	if (used.count >= most || (u = calloc(1, sizeof(*u))) == NULL)
		return (CONSUMED_FULL);
	memcpy(u->hash, hash, CONSUMED_HASH);
	u->until = now->wall_ms + (int64_t)CONSUMED_MS;
	at = bucket_of(hash);
	u->next = *at;
	*at = u;
	STAILQ_INSERT_TAIL(&used.all, u, entry);
	used.count++;
	return (CONSUMED_NEW);
}

size_t
consumed_count(void)
{
	return (used.count);
}

void
consumed_clear(void)
{
	while (used.count > 0)
		forget_first();
	free(used.bucket);
	used.bucket = NULL;
}
