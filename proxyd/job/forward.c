/* SPDX-License-Identifier: ISC */
/*
 * A request for another member: whom is asked of authd, who gives the
 * connection as well; then the head goes as it came, and each body as far as
 * its framing reaches, so that both connections can serve the next. Behind a
 * 101 bytes go to and fro until one side ends.
 */
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <llhttp.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "base/compat.h"
#include "base/log.h"
#include "base/rate.h"
#include "forward.h"
#include "imsg/call.h"
#include "imsg/imsg.h"
#include "proc/conf.h"
#include "proc/link.h"
#include "proc/proc.h"
#include "proxyd/http/flow.h"
#include "proxyd/http/hdr.h"
#include "proxyd/member.h"
#include "proxyd/moving.h"
#include "proxyd/refused.h"
#include "whose.h"

#define WHERE_MS	14000	/* authd lets who asks for one wait that moves */
#define LINK_MS		4000
#define WAIT_MS		15000	/* what is asked has a deadline of its own */
#define MORE_MS		60000	/* the other member gives up before us */
#define ASKS		1200	/* of one address */
#define ASKS_MS		60000
#define ADDRS		8192
#define WAITS		256	/* of one address, for sessions that move, */
#define WAITS_ALL	512	/* and with first asks, which may wait, too */
#define WAITS_RETRY_S	1

enum forward_phase { F_WHERE, F_LINK, F_HEAD, F_BODY, F_RAW };

struct forward {
	struct conn		*c;
	enum forward_phase	 phase;
	struct call		 call;
	/* the request, until its answer begins */
	struct httphead		*head;
	enum route		 route;
	struct route_to		 to;
	struct slice		 host;
	forward_here_fn		 here;
	enum forward_kind	 kind;
	char			 id[UUID_SIZE];
	char			 member[MEMBER_SIZE];
	uint32_t		 flags;
	int			 method;
	unsigned		 moves:1,	/* its session does: nothing is known */
				 waits:1,	/* and it counts for its address */
				 repeatable:1,	/* none of it is dropped yet */
				 retried:1, responded:1, keep:1, up_failed:1,
				 anew:1;	/* authd is asked once more */
	size_t			 sent;		/* of what is in c->in */
	size_t			 head_left;	/* to be sent */
	struct flow		 up, down;
	struct httphead_scan	 scan;
	struct mlink		*l;
	struct reach		 reach;		/* for that */
};

static int	forward_ask(struct forward *);
static void	forward_link(struct forward *);
static void	forward_up(struct forward *);
static void	forward_down(struct forward *);

static struct forward *
forward_of(const struct conn *c)
{
	return (c->work);
}

/* What its client's address counts as. */
static void
forward_key(const struct forward *f, char key[ADDR_SIZE])
{
	char	addr[ADDR_SIZE];

	addr_print(&f->c->addr, addr);
	rate_address(addr, key);
}

/*
 * Who asks for a session has one of the places that authd has for us, until he
 * hears: a moment, or as long as the session moves, which is not always known
 * here. Not all of them are one address's, whatever sessions it names. 0, or
 * -1: it has its share.
 */
static struct rate	*waits;

static int
wait_begin(struct forward *f)
{
	char		key[ADDR_SIZE];
	uint32_t	retry;

	if (f->kind != FORWARD_SESSION)
		return (0);
	if (waits == NULL && (waits = rate_new(ADDRS)) == NULL)
		return (-1);
	forward_key(f, key);
	if (rate_hit(waits, key, f->moves ? WAITS : WAITS_ALL, RATE_EVER,
	    &retry) == -1)
		return (-1);
	f->waits = 1;
	return (0);
}

static void
wait_over(struct forward *f)
{
	char	key[ADDR_SIZE];

	if (!f->waits)
		return;
	f->waits = 0;
	forward_key(f, key);
	rate_back(waits, key);
}

/* ---- the job ---- */

static void
forward_deadline(struct forward *f)
{
	const struct conn	*c = f->c;

	/* As exch_moved(); over there it is not known that it has closed. */
	if (c->eof && (c->http10 || f->phase == F_BODY))
		conn_deadline(f->c, CONN_HALF_MS);
	else
		conn_deadline(f->c, proc_conf()->proxy_idle * 1000 + MORE_MS);
}

static void
forward_log(const struct forward *f, const char *why)
{
	log_request(f->c->request);
	log_info("member %s: %s", f->member, why);
	log_request(NULL);
}

/*
 * The member is not there, or was not for long. It may have drained and
 * stopped, and what was known of its session be too old: authd is asked once
 * more, which lets who asks for one that moves wait for it. What has gone out
 * whole may have been done: of that only what does nothing goes again. 1: it is.
 */
static int
forward_anew(struct forward *f, const char *why)
{
	if (f->kind != FORWARD_SESSION || f->anew || f->responded)
		return (0);
	if (f->phase != F_LINK && (f->phase != F_HEAD || !f->repeatable ||
	    f->l->in != NULL || (f->head->flags & HTTPHEAD_UPGRADE) ||
	    (f->method != HTTP_GET && f->method != HTTP_HEAD &&
	    f->method != HTTP_OPTIONS)))
		return (0);
	if (wait_begin(f) == -1)
		return (0);
	forward_log(f, why);
	f->anew = 1;
	mlink_free(f->l);
	f->l = NULL;
	f->sent = 0;
	f->phase = F_WHERE;
	member_forget(f->kind, f->id);
	conn_deadline(f->c, WAIT_MS);
	return (forward_ask(f) == 0);
}

/* No answer, or half of one. */
static void
forward_fail(struct forward *f, const char *why)
{
	struct conn	*c = f->c;

	forward_log(f, why);
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
forward_expired(struct conn *c)
{
	struct forward	*f = forward_of(c);

	if (f->phase < F_HEAD)
		conn_deadline(c, WAIT_MS);
	else if (f->phase == F_RAW)
		forward_deadline(f);	/* over there is who minds */
	else
		forward_fail(f, "no answer in time");
}

/* The body of its request is none. */
static void
forward_wrong(struct conn *c, const char *why)
{
	c->keep = 0;
	c->body_left = 1;
	answer_error(c, 400, why);
}

/* As exchange_left(): an answer that has begun goes on to its end. */
static enum left
forward_left(struct conn *c)
{
	struct forward	*f = forward_of(c);

	if (f->phase == F_RAW || (f->head != NULL &&
	    (f->head->flags & HTTPHEAD_UPGRADE)) || (f->phase == F_BODY &&
	    !f->up.done))
		return (LEFT_GONE);
	if (f->phase == F_HEAD && !f->up.done) {
		forward_wrong(c, BODY_SHORT);
		return (LEFT_READS);
	}
	if (f->phase == F_BODY || (f->phase == F_HEAD && c->http10))
		forward_deadline(f);
	return (f->phase == F_BODY ? LEFT_READS : LEFT_WAITS);
}

static int
forward_in_body(const struct conn *c)
{
	const struct forward	*f = forward_of(c);

	return (f->phase == F_RAW || (f->phase >= F_HEAD &&
	    !flow_over(&f->up)));
}

static void
forward_end(struct conn *c)
{
	struct forward	*f = forward_of(c);

	call_cancel(&f->call);
	wait_over(f);
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
forward_readable(struct conn *c)
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
	forward_deadline(f);
	forward_up(f);
}

static void
forward_writable(struct conn *c)
{
	struct forward	*f = forward_of(c);

	if (conn_flush(c) == 1 && f->l != NULL && f->phase >= F_HEAD)
		forward_down(f);
}

static const struct job_ops	forwarding = {
	.name = "forward",
	.readable = forward_readable,
	.writable = forward_writable,
	.expired = forward_expired,
	.in_body = forward_in_body,
	.left = forward_left,
	.end = forward_end,
};

/* ---- up ---- */

/* So much has gone. */
static void
forward_sent(struct forward *f, size_t n)
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
forward_again(struct forward *f)
{
	if (!f->l->used || f->retried || f->responded || !f->repeatable ||
	    !httphead_is_idempotent(f->method))
		return (0);
	f->retried = 1;
	f->sent = 0;
	mlink_free(f->l);
	f->l = NULL;
	forward_link(f);
	return (1);
}

static void
forward_up(struct forward *f)
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
		forward_sent(f, (size_t)n);
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
forward_begun(struct forward *f)
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
forward_over(struct forward *f)
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
forward_pass(struct forward *f, size_t n)
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
forward_heads(struct forward *f)
{
	static struct httphead	 h;
	struct buf		*b = f->l->in;
	const char		*why;
	int			 r;

	while ((r = httphead_response(&h, &f->scan, f->method,
	    b->data + b->off, b->len, &why)) == 1) {
		memset(&f->scan, 0, sizeof(f->scan));
		if (!(h.flags & HTTPHEAD_INTERIM))
			forward_begun(f);
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
		if (forward_pass(f, h.head_len) == -1)
			return (-1);
	}
	if (r == -1) {
		forward_fail(f, why);
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
		forward_fail(f, "malformed answer");
		return (-1);
	}
	f->down.ready += h.head_len;	/* goes along with it */
	return (1);
}

static void
forward_down(struct forward *f)
{
	struct conn	*c = f->c;
	size_t		 n;
	int		 r;

	if (f->l->in != NULL && f->l->in->len > 0) {
		r = f->phase == F_HEAD ? forward_heads(f) : 1;
		if (r == 0)
			mlink_reading(f->l, 1);
		if (r != 1)
			return;
		if (f->phase == F_RAW && !f->responded)
			f->responded = 1;
		n = f->down.ready;
		flow_sent(&f->down, n);
		if (forward_pass(f, n) == -1)
			return;
	}
	if (f->phase == F_RAW && c->in != NULL && f->up.ready > 0)
		forward_up(f);
	if (f->phase == F_BODY && flow_over(&f->down)) {
		forward_over(f);
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
forward_closed(struct forward *f, int error)
{
	static const char	 closed[] = "it has closed the connection";
	struct conn		*c = f->c;

	/* It is said on the channel before the socket ends. */
	plain_hear(&f->l->plain);
	if (c->state == CONN_DEAD)
		return;		/* by what was heard besides */
	if (f->phase == F_BODY && f->down.kind == FLOW_TO_CLOSE &&
	    (error || !mlink_has_all(f->l)))
		forward_fail(f, "its answer is cut off");
	else if (f->phase == F_HEAD && !f->responded) {
		if (!forward_again(f) && !forward_anew(f, closed))
			forward_fail(f, closed);
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
		forward_fail(f, closed);
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
		forward_fail(f, "out of memory");
		return;
	}
	had = l->in->len;
	to = buf_room(l->in, &room);
	if (room == 0) {
		forward_fail(f, "its head is too long");
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
		forward_closed(f, n == -1);
		return;
	}
	l->in->len += (size_t)n;
	forward_deadline(f);
	if (f->phase > F_HEAD && flow_feed(&f->down, l->in->data +
	    l->in->off + had, (size_t)n) == -1) {
		forward_fail(f, "malformed answer");
		return;
	}
	forward_down(f);
}

static void
link_writable(void *arg)
{
	forward_up(arg);
}

/* ---- whom, and how ---- */

/* Here is a connection: the request. */
static void
forward_go(struct forward *f, struct mlink *l)
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
		forward_wrong(c, why);
		return;
	}
	forward_deadline(f);
	mlink_reading(l, 1);
	forward_up(f);
}

static void
forward_linked(void *arg, struct mlink *l, const char *why)
{
	struct forward	*f = arg;

	if (l != NULL)
		forward_go(f, l);
	else if (!forward_anew(f, why))
		forward_fail(f, why);
}

/* A connection to it: one that waits, or a new one. */
static void
forward_link(struct forward *f)
{
	struct conn	*c = f->c;
	struct mlink	*l;

	f->phase = F_LINK;
	if (!f->retried &&
	    (l = mlink_take(f->member, &c->addr, f->flags)) !=
	    NULL) {
		forward_go(f, l);
		return;
	}
	strlcpy(f->reach.member, f->member, sizeof(f->reach.member));
	f->reach.client = c->addr;
	f->reach.flags = f->flags;
	f->reach.then = forward_linked;
	f->reach.arg = f;
	reach_begin(&f->reach, c->request, LINK_MS);
}

/* It is for here: as if nothing had been. */
static void
forward_not(struct forward *f)
{
	struct conn	*c = f->c;
	struct httphead	*h = f->head;
	struct route_to	 to = f->to;
	struct slice	 host = f->host;
	forward_here_fn	 here = f->here;
	enum route	 route = f->route;

	f->head = NULL;
	c->job = NULL;
	forward_end(c);
	c->work = NULL;
	c->state = CONN_HEAD;
	here(c, h, route, &to, &host);
	free(h);
}

static int
forward_where(struct chan *ch, struct imsg *m, void *arg)
{
	struct forward		*f = arg;
	struct msg_where_is	 in;

	(void)ch;
	wait_over(f);
	if (m == NULL) {
		forward_not(f);		/* what has to be said, is said here */
		return (0);
	}
	if (get_where_is(m, &in) == -1)
		return (-1);
	if (!f->moves)
		member_note(f->kind, f->id, in.member);
	strlcpy(f->member, in.member, sizeof(f->member));
	if (f->member[0] == '\0')
		forward_not(f);
	else
		forward_link(f);
	return (0);
}

/* ---- which requests ---- */

/*
 * Ids that nobody has cost a look into the store: not as many as one likes. A
 * session that moves is named by authd, which asks for all who wait at once.
 */
static int
may_ask(const struct forward *f)
{
	static struct rate	*asks;
	char			 key[ADDR_SIZE];
	uint32_t		 retry;

	if (f->moves)
		return (1);
	if (asks == NULL && (asks = rate_new(ADDRS)) == NULL)
		return (0);
	forward_key(f, key);
	return (rate_hit(asks, key, ASKS, ASKS_MS, &retry) == 0);
}

static int
forward_ask(struct forward *f)
{
	struct chan	*ch = link_chan();
	uint32_t	 id;

	if (!may_ask(f) || (id = call_start(&f->call, ch, WHERE_MS,
	    forward_where, f)) == 0)
		return (-1);
	(void)say_where(ch, id, -1, &(struct msg_where){
	    .kind = (uint8_t)f->kind, .session = f->id,
	    .request = f->c->request });
	return (0);
}

int
forward_begin(struct conn *c, const struct httphead *h, enum route route,
    const struct route_to *to, const struct slice *host, forward_here_fn here)
{
	struct forward	*f;
	const char	*member = "";
	int		 known, moves;

	if ((f = calloc(1, sizeof(*f))) == NULL)
		return (0);
	f->c = c;
	f->route = route;
	f->to = *to;
	f->host = *host;
	f->here = here;
	f->method = h->method;
	f->flags = (c->listen_flags & LISTEN_ALONG) |
	    (c->trusted ? LISTEN_VOUCHED : 0);
	/*
	 * What a member has passed on goes no further, but after its session:
	 * to where that is now, as authd says. Two members that remembered each
	 * the other would pass it to and fro.
	 */
	if (whose(c, h, route, to, &f->kind, f->id) == -1 ||
	    (!(moves = f->kind == FORWARD_SESSION && moving_is(f->id)) &&
	    (c->listen_flags & LISTEN_FORWARDED) &&
	    (f->kind != FORWARD_SESSION || !moving_has_begun())) ||
	    ((known = !moves && !(c->listen_flags & LISTEN_FORWARDED) &&
	    member_known(f->kind, f->id, &member)) &&
	    member[0] == '\0') || (f->head = hdr_keep(h)) == NULL) {
		free(f);
		return (0);
	}
	f->moves = moves != 0;
	strlcpy(f->member, member, sizeof(f->member));
	if (!known && wait_begin(f) == -1) {
		free(f->head);
		free(f);
		refused(c, ALONE_BUSY);
		answer_later(c, 503, "too many requests of this address wait "
		    "to hear where their session is", WAITS_RETRY_S);
		return (1);
	}
	if (!known && forward_ask(f) == -1) {
		wait_over(f);
		free(f->head);
		free(f);
		return (0);
	}
	conn_job(c, &forwarding, f);
	conn_deadline(c, WAIT_MS);
	if (known)
		forward_link(f);
	return (1);
}
