/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>

#include <errno.h>
#include <string.h>

#include "proxyd/http/flow.h"
#include "heard.h"

void
heard_listen(int fd, struct heard *h)
{
	ssize_t	n;

	while (fd != -1 && !h->ended && h->len < HEARD_MAX) {
		n = recv(fd, h->bytes + h->len, HEARD_MAX - h->len,
		    MSG_DONTWAIT);
		if (n == -1 && errno == EAGAIN)
			break;
		if (n <= 0)
			h->ended = 1;
		else
			h->len += (size_t)n;
	}
}

int
heard_answer(const struct heard *s, size_t *at, int method,
    struct httphead *h)
{
	struct httphead_scan	 scan;
	const char		*why;
	int			 r;

	do {
		memset(&scan, 0, sizeof(scan));
		r = httphead_response(h, &scan, method, s->bytes + *at,
		    s->len - *at, &why);
		if (r != 1)
			return (r);
		*at += h->head_len;
	} while (h->flags & HTTPHEAD_INTERIM);
	return (1);
}

ssize_t
heard_body(const struct httphead *h, const char *p, size_t len, int ended,
    int *whole)
{
	struct flow	f;

	flow_begin(&f, h);
	if (flow_feed(&f, p, len) == -1)
		return (-1);
	*whole = f.done || (f.kind == FLOW_TO_CLOSE && ended);
	return ((ssize_t)f.ready);
}

void
heard_say(int fd, const void *p, size_t len)
{
	if (fd != -1 && len > 0)
		(void)send(fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}
