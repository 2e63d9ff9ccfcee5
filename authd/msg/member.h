/* SPDX-License-Identifier: ISC */
#ifndef MEMBER_H
#define MEMBER_H

#include <stdint.h>

#include "authd/after.h"
#include "authd/facts.h"
#include "authd/store/store.h"

/*
 * The members of a cluster: we say that we are there, and see who else is.
 * Who is alive says the store's clock, as of the last time that it was asked;
 * a store that is down changes nothing of that. several-daemons.md, 2.
 */

/* Once, before the store is opened; how to be called behind a turn's commit. */
void	member_init(after_fn);
/*
 * Who is called when a beat of ours has been written; `late`: so long after the
 * one before it that the others may have thought us gone.
 */
void	member_on_beat(void (*fn)(int late));
/*
 * The store is open: say so to the others, and call back when that is written
 * and they are known, as who is asked before takes what they have for nobody's;
 * at once where there is no cluster. 0: it could not be.
 */
void	member_begin(void (*then)(int ok));
/* We stop, in order: the others need not wait for us to be gone. */
void	member_end(void);

/* Are we one of a cluster? Its name, "" if not. */
int	member_is_one(void);
const char	*member_self(void);
/* A beat of ours has been written: nobody else has been this member since. */
int	member_has_begun(void);
/* No beat of ours has been written for long: the others may think us gone. */
int	member_is_silent(void);

/* The store's time, about: milliseconds as of its last answer to a beat. */
int64_t	member_now(void);

/* A connection has been passed on to another (1), or has come from one (0). */
void	member_forwarded(int out);

/*
 * One that there is, be it alive or not; NULL. Good until the loop is entered.
 */
const struct member_row	*member_find(const char *name);
int	member_is_alive(const struct member_row *);
/* Is that another one, which is alive? What it has is known there alone. */
int	member_is_elsewhere(const char *name);
/*
 * The one alive whose name is the lowest, and which does not drain, unless all
 * do; NULL: nobody has been seen yet.
 */
const struct member_row	*member_first(void);
/*
 * One alive, other than us, that does not drain: who comes to us in vain may
 * come to it; NULL.
 */
const struct member_row	*member_other(void);
/* What one does for all: is it us? Without a cluster it is. */
int	member_is_first(void);
/* They have changed, says one of them: look now. */
void	member_look(void);
/*
 * Nothing new is taken here: all may know that, at once. Also without a
 * cluster.
 */
void	member_drains(int on);
int	member_is_draining(void);
/*
 * One of those alive drains, or did a moment ago: it may have stopped since,
 * and its clients are on their way.
 */
int	member_somebody_drains(void);
/* All, by name. */
void	member_each(void (*fn)(const struct member_row *, void *), void *arg);

/*
 * Where the tunnel of a session is. HERE also without a cluster, for whatever
 * id: memory knows. THERE: `member` has it, which is alive. NOBODY: the session
 * is open and waits for its client. OVER: it is not open, or there is none.
 * DOWN: the store cannot say.
 */
enum holder_at { HOLDER_HERE, HOLDER_THERE, HOLDER_NOBODY, HOLDER_OVER,
    HOLDER_DOWN };
typedef void (*holder_then)(enum holder_at, const struct member_row *member,
    void *arg);
/* As facts with NEED_SESSION say, whatever is in memory; `member` or NULL. */
enum holder_at	holder_of(const struct facts *,
		    const struct member_row **member);

#endif
