/* SPDX-License-Identifier: ISC */
#ifndef REDIS_NOTE_H
#define REDIS_NOTE_H

#include <stddef.h>
#include <stdint.h>

#include "imsg/msg.h"

/*
 * What members of a cluster say to each other in a channel of Redis, as bytes:
 * words with a space between them, signed under the secret of the cluster. What
 * is not exactly so, or not fresh by the store's clock, is nothing. A note
 * grants nothing: it asks, answers a question that is open, or says where to
 * look. Pure, but for the ids that were there. several-daemons.md, 2.
 */
#define NOTE_OPS(X)							\
	X(PROBE, "probe")	/* does this session's tunnel live? */	\
	X(ALIVE, "alive")	/* yes; no */				\
	X(DEAD, "dead")							\
	X(LOSS, "loss")		/* look what you have lost */		\
	X(RECHECK, "recheck")	/* somebody's rights have changed */	\
	X(MEMBERS, "members")	/* what its row says has changed */	\
	X(GUESTS, "guests")	/* so has what a session offers */
#define X(NAME, word)	NOTE_##NAME,
enum note_op { NOTE_OPS(X) NOTE_OP_COUNT };
#undef X

#define NOTE_ALL	"*"	/* to: everybody but who says it */
#define NOTE_ID_SIZE	33
#define NOTE_SIZE	320	/* as text, with NUL */
#define NOTE_FRESH_MS	30000	/* what is older, or that early, is no more */

struct note {
	enum note_op	op;
	char		from[MEMBER_SIZE], to[MEMBER_SIZE];
	char		id[NOTE_ID_SIZE];	/* of a question: hex */
	char		session[UUID_SIZE];	/* "" of none */
	int64_t		at;			/* ms, of the store's clock */
};

/* Signed. 0, or -1: there is no secret. */
int	note_print(const struct note *, char dst[NOTE_SIZE]);
/* NULL, or why it is none. */
const char	*note_parse(struct note *, const char *text, size_t len,
		    int64_t now);

/*
 * Has a note of this id been there, or may it have been (seen.h)? From now on
 * it has. 1 yes, 0 no.
 */
#define NOTE_KEPT	8192
int	note_before(const struct note *);
/* Forget all, for the end of a test. */
void	note_forget(void);

#endif
