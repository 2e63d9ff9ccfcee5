/* SPDX-License-Identifier: ISC */
/* A million used tokens: each once, for 25 h, and forgotten a few at a time. */
#include <sodium.h>

#include <string.h>

#include "authd/core/consumed.h"
#include "regress/lib/tap.h"

#define MILLION	1000000

static void
hash_of(uint8_t hash[CONSUMED_HASH], uint32_t n)
{
	memset(hash, 0, CONSUMED_HASH);
	memcpy(hash, &n, sizeof(n));
}

int
main(void)
{
	struct now	now = { .wall_ms = 1 };
	uint8_t		hash[CONSUMED_HASH];
	uint32_t	i;
	size_t		before, most = 0;
	int		bad = 0;

	if (sodium_init() == -1)
		bail_out("sodium");
	for (i = 0; i < MILLION; i++) {
		hash_of(hash, i);
		now.wall_ms += i % 2;
		bad += consumed_look(hash, &now) != CONSUMED_NEW ||
		    consumed_take(hash, MILLION, &now) != CONSUMED_NEW;
	}
	is_int(bad, 0, "a million new ones");
	hash_of(hash, MILLION);
	ok(consumed_take(hash, MILLION, &now) == CONSUMED_FULL &&
	    consumed_look(hash, &now) == CONSUMED_NEW,
	    "and one more, which is not used by that");
	hash_of(hash, 0);
	now.wall_ms = (int64_t)CONSUMED_MS;
	is_int(consumed_look(hash, &now), CONSUMED_USED, "used to its end");
	now.wall_ms++;
	is_int(consumed_look(hash, &now), CONSUMED_NEW, "and not beyond");
	now.wall_ms += MILLION;
	while ((before = consumed_count()) > 0) {
		(void)consumed_look(hash, &now);
		if (before - consumed_count() > most)
			most = before - consumed_count();
	}
	ok(most <= 16, "pairing-48: a million are full, and forgotten %zu at "
	    "a time", most);
	hash_of(hash, 7);
	ok(consumed_take(hash, 1, &now) == CONSUMED_NEW &&
	    consumed_look(hash, &now) == CONSUMED_USED, "taken");
	consumed_give_back(hash);
	ok(consumed_look(hash, &now) == CONSUMED_NEW &&
	    consumed_count() == 0, "and given back: as if it had not been");
	consumed_give_back(hash);
	is_int(consumed_load(hash, now.wall_ms + 5), 0, "loaded");
	hash_of(hash, 8);
	ok(consumed_load(hash, now.wall_ms + 6) == 0 &&
	    consumed_take(hash, 2, &now) == CONSUMED_FULL,
	    "what is loaded counts");
	now.wall_ms += 5;
	ok(consumed_look(hash, &now) == CONSUMED_USED &&
	    consumed_count() == 1, "each to its own end");
	consumed_clear();
	return (done_testing());
}
