/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/compat.h"
#include "conf.h"

enum conf_kind { KIND_NUMBER, KIND_STRING, KIND_LIST };

/* One row per member of struct conf, made from the lists; no pointers. */
struct conf_row {
	enum conf_kind	 kind;
	uint32_t	 roles;
	size_t		 offset;	/* of the member */
	size_t		 size;		/* of a string, or of one in a list */
	size_t		 many, count_offset;
	uint64_t	 min, max;
};

static const struct conf_row rows[] = {
#define X(member, def, min, max, unit, roles, keyword)			\
	{ KIND_NUMBER, roles, offsetof(struct conf, member),		\
	    sizeof(uint64_t), 1, 0, min, max },
	CONF_NUMBERS(X)
#undef X
#define X(member, size, def, roles, keyword)				\
	{ KIND_STRING, roles, offsetof(struct conf, member), size, 1,	\
	    0, 0, 0 },
	CONF_STRINGS(X)
#undef X
#define X(member, many, size, roles, keyword)				\
	{ KIND_LIST, roles, offsetof(struct conf, member), size, many,	\
	    offsetof(struct conf, n_##member), 0, 0 },
	CONF_LISTS(X)
#undef X
};

#define NROWS	(sizeof(rows) / sizeof(rows[0]))

struct cursor {
	uint8_t		*w;		/* packing */
	const uint8_t	*r;		/* unpacking */
	size_t		 left;
};

static uint64_t *
number_of(struct conf *c, const struct conf_row *row)
{
	return ((uint64_t *)(void *)((char *)c + row->offset));
}

static unsigned *
count_of(struct conf *c, const struct conf_row *row)
{
	return ((unsigned *)(void *)((char *)c + row->count_offset));
}

void
conf_init(struct conf *c)
{
	memset(c, 0, sizeof(*c));
#define X(member, def, min, max, unit, roles, keyword) c->member = def;
	CONF_NUMBERS(X)
#undef X
#define X(member, size, def, roles, keyword)				\
	strlcpy(c->member, def, sizeof(c->member));
	CONF_STRINGS(X)
#undef X
}

void
conf_copy(struct conf *to, const struct conf *from, int role)
{
	size_t	i;

	for (i = 0; i < NROWS; i++) {
		if (!(rows[i].roles & ROLE_BIT(role)))
			continue;
		memcpy((char *)to + rows[i].offset,
		    (const char *)from + rows[i].offset,
		    rows[i].many * rows[i].size);
		if (rows[i].kind == KIND_LIST)
			memcpy((char *)to + rows[i].count_offset,
			    (const char *)from + rows[i].count_offset,
			    sizeof(unsigned));
	}
}

static int
put(struct cursor *cur, const void *src, size_t n)
{
	if (cur->left < n)
		return (-1);
	memcpy(cur->w, src, n);
	cur->w += n;
	cur->left -= n;
	return (0);
}

static int
put_str(struct cursor *cur, const char *s)
{
	uint32_t	n = (uint32_t)strlen(s);

	return (put(cur, &n, sizeof(n)) == -1 || put(cur, s, n) == -1 ? -1 : 0);
}

static int
get(struct cursor *cur, void *dst, size_t n)
{
	if (cur->left < n)
		return (-1);
	memcpy(dst, cur->r, n);
	cur->r += n;
	cur->left -= n;
	return (0);
}

static int
get_str(struct cursor *cur, char *dst, size_t size)
{
	uint32_t	n;

	if (get(cur, &n, sizeof(n)) == -1 || n >= size ||
	    get(cur, dst, n) == -1 || memchr(dst, '\0', n) != NULL)
		return (-1);
	dst[n] = '\0';
	return (0);
}

static int
pack_row(struct conf *c, const struct conf_row *row, struct cursor *cur)
{
	char		*base = (char *)c + row->offset;
	unsigned	 i, n;

	if (row->kind == KIND_NUMBER)
		return (put(cur, number_of(c, row), sizeof(uint64_t)));
	if (row->kind == KIND_STRING)
		return (put_str(cur, base));
	n = *count_of(c, row);
	if (put(cur, &n, sizeof(n)) == -1)
		return (-1);
	for (i = 0; i < n; i++)
		if (put_str(cur, base + i * row->size) == -1)
			return (-1);
	return (0);
}

static int
unpack_row(struct conf *c, const struct conf_row *row, struct cursor *cur)
{
	char		*base = (char *)c + row->offset;
	uint64_t	*v;
	unsigned	 i, n;

	if (row->kind == KIND_NUMBER) {
		v = number_of(c, row);
		return (get(cur, v, sizeof(*v)) == -1 || *v < row->min ||
		    *v > row->max ? -1 : 0);
	}
	if (row->kind == KIND_STRING)
		return (get_str(cur, base, row->size));
	if (get(cur, &n, sizeof(n)) == -1 || n > row->many)
		return (-1);
	for (i = 0; i < n; i++)
		if (get_str(cur, base + i * row->size, row->size) == -1)
			return (-1);
	*count_of(c, row) = n;
	return (0);
}

long
conf_pack(const struct conf *conf, int role, uint8_t *buf, size_t size)
{
	struct conf	*c = (struct conf *)(uintptr_t)conf;
	struct cursor	 cur = { buf, NULL, size };
	size_t		 i;

	for (i = 0; i < NROWS; i++)
		if ((rows[i].roles & ROLE_BIT(role)) &&
		    pack_row(c, &rows[i], &cur) == -1)
			return (-1);
	return ((long)(size - cur.left));
}

int
conf_unpack(struct conf *c, int role, const uint8_t *buf, size_t len)
{
	struct cursor	cur = { NULL, buf, len };
	size_t		i;

	for (i = 0; i < NROWS; i++)
		if ((rows[i].roles & ROLE_BIT(role)) &&
		    unpack_row(c, &rows[i], &cur) == -1)
			return (-1);
	return (cur.left == 0 ? 0 : -1);
}
