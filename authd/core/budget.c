/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "budget.h"

enum kind { ONE, GROUP };

struct share {
	struct link	 link;
	enum kind	 kind;
	uint64_t	 n;
	unsigned	 refs;		/* claims on it */
	char		 name[];
};

static uint64_t
key_of(enum kind kind, const char *name)
{
	return (index_key2(kind == ONE ? "one" : "group", name));
}

static struct share *
share_find(const struct budget *b, enum kind kind, const char *name)
{
	struct link	*l;
	struct share	*s;

	for (l = index_find(&b->shares, key_of(kind, name)); l != NULL;
	    l = index_next(l)) {
		s = OWNER(l, struct share, link);
		if (s->kind == kind && strcmp(s->name, name) == 0)
			return (s);
	}
	return (NULL);
}

/* With a reference; NULL: out of memory. */
static struct share *
share_get(struct budget *b, enum kind kind, const char *name)
{
	struct share	*s = share_find(b, kind, name);
	size_t		 size = strlen(name) + 1;

	if (s == NULL) {
		if ((s = calloc(1, sizeof(*s) + size)) == NULL)
			return (NULL);
		s->kind = kind;
		memcpy(s->name, name, size);
		index_add(&b->shares, &s->link, key_of(kind, name));
	}
	s->refs++;
	return (s);
}

static void
share_release(struct budget *b, struct share *s)
{
	if (s == NULL || --s->refs > 0)
		return;
	index_del(&b->shares, &s->link);
	free(s);
}

static int
claim_begin(struct budget *b, struct claim *c, const char *holder,
    const char *group)
{
	if (c->one != NULL)
		return (0);
	if ((c->one = share_get(b, ONE, holder)) == NULL)
		return (-1);
	if (group != NULL && group[0] != '\0' &&
	    (c->group = share_get(b, GROUP, group)) == NULL) {
		share_release(b, c->one);
		c->one = NULL;
		return (-1);
	}
	return (0);
}

static void
claim_end(struct budget *b, struct claim *c)
{
	share_release(b, c->one);
	share_release(b, c->group);
	c->one = c->group = NULL;
}

static uint64_t
less(uint64_t a, uint64_t b)
{
	return (a > b ? a - b : 0);
}

static uint64_t
least(uint64_t a, uint64_t b)
{
	return (a < b ? a : b);
}

/* How much may it have still? */
static uint64_t
room(const struct budget *b, const struct claim *c)
{
	const struct share	*g = c->group != NULL ? c->group : c->one;
	uint64_t		 left = less(b->total, b->used);
	uint64_t		 plenty = less(left, b->total / 4);
	uint64_t		 few = least(left, less(b->few, g->n));

	return (least(less(b->one, c->one->n), plenty > few ? plenty : few));
}

static void
claim_add(struct budget *b, struct claim *c, uint64_t n)
{
	b->used += n;
	c->n += n;
	c->one->n += n;
	if (c->group != NULL)
		c->group->n += n;
	if (c->n == 0)
		claim_end(b, c);
}

int
budget_take(struct budget *b, struct claim *c, const char *holder,
    const char *group, uint64_t n)
{
	int	good;

	if (claim_begin(b, c, holder, group) == -1)
		return (-1);
	good = n <= room(b, c);
	claim_add(b, c, good ? n : 0);
	return (good ? 0 : -1);
}

uint64_t
budget_take_some(struct budget *b, struct claim *c, const char *holder,
    const char *group, uint64_t n)
{
	if (claim_begin(b, c, holder, group) == -1)
		return (0);
	n = least(n, room(b, c));
	claim_add(b, c, n);
	return (n);
}

void
budget_give(struct budget *b, struct claim *c, uint64_t n)
{
	if (n > c->n)
		n = c->n;
	if (n == 0)
		return;
	b->used -= n;
	c->n -= n;
	c->one->n -= n;
	if (c->group != NULL)
		c->group->n -= n;
	if (c->n == 0)
		claim_end(b, c);
}

void
budget_leave(struct budget *b, struct claim *c)
{
	budget_give(b, c, c->n);
}

uint64_t
budget_of(const struct budget *b, const char *holder)
{
	const struct share	*s = share_find(b, ONE, holder);

	return (s != NULL ? s->n : 0);
}
