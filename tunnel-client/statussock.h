/* SPDX-License-Identifier: ISC */
#ifndef STATUSSOCK_H
#define STATUSSOCK_H

struct event_base;

/*
 * The socket where the people of this machine ask and give orders: one line in,
 * the answer out, closed. A line is "status", or "consent " and an order of
 * consent.h; the answer is "OK\n" and what was asked for, or "ERROR reason\n".
 */

#define STATUSSOCK_LINE	256	/* bytes of a request, its newline too */

/*
 * Make it, for its owner (root, usually) and, unless "", for `group`. A path
 * "none" is none. Without it everything else goes on: a line in the log.
 */
void	statussock_open(struct event_base *, const char *path,
	    const char *group);
void	statussock_close(void);

#endif
