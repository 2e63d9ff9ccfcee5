/* SPDX-License-Identifier: ISC */
/* What each question of ask.def finds in the database, now. */
#ifndef FIND_H
#define FIND_H

#include "authd/store/back.h"

/* Rows as they come; what a row may hold is wiped. */
struct rows {
	char	*v;
	size_t	 size, n, room;	/* bytes of one; rows; rows that fit */
	int	 failed;	/* there was no memory, or room, for one */
};

/*
 * Asks the database, and returns with all of it; within db_aside() others run
 * meanwhile. What `a` tells points into `rows`, which the caller frees; a->r is
 * 0, STORE_NONE, or -1 where the database or memory failed.
 */
void	find_rows(const struct question *, struct rows *, struct answer *a);

void	rows_wipe(struct rows *);

#endif
