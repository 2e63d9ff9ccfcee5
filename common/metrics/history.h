/* SPDX-License-Identifier: ISC */
#ifndef METRIC_HISTORY_H
#define METRIC_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "table.h"

/*
 * The last hour of some numbers (history.def), for who shows it. Pure. The
 * pages are what their owners say: a process that lies is believed about what
 * it counts itself, and about nothing else.
 */
#define HISTORY_S	60	/* between two looks */
#define HISTORY_LOOKS	61	/* an hour, and the look before its first minute */

#define N(name, sums)	HISTORY_##name,
#define T(name, sums)	HISTORY_##name,
#define SUM(ROLE, FIRST, LAST)
enum history_series {
#include "history.def"
	HISTORY_SERIES
};
#undef N
#undef T
#undef SUM

/* What was seen at one moment; wall clock, ms. */
struct history_look {
	int64_t		at;
	uint64_t	n[HISTORY_SERIES];
};

/* All zero: nothing has been seen. */
struct history {
	struct history_look	look[HISTORY_LOOKS];	/* a ring */
	unsigned		first, count;
};

const char	*history_name(unsigned series);
/* Is it told as how many more there are? */
int		 history_grows(unsigned series);

/* What the pages say now. */
void	history_see(struct history_look *, const struct metric_pages *,
	    int64_t at);
/* Keep it; the oldest goes when there is no room. */
void	history_keep(struct history *, const struct history_look *);
/* The i-th, the oldest is 0; NULL behind the newest. */
const struct history_look	*history_at(const struct history *, unsigned i);
/*
 * What a series says at `look`, `before` is the look before it. Of what grows
 * how many more there are; none if the number is smaller now: its owner lies.
 */
uint64_t	history_value(const struct history_look *before,
		    const struct history_look *look, unsigned series);

#endif
