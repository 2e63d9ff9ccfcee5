/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "out.h"

void
out_init(struct out *o)
{
	o->buf = o->small;
	o->cap = sizeof(o->small);
	o->head = o->tail = 0;
}

uint8_t *
out_reserve(struct out *o, size_t n)
{
	uint8_t	*big;
	size_t	 len = o->tail - o->head;

	if (n <= o->cap - o->tail)
		return (o->buf + o->tail);
	if (n <= o->cap - len) {
		memmove(o->buf, o->buf + o->head, len);
	} else {
		if (o->buf != o->small || n > OUT_BIG - len ||
		    (big = malloc(OUT_BIG)) == NULL)
			return (NULL);
		memcpy(big, o->buf + o->head, len);
		o->buf = big;
		o->cap = OUT_BIG;
	}
	o->head = 0;
	o->tail = len;
	return (o->buf + len);
}

void
out_commit(struct out *o, size_t n)
{
	o->tail += n;
}

size_t
out_len(const struct out *o)
{
	return (o->tail - o->head);
}

void
out_sent(struct out *o, size_t n)
{
	o->head += n;
	if (o->head == o->tail)
		o->head = o->tail = 0;
}

void
out_trim(struct out *o)
{
	if (o->buf == o->small || o->head != o->tail)
		return;
	free(o->buf);
	out_init(o);
}
