/* SPDX-License-Identifier: ISC */
#ifndef BUF_H
#define BUF_H

#include <stddef.h>

/*
 * One direction's bytes on their way through: got when something is read, put
 * back as soon as everything has been written, so that an idle connection
 * holds none. The last ones put back are used first: they are still warm.
 */

/*
 * A quarter of the system calls of 64 KiB for a body that comes fast. A small
 * request touches the first page or two of it.
 */
#define BUF_SIZE	262144

struct buf {
	struct buf	*next;
	size_t		 off;		/* of the first byte not used */
	size_t		 len;		/* bytes not used */
	size_t		 secret;	/* from the first: to be wiped */
	char		 data[BUF_SIZE];
};

/* NULL when out of memory. */
struct buf	*buf_get(void);
/* Give back and clear the pointer; NULL inside is allowed. */
void		 buf_put(struct buf **);
/*
 * The first `n` bytes are a head, or a body of ours: they may hold credentials,
 * and are wiped when the buffer is given back, as is what nobody has used. What
 * else passes through is not: that would cost as much as passing it on.
 */
void		 buf_secret(struct buf *, size_t n);
/* The first `n` bytes are used. */
void		 buf_drop(struct buf *, size_t n);
/* Where more can be read to, and how much; may move the bytes. */
char		*buf_room(struct buf *, size_t *room);
/* The same for one whose bytes are pointed at: it moves none. */
char		*buf_tail(struct buf *, size_t *room);

#endif
