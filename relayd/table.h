/* SPDX-License-Identifier: ISC */
#ifndef TABLE_H
#define TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "imsg/msg.h"

/*
 * The parent's table, as bytes: what lives and which descriptors belong to it,
 * for the relayd that is exec'd in place of this one (upgrade.c). Pure. A magic
 * and two numbers, then records of a type, a length and fields (table.def), the
 * last of which says how many there were.
 *
 * The reader may be newer or older than the writer. It believes nothing: every
 * number is checked by who uses it, and a table that is cut short, too long or
 * of another kind is none.
 */
#define TABLE_VERSION	1	/* of the writer */
#define TABLE_OLDEST	1	/* a reader of at least this understands it */
#define TABLE_MAX	(64U << 20)
#define TABLE_RECORDS	(1U << 20)

#define T(NAME, name, fields)						\
struct table_##name { fields uint8_t end_; };
#define U8(name)		uint8_t name;
#define U32(name)		uint32_t name;
#define U64(name)		uint64_t name;
#define STR(name, size)		const char *name;
#define BLOB(name, max)		struct blob name;
#include "table.def"
#undef T
#undef U8
#undef U32
#undef U64
#undef STR
#undef BLOB

enum table_type {
	TABLE_END,
#define T(NAME, name, fields)	TABLE_##NAME,
#include "table.def"
#undef T
	TABLE_TYPES
};

/* One record; its texts and blobs are borrowed from the table. */
struct table_record {
	enum table_type	type;
	union {
#define T(NAME, name, fields)	struct table_##name name;
#include "table.def"
#undef T
	};
};

/* Writing: zeroed memory to begin with; `p` is the caller's to free. */
struct table_put {
	uint8_t		*p;
	size_t		 len, cap;
	uint32_t	 n;
	int		 failed;	/* out of memory, or a field's limit */
};
void	table_add(struct table_put *, const struct table_record *);
/* The last. 0, or -1: it is not whole. */
int	table_end(struct table_put *);

/* Reading: 0, or -1 with *why. */
struct table_get {
	const uint8_t	*p, *end;
	uint32_t	 n;
};
int	table_open(struct table_get *, const uint8_t *, size_t,
	    const char **why);
/*
 * The next record: 1; 0: that was all; -1 with *why. Types that are not known
 * here are left out.
 */
int	table_next(struct table_get *, struct table_record *,
	    const char **why);

#endif
