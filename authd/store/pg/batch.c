/* SPDX-License-Identifier: ISC */
#include <sodium.h>

#include <stdlib.h>

#include "pg.h"

struct batch *
batch_new(void)
{
	struct batch	*b = calloc(1, sizeof(*b));

	if (b == NULL)
		return (NULL);
	STAILQ_INIT(&b->list);
	randombytes_buf(&b->serial, sizeof(b->serial));
	return (b);
}

void
batch_drop(struct batch *b, struct statement *s)
{
	STAILQ_REMOVE(&b->list, s, statement, entry);
	params_free(s->params);
	free(s);
	b->n--;
}

void
batch_free(struct batch *b)
{
	struct statement	*s;

	if (b == NULL)
		return;
	while ((s = STAILQ_FIRST(&b->list)) != NULL)
		batch_drop(b, s);
	free(b);
}

int
batch_add(struct batch *b, struct query *q, struct params *p)
{
	struct statement	*s = malloc(sizeof(*s));

	if (s == NULL)
		return (-1);
	s->query = q;
	s->params = p;
	s->was_none = 0;
	STAILQ_INSERT_TAIL(&b->list, s, entry);
	b->n++;
	return (0);
}

void
batch_last_first(struct batch *b)
{
	struct statement	*s = STAILQ_FIRST(&b->list);

	while (STAILQ_NEXT(s, entry) != NULL)
		s = STAILQ_NEXT(s, entry);
	STAILQ_REMOVE(&b->list, s, statement, entry);
	STAILQ_INSERT_HEAD(&b->list, s, entry);
}

struct statement *
batch_at(struct batch *b, unsigned n)
{
	struct statement	*s = STAILQ_FIRST(&b->list);

	while (s != NULL && n-- > 0)
		s = STAILQ_NEXT(s, entry);
	return (s);
}
