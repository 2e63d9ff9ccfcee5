/* SPDX-License-Identifier: ISC */
#ifndef LOCAL_H
#define LOCAL_H

#include "base/target.h"
#include "client.h"

/* The customer's --no-local-targets: 1 or 0, which it is before. */
void	local_init(int no_local_targets);

/*
 * Must this service not be dialed at an address of this machine
 * (target_addr_is_local())? `t` is its parsed target. What the customer has
 * listed may; of what came by COMMAND a name must not, since the server's rules
 * cannot see what it leads to, and with --no-local-targets nothing. 1 or 0.
 */
int	local_refused(const struct service *, const struct target *t);

#endif
