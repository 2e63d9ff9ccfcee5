/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "proxyhead.h"

#define LINE_MAX_	107	/* 2.1, with CR and LF */
#define SIG_LEN		12
#define FIXED_LEN	16	/* 2.2: what is always there */
#define CRC32C		0x03	/* 2.2.3 */

#define PORTS		4	/* two of 2 bytes */
#define UNIX_LEN	(2 * 108)

static const uint8_t	sig[SIG_LEN] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
    0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a };
static const char	word[] = "PROXY ";

static long
no(const char **why, const char *text)
{
	*why = text;
	return (-1);
}

/* Version 1. */

/* The next word of a line: up to one blank, which is taken, or to its end. */
static size_t
next_word(const char **p, const char *end, const char **w)
{
	const char	*blank = memchr(*p, ' ', (size_t)(end - *p));

	*w = *p;
	*p = blank != NULL ? blank + 1 : end;
	return ((size_t)((blank != NULL ? blank : end) - *w));
}

/* Decimal, up to 65535, no zero before another digit: 0 or -1. */
static int
line_port(uint16_t *port, const char *s, size_t len)
{
	unsigned	n = 0;
	size_t		i;

	if (len == 0 || len > 5 || (s[0] == '0' && len > 1))
		return (-1);
	for (i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return (-1);
		n = n * 10 + (unsigned)(s[i] - '0');
	}
	if (n > 65535)
		return (-1);
	*port = (uint16_t)n;
	return (0);
}

/* Of the family that the line has named. 0 or -1. */
static int
line_addr(struct addr *a, const char *s, size_t len, int v6)
{
	return (len > 0 && s[0] != '[' &&
	    (memchr(s, ':', len) != NULL) == v6 ? addr_parse(a, s, len) : -1);
}

/* What follows "PROXY TCPn ", without the line's end. 0 or -1. */
static int
line_tcp(struct proxyhead *h, const char *p, const char *end, int v6)
{
	struct addr	 server;
	const char	*w;
	uint16_t	 to;
	size_t		 n;

	n = next_word(&p, end, &w);
	if (line_addr(&h->client, w, n, v6) == -1)
		return (-1);
	n = next_word(&p, end, &w);
	if (line_addr(&server, w, n, v6) == -1)
		return (-1);
	n = next_word(&p, end, &w);
	if (line_port(&h->port, w, n) == -1)
		return (-1);
	/* With a blank behind it the last word is not the last. */
	return (line_port(&to, p, (size_t)(end - p)));
}

static long
line_whole(struct proxyhead *h, const char *s, size_t len, const char **why)
{
	const char	*end = s + len - 2, *p = s + strlen(word), *w;
	size_t		 n = next_word(&p, end, &w);

	if (n == 7 && memcmp(w, "UNKNOWN", 7) == 0)
		h->of = PROXYHEAD_UNNAMED;	/* "must ignore" the rest */
	else if (n != 4 || memcmp(w, "TCP", 3) != 0 ||
	    (w[3] != '4' && w[3] != '6'))
		return (no(why, "PROXY line: neither TCP4, TCP6 nor UNKNOWN"));
	else if (line_tcp(h, p, end, w[3] == '6') == -1)
		return (no(why, "PROXY line: not two addresses and two ports"));
	return ((long)len);
}

static long
line_parse(struct proxyhead *h, const uint8_t *b, size_t len,
    const char **why)
{
	size_t	i;

	for (i = 0; i < len && i < LINE_MAX_; i++) {
		if (b[i] == '\n')
			return (b[i - 1] != '\r' ?
			    no(why, "PROXY line: its end is not CR LF") :
			    line_whole(h, (const char *)b, i + 1, why));
		if (i > 0 && b[i - 1] == '\r')
			return (no(why, "PROXY line: its end is not CR LF"));
		if ((b[i] < ' ' || b[i] > '~') && b[i] != '\r')
			return (no(why, "PROXY line: an odd byte"));
	}
	return (i == LINE_MAX_ ? no(why, "PROXY line: longer than 107 bytes") :
	    0);
}

/* Version 2. */

/* RFC 9260, appendix A, over all of it, as if `at` (4 bytes) were zero. */
static uint32_t
crc32c(const uint8_t *b, size_t len, const uint8_t *at)
{
	uint32_t	crc = 0xffffffff;
	size_t		i;
	int		k;

	for (i = 0; i < len; i++) {
		crc ^= b + i >= at && b + i < at + 4 ? 0 : b[i];
		for (k = 0; k < 8; k++)
			crc = (crc >> 1) ^ (0x82f63b78 & (0U - (crc & 1)));
	}
	return (~crc);
}

static uint32_t
get32(const uint8_t *b)
{
	return ((uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 |
	    (uint32_t)b[2] << 8 | b[3]);
}

/* What stands behind the addresses, at `at`. 0, or -1 with *why. */
static int
vectors(struct proxyhead *h, const uint8_t *b, size_t at, size_t len,
    const char **why)
{
	const uint8_t	*sum = NULL;
	size_t		 n;

	for (; at < len; at += 3 + n) {
		if (len - at < 3 ||
		    (n = (size_t)(b[at + 1] << 8 | b[at + 2])) > len - at - 3)
			return ((int)no(why, "PROXY header: a vector is "
			    "longer than the header"));
		if ((b[at] == CRC32C && (n != 4 || sum != NULL)) ||
		    (b[at] == PROXYHEAD_OURS && h->ours != NULL))
			return ((int)no(why, "PROXY header: a vector that is "
			    "there twice, or has a wrong length"));
		if (b[at] == CRC32C)
			sum = b + at + 3;
		else if (b[at] == PROXYHEAD_OURS) {
			h->ours = b + at + 3;
			h->ours_len = n;
		}
	}
	if (sum != NULL && crc32c(b, len, sum) != get32(sum))
		return ((int)no(why, "PROXY header: wrong checksum"));
	return (0);
}

/* An address of `n` bytes that begins the block, and its port. */
static void
client(struct proxyhead *h, const uint8_t *b, size_t n)
{
	static const uint8_t	mapped[12] = { [10] = 0xff, [11] = 0xff };

	h->of = PROXYHEAD_CLIENT;
	memcpy(h->client.b, mapped, sizeof(mapped));
	memcpy(h->client.b + 16 - n, b, n);
	h->port = (uint16_t)(b[2 * n] << 8 | b[2 * n + 1]);
}

static long
block(struct proxyhead *h, const uint8_t *b, size_t len, const char **why)
{
	static const size_t	block_len[] = { 0, 2 * 4 + PORTS,
				    2 * 16 + PORTS, UNIX_LEN };
	unsigned		family = b[13] >> 4, kind = b[13] & 0xf;

	if ((b[12] & 0xf) == 0) {
		h->of = PROXYHEAD_LOCAL;	/* "discard the block" */
		return ((long)len);
	}
	if (family > 3 || kind > 2)
		return (no(why, "PROXY header: no such family or protocol"));
	h->of = PROXYHEAD_UNNAMED;
	if (family == 0 || kind == 0)
		return ((long)len);
	if (len - FIXED_LEN < block_len[family])
		return (no(why, "PROXY header: too short for its addresses"));
	if (kind == 1 && family != 3)
		client(h, b + FIXED_LEN, family == 1 ? 4 : 16);
	return (vectors(h, b, FIXED_LEN + block_len[family], len, why) == -1 ?
	    -1 : (long)len);
}

static long
header_parse(struct proxyhead *h, const uint8_t *b, size_t len,
    const char **why)
{
	size_t	whole;

	if (len > SIG_LEN && (b[12] >> 4) != 2)
		return (no(why, "PROXY header: not version 2"));
	if (len > SIG_LEN && (b[12] & 0xf) > 1)
		return (no(why, "PROXY header: neither LOCAL nor PROXY"));
	if (len < FIXED_LEN)
		return (0);
	whole = FIXED_LEN + (size_t)(b[14] << 8 | b[15]);
	if (whole > PROXYHEAD_MAX)
		return (no(why, "PROXY header: longer than 4096 bytes"));
	return (len < whole ? 0 : block(h, b, whole, why));
}

/* Do as many of these bytes as there are agree with those? */
static int
begins(const uint8_t *b, size_t len, const void *with, size_t n)
{
	return (memcmp(b, with, len < n ? len : n) == 0);
}

long
proxyhead_parse(struct proxyhead *h, const uint8_t *b, size_t len,
    const char **why)
{
	memset(h, 0, sizeof(*h));
	if (len == 0)
		return (0);
	if (begins(b, len, sig, sizeof(sig)))
		return (header_parse(h, b, len, why));
	if (begins(b, len, word, strlen(word)))
		return (line_parse(h, b, len, why));
	return (no(why, "no PROXY header"));
}
