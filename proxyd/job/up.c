/* SPDX-License-Identifier: ISC */
/*
 * An exchange's way up. The request head is written into the stream at once,
 * without waiting for the client's OK; then the body goes from c->in to the
 * stream, read only when what was read before has been written.
 */
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "base/compat.h"
#include "base/log.h"
#include "proxy.h"
#include "proxyd/http/hdr.h"
#include "proxyd/http/sieve.h"

/* Fill the exchange from the request. */
static void
exch_begin(struct proxy *p)
{
	const struct httphead	*h = p->head;
	struct exch		*x = &p->x;
	struct upstream		*st = p->use.st;
	const struct slice	*v;
	struct slice		 dir = sieve_dir(&h->path);

	free(x->origin);
	free(x->dir);
	buf_put(&x->head);
	memset(x, 0, sizeof(*x));
	x->method = h->method;
	x->phase = st->greeted ? X_HEAD : X_LINE;
	x->upgrade = (h->flags & HTTPHEAD_UPGRADE) != 0;
	x->http10 = h->minor == 0;
	x->keep = (h->flags & HTTPHEAD_KEEPALIVE) != 0;
	x->repeatable = httphead_is_idempotent(h->method) && !p->c->body_left;
	if (p->from_sibling && (v = httphead_get(h, "origin")) != NULL &&
	    (x->origin = malloc(v->len + 1)) != NULL) {
		memcpy(x->origin, v->s, v->len);
		x->origin[v->len] = '\0';
	}
	if (dir.len > 1 && dir.len <= SIEVE_PATH_MAX &&
	    (x->dir = malloc(dir.len + 1)) != NULL) {
		memcpy(x->dir, dir.s, dir.len);
		x->dir[dir.len] = '\0';
	}
	if (!x->upgrade) {
		flow_begin(&x->up, h);
		x->up.chunk.no_quotes = 1;
	} else
		x->up.done = 1;		/* what follows waits for the 101 */
}

/*
 * What has come of the body, behind `at` bytes that are not of it or were fed
 * before, without trailers. 0, or -1: it is malformed.
 */
static int
up_feed(struct proxy *p, size_t at)
{
	struct buf	*b = p->c->in;
	size_t		 len = b->len - at;
	int		 r;

	r = flow_feed_bare(&p->x.up, b->data + b->off + at, &len);
	b->len = at + len;
	return (r);
}

/* Write head and what of the body is there. 0, or -1 with errno. */
static int
send_head(struct proxy *p, struct out *o)
{
	struct conn	*c = p->c;
	struct exch	*x = &p->x;
	struct iovec	 iov[2];
	size_t		 body = 0, left;
	ssize_t		 n;

	if (!flow_over(&x->up)) {
		if (up_feed(p, c->head_len) == -1) {
			errno = EPROTO;
			return (-1);
		}
		if (c->eof && !x->up.done) {
			errno = ENODATA;
			return (-1);
		}
		body = x->up.ready;
	}
	iov[0].iov_base = o->p;
	iov[0].iov_len = o->len;
	iov[1].iov_base = c->in->data + c->in->off + c->head_len;
	iov[1].iov_len = body;
	n = conn_sendv(p->use.st->fd, iov, body > 0 ? 2 : 1);
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
		buf_secret(x->head, left);
		n = (ssize_t)o->len;
	}
	x->started = 1;
	/* A request with a body cannot be said again: let go of its head. */
	if (body > 0 || !flow_over(&x->up)) {
		buf_drop(c->in, c->head_len + (size_t)n - o->len);
		flow_sent(&x->up, (size_t)n - o->len);
		c->head_len = 0;
	}
	return (0);
}

/* Not in the table that we have: it is called as the browser calls it. */
static const struct service *
unknown(const char *label)
{
	static struct service	sv;

	strlcpy(sv.host, label, sizeof(sv.host));
	return (&sv);
}

/*
 * The stream takes no more. What it holds already is read, and then its end
 * comes, whether the other side has gone or is only not heard any more; that
 * side hears of it, lest it waits for the rest.
 */
static void
up_over(struct proxy *p)
{
	if (errno != EPIPE) {		/* nobody has closed it */
		log_request(p->c->request);
		log_warn("stream to %s", p->use.st->service);
		log_request(NULL);
	}
	p->x.up_failed = 1;
	shutdown(p->use.st->fd, SHUT_RDWR);
}

void
up_begin(struct proxy *p, const struct service *sv)
{
	static char	 buf[REQHDR_MAX];
	struct out	 o = { buf, 0, sizeof(buf), 0 };
	struct upstream	*st = p->use.st;
	struct names	 names;
	struct reqhdr	 a;
	int		 r;

	exch_begin(p);
	a.service = sv != NULL ? sv : unknown(p->to.host.label);
	a.map = proxy_names(&names, p);
	a.sieve = jar_sieve(p);
	a.request = p->c->request;
	a.upgrade = p->x.upgrade;
	a.rewrites = session_has_hosts(p->se) && !a.upgrade &&
	    !proxy_has_no_host(p);
	p->x.told_https = !a.service->tls && a.service->wants_https;
	if (reqhdr_build(&o, p->head, &a) == -1) {
		exch_fail(p, 431, "request head too long");
		return;
	}
	exch_deadline(p);
	r = send_head(p, &o);
	explicit_bzero(o.p, o.len);	/* credentials for the service */
	if (r == -1) {
		if (errno == EPROTO)
			exch_fail(p, 400, "malformed request body");
		else if (errno == ENODATA)
			exch_fail(p, 400, BODY_SHORT);
		else if (!st->used || !up_retry(p)) {
			up_over(p);
			p->x.started = 1;
		}
		return;
	}
	if (p->x.head != NULL)
		upstream_writing(st);
	else
		up_pump(p);
}

/*
 * Once more on a fresh one, if nothing was answered and nothing of the request
 * is lost.
 */
int
up_retry(struct proxy *p)
{
	struct exch	*x = &p->x;

	if (p->retried || p->c->head_len == 0 ||
	    (x->started && !x->repeatable))
		return (0);
	p->retried = 1;
	p->again(p);
	return (1);
}

void
up_pump(struct proxy *p)
{
	struct conn	*c = p->c;
	struct exch	*x = &p->x;
	ssize_t		 n;

	if (x->up_failed)
		return;
	while (x->head != NULL || (c->in != NULL && x->up.ready > 0)) {
		if (x->head != NULL)
			n = send(p->use.st->fd, x->head->data + x->head->off,
			    x->head->len, MSG_NOSIGNAL);
		else
			n = send(p->use.st->fd, c->in->data + c->in->off,
			    x->up.ready, MSG_NOSIGNAL);
		if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
			upstream_writing(p->use.st);
			return;
		}
		if (n == -1) {
			up_over(p);
			conn_reading(c, 0);
			if (p->step == PROXY_RAW && x->down.done)
				exch_cut(p, "service has closed");
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
	if (p->step == PROXY_RAW && c->eof)
		conn_close(c, "closed", 0);
	else if (!c->eof)
		conn_reading(c, 1);
}

void
up_writable(struct proxy *p)
{
	exch_deadline(p);
	up_pump(p);
}

/*
 * While an answer is pending the browser may send what it wants next, but
 * that is read only as far as the buffer goes; the end of what it says ends the
 * exchange if its request is not whole.
 */
void
up_readable(struct proxy *p)
{
	struct conn	*c = p->c;
	struct exch	*x = &p->x;
	size_t		 had = c->in != NULL ? c->in->len : 0;

	if (x->up.ready > 0 || x->head != NULL) {
		conn_reading(c, 0);
		return;
	}
	if (conn_take(c, "closed by the browser") == 0)
		return;
	if (flow_over(&x->up))
		return;		/* the next request: later */
	if (up_feed(p, had) == -1) {
		exch_fail(p, 400, "malformed request body");
		return;
	}
	if (x->phase != X_LINE)
		exch_moved(p);
	up_pump(p);
}
