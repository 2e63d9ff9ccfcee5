/* SPDX-License-Identifier: ISC */
#ifndef UNHELD_H
#define UNHELD_H

#include "authd/store/store.h"

enum unheld {
	UNHELD_STORE = -1,	/* the store did not take it, or cannot say */
	UNHELD_OVER,		/* it is over */
	UNHELD_HELD,		/* it is open: somebody has it, or has it again */
};

/* Nobody has it, as its row says, or we had it before our start. */
int	unheld_is(const struct session_row *);
/*
 * An operator closes a session that is in the store and not in memory, and
 * unheld_is(): of a cluster, one whose client is in grace and may come to any
 * member. `then` runs once, later. What another member has taken meanwhile is
 * not closed. -1: no memory, `then` will not run. several-daemons.md, 2.
 */
int	unheld_close(const struct session_row *, int64_t now,
	    void (*then)(void *arg, enum unheld), void *arg);

#endif
