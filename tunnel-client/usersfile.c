/* SPDX-License-Identifier: ISC */
#include <sys/file.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "base/log.h"
#include "owned.h"
#include "usersfile.h"

#define FILE_MAX	(512 * 1024)
#define TMP_NAME	"my-support-tmp"

static int	lock_fd = -1;
static char	tmp_dir[1024];		/* "" there is none */

/* The directory of a file, made if it is not there. 0 or -1. */
static int
parent_make(const char *path)
{
	char	dir[1024], *slash;

	if (strlcpy(dir, path, sizeof(dir)) >= sizeof(dir) ||
	    (slash = strrchr(dir, '/')) == NULL || slash == dir)
		return (0);
	*slash = '\0';
	return (mkdir(dir, 0700) == -1 && errno != EEXIST ? -1 : 0);
}

int
usersfile_lock(const char *state)
{
	char	path[1024];

	if (lock_fd != -1)
		return (0);
	if ((size_t)snprintf(path, sizeof(path), "%s.lock", state) >=
	    sizeof(path) || parent_make(state) == -1 ||
	    (lock_fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
	    0600)) == -1) {
		log_warn("users: %s.lock", state);
		return (-1);
	}
	if (flock(lock_fd, LOCK_EX | LOCK_NB) == 0)
		return (0);
	log_warnx("users: another tunnel-client has %s", state);
	close(lock_fd);
	lock_fd = -1;
	return (-1);
}

void
usersfile_unlock(void)
{
	if (lock_fd != -1)
		close(lock_fd);
	lock_fd = -1;
}

int
usersfile_exists(const char *path)
{
	struct stat	sb;

	return (lstat(path, &sb) == 0);
}

char *
usersfile_read(const char *path, size_t *len)
{
	struct stat	 sb;
	const char	*why;
	char		*text = NULL;
	ssize_t		 n = -1;
	int		 fd;

	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1 && errno == ENOENT)
		return (NULL);
	why = owned_file_refused(fd, &sb);
	if (why == NULL && sb.st_size > FILE_MAX)
		why = "too long";
	if (why == NULL && (text = malloc((size_t)sb.st_size + 1)) != NULL)
		n = read(fd, text, (size_t)sb.st_size);
	if (fd != -1)
		close(fd);
	if (n == -1) {
		log_warnx("users: %s: %s", path, why == NULL ?
		    strerror(errno) : why);
		free(text);
		return (NULL);
	}
	text[n] = '\0';
	*len = (size_t)n;
	return (text);
}

int
usersfile_aside(const char *path)
{
	char	aside[1024];
	int	i;

	for (i = 1; i < 100; i++) {
		if ((size_t)snprintf(aside, sizeof(aside), "%s.unreadable-%d",
		    path, i) >= sizeof(aside))
			return (-1);
		if (usersfile_exists(aside))
			continue;
		if (rename(path, aside) == -1)
			break;
		log_warnx("users: %s: kept as %s: what it names may still be "
		    "there", path, aside);
		return (0);
	}
	log_warn("users: %s: cannot be kept, so no users are made", path);
	return (-1);
}

int
usersfile_write(const char *path, const char *text)
{
	char	new[1024];
	size_t	len = strlen(text);
	int	fd = -1, good;

	good = (size_t)snprintf(new, sizeof(new), "%s.new", path) <
	    sizeof(new) && parent_make(path) == 0;
	if (good) {
		(void)unlink(new);	/* of a crash */
		fd = open(new, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
		    O_CLOEXEC, 0600);
	}
	/* It says what to delete: it has to be there after a power cut. */
	good = fd != -1 && write(fd, text, len) == (ssize_t)len &&
	    fsync(fd) == 0;
	if (fd != -1 && close(fd) == -1)
		good = 0;
	if (good && rename(new, path) == 0)
		return (0);
	log_warn("users: %s", path);
	if (fd != -1)
		(void)unlink(new);
	return (-1);
}

void
usersfile_remove(const char *state)
{
	if (lock_fd == -1)
		return;		/* then it is another's */
	if (unlink(state) == -1 && errno != ENOENT)
		log_warn("users: %s", state);
}

/* Made by us, or ours from before; nobody else sees into it. */
static int
tmp_ok(void)
{
	struct stat	sb;

	if (mkdir(tmp_dir, 0700) == -1 && errno != EEXIST)
		return (0);
	if (lstat(tmp_dir, &sb) == -1)
		return (0);
	errno = EPERM;
	return (S_ISDIR(sb.st_mode) && sb.st_uid == geteuid() &&
	    (sb.st_mode & 077) == 0);
}

const char *
usersfile_tmp(const char *state)
{
	const char	*slash = strrchr(state, '/');

	snprintf(tmp_dir, sizeof(tmp_dir), "%.*s" TMP_NAME, slash == NULL ? 0 :
	    (int)(slash - state + 1), state);
	if (parent_make(tmp_dir) == 0 && tmp_ok())
		return (tmp_dir);
	log_warn("users: %s", tmp_dir);
	*tmp_dir = '\0';
	return (NULL);
}

void
usersfile_tmp_remove(void)
{
	struct dirent	*de;
	DIR		*d;

	if (*tmp_dir == '\0')
		return;
	if ((d = opendir(tmp_dir)) != NULL) {
		/* cppcheck-suppress readdirCalled ; there is one thread */
		while ((de = readdir(d)) != NULL)
			if (strcmp(de->d_name, ".") != 0 &&
			    strcmp(de->d_name, "..") != 0)
				(void)unlinkat(dirfd(d), de->d_name, 0);
		closedir(d);
	}
	(void)rmdir(tmp_dir);
	*tmp_dir = '\0';
}
