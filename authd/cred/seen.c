/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "seen.h"

#define WAYS	8

struct kept {
	char	id[SEEN_ID_SIZE];
	int64_t	at;
};

struct seen {
	size_t		sets;
	int64_t		lost;		/* the newest that made room */
	struct kept	kept[][WAYS];
};

struct seen *
seen_new(size_t places)
{
	struct seen	*s;
	size_t		 sets = places / WAYS;

	if ((s = calloc(1, sizeof(*s) + sets * sizeof(s->kept[0]))) == NULL)
		return (NULL);
	s->sets = sets;
	s->lost = INT64_MIN;
	return (s);
}

/* Ids are drawn at random: their first digits are as good as a hash. */
static struct kept *
set_of(struct seen *s, const char *id)
{
	char	head[9];

	strlcpy(head, id, sizeof(head));
	return (s->kept[strtoul(head, NULL, 16) % s->sets]);
}

int
seen_before(struct seen *s, const char *id, int64_t at)
{
	struct kept	*k = set_of(s, id), *oldest = k;
	size_t		 i;

	if (at <= s->lost)
		return (1);
	for (i = 0; i < WAYS; i++) {
		if (strcmp(k[i].id, id) == 0)
			return (1);
		if (oldest->id[0] != '\0' &&
		    (k[i].id[0] == '\0' || k[i].at < oldest->at))
			oldest = &k[i];
	}
	if (oldest->id[0] != '\0' && oldest->at > s->lost)
		s->lost = oldest->at;
	strlcpy(oldest->id, id, sizeof(oldest->id));
	oldest->at = at;
	return (0);
}

void
seen_free(struct seen *s)
{
	free(s);
}
