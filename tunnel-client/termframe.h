/* SPDX-License-Identifier: ISC */
#ifndef TERMFRAME_H
#define TERMFRAME_H

#include <stddef.h>
#include <stdint.h>

/*
 * The frames of a terminal's stream, from the server: length, type, payload.
 * Pure. tunnel-protocol.md, 5.3.
 */

#define TERM_FRAME_MAX	1048576		/* from the server */
#define TERM_SEND_MAX	65536		/* to the server */
#define TERM_HEADER	5		/* length and type */
#define TERM_RESIZE_MAX	256		/* of a resize's text */
#define TERM_SIZE_MAX	1000		/* rows and columns: more is this many */

enum { TERM_DATA = 0, TERM_RESIZE = 1, TERM_STATUS = 4 };

struct termframe {
	uint8_t		hdr[TERM_HEADER];
	size_t		have;		/* of the header */
	uint32_t	left;		/* of the payload, after the type */
	char		text[TERM_RESIZE_MAX + 1];
	size_t		text_len;
	int		cols, rows;	/* after TERMFRAME_RESIZE */
};

enum termframe_event {
	TERMFRAME_MORE,			/* used up, nothing to do */
	TERMFRAME_DATA,			/* *data, *data_len for the terminal */
	TERMFRAME_RESIZED,		/* cols and rows are set */
	TERMFRAME_BAD = -1		/* over the limit */
};

/*
 * Look at `len` bytes, len > 0: `*used` of them (at least one, save when BAD)
 * were taken; call again with the rest. Data is given out as it comes, in
 * pieces inside of `p`. Empty frames, unknown types and resizes that make no
 * sense are passed over.
 */
enum termframe_event	termframe_next(struct termframe *, const uint8_t *p,
	    size_t len, size_t *used, const uint8_t **data, size_t *data_len);

/* The header before `len` bytes of output, len < TERM_SEND_MAX. */
void	termframe_header(uint8_t out[TERM_HEADER], size_t len);
/* A frame that says how the shell ended, as waitpid() has it: its length. */
#define TERM_STATUS_MAX	32
size_t	termframe_status(uint8_t out[TERM_STATUS_MAX], int status);

#endif
