/* SPDX-License-Identifier: ISC */
#ifndef ROWS_H
#define ROWS_H

#include <stddef.h>

/* What output.c and fit.c share; nobody else includes this. */
struct row {
	size_t	  n, want;
	char	**cells;
};

/* The first one names the columns. */
struct rows {
	size_t		 n;
	struct row	*rows;
};

#endif
