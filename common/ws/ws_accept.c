/* SPDX-License-Identifier: ISC */

/*
 * The accept value of the handshake (RFC 6455, 4.2.2). It proves that a server
 * speaks WebSocket and keeps no secret, so SHA-1 (RFC 3174) is as good as any;
 * ours is for this one length. OpenSSL's begins with libcrypto: a millisecond
 * and half a megabyte, which a client over ws:// has no other use for.
 */

#include <stdint.h>
#include <string.h>

#include <sodium.h>

#include "ws.h"

#define GUID	"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define TEXT_LEN	(WS_KEY_LEN + sizeof(GUID) - 1)
#define BLOCK		64
#define WORDS		5
#define SHA1_SIZE	(4 * WORDS)

static uint32_t
turn(uint32_t x, unsigned n)
{
	return (x << n | x >> (32 - n));
}

/* f(t; B, C, D) + K(t) */
static uint32_t
round_of(int t, uint32_t b, uint32_t c, uint32_t d)
{
	if (t < 20)
		return (((b & c) | (~b & d)) + 0x5a827999);
	if (t < 40)
		return ((b ^ c ^ d) + 0x6ed9eba1);
	if (t < 60)
		return (((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc);
	return ((b ^ c ^ d) + 0xca62c1d6);
}

static void
sha1_block(uint32_t h[WORDS], const uint8_t *p)
{
	uint32_t	w[80], a = h[0], b = h[1], c = h[2], d = h[3],
			e = h[4], x;
	int		t;

	for (t = 0; t < 16; t++, p += 4)
		w[t] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
		    (uint32_t)p[2] << 8 | p[3];
	for (; t < 80; t++)
		w[t] = turn(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
	for (t = 0; t < 80; t++) {
		x = turn(a, 5) + round_of(t, b, c, d) + e + w[t];
		e = d;
		d = c;
		c = turn(b, 30);
		b = a;
		a = x;
	}
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
	h[4] += e;
}

void
ws_accept_key(const char key[WS_KEY_LEN], char out[WS_ACCEPT_LEN + 1])
{
	uint32_t	h[WORDS] = { 0x67452301, 0xefcdab89, 0x98badcfe,
			    0x10325476, 0xc3d2e1f0 };
	uint8_t		text[2 * BLOCK] = { 0 }, hash[SHA1_SIZE];
	size_t		i;

	_Static_assert(TEXT_LEN + 1 > BLOCK - 8 && TEXT_LEN + 1 <=
	    2 * BLOCK - 8 && TEXT_LEN * 8 < 1 << 16, "two blocks");
	memcpy(text, key, WS_KEY_LEN);
	memcpy(text + WS_KEY_LEN, GUID, sizeof(GUID) - 1);
	text[TEXT_LEN] = 0x80;
	text[sizeof(text) - 2] = (uint8_t)(TEXT_LEN * 8 >> 8);
	text[sizeof(text) - 1] = (uint8_t)(TEXT_LEN * 8);
	sha1_block(h, text);
	sha1_block(h, text + BLOCK);
	for (i = 0; i < SHA1_SIZE; i++)
		hash[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
	sodium_bin2base64(out, WS_ACCEPT_LEN + 1, hash, sizeof(hash),
	    sodium_base64_VARIANT_ORIGINAL);
}
