/* SPDX-License-Identifier: ISC */
/*
 * yamux: the life of a stream.  Opened by yamux_open() or by the peer's SYN,
 * answered once, closed by FIN both ways or by RST from either side, in every
 * case through stream_free().  Also: lookup by id, ids already used, opens that
 * were given up before the peer answered, and RSTs that wait for their turn.
 */
#include <stdlib.h>
#include <string.h>

#include "yamux_int.h"

#define BITS_MIN	3		/* 8 buckets to begin with */
#define BITS_MAX	16
#define RST_CAP_MIN	64		/* kept when the ring is empty */

static struct yamux_stream *stream_new(struct yamux *, uint32_t, void *);
static void	 stream_unlink(struct yamux_stream *);
static void	 stream_free(struct yamux_stream *);
static void	 stream_dequeue(struct yamux_stream *);
static int	 seen_add(struct yamux *, uint32_t);
static int	 rst_add(struct yamux *, uint32_t);
static int	 abandoned_reserve(struct yamux *);
static void	 abandoned_add(struct yamux_stream *);

/* Lookup: a chained table, as large as there are streams. */

static inline uint32_t
bucket(const struct yamux *y, uint32_t id)
{
	return ((id * y->hash_mult) >> (32 - y->bucket_bits));
}

struct yamux_stream *
yamux_find(const struct yamux *y, uint32_t id)
{
	struct yamux_stream *st;

	if (y->buckets == NULL)
		return (NULL);
	for (st = y->buckets[bucket(y, id)]; st != NULL; st = st->hnext)
		if (st->id == id)
			break;
	return (st);
}

/* On failure the old table stays, merely slower; the first must succeed. */
static int
table_resize(struct yamux *y, uint32_t bits)
{
	struct yamux_stream **table, *st;

	table = calloc((size_t)1 << bits, sizeof(*table));
	if (table == NULL)
		return (-1);
	free(y->buckets);
	y->buckets = table;
	y->bucket_bits = bits;
	TAILQ_FOREACH(st, &y->all, all) {
		uint32_t b = bucket(y, st->id);

		st->hnext = table[b];
		table[b] = st;
	}
	return (0);
}

static int
table_add(struct yamux *y, struct yamux_stream *st)
{
	uint32_t b;

	if (y->buckets == NULL && table_resize(y, BITS_MIN) == -1)
		return (-1);
	if (y->nstreams >= (uint32_t)1 << y->bucket_bits &&
	    y->bucket_bits < BITS_MAX)
		table_resize(y, y->bucket_bits + 1);
	b = bucket(y, st->id);
	st->hnext = y->buckets[b];
	y->buckets[b] = st;
	TAILQ_INSERT_TAIL(&y->all, st, all);
	y->nstreams++;
	return (0);
}

static void
table_del(struct yamux *y, struct yamux_stream *st)
{
	struct yamux_stream **p;

	for (p = &y->buckets[bucket(y, st->id)]; *p != st; p = &(*p)->hnext)
		continue;
	*p = st->hnext;
	TAILQ_REMOVE(&y->all, st, all);
	y->nstreams--;
	if (y->nstreams == 0) {
		free(y->buckets);
		y->buckets = NULL;
		y->bucket_bits = 0;
	} else if (y->bucket_bits > BITS_MIN &&
	    y->nstreams < ((uint32_t)1 << y->bucket_bits) / 4)
		table_resize(y, y->bucket_bits - 1);
}

/* Opening. */

static struct yamux_stream *
stream_new(struct yamux *y, uint32_t id, void *user)
{
	struct yamux_stream *st;

	if ((st = calloc(1, sizeof(*st))) == NULL)
		return (NULL);
	st->y = y;
	st->id = id;
	st->user = user;
	if (table_add(y, st) == -1) {
		free(st);
		return (NULL);
	}
	yamux_window_open(st);
	return (st);
}

int
yamux_open(struct yamux *y, void *user, struct yamux_stream **stp)
{
	struct yamux_stream *st;

	*stp = NULL;
	if (y->error != 0)
		return (y->error);
	if (y->goaway_recv || y->goaway_sent)
		return (YAMUX_E_CLOSING);
	if (y->next_id >= YAMUX_ID_END)
		return (YAMUX_E_EXHAUSTED);
	if (y->unacked + y->nabandoned >= y->cf.unacked_max)
		return (YAMUX_E_BUSY);
	if (abandoned_reserve(y) == -1 ||
	    (st = stream_new(y, y->next_id, user)) == NULL)
		return (YAMUX_E_NOMEM);
	y->next_id += 2;
	y->unacked++;
	y->opened_out++;
	yamux_stream_queue(st, ST_SYN);
	*stp = st;
	return (0);
}

/*
 * The peer's SYN.  Refusals are answered with RST, never with an error: a busy
 * peer keeps its connection.  Returns 0 or a fatal error.
 */
int
yamux_stream_syn(struct yamux *y, uint32_t id, unsigned int flags)
{
	struct yamux_stream *st;
	int r;

	if ((id & 1) == (y->role == YAMUX_CLIENT))
		return (YAMUX_E_ID);
	if (yamux_find(y, id) != NULL)
		return (YAMUX_E_DUPLICATE);
	if ((r = seen_add(y, id)) != 0)
		return (r);
	if (flags & YAMUX_RST)
		return (0);		/* opened and gone */
	/* Also those that its user refuses each have a RST to come. */
	if (y->rst_n >= YAMUX_RST_MAX)
		return (YAMUX_E_RESETS);
	if (y->goaway_sent || y->nstreams_in >= y->cf.inbound_max ||
	    id >= YAMUX_ID_END || (st = stream_new(y, id, NULL)) == NULL) {
		y->refused++;
		return (rst_add(y, id) == -1 ? YAMUX_E_NOMEM : 0);
	}
	st->flags = ST_INBOUND | ST_UNANSWERED | ST_ACKED;
	y->nstreams_in++;
	y->opened_in++;
	y->cb.on_open(y->arg, st);
	return (0);
}

/*
 * Remember an id of the peer, refuse one it has used.  Ids may come a little
 * out of order, see YAMUX_SEEN; what is older than the memory counts as used.
 */
static int
seen_add(struct yamux *y, uint32_t id)
{
	uint32_t slot = (id >> 1) % YAMUX_SEEN, k;

	if (id > y->max_in) {
		k = (id - y->max_in) / 2;
		if (k >= YAMUX_SEEN)
			memset(y->seen, 0, sizeof(y->seen));
		else
			while (k-- > 0) {
				uint32_t s = (slot - k) % YAMUX_SEEN;

				y->seen[s / 64] &= ~(UINT64_C(1) << s % 64);
			}
		y->max_in = id;
	} else if ((y->max_in - id) / 2 >= YAMUX_SEEN)
		return (YAMUX_E_ID);
	if (y->seen[slot / 64] & UINT64_C(1) << slot % 64)
		return (YAMUX_E_ID);
	y->seen[slot / 64] |= UINT64_C(1) << slot % 64;
	return (0);
}

void
yamux_accept(struct yamux_stream *st)
{
	if (st->flags & ST_UNANSWERED)
		yamux_stream_queue(st, ST_ACK);
}

/* The flags that must ride on the first frame, whichever that is. */
unsigned int
yamux_stream_first_flags(struct yamux_stream *st)
{
	unsigned int f = 0;

	if (st->flags & ST_SYN)
		f = YAMUX_SYN;
	else if (st->flags & ST_UNANSWERED)
		f = YAMUX_ACK;
	st->flags &= ~(uint32_t)(ST_SYN | ST_ACK | ST_UNANSWERED);
	return (f);
}

/* The peer answered our SYN. */
void
yamux_stream_answered(struct yamux_stream *st)
{
	if (st->flags & (ST_ACKED | ST_INBOUND))
		return;
	st->flags |= ST_ACKED;
	st->y->unacked--;
}

/*
 * The peer answered this id: it, if we had given it up, waits no more.  A Go
 * peer accepts streams in the order of their opening, so after an ACK the
 * earlier ones that were given up have left its queue too.
 */
void
yamux_stream_answer_gone(struct yamux *y, uint32_t id, unsigned int flags)
{
	uint32_t i, kept = 0;

	if (!(flags & (YAMUX_ACK | YAMUX_FIN | YAMUX_RST)))
		return;
	for (i = 0; i < y->nabandoned; i++) {
		if (y->abandoned[i] == id ||
		    ((flags & YAMUX_ACK) && y->abandoned[i] < id))
			continue;
		y->abandoned[kept++] = y->abandoned[i];
	}
	y->nabandoned = kept;
	if (kept == 0 && y->unacked == 0) {
		free(y->abandoned);
		y->abandoned = NULL;
		y->abandoned_cap = 0;
	}
}

/* Room for every open that may be given up, so that giving up succeeds. */
static int
abandoned_reserve(struct yamux *y)
{
	uint32_t need = y->unacked + y->nabandoned + 1, cap, *p;

	if (need <= y->abandoned_cap)
		return (0);
	cap = need < 8 ? 8 : need * 2;
	if ((p = reallocarray(y->abandoned, cap, sizeof(*p))) == NULL)
		return (-1);
	y->abandoned = p;
	y->abandoned_cap = cap;
	return (0);
}

static void
abandoned_add(struct yamux_stream *st)
{
	struct yamux *y = st->y;

	if (st->flags & (ST_INBOUND | ST_ACKED))
		return;
	y->unacked--;
	if (!(st->flags & ST_SYN))
		y->abandoned[y->nabandoned++] = st->id;
}

/* What waits to be said: one frame for a stream, however much it wants. */

void
yamux_stream_queue(struct yamux_stream *st, uint32_t what)
{
	if (st->flags & ST_DEAD)
		return;
	st->flags |= what;
	if (st->flags & ST_QUEUED)
		return;
	st->flags |= ST_QUEUED;
	TAILQ_INSERT_TAIL(&st->y->out, st, out);
}

static void
stream_dequeue(struct yamux_stream *st)
{
	if (st->flags & ST_QUEUED)
		TAILQ_REMOVE(&st->y->out, st, out);
	st->flags &= ~(uint32_t)ST_QUEUED;
}

/*
 * Write the stream's frame and take it off the queue; false if there is nothing
 * to say after all.  The FIN that ends the stream frees it.
 */
bool
yamux_stream_output(struct yamux_stream *st, uint8_t *hdr, uint64_t now)
{
	struct yamux *y = st->y;
	unsigned int first, flags;
	uint32_t what = st->flags & ST_PENDING, credit = 0;

	stream_dequeue(st);
	first = flags = yamux_stream_first_flags(st);
	st->flags &= ~(uint32_t)ST_PENDING;
	if (first != 0 || (what & ST_UPDATE))
		credit = yamux_window_give(st);
	if (what & ST_FIN)
		flags |= YAMUX_FIN;
	if (flags == 0 && credit == 0)
		return (false);
	yamux_put_header(hdr, YAMUX_UPDATE, flags, st->id, credit);
	if (!(what & ST_FIN))
		return (true);
	st->flags |= ST_FIN_SENT;
	if (st->flags & ST_FIN_RECV)
		yamux_stream_end(st, YAMUX_CLOSED);
	else if (!(st->flags & ST_LONG)) {
		st->flags |= ST_HALF;
		st->fin_at = now;
		TAILQ_INSERT_TAIL(&y->half, st, half);
	}
	return (true);
}

/* Sending. */

size_t
yamux_sendable(const struct yamux_stream *st)
{
	return (st->flags & (ST_FIN_CALLED | ST_DEAD) ? 0 : st->send_window);
}

int
yamux_data_header(struct yamux_stream *st, uint8_t hdr[YAMUX_HEADER],
    size_t len)
{
	struct yamux *y = st->y;
	unsigned int first;

	if ((st->flags & (ST_FIN_CALLED | ST_DEAD)) || len > st->send_window ||
	    y->error != 0)
		return (YAMUX_E_STATE);
	first = yamux_stream_first_flags(st);
	yamux_put_header(hdr, YAMUX_DATA, first, st->id, (uint32_t)len);
	if (first != 0)
		yamux_window_check(st);
	if (!(st->flags & ST_PENDING))
		stream_dequeue(st);
	st->send_window -= (uint32_t)len;
	y->bytes_out += len;
	return (0);
}

/* Closing. */

void
yamux_fin(struct yamux_stream *st)
{
	if (st->flags & (ST_FIN_CALLED | ST_DEAD))
		return;
	st->flags |= ST_FIN_CALLED;
	yamux_stream_queue(st, ST_FIN);
}

void
yamux_half(struct yamux_stream *st)
{
	if (!(st->flags & ST_FIN_CALLED))
		st->flags |= ST_LONG;
	yamux_fin(st);
}

void
yamux_reset(struct yamux_stream *st)
{
	struct yamux *y = st->y;

	if (st->flags & ST_DEAD)
		return;
	/* What the peer never heard of needs no RST. */
	if (!(st->flags & ST_SYN) && y->error == 0 && rst_add(y, st->id) == -1)
		yamux_fail(y, YAMUX_E_NOMEM);
	abandoned_add(st);
	stream_unlink(st);
	stream_free(st);
}

/* The one end of a stream that its user did not ask for. */
void
yamux_stream_end(struct yamux_stream *st, enum yamux_reason reason)
{
	struct yamux *y = st->y;

	if (reason == YAMUX_TIMEOUT)
		abandoned_add(st);
	else
		yamux_stream_answered(st);
	stream_unlink(st);
	st->flags |= ST_DEAD;
	y->cb.on_close(y->arg, st, reason);
	stream_free(st);
}

static void
stream_unlink(struct yamux_stream *st)
{
	struct yamux *y = st->y;

	if (y->cur == st)
		y->cur = NULL;
	stream_dequeue(st);
	if (st->flags & ST_HALF)
		TAILQ_REMOVE(&y->half, st, half);
	st->flags &= ~(uint32_t)ST_HALF;
	if (st->flags & ST_INBOUND)
		y->nstreams_in--;
	yamux_window_close(st);
	table_del(y, st);
}

static void
stream_free(struct yamux_stream *st)
{
	free(st);
}

/* FIN sent, but the peer's did not come in time: tunnel-protocol.md 3.7. */
void
yamux_stream_expire(struct yamux *y, uint64_t now)
{
	struct yamux_stream *st;

	while (y->error == 0 && (st = TAILQ_FIRST(&y->half)) != NULL &&
	    now >= st->fin_at && now - st->fin_at >= y->cf.close_wait) {
		if (rst_add(y, st->id) == -1)
			yamux_fail(y, YAMUX_E_NOMEM);
		yamux_stream_end(st, YAMUX_TIMEOUT);
	}
}

/*
 * RSTs whose streams are gone, and those for refused SYNs: a ring of ids.  It
 * is bounded in yamux_stream_syn(): while many wait no stream begins.
 */
static int
rst_add(struct yamux *y, uint32_t id)
{
	uint32_t cap, i, *ring;

	if (y->rst_n == y->rst_cap) {
		cap = y->rst_cap == 0 ? RST_CAP_MIN / 4 : y->rst_cap * 2;
		if ((ring = calloc(cap, sizeof(*ring))) == NULL)
			return (-1);
		for (i = 0; i < y->rst_n; i++)
			ring[i] = y->rst[(y->rst_head + i) % y->rst_cap];
		free(y->rst);
		y->rst = ring;
		y->rst_cap = cap;
		y->rst_head = 0;
	}
	y->rst[(y->rst_head + y->rst_n++) % y->rst_cap] = id;
	return (0);
}

bool
yamux_rst_output(struct yamux *y, uint8_t *hdr)
{
	if (y->rst_n == 0)
		return (false);
	yamux_put_header(hdr, YAMUX_UPDATE, YAMUX_RST, y->rst[y->rst_head], 0);
	y->rst_head = (y->rst_head + 1) % y->rst_cap;
	if (--y->rst_n == 0 && y->rst_cap > RST_CAP_MIN) {
		free(y->rst);
		y->rst = NULL;
		y->rst_cap = y->rst_head = 0;
	}
	return (true);
}

/* Getters. */

uint32_t
yamux_id(const struct yamux_stream *st)
{
	return (st->id);
}

struct yamux *
yamux_of(const struct yamux_stream *st)
{
	return (st->y);
}

void *
yamux_get(const struct yamux_stream *st)
{
	return (st->user);
}

void
yamux_set(struct yamux_stream *st, void *user)
{
	st->user = user;
}

bool
yamux_is_inbound(const struct yamux_stream *st)
{
	return ((st->flags & ST_INBOUND) != 0);
}

bool
yamux_is_acked(const struct yamux_stream *st)
{
	return ((st->flags & ST_ACKED) != 0);
}

bool
yamux_fin_sent(const struct yamux_stream *st)
{
	return ((st->flags & ST_FIN_CALLED) != 0);
}

bool
yamux_fin_received(const struct yamux_stream *st)
{
	return ((st->flags & ST_FIN_RECV) != 0);
}

size_t
yamux_held(const struct yamux_stream *st)
{
	return (st->held);
}

uint32_t
yamux_recv_window(const struct yamux_stream *st)
{
	return (st->recv_window);
}

struct yamux_stream *
yamux_first(const struct yamux *y)
{
	return (TAILQ_FIRST(&y->all));
}

struct yamux_stream *
yamux_next(const struct yamux_stream *st)
{
	return (TAILQ_NEXT(st, all));
}
