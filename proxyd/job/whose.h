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

#endif
