/* SPDX-License-Identifier: ISC */
#ifndef FACTS_H
#define FACTS_H

#include "authd/cred/jwt.h"
#include "authd/store/store.h"

/*
 * What a decision needs from the store, gathered before it is made: a handler
 * asks, `then` decides, once, in the same call or in a later turn of the loop.
 * Meanwhile the session may be over, the tunnel lost, the asker dead: `then`
 * looks at the tables as they are when the facts are there.
 */

/* NEED_SYSTEM and so on: a bit for each row. */
enum facts_row {
#define F(NAME, ASK, key, fact, row)	FACT_ROW_##NAME,
#define O(NAME, ASK, key, fact)		FACT_ROW_##NAME,
#define Y(NAME, ASK, key, fact)		FACT_ROW_##NAME,
#include "facts.def"
	FACT_ROWS
};
enum facts_need {
#define F(NAME, ASK, key, fact, row)	NEED_##NAME = 1 << FACT_ROW_##NAME,
#define O(NAME, ASK, key, fact)		NEED_##NAME = 1 << FACT_ROW_##NAME,
#define Y(NAME, ASK, key, fact)		NEED_##NAME = 1 << FACT_ROW_##NAME,
#include "facts.def"
	NEED_NOTHING = 0,
	/* May `who` see it? Needs one that knows the system's id. */
	NEED_SCOPE = NEED_REVOKED | NEED_VISIBLE
};

/* Unused ones are NULL. What they point to is needed during the call only. */
struct facts_keys {
#define KEY(name, size)	const char	*name;
#include "facts.def"
	const struct operator	*who;
	uint64_t		 asker;	/* an instance; 0: authd itself */
};

/*
 * Beside each fact what became of its question: 0, STORE_NONE, or -1: the store
 * could not say. What was not needed, or could not be asked because a fact
 * before it is missing, is FACT_NOT_ASKED. For `revoked` 0 means yes. All of
 * them together have a second and a half: who asks for an answer has two.
 */
#define FACT_NOT_ASKED	1
#define FACT_MANY	2	/* named: more than one has the name */
struct facts {
#define F(NAME, ASK, key, fact, row)	int got_##fact; row fact;
#define Y(NAME, ASK, key, fact)		int got_##fact;
#include "facts.def"
};
typedef void (*facts_then)(const struct facts *, void *arg);

/*
 * Returns NULL when `then` has been called already (also when memory ran out:
 * what is needed is then -1), else what facts_cancel() takes until then.
 */
struct facts_call;
struct facts_call	*facts_ask(unsigned needs, const struct facts_keys *,
			    facts_then, void *arg);
/* The asker has gone: `then` will not be called. NULL is allowed. */
void			 facts_cancel(struct facts_call *);

#endif
