/* SPDX-License-Identifier: ISC */
/*
 * yamux: windows at their edges, credit over a simulated line, budgets, pings
 * and liveness.  All time is made up.
 */
#include "yamux_util.h"

static const uint8_t zeros[16 * MIB];

/* Window. */

static void
test_window_receive(void)
{
	struct end *e = end_new(YAMUX_SERVER, NULL);
	struct yamux_stream *st;

	end_frame(e, YAMUX_UPDATE, YAMUX_SYN, 1, 0, NULL);
	end_flush(e);
	is_int(end_frame(e, YAMUX_DATA, 0, 1, YAMUX_WINDOW, zeros), 0,
	    "tunnel-21: exactly the window is fine");
	st = yamux_find(e->y, 1);
	is_int(yamux_recv_window(st), 0, "nothing left");
	is_int(yamux_held(st), YAMUX_WINDOW, "all of it held");
	is_int(end_frame(e, YAMUX_DATA, 0, 1, 0, NULL), 0,
	    "an empty frame is fine still");
	is_int(end_flush(e), 0, "no credit for bytes nobody took");
	is_int(end_frame(e, YAMUX_DATA, 0, 1, 1, zeros), YAMUX_E_WINDOW,
	    "tunnel-21: one byte over");
	is_str(end_out(e), "000300000000000000000001",
	    "tunnel-21: go-away 1");
	is_int(yamux_close_code(yamux_error(e->y)), 1002, "and 1002");
	end_free(e);

	/* The length of a frame counts, not what has come of it. */
	e = end_new(YAMUX_SERVER, NULL);
	end_frame(e, YAMUX_UPDATE, YAMUX_SYN, 1, 0, NULL);
	is_int(yamux_input(e->y, "\0\0\0\0\0\0\0\1\0\4\0\1", 12, e->now),
	    YAMUX_E_WINDOW, "tunnel-21: seen at the header");
	end_free(e);

	/* Credit comes back for what was taken, in useful amounts. */
	e = end_new(YAMUX_SERVER, NULL);
	end_frame(e, YAMUX_UPDATE, YAMUX_SYN, 1, 0, NULL);
	end_flush(e);
	st = yamux_find(e->y, 1);
	end_frame(e, YAMUX_DATA, 0, 1, 200000, zeros);
	yamux_consumed(st, 65535, e->now);
	is_int(end_flush(e), 0, "no dribbles");
	yamux_consumed(st, 1, e->now);
	is_str(end_out(e), "000100000000000100010000",
	    "tunnel-22: an update with 64 KiB pending, at the latest 128");
	yamux_consumed(st, SIZE_MAX, e->now);
	is_int(yamux_held(st), 0, "more than was delivered: all of it");
	is_int(end_flush(e), YAMUX_HEADER, "tunnel-22: the rest");
	is_int(yamux_recv_window(st), YAMUX_WINDOW, "the window is whole");
	end_frame(e, YAMUX_DATA, 0, 1, 200000, zeros);
	end_frame(e, YAMUX_UPDATE, YAMUX_FIN, 1, 0, NULL);
	yamux_consumed(st, 200000, e->now);
	is_int(end_flush(e), 0, "no credit for a peer that sent FIN");
	end_frame(e, YAMUX_DATA, YAMUX_SYN, 3, 200000, zeros);
	end_flush(e);
	yamux_consumed(yamux_find(e->y, 3), 200000, e->now);
	end_frame(e, YAMUX_UPDATE, YAMUX_FIN, 3, 0, NULL);
	is_int(end_flush(e), 0, "not even if it was due before the FIN");
	end_log(e);
	end_free(e);

	/* Consumed before the stream is answered, and answered by data. */
	e = end_new(YAMUX_SERVER, NULL);
	e->accept = false;
	e->consume = true;
	end_frame(e, YAMUX_DATA, YAMUX_SYN, 1, YAMUX_WINDOW, zeros);
	is_int(end_flush(e), 0, "no credit before the ACK");
	yamux_data_header(yamux_find(e->y, 1), e->out, 1);
	is_str(end_out(e), "000100000000000100040000",
	    "tunnel-22: the credit follows the data that carried the ACK");
	end_log(e);
	end_free(e);
}

/* The first window is given: then no more than is wanted. */
static void
test_window_small(void)
{
	struct end *e = end_new(YAMUX_SERVER, NULL);
	struct yamux_stream *st;
	uint32_t n, sent = 0, most = 0;
	int i;

	end_frame(e, YAMUX_UPDATE, YAMUX_SYN, 1, 0, NULL);
	end_flush(e);
	st = yamux_find(e->y, 1);
	yamux_keep_small(st, 65536);
	end_frame(e, YAMUX_DATA, 0, 1, 180000, zeros);
	yamux_consumed(st, 180000, e->now);
	is_int(end_flush(e), 0, "kept small: what was used is not given again");
	for (i = 0; i < 1000; i++) {
		n = yamux_recv_window(st) < 5000 ? yamux_recv_window(st) : 5000;
		if (n == 0)
			break;
		end_frame(e, YAMUX_DATA, 0, 1, n, zeros);
		yamux_consumed(st, n, e->now);
		end_flush(e);
		sent += n;
		if (i > 50 && yamux_recv_window(st) > most)
			most = yamux_recv_window(st);
	}
	is_int(sent, 5000000, "and it never runs dry");
	ok(most > 32768 && most <= 65536, "with 64 KiB ahead at most");
	end_free(e);
}

static void
test_window_send(void)
{
	struct end *e = end_new(YAMUX_SERVER, NULL);
	struct yamux_stream *st;
	uint8_t hdr[YAMUX_HEADER];

	end_frame(e, YAMUX_UPDATE, YAMUX_SYN, 1, 0, NULL);
	st = yamux_find(e->y, 1);
	is_int(yamux_data_header(st, hdr, YAMUX_WINDOW + 1), YAMUX_E_STATE,
	    "more than the window is not sent");
	is_int(yamux_data_header(st, hdr, YAMUX_WINDOW), 0, "the window is");
	is_int(yamux_sendable(st), 0, "tunnel-22: sending stops at 0");
	is_int(yamux_data_header(st, hdr, 1), YAMUX_E_STATE, "at all");
	end_frame(e, YAMUX_UPDATE, 0, 1, 5, NULL);
	end_frame(e, YAMUX_UPDATE, 0, 1, 6, NULL);
	is_str(end_log(e), "open 1;window 1 5;",
	    "tunnel-22: and goes on after an update, told once");
	is_int(yamux_sendable(st), 11, "sums add up");
	is_int(end_frame(e, YAMUX_UPDATE, 0, 1, UINT32_MAX - 11, NULL), 0,
	    "up to 2^32-1");
	is_int(yamux_sendable(st), UINT32_MAX, "all of it");
	is_int(end_frame(e, YAMUX_UPDATE, 0, 1, 1, NULL), YAMUX_E_OVERFLOW,
	    "and not beyond");
	end_free(e);
}

/* Line: a greedy peer behind a line with a delay and a rate. */

#define LINE_SLOTS	4096			/* 0.1 ms each */
#define LINE_STEP	(MSEC / 10)

struct line {
	struct end	*e;
	uint32_t	 id;
	uint64_t	 window;		/* the peer may send */
	uint64_t	 rate;			/* bytes per step */
	uint32_t	 delay;			/* steps one way */
	uint32_t	 step;
	uint32_t	 data[LINE_SLOTS];	/* arriving at the end */
	uint32_t	 credit[LINE_SLOTS];	/* arriving at the peer */
	uint64_t	 got;
	uint64_t	 take;			/* consumer, bytes per step */
	uint64_t	 peak;			/* of credit and held */
};

static void
line_credit(struct line *l)
{
	struct end *e = l->e;
	size_t i;

	end_flush(e);
	for (i = 0; i < e->out_len; i += YAMUX_HEADER) {
		uint8_t *p = e->out + i;

		if (p[1] == YAMUX_UPDATE && yamux_get32(p + 4) == l->id)
			l->credit[(l->step + l->delay) % LINE_SLOTS] +=
			    yamux_get32(p + 8);
		else if (p[1] == YAMUX_PING && (p[3] & YAMUX_SYN)) {
			/* The answer, one round trip later. */
			uint64_t now = e->now;

			p[3] = YAMUX_ACK;
			yamux_input(e->y, p, YAMUX_HEADER,
			    now + 2 * l->delay * LINE_STEP);
		}
	}
}

static void
line_step(struct line *l)
{
	struct end *e = l->e;
	struct yamux_stream *st = yamux_find(e->y, l->id);
	uint32_t now = l->step % LINE_SLOTS, n;

	if ((n = l->data[now]) > 0) {
		end_frame(e, YAMUX_DATA, 0, l->id, n, zeros);
		l->data[now] = 0;
		l->got += n;
	}
	if (yamux_held(st) > 0)
		yamux_consumed(st, l->take, e->now);
	line_credit(l);
	l->window += l->credit[now];
	l->credit[now] = 0;
	n = (uint32_t)(l->window < l->rate ? l->window : l->rate);
	l->data[(l->step + l->delay) % LINE_SLOTS] += n;
	l->window -= n;
	if (end_stats(e).credit > l->peak)
		l->peak = end_stats(e).credit;
	l->step++;
	e->log_len = 0;
}

static struct line *
line_new(struct end *e, uint32_t id, uint32_t delay, uint64_t rate)
{
	struct line *l;

	if ((l = calloc(1, sizeof(*l))) == NULL)
		bail_out("no memory");
	l->e = e;
	l->id = id;
	l->delay = delay;
	l->rate = rate;
	l->take = SIZE_MAX;
	l->window = YAMUX_WINDOW;
	end_frame(e, YAMUX_UPDATE, YAMUX_SYN, id, 0, NULL);
	line_credit(l);
	yamux_ping(e->y, e->now);
	line_credit(l);
	return (l);
}

/* Run for so many ms; returns MB/s. */
static double
line_run(struct line *l, uint32_t ms)
{
	uint64_t before = l->got;
	uint32_t i;

	for (i = 0; i < ms * 10; i++) {
		line_step(l);
		l->e->now += LINE_STEP;
	}
	return ((double)(l->got - before) / 1000.0 / ms);
}

static uint32_t
aim(struct end *e, uint32_t id)
{
	return (yamux_find(e->y, id)->window);
}

static void
test_tuning(void)
{
	struct end *e = end_new(YAMUX_SERVER, NULL);
	struct line *l;
	uint32_t pending;
	double mbs;

	/* 100 ms, 100 MB/s: 256 KiB would give 2.6. */
	l = line_new(e, 1, 500, 10000);
	is_int((long long)end_stats(e).rtt_min, (long long)(100 * MSEC),
	    "round trip measured");
	mbs = line_run(l, 3000);
	diag("first 3 s: %.1f MB/s", mbs);
	ok(mbs > 40, "the window opens within a few round trips");
	mbs = line_run(l, 3000);
	diag("next 3 s: %.1f MB/s, window %u", mbs, aim(e, 1));
	ok(mbs > 95, "and then takes what the line gives");
	is_int(aim(e, 1), 32 * MIB, "with two to four times what is under way");
	ok(l->peak <= 32 * MIB, "credit given stays under it");
	is_int(e->leased, 32 * MIB - YAMUX_WINDOW, "leased what is beyond");
	l->rate = 0;
	line_run(l, 1000);
	pending = 32 * MIB - yamux_recv_window(yamux_find(e->y, 1));
	ok(pending < 128 * KIB, "less than 128 KiB of credit is pending");
	end_frame(e, YAMUX_DATA, 0, 1, 128 * KIB - pending, zeros);
	l->window -= 128 * KIB - pending;
	yamux_consumed(yamux_find(e->y, 1), 128 * KIB, e->now);
	line_credit(l);
	is_int(yamux_recv_window(yamux_find(e->y, 1)), 32 * MIB,
	    "tunnel-22: with 128 KiB pending an update goes out");
	l->rate = 10000;

	/* A slow consumer: the window shrinks to what it is worth. */
	l->take = 20;
	line_run(l, 90000);
	is_int(aim(e, 1), YAMUX_WINDOW, "a slow consumer loses the window");
	l->take = 10000;
	l->rate = 0;
	line_run(l, 3000);
	is_int(e->leased, 0, "and returns the lease as data drains");
	ok(end_stats(e).credit <= YAMUX_WINDOW &&
	    end_stats(e).credit > YAMUX_WINDOW - 64 * KIB,
	    "the initial credit is left");
	l->rate = 10000;
	mbs = line_run(l, 6000);
	ok(mbs > 60, "and gets it again when it is fast");
	end_free(e);
	free(l);

	/* 10 MB/s at 20 ms needs 200 KB: no growth beyond a few times that. */
	e = end_new(YAMUX_SERVER, NULL);
	l = line_new(e, 1, 100, 1000);
	mbs = line_run(l, 3000);
	ok(mbs > 9.5, "a slow line is filled");
	ok(aim(e, 1) <= MIB, "and gets a window of its size, not more");
	end_free(e);
	free(l);

	/* Without a lease: no growth. */
	e = end_new(YAMUX_SERVER, NULL);
	e->lease_max = 0;
	l = line_new(e, 1, 500, 10000);
	line_run(l, 2000);
	is_int(aim(e, 1), YAMUX_WINDOW, "no lease, no growth");
	e->lease_max = MIB;
	line_run(l, 2000);
	is_int(aim(e, 1), YAMUX_WINDOW + MIB, "a part of it is taken");
	end_free(e);
	free(l);

	/* The round trip of a ping that is eleven minutes old says nothing. */
	e = end_new(YAMUX_SERVER, NULL);
	l = line_new(e, 1, 500, 10000);
	e->now += 660 * YAMUX_NSEC;
	line_run(l, 2000);
	is_int(aim(e, 1), YAMUX_WINDOW, "no round trip known, no growth");
	end_free(e);
	free(l);
}

/* A line of 100 ms that takes 1 GB/s: what one stream may have, and two. */
static void
test_large(void)
{
	struct end *e = end_new(YAMUX_SERVER, NULL);
	struct line *l[2];
	uint64_t peak = 0;
	double mbs;
	int t;

	l[0] = line_new(e, 1, 500, 100000);
	line_run(l[0], 3000);
	mbs = line_run(l[0], 2000);
	diag("alone: %.1f MB/s", mbs);
	is_int(aim(e, 1), 64 * MIB, "one stream grows to 64 MiB, and stops");
	ok(mbs > 600, "and takes as much in a round trip");
	l[1] = line_new(e, 3, 500, 100000);
	for (t = 0; t < 60000; t++) {
		line_step(l[0]);
		line_step(l[1]);
		e->now += LINE_STEP;
		if (end_stats(e).credit > peak)
			peak = end_stats(e).credit;
	}
	diag("windows %u and %u", aim(e, 1), aim(e, 3));
	ok(aim(e, 1) >= 16 * MIB && aim(e, 3) >= 16 * MIB,
	    "a second one gets its share of that");
	ok(peak <= 64 * MIB + YAMUX_WINDOW, "and no more is given for both");

	/* It has its lease back when both have come to their end. */
	l[0]->rate = l[1]->rate = 0;
	line_run(l[0], 1000);
	line_run(l[1], 1000);
	yamux_reset(yamux_find(e->y, 1));
	yamux_reset(yamux_find(e->y, 3));
	is_int(e->leased, 0, "all is given back");
	free(l[0]);
	free(l[1]);
	end_free(e);
}

static void
test_budget(void)
{
	struct yamux_config cf;
	struct line *l[8];
	struct end *e;
	uint64_t peak = 0;
	int i, t;

	yamux_config_default(&cf);
	cf.credit_max = 8 * MIB;
	e = end_new(YAMUX_SERVER, &cf);
	for (i = 0; i < 8; i++)
		l[i] = line_new(e, (uint32_t)(2 * i + 1), 500, 5000);
	for (t = 0; t < 20000; t++) {
		for (i = 0; i < 8; i++)
			line_step(l[i]);
		e->now += LINE_STEP;
		if (end_stats(e).credit > peak)
			peak = end_stats(e).credit;
	}
	diag("peak of credit %llu", (unsigned long long)peak);
	ok(peak <= 8 * MIB, "eight greedy streams stay under the budget");
	ok(peak > 6 * MIB, "and use it");

	/* Streams opened on top make the grown ones give back. */
	for (i = 0; i < 16; i++)
		end_frame(e, YAMUX_UPDATE, YAMUX_SYN, (uint32_t)(2 * i + 101),
		    0, NULL);
	ok(end_stats(e).credit > 8 * MIB, "initial windows cannot be refused");
	for (t = 0; t < 40000; t++) {
		for (i = 0; i < 8; i++)
			line_step(l[i]);
		e->now += LINE_STEP;
	}
	ok(end_stats(e).credit <= 8 * MIB,
	    "but make the grown ones shrink until the sum fits");
	for (i = 0; i < 8; i++)
		free(l[i]);
	end_free(e);
}

/* Pings. */

static uint32_t
pongs(struct end *e)
{
	uint32_t n = 0;
	size_t i;

	end_flush(e);
	for (i = 0; i < e->out_len; i += YAMUX_HEADER)
		n += e->out[i + 1] == YAMUX_PING && e->out[i + 3] == YAMUX_ACK;
	return (n);
}

static void
test_pong_pacing(void)
{
	struct end *e = end_new(YAMUX_SERVER, NULL);
	uint32_t i, n;
	uint64_t due, start;

	/* A Go peer asks again as soon as it is answered. */
	start = e->now;
	for (i = 0; i < 600; i++) {
		end_frame(e, YAMUX_PING, YAMUX_SYN, 0, i, NULL);
		while ((n = pongs(e)) == 0) {
			due = yamux_deadline(e->y);
			if (due == YAMUX_NEVER)
				bail_out("no deadline for a waiting answer");
			if (due > e->now)
				e->now = due;
			yamux_tick(e->y, e->now);
		}
		if (n != 1 || yamux_get32(e->out + 8) != i)
			break;
	}
	is_int(i, 600, "tunnel-25(partial): each answered once, in order");
	is_int((long long)((e->now - start) / YAMUX_NSEC), 595,
	    "tunnel-25(partial): five at once, then one per second");
	ok(yamux_deadline(e->y) == YAMUX_NEVER, "nothing due");
	e->now += 3 * YAMUX_NSEC;
	end_frame(e, YAMUX_PING, YAMUX_SYN, 0, 9, NULL);
	is_int(pongs(e), 1, "tunnel-26(partial): a lone ping at once");
	e->now += 3600 * YAMUX_NSEC;
	for (i = 0; i < 20; i++)
		end_frame(e, YAMUX_PING, YAMUX_SYN, 0, i, NULL);
	is_int(pongs(e), 5, "never more than five at once");
	e->now += 10 * YAMUX_NSEC;
	yamux_tick(e->y, e->now);
	is_int(pongs(e), 5, "not even after a pause");
	yamux_tick(e->y, e->now);
	is_int(pongs(e), 0, "what was not used is not saved up");
	for (i = 0, n = 0; i < 10; i++) {
		e->now += 700 * MSEC;
		yamux_tick(e->y, e->now);
		n += pongs(e);
	}
	is_int(n, 7, "seven in seven seconds, however often one looks");
	end_free(e);

	e = end_new(YAMUX_SERVER, NULL);
	for (i = 0; i < 5 + 64; i++)
		end_frame(e, YAMUX_PING, YAMUX_SYN, 0, i, NULL);
	is_int(yamux_error(e->y), 0, "64 requests may wait");
	is_int(end_frame(e, YAMUX_PING, YAMUX_SYN, 0, i, NULL), YAMUX_E_PINGS,
	    "tunnel-25(partial): with 65 unanswered it ends");
	is_int(yamux_close_code(YAMUX_E_PINGS), 1008,
	    "tunnel-25(partial): with 1008");
	end_free(e);

	/* The same in one piece. */
	e = end_new(YAMUX_SERVER, NULL);
	for (i = 0; i < 70; i++)
		yamux_put_header(e->out + i * YAMUX_HEADER, YAMUX_PING,
		    YAMUX_SYN, 0, i);
	is_int(yamux_input(e->y, e->out, i * YAMUX_HEADER, e->now),
	    YAMUX_E_PINGS, "70 in one write");
	end_free(e);
}

static void
test_pong_priority(void)
{
	struct end *e = end_new(YAMUX_SERVER, NULL);
	uint32_t i;

	e->consume = true;
	for (i = 0; i < 64; i++)
		end_frame(e, YAMUX_UPDATE, YAMUX_SYN, 2 * i + 1, 0, NULL);
	end_flush(e);
	for (i = 0; i < 64; i++)
		end_frame(e, YAMUX_DATA, 0, 2 * i + 1, YAMUX_WINDOW, zeros);
	end_frame(e, YAMUX_PING, YAMUX_SYN, 0, 77, NULL);
	end_flush(e);
	is_int(e->out_len, 65 * YAMUX_HEADER, "64 updates and the answer");
	ok(e->out[1] == YAMUX_PING && yamux_get32(e->out + 8) == 77,
	    "tunnel-26(partial): the answer goes first");
	end_log(e);
	end_free(e);
}

static void
test_own_ping(void)
{
	struct end *e = end_new(YAMUX_SERVER, NULL);

	is_int(yamux_ping(e->y, e->now), 0, "ping");
	is_int(yamux_ping(e->y, e->now), YAMUX_E_BUSY, "one at a time");
	end_frame(e, YAMUX_PING, YAMUX_ACK, 0, 1, NULL);
	is_str(end_log(e), "", "an answer before the question");
	is_str(end_out(e), "000200010000000000000001", "the question");
	e->now += 20 * MSEC;
	end_frame(e, YAMUX_PING, YAMUX_ACK, 0, 2, NULL);
	is_str(end_log(e), "", "an answer with another value");
	e->now += 20 * MSEC;
	end_frame(e, YAMUX_PING, YAMUX_ACK, 0, 1, NULL);
	end_frame(e, YAMUX_PING, YAMUX_ACK, 0, 1, NULL);
	is_str(end_log(e), "pong 40;", "the answer, once");
	e->now += YAMUX_NSEC;
	yamux_ping(e->y, e->now);
	end_flush(e);
	e->now += 90 * MSEC;
	end_frame(e, YAMUX_PING, 0, 0, 2, NULL);
	is_str(end_log(e), "pong 90;", "without the ACK flag too");
	is_int((long long)end_stats(e).rtt_last, (long long)(90 * MSEC),
	    "the last round trip");
	is_int((long long)end_stats(e).rtt_min, (long long)(40 * MSEC),
	    "the smallest");
	e->now += 570 * YAMUX_NSEC;
	yamux_ping(e->y, e->now);
	end_flush(e);
	e->now += 60 * MSEC;
	end_frame(e, YAMUX_PING, YAMUX_ACK, 0, 3, NULL);
	ok(end_stats(e).rtt_min == 40 * MSEC, "is kept for ten minutes");
	e->now += 60 * YAMUX_NSEC;
	yamux_ping(e->y, e->now);
	end_flush(e);
	e->now += 70 * MSEC;
	end_frame(e, YAMUX_PING, YAMUX_ACK, 0, 4, NULL);
	ok(end_stats(e).rtt_min == 60 * MSEC, "and not longer");
	end_free(e);
}

static void
test_liveness(void)
{
	struct yamux_config cf;
	struct end *e;
	int i, r;

	/* Silence. */
	e = end_new(YAMUX_SERVER, NULL);
	e->now += 100 * YAMUX_NSEC;
	is_int(yamux_tick(e->y, e->now), 0, "silence without a ping is fine");
	yamux_ping(e->y, e->now);
	end_flush(e);
	is_int((long long)(yamux_deadline(e->y) - e->now),
	    (long long)(10 * YAMUX_NSEC), "10 s");
	e->now += 10 * YAMUX_NSEC - 1;
	is_int(yamux_tick(e->y, e->now), 0, "tunnel-26(partial): not before");
	e->now++;
	is_int(yamux_tick(e->y, e->now), YAMUX_E_SILENT,
	    "tunnel-26(partial): nothing at all for 10 s after our ping");
	is_int(end_flush(e), 0, "nothing to say to the dead");
	end_free(e);

	/* Bytes, but no answer. */
	e = end_new(YAMUX_SERVER, NULL);
	yamux_ping(e->y, e->now);
	end_flush(e);
	for (i = 0, r = 0; r == 0 && i < 100; i++) {
		e->now += YAMUX_NSEC;
		end_frame(e, YAMUX_UPDATE, 0, 99, 0, NULL);
		r = yamux_tick(e->y, e->now);
	}
	is_int(r, YAMUX_E_NOPONG, "tunnel-26(partial): no answer for 60 s");
	is_int(i, 60, "tunnel-26(partial): although bytes come");
	end_free(e);

	/* A full line of 1 Mbit/s: bytes all the time, answers 40 s late. */
	yamux_config_default(&cf);
	cf.ping_every = 15 * YAMUX_NSEC;
	e = end_new(YAMUX_SERVER, &cf);
	e->consume = true;
	end_frame(e, YAMUX_UPDATE, YAMUX_SYN, 1, 0, NULL);
	for (i = 0, r = 0; r == 0 && i < 12000; i++) {
		e->now += 10 * MSEC;
		end_frame(e, YAMUX_DATA, 0, 1, 1250, zeros);
		if (i % 4000 == 3999)
			end_frame(e, YAMUX_PING, YAMUX_ACK, 0,
			    e->y->ping_value, NULL);
		r = yamux_tick(e->y, e->now);
		end_flush(e);
		end_log(e);
	}
	is_int(r, 0, "tunnel-26(partial): a slow full line for 2 min lives");
	end_free(e);

	/* Own pings by the clock. */
	e = end_new(YAMUX_SERVER, &cf);
	ok(yamux_deadline(e->y) <= e->now, "the first at once");
	yamux_tick(e->y, e->now);
	is_int(end_flush(e), YAMUX_HEADER, "it is sent");
	end_frame(e, YAMUX_PING, YAMUX_ACK, 0, 1, NULL);
	is_int((long long)(yamux_deadline(e->y) - e->now),
	    (long long)(15 * YAMUX_NSEC), "the next after 15 s");
	e->now += 15 * YAMUX_NSEC;
	yamux_tick(e->y, e->now);
	is_int(end_flush(e), YAMUX_HEADER, "it is sent");
	end_frame(e, YAMUX_PING, YAMUX_ACK, 0, 2, NULL);
	e->now += 13 * YAMUX_NSEC;
	end_frame(e, YAMUX_PING, YAMUX_SYN, 0, 7, NULL);
	is_int(end_flush(e), YAMUX_HEADER, "the peer's is answered");
	e->now += YAMUX_NSEC / 2;
	end_frame(e, YAMUX_PING, YAMUX_SYN, 0, 8, NULL);
	is_int(end_flush(e), 2 * YAMUX_HEADER,
	    "ours goes along when it is due in less than two seconds");
	end_frame(e, YAMUX_PING, YAMUX_ACK, 0, 3, NULL);
	is_int((long long)(yamux_deadline(e->y) - e->now),
	    (long long)(15 * YAMUX_NSEC), "the next after 15 s");
	end_free(e);
}

#define TICK_LATE	(50 * MSEC)

/* An end that wakes just behind the whole second, as mux/sock.c does. */
static struct end *
asks(enum yamux_role role, unsigned int every, unsigned int after,
    unsigned int most)
{
	struct yamux_config cf;

	yamux_config_default(&cf);
	cf.ping_every = every * YAMUX_NSEC;
	cf.ping_after = after * YAMUX_NSEC;
	cf.ping_most = most * YAMUX_NSEC;
	return (end_new(role, &cf));
}

static unsigned int
wakes(struct end *e, const struct end *from, size_t len, uint64_t whole)
{
	unsigned int n = 0;

	if (len > 0) {
		if (yamux_input(e->y, from->out, len, e->now) != 0)
			bail_out("a frame was not taken");
		n = 1;
	}
	if (e->now % YAMUX_NSEC == whole + TICK_LATE &&
	    yamux_deadline(e->y) + TICK_LATE <= e->now) {
		if (yamux_tick(e->y, e->now) != 0)
			bail_out("the peer was given up");
		n = 1;
	}
	return (n);
}

/*
 * Two idle ends, 50 ms apart, for five minutes, whose whole seconds are `skew`
 * apart: how often the first wakes in 30 s, and the longest that it has not
 * heard of the other.
 */
static unsigned int
idle_wakes(struct end *a, struct end *b, uint64_t skew, uint64_t *quiet)
{
	size_t to_a = 0, to_b = 0;
	unsigned int i, n = 0;
	uint64_t heard = 0;

	a->now = b->now = 1000 * YAMUX_NSEC;
	*quiet = 0;
	for (i = 0; i < 20 * 330; i++) {
		unsigned int w = wakes(a, b, to_a, 0);

		if (to_a > 0 || i == 20 * 30)
			heard = a->now;
		if (i >= 20 * 30) {
			n += w;
			if (a->now - heard > *quiet)
				*quiet = a->now - heard;
		}
		wakes(b, a, to_b, skew);
		to_b = end_flush(a);
		to_a = end_flush(b);
		a->now += 50 * MSEC;
		b->now += 50 * MSEC;
	}
	end_free(a);
	end_free(b);
	return ((n + 9) / 10);
}

static void
test_ask_in_turn(void)
{
	uint64_t quiet, skew;

	for (skew = 0; skew < YAMUX_NSEC; skew += 250 * MSEC) {
		is_int(idle_wakes(asks(YAMUX_SERVER, 15, 15, 30),
		    asks(YAMUX_CLIENT, 30, 0, 0), skew, &quiet), 3,
		    "a client that pings by the clock: three wake-ups in 30 s");
		ok(quiet < 17 * YAMUX_NSEC, "and something is heard in 15 s");
		is_int(idle_wakes(asks(YAMUX_SERVER, 15, 15, 30),
		    asks(YAMUX_CLIENT, 30, 13, 30), skew, &quiet), 3,
		    "ours: three as well");
		ok(quiet < 17 * YAMUX_NSEC, "and something is heard in 15 s");
		is_int(idle_wakes(asks(YAMUX_CLIENT, 30, 13, 30),
		    asks(YAMUX_SERVER, 15, 15, 30), skew, &quiet), 3,
		    "and for the client");
		is_int(idle_wakes(asks(YAMUX_SERVER, 15, 15, 30),
		    asks(YAMUX_CLIENT, 0, 0, 0), skew, &quiet), 4,
		    "one that never asks is asked each 15 s");
		ok(quiet < 17 * YAMUX_NSEC, "and something is heard in 15 s");
		ok(idle_wakes(asks(YAMUX_SERVER, 15, 15, 30),
		    asks(YAMUX_CLIENT, 1, 0, 0), skew, &quiet) <= 90,
		    "one that always asks");
	}
}

/* Who is asked all the time asks, too, or knows no round trip. */
static void
test_ask_at_most(void)
{
	struct end *e = asks(YAMUX_SERVER, 15, 15, 30);
	uint64_t begin;

	yamux_tick(e->y, e->now);
	is_int(end_flush(e), YAMUX_HEADER, "the first at once");
	end_frame(e, YAMUX_PING, YAMUX_ACK, 0, 1, NULL);
	begin = e->now;
	do {
		e->now += YAMUX_NSEC;
		end_frame(e, YAMUX_PING, YAMUX_SYN, 0, 9, NULL);
	} while (end_flush(e) == YAMUX_HEADER &&
	    yamux_deadline(e->y) <= begin + 30 * YAMUX_NSEC);
	is_int((long long)((e->now - begin) / YAMUX_NSEC), 29,
	    "and then along with an answer");
	end_free(e);
}

int
main(void)
{
	test_window_receive();
	test_window_small();
	test_window_send();
	test_tuning();
	test_large();
	test_budget();
	test_pong_pacing();
	test_pong_priority();
	test_own_ping();
	test_liveness();
	test_ask_in_turn();
	test_ask_at_most();
	return (done_testing());
}
