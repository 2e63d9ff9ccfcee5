/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "ring.h"

static struct {
	uint64_t	total;
	uint8_t		bytes[RING_SIZE];
} ring;

void
ring_add(const uint8_t *p, size_t n)
{
	size_t	at, part;

	if (n > RING_SIZE) {
		ring.total += n - RING_SIZE;
		p += n - RING_SIZE;
		n = RING_SIZE;
	}
	at = (size_t)(ring.total % RING_SIZE);
	part = n < RING_SIZE - at ? n : RING_SIZE - at;
	memcpy(ring.bytes + at, p, part);
	memcpy(ring.bytes, p + part, n - part);
	ring.total += n;
}

uint64_t
ring_total(void)
{
	return (ring.total);
}

uint64_t
ring_from(void)
{
	return (ring.total > RING_SIZE ? ring.total - RING_SIZE : 0);
}

size_t
ring_at(uint64_t at, const uint8_t **p)
{
	size_t		off = (size_t)(at % RING_SIZE);
	uint64_t	left = ring.total - at;

	*p = ring.bytes + off;
	return (left < RING_SIZE - off ? (size_t)left : RING_SIZE - off);
}
