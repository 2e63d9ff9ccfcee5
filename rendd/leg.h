/* SPDX-License-Identifier: ISC */
#ifndef LEG_H
#define LEG_H

#include <sys/queue.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include <stdint.h>

#include "base/clock.h"
#include "base/request.h"
#include "imsg/call.h"
#include "imsg/msg.h"
#include "pipe.h"
#include "resume.h"
#include "ws/ws.h"

/*
 * One peer's connection. It has a slot from the moment that authd has said
 * which until it ends in any way: the slot is free before the close is even
 * sent. rendezvous-protocol.md, sections 6 and 7.
 */
enum leg_state {
	LEG_ASKING,		/* authd is asked where it belongs; no 101 yet */
	LEG_KNOCKING,		/* its slot is held: is the holder alive? */
	LEG_SEATED,		/* has its slot, maybe a counterpart */
	LEG_AWAY,		/* the same, but was lost, and may come back */
	LEG_ENDING,		/* what is there for it goes out, then a close */
	LEG_CLOSING		/* our close is out, or answered: then it goes */
};

struct leg {
	TAILQ_ENTRY(leg)	 entry;
	/* set once */
	int			 fd;
	struct event		 ev_read, ev_write;
	char			 addr[ADDR_SIZE];
	char			 request[REQUEST_SIZE];	/* for the log */
	uint16_t		 channel;
	uint8_t			 slot;
	/* state */
	enum leg_state		 state;
	struct call		 call;		/* LEG_ASKING */
	struct pipe		*first;		/* what came with it */
	struct leg		*peer;		/* its counterpart */
	struct leg		*knocker;	/* who wants its slot */
	struct ws		 ws;
	struct ws_pass		 pass;
	struct pipe		*out;		/* data for it */
	struct pipe		*held;		/* of it, for who is to come */
	int			 reading;
	uint16_t		 code;		/* LEG_ENDING: of the close, */
	const char		*reason;	/* a constant, or end_text */
	int			 hurry;		/* not longer than CLOSE_MS */
	/* 12.1 */
	struct resume		*resume;	/* NULL: an ordinary one */
	int			 again;		/* LEG_ASKING: was one of us, */
	uint64_t		 seen;		/* and had come so far */
	int			 is_over;	/* LEG_AWAY: the other has ended */
	char			 end_text[WS_REASON_MAX + 1];
	/* control frames and the 101: to be written between two of `out` */
	uint8_t			 ctl[WS_OUTPUT_MAX + 1024];
	size_t			 ctl_off, ctl_len;
	int			 ping_due;
	struct timer		 timer;
	uint64_t		 since_ms;	/* it has its slot */
	uint64_t		 heard_ms;	/* a byte came */
	uint64_t		 moved_ms;	/* a byte of `out` went */
	struct timer		 ack;		/* it has waited enough */
};

#define CLOSE_MS	4000	/* for its answer; authd waits 5 s */

/* Take over a connection: `reply` is the 101, `early` what came behind it. */
struct leg	*leg_new(int fd, const char *addr, const char *request);
/* Keep what is to be said first, and what has come already. 0, -1: too much. */
int		 leg_begin(struct leg *, const uint8_t *bytes, size_t len);
/* Its slot is its own: from here on it is read. */
void		 leg_seat(struct leg *);
/*
 * It can be taken up again: to be said before it has its slot. 0, or -1: out of
 * memory.
 */
int		 leg_resumes(struct leg *, int again, uint64_t seen);
/* It is `old`, which was away, come back; that is dropped. -1: it is not. */
int		 leg_again(struct leg *, struct leg *old);
/* Its connection has gone without a close. It may be freed by that. */
void		 leg_lost(struct leg *, const char *why);
/* It is away, and the other has ended so: to be said when it comes back. */
void		 leg_over(struct leg *, uint16_t code, const char *reason);
/* What is for it: was all of it written? */
int		 leg_owes(const struct leg *);
/* Whole plain frames of the other for it; takes the pipe. */
void		 leg_give(struct leg *, struct pipe *);
/* It has to wait for the holder's sign of life; not read. */
void		 leg_knock(struct leg *);
/* No 101: this status, and out. */
void		 leg_refuse(struct leg *, unsigned status, const char *text);
/*
 * It is over for it: what there is for it still goes out, then the close. Safe
 * in any state; the first call counts. Frees no leg before it returns.
 */
void		 leg_end(struct leg *, uint16_t code, const char *reason);
/* It is not there any more, or never answers. Frees it. */
void		 leg_drop(struct leg *);
/* Free one that has not arrived: pair_arrive(). */
void		 leg_discard(struct leg *);
/* Ask for a sign of life. */
void		 leg_ping(struct leg *);
/* Is it read just now? */
int		 leg_is_read(const struct leg *);
/* Reading, and its timer, as its state wants them. */
void		 leg_update(struct leg *);

/* out.c: write what there is for it. It may be gone when this returns: -1. */
int		 out_flush(struct leg *);
int		 out_is_empty(const struct leg *);

#endif
