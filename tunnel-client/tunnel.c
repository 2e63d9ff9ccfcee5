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

#include "clock.h"
#include "log.h"
#include "stream.h"
#include "tunnel.h"
#include "ws.h"
#include "yamux.h"

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
	struct conn	 conn;
	struct event	 ev_read, ev_write;
	int		 writing;		/* ev_write is set */
	int		 dead;			/* the socket takes no more */
	struct ws	 ws;
	struct yamux	*y;
	struct timer	 tick, close_timer;
	tunnel_fn	 fn;
	void		*arg;
	char		 why[256];		/* how the end began */
	uint8_t		*in;
	uint8_t		*out;
	size_t		 head, tail;
	uint8_t		 pool[RANDOM_POOL];
	size_t		 pool_left;
} t;

/* Start. */

static void
on_goaway(void *arg)
{
	(void)arg;
	log_debug("tunnel: the server opens no more streams");
}

static void
yamux_setup(struct yamux_config *cf, struct yamux_callbacks *cb)
{
	yamux_config_default(cf);
	cf->ping_every = PING_EVERY_S * YAMUX_NSEC;
	cf->seed = randombytes_random();
	memset(cb, 0, sizeof(*cb));
	cb->on_open = stream_on_open;
	cb->on_data = stream_on_data;
	cb->on_fin = stream_on_fin;
	cb->on_close = stream_on_close;
	cb->on_window = stream_on_window;
	cb->on_goaway = on_goaway;
}

int
tunnel_start(struct conn *c, const uint8_t *early, size_t early_len,
    tunnel_fn fn, void *arg)
{
	struct yamux_config	cf;
	struct yamux_callbacks	cb;

	yamux_setup(&cf, &cb);
	if ((t.in = malloc(IN_SIZE)) == NULL ||
	    (t.out = malloc(OUT_SIZE)) == NULL ||
	    (t.y = yamux_new(YAMUX_CLIENT, &cf, &cb, NULL)) == NULL) {
		free(t.in);
		free(t.out);
		t.in = t.out = NULL;
		conn_close(c);
		return (-1);
	}
	t.conn = *c;
	t.fn = fn;
	t.arg = arg;
	t.head = t.tail = 0;
	t.writing = t.dead = 0;
	t.why[0] = '\0';
	t.state = UP;
	ws_init(&t.ws, WS_CLIENT, NULL);
	timer_init(&t.tick, tunnel_tick, NULL);
	timer_init(&t.close_timer, tunnel_close_timeout, NULL);
	event_assign(&t.ev_read, net_base(), c->fd, EV_READ | EV_PERSIST,
	    tunnel_readable, NULL);
	event_assign(&t.ev_write, net_base(), c->fd, EV_WRITE | EV_PERSIST,
	    tunnel_writable, NULL);
	event_add(&t.ev_read, NULL);
	if (early_len > IN_SIZE)
		early_len = IN_SIZE;	/* never: a head's buffer is less */
	if (early_len > 0) {
		memcpy(t.in, early, early_len);
		tunnel_input(t.in, early_len);
	}
	if (t.state != DOWN && conn_pending(&t.conn))
		event_active(&t.ev_read, EV_READ, 0);
	return (0);
}

int
tunnel_is_up(void)
{
	return (t.state == UP);
}

int
tunnel_exists(void)
{
	return (t.state != DOWN);
}

/* In. */

static void
tunnel_readable(evutil_socket_t fd, short what, void *arg)
{
	ssize_t	n;

	(void)fd;
	(void)what;
	(void)arg;
	n = conn_read(&t.conn, t.in, IN_SIZE);
	if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
		tunnel_arm();
		return;
	}
	if (n <= 0) {
		if (t.why[0] == '\0')
			snprintf(t.why, sizeof(t.why), "%s", n == 0 ?
			    "the server closed the connection" :
			    strerror(errno));
		tunnel_finish();
		return;
	}
	tunnel_input(t.in, (size_t)n);
	if (t.state != DOWN && conn_pending(&t.conn))
		event_active(&t.ev_read, EV_READ, 0);
}

static void
note_close(void)
{
	const char	*reason;
	char		 text[128];
	size_t		 len;

	if (t.why[0] != '\0')
		return;
	len = ws_peer_reason(&t.ws, &reason);
	snprintf(t.why, sizeof(t.why), "closed by the server: %u %s",
	    ws_peer_code(&t.ws), log_escape(text, sizeof(text), reason, len));
}

static void
tunnel_input(uint8_t *buf, size_t len)
{
	size_t	payload = 0;
	int	r, bad;

	bad = ws_input(&t.ws, buf, len, &payload);
	if (t.state == UP && payload > 0) {
		r = yamux_input(t.y, buf, payload, clock_ns());
		streams_flush();
		if (r != 0)
			tunnel_broken(r);
	}
	if (bad == -1 && t.state == UP) {
		snprintf(t.why, sizeof(t.why), "the server broke a rule: %s",
		    ws_error(&t.ws));
		tunnel_closing();
	}
	if (ws_peer_code(&t.ws) != 0) {
		note_close();
		tunnel_closing();
	}
}

/* yamux says that it cannot go on. */
static void
tunnel_broken(int err)
{
	if (t.why[0] == '\0')
		snprintf(t.why, sizeof(t.why), "%s", yamux_strerror(err));
	tunnel_place_control();
	ws_close(&t.ws, yamux_close_code(err), yamux_strerror(err));
	tunnel_closing();
}

/* Out. */

static void
random_take(uint8_t *p, size_t n)
{
	if (t.pool_left < n) {
		randombytes_buf(t.pool, sizeof(t.pool));
		t.pool_left = sizeof(t.pool);
	}
	t.pool_left -= n;
	memcpy(p, t.pool + t.pool_left, n);
}

/* `n` bytes at the end of the buffer, below `limit` in all. */
static uint8_t *
out_reserve(size_t n, size_t limit)
{
	size_t	len = t.tail - t.head;

	if (len + n > limit)
		return (NULL);
	if (t.tail + n > OUT_SIZE) {
		memmove(t.out, t.out + t.head, len);
		t.head = 0;
		t.tail = len;
	}
	return (t.out + t.tail);
}

/*
 * `len` bytes lie WS_ROOM behind the end of the buffer: put the header before
 * them and mask them there.
 */
static void
out_frame(size_t len)
{
	uint8_t	*p = t.out + t.tail, key[4];
	size_t	 hl;

	random_take(key, sizeof(key));
	hl = ws_header(p, WS_OP_BINARY, len, key);
	if (hl < WS_ROOM)		/* a short frame has a short header */
		memmove(p + hl, p + WS_ROOM, len);
	ws_mask(p + hl, len, key, 0);
	t.tail += hl + len;
}

uint8_t *
tunnel_reserve(size_t len)
{
	uint8_t	*p;

	if (t.state != UP || t.tail - t.head >= OUT_BULK)
		return (NULL);
	p = out_reserve(FRAME_ROOM + len, OUT_SIZE - CONTROL_CHUNK);
	return (p == NULL ? NULL : p + FRAME_ROOM);
}

int
tunnel_frame(struct yamux_stream *ys, size_t len)
{
	if (yamux_data_header(ys, t.out + t.tail + WS_ROOM, len) != 0)
		return (-1);
	out_frame(YAMUX_HEADER + len);
	return (0);
}

int
tunnel_open(void *user, struct yamux_stream **ysp)
{
	return (yamux_open(t.y, user, ysp));
}

/* Window updates, FIN, pings and the like: all that wait, in one frame. */
static void
tunnel_place_control(void)
{
	uint8_t	*p;
	size_t	 n;

	while (yamux_has_output(t.y)) {
		p = out_reserve(WS_ROOM + CONTROL_CHUNK, OUT_SIZE);
		if (p == NULL)
			return;
		n = yamux_output(t.y, p + WS_ROOM, CONTROL_CHUNK, clock_ns());
		if (n == 0)
			return;
		out_frame(n);
	}
}

static void
tunnel_place_ws(void)
{
	uint8_t	*p, rnd[8];

	if (!ws_pending(&t.ws) ||
	    (p = out_reserve(WS_OUTPUT_MAX, OUT_SIZE)) == NULL)
		return;
	random_take(rnd, sizeof(rnd));
	t.tail += ws_output(&t.ws, p, rnd);
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

	if (t.dead)
		t.head = t.tail;
	if (t.head == t.tail)
		return;
	iov.iov_base = t.out + t.head;
	iov.iov_len = t.tail - t.head;
	n = conn_writev(&t.conn, &iov, 1);
	if (n == -1 && errno != EAGAIN && errno != EINTR) {
		log_debug("tunnel: write: %s", strerror(errno));
		t.dead = 1;
		n = (ssize_t)iov.iov_len;
	}
	if (n > 0)
		t.head += (size_t)n;
	if (t.head == t.tail)
		t.head = t.tail = 0;
}

static void
tunnel_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	if (t.conn.want_write)
		event_active(&t.ev_read, EV_READ, 0);
	tunnel_flush();
	tunnel_arm();
}

/* Wait for what has to come: room in the socket, the next thing that is due. */
static void
tunnel_arm(void)
{
	uint64_t	due, now;
	int		want;

	want = t.head != t.tail || t.conn.want_write;
	if (want && !t.writing)
		event_add(&t.ev_write, NULL);
	else if (!want && t.writing)
		event_del(&t.ev_write);
	t.writing = want;
	if (t.state != UP || (due = yamux_deadline(t.y)) == YAMUX_NEVER) {
		timer_del(&t.tick);
		return;
	}
	now = clock_ns();
	timer_set(&t.tick, due <= now ? 0 : (due - now) / 1000000 + 1);
}

static void
tunnel_tick(void *arg)
{
	int	r;

	(void)arg;
	if (t.state == UP && (r = yamux_tick(t.y, clock_ns())) != 0)
		tunnel_broken(r);
}

void
tunnel_turn(void)
{
	if (t.state == DOWN)
		return;
	if (t.state == UP)
		tunnel_place_control();
	tunnel_place_ws();
	tunnel_flush();
	/* Who waited for room is woken behind the write: nobody else does. */
	if (t.state == UP && t.tail - t.head < OUT_LOW) {
		streams_room();
		tunnel_place_control();
		tunnel_flush();
	}
	/* Both closes are exchanged: the server drops the connection first. */
	if (t.state == CLOSING && ws_done(&t.ws) && t.head == t.tail)
		conn_shut(&t.conn);
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
	if (t.state != UP)
		return;
	t.state = CLOSING;
	streams_end_all();
	timer_del(&t.tick);
	timer_set(&t.close_timer, CLOSE_MS);
}

void
tunnel_quit(void)
{
	if (t.state != UP)
		return;
	snprintf(t.why, sizeof(t.why), "we are leaving");
	yamux_goaway(t.y, YAMUX_GOAWAY_NORMAL);
	tunnel_place_control();
	ws_close(&t.ws, WS_GOING_AWAY, "client stops");
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
	char		 text[sizeof(t.why)];

	if (ws_peer_code(&t.ws) == WS_SESSION_CLOSED)
		end = TUNNEL_FINAL;
	snprintf(text, sizeof(text), "%s", t.why);
	if (t.state == UP)
		streams_end_all();
	t.state = DOWN;
	timer_del(&t.tick);
	timer_del(&t.close_timer);
	event_del(&t.ev_read);
	event_del(&t.ev_write);
	yamux_free(t.y);
	t.y = NULL;
	conn_close(&t.conn);
	free(t.in);
	free(t.out);
	t.in = t.out = NULL;
	t.fn(t.arg, end, text);
}
