/* SPDX-License-Identifier: ISC */
#ifndef GRANT_H
#define GRANT_H

#include <sys/queue.h>

#include "base/clock.h"
#include "imsg/imsg.h"
#include "base/index.h"
#include "authd/cred/jwt.h"
#include "imsg/msg.h"
#include "authd/msg/peer.h"

struct rowlog;
struct session;

/*
 * A yes to one token on one proxyd channel: who, which session, how long.
 * Streams are opened under it and end with it. messages.md, section 3.
 */
struct grant {
	struct link		 link;		/* by id */
	TAILQ_ENTRY(grant)	 of_peer, of_session;
	uint64_t		 id;
	struct peer		*proxyd;
	struct session		*session;
	struct operator		 who;
	char			 addr[ADDR_SIZE];
	uint64_t		 asked_ms;	/* when the token was looked at */
	/* state */
	unsigned		 nstreams;	/* that hang on it */
	uint64_t		 checked;	/* mark of grant_recheck() */
	int			 dropped;	/* proxyd will not use it again */
	/* until it is answered */
	struct asker		 asker;
	struct rowlog		*row;
	struct timer		 wait;		/* for the tunnel to tell */
	struct timer		 expiry;
};

int	grant_init(void);
/* The handlers of GRANT and GRANT_DROP. */
int	grant_on_grant(struct chan *, struct imsg *);
int	grant_on_drop(struct chan *, struct imsg *);

/* The grant of this number on this channel; NULL. */
struct grant	*grant_find(const struct peer *proxyd, uint64_t id);
/* Was the token looked at lately enough to open something? */
int	grant_is_fresh(const struct grant *);
/* Does this proxyd hold a grant on the session? */
int	grant_holds(const struct peer *proxyd, const struct session *);

/* A stream came to hang on it (1) or is gone (-1): may free the grant. */
void	grant_stream(struct grant *, int change);

/* End: streams first (muxd is told), then the proxyd. */
void	grant_end(struct grant *, enum end_reason);
void	grant_end_session(struct session *, enum end_reason);
/* The proxyd has gone: its grants go, what runs goes on. */
void	grant_forget_peer(struct peer *);
/* Scopes may have changed: end what is not covered any more. */
void	grant_recheck(void);
/* The session's tunnel has told what it has: answer who waits for it. */
void	grant_announced(struct session *);
unsigned grant_count(void);

/*
 * May this operator see the system, and is neither token nor user revoked? 0,
 * or a status with *message; 503 when the store cannot say.
 */
int	scope_check(const struct operator *, const char *system_id,
	    const char **message);

#endif
