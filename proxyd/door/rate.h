/* SPDX-License-Identifier: ISC */
#ifndef RATE_H
#define RATE_H

#include <stdint.h>

/*
 * Counters in fixed windows, each beginning at its key's first event, in a
 * table of fixed size: when its place is taken by a live key, the older of two
 * has to go, so that a flood of keys costs a flooder's memory of the past and
 * not ours. Keys are 16 bytes.
 */
struct rate;

struct rate	*rate_new(uint64_t window_ms, unsigned int slots);
void		 rate_free(struct rate *);
/* Events of the key in its running window. */
uint32_t	 rate_count(struct rate *, const uint8_t key[16]);
/* Count one more; returns the new count. */
uint32_t	 rate_add(struct rate *, const uint8_t key[16]);
/* One less (for counters of what is present, not of what happened). */
void		 rate_sub(struct rate *, const uint8_t key[16]);
/* Seconds until the key's window is over, at least 1. */
uint32_t	 rate_wait_s(struct rate *, const uint8_t key[16]);

#endif
