/* SPDX-License-Identifier: ISC */
/*
 * WebSocket and yamux through a real muxd: what a client may do, what ends the
 * tunnel and with which code, keep-alive. tunnel-protocol.md, 2 and 3.
 */
#include <sys/socket.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "regress/lib/muxd_story.h"
#include "regress/lib/tap.h"

#define PROBERS	16		/* that muxd has wait for one answer */

static void
close_it(struct mux *d, uint16_t code, const char *reason)
{
	say(d->d.authd, close, .code = code, .reason = reason);
}

/* Answer the server's close as the Go client does. */
static void
echo_close(struct mux *d)
{
	uint8_t	out[WS_OUTPUT_MAX];
	uint8_t	rnd[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

	client_raw(d, out, ws_output(&d->ws, out, rnd));
}

static void
test_close(void)
{
	static const uint8_t	want[18] = { 0x88, 0x10, 0x0f, 0xa0, 's', 'e',
	    's', 's', 'i', 'o', 'n', '_', 'c', 'l', 'o', 's', 'e', 'd' };
	struct mux	d;
	struct frame	f;
	char		c;
	int		a;

	mux_up(&d);
	a = asker_open(&d, 1, "web");
	if (!client_expect(&d, 2, 0, &f))
		bail_out("no CONNECT");
	d.record = 1;
	close_it(&d, 4000, "session_closed");
	is_int(client_closed(&d), 4000, "operator close: 4000");
	ok(d.raw_len >= 18 && memcmp(d.raw + d.raw_len - 18, want, 18) == 0,
	    "tunnel-15(partial): exactly the 18 bytes");
	(void)hear(d.d.authd, stream_end, NULL);
	is_int(recv(a, &c, 1, 0), 0, "its streams end");
	close(a);
	echo_close(&d);
	is_int(mux_wait(&d), 0, "and it leaves after the echo");

	mux_up(&d);
	say(d.d.parent, stop);
	while (client_next(&d, &f, WAIT_MS) && f.type != YM_GOAWAY)
		continue;
	ok(f.type == YM_GOAWAY && f.len == 0, "STOP: go-away 0 first");
	is_int(client_closed(&d), 1001, "tunnel-15(partial): then 1001");
	echo_close(&d);
	is_int(mux_wait(&d), 0, "and it leaves");

	mux_up(&d);
	close_it(&d, 4000, "session_closed");
	is_int(client_closed(&d), 4000, "a client that is silent then");
	drive_clock(&d.d, 5000);
	is_int(mux_wait(&d), 0, "is left after 5 s");
}

/* Bytes on the wire that end the tunnel, and with which code. */
static void
wire_fault(const void *bytes, size_t len, int code, const char *what)
{
	struct mux	d;

	mux_up(&d);
	client_raw(&d, bytes, len);
	is_int(client_closed(&d), code, "%s", what);
	is_int(mux_end(&d), 0, "and muxd leaves with status 0");
}

static void
test_ws(void)
{
	static const uint8_t	frag[] = {
	    0x02, 0x84, 0, 0, 0, 0, 0, 2, 0, 1,	/* part of a ping's header */
	    0x89, 0x82, 0, 0, 0, 0, 'h', 'i',	/* ping between */
	    0x80, 0x88, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7,
	    0x82, 0x80, 0, 0, 0, 0 };		/* an empty message */
	static const uint8_t	want[] = { 0, 2, 0, 2, 0, 0, 0, 0, 0, 0, 0, 7 };
	struct mux	d;
	struct frame	f = { 0 };
	size_t		i;
	int		pong = 0;

	mux_up(&d);
	d.record = 1;
	client_raw(&d, frag, sizeof(frag));
	while (d.pongs == 0 && client_next(&d, &f, WAIT_MS))
		continue;
	ok(d.pongs == 1 && f.len == 7,
	    "tunnel-12(partial): fragments with a ping between them");
	for (i = 0; i + 4 <= d.raw_len; i++)
		pong |= memcmp(d.raw + i, "\x8a\x02hi", 4) == 0;
	ok(pong, "tunnel-14(partial): ping `hi` gives pong `hi`");
	for (pong = 0, i = 0; i + 14 <= d.raw_len; i++)
		pong |= d.raw[i] == 0x82 && d.raw[i + 1] % 12 == 0 &&
		    memcmp(d.raw + i + 2, want, 12) == 0;
	ok(pong, "tunnel-14(partial): unmasked, header and body in a message");
	is_int(mux_end(&d), 0, "muxd leaves with status 0");

	wire_fault("\x82\x01x", 3, 1002, "tunnel-13: unmasked frame: 1002");
	wire_fault("\xc2\x81\0\0\0\0x", 7, 1002,
	    "tunnel-13: reserved bit: 1002");
	wire_fault("\x89\xfe\x00\x7e\0\0\0\0", 8, 1002,
	    "tunnel-13: control frame over 125 bytes: 1002");
	wire_fault("\x82\xff\x80\0\0\0\0\0\0\1\0\0\0\0", 14, 1002,
	    "tunnel-13: 64-bit length with the top bit: 1002");
	wire_fault("\x81\x81\0\0\0\0x", 7, 1003, "text: 1003");
	wire_fault("\x82\xff\0\0\0\0\0\x10\0\1\0\0\0\0", 14, 1009,
	    "a frame over 1 MiB: 1009");
}

/* A frame of the client that ends the tunnel. */
static void
yamux_fault(int type, int flags, uint32_t id, uint32_t len, int setup,
    int code, int goaway, const char *what)
{
	static uint8_t	zero[262145];
	struct mux	d;
	struct frame	f;
	int		seen = 0;

	mux_up(&d);
	if (setup >= 1)
		client_frame(&d, YM_WINDOW, YM_SYN, 1, 0, NULL, 0);
	if (setup == 2)
		client_frame(&d, YM_WINDOW, YM_FIN, 1, 0, NULL, 0);
	client_frame(&d, type, flags, id, len, zero,
	    type == YM_DATA && len <= sizeof(zero) ? len : 0);
	while (client_next(&d, &f, WAIT_MS))
		if (f.type == YM_GOAWAY && f.len == 1)
			seen = 1;
	ok(seen == goaway, "%s: go-away 1 %s", what, goaway ? "first" :
	    "not sent");
	is_int(ws_peer_code(&d.ws), code, "%s: close %d", what, code);
	is_int(mux_end(&d), 0, "and muxd leaves with status 0");
}

static void
test_yamux_faults(void)
{
	struct mux	d;
	uint8_t		bad[12] = { 1 };

	yamux_fault(YM_WINDOW, YM_SYN, 1, 0, 1, 1002, 1,
	    "tunnel-19: SYN for an id in use");
	yamux_fault(4, 0, 1, 0, 0, 1002, 1, "tunnel-19: type 4");
	yamux_fault(YM_WINDOW, YM_SYN, 2, 0, 0, 1002, 1,
	    "tunnel-19: even id from the client");
	yamux_fault(YM_DATA, YM_SYN, 1, 262145, 0, 1002, 1,
	    "tunnel-21: one byte over the window");
	yamux_fault(YM_WINDOW, 0, 1, 0xffffffff, 1, 1002, 1,
	    "window sum over 2^32-1");

	mux_up(&d);
	client_send(&d, bad, 12);
	is_int(client_closed(&d), 1002, "tunnel-19: version 1: close 1002");
	is_int(mux_end(&d), 0, "and muxd leaves with status 0");
}

static void
test_yamux(void)
{
	static uint8_t	zero[262144];
	struct mux	d;
	struct frame	f;
	int		i, acks = 0, rsts = 0;

	/* SYN on both kinds of frame, an unknown id, a full window. */
	mux_up(&d);
	client_frame(&d, YM_WINDOW, YM_SYN, 1, 0, NULL, 0);
	ok(client_expect(&d, 1, YM_ACK, &f), "tunnel-17(partial): SYN on a "
	    "window update");
	client_frame(&d, YM_DATA, YM_SYN, 3, 2, "hi", 2);
	ok(client_expect(&d, 3, YM_ACK, &f), "tunnel-17(partial): SYN on data");
	client_frame(&d, YM_DATA, 0, 77, 4, "data", 4);
	client_frame(&d, YM_WINDOW, YM_SYN, 5, 0, NULL, 0);
	ok(client_expect(&d, 5, YM_ACK, &f),
	    "tunnel-20: data for an unknown id is skipped");
	client_frame(&d, YM_DATA, YM_SYN, 7, 262144, zero, sizeof(zero));
	ok(client_expect(&d, 7, YM_ACK, &f), "exactly the window is fine");
	is_int(mux_end(&d), 0, "muxd leaves with status 0");

	/* 300 at once. */
	mux_up(&d);
	for (i = 0; i < 300; i++)
		client_frame(&d, YM_WINDOW, YM_SYN, 1 + 2 * (uint32_t)i, 0,
		    NULL, 0);
	while (acks + rsts < 300 && client_next(&d, &f, WAIT_MS)) {
		acks += (f.flags & YM_ACK) && f.type == YM_WINDOW;
		rsts += (f.flags & YM_RST) != 0;
	}
	ok(acks == 256 && rsts == 44, "tunnel-18: 256 of 300 SYNs accepted, "
	    "44 RST");
	client_frame(&d, YM_PING, YM_SYN, 0, 9, NULL, 0);
	while (d.pongs == 0 && client_next(&d, &f, WAIT_MS))
		continue;
	is_int(d.pongs, 1, "tunnel-18: and the tunnel is alive");
	is_int(mux_end(&d), 0, "muxd leaves with status 0");
}

static void
test_pings(void)
{
	struct mux	d;
	struct frame	f;
	struct imsg	m;
	int		i;

	/* A burst of five, then one a second. */
	mux_up(&d);
	for (i = 0; i < 10; i++)
		client_frame(&d, YM_PING, YM_SYN, 0, (uint32_t)i, NULL, 0);
	while (d.pongs < 5 && client_next(&d, &f, WAIT_MS))
		continue;
	ok(d.pongs == 5, "five pings are answered at once");
	for (i = 0; i < 5; i++) {
		drive_clock(&d.d, 1000);
		while (d.pongs < 6 + i && client_next(&d, &f, WAIT_MS))
			continue;
	}
	is_int(d.pongs, 10, "tunnel-25(partial): the others one per second");
	is_int(mux_end(&d), 0, "muxd leaves with status 0");

	/* 65 unanswered. */
	mux_up(&d);
	for (i = 0; i < 5 + 65; i++)
		client_frame(&d, YM_PING, YM_SYN, 0, (uint32_t)i, NULL, 0);
	is_int(client_closed(&d), 1008,
	    "tunnel-25(partial): 65 unanswered requests: 1008");
	is_int(mux_end(&d), 0, "muxd leaves with status 0");

	/* Silence after a ping of ours. */
	mux_up(&d);
	while (d.pings == 0 && client_next(&d, &f, WAIT_MS))
		continue;
	d.answer_pings = 0;
	/* Its last answer has been taken when this one is answered. */
	client_frame(&d, YM_PING, YM_SYN, 0, 1, NULL, 0);
	while (d.pongs == 0 && client_next(&d, &f, WAIT_MS))
		continue;
	drive_clock(&d.d, 15000);
	while (d.pings < 2 && client_next(&d, &f, WAIT_MS))
		continue;
	is_int(d.pings, 2, "a ping every 15 s");
	drive_clock(&d.d, 10000);
	is_int(mux_wait(&d), 0,
	    "tunnel-26(partial): 10 s of silence after it: the tunnel ends");

	/* Bytes come, the answer does not. */
	mux_up(&d);
	d.answer_pings = 0;
	while (d.pings == 0 && client_next(&d, &f, WAIT_MS))
		continue;
	for (i = 0; i < 11; i++) {
		drive_clock(&d.d, 5000);
		client_frame(&d, YM_PING, YM_SYN, 0, 1, NULL, 0);
		while (d.pongs <= i && client_next(&d, &f, WAIT_MS))
			continue;
	}
	is_int(d.pongs, 11, "55 s with bytes but no answer are waited out");
	drive_clock(&d.d, 5000);
	is_int(mux_wait(&d), 0, "tunnel-26(partial): 60 s end the tunnel");

	/* PROBE. */
	mux_up(&d);
	while (d.pings == 0 && client_next(&d, &f, WAIT_MS))
		continue;
	say_id(d.d.authd, 5, probe);
	while (!hear_maybe(d.d.authd, IMSG_ALIVE, &m, 0) &&
	    client_next(&d, &f, 50) >= 0)
		continue;	/* it pings; the answer is the sign of life */
	ok(m.id == 5 && *m.p == 1, "PROBE: any byte is a sign of life");
	d.answer_pings = 0;
	/* All that was on its way has arrived when this is answered. */
	client_frame(&d, YM_PING, YM_SYN, 0, 1, NULL, 0);
	while (d.pongs == 0 && client_next(&d, &f, WAIT_MS))
		continue;
	say_id(d.d.authd, 6, probe);
	ok(hear_maybe(d.d.authd, IMSG_ALIVE, &m, WAIT_MS) && m.id == 6 &&
	    *m.p == 0, "none within 2 s is said too");
	is_int(mux_end(&d), 0, "muxd leaves with status 0");
}

/* The next answer to a PROBE, while the client answers what it is asked. */
static int
answered(struct mux *d, uint32_t id, int alive)
{
	struct frame	f;
	struct imsg	m;
	int		ms;

	for (ms = 0; ms < WAIT_MS; ms += 50) {
		if (hear_maybe(d->d.authd, IMSG_ALIVE, &m, 0))
			return (m.id == id && *m.p == alive);
		(void)client_next(d, &f, 50);
	}
	return (0);
}

/* All that was on its way has arrived when this is answered. */
static void
settle(struct mux *d)
{
	struct frame	f;
	int		pongs = d->pongs;

	client_frame(d, YM_PING, YM_SYN, 0, 1, NULL, 0);
	while (d->pongs == pongs && client_next(d, &f, WAIT_MS))
		continue;
}

/* A PROBE while one waits: tunnel-49, whoever comes is told the same. */
static void
test_probes(void)
{
	struct mux	d;
	struct frame	f;
	struct imsg	m;
	uint32_t	i, good = 0;

	mux_up(&d);
	while (d.pings == 0 && client_next(&d, &f, WAIT_MS))
		continue;
	settle(&d);
	for (i = 1; i <= PROBERS + 1; i++)
		say_id(d.d.authd, i, probe);
	/* Told without the client, which says nothing yet. */
	ok(hear_maybe(d.d.authd, IMSG_ALIVE, &m, WAIT_MS) &&
	    m.id == PROBERS + 1 && *m.p == 1,
	    "tunnel-49(partial): PROBEs beyond what is kept: it is alive");
	for (i = 1; i <= PROBERS; i++)
		good += answered(&d, i, 1) != 0;
	is_int(good, PROBERS, "tunnel-49(partial): PROBEs at once: a client "
	    "that lives does so for each");

	d.answer_pings = 0;
	settle(&d);
	say_id(d.d.authd, 1, probe);
	say_id(d.d.authd, 2, probe);
	ok(answered(&d, 1, 0) && answered(&d, 2, 0),
	    "and one that is silent is so for each");

	/* A new authd has ids of its own. */
	say_id(d.d.authd, 3, probe);
	drive_channel(&d.d);
	(void)hear(d.d.authd, announce_end, NULL);
	settle(&d);
	ok(!hear_maybe(d.d.authd, IMSG_ALIVE, &m, 0),
	    "a new authd does not hear what the one before has asked");
	is_int(mux_end(&d), 0, "muxd leaves with status 0");
}

/* Its next ping comes so much later, and it has read the answer. */
static void
later(struct mux *d, uint64_t ms)
{
	struct frame	f;
	int		pings = d->pings, pongs = d->pongs;

	if (ms != 0)
		drive_tick(&d->d, ms);
	while (d->pings == pings && client_next(d, &f, WAIT_MS))
		continue;
	client_frame(d, YM_PING, YM_SYN, 0, 1, NULL, 0);
	while (d->pongs == pongs && client_next(d, &f, WAIT_MS))
		continue;
}

/* Its parent wants to know that it turns. */
static void
test_beat(void)
{
	struct mux	d;
	struct imsg	m;

	mux_up(&d);
	later(&d, 0);
	later(&d, 30000);
	say(d.d.parent, ping);
	ok(hear_any(d.d.parent, &m, WAIT_MS) == IMSG_PONG,
	    "who is asked answers");
	later(&d, 30000);
	is_int(hear_any(d.d.parent, &m, 200), 0,
	    "and says nothing unasked for 45 s");
	later(&d, 15000);
	is_int(hear_any(d.d.parent, &m, WAIT_MS), IMSG_PONG,
	    "then it does, when it is awake anyway");
	is_int(mux_end(&d), 0, "muxd leaves with status 0");
}

static void
test_goaway(void)
{
	struct mux	d;
	struct frame	f;
	char		buf[128];
	int		a, b;

	mux_up(&d);
	a = asker_open(&d, 1, "web");
	if (!client_expect(&d, 2, 0, &f))
		bail_out("no CONNECT");
	client_frame(&d, YM_GOAWAY, 0, 0, 0, NULL, 0);
	client_frame(&d, YM_DATA, YM_ACK, 2, 6, "OK\nabc", 6);
	ok(asker_read(a, buf, 6) == 6, "tunnel-27(partial): old streams go on");
	b = asker_open(&d, 2, "web");
	buf[asker_read(b, buf, sizeof(buf) - 1)] = '\0';
	ok(strncmp(buf, "ERROR ", 6) == 0,
	    "tunnel-27(partial): go-away 0 forbids new ones");
	close(a);
	close(b);
	is_int(mux_end(&d), 0, "muxd leaves with status 0");

	mux_up(&d);
	client_frame(&d, YM_GOAWAY, 0, 0, 2, NULL, 0);
	is_int(client_closed(&d), 1001, "go-away 2 ends the tunnel");
	is_int(mux_end(&d), 0, "muxd leaves with status 0");
}

int
main(void)
{
	test_close();
	test_ws();
	test_yamux_faults();
	test_yamux();
	test_pings();
	test_probes();
	test_beat();
	test_goaway();
	return (done_testing());
}
