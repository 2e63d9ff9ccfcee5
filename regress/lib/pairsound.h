/* SPDX-License-Identifier: ISC */
#ifndef PAIRSOUND_H
#define PAIRSOUND_H

#include <stddef.h>

struct client;

/*
 * What all these clients of pairing (NULL: none there) have together is what
 * its counts, queues and tables say; so many questions wait at least. 1, or 0.
 */
int	pair_is_sound(struct client *const *, size_t n, size_t asks);

#endif
