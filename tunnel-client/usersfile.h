/* SPDX-License-Identifier: ISC */
#ifndef USERSFILE_H
#define USERSFILE_H

#include <stddef.h>

/*
 * The files of users: the state, which a crash leaves behind for the next
 * start, its lock, and what plugins are given to read. All are 0600, written
 * under another name and renamed. tunnel-protocol.md, 7.8.
 */

/*
 * One client at a time has the state: 0, or -1 after a word in the log. Held
 * until usersfile_unlock(); a second call does nothing.
 */
int	usersfile_lock(const char *state);
void	usersfile_unlock(void);

/* Is something there? 1 or 0. */
int	usersfile_exists(const char *path);
/*
 * On the heap and terminated. NULL when it is not there, is not ours alone, or
 * is too long; after a word in the log unless it is not there.
 */
char	*usersfile_read(const char *path, size_t *len);
/*
 * One that cannot be read gets another name: it may be all that is known about
 * what has to be deleted. 0 or -1, with a word in the log.
 */
int	usersfile_aside(const char *path);
/* Its directory is made (0700) if need be. 0, or -1 after a word in the log. */
int	usersfile_write(const char *path, const char *text);
/* The state; does nothing without the lock. */
void	usersfile_remove(const char *state);

/*
 * The directory for plugins, my-support-tmp beside the state; with what is in
 * it, it goes again. NULL after a word in the log. Borrowed.
 */
const char	*usersfile_tmp(const char *state);
void		 usersfile_tmp_remove(void);

#endif
