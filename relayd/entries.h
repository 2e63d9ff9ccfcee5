/* SPDX-License-Identifier: ISC */
#ifndef ENTRIES_H
#define ENTRIES_H

#include <sys/socket.h>

#include "upgrade.h"

/*
 * The listening sockets that places have. Each place has sockets of its own,
 * and who has the place when an upgrade comes leaves them, with whoever waits
 * there, to its successor; when somebody ends in any other way his are closed,
 * and the next one has new ones. Of a place that is no more after an upgrade
 * they are closed, too, by who leaves it.
 */

/*
 * A copy of the one that this child's place has at this address, if it can be
 * used by another than who has it now; -1: none. It is the child's then.
 */
int	entries_inherit(const struct child *, const struct sockaddr_storage *,
	    socklen_t);
/* A new one: keep a copy for who comes next. */
void	entries_keep(const struct child *, const struct sockaddr_storage *,
	    socklen_t, int fd);
/* It has ended: those that are still its own are closed. */
void	entries_ended(const struct child *);
/*
 * It leaves: nobody new comes to those that nobody has inherited. A kernel
 * sends each connection to one of the sockets that share an address, for good,
 * and resets whoever waits at one that is closed. So these do not hear of new
 * ones from now on (a client says again that it is there, after 1 s, 2 s more,
 * ...), those that have begun get through, and when the child closes them the
 * others are left.
 */
void	entries_leave(const struct child *);
/* We stop: nobody is to wait any more. */
void	entries_close(void);
/* All is well: nobody goes back to who had them before. */
void	entries_settled(void);

void	entries_save(struct table_put *);
void	entries_take(const struct table_entry *);

#endif
