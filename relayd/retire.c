/* SPDX-License-Identifier: ISC */
/*
 * Processes of before an upgrade that nobody uses just now may be replaced:
 * their clients come back. Not all at the same moment, since each comes with a
 * login.
 */
#include "base/log.h"
#include "upgrade.h"

#define EACH		20	/* so many are asked, then there is a pause */
#define PAUSE_MS	100

#define R_RETIRES	(R_MUXD | R_PAIRD)

static struct {
	uint64_t	last;		/* whom we asked last */
	struct timer	timer;
} retire;

static int
is_to_go(const struct child *c)
{
	return (c->old && (R_RETIRES & ROLE_BIT(c->role)) && c->chan != NULL &&
	    c->state == CHILD_READY);
}

static void
retire_some(void *arg)
{
	struct child	*c;
	int		 n = 0;

	(void)arg;
	while (n < EACH && (c = child_after(retire.last)) != NULL) {
		retire.last = c->instance;
		if (!is_to_go(c))
			continue;
		c->retiring = 1;
		if (c->slot != NULL)
			c->slot->moved = 1;
		(void)say_retire(c->chan, 0);
		n++;
	}
	if (n == EACH)
		timer_set(&retire.timer, PAUSE_MS);
}

size_t
retire_start(void)
{
	const struct child	*c;
	size_t			 n = 0;

	for (c = child_after(0); c != NULL; c = child_after(c->instance))
		n += is_to_go(c);
	timer_del(&retire.timer);
	timer_init(&retire.timer, retire_some, NULL);
	retire.last = 0;
	retire_some(NULL);
	return (n);
}
