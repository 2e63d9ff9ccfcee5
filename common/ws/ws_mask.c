/* SPDX-License-Identifier: ISC */

/*
 * Masking (RFC 6455, 5.3) at the speed of memory. Every byte of bulk data that
 * a client sends passes here once, and on its way is moved to its place in the
 * stream, so there is one pass and not two.
 */

#include <string.h>

#include "ws.h"
#include "ws_int.h"

#define BLOCK	64

/*
 * One block. All of it is loaded before any of it is stored: that is what
 * makes an overlapping move towards the front right, and it lets the compiler
 * keep the block in vector registers.
 */
static inline void
mask_block(uint8_t *dst, const uint8_t *src, uint64_t k)
{
	uint64_t	 v[BLOCK / sizeof(k)];
	size_t		 i;

	memcpy(v, src, BLOCK);
	for (i = 0; i < BLOCK / sizeof(k); i++)
		v[i] ^= k;
	memcpy(dst, v, BLOCK);
}

void
ws_mask_move(uint8_t *dst, const uint8_t *src, size_t len,
    const uint8_t key[4], unsigned int phase)
{
	uint8_t		 rot[8];
	uint64_t	 k, v;
	unsigned int	 i;

	for (i = 0; i < sizeof(rot); i++)
		rot[i] = key[(phase + i) & 3];
	memcpy(&k, rot, sizeof(k));

	for (; len >= BLOCK; len -= BLOCK, src += BLOCK, dst += BLOCK)
		mask_block(dst, src, k);
	for (; len >= sizeof(v); len -= sizeof(v)) {
		memcpy(&v, src, sizeof(v));
		v ^= k;
		memcpy(dst, &v, sizeof(v));
		src += sizeof(v);
		dst += sizeof(v);
	}
	for (i = 0; i < len; i++)
		dst[i] = src[i] ^ rot[i];
}

void
ws_mask(uint8_t *buf, size_t len, const uint8_t key[4], size_t offset)
{
	ws_mask_move(buf, buf, len, key, offset & 3);
}
