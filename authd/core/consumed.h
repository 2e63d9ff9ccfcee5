/* SPDX-License-Identifier: ISC */
#ifndef CONSUMED_H
#define CONSUMED_H

#include <stddef.h>
#include <stdint.h>

#include "env.h"

/*
 * Ids of tokens (jti) that have been used, as SHA-256, each for 25 h: longer
 * than any token lives. They live equally long, so the oldest goes first, and
 * each call forgets a few of those whose time is over and no more. Pure:
 * whoever takes one writes it to the store and, should that fail, gives it
 * back. pairing-protocol.md, 7, P14 and P23.
 */
#define CONSUMED_HASH	32
#define CONSUMED_MS	(25ULL * 3600 * 1000)

enum consumed { CONSUMED_NEW, CONSUMED_USED, CONSUMED_FULL };

/* Never CONSUMED_FULL. */
enum consumed	consumed_look(const uint8_t hash[CONSUMED_HASH],
		    const struct now *);
/* Use one that is new. CONSUMED_FULL: there are `most`, or no memory. */
enum consumed	consumed_take(const uint8_t hash[CONSUMED_HASH], size_t most,
		    const struct now *);
/* It was not written: as if it had not been taken. */
void		consumed_give_back(const uint8_t hash[CONSUMED_HASH]);
/*
 * From the store, in the order of their ends, those beyond any maximum too. 0,
 * or -1: no memory.
 */
int		consumed_load(const uint8_t hash[CONSUMED_HASH], int64_t until);
size_t		consumed_count(void);
/* Forget all, for the end of a test. */
void		consumed_clear(void);

#endif
