/* SPDX-License-Identifier: ISC */
#ifndef RUN_H
#define RUN_H

/*
 * Carry out what the verbs of authd/core wanted: say it to the other processes,
 * make the pairs. `after` is turn_after(): for what waits for a commit.
 */
void	run_effects(void (*after)(void (*)(void *, int), void *));

#endif
