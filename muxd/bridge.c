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
#include "mux/sock.h"
#include "proc/proc.h"
#include "bridge_int.h"

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
static void	bridge_read_on(struct bridge *);
static void	bridge_read_off(struct bridge *);
static void	bridge_wait(struct bridge *);
static void	bridge_sweep(void *);
static void	sweep_arm(void);
static void	bridge_no_answer(void *);

static struct {
	size_t			 share;		/* bytes of one pull */
	int			 acked;		/* the client accepts streams */
	struct timer		 sweep;
} outward;

void
bridge_init(struct mux *m)
{
	bridges.mux = m;
	TAILQ_INIT(&bridges.all);
	TAILQ_INIT(&bridges.waiting);
	TAILQ_INIT(&bridges.touched);
	timer_init(&outward.sweep, bridge_sweep, NULL);
	outward.share = FRAME_MAX;
}

/* Open. */

void
bridge_open(uint64_t id, const char *service, const uint8_t *tag,
    size_t tag_len, int fd)
{
	struct bridge	*st;
	int		 r;

	if (bridges.mux->state != MUX_UP) {
		bridge_reject(id, service, tag, tag_len, fd,
		    "tunnel is closing", END_TUNNEL);
		return;
	}
	if (bridges.count >= proc_conf()->max_streams) {
		bridge_reject(id, service, tag, tag_len, fd,
		    "too many streams", END_LIMIT);
		return;
	}
	if ((st = calloc(1, sizeof(*st))) == NULL ||
	    (st->tag = malloc(tag_len + 1)) == NULL) {
		free(st);
		bridge_reject(id, service, tag, tag_len, fd, "out of memory",
		    END_LIMIT);
		return;
	}
	if ((r = yamux_open(bridges.mux->y, st, &st->ys)) != 0) {
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
	timer_set(&st->deadline, outward.acked ? REPLY_MS : REPLY_FIRST_MS);
	TAILQ_INSERT_TAIL(&bridges.all, st, entry);
	bridges.count++;
	st->flags = SF_CONNECT;
	muxd_title_changed(bridges.count);
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
		if (bridge_pull(st) == 0 || outward.share < FRAME_MAX)
			break;
}

/*
 * Move what the asker wrote into the output buffer, as one frame. 1 when there
 * is probably more, else 0; the stream may be gone then.
 */
static int
bridge_pull(struct bridge *st)
{
	uint8_t		*p;
	size_t		 want, line = 0;
	ssize_t		 n = 0;

	if ((want = yamux_sendable(st->ys)) == 0) {
		bridge_read_off(st);
		return (0);
	}
	if (want > outward.share)
		want = outward.share;
	if ((p = mux_reserve(bridges.mux, want)) == NULL) {
		bridge_wait(st);
		return (0);
	}
	if (st->flags & SF_CONNECT)
		line = (size_t)snprintf((char *)p, CONNECT_MAX,
		    "CONNECT %s\n", st->service);
	n = recv(st->fd, p + line, want - line, 0);
	if (n <= 0 && line == 0) {
		if (n == 0)
			bridge_eof(st);
		else if (errno != EAGAIN && errno != EINTR)
			bridge_asker_gone(st);
		return (0);
	}
	if (n < 0)
		n = 0;		/* not yet; the line goes alone */
	if (mux_send(bridges.mux, st->ys, p, line + (size_t)n) == -1)
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

	while ((st = TAILQ_FIRST(&bridges.waiting)) != NULL) {
		TAILQ_REMOVE(&bridges.waiting, st, wait_entry);
		st->flags &= ~(unsigned)SF_WAITING;
		bridge_read_on(st);
		n++;
	}
	outward.share = n == 0 ? FRAME_MAX : OUT_BULK / n;
	if (outward.share > FRAME_MAX)
		outward.share = FRAME_MAX;
	if (outward.share < SHARE_MIN)
		outward.share = SHARE_MIN;
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
	if (!timer_is_set(&outward.sweep))
		timer_set(&outward.sweep, SWEEP_MS);
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
	if (outward.acked)
		return;
	/* It accepts streams: from now on silence means something. */
	outward.acked = 1;
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
