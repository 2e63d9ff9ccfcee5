/* SPDX-License-Identifier: ISC */
#ifndef SEEN_H
#define SEEN_H

#include <stddef.h>
#include <stdint.h>

/*
 * Ids of what is signed and may be heard once. Each has the time at which it
 * was made; the oldest of a few make room for one more. What is no newer than
 * one that has made room so may have been here, and counts as if it had: nothing
 * is heard twice for want of room. Pure.
 */

#define SEEN_ID_SIZE	33	/* 16 bytes in hex, drawn by who signs */

struct seen;

/* Of so many ids, a multiple of 8. NULL: no memory. */
struct seen	*seen_new(size_t places);
/*
 * Has this id, made at that time (ms, of any clock), been here, or may it have
 * been? It has from now on. 1 or 0.
 */
int		 seen_before(struct seen *, const char *id, int64_t at);
/* NULL is allowed. */
void		 seen_free(struct seen *);

#endif
