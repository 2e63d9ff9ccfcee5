/* SPDX-License-Identifier: ISC */
#include <stddef.h>

#include "authd/core/effect.h"
#include "authd/core/session.h"
#include "authd/core/stream.h"
#include "authd/core/web.h"
#include "base/clock.h"
#include "base/log.h"
#include "member.h"
#include "moving.h"

/* Only pages, and none of those that outlasted the last hold. */
static int
may_run_empty(const struct session *se)
{
	const struct stream	*st;

	TAILQ_FOREACH(st, &se->tunnel->streams, of_tunnel)
		if (st->kind != &stream_web || st->id <= se->outlasted)
			return (0);
	return (1);
}

static void
held_in_vain(struct session *se)
{
	const struct stream	*st;

	se->held_ms = 0;
	TAILQ_FOREACH(st, &se->tunnel->streams, of_tunnel)
		if (st->id > se->outlasted)
			se->outlasted = st->id;
	log_debug("session %s: its tunnel does not run empty", se->row.id);
}

static int
is_held(const struct session *se)
{
	return (member_is_draining() && se->held_ms > clock_ms());
}

/* There are clients that never say what they offer: not for them. */
static int
is_coming(const struct session *se)
{
	return (se->comes_ms > clock_ms() && se->tunnel != NULL &&
	    se->services == NULL);
}

enum moving
moving_of(const struct session *se)
{
	return (is_held(se) ? MOVING_HELD : is_coming(se) ? MOVING_COMES :
	    MOVING_NOT);
}

int
moving_hold(struct session *se)
{
	if (member_other() == NULL)
		return (0);
	if (se->held_ms != 0 && !is_held(se))
		held_in_vain(se);
	else if (se->held_ms == 0 && may_run_empty(se))
		se->held_ms = clock_ms() + MOVING_HOLD_MS;
	return (se->held_ms != 0);
}

void
moving_tell(struct session *se)
{
	struct effect	*e = effect_add(EFFECT_IDLE_DROP);

	e->session = se;
	e->code = 1;
}

void
moving_comes(struct session *se)
{
	if (!member_is_one() || !member_somebody_drains())
		return;
	se->comes_ms = clock_ms() + MOVING_COME_MS;
	moving_tell(se);
}
