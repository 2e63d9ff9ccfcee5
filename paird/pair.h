/* SPDX-License-Identifier: ISC */
#ifndef PAIR_H
#define PAIR_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/*
 * Who pairs with whom: pairing-protocol.md. Messages come in, and what is to be
 * done goes out by `struct pair_ops`; time is what the caller says. There is no
 * I/O here, no log and no event loop. Every table is found by hash, every
 * expiry stands in a queue of its own kind in the order of its coming: nothing
 * that a client does costs more for there being others.
 *
 * One per process, so the functions name no object. A client is made by
 * pairs_open() and lives to pairs_gone(); whoever is told to close one calls
 * that when its connection has ended, and not before the call that told it
 * returns.
 */

#define PAIR_MESSAGE_MAX	65536		/* bytes of one message */
#define PAIR_VOLUME_MAX		5242880		/* bytes of one session */
#define PAIR_HASH		32		/* of a jti: SHA-256 */

struct client;

struct pair_ops {
	/* Queue a text message, which is copied. */
	void	(*send)(void *io, const char *, size_t len);
	/* Behind all that is queued; nothing more is said to it. */
	void	(*close)(void *io, uint16_t code, const char *reason);
	void	(*drop)(void *io);		/* without a word */
	void	(*ping)(void *io);
	/* It is not being read: its silence says nothing. */
	int	(*is_held)(void *io);
	/*
	 * Has this jti been consumed? If not, and with `take`, consume it. The
	 * answer is pairs_known(). -1: nobody can be asked.
	 */
	int	(*ask)(uint64_t id, const uint8_t hash[PAIR_HASH], int take);
};

struct pair_limits {
	size_t		max_clients, max_sessions;
	uint64_t	paired_ms;
	int		token_check;	/* compare the jti inside the token */
};

/* What there is, and what has been. */
struct pair_count {
	size_t		clients, sessions, paired, watches;
	uint64_t	pairings, bootstraps, data, dropped, strangers;
	uint64_t	errors, rejects, limited, refused;
};

/* Once; `ops` lives on. sodium_init() has been called. */
void	pairs_init(const struct pair_ops *);
void	pairs_configure(const struct pair_limits *);
void	pairs_clear(void);
const struct pair_count	*pairs_count(void);

/*
 * A connection: NULL when it is one too many, of all or of its address, or
 * there is no memory: to be closed with 1013.
 */
struct client	*pairs_open(uint64_t now, void *io, const struct addr *);
void		 pairs_message(struct client *, const char *, size_t len,
		    uint64_t now);
/* A frame that is no message; some are answered, and so they are counted. */
void		 pairs_control(struct client *, uint64_t now);
/* It sends no more: its counterpart hears so. It may still be written to. */
void		 pairs_leave(struct client *, uint64_t now);
/* The end of the object. */
void		 pairs_gone(struct client *, uint64_t now);

/* Is something under way between it and another, which an end would break? */
int		 pairs_has_met(const struct client *);
/* Whom its data goes to, NULL: nobody. */
void		*pairs_counterpart(const struct client *);

/* Outcomes of an ask; anything else counts as PAIR_FULL. */
enum pair_known { PAIR_NEW, PAIR_USED, PAIR_FULL };
void		 pairs_known(uint64_t id, enum pair_known, uint64_t now);

/* Do what is due; when the next is, UINT64_MAX: nothing waits. */
void		 pairs_tick(uint64_t now);
uint64_t	 pairs_due(void);

#endif
