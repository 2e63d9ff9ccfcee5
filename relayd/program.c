/* SPDX-License-Identifier: ISC */
/* Which file may be run in place of us, as root where we are root. */
#include <sys/stat.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "upgrade.h"

/*
 * Of root or of us, and nobody else can write; in /tmp others write beside it.
 */
static int
is_ours(const char *path, int last, char *err, size_t err_size)
{
	struct stat	st;
	const char	*wrong = NULL;

	if (stat(path, &st) == -1)
		wrong = strerror(errno);
	else if (last && (!S_ISREG(st.st_mode) || access(path, X_OK) == -1))
		wrong = "not a program";
	else if (st.st_uid != 0 && st.st_uid != geteuid())
		wrong = "of another user";
	else if ((st.st_mode & (S_IWGRP | S_IWOTH)) &&
	    !(S_ISDIR(st.st_mode) && (st.st_mode & S_ISVTX)))
		wrong = "others can write it";
	if (wrong == NULL)
		return (0);
	snprintf(err, err_size, "%s: %s", path, wrong);
	return (-1);
}

/* It and all directories above it. */
static int
judge_way(const char *path, char *err, size_t err_size)
{
	char	part[PATH_MAX], *slash;

	if (path[0] != '/' ||
	    strlcpy(part, path, sizeof(part)) >= sizeof(part)) {
		snprintf(err, err_size, "%s: not an absolute path", path);
		return (-1);
	}
	if (is_ours(part, 1, err, err_size) == -1)
		return (-1);
	while ((slash = strrchr(part, '/')) != NULL) {
		*slash = '\0';
		if (is_ours(part[0] == '\0' ? "/" : part, 0, err,
		    err_size) == -1)
			return (-1);
	}
	return (0);
}

int
program_judge(const char *path, char *err, size_t err_size)
{
	char	real[PATH_MAX];

	if (judge_way(path, err, err_size) == -1)
		return (-1);
	if (realpath(path, real) == NULL) {
		snprintf(err, err_size, "%s: %s", path, strerror(errno));
		return (-1);
	}
	return (judge_way(real, err, err_size));
}

int
program_judge_all(char *err, size_t err_size)
{
	char	path[PATH_MAX], full[PATH_MAX];
	int	role;

	for (role = 0; role < ROLE_COUNT; role++) {
		if (role_info(role)->many == MANY_NONE)
			continue;
		snprintf(path, sizeof(path), "%s/%s", env()->libexec,
		    role_name(role));
		/* In the foreground it may be named from where we are. */
		if (realpath(path, full) == NULL) {
			snprintf(err, err_size, "%s: %s", path,
			    strerror(errno));
			return (-1);
		}
		if (program_judge(path[0] == '/' ? path : full, err,
		    err_size) == -1)
			return (-1);
	}
	return (0);
}
