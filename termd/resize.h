/* SPDX-License-Identifier: ISC */
#ifndef RESIZE_H
#define RESIZE_H

#include <stddef.h>
#include <stdint.h>

/*
 * A browser's resize message, made harmless: what goes on has both sizes, each
 * from 1 to RESIZE_SIZE_MAX, and nothing else. A client that keeps 16 bits of
 * each would take 99,999 columns for 34,463. tunnel-protocol.md, 5.3.
 */
#define RESIZE_SIZE_MAX	1000
#define RESIZE_TEXT	32	/* bytes that the result has at most */

/*
 * `text` is the message without its type. Returns the length of `out`; 0: it is
 * no flat object with both sizes over 0, and of no effect.
 */
size_t	resize_clamp(const uint8_t *text, size_t len, char out[RESIZE_TEXT]);

#endif
