/* SPDX-License-Identifier: ISC */
#ifndef WAY_H
#define WAY_H

#include "net/net.h"
#include "relay.h"

/*
 * The way into the session: a ticket, and with it a WebSocket, over the same
 * connection if it may be used again. operator-api.md, 6.
 */
struct way;

/*
 * Called once; the way is gone afterwards. ENDED_WELL: the WebSocket is open,
 * *s is the caller's if he takes it (and sets its fd to -1), and `len` bytes
 * have come behind the answer. Else `why`,
 * for people.
 */
typedef void	(*way_fn)(void *, enum ended, struct sock *s,
		    const char *early, size_t len, const char *why);

/*
 * To the service (borrowed), NULL is the terminal. The call-back is always a
 * later one. NULL: no memory.
 */
struct way	*way_start(const char *service, way_fn, void *);
/* The same to a terminal that one has, by its number (borrowed). */
struct way	*way_back(const char *terminal, way_fn, void *);
void		 way_cancel(struct way *);

#endif
