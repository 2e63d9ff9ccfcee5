/* SPDX-License-Identifier: ISC */
#ifndef ROWLOG_H
#define ROWLOG_H

#include <sys/queue.h>

#include <stdint.h>

#include "base/index.h"
#include "authd/cred/jwt.h"
#include "authd/store/store.h"

/*
 * Rows of the access log that are open: who uses what. One per terminal; for
 * web services one per (operator, session, service), open until 15 minutes
 * after its last use. operator-api.md, section 11.
 */
struct rowlog {
	struct link		 by_use, by_id;
	TAILQ_ENTRY(rowlog)	 entry;		/* of all */
	TAILQ_ENTRY(rowlog)	 dirty_entry;
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

int	rowlog_init(void);
/* Open rows from before a restart: 0, or -1 when the store cannot be read. */
int	rowlog_load(void);
/*
 * All workers have told what they still have: close the terminals' rows that
 * nobody claimed.
 */
void	rowlog_settle(void);

/*
 * The open row for this use, or a new one in this turn's transaction; holds a
 * reference. NULL: no memory or too many. While !saved, what depends on it
 * waits for turn_after().
 */
struct rowlog	*rowlog_web(const struct operator *, const char *session,
		    const char *service, const char *ip);
struct rowlog	*rowlog_terminal(const struct operator *, const char *session,
		    const char *ip);
/* An open row by its id, with a reference; NULL. */
struct rowlog	*rowlog_take(const char *id);

/* Count what a stream moved and how it ended, and let go of the row. */
void	rowlog_count(struct rowlog *, uint64_t in, uint64_t out,
	    const char *outcome);
void	rowlog_release(struct rowlog *);
/* A terminal is over: close its row now. */
void	rowlog_close(struct rowlog *, const char *outcome);
/* The session is over: rows close as soon as nothing uses them. */
void	rowlog_end_session(const char *session);

/* Who a row is about, as the check of scope wants it. */
void	rowlog_operator(const struct rowlog *, struct operator *);

/* Counters are not to wait any longer: we stop. */
void	rowlog_flush_all(void);
/* The turn's end. */
void	rowlog_flush(void);
void	rowlog_flushed(int ok);
unsigned rowlog_open(void);

#endif
