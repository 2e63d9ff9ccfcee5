/* SPDX-License-Identifier: ISC */
#ifndef WIPE_H
#define WIPE_H

#include <stddef.h>

/*
 * An allocator for a library that frees what may be secret in pieces nobody
 * else sees: a parser's strings, the texts that it prints. Each block knows its
 * size and is wiped when it is freed. What came from wipe_malloc() goes to
 * wipe_free() and nowhere else; NULL is allowed there, and on no memory.
 */
void	*wipe_malloc(size_t);
/* The same for a library that fails badly without: it is the process's end. */
void	*wipe_need(size_t);
void	 wipe_free(void *);
/*
 * Whether wipe_malloc() had no memory in this second or the last. What a library
 * was to make of several pieces may lack one then, and does not say so: it is not
 * signed, and not given to anybody.
 */
int	 wipe_lacks(void);

#endif
