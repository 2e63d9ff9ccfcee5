/* SPDX-License-Identifier: ISC */
/*
 * To a peer: control frames, and the other's data. A control frame goes between
 * two frames; those that wait behind what could not be written are few: one
 * pong, the latest, one ping, one close.
 */
#include <sys/socket.h>

#include <errno.h>
#include <string.h>

#include "base/want.h"
#include "leg.h"
#include "pair.h"
#include "proc/proc.h"

/* The next control frames, if there are any. 0: none. */
static int
out_fill(struct leg *l)
{
	uint8_t	*p = l->ctl;

	l->ctl_off = 0;
	if (l->ping_due && ws_may_send(&l->ws)) {
		p += ws_header(p, WS_OP_PING, 8, NULL);
		memcpy(p, "\0\0\0\0\0\0\0\0", 8);
		p += 8;
	}
	l->ping_due = 0;
	if (l->resume != NULL && l->resume->ack_due && ws_may_send(&l->ws))
		p += resume_ack(l->resume, p);
	if (l->state == LEG_ENDING && !leg_owes(l)) {
		ws_close(&l->ws, l->code, l->reason);
		l->state = LEG_CLOSING;
		timer_set(&l->timer, CLOSE_MS);
	}
	if (ws_pending(&l->ws))
		p += ws_output(&l->ws, p, NULL);
	l->ctl_len = (size_t)(p - l->ctl);
	return (l->ctl_len > 0);
}

/* 1 all of it, 0 some is left, -1 the connection is lost, and the leg gone. */
static int
out_send(struct leg *l, const uint8_t *data, size_t *off, size_t *len)
{
	ssize_t	n;

	do
		n = send(l->fd, data + *off, *len,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
		event_want(&l->ev_write, NULL);
		return (0);
	}
	if (n == -1) {
		leg_lost(l, "it does not take any more");
		return (-1);
	}
	*off += (size_t)n;
	*len -= (size_t)n;
	if (*len == 0)
		return (1);
	event_want(&l->ev_write, NULL);
	return (0);
}

static int
out_data(struct leg *l)
{
	struct pipe	*p = l->out;
	size_t		 before = p->len;
	int		 r = out_send(l, p->data, &p->off, &p->len);

	if (r == -1)
		return (-1);
	if (r == 0) {
		if (p->len != before) {
			l->moved_ms = clock_ms();
			pair_alive(l);
		}
		return (0);
	}
	l->out = NULL;
	pipe_put(p);
	return (1);
}

/* The next of the messages that are kept for it. */
static int
out_kept(struct leg *l)
{
	struct kept	*k = l->resume->next;
	size_t		 off = l->resume->off, len = k->len - off;
	int		 r = out_send(l, k->data, &off, &len);

	if (r == -1)
		return (-1);
	if (off != l->resume->off) {
		l->moved_ms = clock_ms();
		resume_wrote(l->resume, off - l->resume->off);
	}
	return (r);
}

/* What it has not begun to hear is not for it any more. */
static void
out_forget(struct leg *l)
{
	if (l->out != NULL)
		pipe_put(l->out);
	l->out = NULL;
	if (l->resume != NULL)
		l->resume->next = NULL;
}

int
out_flush(struct leg *l)
{
	int	r = 1, mid;

	while (r == 1) {
		mid = (l->out != NULL && l->out->off > 0) ||
		    (l->resume != NULL && l->resume->off > 0);
		if (!mid && (l->ctl_len > 0 || out_fill(l)))
			r = out_send(l, l->ctl, &l->ctl_off, &l->ctl_len);
		else if (!mid && (ws_own_code(&l->ws) != 0 ||
		    ws_peer_code(&l->ws) != 0)) {
			out_forget(l);	/* behind a close comes nothing */
			break;
		} else if (l->out != NULL)
			r = out_data(l);
		else if (l->resume != NULL && l->resume->next != NULL)
			r = out_kept(l);
		else
			break;
	}
	if (r == -1)
		return (-1);
	if (l->state == LEG_ASKING || !out_is_empty(l) || !ws_done(&l->ws))
		return (0);
	if (ws_state(&l->ws) == WS_FAILED) {
		/* It may still send, and a reset would eat our close. */
		shutdown(l->fd, SHUT_WR);
		return (0);
	}
	leg_drop(l);
	return (-1);
}

int
out_is_empty(const struct leg *l)
{
	return (!leg_owes(l) && l->ctl_len == 0);
}
