/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "stage.h"

/* Moved together in place: a chunk may be a byte. */
static ssize_t
dechunk(struct stage *s, char *p, size_t *len)
{
	struct slice	data;
	size_t		used = 0, out = 0;
	ssize_t		n = 0;

	while (used < *len && (n = httphead_chunk_next(&s->chunk, p + used,
	    *len - used, &data)) > 0) {
		memmove(p + out, data.s, data.len);
		out += data.len;
		used += (size_t)n;
	}
	*len = out;
	return (n == -1 ? -1 : (ssize_t)used);
}

/* By kind. */
static ssize_t	(*const runs[])(struct stage *, char *, size_t *) = {
	[STAGE_DECHUNK] = dechunk,
};

void
stages_clear(struct stages *s)
{
	s->n = 0;
}

int
stages_add(struct stages *s, enum stage_kind kind)
{
	if (s->n == STAGES_MAX)
		return (-1);
	memset(&s->stage[s->n], 0, sizeof(s->stage[0]));
	s->stage[s->n++].kind = kind;
	return (0);
}

ssize_t
stages_run(struct stages *s, char *p, size_t *len)
{
	ssize_t	used, first = (ssize_t)*len;
	size_t	i;

	for (i = 0; i < s->n; i++) {
		used = runs[s->stage[i].kind](&s->stage[i], p, len);
		if (used == -1)
			return (-1);
		if (i == 0)
			first = used;
	}
	return (first);
}
