/* SPDX-License-Identifier: ISC */
/*
 * yamux: receive credit.
 *
 * For each stream recv_window (what the peer may still send) and held (what it
 * sent and nobody has taken) together are the memory it may cost us.  Their sum
 * aims at `window`; the gap is credit that consumed bytes have made free, and
 * is returned in useful amounts.  `window` doubles while the consumer empties
 * it within two round trips and halves when it does not need it.  Credit given
 * cannot be taken back, so a shrinking window only withholds. So it is with a
 * stream that is kept small: the initial window was given, it gets no second.
 *
 * A stream that finds nothing left to grow with makes the one with the largest
 * window halve it, if that is more than twice its own, and for a while none
 * that has more than it grows: so busy streams come to share what one may have.
 *
 * What a window has beyond the initial one is leased: from this connection's
 * credit_max, and through the grow callback from whoever counts for all
 * connections.  A lease is returned when the credit it stood for is used up.
 */
#include "yamux_int.h"

/* An epoch shorter than this says nothing about the line, but our scheduler. */
#define EPOCH_MIN	(YAMUX_NSEC / 500)
/* A window not emptied for so long is too large. */
#define EPOCH_SLOW	(2 * YAMUX_NSEC)
#define EPOCH_SLOW_RTT	16

#define MINUTE		(60 * YAMUX_NSEC)

static uint64_t	 credit_sum(const struct yamux *, uint64_t);
static void	 window_tune(struct yamux_stream *, uint64_t);
static void	 window_grow(struct yamux_stream *, uint64_t);
static bool	 window_may_grow(const struct yamux_stream *, uint64_t);
static void	 window_squeeze(const struct yamux_stream *, uint64_t);
static void	 window_shrink(struct yamux_stream *);
static void	 window_trim(struct yamux_stream *);
static void	 epoch_restart(struct yamux_stream *, uint64_t);

/* A new stream: the initial window is given by the protocol, unasked. */
void
yamux_window_open(struct yamux_stream *st)
{
	const struct yamux_config *cf = &st->y->cf;

	st->send_window = cf->window;
	st->recv_window = cf->window;
	st->window = cf->window;
	st->y->credit += cf->window;
}

void
yamux_window_close(struct yamux_stream *st)
{
	struct yamux *y = st->y;

	y->credit -= (uint64_t)st->recv_window + st->held;
	y->extra -= st->extra;
	y->aim -= st->window - y->cf.window;
	if (st->extra > 0 && y->cb.release != NULL)
		y->cb.release(y->arg, st->extra);
	st->recv_window = st->held = st->extra = 0;
}

/* n bytes came in and are about to be delivered. */
void
yamux_window_arrived(struct yamux_stream *st, uint32_t n, uint64_t now)
{
	st->recv_window -= n;
	st->held += n;
	if (!(st->flags & ST_EPOCH))
		epoch_restart(st, now);
}

void
yamux_keep_small(struct yamux_stream *st, uint32_t max)
{
	st->small = max;
}

/* What recv_window and held should come to. */
static uint32_t
window_aim(const struct yamux_stream *st)
{
	return (st->small > 0 && st->small < st->window ? st->small :
	    st->window);
}

/* Credit that consumption or growth has made free and the peer lacks. */
static uint32_t
window_gap(const struct yamux_stream *st)
{
	uint32_t have = st->recv_window + st->held, aim = window_aim(st);

	if ((st->flags & ST_FIN_RECV) || have >= aim)
		return (0);
	return (aim - have);
}

static uint32_t
window_threshold(const struct yamux_stream *st)
{
	uint32_t t = window_aim(st) / 4;

	if (t > st->y->cf.update_max)
		t = st->y->cf.update_max;
	return (t > 0 ? t : 1);
}

/* The caller writes a frame with this much credit in it. */
uint32_t
yamux_window_give(struct yamux_stream *st)
{
	uint32_t n = window_gap(st);

	st->recv_window += n;
	st->y->credit += n;
	return (n);
}

/*
 * Queue an update if one is due; not before the ACK, or it would be the ACK.
 * Whoever sends the ACK without credit calls this after it.
 */
void
yamux_window_check(struct yamux_stream *st)
{
	if (!(st->flags & ST_UNANSWERED) &&
	    window_gap(st) >= window_threshold(st))
		yamux_stream_queue(st, ST_UPDATE);
}

void
yamux_consumed(struct yamux_stream *st, size_t n, uint64_t now)
{
	if (st->flags & ST_DEAD)
		return;
	if (n > st->held)
		n = st->held;
	st->held -= (uint32_t)n;
	st->y->credit -= n;
	if (!(st->flags & ST_FIN_RECV)) {
		st->epoch_bytes = n > UINT32_MAX - st->epoch_bytes ?
		    UINT32_MAX : st->epoch_bytes + (uint32_t)n;
		window_tune(st, now);
		yamux_window_check(st);
	}
	window_trim(st);
}

static void
window_tune(struct yamux_stream *st, uint64_t now)
{
	struct yamux *y = st->y;
	uint64_t elapsed, fast, slow;

	if (!(st->flags & ST_EPOCH))
		return;
	elapsed = now > st->epoch_start ? now - st->epoch_start : 0;
	yamux_rtt_age(y, now);
	fast = 2 * y->rtt_min;
	if (fast < EPOCH_MIN)
		fast = EPOCH_MIN;
	slow = EPOCH_SLOW_RTT * y->rtt_min;
	if (slow < EPOCH_SLOW)
		slow = EPOCH_SLOW;

	if (credit_sum(y, y->aim) > y->cf.credit_max || elapsed >= slow ||
	    (st->flags & ST_YIELD)) {
		/*
		 * Streams were opened on top of us, or we are too slow, or
		 * have more than our share.
		 */
		st->flags &= ~(uint32_t)ST_YIELD;
		window_shrink(st);
		epoch_restart(st, now);
	} else if (st->epoch_bytes >= st->window) {
		if (y->rtt_min != 0 && elapsed <= fast &&
		    window_may_grow(st, now))
			window_grow(st, now);
		/* The next epoch begins with the next byte. */
		st->flags &= ~(uint32_t)ST_EPOCH;
		st->epoch_bytes = 0;
	}
}

static void
epoch_restart(struct yamux_stream *st, uint64_t now)
{
	st->flags |= ST_EPOCH;
	st->epoch_start = now;
	st->epoch_bytes = 0;
}

/* The initial windows, which nobody can refuse, and what is beyond. */
static uint64_t
credit_sum(const struct yamux *y, uint64_t beyond)
{
	return ((uint64_t)y->nstreams * y->cf.window + beyond);
}

static void
window_shrink(struct yamux_stream *st)
{
	uint32_t half = st->window / 2;

	if (half < st->y->cf.window)
		half = st->y->cf.window;
	st->y->aim -= st->window - half;
	st->window = half;
}

static bool
window_may_grow(const struct yamux_stream *st, uint64_t now)
{
	const struct yamux *y = st->y;

	return (st->small == 0 && (y->lack == 0 || st->window <= y->lack ||
	    now - y->lack_at > EPOCH_SLOW));
}

/* `st` lacks room. Said once for each time that it empties its window. */
static void
window_squeeze(const struct yamux_stream *st, uint64_t now)
{
	struct yamux_stream *s, *large = NULL;

	st->y->lack = st->window;
	st->y->lack_at = now;
	TAILQ_FOREACH(s, &st->y->all, all)
		if (large == NULL || s->window > large->window)
			large = s;
	if (large != NULL && large->window / 2 > st->window)
		large->flags |= ST_YIELD;
}

static void
window_grow(struct yamux_stream *st, uint64_t now)
{
	struct yamux *y = st->y;
	uint64_t want = st->window, used = credit_sum(y, y->extra);
	uint64_t leased, more, room;

	if (want > y->cf.window_max - st->window)
		want = y->cf.window_max - st->window;
	/* A lease may be left from before a shrink: it is used first. */
	leased = (uint64_t)y->cf.window + st->extra - st->window;
	if (want > leased) {
		more = want - leased;
		room = used < y->cf.credit_max ? y->cf.credit_max - used : 0;
		if (more > room) {
			window_squeeze(st, now);
			more = room;
		}
		if (more > 0 && y->cb.grow != NULL) {
			size_t got = y->cb.grow(y->arg, (size_t)more);

			more = got < more ? got : more;
		}
		st->extra += (uint32_t)more;
		y->extra += more;
		want = leased + more;
	}
	st->window += (uint32_t)want;
	y->aim += want;
}

/* Return what is leased and neither given nor aimed at any more. */
static void
window_trim(struct yamux_stream *st)
{
	struct yamux *y = st->y;
	uint32_t need = st->recv_window + st->held, n;

	if (need < st->window)
		need = st->window;
	need -= y->cf.window;		/* window is never smaller */
	if (st->extra <= need)
		return;
	n = st->extra - need;
	st->extra -= n;
	y->extra -= n;
	if (y->cb.release != NULL)
		y->cb.release(y->arg, n);
}

/*
 * The smallest round trip of the last ten minutes, from one minimum a minute:
 * pings that waited in full buffers must not make windows grow.
 */
void
yamux_rtt_add(struct yamux *y, uint64_t rtt, uint64_t now)
{
	uint64_t *slot;

	yamux_rtt_age(y, now);
	if (rtt == 0)
		rtt = 1;		/* 0 means none */
	slot = &y->rtt_slot[y->rtt_minute % YAMUX_RTT_SLOTS];
	if (*slot == 0 || rtt < *slot)
		*slot = rtt;
	if (y->rtt_min == 0 || rtt < y->rtt_min)
		y->rtt_min = rtt;
	y->rtt_last = rtt;
}

void
yamux_rtt_age(struct yamux *y, uint64_t now)
{
	uint64_t minute = now / MINUTE, n;
	int i;

	if (minute <= y->rtt_minute)
		return;
	n = minute - y->rtt_minute;
	if (n > YAMUX_RTT_SLOTS)
		n = YAMUX_RTT_SLOTS;
	y->rtt_minute = minute;
	while (n-- > 0)
		y->rtt_slot[(minute - n) % YAMUX_RTT_SLOTS] = 0;
	y->rtt_min = 0;
	for (i = 0; i < YAMUX_RTT_SLOTS; i++)
		if (y->rtt_slot[i] != 0 &&
		    (y->rtt_min == 0 || y->rtt_slot[i] < y->rtt_min))
			y->rtt_min = y->rtt_slot[i];
}
