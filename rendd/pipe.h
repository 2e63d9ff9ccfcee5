/* SPDX-License-Identifier: ISC */
#ifndef PIPE_H
#define PIPE_H

#include <stddef.h>
#include <stdint.h>

#include "ws/ws.h"

/*
 * Bytes on their way from one peer to the other: read here, unmasked and framed
 * anew in place, written from here. What cannot be written at once stays, and
 * nothing more is read: a direction holds one of these at most.
 */
#define PIPE_SIZE	(256 * 1024)	/* of what is read; D1, D9 */
#define PIPE_SPARE	(64 * 1024 + 64)	/* resume.h: and a read */

struct pipe {
	size_t	off, len;	/* frames that are to be written */
	uint8_t	data[WS_PASS_ROOM + PIPE_SIZE + PIPE_SPARE];
};

/*
 * An empty one, or NULL: out of memory. The last that was given back is next.
 */
struct pipe	*pipe_get(void);
/* NULL is allowed. */
void		 pipe_put(struct pipe *);
/*
 * Where to read to, behind what is there already (from its start), and how
 * much.
 */
uint8_t		*pipe_tail(struct pipe *, size_t *room);

#endif
