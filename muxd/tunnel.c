/* SPDX-License-Identifier: ISC */
/*
 * The tunnel's socket. One turn of the loop: read what is there, decode it in
 * place (WebSocket, then yamux, which calls stream.c and control.c), write to
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

#include "clock.h"
#include "log.h"
#include "muxd.h"
#include "out.h"
#include "proc.h"
#include "ws.h"
#include "yamux.h"

#define IN_SMALL	2048		/* on the stack: pings need no more */
#define IN_BIG		(256 * 1024)	/* taken on demand */
/* Many small answers at once stay below PACE_LARGE: they are not delayed. */
#define PACE_LARGE	24576		/* a read that counts */
#define PACE_READ	8192		/* one below it starts over */
#define PACE_RUN	8		/* large reads before pacing begins */
#define PACE_BYTES	IN_BIG
#define PACE_MS		1
#define IDLE_MS		2000		/* buffers are given back after it */
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

enum tunnel_state { TN_NONE, TN_UP, TN_CLOSING, TN_LINGER };

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

static struct {
	int			 fd;
	enum tunnel_state	 state;
	struct event		 ev_read, ev_write;
	int			 writing;	/* ev_write is set */
	struct ws		 ws;
	struct yamux		*y;
	struct out		 out;
	uint8_t			*in;		/* IN_BIG bytes, or NULL */
	int			 in_used;	/* lately */
	uint64_t		 tick_ns;	/* what `tick` is set for */
	int			 large_reads;
	int			 paced;		/* SO_RCVLOWAT is raised */
	struct timer		 pace;
	struct timer		 tick, idle, late, probe;
	uint32_t		 probe_id;
	uint64_t		 rtt;
} tn = { .fd = -1 };

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
	tn.fd = fd;
	out_init(&tn.out);
	ws_init(&tn.ws, WS_SERVER, NULL);
	yamux_config_default(&cf);
	cf.credit_max = proc_conf()->credit_tunnel;
	cf.ping_every = PING_EVERY;
	cf.seed = randombytes_random();
	if ((tn.y = yamux_new(YAMUX_SERVER, &cf, &callbacks, NULL)) == NULL)
		fatal("yamux");
	timer_init(&tn.pace, tunnel_pace_over, NULL);
	timer_init(&tn.tick, tunnel_tick, NULL);
	timer_init(&tn.idle, tunnel_idle, NULL);
	timer_init(&tn.late, tunnel_late, NULL);
	timer_init(&tn.probe, tunnel_probe_over, NULL);
	event_assign(&tn.ev_read, proc_base(), fd, EV_READ | EV_PERSIST,
	    tunnel_readable, NULL);
	event_assign(&tn.ev_write, proc_base(), fd, EV_WRITE | EV_PERSIST,
	    tunnel_writable, NULL);
	if (event_add(&tn.ev_read, NULL) == -1)
		fatalx("cannot read");
	tn.state = TN_UP;
	tunnel_used();		/* what logging in took is given back soon */
	if (len > 0)
		tunnel_input(early, len);
	tunnel_turn();
}

int
tunnel_is_up(void)
{
	return (tn.state == TN_UP);
}

struct yamux *
tunnel_yamux(void)
{
	return (tn.y);
}

struct out *
tunnel_out(void)
{
	return (&tn.out);
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
	int	lowat, was = tn.paced;

	if (n < PACE_READ)
		tn.paced = tn.large_reads = 0;
	else if (!tn.paced && n >= PACE_LARGE && ++tn.large_reads == PACE_RUN)
		tn.paced = 1;
	if (tn.paced)
		timer_set(&tn.pace, PACE_MS);
	if (tn.paced == was)
		return;
	if (!tn.paced)
		timer_del(&tn.pace);
	lowat = tn.paced ? PACE_BYTES : 1;
	(void)setsockopt(tn.fd, SOL_SOCKET, SO_RCVLOWAT, &lowat,
	    sizeof(lowat));
}

static void
tunnel_pace_over(void *arg)
{
	tunnel_readable(tn.fd, EV_READ, arg);
}

static void
tunnel_readable(evutil_socket_t fd, short what, void *arg)
{
	uint8_t	 small[IN_SMALL], *buf = small;
	size_t	 cap = sizeof(small);
	ssize_t	 n;

	(void)what;
	(void)arg;
	if (tn.in != NULL) {
		buf = tn.in;
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
		tn.in_used = 1;
		if (tn.in == NULL && (tn.in = malloc(IN_BIG)) != NULL)
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

	if (timer_is_set(&tn.probe)) {	/* any byte counts as life */
		timer_del(&tn.probe);
		authd_alive(tn.probe_id, 1);
	}
	if (tn.state == TN_LINGER)
		return;
	r = ws_input(&tn.ws, buf, len, &payload);
	if (tn.state == TN_UP && payload > 0)
		fault = yamux_input(tn.y, buf, payload, clock_ns());
	stream_flush();
	if (tn.state != TN_UP)
		return;
	if (fault != 0)
		tunnel_close(yamux_close_code(fault), yamux_strerror(fault),
		    END_TUNNEL);
	else if (r == -1)
		tunnel_close(ws_own_code(&tn.ws), ws_error(&tn.ws),
		    END_TUNNEL);
	else if (!ws_may_send(&tn.ws))
		tunnel_close(ws_peer_code(&tn.ws), "closed by the client",
		    END_TUNNEL);
}

/* Writing. */

int
tunnel_frame(struct yamux_stream *ys, uint8_t *p, size_t len)
{
	uint8_t	head[WS_HEADER_MAX];
	size_t	n;

	n = ws_header(head, WS_OP_BINARY, YAMUX_HEADER + len, NULL);
	if (n < FRAME_ROOM - YAMUX_HEADER)
		memmove(p + n + YAMUX_HEADER, p + FRAME_ROOM, len);
	if (yamux_data_header(ys, p + n, len) != 0)
		return (-1);
	memcpy(p, head, n);
	out_commit(&tn.out, n + YAMUX_HEADER + len);
	return (0);
}

/* Control frames, of yamux first, then of WebSocket: a close is the last. */
static void
tunnel_control(void)
{
	uint8_t	*p;
	size_t	 n;

	while (yamux_has_output(tn.y) && (ws_may_send(&tn.ws)) &&
	    (p = out_reserve(&tn.out, 2 + CONTROL_BATCH)) != NULL) {
		n = yamux_output(tn.y, p + 2, CONTROL_BATCH, clock_ns());
		if (n == 0)
			break;
		ws_header(p, WS_OP_BINARY, n, NULL);
		out_commit(&tn.out, 2 + n);
	}
	while (ws_pending(&tn.ws) &&
	    (p = out_reserve(&tn.out, WS_OUTPUT_MAX)) != NULL)
		out_commit(&tn.out, ws_output(&tn.ws, p, NULL));
}

void
tunnel_write(void)
{
	int	r;

	if (tn.fd == -1 || tn.state == TN_LINGER)
		return;
	if ((r = out_write(&tn.out, tn.fd)) == -1) {
		/* Reading tells the end, and what came before it. */
		tn.out.head = tn.out.tail = 0;
		return;
	}
	if (r == 1 && !tn.writing && event_add(&tn.ev_write, NULL) == 0)
		tn.writing = 1;
	if (r == 0 && tn.writing) {
		event_del(&tn.ev_write);
		tn.writing = 0;
	}
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
	if (tn.state == TN_NONE || tn.state == TN_LINGER)
		return;
	if (tn.state == TN_UP) {
		control_turn();
		tunnel_control();
	} else if (ws_pending(&tn.ws))
		tunnel_control();
	if (!tn.writing)
		tunnel_write();
	if (tn.state == TN_UP) {
		if (out_len(&tn.out) < OUT_LOW)
			stream_room();
		tunnel_tick_arm();
		if (tn.out.buf != tn.out.small)
			tunnel_used();
	} else if (out_len(&tn.out) == 0 && ws_done(&tn.ws))
		tunnel_linger();
}

/* The end. */

void
tunnel_close(uint16_t code, const char *reason, enum end_reason why)
{
	if (tn.state != TN_UP)
		return;
	log_info("closing: %u %s", code, reason == NULL ? "" : reason);
	control_end_all();
	stream_end_all(why);
	yamux_goaway(tn.y, YAMUX_GOAWAY_NORMAL);
	tunnel_control();
	if (ws_may_send(&tn.ws))
		ws_close(&tn.ws, code, reason);
	tn.state = TN_CLOSING;
	timer_del(&tn.tick);
	timer_set(&tn.late, CLOSE_MS);
	tunnel_turn();
}

/*
 * All is said. After a fault the peer may still be talking: closing now would
 * send a TCP reset that overtakes our close frame, so read on a moment.
 */
static void
tunnel_linger(void)
{
	if (ws_state(&tn.ws) != WS_FAILED) {
		tn.state = TN_NONE;
		muxd_exit(0);
	}
	tn.state = TN_LINGER;
	(void)shutdown(tn.fd, SHUT_WR);
}

/* The peer has gone, or has had its time. */
static void
tunnel_gone(const char *why)
{
	if (tn.state == TN_UP) {
		log_info("lost: %s", why);
		control_end_all();
		stream_end_all(END_TUNNEL);
	}
	tn.state = TN_NONE;
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
	uint64_t	due = yamux_deadline(tn.y), now;

	if (due == YAMUX_NEVER ||
	    (timer_is_set(&tn.tick) && tn.tick_ns <= due &&
	    due - tn.tick_ns < TICK_EARLY))
		return;
	now = clock_ns();
	tn.tick_ns = due;
	timer_set(&tn.tick, due <= now ? 0 : (due - now + 999999) / 1000000);
}

static void
tunnel_tick(void *arg)
{
	int	r;

	(void)arg;
	/* Starved of time, we are late: what has come counts first. */
	if (tn.state == TN_UP)
		tunnel_readable(tn.fd, EV_READ, NULL);
	if (tn.state != TN_UP || (r = yamux_tick(tn.y, clock_ns())) == 0)
		return;		/* armed again at the end of the turn */
	if (r == YAMUX_E_SILENT || r == YAMUX_E_NOPONG) {
		/* There is nobody to wait for. */
		tunnel_gone(yamux_strerror(r));
		return;
	}
	tunnel_close(yamux_close_code(r), yamux_strerror(r), END_TUNNEL);
}

void
tunnel_used(void)
{
	if (!timer_is_set(&tn.idle))
		timer_set(&tn.idle, IDLE_MS);
}

/* Give back what a burst took. An idle tunnel keeps no buffer. */
static void
tunnel_idle(void *arg)
{
	(void)arg;
	if (tn.in_used) {
		tn.in_used = 0;
	} else {
		free(tn.in);
		tn.in = NULL;
		out_trim(&tn.out);
		stream_trim();
		malloc_trim(0);
	}
	if (tn.in != NULL || tn.out.buf != tn.out.small)
		tunnel_used();
}

void
tunnel_probe(uint32_t id)
{
	if (tn.state != TN_UP) {
		authd_alive(id, 0);
		return;
	}
	if (timer_is_set(&tn.probe))	/* asked twice: this one counts */
		authd_alive(tn.probe_id, 0);
	tn.probe_id = id;
	timer_set(&tn.probe, PROBE_MS);
	(void)yamux_ping(tn.y, clock_ns());	/* or one is under way */
}

static void
tunnel_probe_over(void *arg)
{
	(void)arg;
	authd_alive(tn.probe_id, 0);
}

/* From yamux. Streams that we opened go to stream.c, others to control.c. */

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
		stream_on_data(ys, p, len);
}

static void
on_fin(void *arg, struct yamux_stream *ys)
{
	(void)arg;
	if (yamux_is_inbound(ys))
		control_on_fin(ys);
	else
		stream_on_fin(ys);
}

static void
on_close(void *arg, struct yamux_stream *ys, enum yamux_reason reason)
{
	(void)arg;
	if (yamux_is_inbound(ys))
		control_on_close(ys);
	else
		stream_on_close(ys, reason == YAMUX_CLOSED ? END_CLEAN :
		    reason == YAMUX_GONE ? END_TUNNEL :
		    reason == YAMUX_TIMEOUT ? END_TIMEOUT : END_RESET);
}

static void
on_window(void *arg, struct yamux_stream *ys)
{
	(void)arg;
	if (!yamux_is_inbound(ys))
		stream_on_window(ys);
}

static void
on_ack(void *arg, struct yamux_stream *ys)
{
	(void)arg;
	stream_on_ack(ys);
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
	yamux_get_stats(tn.y, &s);
	authd_stats(s.bytes_in, s.bytes_out, rtt_ns);
}
