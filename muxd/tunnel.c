/* SPDX-License-Identifier: ISC */
/*
 * The tunnel's socket. One turn of the loop: read what is there, decode it in
 * place (WebSocket, then yamux, which calls bridge.c and control.c), write to
 * the descriptors; whatever there is to say gathers in one buffer and leaves
 * in one write at the end of the turn (tunnel_turn).
 *
 * It never stops reading the socket: a slow asker fills its own stream's
 * window and nothing else. Nor does it wait in a call: proxyd may still hold
 * the socket and take O_NONBLOCK off it, so every call says MSG_DONTWAIT.
 */
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/log.h"
#include "muxd.h"
#include "out.h"
#include "proc/proc.h"
#include "tunnel_int.h"
#include "ws/ws.h"
#include "yamux/yamux.h"

#define IN_SMALL	2048		/* on the stack: pings need no more */
#define IN_BIG		(256 * 1024)	/* taken on demand */
/* Many small answers at once stay below PACE_LARGE: they are not delayed. */
#define PACE_LARGE	24576		/* a read that counts */
#define PACE_READ	8192		/* one below it starts over */
#define PACE_RUN	8		/* large reads before pacing begins */
#define PACE_BYTES	IN_BIG
#define PACE_MS		1
#define CLOSE_MS	5000		/* for the peer's echo */
#define PING_EVERY	(15 * YAMUX_NSEC)
#define TICK_EARLY	(YAMUX_NSEC / 2)	/* not worth moving the timer */
#define PROBE_MS	1900		/* authd waits 2 s */
/*
 * Unsent bytes in the kernel: enough for a busy writer, little enough that a
 * ping does not wait behind megabytes on a slow line.
 */
#define NOTSENT_LOWAT	(128 * 1024)
/* Control frames in one message: its header has two bytes then. */
#define CONTROL_BATCH	(10 * YAMUX_HEADER)

static void	tunnel_readable(evutil_socket_t, short, void *);
static void	tunnel_writable(evutil_socket_t, short, void *);
static void	tunnel_pace(ssize_t);
static void	tunnel_pace_over(void *);
static void	tunnel_input(uint8_t *, size_t);
static void	tunnel_control(void);
static void	tunnel_gone(const char *);
static void	tunnel_linger(void);
static void	tunnel_late(void *);
static void	tunnel_tick(void *);
static void	tunnel_tick_arm(void);
static void	tunnel_idle(void *);
static void	tunnel_probe_over(void *);
static void	on_open(void *, struct yamux_stream *);
static void	on_data(void *, struct yamux_stream *, const uint8_t *, size_t);
static void	on_fin(void *, struct yamux_stream *);
static void	on_close(void *, struct yamux_stream *, enum yamux_reason);
static void	on_window(void *, struct yamux_stream *);
static void	on_ack(void *, struct yamux_stream *);
static void	on_goaway(void *);
static void	on_pong(void *, uint64_t);

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
	tunnel.fd = fd;
	out_init(&tunnel.out);
	ws_init(&tunnel.ws, WS_SERVER, NULL);
	yamux_config_default(&cf);
	cf.credit_max = proc_conf()->credit_tunnel;
	cf.ping_every = PING_EVERY;
	cf.seed = randombytes_random();
	if ((tunnel.y = yamux_new(YAMUX_SERVER, &cf, &callbacks, NULL)) == NULL)
		fatal("yamux");
	timer_init(&tunnel.pace, tunnel_pace_over, NULL);
	timer_init(&tunnel.tick, tunnel_tick, NULL);
	timer_init(&tunnel.idle, tunnel_idle, NULL);
	timer_init(&tunnel.late, tunnel_late, NULL);
	timer_init(&tunnel.probe, tunnel_probe_over, NULL);
	event_assign(&tunnel.ev_read, proc_base(), fd, EV_READ | EV_PERSIST,
	    tunnel_readable, NULL);
	event_assign(&tunnel.ev_write, proc_base(), fd, EV_WRITE | EV_PERSIST,
	    tunnel_writable, NULL);
	if (event_add(&tunnel.ev_read, NULL) == -1)
		fatalx("cannot read");
	tunnel.state = TN_UP;
	tunnel_used();		/* what logging in took is given back soon */
	if (len > 0)
		tunnel_input(early, len);
	tunnel_turn();
}

/* Reading. */

/*
 * A fast sender costs half when it is served in larger portions: after some
 * large reads the kernel wakes us when PACE_BYTES have come; the timer
 * takes what there is after a millisecond, which bounds the delay, and one
 * small read ends it.
 */
static void
tunnel_pace(ssize_t n)
{
	int	lowat, was = tunnel.paced;

	if (n < PACE_READ)
		tunnel.paced = tunnel.large_reads = 0;
	else if (!tunnel.paced && n >= PACE_LARGE &&
	    ++tunnel.large_reads == PACE_RUN)
		tunnel.paced = 1;
	if (tunnel.paced)
		timer_set(&tunnel.pace, PACE_MS);
	if (tunnel.paced == was)
		return;
	if (!tunnel.paced)
		timer_del(&tunnel.pace);
	lowat = tunnel.paced ? PACE_BYTES : 1;
	(void)setsockopt(tunnel.fd, SOL_SOCKET, SO_RCVLOWAT, &lowat,
	    sizeof(lowat));
}

static void
tunnel_pace_over(void *arg)
{
	tunnel_readable(tunnel.fd, EV_READ, arg);
}

static void
tunnel_readable(evutil_socket_t fd, short what, void *arg)
{
	uint8_t	 small[IN_SMALL], *buf = small;
	size_t	 cap = sizeof(small);
	ssize_t	 n;

	(void)what;
	(void)arg;
	if (tunnel.in != NULL) {
		buf = tunnel.in;
		cap = IN_BIG;
	}
	n = recv(fd, buf, cap, MSG_DONTWAIT);
	tunnel_pace(n);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		tunnel_gone(n == 0 ? "connection closed by the client" :
		    strerror(errno));
		return;
	}
	if ((size_t)n >= sizeof(small)) {
		tunnel.in_used = 1;
		if (tunnel.in == NULL && (tunnel.in = malloc(IN_BIG)) != NULL)
			tunnel_used();
	}
	tunnel_input(buf, (size_t)n);
}

/* Decode `len` bytes in place and hand on what they carry. */
static void
tunnel_input(uint8_t *buf, size_t len)
{
	size_t	payload = 0;
	int	r, fault = 0;

	if (timer_is_set(&tunnel.probe)) {	/* any byte counts as life */
		timer_del(&tunnel.probe);
		authd_alive(tunnel.probe_id, 1);
	}
	if (tunnel.state == TN_LINGER)
		return;
	r = ws_input(&tunnel.ws, buf, len, &payload);
	if (tunnel.state == TN_UP && payload > 0)
		fault = yamux_input(tunnel.y, buf, payload, clock_ns());
	bridge_flush();
	if (tunnel.state != TN_UP)
		return;
	if (fault != 0)
		tunnel_close(yamux_close_code(fault), yamux_strerror(fault),
		    END_TUNNEL);
	else if (r == -1)
		tunnel_close(ws_own_code(&tunnel.ws), ws_error(&tunnel.ws),
		    END_TUNNEL);
	else if (!ws_may_send(&tunnel.ws))
		tunnel_close(ws_peer_code(&tunnel.ws), "closed by the client",
		    END_TUNNEL);
}

/* Writing. */

/* Control frames, of yamux first, then of WebSocket: a close is the last. */
static void
tunnel_control(void)
{
	uint8_t	*p;
	size_t	 n;

	while (yamux_has_output(tunnel.y) && (ws_may_send(&tunnel.ws)) &&
	    (p = out_reserve(&tunnel.out, 2 + CONTROL_BATCH)) != NULL) {
		n = yamux_output(tunnel.y, p + 2, CONTROL_BATCH, clock_ns());
		if (n == 0)
			break;
		ws_header(p, WS_OP_BINARY, n, NULL);
		out_commit(&tunnel.out, 2 + n);
	}
	while (ws_pending(&tunnel.ws) &&
	    (p = out_reserve(&tunnel.out, WS_OUTPUT_MAX)) != NULL)
		out_commit(&tunnel.out, ws_output(&tunnel.ws, p, NULL));
}

static void
tunnel_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	tunnel_write();
}

void
tunnel_turn(void)
{
	if (tunnel.state == TN_NONE || tunnel.state == TN_LINGER)
		return;
	if (tunnel.state == TN_UP) {
		control_turn();
		tunnel_control();
	} else if (ws_pending(&tunnel.ws))
		tunnel_control();
	if (!tunnel.writing)
		tunnel_write();
	if (tunnel.state == TN_UP) {
		if (out_len(&tunnel.out) < OUT_LOW)
			bridge_room();
		tunnel_tick_arm();
		if (tunnel.out.buf != tunnel.out.small)
			tunnel_used();
	} else if (out_len(&tunnel.out) == 0 && ws_done(&tunnel.ws))
		tunnel_linger();
}

/* The end. */

void
tunnel_close(uint16_t code, const char *reason, enum end_reason why)
{
	if (tunnel.state != TN_UP)
		return;
	log_info("closing: %u %s", code, reason == NULL ? "" : reason);
	control_end_all();
	bridge_end_all(why);
	yamux_goaway(tunnel.y, YAMUX_GOAWAY_NORMAL);
	tunnel_control();
	if (ws_may_send(&tunnel.ws))
		ws_close(&tunnel.ws, code, reason);
	tunnel.state = TN_CLOSING;
	timer_del(&tunnel.tick);
	timer_set(&tunnel.late, CLOSE_MS);
	tunnel_turn();
}

/*
 * All is said. After a fault the peer may still be talking: closing now would
 * send a TCP reset that overtakes our close frame, so read on a moment.
 */
static void
tunnel_linger(void)
{
	if (ws_state(&tunnel.ws) != WS_FAILED) {
		tunnel.state = TN_NONE;
		muxd_exit(0);
	}
	tunnel.state = TN_LINGER;
	(void)shutdown(tunnel.fd, SHUT_WR);
}

/* The peer has gone, or has had its time. */
static void
tunnel_gone(const char *why)
{
	if (tunnel.state == TN_UP) {
		log_info("lost: %s", why);
		control_end_all();
		bridge_end_all(END_TUNNEL);
	}
	tunnel.state = TN_NONE;
	muxd_exit(0);
}

static void
tunnel_late(void *arg)
{
	(void)arg;
	tunnel_gone("no answer to our close");
}

/* Keep-alive. */

static void
tunnel_tick_arm(void)
{
	uint64_t	due = yamux_deadline(tunnel.y), now;

	if (due == YAMUX_NEVER ||
	    (timer_is_set(&tunnel.tick) && tunnel.tick_ns <= due &&
	    due - tunnel.tick_ns < TICK_EARLY))
		return;
	now = clock_ns();
	tunnel.tick_ns = due;
	timer_set(
	    &tunnel.tick, due <= now ? 0 : (due - now + 999999) / 1000000);
}

static void
tunnel_tick(void *arg)
{
	int	r;

	(void)arg;
	/* Starved of time, we are late: what has come counts first. */
	if (tunnel.state == TN_UP)
		tunnel_readable(tunnel.fd, EV_READ, NULL);
	if (tunnel.state != TN_UP ||
	    (r = yamux_tick(tunnel.y, clock_ns())) == 0)
		return;		/* armed again at the end of the turn */
	if (r == YAMUX_E_SILENT || r == YAMUX_E_NOPONG) {
		/* There is nobody to wait for. */
		tunnel_gone(yamux_strerror(r));
		return;
	}
	tunnel_close(yamux_close_code(r), yamux_strerror(r), END_TUNNEL);
}

/* Give back what a burst took. An idle tunnel keeps no buffer. */
static void
tunnel_idle(void *arg)
{
	(void)arg;
	if (tunnel.in_used) {
		tunnel.in_used = 0;
	} else {
		free(tunnel.in);
		tunnel.in = NULL;
		out_trim(&tunnel.out);
		bridge_trim();
		malloc_trim(0);
	}
	if (tunnel.in != NULL || tunnel.out.buf != tunnel.out.small)
		tunnel_used();
}

void
tunnel_probe(uint32_t id)
{
	if (tunnel.state != TN_UP) {
		authd_alive(id, 0);
		return;
	}
	if (timer_is_set(&tunnel.probe)) /* asked twice: this one counts */
		authd_alive(tunnel.probe_id, 0);
	tunnel.probe_id = id;
	timer_set(&tunnel.probe, PROBE_MS);
	(void)yamux_ping(tunnel.y, clock_ns());	/* or one is under way */
}

static void
tunnel_probe_over(void *arg)
{
	(void)arg;
	authd_alive(tunnel.probe_id, 0);
}

/* From yamux. Streams that we opened go to bridge.c, others to control.c. */

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
	else
		bridge_on_data(ys, p, len);
}

static void
on_fin(void *arg, struct yamux_stream *ys)
{
	(void)arg;
	if (yamux_is_inbound(ys))
		control_on_fin(ys);
	else
		bridge_on_fin(ys);
}

static void
on_close(void *arg, struct yamux_stream *ys, enum yamux_reason reason)
{
	(void)arg;
	if (yamux_is_inbound(ys))
		control_on_close(ys);
	else
		bridge_on_close(ys, reason == YAMUX_CLOSED ? END_CLEAN :
		    reason == YAMUX_GONE ? END_TUNNEL :
		    reason == YAMUX_TIMEOUT ? END_TIMEOUT : END_RESET);
}

static void
on_window(void *arg, struct yamux_stream *ys)
{
	(void)arg;
	if (!yamux_is_inbound(ys))
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
	struct yamux_stats	s;

	(void)arg;
	yamux_get_stats(tunnel.y, &s);
	authd_stats(s.bytes_in, s.bytes_out, rtt_ns, bridge_count());
}
