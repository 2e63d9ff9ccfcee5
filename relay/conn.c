/* SPDX-License-Identifier: ISC */
/*
 * The story, in order: the way to the service; bytes both ways; the end of each
 * direction; the end.
 */
#include <sys/socket.h>
#include <sys/stat.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "base/log.h"
#include "conn.h"
#include "way.h"
#include "wire.h"

#define TTY_WRITE	4096	/* what a descriptor that may wait takes */
#define WHY_SIZE	512

struct conn {
	conn_fn		 fn;
	void		*arg;
	int		 in, out;	/* ours; -1: closed */
	int		 is_socket;	/* both are one */
	int		 out_waits;	/* its write may */
	struct way	*way;		/* until it is there */
	struct wire	 wire;
	uint8_t		 buf[WIRE_MAX];	/* from the server */
	size_t		 off, len;
	int		 in_done, half_said, out_done;
	int		 hello;		/* is to be said */
	conn_called_fn	 called;	/* is waited for; NULL: not, or it came */
	struct event	 ev_in, ev_out;
};

static void	conn_open(void *, enum ended, struct sock *, const char *,
		    size_t, const char *);
static void	conn_silent(void *);
static void	local_read(evutil_socket_t, short, void *);
static void	local_write(evutil_socket_t, short, void *);
static void	server_read(void *);
static void	server_fill(void *);
static void	conn_update(void *);
static void	conn_end(struct conn *, enum ended, const char *);

struct conn *
conn_start(int in, int out, conn_fn fn, void *arg)
{
	struct conn	*c = calloc(1, sizeof(*c));
	struct stat	 sb;

	if (c == NULL ||
	    (c->way = way_start(relay.service, conn_open, c)) == NULL) {
		free(c);
		return (NULL);
	}
	c->fn = fn;
	c->arg = arg;
	c->in = in;
	c->out = out;
	c->is_socket = in == out;
	/* The far end of a pipe does not see this; that of a terminal would. */
	if (out == -1)
		;			/* it comes later: conn_join() */
	else if (c->is_socket || (fstat(out, &sb) == 0 &&
	    S_ISFIFO(sb.st_mode)))
		(void)evutil_make_socket_nonblocking(out);
	else
		c->out_waits = 1;
	return (c);
}

struct conn *
conn_start_hello(int fd, conn_fn fn, void *arg)
{
	struct conn	*c = conn_start(fd, fd, fn, arg);

	if (c != NULL)
		c->hello = 1;
	return (c);
}

struct conn *
conn_wait(conn_called_fn called, conn_fn fn, void *arg)
{
	struct conn	*c = conn_start(-1, -1, fn, arg);

	if (c != NULL)
		c->called = called;
	return (c);
}

static void
conn_local(struct conn *c)
{
	event_assign(&c->ev_in, net_base(), c->in, EV_READ | EV_PERSIST,
	    local_read, c);
	event_assign(&c->ev_out, net_base(), c->out, EV_WRITE, local_write, c);
}

void
conn_join(struct conn *c, int fd)
{
	(void)evutil_make_socket_nonblocking(fd);
	c->in = c->out = fd;
	conn_local(c);
	local_write(-1, 0, c);
}

void
conn_refuse(struct conn *c)
{
	ws_close(&c->wire.ws, WS_NORMAL, NULL);
	c->out_done = 1;
	c->len = 0;
	wire_write(&c->wire);
}

/* The first byte from there. What comes behind it waits for conn_join(). */
static void
conn_hello(struct conn *c)
{
	conn_called_fn	called = c->called;

	if (c->len == 0)
		return;
	c->called = NULL;
	c->off++;
	c->len--;
	called(c->arg);
}

static void
conn_open(void *arg, enum ended how, struct sock *s, const char *early,
    size_t len, const char *why)
{
	struct conn	*c = arg;
	struct wire	*w = &c->wire;

	c->way = NULL;
	if (how != ENDED_WELL) {
		conn_end(c, how, why);
		return;
	}
	tool_ready(NULL);
	ws_init(&w->ws, WS_CLIENT, NULL);
	if (!relay.slot)
		ws_take_half(&w->ws);
	w->readable = server_read;
	w->fill = server_fill;
	w->wrote = conn_update;
	w->silent = conn_silent;
	w->arg = c;
	wire_open(w, s);
	conn_local(c);
	if (c->hello) {
		*wire_room(w) = 0;
		wire_frame(w, WS_OP_BINARY, 1);
		wire_write(w);
	}
	if (len == 0) {
		conn_update(c);
		return;
	}
	memcpy(c->buf, early, len);
	(void)ws_input(&w->ws, c->buf, len, &c->len);
	local_write(-1, 0, c);
}

/* Each side is read when the other has taken what it was given. */
static void
conn_update(void *arg)
{
	struct conn	*c = arg;
	int		 was = c->in != -1 &&
			    event_pending(&c->ev_in, EV_READ, NULL);
	int		 on = c->in != -1 && !c->in_done &&
			    !wire_busy(&c->wire) &&
			    ws_may_send(&c->wire.ws) && !c->wire.lost;

	if (on && !was)
		event_add(&c->ev_in, NULL);
	else if (!on && was)
		event_del(&c->ev_in);
	/* While its socket is dialed it is not read. */
	wire_listen(&c->wire, c->len == 0 && (c->out != -1 || c->out_done ||
	    c->called != NULL || !ws_may_send(&c->wire.ws)));
	if (c->len > 0 && c->out != -1)
		event_add(&c->ev_out, NULL);
}

static void
conn_silent(void *arg)
{
	conn_end(arg, ENDED_LOST, "the server is silent");
}

/* Local to server. */

static void
local_read(evutil_socket_t fd, short what, void *arg)
{
	struct conn	*c = arg;
	ssize_t		 n;

	(void)fd;
	(void)what;
	n = read(c->in, wire_room(&c->wire), WIRE_MAX);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == -1 && c->is_socket) {
		conn_end(c, ENDED_LOST, "");	/* reset: so is the service's */
		return;
	}
	if (n <= 0)
		c->in_done = 1;
	else {
		relay.sent += (uint64_t)n;
		wire_frame(&c->wire, WS_OP_BINARY, (size_t)n);
	}
	wire_write(&c->wire);
}

static void
server_fill(void *arg)
{
	struct conn	*c = arg;

	if (!c->in_done || c->half_said)
		return;
	c->half_said = 1;
	if (relay.slot) {	/* it has no halves: that was all */
		ws_close(&c->wire.ws, WS_NORMAL, NULL);
		return;
	}
	wire_frame(&c->wire, WS_OP_TEXT, 0);
}

/* Server to local. */

static void
server_closed(struct conn *c)
{
	const char	*reason;
	char		 shown[WHY_SIZE];
	size_t		 len = ws_peer_reason(&c->wire.ws, &reason);

	if (ws_peer_code(&c->wire.ws) == WS_NORMAL) {
		conn_end(c, ENDED_WELL, "");
		return;
	}
	log_escape(shown, sizeof(shown), reason, len);
	conn_end(c, ENDED_LOST, *shown != '\0' ? shown :
	    "closed by the server");
}

static void
server_read(void *arg)
{
	struct conn	*c = arg;
	ssize_t		 n;
	int		 bad;

	if (c->len > 0)
		return;
	n = wire_read(&c->wire, c->buf, sizeof(c->buf));
	if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
		conn_update(c);
		return;
	}
	if (n <= 0) {
		conn_end(c, ENDED_LOST, "the connection to the server was lost");
		return;
	}
	bad = ws_input(&c->wire.ws, c->buf, (size_t)n, &c->len) == -1;
	c->off = 0;
	if (bad)
		conn_end(c, ENDED_LOST, ws_error(&c->wire.ws));
	else
		local_write(-1, 0, c);
}

/* One that waits takes little at once; -1: it takes no more. */
static ssize_t
local_put(struct conn *c, const uint8_t *p, size_t len)
{
	ssize_t	n;

	if (c->is_socket)
		n = send(c->out, p, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	else
		n = write(c->out, p, c->out_waits && len > TTY_WRITE ?
		    TTY_WRITE : len);
	return (n == -1 && (errno == EAGAIN || errno == EINTR) ? 0 : n);
}

static void
local_done(struct conn *c)
{
	c->out_done = 1;
	if (c->is_socket)
		(void)shutdown(c->out, SHUT_WR);
	else {
		close(c->out);
		c->out = -1;
	}
}

static void
local_write(evutil_socket_t fd, short what, void *arg)
{
	struct conn	*c = arg;
	ssize_t		 n;
	int		 once = c->out_waits && !(what & EV_WRITE);

	(void)fd;
	if (c->called != NULL)
		conn_hello(c);
	/* Refused: what was sent before the other end knew goes nowhere. */
	if (c->out == -1 && c->out_done)
		c->len = 0;
	while (c->len > 0 && !once && c->out != -1) {
		if ((n = local_put(c, c->buf + c->off, c->len)) == -1) {
			conn_end(c, ENDED_LOST, "");
			return;
		}
		if (n == 0)
			break;
		relay.received += (uint64_t)n;
		c->off += (size_t)n;
		c->len -= (size_t)n;
		once = c->out_waits;
	}
	if (c->len == 0 && ws_peer_code(&c->wire.ws) != 0) {
		server_closed(c);
		return;
	}
	if (c->len == 0 && ws_half_rcvd(&c->wire.ws) && !c->out_done)
		local_done(c);
	if (ws_pending(&c->wire.ws))
		wire_write(&c->wire);
	else
		conn_update(c);
}

/* The end. */

/* A local peer is not to take what was cut for the whole. */
static void
local_close(struct conn *c, enum ended how)
{
	struct linger	now = { 1, 0 };

	if (c->is_socket && c->in != -1 && how != ENDED_WELL)
		(void)setsockopt(c->in, SOL_SOCKET, SO_LINGER, &now,
		    sizeof(now));
	if (c->in != -1)
		close(c->in);
	if (!c->is_socket && c->out != -1)
		close(c->out);
}

static void
conn_end(struct conn *c, enum ended how, const char *why)
{
	conn_fn	 fn = c->fn;
	void	*arg = c->arg;
	char	 text[WHY_SIZE];

	strlcpy(text, why, sizeof(text));
	if (c->wire.up && c->in != -1) {
		event_del(&c->ev_in);
		event_del(&c->ev_out);
	}
	wire_close(&c->wire);
	local_close(c, how);
	freezero(c, sizeof(*c));
	fn(arg, how, text);
}
