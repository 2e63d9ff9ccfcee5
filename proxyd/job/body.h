/* SPDX-License-Identifier: ISC */
#ifndef PROXYD_BODY_H
#define PROXYD_BODY_H

#include <stddef.h>
#include <stdint.h>

#include "http/head.h"

struct conn;

/*
 * The body of a request that is to be here whole, as it comes in: in one piece
 * with its length before it, or in chunks (RFC 9112, 6 and 7.1).
 */
struct body {
	int			 chunked;
	uint64_t		 left;		/* not in chunks: to come */
	struct httphead_chunk	 chunk;
	char			*text;		/* what has come, ours */
	size_t			 len;
};

/* One that is to come: `left` bytes, or in chunks. */
void	body_begin(struct body *, int chunked, uint64_t left);
/* Has all of it come along with the head, which is dropped? Takes nothing. */
int	body_is_here(const struct conn *, const struct body *);
/*
 * Take what has come of it. 1: it is whole; 0: more is to come; -1: answered,
 * it is malformed, ends too early, is longer than `most`, or there is no room
 * for it beside the others.
 */
int	body_read(struct conn *, struct body *, size_t most);
/* Free and zero what has come. */
void	body_clear(struct body *);

#endif
