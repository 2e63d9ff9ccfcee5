/* SPDX-License-Identifier: ISC */
#ifndef RECORDING_H
#define RECORDING_H

#include <stdint.h>

#include "authd/store/store.h"

struct conf;
struct stream;

/*
 * Recordings of terminals, where they are switched on: the row in the store
 * with that of the access log, then the file, which termd appends to, then its
 * end; and how they go again, by age and by size. operator-api.md, 11.
 */

/* The configuration may be new. */
void	recording_reloaded(void);
/* The store is open, and has this one that has not ended. */
void	recording_load(const struct recording_row *);
/* Everything is loaded. */
void	recording_loaded(void);
/* Could we record with this? For a reload. */
int	recording_judge(const struct conf *, const char **why);

/* A terminal's row is being written: this turn's transaction has both. */
void	recording_begin(const struct stream *);
/*
 * Before the terminal is given away: its file (or -1: it is not recorded) and
 * how many bytes may be added. 0; -1: it cannot be recorded, and is not to be.
 */
int	recording_open(const struct stream *, int *fd, uint64_t *room);
/*
 * Whose end is not known yet: what can be read of it. The same of any: 0, or -1
 * with errno.
 */
int	recording_read(const struct recording_row *, int *fd, uint64_t *bytes);
/* How many are going on. */
unsigned recording_count(void);

#endif
