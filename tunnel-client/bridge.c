/* SPDX-License-Identifier: ISC */
/*
 * To the descriptor: what one read of the tunnel brought is collected as
 * pieces and written with one call; what is not taken is copied and kept, and
 * credit goes back for what was written only, so that at most a window is kept.
 * From it: read straight into the tunnel's buffer, while window and buffer have
 * room. A half-close is passed on, both ways (T22).
 */
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/event_struct.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bridge.h"
#include "base/clock.h"
#include "base/log.h"
#include "tunnel.h"

#define PIECES		16
#define PULLS		4	/* full frames in one turn */
#define IDLE_MS		60000	/* with one direction closed: 5.2 */
#define KEPT_WRITE	16384	/* at least as long as a TLS record */

#define BF_READING	0x01	/* the read event is set */
#define BF_WRITING	0x02
#define BF_FIN		0x04	/* the server will say no more */
#define BF_SHUT		0x08	/* and the descriptor knows */
#define BF_EOF		0x10	/* the descriptor will say no more */
#define BF_DEAF		0x20	/* nor take any more */
#define BF_LAST		0x40	/* what is there now is all it has to say */
#define BF_REFUSED	0x80	/* the filter has had enough */

struct bridge {
	struct stream		*st;	/* NULL: over, but kept has bytes */
	struct sock		 sock;
	struct bridge_how	 how;
	struct event		 ev_read, ev_write;
	unsigned		 flags;
	struct iovec		 piece[PIECES];
	int			 npieces;
	size_t			 pieces_len;
	struct evbuffer		*kept;
	struct timer		 idle;
	uint64_t		 moved_ms;	/* once a side has ended */
};

static void	bridge_data(struct stream *, const uint8_t *, size_t);
static void	bridge_fin(struct stream *);
static void	bridge_flush(struct stream *);
static void	bridge_room(struct stream *);
static void	bridge_gone(struct stream *, int);
static void	bridge_readable(evutil_socket_t, short, void *);
static void	bridge_writable(evutil_socket_t, short, void *);
static int	bridge_pull(struct bridge *);
static int	bridge_pull_small(struct bridge *);
static void	bridge_read_nothing(struct bridge *, ssize_t);
static void	bridge_eof(struct bridge *);
static void	bridge_read_failed(struct bridge *);
static void	bridge_read_on(struct bridge *);
static void	bridge_read_off(struct bridge *);
static void	bridge_write_pieces(struct bridge *);
static void	bridge_write_kept(struct bridge *);
static void	bridge_deaf(struct bridge *);
static int	bridge_wrote(struct bridge *);
static void	bridge_abort(struct bridge *);
static void	bridge_half(struct bridge *);
static void	bridge_idle(void *);
static void	bridge_free(struct bridge *);

static const struct stream_ops bridge_ops = { .name = "bridge",
    .data = bridge_data, .fin = bridge_fin, .flush = bridge_flush,
    .room = bridge_room, .gone = bridge_gone };

int
bridge_start(struct stream *st, struct sock *c, const struct bridge_how *how)
{
	struct bridge	*b;

	if ((b = calloc(1, sizeof(*b))) == NULL)
		return (-1);
	b->st = st;
	b->sock = *c;
	if (how != NULL)
		b->how = *how;
	if (b->how.max == 0 || b->how.max > FRAME_MAX - b->how.head)
		b->how.max = FRAME_MAX - b->how.head;
	timer_init(&b->idle, bridge_idle, b);
	event_assign(&b->ev_read, net_base(), c->fd, EV_READ | EV_PERSIST,
	    bridge_readable, b);
	event_assign(&b->ev_write, net_base(), c->fd, EV_WRITE | EV_PERSIST,
	    bridge_writable, b);
	stream_become(st, &bridge_ops, b);
	bridge_read_on(b);
	return (0);
}

/* To the descriptor. */

static void
bridge_data(struct stream *st, const uint8_t *p, size_t len)
{
	struct bridge	*b = st->arg;

	if (b->flags & BF_REFUSED)
		stream_consumed(st, len);
	else if (b->how.filter != NULL)
		b->how.filter(b->how.arg, b, p, len);
	else
		bridge_deliver(b, p, len);
}

void
bridge_deliver(struct bridge *b, const uint8_t *p, size_t len)
{
	if (b->flags & BF_DEAF) {
		stream_consumed(b->st, len);
		return;
	}
	if (b->npieces == PIECES)
		bridge_write_pieces(b);
	b->piece[b->npieces].iov_base = (void *)(uintptr_t)p;
	b->piece[b->npieces++].iov_len = len;
	b->pieces_len += len;
	stream_touch(b->st);
}

void
bridge_consumed(struct bridge *b, size_t n)
{
	stream_consumed(b->st, n);
}

int
bridge_fd(const struct bridge *b)
{
	return (b->sock.fd);
}

static void
bridge_fin(struct stream *st)
{
	struct bridge	*b = st->arg;

	b->flags |= BF_FIN;
	stream_touch(st);	/* behind the data of this read */
}

static void
bridge_flush(struct stream *st)
{
	struct bridge	*b = st->arg;

	bridge_write_pieces(b);
	if (b->flags & BF_REFUSED)
		bridge_abort(b);
	else
		(void)bridge_wrote(b);
}

/* As far as it is taken; the rest is kept. Frees nothing. */
static void
bridge_write_pieces(struct bridge *b)
{
	ssize_t	n = 0;
	size_t	done;
	int	i;

	if (b->npieces == 0)
		return;
	if (b->kept == NULL && !(b->flags & BF_DEAF)) {
		n = sock_writev(&b->sock, b->piece, b->npieces);
		if (n == -1 && errno != EAGAIN && errno != EINTR)
			bridge_deaf(b);
		if (n == -1)
			n = 0;
	}
	if (b->flags & BF_DEAF)
		n = (ssize_t)b->pieces_len;
	done = (size_t)n;
	if (b->st != NULL)
		stream_consumed(b->st, done);
	for (i = 0; done < b->pieces_len && i < b->npieces; i++) {
		if ((size_t)n >= b->piece[i].iov_len) {
			n -= (ssize_t)b->piece[i].iov_len;
			continue;
		}
		if ((b->kept == NULL && (b->kept = evbuffer_new()) == NULL) ||
		    evbuffer_add(b->kept, (uint8_t *)b->piece[i].iov_base + n,
		    b->piece[i].iov_len - (size_t)n) == -1) {
			log_warnx("out of memory: a stream is cut");
			bridge_deaf(b);
			break;
		}
		n = 0;
	}
	b->npieces = 0;
	b->pieces_len = 0;
}

static void
bridge_write_kept(struct bridge *b)
{
	struct evbuffer_iovec	iov[PIECES];
	size_t			len;
	ssize_t			n;
	int			k;

	if (b->kept == NULL)
		return;
	/* TLS wants to see at least the bytes of its last try in one piece. */
	len = evbuffer_get_length(b->kept);
	if (b->sock.ssl != NULL && evbuffer_pullup(b->kept,
	    (ev_ssize_t)(len < KEPT_WRITE ? len : KEPT_WRITE)) == NULL) {
		bridge_deaf(b);
		return;
	}
	k = evbuffer_peek(b->kept, -1, NULL, iov, PIECES);
	n = sock_writev(&b->sock, (struct iovec *)iov, k < PIECES ? k :
	    PIECES);
	if (n == -1) {
		if (errno != EAGAIN && errno != EINTR)
			bridge_deaf(b);
		return;
	}
	evbuffer_drain(b->kept, (size_t)n);
	if (b->st != NULL)
		stream_consumed(b->st, (size_t)n);
	if (evbuffer_get_length(b->kept) == 0) {
		evbuffer_free(b->kept);
		b->kept = NULL;
	}
}

/* It takes no more. What it still says is worth reading, though. */
static void
bridge_deaf(struct bridge *b)
{
	if (b->kept != NULL) {
		if (b->st != NULL)
			stream_consumed(b->st, evbuffer_get_length(b->kept));
		evbuffer_free(b->kept);
	}
	b->kept = NULL;
	b->flags |= BF_DEAF;
}

static void
bridge_writable(evutil_socket_t fd, short what, void *arg)
{
	struct bridge	*b = arg;

	(void)fd;
	(void)what;
	if (b->sock.want_write)
		event_active(&b->ev_read, EV_READ, 0);
	bridge_write_kept(b);
	(void)bridge_wrote(b);
}

/*
 * After a write: wait for room, or pass on the end that stood behind it. -1:
 * the bridge is gone.
 */
static int
bridge_wrote(struct bridge *b)
{
	int	want = b->kept != NULL || b->sock.want_write;

	if (want && !(b->flags & BF_WRITING)) {
		event_add(&b->ev_write, NULL);
		b->flags |= BF_WRITING;
	} else if (!want && (b->flags & BF_WRITING)) {
		event_del(&b->ev_write);
		b->flags &= ~(unsigned)BF_WRITING;
	}
	if (b->flags & (BF_EOF | BF_SHUT))
		b->moved_ms = clock_ms();
	if (b->kept != NULL)
		return (0);
	if (b->st == NULL) {			/* the last bytes are out */
		bridge_free(b);
		return (-1);
	}
	if ((b->flags & BF_DEAF) && (b->flags & BF_EOF)) {
		bridge_abort(b);
		return (-1);
	}
	if ((b->flags & (BF_FIN | BF_SHUT)) != BF_FIN)
		return (0);
	b->flags |= BF_SHUT;
	if ((b->flags & BF_EOF) || b->how.together) {
		stream_done(b->st);
		b->st = NULL;
		bridge_free(b);
		return (-1);
	}
	sock_shut(&b->sock);
	bridge_half(b);
	return (0);
}

/* From the descriptor. */

static void
bridge_readable(evutil_socket_t fd, short what, void *arg)
{
	struct bridge	*b = arg;
	int		 i;

	(void)fd;
	(void)what;
	for (i = 0; i < PULLS && bridge_pull(b); i++)
		;
}

/* One frame. 1: there is probably more; else the bridge may be gone. */
static int
bridge_pull(struct bridge *b)
{
	size_t	 want, head = b->how.head;
	uint8_t	*p;
	ssize_t	 n;

	if (b->st == NULL || (b->flags & BF_EOF) ||
	    (want = stream_sendable(b->st)) == 0) {
		bridge_read_off(b);	/* bridge_room() will come */
		return (0);
	}
	if (want <= head)
		return (bridge_pull_small(b));
	want -= head;
	if (want > b->how.max)
		want = b->how.max;
	if ((p = mux_reserve(tunnel_mux(), head + want)) == NULL) {
		bridge_read_off(b);
		stream_wait(b->st);
		return (0);
	}
	if ((n = sock_read(&b->sock, p + head, want)) <= 0) {
		bridge_read_nothing(b, n);
		return (0);
	}
	if (head > 0)
		b->how.header(p, (size_t)n);
	if (mux_send(tunnel_mux(), b->st->ys, p, head + (size_t)n) == -1)
		return (0);
	if (b->flags & BF_SHUT)
		b->moved_ms = clock_ms();
	return ((size_t)n == want || sock_pending(&b->sock));
}

/*
 * The window takes a few bytes only, less than a header: nobody would tell of
 * its growth, since it is not empty. What is said now waits in the stream.
 */
static int
bridge_pull_small(struct bridge *b)
{
	uint8_t	buf[1024];
	ssize_t	n;

	n = sock_read(&b->sock, buf + b->how.head, sizeof(buf) - b->how.head);
	if (n <= 0) {
		bridge_read_nothing(b, n);
		return (0);
	}
	b->how.header(buf, (size_t)n);
	if (stream_send(b->st, buf, b->how.head + (size_t)n) == -1)
		bridge_abort(b);
	return (0);
}

/* It has said nothing: not now, or never again. The bridge may be gone. */
static void
bridge_read_nothing(struct bridge *b, ssize_t n)
{
	if (n == 0)
		bridge_eof(b);
	else if (errno != EAGAIN && errno != EINTR)
		bridge_read_failed(b);
	else if (b->flags & BF_LAST)
		bridge_eof(b);
	else if (b->sock.want_write)
		(void)bridge_wrote(b);
}

static void
bridge_eof(struct bridge *b)
{
	b->flags |= BF_EOF;
	bridge_read_off(b);
	stream_fin(b->st);
	if ((b->flags & (BF_SHUT | BF_DEAF)) || b->how.together) {
		stream_done(b->st);
		b->st = NULL;
		bridge_free(b);
		return;
	}
	bridge_half(b);
}

/* A terminal whose last process is gone says EIO: that is its end of file. */
static void
bridge_read_failed(struct bridge *b)
{
	if (errno == EIO && b->how.together)
		bridge_eof(b);
	else
		bridge_abort(b);
}

static void
bridge_room(struct stream *st)
{
	struct bridge	*b = st->arg;

	bridge_read_on(b);
}

static void
bridge_read_on(struct bridge *b)
{
	if (b->flags & (BF_READING | BF_EOF))
		return;
	if (event_add(&b->ev_read, NULL) == 0)
		b->flags |= BF_READING;
	if (sock_pending(&b->sock))
		event_active(&b->ev_read, EV_READ, 0);
}

static void
bridge_read_off(struct bridge *b)
{
	if (b->flags & BF_READING)
		event_del(&b->ev_read);
	b->flags &= ~(unsigned)BF_READING;
}

/* Ends. */

/* One direction has ended: the other may go on while something moves. */
static void
bridge_half(struct bridge *b)
{
	b->moved_ms = clock_ms();
	if (!timer_is_set(&b->idle))
		timer_set(&b->idle, IDLE_MS);
}

static void
bridge_idle(void *arg)
{
	struct bridge	*b = arg;
	uint64_t	 idle = clock_ms() - b->moved_ms;

	if (idle < IDLE_MS) {
		timer_set(&b->idle, IDLE_MS - idle);
		return;
	}
	log_debug("stream: half closed and idle for a minute");
	bridge_abort(b);
}

void
bridge_refuse(struct bridge *b)
{
	b->flags |= BF_REFUSED;
	stream_touch(b->st);
}

static void
bridge_abort(struct bridge *b)
{
	if (b->st != NULL)
		stream_reset(b->st);
	b->st = NULL;
	bridge_free(b);
}

void
bridge_finish(struct bridge *b)
{
	b->flags |= BF_LAST;
	if (b->flags & BF_READING)
		event_active(&b->ev_read, EV_READ, 0);
}

/*
 * The stream is over. What the server had said before its FIN is still written;
 * a reset takes it away.
 */
static void
bridge_gone(struct stream *st, int clean)
{
	struct bridge	*b = st->arg;

	b->st = NULL;
	bridge_read_off(b);
	if (!clean || b->how.together) {
		bridge_free(b);
		return;
	}
	bridge_write_pieces(b);
	if (bridge_wrote(b) == 0)
		bridge_half(b);
}

static void
bridge_free(struct bridge *b)
{
	bridge_read_off(b);
	if (b->flags & BF_WRITING)
		event_del(&b->ev_write);
	timer_del(&b->idle);
	sock_close(&b->sock);
	if (b->kept != NULL)
		evbuffer_free(b->kept);
	if (b->how.gone != NULL)
		b->how.gone(b->how.arg);
	free(b);
}
