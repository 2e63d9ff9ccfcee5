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
 * Between two ends of ours, of which one waits on a channel that the other
 * takes when it has something: its first byte, which is no data, says so.
 */
/* The hello has come: for conn_join(), or conn_refuse(). */
typedef void	(*conn_called_fn)(void *);

/* As conn_start(), and says hello. */
struct conn	*conn_start_hello(int fd, conn_fn, void *);
/* Without anything local until it is called. */
struct conn	*conn_wait(conn_called_fn, conn_fn, void *);
/* Its socket, which is taken. */
void		 conn_join(struct conn *, int fd);
/* There is none; conn_fn follows. */
void		 conn_refuse(struct conn *);
/*
 * Begin; takes both descriptors (they may be the same, a socket). NULL: no
 * memory, and nothing was taken.
 */
struct conn	*conn_start(int in, int out, conn_fn, void *);

#endif
