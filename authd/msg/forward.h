/* SPDX-License-Identifier: ISC */
#ifndef FORWARD_H
#define FORWARD_H

struct peer;

/*
 * What one member of a cluster passes on to another (several-daemons.md, 3):
 * which member has what is asked for, a connection to it, which dialerd makes
 * and to which the header is written here, and whether a header that comes is
 * genuine. The handlers are in table.def.
 */

/* Once: authd begins now. */
void	forward_init(void);
/* dialerd is there, or has gone. */
void	forward_came(struct peer *);
void	forward_gone(struct peer *);

#endif
