/* SPDX-License-Identifier: ISC */
/*
 * Which secrets were judged lately: for how long, how many, and what ends it.
 */
#include <sodium.h>

#include <stdio.h>
#include <string.h>

#include "authd/cred/known.h"
#include "base/compat.h"
#include "base/index.h"
#include "regress/lib/tap.h"

#define HOUR	(3600 * 1000ULL)

static char	id[ID_SIZE];

static void
keeps(void)
{
	is_int(known_find("k", "s", 1, id), KNOWN_NOT, "nothing is known");
	known_put("k", "s", "sys", known_mark(), 1);
	is_int(known_find("k", "s", 2, id), KNOWN_GOOD, "a good one is");
	is_str(id, "sys", "with its system");
	is_int(known_find("k", "t", 2, id), KNOWN_NOT,
	    "another secret of the key is not");
	is_int(known_find("l", "s", 2, id), KNOWN_NOT, "nor of another key");
	known_put("k", "t", NULL, known_mark(), 1);
	is_int(known_find("k", "t", 60000, id), KNOWN_BAD, "a bad one is");
	is_int(known_find("k", "t", 60001, id), KNOWN_NOT, "for a minute");
	is_int(known_find("k", "s", 18 * HOUR, id), KNOWN_GOOD,
	    "operator-58: it says nothing of the good one, which stays");
	is_int(known_find("k", "s", 30 * HOUR + 2, id), KNOWN_NOT,
	    "for a day and a quarter at most");
	known_clear();
}

static void
forgets(void)
{
	uint64_t	before = known_mark();

	known_put("k", "s", "sys", before, 1);
	known_put("k", "t", NULL, before, 1);
	known_put("l", "s", "other", before, 1);
	known_forget("k");
	is_int(known_find("k", "s", 2, id), KNOWN_NOT,
	    "operator-58: what is forgotten is not known, good");
	is_int(known_find("k", "t", 2, id), KNOWN_NOT, "nor bad");
	is_int(known_find("l", "s", 2, id), KNOWN_GOOD, "others are");
	ok(known_forgot("k", before) && !known_forgot("l", before),
	    "who was asking hears of it");
	known_put("k", "s", "sys", before, 3);
	is_int(known_find("k", "s", 4, id), KNOWN_NOT,
	    "operator-58: what was asked before is not kept");
	known_put("k", "s", "sys", known_mark(), 3);
	is_int(known_find("k", "s", 4, id), KNOWN_GOOD, "what is asked now is");
	known_clear();
}

static void
bounds(void)
{
	uint64_t	before = known_mark();
	char		key[16];
	int		i;

	known_put("first", "s", "sys", before, 1);
	for (i = 0; i < 20000; i++) {
		snprintf(key, sizeof(key), "bad%d", i);
		known_put(key, "s", NULL, before, 1);
	}
	is_int(known_find("first", "s", 2, id), KNOWN_GOOD,
	    "who tries keys pushes out his own");
	is_int((int)known_count(), 2001, "2,000 bad ones");
	for (i = 0; i < 20000; i++) {
		snprintf(key, sizeof(key), "good%d", i);
		known_put(key, "s", "sys", before, 1);
	}
	is_int((int)known_count(), 10000, "10,000 in all");
	for (i = 0; i < 1001; i++) {
		snprintf(key, sizeof(key), "gone%d", i);
		known_forget(key);
	}
	ok(known_forgot("gone1000", before), "the last that was forgotten");
	ok(known_forgot("gone0", before), "and what nobody remembers");
	ok(!known_forgot("good1", known_mark()), "not what was not");
	known_clear();
	is_int((int)known_count(), 0, "nothing is left");
}

int
main(void)
{
	if (sodium_init() == -1)
		return (1);
	index_init();
	keeps();
	forgets();
	bounds();
	return (done_testing());
}
