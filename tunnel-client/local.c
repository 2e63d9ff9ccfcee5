/* SPDX-License-Identifier: ISC */
#include "local.h"

static int	no_local_targets;

void
local_init(int none)
{
	no_local_targets = none;
}

/* `localhost` says what it is: the server has judged it like an address. */
int
local_refused(const struct service *s, const struct target *t)
{
	if (!s->added)
		return (0);
	return (no_local_targets || (t->family == 0 && !target_is_loopback(t)));
}
