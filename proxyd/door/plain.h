/* SPDX-License-Identifier: ISC */
#ifndef PLAIN_H
#define PLAIN_H

#include <stdint.h>

#include "imsg/call.h"
#include "net/brought.h"

/*
 * Connections that a tlsd has: what comes out of TLS, on a socketpair; and, the
 * other way round, to other members of a cluster.
 */

/* Once: what takes them (listen_came()). */
void	plain_init(void (*came)(int fd, uint32_t flags, const struct addr *,
	    const struct plain *from));
/* A channel to a tlsd. Owns the fd. 0 or -1. */
int	plain_peer(int fd, int role, uint64_t instance,
	    unsigned protocol);
/* They come no more (1). */
void	plain_stop(void);
/* Ask all tlsds for no more; what they have given stays. */
void	plain_leave(void);
/*
 * Before its socket is shut, closed or given away: this is the end of what
 * there is to say (1), or it is broken off (0). The first word counts.
 */
void	plain_end(struct plain *, int clean);

/* Once: who hears of what another member has said all of. */
void	plain_on_secure_end(void (*)(const struct plain *));
/*
 * Read what that one's tlsd (if there is one) has said and was not read yet:
 * what comes of that may close any connection.
 */
void	plain_hear(const struct plain *);

#define SECURE_MS	4000	/* tlsd's own end is before that */

/*
 * TLS on `fd` (taken), which leads to this member: `done` hears SECURED,
 * SECURE_FAILED or nothing. 0, or -1: there is no tlsd that could be asked.
 */
int	plain_secure(struct call *, int fd, const char *member,
	    chan_done_fn done, void *arg);

#endif
