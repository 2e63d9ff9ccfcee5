/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "history.h"
#include "ids.h"
#include "proc/roles.h"

#define SUMS_MAX	4

struct sum {
	int		role;		/* 0: no more of them */
	unsigned	first, last;
};

static const struct series {
	const char	*name;
	int		 grows;
	struct sum	 sums[SUMS_MAX];
} series[HISTORY_SERIES] = {
#define N(name, sums)		{ #name, 0, { sums } },
#define T(name, sums)		{ #name, 1, { sums } },
#define SUM(ROLE, FIRST, LAST)	{ ROLE_##ROLE, CT_##FIRST, CT_##LAST },
#include "history.def"
#undef N
#undef T
#undef SUM
};

_Static_assert(ROLE_NONE == 0, "a sum that is not there has no role");

const char *
history_name(unsigned i)
{
	return (series[i].name);
}

int
history_grows(unsigned i)
{
	return (series[i].grows);
}

static uint64_t
series_now(const struct series *s, const struct metric_pages *pages)
{
	uint64_t	n = 0;
	unsigned	i, at;

	for (i = 0; i < SUMS_MAX && s->sums[i].role != ROLE_NONE; i++)
		for (at = s->sums[i].first; at <= s->sums[i].last; at++)
			n += metric_sum(pages, s->sums[i].role, at);
	return (n);
}

void
history_see(struct history_look *look, const struct metric_pages *pages,
    int64_t at)
{
	unsigned	i;

	look->at = at;
	for (i = 0; i < HISTORY_SERIES; i++)
		look->n[i] = series_now(&series[i], pages);
}

void
history_keep(struct history *h, const struct history_look *look)
{
	h->look[(h->first + h->count) % HISTORY_LOOKS] = *look;
	if (h->count < HISTORY_LOOKS)
		h->count++;
	else
		h->first = (h->first + 1) % HISTORY_LOOKS;
}

const struct history_look *
history_at(const struct history *h, unsigned i)
{
	return (i < h->count ? &h->look[(h->first + i) % HISTORY_LOOKS] : NULL);
}

uint64_t
history_value(const struct history_look *before,
    const struct history_look *look, unsigned i)
{
	if (!series[i].grows)
		return (look->n[i]);
	return (look->n[i] >= before->n[i] ? look->n[i] - before->n[i] : 0);
}
