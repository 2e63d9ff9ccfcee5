/* SPDX-License-Identifier: ISC */
/*
 * The tunnel: what mux/sock.h leaves to its owner. Whose the streams are, what
 * the kernel may keep unsent, whether the client lives, the end.
 */
#include <sys/mman.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <malloc.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "mux/bridge.h"
#include "muxd.h"
#include "proc/proc.h"

#define CLOSE_MS	4000		/* for the peer's echo: authd waits 5 s */
#define PING_EVERY	(15 * YAMUX_NSEC)	/* or after the client's ... */
#define PING_MOST	(30 * YAMUX_NSEC)	/* ... but so often at least */
#define PROBE_MS	1900		/* authd waits 2 s */
#define PROBERS_MAX	16		/* that wait for one answer */
#define STACK_NEAR	512		/* what a system call's frame may take */
#define STACK_TRIM	(64 * 1024)	/* less than is mapped from the start */
/*
 * Unsent bytes in the kernel: enough for a busy writer, little enough that a
 * ping does not wait behind megabytes on a slow line.
 */
#define NOTSENT_LOWAT	(128 * 1024)

static void	tunnel_flush(struct mux *);
static void	tunnel_room(struct mux *);
static void	tunnel_fault(struct mux *, enum mux_fault, uint16_t,
		    const char *);
static void	tunnel_done(struct mux *);
static void	tunnel_gone(struct mux *, const char *);
static void	tunnel_idle(struct mux *);
static void	stack_trim(void);
static void	tunnel_answer(int);
static void	tunnel_probe_over(void *);
static void	tunnel_stats_due(void *);
static void	tunnel_moved(void);
static void	on_open(void *, struct yamux_stream *);
static void	on_data(void *, struct yamux_stream *, const uint8_t *, size_t);
static void	on_fin(void *, struct yamux_stream *);
static void	on_close(void *, struct yamux_stream *, enum yamux_reason);
static void	on_window(void *, struct yamux_stream *);
static void	on_ack(void *, struct yamux_stream *);
static void	on_goaway(void *);
static void	on_pong(void *, uint64_t);

static const struct mux_ops mux_ops = {
	.flush = tunnel_flush,
	.room = tunnel_room,
	.fault = tunnel_fault,
	.done = tunnel_done,
	.gone = tunnel_gone,
	.idle = tunnel_idle,
};

static const struct yamux_callbacks callbacks = {
	.on_open = on_open,
	.on_data = on_data,
	.on_fin = on_fin,
	.on_close = on_close,
	.on_window = on_window,
	.on_ack = on_ack,
	.on_goaway = on_goaway,
	.on_pong = on_pong,
	.grow = lease_grow,
	.release = lease_release,
};

static struct {
	struct mux	 mux;
	int		 fd;
	struct timer	 probe;
	uint32_t	 probers[PROBERS_MAX];	/* ids of who asks */
	unsigned	 nprobers;
	struct timer	 stats;		/* to tell what has moved */
	uint64_t	 moved;		/* bytes when it was set */
} tunnel;

void
tunnel_start(int fd, uint8_t *early, size_t len)
{
	struct yamux_config	cf;
	int			on = 1, lowat = NOTSENT_LOWAT;

	/* What does not apply to this kind of socket fails, and may. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
#ifdef TCP_NOTSENT_LOWAT
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat,
	    sizeof(lowat));
#endif
	(void)lowat;
	yamux_config_default(&cf);
	cf.credit_max = proc_conf()->credit_tunnel;
	cf.ping_every = cf.ping_after = PING_EVERY;
	cf.ping_most = PING_MOST;
	if (getentropy(&cf.seed, sizeof(cf.seed)) == -1)
		fatal("getentropy");
	timer_init(&tunnel.probe, tunnel_probe_over, NULL);
	timer_init(&tunnel.stats, tunnel_stats_due, NULL);
	tunnel.fd = fd;
	if (mux_init(&tunnel.mux, proc_base(), fd, &mux_ops, &cf, &callbacks,
	    NULL) == -1)
		fatalx("tunnel: out of memory");
	bridge_init(&tunnel.mux);
	control_init(&tunnel.mux);
	command_init(&tunnel.mux);
	mux_start(&tunnel.mux, early, len);
}

int
tunnel_is_up(void)
{
	return (tunnel.mux.state == MUX_UP);
}

void
tunnel_turn(void)
{
	if (tunnel_is_up()) {
		control_turn();
		command_turn();
	}
	mux_turn(&tunnel.mux);
}

void
tunnel_stats(void)
{
	struct yamux_stats	s;
	uint64_t		wait;

	yamux_get_stats(tunnel.mux.y, &s);
	wait = authd_stats(s.bytes_in, s.bytes_out, s.rtt_last,
	    bridge_count(), bridge_tell_moved);
	if (wait != 0)
		timer_set(&tunnel.stats, wait);
}

static void
tunnel_stats_due(void *arg)
{
	(void)arg;
	tunnel_stats();
}

/* A ping of ours moves nothing: no timer wakes an idle tunnel for it. */
static void
tunnel_moved(void)
{
	struct yamux_stats	s;

	if (timer_is_set(&tunnel.stats))
		return;
	yamux_get_stats(tunnel.mux.y, &s);
	if (s.bytes_in + s.bytes_out == tunnel.moved)
		return;
	tunnel.moved = s.bytes_in + s.bytes_out;
	timer_set(&tunnel.stats, STATS_MS);
}

/* A read is through. */
static void
tunnel_flush(struct mux *m)
{
	(void)m;
	if (timer_is_set(&tunnel.probe)) {	/* any byte counts as life */
		timer_del(&tunnel.probe);
		tunnel_answer(1);
	}
	tunnel_moved();
	bridge_flush();
}

static void
tunnel_room(struct mux *m)
{
	(void)m;
	bridge_room();
}

/* An idle tunnel keeps no buffer, nor the stack that logging in has taken. */
static void
tunnel_idle(struct mux *m)
{
	(void)m;
	mux_bridge_trim();
	malloc_trim(0);
	stack_trim();
}

/* All that is below this frame is nobody's. */
static void
stack_trim(void)
{
	uintptr_t	page = (uintptr_t)sysconf(_SC_PAGESIZE), end;

	end = ((uintptr_t)__builtin_frame_address(0) - STACK_NEAR) &
	    ~(page - 1);
	(void)madvise((void *)(end - STACK_TRIM), STACK_TRIM, MADV_DONTNEED);
}

/* The end. */

void
tunnel_close(uint16_t code, const char *reason, enum end_reason why)
{
	if (!tunnel_is_up())
		return;
	log_info("closing: %u %s", code, reason == NULL ? "" : reason);
	control_end_all();
	command_end_all();
	bridge_end_all(why);
	yamux_goaway(tunnel.mux.y, YAMUX_GOAWAY_NORMAL);
	mux_close(&tunnel.mux, code, reason, CLOSE_MS);
	mux_turn(&tunnel.mux);
}

static void
tunnel_fault(struct mux *m, enum mux_fault fault, uint16_t code,
    const char *text)
{
	if (fault == MUX_SILENT)	/* there is nobody to wait for */
		tunnel_gone(m, text);
	else
		tunnel_close(code, fault == MUX_CLOSED ?
		    "closed by the client" : text, END_TUNNEL);
}

/*
 * All is said. After a fault the peer may still be talking: closing now would
 * send a TCP reset that overtakes our close frame, so read on a moment.
 */
static void
tunnel_done(struct mux *m)
{
	if (ws_state(&m->ws) != WS_FAILED)
		muxd_exit(0);
	(void)shutdown(tunnel.fd, SHUT_WR);
}

/* The peer has gone, or has had its time. */
static void
tunnel_gone(struct mux *m, const char *why)
{
	if (tunnel_is_up()) {
		log_info("lost: %s", why == NULL ?
		    "connection closed by the client" : why);
		control_end_all();
		command_end_all();
		bridge_end_all(END_TUNNEL);
	}
	m->state = MUX_LINGER;		/* nothing more is said */
	muxd_exit(0);
}

/* Is the client alive? */

void
tunnel_probe(uint32_t id)
{
	if (!tunnel_is_up()) {
		authd_alive(id, 0);
		return;
	}
	/* Too many to remember: nobody takes it over for that. */
	if (tunnel.nprobers == PROBERS_MAX) {
		authd_alive(id, 1);
		return;
	}
	tunnel.probers[tunnel.nprobers++] = id;
	/* Who comes second gets the answer of the first, when that does. */
	if (timer_is_set(&tunnel.probe))
		return;
	timer_set(&tunnel.probe, PROBE_MS);
	/* Or one is under way. */
	(void)yamux_ping(tunnel.mux.y, clock_ns());
}

/* Who has asked has gone, and his ids are another's. */
void
tunnel_probe_forget(void)
{
	timer_del(&tunnel.probe);
	tunnel.nprobers = 0;
}

static void
tunnel_answer(int alive)
{
	unsigned	i, n = tunnel.nprobers;

	tunnel.nprobers = 0;
	for (i = 0; i < n; i++)
		authd_alive(tunnel.probers[i], alive);
}

static void
tunnel_probe_over(void *arg)
{
	(void)arg;
	tunnel_answer(0);
}

/*
 * From yamux. Streams that we opened go to command.c and bridge.c, others to
 * control.c.
 */

static void
on_open(void *arg, struct yamux_stream *ys)
{
	(void)arg;
	control_on_open(ys);
}

static void
on_data(void *arg, struct yamux_stream *ys, const uint8_t *p, size_t len)
{
	(void)arg;
	if (yamux_is_inbound(ys))
		control_on_data(ys, p, len);
	else if (command_is(ys))
		command_on_data(ys, p, len);
	else
		bridge_on_data(ys, p, len);
}

static void
on_fin(void *arg, struct yamux_stream *ys)
{
	(void)arg;
	if (yamux_is_inbound(ys))
		control_on_fin(ys);
	else if (command_is(ys))
		command_on_fin(ys);
	else
		bridge_on_fin(ys);
}

static void
on_close(void *arg, struct yamux_stream *ys, enum yamux_reason reason)
{
	(void)arg;
	if (yamux_is_inbound(ys))
		control_on_close(ys);
	else if (command_is(ys))
		command_on_close(ys);
	else
		bridge_on_close(ys, reason == YAMUX_CLOSED ? END_CLEAN :
		    reason == YAMUX_GONE ? END_TUNNEL :
		    reason == YAMUX_TIMEOUT ? END_TIMEOUT : END_RESET);
}

static void
on_window(void *arg, struct yamux_stream *ys)
{
	(void)arg;
	if (!yamux_is_inbound(ys) && !command_is(ys))
		bridge_on_window(ys);
}

static void
on_ack(void *arg, struct yamux_stream *ys)
{
	(void)arg;
	bridge_on_ack(ys);
}

static void
on_goaway(void *arg)
{
	(void)arg;
	log_info("the client takes no new streams");
}

static void
on_pong(void *arg, uint64_t rtt_ns)
{
	(void)arg;
	(void)rtt_ns;
	tunnel_stats();
}
