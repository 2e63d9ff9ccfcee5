/* SPDX-License-Identifier: ISC */
#ifndef ISSUE_H
#define ISSUE_H

#include "authd/cred/jwt.h"

/* Tickets of terminals and TCP as they are given out and come back. */

int	issue_init(void);
/*
 * A new ticket in `ticket` (wipe it) for a service, or SERVICE_TERMINAL, and
 * there for the stream that its operator comes back to (0: a new one). 0; -1 when too many wait, or the operator asked too often: then *retry_s is not 0.
 */
int	issue_ticket(const struct operator *, const char *session,
	    const char *service, uint64_t stream, char ticket[HEX64_SIZE],
	    uint32_t *retry_s);
/* Use it up. 0 and who asked for it and for what; -1: there is none. */
int	issue_redeem(const char *ticket, struct operator *,
	    char session[UUID_SIZE], char service[SERVICE_SIZE],
	    uint64_t *stream);

#endif
