/* SPDX-License-Identifier: ISC */
/*
 * Stands in libexec for a role, and becomes NAME.real beside it, with
 * failing.so preloaded and its table NAME.failing, both from there as well.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ENV_MAX	16

int
main(int argc, char *argv[], char *envp[])
{
	char	 self[PATH_MAX], real[PATH_MAX + 8], so[PATH_MAX + 16];
	char	 table[PATH_MAX + 24], *env[ENV_MAX + 3], *slash;
	ssize_t	 n;
	int	 i;

	(void)argc;
	if ((n = readlink("/proc/self/exe", self, sizeof(self) - 1)) == -1)
		return (1);
	self[n] = '\0';
	snprintf(real, sizeof(real), "%s.real", self);
	snprintf(table, sizeof(table), "FAILING=%s.failing", self);
	if ((slash = strrchr(self, '/')) == NULL)
		return (1);
	*slash = '\0';
	snprintf(so, sizeof(so), "LD_PRELOAD=%s/failing.so", self);
	for (i = 0; i < ENV_MAX && envp[i] != NULL; i++)
		env[i] = envp[i];
	env[i++] = so;
	env[i++] = table;
	env[i] = NULL;
	execve(real, argv, env);
	return (1);
}
