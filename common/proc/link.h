/* SPDX-License-Identifier: ISC */
#ifndef LINK_H
#define LINK_H

#include <stddef.h>

struct chan;
struct dispatch;

/*
 * The channel to authd, as every worker has it: it comes from the parent, it
 * ends when authd does, and another one comes with the next authd. What it
 * carried is lost with it; what has still to be told waits in its owner.
 * doc/messages.md, section 4.
 */

enum link_end {
	LINK_ENDED,		/* authd has gone */
	LINK_OFFENCE,		/* it said what it may not: we hung up */
	LINK_REPLACED		/* a new one came before that was seen */
};

struct link_ops {
	const struct dispatch	*table;		/* what authd may say */
	size_t			 rows;
	/*
	 * A channel is there: `again` says that it is not the first. NULL:
	 * nothing to do.
	 */
	void			(*came)(int again);
	/* It is not there any more; calls have been answered with NULL. */
	void			(*gone)(enum link_end);
	/*
	 * A new one is here while the old one serves on: ask nothing new (1),
	 * for at most LINK_WAIT_MS, until all that was asked is answered; then
	 * it is used (0). `waits`: is there an answer of which more is to come,
	 * beside the calls? NULL: the old one is dropped at once.
	 */
	void			(*pause)(int on);
	int			(*waits)(void);
};
#define LINK_WAIT_MS	1000

/* Once, before proc_main(): who asks. `ops` lives on. */
void		 link_init(const struct link_ops *);
/* For proc_ops: a channel from the parent (taken). 0, also without memory. */
int		 link_take(int fd, unsigned protocol);
/* NULL when there is none just now. */
struct chan	*link_chan(void);
/* The state of this channel and of every one to come: see struct dispatch. */
void		 link_set_state(int);
/* Send what waits, see chan_flush(). */
void		 link_flush(void);

#endif
