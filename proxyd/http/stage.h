/* SPDX-License-Identifier: ISC */
#ifndef STAGE_H
#define STAGE_H

#include <sys/types.h>

#include "flow.h"
#include "http/head.h"

/*
 * What happens to the bytes of a response's body on their way: a chain of
 * stages, each a row of the table in stage.c with room for its state here.
 * flow.h counts before them how many bytes are the body's. Without a stage
 * they go as they came, from the buffer that they were read into. Pure.
 */

/* In the order in which they stand in a chain. */
enum stage_kind {
	STAGE_DECHUNK,		/* chunks away, the data stays */
	STAGE_RECHUNK,		/* the data in chunks of our own */
	STAGE_KINDS
};

struct stage {
	enum stage_kind		kind;
	struct httphead_chunk	chunk;		/* STAGE_DECHUNK */
	int			open;		/* STAGE_RECHUNK: behind data */
};

struct stages {
	struct stage	 stage[STAGE_KINDS];
	size_t		 n;
	int		 over;		/* the last byte has come out */
};

/* Some bytes of a body, and whether they are its last. They may be changed. */
struct piece {
	char	*p;
	size_t	 len;
	int	 last;
};

/* The chain that this response's body needs; `http10`: for such a browser. */
void	stages_begin(struct stages *, const struct httphead *, int http10);
/*
 * The answer's chunks went on as they came until now, and are odd (flow.h): from
 * here on they are made anew, and all that is there is ready. `whole`: nothing
 * has gone on yet; else all that was ready has.
 */
void	stages_anew(struct stages *, struct flow *, int whole);
/*
 * One round: `b` is what is there of the body, after it what came out: in the
 * same place, or in memory of a stage that is good until the next round.
 * Returns how many bytes were used, which the caller drops, or -1: malformed.
 * The rest, when a stage has no room for what it makes, is for another round,
 * as is a last piece until s->over.
 */
ssize_t	stages_run(struct stages *, struct piece *b);

#endif
