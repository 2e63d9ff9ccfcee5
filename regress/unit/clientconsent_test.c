/* SPDX-License-Identifier: ISC */
/* Consent until a time, and a wall clock that is set meanwhile. */
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "tunnel-client/consent.h"
#include "regress/lib/tap.h"

#define END	1796083200	/* 2026-12-01T00:00:00Z */

static int64_t		 now;
static uint64_t		 due;		/* of the one timer */
static struct timer	*set;
static int		 ended, begun;

int64_t
clock_wall(void)
{
	return (now);
}

int64_t
clock_wall_ms(void)
{
	return (now * 1000);
}

void
timer_init(struct timer *t, void (*fn)(void *), void *arg)
{
	t->fn = fn;
	t->arg = arg;
}

void
timer_set(struct timer *t, uint64_t ms)
{
	set = t;
	due = ms;
}

void
timer_del(struct timer *t)
{
	if (set == t)
		set = NULL;
}

static void
changed(const char *why)
{
	if (why != NULL)
		ended++;
	else
		begun++;
}

static void
elapse(void)
{
	struct timer	*t = set;

	set = NULL;
	if (t != NULL)
		t->fn(t->arg);
}

int
main(void)
{
	now = END - 30;
	ok(consent_init("until 2026-12-01T00:00:00Z", "/dev/null/consent",
	    changed) == 0 && begun == 1, "consent until a time");
	ok(set != NULL && due == 30000, "it looks at the end");
	now = END;
	elapse();
	ok(ended == 1 && !consent_given(), "which ends it");
	ok(set != NULL && due == 60000, "and goes on looking");

	now = END - 3600;
	elapse();
	ok(begun == 2 && consent_given(), "the clock goes back: given again");
	now = END;
	elapse();
	ok(ended == 2, "and forth: ended again");

	/* All of it between two looks. */
	now = END - 3600;
	ok(consent_admits() && begun == 2, "somebody comes in meanwhile");
	ok(set != NULL && due == 0, "it looks soon");
	now = END;
	elapse();
	ok(ended == 3, "he does not stay");
	ok(!consent_admits() && due == 60000, "nobody comes in now");

	now = END - 3600;
	elapse();
	now = END + 1;
	ok(!consent_admits() && due == 0, "the gate sees the end first");
	elapse();
	ok(ended == 4, "so that the others end, too");
	consent_clear();
	return (done_testing());
}
