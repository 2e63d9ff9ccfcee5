/* SPDX-License-Identifier: ISC */
#ifndef OUT_H
#define OUT_H

#include <stddef.h>
#include <stdint.h>

/*
 * The one buffer in front of a tunnel's socket. Frames are built in place:
 * reserve, fill, commit. A few small frames fit into the struct; more makes a
 * big buffer, which is given back by out_trim() when idle.
 *
 * termd's buffers (termd/terminal.c) are another thing: they take copies, grow
 * as far as one frame needs, and forget at once what people type.
 */
#define OUT_SMALL	1024
#define OUT_BULK	(256 * 1024)	/* no more bulk data above this mark */
#define OUT_LOW		(64 * 1024)	/* paused streams resume below this */
#define OUT_BIG		(OUT_BULK + 128 * 1024)	/* room for control on top */

struct out {
	uint8_t		*buf;		/* `small`, or OUT_BIG bytes */
	size_t		 cap, head, tail;
	int		 wipes;		/* what is in it is secret */
	uint8_t		 small[OUT_SMALL];
};

void	out_init(struct out *);
/* Where `n` more bytes may be written, or NULL: no room or no memory. */
uint8_t	*out_reserve(struct out *, size_t n);
/* From now until it is empty: nothing of it stays here that has gone. */
void	out_wipes(struct out *);
/* `n` of the reserved bytes are filled. */
void	out_commit(struct out *, size_t n);
size_t	out_len(const struct out *);
/* The first `n` bytes, which begin at buf + head, are out. */
void	out_sent(struct out *, size_t n);
/* Give the big buffer back if nothing is in it. */
void	out_trim(struct out *);

#endif
