/* SPDX-License-Identifier: ISC */
#ifndef TICKET_H
#define TICKET_H

#include "authd/cred/jwt.h"
#include "env.h"

/*
 * Tickets: 32 random bytes, of which only the hash is kept; good once (also for
 * an attempt that fails), for half a minute, for one service of one session: a
 * terminal's is SERVICE_TERMINAL, which no table of services has.
 * operator-api.md, 6.1. authd/msg/issue.c makes and reads them.
 */

void	ticket_init(void);
/*
 * Keep one. `stream` is that of the terminal that its operator comes back to,
 * 0: a new one. 0; -1: too many wait, or no memory.
 */
int	ticket_new(const char hash[HEX64_SIZE], const struct operator *,
	    const char *session, const char *service, uint64_t stream,
	    const struct now *);
/* Use it up. 0 and who asked for it and for what; -1: there is none. */
int	ticket_take(const char hash[HEX64_SIZE], struct operator *,
	    char session[UUID_SIZE], char service[SERVICE_SIZE],
	    uint64_t *stream, const struct now *);
/* Is there one for this session that may still be used? */
int	ticket_waits(const char *session, const struct now *);
/* The session is over: its tickets are void. */
void	ticket_end_session(const char *session);
unsigned ticket_count(void);
/* Forget all, for the end of a test. */
void	ticket_clear(void);

#endif
