/* SPDX-License-Identifier: ISC */
#ifndef WHOSE_H
#define WHOSE_H

#include "imsg/msg.h"
#include "proxyd/door/conn.h"
#include "proxyd/door/route.h"

/*
 * Of which session, recording, relay session or member of a cluster is a request, as
 * its host or its path says it? `id` gets its name, "" where the kind is all. 0, or
 * -1: of none.
 */
int	whose(const struct conn *, const struct httphead *, enum route,
	    const struct route_to *, enum forward_kind *kind,
	    char id[UUID_SIZE]);

/* The id of a session in a segment of a path, decoded: 0, or -1 and "". */
int	whose_id(const struct slice *, char id[UUID_SIZE]);
/* The same as its hosts have it: without dashes. */
void	whose_slug(const char id[UUID_SIZE], char slug[SLUG_SIZE]);

#endif
