/* SPDX-License-Identifier: ISC */
/* What members of a cluster say to each other: what counts, and how long. */
#include <sodium.h>

#include <stdio.h>
#include <string.h>

#include "authd/cred/shared.h"
#include "authd/redis/note.h"
#include "base/compat.h"
#include "regress/lib/tap.h"

#define NOW	1700000000000
#define SE	"9f3c8d2a-1b4e-4f6a-8c7d-0e1f2a3b4c5d"

static const struct note	good = { .op = NOTE_PROBE, .from = "a-1",
    .to = "b_2", .id = "00ff", .session = SE, .at = NOW };

static const char *
wrong(const char *text, int64_t now)
{
	struct note	n;

	return (note_parse(&n, text, strlen(text), now));
}

static void
back(const struct note *want, const char *what)
{
	struct note	n;
	char		text[NOTE_SIZE];

	is_int(note_print(want, text), 0, "%s is printed", what);
	ok(note_parse(&n, text, strlen(text), NOW) == NULL, "and is a note");
	ok(n.op == want->op && strcmp(n.from, want->from) == 0 &&
	    strcmp(n.to, want->to) == 0 && strcmp(n.id, want->id) == 0 &&
	    strcmp(n.session, want->session) == 0 && n.at == want->at,
	    "the same one");
}

static void
fresh(void)
{
	char	text[NOTE_SIZE];

	(void)note_print(&good, text);
	ok(wrong(text, NOW + NOTE_FRESH_MS) == NULL, "as old as may be");
	is_str(wrong(text, NOW + NOTE_FRESH_MS + 1), "not fresh", "older");
	ok(wrong(text, NOW - NOTE_FRESH_MS) == NULL, "as early");
	is_str(wrong(text, NOW - NOTE_FRESH_MS - 1), "not fresh", "earlier");
}

/* Signed, but by who knows no better. */
static void
odd(const char *text)
{
	char	all[2 * NOTE_SIZE], mac[SHARED_MAC_SIZE];

	(void)shared_sign(SHARED_CLUSTER, text, strlen(text), mac);
	snprintf(all, sizeof(all), "%s %s", text, mac);
	ok(wrong(all, NOW) != NULL, "no note: %s", text);
}

static void
refused(void)
{
	char	text[NOTE_SIZE];
	size_t	i, n;

	(void)note_print(&good, text);
	n = strlen(text);
	for (i = 0; i < n; i++) {
		text[i] ^= 1;
		if (wrong(text, NOW) == NULL)
			break;
		text[i] ^= 1;
	}
	ok(i == n, "no byte of it may be another (%zu)", i);
	for (i = 0; i < n; i++) {
		char	c = text[i];

		text[i] = '\0';
		if (wrong(text, NOW) == NULL)
			break;
		text[i] = c;
	}
	ok(i == n, "none may be missing at the end (%zu)", i);
	odd("relayd-note-2 probe a b 00 1700000000000 -");
	odd("relayd-note-1 prob a b 00 1700000000000 -");
	odd("relayd-note-1 probe a.b b 00 1700000000000 -");
	odd("relayd-note-1 probe a ** 00 1700000000000 -");
	odd("relayd-note-1 probe * b 00 1700000000000 -");
	odd("relayd-note-1 probe a b 0g 1700000000000 -");
	odd("relayd-note-1 probe a b  1700000000000 -");
	odd("relayd-note-1 probe a b 00 x -");
	odd("relayd-note-1 probe a b 00 1700000000000x -");
	odd("relayd-note-1 probe a b 00 1700000000000 " SE "0");
	odd("relayd-note-1 probe a b 00 1700000000000");
	odd("relayd-note-1 probe a b 00 1700000000000 - -");
	odd("relayd-note-1 probe a "
	    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb 00 1700000000000 -");
	odd("");
}

/* Heard twice within the time in which it is fresh. */
static void
again(void)
{
	struct note	n = good;
	unsigned	i, twice = 0;

	is_int(note_before(&n), 0, "an id is there");
	is_int(note_before(&n), 1, "and again");
	strlcpy(n.id, "00fe", sizeof(n.id));
	is_int(note_before(&n), 0, "another is not");
	note_forget();
	for (i = 0; i < NOTE_KEPT; i++) {
		snprintf(n.id, sizeof(n.id), "%08x", i);
		twice += note_before(&n) != 0;
	}
	for (i = 0; i < NOTE_KEPT; i++) {
		snprintf(n.id, sizeof(n.id), "%08x", i);
		twice += note_before(&n) == 0;
	}
	is_int(twice, 0, "%d are kept", NOTE_KEPT);
	/* One more of the same place: the oldest of them makes room. */
	n.at++;
	snprintf(n.id, sizeof(n.id), "%08x", NOTE_KEPT);
	is_int(note_before(&n), 0, "one more is none of them");
	is_int(note_before(&n), 1, "and is kept");
	strlcpy(n.id, "00000000", sizeof(n.id));
	n.at = NOW;
	is_int(note_before(&n), 1, "nor is the first heard again, that made "
	    "room");
	n.at++;
	snprintf(n.id, sizeof(n.id), "%08x", NOTE_KEPT);
	is_int(note_before(&n), 1, "but none that is newer");
	note_forget();
	is_int(note_before(&n), 0, "all is forgotten");
}

int
main(void)
{
	struct note	all = good;
	char		text[NOTE_SIZE];

	if (sodium_init() == -1)
		bail_out("libsodium");
	is_int(note_print(&good, text), -1, "without a secret nobody speaks");
	shared_set(SHARED_CLUSTER, "0123456789abcdef0123456789abcdef", 32);
	back(&good, "a question");
	strlcpy(all.to, NOTE_ALL, sizeof(all.to));
	all.session[0] = '\0';
	all.op = NOTE_RECHECK;
	back(&all, "one to all, of no session");
	memset(all.from, 'x', sizeof(all.from) - 1);
	memset(all.id, 'f', sizeof(all.id) - 1);
	memset(all.to, 'y', sizeof(all.to) - 1);
	back(&all, "the longest");
	fresh();
	refused();
	again();
	return (done_testing());
}
