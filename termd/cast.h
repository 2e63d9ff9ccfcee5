/* SPDX-License-Identifier: ISC */
#ifndef CAST_H
#define CAST_H

#include <stddef.h>
#include <stdint.h>

/*
 * A terminal's output as lines of asciicast v2, behind the header line:
 * [seconds,"o","text"] for output, [seconds,"r","80x24"] for a new size.
 * Whatever the bytes are, a line is valid JSON in UTF-8 without control
 * characters: bytes that are no UTF-8 become U+FFFD as in a browser, and a
 * character that comes in pieces is held until it is whole. Pure.
 */
#define CAST_SIZE	65536

struct cast {
	size_t	len;		/* of `buf`; whole lines after cast_close() */
	int	open;		/* the last line is not closed */
	/* a character that has begun */
	uint8_t	held[4], nheld, need, low, high;
	uint8_t	buf[CAST_SIZE];
};

/*
 * Add output at `ms` after the beginning. Returns how many bytes were taken:
 * fewer than `n`, at least one into an empty buffer, when there is no more
 * room.
 */
size_t	cast_output(struct cast *, uint64_t ms, const uint8_t *p, size_t n);
/* A new size: 0, or -1: no room. */
int	cast_resize(struct cast *, uint64_t ms, unsigned cols, unsigned rows);
/*
 * No more is coming: a character that has only begun is none. As cast_output.
 */
int	cast_finish(struct cast *, uint64_t ms);
/* End the line that is open: `buf` can be written, then `len` set to 0. */
void	cast_close(struct cast *);

#endif
