/* SPDX-License-Identifier: ISC */
#ifndef RELAY_H
#define RELAY_H

#include <sys/queue.h>

#include <stdint.h>

#include "authd/core/budget.h"
#include "authd/core/env.h"
#include "base/clock.h"
#include "base/index.h"
#include "imsg/msg.h"
#include "member.h"

struct cJSON;
struct peer;
struct relay_row;

/*
 * Relay sessions: two slots for each channel, a token for each slot, and the
 * rendd where its peers meet, as long as one is there. Who may come is decided
 * here; who sits is decided there, and told. rendezvous-protocol.md, 2 and 6.
 */

#define RELAY_ID	22	/* characters: 16 bytes in base64url */
#define RELAY_TEXT	(RELAY_ID + 1)
#define RELAY_HASH	32
#define RELAY_EVENTS	64	/* the last ones of a session: 12.4 */
#define RELAY_REFUSED	20	/* refusals that come to these, in */
#define RELAY_REFUSED_MS 60000	/* ... that time */

/* Who waits for the rendd that is being started. */
struct relay_wait {
	STAILQ_ENTRY(relay_wait) entry;
	struct asker		 asker;
	uint64_t		 proxyd;
	char			 addr[ADDR_SIZE], session[UUID_SIZE];
	uint16_t		 channel;
	uint8_t			 slot;
};

struct relay_event {
	int64_t		at;		/* wall clock, ms */
	const char	*what;		/* a constant */
	uint16_t	channel, code;
	uint8_t		slot;		/* SLOT_COUNT: of none */
	char		addr[ADDR_SIZE];
	uint64_t	bytes_in, bytes_out;
};

struct relay {
	struct link		 link;		/* by id */
	TAILQ_ENTRY(relay)	 entry;		/* the oldest first */
	/* set once */
	char			 id[RELAY_TEXT];
	uint8_t			 hash[SLOT_COUNT][RELAY_HASH];
	unsigned		 channels;
	char			 issuer[ISSUER_SIZE], subject[ID_SIZE];
	char			 client[ID_SIZE];	/* azp, client_id */
	char			 addr[ADDR_SIZE], label[WORD_SIZE];
	int64_t			 created, expires;	/* wall clock, ms */
	struct claim		 place;
	uint64_t		 number;	/* of those that we had */
	/* state */
	uint64_t		 seen;		/* by this look at the store */
	int			 leaving;	/* it is being given away */
	uint64_t		 saved_ms;	/* the counters, last */
	int			 expired;	/* and waits for the sweep */
	struct timer		 timer;
	int64_t			 moved;
	uint64_t		 bytes_in, bytes_out;
	uint8_t			 seats[RELAY_CHANNELS];	/* bits by slot */
	char			 peers[SLOT_COUNT][ADDR_SIZE];
	/* its rendd */
	uint64_t		 instance;	/* 0: none */
	uint64_t		 nonce;		/* of the one that is started */
	uint64_t		 begun_ms;
	unsigned		 on_way;	/* let in, not asked for yet */
	unsigned		 may_sit;	/* SLOTs that it may say taken */
	uint64_t		 last_ms;	/* when the last one was */
	STAILQ_HEAD(, relay_wait) waiting;
	struct timer		 late;		/* they have waited enough */
	/* what happened, a ring */
	struct relay_event	*events;
	unsigned		 nevents;
	uint64_t		 refused_ms;	/* since then */
	unsigned		 nrefused;	/* so many */
};

TAILQ_HEAD(relays, relay);
extern struct relays	relays;

/* relay.c: the table. */

/* A live one, or one that waits for the sweep; NULL. */
struct relay	*relay_find(const char *id);
/* 0, or the status and text of why not. `tokens` are to be wiped. */
struct relay	*relay_new(const char *subject, int *status, const char **why,
		    char tokens[SLOT_COUNT][RELAY_TEXT]);
/* In the table, until then: `lifetime_ms` after it was created. */
void		 relay_keep(struct relay *, int64_t lifetime_ms);
/* Of the store, at the start: there it is, its row is none, or no memory. */
enum relay_loaded { RELAY_LOADED, RELAY_NOT, RELAY_NO_MEMORY };
enum relay_loaded relay_load(const struct relay_row *);
/* What the store knows of one; 0, or -1: that is none. */
int		 relay_from_row(struct relay *, const struct relay_row *);
/* To the store: a new one. */
void		 relay_add(const struct relay *);
/* As it is now; `always`, or when that was some time ago. */
void		 relay_save(struct relay *, int always);
/*
 * Over: whoever is there hears 1001 and why; it is freed, or kept a while. `by`
 * is the address of who wanted it.
 */
void		 relay_over(struct relay *, const char *why, const char *by,
		    int keep);
/*
 * It is not ours any more, and not over: whoever is there or on the way hears
 * 1001 and `why` (a constant), who waits 503, and all come again. It is freed;
 * nothing is written.
 */
void		 relay_lose(struct relay *, const char *why);
/* How many we had before this moment. */
uint64_t	 relay_numbers(void);

/* relay_member.c: who of several members has it. */

/*
 * Where it is. HERE also without a cluster, or if there is none; one that
 * nobody has any more is taken first. DOWN: the store cannot say. `then` is
 * called once, in this call or later.
 */
void		 relay_where(const char *id, uint64_t asker, holder_then then,
		    void *arg);
/*
 * A beat of ours has been written; `late`: after so long that others may have
 * taken what was ours.
 */
void		 relay_beaten(int late);
/*
 * We drain: give away what can go, if there is a member that takes it; `turn`
 * says whether one's moment has come. How many are left: if there is none, of
 * those with a peer.
 */
void		 relay_give(int (*turn)(uint64_t));
unsigned	 relay_left(void);

/* relay_events.c: what happened, and its answers. */

/* A line of the log, and the newest of the last RELAY_EVENTS. */
void		 relay_note(struct relay *, const char *what, unsigned channel,
		    unsigned slot, unsigned code, const char *addr);
/*
 * A wrong token: whoever knows the id can say one as often as he likes, and
 * shall push out no more than RELAY_REFUSED of these in a minute.
 */
void		 relay_note_refused(struct relay *, unsigned channel,
		    const char *addr);
/* The answer of GET .../events, and the status' member. NULL: no memory. */
struct cJSON	*relay_events(const struct relay *);
struct cJSON	*relay_audit_member(const struct relay *);
/* RFC 3339 in UTC, zeros at the fraction's end left out. */
void		 relay_add_time(struct cJSON *, const char *name, int64_t ms);

/* relay_seat.c: who comes. */

/* Once: ADMITs of this class come here. */
void	relay_init(void);
/* Its process is there; it has ended. */
void	relay_started(struct peer *, const char *session, int bound);
void	relay_gone(struct peer *);

#endif
