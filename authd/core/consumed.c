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
	TAILQ_ENTRY(used)	 entry;		/* oldest first */
	int64_t			 until;		/* wall ms */
	uint8_t			 hash[CONSUMED_HASH];
};

static struct {
	struct used		**bucket;
	TAILQ_HEAD(, used)	  all;
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
forget(struct used *u)
{
	struct used	**at;

	for (at = bucket_of(u->hash); *at != u; at = &(*at)->next)
		continue;
	*at = u->next;
	TAILQ_REMOVE(&used.all, u, entry);
	used.count--;
	free(u);
}

/* No call does more than that, so that none is a stop. */
static void
forget_some(const struct now *now)
{
	struct used	*u;
	int		 n;

	for (n = 0; n < FORGET && (u = TAILQ_FIRST(&used.all)) != NULL &&
	    u->until <= now->wall_ms; n++)
		forget(u);
}

/* The one that ends behind `now`; of the others there may be more. */
static struct used *
find(const uint8_t hash[CONSUMED_HASH], int64_t now)
{
	struct used	*u;

	if (used.bucket == NULL)
		return (NULL);
	for (u = *bucket_of(hash); u != NULL; u = u->next)
		if (sodium_memcmp(u->hash, hash, CONSUMED_HASH) == 0 &&
		    u->until > now)
			break;
	return (u);
}

enum consumed
consumed_look(const uint8_t hash[CONSUMED_HASH], const struct now *now)
{
	if (used.bucket != NULL)
		forget_some(now);
	return (find(hash, now->wall_ms) != NULL ? CONSUMED_USED :
	    CONSUMED_NEW);
}

static int
begin(void)
{
	if (used.bucket != NULL)
		return (0);
	if ((used.bucket = calloc(BUCKETS, sizeof(*used.bucket))) == NULL)
		return (-1);
	crypto_shorthash_keygen(used.key);
	TAILQ_INIT(&used.all);
	return (0);
}

int
consumed_load(const uint8_t hash[CONSUMED_HASH], int64_t until)
{
	struct used	*u, **at;

	if (begin() == -1 || (u = calloc(1, sizeof(*u))) == NULL)
		return (-1);
	memcpy(u->hash, hash, CONSUMED_HASH);
	u->until = until;
	at = bucket_of(hash);
	u->next = *at;
	*at = u;
	TAILQ_INSERT_TAIL(&used.all, u, entry);
	used.count++;
	return (0);
}

enum consumed
consumed_take(const uint8_t hash[CONSUMED_HASH], size_t most,
    const struct now *now)
{
	if (used.bucket != NULL)
		forget_some(now);
	return (used.count >= most || consumed_load(hash,
	    now->wall_ms + (int64_t)CONSUMED_MS) == -1 ? CONSUMED_FULL :
	    CONSUMED_NEW);
}

void
consumed_give_back(const uint8_t hash[CONSUMED_HASH])
{
	struct used	*u = find(hash, INT64_MIN);

	if (u != NULL)
		forget(u);
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
		forget(TAILQ_FIRST(&used.all));
	free(used.bucket);
	used.bucket = NULL;
}
