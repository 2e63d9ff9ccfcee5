/* SPDX-License-Identifier: ISC */
#ifndef TOPDATA_H
#define TOPDATA_H

#include <stddef.h>
#include <stdint.h>

#include "output.h"

/*
 * What `relayctl top` knows: the last answers of relayd, and what has changed
 * since those before. Pure code.
 */

/* Numbers of `show metrics`; of those with a rate it is per second. */
enum top_number {
	TOP_UP, TOP_DOWN, TOP_TUNNELS, TOP_HANDSHAKES, TOP_TERMINALS, TOP_TCPS,
	TOP_STREAMS, TOP_STARTED, TOP_LOGINS, TOP_REFUSED, TOP_OPENS,
	TOP_REQUESTS, TOP_NUMBERS
};

#define TOP_ROLES	16
struct top_role {
	char	name[16];
	double	count, cpu, memory, fds;	/* cpu: seconds in all */
	double	share;				/* of a processor, percent */
};

/* Orders of the tunnels. */
enum top_sort { TOP_BY_RATE, TOP_BY_STREAMS, TOP_BY_SYSTEM, TOP_BY_AGE,
	TOP_SORTS };

struct top {
	uint64_t	 at_ms;		/* of these numbers; 0: none yet */
	double		 is[TOP_NUMBERS], rate[TOP_NUMBERS];
	struct top_role	 roles[TOP_ROLES];
	size_t		 nroles;
	double		 bytes_in, bytes_out;	/* of all tunnels, per s */
	struct rows	*tunnels, *streams;	/* answers; NULL: none yet */
};

/* `show metrics`, as it was answered at `ms` of a clock that only grows. */
void	top_metrics(struct top *, const struct rows *, uint64_t ms);
/* `show tunnels` and `show streams`: the rows are the top's from now on. */
void	top_tunnels(struct top *, struct rows *);
void	top_streams(struct top *, struct rows *);

/*
 * The first `most` tunnels in an order, and the first of the streams, the
 * newest first; each with a header, for rows_fit(). NULL: out of memory.
 */
struct rows	*top_tunnel_rows(const struct top *, enum top_sort,
		    size_t most);
struct rows	*top_stream_rows(const struct top *, size_t most);
struct rows	*top_role_rows(const struct top *);
const char	*top_sort_name(enum top_sort);

#endif
