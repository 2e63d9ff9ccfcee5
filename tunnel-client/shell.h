/* SPDX-License-Identifier: ISC */
#ifndef SHELL_H
#define SHELL_H

/*
 * What a terminal's shell gets: environment, program, directory. Built from an
 * allow-list, so that nothing of ours is in it (T27).
 */

/* Once, at the start, before the environment is wiped. */
void	shell_remember(char **envp);
void	shell_forget(void);

struct shell {
	const char	*path;		/* what to execute, with -l */
	const char	*home;
	char		**env;		/* ends with NULL */
};
/* Borrowed, until the next call. 0, or -1 when out of memory. */
int	shell_get(struct shell *);

#endif
