/* SPDX-License-Identifier: ISC */
#ifndef ISSUE_H
#define ISSUE_H

#include "authd/cred/jwt.h"

/*
 * What is given out and comes back: tickets of terminals and TCP, one-time
 * sign-ins, and access tokens of our own.
 */
struct signin;

int	issue_init(void);
/*
 * A new ticket in `ticket` (wipe it) for a service, or SERVICE_TERMINAL, and
 * there for the stream that its operator comes back to (0: a new one). 0; -1
 * when too many wait, or the operator asked too often: then *retry_s is not 0.
 */
int	issue_ticket(const struct operator *, const char *session,
	    const char *service, uint64_t stream, char ticket[HEX64_SIZE],
	    uint32_t *retry_s);
/* Use it up. 0 and who asked for it and for what; -1: there is none. */
int	issue_redeem(const char *ticket, struct operator *,
	    char session[UUID_SIZE], char service[SERVICE_SIZE],
	    uint64_t *stream);

/*
 * A one-time sign-in for `what`, whose who.token_id the token will have, in
 * `code` (wipe it). 0, or -1: too many wait.
 */
int	issue_signin(const struct signin *, char code[HEX64_SIZE]);
/* Use it up. 0 and what it was made for (wipe it); -1: there is none. */
int	issue_signin_take(const char *code, struct signin *);
/* Is there a key that tokens are signed with? */
int	issue_has_key(void);
/*
 * An access token that says this and ends at who.expires; `permissions` are
 * words joined by commas. This turn writes it down, under who.token_id. To be
 * wiped and freed; NULL: no key, or no memory.
 */
char	*issue_access(const struct operator *, const char *permissions);

#endif
