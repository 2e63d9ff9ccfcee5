/* SPDX-License-Identifier: ISC */

/* What a request for a WebSocket must look like, and what it carries. */

#include <string.h>

#include <llhttp.h>
#include <sodium.h>

#include "upgrade.h"
#include "ws/ws.h"

#define KEY_BYTES	16
#define BASIC		"Basic "
/* The longest key:secret that is decoded, bytes. */
#define BASIC_MAX	1024

static int	key_ok(const struct slice *);
static int	hex_value(char);
static int	decode(const char *, size_t, char *, size_t);
static enum upgrade_auth split_basic(char *, size_t, char *, size_t, char *,
		    size_t);

/* The key: 16 bytes in base64 (RFC 6455, 4.2.1). */
static int
key_ok(const struct slice *k)
{
	unsigned char	 bin[KEY_BYTES];
	size_t		 n;

	return (k->len == WS_KEY_LEN &&
	    sodium_base642bin(bin, sizeof(bin), k->s, k->len, NULL, &n, NULL,
	    sodium_base64_VARIANT_ORIGINAL) == 0 && n == KEY_BYTES);
}

int
upgrade_check(const struct httphead *h)
{
	const struct slice	*key, *version;

	if (h->method != HTTP_GET || !(h->flags & HTTPHEAD_UPGRADE) ||
	    !httphead_has_token(h, "Upgrade", "websocket"))
		return (400);
	version = httphead_get(h, "Sec-WebSocket-Version");
	if (version == NULL || !slice_eq(version, "13"))
		return (400);
	key = httphead_get(h, "Sec-WebSocket-Key");
	if (key == NULL || !key_ok(key))
		return (400);
	return (0);
}

int
upgrade_no_origin(const struct httphead *h)
{
	const struct slice	*origin = httphead_get(h, "Origin");

	return (origin == NULL || origin->len == 0 ? 0 : 403);
}

const char *
upgrade_key(const struct httphead *h)
{
	return (httphead_get(h, "Sec-WebSocket-Key")->s);
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return (c - '0');
	c |= 0x20;
	if (c >= 'a' && c <= 'f')
		return (c - 'a' + 10);
	return (-1);
}

/*
 * Decode one name or value of a query. Returns its length, or -1 for a bad
 * escape, a NUL, or no room.
 */
static int
decode(const char *s, size_t len, char *out, size_t size)
{
	size_t		 i, n = 0;
	int		 hi, lo;
	char		 c;

	for (i = 0; i < len; i++) {
		c = s[i];
		if (c == '+') {
			c = ' ';
		} else if (c == '%') {
			if (len - i < 3 || (hi = hex_value(s[i + 1])) == -1 ||
			    (lo = hex_value(s[i + 2])) == -1)
				return (-1);
			c = hi << 4 | lo;
			i += 2;
		}
		if (c == '\0' || n + 1 >= size)
			return (-1);
		out[n++] = c;
	}
	out[n] = '\0';
	return (n);
}

/*
 * A name that does not decode, or is longer than any we ask for, is somebody
 * else's. It must not hide one of ours, so names are decoded too: `node%5Fid`
 * is node_id to the reference.
 */
int
upgrade_query_get(const struct slice *query, const char *name, char *out,
    size_t size)
{
	const char	*s = query->s, *end, *amp, *eq;
	char		 got[64];
	int		 n;

	if (query->len == 0)
		return (UPGRADE_Q_NONE);
	end = s + query->len;
	while (s < end) {
		if ((amp = memchr(s, '&', end - s)) == NULL)
			amp = end;
		if ((eq = memchr(s, '=', amp - s)) == NULL)
			eq = amp;
		if (decode(s, eq - s, got, sizeof(got)) != -1 &&
		    strcmp(got, name) == 0) {
			if (eq < amp)
				eq++;
			n = decode(eq, amp - eq, out, size);
			return (n == -1 ? UPGRADE_Q_BAD : n);
		}
		s = amp + 1;
	}
	return (UPGRADE_Q_NONE);
}

int
upgrade_node_id(const struct httphead *h, char node[UPGRADE_NODE_SIZE])
{
	int		 n;

	n = upgrade_query_get(&h->query, "node_id", node, UPGRADE_NODE_SIZE);
	if (n == UPGRADE_Q_NONE)
		node[0] = '\0';
	if (n == UPGRADE_Q_BAD || strspn(node, "0123456789") != strlen(node)) {
		node[0] = '\0';
		return (400);
	}
	return (0);
}

/* Split `len` decoded bytes at the first colon. */
static enum upgrade_auth
split_basic(char *text, size_t len, char *key, size_t keysize, char *secret,
    size_t secretsize)
{
	char		*colon;
	size_t		 klen, slen;

	if ((colon = memchr(text, ':', len)) == NULL)
		return (UPGRADE_AUTH_CREDENTIALS);
	klen = colon - text;
	slen = len - klen - 1;
	if (memchr(text, '\0', len) != NULL || klen >= keysize ||
	    slen >= secretsize)
		return (UPGRADE_AUTH_INVALID);
	memcpy(key, text, klen);
	key[klen] = '\0';
	memcpy(secret, colon + 1, slen);
	secret[slen] = '\0';
	return (UPGRADE_AUTH_OK);
}

enum upgrade_auth
upgrade_basic(const struct httphead *h, char *key, size_t keysize,
    char *secret, size_t secretsize)
{
	const struct slice	*a = httphead_get(h, "Authorization");
	char			 text[BASIC_MAX];
	size_t			 plen = sizeof(BASIC) - 1, len;
	enum upgrade_auth	 rv;

	sodium_memzero(key, keysize);
	sodium_memzero(secret, secretsize);
	if (a == NULL || a->len == 0)
		return (UPGRADE_AUTH_REQUIRED);
	if (a->len < plen || memcmp(a->s, BASIC, plen) != 0)
		return (UPGRADE_AUTH_FORMAT);
	if ((a->len - plen) / 4 * 3 > sizeof(text))
		return (UPGRADE_AUTH_INVALID);
	if (sodium_base642bin((unsigned char *)text, sizeof(text), a->s + plen,
	    a->len - plen, NULL, &len, NULL,
	    sodium_base64_VARIANT_ORIGINAL) != 0)
		rv = UPGRADE_AUTH_ENCODING;
	else
		rv = split_basic(text, len, key, keysize, secret, secretsize);
	sodium_memzero(text, sizeof(text));
	return (rv);
}

const char *
upgrade_auth_message(enum upgrade_auth auth)
{
	switch (auth) {
	case UPGRADE_AUTH_OK:
		break;
	case UPGRADE_AUTH_REQUIRED:
		return ("authentication required");
	case UPGRADE_AUTH_FORMAT:
		return ("invalid authentication format");
	case UPGRADE_AUTH_ENCODING:
		return ("invalid authentication encoding");
	case UPGRADE_AUTH_CREDENTIALS:
		return ("invalid credentials format");
	case UPGRADE_AUTH_INVALID:
		return ("invalid system credentials");
	}
	return (NULL);
}
