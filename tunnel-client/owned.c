/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "owned.h"

const char *
owned_refused(const struct stat *sb)
{
	if (sb->st_uid != 0 && sb->st_uid != geteuid())
		return ("belongs to another user");
	if ((sb->st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return ("others may write to it");
	return (NULL);
}

const char *
owned_file_refused(int fd, struct stat *sb)
{
	if (fd == -1 && errno == ELOOP)
		return ("not a regular file");
	if (fd == -1 || fstat(fd, sb) == -1)
		return (strerror(errno));
	return (S_ISREG(sb->st_mode) ? owned_refused(sb) :
	    "not a regular file");
}

int
owned_path(const char *real, const struct stat *sb)
{
	struct stat	 at;
	char		 path[PATH_MAX], *slash;

	if (lstat(real, &at) == -1 || at.st_dev != sb->st_dev ||
	    at.st_ino != sb->st_ino || strlcpy(path, real, sizeof(path)) >=
	    sizeof(path))
		return (0);
	while ((slash = strrchr(path, '/')) != NULL) {
		slash[slash == path] = '\0';
		if (lstat(path, &at) == -1 || !S_ISDIR(at.st_mode))
			return (0);
		/* What is ours in such a one, others cannot rename. */
		if (owned_refused(&at) != NULL && !(at.st_uid == 0 &&
		    (at.st_mode & S_ISVTX) != 0))
			return (0);
		if (slash == path)
			return (1);
	}
	return (0);
}
