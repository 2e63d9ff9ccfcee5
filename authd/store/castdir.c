/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "base/uuid.h"
#include "castdir.h"
#include "imsg/imsg.h"

#define SUFFIX		".cast"
#define FILE_SIZE	(UUID_SIZE + sizeof(SUFFIX) - 1)
#define LINE_MAX_LEN	65536		/* of a termd */
#define PATH_LEN	2048
#define FLAGS		(O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)

static struct {
	int	 fd;
	DIR	*scan;
} dir = { .fd = -1 };

int
castdir_is_open(void)
{
	return (dir.fd != -1);
}

/* Numbers from some on are for what comes uninvited. */
static int
keep(int fd)
{
	if (fd == -1 || !imsg_is_spare(fd))
		return (fd);
	close(fd);
	errno = EMFILE;
	return (-1);
}

static int
path_of(char *path, size_t size, const char *root, const char *name)
{
	if ((size_t)snprintf(path, size, "%s/%s",
	    strcmp(root, "/") == 0 ? "" : root, name) < size)
		return (0);
	errno = ENAMETOOLONG;
	return (-1);
}

static int
path_open(const char *path)
{
	return (keep(open(path, O_RDONLY | O_DIRECTORY | FLAGS)));
}

int
castdir_make(const char *root, const char *name)
{
	char	path[PATH_LEN];
	int	fd;

	if (path_of(path, sizeof(path), root, name) == -1 ||
	    (mkdirat(AT_FDCWD, path, 0700) == -1 && errno != EEXIST) ||
	    (fd = path_open(path)) == -1)
		return (-1);
	close(fd);
	return (0);
}

int
castdir_open(const char *root, const char *name)
{
	char	path[PATH_LEN];
	int	fd;

	if (path_of(path, sizeof(path), root, name) == -1 ||
	    (fd = path_open(path)) == -1)
		return (-1);
	if (dir.scan != NULL)
		closedir(dir.scan);
	if (dir.fd != -1)
		close(dir.fd);
	dir.scan = NULL;
	dir.fd = fd;
	return (0);
}

static int
file_open(const char *id, int flags)
{
	char	name[FILE_SIZE];

	if (dir.fd == -1 || !uuid_is(id, strlen(id))) {
		errno = ENOENT;
		return (-1);
	}
	snprintf(name, sizeof(name), "%s" SUFFIX, id);
	return (keep(openat(dir.fd, name, flags | FLAGS, 0600)));
}

int
castdir_new(const char *id, int *fd)
{
	*fd = file_open(id, O_WRONLY | O_APPEND | O_CREAT | O_EXCL);
	return (*fd == -1 ? -1 : 0);
}

static int
file_stat(const char *id, struct stat *st)
{
	char	name[FILE_SIZE];

	if (dir.fd == -1 || !uuid_is(id, strlen(id))) {
		errno = ENOENT;
		return (-1);
	}
	snprintf(name, sizeof(name), "%s" SUFFIX, id);
	return (fstatat(dir.fd, name, st, AT_SYMLINK_NOFOLLOW));
}

int
castdir_size(const char *id, uint64_t *bytes)
{
	struct stat	st;

	if (file_stat(id, &st) == -1)
		return (-1);
	*bytes = (uint64_t)st.st_size;
	return (0);
}

/* Up to the last end of a line, which is not far from the end. */
static int
whole_lines(int fd, uint64_t *bytes)
{
	static char	tail[LINE_MAX_LEN];
	uint64_t	from = *bytes > sizeof(tail) ? *bytes - sizeof(tail) :
			    0;
	const char	*end;
	ssize_t		n;

	n = pread(fd, tail, (size_t)(*bytes - from), (off_t)from);
	if (n == -1)
		return (-1);
	end = memrchr(tail, '\n', (size_t)n);
	if (end == NULL && *bytes > 0) {
		errno = EILSEQ;
		return (-1);
	}
	*bytes = end == NULL ? 0 : from + (uint64_t)(end + 1 - tail);
	return (0);
}

int
castdir_read(const char *id, uint64_t most, int *fd, uint64_t *bytes)
{
	struct stat	st;
	int		error;

	if ((*fd = file_open(id, O_RDONLY)) == -1)
		return (-1);
	if (fstat(*fd, &st) == 0 && S_ISREG(st.st_mode)) {
		*bytes = (uint64_t)st.st_size < most ? (uint64_t)st.st_size :
		    most;
		if (whole_lines(*fd, bytes) == 0)
			return (0);
		error = errno;
	} else
		error = EINVAL;
	close(*fd);
	*fd = -1;
	errno = error;
	return (-1);
}

int
castdir_remove(const char *id)
{
	char	name[FILE_SIZE];

	if (dir.fd == -1 || !uuid_is(id, strlen(id))) {
		errno = ENOENT;
		return (-1);
	}
	snprintf(name, sizeof(name), "%s" SUFFIX, id);
	return (unlinkat(dir.fd, name, 0));
}

int
castdir_free(uint64_t *bytes)
{
	struct statvfs	fs;

	if (dir.fd == -1) {
		errno = ENOENT;
		return (-1);
	}
	if (fstatvfs(dir.fd, &fs) == -1)
		return (-1);
	*bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	return (0);
}

static int
scan_begin(void)
{
	int	fd = keep(openat(dir.fd, ".", O_RDONLY | O_DIRECTORY |
		    O_CLOEXEC));

	if (fd != -1 && (dir.scan = fdopendir(fd)) == NULL)
		close(fd);
	return (dir.scan == NULL ? -1 : 0);
}

/* Is it the name of a recording, which its id is the beginning of? */
static int
is_recording(const char *name, char id[UUID_SIZE])
{
	if (strlen(name) != FILE_SIZE - 1 ||
	    strcmp(name + UUID_SIZE - 1, SUFFIX) != 0 ||
	    !uuid_is(name, UUID_SIZE - 1))
		return (0);
	memcpy(id, name, UUID_SIZE - 1);
	id[UUID_SIZE - 1] = '\0';
	return (1);
}

int
castdir_next(char id[UUID_SIZE], int64_t *at, uint64_t *bytes)
{
	struct dirent	*e;
	struct stat	 st;

	if (dir.fd == -1 || (dir.scan == NULL && scan_begin() == -1))
		return (0);
	while ((e = readdir(dir.scan)) != NULL) {
		if (!is_recording(e->d_name, id) || file_stat(id, &st) == -1 ||
		    !S_ISREG(st.st_mode))
			continue;
		*at = (int64_t)st.st_mtim.tv_sec * 1000 +
		    st.st_mtim.tv_nsec / 1000000;
		*bytes = (uint64_t)st.st_size;
		return (1);
	}
	closedir(dir.scan);
	dir.scan = NULL;
	return (0);
}
