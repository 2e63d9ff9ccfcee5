/* SPDX-License-Identifier: ISC */
/*
 * yamux against itself under random schedules.  Two ends with small windows and
 * two pipes between them; in each step one of them opens, accepts, writes,
 * sends control frames, reads some bytes, consumes, half-closes, resets, pings
 * or says go-away, and some consumers stall.  Then all finish.  Checked:
 *
 *	every byte arrives once, in order, and all of them before FIN
 *	nothing is left waiting while somebody could go on (no deadlock)
 *	when all is quiet both ends agree on every window
 *	at the end streams, credit, leases and tables are back at nothing
 *
 * usage: yamux_model_test [-n schedules] [-s first]
 *
 * A failure names its schedule: -s N -n 1 runs it alone.  Without -n a build
 * without sanitizers runs 1,000,000 (about a minute), others 20,000.
 */
#include <unistd.h>

#include "yamux/yamux_int.h"
#include "regress/lib/tap.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED
#endif
#ifdef SANITIZED
#define SCHEDULES	20000
#else
#define SCHEDULES	1000000
#endif

#define STREAMS		32		/* opened by each end, at most */
#define PIPE		16384
#define TOTAL_MAX	600		/* bytes per stream and direction */
#define ROUNDS_MAX	5000		/* to finish in */
#define CHECK(cond)	do {						\
	if (!(cond))							\
		failed(#cond, __LINE__);				\
} while (0)

/* One end of one stream. */
struct half {
	struct yamux_stream	*st;	/* NULL: not open or gone */
	uint32_t		 id;
	uint32_t		 total;	/* to be sent */
	uint32_t		 sent;
	uint32_t		 got;
	uint32_t		 held;
	bool			 accepted;
	bool			 stalled;
	bool			 fin;	/* received */
	bool			 broken;/* reset by either end */
};

struct pipe {
	uint8_t			 buf[PIPE];
	uint32_t		 len;
};

struct peer {
	struct yamux		*y;
	struct peer		*other;
	struct pipe		 to;	/* the other */
	struct half		 half[2 * STREAMS + 1];	/* by id */
	uint32_t		 opened;
	uint32_t		 live;	/* halves with a stream */
	size_t			 leased;
	uint64_t		 moved;	/* progress of any kind */
	bool			 calm;	/* no more mischief in callbacks */
};

static struct peer	 peers[2];
static uint64_t		 rng, now, schedule;
static uint64_t		 bytes_total, streams_total, resets_total, grown_total;
static bool		 bad;

static uint32_t
rnd(uint32_t n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return ((uint32_t)((rng >> 32) * n >> 32));
}

static void
failed(const char *what, int line)
{
	if (!bad)
		diag("schedule %llu, line %d: %s",
		    (unsigned long long)schedule, line, what);
	bad = true;
}

/* What byte `pos` of a stream looks like, from each of its ends. */
static uint8_t
pattern(uint32_t id, bool from_client, uint32_t pos)
{
	return ((uint8_t)(id * 31 + from_client * 101 + pos * 7 + (pos >> 6)));
}

static bool
is_client(const struct peer *p)
{
	return (p == &peers[0]);
}

static void
half_new(struct peer *p, struct yamux_stream *st)
{
	struct half *h = &p->half[yamux_id(st)];

	CHECK(h->id == 0);
	h->st = st;
	h->id = yamux_id(st);
	h->total = rnd(4) == 0 ? 0 : rnd(TOTAL_MAX);
	h->stalled = rnd(4) == 0;
	yamux_set(st, h);
	p->live++;
	streams_total++;
}

/* The stream is gone at this end; broken: nothing more is promised. */
static void
half_gone(struct peer *p, struct half *h, bool broken)
{
	h->st = NULL;
	p->live--;
	if (broken) {
		h->broken = true;
		p->other->half[h->id].broken = true;
		resets_total++;
	}
}

static void
half_reset(struct peer *p, struct half *h)
{
	struct yamux_stream *st = h->st;

	half_gone(p, h, true);
	yamux_reset(st);
}

static void
half_consume(struct peer *p, struct half *h, uint32_t n)
{
	p->moved += n;
	h->held -= n;
	yamux_consumed(h->st, n, now);
}

static void
on_open(void *arg, struct yamux_stream *st)
{
	struct peer *p = arg;

	half_new(p, st);
	if (!p->calm && rnd(16) == 0)
		half_reset(p, yamux_get(st));
	else if (p->calm || rnd(2) == 0) {
		yamux_accept(st);
		((struct half *)yamux_get(st))->accepted = true;
	}
}

static void
on_data(void *arg, struct yamux_stream *st, const uint8_t *buf, size_t len)
{
	struct peer *p = arg;
	struct half *h = yamux_get(st);
	size_t i;

	CHECK(!h->fin);
	for (i = 0; i < len; i++)
		if (buf[i] != pattern(h->id, !is_client(p), h->got++))
			failed("wrong byte", __LINE__);
	h->held += (uint32_t)len;
	p->moved += len;
	bytes_total += len;
	CHECK(h->held == yamux_held(st));
	if (!p->calm && rnd(128) == 0)
		half_reset(p, h);
	else if (!h->stalled && rnd(2) == 0)
		half_consume(p, h, h->held);
}

static void
on_fin(void *arg, struct yamux_stream *st)
{
	struct peer *p = arg;
	struct half *h = yamux_get(st), *o = &p->other->half[h->id];

	CHECK(!h->fin);
	h->fin = true;
	p->moved++;
	CHECK(h->got == o->sent && o->sent == o->total);
	if (!p->calm && rnd(32) == 0)
		half_reset(p, h);
	else if (h->sent == h->total && rnd(2) == 0)
		yamux_fin(st);
}

static void
on_close(void *arg, struct yamux_stream *st, enum yamux_reason why)
{
	struct peer *p = arg;
	struct half *h = yamux_get(st);

	CHECK(h->st == st);
	CHECK(why == YAMUX_CLOSED || why == YAMUX_RESET);
	if (why == YAMUX_CLOSED)
		CHECK(h->fin && h->sent == h->total);
	half_gone(p, h, why != YAMUX_CLOSED);
	p->moved++;
}

static size_t
grow(void *arg, size_t want)
{
	struct peer *p = arg;
	size_t n = rnd(3) == 0 ? rnd((uint32_t)want + 1) : want;

	p->leased += n;
	grown_total += n;
	return (n);
}

static void
release(void *arg, size_t n)
{
	struct peer *p = arg;

	CHECK(n <= p->leased);
	p->leased -= n;
}

static const struct yamux_callbacks callbacks = {
	on_open, on_data, on_fin, on_close, NULL, NULL, NULL, NULL, grow,
	release
};

/* What an end can do. */

static void
do_open(struct peer *p)
{
	struct yamux_stream *st;

	if (p->opened == STREAMS - 1)
		return;
	if (yamux_open(p->y, NULL, &st) != 0)
		return;
	p->opened++;
	half_new(p, st);
	((struct half *)yamux_get(st))->accepted = true;
}

static void
do_write(struct peer *p, struct half *h, uint32_t max)
{
	struct pipe *to = &p->to;
	uint32_t n = h->total - h->sent, i;
	uint8_t *out;

	if (n > max)
		n = max;
	if (n > yamux_sendable(h->st))
		n = (uint32_t)yamux_sendable(h->st);
	if (n == 0 || to->len + YAMUX_HEADER + n > PIPE)
		return;
	out = to->buf + to->len;
	CHECK(yamux_data_header(h->st, out, n) == 0);
	for (i = 0; i < n; i++)
		out[YAMUX_HEADER + i] = pattern(h->id, is_client(p), h->sent++);
	to->len += YAMUX_HEADER + n;
	h->accepted = true;
	p->moved += n;
}

static void
do_output(struct peer *p, uint32_t cap)
{
	struct pipe *to = &p->to;
	size_t n;

	if (cap > PIPE - to->len)
		cap = PIPE - to->len;
	n = yamux_output(p->y, to->buf + to->len, cap, now);
	CHECK(n <= cap && n % YAMUX_HEADER == 0);
	to->len += (uint32_t)n;
	p->moved += n;
}

static void
do_deliver(struct peer *p, uint32_t n)
{
	struct pipe *to = &p->to;

	if (n > to->len)
		n = to->len;
	if (n == 0)
		return;
	CHECK(yamux_input(p->other->y, to->buf, n, now) == 0);
	to->len -= n;
	memmove(to->buf, to->buf + n, to->len);
	p->moved += n;
}

static struct half *
any_half(struct peer *p)
{
	uint32_t id = rnd(2 * STREAMS), i;

	for (i = 0; i < 2 * STREAMS && p->live > 0; i++)
		if (p->half[(id + i) % (2 * STREAMS)].st != NULL)
			return (&p->half[(id + i) % (2 * STREAMS)]);
	return (NULL);
}

static void
step_stream(struct peer *p)
{
	struct half *h;

	if ((h = any_half(p)) == NULL)
		return;
	switch (rnd(16)) {
	case 0:
		h->stalled = !h->stalled;
		break;
	case 1:
		if (h->sent == h->total)
			yamux_fin(h->st);
		break;
	case 2:
		if (rnd(4) == 0)
			half_reset(p, h);
		break;
	case 3:
		/* What is said so far is all. */
		h->total = h->sent;
		yamux_fin(h->st);
		break;
	case 4:
	case 5:
		yamux_accept(h->st);
		h->accepted = true;
		break;
	case 6:
	case 7:
	case 8:
	case 9:
		if (h->held > 0 && !h->stalled)
			half_consume(p, h, 1 + rnd(h->held));
		break;
	default:
		if (!yamux_fin_sent(h->st))
			do_write(p, h, 1 + rnd(128));
		break;
	}
}

static void
step(void)
{
	struct peer *p = &peers[rnd(2)];

	now += rnd(400000);
	switch (rnd(16)) {
	case 0:
	case 1:
		do_open(p);
		break;
	case 2:
		if (rnd(4) == 0)
			CHECK(yamux_tick(p->y, now) == 0);
		if (rnd(64) == 0)
			yamux_goaway(p->y, YAMUX_GOAWAY_NORMAL);
		else
			yamux_ping(p->y, now);
		break;
	case 3:
	case 4:
	case 5:
		do_output(p, rnd(100));
		break;
	case 6:
	case 7:
	case 8:
	case 9:
		do_deliver(p, rnd(4) == 0 ? 1 + rnd(13) : PIPE);
		break;
	default:
		step_stream(p);
		break;
	}
}

/* Sums that must hold at any moment. */
static void
check_sums(const struct peer *p)
{
	const struct yamux_stream *st;
	const struct yamux *y = p->y;
	uint64_t credit = 0, extra = 0, beyond = 0;
	uint32_t n = 0;

	TAILQ_FOREACH(st, &y->all, all) {
		CHECK(st->recv_window + st->held <= y->cf.window + st->extra);
		CHECK(st->window <= y->cf.window + st->extra);
		CHECK(st->window <= y->cf.window_max);
		credit += st->recv_window + st->held;
		extra += st->extra;
		beyond += st->window - y->cf.window;
		n++;
	}
	CHECK(n == y->nstreams && n == p->live);
	CHECK(credit == y->credit && extra == y->extra && beyond == y->aim);
	CHECK(extra == p->leased);
	CHECK(extra <= y->cf.credit_max);
}

/* Go on with everything but closing until nothing moves. */
static void
settle(bool closing)
{
	uint64_t before;
	uint32_t rounds = 0, id;
	struct half *h;
	int i;

	do {
		before = peers[0].moved + peers[1].moved;
		CHECK(++rounds < ROUNDS_MAX);
		for (i = 0; i < 2; i++) {
			for (id = 1; id < 2 * STREAMS; id++) {
				h = &peers[i].half[id];
				if (h->st == NULL)
					continue;
				if (!h->accepted)
					yamux_accept(h->st);
				h->accepted = true;
				if (h->held > 0)
					half_consume(&peers[i], h,
					    1 + rnd(h->held));
				if (!yamux_fin_sent(h->st))
					do_write(&peers[i], h, PIPE);
				if (closing && h->sent == h->total)
					yamux_fin(h->st);
			}
			do_output(&peers[i], PIPE);
			do_deliver(&peers[i], 1 + rnd(PIPE));
		}
		now += 100000;
	} while (!bad && (before != peers[0].moved + peers[1].moved ||
	    peers[0].to.len + peers[1].to.len > 0 ||
	    yamux_has_output(peers[0].y) || yamux_has_output(peers[1].y)));
}

/* Quiet: all was sent and taken, and the ends agree. */
static void
check_quiet(void)
{
	struct half *h, *o;
	uint32_t id;
	int i;

	for (i = 0; i < 2; i++) {
		for (id = 1; id < 2 * STREAMS; id++) {
			h = &peers[i].half[id];
			o = &peers[!i].half[id];
			if (h->st == NULL)
				continue;
			CHECK(h->sent == h->total);
			CHECK(h->held == 0);
			if (o->st == NULL)
				continue;
			CHECK(o->got == h->sent);
			CHECK(h->st->send_window == o->st->recv_window);
			CHECK(yamux_is_acked(h->st));
		}
		check_sums(&peers[i]);
	}
}

static void
check_baseline(const struct peer *p)
{
	const struct yamux *y = p->y;

	CHECK(p->live == 0 && y->nstreams == 0 && y->nstreams_in == 0);
	CHECK(y->credit == 0 && y->extra == 0 && y->aim == 0);
	CHECK(p->leased == 0);
	CHECK(y->unacked == 0 && y->buckets == NULL && y->rst_n == 0);
	CHECK(TAILQ_EMPTY(&y->out) && TAILQ_EMPTY(&y->half));
	CHECK(y->body_left == 0 && y->hdr_len == 0);
}

static void
config(struct yamux_config *cf)
{
	static const uint32_t windows[] = { 1, 7, 32, 100, 256 };

	yamux_config_default(cf);
	cf->window = windows[rnd(5)];
	cf->window_max = cf->window << rnd(5);
	cf->update_max = 1 + rnd(64);
	cf->credit_max = cf->window * (1 + rnd(40));
	cf->inbound_max = 1 + rnd(12);
	cf->unacked_max = 1 + rnd(12);
	cf->seed = rnd(UINT32_MAX);
}

static void
run_schedule(uint64_t n)
{
	struct yamux_config cf;
	int i, steps;

	schedule = n;
	rng = (n + 1) * UINT64_C(0x9e3779b97f4a7c15);
	now = 1000 * YAMUX_NSEC;
	config(&cf);
	for (i = 0; i < 2; i++) {
		struct peer *p = &peers[i];

		memset(p->half, 0, sizeof(p->half));
		p->to.len = p->opened = p->live = 0;
		p->leased = 0;
		p->moved = 0;
		p->calm = false;
		p->other = &peers[!i];
		cf.credit_max += rnd(100);	/* they need not agree */
		p->y = yamux_new(i == 0 ? YAMUX_CLIENT : YAMUX_SERVER, &cf,
		    &callbacks, p);
		if (p->y == NULL)
			bail_out("no memory");
	}
	for (steps = 30 + (int)rnd(90); steps > 0 && !bad; steps--) {
		step();
		if (rnd(8) == 0)
			check_sums(&peers[rnd(2)]);
	}
	for (i = 0; i < 2; i++)
		peers[i].calm = true;
	settle(false);
	check_quiet();
	settle(true);
	for (i = 0; i < 2; i++)
		check_baseline(&peers[i]);
	for (i = 0; i < 2; i++)
		yamux_free(peers[i].y);
}

int
main(int argc, char *argv[])
{
	uint64_t n = SCHEDULES, first = 0, i;
	int ch;

	while ((ch = getopt(argc, argv, "n:s:")) != -1) {
		switch (ch) {
		case 'n':
			n = strtoull(optarg, NULL, 10);
			break;
		case 's':
			first = strtoull(optarg, NULL, 10);
			break;
		default:
			fprintf(stderr, "usage: %s [-n schedules] [-s first]\n",
			    argv[0]);
			return (2);
		}
	}
	for (i = 0; i < n && !bad; i++)
		run_schedule(first + i);
	diag("%llu streams, %llu bytes, %llu resets, %llu bytes leased",
	    (unsigned long long)streams_total, (unsigned long long)bytes_total,
	    (unsigned long long)resets_total, (unsigned long long)grown_total);
	ok(!bad, "tunnel-22%s: %llu random schedules: all bytes in order, no "
	    "deadlock, counters back at nothing",
	    n >= 1000000 ? "" : "(partial)", (unsigned long long)i);
	return (done_testing());
}
