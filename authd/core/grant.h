/* SPDX-License-Identifier: ISC */
#ifndef GRANT_H
#define GRANT_H

#include <sys/queue.h>

#include "authd/cred/jwt.h"
#include "base/index.h"
#include "due.h"
#include "env.h"
#include "imsg/msg.h"
#include "refusal.h"
#include "session.h"
#include "tunnel.h"

struct rowlog;

/* A proxyd, as far as grants go: those on its channel. */
struct door {
	uint64_t		 instance;
	struct grants		 grants;
	unsigned		 ngrants;
};

/*
 * A yes to one token on one proxyd channel: who, which session, how long.
 * Streams are opened under it and end with it. One for a sibling of the session
 * that the token is for ends with either. messages.md, section 3.
 */
struct grant {
	struct link		 link;		/* by id */
	TAILQ_ENTRY(grant)	 of_door, of_session, of_all, of_lender,
				 end_entry;
	uint64_t		 id;
	struct door		*door;		/* NULL: its proxyd has gone */
	struct session		*session;
	struct session		*lender;	/* whose token it is, NULL:
						   the session's own */
	struct operator		 who;
	char			 addr[ADDR_SIZE];
	uint64_t		 asked_ms;	/* when the token was seen */
	/* state */
	struct streams		 streams;	/* that hang on it */
	unsigned		 nstreams;
	int			 told;		/* proxyd knows it */
	int			 dropped;	/* and uses it no more */
	/* its end */
	int			 over;		/* waits for end_run() */
	int			 kills;		/* its streams end with it */
	enum end_reason		 why;
	enum refusal		 refusal;	/* for who still waits */
	/* until it is answered */
	struct asker		 asker;
	struct rowlog		*row;
	char			 reference[REFERENCE_SIZE]; /* to its token */
	struct due		 wait;		/* for the tunnel to tell */
	struct due		 expiry;
};

/* Never the number of a grant from before a restart. */
void	grant_init(const struct now *);
void	door_init(struct door *, uint64_t instance);
/* The proxyd has gone: its grants go, what runs goes on. */
void	door_gone(struct door *);

/*
 * A token was found good: what it says becomes a grant, and the asker hears
 * GRANTED when its row is in the store, and `reference` if that is not "", or a
 * refusal. This returns one when there is nothing to wait for.
 */
struct grant_ask {
	struct door		*door;
	struct session		*session;
	struct session		*lender;	/* or NULL */
	const struct operator	*who;
	const char		*service, *addr, *reference;
	struct asker		 asker;
};
enum refusal	grant_new(const struct grant_ask *, const struct now *);
/* After the commit: is the row in the store? */
void	grant_saved(uint64_t id, int ok, const struct now *);
/*
 * Before GRANTED is said to `asker`: the grant, or NULL: it has ended since,
 * and end_run() will refuse it.
 */
struct grant	*grant_to_say(uint64_t id, const struct asker *);
/* It was said to its proxyd; or cannot be. */
void	grant_told(struct grant *);
void	grant_busy(uint64_t id);
/* The session's tunnel has told what it has: answer who waits for it. */
void	grant_announced(struct session *);

/* By number, and on this channel only; NULL. */
struct grant	*grant_get(uint64_t id);
struct grant	*grant_find(const struct door *, uint64_t id);
/* Was the token looked at lately enough to open something? */
int	grant_is_fresh(const struct grant *, const struct now *);
/* Was this proxyd told of a grant on a session of the system, and has it? */
int	grant_holds(const struct door *, const char *system_id);
/* Has a session that it hangs on ended? */
int	grant_is_doomed(const struct grant *);

/* proxyd does not use it any more: it goes with its last stream. */
void	grant_drop(struct grant *);
/* End it, and its streams, which muxd hears first; in end_run(). */
void	grant_end(struct grant *, enum end_reason);
/* A stream of its own has gone. */
void	grant_stream_gone(struct grant *);
unsigned grant_count(void);
/* How many doors there are, 1 at least: who shares what is limited. */
unsigned grant_doors(void);
/* For rechecks: the one that was fetched longest ago, NULL: none. */
struct grant	*grant_rotate(void);

/* Who asked for it does not get it: an audit event. */
void	grant_note_refused(const struct grant *, enum refusal);

/* Deadlines. */
void	grant_late(struct due *);
void	grant_expired(struct due *);

/* For end.c: those that ended. */
extern struct grants	grant_ends;
void	grant_free(struct grant *);

#endif
