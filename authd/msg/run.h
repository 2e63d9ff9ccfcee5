/* SPDX-License-Identifier: ISC */
#ifndef RUN_H
#define RUN_H

#include "authd/after.h"

/*
 * Carry out what the verbs of authd/core wanted: say it to the other processes,
 * make the pairs. It is handed turn_after(): for what waits for a commit.
 */
void	run_effects(after_fn);

#endif
