/* SPDX-License-Identifier: ISC */
#ifndef CONN_H
#define CONN_H

/*
 * One connection to a service: a ticket, a WebSocket, the bytes of a local pair
 * of descriptors. operator-api.md, 6.5. One buffer each way, and none is filled
 * before it is empty.
 */

enum conn_end {
	CONN_DONE,		/* both sides have said all */
	CONN_REFUSED,		/* by the server, or the service is not there */
	CONN_UNREACHED,		/* no way to the server */
	CONN_LOST		/* it broke off: what came may be cut */
};

/* Once, the descriptors are closed by then. `why` is for people, "" none. */
typedef void	(*conn_fn)(void *, enum conn_end, const char *why);

/*
 * Begin; takes both descriptors (they may be the same, a socket). NULL: no
 * memory, and nothing was taken.
 */
struct conn	*conn_start(int in, int out, conn_fn, void *);

#endif
