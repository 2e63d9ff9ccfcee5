/* SPDX-License-Identifier: ISC */
#ifndef PROCESSES_H
#define PROCESSES_H

#include <stddef.h>
#include <stdint.h>

#include "metrics/history.h"
#include "proc/roles.h"

/* What the parent says of the processes, and the last hour of what counts. */

/* The processes of a role that are in one state (PROCESS). */
struct process {
	int		role;
	char		state[16];
	uint32_t	count, layers, restarts;
	uint64_t	oldest_ms, newest_ms;
	uint64_t	memory;		/* bytes; 0: not known yet */
};
#define PROCESSES_MAX	(3 * ROLE_COUNT)

/* Once: from now on the numbers are looked at each minute. */
void	processes_init(void);
/*
 * `fn` is called once, perhaps before this returns, with the rows, or with
 * NULL: the parent has not said. At most a second old. 0; -1: too many wait.
 */
typedef void (*processes_fn)(void *arg, const struct process *, size_t n);
int	processes_ask(processes_fn, void *arg);

const struct history	*processes_history(void);

#endif
