/* SPDX-License-Identifier: ISC */
#ifndef TICKET_H
#define TICKET_H

#include "authd/cred/jwt.h"
#include "imsg/msg.h"

/*
 * Terminal tickets: 32 random bytes, of which only the hash is kept; good once
 * (also for an attempt that fails), for half a minute, for one session.
 * operator-api.md, 6.1.
 */

int	ticket_init(void);
/*
 * A new ticket in `ticket` (wipe it). 0; -1 when too many wait, or the
 * operator asked too often: then *retry_s is not 0.
 */
int	ticket_new(const struct operator *, const char *session,
	    char ticket[HEX64_SIZE], uint32_t *retry_s);
/* Use it up. 0 and who asked for it and for what; -1: there is none. */
int	ticket_take(const char *ticket, struct operator *,
	    char session[UUID_SIZE]);
/* The session is over: its tickets are void. */
void	ticket_forget_session(const char *session);
unsigned ticket_count(void);

#endif
