/* SPDX-License-Identifier: ISC */
/* What is signed is heard once: also when more comes than there is room for. */
#include <stdio.h>

#include "authd/cred/seen.h"
#include "regress/lib/tap.h"

#define PLACES	64
#define NOW	1700000000000LL
#define FLOOD	100000

static int
before(struct seen *s, unsigned id, int64_t at)
{
	char	text[SEEN_ID_SIZE];

	snprintf(text, sizeof(text), "%08x%024x", id, id);
	return (seen_before(s, text, at));
}

static void
test_room(void)
{
	struct seen	*s = seen_new(PLACES);
	unsigned	 i, wrong = 0;

	for (i = 0; i < PLACES; i++)
		wrong += before(s, i, NOW + i) != 0;
	is_int(wrong, 0, "%d have room", PLACES);
	for (i = 0; i < PLACES; i++)
		wrong += before(s, i, NOW + i) != 1;
	is_int(wrong, 0, "and have been there");
	is_int(before(s, PLACES, NOW + PLACES), 0, "one more has not");
	is_int(before(s, PLACES, NOW + PLACES), 1, "and has from now on");
	is_int(before(s, 0, NOW), 1, "nor is the oldest, which made room, new");
	is_int(before(s, PLACES + 1, NOW), 1, "nor what is as old as that");
	is_int(before(s, PLACES + 1, NOW + 1), 0, "what is newer is");
	is_int(before(s, 8, NOW + 8), 1, "others are where they were");
	seen_free(s);
}

/* However many come, none of them a second time. */
static void
test_flood(void)
{
	struct seen	*s = seen_new(PLACES);
	unsigned	 i, twice = 0, fresh = 0;

	for (i = 0; i < FLOOD; i++)
		fresh += before(s, i * 2654435761U, NOW + i) == 0;
	for (i = 0; i < FLOOD; i++)
		twice += before(s, i * 2654435761U, NOW + i) == 0;
	is_int(fresh, FLOOD, "who comes in time is heard");
	is_int(twice, 0, "of %d none is heard twice", FLOOD);
	seen_free(s);
}

int
main(void)
{
	test_room();
	test_flood();
	return (done_testing());
}
