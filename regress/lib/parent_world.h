/* SPDX-License-Identifier: ISC */
#ifndef PARENT_WORLD_H
#define PARENT_WORLD_H

#include "relayd/relayd.h"
#include "regress/lib/drive.h"

/*
 * The parent's half of its channels, with children that are played here: what
 * its other files would do is written down, or done in the simplest way.
 */

extern struct env	 test_env;
extern char		 killed[256];	/* why kill_child() was called */
extern int		 spawned;	/* how often */
extern int		 spawn_fails;
extern int		 far_fd;	/* the spawned child's own end */

/* An event loop, a clock, a configuration in which one may log in at a time. */
void		 parent_begin(void);
/* Free all children and the rest. */
void		 parent_end(void);
/* A child with a channel whose far end is a plain socket, *far. */
struct child	*child_make(int role, enum child_state, int *far);
/* The last of a role that was made; NULL: none lives. */
struct child	*newest(int role);
/* The message that is said next. */
void		 make(uint32_t type, const void *m);
/* Say it at a child's end, with a copy of a descriptor (-1: none). */
void		 say_made(int far, int fd);
/* The same, and the parent reads it. */
void		 child_says(int far, int fd);
/* Let the parent read what children have said. */
void		 turn(void);

#endif
