/* SPDX-License-Identifier: ISC */
/*
 * The socket loop. One read of up to 256 KiB is unwrapped, demultiplexed and
 * written to its targets; what the targets and we have to say is put into one
 * buffer, in place and masked there, and leaves in one write a turn.
 */
#include <event2/event.h>
#include <event2/event_struct.h>
#include <sodium.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "tunnel.h"
#include "ws/ws.h"
#include "yamux/yamux.h"

#define IN_SIZE		(256 * 1024)
#define OUT_BULK	(256 * 1024)	/* no more bulk data above this mark */
#define OUT_LOW		(64 * 1024)	/* who waits for room goes on below */
#define OUT_SIZE	(OUT_BULK + 128 * 1024)	/* room for control on top */
#define WS_ROOM		8		/* header of a masked frame, 16 bits */
#define FRAME_ROOM	(WS_ROOM + YAMUX_HEADER)
#define CONTROL_CHUNK	(341 * YAMUX_HEADER)
#define PING_EVERY_S	30
#define CLOSE_MS	2000		/* for the other's part of a close */
#define RANDOM_POOL	1024		/* bytes of mask keys in stock */

enum state { DOWN, UP, CLOSING };

static void	tunnel_readable(evutil_socket_t, short, void *);
static void	tunnel_writable(evutil_socket_t, short, void *);
static void	tunnel_input(uint8_t *, size_t);
static void	tunnel_place_control(void);
static void	tunnel_flush(void);
static void	tunnel_arm(void);
static void	tunnel_tick(void *);
static void	tunnel_close_timeout(void *);
static void	tunnel_broken(int);
static void	tunnel_closing(void);
static void	tunnel_finish(void);
static void	random_take(uint8_t *, size_t);

static struct {
	enum state	 state;
	struct sock	 sock;
	struct event	 ev_read, ev_write;
	int		 writing;		/* ev_write is set */
	int		 dead;			/* the socket takes no more */
	struct ws	 ws;
	struct yamux	*y;
	struct timer	 tick, close_timer;
	const struct tunnel_hears *hears;
	tunnel_fn	 fn;
	void		*arg;
	char		 why[256];		/* how the end began */
	uint8_t		*in;
	uint8_t		*out;
	size_t		 head, tail;
	uint8_t		 pool[RANDOM_POOL];
	size_t		 pool_left;
} tunnel;

/* Start. */

static void
on_goaway(void *arg)
{
	(void)arg;
	log_debug("tunnel: the server opens no more streams");
}

static void
yamux_setup(struct yamux_config *cf, struct yamux_callbacks *cb,
    const struct tunnel_hears *hears)
{
	yamux_config_default(cf);
	cf->ping_every = PING_EVERY_S * YAMUX_NSEC;
	cf->seed = randombytes_random();
	memset(cb, 0, sizeof(*cb));
	cb->on_open = hears->open;
	cb->on_data = hears->data;
	cb->on_fin = hears->fin;
	cb->on_close = hears->close;
	cb->on_window = hears->window;
	cb->on_goaway = on_goaway;
}

int
tunnel_begin(struct sock *c, const uint8_t *early, size_t early_len,
    const struct tunnel_hears *hears, tunnel_fn fn, void *arg)
{
	struct yamux_config	cf;
	struct yamux_callbacks	cb;

	yamux_setup(&cf, &cb, hears);
	if ((tunnel.in = malloc(IN_SIZE)) == NULL ||
	    (tunnel.out = malloc(OUT_SIZE)) == NULL ||
	    (tunnel.y = yamux_new(YAMUX_CLIENT, &cf, &cb, NULL)) == NULL) {
		free(tunnel.in);
		free(tunnel.out);
		tunnel.in = tunnel.out = NULL;
		sock_close(c);
		return (-1);
	}
	tunnel.sock = *c;
	tunnel.hears = hears;
	tunnel.fn = fn;
	tunnel.arg = arg;
	tunnel.head = tunnel.tail = 0;
	tunnel.writing = tunnel.dead = 0;
	tunnel.why[0] = '\0';
	tunnel.state = UP;
	ws_init(&tunnel.ws, WS_CLIENT, NULL);
	timer_init(&tunnel.tick, tunnel_tick, NULL);
	timer_init(&tunnel.close_timer, tunnel_close_timeout, NULL);
	event_assign(&tunnel.ev_read, net_base(), c->fd, EV_READ | EV_PERSIST,
	    tunnel_readable, NULL);
	event_assign(&tunnel.ev_write, net_base(), c->fd, EV_WRITE | EV_PERSIST,
	    tunnel_writable, NULL);
	event_add(&tunnel.ev_read, NULL);
	if (early_len > IN_SIZE)
		early_len = IN_SIZE;	/* never: a head's buffer is less */
	if (early_len > 0) {
		memcpy(tunnel.in, early, early_len);
		tunnel_input(tunnel.in, early_len);
	}
	if (tunnel.state != DOWN && sock_pending(&tunnel.sock))
		event_active(&tunnel.ev_read, EV_READ, 0);
	return (0);
}

int
tunnel_is_usable(void)
{
	return (tunnel.state == UP);
}

int
tunnel_exists(void)
{
	return (tunnel.state != DOWN);
}

/* In. */

static void
tunnel_readable(evutil_socket_t fd, short what, void *arg)
{
	ssize_t	n;

	(void)fd;
	(void)what;
	(void)arg;
	n = sock_read(&tunnel.sock, tunnel.in, IN_SIZE);
	if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
		tunnel_arm();
		return;
	}
	if (n <= 0) {
		if (tunnel.why[0] == '\0')
			snprintf(tunnel.why, sizeof(tunnel.why), "%s", n == 0 ?
			    "the server closed the connection" :
			    strerror(errno));
		tunnel_finish();
		return;
	}
	tunnel_input(tunnel.in, (size_t)n);
	if (tunnel.state != DOWN && sock_pending(&tunnel.sock))
		event_active(&tunnel.ev_read, EV_READ, 0);
}

static void
note_close(void)
{
	const char	*reason;
	char		 text[128];
	size_t		 len;

	if (tunnel.why[0] != '\0')
		return;
	len = ws_peer_reason(&tunnel.ws, &reason);
	snprintf(tunnel.why, sizeof(tunnel.why), "closed by the server: %u %s",
	    ws_peer_code(&tunnel.ws),
	    log_escape(text, sizeof(text), reason, len));
}

static void
tunnel_input(uint8_t *buf, size_t len)
{
	size_t	payload = 0;
	int	r, bad;

	bad = ws_input(&tunnel.ws, buf, len, &payload);
	if (tunnel.state == UP && payload > 0) {
		r = yamux_input(tunnel.y, buf, payload, clock_ns());
		tunnel.hears->flush();
		if (r != 0)
			tunnel_broken(r);
	}
	if (bad == -1 && tunnel.state == UP) {
		snprintf(tunnel.why, sizeof(tunnel.why),
		    "the server broke a rule: %s", ws_error(&tunnel.ws));
		tunnel_closing();
	}
	if (ws_peer_code(&tunnel.ws) != 0) {
		note_close();
		tunnel_closing();
	}
}

/* yamux says that it cannot go on. */
static void
tunnel_broken(int err)
{
	if (tunnel.why[0] == '\0')
		snprintf(
		    tunnel.why, sizeof(tunnel.why), "%s", yamux_strerror(err));
	tunnel_place_control();
	ws_close(&tunnel.ws, yamux_close_code(err), yamux_strerror(err));
	tunnel_closing();
}

/* Out. */

static void
random_take(uint8_t *p, size_t n)
{
	if (tunnel.pool_left < n) {
		randombytes_buf(tunnel.pool, sizeof(tunnel.pool));
		tunnel.pool_left = sizeof(tunnel.pool);
	}
	tunnel.pool_left -= n;
	memcpy(p, tunnel.pool + tunnel.pool_left, n);
}

/* `n` bytes at the end of the buffer, below `limit` in all. */
static uint8_t *
out_reserve(size_t n, size_t limit)
{
	size_t	len = tunnel.tail - tunnel.head;

	if (len + n > limit)
		return (NULL);
	if (tunnel.tail + n > OUT_SIZE) {
		memmove(tunnel.out, tunnel.out + tunnel.head, len);
		tunnel.head = 0;
		tunnel.tail = len;
	}
	return (tunnel.out + tunnel.tail);
}

/*
 * `len` bytes lie WS_ROOM behind the end of the buffer: put the header before
 * them and mask them there.
 */
static void
out_frame(size_t len)
{
	uint8_t	*p = tunnel.out + tunnel.tail, key[4];
	size_t	 hl;

	random_take(key, sizeof(key));
	hl = ws_header(p, WS_OP_BINARY, len, key);
	if (hl < WS_ROOM)		/* a short frame has a short header */
		memmove(p + hl, p + WS_ROOM, len);
	ws_mask(p + hl, len, key, 0);
	tunnel.tail += hl + len;
}

uint8_t *
tunnel_reserve(size_t len)
{
	uint8_t	*p;

	if (tunnel.state != UP || tunnel.tail - tunnel.head >= OUT_BULK)
		return (NULL);
	p = out_reserve(FRAME_ROOM + len, OUT_SIZE - CONTROL_CHUNK);
	return (p == NULL ? NULL : p + FRAME_ROOM);
}

int
tunnel_send(struct yamux_stream *ys, size_t len)
{
	if (yamux_data_header(ys, tunnel.out + tunnel.tail + WS_ROOM, len) != 0)
		return (-1);
	out_frame(YAMUX_HEADER + len);
	return (0);
}

int
tunnel_open(void *user, struct yamux_stream **ysp)
{
	return (yamux_open(tunnel.y, user, ysp));
}

/* Window updates, FIN, pings and the like: all that wait, in one frame. */
static void
tunnel_place_control(void)
{
	uint8_t	*p;
	size_t	 n;

	while (yamux_has_output(tunnel.y)) {
		p = out_reserve(WS_ROOM + CONTROL_CHUNK, OUT_SIZE);
		if (p == NULL)
			return;
		n = yamux_output(
		    tunnel.y, p + WS_ROOM, CONTROL_CHUNK, clock_ns());
		if (n == 0)
			return;
		out_frame(n);
	}
}

static void
tunnel_place_ws(void)
{
	uint8_t	*p, rnd[8];

	if (!ws_pending(&tunnel.ws) ||
	    (p = out_reserve(WS_OUTPUT_MAX, OUT_SIZE)) == NULL)
		return;
	random_take(rnd, sizeof(rnd));
	tunnel.tail += ws_output(&tunnel.ws, p, rnd);
}

/*
 * A socket that takes no more is not the end: a close 4000 may be waiting to
 * be read behind it (T28). Reading tells.
 */
static void
tunnel_flush(void)
{
	struct iovec	iov;
	ssize_t		n;

	if (tunnel.dead)
		tunnel.head = tunnel.tail;
	if (tunnel.head == tunnel.tail)
		return;
	iov.iov_base = tunnel.out + tunnel.head;
	iov.iov_len = tunnel.tail - tunnel.head;
	n = sock_writev(&tunnel.sock, &iov, 1);
	if (n == -1 && errno != EAGAIN && errno != EINTR) {
		log_debug("tunnel: write: %s", strerror(errno));
		tunnel.dead = 1;
		n = (ssize_t)iov.iov_len;
	}
	if (n > 0)
		tunnel.head += (size_t)n;
	if (tunnel.head == tunnel.tail)
		tunnel.head = tunnel.tail = 0;
}

static void
tunnel_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	if (tunnel.sock.want_write)
		event_active(&tunnel.ev_read, EV_READ, 0);
	tunnel_flush();
	tunnel_arm();
}

/* Wait for what has to come: room in the socket, the next thing that is due. */
static void
tunnel_arm(void)
{
	uint64_t	due, now;
	int		want;

	want = tunnel.head != tunnel.tail || tunnel.sock.want_write;
	if (want && !tunnel.writing)
		event_add(&tunnel.ev_write, NULL);
	else if (!want && tunnel.writing)
		event_del(&tunnel.ev_write);
	tunnel.writing = want;
	if (tunnel.state != UP ||
	    (due = yamux_deadline(tunnel.y)) == YAMUX_NEVER) {
		timer_del(&tunnel.tick);
		return;
	}
	now = clock_ns();
	timer_set(&tunnel.tick, due <= now ? 0 : (due - now) / 1000000 + 1);
}

static void
tunnel_tick(void *arg)
{
	int	r;

	(void)arg;
	if (tunnel.state == UP && (r = yamux_tick(tunnel.y, clock_ns())) != 0)
		tunnel_broken(r);
}

void
tunnel_turn_end(void)
{
	if (tunnel.state == DOWN)
		return;
	if (tunnel.state == UP)
		tunnel_place_control();
	tunnel_place_ws();
	tunnel_flush();
	/* Who waited for room is woken behind the write: nobody else does. */
	if (tunnel.state == UP && tunnel.tail - tunnel.head < OUT_LOW) {
		tunnel.hears->room();
		tunnel_place_control();
		tunnel_flush();
	}
	/* Both closes are exchanged: the server drops the connection first. */
	if (tunnel.state == CLOSING && ws_done(&tunnel.ws) &&
	    tunnel.head == tunnel.tail)
		sock_shut(&tunnel.sock);
	tunnel_arm();
}

/* The end. */

/*
 * No more streams; what is left to do is the close handshake. A second call
 * does nothing.
 */
static void
tunnel_closing(void)
{
	if (tunnel.state != UP)
		return;
	tunnel.state = CLOSING;
	tunnel.hears->end_all();
	timer_del(&tunnel.tick);
	timer_set(&tunnel.close_timer, CLOSE_MS);
}

void
tunnel_quit(void)
{
	if (tunnel.state != UP)
		return;
	snprintf(tunnel.why, sizeof(tunnel.why), "we are leaving");
	yamux_goaway(tunnel.y, YAMUX_GOAWAY_NORMAL);
	tunnel_place_control();
	ws_close(&tunnel.ws, WS_GOING_AWAY, "client stops");
	tunnel_closing();
}

static void
tunnel_close_timeout(void *arg)
{
	(void)arg;
	tunnel_finish();
}

static void
tunnel_finish(void)
{
	enum tunnel_end	 end = TUNNEL_LOST;
	char		 text[sizeof(tunnel.why)];

	if (ws_peer_code(&tunnel.ws) == WS_SESSION_CLOSED)
		end = TUNNEL_FINAL;
	snprintf(text, sizeof(text), "%s", tunnel.why);
	if (tunnel.state == UP)
		tunnel.hears->end_all();
	tunnel.state = DOWN;
	timer_del(&tunnel.tick);
	timer_del(&tunnel.close_timer);
	event_del(&tunnel.ev_read);
	event_del(&tunnel.ev_write);
	yamux_free(tunnel.y);
	tunnel.y = NULL;
	sock_close(&tunnel.sock);
	free(tunnel.in);
	free(tunnel.out);
	tunnel.in = tunnel.out = NULL;
	tunnel.fn(tunnel.arg, end, text);
}
