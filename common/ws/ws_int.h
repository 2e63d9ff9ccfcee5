/* SPDX-License-Identifier: ISC */
#ifndef WS_INT_H
#define WS_INT_H

#include <stddef.h>
#include <stdint.h>

/* Between the files of the codec; nobody else includes this. */

/*
 * XOR `len` bytes from `src` with the key, beginning at key byte `phase` (0 to
 * 3), to `dst`, which is `src` itself or lies before it, overlapping or not.
 */
void	ws_mask_move(uint8_t *dst, const uint8_t *src, size_t len,
	    const uint8_t key[4], unsigned int phase);

/*
 * Check UTF-8 that comes in pieces. All three are 0 at the start; *need is how
 * many bytes the last character lacks, so 0 again at a character's end.
 * Returns 0, or -1 when it can no longer become well-formed.
 */
int	ws_utf8_feed(const uint8_t *, size_t len, uint8_t *need, uint8_t *lo,
	    uint8_t *hi);

#endif
