/* SPDX-License-Identifier: ISC */
/*
 * One stream: a descriptor that authd handed out on one side, a yamux stream
 * on the other. The story, in order: open (CONNECT line and what the asker has
 * written already, in one flight), reply line, bytes both ways, the end.
 *
 * Client to asker: what one read of the tunnel's socket brought is collected
 * as pieces and written with one writev per stream. What the asker does not
 * take is copied and kept; credit goes back only for what was written, so at
 * most one window is kept. Asker to client: read straight into the output
 * buffer, only while window and buffer have room.
 */
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "compat.h"
#include "log.h"
#include "muxd.h"
#include "out.h"
#include "proc.h"
#include "yamux.h"

#define REPLY_MAX	1024	/* bytes before the newline */
#define REPLY_MS	15000	/* once the client has accepted any stream */
#define REPLY_FIRST_MS	120000	/* before: it may still be provisioning */
#define SWEEP_MS	1000	/* look after askers we do not read from */
#define CHUNK_SIZE	(64 * 1024) /* malloc maps such blocks singly: no holes */
#define CHUNK_DATA	(CHUNK_SIZE - 2 * sizeof(void *))
#define CHUNKS_KEPT	8	/* for the next burst */
#define IOV_MAX_WRITE	32
#define PIECES		64	/* of one read, to begin with */
#define PULLS		4	/* full frames of one stream in one turn */

/* The head of a frame with a service's CONNECT line must fit in any buffer. */
#define CONNECT_MAX	(sizeof("CONNECT \n") + SERVICE_SIZE)

#define SF_CONNECT	0x01	/* the CONNECT line is still to be sent */
#define SF_REPLIED	0x02	/* the reply line has passed */
#define SF_FIN		0x04	/* the client will send no more */
#define SF_SHUT		0x08	/* and the asker has been told */
#define SF_HALF		0x10	/* the asker will send no more */
#define SF_READING	0x20	/* the read event is set */
#define SF_WAITING	0x40	/* for room in the output buffer */
#define SF_TOUCHED	0x80	/* has pieces, or a FIN behind them */
#define SF_WRITING	0x100	/* the write event is set */

struct chunk {
	STAILQ_ENTRY(chunk)	 entry;
	uint32_t		 off, len;
	uint8_t			 data[CHUNK_DATA];
};

struct stream {
	TAILQ_ENTRY(stream)	 entry;
	TAILQ_ENTRY(stream)	 wait_entry;	/* SF_WAITING */
	TAILQ_ENTRY(stream)	 touch_entry;	/* SF_TOUCHED */
	/* set once */
	uint64_t		 id;		/* authd's */
	struct yamux_stream	*ys;
	int			 fd;
	char			 service[SERVICE_SIZE];
	uint8_t			*tag;
	size_t			 tag_len;
	/* state */
	unsigned		 flags;
	struct event		 ev_read, ev_write;
	struct timer		 deadline;	/* for the reply line */
	char			*line;		/* its beginning, if cut */
	size_t			 line_len;
	int			 first, last;	/* pieces, -1: none */
	STAILQ_HEAD(, chunk)	 chunks;	/* not taken by the asker */
	struct chunk		*newest;	/* last of them, if any */
	size_t			 kept;		/* bytes in them */
	/* statistics */
	uint64_t		 in, out;
};

struct piece {
	const uint8_t	*p;
	size_t		 len;
	int		 next;
};

static void	stream_reject(uint64_t, const char *, const uint8_t *, size_t,
		    int, const char *, enum end_reason);
static void	stream_readable(evutil_socket_t, short, void *);
static void	stream_writable(evutil_socket_t, short, void *);
static int	stream_pull(struct stream *);
static void	stream_eof(struct stream *);
static int	fd_hung_up(int);
static void	stream_asker_gone(struct stream *);
static void	stream_read_on(struct stream *);
static void	stream_read_off(struct stream *);
static void	stream_wait(struct stream *);
static void	stream_sweep(void *);
static void	sweep_arm(void);
static void	stream_no_answer(void *);
static int	stream_reply(struct stream *, const uint8_t **, size_t *);
static int	stream_reply_check(struct stream *, const char *, size_t);
static void	stream_deliver(struct stream *, const uint8_t *, size_t);
static int	pieces_grow(void);
static int	stream_keep(struct stream *, const uint8_t *, size_t);
static int	stream_write_pieces(struct stream *);
static int	stream_keep_rest(struct stream *, const struct iovec *, int,
		    size_t);
static void	chunk_free(struct chunk *);
static int	stream_write_kept(struct stream *);
static void	stream_wrote(struct stream *);
static void	stream_touch(struct stream *);
static void	stream_fail(struct stream *, const char *, enum end_reason);
static void	stream_end(struct stream *, enum end_reason);

static struct {
	TAILQ_HEAD(, stream)	 all, waiting, touched;
	unsigned		 count;
	int			 acked;		/* the client accepts streams */
	int			 init;
	struct timer		 sweep;
	struct piece		*pieces;	/* of the current read */
	int			 npieces, pieces_cap;
	STAILQ_HEAD(, chunk)	 spare;
	unsigned		 nspare;
} ss;

static void
streams_init(void)
{
	if (ss.init)
		return;
	TAILQ_INIT(&ss.all);
	TAILQ_INIT(&ss.waiting);
	TAILQ_INIT(&ss.touched);
	STAILQ_INIT(&ss.spare);
	timer_init(&ss.sweep, stream_sweep, NULL);
	ss.init = 1;
}

/* Open. */

void
stream_open(uint64_t id, const char *service, const uint8_t *tag,
    size_t tag_len, int fd)
{
	struct stream	*st;
	int		 r;

	streams_init();
	if (!tunnel_is_up() || ss.count >= proc_conf()->max_streams) {
		stream_reject(id, service, tag, tag_len, fd,
		    tunnel_is_up() ? "too many streams" : "tunnel is closing",
		    tunnel_is_up() ? END_LIMIT : END_TUNNEL);
		return;
	}
	if ((st = calloc(1, sizeof(*st))) == NULL ||
	    (st->tag = malloc(tag_len + 1)) == NULL) {
		free(st);
		stream_reject(id, service, tag, tag_len, fd, "out of memory",
		    END_LIMIT);
		return;
	}
	if ((r = yamux_open(tunnel_yamux(), st, &st->ys)) != 0) {
		free(st->tag);
		free(st);
		stream_reject(id, service, tag, tag_len, fd,
		    yamux_strerror(r), END_TUNNEL);
		return;
	}
	st->id = id;
	st->fd = fd;
	st->first = st->last = -1;
	strlcpy(st->service, service, sizeof(st->service));
	memcpy(st->tag, tag, tag_len);
	st->tag_len = tag_len;
	STAILQ_INIT(&st->chunks);
	event_assign(&st->ev_read, proc_base(), fd, EV_READ | EV_PERSIST,
	    stream_readable, st);
	event_assign(&st->ev_write, proc_base(), fd, EV_WRITE | EV_PERSIST,
	    stream_writable, st);
	timer_init(&st->deadline, stream_no_answer, st);
	timer_set(&st->deadline, ss.acked ? REPLY_MS : REPLY_FIRST_MS);
	TAILQ_INSERT_TAIL(&ss.all, st, entry);
	ss.count++;
	st->flags = SF_CONNECT;
	muxd_title_changed();
	stream_read_on(st);
	(void)stream_pull(st);
}

/* It never came to be: the asker reads why, authd counts it out. */
static void
stream_reject(uint64_t id, const char *service, const uint8_t *tag,
    size_t tag_len, int fd, const char *why, enum end_reason reason)
{
	char	line[128];
	int	n;

	n = snprintf(line, sizeof(line), "ERROR %s\n", why);
	if (n > 0 && (size_t)n < sizeof(line))
		(void)send(fd, line, (size_t)n, MSG_NOSIGNAL);
	close(fd);
	log_info("tunnel %s: stream %llu: refused: %s", muxd_session(),
	    (unsigned long long)id, why);
	authd_stream_end(id, service, tag, tag_len, reason, 0, 0);
}

/* Asker to client. */

static void
stream_readable(evutil_socket_t fd, short what, void *arg)
{
	struct stream	*st = arg;
	int		 i;

	(void)fd;
	(void)what;
	for (i = 0; i < PULLS; i++)
		if (stream_pull(st) == 0)
			break;
}

/*
 * Move what the asker wrote into the output buffer, as one frame. 1 when there
 * is probably more, else 0; the stream may be gone then.
 */
static int
stream_pull(struct stream *st)
{
	struct out	*o = tunnel_out();
	uint8_t		*p;
	size_t		 want, line = 0;
	ssize_t		 n = 0;

	if ((want = yamux_sendable(st->ys)) == 0) {
		stream_read_off(st);
		return (0);
	}
	if (want > FRAME_MAX)
		want = FRAME_MAX;
	if (out_len(o) >= OUT_BULK)
		tunnel_write();
	if (out_len(o) >= OUT_BULK ||
	    (p = out_reserve(o, FRAME_ROOM + want)) == NULL) {
		stream_wait(st);
		return (0);
	}
	if (st->flags & SF_CONNECT)
		line = (size_t)snprintf((char *)p + FRAME_ROOM, CONNECT_MAX,
		    "CONNECT %s\n", st->service);
	n = recv(st->fd, p + FRAME_ROOM + line, want - line, 0);
	if (n <= 0 && line == 0) {
		if (n == 0)
			stream_eof(st);
		else if (errno != EAGAIN && errno != EINTR)
			stream_asker_gone(st);
		return (0);
	}
	if (n < 0)
		n = 0;		/* not yet; the line goes alone */
	if (tunnel_frame(st->ys, p, line + (size_t)n) == -1)
		return (0);
	st->flags &= ~(unsigned)SF_CONNECT;
	st->out += line + (size_t)n;
	return (line + (size_t)n == want);
}

/* End of file: has the asker closed, or only said that it is done writing? */
static void
stream_eof(struct stream *st)
{
	if (fd_hung_up(st->fd)) {
		stream_asker_gone(st);
		return;
	}
	/*
	 * Not passed on: a client that gets a FIN drops the reply
	 * (tunnel-protocol.md, 5.2).
	 */
	st->flags |= SF_HALF;
	stream_read_off(st);
	if (st->flags & SF_SHUT)
		stream_asker_gone(st);	/* both directions are through */
}

static int
fd_hung_up(int fd)
{
	struct pollfd	pfd = { fd, 0, 0 };

	return (poll(&pfd, 1, 0) == 1 && (pfd.revents & (POLLHUP | POLLERR)));
}

/* FIN if the client has said all it had to say, else RST. messages.md, 2. */
static void
stream_asker_gone(struct stream *st)
{
	yamux_set(st->ys, NULL);
	if (st->flags & SF_FIN) {
		yamux_fin(st->ys);
		stream_end(st, st->kept == 0 && st->first == -1 ? END_CLEAN :
		    END_LOCAL);
	} else {
		yamux_reset(st->ys);
		stream_end(st, END_LOCAL);
	}
}

static void
stream_read_on(struct stream *st)
{
	if (st->flags & (SF_READING | SF_HALF))
		return;
	if (event_add(&st->ev_read, NULL) == 0)
		st->flags |= SF_READING;
}

/* Not reading means not seeing the asker go: the sweep looks for that. */
static void
stream_read_off(struct stream *st)
{
	if (st->flags & SF_READING) {
		event_del(&st->ev_read);
		st->flags &= ~(unsigned)SF_READING;
	}
	sweep_arm();
}

/* Until the output buffer has room; first come, first served. */
static void
stream_wait(struct stream *st)
{
	stream_read_off(st);
	if (st->flags & SF_WAITING)
		return;
	st->flags |= SF_WAITING;
	TAILQ_INSERT_TAIL(&ss.waiting, st, wait_entry);
}

void
stream_room(void)
{
	struct stream	*st;

	if (!ss.init)
		return;
	while ((st = TAILQ_FIRST(&ss.waiting)) != NULL) {
		TAILQ_REMOVE(&ss.waiting, st, wait_entry);
		st->flags &= ~(unsigned)SF_WAITING;
		stream_read_on(st);
	}
}

void
stream_on_window(struct yamux_stream *ys)
{
	struct stream	*st = yamux_get(ys);

	if (st != NULL && !(st->flags & SF_WAITING))
		stream_read_on(st);
}

static void
sweep_arm(void)
{
	if (!timer_is_set(&ss.sweep))
		timer_set(&ss.sweep, SWEEP_MS);
}

static void
stream_sweep(void *arg)
{
	struct stream	*st, *next;
	int		 more = 0;

	(void)arg;
	for (st = TAILQ_FIRST(&ss.all); st != NULL; st = next) {
		next = TAILQ_NEXT(st, entry);
		if (st->flags & SF_READING)
			continue;
		if (fd_hung_up(st->fd))
			stream_asker_gone(st);
		else
			more = 1;
	}
	if (more)
		sweep_arm();
}

/* The reply line. */

void
stream_on_ack(struct yamux_stream *ys)
{
	struct stream	*st;

	(void)ys;
	if (ss.acked)
		return;
	/* It accepts streams: from now on silence means something. */
	ss.acked = 1;
	TAILQ_FOREACH(st, &ss.all, entry)
		if (timer_is_set(&st->deadline))
			timer_set(&st->deadline, REPLY_MS);
}

static void
stream_no_answer(void *arg)
{
	stream_fail(arg, "no answer from the client", END_TIMEOUT);
}

/*
 * Look for the end of the reply line in what came. 1: it was there and is
 * good, *p and *len are to be passed on; 0: wait for more, or the stream is
 * gone.
 */
static int
stream_reply(struct stream *st, const uint8_t **p, size_t *len)
{
	const uint8_t	*nl;
	size_t		 n, room = REPLY_MAX + 1 - st->line_len;

	nl = memchr(*p, '\n', *len < room ? *len : room);
	n = nl == NULL ? *len : (size_t)(nl - *p) + 1;
	if (nl == NULL && n >= room) {
		stream_fail(st, "reply of the client is too long", END_LIMIT);
		return (0);
	}
	if (nl != NULL && st->line_len == 0)	/* whole, the usual case */
		return (stream_reply_check(st, (const char *)*p, n));
	if (st->line == NULL && (st->line = malloc(REPLY_MAX + 1)) == NULL) {
		stream_fail(st, "out of memory", END_LIMIT);
		return (0);
	}
	memcpy(st->line + st->line_len, *p, n);
	st->line_len += n;
	if (nl == NULL || stream_reply_check(st, st->line, st->line_len) == 0)
		return (0);
	*p += n;
	*len -= n;
	stream_touch(st);
	return (stream_keep(st, (uint8_t *)st->line, st->line_len) == 0);
}

/* `line` has `len` bytes, the last is the newline. 1: OK; 0: the end. */
static int
stream_reply_check(struct stream *st, const char *line, size_t len)
{
	char	text[256];

	timer_del(&st->deadline);
	if (len == 3 && memcmp(line, "OK", 2) == 0) {
		st->flags |= SF_REPLIED;
		return (1);
	}
	if (len <= 6 || memcmp(line, "ERROR ", 6) != 0) {
		stream_fail(st, "bad reply from the client", END_REFUSED);
		return (0);
	}
	log_info("tunnel %s: stream %llu: %s: client says: %s",
	    muxd_session(), (unsigned long long)st->id, st->service,
	    log_escape(text, sizeof(text), line + 6, len - 7));
	(void)send(st->fd, line, len, MSG_NOSIGNAL);
	/* Nothing more is expected, so a FIN takes nothing away. */
	yamux_consumed(st->ys, yamux_held(st->ys), clock_ns());
	yamux_set(st->ys, NULL);
	yamux_fin(st->ys);
	stream_end(st, END_REFUSED);
	return (0);
}

/* Client to asker. */

void
stream_on_data(struct yamux_stream *ys, const uint8_t *p, size_t len)
{
	struct stream	*st = yamux_get(ys);

	if (st == NULL) {	/* nobody wants it any more */
		yamux_consumed(ys, len, clock_ns());
		return;
	}
	st->in += len;
	if (!(st->flags & SF_REPLIED) && stream_reply(st, &p, &len) == 0)
		return;
	if (len > 0)
		stream_deliver(st, p, len);
}

void
stream_on_fin(struct yamux_stream *ys)
{
	struct stream	*st = yamux_get(ys);

	if (st == NULL)
		return;
	st->flags |= SF_FIN;
	if (!(st->flags & SF_REPLIED))
		stream_fail(st, "client closed before its reply", END_RESET);
	else
		stream_touch(st);	/* behind the data of this read */
}

/* RST, or the tunnel is gone. What has come before is still handed over. */
void
stream_on_close(struct yamux_stream *ys, enum end_reason why)
{
	struct stream	*st = yamux_get(ys);
	struct piece	*v;
	int		 i;

	if (st == NULL)
		return;
	if (!(st->flags & SF_REPLIED) && why == END_RESET) {
		static const char	text[] = "ERROR reset by the client\n";

		(void)send(st->fd, text, sizeof(text) - 1, MSG_NOSIGNAL);
	}
	for (i = st->first; i != -1; i = v->next) {
		v = &ss.pieces[i];
		if (send(st->fd, v->p, v->len, MSG_NOSIGNAL) !=
		    (ssize_t)v->len)
			break;
	}
	stream_end(st, why);
}

/* In order: behind what is kept, else as a piece of this read. */
static void
stream_deliver(struct stream *st, const uint8_t *p, size_t len)
{
	struct piece	*v;

	if (st->kept > 0) {
		(void)stream_keep(st, p, len);
		return;
	}
	if (ss.npieces == ss.pieces_cap && pieces_grow() == -1) {
		stream_fail(st, "out of memory", END_LIMIT);
		return;
	}
	v = &ss.pieces[ss.npieces];
	v->p = p;
	v->len = len;
	v->next = -1;
	if (st->first == -1)
		st->first = ss.npieces;
	else
		ss.pieces[st->last].next = ss.npieces;
	st->last = ss.npieces++;
	stream_touch(st);
}

/*
 * Not flushed when full: a flush may end the very stream that yamux is about
 * to speak of. A read's length bounds it: no piece without a 12-byte header.
 */
static int
pieces_grow(void)
{
	struct piece	*v;
	int		 cap = ss.pieces_cap == 0 ? PIECES : ss.pieces_cap * 2;

	v = reallocarray(ss.pieces, (size_t)cap, sizeof(*v));
	if (v == NULL)
		return (-1);
	ss.pieces = v;
	ss.pieces_cap = cap;
	return (0);
}

/* Copy bytes that the asker does not take now. -1: the stream is gone. */
static int
stream_keep(struct stream *st, const uint8_t *p, size_t len)
{
	struct chunk	*c;
	size_t		 n;

	while (len > 0) {
		c = STAILQ_EMPTY(&st->chunks) ? NULL : st->newest;
		if (c == NULL || c->off + c->len == CHUNK_DATA) {
			if ((c = STAILQ_FIRST(&ss.spare)) != NULL) {
				STAILQ_REMOVE_HEAD(&ss.spare, entry);
				ss.nspare--;
			} else if ((c = malloc(sizeof(*c))) == NULL) {
				stream_fail(st, "out of memory", END_LIMIT);
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
stream_touch(struct stream *st)
{
	if (st->flags & SF_TOUCHED)
		return;
	st->flags |= SF_TOUCHED;
	TAILQ_INSERT_TAIL(&ss.touched, st, touch_entry);
}

void
stream_flush(void)
{
	struct stream	*st;

	if (!ss.init)
		return;
	while ((st = TAILQ_FIRST(&ss.touched)) != NULL) {
		TAILQ_REMOVE(&ss.touched, st, touch_entry);
		st->flags &= ~(unsigned)SF_TOUCHED;
		if (st->kept > 0 && !(st->flags & SF_WRITING) &&
		    stream_write_kept(st) == -1)
			continue;
		if (st->first != -1 && stream_write_pieces(st) == -1)
			continue;
		stream_wrote(st);
	}
	ss.npieces = 0;
}

/* All pieces, a writev for each 32; what is left is kept. -1: stream gone. */
static int
stream_write_pieces(struct stream *st)
{
	struct iovec	 iov[IOV_MAX_WRITE];
	struct piece	*v;
	size_t		 want, done = 0;
	ssize_t		 n;
	int		 i = st->first, k;

	st->first = st->last = -1;
	while (i != -1) {
		for (k = 0, want = 0; i != -1 && k < IOV_MAX_WRITE; k++) {
			v = &ss.pieces[i];
			iov[k].iov_base = (void *)(uintptr_t)v->p;
			iov[k].iov_len = v->len;
			want += v->len;
			i = v->next;
		}
		n = st->kept > 0 ? 0 : writev(st->fd, iov, k);
		if (n == -1 && errno != EAGAIN && errno != EINTR) {
			stream_asker_gone(st);
			return (-1);
		}
		if (n == -1)
			n = 0;
		done += (size_t)n;
		if ((size_t)n < want &&
		    stream_keep_rest(st, iov, k, (size_t)n) == -1)
			return (-1);
	}
	if (done > 0)
		yamux_consumed(st->ys, done, clock_ns());
	return (0);
}

/* Keep what writev left of `k` pieces after `done` bytes. */
static int
stream_keep_rest(struct stream *st, const struct iovec *iov, int k, size_t done)
{
	int	i;

	for (i = 0; i < k; i++) {
		if (done >= iov[i].iov_len) {
			done -= iov[i].iov_len;
			continue;
		}
		if (stream_keep(st, (const uint8_t *)iov[i].iov_base + done,
		    iov[i].iov_len - done) == -1)
			return (-1);
		done = 0;
	}
	return (0);
}

/* What was kept, as far as the asker takes it. -1: the stream is gone. */
static int
stream_write_kept(struct stream *st)
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
		stream_asker_gone(st);
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
chunk_free(struct chunk *c)
{
	if (ss.nspare == CHUNKS_KEPT) {
		free(c);
		return;
	}
	STAILQ_INSERT_HEAD(&ss.spare, c, entry);
	ss.nspare++;
	tunnel_used();
}

static void
stream_writable(evutil_socket_t fd, short what, void *arg)
{
	struct stream	*st = arg;

	(void)fd;
	(void)what;
	if (stream_write_kept(st) == 0)
		stream_wrote(st);
}

/* After a write: wait for room, or pass on the end that stood behind it. */
static void
stream_wrote(struct stream *st)
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
		stream_asker_gone(st);	/* both directions are through */
}

/* The end. */

/* Give up: the asker reads why if it has read nothing yet, the client RST. */
static void
stream_fail(struct stream *st, const char *why, enum end_reason reason)
{
	char	line[128];
	int	n;

	n = snprintf(line, sizeof(line), "ERROR %s\n", why);
	if (!(st->flags & SF_REPLIED) && n > 0 && (size_t)n < sizeof(line))
		(void)send(st->fd, line, (size_t)n, MSG_NOSIGNAL);
	log_info("tunnel %s: stream %llu: %s: %s", muxd_session(),
	    (unsigned long long)st->id, st->service, why);
	yamux_reset(st->ys);
	stream_end(st, reason);
}

void
stream_kill(uint64_t id, enum end_reason reason)
{
	struct stream	*st;

	if (!ss.init)
		return;
	TAILQ_FOREACH(st, &ss.all, entry)
		if (st->id == id)
			break;
	if (st == NULL)
		return;		/* it has ended by itself */
	yamux_reset(st->ys);
	stream_end(st, reason);
}

/* With the tunnel: yamux is not told any more. */
void
stream_end_all(enum end_reason reason)
{
	struct stream	*st;

	if (!ss.init)
		return;
	while ((st = TAILQ_FIRST(&ss.all)) != NULL) {
		yamux_set(st->ys, NULL);
		stream_end(st, reason);
	}
}

/* The one way out. The yamux stream is settled before. */
static void
stream_end(struct stream *st, enum end_reason reason)
{
	struct chunk	*c;

	timer_del(&st->deadline);
	if (st->flags & SF_READING)
		event_del(&st->ev_read);
	if (st->flags & SF_WRITING)
		event_del(&st->ev_write);
	if (st->flags & SF_WAITING)
		TAILQ_REMOVE(&ss.waiting, st, wait_entry);
	if (st->flags & SF_TOUCHED)
		TAILQ_REMOVE(&ss.touched, st, touch_entry);
	TAILQ_REMOVE(&ss.all, st, entry);
	close(st->fd);
	while ((c = STAILQ_FIRST(&st->chunks)) != NULL) {
		STAILQ_REMOVE_HEAD(&st->chunks, entry);
		chunk_free(c);
	}
	log_debug("tunnel %s: stream %llu: %s: ended: %s, %llu in, %llu out",
	    muxd_session(), (unsigned long long)st->id, st->service,
	    end_reason_name(reason), (unsigned long long)st->in,
	    (unsigned long long)st->out);
	authd_stream_end(st->id, st->service, st->tag, st->tag_len, reason,
	    st->in, st->out);
	free(st->line);
	free(st->tag);
	free(st);
	ss.count--;
	muxd_title_changed();
}

unsigned
stream_count(void)
{
	return (ss.count);
}

void
stream_walk(void (*fn)(uint64_t, const char *, const uint8_t *, size_t,
    uint64_t, uint64_t))
{
	struct stream	*st;

	if (!ss.init)
		return;
	TAILQ_FOREACH(st, &ss.all, entry)
		fn(st->id, st->service, st->tag, st->tag_len, st->in, st->out);
}

void
stream_trim(void)
{
	struct chunk	*c;

	if (!ss.init)
		return;
	while ((c = STAILQ_FIRST(&ss.spare)) != NULL) {
		STAILQ_REMOVE_HEAD(&ss.spare, entry);
		free(c);
	}
	ss.nspare = 0;
	if (ss.npieces == 0) {
		free(ss.pieces);
		ss.pieces = NULL;
		ss.pieces_cap = 0;
	}
}
