/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "stage.h"

#define RECHUNK_MAX	(256 * 1024)	/* a whole buffer (door/buf.h) */

/*
 * A stage is in the chain when it is wanted. It uses of the piece what it has
 * room for, returns how much that was, and leaves what it has made in its
 * place; `last` stays set only when nothing is left behind. One that makes
 * more than its room has to leave a byte unused, so that it is asked again;
 * one behind another uses all.
 */
struct row {
	int	(*wanted)(const struct httphead *, int http10);
	ssize_t	(*run)(struct stage *, struct piece *);
};

static int	dechunk_wanted(const struct httphead *, int);
static ssize_t	dechunk(struct stage *, struct piece *);
static int	rechunk_wanted(const struct httphead *, int);
static ssize_t	rechunk(struct stage *, struct piece *);

static const struct row	rows[STAGE_KINDS] = {
	[STAGE_DECHUNK] = { dechunk_wanted, dechunk },
	[STAGE_RECHUNK] = { rechunk_wanted, rechunk },
};

/* HTTP/1.0 does not know chunks. */
static int
dechunk_wanted(const struct httphead *h, int http10)
{
	return ((h->flags & HTTPHEAD_CHUNKED) && http10);
}

/*
 * A body that ends with its connection ends the same way when something on its
 * way dies: in chunks its end is said, and the lack of it seen.
 */
static int
rechunk_wanted(const struct httphead *h, int http10)
{
	return (!http10 && (h->flags & HTTPHEAD_TO_CLOSE));
}

/* In place. */
static ssize_t
dechunk(struct stage *s, struct piece *b)
{
	return (httphead_chunk_strip(&s->chunk, b->p, b->len, &b->len));
}

static ssize_t
rechunk(struct stage *s, struct piece *b)
{
	static char	made[RECHUNK_MAX + 32];
	size_t		used = b->len;
	int		n = 0;

	if (used > RECHUNK_MAX)
		return (-1);
	if (s->open) {
		memcpy(made, "\r\n", 2);
		n = 2;
		s->open = 0;
	}
	if (used > 0) {
		n += snprintf(made + n, 32, "%zx\r\n", used);
		memcpy(made + n, b->p, used);
		n += (int)used;
		memcpy(made + n, "\r\n", 2);
		n += 2;
	}
	if (b->last) {
		memcpy(made + n, "0\r\n\r\n", 5);
		n += 5;
	}
	b->p = made;
	b->len = (size_t)n;
	return ((ssize_t)used);
}

void
stages_begin(struct stages *s, const struct httphead *h, int http10)
{
	int	kind;

	s->n = 0;
	s->over = 0;
	for (kind = 0; kind < STAGE_KINDS; kind++)
		if (rows[kind].wanted(h, http10)) {
			memset(&s->stage[s->n], 0, sizeof(s->stage[0]));
			s->stage[s->n].chunk.lenient = 1;
			s->stage[s->n++].kind = (enum stage_kind)kind;
		}
}

void
stages_anew(struct stages *s, struct flow *f, int whole)
{
	static const struct httphead_chunk	none;

	memset(s, 0, sizeof(*s));
	s->n = 2;
	s->stage[0].kind = STAGE_DECHUNK;
	httphead_chunk_resume(&s->stage[0].chunk, whole ? &none : &f->chunk);
	s->stage[1].kind = STAGE_RECHUNK;
	s->stage[1].open = !whole && f->chunk.open;
	f->ready += (size_t)f->chunk.loose;
	f->raw = 0;
}

ssize_t
stages_run(struct stages *s, struct piece *b)
{
	ssize_t	used, first = (ssize_t)b->len;
	size_t	i, had;

	for (i = 0; i < s->n; i++) {
		had = b->len;
		used = rows[s->stage[i].kind].run(&s->stage[i], b);
		if (used == -1 || (i > 0 && (size_t)used != had))
			return (-1);
		if (i == 0)
			first = used;
	}
	s->over = b->last;
	return (first);
}
