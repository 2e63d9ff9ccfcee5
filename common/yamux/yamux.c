/* SPDX-License-Identifier: ISC */
/*
 * yamux: frames in and out, pings, go-away and timers.  See yamux.h for the
 * interface and yamux_int.h for the other files.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "yamux_int.h"

typedef int (*frame_fn)(struct yamux *, unsigned int, uint32_t, uint32_t);

static int	 frame(struct yamux *, const uint8_t *);
static int	 data_frame(struct yamux *, unsigned int, uint32_t, uint32_t);
static int	 update_frame(struct yamux *, unsigned int, uint32_t, uint32_t);
static int	 ping_frame(struct yamux *, unsigned int, uint32_t, uint32_t);
static int	 goaway_frame(struct yamux *, unsigned int, uint32_t, uint32_t);
static size_t	 body(struct yamux *, const uint8_t *, size_t);
static int	 fin_arrived(struct yamux *);
static void	 pong_release(struct yamux *, uint64_t);
static bool	 output_one(struct yamux *, uint8_t *, uint64_t);
static void	 ping_along(struct yamux *);
static void	 ping_due(struct yamux *, uint64_t);
static uint64_t	 ping_deadline(const struct yamux *, uint64_t *);

#define PING_EARLY	8	/* by this part of ping_every, at most */

static const frame_fn frame_table[] = {
	[YAMUX_DATA] = data_frame,
	[YAMUX_UPDATE] = update_frame,
	[YAMUX_PING] = ping_frame,
	[YAMUX_GOAWAY] = goaway_frame,
};

/* Start and end. */

void
yamux_config_default(struct yamux_config *cf)
{
	memset(cf, 0, sizeof(*cf));
	cf->window = YAMUX_WINDOW;
	cf->window_max = 64 * 1024 * 1024;
	cf->update_max = 128 * 1024;
	cf->credit_max = 64 * 1024 * 1024;
	cf->inbound_max = 256;
	cf->unacked_max = 200;
	cf->close_wait = 300 * YAMUX_NSEC;
	cf->ping_silence = 10 * YAMUX_NSEC;
	cf->ping_timeout = 60 * YAMUX_NSEC;
	cf->pong_burst = 5;
	cf->pong_every = YAMUX_NSEC;
	cf->pong_wait_max = YAMUX_PONG_WAIT;
}

static bool
config_ok(const struct yamux_config *cf)
{
	return (cf->window > 0 && cf->window_max >= cf->window &&
	    cf->window_max <= INT32_MAX && cf->update_max > 0 &&
	    cf->pong_burst > 0 && cf->pong_burst <= YAMUX_PONG_BURST &&
	    cf->pong_every > 0 && cf->pong_wait_max <= YAMUX_PONG_WAIT);
}

struct yamux *
yamux_new(enum yamux_role role, const struct yamux_config *cf,
    const struct yamux_callbacks *cb, void *arg)
{
	struct yamux_config defaults;
	struct yamux *y;

	if (cf == NULL) {
		yamux_config_default(&defaults);
		cf = &defaults;
	}
	if (!config_ok(cf)) {
		errno = EINVAL;
		return (NULL);
	}
	if ((y = calloc(1, sizeof(*y))) == NULL)
		return (NULL);
	y->cf = *cf;
	y->cb = *cb;
	y->arg = arg;
	y->role = role;
	/* Any odd multiplier spreads ids; a secret one cannot be aimed at. */
	y->hash_mult = (cf->seed ^ 0x9e3779b1) | 1;
	y->next_id = role == YAMUX_CLIENT ? 1 : 2;
	y->pong_tokens = cf->pong_burst;
	TAILQ_INIT(&y->all);
	TAILQ_INIT(&y->out);
	TAILQ_INIT(&y->half);
	return (y);
}

void
yamux_free(struct yamux *y)
{
	struct yamux_stream *st;

	if (y == NULL)
		return;
	yamux_fail(y, YAMUX_E_CLOSING);
	while ((st = TAILQ_FIRST(&y->all)) != NULL)
		yamux_stream_end(st, YAMUX_GONE);
	free(y->buckets);
	free(y->abandoned);
	free(y->rst);
	free(y);
}

/* Note the first fatal error and what the peer is told about it. */
int
yamux_fail(struct yamux *y, int error)
{
	if (y->error != 0)
		return (y->error);
	y->error = error;
	switch (error) {
	case YAMUX_E_GOAWAY:
	case YAMUX_E_SILENT:
	case YAMUX_E_NOPONG:
	case YAMUX_E_CLOSING:
		y->goaway_due = false;
		break;
	case YAMUX_E_NOMEM:
		y->goaway_due = true;
		y->goaway_code = YAMUX_GOAWAY_INTERNAL;
		break;
	default:
		y->goaway_due = true;
		y->goaway_code = YAMUX_GOAWAY_PROTOCOL;
		break;
	}
	return (error);
}

/* In. */

int
yamux_input(struct yamux *y, const void *buf, size_t len, uint64_t now)
{
	const uint8_t *p = buf, *h;
	size_t n;
	int r;

	if (y->error != 0)
		return (y->error);
	if (y->in_input)
		return (YAMUX_E_STATE);
	y->in_input = true;
	y->now = now;
	if (len > 0)
		y->last_input = now;
	while (len > 0 && y->error == 0) {
		if (y->body_left > 0) {
			n = body(y, p, len);
			p += n;
			len -= n;
			continue;
		}
		if (y->hdr_len == 0 && len >= YAMUX_HEADER) {
			h = p;
			n = YAMUX_HEADER;
		} else {
			n = YAMUX_HEADER - y->hdr_len;
			if (n > len)
				n = len;
			memcpy(y->hdr + y->hdr_len, p, n);
			y->hdr_len += (uint32_t)n;
			h = y->hdr;
		}
		p += n;
		len -= n;
		if (h == y->hdr && y->hdr_len < YAMUX_HEADER)
			break;
		y->hdr_len = 0;
		if ((r = frame(y, h)) != 0)
			yamux_fail(y, r);
	}
	y->in_input = false;
	return (y->error);
}

static int
frame(struct yamux *y, const uint8_t *h)
{
	unsigned int type = h[1], flags = (unsigned int)h[2] << 8 | h[3];
	uint32_t id = yamux_get32(h + 4), len = yamux_get32(h + 8);

	if (h[0] != 0)
		return (YAMUX_E_VERSION);
	if (type >= sizeof(frame_table) / sizeof(frame_table[0]))
		return (YAMUX_E_TYPE);
	return (frame_table[type](y, flags, id, len));
}

/*
 * What data and window updates have in common: find or open the stream, take
 * its answer, its reset.  Leaves y->cur, NULL for frames nobody waits for;
 * every callback may clear it.
 */
static int
stream_frame(struct yamux *y, unsigned int flags, uint32_t id)
{
	struct yamux_stream *st;
	int r;

	y->cur = NULL;
	if (id == 0)
		return (YAMUX_E_ID);
	if ((flags & YAMUX_SYN) && (r = yamux_stream_syn(y, id, flags)) != 0)
		return (r);
	if ((st = yamux_find(y, id)) == NULL) {
		yamux_stream_answer_gone(y, id, flags);
		return (0);
	}
	if (flags & YAMUX_RST) {
		yamux_stream_end(st, YAMUX_RESET);
		return (0);
	}
	y->cur = st;
	if (!(st->flags & ST_ACKED) && (flags & (YAMUX_ACK | YAMUX_FIN))) {
		yamux_stream_answered(st);
		yamux_stream_answer_gone(y, id, flags);
		if ((flags & YAMUX_ACK) && y->cb.on_ack != NULL)
			y->cb.on_ack(y->arg, st);
	}
	return (0);
}

static int
data_frame(struct yamux *y, unsigned int flags, uint32_t id, uint32_t len)
{
	int r;

	if ((r = stream_frame(y, flags, id)) != 0)
		return (r);
	if (y->cur != NULL && len > y->cur->recv_window)
		return (YAMUX_E_WINDOW);
	y->body_left = len;
	y->body_fin = (flags & YAMUX_FIN) != 0;
	if (len > 0)
		return (0);
	return (y->body_fin ? fin_arrived(y) : 0);
}

/* Bytes of the current data frame; after the last one its FIN counts. */
static size_t
body(struct yamux *y, const uint8_t *p, size_t len)
{
	struct yamux_stream *st = y->cur;
	size_t n = len < y->body_left ? len : y->body_left;
	int r;

	y->body_left -= (uint32_t)n;
	if (st != NULL) {
		y->bytes_in += n;
		yamux_window_arrived(st, (uint32_t)n, y->now);
		/*
		 * A Go end that writes and closes at once may put data behind
		 * its FIN.  Nobody reads it; nobody should die of it.
		 */
		if (st->flags & ST_FIN_RECV)
			yamux_consumed(st, n, y->now);
		else
			y->cb.on_data(y->arg, st, p, n);
	}
	if (y->body_left == 0 && y->body_fin && y->error == 0 &&
	    (r = fin_arrived(y)) != 0)
		yamux_fail(y, r);
	return (n);
}

static int
update_frame(struct yamux *y, unsigned int flags, uint32_t id, uint32_t len)
{
	struct yamux_stream *st;
	bool was_empty;
	int r;

	if ((r = stream_frame(y, flags, id)) != 0)
		return (r);
	if ((st = y->cur) != NULL && len > 0) {
		if (len > UINT32_MAX - st->send_window)
			return (YAMUX_E_OVERFLOW);
		was_empty = st->send_window == 0;
		st->send_window += len;
		if (was_empty && !(st->flags & ST_FIN_CALLED) &&
		    y->cb.on_window != NULL)
			y->cb.on_window(y->arg, st);
	}
	return (flags & YAMUX_FIN ? fin_arrived(y) : 0);
}

static int
fin_arrived(struct yamux *y)
{
	struct yamux_stream *st = y->cur;

	if (st == NULL)
		return (0);
	if (st->flags & ST_FIN_RECV)
		return (YAMUX_E_FIN);
	st->flags |= ST_FIN_RECV;
	if (st->flags & ST_HALF)
		TAILQ_REMOVE(&y->half, st, half);
	st->flags &= ~(uint32_t)ST_HALF;
	y->cb.on_fin(y->arg, st);
	if ((st = y->cur) != NULL && (st->flags & ST_FIN_SENT))
		yamux_stream_end(st, YAMUX_CLOSED);
	return (0);
}

/*
 * Requests wait for a token, or a Go peer whose next ping follows the answer
 * within nanoseconds keeps both ends busy with nothing else (T1).
 */
static int
ping_frame(struct yamux *y, unsigned int flags, uint32_t id, uint32_t value)
{
	uint64_t rtt;

	(void)id;
	if (flags & YAMUX_SYN) {
		y->pings_in++;
		y->pong[(y->pong_head + y->pong_n++) % YAMUX_PONG_RING] = value;
		pong_release(y, y->now);
		ping_along(y);
		return (y->pong_n - y->pong_ready > y->cf.pong_wait_max ?
		    YAMUX_E_PINGS : 0);
	}
	if (y->ping != PING_SENT || value != y->ping_value)
		return (0);
	y->ping = PING_NONE;
	rtt = y->now > y->ping_sent ? y->now - y->ping_sent : 0;
	yamux_rtt_add(y, rtt, y->now);
	if (y->cb.on_pong != NULL)
		y->cb.on_pong(y->arg, rtt);
	return (0);
}

/*
 * The peer lives: one of our own has time. Where both ends hold to that, they
 * ask in turn, and an idle end wakes a quarter less often. We are awake to
 * answer: one that is due soon goes along.
 */
static void
ping_along(struct yamux *y)
{
	const struct yamux_config *cf = &y->cf;

	if (cf->ping_every == 0)
		return;
	if (cf->ping_after != 0 && y->ping_value != 0) {
		y->ping_next = y->ping_queued + cf->ping_most;
		if (y->ping_next > y->now + cf->ping_after)
			y->ping_next = y->now + cf->ping_after;
	}
	if (y->ping == PING_NONE &&
	    y->now + cf->ping_every / PING_EARLY >= y->ping_next)
		ping_due(y, y->now);
}

static void
ping_due(struct yamux *y, uint64_t now)
{
	y->ping_next = now + y->cf.ping_every;
	(void)yamux_ping(y, now);
}

/* Give out the tokens that are due, to as many as can be written in a burst. */
static void
pong_release(struct yamux *y, uint64_t now)
{
	uint64_t n;

	if (y->pong_tokens >= y->cf.pong_burst)
		y->pong_refill = now;
	else if (now > y->pong_refill) {
		n = (now - y->pong_refill) / y->cf.pong_every;
		y->pong_refill += n * y->cf.pong_every;
		if (n > y->cf.pong_burst - y->pong_tokens)
			n = y->cf.pong_burst - y->pong_tokens;
		y->pong_tokens += (uint32_t)n;
	}
	while (y->pong_tokens > 0 && y->pong_ready < y->pong_n &&
	    y->pong_ready < y->cf.pong_burst) {
		y->pong_tokens--;
		y->pong_ready++;
	}
}

static int
goaway_frame(struct yamux *y, unsigned int flags, uint32_t id, uint32_t code)
{
	(void)flags;
	(void)id;
	if (code != YAMUX_GOAWAY_NORMAL)
		return (YAMUX_E_GOAWAY);
	if (y->goaway_recv)
		return (0);
	y->goaway_recv = true;
	if (y->cb.on_goaway != NULL)
		y->cb.on_goaway(y->arg);
	return (0);
}

/* Out. */

size_t
yamux_output(struct yamux *y, void *buf, size_t cap, uint64_t now)
{
	uint8_t *p = buf;
	size_t used = 0;

	if (y->in_output)
		return (0);
	if (y->error != 0) {
		if (!y->goaway_due || cap < YAMUX_HEADER)
			return (0);
		y->goaway_due = false;
		yamux_put_header(p, YAMUX_GOAWAY, 0, 0, y->goaway_code);
		return (YAMUX_HEADER);
	}
	y->in_output = true;
	pong_release(y, now);
	while (cap - used >= YAMUX_HEADER && y->error == 0 &&
	    output_one(y, p + used, now))
		used += YAMUX_HEADER;
	y->in_output = false;
	return (used);
}

static bool
output_one(struct yamux *y, uint8_t *hdr, uint64_t now)
{
	struct yamux_stream *st;

	if (y->pong_ready > 0) {
		yamux_put_header(hdr, YAMUX_PING, YAMUX_ACK, 0,
		    y->pong[y->pong_head]);
		y->pong_head = (y->pong_head + 1) % YAMUX_PONG_RING;
		y->pong_n--;
		y->pong_ready--;
		return (true);
	}
	if (y->ping == PING_QUEUED) {
		yamux_put_header(hdr, YAMUX_PING, YAMUX_SYN, 0, y->ping_value);
		y->ping = PING_SENT;
		y->ping_sent = now;
		return (true);
	}
	if (y->goaway_due) {
		y->goaway_due = false;
		yamux_put_header(hdr, YAMUX_GOAWAY, 0, 0, y->goaway_code);
		return (true);
	}
	if (yamux_rst_output(y, hdr))
		return (true);
	while ((st = TAILQ_FIRST(&y->out)) != NULL)
		if (yamux_stream_output(st, hdr, now))
			return (true);
	return (false);
}

bool
yamux_has_output(const struct yamux *y)
{
	if (y->error != 0)
		return (y->goaway_due);
	return (y->pong_ready > 0 || y->ping == PING_QUEUED || y->goaway_due ||
	    y->rst_n > 0 || !TAILQ_EMPTY(&y->out));
}

void
yamux_goaway(struct yamux *y, uint32_t code)
{
	if (y->error != 0)
		return;
	if (code == YAMUX_GOAWAY_NORMAL && y->goaway_sent)
		return;
	y->goaway_sent = true;
	if (code != YAMUX_GOAWAY_NORMAL)
		yamux_fail(y, YAMUX_E_CLOSING);
	y->goaway_due = true;
	y->goaway_code = code;
}

/* Time. */

int
yamux_ping(struct yamux *y, uint64_t now)
{
	if (y->error != 0)
		return (y->error);
	if (y->ping != PING_NONE)
		return (YAMUX_E_BUSY);
	y->ping = PING_QUEUED;
	y->ping_value++;
	y->ping_queued = now;
	return (0);
}

bool
yamux_is_asking(const struct yamux *y)
{
	return (y->ping != PING_NONE);
}

/* When our ping is lost: silence, or (put into *noanswer) no answer. */
static uint64_t
ping_deadline(const struct yamux *y, uint64_t *noanswer)
{
	uint64_t since = y->ping_queued;

	*noanswer = y->ping_queued + y->cf.ping_timeout;
	if (y->last_input > since)
		since = y->last_input;
	return (since + y->cf.ping_silence);
}

uint64_t
yamux_deadline(const struct yamux *y)
{
	uint64_t when = YAMUX_NEVER, t, noanswer;

	if (y->error != 0)
		return (YAMUX_NEVER);
	if (y->pong_n > y->pong_ready && y->pong_ready < y->cf.pong_burst)
		when = y->pong_refill + y->cf.pong_every;
	if (y->ping != PING_NONE) {
		t = ping_deadline(y, &noanswer);
		if (t > noanswer)
			t = noanswer;
		if (t < when)
			when = t;
	} else if (y->cf.ping_every != 0 && y->ping_next < when)
		when = y->ping_next;
	if (!TAILQ_EMPTY(&y->half)) {
		t = TAILQ_FIRST(&y->half)->fin_at + y->cf.close_wait;
		if (t < when)
			when = t;
	}
	return (when);
}

int
yamux_tick(struct yamux *y, uint64_t now)
{
	uint64_t silence, noanswer;

	if (y->error != 0)
		return (y->error);
	if (y->ping != PING_NONE) {
		silence = ping_deadline(y, &noanswer);
		if (now >= silence)
			return (yamux_fail(y, YAMUX_E_SILENT));
		if (now >= noanswer)
			return (yamux_fail(y, YAMUX_E_NOPONG));
	} else if (y->cf.ping_every != 0 && now >= y->ping_next) {
		ping_due(y, now);
	}
	pong_release(y, now);
	yamux_stream_expire(y, now);
	return (y->error);
}

/* Telling. */

void
yamux_get_stats(const struct yamux *y, struct yamux_stats *s)
{
	memset(s, 0, sizeof(*s));
	s->streams = y->nstreams;
	s->streams_in = y->nstreams_in;
	s->unacked = y->unacked + y->nabandoned;
	s->opened_in = y->opened_in;
	s->opened_out = y->opened_out;
	s->refused = y->refused;
	s->bytes_in = y->bytes_in;
	s->bytes_out = y->bytes_out;
	s->credit = y->credit;
	s->credit_extra = y->extra;
	s->rtt_last = y->rtt_last;
	s->rtt_min = y->rtt_min;
	s->pings_in = y->pings_in;
}

int
yamux_error(const struct yamux *y)
{
	return (y->error);
}

static const struct {
	int		error;
	uint16_t	close_code;
	char		text[40];	/* no pointers: see reply.c's reasons */
} errors[] = {
	{ 0,			1000, "no error" },
	{ YAMUX_E_VERSION,	1002, "frame version is not 0" },
	{ YAMUX_E_TYPE,		1002, "unknown frame type" },
	{ YAMUX_E_ID,		1002, "stream id zero, used, or not theirs" },
	{ YAMUX_E_DUPLICATE,	1002, "SYN for a stream in use" },
	{ YAMUX_E_WINDOW,	1002, "data beyond the window" },
	{ YAMUX_E_OVERFLOW,	1002, "window update over 2^32-1" },
	{ YAMUX_E_FIN,		1002, "second FIN on a stream" },
	{ YAMUX_E_PINGS,	1008, "too many unanswered pings" },
	{ YAMUX_E_RESETS,	1008, "too many refused streams" },
	{ YAMUX_E_GOAWAY,	1001, "peer went away" },
	{ YAMUX_E_SILENT,	1008, "peer is silent after a ping" },
	{ YAMUX_E_NOPONG,	1008, "peer does not answer pings" },
	{ YAMUX_E_NOMEM,	1011, "out of memory" },
	{ YAMUX_E_CLOSING,	1001, "connection is closing" },
	{ YAMUX_E_BUSY,		1011, "too many requests without an answer" },
	{ YAMUX_E_EXHAUSTED,	1001, "no stream id left" },
	{ YAMUX_E_STATE,	1011, "not allowed in this state" },
};

#define NERRORS	(sizeof(errors) / sizeof(errors[0]))

const char *
yamux_strerror(int error)
{
	size_t i;

	for (i = 0; i < NERRORS; i++)
		if (errors[i].error == error)
			return (errors[i].text);
	return ("unknown error");
}

uint16_t
yamux_close_code(int error)
{
	size_t i;

	for (i = 0; i < NERRORS; i++)
		if (errors[i].error == error)
			return (errors[i].close_code);
	return (1011);
}
