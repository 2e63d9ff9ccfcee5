/* SPDX-License-Identifier: ISC */
/*
 * One stream: a descriptor that authd handed out on one side, a yamux stream
 * on the other; mux/bridge.h carries the bytes. The story, in order: open
 * (CONNECT line and what the asker has written already, in one flight), reply
 * line (bridge_in.c), bytes both ways, the end.
 */
#include <sys/socket.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "muxd.h"
#include "proc/proc.h"
#include "bridge_int.h"

#define REPLY_MS	15000	/* once the client has accepted any stream */
#define REPLY_FIRST_MS	120000	/* before: it may still be provisioning */
#define SWEEP_MS	1000	/* look after askers we do not read from */
#define SHARE_MIN	4096	/* bytes in one turn, however many compete */

#define TERMINAL	"terminal"	/* tunnel-protocol.md, 5.3 */
/* What lies between a terminal and a slow browser: ^C waits behind it. */
#define TERMINAL_AHEAD	(64 * 1024)	/* the client's, and what is kept */
#define TERMINAL_SNDBUF	(16 * 1024)	/* in the descriptor */
/*
 * The others' takes a whole read of the tunnel: what it leaves has to be kept,
 * which is one copy more, also of what follows.
 */
#define SNDBUF		(208 * 1024)	/* the kernel counts it twice */

/* The service's CONNECT line, as a format. */
#define CONNECT		"CONNECT %s\n"

static void	bridge_reject(uint64_t, const char *, const uint8_t *, size_t,
		    int, const char *, enum end_reason);
static void	bridge_sndbuf(struct bridge *, int);
static void	bridge_wait(struct mux_bridge *);
static void	bridge_eof(struct mux_bridge *);
static int	bridge_failed(struct mux_bridge *, enum mux_bridge_fault);
static void	bridge_held(struct mux_bridge *);
static void	bridge_connect(struct mux_bridge *, uint8_t *, size_t);
static int	fd_hung_up(int);
static void	bridge_sweep(void *);
static void	sweep_arm(void);
static void	bridge_no_answer(void *);

static const struct mux_bridge_ops ops = {
	.touch = bridge_touch,
	.wait = bridge_wait,
	.wrote = bridge_wrote,
	.eof = bridge_eof,
	.failed = bridge_failed,
	.held = bridge_held,
	.header = bridge_connect,
};

static struct {
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
}

void
bridge_client_halves(void)
{
	bridges.halves = 1;
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
	if ((r = yamux_open(bridges.mux->y, st, &st->m.ys)) != 0) {
		free(st->tag);
		free(st);
		bridge_reject(id, service, tag, tag_len, fd,
		    yamux_strerror(r), END_TUNNEL);
		return;
	}
	st->id = id;
	st->m.ops = &ops;
	st->m.mux = bridges.mux;
	st->m.fd = fd;
	st->m.max = FRAME_MAX;
	strlcpy(st->service, service, sizeof(st->service));
	st->m.head = strlen(CONNECT) - 2 + strlen(st->service);
	st->m.flags = MB_ALONE;
	memcpy(st->tag, tag, tag_len);
	st->tag_len = tag_len;
	mux_bridge_init(&st->m, proc_base());
	if (strcmp(service, TERMINAL) == 0) {
		yamux_keep_small(st->m.ys, TERMINAL_AHEAD);
		bridge_sndbuf(st, TERMINAL_SNDBUF);
	} else
		bridge_sndbuf(st, SNDBUF);
	timer_init(&st->deadline, bridge_no_answer, st);
	timer_set(&st->deadline, outward.acked ? REPLY_MS : REPLY_FIRST_MS);
	TAILQ_INSERT_TAIL(&bridges.all, st, entry);
	bridges.count++;
	muxd_title_changed(bridges.count);
	mux_bridge_resume(&st->m);
	(void)mux_bridge_pull(&st->m);
}

static void
bridge_sndbuf(struct bridge *st, int size)
{
	(void)setsockopt(st->m.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
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

/* The line that goes before all else, in one frame with what is there. */
static void
bridge_connect(struct mux_bridge *m, uint8_t *p, size_t len)
{
	char	line[sizeof(CONNECT) + SERVICE_SIZE];

	(void)len;
	(void)snprintf(line, sizeof(line), CONNECT, bridge_of(m)->service);
	memcpy(p, line, m->head);
	m->head = 0;
}

/* End of file: has the asker closed, or only said that it is done writing? */
static void
bridge_eof(struct mux_bridge *m)
{
	struct bridge	*st = bridge_of(m);

	if (fd_hung_up(m->fd) || (st->flags & SF_SHUT)) {
		bridge_asker_gone(st);
		return;
	}
	st->flags |= SF_DONE;
	/*
	 * Passed on to who says that it knows how: another client that gets a
	 * FIN drops the reply (tunnel-protocol.md, 5.2).
	 */
	if (bridges.halves)
		yamux_half(m->ys);
}

static int
bridge_failed(struct mux_bridge *m, enum mux_bridge_fault fault)
{
	if (fault == MB_NOMEM)
		bridge_fail(bridge_of(m), "out of memory", END_LIMIT);
	else
		bridge_asker_gone(bridge_of(m));
	return (-1);
}

static int
fd_hung_up(int fd)
{
	struct pollfd	pfd = { fd, 0, 0 };

	return (poll(&pfd, 1, 0) == 1 && (pfd.revents & (POLLHUP | POLLERR)));
}

/* Until the output buffer has room; first come, first served. */
static void
bridge_wait(struct mux_bridge *m)
{
	struct bridge	*st = bridge_of(m);

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
	size_t		 n = 0, share;

	while ((st = TAILQ_FIRST(&bridges.waiting)) != NULL) {
		TAILQ_REMOVE(&bridges.waiting, st, wait_entry);
		st->flags &= ~(unsigned)SF_WAITING;
		mux_bridge_resume(&st->m);
		n++;
	}
	share = n == 0 ? FRAME_MAX : OUT_BULK / n;
	bridges.mux->share = share > FRAME_MAX ? FRAME_MAX :
	    share < SHARE_MIN ? SHARE_MIN : share;
}

void
bridge_on_window(struct yamux_stream *ys)
{
	struct bridge	*st = yamux_get(ys);

	if (st != NULL && !(st->flags & SF_WAITING))
		mux_bridge_resume(&st->m);
}

/* Not reading means not seeing the asker go: the sweep looks for that. */
static void
bridge_held(struct mux_bridge *m)
{
	(void)m;
	sweep_arm();
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
		if (st->m.flags & MB_READING)
			continue;
		if (fd_hung_up(st->m.fd))
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

/*
 * RST, or the tunnel is gone: what has come before is still handed over. Or the
 * end of both halves.
 */
void
bridge_on_close(struct yamux_stream *ys, enum end_reason why)
{
	struct bridge	*st = yamux_get(ys);

	if (st == NULL)
		return;
	if (why == END_CLEAN) {
		/* FIN both ways. What has come is still written. */
		st->m.ys = NULL;
		bridge_touch(&st->m);
		return;
	}
	if (!(st->flags & SF_REPLIED) && why == END_RESET) {
		static const char	text[] = "ERROR reset by the client\n";

		(void)send(st->m.fd, text, sizeof(text) - 1, MSG_NOSIGNAL);
	}
	mux_bridge_last(&st->m);
	bridge_end(st, why);
}
