/* SPDX-License-Identifier: ISC */
#ifndef FOLLOW_H
#define FOLLOW_H

#include <stdint.h>

#include "authd/after.h"
#include "authd/core/refusal.h"
#include "authd/cred/jwt.h"

struct asker;
struct session;
struct session_row;

/*
 * Operators who want to hear that something has changed: a call of the API that
 * is never over. What they hear is an id that they may see, and no more: they
 * ask for the rest as ever. operator-api.md, section 4 (events).
 */
struct follower;

/* Once: how to be called behind the commit of a turn. */
void		follow_init(after_fn);
/*
 * Who called as `asker` hears of changes from now on: EVENT, and EVENTS_END
 * once at last. REFUSE_FOLLOWERS: too many.
 */
enum refusal	follow_begin(const struct asker *, const struct operator *);
/*
 * The call with this id of that process, and of all that it made: nobody is
 * there.
 */
void		follow_gone(uint64_t instance, uint32_t id);
void		follow_gone_all(uint64_t instance);

/*
 * Something of a session or a system will be different once this turn is
 * stored.
 */
void		follow_session(const struct session *);
void		follow_session_row(const struct session_row *);
void		follow_session_id(const char *session);
/* "": of one that is not there any more. */
void		follow_system(const char *id);

/* The same, of another member of a cluster; both "": of many. */
void		follow_others(const char *session, const char *system);

/* For rechecks, by number: the one that was fetched longest ago, 0: none. */
unsigned	follow_count(void);
uint64_t	follow_rotate(const struct operator **);
/* He may not any more. */
void		follow_end(uint64_t number, const char *why);

#endif
