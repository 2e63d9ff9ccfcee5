/* SPDX-License-Identifier: ISC */
#ifndef FORWARD_H
#define FORWARD_H

#include "proxyd/door/conn.h"
#include "proxyd/door/route.h"

/*
 * Requests for what another member of a cluster has (several-daemons.md, 3):
 * they go there as they came, and the answer comes back as it is. What such a
 * member is given goes no further.
 */

/* What is done with one for which this is the right place. */
typedef void (*forward_here_fn)(struct conn *, const struct httphead *,
    enum route, const struct route_to *, const struct slice *host);

/*
 * Is it taken? 0: it is for here. 1: it is seen to; `here` is called if authd
 * says that this is the place.
 */
int	forward_begin(struct conn *, const struct httphead *, enum route,
	    const struct route_to *, const struct slice *host,
	    forward_here_fn here);

/*
 * To this member, who has the session of its host, or what its path leads to
 * (`led`): then it goes no further. The head, which is taken, is still at the
 * beginning of what has come, and nothing of the body is used.
 */
void	forward_to(struct conn *, struct httphead *, const char *member,
	    int led);

#endif
