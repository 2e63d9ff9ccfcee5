/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "pipe.h"

static struct pipe	*spare;

struct pipe *
pipe_get(void)
{
	struct pipe	*p = spare;

	spare = NULL;
	if (p == NULL && (p = malloc(sizeof(*p))) == NULL)
		return (NULL);
	p->off = p->len = 0;
	return (p);
}

void
pipe_put(struct pipe *p)
{
	if (spare == NULL)
		spare = p;
	else
		free(p);
}

uint8_t *
pipe_tail(struct pipe *p, size_t *room)
{
	size_t	end = p->off + p->len;

	*room = end < PIPE_SIZE ? PIPE_SIZE - end : 0;
	return (p->data + end + WS_PASS_ROOM);
}
