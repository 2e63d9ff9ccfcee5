/* SPDX-License-Identifier: ISC */
#ifndef COMPAT_SPAWN_H
#define COMPAT_SPAWN_H

#include <sys/types.h>

/*
 * Start `program`, open (O_PATH) from `path`, with nothing but descriptors 0 to
 * `low + n - 1`: the `n` of `fds` become `low` and up, which the caller has to
 * keep reserved, with one more (they are closed on exec again afterwards, and
 * lead to /dev/null), what is below is inherited, everything above is closed.
 * Signals are as after a boot. Returns the pid, or -1 with errno, also when the
 * program cannot be executed.
 *
 * Where the system allows it the price does not grow with the caller's memory
 * nor with its open descriptors: the child shares both until it has a small
 * table of its own (architecture.md, "What it costs").
 */
pid_t	compat_spawn(const char *path, int program, char *const argv[],
	    char *const envp[], int low, const int *fds, int n);

#endif
