/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "out.h"

/* What has gone makes room: a buffer that is never empty must not grow. */
static int
out_room(struct outbuf *o, size_t n)
{
	uint8_t	*data;
	size_t	 cap;

	if (o->len + n > o->cap && o->off > 0) {
		o->len -= o->off;
		memmove(o->data, o->data + o->off, o->len);
		o->off = 0;
	}
	if (o->len + n <= o->cap)
		return (0);
	cap = o->cap == 0 ? 4096 : o->cap;
	while (cap < o->len + n)
		cap *= 2;
	if ((data = malloc(cap)) == NULL)
		return (-1);
	if (o->len > 0)
		memcpy(data, o->data, o->len);
	freezero(o->data, o->cap);
	o->data = data;
	o->cap = cap;
	return (0);
}

int
out_add(struct outbuf *o, const void *p, size_t n)
{
	if (out_room(o, n) == -1)
		return (-1);
	memcpy(o->data + o->len, p, n);
	o->len += n;
	return (0);
}

size_t
out_left(const struct outbuf *o)
{
	return (o->len - o->off);
}

int
out_write(struct outbuf *o, int fd)
{
	ssize_t	n;

	while (o->off < o->len) {
		n = send(fd, o->data + o->off, o->len - o->off,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return (errno == EAGAIN || errno == EWOULDBLOCK ?
			    0 : -1);
		o->off += (size_t)n;
	}
	/* A terminal is mostly idle: keep no large buffer, and no password. */
	if (o->cap > 65536) {
		freezero(o->data, o->cap);
		memset(o, 0, sizeof(*o));
	} else if (o->len > 0) {
		explicit_bzero(o->data, o->len);
		o->off = o->len = 0;
	}
	return (0);
}

void
out_clear(struct outbuf *o)
{
	freezero(o->data, o->cap);
	memset(o, 0, sizeof(*o));
}
