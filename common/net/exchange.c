/* SPDX-License-Identifier: ISC */
#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "exchange.h"

#define NO_EVENT	"no room for an event"

static void	exchange_write(evutil_socket_t, short, void *);
static void	exchange_read(evutil_socket_t, short, void *);
static void	exchange_end(struct exchange *, const struct httphead *,
		    const char *);

void
exchange_start(struct exchange *x)
{
	event_assign(&x->ev_read, net_base(), x->sock->fd,
	    EV_READ | EV_PERSIST, exchange_read, x);
	event_assign(&x->ev_write, net_base(), x->sock->fd, EV_WRITE,
	    exchange_write, x);
	x->on = 1;
	if (event_add(&x->ev_read, NULL) == -1) {
		exchange_end(x, NULL, NO_EVENT);
		return;
	}
	exchange_write(x->sock->fd, EV_WRITE, x);
}

void
exchange_stop(struct exchange *x)
{
	if (!x->on)
		return;
	event_del(&x->ev_read);
	event_del(&x->ev_write);
	x->on = 0;
}

static void
exchange_end(struct exchange *x, const struct httphead *head, const char *why)
{
	exchange_stop(x);
	x->fn(x->arg, head, why);
}

static void
exchange_write(evutil_socket_t fd, short what, void *arg)
{
	struct exchange	*x = arg;
	ssize_t		 n;

	(void)fd;
	(void)what;
	n = sock_put(x->sock, x->request + x->sent, x->request_len - x->sent);
	if (n == -1) {
		exchange_end(x, NULL, strerror(errno));
		return;
	}
	x->sent += (size_t)n;
	if (x->sent == x->request_len)
		explicit_bzero(x->request, x->request_len);
	else if (event_add(&x->ev_write, NULL) == -1)
		exchange_end(x, NULL, NO_EVENT);
}

/* 1, 0 or -1 as httphead_response(); interim answers are skipped. */
static int
exchange_parse(struct exchange *x, struct httphead *head, const char **why)
{
	int	r;

	for (;;) {
		r = httphead_response(head, &x->scan, x->method, x->buf,
		    x->len, why);
		if (r != 1 || !(head->flags & HTTPHEAD_INTERIM))
			return (r);
		x->len -= head->head_len;
		memmove(x->buf, x->buf + head->head_len, x->len);
		memset(&x->scan, 0, sizeof(x->scan));
	}
}

/* Is there more to come? If not, all has been said, and it may be gone. */
static int
exchange_head(struct exchange *x)
{
	struct httphead	*head;
	const char	*why;
	char		 text[160];
	int		 r;

	if ((head = malloc(sizeof(*head))) == NULL) {
		exchange_end(x, NULL, "out of memory");
		return (0);
	}
	if ((r = exchange_parse(x, head, &why)) == 1)
		exchange_end(x, head, NULL);
	else if (r == -1) {
		snprintf(text, sizeof(text), "bad answer: %s", why);
		exchange_end(x, NULL, text);
	} else if (x->len == x->size) {
		exchange_end(x, NULL, "the answer's head is too long");
		r = -1;
	}
	free(head);
	return (r == 0);
}

static void
exchange_read(evutil_socket_t fd, short what, void *arg)
{
	struct exchange	*x = arg;
	ssize_t		 n;

	(void)fd;
	(void)what;
	/* What TLS has decrypted already makes nothing readable. */
	do {
		n = sock_read(x->sock, x->buf + x->len, x->size - x->len);
		if (n > 0)
			x->len += (size_t)n;
	} while (n > 0 && exchange_head(x) && sock_pending(x->sock));
	if (n > 0)
		return;
	if (n == 0)
		exchange_end(x, NULL, "");
	else if (errno != EAGAIN && errno != EINTR)
		exchange_end(x, NULL, strerror(errno));
}
