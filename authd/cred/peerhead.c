/* SPDX-License-Identifier: ISC */
#include <openssl/crypto.h>
#include <sodium.h>

#include <string.h>

#include "authd/cred/seen.h"
#include "authd/cred/shared.h"
#include "net/proxyhead.h"
#include "peerhead.h"

#define FORM		1	/* of our vector */
#define NONCE_LEN	16
#define MAC_LEN		32
#define OURS_LEN	(1 + 4 + 8 + NONCE_LEN + MAC_LEN)
#define FIXED_LEN	16	/* proxy-protocol.txt, 2.2 */
#define ADDRS_LEN	(2 * 16 + 4)
#define HEAD_LEN	(FIXED_LEN + ADDRS_LEN + 3 + OURS_LEN)
#define NAME_LEN	(MEMBER_SIZE - 1)
#define SEEN		65536	/* that could be here once more */

static const uint8_t	begin[FIXED_LEN] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00,
    0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, 0x21, 0x21, 0,
    HEAD_LEN - FIXED_LEN };

static void
put(uint8_t *p, uint64_t v, size_t n)
{
	while (n-- > 0) {
		p[n] = (uint8_t)v;
		v >>= 8;
	}
}

static uint64_t
get(const uint8_t *p, size_t n)
{
	uint64_t	v = 0;

	while (n-- > 0)
		v = v << 8 | *p++;
	return (v);
}

/* Of the header with zeroes where it is, for that member. 0 or -1. */
static int
mac_of(const uint8_t *head, const char *member, char hex[SHARED_MAC_SIZE])
{
	uint8_t	text[HEAD_LEN + NAME_LEN] = { 0 };
	size_t	n = strlen(member);

	memcpy(text, head, HEAD_LEN - MAC_LEN);
	memcpy(text + HEAD_LEN, member, n < NAME_LEN ? n : NAME_LEN);
	return (shared_sign(SHARED_CLUSTER, (const char *)text, sizeof(text),
	    hex));
}

long
peerhead_make(uint8_t out[PEER_HEAD_MAX], const struct peerhead *ph,
    const char *member, int64_t now)
{
	uint8_t	*p = out;
	char	 mac[SHARED_MAC_SIZE];

	memset(out, 0, HEAD_LEN);
	memcpy(p, begin, FIXED_LEN);
	p += FIXED_LEN;
	memcpy(p, ph->client.b, 16);	/* the rest of them is unspecified */
	p += ADDRS_LEN;
	p[0] = PROXYHEAD_OURS;
	p[2] = OURS_LEN;
	p[3] = FORM;
	put(p + 4, ph->flags, 4);
	put(p + 8, (uint64_t)now, 8);
	randombytes_buf(p + 16, NONCE_LEN);
	if (mac_of(out, member, mac) == -1 || sodium_hex2bin(p + 16 +
	    NONCE_LEN, MAC_LEN, mac, SHARED_MAC_SIZE - 1, NULL, NULL, NULL) !=
	    0)
		return (-1);
	return (HEAD_LEN);
}

/* Has this nonce been here? It has from now on. */
static int
was_here(const uint8_t *nonce, int64_t at)
{
	static struct seen	*s;
	char			 id[SEEN_ID_SIZE];

	if (s == NULL && (s = seen_new(SEEN)) == NULL)
		return (1);
	sodium_bin2hex(id, sizeof(id), nonce, NONCE_LEN);
	return (seen_before(s, id, at));
}

const char *
peerhead_check(struct peerhead *ph, const uint8_t *b, size_t len,
    const char *self, int64_t now, int64_t since)
{
	struct proxyhead	 h;
	const char		*why;
	char			 mac[SHARED_MAC_SIZE], right[SHARED_MAC_SIZE];
	int64_t			 at, age;

	/* One form only: nothing can stand where nobody looks. */
	if (len != HEAD_LEN || memcmp(b, begin, sizeof(begin)) != 0 ||
	    proxyhead_parse(&h, b, len, &why) != HEAD_LEN ||
	    h.of != PROXYHEAD_CLIENT || h.ours == NULL ||
	    h.ours_len != OURS_LEN || h.ours[0] != FORM)
		return ("no header of a member");
	sodium_bin2hex(mac, sizeof(mac), h.ours + OURS_LEN - MAC_LEN,
	    MAC_LEN);
	if (mac_of(b, self, right) == -1 ||
	    CRYPTO_memcmp(mac, right, sizeof(mac)) != 0)
		return ("a header for somebody else, or under another secret");
	at = (int64_t)get(h.ours + 5, 8);
	age = now - at;
	if (age > PEERHEAD_AGE_MS || age < -PEERHEAD_AGE_MS)
		return ("a header that is too old, or of the future");
	/* Which ones were here before that nobody remembers. */
	if (at < since - PEERHEAD_SLACK_MS)
		return ("a header from before we began");
	if (was_here(h.ours + 13, at))
		return ("a header that was here before");
	ph->client = h.client;
	ph->flags = (uint32_t)get(h.ours + 1, 4);
	if (ph->flags & ~(uint32_t)LISTEN_ALONG)
		return ("a header with flags that no listener has");
	return (NULL);
}
