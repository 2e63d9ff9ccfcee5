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
#define E(NAME, word)	EFFECT_##NAME,
#include "effect.def"
#undef E
	EFFECT_COUNT
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
#define OWED_STREAM	7
#define OWED_GRANT	4
#define OWED_SESSION	10
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
