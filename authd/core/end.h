/* SPDX-License-Identifier: ISC */
#ifndef END_H
#define END_H

#include "env.h"

/*
 * All endings, in the one order: a verb only marks what ends and queues it, the
 * turn comes here. Who hangs on what ends too; muxd hears first, so that a
 * broken proxyd cannot keep what it had, then termds, then proxyds, then the
 * tunnel itself goes. messages.md, section 3. At last what became possible is
 * started: who waited for room in a tunnel.
 */
void	end_run(const struct now *);

/* Call the verbs that are due. */
void	core_due(const struct now *);
/* The first verbs of all: once. */
void	core_init(const struct now *);

#endif
