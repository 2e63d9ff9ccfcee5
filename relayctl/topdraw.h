/* SPDX-License-Identifier: ISC */
#ifndef TOPDRAW_H
#define TOPDRAW_H

#include "topdata.h"

enum top_style { TOP_PLAIN, TOP_HEAD };

struct top_view {
	size_t		 lines, columns;	/* 0: as many as it takes */
	enum top_sort	 sort;
	unsigned	 seconds;		/* between two looks */
	int		 stopped;
	char		 note[160];		/* what relayd could not say */
};

/*
 * Lines from the first to the last: no more, and none longer, than the view
 * has. Nothing in them moves a cursor. Pure code. -1: out of memory.
 */
typedef void (*top_line_fn)(enum top_style, const char *);
int	top_draw(const struct top *, const struct top_view *, int64_t now,
	    top_line_fn);

#endif
