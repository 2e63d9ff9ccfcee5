/* SPDX-License-Identifier: ISC */
/* The table in memory that nobody can change any more (memfd_create(2)). */
#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/build.h"
#include "upgrade.h"

#define SEALS	(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

uint64_t
tablefile_inode(int fd)
{
	struct stat	st;

	return (fd > LOG_FD && fstat(fd, &st) == 0 ? (uint64_t)st.st_ino : 0);
}

static int
write_all(int fd, const uint8_t *p, size_t len)
{
	ssize_t	n;

	while (len > 0) {
		if ((n = write(fd, p, len)) <= 0)
			return (-1);
		p += n;
		len -= (size_t)n;
	}
	return (0);
}

int
tablefile_seal(const uint8_t *p, size_t len, char *err, size_t err_size)
{
	int	fd;

	fd = memfd_create("relayd-table", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd == -1 || write_all(fd, p, len) == -1 ||
	    fcntl(fd, F_ADD_SEALS, SEALS) == -1) {
		snprintf(err, err_size, "table: %s", strerror(errno));
		if (fd != -1)
			close(fd);
		fd = -1;
	}
	return (fd);
}

int
tablefile_map(int fd, const uint8_t **p, size_t *len, const char **why)
{
	struct stat	st;
	void		*at;

	*why = "no table";
	if (fstat(fd, &st) == -1 || fcntl(fd, F_GET_SEALS) != SEALS ||
	    st.st_size <= 0 || st.st_size > (off_t)TABLE_MAX)
		return (-1);
	at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (at == MAP_FAILED)
		return (-1);
	*p = at;
	*len = (size_t)st.st_size;
	return (0);
}

static void
pass(uint32_t fd, uint64_t inode, int on)
{
	if (inode != 0 && tablefile_inode((int)fd) == inode)
		(void)fcntl((int)fd, F_SETFD, on ? 0 : FD_CLOEXEC);
}

void
tablefile_pass(const uint8_t *p, size_t len, int on)
{
	struct table_record	r;
	struct table_get	t;
	const char		*why;

	if (table_open(&t, p, len, &why) == -1)
		return;
	while (table_next(&t, &r, &why) == 1) {
		if (r.type == TABLE_CHILD) {
			pass(r.child.chan, r.child.chan_inode, on);
			pass(r.child.log, r.child.log_inode, on);
		} else if (r.type == TABLE_DOOR)
			pass(r.door.fd, r.door.inode, on);
		else if (r.type == TABLE_DESK)
			pass(r.desk.fd, r.desk.inode, on);
		else if (r.type == TABLE_PROGRAM)
			pass(r.program.fd, r.program.inode, on);
		else if (r.type == TABLE_ENTRY)
			pass(r.entry.fd, r.entry.inode, on);
	}
}
