/* SPDX-License-Identifier: ISC */
#ifndef CONN_H
#define CONN_H

#include "relay.h"

/*
 * One connection to a service: a ticket, a WebSocket, the bytes of a local pair
 * of descriptors. operator-api.md, 6.5. One buffer each way, and none is filled
 * before it is empty.
 */

/* Once, the descriptors are closed by then. `why` is for people, "" none. */
typedef void	(*conn_fn)(void *, enum ended, const char *why);

/*
 * Begin; takes both descriptors (they may be the same, a socket). NULL: no
 * memory, and nothing was taken.
 */
struct conn	*conn_start(int in, int out, conn_fn, void *);

#endif
