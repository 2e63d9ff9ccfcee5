/* SPDX-License-Identifier: ISC */
#ifndef RECORDING_H
#define RECORDING_H

#include <stdint.h>

#include "authd/after.h"
#include "authd/core/refusal.h"
#include "authd/store/store.h"

struct conf;
struct stream;

/*
 * Recordings of terminals, where they are switched on: the row in the store
 * with that of the access log, then the file, which termd appends to, then its
 * end; and how they go again, by age and by size. operator-api.md, 11.
 */

/* With turn_after(): for what waits for a commit. */
void	recording_init(after_fn);
/* The configuration may be new. */
void	recording_reloaded(void);
/* The store is open, and has this one that has not ended. */
void	recording_load(const struct recording_row *);
/*
 * The store is open: from now on what is old goes, and files without a row get
 * one. recording_keep.c
 */
void	recording_keep(void);
/* Could we record with this? For a reload. */
int	recording_judge(const struct conf *, const char **why);

/* A terminal's row is being written: this turn's transaction has both. */
void	recording_begin(const struct stream *);
/*
 * Before the terminal is given away: its file (or -1: it is not recorded) and
 * how many bytes may be added. Or why it cannot be recorded, and is not to be.
 */
enum refusal	recording_open(const struct stream *, int *fd, uint64_t *room);
/*
 * Whose end is not known yet: what can be read of it. The same of any: 0, or -1
 * with errno.
 */
int	recording_read(const struct recording_row *, int *fd, uint64_t *bytes);
/* How large it is, also of one that goes on. */
uint64_t recording_size(const struct recording_row *);
/* How many are going on, and what they have by now. */
unsigned recording_count(void);
uint64_t recording_open_bytes(void);

#endif
