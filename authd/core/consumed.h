/* SPDX-License-Identifier: ISC */
#ifndef CONSUMED_H
#define CONSUMED_H

#include <stddef.h>
#include <stdint.h>

#include "env.h"

/*
 * Ids of tokens (jti) that have been used, as SHA-256, each for 25 h: longer than
 * any token lives. They live equally long, so the oldest goes first, and each
 * call forgets a few of those whose time is over and no more. Pure.
 * pairing-protocol.md, 7, P14 and P23.
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
size_t		consumed_count(void);
/* Forget all, for the end of a test. */
void		consumed_clear(void);

#endif
