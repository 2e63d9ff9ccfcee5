/* SPDX-License-Identifier: ISC */
#ifndef ROWLOG_H
#define ROWLOG_H

#include <sys/queue.h>

#include <stdint.h>

#include "base/index.h"
#include "budget.h"
#include "authd/cred/jwt.h"
#include "authd/store/store.h"
#include "env.h"

/*
 * Rows of the access log that are open: who uses what. One per terminal and TCP
 * connection; for web services one per (operator, session, service), open until
 * 15 minutes after its last use. operator-api.md, section 11.
 */
struct rowlog {
	struct link		 by_use, by_id, by_session;
	TAILQ_ENTRY(rowlog)	 entry;		/* of all */
	TAILQ_ENTRY(rowlog)	 dirty_entry;
	struct access_row	 row;
	struct claim		 place;		/* among those in memory */
	/* state */
	unsigned		 refs;		/* streams and askers */
	int			 fresh;		/* not in the store yet */
	int			 saved;		/* it is in the store */
	int			 failed;	/* it could not be written */
	int			 over;		/* disconnected_at is set */
	int			 end_said;	/* with all that was counted */
	int			 dirty, writing;
	int64_t			 used_ms;	/* last use, wall clock */
};

void	rowlog_init(const struct now *);
/* An open row from before a restart: 0, or -1: no room. Known ones are left. */
int	rowlog_load(const struct access_row *, const struct now *);
/*
 * All workers have told what they still have: close the terminals' rows that
 * nobody claimed.
 */
void	rowlog_settle(const struct now *);

#define ROW_WEB	"ui_proxy"	/* what the contract calls such a row */
/*
 * The open row for this use, or a new one in this turn's transaction; holds a
 * reference. NULL: no memory or too many. While !saved, what depends on it
 * waits for the commit.
 */
struct rowlog	*rowlog_web(const struct operator *, const char *session,
		    const char *service, const char *ip, const struct now *);
struct rowlog	*rowlog_terminal(const struct operator *, const char *session,
		    const char *ip, const struct now *);
struct rowlog	*rowlog_tcp(const struct operator *, const char *session,
		    const char *service, const char *ip, const struct now *);
/* Somebody looks at that. */
struct rowlog	*rowlog_view(const struct operator *, const char *session,
		    const char *what, const char *ip, const struct now *);
/* The request that a new row began with. NULL is allowed. */
void		 rowlog_asked(struct rowlog *, const char *request);
/* An open row by its id, with a reference; NULL. */
struct rowlog	*rowlog_take(const char *id);

/* Count what a stream moved and how it ended (NULL: as it was said before). */
void	rowlog_count(struct rowlog *, uint64_t in, uint64_t out,
	    const char *outcome, const struct now *);
/* How it ended, in words, unless the row is over. */
void	rowlog_say(struct rowlog *, const char *outcome);
/* Let go of the row. */
void	rowlog_release(struct rowlog *);
/* A terminal is over: close its row now. */
void	rowlog_close(struct rowlog *, const struct now *);
/* The session is over: rows close as soon as nothing uses them. */
void	rowlog_end_session(const char *session, const struct now *);

/* Who a row is about, as the check of scope wants it. */
void	rowlog_operator(const struct rowlog *, struct operator *);

/* Deadlines. */
void	rowlog_sweep(const struct now *);
void	rowlog_due(void);
/* Counters are not to wait any longer: we stop. */
void	rowlog_flush_all(void);
/*
 * The turn's end: `write` gets each row that is to be written, fresh ones to be
 * inserted; `ends`: it is over, and this was not written yet, or not all of it.
 * rowlog_flushed() hears what became of them.
 */
void	rowlog_flush(void (*write)(const struct access_row *, int fresh,
	    int ends));
void	rowlog_flushed(int ok, const struct now *);
unsigned rowlog_open(void);
/* Each that is open, the oldest first. */
void	rowlog_each(void (*)(const struct rowlog *, void *), void *arg);
/* Each of a session's that is. */
void	rowlog_each_of(const char *session,
	    void (*)(const struct rowlog *, void *), void *arg);
/* Forget all, for the end of a test: how many were in use still? */
unsigned rowlog_clear(void);

#endif
