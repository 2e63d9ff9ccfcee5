/* SPDX-License-Identifier: ISC */
/*
 * The tunnel: what mux/sock.h leaves to its owner. TLS below it, mask keys,
 * the words for its end.
 */
#include <sodium.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "mux/bridge.h"
#include "tunnel.h"

#define PING_EVERY	(30 * YAMUX_NSEC)
#define PING_AFTER	(13 * YAMUX_NSEC)	/* before the server's turn */
#define CLOSE_MS	2000		/* for the other's part of a close */
#define RANDOM_POOL	1024		/* bytes of mask keys in stock */

static void	tunnel_flush(struct mux *);
static void	tunnel_room(struct mux *);
static void	tunnel_fault(struct mux *, enum mux_fault, uint16_t,
		    const char *);
static void	tunnel_done(struct mux *);
static void	tunnel_gone(struct mux *, const char *);
static void	tunnel_idle(struct mux *);
static void	tunnel_random(uint8_t *, size_t);
static ssize_t	tunnel_read(struct mux *, void *, size_t);
static ssize_t	tunnel_write(struct mux *, const void *, size_t);
static int	tunnel_pending(struct mux *);

static const struct mux_ops ops = {
	.flush = tunnel_flush,
	.room = tunnel_room,
	.fault = tunnel_fault,
	.done = tunnel_done,
	.gone = tunnel_gone,
	.idle = tunnel_idle,
	.random = tunnel_random,
	.read = tunnel_read,
	.write = tunnel_write,
	.pending = tunnel_pending,
};

static struct {
	struct mux	 mux;
	struct sock	 sock;
	const struct tunnel_hears *hears;
	tunnel_fn	 fn;
	void		*arg;
	char		 why[256];		/* how the end began */
	int		 moved;			/* by a server that drains */
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
	cf->ping_every = cf->ping_most = PING_EVERY;
	cf->ping_after = PING_AFTER;
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
tunnel_begin(struct sock *c, uint8_t *early, size_t early_len,
    const struct tunnel_hears *hears, tunnel_fn fn, void *arg)
{
	struct yamux_config	cf;
	struct yamux_callbacks	cb;

	yamux_setup(&cf, &cb, hears);
	if (mux_init(&tunnel.mux, net_base(), c->fd, &ops, &cf, &cb,
	    NULL) == -1) {
		sock_close(c);
		return (-1);
	}
	tunnel.sock = *c;
	tunnel.hears = hears;
	tunnel.fn = fn;
	tunnel.arg = arg;
	tunnel.why[0] = '\0';
	tunnel.moved = 0;
	mux_start(&tunnel.mux, early, early_len);
	return (0);
}

struct mux *
tunnel_mux(void)
{
	return (&tunnel.mux);
}

int
tunnel_is_usable(void)
{
	return (tunnel.mux.state == MUX_UP);
}

int
tunnel_exists(void)
{
	return (tunnel.mux.state != MUX_DOWN);
}

void
tunnel_turn_end(void)
{
	mux_turn(&tunnel.mux);
}

static void
tunnel_flush(struct mux *m)
{
	(void)m;
	tunnel.hears->flush();
}

static void
tunnel_room(struct mux *m)
{
	(void)m;
	tunnel.hears->room();
}

static void
tunnel_idle(struct mux *m)
{
	(void)m;
	mux_bridge_trim();
}

/* What the tunnel runs over. */

static ssize_t
tunnel_read(struct mux *m, void *buf, size_t len)
{
	(void)m;
	return (sock_read(&tunnel.sock, buf, len));
}

/*
 * A socket that takes no more is not the end: a close 4000 may be waiting to
 * be read behind it (T28).
 */
static ssize_t
tunnel_write(struct mux *m, const void *p, size_t len)
{
	struct iovec	iov;
	ssize_t		n;

	(void)m;
	iov.iov_base = (void *)(uintptr_t)p;
	iov.iov_len = len;
	n = sock_writev(&tunnel.sock, &iov, 1);
	if (n == -1 && errno != EAGAIN && errno != EINTR)
		log_debug("tunnel: write: %s", strerror(errno));
	return (n);
}

static int
tunnel_pending(struct mux *m)
{
	(void)m;
	return ((sock_pending(&tunnel.sock) ? MUX_MORE : 0) |
	    (tunnel.sock.want_write ? MUX_ROOM : 0));
}

static void
tunnel_random(uint8_t *p, size_t n)
{
	if (tunnel.pool_left < n) {
		randombytes_buf(tunnel.pool, sizeof(tunnel.pool));
		tunnel.pool_left = sizeof(tunnel.pool);
	}
	tunnel.pool_left -= n;
	memcpy(p, tunnel.pool + tunnel.pool_left, n);
}

/* The end. */

static void
note_close(struct mux *m)
{
	static const char	 moved[] = WS_REASON_DRAINING;
	const char		*reason;
	char			 text[128];
	size_t			 len;

	len = ws_peer_reason(&m->ws, &reason);
	tunnel.moved = ws_peer_code(&m->ws) == WS_GOING_AWAY &&
	    len == sizeof(moved) - 1 && memcmp(reason, moved, len) == 0;
	snprintf(tunnel.why, sizeof(tunnel.why), "closed by the server: %u %s",
	    ws_peer_code(&m->ws), log_escape(text, sizeof(text), reason, len));
}

/* No more streams; what is left to do is the close handshake. */
static void
tunnel_fault(struct mux *m, enum mux_fault fault, uint16_t code,
    const char *text)
{
	switch (fault) {
	case MUX_CLOSED:
		note_close(m);
		break;
	case MUX_WS:
		snprintf(tunnel.why, sizeof(tunnel.why),
		    "the server broke a rule: %s", text);
		break;
	default:
		snprintf(tunnel.why, sizeof(tunnel.why), "%s", text);
		break;
	}
	mux_close(m, code, text, CLOSE_MS);
	tunnel.hears->end_all();
}

void
tunnel_quit(void)
{
	if (!tunnel_is_usable())
		return;
	snprintf(tunnel.why, sizeof(tunnel.why), "we are leaving");
	yamux_goaway(tunnel.mux.y, YAMUX_GOAWAY_NORMAL);
	mux_close(&tunnel.mux, WS_GOING_AWAY, "client stops", CLOSE_MS);
	tunnel.hears->end_all();
}

/* Both closes are exchanged: the server drops the connection first. */
static void
tunnel_done(struct mux *m)
{
	(void)m;
	sock_shut(&tunnel.sock);
}

static void
tunnel_gone(struct mux *m, const char *why)
{
	enum tunnel_end	 end = tunnel.moved ? TUNNEL_MOVED : TUNNEL_LOST;
	char		 text[sizeof(tunnel.why)];

	if (ws_peer_code(&m->ws) == WS_SESSION_CLOSED)
		end = TUNNEL_FINAL;
	if (tunnel.why[0] == '\0')
		snprintf(tunnel.why, sizeof(tunnel.why), "%s", why == NULL ?
		    "the server closed the connection" : why);
	snprintf(text, sizeof(text), "%s", tunnel.why);
	if (m->state == MUX_UP) {
		m->state = MUX_CLOSING;
		tunnel.hears->end_all();
	}
	mux_free(m);
	sock_close(&tunnel.sock);
	tunnel.fn(tunnel.arg, end, text);
}
