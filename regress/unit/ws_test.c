/* SPDX-License-Identifier: ISC */

/*
 * The WebSocket codec by itself: output, masks, close handshake, limits, and
 * random streams from one end to the other. What a peer may send is in
 * ws_conform_test.c.
 */

#include <openssl/evp.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "regress/lib/tap.h"
#include "ws/ws.h"
#include "ws/ws_int.h"

static const uint8_t	 rnd[8] = { 0x37, 0xfa, 0x21, 0x3d, 1, 2, 3, 4 };
static uint32_t		 seed = 1;

/* Any stream of numbers will do, as long as it is the same each time. */
static uint32_t
random_below(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return ((uint32_t)(((uint64_t)seed * n) >> 32));
}

/* Feed a copy of `p`, so that the ends of the buffer are watched. */
static int
feed(struct ws *ws, const void *p, size_t len)
{
	uint8_t		*copy = malloc(len == 0 ? 1 : len);
	int		 rv;

	memcpy(copy, p, len);
	rv = ws_input(ws, copy, len, NULL);
	free(copy);
	return (rv);
}

/* ---- output ---- */

static void
test_close_bytes(void)
{
	static const uint8_t	 server[] = { 0x88, 0x10, 0x0f, 0xa0, 's',
				    'e', 's', 's', 'i', 'o', 'n', '_', 'c',
				    'l', 'o', 's', 'e', 'd' };
	static const uint8_t	 echo[] = { 0x88, 0x82, 0x37, 0xfa, 0x21, 0x3d,
				    0x38, 0x5a };
	struct ws		 s, c;
	uint8_t			 out[WS_OUTPUT_MAX];
	const char		*reason;
	size_t			 n;

	ws_init(&s, WS_SERVER, NULL);
	ws_init(&c, WS_CLIENT, NULL);
	ws_close(&s, WS_SESSION_CLOSED, "session_closed");
	ok(!ws_may_send(&s) && ws_state(&s) == WS_CLOSE_SENT && !ws_done(&s),
	    "after ws_close() no data is sent and the peer is awaited");
	n = ws_output(&s, out, NULL);
	is_int(n, sizeof(server), "tunnel-15(partial): close 4000 has 18 bytes");
	is_mem(out, server, sizeof(server),
	    "tunnel-15(partial): close 4000 session_closed, byte for byte");
	is_int(ws_output(&s, out, NULL), 0, "a close is written once");

	is_int(feed(&c, server, sizeof(server)), 0, "the client takes it");
	is_int(ws_peer_code(&c), 4000, "the client sees 4000");
	n = ws_peer_reason(&c, &reason);
	ok(n == 14 && memcmp(reason, "session_closed", 14) == 0,
	    "the client sees the reason");
	ok(ws_state(&c) == WS_CLOSE_RCVD && !ws_done(&c), "the echo waits");
	/* The close has the second half of the random bytes to itself. */
	n = ws_output(&c, out, (const uint8_t *)"abcd\x37\xfa\x21\x3d");
	is_int(n, sizeof(echo), "the echo has a code and no reason");
	is_mem(out, echo, sizeof(echo), "tunnel-15(partial): client echo");
	ok(ws_done(&c) && ws_state(&c) == WS_CLOSED, "the client is done");

	is_int(feed(&s, echo, sizeof(echo)), 0, "the server takes the echo");
	ok(ws_done(&s) && ws_state(&s) == WS_CLOSED && !ws_pending(&s),
	    "the server is done and has nothing to add");
	is_int(ws_peer_code(&s), 4000, "the server sees 4000 echoed");
}

static void
test_header(void)
{
	static const struct {
		uint64_t	 len;
		size_t		 size;
		const char	*bytes;
	} t[] = {
		{ 0, 2, "\x82\x00" },
		{ 125, 2, "\x82\x7d" },
		{ 126, 4, "\x82\x7e\x00\x7e" },
		{ 65535, 4, "\x82\x7e\xff\xff" },
		{ 65536, 10, "\x82\x7f\0\0\0\0\0\x01\0\0" },
		{ 0x123456789aULL, 10, "\x82\x7f\0\0\0\x12\x34\x56\x78\x9a" }
	};
	static const uint8_t	 frame[] = { 0x82, 0x0c, 0, 1, 0, 1, 0, 0, 0,
				    2, 0, 0, 0, 0 };
	static const uint8_t	 masked[] = { 0x82, 0x8c, 0x37, 0xfa, 0x21,
				    0x3d, 0x37, 0xfb, 0x21, 0x3c, 0x37, 0xfa,
				    0x21, 0x3c, 0x37, 0xfa, 0x21, 0x3d };
	uint8_t			 out[64];
	size_t			 i, n;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		n = ws_header(out, WS_OP_BINARY, t[i].len, NULL);
		ok(n == t[i].size && memcmp(out, t[i].bytes, n) == 0,
		    "tunnel-14(partial): header for %llu bytes, unmasked",
		    (unsigned long long)t[i].len);
		n = ws_header(out, WS_OP_BINARY, t[i].len, rnd);
		ok(n == t[i].size + 4 && out[1] == (0x80 |
		    (uint8_t)t[i].bytes[1]) && memcmp(out + n - 4, rnd, 4) == 0,
		    "header for %llu bytes, masked",
		    (unsigned long long)t[i].len);
	}
	n = ws_header(out, WS_OP_BINARY, 12, NULL);
	memcpy(out + n, frame + 2, 12);
	is_mem(out, frame, sizeof(frame), "server opens id 2, byte for byte");
	n = ws_header(out, WS_OP_BINARY, 12, rnd);
	memcpy(out + n, "\0\1\0\1\0\0\0\1\0\0\0\0", 12);
	ws_mask(out + n, 12, rnd, 0);
	is_mem(out, masked, sizeof(masked), "client opens id 1, byte for byte");
}

static void
test_pong(void)
{
	struct ws	 s, c;
	uint8_t		 out[WS_OUTPUT_MAX], in[WS_OUTPUT_MAX];
	size_t		 n;

	ws_init(&s, WS_SERVER, NULL);
	feed(&s, "\x89\x82\0\0\0\0hi", 8);
	n = ws_output(&s, out, NULL);
	ok(n == 4 && memcmp(out, "\x8a\x02hi", 4) == 0,
	    "tunnel-14(partial): ping hi is answered by pong hi, unmasked");
	ws_init(&c, WS_CLIENT, NULL);
	feed(&c, "\x89\x02hi", 4);
	n = ws_output(&c, out, rnd);
	ok(n == 8 && memcmp(out, "\x8a\x82\x37\xfa\x21\x3d", 6) == 0 &&
	    out[6] == ('h' ^ 0x37) && out[7] == ('i' ^ 0xfa),
	    "the client's pong is masked");
	ok(!ws_pending(&c), "a pong is written once");

	memcpy(in, "\x89\x7d", 2);
	memset(in + 2, 'p', WS_CONTROL_MAX);
	feed(&c, in, 2 + WS_CONTROL_MAX);
	feed(&c, "\x88\x02\x03\xe8", 4);
	is_int(ws_output(&c, out, rnd), 6 + WS_CONTROL_MAX + 8,
	    "the longest pong and a close in one go");
	ok(ws_done(&c), "and that is all");
	feed(&s, "\x89\x81\0\0\0\0a", 7);
	ws_close(&s, 1001, NULL);
	n = ws_output(&s, out, NULL);
	ok(n == 3 + 4 && memcmp(out, "\x8a\x01" "a\x88\x02\x03\xe9", 7) == 0,
	    "a waiting pong goes out before our close");
	feed(&s, "\x89\x81\0\0\0\0b", 7);
	ok(!ws_pending(&s), "no pong after our close");
}

static void
test_close(void)
{
	struct ws	 s;
	uint8_t		 out[WS_OUTPUT_MAX];
	char		 reason[200];
	size_t		 n;

	ws_init(&s, WS_SERVER, NULL);
	memset(reason, 'r', sizeof(reason));
	reason[199] = '\0';
	memcpy(reason + 122, "\xc3\xa9", 2);
	ws_close(&s, 1011, reason);
	ws_close(&s, 1008, "later");
	n = ws_output(&s, out, NULL);
	ok(n == 2 + 2 + 122 && out[2] == 0x03 && out[3] == 0xf3,
	    "a long reason is cut at a character, a second close ignored");
	is_int(ws_own_code(&s), 1011, "the first code counts");

	ws_init(&s, WS_SERVER, NULL);
	ws_close(&s, 0, "no code, no reason");
	n = ws_output(&s, out, NULL);
	ok(n == 2 && memcmp(out, "\x88\0", 2) == 0, "a close without code");
	is_int(feed(&s, "\xc2\x80\0\0\0\0", 6), -1, "a fault after our close");
	ok(ws_state(&s) == WS_FAILED && !ws_pending(&s) && ws_done(&s),
	    "brings no second close");

	ws_init(&s, WS_SERVER, NULL);
	ws_close(&s, 1001, NULL);
	feed(&s, "\x88\x82\0\0\0\0\x03\xe8", 8);
	ok(ws_state(&s) == WS_CLOSE_RCVD && !ws_done(&s),
	    "closes that cross: ours is still to be sent");
	n = ws_output(&s, out, NULL);
	ok(n == 4 && memcmp(out, "\x88\x02\x03\xe9", 4) == 0 && ws_done(&s),
	    "and is sent as it was");

	ws_init(&s, WS_SERVER, NULL);
	is_int(feed(&s, "\x83", 1), -1,
	    "tunnel-13(partial): refused by the first byte");
	is_int(feed(&s, "\x82\x80\0\0\0\0", 6), -1, "and for good");
	ok(strcmp(ws_error(&s), "reserved opcode") == 0 &&
	    ws_own_code(&s) == 1002, "the fault has a text and a code");
	ws_close(&s, 1000, "too late");
	n = ws_output(&s, out, NULL);
	ok(n == 4 && memcmp(out, "\x88\x02\x03\xea", 4) == 0,
	    "tunnel-13(partial): close 1002");
}

/* ---- masks ---- */

static void
test_mask(void)
{
	static uint8_t	 want[512], got[512], src[512];
	size_t		 len, off, gap, i;
	int		 bad = 0;

	for (i = 0; i < sizeof(src); i++)
		src[i] = random_below(256);
	for (len = 0; len < 300; len++)
		for (off = 0; off < 8; off++) {
			for (i = 0; i < len; i++)
				want[i] = src[i] ^ rnd[(i + off) & 3];
			memcpy(got + off, src, len);
			ws_mask(got + off, len, rnd, off);
			bad += memcmp(got + off, want, len) != 0;
		}
	is_int(bad, 0, "ws_mask() of any length, place and offset");
	for (len = 0; len < 300; len++)
		for (gap = 0; gap < 80; gap++) {
			for (i = 0; i < len; i++)
				want[i] = src[i] ^ rnd[(i + 1) & 3];
			memcpy(got + gap, src, len);
			ws_mask_move(got, got + gap, len, rnd, 1);
			bad += memcmp(got, want, len) != 0;
		}
	is_int(bad, 0, "masking while moving to the front, overlapping");
	memcpy(got, src, sizeof(got));
	ws_mask(got, 7, rnd, 0);
	ws_mask(got + 7, sizeof(got) - 7, rnd, 7);
	ws_mask(got, sizeof(got), rnd, 0);
	is_mem(got, src, sizeof(src), "masking in pieces, and back in one");
}

/* ---- random streams ---- */

#define STREAM	40000

/* Write the stream as frames of many kinds; returns how long it got. */
static size_t
make_frames(const uint8_t *data, uint8_t *wire, enum ws_role to)
{
	const uint8_t	*key = to == WS_SERVER ? rnd : NULL;
	size_t		 done = 0, n, len = 0, h;
	int		 open = 0, fin;

	while (done < STREAM || open) {
		if (random_below(4) == 0) {
			h = ws_header(wire + len, WS_OP_PING, 3, key);
			memcpy(wire + len + h, "abc", 3);
			if (key != NULL)
				ws_mask(wire + len + h, 3, key, 0);
			len += h + 3;
		}
		n = random_below(3) == 0 ? random_below(20) :
		    random_below(3000);
		if (n > STREAM - done)
			n = STREAM - done;
		fin = done == STREAM || random_below(2);
		h = ws_header(wire + len, open ? WS_OP_CONT : WS_OP_BINARY, n,
		    key);
		if (!fin)
			wire[len] &= 0x7f;
		memcpy(wire + len + h, data + done, n);
		if (key != NULL)
			ws_mask(wire + len + h, n, key, 0);
		len += h + n;
		done += n;
		open = !fin;
	}
	return (len);
}

static int
one_stream(enum ws_role to)
{
	static uint8_t	 data[STREAM], wire[STREAM * 8], got[STREAM];
	struct ws	 ws;
	uint8_t		*copy;
	size_t		 len, i, n, out, total = 0;

	for (i = 0; i < STREAM; i++)
		data[i] = random_below(256);
	len = make_frames(data, wire, to);
	ws_init(&ws, to, NULL);
	for (i = 0; i < len; i += n) {
		n = 1 + (random_below(2) ? random_below(30) :
		    random_below(9000));
		if (n > len - i)
			n = len - i;
		copy = malloc(n);
		memcpy(copy, wire + i, n);
		if (ws_input(&ws, copy, n, &out) != 0 || total + out > STREAM) {
			free(copy);
			return (0);
		}
		memcpy(got + total, copy, out);
		total += out;
		free(copy);
	}
	return (total == STREAM && memcmp(got, data, STREAM) == 0);
}

static void
test_streams(void)
{
	int		 i, good = 0;

	for (i = 0; i < 60; i++)
		good += one_stream(i % 2 ? WS_SERVER : WS_CLIENT);
	is_int(good, 60, "tunnel-12(partial): 60 random streams: frames, "
	    "fragments and pings cut anywhere");
}

/* ---- message mode ---- */

struct sink {
	struct ws	*ws;
	int		 count;
	size_t		 len;
	int		 close;		/* close at the first message */
};

static void
on_message(void *arg, int opcode, uint8_t *data, size_t len)
{
	struct sink	*s = arg;

	(void)opcode;
	(void)data;
	s->count++;
	s->len = len;
	if (s->close)
		ws_close(s->ws, 1000, NULL);
}

static void
test_messages(void)
{
	uint8_t		 buf[10];
	struct ws	 ws;
	struct sink	 sink = { .ws = &ws };
	struct ws_msg	 zero = { .buf = buf, .max = sizeof(buf),
			    .on_message = on_message, .arg = &sink };
	struct ws_msg	 m;

	m = zero;
	ws_init(&ws, WS_CLIENT, &m);
	is_int(feed(&ws, "\x82\x0a" "0123456789", 12), 0, "at the limit");
	ok(sink.count == 1 && sink.len == 10, "is delivered");
	is_int(feed(&ws, "\x82\x0b", 2), -1, "one byte more");
	is_int(ws_own_code(&ws), 1009, "is 1009, by the header alone");

	m = zero;
	ws_init(&ws, WS_CLIENT, &m);
	is_int(feed(&ws, "\x02\x06" "012345\x80\x04" "6789", 14), 0,
	    "fragments up to the limit");
	ok(sink.count == 2 && sink.len == 10, "are one message");
	feed(&ws, "\x02\x06" "012345", 8);
	is_int(feed(&ws, "\x80\x05", 2), -1, "fragments over it");
	is_int(ws_own_code(&ws), 1009, "are 1009");

	m = zero;
	ws_init(&ws, WS_CLIENT, &m);
	is_int(feed(&ws, "\x81", 1), -1, "text where only binary is taken");
	is_int(ws_own_code(&ws), 1003, "is 1003");

	m = zero;
	sink.count = 0;
	sink.close = 1;
	ws_init(&ws, WS_CLIENT, &m);
	feed(&ws, "\x82\x01" "a\x82\x01" "b\x88\x02\x03\xe8", 10);
	is_int(sink.count, 1, "no message after the callback has closed");
	is_int(ws_peer_code(&ws), 1000, "but the peer's close is seen");
}

static void
test_limits(void)
{
	struct ws	 ws;

	ws_init(&ws, WS_CLIENT, NULL);
	ws_set_frame_max(&ws, 5);
	is_int(feed(&ws, "\x82\x05" "01234", 7), 0, "frame cap: at it");
	is_int(feed(&ws, "\x82\x06", 2), -1, "frame cap: over it");
	is_int(ws_own_code(&ws), 1009, "frame cap: 1009");
	ok(sizeof(struct ws) <= 352,
	    "tunnel-13(partial): all a peer can make grow has %zu bytes",
	    sizeof(struct ws));
}

/* The end of a direction, in stream mode: operator-api.md, 6.5. */
static void
test_half(void)
{
	struct ws	 ws;

	ws_init(&ws, WS_CLIENT, NULL);
	is_int(feed(&ws, "\x81\x00", 2), -1, "empty text is an error at first");
	ws_init(&ws, WS_CLIENT, NULL);
	ws_take_half(&ws);
	is_int(feed(&ws, "\x82\x01" "a", 3), 0, "bytes");
	is_int(ws_half_rcvd(&ws), 0, "are no end");
	is_int(feed(&ws, "\x81\x00\x89\x00", 4), 0, "empty text is");
	is_int(ws_half_rcvd(&ws), 1, "one");
	is_int(ws_may_send(&ws) && ws_pending(&ws), 1, "not of the other "
	    "direction, nor of pings");
	is_int(feed(&ws, "\x82", 1), -1, "there are no bytes behind it");
	is_int(ws_own_code(&ws), WS_PROTOCOL_ERROR, "1002");
	ws_init(&ws, WS_CLIENT, NULL);
	ws_take_half(&ws);
	is_int(feed(&ws, "\x81\x01", 2), -1, "text that is not empty");
	is_int(ws_own_code(&ws), WS_UNSUPPORTED, "1003");
	ws_init(&ws, WS_CLIENT, NULL);
	ws_take_half(&ws);
	is_int(feed(&ws, "\x01", 1), -1, "nor in pieces");
	ws_init(&ws, WS_CLIENT, NULL);
	ws_take_half(&ws);
	is_int(feed(&ws, "\x02\x01" "a\x81\x00", 5), -1,
	    "nor inside a message");
}

static void
test_utf8(void)
{
	static const char	 text[] = "eight bytes and more \303\251 then "
				    "some more \360\237\230\200 end";
	size_t			 i, len = sizeof(text) - 1;
	int			 cut = 0;

	for (i = 0; i <= len; i++)
		cut += !ws_utf8((const uint8_t *)text, i);
	is_int(cut, 4, "UTF-8 is broken only where a character is cut");
	ok(!ws_utf8((const uint8_t *)"0123456789ab\377", 13),
	    "a bad byte behind a long run of ASCII");
}

/* What OpenSSL makes of a key. */
static void
their_accept(const char *key, char out[WS_ACCEPT_LEN + 1])
{
	unsigned char	 hash[EVP_MAX_MD_SIZE];
	char		 text[128];
	unsigned int	 len = 0;
	int		 n;

	n = snprintf(text, sizeof(text), "%s%s", key,
	    "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
	if (EVP_Digest(text, (size_t)n, hash, &len, EVP_sha1(), NULL) != 1)
		abort();
	(void)EVP_EncodeBlock((unsigned char *)out, hash, (int)len);
}

static void
test_accept(void)
{
	char		 key[WS_KEY_LEN + 1], out[WS_ACCEPT_LEN + 1],
			 theirs[WS_ACCEPT_LEN + 1];
	unsigned char	 nonce[16];
	size_t		 i;
	int		 n, wrong = 0;

	ws_accept_key("dGhlIHNhbXBsZSBub25jZQ==", out);
	is_str(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
	    "tunnel-2(partial): the sample key of RFC 6455 gives its value");
	for (n = 0; n < 20000; n++) {
		for (i = 0; i < sizeof(nonce); i++)
			nonce[i] = (unsigned char)random_below(256);
		(void)EVP_EncodeBlock((unsigned char *)key, nonce,
		    sizeof(nonce));
		ws_accept_key(key, out);
		their_accept(key, theirs);
		wrong += strcmp(out, theirs) != 0;
	}
	is_int(wrong, 0, "and 20,000 other keys what OpenSSL gives");
}

int
main(void)
{
	test_close_bytes();
	test_header();
	test_pong();
	test_close();
	test_mask();
	test_streams();
	test_messages();
	test_limits();
	test_half();
	test_utf8();
	test_accept();
	return (done_testing());
}
