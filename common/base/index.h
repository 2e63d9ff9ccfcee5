/* SPDX-License-Identifier: ISC */
#ifndef INDEX_H
#define INDEX_H

#include <stddef.h>
#include <stdint.h>

/*
 * A hash table of links that lie in their owners. The table bounds nothing:
 * whoever adds checks `count` against its own limit first. Keys of strings are
 * SipHash under a key drawn at start, so that nobody outside can choose
 * collisions; two strings may still share a key, so compare what was found.
 */

#define INDEX_BUCKETS	8192

struct link {
	struct link	*next;
	uint64_t	 key;
};

struct index {
	struct link	*bucket[INDEX_BUCKETS];
	size_t		 count;
};

#define OWNER(link, type, member)					\
	((type *)(void *)((char *)(link) - offsetof(type, member)))

/* Once per process; sodium_init() must have been called. */
void		 index_init(void);
uint64_t	 index_key(const char *s);
/* Of two strings, the border between them counting. */
uint64_t	 index_key2(const char *a, const char *b);

void		 index_add(struct index *, struct link *, uint64_t key);
/* `link` must be in the table. */
void		 index_del(struct index *, struct link *);
/* The first or next link with `key`, or NULL. */
struct link	*index_find(const struct index *, uint64_t key);
struct link	*index_next(const struct link *);

#endif
