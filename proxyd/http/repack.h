/* SPDX-License-Identifier: ISC */
#ifndef REPACK_H
#define REPACK_H

#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#include "http/head.h"
#include "rewrite.h"

/*
 * A whole body, as it came from the service, taken out of its chunks, unpacked
 * and rewritten; and the result packed again. In steps, so that nobody else
 * waits for it. Pure: no I/O; zlib's memory is all it allocates.
 */

#define REPACK_WINDOW	(64 * 1024)

struct repack {
	const struct rewrite	*map;
	const char		*in;		/* the body, not used yet */
	size_t			 in_len;
	int			 chunked, gzip;
	struct httphead_chunk	 chunk;
	struct slice		 run;		/* content, packed or not */
	z_stream		 z;
	int			 over;		/* its content is all there */
	size_t			 spent;		/* effort so far */
	size_t			 content;	/* bytes of it so far */
	size_t			 from, have;	/* of the window */
	char			 window[REWRITE_BEHIND + REWRITE_AHEAD +
				    REPACK_WINDOW];
};

/*
 * Begin; map and `in` stay where they are. Returns 0, or -1: out of memory;
 * repack_end() has to follow a 0.
 */
struct repack_body {
	const char	*in;
	size_t		 len;
	int		 chunked, gzip;
};
int	repack_begin(struct repack *, const struct rewrite *,
	    const struct repack_body *);
/*
 * Go on for about so much effort, or as long as `o` has room. A byte of content
 * is an effort of 1, one that is unpacked costs more, for it may yield nothing.
 * 1: there is more; 0: done; -1: it is longer than REWRITE_MAX, or no whole
 * gzip, or its chunks are broken.
 */
int	repack_run(struct repack *, size_t effort, struct rewrite_out *o);
void	repack_end(struct repack *);

/* Packing. */
struct pack {
	z_stream	 z;
	char		*out;		/* the caller's */
	size_t		 len, cap;	/* cap may grow between calls */
};
int	pack_begin(struct pack *);
/*
 * Pack these bytes; `last`: all that is left, and the end. 1: all taken (and
 * out), 0: it needs more room, call again with what is left in *in, -1: error.
 */
int	pack_add(struct pack *, const char **in, size_t *len, int last);
void	pack_end(struct pack *);

#endif
