/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "compat.h"
#include "secretfile.h"

char *
secret_file_read(const char *path, const char **why)
{
	struct stat	 sb;
	char		 buf[SECRET_FILE_MAX + 1], *secret = NULL;
	ssize_t		 n = -1;
	int		 fd;

	*why = NULL;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd == -1 || fstat(fd, &sb) == -1)
		*why = strerror(errno);
	else if (!S_ISREG(sb.st_mode))
		*why = "not a regular file";
	else if ((sb.st_mode & (S_IWGRP | S_IRWXO)) != 0)
		*why = "others may read or change it: chmod 600";
	else if ((n = read(fd, buf, sizeof(buf) - 1)) == -1)
		*why = strerror(errno);
	if (fd != -1)
		close(fd);
	if (*why != NULL)
		return (NULL);
	buf[n] = '\0';
	buf[strcspn(buf, "\r\n")] = '\0';
	if (*buf == '\0')
		*why = "its first line is empty";
	else if ((secret = strdup(buf)) == NULL)
		*why = strerror(errno);
	explicit_bzero(buf, sizeof(buf));
	return (secret);
}
