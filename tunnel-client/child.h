/* SPDX-License-Identifier: ISC */
#ifndef CHILD_H
#define CHILD_H

#include <sys/types.h>

struct event_base;
struct child;

/*
 * Programs that we started, each the leader of a process group of its own:
 * told about, ended, reaped.
 */

int	child_init(struct event_base *);
void	child_clear(void);

/*
 * Watch a child. `fn` is called once it has ended, before it is reaped, with
 * its status as waitpid() has it; what is left of its group is killed then, and
 * the struct is gone. NULL when out of memory: it has been killed and reaped.
 */
typedef void	(*child_fn)(void *, int status);
struct child	*child_watch(pid_t, child_fn, void *);

/*
 * No longer wanted: `fn` is not called. The group is told to hang up, and
 * killed after 2 s; or at once.
 */
void	child_hangup(struct child *);
void	child_kill(struct child *);

/* At the very end: wait up to a second for those told, then kill the rest. */
void	child_end_all(void);

/*
 * In a new process, before exec: default signal handling, none blocked, all
 * descriptors from `low` on closed.
 */
void	child_reset(int low);

#endif
