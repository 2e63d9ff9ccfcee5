/* SPDX-License-Identifier: ISC */
#include <sys/queue.h>

#include <stdlib.h>

#include "base/compat.h"
#include "base/rate.h"
#include "named.h"

#define PLACES	16384	/* keys that one proxyd's are remembered by */

struct counters {
	TAILQ_ENTRY(counters)	 entry;
	uint64_t		 proxyd;
	struct rate		*rate[NAMED_KINDS];
};

static struct {
	TAILQ_HEAD(, counters)	all;
	unsigned		n;
} named = { .all = TAILQ_HEAD_INITIALIZER(named.all) };

static struct counters *
counters_of(uint64_t proxyd)
{
	struct counters	*c;

	TAILQ_FOREACH(c, &named.all, entry)
		if (c->proxyd == proxyd)
			break;
	return (c);
}

static void
counters_free(struct counters *c)
{
	int	i;

	for (i = 0; i < NAMED_KINDS; i++)
		rate_free(c->rate[i]);
	free(c);
}

int
named_came(uint64_t proxyd)
{
	struct counters	*c;
	int		 i;

	if ((c = calloc(1, sizeof(*c))) == NULL)
		return (-1);
	c->proxyd = proxyd;
	for (i = 0; i < NAMED_KINDS; i++)
		if ((c->rate[i] = rate_new(PLACES)) == NULL) {
			counters_free(c);
			return (-1);
		}
	TAILQ_INSERT_TAIL(&named.all, c, entry);
	named.n++;
	return (0);
}

void
named_gone(uint64_t proxyd)
{
	struct counters	*c = counters_of(proxyd);

	if (c == NULL)
		return;
	TAILQ_REMOVE(&named.all, c, entry);
	named.n--;
	counters_free(c);
}

unsigned
named_proxyds(void)
{
	return (named.n > 0 ? named.n : 1);
}

/* What the others leave of the limit: its own share in any case. */
static uint64_t
limit_of(const struct counters *own, enum named kind, const char *key,
    uint64_t limit)
{
	const struct counters	*c;
	uint64_t		 share = limit / named_proxyds(), n, others = 0;

	if (share == 0)
		share = 1;
	TAILQ_FOREACH(c, &named.all, entry) {
		if (c == own)
			continue;
		n = rate_count(c->rate[kind], key);
		others += n < share ? n : share;
	}
	return (others + share < limit ? limit - others : share);
}

int
named_hit(enum named kind, uint64_t proxyd, const char *key, uint64_t limit,
    uint64_t window_ms, uint32_t *retry_s)
{
	struct counters	*c = counters_of(proxyd);

	if (c == NULL)
		return (0);
	return (rate_hit(c->rate[kind], key, limit_of(c, kind, key, limit),
	    window_ms, retry_s));
}

int
named_peek(enum named kind, uint64_t proxyd, const char *key, uint64_t limit,
    uint32_t *retry_s)
{
	struct counters	*c = counters_of(proxyd);

	if (c == NULL)
		return (0);
	return (rate_peek(c->rate[kind], key, limit_of(c, kind, key, limit),
	    retry_s));
}
