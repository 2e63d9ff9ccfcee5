/* SPDX-License-Identifier: ISC */
#include <sys/types.h>
#include <sys/socket.h>

#include <errno.h>
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

int
out_write(struct out *o, int fd)
{
	ssize_t	n;

	if (o->head == o->tail)
		return (0);
	n = send(fd, o->buf + o->head, o->tail - o->head,
	    MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n == -1) {
		if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
			return (1);
		return (-1);
	}
	o->head += (size_t)n;
	if (o->head < o->tail)
		return (1);
	o->head = o->tail = 0;
	return (0);
}

void
out_trim(struct out *o)
{
	if (o->buf == o->small || o->head != o->tail)
		return;
	free(o->buf);
	out_init(o);
}
