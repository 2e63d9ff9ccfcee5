/* SPDX-License-Identifier: ISC */
#ifndef SIGNIN_H
#define SIGNIN_H

#include "authd/cred/jwt.h"
#include "env.h"

/*
 * One-time sign-ins: 32 random bytes, of which only the hash is kept; good
 * once, for five minutes, for an access token of the one it was made for. They
 * are this process's, as tickets are: an authd that started since knows none,
 * and to another member their address says whose they are. operator-api.md, 13.
 * authd/msg/issue.c makes and reads them.
 */
#define SIGNINS_MAX	64	/* that wait to be used */
#define SIGNIN_MS	(5 * 60 * 1000)

/* What the token will say; who.expires is set when it is made. */
struct signin {
	struct operator	 who;
	char		 permissions[MESSAGE_SIZE];	/* words and commas */
	int64_t		 life_s;			/* the token's */
};

/* Keep one. 0; -1: too many wait. */
int	signin_new(const char hash[HEX64_SIZE], const struct signin *,
	    const struct now *);
/*
 * Use it up. 0 and what it was made for; -1: there is none. Takes the same time
 * whatever the hash has in common with one that waits.
 */
int	signin_take(const char hash[HEX64_SIZE], struct signin *,
	    const struct now *);
/* Forget all, for the end of a test. */
void	signin_clear(void);

#endif
