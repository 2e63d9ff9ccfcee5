/* SPDX-License-Identifier: ISC */
/*
 * To and fro. A side is read only when the other has taken all of before, so
 * that one rest of a read is all that a connection ever holds here.
 */
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "base/log.h"
#include "client.h"
#include "doors.h"
#include "imsg/imsg.h"
#include "imsg/msg.h"
#include "metrics/count.h"
#include "net/gone.h"
#include "proc/proc.h"

#define PIECE		65536	/* read at once */
#define BURST		4	/* pieces of one side in a turn */

static void	pump_plain(struct client *);
static void	pump_ended(struct client *);
static void	pump_open(struct client *);

static uint8_t	piece[PIECE];

/* 0 or -1. */
static int
rest_keep(struct rest *r, const uint8_t *p, size_t len)
{
	if (len == 0)
		return (0);
	if ((r->p = malloc(len)) == NULL)
		return (-1);
	memcpy(r->p, p, len);
	r->off = 0;
	r->len = len;
	return (0);
}

static void
rest_taken(struct rest *r, size_t n)
{
	r->off += n;
	r->len -= n;
	if (r->len > 0)
		return;
	freezero(r->p, r->off);
	r->p = NULL;
	r->off = 0;
}

/* Bytes that went, 0: none now, -1. */
static ssize_t
plain_put(struct client *c, const uint8_t *p, size_t len)
{
	ssize_t	n = send(c->plain, p, len, MSG_NOSIGNAL);

	return (n == -1 && (errno == EAGAIN || errno == EINTR) ? 0 : n);
}

/*
 * TLS has read what no event tells of. libevent does not watch an event that is
 * added while it is active: it is added before.
 */
static void
net_again(struct client *c)
{
	client_watch(c);
	if (c->net_reading)
		event_active(&c->ev_net_read, EV_READ, 0);
}

/* The client has said all. That it has gone is heard when it is written to. */
static void
net_ended(struct client *c)
{
	c->net_eof = 1;
	client_half(c);
	if (c->out)
		doors_ended(c->door, c->id);
	if (c->plain != -1 && c->to_plain.len == 0)
		(void)shutdown(c->plain, SHUT_WR);
}

/* Proxyd's side takes no more: what it sends still counts. */
static int
plain_gone(void)
{
	return (errno == EPIPE || errno == ECONNRESET);
}

static void
to_plain(struct client *c, const uint8_t *p, size_t len)
{
	ssize_t	n = plain_put(c, p, len);

	if (n == -1 && plain_gone()) {
		c->net_eof = 1;
		pump_plain(c);
	} else if (n == -1) {
		client_close(c, strerror(errno), 1);
	} else if (rest_keep(&c->to_plain, p + n, len - (size_t)n) == -1)
		client_close(c, "out of memory", 1);
}

static void
pump_net(struct client *c)
{
	ssize_t	n = 0;
	int	i;

	if (c->state == CLIENT_QUIET) {
		pump_open(c);
		return;
	}
	if (c->half) {
		if (fd_is_gone(c->net.fd))
			client_close(c, "has gone", 0);
		return;
	}
	for (i = 0; i < BURST && !c->net_eof && c->to_plain.len == 0 &&
	    (n = sock_read(&c->net, piece, sizeof(piece))) > 0; i++) {
		if (c->state == CLIENT_OPEN) {
			to_plain(c, piece, (size_t)n);
			explicit_bzero(piece, (size_t)n);
			if (c->state != CLIENT_OPEN)
				return;
		}
		if ((size_t)n < sizeof(piece) && !sock_pending(&c->net))
			return;		/* that was all */
	}
	if (n == 0 && i < BURST && !c->net_eof && c->to_plain.len == 0) {
		if (c->state == CLIENT_LINGER)
			client_close(c, "done", 0);
		else
			net_ended(c);
	} else if (n == -1 && errno != EAGAIN)
		client_close(c, strerror(errno), 0);
	else if (sock_pending(&c->net) && c->to_plain.len == 0 && !c->net_eof)
		net_again(c);
}

/* A socketpair, whose other end is for a proxyd. -1: closed. */
static int
far_end(struct client *c)
{
	int	sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
	    sv) == -1) {
		client_close(c, strerror(errno), 0);
		return (-1);
	}
	c->plain = sv[0];
	client_plain(c);
	gauge_move(CT_TLS_NEW, -1);
	gauge_move(CT_TLS_OPEN, 1);
	return (sv[1]);
}

/* It goes to a proxyd. 0, or -1: closed. */
static int
give(struct client *c)
{
	char	addr[ADDR_SIZE];
	int	fd = far_end(c);

	if (fd == -1)
		return (-1);
	addr_print(&c->peer, addr);
	c->door = doors_give(fd, &(struct msg_plain){ .id = c->id,
	    .flags = c->flags, .addr = addr });
	if (c->door == 0) {
		client_close(c, "no proxyd", 0);
		return (-1);
	}
	return (0);
}

/*
 * Until it speaks nobody hears of it: a handshake costs proxyd nothing. What it
 * says lies in the socketpair before proxyd looks.
 */
static void
pump_open(struct client *c)
{
	ssize_t	n;

	/* Its words wait in the socket as long as there is nobody for them. */
	if (!doors_has())
		return;
	sock_ahead(&c->net);
	n = sock_read(&c->net, piece, sizeof(piece));
	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0) {
		client_close(c, n == 0 ? "nothing was said" : strerror(errno),
		    0);
		return;
	}
	c->state = CLIENT_OPEN;
	timer_del(&c->timer);
	crowd_busy(&c->seat);
	if (give(c) == 0)
		to_plain(c, piece, (size_t)n);
	explicit_bzero(piece, (size_t)n);
	if (c->state == CLIENT_OPEN && sock_pending(&c->net) &&
	    c->to_plain.len == 0)
		net_again(c);
}

/* Its proxyd waits for it. What the other side has said already is kept. */
static void
pump_reached(struct client *c)
{
	uint32_t	asked = c->asked;
	int		fd = far_end(c);

	if (fd == -1)
		return;
	c->state = CLIENT_OPEN;
	c->asked = 0;
	sock_ahead(&c->net);
	timer_del(&c->timer);
	doors_reached(c->door, asked, fd, c->id);
	if (sock_pending(&c->net))
		net_again(c);
}

/* Nothing is left to send: say so, and wait for the client to notice. */
static void
linger(struct client *c)
{
	sock_shut(&c->net);
	(void)shutdown(c->net.fd, SHUT_WR);
	if (c->net_eof) {
		client_close(c, "done", 0);
		return;
	}
	c->state = CLIENT_LINGER;
	client_deadline(c, CLIENT_LINGER_MS);
	client_watch(c);
}

/*
 * It ends when all has gone out; with the farewell of TLS only if who had it
 * has said that this is the end of what there was to say.
 */
static void
pump_ended(struct client *c)
{
	if (!c->said && !doors_hear(c->door)) {
		client_close(c, "its proxyd has gone", 1);
		return;
	}
	/* What was heard just now may have closed it. */
	if (c->state != CLIENT_OPEN || c->to_net.len > 0)
		return;
	if (!c->said)
		client_deadline(c, CLIENT_WORD_MS);
	else if (c->clean)
		linger(c);
	else
		client_close(c, "broken off", 1);
}

static void
pump_plain(struct client *c)
{
	ssize_t	n = -1, put;
	int	i;

	for (i = 0; i < BURST && !c->plain_eof && c->to_net.len == 0 &&
	    (n == -1 || n == sizeof(piece)); i++) {
		n = recv(c->plain, piece, sizeof(piece), 0);
		/* It went without all of ours: what it sent is still here. */
		if (n == -1 && errno == ECONNRESET)
			n = recv(c->plain, piece, sizeof(piece), 0);
		if (n <= 0)
			break;
		if ((put = sock_put(&c->net, piece, (size_t)n)) == -1) {
			client_close(c, strerror(errno), 0);
			return;
		}
		if (rest_keep(&c->to_net, piece + put, (size_t)(n - put)) ==
		    -1) {
			client_close(c, "out of memory", 1);
			return;
		}
	}
	if (n > 0 || c->plain_eof || c->to_net.len > 0 || (n == -1 &&
	    (errno == EAGAIN || errno == EINTR)))
		return;
	c->plain_eof = 1;
	pump_ended(c);
}

static void
pump_flush(struct client *c)
{
	ssize_t	n;

	if (c->to_net.len > 0) {
		n = sock_put(&c->net, c->to_net.p + c->to_net.off,
		    c->to_net.len);
		if (n == -1) {
			client_close(c, strerror(errno), 0);
			return;
		}
		rest_taken(&c->to_net, (size_t)n);
		if (c->to_net.len == 0 && c->plain_eof) {
			pump_ended(c);
			if (c->state != CLIENT_OPEN)
				return;
		}
	} else if (c->net.want_write) {
		pump_net(c);
		if (c->state != CLIENT_OPEN)
			return;
	}
	if (c->to_plain.len == 0)
		return;
	if ((n = plain_put(c, c->to_plain.p + c->to_plain.off,
	    c->to_plain.len)) == -1) {
		if (!plain_gone()) {
			client_close(c, strerror(errno), 1);
			return;
		}
		rest_taken(&c->to_plain, c->to_plain.len);
		c->net_eof = 1;
		return;
	}
	rest_taken(&c->to_plain, (size_t)n);
	if (c->to_plain.len == 0 && c->net_eof)
		(void)shutdown(c->plain, SHUT_WR);
	else if (c->to_plain.len == 0 && sock_pending(&c->net))
		net_again(c);
}

const struct client_ops	pump = {
	.net = pump_net,
	.plain = pump_plain,
	.flush = pump_flush,
	.ended = pump_ended,
	.reached = pump_reached,
};
