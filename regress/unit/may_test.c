/* SPDX-License-Identifier: ISC */
/* Who may use a session that is not in memory, as its row says whose it is. */
#include <sodium.h>

#include <string.h>

#include "authd/core/may.h"
#include "authd/core/session.h"
#include "base/compat.h"
#include "proc/conf.h"
#include "regress/lib/tap.h"

static const struct now	now = { .ms = 1000, .wall_ms = 1700000000000 };

static int
is_b(const char *member)
{
	return (strcmp(member, "b") == 0);
}

static enum refusal
use(const char *member, int status)
{
	struct facts	f = { .got_session = 0, .got_visible = 0,
	    .got_revoked = STORE_NONE };

	f.session.status = status;
	strlcpy(f.session.member, member, sizeof(f.session.member));
	return (may_use(&f, NULL, &now));
}

int
main(void)
{
	struct facts	f = { .got_session = STORE_NONE };

	if (sodium_init() == -1)
		return (1);
	is_int(use("b", SESSION_ACTIVE), REFUSE_TUNNEL_NONE,
	    "without a cluster nobody else can have it");
	core_env.is_elsewhere = is_b;
	is_int(use("b", SESSION_ACTIVE), REFUSE_ELSEWHERE,
	    "another member has it");
	is_int(use("b", SESSION_PENDING), REFUSE_ELSEWHERE,
	    "also if its client has only just come there");
	is_int(use("", SESSION_ACTIVE), REFUSE_TUNNEL_NONE,
	    "nobody has it: its client is away");
	is_int(use("d", SESSION_ACTIVE), REFUSE_TUNNEL_NONE,
	    "who had it is gone");
	is_int(use("b", SESSION_CLOSED), REFUSE_SESSION_OVER, "it is over");
	is_int(may_use(&f, NULL, &now), REFUSE_SESSION_NONE,
	    "there is no such");
	f.got_session = 0;
	f.got_revoked = STORE_NONE;
	f.got_visible = STORE_NONE;
	strlcpy(f.session.member, "b", sizeof(f.session.member));
	is_int(may_use(&f, NULL, &now), REFUSE_SESSION_NONE,
	    "who may not see it does not hear who has it");
	return (done_testing());
}
