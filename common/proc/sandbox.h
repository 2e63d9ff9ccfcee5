/* SPDX-License-Identifier: ISC */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <stddef.h>
#include <stdint.h>

/*
 * Shut this process in for good: no new privileges, not dumpable, rlimits, no
 * file system but `dir` (NULL: none at all), a constant allow-list of system
 * calls for `role`. One file per mechanism; this is the whole interface.
 *
 * `role` is an enum role; `files` bounds open descriptors; `fsize` bounds what
 * a file may grow to (0 for all but authd and termd). Returns the SB_* layers
 * (msg.h) that are in force; what the kernel does not offer is logged by name
 * and missing in the result. Ends the process when a layer that the kernel
 * offers cannot be applied. architecture.md, rule 2.
 */
uint32_t	sandbox_apply(int role, const char *dir, uint64_t files,
		    uint64_t fsize);

/* The rlimits of it, for the files that have a mechanism beside them. */
void		sandbox_limits(uint64_t files, uint64_t fsize);

/*
 * Before that: the ports of other hosts that TCP may be connected to
 * (Landlock); copied. Without this: none.
 */
#define SANDBOX_PORTS_MAX	16
void		sandbox_ports(const uint16_t *, size_t n);

/* Before that, too: sockets in `dir` may be connected to. */
void		sandbox_sockets(void);

#ifdef RELAYD_TESTING
/*
 * Try a forbidden thing (enum try_call): 0 when it worked, else errno. A filter
 * that kills does not return.
 */
int		sandbox_try(int call);
#endif

#endif
