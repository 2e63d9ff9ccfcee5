/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdlib.h>

#include "clock.h"
#include "compat.h"
#include "log.h"
#include "wipe.h"

#define LACKS_MS	1000	/* what was begun meanwhile has ended */

/* What follows is aligned as malloc() would do it. */
struct block {
	_Alignas(max_align_t) size_t	size;
};

static uint64_t	lacked_ms;	/* by the clock, 0: never */

void *
wipe_malloc(size_t size)
{
	struct block	*b;

	if (size > SIZE_MAX - sizeof(*b) ||
	    (b = malloc(sizeof(*b) + size)) == NULL) {
		lacked_ms = clock_ms();
		return (NULL);
	}
	b->size = size;
	return (b + 1);
}

void *
wipe_need(size_t size)
{
	void	*p = wipe_malloc(size);

	if (p == NULL)
		fatalx("out of memory");
	return (p);
}

void
wipe_free(void *p)
{
	struct block	*b;

	if (p == NULL)
		return;
	b = (struct block *)p - 1;
	freezero(b, sizeof(*b) + b->size);
}

int
wipe_lacks(void)
{
	return (lacked_ms != 0 && clock_ms() - lacked_ms < LACKS_MS);
}
