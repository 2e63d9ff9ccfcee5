/* SPDX-License-Identifier: ISC */
#ifndef ROWS_H
#define ROWS_H

#include <stddef.h>

/* What output.c and fit.c share; nobody else includes this. */
struct row {
	size_t	  n, want;
	char	**cells;
	char	 *below;	/* a text below it; NULL: none */
};

/* The first one names the columns. */
struct rows {
	size_t		 n;
	struct row	*rows;
	size_t		 width;		/* of the screen, for texts below */
};

#endif
