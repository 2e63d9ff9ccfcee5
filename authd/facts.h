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

#define NEED_SYSTEM_BY_KEY	0x01	/* keys.system_key -> system */
#define NEED_SYSTEM		0x02	/* keys.system_id, else the session's */
#define NEED_SESSION		0x04	/* keys.session -> session */
#define NEED_REVOKED		0x08	/* keys.who -> revoked */
#define NEED_VISIBLE		0x10	/* keys.who and NEED_SYSTEM's id */
#define NEED_ORG		0x20	/* keys.org_id, else the system's */
#define NEED_SYSTEM_BY_NAME 0x40	/* keys.system_name -> named, not deleted */
#define NEED_CHILD	0x80	/* keys.org_id: is it a parent? */
#define NEED_ORG_SEEN	0x100	/* NEED_ORG's id and who: is it in their set? */
/* May `who` see it? Needs one that knows the system's id. */
#define NEED_SCOPE		(NEED_REVOKED | NEED_VISIBLE)

/* Unused ones are NULL. What they point to is needed during the call only. */
struct facts_keys {
	const char		*system_key, *system_id, *session, *org_id;
	const char		*system_name;
	const struct operator	*who;
	uint64_t		 asker;	/* an instance; 0: authd itself */
};

/*
 * Beside each fact what became of its question: 0, STORE_NONE, or -1: the store
 * could not say. What was not needed, or could not be asked because a fact
 * before it is missing, is FACT_NOT_ASKED. For `revoked`, `visible` and
 * `org_seen` 0 means yes. All of them together have a second and a half: who asks for an answer has
 * two.
 */
#define FACT_NOT_ASKED	1
#define FACT_MANY	2	/* named: more than one has the name */
struct facts {
	int	got_system, got_session, got_revoked, got_visible, got_org;
	int	got_named, got_child, got_org_seen;
	struct system_row	system, named;
	struct session_row	session;
	struct revoked_row	revoked;
	struct org_row		org;
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
