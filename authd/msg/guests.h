/* SPDX-License-Identifier: ISC */
#ifndef GUESTS_H
#define GUESTS_H

/*
 * Sessions of our systems that other members have (core/guest.h): read from the
 * store at the start, with each beat, and when a member says that something is
 * another; and what ours offer is written there for them. Without a cluster
 * nothing of this happens. several-daemons.md, 3.
 */

#include "authd/after.h"

struct session;

/* Once; `after` a commit. `tell` says to other members that they look now. */
void	guests_init(after_fn after, void (*tell)(void));
/* When the store is open, after our own sessions: `then` hears of it once. */
void	guests_begin(void (*then)(int ok));
/* Look: at once, or within a second of the last time. */
void	guests_look(void);
/*
 * What one of ours offers is another now; others may have taken it meanwhile,
 * so that it is not in the store any more; one of ours has ended.
 */
void	guests_changed(struct session *);
void	guests_held(struct session *);
void	guests_over(const struct session *);

#endif
