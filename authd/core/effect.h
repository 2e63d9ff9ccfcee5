/* SPDX-License-Identifier: ISC */
#ifndef EFFECT_H
#define EFFECT_H

#include <stddef.h>
#include <stdint.h>

#include "env.h"
#include "refusal.h"

struct session;

/*
 * What a verb wants to happen outside, in this order. An ending must not fail
 * for want of memory: every object owes, from its birth to its end, room for
 * what it may still have to say in one turn.
 */
enum effect_kind {
	EFFECT_KILL,		/* muxd: end this stream; why */
	EFFECT_CLOSE,		/* muxd, termd: code, text */
	EFFECT_GRANT_END,	/* proxyd: this grant; why */
	EFFECT_STREAM_REFUSED,	/* the asker: refusal */
	EFFECT_TERM_REFUSED,
	EFFECT_GRANT_REFUSED,
	EFFECT_STREAM_ROW,	/* say stream_saved() after the commit */
	EFFECT_GRANT_ROW,	/* say grant_saved() */
	EFFECT_PAIR,		/* this stream: ends to muxd and asker */
	EFFECT_GRANTED,		/* this grant: the table, then yes */
	EFFECT_SERVICES,	/* proxyds with a grant on it: its table */
	EFFECT_IDLE_DROP,	/* proxyds: let go of the session's idle ones */
	EFFECT_STATUS,		/* log: the session's state */
	EFFECT_LATE,		/* muxd: it was to end this stream long ago */
	EFFECT_GRACE		/* log: it has no tunnel; code: seconds */
};

struct effect {
	enum effect_kind	 kind;
	struct asker		 to;		/* id 0: no answer */
	uint64_t		 number;	/* of a stream, a grant */
	uint64_t		 code;		/* END_*, close code, seconds */
	enum refusal		 refusal;
	struct session		*session;	/* lives until they are done */
	const char		*text;		/* constant */
};

/* Rooms that an object owes. */
#define OWED_STREAM	6
#define OWED_GRANT	4
#define OWED_SESSION	8
#define OWED_TUNNEL	2

/* Room for `n` more: 0, or -1: no memory, and the object is not to be. */
int	effect_owe(unsigned n);
void	effect_paid(unsigned n);
/* A zeroed one at the end of the list; borrowed until the next call. */
struct effect	*effect_add(enum effect_kind);
/* Take the first: 1, or 0: there is none. */
int	effect_take(struct effect *);
/* How often more was said than was owed and memory had run out: a mistake. */
extern unsigned long	effects_lost;
/* Give the memory back, at the end: how many rooms were owed still? */
size_t	effect_clear(void);

#endif
