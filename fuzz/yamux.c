/* SPDX-License-Identifier: ISC */
/*
 * yamux_input() with anything.  The first byte chooses the role and what the
 * callbacks do, the second into which pieces the rest is cut and what this end
 * does between them; the rest is what the peer sent.
 *
 * Besides what the sanitizers see, each frame this end emits is checked: a
 * known type, no second SYN, ACK or FIN on an id, nothing after RST, no data
 * beyond the window, go-away last.  So are the sums of credit and what waits.
 */
#include "yamux/yamux_int.h"
#include "fuzz.h"

#define WINDOW		512		/* small, so that inputs reach it */
#define IDS		1024		/* of which emitted flags are tracked */
#define CHECK(cond)	do { if (!(cond)) abort(); } while (0)

#define M_SERVER	0x01
#define M_ACCEPT	0x02
#define M_CONSUME	0x04
#define M_RESET		0x08		/* now and then, in callbacks */
#define M_FIN		0x10		/* answer FIN with FIN */
#define M_ACT		0x20		/* open, write, close by itself */

static struct {
	struct yamux	*y;
	unsigned int	 mode;
	uint32_t	 rng;
	uint64_t	 now;
	uint8_t		 sent[IDS];	/* flags this end emitted */
	size_t		 leased;
	unsigned int	 closed;
	bool		 over;		/* go-away after an error was emitted */
} f;

static uint32_t
rnd(uint32_t n)
{
	f.rng = f.rng * 1664525 + 1013904223;
	return ((uint32_t)((uint64_t)f.rng * n >> 32));
}

/* One emitted header. */
static void
emitted(const uint8_t *h)
{
	unsigned int type = h[1], flags = (unsigned int)h[2] << 8 | h[3];
	uint32_t id = yamux_get32(h + 4);

	CHECK(h[0] == 0 && type <= YAMUX_GOAWAY && flags <= 0xf);
	CHECK(!f.over);
	f.over = yamux_error(f.y) != 0;
	CHECK(!f.over || type == YAMUX_GOAWAY);
	if (type == YAMUX_PING || type == YAMUX_GOAWAY) {
		CHECK(id == 0);
		return;
	}
	CHECK(id != 0);
	if (id >= IDS)
		return;
	CHECK((f.sent[id] & flags) == 0);
	CHECK(!(f.sent[id] & YAMUX_RST));
	CHECK(!(f.sent[id] & YAMUX_FIN) || flags == YAMUX_RST ||
	    type == YAMUX_UPDATE);
	/* SYN on ours, ACK (or a refusal) on theirs, before all else. */
	if (((id & 1) == 0) == ((f.mode & M_SERVER) != 0))
		CHECK((f.sent[id] | flags) & YAMUX_SYN);
	else
		CHECK((f.sent[id] | flags) & (YAMUX_ACK | YAMUX_RST));
	f.sent[id] |= (uint8_t)flags;
}

static void
output(size_t cap)
{
	uint8_t buf[1024];
	size_t n, i;

	if (cap > sizeof(buf))
		cap = sizeof(buf);
	n = yamux_output(f.y, buf, cap, f.now);
	CHECK(n <= cap && n % YAMUX_HEADER == 0);
	for (i = 0; i < n; i += YAMUX_HEADER)
		emitted(buf + i);
}

static void
data(struct yamux_stream *st)
{
	uint8_t hdr[YAMUX_HEADER];
	size_t n = rnd((uint32_t)WINDOW + 8);

	if (n > yamux_sendable(st)) {
		CHECK(yamux_data_header(st, hdr, n) == YAMUX_E_STATE);
		return;
	}
	if (yamux_data_header(st, hdr, n) == 0)
		emitted(hdr);
	else
		CHECK(yamux_fin_sent(st) || yamux_error(f.y) != 0);
}

static void
maybe_reset(struct yamux_stream *st)
{
	struct yamux_stream *o;

	if (!(f.mode & M_RESET) || rnd(16) != 0)
		return;
	if (rnd(2) == 0 && (o = yamux_first(f.y)) != NULL && o != st)
		yamux_reset(o);
	yamux_reset(st);
}

static void
on_open(void *arg, struct yamux_stream *st)
{
	(void)arg;
	if (f.mode & M_ACCEPT)
		yamux_accept(st);
	maybe_reset(st);
}

static void
on_data(void *arg, struct yamux_stream *st, const uint8_t *p, size_t len)
{
	uint8_t sum = 0;

	(void)arg;
	CHECK(len > 0 && len <= yamux_held(st));
	while (len-- > 0)
		sum ^= *p++;	/* reads every byte */
	if (f.mode & M_CONSUME)
		yamux_consumed(st, rnd(WINDOW) + (sum & 1), f.now);
	maybe_reset(st);
}

static void
on_fin(void *arg, struct yamux_stream *st)
{
	(void)arg;
	if (f.mode & M_FIN)
		yamux_fin(st);
	maybe_reset(st);
}

static void
on_close(void *arg, struct yamux_stream *st, enum yamux_reason why)
{
	(void)arg;
	(void)why;
	CHECK(yamux_find(f.y, yamux_id(st)) == NULL);
	f.closed++;
	yamux_reset(st);		/* does nothing here */
}

static void
on_stream(void *arg, struct yamux_stream *st)
{
	(void)arg;
	maybe_reset(st);
}

static size_t
grow(void *arg, size_t want)
{
	size_t n = rnd((uint32_t)want + 1);

	(void)arg;
	f.leased += n;
	return (n);
}

static void
release(void *arg, size_t n)
{
	(void)arg;
	CHECK(n <= f.leased);
	f.leased -= n;
}

static const struct yamux_callbacks callbacks = {
	on_open, on_data, on_fin, on_close, on_stream, on_stream, NULL, NULL,
	grow, release
};

/* What the user of this end might do between two reads. */
static void
act(void)
{
	struct yamux_stream *st;
	uint32_t skip = rnd(8);

	if (yamux_open(f.y, NULL, &st) == 0 && rnd(2) == 0)
		data(st);
	for (st = yamux_first(f.y); st != NULL && skip > 0; skip--)
		if (yamux_next(st) != NULL)
			st = yamux_next(st);
	if (st == NULL)
		return;
	switch (rnd(8)) {
	case 0:
		yamux_fin(st);
		break;
	case 1:
		yamux_reset(st);
		break;
	case 2:
		yamux_ping(f.y, f.now);
		break;
	case 3:
		if (rnd(32) == 0)
			yamux_goaway(f.y, rnd(3));
		break;
	case 4:
		yamux_accept(st);
		break;
	case 5:
		yamux_consumed(st, rnd(WINDOW), f.now);
		break;
	default:
		data(st);
		break;
	}
}

static void
check_sums(void)
{
	const struct yamux_stream *st;
	uint64_t credit = 0, extra = 0;
	uint32_t n = 0;

	TAILQ_FOREACH(st, &f.y->all, all) {
		credit += (uint64_t)st->recv_window + st->held;
		extra += st->extra;
		n++;
		CHECK(st->recv_window + st->held <= WINDOW + st->extra);
	}
	CHECK(credit == f.y->credit && extra == f.y->extra);
	CHECK(extra == f.leased && n == f.y->nstreams);
	CHECK(f.y->nstreams_in <= f.y->cf.inbound_max);
	CHECK(f.y->unacked + f.y->nabandoned <= f.y->cf.unacked_max);
	CHECK(f.y->rst_n <= YAMUX_RST_MAX + 64);
	CHECK(f.y->pong_n <= YAMUX_PONG_RING);
}

static void
run(const uint8_t *p, size_t len, uint32_t cut)
{
	size_t n;
	int r;

	while (len > 0) {
		n = 1 + rnd(cut);
		if (n > len)
			n = len;
		r = yamux_input(f.y, p, n, f.now);
		CHECK(r == yamux_error(f.y));
		p += n;
		len -= n;
		check_sums();
		if (r != 0)
			break;
		if (f.mode & M_ACT)
			act();
		if (rnd(2) == 0)
			output(rnd(200));
		f.now += rnd(2 * (uint32_t)(YAMUX_NSEC / 1000));
		if (rnd(4) == 0)
			yamux_tick(f.y, f.now);
		CHECK(yamux_deadline(f.y) != 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct yamux_config cf;
	int i;

	if (len < 2)
		return (0);
	memset(&f, 0, sizeof(f));
	f.mode = p[0];
	f.rng = (uint32_t)p[0] << 8 | p[1];
	f.now = 1000 * YAMUX_NSEC;
	yamux_config_default(&cf);
	cf.window = WINDOW;
	cf.window_max = 4 * WINDOW;
	cf.update_max = WINDOW / 2;
	cf.credit_max = 20 * WINDOW;
	cf.inbound_max = 32;
	cf.unacked_max = 20;
	cf.seed = p[1];
	f.y = yamux_new(f.mode & M_SERVER ? YAMUX_SERVER : YAMUX_CLIENT, &cf,
	    &callbacks, NULL);
	if (f.y == NULL)
		return (0);
	run(p + 2, len - 2, (uint32_t)p[1] + 1);
	/* All that waits is finite, and the rest of the lives ends well. */
	for (i = 0; i < 1000 && yamux_has_output(f.y); i++)
		output(1024);
	CHECK(!yamux_has_output(f.y));
	yamux_tick(f.y, f.now + 1000 * YAMUX_NSEC);
	for (i = 0; i < 1000 && yamux_has_output(f.y); i++)
		output(1024);
	yamux_free(f.y);
	CHECK(f.leased == 0);
	return (0);
}
