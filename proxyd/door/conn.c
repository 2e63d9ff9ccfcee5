/* SPDX-License-Identifier: ISC */
/*
 * The life of a connection: read a head, let request.c say whose it is, write
 * what is answered, and again; one close for all ways out.
 */
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proxyd/job/answer.h"
#include "proxyd/job/api.h"
#include "proxyd/authd.h"
#include "conn.h"
#include "proxyd/http/flow.h"
#include "proxyd/job/forward.h"
#include "proxyd/grant.h"
#include "listen.h"
#include "base/log.h"
#include "proc/proc.h"
#include "proxyd/job/request.h"

#define STOP_MS	5000	/* for what runs when we are told to stop */

static void	conn_readable(evutil_socket_t, short, void *);
static void	conn_writable(evutil_socket_t, short, void *);
static void	conn_expired(void *);
static void	conn_next(struct conn *);
static void	conn_linger(struct conn *);
static void	conn_release(struct conn *);
static int	conn_keep(struct conn *, const struct iovec *, int, size_t);

TAILQ_HEAD(conns, conn);

static struct {
	struct conns	 live, dead;
	unsigned long	 n;
	int		 stopping;
	uint64_t	 now;		/* 0: not asked in this turn */
	struct timer	 stop;
} door = {
	TAILQ_HEAD_INITIALIZER(door.live), TAILQ_HEAD_INITIALIZER(door.dead),
	0, 0, 0, { NULL, NULL, 0, 0 }
};

void
conn_new(int fd, uint32_t flags, const struct addr *a, int trusted)
{
	struct conn	*c;

	if ((c = calloc(1, sizeof(*c))) == NULL) {
		close(fd);
		return;
	}
	c->fd = fd;
	c->listen_flags = flags;
	c->peer = c->addr = *a;
	c->trusted = trusted;
	event_assign(&c->ev_read, proc_base(), fd, EV_READ | EV_PERSIST,
	    conn_readable, c);
	event_assign(&c->ev_write, proc_base(), fd, EV_WRITE, conn_writable, c);
	timer_init(&c->timer, conn_expired, c);
	TAILQ_INSERT_TAIL(&door.live, c, entry);
	door.n++;
	conn_fds(1);
	listen_unclassified(c, 1);
	conn_reading(c, 1);
	conn_deadline(c, CONN_HEAD_MS);
}

void
conn_reading(struct conn *c, int on)
{
	if (c->reading == (unsigned)on)
		return;
	c->reading = (unsigned)on;
	if (on)
		event_add(&c->ev_read, NULL);
	else
		event_del(&c->ev_read);
}

void
conn_writing(struct conn *c)
{
	if (c->writing)
		return;
	c->writing = 1;
	event_add(&c->ev_write, NULL);
}

unsigned long
conn_count(void)
{
	return (door.n);
}

uint64_t
conn_now(void)
{
	if (door.now == 0)
		door.now = clock_ms();
	return (door.now);
}

/*
 * Deadlines move with every request; the timer only when it would be late.
 */
void
conn_deadline(struct conn *c, uint64_t ms)
{
	c->deadline_ms = conn_now() + ms;
	if (!timer_is_set(&c->timer) || c->timer.due_ms > c->deadline_ms)
		timer_set(&c->timer, ms);
}

static void
conn_expired(void *arg)
{
	struct conn	*c = arg;
	uint64_t	 now = clock_ms();

	if (now < c->deadline_ms) {
		timer_set(&c->timer, c->deadline_ms - now);
		return;
	}
	switch (c->state) {
	case CONN_HEAD:
		if (c->in != NULL && c->in->len > 0) {
			c->keep = 0;
			c->body_left = 1;
			c->is_head = c->html = 0;
			log_debug("request refused: not complete in time");
			answer_error(c, 408, "request not complete in time");
			return;
		}
		break;
	case CONN_API_BODY:
		c->keep = 0;
		c->body_left = 1;
		answer_error(c, 408, "request not complete in time");
		return;
	case CONN_WAIT:
		if (c->api == NULL) {
			/* The question has a deadline of its own. */
			conn_deadline(c, CONN_API_MS);
			return;
		}
		answer_error(c, 503, "no answer in time");
		return;
	case CONN_PROXY:
	case CONN_RAW:
		forward_expired(c);
		return;
	default:
		break;
	}
	conn_close(c, "timeout", 0);
}

/* Is what comes now part of a body, or raw? */
static int
conn_in_body(const struct conn *c)
{
	return (c->state == CONN_API_BODY || c->state == CONN_RAW ||
	    (c->state == CONN_PROXY && !flow_over(&c->x.up)));
}

long
conn_read(struct conn *c)
{
	size_t	 room;
	char	*p;
	ssize_t	 n;

	if (c->in == NULL && (c->in = buf_get()) == NULL) {
		errno = ENOMEM;
		return (-1);
	}
	p = buf_room(c->in, &room);
	/* But for bodies no more than may have to be given away. */
	if (!conn_in_body(c) && room + c->in->len > GIVE_BYTES_MAX)
		room = c->in->len < GIVE_BYTES_MAX ?
		    GIVE_BYTES_MAX - c->in->len : 0;
	if (room == 0) {
		errno = ENOBUFS;
		return (-1);
	}
	n = recv(c->fd, p, room, 0);
	if (n > 0)
		c->in->len += (size_t)n;
	else if (c->in->len == 0)
		buf_put(&c->in);
	return (n);
}

static void
conn_readable(evutil_socket_t fd, short what, void *arg)
{
	static char	 waste[65536];
	struct conn	*c = arg;
	long		 n;

	(void)what;
	if (c->state == CONN_PROXY || c->state == CONN_RAW) {
		forward_client_readable(c);
		return;
	}
	if (c->state == CONN_LINGER)
		n = recv(fd, waste, sizeof(waste), 0);
	else
		n = conn_read(c);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == -1 && errno == ENOBUFS) {
		conn_reading(c, 0);
		return;
	}
	if (n <= 0) {
		/* It may have closed its half only and wait for the answer. */
		if (n == 0 && (c->api != NULL || c->out_len > 0)) {
			c->eof = 1;
			c->keep = 0;
			conn_reading(c, 0);
			return;
		}
		conn_close(c, n == 0 ? "closed" : strerror(errno), 0);
		return;
	}
	if (c->state == CONN_HEAD)
		conn_parse(c);
	else if (c->state == CONN_API_BODY)
		api_body(c);
}

void
conn_parse(struct conn *c)
{
	static struct httphead	 h;
	const char		*why;
	int			 r, status;

	if (c->parsing)
		return;
	c->parsing = 1;
	while (c->state == CONN_HEAD && c->out_len == 0 && c->in != NULL &&
	    c->in->len > 0) {
		r = httphead_request(&h, &c->scan, c->in->data + c->in->off,
		    c->in->len, &status, &why);
		if (r == 0) {
			/* 10 s from its first byte, not from its last. */
			if (c->deadline_ms > clock_ms() + CONN_HEAD_MS)
				conn_deadline(c, CONN_HEAD_MS);
			break;
		}
		if (!c->classified) {
			c->classified = 1;
			listen_unclassified(c, -1);
		}
		if (r == -1) {
			log_debug("request refused: %s", why);
			c->keep = 0;
			c->body_left = 1;
			c->is_head = c->html = 0;
			answer_error(c, status, why);
			break;
		}
		listen_forwarded(c, &h);
		request_begin(c, &h);
	}
	if (c->state == CONN_HEAD && c->in == NULL && door.stopping)
		conn_close(c, "stopping", 0);
	c->parsing = 0;
}

void
conn_resume(struct conn *c)
{
	static struct httphead	 h;
	struct httphead_scan	 scan;
	int			 status;

	memset(&scan, 0, sizeof(scan));
	if (c->in == NULL || httphead_request(&h, &scan,
	    c->in->data + c->in->off, c->in->len, &status, NULL) != 1) {
		conn_close(c, "held request lost", 0);
		return;
	}
	request_proxy(c, &h);
}

/* Forget the request; the buffer begins with the next one. */
static void
conn_next(struct conn *c)
{
	c->state = CONN_HEAD;
	memset(&c->scan, 0, sizeof(c->scan));
	c->tried = 0;
	c->refused = 0;
	free(c->refusal);
	c->refusal = NULL;
	if (c->in != NULL && c->in->len == 0)
		buf_put(&c->in);
	conn_deadline(c, c->in != NULL ? CONN_HEAD_MS : CONN_IDLE_MS);
	conn_reading(c, 1);
	conn_parse(c);
}

void
conn_answered(struct conn *c)
{
	call_cancel(&c->call);
	api_free(c);
	/* A stream that came for it and was not used is not the next one's. */
	forward_clear(c);
	if (c->keep && !door.stopping) {
		conn_next(c);
		return;
	}
	if (c->out_len > 0) {
		c->state = CONN_FLUSH;
		conn_deadline(c, CONN_BODY_MS);
		return;
	}
	conn_linger(c);
}

/*
 * Closing while bytes lie unread would make TCP reset the answer away: say
 * that we are done and wait for the other side to notice.
 */
static void
conn_linger(struct conn *c)
{
	if (c->eof || !c->body_left) {
		conn_close(c, "done", 0);
		return;
	}
	shutdown(c->fd, SHUT_WR);
	buf_put(&c->in);
	c->state = CONN_LINGER;
	conn_deadline(c, CONN_LINGER_MS);
	conn_reading(c, 1);
}

/* Keep what is left of the vector after `done` bytes. */
static int
conn_keep(struct conn *c, const struct iovec *iov, int n, size_t done)
{
	size_t	 len = 0, off = 0, part;
	char	*p;
	int	 i;

	for (i = 0; i < n; i++)
		len += iov[i].iov_len;
	len -= done;
	if ((p = malloc(c->out_len + len)) == NULL)
		return (-1);
	if (c->out_len > 0)
		memcpy(p, c->out + c->out_off, c->out_len);
	off = c->out_len;
	for (i = 0; i < n; i++) {
		part = iov[i].iov_len;
		if (done >= part) {
			done -= part;
			continue;
		}
		memcpy(p + off, (char *)iov[i].iov_base + done, part - done);
		off += part - done;
		done = 0;
	}
	free(c->out);
	c->out = p;
	c->out_off = 0;
	c->out_len = off;
	conn_writing(c);
	return (0);
}

/* send() goes a shorter way through the kernel than writev(). */
ssize_t
conn_sendv(int fd, struct iovec *iov, int n)
{
	struct msghdr	msg;

	if (n == 1)
		return (send(fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL));
	memset(&msg, 0, sizeof(msg));
	msg.msg_iov = iov;
	msg.msg_iovlen = (size_t)n;
	return (sendmsg(fd, &msg, MSG_NOSIGNAL));
}

int
conn_writev(struct conn *c, struct iovec *iov, int n)
{
	size_t	len = 0;
	ssize_t	w = 0;
	int	i;

	for (i = 0; i < n; i++)
		len += iov[i].iov_len;
	if (c->out_len == 0) {
		w = conn_sendv(c->fd, iov, n);
		if (w == -1 && errno != EAGAIN && errno != EINTR) {
			conn_close(c, strerror(errno), 0);
			return (-1);
		}
		if (w == -1)
			w = 0;
	}
	if ((size_t)w == len)
		return (0);
	if (conn_keep(c, iov, n, (size_t)w) == -1) {
		conn_close(c, "out of memory", 1);
		return (-1);
	}
	return (0);
}

int
conn_flush(struct conn *c)
{
	ssize_t	w;

	if (c->out_len == 0)
		return (1);
	w = send(c->fd, c->out + c->out_off, c->out_len, MSG_NOSIGNAL);
	if (w == -1 && errno != EAGAIN && errno != EINTR) {
		conn_close(c, strerror(errno), 0);
		return (-1);
	}
	if (w > 0) {
		c->out_off += (size_t)w;
		c->out_len -= (size_t)w;
	}
	if (c->out_len > 0) {
		conn_writing(c);
		return (0);
	}
	free(c->out);
	c->out = NULL;
	return (1);
}

static void
conn_writable(evutil_socket_t fd, short what, void *arg)
{
	struct conn	*c = arg;

	(void)fd;
	(void)what;
	c->writing = 0;
	if (c->state == CONN_PROXY || c->state == CONN_RAW) {
		forward_client_writable(c);
		return;
	}
	if (conn_flush(c) != 1)
		return;
	if (c->state == CONN_FLUSH)
		conn_linger(c);
	else if (c->eof && c->state == CONN_HEAD)
		conn_close(c, "closed", 0);
	else if (c->state == CONN_HEAD)
		conn_parse(c);
}

/* What the request has asked for or holds, given back. */
static void
conn_release(struct conn *c)
{
	call_cancel(&c->call);
	grant_unref(c->opening);
	c->opening = NULL;
	grant_wait_end(c);
	api_free(c);
	forward_clear(c);
	grant_unref(c->memo);
	c->memo = NULL;
	if (c->memo_token != NULL) {
		sodium_memzero(c->memo_token, c->memo_len);
		free(c->memo_token);
	}
	c->memo_token = NULL;
	free(c->refusal);
	c->refusal = NULL;
	buf_put(&c->in);
	free(c->out);
	c->out = NULL;
	c->out_len = 0;
}

void
conn_close(struct conn *c, const char *why, int reset)
{
	struct linger	l = { 1, 0 };

	if (c->state == CONN_DEAD)
		return;
	if (reset && c->fd != -1)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	log_debug("connection %d: closed: %s", c->fd, why);
	if (!c->classified)
		listen_unclassified(c, -1);
	c->state = CONN_DEAD;
	timer_del(&c->timer);
	event_del(&c->ev_read);
	event_del(&c->ev_write);
	conn_release(c);
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
	conn_fds(-1);
	TAILQ_REMOVE(&door.live, c, entry);
	TAILQ_INSERT_TAIL(&door.dead, c, entry);
	door.n--;
}

int
conn_detach(struct conn *c)
{
	int	fd = c->fd;

	event_del(&c->ev_read);
	event_del(&c->ev_write);
	c->fd = -1;
	return (fd);
}

void
conn_reap(void)
{
	struct conn	*c;

	door.now = 0;
	while ((c = TAILQ_FIRST(&door.dead)) != NULL) {
		TAILQ_REMOVE(&door.dead, c, entry);
		free(c);
	}
	if (door.stopping && door.n == 0) {
		door.stopping = 0;	/* proc_exit() comes by here again */
		proc_exit(0);
	}
}

static void
conn_stop_now(void *arg)
{
	(void)arg;
	log_info("stop: %lu connections cut off", door.n);
	proc_exit(0);
}

void
conn_stop(void)
{
	struct conn	*c, *next;

	door.stopping = 1;
	listen_stop();
	for (c = TAILQ_FIRST(&door.live); c != NULL; c = next) {
		next = TAILQ_NEXT(c, entry);
		if (c->state == CONN_HEAD && c->in == NULL && c->out_len == 0)
			conn_close(c, "stopping", 0);
	}
	timer_init(&door.stop, conn_stop_now, NULL);
	timer_set(&door.stop, STOP_MS);
}

void
conn_addr_key(const struct conn *c, uint8_t key[16])
{
	addr_key(&c->addr, key);
}
