/* SPDX-License-Identifier: ISC */
/*
 * An exchange with a service. forward_begin() writes the request head into the
 * stream at once, without waiting for the client's OK; then the two directions
 * go on independently: up (c->in to the stream) and down (st->in to the
 * browser). Each reads only when what it read before has been written.
 *
 * Every way out is forward_done(), forward_fail() or forward_cut().
 */
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <llhttp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answer.h"
#include "base/compat.h"
#include "proc/conf.h"
#include "proxyd/door/conn.h"
#include "proxyd/http/flow.h"
#include "forward.h"
#include "proxyd/grant.h"
#include "proxyd/http/hdr.h"
#include "base/log.h"
#include "proc/proc.h"
#include "proxyd/session.h"
#include "proxyd/upstream.h"

#define REPLY_LINE_MS	60000	/* operator-api.md, 7.12 */
#define REPLY_LINE_MAX	1024
#define INTERIM_MAX	32	/* 1xx before the answer */
#define SMALL_BODY	2048	/* bytes that are copied behind their head */

static void	pump_up(struct conn *);
static void	pump_down(struct conn *);
static void	forward_response(struct conn *);
static void	forward_done(struct conn *);
static void	forward_fail(struct conn *, int, const char *);
static void	forward_cut(struct conn *, const char *);
static void	forward_end_of_stream(struct conn *, int);
static int	forward_retry(struct conn *);

static uint64_t
idle_ms(void)
{
	return (proc_conf()->proxy_idle * 1000);
}

static int
is_idempotent(int method)
{
	switch (method) {
	case HTTP_GET:
	case HTTP_HEAD:
	case HTTP_OPTIONS:
	case HTTP_PUT:
	case HTTP_DELETE:
	case HTTP_TRACE:
	case HTTP_PROPFIND:
		return (1);
	default:
		return (0);
	}
}

/* Fill the exchange from the request. */
static void
exch_begin(struct conn *c, const struct httphead *h, struct upstream *st,
    const struct slice *sibling)
{
	struct exch	*x = &c->x;
	unsigned int	 retried = x->retried;

	free(x->origin);
	buf_put(&x->head);
	memset(x, 0, sizeof(*x));
	x->st = st;
	x->retried = retried;
	x->head_len = h->head_len;
	x->method = h->method;
	x->phase = st->greeted ? X_HEAD : X_LINE;
	x->upgrade = (h->flags & HTTPHEAD_UPGRADE) != 0;
	x->http10 = h->minor == 0;
	x->keep = (h->flags & HTTPHEAD_KEEPALIVE) != 0;
	x->repeatable = is_idempotent(h->method) && !c->body_left;
	if (sibling->s != NULL &&
	    (x->origin = malloc(sibling->len + 1)) != NULL) {
		memcpy(x->origin, sibling->s, sibling->len);
		x->origin[sibling->len] = '\0';
	}
	if (!x->upgrade)
		flow_begin(&x->up, h);
	else
		x->up.done = 1;		/* what follows waits for the 101 */
	c->state = CONN_PROXY;
}

/* Write head and what of the body is there. 0, or -1 with errno. */
static int
send_head(struct conn *c, struct out *o)
{
	struct exch	*x = &c->x;
	struct iovec	 iov[2];
	size_t		 body = 0, left;
	ssize_t		 n;

	if (!flow_over(&x->up)) {
		if (flow_feed(&x->up, c->in->data + c->in->off + x->head_len,
		    c->in->len - x->head_len) == -1) {
			errno = EPROTO;
			return (-1);
		}
		body = x->up.ready;
	}
	iov[0].iov_base = o->p;
	iov[0].iov_len = o->len;
	iov[1].iov_base = c->in->data + c->in->off + x->head_len;
	iov[1].iov_len = body;
	n = conn_sendv(x->st->fd, iov, body > 0 ? 2 : 1);
	if (n == -1 && errno != EAGAIN && errno != EINTR)
		return (-1);
	if (n == -1)
		n = 0;
	if ((size_t)n < o->len) {
		if ((x->head = buf_get()) == NULL)
			return (-1);
		left = o->len - (size_t)n;
		memcpy(x->head->data, o->p + n, left);
		x->head->len = left;
		n = (ssize_t)o->len;
	}
	x->started = 1;
	/* A request with a body cannot be said again: let go of its head. */
	if (body > 0 || !flow_over(&x->up)) {
		buf_drop(c->in, x->head_len + (size_t)n - o->len);
		flow_sent(&x->up, (size_t)n - o->len);
		x->head_len = 0;
	}
	return (0);
}

void
forward_begin(struct conn *c, const struct httphead *h, struct upstream *st,
    const struct service *sv, const char *label, const struct slice *sibling)
{
	static char	buf[REQHDR_MAX];
	struct out	o = { buf, 0, sizeof(buf), 0 };
	struct reqhdr	a;

	exch_begin(c, h, st, sibling);
	a.named = sv != NULL && sv->host[0] != '\0';
	a.host = sv == NULL ? label : a.named ? sv->host : sv->target;
	a.path = sv != NULL ? sv->path : "";
	a.path_prefix = sv != NULL ? sv->path_prefix : "";
	a.scheme = proc_conf()->proxy_plain ? "http" : "https";
	a.upgrade = c->x.upgrade;
	if (reqhdr_build(&o, h, &a) == -1) {
		forward_fail(c, 431, "request head too long");
		return;
	}
	conn_deadline(c, c->x.phase == X_LINE ? REPLY_LINE_MS : idle_ms());
	if (send_head(c, &o) == -1) {
		if (errno == EPROTO)
			forward_fail(c, 400, "malformed request body");
		else if (!st->used || !forward_retry(c)) {
			/* What it said before it closed is still to be read. */
			c->x.up_failed = 1;
			c->x.started = 1;
		}
		return;
	}
	if (c->x.head != NULL)
		upstream_writing(st);
	else
		pump_up(c);
}

/*
 * A kept stream was dead: once more on a fresh one, if nothing was answered
 * and nothing of the request is lost.
 */
static int
forward_retry(struct conn *c)
{
	struct exch	*x = &c->x;

	if (x->retried || x->head_len == 0 ||
	    (x->started && !x->repeatable))
		return (0);
	upstream_close(x->st);
	x->st = NULL;
	x->retried = 1;
	buf_put(&x->head);
	conn_resume(c);
	return (1);
}

/* ---- up: browser to service ---- */

static void
pump_up(struct conn *c)
{
	struct exch	*x = &c->x;
	ssize_t		 n;

	if (x->up_failed)
		return;
	while (x->head != NULL || (c->in != NULL && x->up.ready > 0)) {
		if (x->head != NULL)
			n = send(x->st->fd, x->head->data + x->head->off,
			    x->head->len, MSG_NOSIGNAL);
		else
			n = send(x->st->fd, c->in->data + c->in->off,
			    x->up.ready, MSG_NOSIGNAL);
		if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
			upstream_writing(x->st);
			return;
		}
		if (n == -1) {
			/* It takes no more; maybe it has answered already. */
			x->up_failed = 1;
			conn_reading(c, 0);
			if (c->state == CONN_RAW)
				forward_cut(c, "service has closed");
			return;
		}
		if (x->head != NULL) {
			buf_drop(x->head, (size_t)n);
			if (x->head->len == 0)
				buf_put(&x->head);
			continue;
		}
		buf_drop(c->in, (size_t)n);
		flow_sent(&x->up, (size_t)n);
	}
	if (c->in != NULL && c->in->len == 0)
		buf_put(&c->in);
	if (flow_over(&x->up))
		c->body_left = 0;
	if (c->state == CONN_RAW && c->eof)
		conn_close(c, "closed", 0);
	else if (!c->eof)
		conn_reading(c, 1);
}

void
forward_stream_writable(struct conn *c)
{
	conn_deadline(c, c->x.phase == X_LINE ? REPLY_LINE_MS : idle_ms());
	pump_up(c);
}

/*
 * While an answer is pending the browser may send what it wants next, but
 * that is read only as far as the buffer goes; the end of its connection ends
 * the exchange.
 */
void
forward_client_readable(struct conn *c)
{
	struct exch	*x = &c->x;
	size_t		 had = c->in != NULL ? c->in->len : 0;
	long		 n;

	if (x->up.ready > 0 || x->head != NULL) {
		conn_reading(c, 0);
		return;
	}
	n = conn_read(c);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == -1 && errno == ENOBUFS) {
		conn_reading(c, 0);
		return;
	}
	if (n <= 0) {
		conn_close(c, n == 0 ? "closed by the browser" :
		    strerror(errno), 0);
		return;
	}
	if (flow_over(&x->up))
		return;		/* the next request: later */
	if (flow_feed(&x->up, c->in->data + c->in->off + had,
	    (size_t)n) == -1) {
		forward_fail(c, 400, "malformed request body");
		return;
	}
	if (x->phase != X_LINE)
		conn_deadline(c, idle_ms());
	pump_up(c);
}

/* ---- down: service to browser ---- */

void
forward_stream_readable(struct conn *c)
{
	struct exch	*x = &c->x;
	struct upstream	*st = x->st;
	size_t		 room, had;
	ssize_t		 n;
	char		*p;

	if (st->in == NULL && (st->in = buf_get()) == NULL) {
		forward_cut(c, "out of memory");
		return;
	}
	if (x->phase == X_BODY && (st->in->len > 0 || c->out_len > 0)) {
		upstream_reading(st, 0);
		return;
	}
	had = st->in->len;
	p = buf_room(st->in, &room);
	if (room == 0) {
		forward_fail(c, 502, "response head too long");
		return;
	}
	n = recv(st->fd, p, room, 0);
	if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
		if (had == 0)
			buf_put(&st->in);
		return;
	}
	if (n <= 0) {
		if (had == 0)
			buf_put(&st->in);
		forward_end_of_stream(c, n == -1);
		return;
	}
	st->in->len += (size_t)n;
	conn_deadline(c, idle_ms());
	if (x->phase != X_BODY) {
		forward_response(c);
		return;
	}
	if (flow_feed(&x->down, st->in->data + st->in->off + had,
	    (size_t)n) == -1) {
		forward_cut(c, "malformed response body");
		return;
	}
	pump_down(c);
}

/* The client's reply line. 1: taken, 0: not all there, -1: the end. */
static int
take_line(struct conn *c)
{
	struct buf	*b = c->x.st->in;
	char		*p = b->data + b->off, *nl, text[MESSAGE_SIZE];
	char		 clean[MESSAGE_SIZE], message[MESSAGE_SIZE];

	nl = memchr(p, '\n', b->len < REPLY_LINE_MAX + 1 ? b->len :
	    REPLY_LINE_MAX + 1);
	if (nl == NULL && b->len <= REPLY_LINE_MAX)
		return (0);
	if (nl != NULL && nl - p == 2 && memcmp(p, "OK", 2) == 0) {
		buf_drop(b, 3);
		c->x.st->greeted = 1;
		c->x.phase = X_HEAD;
		return (1);
	}
	if (nl != NULL && nl - p > 6 && memcmp(p, "ERROR ", 6) == 0) {
		log_escape(text, sizeof(text), p + 6, (size_t)(nl - p - 6));
		log_debug("stream to %s: refused: %s", c->x.st->service, text);
		log_escape(clean, sizeof(clean) - 32, p + 6,
		    (size_t)(nl - p - 6));
		snprintf(message, sizeof(message), "service unavailable: %.*s",
		    (int)sizeof(message) - 32, clean);
		forward_fail(c, 502, message);
		return (-1);
	}
	forward_fail(c, 502, "the client gave no valid reply");
	return (-1);
}

/* Send a response head with what of the body is behind it. -1: closed. */
static int
send_response(struct conn *c, const struct httphead *h, int interim)
{
	static char	 buf[RESPHDR_MAX];
	struct out	 o = { buf, 0, sizeof(buf), 0 };
	struct exch	*x = &c->x;
	struct buf	*b = x->st->in;
	struct resphdr	 a;
	struct iovec	 iov[2];
	size_t		 n = 0;

	memset(&a, 0, sizeof(a));
	a.secure = !proc_conf()->proxy_plain;
	if (x->origin != NULL) {
		a.sibling.s = x->origin;
		a.sibling.len = strlen(x->origin);
	}
	a.http10 = x->http10;
	a.close = !c->keep;
	a.upgrade = h->status == 101;
	if (resphdr_build(&o, h, &a) == -1) {
		forward_fail(c, 502, "response head too long");
		return (-1);
	}
	x->responded = 1;
	buf_drop(b, h->head_len);
	if (!interim) {
		if (flow_feed(&x->down, b->data + b->off, b->len) == -1) {
			forward_cut(c, "malformed response body");
			return (-1);
		}
		if (!x->dechunk && c->out_len == 0)
			n = x->down.ready;
	}
	iov[0].iov_base = o.p;
	iov[0].iov_len = o.len;
	iov[1].iov_base = b->data + b->off;
	iov[1].iov_len = n;
	if (n > 0 && n <= SMALL_BODY && n <= o.cap - o.len) {
		/* One piece is cheaper than two. */
		memcpy(o.p + o.len, b->data + b->off, n);
		iov[0].iov_len += n;
		buf_drop(b, n);
		flow_sent(&x->down, n);
		n = 0;
	}
	if (n == 0)
		return (conn_writev(c, iov, 1));
	n = (size_t)conn_sendv(c->fd, iov, 2);
	if ((ssize_t)n == -1) {
		if (errno != EAGAIN && errno != EINTR) {
			conn_close(c, strerror(errno), 0);
			return (-1);
		}
		n = 0;
	}
	if (n < o.len) {
		iov[0].iov_base = o.p + n;
		iov[0].iov_len = o.len - n;
		return (conn_writev(c, iov, 1));
	}
	buf_drop(b, n - o.len);
	flow_sent(&x->down, n - o.len);
	return (0);
}

/* The request is answered: it will not be said again. */
static void
let_go_of_request(struct conn *c)
{
	if (c->x.head_len > 0)
		buf_drop(c->in, c->x.head_len);
	c->x.head_len = 0;
	if (c->in != NULL && c->in->len == 0)
		buf_put(&c->in);
}

/* What the head says about both connections' future. */
static void
settle(struct conn *c, const struct httphead *h)
{
	struct exch	*x = &c->x;

	flow_begin(&x->down, h);
	x->dechunk = x->http10 && x->down.kind == FLOW_CHUNKED;
	memset(&c->dechunk, 0, sizeof(c->dechunk));
	x->reuse = (h->flags & HTTPHEAD_KEEPALIVE) != 0 && !x->upgrade;
	/* An answer before the whole request: the rest has nowhere to go. */
	c->keep = x->keep && !x->upgrade && flow_over(&x->up) &&
	    x->down.kind != FLOW_TO_CLOSE && !x->dechunk;
	if (x->http10 && x->keep && !(h->flags & HTTPHEAD_LENGTH) &&
	    !x->down.done)
		c->keep = 0;
}

static void
forward_raw(struct conn *c)
{
	struct exch	*x = &c->x;

	c->state = CONN_RAW;
	flow_open(&x->up);
	if (c->in != NULL)
		(void)flow_feed(&x->up, c->in->data + c->in->off, c->in->len);
	pump_up(c);
	if (c->state == CONN_RAW)
		pump_down(c);
}

/* Reply line and heads, as far as they are there. */
static void
forward_response(struct conn *c)
{
	static struct httphead	 h;
	struct exch		*x = &c->x;
	struct buf		*b = x->st->in;
	const char		*why;
	int			 r;

	if (x->phase == X_LINE && take_line(c) != 1)
		return;
	for (;;) {
		if (b->len == 0) {
			buf_put(&x->st->in);
			return;
		}
		r = httphead_response(&h, &x->scan, x->method,
		    b->data + b->off, b->len, &why);
		if (r == 0)
			return;
		if (r == -1) {
			log_debug("response of %s refused: %s",
			    x->st->service, why);
			forward_fail(c, 502, "the service's answer is no HTTP");
			return;
		}
		if (!(h.flags & HTTPHEAD_INTERIM))
			break;
		memset(&x->scan, 0, sizeof(x->scan));
		/* They wait in memory when the browser does not read. */
		x->interim_len += h.head_len;
		if (++x->interims > INTERIM_MAX ||
		    x->interim_len > HTTPHEAD_RESPONSE_MAX) {
			forward_fail(c, 502, "the service gives no answer");
			return;
		}
		if (x->http10)
			buf_drop(b, h.head_len);
		else if (send_response(c, &h, 1) == -1)
			return;
	}
	if (h.status == 101 && !x->upgrade) {
		forward_fail(c, 502, "the service switched protocols unasked");
		return;
	}
	let_go_of_request(c);
	x->phase = X_BODY;
	if (h.status == 101) {
		flow_open(&x->down);
		if (send_response(c, &h, 0) == 0)
			forward_raw(c);
		return;
	}
	settle(c, &h);
	if (send_response(c, &h, 0) == 0)
		pump_down(c);
}

/* To a browser that does not know chunks: the data only. */
static int
pump_dechunked(struct conn *c)
{
	struct exch		*x = &c->x;
	struct buf		*b = x->st->in;
	struct httphead_chunk	*k = &c->dechunk;
	struct slice		 data;
	struct iovec		 iov;
	size_t			 used = 0;
	ssize_t			 n;

	if (x->down.ready == 0)
		return (0);
	/* Moved together first: a chunk may be a byte. */
	iov.iov_base = b->data + b->off;
	iov.iov_len = 0;
	while (used < x->down.ready && (n = httphead_chunk_next(k,
	    b->data + b->off + used, x->down.ready - used, &data)) > 0) {
		memmove((char *)iov.iov_base + iov.iov_len, data.s, data.len);
		iov.iov_len += data.len;
		used += (size_t)n;
	}
	if (iov.iov_len > 0 && conn_writev(c, &iov, 1) == -1)
		return (-1);
	buf_drop(b, used);
	flow_sent(&x->down, used);
	return (0);
}

static void
pump_down(struct conn *c)
{
	struct exch	*x = &c->x;
	struct upstream	*st = x->st;
	ssize_t		 n;

	if (conn_flush(c) != 1)
		return;		/* conn_writable() follows, or it is closed */
	if (x->dechunk && pump_dechunked(c) == -1)
		return;
	while (x->down.ready > 0) {
		n = send(c->fd, st->in->data + st->in->off, x->down.ready,
		    MSG_NOSIGNAL);
		if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
			conn_writing(c);
			return;
		}
		if (n == -1) {
			conn_close(c, strerror(errno), 0);
			return;
		}
		buf_drop(st->in, (size_t)n);
		flow_sent(&x->down, (size_t)n);
	}
	if (c->out_len > 0)
		return;
	if (flow_over(&x->down)) {
		forward_done(c);
		return;
	}
	if (st->in != NULL && st->in->len == 0)
		buf_put(&st->in);
	upstream_reading(st, 1);
}

void
forward_client_writable(struct conn *c)
{
	conn_deadline(c, idle_ms());
	if (c->x.phase != X_BODY)
		(void)conn_flush(c);	/* an interim answer */
	else
		pump_down(c);
}

/* ---- the end ---- */

/* Only the far end's own shutdown is a clean end (messages.md, section 2). */
static int
upstream_hung_up(int fd)
{
	struct pollfd	pfd = { fd, 0, 0 };

	return (poll(&pfd, 1, 0) == -1 || (pfd.revents & POLLHUP));
}

static void
forward_end_of_stream(struct conn *c, int error)
{
	struct exch	*x = &c->x;

	if (x->phase != X_BODY) {
		if (x->st->used && x->st->in == NULL && !x->responded &&
		    forward_retry(c))
			return;
		forward_fail(c, 502, x->phase == X_LINE ?
		    "the client closed the stream" :
		    "the service closed the connection without an answer");
		return;
	}
	if (error || x->down.kind != FLOW_TO_CLOSE ||
	    upstream_hung_up(x->st->fd)) {
		forward_cut(c, "transfer broken");
		return;
	}
	x->down.done = 1;
	upstream_reading(x->st, 0);
	if (x->down.ready == 0 && c->out_len == 0)
		forward_done(c);
}

/* Both sides have what they should: keep or close each of them. */
static void
forward_done(struct conn *c)
{
	struct exch	*x = &c->x;
	struct upstream	*st = x->st;

	if (c->state == CONN_RAW) {
		/* The service has said all; the browser may still talk. */
		shutdown(c->fd, SHUT_WR);
		x->down.done = 1;
		if (c->eof || x->up_failed)
			conn_close(c, "done", 0);
		return;
	}
	x->st = NULL;
	if (x->reuse && flow_over(&x->up) && x->head == NULL &&
	    (st->in == NULL || st->in->len == 0)) {
		buf_put(&st->in);
		upstream_keep(st);
	} else {
		st->c = NULL;
		upstream_close(st);
	}
	if (c->in != NULL && x->up.ready > 0)
		c->body_left = 1;
	forward_clear(c);
	conn_answered(c);
}

/* No answer has gone out yet: give this one. */
static void
forward_fail(struct conn *c, int status, const char *message)
{
	if (c->x.responded) {
		forward_cut(c, message);
		return;
	}
	if (c->x.head_len > 0 && c->in != NULL)
		buf_drop(c->in, c->x.head_len);
	c->x.head_len = 0;
	if (!flow_over(&c->x.up) || c->x.upgrade)
		c->body_left = 1;
	forward_clear(c);
	answer_error(c, status, message);
}

/* Something has gone out that is not whole: the browser has to see that. */
static void
forward_cut(struct conn *c, const char *why)
{
	conn_close(c, why, 1);
}

void
forward_abort(struct conn *c, const char *why)
{
	char	message[MESSAGE_SIZE];

	snprintf(message, sizeof(message), "stream ended: %s", why);
	if (c->state == CONN_PROXY)
		forward_fail(c, 502, message);
	else
		forward_cut(c, message);
}

void
forward_expired(struct conn *c)
{
	if (c->state == CONN_RAW || c->x.responded)
		forward_cut(c, "idle for too long");
	else if (c->x.phase == X_LINE)
		forward_fail(c, 504, "the client did not answer in time");
	else
		forward_fail(c, 504, "the service did not answer in time");
}

void
forward_clear(struct conn *c)
{
	struct exch	*x = &c->x;
	struct upstream	*st = x->st;

	x->st = NULL;
	if (st != NULL) {
		st->c = NULL;
		upstream_close(st);
	}
	buf_put(&x->head);
	free(x->origin);
	x->origin = NULL;
	x->retried = 0;
}
