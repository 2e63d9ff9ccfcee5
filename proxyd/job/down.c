/* SPDX-License-Identifier: ISC */
/*
 * An exchange's way down: the client's reply line, the service's heads, its
 * body; read from the stream only when the browser has taken what came before.
 */
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "base/log.h"
#include "hold.h"
#include "metrics/count.h"
#include "proc/proc.h"
#include "proxy.h"
#include "proxyd/http/hdr.h"

#define REPLY_LINE_MAX	1024
#define INTERIM_MAX	256	/* 1xx before the answer */
#define STREAM_HOLDS	(256 * 1024)	/* bytes that wait in it at most */
#define SMALL_BODY	2048	/* bytes that are copied behind their head */

static void	down_answer(struct proxy *, const char *, size_t,
		    const uint64_t *);
static void	down_pump(struct proxy *);
static void	down_response(struct proxy *);
static void	down_refuse(struct proxy *, const char *);
static int	down_feed(struct proxy *, size_t, size_t);
static void	down_more(struct proxy *);
static void	down_end(struct proxy *, int);
static int	send_made(struct proxy *, const struct httphead *, int,
		    const struct out *);

void
down_readable(struct proxy *p)
{
	struct conn	*c = p->c;
	struct exch	*x = &p->x;
	struct upstream	*st = p->use.st;
	size_t		 room, had;
	ssize_t		 n;
	char		*to;

	if (st->in == NULL && (st->in = buf_get()) == NULL) {
		exch_cut(p, "out of memory");
		return;
	}
	if (x->phase == X_BODY && (x->down.ready > 0 || c->out_len > 0 ||
	    x->hold != NULL)) {
		upstream_reading(st, 0);
		return;
	}
	had = st->in->len;
	to = buf_room(st->in, &room);
	if (room == 0) {
		down_refuse(p, "its head is too long");
		return;
	}
	n = recv(st->fd, to, room, 0);
	if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
		if (had == 0)
			buf_put(&st->in);
		return;
	}
	if (n <= 0) {
		if (had == 0)
			buf_put(&st->in);
		down_end(p, n == -1);
		return;
	}
	st->in->len += (size_t)n;
	exch_moved(p);
	if (x->phase < X_HOLD) {
		down_response(p);
		return;
	}
	if (down_feed(p, had, (size_t)n) == 0)
		down_more(p);
}

/* The client's reply line. 1: taken, 0: not all there, -1: the end. */
static int
take_line(struct proxy *p)
{
	struct buf	*b = p->use.st->in;
	char		*s = b->data + b->off, *nl, text[MESSAGE_SIZE];
	char		 clean[MESSAGE_SIZE], message[MESSAGE_SIZE];

	nl = memchr(s, '\n', b->len < REPLY_LINE_MAX + 1 ? b->len :
	    REPLY_LINE_MAX + 1);
	if (nl == NULL && b->len <= REPLY_LINE_MAX)
		return (0);
	if (nl != NULL && nl - s == 2 && memcmp(s, "OK", 2) == 0) {
		buf_drop(b, 3);
		p->use.st->greeted = 1;
		p->x.phase = X_HEAD;
		return (1);
	}
	if (nl != NULL && nl - s > 6 && memcmp(s, "ERROR ", 6) == 0) {
		log_escape(text, sizeof(text), s + 6, (size_t)(nl - s - 6));
		log_request(p->c->request);
		log_debug("stream to %s: refused: %s", p->use.st->service, text);
		log_request(NULL);
		log_escape(clean, sizeof(clean) - 32, s + 6,
		    (size_t)(nl - s - 6));
		snprintf(message, sizeof(message), "service unavailable: %.*s",
		    (int)sizeof(message) - 32, clean);
		exch_fail(p, 502, message);
		return (-1);
	}
	exch_fail(p, 502, "the client gave no valid reply");
	return (-1);
}

/* The head for the browser; `length`: its body is rewritten. -1: closed. */
static int
make_head(struct proxy *p, const struct httphead *h, const uint64_t *length,
    struct out *o)
{
	static char	 buf[RESPHDR_MAX];
	struct exch	*x = &p->x;
	struct names	 names;
	struct resphdr	 a;
	struct slice	 dir;

	memset(o, 0, sizeof(*o));
	o->p = buf;
	o->cap = sizeof(buf);
	memset(&a, 0, sizeof(a));
	if (length != NULL) {
		a.rewritten = 1;
		a.length = *length;
	}
	a.map = proxy_names(&names, p);
	dir.s = x->dir != NULL ? x->dir : "/";
	dir.len = strlen(dir.s);
	if (!proc_conf()->proxy_plain)
		a.dir = &dir;
	if (x->origin != NULL) {
		a.sibling.s = x->origin;
		a.sibling.len = strlen(x->origin);
	}
	/* No cache that many share may keep it. */
	if (!httphead_has_token(h, "cache-control", "public"))
		a.extra = p->cookies;
	a.apart = p->by_path == BY_PATH;
	a.http10 = x->http10;
	a.close = !p->c->keep;
	a.upgrade = h->status == 101;
	if (resphdr_build(o, h, &a) == -1) {
		down_refuse(p, "its head grows too long");
		return (-1);
	}
	x->responded = 1;
	return (0);
}

/* Send a response head with what of the body is behind it. -1: closed. */
static int
send_response(struct proxy *p, const struct httphead *h, int interim)
{
	struct out	 o;
	int		 r;

	if (make_head(p, h, NULL, &o) == -1)
		return (-1);
	r = send_made(p, h, interim, &o);
	explicit_bzero(o.p, o.len);	/* cookies, a service's and ours */
	return (r);
}

static int
send_made(struct proxy *p, const struct httphead *h, int interim,
    const struct out *o)
{
	struct conn	*c = p->c;
	struct exch	*x = &p->x;
	struct buf	*b = p->use.st->in;
	struct iovec	 iov[2];
	size_t		 n = 0;

	buf_secret(b, h->head_len);
	buf_drop(b, h->head_len);
	if (!interim && x->stages.n == 0 && c->out_len == 0)
		n = x->down.ready;
	iov[0].iov_base = o->p;
	iov[0].iov_len = o->len;
	iov[1].iov_base = b->data + b->off;
	iov[1].iov_len = n;
	if (n > 0 && n <= SMALL_BODY && n <= o->cap - o->len) {
		/* One piece is cheaper than two. */
		memcpy(o->p + o->len, b->data + b->off, n);
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
	if (n < o->len) {
		iov[0].iov_base = o->p + n;
		iov[0].iov_len = o->len - n;
		return (conn_writev(c, iov, 1));
	}
	buf_drop(b, n - o->len);
	flow_sent(&x->down, n - o->len);
	return (0);
}

/* The request is answered: it will not be said again. */
static void
let_go_of_request(struct proxy *p)
{
	struct conn	*c = p->c;

	if (c->head_len > 0)
		buf_drop(c->in, c->head_len);
	c->head_len = 0;
	free(p->head);
	p->head = NULL;
	if (c->in != NULL && c->in->len == 0)
		buf_put(&c->in);
}

/* What the head says about both connections' future. */
static void
settle(struct proxy *p, const struct httphead *h)
{
	struct conn	*c = p->c;
	struct exch	*x = &p->x;

	flow_begin(&x->down, h);
	stages_begin(&x->stages, h, x->http10);
	x->down.chunk.lenient = 1;
	x->down.raw = x->stages.n == 0;
	x->reuse = (h->flags & HTTPHEAD_KEEPALIVE) != 0 && !x->upgrade;
	/* An answer before the whole request: the rest has nowhere to go. */
	c->keep = x->keep && !x->upgrade && flow_over(&x->up) &&
	    !conn_is_last(c);
	if (x->http10 && !(h->flags & HTTPHEAD_LENGTH) && !x->down.done)
		c->keep = 0;
}

/* Behind a 101: bytes both ways. */
static void
down_raw(struct proxy *p)
{
	struct conn	*c = p->c;
	struct exch	*x = &p->x;

	p->step = PROXY_RAW;
	flow_open(&x->up);
	if (c->in != NULL)
		(void)flow_feed(&x->up, c->in->data + c->in->off, c->in->len);
	up_pump(p);
	if (c->state == CONN_JOB)
		down_pump(p);
}

/*
 * A plain service that sends the browser to its own https is told from then on
 * that the browser came by https: most are content. One that asks for the same
 * thing once more would do so for ever. -1: answered.
 */
static int
down_redirect(struct proxy *p, const struct httphead *h)
{
	const struct httphead	*asked = p->head;
	const struct slice	*v = httphead_get(h, "location");
	struct names		 names;
	struct slice		 rest;
	struct service		*sv;
	size_t			 n = asked->path.len;

	if (v == NULL || !urlmap_wants_https(proxy_names(&names, p), v, &rest))
		return (0);
	if ((sv = session_own(p->use.st->g->se, p->use.st->service)) != NULL)
		sv->wants_https = 1;
	if (!p->x.told_https || rest.len < n ||
	    memcmp(rest.s, asked->path.s, n) != 0 ||
	    (rest.len > n && rest.s[n] != '?'))
		return (0);
	exch_fail(p, 502, "the service insists on https, where the session "
	    "has no service: add its https port");
	return (-1);
}

/* What became of the answer; the browser may have a part of it. */
static void
down_log(const struct proxy *p, const char *why)
{
	log_request(p->c->request);
	log_info("session %s: %s: answer %s: %s", p->use.st->g->se->id,
	    p->use.st->service, p->x.responded ? "broken off" : "refused", why);
	log_request(NULL);
}

/* What even lenience does not read: the operator and the log hear why. */
static void
down_refuse(struct proxy *p, const char *why)
{
	char	message[MESSAGE_SIZE];

	down_log(p, why);
	snprintf(message, sizeof(message),
	    "the service's answer is no HTTP: %s", why);
	exch_fail(p, 502, message);
}

/*
 * What has come of the body, in the buffer behind `at` bytes that are not of it
 * or were fed before. 0, or -1: it is malformed, and the exchange is over.
 */
static int
down_feed(struct proxy *p, size_t at, size_t len)
{
	struct buf	*b = p->use.st->in;
	struct flow	*f = &p->x.down;
	char		 why[MESSAGE_SIZE];
	int		 r;

	r = flow_feed_bare(f, b->data + b->off + at, &len);
	b->len = at + len;
	if (r == 0)
		return (0);
	snprintf(why, sizeof(why), "malformed chunks: %s",
	    httphead_chunk_why(&f->chunk));
	down_refuse(p, why);
	return (-1);
}

/* Reply line and heads, as far as they are there. */
static void
down_response(struct proxy *p)
{
	static struct httphead	 h;
	struct exch		*x = &p->x;
	struct buf		*b = p->use.st->in;
	const char		*why;
	int			 r;

	if (x->phase == X_LINE && take_line(p) != 1)
		return;
	for (;;) {
		if (b->len == 0) {
			buf_put(&p->use.st->in);
			return;
		}
		r = lenient_response(&h, &x->scan, x->method,
		    b->data + b->off, b->len, &why);
		if (r == 0)
			return;
		if (r == -1) {
			down_refuse(p, why);
			return;
		}
		if (!(h.flags & HTTPHEAD_INTERIM))
			break;
		memset(&x->scan, 0, sizeof(x->scan));
		/* They wait in memory when the browser does not read. */
		x->interim_len += h.head_len;
		if (++x->interims > INTERIM_MAX ||
		    x->interim_len > HTTPHEAD_RESPONSE_MAX) {
			down_refuse(p, "interim answers and no other");
			return;
		}
		if (x->http10)
			buf_drop(b, h.head_len);
		else if (send_response(p, &h, 1) == -1)
			return;
	}
	if (h.status == 101 &&
	    !(x->upgrade && (h.flags & HTTPHEAD_UPGRADE))) {
		down_refuse(p, "it switches protocols unasked");
		return;
	}
	if (h.status >= 300 && h.status <= 399 && down_redirect(p, &h) == -1)
		return;
	count(h.status == 101 ? CT_PROXIED_SWITCHED : CT_PROXIED_2XX +
	    (h.status < 300 ? 0 : h.status < 400 ? 1 : h.status < 500 ? 2 : 3));
	let_go_of_request(p);
	x->phase = X_BODY;
	if (h.status == 101) {
		flow_open(&x->down);
		if (down_feed(p, h.head_len, b->len - h.head_len) == 0 &&
		    send_response(p, &h, 0) == 0)
			down_raw(p);
		return;
	}
	settle(p, &h);
	/*
	 * What of the body is here is looked at before the head goes, while
	 * there can be an answer that says what is wrong with it; but whether
	 * it is held is not asked of one that has ended.
	 */
	if (hold_begin(p, &h, down_answer)) {
		if (down_feed(p, 0, b->len) == 0)
			down_more(p);
	} else if (down_feed(p, h.head_len, b->len - h.head_len) == 0 &&
	    send_response(p, &h, 0) == 0)
		down_pump(p);
}

static void
down_answer(struct proxy *p, const char *head, size_t len,
    const uint64_t *length)
{
	static struct httphead	 h;
	struct lenient		 scan;
	struct out		 o;
	struct iovec		 iov;
	const char		*why;
	int			 r;

	memset(&scan, 0, sizeof(scan));
	if (lenient_response(&h, &scan, p->x.method, head, len, &why) != 1)
		fatalx("a response head is none any more");	/* it was one */
	if (make_head(p, &h, length, &o) == -1)
		return;
	iov.iov_base = o.p;
	iov.iov_len = o.len;
	r = conn_writev(p->c, &iov, 1);
	explicit_bzero(o.p, o.len);
	if (r == 0)
		down_pump(p);
}

/* What is there of the body, held or just read. 0, or -1: closed. */
static int
body_next(struct proxy *p, struct piece *b)
{
	struct exch	*x = &p->x;
	struct buf	*in = p->use.st->in;

	if (x->hold == NULL) {
		b->p = in != NULL ? in->data + in->off : NULL;
		b->len = x->down.ready;
	} else if (hold_next(p, b) == -1) {
		exch_cut(p, "a body of another length than was counted");
		return (-1);
	}
	b->last = x->down.done && b->len == x->down.ready;
	return (0);
}

static void
body_used(struct proxy *p, size_t n)
{
	flow_sent(&p->x.down, n);
	if (p->x.hold != NULL)
		hold_used(p, n);
	else
		buf_drop(p->use.st->in, n);
}

/*
 * A held body out, one turn's worth. 1: it is out, 0: later, -1: closed.
 */
static int
down_held(struct proxy *p)
{
	struct piece	 piece;
	struct iovec	 iov;
	size_t		 sent = 0;

	while (p->x.hold != NULL && p->c->out_len == 0) {
		if (sent >= BUF_SIZE) {
			conn_writing(p->c);
			return (0);
		}
		if (body_next(p, &piece) == -1)
			return (-1);
		iov.iov_base = piece.p;
		iov.iov_len = piece.len;
		if (conn_writev(p->c, &iov, 1) == -1)
			return (-1);
		sent += piece.len;
		body_used(p, piece.len);
	}
	return (p->c->out_len == 0);
}

/*
 * The body's bytes through the stages and out, until the browser takes no
 * more. -1: closed.
 */
static int
down_staged(struct proxy *p)
{
	struct exch	*x = &p->x;
	struct piece	 piece;
	struct iovec	 iov;
	ssize_t		 used = 1;

	while (used > 0 && p->c->out_len == 0 &&
	    (x->down.ready > 0 || (x->down.done && !x->stages.over))) {
		if (body_next(p, &piece) == -1)
			return (-1);
		if ((used = stages_run(&x->stages, &piece)) == -1) {
			exch_cut(p, "malformed response body");
			return (-1);
		}
		iov.iov_base = piece.p;
		iov.iov_len = piece.len;
		if (piece.len > 0 && conn_writev(p->c, &iov, 1) == -1)
			return (-1);
		if (used > 0)
			body_used(p, (size_t)used);
	}
	return (0);
}

/* The body as it came, what was held of it first: as down_held(). */
static int
down_asis(struct proxy *p)
{
	struct conn	*c = p->c;
	struct buf	*in = p->use.st->in;
	struct flow	*f = &p->x.down;
	ssize_t		 n;
	int		 r;

	if ((r = down_held(p)) != 1)
		return (r);
	while (f->ready > 0) {
		n = send(c->fd, in->data + in->off, f->ready, MSG_NOSIGNAL);
		if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
			conn_writing(c);
			return (0);
		}
		if (n == -1) {
			conn_close(c, strerror(errno), 0);
			return (-1);
		}
		buf_drop(in, (size_t)n);
		flow_sent(f, (size_t)n);
	}
	return (1);
}

static void
down_pump(struct proxy *p)
{
	struct conn	*c = p->c;
	struct exch	*x = &p->x;
	struct upstream	*st = p->use.st;

	if (conn_flush(c) != 1)
		return;		/* conn_writable() follows, or it is closed */
	if (x->stages.n == 0 && down_asis(p) != 1)
		return;
	if (flow_is_odd(&x->down))
		stages_anew(&x->stages, &x->down, 0);
	if (x->stages.n > 0 && down_staged(p) == -1)
		return;
	if (c->out_len > 0)
		return;
	if (flow_over(&x->down) && (x->stages.n == 0 || x->stages.over)) {
		exch_done(p);
		return;
	}
	if (st->in != NULL && st->in->len == 0)
		buf_put(&st->in);
	upstream_reading(st, 1);
}

/* More of the body has come, or that there is no more. */
static void
down_more(struct proxy *p)
{
	struct exch	*x = &p->x;

	if (x->phase == X_HOLD) {
		if (flow_is_odd(&x->down))
			stages_anew(&x->stages, &x->down, 1);
		hold_more(p);
	} else
		down_pump(p);
}

void
down_writable(struct proxy *p)
{
	exch_moved(p);
	if (p->x.phase != X_BODY)
		(void)conn_flush(p->c);	/* an interim answer */
	else
		down_pump(p);
}

/* Is all of the body here, or in the stream? */
static int
has_all(const struct proxy *p)
{
	static char	 there[STREAM_HOLDS];
	struct flow	 f = p->x.down;		/* it goes no further for this */
	ssize_t		 n;

	if (f.done || f.kind == FLOW_TO_CLOSE)
		return (f.done);
	n = recv(p->use.st->fd, there, sizeof(there), MSG_PEEK);
	return ((n <= 0 || flow_feed(&f, there, (size_t)n) == 0) &&
	    flow_ended(&f));
}

static void
down_cut(struct proxy *p, const char *why)
{
	char	message[MESSAGE_SIZE];

	snprintf(message, sizeof(message), "transfer broken: %s", why);
	down_log(p, message);
	exch_fail(p, 502, message);
}

/* Whoever does not read may still have what is whole; nothing else. */
void
down_broken(struct proxy *p)
{
	if (p->x.phase == X_BODY && !has_all(p))
		down_cut(p, "the stream has broken before the browser read on");
}

static void
down_end(struct proxy *p, int error)
{
	struct exch	*x = &p->x;

	if (x->phase < X_HOLD) {
		if (p->use.st->used && p->use.st->in == NULL && !x->responded &&
		    up_retry(p))
			return;
		exch_fail(p, 502, x->phase == X_LINE ?
		    "the client closed the stream" :
		    "the service closed the connection without an answer");
		return;
	}
	if (x->down.kind == FLOW_TO_CLOSE && !error &&
	    !upstream_hung_up(p->use.st))
		x->down.done = 1;
	if (!flow_ended(&x->down)) {
		down_cut(p, error || x->down.kind == FLOW_TO_CLOSE ?
		    "the stream has broken" : x->down.kind == FLOW_LENGTH ?
		    "the answer is shorter than its length says" :
		    "the answer ends before its last chunk");
		return;
	}
	upstream_reading(p->use.st, 0);
	down_more(p);
}
