/* SPDX-License-Identifier: ISC */
#ifndef CONN_H
#define CONN_H

#include <stddef.h>
#include <stdint.h>

/*
 * The connections: WebSockets by wslay, around the core (pair.h), which is told
 * what comes and says what goes. All that one turn of the loop has to say to a
 * connection is written at its end.
 */

/* Before the first connection. */
void	conn_init(void);
/* One more (taken), the bytes that were read of it, its 101's accept value. */
void	conn_new(int fd, const char *addr, const char *accept,
	    const uint8_t *, size_t len);
/* At the end of a turn: write, and let go of what is over. */
void	conn_turn(void);
/* Say 1001 to all, and call proxy_exit when they have gone, or soon. */
void	conn_stop(void);
size_t	conn_count(void);

#endif
