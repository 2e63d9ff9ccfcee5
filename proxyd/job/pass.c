/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "base/log.h"
#include "pass.h"
#include "proc/conf.h"
#include "proc/proc.h"

#define MORE_MS		60000	/* the other member gives up before us */

static void	pass_up(struct forward *);
static void	pass_down(struct forward *);

/* ---- the job ---- */

static struct forward *
forward_of(const struct conn *c)
{
	return (c->work);
}

static void
pass_deadline(struct forward *f)
{
	const struct conn	*c = f->c;

	/* As exch_moved(); over there it is not known that it has closed. */
	if (c->eof && (c->http10 || f->phase == F_BODY))
		conn_deadline(f->c, CONN_HALF_MS);
	else
		conn_deadline(f->c, proc_conf()->proxy_idle * 1000 + MORE_MS);
}

void
pass_log(const struct forward *f, const char *why)
{
	log_request(f->c->request);
	log_info("member %s: %s", f->member, why);
	log_request(NULL);
}

void
pass_fail(struct forward *f, const char *why)
{
	struct conn	*c = f->c;

	pass_log(f, why);
	if (f->responded) {
		conn_close(c, why, 1);
		return;
	}
	if (f->phase >= F_HEAD && !flow_over(&f->up))
		c->body_left = 1;
	if (c->body_left)
		c->keep = 0;
	answer_later(c, 503, "the server that has this session cannot be "
	    "reached", 5);
}

static void
pass_expired(struct conn *c)
{
	struct forward	*f = forward_of(c);

	if (f->phase < F_HEAD)
		conn_deadline(c, FORWARD_WAIT_MS);
	else if (f->phase == F_RAW)
		pass_deadline(f);	/* over there is who minds */
	else
		pass_fail(f, "no answer in time");
}

/* The body of its request is none. */
static void
pass_wrong(struct conn *c, const char *why)
{
	c->keep = 0;
	c->body_left = 1;
	answer_error(c, 400, why);
}

/* As exchange_left(): an answer that has begun goes on to its end. */
static enum left
pass_left(struct conn *c)
{
	struct forward	*f = forward_of(c);

	if (f->phase == F_RAW || (f->head != NULL &&
	    (f->head->flags & HTTPHEAD_UPGRADE)) || (f->phase == F_BODY &&
	    !f->up.done))
		return (LEFT_GONE);
	if (f->phase == F_HEAD && !f->up.done) {
		pass_wrong(c, BODY_SHORT);
		return (LEFT_READS);
	}
	if (f->phase == F_BODY || (f->phase == F_HEAD && c->http10))
		pass_deadline(f);
	return (f->phase == F_BODY ? LEFT_READS : LEFT_WAITS);
}

static int
pass_in_body(const struct conn *c)
{
	const struct forward	*f = forward_of(c);

	return (f->phase == F_RAW || (f->phase >= F_HEAD &&
	    !flow_over(&f->up)));
}

static void
pass_end(struct conn *c)
{
	struct forward	*f = forward_of(c);

	call_cancel(&f->call);
	f->way->over(f);
	reach_cancel(&f->reach);
	if ((f->phase == F_HEAD || f->phase == F_BODY) && !flow_over(&f->down))
		mlink_cut(f->l);	/* nobody waits for the rest */
	else
		mlink_free(f->l);
	free(f->head);
	free(f);
}

/* The client says more, or hangs up. */
static void
pass_readable(struct conn *c)
{
	struct forward	*f = forward_of(c);
	size_t		 had = c->in != NULL ? c->in->len : 0;
	long		 n;

	if (f->phase >= F_HEAD && (f->up.ready > 0 || f->head_left > 0)) {
		conn_reading(c, 0);
		return;
	}
	if ((n = conn_take(c, "closed by the client")) == 0)
		return;
	if (f->phase < F_HEAD || flow_over(&f->up))
		return;		/* it is looked at later */
	if (flow_feed(&f->up, c->in->data + c->in->off + had, (size_t)n) ==
	    -1) {
		conn_close(c, "malformed request body", 1);
		return;
	}
	pass_deadline(f);
	pass_up(f);
}

static void
pass_writable(struct conn *c)
{
	struct forward	*f = forward_of(c);

	if (conn_flush(c) == 1 && f->l != NULL && f->phase >= F_HEAD)
		pass_down(f);
}

const struct job_ops	pass_job = {
	.name = "forward",
	.readable = pass_readable,
	.writable = pass_writable,
	.expired = pass_expired,
	.in_body = pass_in_body,
	.left = pass_left,
	.end = pass_end,
};

/* ---- up ---- */

/* So much has gone. */
static void
pass_sent(struct forward *f, size_t n)
{
	struct conn	*c = f->c;
	size_t		 of_head = n < f->head_left ? n : f->head_left;

	f->head_left -= of_head;
	flow_sent(&f->up, n - of_head);
	if (f->repeatable) {
		f->sent += n;
		return;
	}
	buf_drop(c->in, n);
	c->head_len = 0;
}

/* Once more on a new connection, where an old one was closed meanwhile. */
static int
pass_again(struct forward *f)
{
	if (!f->l->used || f->retried || f->responded || !f->repeatable ||
	    !httphead_is_idempotent(f->method))
		return (0);
	f->retried = 1;
	f->sent = 0;
	mlink_free(f->l);
	f->l = NULL;
	f->way->link(f);
	return (1);
}

static void
pass_up(struct forward *f)
{
	struct conn	*c = f->c;
	size_t		 len;
	ssize_t		 n;

	while (!f->up_failed && (len = f->head_left + f->up.ready) > 0) {
		n = send(f->l->fd, c->in->data + c->in->off + f->sent, len,
		    MSG_NOSIGNAL);
		if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
			mlink_writing(f->l, 1);
			return;
		}
		if (n == -1) {
			/*
			 * It may have answered before it hung up; no more is
			 * waited for, be it there still.
			 */
			f->up_failed = 1;
			shutdown(f->l->fd, SHUT_RDWR);
			conn_reading(c, 0);
			return;
		}
		pass_sent(f, (size_t)n);
	}
	if (!f->repeatable && c->in != NULL && c->in->len == 0)
		buf_put(&c->in);
	if (flow_over(&f->up))
		c->body_left = 0;
	conn_reading(c, 1);
}

/* ---- down ---- */

/* The answer has begun: the request is not needed any more. */
static void
pass_begun(struct forward *f)
{
	struct conn	*c = f->c;

	if (!f->repeatable)
		return;
	f->repeatable = 0;
	buf_drop(c->in, c->head_len);
	c->head_len = 0;
	f->sent = 0;
	free(f->head);
	f->head = NULL;
	if (c->in->len == 0)
		buf_put(&c->in);
}

/* All is said: the connections are for the next request. */
static void
pass_over(struct forward *f)
{
	struct conn	*c = f->c;
	struct mlink	*l = f->l;

	if (f->keep && !f->up_failed && flow_over(&f->up) &&
	    l->in->len == 0) {
		f->l = NULL;
		mlink_keep(l);
	}
	if (!flow_over(&f->up)) {
		c->keep = 0;
		c->body_left = 1;
	}
	conn_answered(c);
}

/* The first `n` bytes that are here. 0, or -1: the client has gone. */
static int
pass_out(struct forward *f, size_t n)
{
	struct buf	*b = f->l->in;
	struct iovec	 iov = { b->data + b->off, n };

	f->responded = 1;
	if (n > 0 && conn_writev(f->c, &iov, 1) == -1)
		return (-1);
	buf_drop(b, n);
	return (0);
}

/* Heads, up to the last one. 1: it was there; 0: not yet; -1: it is over. */
static int
pass_heads(struct forward *f)
{
	static struct httphead	 h;
	struct buf		*b = f->l->in;
	const char		*why;
	int			 r;

	while ((r = httphead_response(&h, &f->scan, f->method,
	    b->data + b->off, b->len, &why)) == 1) {
		memset(&f->scan, 0, sizeof(f->scan));
		if (!(h.flags & HTTPHEAD_INTERIM))
			pass_begun(f);
		if (h.status == 101) {
			f->phase = F_RAW;
			flow_open(&f->up);
			flow_open(&f->down);
			if (f->c->in != NULL)
				(void)flow_feed(&f->up, NULL, f->c->in->len);
			(void)flow_feed(&f->down, NULL, b->len);
			f->c->keep = 0;
			return (1);
		}
		if (!(h.flags & HTTPHEAD_INTERIM))
			break;
		if (pass_out(f, h.head_len) == -1)
			return (-1);
	}
	if (r == -1) {
		pass_fail(f, why);
		return (-1);
	}
	if (r == 0)
		return (0);
	f->phase = F_BODY;
	flow_begin(&f->down, &h);
	f->keep = (h.flags & HTTPHEAD_KEEPALIVE) != 0;
	f->c->keep &= f->keep;
	if (flow_feed(&f->down, b->data + b->off + h.head_len,
	    b->len - h.head_len) == -1) {
		pass_fail(f, "malformed answer");
		return (-1);
	}
	f->down.ready += h.head_len;	/* goes along with it */
	return (1);
}

static void
pass_down(struct forward *f)
{
	struct conn	*c = f->c;
	size_t		 n;
	int		 r;

	if (f->l->in != NULL && f->l->in->len > 0) {
		r = f->phase == F_HEAD ? pass_heads(f) : 1;
		if (r == 0)
			mlink_reading(f->l, 1);
		if (r != 1)
			return;
		if (f->phase == F_RAW && !f->responded)
			f->responded = 1;
		n = f->down.ready;
		flow_sent(&f->down, n);
		if (pass_out(f, n) == -1)
			return;
	}
	if (f->phase == F_RAW && c->in != NULL && f->up.ready > 0)
		pass_up(f);
	if (f->phase == F_BODY && flow_over(&f->down)) {
		pass_over(f);
		return;
	}
	if (f->l->in != NULL && f->l->in->len == 0)
		buf_put(&f->l->in);
	mlink_reading(f->l, c->out_len == 0);
}

/*
 * The other member has hung up; in order, or, to be seen by `error` or by TLS,
 * not: an answer that ends there is whole in the first case only.
 */
static void
pass_closed(struct forward *f, int error)
{
	static const char	 closed[] = "it has closed the connection";
	struct conn		*c = f->c;

	/* It is said on the channel before the socket ends. */
	plain_hear(&f->l->plain);
	if (c->state == CONN_DEAD)
		return;		/* by what was heard besides */
	if (f->phase == F_BODY && f->down.kind == FLOW_TO_CLOSE &&
	    (error || !mlink_has_all(f->l)))
		pass_fail(f, "its answer is cut off");
	else if (f->phase == F_HEAD && !f->responded) {
		if (!pass_again(f) && !f->way->anew(f, closed))
			pass_fail(f, closed);
	} else if (f->phase == F_BODY && f->down.kind == FLOW_TO_CLOSE) {
		c->keep = 0;
		mlink_free(f->l);
		f->l = NULL;
		if (!flow_over(&f->up))
			c->body_left = 1;
		conn_answered(c);
	} else if (f->phase == F_RAW) {
		c->keep = 0;
		mlink_free(f->l);
		f->l = NULL;
		flow_open(&f->up);
		f->up.done = 1;
		conn_answered(c);	/* with what has still to go out */
	} else
		pass_fail(f, closed);
}

static void
link_readable(void *arg)
{
	struct forward	*f = arg;
	struct mlink	*l = f->l;
	size_t		 room, had;
	char		*to;
	ssize_t		 n;

	if (f->c->out_len > 0) {
		mlink_reading(l, 0);
		return;
	}
	if (l->in == NULL && (l->in = buf_get()) == NULL) {
		pass_fail(f, "out of memory");
		return;
	}
	had = l->in->len;
	to = buf_room(l->in, &room);
	if (room == 0) {
		pass_fail(f, "its head is too long");
		return;
	}
	n = recv(l->fd, to, room, 0);
	if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
		if (had == 0)
			buf_put(&l->in);
		return;
	}
	if (n <= 0) {
		if (had == 0)
			buf_put(&l->in);
		pass_closed(f, n == -1);
		return;
	}
	l->in->len += (size_t)n;
	pass_deadline(f);
	if (f->phase > F_HEAD && flow_feed(&f->down, l->in->data +
	    l->in->off + had, (size_t)n) == -1) {
		pass_fail(f, "malformed answer");
		return;
	}
	pass_down(f);
}

static void
link_writable(void *arg)
{
	pass_up(arg);
}

/* ---- its beginning ---- */

void
pass_go(struct forward *f, struct mlink *l)
{
	struct conn	*c = f->c;
	const char	*why = NULL;

	f->l = l;
	l->readable = link_readable;
	l->writable = link_writable;
	l->arg = f;
	f->phase = F_HEAD;
	memset(&f->scan, 0, sizeof(f->scan));
	f->head_left = c->head_len;
	flow_begin(&f->up, f->head);
	f->up_failed = 0;
	f->sent = 0;
	f->repeatable = flow_over(&f->up) ||
	    (f->head->flags & HTTPHEAD_UPGRADE) != 0;
	if (f->head->flags & HTTPHEAD_UPGRADE)
		f->up.done = 1;		/* what follows waits for the 101 */
	if (!flow_over(&f->up) && flow_feed(&f->up, c->in->data + c->in->off +
	    c->head_len, c->in->len - c->head_len) == -1)
		why = "malformed request body";
	else if (c->eof && !f->up.done)
		why = BODY_SHORT;
	if (why != NULL) {
		pass_wrong(c, why);
		return;
	}
	pass_deadline(f);
	mlink_reading(l, 1);
	pass_up(f);
}
