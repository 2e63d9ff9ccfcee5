/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>

#include <event2/event.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/want.h"
#include "mux/bridge.h"

#define PULLS		4	/* full frames of one bridge in one turn */
#define SMALL		1024	/* read when the window takes no head */
#define IOV_MAX_WRITE	32
#define PIECES		64	/* of one read, to begin with */
#define CHUNK_SIZE	(64 * 1024) /* malloc maps each by itself: no holes */
#define CHUNK_DATA	(CHUNK_SIZE - 2 * sizeof(void *))
#define CHUNKS_KEPT	32	/* for the next burst: a fresh one costs its pages */

struct piece {
	const uint8_t	*p;
	size_t		 len;
	int		 next;
};

/*
 * Larger than a TLS record, and the first bytes not taken begin one: so a
 * second try to write them has at least as many in one place.
 */
struct mux_chunk {
	STAILQ_ENTRY(mux_chunk)	 entry;
	uint32_t		 off, len;
	uint8_t			 data[CHUNK_DATA];
};

static void	bridge_readable(evutil_socket_t, short, void *);
static ssize_t	bridge_read(struct mux_bridge *, uint8_t *, size_t);
static void	bridge_pull_small(struct mux_bridge *);
static void	bridge_read_nothing(struct mux_bridge *, ssize_t);
static void	bridge_writable(evutil_socket_t, short, void *);
static int	bridge_pending(struct mux_bridge *);
static ssize_t	bridge_writev(struct mux_bridge *, const struct iovec *, int);
static int	bridge_failed(struct mux_bridge *, enum mux_bridge_fault);
static int	pieces_grow(void);
static int	bridge_take(struct mux_bridge *, struct iovec *, size_t *);
static int	bridge_write_pieces(struct mux_bridge *);
static int	bridge_write_kept(struct mux_bridge *);
static int	bridge_keep(struct mux_bridge *, const uint8_t *, size_t);
static int	bridge_keep_rest(struct mux_bridge *, const struct iovec *, int,
		    size_t);
static void	bridge_wrote(struct mux_bridge *);
static struct mux_chunk *chunk_new(void);
static void	chunk_free(struct mux_bridge *, struct mux_chunk *);

/* Of the current read: all bridges take theirs from it. */
static struct {
	struct piece	*v;
	int		 n, cap;
	int		 live;		/* not written yet */
} pieces;

static struct {
	STAILQ_HEAD(, mux_chunk) list;
	unsigned		 count;
} spare;		/* all zero is an empty one, as far as it is used */

void
mux_bridge_init(struct mux_bridge *b, struct event_base *base)
{
	b->first = b->last = -1;
	STAILQ_INIT(&b->chunks);
	event_assign(&b->ev_read, base, b->fd, EV_READ | EV_PERSIST,
	    bridge_readable, b);
	event_assign(&b->ev_write, base, b->fd, EV_WRITE | EV_PERSIST,
	    bridge_writable, b);
}

void
mux_bridge_clear(struct mux_bridge *b)
{
	struct mux_chunk	*c;

	if (b->flags & MB_READING)
		event_del(&b->ev_read);
	if (b->flags & MB_WRITING)
		event_del(&b->ev_write);
	b->flags &= ~(unsigned)(MB_READING | MB_WRITING);
	for (; b->first != -1; b->first = pieces.v[b->first].next)
		pieces.live--;
	while ((c = STAILQ_FIRST(&b->chunks)) != NULL) {
		STAILQ_REMOVE_HEAD(&b->chunks, entry);
		chunk_free(b, c);
	}
	b->kept = 0;
}

/* From the descriptor. */

static void
bridge_readable(evutil_socket_t fd, short what, void *arg)
{
	struct mux_bridge	*b = arg;
	struct mux		*m = b->mux;
	int			 i;

	(void)fd;
	(void)what;
	if (!(b->flags & MB_READING))
		return;
	for (i = 0; i < PULLS; i++) {
		if (mux_bridge_pull(b) == 0)
			return;
		if (m->share < FRAME_MAX)
			break;
	}
	/* What TLS has taken from the descriptor already wakes nobody. */
	if ((b->flags & MB_READING) && (bridge_pending(b) & MUX_MORE))
		event_active(&b->ev_read, EV_READ, 0);
}

int
mux_bridge_pull(struct mux_bridge *b)
{
	size_t	 want, head = b->head;
	uint8_t	*p;
	ssize_t	 n;

	if (b->ys == NULL || (want = yamux_sendable(b->ys)) == 0) {
		mux_bridge_hold(b);
		return (0);
	}
	if (want <= head) {
		bridge_pull_small(b);
		return (0);
	}
	if (want > b->mux->share)
		want = b->mux->share;
	if (want - head > b->max)
		want = head + b->max;
	if ((p = mux_reserve(b->mux, want)) == NULL) {
		mux_bridge_hold(b);
		b->ops->wait(b);
		return (0);
	}
	n = bridge_read(b, p + head, want - head);
	if (n <= 0 && !(b->flags & MB_ALONE)) {
		bridge_read_nothing(b, n);
		return (0);
	}
	if (n < 0)
		n = 0;		/* not yet; the head goes alone */
	b->flags &= ~(unsigned)MB_ALONE;
	if (head > 0)
		b->ops->header(b, p, (size_t)n);
	if (mux_send(b->mux, b->ys, p, head + (size_t)n) == -1)
		return (0);
	b->out += head + (size_t)n;
	return (head + (size_t)n == want || (bridge_pending(b) & MUX_MORE));
}

static ssize_t
bridge_read(struct mux_bridge *b, uint8_t *p, size_t len)
{
	return (b->ops->read == NULL ? recv(b->fd, p, len, 0) :
	    b->ops->read(b, p, len));
}

static void
bridge_pull_small(struct mux_bridge *b)
{
	uint8_t	buf[SMALL];
	ssize_t	n;

	if (b->ops->narrow == NULL) {
		mux_bridge_hold(b);
		return;
	}
	n = bridge_read(b, buf + b->head, sizeof(buf) - b->head);
	if (n <= 0) {
		bridge_read_nothing(b, n);
		return;
	}
	b->ops->header(b, buf, (size_t)n);
	b->ops->narrow(b, buf, b->head + (size_t)n);
}

/* It has said nothing: not now, or never again. The bridge may be gone. */
static void
bridge_read_nothing(struct mux_bridge *b, ssize_t n)
{
	if (n == 0 || ((errno == EAGAIN || errno == EINTR) &&
	    (b->flags & MB_LAST))) {
		b->flags |= MB_EOF;
		mux_bridge_hold(b);
		b->ops->eof(b);
	} else if (errno != EAGAIN && errno != EINTR)
		(void)b->ops->failed(b, MB_READ);
	else if (bridge_pending(b) & MUX_ROOM)
		bridge_wrote(b);
}

static int
bridge_pending(struct mux_bridge *b)
{
	return (b->ops->pending == NULL ? 0 : b->ops->pending(b));
}

void
mux_bridge_resume(struct mux_bridge *b)
{
	if (b->flags & (MB_READING | MB_EOF))
		return;
	event_want(&b->ev_read, NULL);
	b->flags |= MB_READING;
	if (bridge_pending(b) & MUX_MORE)
		event_active(&b->ev_read, EV_READ, 0);
}

void
mux_bridge_hold(struct mux_bridge *b)
{
	if (b->flags & MB_READING) {
		event_del(&b->ev_read);
		b->flags &= ~(unsigned)MB_READING;
	}
	if (b->ops->held != NULL)
		b->ops->held(b);
}

void
mux_bridge_finish(struct mux_bridge *b)
{
	b->flags |= MB_LAST;
	if (b->flags & MB_READING)
		event_active(&b->ev_read, EV_READ, 0);
}

/* To the descriptor. */

void
mux_bridge_consumed(struct mux_bridge *b, size_t n)
{
	if (n > 0 && b->ys != NULL)
		yamux_consumed(b->ys, n, clock_ns());
}

/* Behind what is kept, else as a piece of this read. */
int
mux_bridge_deliver(struct mux_bridge *b, const uint8_t *p, size_t len)
{
	struct piece	*v;

	if (b->kept > 0 || (b->flags & MB_DEAF))
		return (bridge_keep(b, p, len));
	if (pieces.n == pieces.cap && pieces_grow() == -1) {
		if (bridge_failed(b, MB_NOMEM) == -1)
			return (-1);
		mux_bridge_consumed(b, len);
		return (0);
	}
	v = &pieces.v[pieces.n];
	v->p = p;
	v->len = len;
	v->next = -1;
	if (b->first == -1)
		b->first = pieces.n;
	else
		pieces.v[b->last].next = pieces.n;
	b->last = pieces.n++;
	pieces.live++;
	b->ops->touch(b);
	return (0);
}

/*
 * Not flushed when full: a flush may end the very stream that yamux is about
 * to speak of. A read's length bounds it: no piece without a 12-byte header.
 */
static int
pieces_grow(void)
{
	struct piece	*v;
	int cap = pieces.cap == 0 ? PIECES : pieces.cap * 2;

	v = reallocarray(pieces.v, (size_t)cap, sizeof(*v));
	if (v == NULL)
		return (-1);
	pieces.v = v;
	pieces.cap = cap;
	return (0);
}

void
mux_bridge_flush(struct mux_bridge *b)
{
	if (b->kept > 0 && !(b->flags & MB_WRITING) &&
	    bridge_write_kept(b) == -1)
		return;
	if (b->first != -1 && bridge_write_pieces(b) == -1)
		return;
	bridge_wrote(b);
}

int
mux_bridge_through(const struct mux_bridge *b)
{
	return (b->kept == 0 && b->first == -1);
}

/* Take the first pieces off; how many, and *want bytes in all. */
static int
bridge_take(struct mux_bridge *b, struct iovec *iov, size_t *want)
{
	struct piece	*v;
	int		 k;

	for (k = 0, *want = 0; b->first != -1 && k < IOV_MAX_WRITE; k++) {
		v = &pieces.v[b->first];
		iov[k].iov_base = (void *)(uintptr_t)v->p;
		iov[k].iov_len = v->len;
		*want += v->len;
		b->first = v->next;
	}
	if ((pieces.live -= k) == 0)
		pieces.n = 0;
	return (k);
}

/* All pieces, a writev for each 32; what is left is kept. -1: it is gone. */
static int
bridge_write_pieces(struct mux_bridge *b)
{
	struct iovec	 iov[IOV_MAX_WRITE];
	size_t		 want, done = 0;
	ssize_t		 n;
	int		 k;

	while (b->first != -1) {
		k = bridge_take(b, iov, &want);
		n = b->kept > 0 || (b->flags & MB_DEAF) ? 0 :
		    bridge_writev(b, iov, k);
		if (n == -1 && errno != EAGAIN && errno != EINTR &&
		    bridge_failed(b, MB_WRITE) == -1)
			return (-1);
		if (n == -1)
			n = 0;
		done += (size_t)n;
		if ((size_t)n < want &&
		    bridge_keep_rest(b, iov, k, (size_t)n) == -1)
			return (-1);
	}
	mux_bridge_consumed(b, done);
	return (0);
}

/* One piece is most; send() has no vector to look at. */
static ssize_t
bridge_writev(struct mux_bridge *b, const struct iovec *iov, int k)
{
	if (b->ops->writev != NULL)
		return (b->ops->writev(b, iov, k));
	return (k == 1 ? send(b->fd, iov->iov_base, iov->iov_len,
	    MSG_NOSIGNAL) : writev(b->fd, iov, k));
}

/* Keep what writev left of `k` pieces after `done` bytes. */
static int
bridge_keep_rest(struct mux_bridge *b, const struct iovec *iov, int k,
    size_t done)
{
	int	i;

	for (i = 0; i < k; i++) {
		if (done >= iov[i].iov_len) {
			done -= iov[i].iov_len;
			continue;
		}
		if (bridge_keep(b, (const uint8_t *)iov[i].iov_base + done,
		    iov[i].iov_len - done) == -1)
			return (-1);
		done = 0;
	}
	return (0);
}

/* Copy bytes that it does not take now. -1: the bridge is gone. */
static int
bridge_keep(struct mux_bridge *b, const uint8_t *p, size_t len)
{
	struct mux_chunk	*c;
	size_t			 n;

	while (len > 0 && !(b->flags & MB_DEAF)) {
		c = STAILQ_EMPTY(&b->chunks) ? NULL : b->newest;
		if (c == NULL || c->off + c->len == CHUNK_DATA) {
			if ((c = chunk_new()) == NULL) {
				if (bridge_failed(b, MB_NOMEM) == -1)
					return (-1);
				break;
			}
			c->off = c->len = 0;
			STAILQ_INSERT_TAIL(&b->chunks, c, entry);
			b->newest = c;
		}
		n = CHUNK_DATA - c->off - c->len;
		if (n > len)
			n = len;
		memcpy(c->data + c->off + c->len, p, n);
		c->len += (uint32_t)n;
		b->kept += n;
		p += n;
		len -= n;
	}
	mux_bridge_consumed(b, len);	/* nobody wants it any more */
	return (0);
}

/* What was kept, as far as it is taken. -1: the bridge is gone. */
static int
bridge_write_kept(struct mux_bridge *b)
{
	struct iovec		 iov[IOV_MAX_WRITE];
	struct mux_chunk	*c;
	ssize_t			 n, left;
	int			 k = 0;

	STAILQ_FOREACH(c, &b->chunks, entry) {
		if (k == IOV_MAX_WRITE)
			break;
		iov[k].iov_base = c->data + c->off;
		iov[k++].iov_len = c->len;
	}
	if (k == 0)
		return (0);
	if ((n = bridge_writev(b, iov, k)) == -1)
		return (errno == EAGAIN || errno == EINTR ? 0 :
		    bridge_failed(b, MB_WRITE));
	b->kept -= (size_t)n;
	mux_bridge_consumed(b, (size_t)n);
	for (left = n; (c = STAILQ_FIRST(&b->chunks)) != NULL;) {
		if ((ssize_t)c->len > left) {
			c->off += (uint32_t)left;
			c->len -= (uint32_t)left;
			break;
		}
		left -= (ssize_t)c->len;
		STAILQ_REMOVE_HEAD(&b->chunks, entry);
		chunk_free(b, c);
	}
	return (0);
}

/* 0: it lives and is deaf, what was kept is dropped; -1: it is gone. */
static int
bridge_failed(struct mux_bridge *b, enum mux_bridge_fault fault)
{
	struct mux_chunk	*c;

	if (b->ops->failed(b, fault) == -1)
		return (-1);
	b->flags |= MB_DEAF;
	while ((c = STAILQ_FIRST(&b->chunks)) != NULL) {
		STAILQ_REMOVE_HEAD(&b->chunks, entry);
		chunk_free(b, c);
	}
	mux_bridge_consumed(b, b->kept);
	b->kept = 0;
	return (0);
}

void
mux_bridge_last(struct mux_bridge *b)
{
	struct iovec	iov[IOV_MAX_WRITE];
	size_t		want;
	int		k;

	while (b->kept == 0 && b->first != -1) {
		k = bridge_take(b, iov, &want);
		if (bridge_writev(b, iov, k) != (ssize_t)want)
			break;
	}
}

static void
bridge_writable(evutil_socket_t fd, short what, void *arg)
{
	struct mux_bridge	*b = arg;

	(void)fd;
	(void)what;
	if (bridge_pending(b) & MUX_ROOM)
		event_active(&b->ev_read, EV_READ, 0);
	if (bridge_write_kept(b) == 0)
		bridge_wrote(b);
}

/* After a write: wait for room, or pass on the end that stood behind it. */
static void
bridge_wrote(struct mux_bridge *b)
{
	int	want = b->kept > 0 || (bridge_pending(b) & MUX_ROOM);

	if (want && !(b->flags & MB_WRITING)) {
		event_want(&b->ev_write, NULL);
		b->flags |= MB_WRITING;
	} else if (!want && (b->flags & MB_WRITING)) {
		event_del(&b->ev_write);
		b->flags &= ~(unsigned)MB_WRITING;
	}
	b->ops->wrote(b);
}

/* Memory. */

static struct mux_chunk *
chunk_new(void)
{
	struct mux_chunk	*c;

	if ((c = STAILQ_FIRST(&spare.list)) == NULL)
		return (malloc(sizeof(*c)));
	STAILQ_REMOVE_HEAD(&spare.list, entry);
	spare.count--;
	return (c);
}

static void
chunk_free(struct mux_bridge *b, struct mux_chunk *c)
{
	if (spare.count == CHUNKS_KEPT) {
		free(c);
		return;
	}
	STAILQ_INSERT_HEAD(&spare.list, c, entry);
	spare.count++;
	mux_used(b->mux);
}

void
mux_bridge_trim(void)
{
	struct mux_chunk	*c;

	while ((c = STAILQ_FIRST(&spare.list)) != NULL) {
		STAILQ_REMOVE_HEAD(&spare.list, entry);
		free(c);
	}
	spare.count = 0;
	if (pieces.live == 0) {
		free(pieces.v);
		memset(&pieces, 0, sizeof(pieces));
	}
}
