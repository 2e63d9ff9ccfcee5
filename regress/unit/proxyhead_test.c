/* SPDX-License-Identifier: ISC */
/*
 * PROXY headers: each good one whole, in every part of it and with something
 * behind it; and the ways to be none (proxy-protocol.txt, 2.1 and 2.2).
 */
#include <stdio.h>
#include <string.h>

#include "net/proxyhead.h"
#include "regress/lib/tap.h"

#define SIG	"\r\n\r\n\0\r\nQUIT\n"
#define V4	"\xc0\x00\x02\x07\x7f\x00\x00\x01\x11\x5c\x01\xbb"
#define V6	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x09"		\
		"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x11\x5c\x01\xbb"
#define B(s)	(const uint8_t *)(s), sizeof(s) - 1

static const struct good {
	const uint8_t		*b;
	size_t			 len;
	enum proxyhead_of	 of;
	const char		*client;
	unsigned		 port;
} good[] = {
	{ B("PROXY TCP4 192.0.2.7 127.0.0.1 4444 443\r\n"),
	    PROXYHEAD_CLIENT, "192.0.2.7", 4444 },
	{ B("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"),
	    PROXYHEAD_CLIENT, "255.255.255.255", 65535 },
	{ B("PROXY TCP4 192.0.2.7 127.0.0.1 0 0\r\n"), PROXYHEAD_CLIENT,
	    "192.0.2.7", 0 },
	{ B("PROXY TCP6 2001:db8::9 ::1 4444 443\r\n"), PROXYHEAD_CLIENT,
	    "2001:db8::9", 4444 },
	{ B("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
	    PROXYHEAD_CLIENT, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	    65535 },
	{ B("PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n"), PROXYHEAD_CLIENT,
	    "192.0.2.7", 1 },
	{ B("PROXY UNKNOWN\r\n"), PROXYHEAD_UNNAMED, "", 0 },
	{ B("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
	    PROXYHEAD_UNNAMED, "", 0 },
	{ B(SIG "\x21\x11\0\x0c" V4), PROXYHEAD_CLIENT, "192.0.2.7", 4444 },
	{ B(SIG "\x21\x21\0\x24" V6), PROXYHEAD_CLIENT, "2001:db8::9",
	    4444 },
	{ B(SIG "\x20\0\0\0"), PROXYHEAD_LOCAL, "", 0 },
	{ B(SIG "\x20\x11\0\x0c" V4), PROXYHEAD_LOCAL, "", 0 },
	{ B(SIG "\x20\xff\0\x03" "abc"), PROXYHEAD_LOCAL, "", 0 },
	{ B(SIG "\x21\0\0\0"), PROXYHEAD_UNNAMED, "", 0 },
	{ B(SIG "\x21\0\0\x02" "xx"), PROXYHEAD_UNNAMED, "", 0 },
	{ B(SIG "\x21\x10\0\x01" "x"), PROXYHEAD_UNNAMED, "", 0 },
	{ B(SIG "\x21\x12\0\x0c" V4), PROXYHEAD_UNNAMED, "", 0 },
	{ B(SIG "\x21\x22\0\x24" V6), PROXYHEAD_UNNAMED, "", 0 },
	/* vectors: nothing, of no length, an ALPN, two of a kind */
	{ B(SIG "\x21\x11\0\x1d" V4 "\x04\0\0" "\x01\0\x02" "h2"
	    "\x04\0\x01" "x" "\x04\0\x02" "xx"), PROXYHEAD_CLIENT,
	    "192.0.2.7", 4444 },
};

static void
test_good_one(const struct good *g, unsigned n)
{
	struct proxyhead	 h;
	const char		*why = "";
	uint8_t			 more[600];
	char			 text[ADDR_SIZE];
	size_t			 i;

	for (i = 0; i < g->len; i++)
		if (proxyhead_parse(&h, g->b, i, &why) != 0)
			break;
	is_int((long)i, (long)g->len, "good %u: it is not whole before", n);
	memcpy(more, g->b, g->len);
	memcpy(more + g->len, "\r\nGET / \x03", 10);
	is_int(proxyhead_parse(&h, more, g->len + 10, &why), (long)g->len,
	    "good %u: and is no longer with something behind it", n);
	is_int(proxyhead_parse(&h, g->b, g->len, &why), (long)g->len,
	    "good %u: whole", n);
	is_int(h.of, g->of, "good %u: whose", n);
	ok(h.ours == NULL, "good %u: nothing of ours", n);
	if (h.of != PROXYHEAD_CLIENT)
		return;
	addr_print(&h.client, text);
	is_str(text, g->client, "good %u: the client", n);
	is_int(h.port, (long)g->port, "good %u: its port", n);
}

static const struct {
	const uint8_t	*b;
	size_t		 len;
	const char	*why;
} bad[] = {
	{ B("G"), "no PROXY header" },
	{ B("GET / HTTP/1.1\r\n"), "no PROXY header" },
	{ B("\x16\x03\x01"), "no PROXY header" },
	{ B("\r\n\r\nG"), "no PROXY header" },
	{ B("proxy TCP4"), "no PROXY header" },
	{ B("PROXYTCP4"), "no PROXY header" },
	{ B("PROXY\r\n"), "no PROXY header" },
	{ B("PROXY \r\n"), "neither TCP4" },
	{ B("PROXY UNKNOW\r\n"), "neither TCP4" },
	{ B("PROXY UNKNOWNS\r\n"), "neither TCP4" },
	{ B("PROXY  UNKNOWN\r\n"), "neither TCP4" },
	{ B("PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n"), "neither TCP4" },
	{ B("PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n"), "neither TCP4" },
	{ B("PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n"), "neither TCP4" },
	{ B("PROXY TCP4\r\n"), "not two" },
	{ B("PROXY TCP4 \r\n"), "not two" },
	{ B("PROXY TCP4 1.2.3.4\r\n"), "not two" },
	{ B("PROXY TCP4 1.2.3.4 1.2.3.4\r\n"), "not two" },
	{ B("PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n"), "not two" },
	{ B("PROXY TCP4 1.2.3.4 1.2.3.4 1 \r\n"), "not two" },
	{ B("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n"), "not two" },
	{ B("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n"), "not two" },
	{ B("PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n"), "not two" },
	{ B("PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n"), "not two" },
	{ B("PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n"), "not two" },
	{ B("PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n"), "not two" },
	{ B("PROXY TCP4 256.2.3.4 1.2.3.4 1 2\r\n"), "not two" },
	{ B("PROXY TCP4 host 1.2.3.4 1 2\r\n"), "not two" },
	{ B("PROXY TCP4 ::1 1.2.3.4 1 2\r\n"), "not two" },
	{ B("PROXY TCP4 1.2.3.4 ::1 1 2\r\n"), "not two" },
	{ B("PROXY TCP6 1.2.3.4 ::1 1 2\r\n"), "not two" },
	{ B("PROXY TCP6 ::1 1.2.3.4 1 2\r\n"), "not two" },
	{ B("PROXY TCP6 [::1] ::1 1 2\r\n"), "not two" },
	{ B("PROXY TCP6 ::1%lo ::1 1 2\r\n"), "not two" },
	{ B("PROXY TCP6 :::1 ::1 1 2\r\n"), "not two" },
	{ B("PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n"), "not two" },
	{ B("PROXY TCP4 1.2.3.4 1.2.3.4 1 00\r\n"), "not two" },
	{ B("PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n"), "not two" },
	{ B("PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n"), "not two" },
	{ B("PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n"), "not two" },
	{ B("PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n"), "not two" },
	{ B("PROXY TCP4 1.2.3.4 1.2.3.4 0x1 2\r\n"), "not two" },
	{ B("PROXY TCP4 1.2.3.4 1.2.3.4 1 100000000000\r\n"), "not two" },
	{ B("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n"), "CR LF" },
	{ B("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\rG"), "CR LF" },
	{ B("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\r"), "CR LF" },
	{ B("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\0"), "odd byte" },
	{ B("PROXY TCP4 1.2.3.4\t1.2.3.4 1 2\r\n"), "odd byte" },
	{ B("PROXY UNKNOWN \x80"), "odd byte" },
	{ B(SIG "\x11"), "not version 2" },
	{ B(SIG "\x31"), "not version 2" },
	{ B(SIG "\x01"), "not version 2" },
	{ B(SIG "\x22"), "neither LOCAL" },
	{ B(SIG "\x2f"), "neither LOCAL" },
	{ B(SIG "\x21\x41\0\0"), "no such family" },
	{ B(SIG "\x21\x13\0\x0c" V4), "no such family" },
	{ B(SIG "\x21\x11\x0f\xf1"), "longer than 4096" },
	{ B(SIG "\x20\0\xff\xff"), "longer than 4096" },
	{ B(SIG "\x21\x11\0\x0b" V4), "too short" },
	{ B(SIG "\x21\x11\0\0"), "too short" },
	{ B(SIG "\x21\x12\0\x0b" V4), "too short" },
	{ B(SIG "\x21\x21\0\x23" V6), "too short" },
	{ B(SIG "\x21\x31\0\x0c" V4), "too short" },
	{ B(SIG "\x21\x11\0\x0d" V4 "\x04"), "a vector is longer" },
	{ B(SIG "\x21\x11\0\x0e" V4 "\x04\0"), "a vector is longer" },
	{ B(SIG "\x21\x11\0\x0f" V4 "\x04\0\x01"), "a vector is longer" },
	{ B(SIG "\x21\x11\0\x10" V4 "\x04\xff\xff" "x"),
	    "a vector is longer" },
	{ B(SIG "\x21\x11\0\x12" V4 "\x03\0\x03" "abc"), "wrong length" },
	{ B(SIG "\x21\x11\0\x13" V4 "\x03\0\x04" "abcd"),
	    "wrong checksum" },
	{ B(SIG "\x21\x11\0\x12" V4 "\xe0\0\0" "\xe0\0\0"), "twice" },
};

static void
test_bad(void)
{
	struct proxyhead	 h;
	const char		*why;
	size_t			 i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		why = "";
		is_int(proxyhead_parse(&h, bad[i].b, bad[i].len, &why), -1,
		    "bad %zu", i);
		ok(strstr(why, bad[i].why) != NULL, "bad %zu: %s", i, why);
	}
}

/* A line that never ends, and what is longest. */
static void
test_long(void)
{
	struct proxyhead	 h;
	const char		*why = "";
	uint8_t			 b[PROXYHEAD_MAX + 1] = "PROXY UNKNOWN ";

	memset(b + 14, 'x', sizeof(b) - 14);
	is_int(proxyhead_parse(&h, b, 106, &why), 0, "106 bytes of a line");
	is_int(proxyhead_parse(&h, b, 107, &why), -1, "107 without an end");
	ok(strstr(why, "107") != NULL, "%s", why);
	memcpy(b + 105, "\r\n", 2);
	is_int(proxyhead_parse(&h, b, 107, &why), 107, "107 with one");
	memset(b + 105, 'x', 2);
	memcpy(b + 106, "\r\n", 2);
	is_int(proxyhead_parse(&h, b, 108, &why), -1, "108 with one");

	memcpy(b, SIG "\x21\x11\x0f\xf0" V4 "\x04\x0f\xe1", 31);
	is_int(proxyhead_parse(&h, b, 4095, &why), 0, "4095 of 4096 bytes");
	is_int(proxyhead_parse(&h, b, 4097, &why), 4096, "4096 bytes");
}

/* What haproxy makes is in regress/e2e/brought.t. */
static void
test_sum(void)
{
	static const char	head[] = SIG "\x21\x11\0\x13" V4
				    "\x03\0\x04";
	struct proxyhead	h;
	const char		*why = "";
	uint8_t			b[35];
	uint32_t		crc = 0xffffffff;
	size_t			i;
	int			k;

	memcpy(b, head, 31);
	memset(b + 31, 0, 4);
	for (i = 0; i < sizeof(b); i++)
		for (crc ^= b[i], k = 0; k < 8; k++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
	for (crc = ~crc, k = 0; k < 4; k++)
		b[31 + k] = (uint8_t)(crc >> (24 - 8 * k));
	is_int(proxyhead_parse(&h, b, sizeof(b), &why), 35, "a right sum");
	b[20] ^= 1;
	is_int(proxyhead_parse(&h, b, sizeof(b), &why), -1, "over all");
	b[20] ^= 1;
	b[34] ^= 1;
	is_int(proxyhead_parse(&h, b, sizeof(b), &why), -1, "to its last bit");
}

static void
test_ours(void)
{
	struct proxyhead	 h;
	const char		*why = "";
	static const char	 b[] = SIG "\x21\x11\0\x18" V4 "\x04\0\x01" "x"
				    "\xe0\0\x05" "hello";

	is_int(proxyhead_parse(&h, B(b), &why), 40, "with a vector of ours");
	is_int((long)h.ours_len, 5, "its length");
	ok(memcmp(h.ours, "hello", 5) == 0, "and what it says");
}

int
main(void)
{
	unsigned	i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		test_good_one(&good[i], i);
	test_bad();
	test_long();
	test_sum();
	test_ours();
	return (done_testing());
}
