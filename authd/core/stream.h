/* SPDX-License-Identifier: ISC */
#ifndef STREAM_H
#define STREAM_H

#include <sys/queue.h>

#include "authd/cred/jwt.h"
#include "base/index.h"
#include "due.h"
#include "effect.h"
#include "env.h"
#include "imsg/msg.h"
#include "refusal.h"
#include "rowlog.h"
#include "tunnel.h"

struct grant;
struct stream_kind;

/*
 * A stream is a socketpair that authd made: one end to the tunnel's muxd, one
 * to who asked. Its row in the access log is in the store before either end
 * leaves. messages.md, sections 1 and 2.
 */

enum stream_state {
	STREAM_NEW,		/* in no list yet */
	STREAM_QUEUED,		/* waits for room in the tunnel, or for it to
				   tell what it has after a restart */
	STREAM_ROW,		/* waits for its audit row */
	STREAM_OPENED,
	STREAM_KILLED		/* muxd was told; its last word is to come */
};

/* How it ends, in end_run(); a greater one counts. */
enum stream_end {
	STREAM_LIVES,
	STREAM_KILL,		/* muxd has to be told */
	STREAM_ENDED		/* nothing more to say to or hear from muxd */
};

struct stream {
	struct link		 link;		/* by id */
	TAILQ_ENTRY(stream)	 of_tunnel, of_grant, of_free, of_lender,
				 end_entry;
	uint64_t		 id;
	uint64_t		 since_ms;	/* it was asked for */
	const struct stream_kind *kind;
	struct tunnel		*tunnel;
	struct grant		*grant;		/* NULL: none answers for it */
	struct session		*lender;	/* its token's, or NULL */
	uint64_t		 terminal;	/* its termd or tcpd, 0: none */
	struct rowlog		*row;		/* NULL while queued */
	char			 service[SERVICE_SIZE];
	struct operator		 who;
	char			 addr[ADDR_SIZE];
	/* state */
	enum stream_state	 state;
	struct asker		 asker;		/* until it is answered */
	struct due		 due;		/* waiting, or its own end */
	uint64_t		 counted_in, counted_out;	/* in the row */
	/* its end */
	enum stream_end		 end;
	int			 queued;	/* waits for end_run() */
	int			 accounted;	/* its outcome is in the row */
	enum end_reason		 why;
	enum refusal		 refusal;	/* for who still waits */
};

/* What differs between a web stream, a terminal and TCP. */
struct stream_kind {
	const char	*type;		/* of its row in the access log */
	/* Is what it leads to still there? */
	enum refusal	 (*check)(const struct stream *);
	/* Its row, with a reference; and let go of it. */
	struct rowlog	*(*row)(const struct stream *, const struct now *);
	void		 (*leave_row)(struct rowlog *, const struct now *);
	enum effect_kind refused;	/* what the asker hears */
	int		 own_row;	/* the row is about this stream only */
	int		 closes;	/* the asker closes when it is killed */
	int		 lapses;	/* ends with its token */
	int		 told;		/* its worker hears how it ended */
};

/*
 * Never the number of a stream from before a restart, nor of another member's.
 */
void	stream_init(const struct now *);
struct stream	*stream_find(uint64_t id);
unsigned stream_count(void);

/*
 * A new one through this tunnel, asked for by `asker`: a place in the tunnel,
 * or wait for one; then the row, then the pair. The asker is answered once.
 * REFUSE_BUSY: no memory, and nobody is answered; else *id is its number.
 */
struct stream_ask {
	const struct stream_kind *kind;
	struct tunnel		*tunnel;
	struct grant		*grant;		/* or NULL */
	struct session		*lender;	/* of a grant on a sibling */
	uint64_t		 terminal;
	const char		*service, *addr;
	const struct operator	*who;
	struct asker		 asker;
};
enum refusal	stream_begin(const struct stream_ask *, uint64_t *id,
		    const struct now *);
/* After the commit: is the row in the store? */
void	stream_saved(uint64_t id, int ok);
/*
 * Before its pair is made: the stream, or NULL: what it hangs on has ended
 * since, and end_run() will refuse it.
 */
struct stream	*stream_to_pair(uint64_t id);
/* The pair could not be made, or given to muxd (0: the asker has gone). */
void	stream_failed(uint64_t id, enum refusal);
/* The asker has its end. */
void	stream_given(uint64_t id);
/*
 * It goes on, and has moved so much so far; nothing if it is not this tunnel's.
 */
void	stream_moved(const struct tunnel *, uint64_t id, uint64_t in,
	    uint64_t out, const struct now *);
/* muxd's last word. 0, or -1: it has no such stream that can end. */
int	stream_ended(const struct tunnel *, uint64_t id, enum end_reason,
	    uint64_t in, uint64_t out, const struct now *);
/*
 * muxd tells of one that it had from an authd before, and how much that has
 * moved: `row` is the open row that authd named then, with a reference that
 * goes over. What the row has of it is not counted again. NULL, or why not.
 */
const char	*stream_restore(const struct stream_ask *, uint64_t id,
		    struct rowlog *row, uint64_t in, uint64_t out,
		    const struct now *);
int	stream_may_restore(const struct tunnel *, uint64_t id);

/* Kill it, or refuse it: in end_run(). */
void	stream_kill(struct stream *, enum end_reason);
/* The session ends: what its tokens opened elsewhere dies without it. */
void	stream_orphans(struct session *);
/* No muxd hears or says anything about it any more. */
void	stream_lose(struct stream *, enum refusal);
/* Its grant has gone, it goes on: until its token is over. */
void	stream_let_go(struct stream *, const struct now *);
/* For rechecks: of those that no grant answers for, as grant_rotate(). */
struct stream	*stream_rotate(void);
unsigned stream_free_count(void);

/* Deadline. */
void	stream_due(struct due *);
/* muxd was told of its end, and has 10 s for its last word. */
void	stream_killed(struct stream *, const struct now *);
/* Is that still to come? */
int	stream_is_late(uint64_t id);

/*
 * Is its service one of the session's? *sv is that. What the client lists is
 * looked at again before each connection.
 */
struct service;
enum refusal	stream_service(const struct stream *, const struct service **);

/* For end.c. */
extern struct streams	stream_ends;
/* Let in who waits, as long as there is room. */
void	stream_next(struct tunnel *, const struct now *);
/* What muxd counts grows from zero; the row gets the difference. */
void	stream_account(struct stream *, uint64_t in, uint64_t out,
	    const char *outcome, const struct now *);
/* Answer no to who waits; nothing when nobody does. */
void	stream_refuse(struct stream *, enum refusal);
void	stream_free(struct stream *, const struct now *);

#endif
