/* SPDX-License-Identifier: ISC */
/*
 * What one member of a cluster passes on: no bytes are taken for a header of
 * another member's, nor is a real one with anything changed; a real one is,
 * once.
 */
#include <sodium.h>

#include "authd/cred/peerhead.h"
#include "authd/cred/shared.h"
#include "fuzz.h"

#define NOW	1700000000000LL
#define SECRET	"0123456789abcdef0123456789abcdef"

/* The rest of the input is laid over a real header. */
static void
changed(const uint8_t *data, size_t len)
{
	static int64_t	now = NOW;
	struct peerhead	ph = { .flags = data[0] & LISTEN_ALONG }, got;
	uint8_t		head[PEER_HEAD_MAX], bent[PEER_HEAD_MAX];
	long		n;
	size_t		i;

	now += 10;
	if (addr_parse(&ph.client, "192.0.2.1", 9) == -1 ||
	    (n = peerhead_make(head, &ph, "b", now)) == -1)
		abort();
	memcpy(bent, head, (size_t)n);
	for (i = 1; i < len && i <= (size_t)n; i++)
		bent[i - 1] ^= data[i];
	if (memcmp(bent, head, (size_t)n) != 0 &&
	    peerhead_check(&got, bent, (size_t)n, "b", now, now) == NULL)
		abort();
	if (peerhead_check(&got, head, (size_t)n, "c", now, now) == NULL ||
	    peerhead_check(&got, head, (size_t)n, "b", now, now) != NULL ||
	    got.flags != ph.flags ||
	    peerhead_check(&got, head, (size_t)n, "b", now, now) == NULL)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static int	begun;
	struct peerhead	ph;

	if (!begun) {
		if (sodium_init() == -1 || shared_set(SHARED_CLUSTER, SECRET,
		    strlen(SECRET)) == -1)
			abort();
		begun = 1;
	}
	if (len > PEER_HEAD_MAX)
		return (0);
	if (peerhead_check(&ph, data, len, "b", NOW, NOW) == NULL)
		abort();
	if (len > 0)
		changed(data, len);
	return (0);
}
