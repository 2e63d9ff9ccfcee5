/* SPDX-License-Identifier: ISC */
#include <sys/queue.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <event2/event.h>
#include <event2/event_struct.h>
#include <wslay/wslay.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "base/want.h"
#include "conn.h"
#include "http/head.h"
#include "http/upgrade.h"
#include "imsg/msg.h"
#include "pair.h"
#include "proc/proc.h"

#define CLOSE_MS	4000	/* for the peer's close, behind ours */
#define QUEUE_MAX	1048576	/* bytes that wait: then its sender does */
#define LEAVE_MS	500	/* between looks at who can go */
#define PROTOCOL_MAX	64	/* of a subprotocol that is said back */

struct conn {
	TAILQ_ENTRY(conn)	 entry;		/* of all */
	TAILQ_ENTRY(conn)	 by_turn;
	/* set once */
	int			 fd;
	struct event		 readable, writable;
	wslay_event_context_ptr	 ws;
	/* state */
	struct client		*client;	/* NULL: one too many */
	struct timer		 late;		/* its close has been said */
	int			 turns;		/* it is in the turn's list */
	int			 closing;	/* its end is near: */
	uint16_t		 code;		/* with this, when all is said */
	const char		*reason;
	int			 dead;		/* nothing to write to */
	struct conn		*holds;		/* whom we do not read for */
	struct conn		*held;		/* who waits for us */
	int			 again;		/* is to be read once more */
	uint8_t			*early;		/* read before it was ours */
	size_t			 early_off, early_len;
	/* the message that comes */
	char			*msg;
	size_t			 len, size;
	int			 control;	/* a frame between its parts */
	int			 too_big;
	int			 leaves;	/* as soon as it has met nobody */
};

static ssize_t	on_recv(wslay_event_context_ptr, uint8_t *, size_t, int,
		    void *);
static ssize_t	on_send(wslay_event_context_ptr, const uint8_t *, size_t, int,
		    void *);
static void	on_frame(wslay_event_context_ptr,
		    const struct wslay_event_on_frame_recv_start_arg *,
		    void *);
static void	on_chunk(wslay_event_context_ptr,
		    const struct wslay_event_on_frame_recv_chunk_arg *,
		    void *);
static void	on_message(wslay_event_context_ptr,
		    const struct wslay_event_on_msg_recv_arg *, void *);
static void	conn_read(struct conn *);
static void	conn_event(evutil_socket_t, short, void *);
static void	conn_late(void *);

static const struct wslay_event_callbacks	callbacks = {
	.recv_callback = on_recv,
	.send_callback = on_send,
	.on_frame_recv_start_callback = on_frame,
	.on_frame_recv_chunk_callback = on_chunk,
	.on_msg_recv_callback = on_message,
};

TAILQ_HEAD(conns, conn);
static struct {
	struct conns	all, turn;
	size_t		count;
	int		stopping;
} conns;

size_t
caller_count(void)
{
	return (conns.count);
}

/* It is looked at when the turn ends. */
static void
conn_touch(struct conn *c)
{
	if (c->turns)
		return;
	c->turns = 1;
	TAILQ_INSERT_TAIL(&conns.turn, c, by_turn);
}

/* wslay would say it before all that waits: conn_write() knows when. */
static void
conn_close(struct conn *c, uint16_t code, const char *reason)
{
	if (c->closing)
		return;
	c->closing = 1;
	c->code = code;
	c->reason = reason;
	timer_set(&c->late, CLOSE_MS);
	conn_touch(c);
}

/* What the core says. */

static void
do_text(void *io, const char *text, size_t len)
{
	struct conn	*c = io;

	/* Without memory it would miss something: then it is better gone. */
	if (!c->closing && wslay_event_queue_msg(c->ws,
	    &(struct wslay_event_msg){ .opcode = WSLAY_TEXT_FRAME,
	    .msg = (const uint8_t *)text, .msg_length = len }) ==
	    WSLAY_ERR_NOMEM)
		c->dead = 1;
	conn_touch(c);
}

static void
do_close(void *io, uint16_t code, const char *reason)
{
	conn_close(io, code, reason);
}

static void
do_drop(void *io)
{
	struct conn	*c = io;

	c->dead = 1;
	conn_touch(c);
}

static void
do_ping(void *io)
{
	struct conn	*c = io;

	(void)wslay_event_queue_msg(c->ws, &(struct wslay_event_msg){
	    .opcode = WSLAY_PING, .msg = NULL, .msg_length = 0 });
	conn_touch(c);
}

static int
is_held(void *io)
{
	return (((struct conn *)io)->holds != NULL);
}

static struct pair_ops	ops = {
	.send = do_text,
	.close = do_close,
	.drop = do_drop,
	.ping = do_ping,
	.is_held = is_held,
};

void
caller_init(int (*ask)(uint64_t, const uint8_t *, int))
{
	ops.ask = ask;
	TAILQ_INIT(&conns.all);
	TAILQ_INIT(&conns.turn);
	pairs_init(&ops);
}

/* Who writes to whom, and waits. */

static void
conn_release(struct conn *c)
{
	struct conn	*other = c->holds;

	if (other == NULL)
		return;
	c->holds = NULL;
	other->held = NULL;
	c->again = 1;		/* what wslay has of it already */
	if (c->fd != -1)
		event_want(&c->readable, NULL);
	conn_touch(c);
}

/* Its counterpart takes no more: P21. */
static void
conn_hold(struct conn *c)
{
	struct conn	*other = c->client == NULL ? NULL :
			    pairs_counterpart(c->client);

	if (other == NULL || c->holds != NULL || other->held != NULL ||
	    wslay_event_get_queued_msg_length(other->ws) <= QUEUE_MAX)
		return;
	c->holds = other;
	other->held = c;
	event_del(&c->readable);
}

/* wslay. */

static ssize_t
on_recv(wslay_event_context_ptr ws, uint8_t *buf, size_t len, int flags,
    void *arg)
{
	struct conn	*c = arg;
	ssize_t		 n;

	(void)flags;
	if (c->holds != NULL) {
		wslay_event_set_error(ws, WSLAY_ERR_WOULDBLOCK);
		return (-1);
	}
	if (c->early_len > 0) {
		n = (ssize_t)(len < c->early_len ? len : c->early_len);
		memcpy(buf, c->early + c->early_off, (size_t)n);
		c->early_off += (size_t)n;
		c->early_len -= (size_t)n;
		return (n);
	}
	do {
		n = recv(c->fd, buf, len, MSG_DONTWAIT);
	} while (n == -1 && errno == EINTR);
	if (n > 0)
		return (n);
	if (n == -1 && errno == EAGAIN)
		wslay_event_set_error(ws, WSLAY_ERR_WOULDBLOCK);
	else {
		c->dead = 1;
		wslay_event_set_error(ws, WSLAY_ERR_CALLBACK_FAILURE);
	}
	return (-1);
}

static ssize_t
on_send(wslay_event_context_ptr ws, const uint8_t *buf, size_t len, int flags,
    void *arg)
{
	struct conn	*c = arg;
	ssize_t		 n;

	do {
		n = send(c->fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL |
		    (flags & WSLAY_MSG_MORE ? MSG_MORE : 0));
	} while (n == -1 && errno == EINTR);
	if (n >= 0)
		return (n);
	if (errno == EAGAIN)
		wslay_event_set_error(ws, WSLAY_ERR_WOULDBLOCK);
	else {
		c->dead = 1;
		wslay_event_set_error(ws, WSLAY_ERR_CALLBACK_FAILURE);
	}
	return (-1);
}

static void
on_frame(wslay_event_context_ptr ws,
    const struct wslay_event_on_frame_recv_start_arg *arg, void *user)
{
	struct conn	*c = user;

	(void)ws;
	c->control = wslay_is_ctrl_frame(arg->opcode);
	if (!c->control && arg->payload_length > PAIR_MESSAGE_MAX - c->len)
		c->too_big = 1;
	if (c->too_big && !c->closing) {
		if (c->client != NULL)
			pairs_leave(c->client, clock_ms());
		conn_close(c, 1009, "message too big");
	}
}

static void
msg_free(struct conn *c)
{
	freezero(c->msg, c->size);
	c->msg = NULL;
	c->len = c->size = 0;
}

static int
msg_grow(struct conn *c, size_t more)
{
	size_t	 size = c->size == 0 ? 512 : c->size;
	char	*p;

	while (size < c->len + more)
		size *= 2;
	if (size == c->size)
		return (0);
	if ((p = malloc(size)) == NULL)
		return (-1);
	if (c->len > 0)
		memcpy(p, c->msg, c->len);
	freezero(c->msg, c->size);
	c->msg = p;
	c->size = size;
	return (0);
}

static void
on_chunk(wslay_event_context_ptr ws,
    const struct wslay_event_on_frame_recv_chunk_arg *arg, void *user)
{
	struct conn	*c = user;

	(void)ws;
	if (c->control || c->too_big || c->closing || arg->data_length == 0)
		return;
	if (msg_grow(c, arg->data_length) == -1) {
		c->dead = 1;
		return;
	}
	memcpy(c->msg + c->len, arg->data, arg->data_length);
	c->len += arg->data_length;
}

static void
on_message(wslay_event_context_ptr ws,
    const struct wslay_event_on_msg_recv_arg *arg, void *user)
{
	struct conn	*c = user;

	(void)ws;
	if (wslay_is_ctrl_frame(arg->opcode)) {
		if (c->client != NULL && arg->opcode !=
		    WSLAY_CONNECTION_CLOSE)
			pairs_control(c->client, clock_ms());
		return;
	}
	if (c->client != NULL && !c->closing && !c->dead && !c->too_big)
		pairs_message(c->client, c->msg != NULL ? c->msg : "", c->len,
		    clock_ms());
	msg_free(c);
	if (!c->closing)
		conn_hold(c);
}

/* Coming and going. */

static void
conn_free(struct conn *c)
{
	if (c->held != NULL)
		conn_release(c->held);
	if (c->holds != NULL)
		c->holds->held = NULL;
	c->holds = NULL;
	timer_del(&c->late);
	event_del(&c->readable);
	event_del(&c->writable);
	if (c->client != NULL)
		pairs_gone(c->client, clock_ms());
	if (c->turns)
		TAILQ_REMOVE(&conns.turn, c, by_turn);
	TAILQ_REMOVE(&conns.all, c, entry);
	conns.count--;
	wslay_event_context_free(c->ws);
	close(c->fd);
	msg_free(c);
	free(c->early);
	free(c);
}

/* Bytes that nobody reads would turn our close() into a reset. */
static void
conn_drain(struct conn *c)
{
	static uint8_t	waste[65536];
	ssize_t		n;

	do {
		n = recv(c->fd, waste, sizeof(waste), MSG_DONTWAIT);
	} while (n > 0 || (n == -1 && errno == EINTR));
	if (n == 0 || errno != EAGAIN)
		c->dead = 1;
}

static void
conn_read(struct conn *c)
{
	if (wslay_event_want_read(c->ws)) {
		if (wslay_event_recv(c->ws) != 0)
			c->dead = 1;
	} else
		conn_drain(c);
	/* Its close, or one of wslay's own: it says nothing more. */
	if (!c->closing && !c->dead && (wslay_event_get_close_received(c->ws) ||
	    !wslay_event_get_read_enabled(c->ws))) {
		c->closing = 1;
		timer_set(&c->late, CLOSE_MS);
	}
	if (c->client != NULL && (c->closing || c->dead))
		pairs_leave(c->client, clock_ms());
}

static void
conn_event(evutil_socket_t fd, short what, void *arg)
{
	struct conn	*c = arg;

	(void)fd;
	if (what & EV_READ)
		conn_read(c);
	conn_touch(c);
}

static void
conn_late(void *arg)
{
	struct conn	*c = arg;

	c->dead = 1;
	conn_touch(c);
}

/* Both have said close, and all has gone. */
static int
is_over(const struct conn *c)
{
	return (c->dead || (wslay_event_get_close_sent(c->ws) &&
	    wslay_event_get_close_received(c->ws) &&
	    !wslay_event_want_write(c->ws)));
}

static void
conn_write(struct conn *c)
{
	if (!c->dead && c->code != 0 && wslay_event_want_write(c->ws) &&
	    wslay_event_send(c->ws) != 0)
		c->dead = 1;
	if (!c->dead && c->code != 0 &&
	    wslay_event_get_queued_msg_count(c->ws) == 0) {
		(void)wslay_event_queue_close(c->ws, c->code,
		    (const uint8_t *)c->reason, strlen(c->reason));
		c->code = 0;
	}
	if (!c->dead && wslay_event_want_write(c->ws) &&
	    wslay_event_send(c->ws) != 0)
		c->dead = 1;
	if (!c->dead && wslay_event_want_write(c->ws))
		event_want(&c->writable, NULL);
	if (c->held != NULL && wslay_event_get_queued_msg_length(c->ws) <
	    QUEUE_MAX / 2)
		conn_release(c->held);
}

void
caller_turn(void)
{
	struct conn	*c;

	while ((c = TAILQ_FIRST(&conns.turn)) != NULL) {
		TAILQ_REMOVE(&conns.turn, c, by_turn);
		c->turns = 0;
		if (c->again && c->holds == NULL) {
			c->again = 0;
			conn_read(c);
		}
		conn_write(c);
		if (is_over(c))
			conn_free(c);
	}
	if (conns.stopping && conns.count == 0)
		proc_exit(0);
}

/* The first subprotocol that it offers, as the reference has it. */
static int
say_101(int fd, const struct httphead *h, const char *accept)
{
	const struct slice	*v = httphead_get(h, "Sec-WebSocket-Protocol");
	char			 text[512];
	int			 n, len = 0;

	if (v != NULL) {
		while (len < (int)v->len && v->s[len] != ',' &&
		    v->s[len] != ' ')
			len++;
		if (len > PROTOCOL_MAX)
			len = 0;
	}
	n = snprintf(text, sizeof(text), "HTTP/1.1 101 Switching Protocols\r\n"
	    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: %s\r\n%s%.*s%s\r\n", accept,
	    len > 0 ? "Sec-WebSocket-Protocol: " : "", len,
	    len > 0 ? v->s : "", len > 0 ? "\r\n" : "");
	return (send(fd, text, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) == n ?
	    0 : -1);
}

static struct conn *
conn_make(int fd, const uint8_t *early, size_t len)
{
	struct conn	*c;

	if ((c = calloc(1, sizeof(*c))) == NULL)
		return (NULL);
	c->early_len = len;
	if ((len > 0 && (c->early = malloc(len)) == NULL) ||
	    wslay_event_context_server_init(&c->ws, &callbacks, c) != 0) {
		free(c->early);
		free(c);
		return (NULL);
	}
	if (len > 0)
		memcpy(c->early, early, len);
	wslay_event_config_set_no_buffering(c->ws, 1);
	c->fd = fd;
	timer_init(&c->late, conn_late, c);
	event_assign(&c->readable, proc_base(), fd, EV_READ | EV_PERSIST,
	    conn_event, c);
	event_assign(&c->writable, proc_base(), fd, EV_WRITE, conn_event, c);
	TAILQ_INSERT_TAIL(&conns.all, c, entry);
	conns.count++;
	return (c);
}

void
caller_new(int fd, const char *addr, const char *accept, const uint8_t *bytes,
    size_t len)
{
	struct httphead		 head;
	struct httphead_scan	 scan = { 0 };
	struct addr		 a = { { 0 } };
	struct conn		*c = NULL;
	const char		*why = NULL;
	int			 status = 400, on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)addr_parse(&a, addr, strlen(addr));
	if (httphead_request(&head, &scan, (const char *)bytes, len, &status,
	    &why) == 1 && upgrade_check(&head) == 0 &&
	    say_101(fd, &head, accept) == 0)
		c = conn_make(fd, bytes + head.head_len, len - head.head_len);
	if (c == NULL) {
		log_warnx("connection dropped");
		close(fd);
		return;
	}
	if (event_add(&c->readable, NULL) == -1)
		c->dead = 1;
	c->client = pairs_open(clock_ms(), c, &a);
	if (c->client == NULL)
		conn_close(c, 1013, "too_many_connections");
	else if (conns.stopping)
		conn_close(c, 1001, "server shutting down");
	if (c->early_len > 0)
		conn_read(c);
	conn_touch(c);
}

/* Those of them that still have somebody are looked at again. */
static void
leave_some(void *arg)
{
	static struct timer	again;
	struct conn		*c;
	int			 n = 0;

	(void)arg;
	TAILQ_FOREACH(c, &conns.all, entry) {
		if (!c->leaves || c->closing)
			continue;
		if (c->client != NULL && pairs_has_met(c->client)) {
			n++;
			continue;
		}
		if (c->client != NULL)
			pairs_leave(c->client, clock_ms());
		conn_close(c, 1001, "moved");
		conn_touch(c);
	}
	if (again.fn == NULL)
		timer_init(&again, leave_some, NULL);
	if (n > 0)
		timer_set(&again, LEAVE_MS);
}

void
caller_leave(void)
{
	struct conn	*c;

	TAILQ_FOREACH(c, &conns.all, entry)
		c->leaves = 1;
	leave_some(NULL);
}

static void
stop_late(void *arg)
{
	(void)arg;
	proc_exit(0);
}

void
caller_stop(void)
{
	static struct timer	 late;
	struct conn		*c;

	conns.stopping = 1;
	TAILQ_FOREACH(c, &conns.all, entry) {
		conn_close(c, 1001, "server shutting down");
		conn_touch(c);
	}
	timer_init(&late, stop_late, NULL);
	timer_set(&late, conns.count == 0 ? 0 : CLOSE_MS);
}
