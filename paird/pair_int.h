/* SPDX-License-Identifier: ISC */
#ifndef PAIR_INT_H
#define PAIR_INT_H

#include <sys/queue.h>

#include "base/index.h"
#include "json.h"
#include "pair.h"

/* What the files of the core share: state.c, pair.c, boot.c, place.c. */

#define JTI_UNITS	128
#define JTI_BYTES	(3 * JTI_UNITS)
#define HASH_TEXT	43		/* SHA-256 in base64url */

/* Events of an address in a window that begins with the first. */
struct window {
	uint64_t	start;
	unsigned	count;
};

/* An address, as long as it is here or something of it counts. */
struct place {
	struct link		 link;
	TAILQ_ENTRY(place)	 entry;		/* nobody here, oldest first */
	uint8_t			 net[16];
	unsigned		 clients;
	struct window		 operations, failures, watches, inits;
	uint64_t		 failed;	/* when last; 0: never */
};

struct session {
	TAILQ_ENTRY(session)	 entry;		/* of its queue */
	uint64_t		 since;		/* in it */
	struct link		 link;		/* by code, while it has one */
	char			 code[7];
	enum session_state { SESSION_OPEN, SESSION_LATE, SESSION_PAIRED }
				 state;
	uint64_t		 volume;
	struct client		*target, *controller;
};
TAILQ_HEAD(sessions, session);

/* A controller that waits for a token. */
struct watch {
	struct link		 link;		/* by jti */
	TAILQ_ENTRY(watch)	 entry;		/* by age */
	TAILQ_ENTRY(watch)	 of_holder;
	uint64_t		 since;
	struct client		*holder, *target;	/* NULL: no init yet */
	int			 given;		/* an init was forwarded */
	unsigned		 asked;		/* inits that may be */
	uint8_t			 token_hash[PAIR_HASH];
	int			 has_hash;
	size_t			 len;
	char			 jti[];
};

/* An init while it is asked whether its jti is new. */
struct ask {
	struct link		 link;		/* by id */
	TAILQ_ENTRY(ask)	 of_client;
	struct client		*client;	/* NULL: has gone */
	const char		*refusal;	/* NULL: to be forwarded */
	size_t			 jti_len, text_len;
	char			*jti;
	char			 text[];	/* what the watcher gets */
};

struct client {
	void			*io;
	struct place		*place;
	int			 over;		/* nothing more is heard of it */
	/* tokens of the message rate, in thousandths */
	uint64_t		 tokens, filled;
	struct session		*session;
	TAILQ_HEAD(, watch)	 watches;
	unsigned		 nwatches;
	TAILQ_HEAD(, ask)	 asks;
	unsigned		 nasks;
	int			 pending;	/* of these one is its init */
	struct watch		*given;		/* who has its init */
	/* in which queues, and since when */
	int			 busy;
	TAILQ_ENTRY(client)	 by_idle, by_heard, by_ping;
	uint64_t		 idle, heard, pinged;
};
TAILQ_HEAD(clients, client);

struct pair {
	const struct pair_ops	*ops;
	struct pair_limits	 limits;
	struct pair_count	 count;
	struct index		 by_code, by_jti, by_ask;
	struct sessions		 open, late, paired;
	TAILQ_HEAD(, watch)	 watches;
	struct clients		 idle, heard, pinged;
	struct window		 failed;	/* connects, of everybody */
	uint64_t		 next_ask;
	uint8_t			 key[16];
};
extern struct pair	pair;

/* state.c */
uint64_t	pairs_key(const void *, size_t);
void		pairs_send(struct client *, const char *, size_t);
void		pairs_error(struct client *, const char *code);
/* Has it a role now, or none any more? */
void		pairs_busy(struct client *, uint64_t now);

/* boot.c */
void	boot_watch(struct client *, const struct json_value *jti,
	    const struct json_value *hash, uint64_t now);
void	boot_init(struct client *, const struct json_value *jti,
	    const struct json_value *token, const struct json_value *key,
	    uint64_t now);
/* An ack, or with `reject` no. The first key that is a string counts. */
void	boot_answer(struct client *, int reject, const struct json_value *jti,
	    const struct json_value keys[2], const struct json_value *sig,
	    const struct json_value *error, uint64_t now);
void	boot_leave(struct client *, uint64_t now);
void	boot_tick(uint64_t now);
uint64_t boot_due(void);

/* place.c: what addresses have done. */
struct place	*place_enter(const struct addr *, uint64_t now);
void		 place_leave(struct place *);
void		 place_clear(void);
/* One more in this window? 0, or -1: that would be above `most`. */
int		 window_hit(struct window *, unsigned most, uint64_t now);
int		 window_full(const struct window *, unsigned most,
		    uint64_t now);

#endif
