/* SPDX-License-Identifier: ISC */
#ifndef FLOW_H
#define FLOW_H

#include <stddef.h>
#include <stdint.h>

#include "http/head.h"

/* How far a body is, one direction at a time. Pure. */

enum flow_kind { FLOW_NONE, FLOW_LENGTH, FLOW_CHUNKED, FLOW_TO_CLOSE };

struct flow {
	enum flow_kind		kind;
	int			done;	/* its last byte is known */
	uint64_t		left;	/* FLOW_LENGTH: bytes to come */
	size_t			ready;	/* bytes in the buffer that may go */
	/*
	 * Set before, for lenient chunks that go on as they came: chunk.loose
	 * bytes behind the ready ones stay where they are.
	 */
	int			raw;
	struct httphead_chunk	chunk;
};

/* Begin the body that a head announces (flags HTTPHEAD_*). */
void	flow_begin(struct flow *, const struct httphead *);
/* Begin bytes without an end of their own. */
void	flow_open(struct flow *);
/*
 * `len` new bytes have come. Those that belong to the body are added to
 * flow->ready. Returns 0, or -1 when the framing is broken.
 */
int	flow_feed(struct flow *, const char *p, size_t len);
/*
 * The same for the last *len bytes of a buffer. They lose what trailers a
 * chunked body has: *len is then less, and the buffer ends there.
 */
int	flow_feed_bare(struct flow *, char *p, size_t *len);
/* No more will come: returns f->done, which it may set. */
int	flow_ended(struct flow *);
/* May what is loose not go on as it came? */
#define flow_is_odd(f)	((f)->raw && (f)->chunk.odd)
/* `n` ready bytes have been passed on. */
static inline void
flow_sent(struct flow *f, size_t n)
{
	f->ready -= n;
}

/* Everything is passed on. */
static inline int
flow_over(const struct flow *f)
{
	return (f->done && f->ready == 0);
}

#endif
