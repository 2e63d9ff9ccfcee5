/* SPDX-License-Identifier: ISC */
/* One-time sign-ins: each once, for five minutes, and not too many. */
#include <sodium.h>

#include <stdio.h>
#include <string.h>

#include "authd/core/signin.h"
#include "base/compat.h"
#include "regress/lib/tap.h"

static void
hash_of(char hash[HEX64_SIZE], unsigned n)
{
	snprintf(hash, HEX64_SIZE, "%064x", n);
}

int
main(void)
{
	struct now	now = { .ms = 1000 };
	struct signin	what = { .life_s = 600 }, got;
	char		hash[HEX64_SIZE], none[HEX64_SIZE] = "";
	unsigned	i;

	if (sodium_init() == -1)
		bail_out("sodium");
	strlcpy(what.who.id, "alice", sizeof(what.who.id));
	strlcpy(what.permissions, "read:status", sizeof(what.permissions));
	hash_of(hash, 1);
	is_int(signin_take(hash, &got, &now), -1, "there is none");
	is_int(signin_take(none, &got, &now), -1, "nor for a free place");
	is_int(signin_new(hash, &what, &now), 0, "one");
	hash_of(hash, 2);
	is_int(signin_take(hash, &got, &now), -1, "another one is wrong");
	hash_of(hash, 1);
	ok(signin_take(hash, &got, &now) == 0 &&
	    strcmp(got.who.id, "alice") == 0 && got.life_s == 600 &&
	    strcmp(got.permissions, "read:status") == 0,
	    "a wrong one did not use it up; for whom it was made");
	is_int(signin_take(hash, &got, &now), -1, "once");

	(void)signin_new(hash, &what, &now);
	now.ms += SIGNIN_MS - 1;
	is_int(signin_take(hash, &got, &now), 0, "to its end");
	(void)signin_new(hash, &what, &now);
	now.ms += SIGNIN_MS;
	is_int(signin_take(hash, &got, &now), -1, "and not beyond");

	for (i = 0; i < SIGNINS_MAX; i++) {
		hash_of(hash, i);
		(void)signin_new(hash, &what, &now);
	}
	hash_of(hash, i);
	is_int(signin_new(hash, &what, &now), -1, "%d wait, and no more",
	    SIGNINS_MAX);
	hash_of(hash, 7);
	is_int(signin_take(hash, &got, &now), 0, "those that wait are good");
	hash_of(hash, i);
	is_int(signin_new(hash, &what, &now), 0, "one that goes leaves room");
	now.ms += SIGNIN_MS;
	is_int(signin_new(hash, &what, &now), 0, "and so do all in time");
	signin_clear();
	is_int(signin_take(hash, &got, &now), -1, "all forgotten");
	return (done_testing());
}
