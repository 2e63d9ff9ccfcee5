/* SPDX-License-Identifier: ISC */
#include <sys/queue.h>

#include <stdlib.h>

#include "core/rowlog.h"
#include "base/clock.h"
#include "base/log.h"
#include "core/session.h"
#include "store/store.h"
#include "turn.h"

#define SLOW_MS		100	/* a turn that waited longer is logged */
#define PROBE_MS	1000	/* between looks at a store that is down */
#define ROUNDS_MAX	16	/* commits in one turn: answers that ask on */

struct later {
	STAILQ_ENTRY(later)	 entry;
	void			(*fn)(void *, int);
	void			*arg;
};

static STAILQ_HEAD(laters, later)	waiting =
    STAILQ_HEAD_INITIALIZER(waiting);
static struct timer			probe;

static void
turn_probe(void *arg)
{
	(void)arg;
	(void)store_probe();
}

void
turn_after(void (*fn)(void *, int), void *arg)
{
	struct later	*l;

	if ((l = malloc(sizeof(*l))) == NULL) {
		fn(arg, 0);
		return;
	}
	l->fn = fn;
	l->arg = arg;
	STAILQ_INSERT_TAIL(&waiting, l, entry);
}

static void
turn_commit(void)
{
	struct laters	 now = STAILQ_HEAD_INITIALIZER(now);
	struct later	*l;
	int		 ok;

	session_flush();
	rowlog_flush();
	ok = store_end() == 0;
	session_flushed(ok);
	rowlog_flushed(ok);
	STAILQ_CONCAT(&now, &waiting);
	while ((l = STAILQ_FIRST(&now)) != NULL) {
		STAILQ_REMOVE_HEAD(&now, entry);
		l->fn(l->arg, ok);
		free(l);
	}
}

void
turn_end(void)
{
	uint64_t	spent;
	int		i;

	turn_commit();
	for (i = 1; i < ROUNDS_MAX && !STAILQ_EMPTY(&waiting); i++)
		turn_commit();
	if (!store_is_up() && !timer_is_set(&probe)) {
		timer_init(&probe, turn_probe, NULL);
		timer_set(&probe, PROBE_MS);
	}
	if ((spent = store_spent_ms()) > SLOW_MS)
		log_warnx("store: a turn of %llu ms",
		    (unsigned long long)spent);
}
