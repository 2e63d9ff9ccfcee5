/* SPDX-License-Identifier: ISC */
#ifndef RING_H
#define RING_H

#include <stddef.h>
#include <stdint.h>

/*
 * The last of what a terminal's program has shown, for who comes back to it.
 * There is one per process; its pages are there once they are written to.
 */
#define RING_SIZE	(256U * 1024)

void	ring_add(const uint8_t *, size_t);
/* How much was added in all. */
uint64_t ring_total(void);
/* The first byte that is still there, counted from the very first. */
uint64_t ring_from(void);
/*
 * What is there from `at` on, in one piece: its length, 0 at the end. At least
 * ring_from(); what follows it is at the sum of both.
 */
size_t	ring_at(uint64_t at, const uint8_t **);

#endif
