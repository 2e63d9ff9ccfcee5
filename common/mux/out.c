/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "out.h"

void
out_init(struct out *o)
{
	o->buf = o->small;
	o->cap = sizeof(o->small);
	o->head = o->tail = 0;
	o->wipes = 0;
}

void
out_wipes(struct out *o)
{
	o->wipes = 1;
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
		if (o->wipes && o->head > 0)
			explicit_bzero(o->buf + len, o->tail - len);
	} else {
		if (o->buf != o->small || n > OUT_BIG - len ||
		    (big = malloc(OUT_BIG)) == NULL)
			return (NULL);
		memcpy(big, o->buf + o->head, len);
		if (o->wipes)
			explicit_bzero(o->buf, o->tail);
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
	if (o->wipes)
		explicit_bzero(o->buf + o->head, n);
	o->head += n;
	if (o->head == o->tail) {
		o->head = o->tail = 0;
		o->wipes = 0;
	}
}

void
out_trim(struct out *o)
{
	if (o->buf == o->small || o->head != o->tail)
		return;
	free(o->buf);
	out_init(o);
}
