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

/* Before the first connection; `ask` is that of pair_ops. */
void	caller_init(int (*ask)(uint64_t, const uint8_t *, int));
/* One more (taken), the bytes that were read of it, its 101's accept value. */
void	caller_new(int fd, const char *addr, const char *accept,
	    const uint8_t *, size_t len);
/* At the end of a turn: write, and let go of what is over. */
void	caller_turn(void);
/*
 * Who is here is to go, with 1001: who waits at once, who has met somebody when
 * that is over. Who comes later stays.
 */
void	caller_leave(void);
/* Say 1001 to all, and exit when they have gone, or soon. */
void	caller_stop(void);
size_t	caller_count(void);

#endif
