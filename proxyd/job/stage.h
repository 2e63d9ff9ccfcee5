/* SPDX-License-Identifier: ISC */
#ifndef STAGE_H
#define STAGE_H

#include <sys/types.h>

#include "http/head.h"

/*
 * What happens to the bytes of a response's body on their way: a chain of
 * stages, each a row in stage.c with room for its state here. Without one the
 * bytes go as they came, from the buffer that they were read into. Pure.
 */

#define STAGES_MAX	4

enum stage_kind {
	STAGE_DECHUNK		/* chunks away, the data stays */
};

struct stage {
	enum stage_kind		kind;
	struct httphead_chunk	chunk;
};

struct stages {
	struct stage	 stage[STAGES_MAX];
	size_t		 n;
};

void	stages_clear(struct stages *);
/* One more at the end. 0, or -1: there are too many. */
int	stages_add(struct stages *, enum stage_kind);
/*
 * Run `*len` body bytes at `p` through all of them; what comes out is left at
 * `p`, *len bytes of it. Returns how many bytes were used, which the caller
 * drops, or -1: malformed.
 */
ssize_t	stages_run(struct stages *, char *p, size_t *len);

#endif
