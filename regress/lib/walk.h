/* SPDX-License-Identifier: ISC */
#ifndef WALK_H
#define WALK_H

#include <stddef.h>
#include <stdint.h>

#include "imsg/imsg.h"
#include "imsg/msg.h"

/*
 * The walk over any dispatch table: each row's message as it may be, and bent
 * in every way that does not fit the row. What was said then, and to whom, is
 * the test's: it may skip a bend that its receiver cannot be brought to.
 */
enum bend {
	BEND_LEAST, BEND_MOST,	/* these are fine */
	BEND_TWICE,		/* fine, unless MF_ONCE: `least`, two times */
	BEND_ROLE,		/* from a role that no row of the type names */
	BEND_STATE,		/* in a state that the row does not name */
	BEND_SHORT, BEND_LONG,	/* a byte below, above */
	BEND_LEFT,		/* the least, and a byte left over */
	BEND_FD, BEND_NO_FD,	/* a descriptor too many, none */
	BEND_NO_ID,
	BENDS
};

struct bent {
	enum bend	 how;
	const char	*word;		/* "a byte short" */
	int		 role, state;	/* of whom it is to come */
	uint32_t	 id;
	size_t		 len;		/* bytes of fields */
	int		 fd;		/* is there one? */
};

typedef void (*walk_fn)(const struct dispatch *, const struct bent *);

void	walk_table(const struct dispatch *, size_t rows, walk_fn);
/* Say it to a socket, all fields zero; `fd` goes with it or is closed. */
void	walk_say(int sock, const struct dispatch *, const struct bent *,
	    int fd);

#endif
