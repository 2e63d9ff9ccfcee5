/* SPDX-License-Identifier: ISC */
#ifndef STRANGERS_H
#define STRANGERS_H

#include <sys/types.h>

/*
 * Processes that are ours and serve nobody: the one that looks at the
 * configuration for an upgrade, and those that a new program had started before
 * it went back. None of them outlives us.
 */

/* Its end is told to `ended`, if there is one. 0, or -1: out of memory. */
int	strangers_add(pid_t, void (*ended)(int status));
/* A process of ours has ended: 1 if it was one of them. */
int	strangers_ended(pid_t, int status);
/*
 * All that are ours and not in the table are strangers; whoever is still there
 * after `ms` is killed.
 */
void	strangers_find(unsigned ms);
/* Kill them and wait for their ends, which nobody is told. */
void	strangers_end(void);

#endif
