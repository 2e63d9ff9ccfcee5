/* SPDX-License-Identifier: ISC */
#ifndef CASTDIR_H
#define CASTDIR_H

#include <stdint.h>

#include "imsg/msg.h"

/*
 * The files of recordings: ID.cast in one directory below that of the store,
 * nothing of what somebody else wrote is in a name. Each is written by one
 * termd, which can only append to it, and read here only as far as its lines
 * are whole. Calls return 0, or -1 with errno. operator-api.md, 11.
 */

/* Can `name` below `root` be used? It is made if it is not there. */
int	castdir_make(const char *root, const char *name);
/* Use it, in place of the one before. */
int	castdir_open(const char *root, const char *name);
int	castdir_is_open(void);
/* A new one, for appending. */
int	castdir_new(const char *id, int *fd);
/* How large it is. */
int	castdir_size(const char *id, uint64_t *bytes);
/*
 * For reading: *bytes is its length up to the end of the last whole line,
 * `most` at most. EILSEQ: that is not where a recording could have it.
 */
int	castdir_read(const char *id, uint64_t most, int *fd, uint64_t *bytes);
int	castdir_remove(const char *id);
/* What is free on the file system of the directory, for us. */
int	castdir_free(uint64_t *bytes);

/*
 * The next file there: 1 with its id, last change (ms) and size; 0: that was
 * the last, and the next call begins anew. What is no recording is left out.
 */
int	castdir_next(char id[UUID_SIZE], int64_t *at, uint64_t *bytes);

#endif
