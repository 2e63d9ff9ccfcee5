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

/* Written so that no sum overflows. */
static int
is_too_much(const struct budget *b, const struct claim *c, uint64_t n)
{
	uint64_t	 left = b->total > b->used ? b->total - b->used : 0;
	const struct share *g = c->group != NULL ? c->group : c->one;

	if (n > left || c->one->n > b->one || n > b->one - c->one->n)
		return (1);
	return (left - n < b->total / 4 &&
	    (g->n > b->few || n > b->few - g->n));
}

int
budget_take(struct budget *b, struct claim *c, const char *holder,
    const char *group, uint64_t n)
{
	if (claim_begin(b, c, holder, group) == -1)
		return (-1);
	if (is_too_much(b, c, n)) {
		if (c->n == 0)
			claim_end(b, c);
		return (-1);
	}
	b->used += n;
	c->n += n;
	c->one->n += n;
	if (c->group != NULL)
		c->group->n += n;
	if (c->n == 0)
		claim_end(b, c);
	return (0);
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
