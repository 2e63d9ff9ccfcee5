/* SPDX-License-Identifier: ISC */
/*
 * yamux: frames byte for byte, opening, closing, limits and violations.  The
 * windows are in yamux_flow_test.c, the pings in yamux_ping_test.c.
 */
#include "yamux_util.h"

/* Section 3.8 of the contract. */
#define F_SYN1		"000100010000000100000000"
#define F_ACK1		"000100020000000100000000"
#define F_FIN1		"000100040000000100000000"
#define F_RST514	"000100080000020200000000"
#define F_GOAWAY(c)	"00030000000000000000000" c

static struct yamux_stream *
open_stream(struct end *e)
{
	struct yamux_stream *st;

	if (yamux_open(e->y, NULL, &st) != 0)
		bail_out("yamux_open");
	return (st);
}

static void
hex(char *text, const uint8_t *p, size_t n)
{
	while (n-- > 0)
		text += sprintf(text, "%02x", *p++);
}

static void
test_encode(void)
{
	struct end *c = end_new(YAMUX_CLIENT, NULL);
	struct end *s = end_new(YAMUX_SERVER, NULL);
	struct yamux_stream *st, *st2;
	uint8_t hdr[YAMUX_HEADER];
	char text[64];

	s->accept = false;
	st = open_stream(c);
	is_str(end_out(c), F_SYN1, "tunnel-16: SYN on a window update");
	st2 = open_stream(c);
	is_int(yamux_data_header(st2, hdr, 2), 0, "data before SYN was sent");
	hex(text, hdr, sizeof(hdr));
	is_str(text, "000000010000000300000002",
	    "tunnel-16: SYN rides on the first data frame");
	is_str(end_out(c), "", "and is not sent again");
	is_int(yamux_data_header(st2, hdr, 14), 0, "more data");
	hex(text, hdr, sizeof(hdr));
	is_str(text, "00000000000000030000000e", "tunnel-16: data");
	yamux_fin(st);
	yamux_fin(st);
	is_str(end_out(c), F_FIN1, "tunnel-16 tunnel-23: FIN, and one only");
	yamux_fin(st);
	is_str(end_out(c), "", "tunnel-23: never a second FIN");
	is_int(yamux_data_header(st, hdr, 0), YAMUX_E_STATE,
	    "no data after FIN");

	end_frame(s, YAMUX_UPDATE, YAMUX_SYN, 1, 0, NULL);
	is_str(end_out(s), "", "no ACK before the stream is accepted");
	yamux_accept(yamux_find(s->y, 1));
	yamux_accept(yamux_find(s->y, 1));
	is_str(end_out(s), F_ACK1, "tunnel-16 tunnel-23: ACK, and one only");
	yamux_accept(yamux_find(s->y, 1));
	is_str(end_out(s), "", "tunnel-23: never a second ACK");

	end_frame(s, YAMUX_UPDATE, YAMUX_SYN, 3, 0, NULL);
	yamux_fin(yamux_find(s->y, 3));
	is_str(end_out(s), "000100060000000300000000",
	    "tunnel-16: ACK and FIN together");
	end_frame(s, YAMUX_UPDATE, YAMUX_SYN, 5, 0, NULL);
	is_int(yamux_data_header(yamux_find(s->y, 5), hdr, 3), 0, "data");
	hex(text, hdr, sizeof(hdr));
	is_str(text, "000000020000000500000003",
	    "the first data frame carries the ACK");
	is_str(end_out(s), "", "tunnel-23: which is not sent again");

	s->y->next_id = 514;
	st = open_stream(s);
	end_flush(s);
	yamux_reset(st);
	is_str(end_out(s), F_RST514, "tunnel-16: RST");
	end_free(s);

	c->out_len = 0;
	yamux_ping(c->y, c->now);
	is_str(end_out(c), "000200010000000000000001", "tunnel-16: ping");
	end_frame(c, YAMUX_PING, YAMUX_SYN, 0, 7, NULL);
	is_str(end_out(c), "000200020000000000000007",
	    "tunnel-16: the answer has the value of the request");
	yamux_goaway(c->y, YAMUX_GOAWAY_NORMAL);
	yamux_goaway(c->y, YAMUX_GOAWAY_NORMAL);
	is_str(end_out(c), F_GOAWAY("0"), "tunnel-16: go away 0, once");
	yamux_goaway(c->y, YAMUX_GOAWAY_INTERNAL);
	is_str(end_out(c), F_GOAWAY("2"), "tunnel-16: go away 2");
	is_int(yamux_open(c->y, NULL, &st), YAMUX_E_CLOSING,
	    "nothing is opened after it");
	end_free(c);
}

/* Every frame of 3.8 that a peer may send, in one piece and byte by byte. */
static void
test_decode(void)
{
	static const uint8_t wire[] = {
		0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0,
		0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 2, 'h', 'i',
		0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 14, 'D', 'I', 'A', 'G', 'N',
		'O', 'S', 'T', 'I', 'C', 'S', ' ', '1', '\n',
		0, 1, 0, 2, 0, 0, 0, 2, 0, 0, 0, 0,
		0, 1, 0, 0, 0, 0, 0, 1, 0, 2, 0, 0,
		0, 1, 0, 6, 0, 0, 0, 4, 0, 0, 0, 0,
		0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0, 3, 'O', 'K', '\n',
		0, 1, 0, 8, 0, 0, 0, 3, 0, 0, 0, 0,
		0, 1, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0,
		0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7,
		0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	};
	static const char want[] = "open 1;open 3;data 3 hi;"
	    "data 3 DIAGNOSTICS 1\n;ack 2;ack 4;fin 4;data 2 OK\n;fin 2;"
	    "close 3 reset;fin 1;goaway;";
	struct end *e;
	size_t i;
	int r;

	e = end_new(YAMUX_SERVER, NULL);
	open_stream(e);
	open_stream(e);
	end_flush(e);
	is_int(yamux_input(e->y, wire, sizeof(wire), e->now), 0, "input");
	is_str(end_log(e), want, "tunnel-16: all frames decode");
	is_int(yamux_sendable(yamux_find(e->y, 1)), 262144 + 131072,
	    "tunnel-16: the window update counts");
	is_str(end_out(e), "000200020000000000000007 "
	    "000100020000000100000000", "tunnel-16: and are answered");
	end_free(e);

	e = end_new(YAMUX_SERVER, NULL);
	open_stream(e);
	open_stream(e);
	end_flush(e);
	for (i = 0, r = 0; i < sizeof(wire) && r == 0; i++)
		r = yamux_input(e->y, wire + i, 1, e->now);
	is_int(r, 0, "input byte by byte");
	is_str(end_log(e), "open 1;open 3;data 3 h;data 3 i;data 3 D;data 3 I;"
	    "data 3 A;data 3 G;data 3 N;data 3 O;data 3 S;data 3 T;data 3 I;"
	    "data 3 C;data 3 S;data 3  ;data 3 1;data 3 \n;ack 2;ack 4;fin 4;"
	    "data 2 O;data 2 K;data 2 \n;fin 2;close 3 reset;fin 1;goaway;",
	    "tunnel-16: the same, cut after every byte");
	end_free(e);
}

static void
test_open(void)
{
	struct end *e = end_new(YAMUX_SERVER, NULL);
	struct yamux_stream *st;

	end_frame(e, YAMUX_UPDATE, YAMUX_SYN, 1, 0, NULL);
	end_frame(e, YAMUX_DATA, YAMUX_SYN, 3, 2, "hi");
	is_str(end_log(e), "open 1;open 3;data 3 hi;",
	    "tunnel-17: SYN on a window update and on data");
	is_str(end_out(e), "000100020000000100000000 "
	    "000100020000000300000000",
	    "tunnel-17(partial): both are answered in the same turn");
	ok(yamux_is_inbound(yamux_find(e->y, 3)), "the peer's stream");
	end_frame(e, YAMUX_UPDATE, YAMUX_SYN | 0xfff0, 7, 0, NULL);
	is_str(end_log(e), "open 7;", "unknown flags are ignored");
	end_frame(e, YAMUX_DATA, 0, 9, 5, "lost!");
	end_frame(e, YAMUX_DATA, 0, 7, 3, "yes");
	is_str(end_log(e), "data 7 yes;",
	    "tunnel-20: data for an unknown id is skipped");
	end_frame(e, YAMUX_UPDATE, YAMUX_FIN, 9, 5, NULL);
	end_frame(e, YAMUX_UPDATE, YAMUX_RST, 11, 0, NULL);
	is_int(yamux_error(e->y), 0, "so are other frames");

	st = open_stream(e);
	is_int(yamux_id(st), 2, "tunnel-19: ids are even from the server");
	is_int(yamux_id(open_stream(e)), 4, "in steps of two");
	yamux_set(st, e);
	ok(yamux_get(st) == e && yamux_of(st) == e->y, "user pointer");
	is_int(end_stats(e).streams, 5, "five open");
	is_int(end_stats(e).streams_in, 3, "three of them by the peer");
	yamux_reset(st);
	is_int(end_stats(e).unacked, 1, "a SYN never sent is not abandoned");
	is_str(strstr(end_out(e), "00000002") == NULL ? "" : "named", "",
	    "nothing was ever said about its id");
	end_free(e);

	e = end_new(YAMUX_CLIENT, NULL);
	is_int(yamux_id(open_stream(e)), 1, "tunnel-19: odd from the client");
	is_int(yamux_id(open_stream(e)), 3, "in steps of two");
	e->y->next_id = 0xfffffffd;
	is_int(yamux_id(open_stream(e)), 0xfffffffd, "the last id");
	is_int(yamux_open(e->y, NULL, &st), YAMUX_E_EXHAUSTED,
	    "an id of 2^32-2 or more: exhausted");
	end_free(e);
}

/* Input that must end the connection: error, go-away 1, nothing else. */
static void
violation(const char *name, int want, const uint8_t *wire, size_t len)
{
	struct end *e = end_new(YAMUX_SERVER, NULL);

	open_stream(e);
	end_flush(e);
	end_frame(e, YAMUX_UPDATE, YAMUX_SYN, 1, 0, NULL);
	end_frame(e, YAMUX_UPDATE, YAMUX_SYN, 5, 0, NULL);
	end_frame(e, YAMUX_UPDATE, YAMUX_FIN, 5, 0, NULL);
	is_int(yamux_input(e->y, wire, len, e->now), want, "%s", name);
	is_str(end_out(e), want == YAMUX_E_GOAWAY ? "" : F_GOAWAY("1"),
	    "%s: go-away", name);
	is_str(end_out(e), "", "%s: and nothing after it", name);
	is_int(yamux_input(e->y, wire, len, e->now), want, "%s: stays", name);
	is_int(yamux_close_code(want), want == YAMUX_E_GOAWAY ? 1001 : 1002,
	    "%s: close code", name);
	end_log(e);
	end_free(e);
}

#define VIOLATION(name, want, ...) do {					\
	static const uint8_t wire[] = { __VA_ARGS__ };			\
	violation(name, want, wire, sizeof(wire));			\
} while (0)

static void
test_violations(void)
{
	VIOLATION("tunnel-19: SYN for an id in use", YAMUX_E_DUPLICATE,
	    0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0);
	VIOLATION("tunnel-19: version 1", YAMUX_E_VERSION,
	    1, 1, 0, 1, 0, 0, 0, 3, 0, 0, 0, 0);
	VIOLATION("tunnel-19: type 4", YAMUX_E_TYPE,
	    0, 4, 0, 1, 0, 0, 0, 3, 0, 0, 0, 0);
	VIOLATION("tunnel-19: SYN with an even id from a client", YAMUX_E_ID,
	    0, 1, 0, 1, 0, 0, 0, 8, 0, 0, 0, 0);
	VIOLATION("tunnel-19: stream id 0", YAMUX_E_ID,
	    0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0);
	VIOLATION("data for stream id 0", YAMUX_E_ID,
	    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
	VIOLATION("tunnel-19: an id used again", YAMUX_E_ID,
	    0, 1, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0,
	    0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0);
	VIOLATION("tunnel-19: an id opened and reset in one frame, again",
	    YAMUX_E_ID,
	    0, 1, 0, 9, 0, 0, 0, 7, 0, 0, 0, 0,
	    0, 1, 0, 1, 0, 0, 0, 7, 0, 0, 0, 0);
	VIOLATION("tunnel-19: an id too old to be late", YAMUX_E_ID,
	    0, 1, 0, 1, 0, 0, 8, 13, 0, 0, 0, 0,
	    0, 1, 0, 1, 0, 0, 0, 7, 0, 0, 0, 0);
	VIOLATION("tunnel-23: second FIN", YAMUX_E_FIN,
	    0, 1, 0, 4, 0, 0, 0, 5, 0, 0, 0, 0);
	VIOLATION("tunnel-23: second FIN, on data", YAMUX_E_FIN,
	    0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 1, 'x');
	VIOLATION("window update over 2^32-1", YAMUX_E_OVERFLOW,
	    0, 1, 0, 0, 0, 0, 0, 1, 0xff, 0xfb, 0xff, 0xff,
	    0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1);
	VIOLATION("go-away 1", YAMUX_E_GOAWAY,
	    0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
	VIOLATION("go-away 2", YAMUX_E_GOAWAY,
	    0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2);
	VIOLATION("go-away 99", YAMUX_E_GOAWAY,
	    0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 99);
}

/* Ids that overtook each other, as from a Go peer that opens in parallel. */
static void
test_late_ids(void)
{
	struct end *e = end_new(YAMUX_SERVER, NULL);
	uint32_t id;
	int r = 0;

	end_frame(e, YAMUX_UPDATE, YAMUX_SYN, 5, 0, NULL);
	end_frame(e, YAMUX_UPDATE, YAMUX_SYN, 1, 0, NULL);
	is_int(end_frame(e, YAMUX_UPDATE, YAMUX_SYN, 3, 0, NULL), 0,
	    "an id may be overtaken by a later one");
	is_str(end_log(e), "open 5;open 1;open 3;", "all three are open");
	is_int(end_frame(e, YAMUX_UPDATE, YAMUX_SYN, 2051, 0, NULL), 0,
	    "a jump");
	for (id = 7; id < 2051 && r == 0; id += 2)
		r = end_frame(e, YAMUX_UPDATE, YAMUX_SYN | YAMUX_RST, id, 0,
		    NULL);
	is_int(r, 0, "all that it left out may still come");
	r = end_frame(e, YAMUX_UPDATE, YAMUX_SYN, 1001, 0, NULL);
	is_int(r, YAMUX_E_ID, "tunnel-19: but once only");
	end_log(e);
	end_free(e);

	e = end_new(YAMUX_CLIENT, NULL);
	is_int(end_frame(e, YAMUX_UPDATE, YAMUX_SYN, 3, 0, NULL), YAMUX_E_ID,
	    "tunnel-19: SYN with an odd id from a server");
	end_free(e);
}

static void
test_limits(void)
{
	struct end *e = end_new(YAMUX_SERVER, NULL);
	struct yamux_stream *st;
	uint32_t i, acks = 0, rsts = 0;
	int r = 0;

	for (i = 0; i < 300 && r == 0; i++)
		r = end_frame(e, YAMUX_UPDATE, YAMUX_SYN, 2 * i + 1, 0, NULL);
	is_int(r, 0, "tunnel-18: 300 SYNs at once, connection alive");
	is_int(end_stats(e).streams, 256, "tunnel-18: 256 accepted");
	is_int(end_stats(e).refused, 44, "tunnel-18: the rest refused");
	end_flush(e);
	is_int(e->out_len, 300 * YAMUX_HEADER, "tunnel-18: each is answered");
	for (i = 0; i < e->out_len; i += YAMUX_HEADER) {
		acks += e->out[i + 3] == YAMUX_ACK;
		rsts += e->out[i + 3] == YAMUX_RST;
	}
	ok(acks == 256 && rsts == 44, "tunnel-18: with ACK or RST");
	rsts = 0;
	end_frame(e, YAMUX_UPDATE, YAMUX_RST, 11, 0, NULL);
	end_frame(e, YAMUX_UPDATE, YAMUX_SYN, 601, 0, NULL);
	ok(yamux_find(e->y, 601) != NULL, "a place that is free is given");
	for (i = 700, r = 0; i < 700 + YAMUX_RST_MAX && r == 0; i++)
		r = end_frame(e, YAMUX_UPDATE, YAMUX_SYN, 2 * i + 1, 0, NULL);
	is_int(r, 0, "4096 refused SYNs may wait for their RST");
	is_int(end_frame(e, YAMUX_UPDATE, YAMUX_SYN, 2 * i + 1, 0, NULL),
	    YAMUX_E_RESETS, "one more ends the connection");
	is_int(yamux_close_code(YAMUX_E_RESETS), 1008, "with 1008");
	end_log(e);
	end_free(e);

	/* The same when it is our user who resets each. */
	e = end_new(YAMUX_SERVER, NULL);
	e->reset_in = 'o';
	for (i = 0, r = 0; i < 2 * YAMUX_RST_MAX && r == 0; i++) {
		r = end_frame(e, YAMUX_UPDATE, YAMUX_SYN, 2 * i + 1, 0, NULL);
		e->log_len = 0;
	}
	is_int(r, YAMUX_E_RESETS, "streams that are reset at once are "
	    "bounded while the RSTs wait");
	is_int(i, YAMUX_RST_MAX + 1, "by as many");
	end_free(e);

	/* The queue of RSTs wraps and grows without losing its order. */
	e = end_new(YAMUX_SERVER, NULL);
	yamux_goaway(e->y, YAMUX_GOAWAY_NORMAL);
	end_flush(e);
	for (i = 0; i < 200; i++) {
		end_frame(e, YAMUX_UPDATE, YAMUX_SYN, 2 * i + 1, 0, NULL);
		if (i % 3 != 0)
			continue;
		yamux_output(e->y, e->out, YAMUX_HEADER, e->now);
		if (yamux_get32(e->out + 4) != 2 * rsts++ + 1)
			break;
	}
	is_int(i, 200, "RSTs go out in the order of the SYNs");
	is_int(end_flush(e), (200 - 67) * YAMUX_HEADER, "none is lost");
	is_int(yamux_get32(e->out + 4), 2 * 67 + 1, "or doubled");
	end_free(e);

	/* Opens nobody answers: those given up count until a later ACK. */
	e = end_new(YAMUX_SERVER, NULL);
	for (i = 0; i < 200; i++) {
		st = open_stream(e);
		end_flush(e);
		if (i < 150)
			yamux_reset(st);
	}
	is_int(yamux_open(e->y, NULL, &st), YAMUX_E_BUSY,
	    "tunnel-28(partial): 200 opens unanswered, no more");
	is_int(end_stats(e).streams, 50, "150 of them given up");
	end_frame(e, YAMUX_UPDATE, YAMUX_RST, 20, 0, NULL);
	is_int(yamux_open(e->y, NULL, &st), 0, "a late RST frees one place");
	is_int(yamux_open(e->y, NULL, &st), YAMUX_E_BUSY, "one");
	end_frame(e, YAMUX_UPDATE, YAMUX_ACK, 302, 0, NULL);
	is_int(end_stats(e).unacked, 50,
	    "tunnel-28(partial): an ACK shows that all before it were taken");
	is_int(yamux_error(e->y), 0, "the connection lives");
	end_log(e);
	end_free(e);
}

static void
test_close(void)
{
	struct end *e = end_new(YAMUX_SERVER, NULL);
	struct yamux_stream *st;

	end_frame(e, YAMUX_UPDATE, YAMUX_SYN, 1, 0, NULL);
	end_frame(e, YAMUX_UPDATE, YAMUX_FIN, 1, 0, NULL);
	st = yamux_find(e->y, 1);
	ok(st != NULL && yamux_fin_received(st), "half closed by the peer");
	ok(yamux_sendable(st) == YAMUX_WINDOW, "we may still send");
	yamux_fin(st);
	ok(yamux_find(e->y, 1) == st, "there until FIN is on the wire");
	is_str(end_out(e), "000100060000000100000000", "our FIN");
	is_str(end_log(e), "open 1;fin 1;close 1 closed;",
	    "tunnel-23: FIN both ways, theirs first");
	ok(yamux_find(e->y, 1) == NULL, "tunnel-23: the id is free");

	st = open_stream(e);
	yamux_fin(st);
	end_flush(e);
	end_frame(e, YAMUX_DATA, YAMUX_ACK, 2, 5, "reply");
	end_frame(e, YAMUX_DATA, YAMUX_FIN, 2, 3, "end");
	is_str(end_log(e), "ack 2;data 2 reply;data 2 end;fin 2;"
	    "close 2 closed;", "tunnel-23: FIN both ways, ours first");
	is_int(end_stats(e).streams, 0, "none left");
	is_int(end_stats(e).credit, 0, "no credit outstanding");
	ok(e->y->buckets == NULL, "no table for no streams");

	end_frame(e, YAMUX_UPDATE, YAMUX_SYN, 3, 0, NULL);
	end_frame(e, YAMUX_UPDATE, YAMUX_FIN, 3, 0, NULL);
	end_frame(e, YAMUX_DATA, 0, 3, 4, "late");
	is_int(yamux_error(e->y), 0, "data after FIN is dropped, not fatal");
	is_str(end_log(e), "open 3;fin 3;", "nobody sees it");

	/* RST from the peer. */
	end_frame(e, YAMUX_UPDATE, YAMUX_SYN, 5, 0, NULL);
	st = yamux_find(e->y, 5);
	yamux_fin(st);
	end_frame(e, YAMUX_DATA, YAMUX_RST, 5, 4, "gone");
	is_str(end_log(e), "open 5;close 5 reset;",
	    "tunnel-24: RST ends it, data on it is skipped");
	ok(strstr(end_out(e), "00000005") == NULL,
	    "tunnel-24: nothing more is sent on the id");

	/* Our RST. */
	end_frame(e, YAMUX_DATA, YAMUX_SYN, 7, 2, "hi");
	yamux_reset(yamux_find(e->y, 7));
	is_str(end_out(e), "000100080000000700000000",
	    "tunnel-24: a reset before the ACK answers with RST only");
	is_str(end_log(e), "open 7;data 7 hi;", "no close for our own reset");
	end_frame(e, YAMUX_DATA, 0, 7, 2, "ho");
	is_str(end_log(e), "", "what was under way is skipped");
	end_free(e);
}

static void
test_close_timeout(void)
{
	struct end *e = end_new(YAMUX_SERVER, NULL);

	end_frame(e, YAMUX_UPDATE, YAMUX_SYN, 1, 0, NULL);
	yamux_fin(yamux_find(e->y, 1));
	is_int(yamux_deadline(e->y) == YAMUX_NEVER, 1, "no timer yet");
	end_flush(e);
	is_int((long long)(yamux_deadline(e->y) - e->now),
	    (long long)(300 * YAMUX_NSEC), "5 min from our FIN");
	e->now += 300 * YAMUX_NSEC - 1;
	is_int(yamux_tick(e->y, e->now), 0, "tick");
	is_str(end_log(e), "open 1;", "not before");
	e->now++;
	is_int(yamux_tick(e->y, e->now), 0, "tick");
	is_str(end_log(e), "close 1 timeout;", "their FIN did not come");
	is_str(end_out(e), "000100080000000100000000", "RST is sent");
	is_int(end_stats(e).streams, 0, "the stream is gone");

	end_frame(e, YAMUX_UPDATE, YAMUX_SYN, 3, 0, NULL);
	yamux_fin(yamux_find(e->y, 3));
	end_flush(e);
	end_frame(e, YAMUX_UPDATE, YAMUX_FIN, 3, 0, NULL);
	ok(yamux_deadline(e->y) == YAMUX_NEVER, "their FIN stops the timer");

	end_frame(e, YAMUX_UPDATE, YAMUX_SYN, 5, 0, NULL);
	yamux_half(yamux_find(e->y, 5));
	end_flush(e);
	ok(yamux_deadline(e->y) == YAMUX_NEVER, "half a stream has none");
	end_frame(e, YAMUX_DATA, YAMUX_FIN, 5, 2, "hi");
	is_int(end_stats(e).streams, 0, "and ends with the other half");
	end_free(e);
}

static void
test_goaway(void)
{
	struct end *e = end_new(YAMUX_SERVER, NULL);
	struct yamux_stream *st;

	end_frame(e, YAMUX_UPDATE, YAMUX_SYN, 1, 0, NULL);
	end_frame(e, YAMUX_GOAWAY, 0, 0, 0, NULL);
	end_frame(e, YAMUX_GOAWAY, 0, 0, 0, NULL);
	is_str(end_log(e), "open 1;goaway;", "tunnel-27: told once");
	is_int(yamux_open(e->y, NULL, &st), YAMUX_E_CLOSING,
	    "tunnel-27: no new streams");
	end_frame(e, YAMUX_DATA, 0, 1, 4, "more");
	is_int(yamux_sendable(yamux_find(e->y, 1)), YAMUX_WINDOW,
	    "tunnel-27: old ones still send");
	end_frame(e, YAMUX_UPDATE, YAMUX_FIN, 1, 0, NULL);
	yamux_fin(yamux_find(e->y, 1));
	end_flush(e);
	is_str(end_log(e), "data 1 more;fin 1;close 1 closed;",
	    "tunnel-27: and finish");
	end_free(e);

	e = end_new(YAMUX_SERVER, NULL);
	end_frame(e, YAMUX_UPDATE, YAMUX_SYN, 1, 0, NULL);
	end_flush(e);
	yamux_goaway(e->y, YAMUX_GOAWAY_NORMAL);
	end_frame(e, YAMUX_UPDATE, YAMUX_SYN, 3, 0, NULL);
	is_str(end_out(e), F_GOAWAY("0") " 000100080000000300000000",
	    "after our go-away a SYN gets RST");
	end_frame(e, YAMUX_DATA, 0, 1, 2, "on");
	is_str(end_log(e), "open 1;data 1 on;", "open streams go on");
	end_free(e);
}

/* Each callback ends its stream, then its stream and all others. */
static void
test_callbacks(void)
{
	static const char where[] = "odfcwa";
	struct end *e;
	struct yamux_stream *st;
	uint8_t hdr[YAMUX_HEADER];
	int others;
	size_t i;

	for (others = 0; others < 2; others++) {
		for (i = 0; where[i] != '\0'; i++) {
			e = end_new(YAMUX_SERVER, NULL);
			open_stream(e);
			st = open_stream(e);
			end_flush(e);
			yamux_data_header(st, hdr, YAMUX_WINDOW);
			e->reset_in = (uint8_t)where[i];
			e->reset_others = others;
			end_frame(e, YAMUX_UPDATE, YAMUX_SYN, 1, 0, NULL);
			end_frame(e, YAMUX_DATA, YAMUX_SYN | YAMUX_FIN, 3, 2,
			    "hi");
			end_frame(e, YAMUX_UPDATE, YAMUX_ACK | YAMUX_FIN, 4, 9,
			    NULL);
			end_frame(e, YAMUX_UPDATE, YAMUX_RST, 1, 0, NULL);
			while ((st = yamux_first(e->y)) != NULL) {
				yamux_fin(st);
				end_flush(e);
				if (yamux_first(e->y) == st)
					yamux_reset(st);
			}
			ok(yamux_error(e->y) == 0 &&
			    end_stats(e).credit == 0,
			    "callback %c ends %s", where[i],
			    others ? "all streams" : "its stream");
			end_free(e);
		}
	}
}

static void
test_bounds(void)
{
	struct end *e = end_new(YAMUX_SERVER, NULL);
	struct yamux_config cf;
	uint32_t i;
	uint8_t buf[YAMUX_HEADER * 2];
	struct yamux_stream *st;

	yamux_config_default(&cf);
	cf.window = 0;
	ok(yamux_new(YAMUX_SERVER, &cf, &end_callbacks, e) == NULL,
	    "a window of 0 is refused");
	yamux_config_default(&cf);
	cf.window_max = cf.window - 1;
	ok(yamux_new(YAMUX_SERVER, &cf, &end_callbacks, e) == NULL,
	    "a maximum below the window is refused");
	yamux_config_default(&cf);
	cf.pong_wait_max = 65;
	ok(yamux_new(YAMUX_SERVER, &cf, &end_callbacks, e) == NULL,
	    "a bucket out of range is refused");

	/* The control queue holds one frame a stream, whatever is asked. */
	e->consume = true;
	for (i = 0; i < 100; i++) {
		end_frame(e, YAMUX_UPDATE, i == 0 ? YAMUX_SYN : 0, 1, 0, NULL);
		end_frame(e, YAMUX_DATA, 0, 1, 2000, NULL);
	}
	is_int(end_flush(e), YAMUX_HEADER,
	    "ACK and all credit since are one frame");
	is_int(yamux_get32(e->out + 8), 200000, "with the sum");
	for (i = 1; i <= 10; i++)
		end_frame(e, YAMUX_UPDATE, YAMUX_SYN, 2 * i + 1, 0, NULL);
	is_int(yamux_output(e->y, buf, 11, e->now), 0, "room for 11: nothing");
	is_int(yamux_output(e->y, buf, 23, e->now), 12, "room for 23: one");
	is_int(yamux_output(e->y, buf, 24, e->now), 24, "room for 24: two");
	ok(yamux_has_output(e->y), "more waits");
	is_int(end_flush(e), 7 * YAMUX_HEADER, "the other seven");
	ok(!yamux_has_output(e->y), "nothing waits");

	for (i = 0, st = yamux_first(e->y); st != NULL; st = yamux_next(st))
		i++;
	is_int(i, 11, "iteration finds all");
	is_str(yamux_strerror(YAMUX_E_WINDOW), "data beyond the window",
	    "errors have names");
	is_str(yamux_strerror(-99), "unknown error", "all of them");
	is_int(yamux_close_code(YAMUX_E_NOMEM), 1011, "no memory: 1011");
	end_free(e);
	yamux_free(NULL);
}

int
main(void)
{
	test_encode();
	test_decode();
	test_open();
	test_violations();
	test_late_ids();
	test_limits();
	test_close();
	test_close_timeout();
	test_goaway();
	test_callbacks();
	test_bounds();
	return (done_testing());
}
