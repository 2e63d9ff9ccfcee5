/* SPDX-License-Identifier: ISC */
/*
 * The life of a connection: read a head, let a job answer it, write what is
 * answered, and again; one close for all ways out.
 */
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "base/log.h"
#include "base/want.h"
#include "conn.h"
#include "imsg/imsg.h"
#include "imsg/msg.h"
#include "limits.h"
#include "metrics/count.h"
#include "net/brought.h"
#include "net/gone.h"
#include "now.h"
#include "proc/conf.h"
#include "proc/proc.h"
#include "proc/request.h"
#include "trust.h"

#define STOP_MS	5000	/* for what runs when we are told to stop */
#define LARGE_MAX	256	/* heads above GIVE_BYTES_MAX at once */

static void	conn_readable(evutil_socket_t, short, void *);
static void	conn_writable(evutil_socket_t, short, void *);
static void	conn_expired(void *);
static void	conn_look(void *);
static void	conn_refuse(struct conn *, int, const char *);
static void	conn_next(struct conn *);
static void	conn_job_end(struct conn *);
static void	conn_linger(struct conn *);
static void	conn_ended(struct conn *, const char *);
static void	conn_release(struct conn *);

TAILQ_HEAD(conns, conn);

static struct {
	const struct door_ops	*ops;
	struct conns		 live, dead;
	unsigned long		 n, shed, large;
	int			 stopping;
	int			 paused;	/* no request begins */
	int			 leaving;	/* each one's next answer is its last */
	int			 shut;		/* none comes any more */
	struct timer		 stop;
} door = {
	.live = TAILQ_HEAD_INITIALIZER(door.live),
	.dead = TAILQ_HEAD_INITIALIZER(door.dead),
};

void
conn_init(const struct door_ops *ops)
{
	door.ops = ops;
	crowd_init();
}

static struct conn *
conn_of(struct seat *s)
{
	return ((struct conn *)(void *)((char *)s -
	    offsetof(struct conn, seat)));
}

static void
makes_room(struct seat *s)
{
	count(CT_DROP_ROOM);
	if (door.shed++ % 1000 == 0)
		log_info("connections closed to make room: %lu", door.shed);
	conn_close(conn_of(s), "makes room", 0);
}

int
conn_admit(const struct addr *a, int trusted)
{
	enum crowd_room	 r;
	struct seat	*s;

	while ((r = crowd_room(a, trusted, clock_ms(), &s)) == CROWD_CLOSE)
		makes_room(s);
	return (r == CROWD_ROOM ? 0 : -1);
}

int
conn_shed(void)
{
	struct seat	*s = crowd_spare(clock_ms());

	if (s == NULL)
		return (0);
	makes_room(s);
	return (1);
}

/* Which row of its listener's kind? */
static unsigned
conn_listener(const struct conn *c)
{
	return (c->listen_flags & LISTEN_INTERNAL ? 1 :
	    c->listen_flags & LISTEN_TUNNEL ? 2 : 0);
}

void
conn_new(int fd, uint32_t flags, const struct addr *a, int trusted,
    const struct plain *from)
{
	struct conn	*c;

	if ((c = calloc(1, sizeof(*c))) == NULL ||
	    crowd_enter(&c->seat, a, clock_ms()) == -1) {
		free(c);
		imsg_close_fd(fd);
		return;
	}
	if (from != NULL)
		c->plain = *from;
	c->fd = fd;
	c->listen_flags = flags;
	c->peer = c->addr = *a;
	c->trusted = trusted;
	event_assign(&c->ev_read, proc_base(), fd, EV_READ | EV_PERSIST,
	    conn_readable, c);
	event_assign(&c->ev_write, proc_base(), fd, EV_WRITE, conn_writable, c);
	timer_init(&c->timer, conn_expired, c);
	timer_init(&c->look, conn_look, c);
	TAILQ_INSERT_TAIL(&door.live, c, entry);
	door.n++;
	gauge_move(CT_CONN_FRONT + conn_listener(c), 1);
	count(CT_ACCEPT_FRONT + conn_listener(c));
	limits_conn(1);
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
		event_want(&c->ev_read, NULL);
	else
		event_del(&c->ev_read);
}

void
conn_writing(struct conn *c)
{
	if (c->writing)
		return;
	c->writing = 1;
	event_want(&c->ev_write, NULL);
}

/*
 * Deadlines move with every request; the timer only when it would be late.
 */
void
conn_deadline(struct conn *c, uint64_t ms)
{
	c->deadline_ms = now_ms() + ms;
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
	if (c->state == CONN_JOB) {
		c->job->expired(c);
		return;
	}
	if (c->state == CONN_HEAD && c->in != NULL && c->in->len > 0) {
		conn_refuse(c, 408, "request not complete in time");
	} else
		conn_close(c, "timeout", 0);
}

/* What came is no request that anybody can answer. */
static void
conn_refuse(struct conn *c, int status, const char *why)
{
	c->keep = 0;
	c->body_left = 1;
	c->is_head = c->html = 0;
	c->addr = c->peer;
	request_make(c->request);
	log_request(c->request);
	log_debug("request refused: %s", why);
	log_request(NULL);
	door.ops->refuse(c, status, why);
}

/* Is what comes now part of a body, or raw? */
static int
conn_in_body(const struct conn *c)
{
	return (c->state == CONN_JOB && c->job->in_body != NULL &&
	    c->job->in_body(c));
}

/* How long a head may be here, before it says which host it is for. */
static size_t
conn_head_max(const struct conn *c)
{
	return (c->listen_flags & (LISTEN_INTERNAL | LISTEN_TUNNEL) ?
	    HTTPHEAD_MAX : HTTPHEAD_PROXY_MAX);
}

/* A head that goes on beyond what others have takes one of a few places. */
static int
may_be_large(struct conn *c)
{
	if (c->large)
		return (1);
	if (c->state != CONN_HEAD || c->out_len > 0 ||
	    conn_head_max(c) == HTTPHEAD_MAX || door.large >= LARGE_MAX)
		return (0);
	c->large = 1;
	door.large++;
	return (1);
}

static void
large_end(struct conn *c)
{
	door.large -= c->large;
	c->large = 0;
}

long
conn_read(struct conn *c)
{
	size_t	 room, most;
	char	*p;
	ssize_t	 n;

	if (c->in == NULL && (c->in = buf_get()) == NULL) {
		errno = ENOMEM;
		return (-1);
	}
	/* The job's parsed head points into the buffer. */
	p = c->head_len > 0 ? buf_tail(c->in, &room) : buf_room(c->in, &room);
	/* But for bodies no more than may have to be given away. */
	most = c->in->len < GIVE_BYTES_MAX || !may_be_large(c) ?
	    GIVE_BYTES_MAX : HTTPHEAD_PROXY_MAX;
	if (!conn_in_body(c) && room + c->in->len > most)
		room = c->in->len < most ? most - c->in->len : 0;
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

long
conn_take(struct conn *c, const char *gone)
{
	long	n = conn_read(c);

	if (n > 0)
		return (n);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return (0);
	if (n == -1 && errno == ENOBUFS)
		conn_reading(c, 0);
	else if (n == 0)
		conn_ended(c, gone);
	else
		conn_close(c, strerror(errno), 0);
	return (0);
}

/*
 * From now on an event says that it has broken, which is an edge, and not again
 * and again that it has ended.
 */
static void
conn_half(struct conn *c)
{
	int	writing = c->writing;

	conn_reading(c, 0);
	if (writing)
		event_del(&c->ev_write);
	c->writing = 0;
	event_assign(&c->ev_read, proc_base(), c->fd, EV_READ | EV_PERSIST |
	    EV_ET, conn_readable, c);
	event_assign(&c->ev_write, proc_base(), c->fd, EV_WRITE | EV_ET,
	    conn_writable, c);
	c->eof = 1;
	conn_reading(c, 1);
	if (writing)
		conn_writing(c);
}

/* It may have closed its half only and wait for the answer. */
static void
conn_ended(struct conn *c, const char *why)
{
	enum left	(*left)(struct conn *) = c->state == CONN_JOB ?
			    c->job->left : NULL;

	if (fd_is_gone(c->fd) || (left == NULL && c->out_len == 0 &&
	    !(door.paused && c->state == CONN_HEAD && c->in != NULL))) {
		conn_close(c, why, 0);
		return;
	}
	conn_half(c);
	if (conn_is_last(c))
		c->keep = 0;
	if (left == NULL)
		return;
	timer_set(&c->look, CONN_LOOK_MS);
	if (left(c) == LEFT_GONE)
		conn_close(c, why, 0);
}

/*
 * Who waits takes an interim answer (RFC 9110, 15.2); the machine of one who
 * has gone says so to it, which conn_readable() hears.
 */
static void
conn_look(void *arg)
{
	struct conn	*c = arg;

	if (c->state != CONN_JOB || c->job->left == NULL || c->http10 ||
	    c->out_len > 0 || c->job->left(c) != LEFT_WAITS)
		return;
	timer_set(&c->look, CONN_HALF_MS);	/* it may go later, too */
	(void)conn_continue(c);
}

enum left
conn_waits(struct conn *c)
{
	(void)c;
	return (LEFT_WAITS);
}

enum left
conn_reads(struct conn *c)
{
	(void)c;
	return (LEFT_READS);
}

int
conn_is_last(const struct conn *c)
{
	return (c->eof && (c->in == NULL || c->in->len <= c->head_len));
}

static void
conn_readable(evutil_socket_t fd, short what, void *arg)
{
	static char	 waste[65536];
	struct conn	*c = arg;
	long		 n;

	(void)what;
	if (c->eof) {
		if (fd_is_gone(fd))
			conn_close(c, "has gone", 0);
		return;
	}
	if (c->state == CONN_JOB && c->job->readable != NULL) {
		c->job->readable(c);
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
		if (c->state == CONN_HEAD && c->out_len == 0)
			conn_refuse(c, 503, "too many long requests");
		return;
	}
	if (n <= 0) {
		if (n == 0)
			conn_ended(c, "closed");
		else
			conn_close(c, strerror(errno), 0);
		return;
	}
	if (c->state == CONN_HEAD)
		conn_parse(c);
	else if (c->state == CONN_JOB && c->job->more != NULL)
		c->job->more(c);
}

void
conn_parse(struct conn *c)
{
	static struct httphead	 h;
	const char		*why;
	int			 r, status;

	if (c->parsing || door.paused)
		return;
	c->parsing = 1;
	while (c->state == CONN_HEAD && c->out_len == 0 && c->in != NULL &&
	    c->in->len > 0) {
		r = httphead_request_max(&h, &c->scan, conn_head_max(c),
		    c->in->data + c->in->off, c->in->len, &status, &why);
		if (r == 0) {
			/* 10 s from its first byte, not from its last. */
			if (c->deadline_ms > clock_ms() + CONN_HEAD_MS)
				conn_deadline(c, CONN_HEAD_MS);
			crowd_half(&c->seat, c->in->len);
			break;
		}
		crowd_busy(&c->seat);
		buf_secret(c->in, r == 1 ? h.head_len : c->in->len);
		if (r == -1) {
			conn_refuse(c, status, why);
			break;
		}
		c->addr = c->peer;
		if (c->trusted && !(c->listen_flags & LISTEN_FORWARDED))
			trust_forwarded(&c->addr, &h);
		if (!c->trusted || !trust_request(c->request, &h))
			request_make(c->request);
		c->head_len = h.head_len;
		c->http10 = h.minor == 0;
		if (door.leaving || conn_is_last(c))
			h.flags &= ~(unsigned)HTTPHEAD_KEEPALIVE;
		if (c->eof)
			timer_set(&c->look, CONN_LOOK_MS);
		door.ops->begin(c, &h);
	}
	if (c->state == CONN_HEAD && c->eof && c->out_len == 0)
		conn_close(c, "closed", 0);	/* what is left is no request */
	else if (c->state == CONN_HEAD && c->in == NULL && door.stopping)
		conn_close(c, "stopping", 0);
	else if (c->state == CONN_HEAD && c->in == NULL && c->out_len == 0)
		crowd_idle(&c->seat);
	c->parsing = 0;
}

void
conn_again(struct conn *c)
{
	static struct httphead	 h;
	struct httphead_scan	 scan = { 0 };
	const char		*why;
	int			 status;

	c->again = 1;
	c->job = NULL;
	c->work = NULL;
	c->state = CONN_HEAD;
	if (httphead_request_max(&h, &scan, HTTPHEAD_PROXY_MAX, c->in->data +
	    c->in->off, c->in->len, &status, &why) == 1)
		door.ops->again(c, &h);
	else
		conn_close(c, "its head is none any more", 1);
}

void
conn_pause(int on)
{
	struct conn	*c, *next;

	door.paused = on;
	for (c = on ? NULL : TAILQ_FIRST(&door.live); c != NULL; c = next) {
		next = TAILQ_NEXT(c, entry);
		if (c->state == CONN_HEAD && c->in != NULL && c->in->len > 0)
			conn_parse(c);
	}
}

void
conn_job(struct conn *c, const struct job_ops *job, void *work)
{
	c->state = CONN_JOB;
	c->job = job;
	c->work = work;
}

static void
conn_job_end(struct conn *c)
{
	const struct job_ops	*job = c->job;

	c->job = NULL;
	if (job != NULL && job->end != NULL)
		job->end(c);
	c->work = NULL;
}

/* Forget the request; the buffer begins with the next one. */
static void
conn_next(struct conn *c)
{
	c->state = CONN_HEAD;
	large_end(c);
	memset(&c->scan, 0, sizeof(c->scan));
	if (c->in != NULL && c->in->len == 0)
		buf_put(&c->in);
	conn_deadline(c, c->in != NULL ? CONN_HEAD_MS : CONN_IDLE_MS);
	conn_reading(c, 1);
	conn_parse(c);
}

void
conn_answered(struct conn *c)
{
	conn_job_end(c);
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
	plain_end(&c->plain, 1);
	shutdown(c->fd, SHUT_WR);
	buf_put(&c->in);
	c->state = CONN_LINGER;
	conn_deadline(c, CONN_LINGER_MS);
	conn_reading(c, 1);
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
	conn_writing(c);
	return (0);
}

int
conn_continue(struct conn *c)
{
	static char	text[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct iovec	iov = { text, sizeof(text) - 1 };

	return (conn_writev(c, &iov, 1));
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
	freezero(c->out, c->out_off);
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
	if (c->state == CONN_JOB && c->job->writable != NULL) {
		c->job->writable(c);
		return;
	}
	if (conn_flush(c) != 1)
		return;
	if (c->state == CONN_FLUSH)
		conn_linger(c);
	else if (c->state == CONN_HEAD)
		conn_parse(c);
}

/* What the request has asked for or holds, given back. */
static void
conn_release(struct conn *c)
{
	conn_job_end(c);
	large_end(c);
	if (c->kept != NULL)
		c->kept_free(c->kept);
	c->kept = NULL;
	buf_put(&c->in);
	freezero(c->out, c->out_off + c->out_len);
	c->out = NULL;
	c->out_off = c->out_len = 0;
}

/*
 * Taking back whom a socket is connected to resets the connection at once, with
 * what is unsent, and is all that connect() may do here (connect(2),
 * AF_UNSPEC). SO_LINGER would do it too, but is a weapon: sandbox_linux.c.
 */
static void
conn_reset(int fd)
{
	static const struct sockaddr	nobody = { .sa_family = AF_UNSPEC };

	if (connect(fd, &nobody, sizeof(nobody.sa_family)) == -1)
		log_debug("connection %d: no reset: %s", fd, strerror(errno));
}

void
conn_close(struct conn *c, const char *why, int reset)
{
	if (c->state == CONN_DEAD)
		return;
	log_debug("connection %d: closed: %s", c->fd, why);
	crowd_leave(&c->seat);
	c->state = CONN_DEAD;
	timer_del(&c->timer);
	timer_del(&c->look);
	event_del(&c->ev_read);
	event_del(&c->ev_write);
	conn_release(c);
	if (c->fd != -1)
		plain_end(&c->plain, !reset);
	if (reset && c->fd != -1 && !(c->listen_flags & LISTEN_TLS))
		conn_reset(c->fd);
	if (c->listen_flags & LISTEN_TLS)
		imsg_close_fd(c->fd);	/* another process made it */
	else if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
	limits_conn(-1);
	TAILQ_REMOVE(&door.live, c, entry);
	TAILQ_INSERT_TAIL(&door.dead, c, entry);
	door.n--;
	gauge_move(CT_CONN_FRONT + conn_listener(c), -1);
}

int
conn_detach(struct conn *c)
{
	int	fd = c->fd;

	event_del(&c->ev_read);
	event_del(&c->ev_write);
	plain_end(&c->plain, 1);	/* the rest is its next owner's */
	c->fd = -1;
	return (fd);
}

void
conn_reap(void)
{
	struct conn	*c;

	while ((c = TAILQ_FIRST(&door.dead)) != NULL) {
		TAILQ_REMOVE(&door.dead, c, entry);
		free(c);
	}
	if ((door.stopping || (door.shut && brought_n() == 0)) &&
	    door.n == 0) {
		door.stopping = door.shut = 0;	/* we come by here again */
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
conn_leave(void)
{
	door.leaving = 1;
}

void
conn_shut(void)
{
	door.shut = 1;
}

void
conn_stop(void)
{
	struct conn	*c, *next;

	door.stopping = 1;
	for (c = TAILQ_FIRST(&door.live); c != NULL; c = next) {
		next = TAILQ_NEXT(c, entry);
		if (c->state == CONN_HEAD && c->in == NULL && c->out_len == 0)
			conn_close(c, "stopping", 0);
	}
	timer_init(&door.stop, conn_stop_now, NULL);
	timer_set(&door.stop, STOP_MS);
}
