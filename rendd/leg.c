/* SPDX-License-Identifier: ISC */
/*
 * One peer's connection, and what is read from it. Its data goes straight to
 * the other, who is written in the same turn; what he does not take stays in
 * one pipe, and until that is empty nothing more is read here.
 */
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "base/log.h"
#include "base/want.h"
#include "leg.h"
#include "pair.h"
#include "proc/proc.h"

#define KNOCK_MS	2000	/* for the holder's sign of life: D5 */
#define LIVES		3	/* ping intervals without a byte: lost */
#define HELD_MIN	4096	/* less room is not worth a read */
#define TURNS		4	/* reads, then others have their turn */

static void	leg_readable(evutil_socket_t, short, void *);
static void	leg_writable(evutil_socket_t, short, void *);
static void	leg_due(void *);
static void	ack_late(void *);

struct leg *
leg_new(int fd, const char *addr, const char *request)
{
	struct leg	*l;
	int		 on = 1;

	if ((l = calloc(1, sizeof(*l))) == NULL)
		return (NULL);
	l->fd = fd;
	strlcpy(l->addr, addr, sizeof(l->addr));
	if (request_is(request, strlen(request)))
		strlcpy(l->request, request, sizeof(l->request));
	/* What does not apply to this kind of socket fails, and may. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	ws_init(&l->ws, WS_SERVER, NULL);
	ws_set_relay(&l->ws, &l->pass);
	l->pass.max = proc_conf()->relay_message;
	event_assign(&l->ev_read, proc_base(), fd, EV_READ | EV_PERSIST,
	    leg_readable, l);
	event_assign(&l->ev_write, proc_base(), fd, EV_WRITE, leg_writable, l);
	timer_init(&l->timer, leg_due, l);
	timer_init(&l->ack, ack_late, l);
	return (l);
}

int
leg_resumes(struct leg *l, int again, uint64_t seen)
{
	if ((l->resume = resume_new()) == NULL)
		return (-1);
	l->again = again;
	l->seen = seen;
	if (l->pass.max == 0 || l->pass.max > RESUME_MESSAGE)
		l->pass.max = RESUME_MESSAGE;
	l->pass.max += RESUME_HEADER;
	return (0);
}

int
leg_begin(struct leg *l, const uint8_t *bytes, size_t len)
{
	const uint8_t	*end = memmem(bytes, len, "\r\n\r\n", 4);
	size_t		 head, room;

	if (end == NULL || (head = (size_t)(end - bytes) + 4) > sizeof(l->ctl))
		return (-1);
	memcpy(l->ctl, bytes, head);
	l->ctl_len = head;
	if (len == head)
		return (0);
	if ((l->first = pipe_get()) == NULL)
		return (-1);
	memcpy(pipe_tail(l->first, &room), bytes + head, len - head);
	l->first->len = len - head;
	return (0);
}

int
leg_is_read(const struct leg *l)
{
	size_t	room;

	switch (l->state) {
	case LEG_ASKING:
	case LEG_KNOCKING:
	case LEG_AWAY:
		return (0);
	case LEG_SEATED:
		if (l->peer != NULL && l->peer->resume != NULL)
			return (resume_has_room(l->peer->resume));
		if (l->peer != NULL)
			return (l->peer->out == NULL);
		if (l->resume != NULL)
			return (resume_fits(l->resume, l->held));
		if (l->held != NULL)
			(void)pipe_tail(l->held, &room);
		return (l->held == NULL || room >= HELD_MIN);
	default:
		return (1);
	}
}

/* Which time runs out first? It is looked at again when it has. */
static uint64_t
leg_wait(const struct leg *l)
{
	const struct conf	*conf = proc_conf();
	uint64_t		 ms = UINT64_MAX, t;

	if (conf->relay_ping != 0)
		ms = conf->relay_ping * 1000;
	if (leg_owes(l) && (t = conf->relay_stall * 1000) < ms)
		ms = t;
	if (l->peer == NULL) {
		t = l->since_ms + conf->relay_wait * 1000;
		t = t > clock_ms() ? t - clock_ms() : 0;
		ms = t < ms ? t : ms;
	}
	return (ms);
}

void
leg_update(struct leg *l)
{
	int		on = leg_is_read(l);
	uint64_t	ms;

	if (on != l->reading) {
		if (on) {
			event_want(&l->ev_read, NULL);
			if (l->first != NULL)
				event_active(&l->ev_read, EV_READ, 0);
		} else
			event_del(&l->ev_read);
		l->reading = on;
	}
	if (l->state != LEG_SEATED)
		return;
	ms = leg_wait(l);
	if (ms == UINT64_MAX)
		timer_del(&l->timer);
	else if (!timer_is_set(&l->timer) || l->timer.due_ms > clock_ms() + ms)
		timer_set(&l->timer, ms);
}

int
leg_owes(const struct leg *l)
{
	return (l->out != NULL ||
	    (l->resume != NULL && l->resume->next != NULL));
}

void
leg_give(struct leg *l, struct pipe *p)
{
	if (!leg_owes(l))
		l->moved_ms = clock_ms();
	if (l->resume == NULL)
		l->out = p;
	else if (resume_keep(l->resume, p->data + p->off, p->len) == -1) {
		pipe_put(p);
		pair_lost(l, "out of memory");
		leg_drop(l);
		return;
	} else
		pipe_put(p);
	if (l->state != LEG_AWAY)
		(void)out_flush(l);
}

/* ---- one that can be taken up again ---- */

static void
ack_late(void *arg)
{
	struct leg	*l = arg;

	if (l->state != LEG_SEATED || l->resume->unacked == 0)
		return;
	l->resume->ack_due = 1;
	event_want(&l->ev_write, NULL);
}

/*
 * Its messages lie in `p`, whole frames: without their headers they are the
 * other's. NULL: a fault of it, which was said.
 */
static struct pipe *
leg_strip(struct leg *l, struct pipe *p)
{
	struct pipe	*to = l->peer == NULL ? l->held : NULL;
	const char	*why;
	uint64_t	 payload = 0;
	int		 r = -1;

	if (to == NULL && (to = pipe_get()) == NULL) {
		pipe_put(p);
		return (NULL);
	}
	l->held = NULL;
	r = resume_take(l->resume, p->data, p->len, to, &payload, &why);
	pipe_put(p);
	l->pass.payload = payload;
	if (l->resume->ack_due)
		event_want(&l->ev_write, NULL);
	else if (l->resume->unacked > 0 && !timer_is_set(&l->ack))
		timer_set(&l->ack, RESUME_ACK_MS);
	if (r == -1)
		ws_close(&l->ws, strcmp(why, "message too big") == 0 ?
		    WS_TOO_BIG : WS_PROTOCOL_ERROR, why);
	return (to);
}

int
leg_again(struct leg *l, struct leg *old)
{
	if (old->resume == NULL || resume_again(old->resume, l->seen) == -1)
		return (-1);
	resume_free(l->resume);
	l->resume = old->resume;
	old->resume = NULL;
	l->held = old->held;
	old->held = NULL;
	return (0);
}

void
leg_over(struct leg *l, uint16_t code, const char *reason)
{
	l->peer = NULL;
	l->is_over = 1;
	l->code = code;
	strlcpy(l->end_text, reason, sizeof(l->end_text));
}

void
leg_lost(struct leg *l, const char *why)
{
	if (pair_away(l, why)) {
		event_del(&l->ev_read);
		event_del(&l->ev_write);
		timer_del(&l->ack);
		l->reading = 0;
		close(l->fd);
		l->fd = -1;
		l->ctl_len = 0;
		l->state = LEG_AWAY;
		timer_set(&l->timer, proc_conf()->relay_resume * 1000);
		return;
	}
	pair_lost(l, why);
	leg_drop(l);
}

/* ---- reading ---- */

/* Bytes of it lie at the pipe's tail: 0, or -1: it has gone. */
static int
leg_take(struct leg *l, struct pipe *p, size_t n)
{
	struct leg	*peer = l->peer;
	size_t		 out;
	int		 r;

	l->heard_ms = clock_ms();
	if (l->knocker != NULL)
		pair_alive(l);
	r = ws_relay(&l->ws, p->data + p->off + p->len, n, &out);
	if (l->state != LEG_SEATED) {
		pipe_put(p);		/* nobody wants it any more */
		return (out_flush(l));
	}
	p->len += out;
	if (l->resume != NULL && (p = leg_strip(l, p)) == NULL) {
		leg_lost(l, "out of memory");
		return (-1);
	}
	if (l->pass.payload != 0 || out > 0)
		pair_count(l, l->pass.payload);
	l->pass.payload = 0;
	if (p->len == 0)
		pipe_put(p);
	else if (peer == NULL)
		l->held = p;
	else {
		leg_give(peer, p);
		if (l->peer == peer)
			leg_update(peer);
	}
	/* An acknowledgement has made room. */
	if (l->resume != NULL && peer != NULL && l->peer == peer)
		leg_update(peer);
	if (l->state == LEG_SEATED && (r == -1 ||
	    (ws_own_code(&l->ws) != 0 && ws_peer_code(&l->ws) == 0)))
		pair_fault(l);
	else if (l->state == LEG_SEATED && ws_peer_code(&l->ws) != 0)
		pair_closed(l);
	if (ws_pending(&l->ws) || l->state != LEG_SEATED)
		return (out_flush(l));
	return (0);
}

/*
 * What came with it is a read like any other, and waits like one for its room.
 */
static int
leg_read_first(struct leg *l)
{
	struct pipe	*p = l->first;
	size_t		 n = p->len;

	l->first = NULL;
	p->len = 0;
	return (leg_take(l, p, n));
}

/* One read: 1 there may be more, 0 not now, -1: it has gone. */
static int
leg_read(struct leg *l)
{
	struct pipe	*p = l->state == LEG_SEATED && l->peer == NULL &&
			    l->resume == NULL ? l->held : NULL;
	size_t		 room;
	uint8_t		*tail;
	ssize_t		 n;

	if (l->first != NULL)
		return (leg_read_first(l) == -1 ? -1 : 1);
	if (p == NULL && (p = pipe_get()) == NULL)
		return (0);
	tail = pipe_tail(p, &room);
	if (l->resume != NULL && room > RESUME_READ)
		room = RESUME_READ;
	n = recv(l->fd, tail, room, MSG_DONTWAIT);
	if (n > 0) {
		if (p == l->held && l->resume == NULL)
			l->held = NULL;
		return (leg_take(l, p, (size_t)n) == -1 ? -1 :
		    (size_t)n == room);
	}
	if (p != l->held)
		pipe_put(p);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return (0);
	leg_lost(l, "connection lost");
	return (-1);
}

static void
leg_readable(evutil_socket_t fd, short what, void *arg)
{
	struct leg	*l = arg;
	int		 i, r = 1;

	(void)fd;
	(void)what;
	for (i = 0; i < TURNS && r == 1 && leg_is_read(l); i++)
		r = leg_read(l);
	if (r != -1)
		leg_update(l);
}

static void
leg_writable(evutil_socket_t fd, short what, void *arg)
{
	struct leg	*l = arg;
	struct leg	*peer = l->peer;

	(void)fd;
	(void)what;
	if (out_flush(l) == -1)
		return;
	leg_update(l);
	if (peer != NULL && l->peer == peer)
		leg_update(peer);
}

void
leg_seat(struct leg *l)
{
	l->state = LEG_SEATED;
	l->since_ms = l->heard_ms = l->moved_ms = clock_ms();
	if (out_flush(l) == -1 || (l->first != NULL && leg_is_read(l) &&
	    leg_read_first(l) == -1))
		return;
	leg_update(l);
}

void
leg_knock(struct leg *l)
{
	l->state = LEG_KNOCKING;
	timer_set(&l->timer, KNOCK_MS);
	(void)out_flush(l);
}

void
leg_refuse(struct leg *l, unsigned status, const char *text)
{
	char	buf[MESSAGE_SIZE + 256];
	int	n;

	n = snprintf(buf, sizeof(buf), "HTTP/1.1 %u %s\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "X-Content-Type-Options: nosniff\r\nContent-Length: %zu\r\n"
	    "Retry-After: 1\r\nConnection: close\r\n\r\n%s\n", status,
	    status == 503 ? "Service Unavailable" : "Refused",
	    strlen(text) + 1, text);
	if (n > 0 && (size_t)n < sizeof(buf) && send(l->fd, buf, (size_t)n,
	    MSG_DONTWAIT | MSG_NOSIGNAL) == -1)
		log_debug("refusal not sent: %s", strerror(errno));
	shutdown(l->fd, SHUT_WR);
	leg_drop(l);
}

void
leg_end(struct leg *l, uint16_t code, const char *reason)
{
	if (l->state == LEG_ENDING || l->state == LEG_CLOSING)
		return;
	l->state = LEG_ENDING;
	l->code = code;
	strlcpy(l->end_text, reason, sizeof(l->end_text));
	l->reason = l->end_text;
	l->moved_ms = clock_ms();
	timer_set(&l->timer, proc_conf()->relay_stall * 1000);
	if (ws_peer_code(&l->ws) != 0 || ws_own_code(&l->ws) != 0) {
		l->state = LEG_CLOSING;
		timer_set(&l->timer, CLOSE_MS);
	}
	event_want(&l->ev_write, NULL);
	leg_update(l);
}

void
leg_ping(struct leg *l)
{
	l->ping_due = 1;
	event_want(&l->ev_write, NULL);
}

/* It was never anybody's. */
void
leg_discard(struct leg *l)
{
	event_del(&l->ev_read);
	event_del(&l->ev_write);
	timer_del(&l->timer);
	timer_del(&l->ack);
	call_cancel(&l->call);
	if (l->fd != -1)
		close(l->fd);
	resume_free(l->resume);
	pipe_put(l->out);
	pipe_put(l->held);
	pipe_put(l->first);
	free(l);
}

void
leg_drop(struct leg *l)
{
	pair_gone(l);
	leg_discard(l);
}

/* No life of it, nothing taken, nobody there. 1: it is over. */
static int
seated_due(struct leg *l)
{
	const struct conf	*conf = proc_conf();
	uint64_t		 now = clock_ms(), ping;

	ping = conf->relay_ping * 1000;
	if (l->peer == NULL && now >= l->since_ms + conf->relay_wait * 1000) {
		pair_late(l);
		return (1);
	}
	if (leg_owes(l) && now >= l->moved_ms + conf->relay_stall * 1000) {
		pair_stalled(l);
		return (1);
	}
	if (ping == 0 || !l->reading || leg_owes(l))
		return (0);
	if (now >= l->heard_ms + LIVES * ping) {
		leg_lost(l, "no sign of life");
		return (1);
	}
	if (now >= l->heard_ms + ping)
		leg_ping(l);
	return (0);
}

static void
leg_due(void *arg)
{
	struct leg	*l = arg;
	uint64_t	 stall = proc_conf()->relay_stall * 1000;

	switch (l->state) {
	case LEG_KNOCKING:
		pair_knock_over(l);
		break;
	case LEG_SEATED:
		if (!seated_due(l))
			leg_update(l);
		break;
	case LEG_AWAY:
		pair_lost(l, "did not come back");
		leg_drop(l);
		break;
	case LEG_ENDING:
		if (!l->hurry && clock_ms() < l->moved_ms + stall)
			timer_set(&l->timer, l->moved_ms + stall - clock_ms());
		else
			leg_drop(l);
		break;
	default:
		leg_drop(l);
		break;
	}
}
