/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>

#include <event2/event.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/want.h"
#include "mux/sock.h"

#define IN_SMALL	2048		/* on the stack: pings need no more */
#define IN_BIG		(256 * 1024)	/* taken on demand */
/* Many small answers at once stay below PACE_LARGE: they are not delayed. */
#define PACE_LARGE	24576		/* a read that counts */
#define PACE_READ	8192		/* one below it starts over */
#define PACE_RUN	8		/* large reads before pacing begins */
#define PACE_BYTES	IN_BIG
#define PACE_MS		1
#define IDLE_MS		2000		/* buffers are given back after it */
#define TICK_EARLY	(YAMUX_NSEC / 2)	/* not worth moving the timer */
/*
 * What is so far away, as the next ping is, waits for the whole second: then
 * the many processes of a machine wake one behind the other, and not it.
 */
#define TICK_FAR	(11 * YAMUX_NSEC)
/* Control frames in one message: its header has two bytes then, and a key. */
#define CONTROL_BATCH	(10 * YAMUX_HEADER)
#define WS_ROOM		4		/* a header with 16 bits of length */
#define WS_KEY		4		/* and the mask's key behind it */

static void	mux_read(struct mux *);
static void	mux_readable(evutil_socket_t, short, void *);
static void	mux_writable(evutil_socket_t, short, void *);
static void	mux_pace(struct mux *, ssize_t);
static void	mux_pace_over(void *);
static void	mux_input(struct mux *, uint8_t *, size_t);
static int	mux_pending(struct mux *);
static void	mux_control(struct mux *);
static void	mux_write(struct mux *);
static int	mux_write_some(struct mux *);
static void	mux_late(void *);
static void	mux_tick(void *);
static void	mux_tick_arm(struct mux *);
static void	mux_idle(void *);

int
mux_init(struct mux *m, struct event_base *base, int fd,
    const struct mux_ops *ops, const struct yamux_config *cf,
    const struct yamux_callbacks *cb, void *arg)
{
	m->y = yamux_new(ops->random == NULL ? YAMUX_SERVER : YAMUX_CLIENT, cf,
	    cb, arg);
	if (m->y == NULL)
		return (-1);
	m->ops = ops;
	m->arg = arg;
	m->fd = fd;
	m->share = FRAME_MAX;
	m->room = WS_ROOM + YAMUX_HEADER + (ops->random == NULL ? 0 : WS_KEY);
	out_init(&m->out);
	ws_init(&m->ws, ops->random == NULL ? WS_SERVER : WS_CLIENT, NULL);
	timer_init(&m->pace, mux_pace_over, m);
	timer_init(&m->tick, mux_tick, m);
	timer_init(&m->idle, mux_idle, m);
	timer_init(&m->late, mux_late, m);
	event_assign(&m->ev_read, base, fd, EV_READ | EV_PERSIST,
	    mux_readable, m);
	event_assign(&m->ev_write, base, fd, EV_WRITE | EV_PERSIST,
	    mux_writable, m);
	if (event_add(&m->ev_read, NULL) == -1) {
		yamux_free(m->y);
		m->y = NULL;
		return (-1);
	}
	m->state = MUX_UP;
	return (0);
}

void
mux_start(struct mux *m, uint8_t *early, size_t len)
{
	mux_used(m);		/* what came before is given back soon */
	if (len > 0)
		mux_input(m, early, len);
	if (m->state != MUX_DOWN && (mux_pending(m) & MUX_MORE))
		event_active(&m->ev_read, EV_READ, 0);
	mux_turn(m);
}

/* Reading. */

/*
 * A fast sender costs half when it is served in larger portions: after some
 * large reads the kernel wakes us when PACE_BYTES have come; the timer
 * takes what there is after a millisecond, which bounds the delay, and one
 * small read ends it.
 */
static void
mux_pace(struct mux *m, ssize_t n)
{
	int	lowat, was = m->paced;

	if (n < PACE_READ)
		m->paced = m->large_reads = 0;
	else if (!m->paced && n >= PACE_LARGE && ++m->large_reads == PACE_RUN)
		m->paced = 1;
	if (m->paced)
		timer_set(&m->pace, PACE_MS);
	if (m->paced == was)
		return;
	if (!m->paced)
		timer_del(&m->pace);
	lowat = m->paced ? PACE_BYTES : 1;
	(void)setsockopt(m->fd, SOL_SOCKET, SO_RCVLOWAT, &lowat,
	    sizeof(lowat));
}

static void
mux_pace_over(void *arg)
{
	mux_read(arg);
}

static void
mux_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	mux_read(arg);
}

static void
mux_read(struct mux *m)
{
	uint8_t	 small[IN_SMALL], *buf = small;
	size_t	 cap = sizeof(small);
	ssize_t	 n;

	if (m->in != NULL) {
		buf = m->in;
		cap = IN_BIG;
	}
	if (m->ops->read == NULL) {
		n = recv(m->fd, buf, cap, MSG_DONTWAIT);
		mux_pace(m, n);
	} else
		n = m->ops->read(m, buf, cap);
	if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
		if (mux_pending(m) & MUX_ROOM)
			mux_write(m);
		return;
	}
	if (n <= 0) {
		m->ops->gone(m, n == 0 ? NULL : strerror(errno));
		return;
	}
	if ((size_t)n >= sizeof(small)) {
		m->in_used = 1;
		if (m->in == NULL && (m->in = malloc(IN_BIG)) != NULL)
			mux_used(m);
	}
	mux_input(m, buf, (size_t)n);
	if (mux_pending(m) & MUX_MORE)
		event_active(&m->ev_read, EV_READ, 0);
}

static int
mux_pending(struct mux *m)
{
	return (m->ops->pending == NULL ? 0 : m->ops->pending(m));
}

/* Decode `len` bytes in place and hand on what they carry. */
static void
mux_input(struct mux *m, uint8_t *buf, size_t len)
{
	size_t	payload = 0;
	int	r = 0, bad = 0;

	if (m->state != MUX_LINGER)
		r = ws_input(&m->ws, buf, len, &payload);
	if (m->state == MUX_UP && payload > 0)
		bad = yamux_input(m->y, buf, payload, clock_ns());
	m->ops->flush(m);
	if (m->state != MUX_UP)
		return;
	if (bad != 0)
		m->ops->fault(m, MUX_YAMUX, yamux_close_code(bad),
		    yamux_strerror(bad));
	else if (r == -1)
		m->ops->fault(m, MUX_WS, ws_own_code(&m->ws),
		    ws_error(&m->ws));
	else if (!ws_may_send(&m->ws))
		m->ops->fault(m, MUX_CLOSED, ws_peer_code(&m->ws),
		    "closed by the peer");
}

/* Writing. */

uint8_t *
mux_reserve(struct mux *m, size_t len)
{
	uint8_t	*p;

	if (m->state != MUX_UP)
		return (NULL);
	if (out_len(&m->out) >= OUT_BULK)
		mux_write(m);
	if (out_len(&m->out) >= OUT_BULK ||
	    (p = out_reserve(&m->out, m->room + len)) == NULL)
		return (NULL);
	return (p + m->room);
}

void
mux_wipes(struct mux *m)
{
	out_wipes(&m->out);
}

int
mux_send(struct mux *m, struct yamux_stream *ys, uint8_t *p, size_t len)
{
	uint8_t	 head[WS_HEADER_MAX], key[WS_KEY], *start = p - m->room;
	int	 masked = m->ops->random != NULL;
	size_t	 n;

	if (masked)
		m->ops->random(key, sizeof(key));
	n = ws_header(head, WS_OP_BINARY, YAMUX_HEADER + len,
	    masked ? key : NULL);
	if (n < m->room - YAMUX_HEADER)	/* a short frame has a short header */
		memmove(start + n + YAMUX_HEADER, p, len);
	if (yamux_data_header(ys, start + n, len) != 0)
		return (-1);
	memcpy(start, head, n);
	if (masked)
		ws_mask(start + n, YAMUX_HEADER + len, key, 0);
	out_commit(&m->out, n + YAMUX_HEADER + len);
	return (0);
}

/* Control frames, of yamux first, then of WebSocket: a close is the last. */
static void
mux_control(struct mux *m)
{
	uint8_t	*p, rnd[8], *key = m->ops->random == NULL ? NULL : rnd;
	size_t	 n, head = key == NULL ? 2 : 2 + WS_KEY;

	while (yamux_has_output(m->y) && ws_may_send(&m->ws) &&
	    (p = out_reserve(&m->out, head + CONTROL_BATCH)) != NULL) {
		n = yamux_output(m->y, p + head, CONTROL_BATCH, clock_ns());
		if (n == 0)
			break;
		if (key != NULL) {
			m->ops->random(key, WS_KEY);
			ws_mask(p + head, n, key, 0);
		}
		ws_header(p, WS_OP_BINARY, n, key);
		out_commit(&m->out, head + n);
	}
	while (ws_pending(&m->ws) &&
	    (p = out_reserve(&m->out, WS_OUTPUT_MAX)) != NULL) {
		if (key != NULL)
			m->ops->random(rnd, sizeof(rnd));
		out_commit(&m->out, ws_output(&m->ws, p, key));
	}
}

/* 0: nothing is left, 1: the connection takes no more for now. */
static int
mux_write_some(struct mux *m)
{
	struct out	*o = &m->out;
	size_t		 len = out_len(o);
	ssize_t		 n;

	if (len == 0)
		return (0);
	n = m->ops->write != NULL ? m->ops->write(m, o->buf + o->head, len) :
	    send(m->fd, o->buf + o->head, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n == -1) {
		if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
			return (1);
		/* Reading tells the end, and what came before it. */
		m->dead = 1;
		n = (ssize_t)len;
	}
	out_sent(o, (size_t)n);
	return (out_len(o) > 0);
}

static void
mux_write(struct mux *m)
{
	int	more;

	if (m->state == MUX_DOWN || m->state == MUX_LINGER)
		return;
	if (m->dead)
		out_sent(&m->out, out_len(&m->out));
	more = mux_write_some(m) || (mux_pending(m) & MUX_ROOM);
	if (more && !m->writing) {
		event_want(&m->ev_write, NULL);
		m->writing = 1;
	}
	if (!more && m->writing) {
		event_del(&m->ev_write);
		m->writing = 0;
	}
}

static void
mux_writable(evutil_socket_t fd, short what, void *arg)
{
	struct mux	*m = arg;

	(void)fd;
	(void)what;
	if (mux_pending(m) & MUX_ROOM)
		event_active(&m->ev_read, EV_READ, 0);
	mux_write(m);
}

void
mux_turn(struct mux *m)
{
	if (m->state == MUX_DOWN || m->state == MUX_LINGER)
		return;
	mux_control(m);
	if (!m->writing)
		mux_write(m);
	if (m->state == MUX_UP) {
		/* Who waited is woken behind the write, and may say more. */
		if (out_len(&m->out) < OUT_LOW) {
			m->ops->room(m);
			mux_control(m);
			if (!m->writing)
				mux_write(m);
		}
		mux_tick_arm(m);
		if (m->out.buf != m->out.small)
			mux_used(m);
	} else if (out_len(&m->out) == 0 && ws_done(&m->ws)) {
		m->state = MUX_LINGER;
		m->ops->done(m);
	}
}

/* The end. */

void
mux_close(struct mux *m, uint16_t code, const char *reason, uint64_t ms)
{
	if (m->state != MUX_UP)
		return;
	mux_control(m);
	if (ws_may_send(&m->ws))
		ws_close(&m->ws, code, reason);
	m->state = MUX_CLOSING;
	timer_del(&m->tick);
	timer_set(&m->late, ms);
}

static void
mux_late(void *arg)
{
	struct mux	*m = arg;

	m->ops->gone(m, "no answer to our close");
}

void
mux_free(struct mux *m)
{
	if (m->state == MUX_DOWN)
		return;
	m->state = MUX_DOWN;
	timer_del(&m->pace);
	timer_del(&m->tick);
	timer_del(&m->idle);
	timer_del(&m->late);
	event_del(&m->ev_read);
	event_del(&m->ev_write);
	yamux_free(m->y);
	free(m->in);
	out_sent(&m->out, out_len(&m->out));
	out_trim(&m->out);
	memset(m, 0, sizeof(*m));
}

/* Keep-alive. */

static void
mux_tick_arm(struct mux *m)
{
	uint64_t	due = yamux_deadline(m->y), now;

	if (due == YAMUX_NEVER || (timer_is_set(&m->tick) &&
	    m->tick_ns <= due && due - m->tick_ns < TICK_EARLY))
		return;
	now = clock_ns();
	m->tick_ns = due;
	if (due > now + TICK_FAR)
		due += YAMUX_NSEC - 1 - (due - 1) % YAMUX_NSEC;
	timer_set(&m->tick, due <= now ? 0 : (due - now + 999999) / 1000000);
}

static void
mux_tick(void *arg)
{
	struct mux	*m = arg;
	int		 r;

	/*
	 * Starved of time, we are late: an answer that has come counts first.
	 */
	if (m->state == MUX_UP && yamux_is_asking(m->y))
		mux_read(m);
	if (m->state != MUX_UP || (r = yamux_tick(m->y, clock_ns())) == 0)
		return;		/* armed again at the end of the turn */
	m->ops->fault(m, r == YAMUX_E_SILENT || r == YAMUX_E_NOPONG ?
	    MUX_SILENT : MUX_YAMUX, yamux_close_code(r), yamux_strerror(r));
}

/* Memory. */

void
mux_used(struct mux *m)
{
	if (!timer_is_set(&m->idle))
		timer_set(&m->idle, IDLE_MS);
}

/* Give back what a burst took. */
static void
mux_idle(void *arg)
{
	struct mux	*m = arg;

	if (m->in_used) {
		m->in_used = 0;
	} else {
		free(m->in);
		m->in = NULL;
		out_trim(&m->out);
		if (m->ops->idle != NULL)
			m->ops->idle(m);
	}
	if (m->in != NULL || m->out.buf != m->out.small)
		mux_used(m);
}
