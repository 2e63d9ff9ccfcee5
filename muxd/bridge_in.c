/* SPDX-License-Identifier: ISC */
/*
 * From the client to the asker. What one read of the tunnel's socket brought
 * is collected as pieces, borrowed from the input buffer, and written with one
 * writev per stream. What the asker does not take is copied and kept; credit
 * goes back only for what was written, so at most one window is kept. The
 * first line is the client's reply and is looked at; the rest passes as it is.
 */
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <event2/event.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "muxd.h"
#include "proc/proc.h"
#include "bridge_int.h"
#include "yamux/yamux.h"

#define REPLY_MAX	1024	/* bytes before the newline */
#define IOV_MAX_WRITE	32
#define PIECES		64	/* of one read, to begin with */

struct piece {
	const uint8_t	*p;
	size_t		 len;
	int		 next;
};

static int	bridge_reply(struct bridge *, const uint8_t **, size_t *);
static int	bridge_reply_check(struct bridge *, const char *, size_t);
static void	bridge_deliver(struct bridge *, const uint8_t *, size_t);
static int	pieces_grow(void);
static int	bridge_keep(struct bridge *, const uint8_t *, size_t);
static int	bridge_keep_rest(struct bridge *, const struct iovec *, int,
		    size_t);
static int	bridge_write_pieces(struct bridge *);
static int	bridge_write_kept(struct bridge *);
static void	bridge_writable(evutil_socket_t, short, void *);
static void	bridge_wrote(struct bridge *);
static void	bridge_touch(struct bridge *);

static struct {
	struct piece		*pieces;	/* of the current read */
	int			 npieces, pieces_cap;
} inward;

void
bridge_in_init(struct bridge *st)
{
	st->first = st->last = -1;
	STAILQ_INIT(&st->chunks);
	event_assign(&st->ev_write, proc_base(), st->fd, EV_WRITE | EV_PERSIST,
	    bridge_writable, st);
}

/* The reply line. */

/*
 * Look for the end of the reply line in what came. 1: it was there and is
 * good, *p and *len are to be passed on; 0: wait for more, or the stream is
 * gone.
 */
static int
bridge_reply(struct bridge *st, const uint8_t **p, size_t *len)
{
	const uint8_t	*nl;
	size_t		 n, room = REPLY_MAX + 1 - st->line_len;

	nl = memchr(*p, '\n', *len < room ? *len : room);
	n = nl == NULL ? *len : (size_t)(nl - *p) + 1;
	if (nl == NULL && n >= room) {
		bridge_fail(st, "reply of the client is too long", END_LIMIT);
		return (0);
	}
	if (nl != NULL && st->line_len == 0)	/* whole, the usual case */
		return (bridge_reply_check(st, (const char *)*p, n));
	if (st->line == NULL && (st->line = malloc(REPLY_MAX + 1)) == NULL) {
		bridge_fail(st, "out of memory", END_LIMIT);
		return (0);
	}
	memcpy(st->line + st->line_len, *p, n);
	st->line_len += n;
	if (nl == NULL || bridge_reply_check(st, st->line, st->line_len) == 0)
		return (0);
	*p += n;
	*len -= n;
	bridge_touch(st);
	return (bridge_keep(st, (uint8_t *)st->line, st->line_len) == 0);
}

/* `line` has `len` bytes, the last is the newline. 1: OK; 0: the end. */
static int
bridge_reply_check(struct bridge *st, const char *line, size_t len)
{
	char	text[256];

	timer_del(&st->deadline);
	if (len == 3 && memcmp(line, "OK", 2) == 0) {
		st->flags |= SF_REPLIED;
		return (1);
	}
	if (len <= 6 || memcmp(line, "ERROR ", 6) != 0) {
		bridge_fail(st, "bad reply from the client", END_REFUSED);
		return (0);
	}
	log_info("stream %llu: %s: client says: %s",
	    (unsigned long long)st->id, st->service,
	    log_escape(text, sizeof(text), line + 6, len - 7));
	(void)send(st->fd, line, len, MSG_NOSIGNAL);
	/* Nothing more is expected, so a FIN takes nothing away. */
	yamux_consumed(st->ys, yamux_held(st->ys), clock_ns());
	yamux_set(st->ys, NULL);
	yamux_fin(st->ys);
	bridge_end(st, END_REFUSED);
	return (0);
}

/* Client to asker. */

void
bridge_on_data(struct yamux_stream *ys, const uint8_t *p, size_t len)
{
	struct bridge	*st = yamux_get(ys);

	if (st == NULL) {	/* nobody wants it any more */
		yamux_consumed(ys, len, clock_ns());
		return;
	}
	st->in += len;
	if (!(st->flags & SF_REPLIED) && bridge_reply(st, &p, &len) == 0)
		return;
	if (len > 0)
		bridge_deliver(st, p, len);
}

void
bridge_on_fin(struct yamux_stream *ys)
{
	struct bridge	*st = yamux_get(ys);

	if (st == NULL)
		return;
	st->flags |= SF_FIN;
	if (!(st->flags & SF_REPLIED))
		bridge_fail(st, "client closed before its reply", END_RESET);
	else
		bridge_touch(st);	/* behind the data of this read */
}

void
bridge_in_last(struct bridge *st)
{
	struct piece	*v;
	int		 i;

	for (i = st->first; i != -1; i = v->next) {
		v = &inward.pieces[i];
		if (send(st->fd, v->p, v->len, MSG_NOSIGNAL) !=
		    (ssize_t)v->len)
			break;
	}
}

/* In order: behind what is kept, else as a piece of this read. */
static void
bridge_deliver(struct bridge *st, const uint8_t *p, size_t len)
{
	struct piece	*v;

	if (st->kept > 0) {
		(void)bridge_keep(st, p, len);
		return;
	}
	if (inward.npieces == inward.pieces_cap && pieces_grow() == -1) {
		bridge_fail(st, "out of memory", END_LIMIT);
		return;
	}
	v = &inward.pieces[inward.npieces];
	v->p = p;
	v->len = len;
	v->next = -1;
	if (st->first == -1)
		st->first = inward.npieces;
	else
		inward.pieces[st->last].next = inward.npieces;
	st->last = inward.npieces++;
	bridge_touch(st);
}

/*
 * Not flushed when full: a flush may end the very stream that yamux is about
 * to speak of. A read's length bounds it: no piece without a 12-byte header.
 */
static int
pieces_grow(void)
{
	struct piece	*v;
	int cap = inward.pieces_cap == 0 ? PIECES : inward.pieces_cap * 2;

	v = reallocarray(inward.pieces, (size_t)cap, sizeof(*v));
	if (v == NULL)
		return (-1);
	inward.pieces = v;
	inward.pieces_cap = cap;
	return (0);
}

/* Copy bytes that the asker does not take now. -1: the stream is gone. */
static int
bridge_keep(struct bridge *st, const uint8_t *p, size_t len)
{
	struct chunk	*c;
	size_t		 n;

	while (len > 0) {
		c = STAILQ_EMPTY(&st->chunks) ? NULL : st->newest;
		if (c == NULL || c->off + c->len == CHUNK_DATA) {
			if ((c = chunk_new()) == NULL) {
				bridge_fail(st, "out of memory", END_LIMIT);
				return (-1);
			}
			c->off = c->len = 0;
			STAILQ_INSERT_TAIL(&st->chunks, c, entry);
			st->newest = c;
		}
		n = CHUNK_DATA - c->off - c->len;
		if (n > len)
			n = len;
		memcpy(c->data + c->off + c->len, p, n);
		c->len += (uint32_t)n;
		st->kept += n;
		p += n;
		len -= n;
	}
	return (0);
}

static void
bridge_touch(struct bridge *st)
{
	if (st->flags & SF_TOUCHED)
		return;
	st->flags |= SF_TOUCHED;
	TAILQ_INSERT_TAIL(&bridges.touched, st, touch_entry);
}

void
bridge_flush(void)
{
	struct bridge	*st;

	while ((st = TAILQ_FIRST(&bridges.touched)) != NULL) {
		TAILQ_REMOVE(&bridges.touched, st, touch_entry);
		st->flags &= ~(unsigned)SF_TOUCHED;
		if (st->kept > 0 && !(st->flags & SF_WRITING) &&
		    bridge_write_kept(st) == -1)
			continue;
		if (st->first != -1 && bridge_write_pieces(st) == -1)
			continue;
		bridge_wrote(st);
	}
	inward.npieces = 0;
}

/* All pieces, a writev for each 32; what is left is kept. -1: stream gone. */
static int
bridge_write_pieces(struct bridge *st)
{
	struct iovec	 iov[IOV_MAX_WRITE];
	struct piece	*v;
	size_t		 want, done = 0;
	ssize_t		 n;
	int		 i = st->first, k;

	st->first = st->last = -1;
	while (i != -1) {
		for (k = 0, want = 0; i != -1 && k < IOV_MAX_WRITE; k++) {
			v = &inward.pieces[i];
			iov[k].iov_base = (void *)(uintptr_t)v->p;
			iov[k].iov_len = v->len;
			want += v->len;
			i = v->next;
		}
		n = st->kept > 0 ? 0 : writev(st->fd, iov, k);
		if (n == -1 && errno != EAGAIN && errno != EINTR) {
			bridge_asker_gone(st);
			return (-1);
		}
		if (n == -1)
			n = 0;
		done += (size_t)n;
		if ((size_t)n < want &&
		    bridge_keep_rest(st, iov, k, (size_t)n) == -1)
			return (-1);
	}
	if (done > 0)
		yamux_consumed(st->ys, done, clock_ns());
	return (0);
}

/* Keep what writev left of `k` pieces after `done` bytes. */
static int
bridge_keep_rest(struct bridge *st, const struct iovec *iov, int k, size_t done)
{
	int	i;

	for (i = 0; i < k; i++) {
		if (done >= iov[i].iov_len) {
			done -= iov[i].iov_len;
			continue;
		}
		if (bridge_keep(st, (const uint8_t *)iov[i].iov_base + done,
		    iov[i].iov_len - done) == -1)
			return (-1);
		done = 0;
	}
	return (0);
}

/* What was kept, as far as the asker takes it. -1: the stream is gone. */
static int
bridge_write_kept(struct bridge *st)
{
	struct iovec	 iov[IOV_MAX_WRITE];
	struct chunk	*c;
	ssize_t		 n, left;
	int		 k = 0;

	STAILQ_FOREACH(c, &st->chunks, entry) {
		if (k == IOV_MAX_WRITE)
			break;
		iov[k].iov_base = c->data + c->off;
		iov[k++].iov_len = c->len;
	}
	if ((n = writev(st->fd, iov, k)) == -1) {
		if (errno == EAGAIN || errno == EINTR)
			return (0);
		bridge_asker_gone(st);
		return (-1);
	}
	st->kept -= (size_t)n;
	yamux_consumed(st->ys, (size_t)n, clock_ns());
	for (left = n; (c = STAILQ_FIRST(&st->chunks)) != NULL;) {
		if ((ssize_t)c->len > left) {
			c->off += (uint32_t)left;
			c->len -= (uint32_t)left;
			break;
		}
		left -= (ssize_t)c->len;
		STAILQ_REMOVE_HEAD(&st->chunks, entry);
		chunk_free(c);
	}
	return (0);
}

static void
bridge_writable(evutil_socket_t fd, short what, void *arg)
{
	struct bridge	*st = arg;

	(void)fd;
	(void)what;
	if (bridge_write_kept(st) == 0)
		bridge_wrote(st);
}

/* After a write: wait for room, or pass on the end that stood behind it. */
static void
bridge_wrote(struct bridge *st)
{
	if (st->kept > 0) {
		if (!(st->flags & SF_WRITING) &&
		    event_add(&st->ev_write, NULL) == 0)
			st->flags |= SF_WRITING;
		return;
	}
	if (st->flags & SF_WRITING) {
		event_del(&st->ev_write);
		st->flags &= ~(unsigned)SF_WRITING;
	}
	if ((st->flags & (SF_FIN | SF_SHUT)) != SF_FIN)
		return;
	st->flags |= SF_SHUT;
	(void)shutdown(st->fd, SHUT_WR);
	if (st->flags & SF_HALF)
		bridge_asker_gone(st);	/* both directions are through */
}

void
bridge_trim(void)
{
	chunks_trim();
	if (inward.npieces == 0) {
		free(inward.pieces);
		inward.pieces = NULL;
		inward.pieces_cap = 0;
	}
}
