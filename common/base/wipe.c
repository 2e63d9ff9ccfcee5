/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdlib.h>

#include "compat.h"
#include "wipe.h"

/* What follows is aligned as malloc() would do it. */
struct block {
	_Alignas(max_align_t) size_t	size;
};

void *
wipe_malloc(size_t size)
{
	struct block	*b;

	if (size > SIZE_MAX - sizeof(*b) ||
	    (b = malloc(sizeof(*b) + size)) == NULL)
		return (NULL);
	b->size = size;
	return (b + 1);
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
