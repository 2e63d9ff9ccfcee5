/* SPDX-License-Identifier: ISC */
#include <event2/event.h>

#include <sodium.h>

#include <errno.h>
#include <string.h>

#include "wire.h"

#define SILENT_MS	100000	/* the server pings each 25 s */

static void	wire_readable(evutil_socket_t, short, void *);
static void	wire_writable(evutil_socket_t, short, void *);
static void	wire_due(void *);
static void	wire_wait(struct wire *);

void
wire_open(struct wire *w, struct sock *s)
{
	w->sock = *s;
	*s = (struct sock){ .fd = -1 };
	w->up = 1;
	event_assign(&w->ev_read, net_base(), w->sock.fd,
	    EV_READ | EV_PERSIST, wire_readable, w);
	event_assign(&w->ev_write, net_base(), w->sock.fd, EV_WRITE,
	    wire_writable, w);
	timer_init(&w->timer, wire_due, w);
	timer_set(&w->timer, SILENT_MS);
	w->heard_ms = clock_ms();
}

/* In. */

void
wire_listen(struct wire *w, int on)
{
	int	was = event_pending(&w->ev_read, EV_READ, NULL);

	if (!on && was)
		event_del(&w->ev_read);
	if (on && !was) {
		event_add(&w->ev_read, NULL);
		w->heard_ms = clock_ms();
	}
	if (w->sock.want_write)
		wire_wait(w);
	if (on && sock_pending(&w->sock))
		event_active(&w->ev_read, EV_READ, 0);
}

static void
wire_readable(evutil_socket_t fd, short what, void *arg)
{
	struct wire	*w = arg;

	(void)fd;
	(void)what;
	w->readable(w->arg);
}

ssize_t
wire_read(struct wire *w, uint8_t *buf, size_t len)
{
	ssize_t	n = sock_read(&w->sock, buf, len);

	if (n > 0)
		w->heard_ms = clock_ms();
	return (n);
}

static void
wire_due(void *arg)
{
	struct wire	*w = arg;
	uint64_t	 silent = clock_ms() - w->heard_ms;

	if (!event_pending(&w->ev_read, EV_READ, NULL))
		silent = 0;		/* it is we who do not listen */
	if (silent >= SILENT_MS)
		w->silent(w->arg);
	else
		timer_set(&w->timer, SILENT_MS - silent);
}

/* Out. */

uint8_t *
wire_room(struct wire *w)
{
	return (w->out + WS_HEADER_MAX);
}

int
wire_busy(const struct wire *w)
{
	return (w->len > 0);
}

void
wire_frame(struct wire *w, enum ws_opcode op, size_t n)
{
	uint8_t	head[WS_HEADER_MAX], key[4];
	size_t	len;

	randombytes_buf(key, sizeof(key));
	len = ws_header(head, op, n, key);
	ws_mask(wire_room(w), n, key, 0);
	w->off = WS_HEADER_MAX - len;
	w->len = len + n;
	memcpy(w->out + w->off, head, len);
}

/* Is there something? A control frame of ws goes before the owner's. */
static int
wire_fill(struct wire *w)
{
	uint8_t	rnd[8];

	if (!ws_pending(&w->ws) && ws_may_send(&w->ws))
		w->fill(w->arg);
	/* It may have been a close that it had to say. */
	if (w->len == 0 && ws_pending(&w->ws)) {
		randombytes_buf(rnd, sizeof(rnd));
		w->off = 0;
		w->len = ws_output(&w->ws, w->out, rnd);
	}
	return (w->len > 0);
}

static void
wire_put(struct wire *w)
{
	ssize_t	n;

	while (!w->lost && (w->len > 0 || wire_fill(w))) {
		n = sock_put(&w->sock, w->out + w->off, w->len);
		if (n == -1) {
			/* What it has still said, and why, may lie there. */
			w->len = 0;
			w->lost = 1;
		}
		if (n <= 0)
			break;
		w->off += (size_t)n;
		w->len -= (size_t)n;
	}
	if (w->sock.want_write)
		event_active(&w->ev_read, EV_READ, 0);
}

void
wire_write(struct wire *w)
{
	wire_put(w);
	if (w->len > 0)
		wire_wait(w);
	w->wrote(w->arg);
}

/* For room. */
static void
wire_wait(struct wire *w)
{
	event_add(&w->ev_write, NULL);
}

static void
wire_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	wire_write(arg);
}

/* The end. */

void
wire_close(struct wire *w)
{
	if (!w->up)
		return;
	w->up = 0;
	timer_del(&w->timer);
	event_del(&w->ev_read);
	event_del(&w->ev_write);
	if (w->len == 0 && ws_pending(&w->ws))	/* the answer to its close */
		(void)wire_fill(w);
	(void)sock_put(&w->sock, w->out + w->off, w->len);
	sock_close(&w->sock);
}
