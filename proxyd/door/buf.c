/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "buf.h"

/*
 * Kept for the next reader: as many as requests may be under way at once on a
 * busy day, or each of them would cost page faults.
 */
#define SPARE_MAX	128

static struct buf	*spare;
static unsigned int	 nspare;

struct buf *
buf_get(void)
{
	struct buf	*b = spare;

	if (b != NULL) {
		spare = b->next;
		nspare--;
	} else if ((b = malloc(sizeof(*b))) == NULL)
		return (NULL);
	b->off = b->len = b->secret = 0;
	return (b);
}

void
buf_put(struct buf **bp)
{
	struct buf	*b = *bp;

	*bp = NULL;
	if (b == NULL)
		return;
	if (b->len > 0)
		buf_secret(b, b->len);
	explicit_bzero(b->data, b->secret);
	if (nspare >= SPARE_MAX) {
		free(b);
		return;
	}
	b->next = spare;
	spare = b;
	nspare++;
}

void
buf_secret(struct buf *b, size_t n)
{
	if (b->off + n > b->secret)
		b->secret = b->off + n;
}

void
buf_drop(struct buf *b, size_t n)
{
	b->off += n;
	b->len -= n;
	if (b->len == 0)
		b->off = 0;
}

char *
buf_room(struct buf *b, size_t *room)
{
	if (b->off > 0 && b->off + b->len == BUF_SIZE) {
		memmove(b->data, b->data + b->off, b->len);
		if (b->secret > 0)	/* one that is moved lies there twice */
			b->secret = BUF_SIZE;
		b->off = 0;
	}
	return (buf_tail(b, room));
}

char *
buf_tail(struct buf *b, size_t *room)
{
	*room = BUF_SIZE - b->off - b->len;
	return (b->data + b->off + b->len);
}
