/* SPDX-License-Identifier: ISC */
#ifndef RESUME_H
#define RESUME_H

#include <sys/queue.h>

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "pipe.h"

/*
 * What a leg that can be taken up again needs, while it is there and while it
 * is away: the messages for it that it has not acknowledged, and the piece of
 * one of its own. Its messages have a header: kind and number. Towards the
 * other peer they are plain ones. rendezvous-protocol.md, 12.
 */
#define RESUME_HEADER	9
#define RESUME_MESSAGE	(256 * 1024)	/* the longest, without its header */
#define RESUME_KEPT	(1024 * 1024)	/* then the other is not read */
#define RESUME_ALL	(16 * 1024 * 1024)	/* the same of all legs here */
#define RESUME_READ	(64 * 1024)	/* of it, at once */
#define RESUME_ACK	(64 * 1024)	/* bytes behind which we acknowledge, */
#define RESUME_ACK_MS	1000		/* or after that time */

enum resume_kind { RESUME_BINARY, RESUME_TEXT, RESUME_ACKED };

/* A message for it: a whole frame, from data[0] on. */
struct kept {
	STAILQ_ENTRY(kept)	 entry;
	uint64_t		 number;
	size_t			 len;
	uint8_t			 data[];
};

struct resume {
	/* of the peer */
	uint64_t		 in;		/* the last that we have */
	uint64_t		 unacked;	/* bytes since our last ack */
	int			 ack_due;
	uint8_t			*piece;		/* of one, with its header */
	size_t			 piece_len;
	/* for the peer */
	STAILQ_HEAD(, kept)	 kept;
	size_t			 kept_len;
	uint64_t		 out, acked;	/* numbers: the last, and heard */
	struct kept		*next;		/* to be written; NULL: none */
	size_t			 off;		/* of it */
	uint8_t			*part;		/* of one that comes for it */
	size_t			 part_len;
	int			 part_text;
};

/* NULL: out of memory. */
struct resume	*resume_new(void);
void		 resume_free(struct resume *);	/* NULL is allowed */

/*
 * Whole frames of the peer, their headers on: what is to be passed on goes
 * behind what is in `to`, which has room for it. `*payload` grows by what has
 * passed. 0, or -1: it broke the rules, `*why` says which.
 */
int		 resume_take(struct resume *, const uint8_t *, size_t len,
		    struct pipe *to, uint64_t *payload, const char **why);
/* Is there room in `to` for what one more read may make? */
int		 resume_fits(const struct resume *, const struct pipe *to);
/* Whole plain frames for the peer. 0, or -1: out of memory, or too long. */
int		 resume_keep(struct resume *, const uint8_t *, size_t len);
/* May more come for it? */
int		 resume_has_room(const struct resume *);
/* Our acknowledgement as a frame; its length. */
size_t		 resume_ack(struct resume *, uint8_t *);
/* So much of next->data + off was written. */
void		 resume_wrote(struct resume *, size_t);
/*
 * The peer is back, and has seen this number: what is behind it is written
 * again, after an ack. -1: it cannot be, it is not ours or not kept any more.
 */
int		 resume_again(struct resume *, uint64_t seen);

#endif
