/* SPDX-License-Identifier: ISC */
#ifndef CREDIT_H
#define CREDIT_H

#include "imsg/imsg.h"

struct peer;

/*
 * Leases of yamux receive credit: an eighth of memory for all tunnels, in
 * steps of 1 MiB. A window grows only with a lease. messages.md, section 5.
 */

/* Before the sandbox closes: how much memory is there? */
void	credit_init(void);
/* The tunnel has gone: what it had is free. */
void	credit_release(struct peer *);
uint32_t credit_leased_mib(void);
uint32_t credit_total_mib(void);

#endif
