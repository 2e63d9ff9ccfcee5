/* SPDX-License-Identifier: ISC */
/* What is said in channels of Redis: what counts, and how long. */
#include <sodium.h>

#include <stdio.h>
#include <string.h>

#include "authd/cred/shared.h"
#include "authd/redis/said.h"
#include "base/compat.h"
#include "regress/lib/tap.h"

#define NOW	1000000000
#define KEY	"NETH-0000-1111-2222-3333-4444-5555-AAAA-FFFF"

static void
invalidations(void)
{
	char	key[SYSKEY_SIZE], text[256], mac[SHARED_MAC_SIZE];

	is_int(said_invalidate(key, KEY, strlen(KEY)), 0,
	    "without a secret a key is enough");
	is_str(key, KEY, "it is that one");
	is_int(said_invalidate(key, KEY "|junk", strlen(KEY) + 5), 0,
	    "whatever it is signed with");
	is_int(said_invalidate(key, KEY "x", strlen(KEY) + 1), -1,
	    "a longer one");
	is_int(said_invalidate(key, "*", 1), -1, "a pattern");
	shared_set(SHARED_INVALIDATE, "secret\n", 7);
	is_int(said_invalidate(key, KEY, strlen(KEY)), -1,
	    "with a secret it is not");
	shared_sign(SHARED_INVALIDATE, KEY, strlen(KEY), mac);
	is_str(mac, "f8db286b748b928fcba925bc4473e10aa6f854e406172431ee2eb61325558507", "the end of the line is not in the secret");
	snprintf(text, sizeof(text), "%s|%s", KEY, mac);
	is_int(said_invalidate(key, text, strlen(text)), 0, "signed it is");
	text[strlen(text) - 1] ^= 1;
	is_int(said_invalidate(key, text, strlen(text)), -1,
	    "signed for another it is not");
}

static void
ids(void)
{
	char	id[SAID_ID_SIZE];
	int	i, r = 0;

	is_int(said_before("a", NOW), 0, "an id is new");
	is_int(said_before("a", NOW + 2 * SAID_FRESH_S), 1,
	    "and was there for as long as it could be fresh");
	is_int(said_before("a", NOW + 2 * SAID_FRESH_S + 1), 0,
	    "and no longer");
	said_forget();
	for (i = 0; i < 1024 && r == 0; i++) {
		snprintf(id, sizeof(id), "%d", i);
		r = said_before(id, NOW);
	}
	is_int(r, 0, "there is room for 1024");
	is_int(said_before("more", NOW), -1, "not for more");
	is_int(said_before("7", NOW), 1, "those are known all the same");
	is_int(said_before("more", NOW + 2 * SAID_FRESH_S + 1), 0,
	    "until they are old");
	said_forget();
}

static void
secrets(void)
{
	is_int(shared_is(SHARED_INTERNAL, "", 0), 0,
	    "where there is no secret nothing is it");
	shared_set(SHARED_INTERNAL, "abc\r\n\n", 6);
	is_int(shared_is(SHARED_INTERNAL, "abc", 3), 1, "it is");
	is_int(shared_is(SHARED_INTERNAL, "abcd", 4), 0, "a longer one");
	is_int(shared_is(SHARED_INTERNAL, "", 0), 0, "none");
	is_int(shared_set(SHARED_INTERNAL, "\r\n", 2), -1, "an empty file");
}

/* What members tell those of the others who follow. */
static void
changes(void)
{
	struct said_changed	c = { .member = "a",
	    .session = "0f8b1c2d-3e4f-5061-7283-94a5b6c7d8e9",
	    .system = "s-1" }, got;
	char			text[SAID_CHANGED], bad[SAID_CHANGED];
	size_t			i, len, taken = 0;

	is_int(said_changed_make(text, &c), -1, "without a secret: none");
	shared_set(SHARED_CLUSTER, "secret\n", 7);
	is_int(said_changed_make(text, &c), 0, "a change");
	len = strlen(text);
	is_int(said_changed(&got, text, len), 0, "is one");
	ok(strcmp(got.member, "a") == 0 && strcmp(got.system, "s-1") == 0 &&
	    strcmp(got.session, c.session) == 0, "the same");
	for (i = 0; i < len; i++) {
		memcpy(bad, text, len);
		bad[i] ^= 1;
		taken += said_changed(&got, bad, len) == 0;
		taken += said_changed(&got, text, i) == 0;
	}
	is_int((long)taken, 0, "no other and no part of it is");
	strlcpy(c.session, "nobody", sizeof(c.session));
	(void)said_changed_make(text, &c);
	is_int(said_changed(&got, text, strlen(text)), -1,
	    "of what is no session");
	c.session[0] = c.system[0] = '\0';
	(void)said_changed_make(text, &c);
	is_int(said_changed(&got, text, strlen(text)), 0, "of many");
}

int
main(void)
{
	if (sodium_init() == -1)
		return (1);
	invalidations();
	changes();
	ids();
	secrets();
	done_testing();
}
