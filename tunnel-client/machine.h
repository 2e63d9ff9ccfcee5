/* SPDX-License-Identifier: ISC */
#ifndef MACHINE_H
#define MACHINE_H

/*
 * `PATH=...` for all that we run, and a path of this machine; in a test build
 * both begin in $TUNNEL_CLIENT_ROOT. Borrowed; the second until the next call.
 */
char		*program_path(void);
const char	*machine_path(const char *path);

/* Is what lies there, or will, gone when the machine starts anew? 1 or 0. */
int		 machine_forgets(const char *path);

#endif
