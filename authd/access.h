/* SPDX-License-Identifier: ISC */
#ifndef ACCESS_H
#define ACCESS_H

#include <sys/queue.h>

#include <stdint.h>

#include "index.h"
#include "jwt.h"
#include "store.h"

/*
 * Rows of the access log that are open: who uses what. One per terminal; for
 * web services one per (operator, session, service), open until 15 minutes
 * after its last use. operator-api.md, section 11.
 */
struct access {
	struct link		 by_use, by_id;
	TAILQ_ENTRY(access)	 entry;		/* of all */
	TAILQ_ENTRY(access)	 dirty_entry;
	struct access_row	 row;
	char			 service[SERVICE_SIZE], ip[ADDR_SIZE];
	char			 token_id[ID_SIZE], impersonator[ID_SIZE];
	/* state */
	unsigned		 refs;		/* streams and askers */
	int			 inserting;	/* the row is in this turn's writes */
	int			 saved;		/* it is in the store */
	int			 failed;	/* it could not be written */
	int			 over;		/* disconnected_at is set */
	int			 dirty;
	int64_t			 used_ms;	/* last use, wall clock */
	/* statistics */
	uint64_t		 bytes_in, bytes_out;
	char			 outcome[MESSAGE_SIZE];
};

int	access_init(void);
/* Open rows from before a restart: 0, or -1 when the store cannot be read. */
int	access_load(void);
/*
 * All workers have told what they still have: close the terminals' rows that
 * nobody claimed.
 */
void	access_settle(void);

/*
 * The open row for this use, or a new one in this turn's transaction; holds a
 * reference. NULL: no memory or too many. While !saved, what depends on it
 * waits for turn_after().
 */
struct access	*access_web(const struct operator *, const char *session,
		    const char *service, const char *ip);
struct access	*access_terminal(const struct operator *, const char *session,
		    const char *ip);
/* An open row by its id, with a reference; NULL. */
struct access	*access_take(const char *id);

/* Count what a stream moved and how it ended, and let go of the row. */
void	access_count(struct access *, uint64_t in, uint64_t out,
	    const char *outcome);
void	access_release(struct access *);
/* A terminal is over: close its row now. */
void	access_close(struct access *, const char *outcome);
/* The session is over: rows close as soon as nothing uses them. */
void	access_end_session(const char *session);

/* Who a row is about, as the check of scope wants it. */
void	access_operator(const struct access *, struct operator *);

/* Counters are not to wait any longer: we stop. */
void	access_flush_all(void);
/* The turn's end. */
void	access_flush(void);
void	access_flushed(int ok);
unsigned access_open(void);

#endif
