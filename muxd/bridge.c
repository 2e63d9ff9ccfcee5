/* SPDX-License-Identifier: ISC */
/*
 * One stream: a descriptor that authd handed out on one side, a yamux stream
 * on the other. The story, in order: open (CONNECT line and what the asker has
 * written already, in one flight), reply line (bridge_in.c), bytes both ways,
 * the end. Asker to client: read straight into the output buffer, only while
 * window and buffer have room. Client to asker: bridge_in.c.
 */
#include <sys/socket.h>

#include <event2/event.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "muxd.h"
#include "out.h"
#include "proc/proc.h"
#include "bridge_int.h"
#include "yamux/yamux.h"

#define REPLY_MS	15000	/* once the client has accepted any stream */
#define REPLY_FIRST_MS	120000	/* before: it may still be provisioning */
#define SWEEP_MS	1000	/* look after askers we do not read from */
#define PULLS		4	/* full frames of one stream in one turn */
#define SHARE_MIN	4096	/* bytes in one turn, however many compete */

/* The head of a frame with a service's CONNECT line must fit in any buffer. */
#define CONNECT_MAX	(sizeof("CONNECT \n") + SERVICE_SIZE)

static void	bridge_reject(uint64_t, const char *, const uint8_t *, size_t,
		    int, const char *, enum end_reason);
static void	bridge_readable(evutil_socket_t, short, void *);
static int	bridge_pull(struct bridge *);
static void	bridge_eof(struct bridge *);
static int	fd_hung_up(int);
static int	fd_unread(int);
static void	bridge_read_on(struct bridge *);
static void	bridge_read_off(struct bridge *);
static void	bridge_wait(struct bridge *);
static void	bridge_sweep(void *);
static void	sweep_arm(void);
static void	bridge_no_answer(void *);

static struct {
	TAILQ_HEAD(, bridge)	 all, waiting;
	unsigned		 count;
	size_t			 share;		/* bytes of one pull */
	int			 acked;		/* the client accepts streams */
	int			 init;
	struct timer		 sweep;
} bridges;

static void
streams_init(void)
{
	if (bridges.init)
		return;
	TAILQ_INIT(&bridges.all);
	TAILQ_INIT(&bridges.waiting);
	timer_init(&bridges.sweep, bridge_sweep, NULL);
	bridges.share = FRAME_MAX;
	bridges.init = 1;
}

/* Open. */

void
bridge_open(uint64_t id, const char *service, const uint8_t *tag,
    size_t tag_len, int fd)
{
	struct bridge	*st;
	int		 r;

	streams_init();
	if (!tunnel_is_up() || bridges.count >= proc_conf()->max_streams) {
		bridge_reject(id, service, tag, tag_len, fd,
		    tunnel_is_up() ? "too many streams" : "tunnel is closing",
		    tunnel_is_up() ? END_LIMIT : END_TUNNEL);
		return;
	}
	if ((st = calloc(1, sizeof(*st))) == NULL ||
	    (st->tag = malloc(tag_len + 1)) == NULL) {
		free(st);
		bridge_reject(id, service, tag, tag_len, fd, "out of memory",
		    END_LIMIT);
		return;
	}
	if ((r = yamux_open(tunnel_yamux(), st, &st->ys)) != 0) {
		free(st->tag);
		free(st);
		bridge_reject(id, service, tag, tag_len, fd,
		    yamux_strerror(r), END_TUNNEL);
		return;
	}
	st->id = id;
	st->fd = fd;
	strlcpy(st->service, service, sizeof(st->service));
	memcpy(st->tag, tag, tag_len);
	st->tag_len = tag_len;
	bridge_in_init(st);
	event_assign(&st->ev_read, proc_base(), fd, EV_READ | EV_PERSIST,
	    bridge_readable, st);
	timer_init(&st->deadline, bridge_no_answer, st);
	timer_set(&st->deadline, bridges.acked ? REPLY_MS : REPLY_FIRST_MS);
	TAILQ_INSERT_TAIL(&bridges.all, st, entry);
	bridges.count++;
	st->flags = SF_CONNECT;
	muxd_title_changed();
	bridge_read_on(st);
	(void)bridge_pull(st);
}

/* It never came to be: the asker reads why, authd counts it out. */
static void
bridge_reject(uint64_t id, const char *service, const uint8_t *tag,
    size_t tag_len, int fd, const char *why, enum end_reason reason)
{
	char	line[128];
	int	n;

	n = snprintf(line, sizeof(line), "ERROR %s\n", why);
	if (n > 0 && (size_t)n < sizeof(line))
		(void)send(fd, line, (size_t)n, MSG_NOSIGNAL);
	close(fd);
	log_info("stream %llu: refused: %s", (unsigned long long)id, why);
	authd_stream_end(id, service, tag, tag_len, reason, 0, 0);
}

/* Asker to client. */

static void
bridge_readable(evutil_socket_t fd, short what, void *arg)
{
	struct bridge	*st = arg;
	int		 i;

	(void)fd;
	(void)what;
	for (i = 0; i < PULLS; i++)
		if (bridge_pull(st) == 0 || bridges.share < FRAME_MAX)
			break;
}

/*
 * Move what the asker wrote into the output buffer, as one frame. 1 when there
 * is probably more, else 0; the stream may be gone then.
 */
static int
bridge_pull(struct bridge *st)
{
	struct out	*o = tunnel_out();
	uint8_t		*p;
	size_t		 want, line = 0;
	ssize_t		 n = 0;

	if ((want = yamux_sendable(st->ys)) == 0) {
		bridge_read_off(st);
		return (0);
	}
	if (want > bridges.share)
		want = bridges.share;
	if (out_len(o) >= OUT_BULK)
		tunnel_write();
	if (out_len(o) >= OUT_BULK ||
	    (p = out_reserve(o, FRAME_ROOM + want)) == NULL) {
		bridge_wait(st);
		return (0);
	}
	if (st->flags & SF_CONNECT)
		line = (size_t)snprintf((char *)p + FRAME_ROOM, CONNECT_MAX,
		    "CONNECT %s\n", st->service);
	n = recv(st->fd, p + FRAME_ROOM + line, want - line, 0);
	if (n <= 0 && line == 0) {
		if (n == 0)
			bridge_eof(st);
		else if (errno != EAGAIN && errno != EINTR)
			bridge_asker_gone(st);
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
bridge_eof(struct bridge *st)
{
	if (fd_hung_up(st->fd)) {
		bridge_asker_gone(st);
		return;
	}
	/*
	 * Not passed on: a client that gets a FIN drops the reply
	 * (tunnel-protocol.md, 5.2).
	 */
	st->flags |= SF_HALF;
	bridge_read_off(st);
	if (st->flags & SF_SHUT)
		bridge_asker_gone(st);	/* both directions are through */
}

static int
fd_hung_up(int fd)
{
	struct pollfd	pfd = { fd, 0, 0 };

	return (poll(&pfd, 1, 0) == 1 && (pfd.revents & (POLLHUP | POLLERR)));
}

/* Did it leave bytes behind that we have not read? */
static int
fd_unread(int fd)
{
	char	c;

	return (recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) > 0);
}

/*
 * FIN if the client has said all it had to say, else RST (messages.md, 2).
 * Also RST when bytes are lost here: a FIN would make them look complete.
 */
void
bridge_asker_gone(struct bridge *st)
{
	yamux_set(st->ys, NULL);
	if ((st->flags & SF_FIN) && !fd_unread(st->fd)) {
		yamux_fin(st->ys);
		bridge_end(st, st->kept == 0 && st->first == -1 ? END_CLEAN :
		    END_LOCAL);
	} else {
		yamux_reset(st->ys);
		bridge_end(st, END_LOCAL);
	}
}

static void
bridge_read_on(struct bridge *st)
{
	if (st->flags & (SF_READING | SF_HALF))
		return;
	if (event_add(&st->ev_read, NULL) == 0)
		st->flags |= SF_READING;
}

/* Not reading means not seeing the asker go: the sweep looks for that. */
static void
bridge_read_off(struct bridge *st)
{
	if (st->flags & SF_READING) {
		event_del(&st->ev_read);
		st->flags &= ~(unsigned)SF_READING;
	}
	sweep_arm();
}

/* Until the output buffer has room; first come, first served. */
static void
bridge_wait(struct bridge *st)
{
	bridge_read_off(st);
	if (st->flags & SF_WAITING)
		return;
	st->flags |= SF_WAITING;
	TAILQ_INSERT_TAIL(&bridges.waiting, st, wait_entry);
}

/*
 * All that wait may go on, each with its share of the buffer: so every one of
 * them is in it before any is in it twice, also when it drains slowly.
 */
void
bridge_room(void)
{
	struct bridge	*st;
	size_t		 n = 0;

	if (!bridges.init)
		return;
	while ((st = TAILQ_FIRST(&bridges.waiting)) != NULL) {
		TAILQ_REMOVE(&bridges.waiting, st, wait_entry);
		st->flags &= ~(unsigned)SF_WAITING;
		bridge_read_on(st);
		n++;
	}
	bridges.share = n == 0 ? FRAME_MAX : OUT_BULK / n;
	if (bridges.share > FRAME_MAX)
		bridges.share = FRAME_MAX;
	if (bridges.share < SHARE_MIN)
		bridges.share = SHARE_MIN;
}

void
bridge_on_window(struct yamux_stream *ys)
{
	struct bridge	*st = yamux_get(ys);

	if (st != NULL && !(st->flags & SF_WAITING))
		bridge_read_on(st);
}

static void
sweep_arm(void)
{
	if (!timer_is_set(&bridges.sweep))
		timer_set(&bridges.sweep, SWEEP_MS);
}

static void
bridge_sweep(void *arg)
{
	struct bridge	*st, *next;
	int		 more = 0;

	(void)arg;
	for (st = TAILQ_FIRST(&bridges.all); st != NULL; st = next) {
		next = TAILQ_NEXT(st, entry);
		if (st->flags & SF_READING)
			continue;
		if (fd_hung_up(st->fd))
			bridge_asker_gone(st);
		else
			more = 1;
	}
	if (more)
		sweep_arm();
}

/* The reply line. */

void
bridge_on_ack(struct yamux_stream *ys)
{
	struct bridge	*st;

	(void)ys;
	if (bridges.acked)
		return;
	/* It accepts streams: from now on silence means something. */
	bridges.acked = 1;
	TAILQ_FOREACH(st, &bridges.all, entry)
		if (timer_is_set(&st->deadline))
			timer_set(&st->deadline, REPLY_MS);
}

static void
bridge_no_answer(void *arg)
{
	bridge_fail(arg, "no answer from the client", END_TIMEOUT);
}

/* The end. */

/* RST, or the tunnel is gone. What has come before is still handed over. */
void
bridge_on_close(struct yamux_stream *ys, enum end_reason why)
{
	struct bridge	*st = yamux_get(ys);

	if (st == NULL)
		return;
	if (!(st->flags & SF_REPLIED) && why == END_RESET) {
		static const char	text[] = "ERROR reset by the client\n";

		(void)send(st->fd, text, sizeof(text) - 1, MSG_NOSIGNAL);
	}
	if (st->kept == 0)
		bridge_in_last(st);
	bridge_end(st, why);
}

void
bridge_fail(struct bridge *st, const char *why, enum end_reason reason)
{
	char	line[128];
	int	n;

	n = snprintf(line, sizeof(line), "ERROR %s\n", why);
	if (!(st->flags & SF_REPLIED) && n > 0 && (size_t)n < sizeof(line))
		(void)send(st->fd, line, (size_t)n, MSG_NOSIGNAL);
	log_info("stream %llu: %s: %s", (unsigned long long)st->id,
	    st->service, why);
	yamux_reset(st->ys);
	bridge_end(st, reason);
}

void
bridge_kill(uint64_t id, enum end_reason reason)
{
	struct bridge	*st;

	if (!bridges.init)
		return;
	TAILQ_FOREACH(st, &bridges.all, entry)
		if (st->id == id)
			break;
	if (st == NULL)
		return;		/* it has ended by itself */
	yamux_reset(st->ys);
	bridge_end(st, reason);
}

/* With the tunnel: yamux is not told any more. */
void
bridge_end_all(enum end_reason reason)
{
	struct bridge	*st;

	if (!bridges.init)
		return;
	while ((st = TAILQ_FIRST(&bridges.all)) != NULL) {
		yamux_set(st->ys, NULL);
		bridge_end(st, reason);
	}
}

void
bridge_end(struct bridge *st, enum end_reason reason)
{
	timer_del(&st->deadline);
	if (st->flags & SF_READING)
		event_del(&st->ev_read);
	if (st->flags & SF_WAITING)
		TAILQ_REMOVE(&bridges.waiting, st, wait_entry);
	TAILQ_REMOVE(&bridges.all, st, entry);
	bridge_in_clear(st);
	close(st->fd);
	log_debug("stream %llu: %s: ended: %s, %llu in, %llu out",
	    (unsigned long long)st->id, st->service,
	    end_reason_name(reason), (unsigned long long)st->in,
	    (unsigned long long)st->out);
	authd_stream_end(st->id, st->service, st->tag, st->tag_len, reason,
	    st->in, st->out);
	free(st->tag);
	free(st);
	bridges.count--;
	muxd_title_changed();
}

unsigned
bridge_count(void)
{
	return (bridges.count);
}

void
bridge_walk(void (*fn)(uint64_t, const char *, const uint8_t *, size_t,
    uint64_t, uint64_t))
{
	struct bridge	*st;

	if (!bridges.init)
		return;
	TAILQ_FOREACH(st, &bridges.all, entry)
		fn(st->id, st->service, st->tag, st->tag_len, st->in, st->out);
}
