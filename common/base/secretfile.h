/* SPDX-License-Identifier: ISC */
#ifndef SECRETFILE_H
#define SECRETFILE_H

/*
 * Read a secret from the first line of a file that others can neither read nor
 * change. On the heap, or NULL and *why, a text for people.
 */
#define SECRET_FILE_MAX	8192	/* bytes of that line */
char	*secret_file_read(const char *path, const char **why);

#endif
