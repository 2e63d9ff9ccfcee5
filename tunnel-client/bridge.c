/* SPDX-License-Identifier: ISC */
/*
 * mux/bridge.h carries the bytes; here is what an end of one side means to the
 * other. A half-close is passed on, both ways (T22).
 */
#include <sys/queue.h>

#include <errno.h>
#include <stdlib.h>

#include "bridge.h"
#include "base/clock.h"
#include "base/log.h"
#include "mux/bridge.h"
#include "tunnel.h"

#define IDLE_MS		60000	/* with one direction closed: 5.2 */
#define IDLE_LONG_MS	(12 * 3600 * 1000)	/* where the server ends it before */

#define LEFT_MAX	64	/* whose stream is over */

#define BF_FIN		0x01	/* the server will say no more */
#define BF_SHUT		0x02	/* and the descriptor knows */
#define BF_REFUSED	0x04	/* the filter has had enough */
#define BF_LEFT		0x08	/* its stream is over */
#define BF_WITHDRAWN	0x10	/* nothing of it may arrive any more */

struct bridge {
	struct mux_bridge	 m;	/* first: see bridge_of() */
	TAILQ_ENTRY(bridge)	 entry;	/* in left, with BF_LEFT */
	struct stream		*st;	/* NULL: over, but bytes are kept */
	struct sock		 sock;
	struct bridge_how	 how;
	unsigned		 flags;
	struct timer		 idle;
	uint64_t		 moved_ms;	/* once a side has ended */
};

static void	bridge_data(struct stream *, const uint8_t *, size_t);
static void	bridge_fin(struct stream *);
static void	bridge_flush(struct stream *);
static void	bridge_room(struct stream *);
static void	bridge_gone(struct stream *, int);
static void	bridge_withdraw(struct stream *, const char *);
static void	bridge_touch(struct mux_bridge *);
static void	bridge_wait(struct mux_bridge *);
static void	bridge_wrote(struct mux_bridge *);
static void	bridge_eof(struct mux_bridge *);
static int	bridge_failed(struct mux_bridge *, enum mux_bridge_fault);
static void	bridge_header(struct mux_bridge *, uint8_t *, size_t);
static void	bridge_narrow(struct mux_bridge *, const uint8_t *, size_t);
static ssize_t	bridge_read(struct mux_bridge *, void *, size_t);
static ssize_t	bridge_writev(struct mux_bridge *, const struct iovec *, int);
static int	bridge_pending(struct mux_bridge *);
static void	bridge_done(struct bridge *);
static void	bridge_abort(struct bridge *);
static void	bridge_half(struct bridge *);
static void	bridge_idle(void *);
static void	bridge_free(struct bridge *);

static const struct stream_ops bridge_ops = { .name = "bridge",
    .data = bridge_data, .fin = bridge_fin, .flush = bridge_flush,
    .room = bridge_room, .gone = bridge_gone, .withdraw = bridge_withdraw };

static const struct mux_bridge_ops mux_ops = {
	.touch = bridge_touch,
	.wait = bridge_wait,
	.wrote = bridge_wrote,
	.eof = bridge_eof,
	.failed = bridge_failed,
	.header = bridge_header,
	.narrow = bridge_narrow,
	.read = bridge_read,
	.writev = bridge_writev,
	.pending = bridge_pending,
};

/* No limit of the tunnel counts these. The oldest is first. */
static TAILQ_HEAD(, bridge)	left = TAILQ_HEAD_INITIALIZER(left);
static unsigned			n_left;
static int			server_halves;

void
bridges_negotiated(int halves)
{
	server_halves = halves;
}

static struct bridge *
bridge_of(struct mux_bridge *m)
{
	return ((struct bridge *)m);
}

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
	b->m.ops = &mux_ops;
	b->m.mux = tunnel_mux();
	b->m.ys = st->ys;
	b->m.fd = c->fd;
	b->m.head = b->how.head;
	b->m.max = b->how.max == 0 ? FRAME_MAX : b->how.max;
	mux_bridge_init(&b->m, net_base());
	timer_init(&b->idle, bridge_idle, b);
	stream_become(st, &bridge_ops, b);
	bridge_room(st);
	return (0);
}

/* What the stream says. */

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

	mux_bridge_flush(&b->m);
}

/* What was said before must be placed: until then there will be room again. */
static void
bridge_room(struct stream *st)
{
	struct bridge	*b = st->arg;

	if (st->tx == NULL)
		mux_bridge_resume(&b->m);
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
	b->m.ys = NULL;
	mux_bridge_hold(&b->m);
	if (!clean || b->how.together) {
		bridge_free(b);
		return;
	}
	bridge_half(b);
	b->flags |= BF_LEFT;
	TAILQ_INSERT_TAIL(&left, b, entry);
	if (++n_left > LEFT_MAX)
		bridge_free(TAILQ_FIRST(&left));
	mux_bridge_flush(&b->m);
}

void
bridges_withdraw(void)
{
	struct bridge	*b;

	while ((b = TAILQ_FIRST(&left)) != NULL) {
		b->flags |= BF_WITHDRAWN;
		bridge_free(b);
	}
}

/* Nothing that is under way is written any more, nor by the kernel. */
static void
bridge_withdraw(struct stream *st, const char *why)
{
	struct bridge	*b = st->arg;
	uint8_t		 text[BRIDGE_FAREWELL];
	size_t		 n = 0;

	if (b->how.farewell != NULL)
		n = b->how.farewell(text, why);
	b->flags |= BF_WITHDRAWN;
	bridge_gone(st, 0);
	if (n > 0 && stream_send(st, text, n) == 0)
		stream_done(st);
	else
		stream_reset(st);
}

/* What the filter says. */

void
bridge_deliver(struct bridge *b, const uint8_t *p, size_t len)
{
	b->st->received += len;
	(void)mux_bridge_deliver(&b->m, p, len);
}

void
bridge_consumed(struct bridge *b, size_t n)
{
	mux_bridge_consumed(&b->m, n);
}

int
bridge_fd(const struct bridge *b)
{
	return (b->sock.fd);
}

void
bridge_refuse(struct bridge *b)
{
	b->flags |= BF_REFUSED;
	stream_touch(b->st);
}

void
bridge_finish(struct bridge *b)
{
	mux_bridge_finish(&b->m);
}

/* What mux/bridge.h asks for. */

static void
bridge_touch(struct mux_bridge *m)
{
	stream_touch(bridge_of(m)->st);
}

static void
bridge_wait(struct mux_bridge *m)
{
	stream_wait(bridge_of(m)->st);
}

/* After a write: pass on the end that stood behind it. */
static void
bridge_wrote(struct mux_bridge *m)
{
	struct bridge	*b = bridge_of(m);

	if ((m->flags & MB_EOF) || (b->flags & BF_SHUT))
		b->moved_ms = clock_ms();
	if (b->flags & BF_REFUSED) {
		bridge_abort(b);
		return;
	}
	if (m->kept > 0)
		return;
	if (b->st == NULL)			/* the last bytes are out */
		bridge_free(b);
	else if ((m->flags & MB_DEAF) && (m->flags & MB_EOF))
		bridge_abort(b);
	else if ((b->flags & (BF_FIN | BF_SHUT)) == BF_FIN) {
		b->flags |= BF_SHUT;
		if ((m->flags & MB_EOF) || b->how.together) {
			bridge_done(b);
			return;
		}
		sock_shut(&b->sock);
		bridge_half(b);
	}
}

static void
bridge_eof(struct mux_bridge *m)
{
	struct bridge	*b = bridge_of(m);

	if (b->how.ending == NULL || b->how.ending(b->how.arg, b))
		bridge_ended(b);
}

void
bridge_ended(struct bridge *b)
{
	stream_fin(b->st);
	if ((b->flags & BF_SHUT) || (b->m.flags & MB_DEAF) || b->how.together)
		bridge_done(b);
	else
		bridge_half(b);
}

void
bridge_say(struct bridge *b, const uint8_t *p, size_t len)
{
	if (stream_send(b->st, p, len) == -1)
		log_warnx("out of memory: an end is not told");
}

/* Who takes no more may still say something that is worth reading. */
static int
bridge_failed(struct mux_bridge *m, enum mux_bridge_fault fault)
{
	struct bridge	*b = bridge_of(m);

	if (fault == MB_NOMEM)
		log_warnx("out of memory: a stream is cut");
	if (fault != MB_READ)
		return (0);
	/* A terminal whose last process is gone says EIO: its end of file. */
	if (errno == EIO && b->how.together) {
		m->flags |= MB_EOF;
		mux_bridge_hold(m);
		bridge_eof(m);
	} else
		bridge_abort(b);
	return (-1);
}

static void
bridge_header(struct mux_bridge *m, uint8_t *p, size_t len)
{
	bridge_of(m)->how.header(p, len);
}

/* What is said now waits in the stream. */
static void
bridge_narrow(struct mux_bridge *m, const uint8_t *p, size_t len)
{
	struct bridge	*b = bridge_of(m);

	if (stream_send(b->st, p, len) == -1)
		bridge_abort(b);
	else if (b->st->tx != NULL)
		mux_bridge_hold(m);
}

static ssize_t
bridge_read(struct mux_bridge *m, void *buf, size_t len)
{
	struct bridge	*b = bridge_of(m);
	ssize_t		 n = sock_read(&b->sock, buf, len);

	if (n > 0 && (b->flags & BF_SHUT))
		b->moved_ms = clock_ms();
	if (n > 0 && b->st != NULL)
		b->st->sent += (uint64_t)n;
	return (n);
}

static ssize_t
bridge_writev(struct mux_bridge *m, const struct iovec *iov, int n)
{
	return (sock_writev(&bridge_of(m)->sock, iov, n));
}

static int
bridge_pending(struct mux_bridge *m)
{
	struct bridge	*b = bridge_of(m);

	return ((sock_pending(&b->sock) ? MUX_MORE : 0) |
	    (b->sock.want_write ? MUX_ROOM : 0));
}

/* Ends. */

static uint64_t
idle_ms(const struct bridge *b)
{
	return (server_halves && b->st != NULL ? IDLE_LONG_MS : IDLE_MS);
}

/* One direction has ended: the other may go on while something moves. */
static void
bridge_half(struct bridge *b)
{
	b->moved_ms = clock_ms();
	timer_set(&b->idle, idle_ms(b));
}

static void
bridge_idle(void *arg)
{
	struct bridge	*b = arg;
	uint64_t	 idle = clock_ms() - b->moved_ms;

	if (idle < idle_ms(b)) {
		timer_set(&b->idle, idle_ms(b) - idle);
		return;
	}
	log_debug("stream: half closed and idle for too long");
	bridge_abort(b);
}

/* Both sides have said all they had to say. */
static void
bridge_done(struct bridge *b)
{
	stream_done(b->st);
	b->st = NULL;
	bridge_free(b);
}

static void
bridge_abort(struct bridge *b)
{
	if (b->st != NULL)
		stream_reset(b->st);
	b->st = NULL;
	bridge_free(b);
}

static void
bridge_free(struct bridge *b)
{
	if (b->flags & BF_LEFT) {
		TAILQ_REMOVE(&left, b, entry);
		n_left--;
	}
	mux_bridge_clear(&b->m);
	timer_del(&b->idle);
	if (b->flags & BF_WITHDRAWN)
		sock_reset(&b->sock);
	else
		sock_close(&b->sock);
	if (b->how.gone != NULL)
		b->how.gone(b->how.arg);
	free(b);
}
