/* SPDX-License-Identifier: ISC */
#ifndef OWNED_H
#define OWNED_H

#include <sys/stat.h>

/*
 * Whose word is it? What root or we have made, and nobody else may write to, is
 * believed: files that we read, programs that we run, directories with either.
 * NULL, or why it is not.
 */
const char	*owned_refused(const struct stat *);
/* The same, and it is a regular file. -1 is of an open() that failed: errno. */
const char	*owned_file_refused(int fd, struct stat *);

/*
 * Can nobody else put another file in the place of this one? `real` is as
 * realpath(3) says it, `sb` what is to be there. Each directory above it has to
 * be owned so, or sticky and of root. 1 or 0.
 */
int	owned_path(const char *real, const struct stat *sb);

#endif
