/* SPDX-License-Identifier: ISC */
/* A pairing heap. */
#include <stddef.h>

#include "due.h"

static struct due	*root;

static struct due *
merge(struct due *a, struct due *b)
{
	struct due	*t;

	if (a == NULL || b == NULL)
		return (a == NULL ? b : a);
	if (b->at < a->at) {
		t = a;
		a = b;
		b = t;
	}
	b->prev = a;
	b->next = a->child;
	if (b->next != NULL)
		b->next->prev = b;
	a->child = b;
	a->next = a->prev = NULL;
	return (a);
}

/* Two by two from the left, then all from the right. */
static struct due *
merge_siblings(struct due *d)
{
	struct due	*a, *b, *pairs = NULL, *all = NULL;

	while ((a = d) != NULL) {
		b = a->next;
		d = b != NULL ? b->next : NULL;
		a->next = a->prev = NULL;
		if (b != NULL)
			b->next = b->prev = NULL;
		a = merge(a, b);
		a->next = pairs;
		pairs = a;
	}
	while ((a = pairs) != NULL) {
		pairs = a->next;
		a->next = NULL;
		all = merge(all, a);
	}
	return (all);
}

void
due_init(struct due *d, enum due_kind kind)
{
	d->kind = kind;
	d->is_set = 0;
	d->child = d->next = d->prev = NULL;
}

void
due_set(struct due *d, uint64_t at)
{
	due_del(d);
	d->at = at;
	d->is_set = 1;
	root = merge(root, d);
}

void
due_del(struct due *d)
{
	struct due	*below;

	if (!d->is_set)
		return;
	below = merge_siblings(d->child);
	if (d == root) {
		root = below;
	} else {
		if (d->prev->child == d)
			d->prev->child = d->next;
		else
			d->prev->next = d->next;
		if (d->next != NULL)
			d->next->prev = d->prev;
		root = merge(root, below);
	}
	d->is_set = 0;
	d->child = d->next = d->prev = NULL;
}

struct due *
due_first(void)
{
	return (root);
}
