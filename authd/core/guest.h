/* SPDX-License-Identifier: ISC */
#ifndef GUEST_H
#define GUEST_H

#include "session.h"

/*
 * Guests: sessions that other members of a cluster have, of systems of which we
 * have one, too. A token for a guest is good for what its pages lead to at
 * siblings that we have, whose streams it lends; and proxyds hear of a guest's
 * table, to pass on what is for it. Nothing is opened on a guest, and its row is
 * not ours to write: which there are says the store. several-daemons.md, 3.
 */
#define GUESTS_MAX	4096
#define GUESTS_SYSTEM	64		/* of one system */

/* By id; NULL. */
struct session	*guest_find(const char *id);
unsigned	 guest_count(void);
/* Has this system any? */
int		 guest_is_of(const char *system_id);
/* Those of a system: calls back for each, which ends none. */
void		 guest_each_of(const char *system_id,
		    void (*fn)(struct session *, void *), void *arg);

/*
 * What the store says: between these two each is noted that there is; of those
 * that were not, nothing is left when the turn ends. A look that fails is not
 * ended.
 */
void		 guest_look(void);
/*
 * 0, or -1: there are too many, and this one is left out. One that is over, or
 * ours by now, is none.
 */
int		 guest_note(const struct guest_row *, const struct now *);
void		 guest_looked(void);

/* It is ours now: it ends, and what hangs on it. 1: there was one. */
int		 guest_gone(const char *id);

/* One whose table is another than we have; NULL: none. */
struct session	*guest_stale(void);
/* Takes it, of when it was written; NULL: it has none. */
void		 guest_table(struct session *, int64_t at, struct services *);
/* Forget all, for the end of a test. */
void		 guest_clear(void);

#endif
