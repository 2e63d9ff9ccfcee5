/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "authd/core/may.h"
#include "authd/core/session.h"
#include "authd/cred/known.h"
#include "authd/facts.h"
#include "authd/now.h"
#include "authd/redis/bus.h"
#include "authd/turn.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "cluster.h"
#include "follow.h"
#include "invalidate.h"
#include "orders.h"
#include "peer.h"
#include "recheck.h"

#define FLYING		32	/* questions that wait at a time */
#define AGAIN_MS	500	/* the store could not say */

static void	invalidated(const char *);
static void	walk_start(void);
static void	walk_on(void *);

static const struct bus_ops	ops = { .heard_again = walk_start,
    .invalidated = invalidated, .commanded = orders_run,
    .changed = follow_others,
    .noted = cluster_heard };

/* All sessions that were open when it began. */
static struct {
	char		(*ids)[UUID_SIZE];	/* NULL: none is under way */
	unsigned	n, next, flying;
	int		again;		/* from the beginning, after this */
	struct timer	more;
} walk;

void
invalidate_init(void)
{
	timer_init(&walk.more, walk_on, NULL);
	if (bus_init(&ops) == -1)
		fatalx("redis: out of memory");
}

/* A system as the store has it now, and as its sessions have it. */
static void
system_is(const struct session *se, const struct system_row *sys)
{
	char	id[ID_SIZE], org[ID_SIZE];

	strlcpy(id, se->row.system_id, sizeof(id));
	if (sys == NULL || !may_system(sys)) {
		log_info("system %s: changed by others, and may have no "
		    "session any more", se->system_key);
		session_end_system(id, "operator", now_at());
		return;
	}
	if (strcmp(se->system_name, sys->name) != 0)
		session_renamed(id, sys->name);
	if (strcmp(se->org_id, sys->org_id) != 0) {
		strlcpy(org, sys->org_id, sizeof(org));
		session_moved(id, org);
		recheck_all();
	}
}

static struct session *
session_of_key(const char *key)
{
	struct session	*se;

	TAILQ_FOREACH(se, &sessions, entry)
		if (strcmp(se->system_key, key) == 0)
			break;
	return (se);
}

static void
key_known(const struct facts *f, void *arg)
{
	char		*key = arg;
	struct session	*se = session_of_key(key);

	if (f->got_system == -1)
		walk_start();		/* which asks until it is told */
	else if (se != NULL)
		system_is(se, f->got_system == 0 ? &f->system : NULL);
	free(key);
}

static void
invalidated(const char *key)
{
	char	*copy;

	known_forget(key);
	log_debug("system %s: its credentials have changed", key);
	if (session_of_key(key) == NULL)
		return;
	if ((copy = strdup(key)) == NULL) {
		walk_start();
		return;
	}
	(void)facts_ask(NEED_SYSTEM_BY_KEY, &(struct facts_keys){
	    .system_key = key }, key_known, copy);
}

static void
session_known(const struct facts *f, void *arg)
{
	struct session	*se = session_find(walk.ids[(uintptr_t)arg]);

	walk.flying--;
	if (f->got_system == -1)
		walk.again = 1;
	else if (se != NULL)
		system_is(se, f->got_system == 0 ? &f->system : NULL);
	if (!timer_is_set(&walk.more))
		timer_set(&walk.more, 0);
}

static void
walk_end(void)
{
	free(walk.ids);
	walk.ids = NULL;
	if (walk.again)
		timer_set(&walk.more, AGAIN_MS);
}

static void
walk_on(void *arg)
{
	struct session	*se;

	(void)arg;
	if (walk.ids == NULL) {
		walk_start();
		return;
	}
	while (walk.next < walk.n && walk.flying < FLYING) {
		if ((se = session_find(walk.ids[walk.next])) != NULL) {
			walk.flying++;
			(void)facts_ask(NEED_SYSTEM, &(struct facts_keys){
			    .system_id = se->row.system_id }, session_known,
			    (void *)(uintptr_t)walk.next);
		}
		walk.next++;
	}
	if (walk.next == walk.n && walk.flying == 0)
		walk_end();
}

static void
walk_start(void)
{
	struct session	*se;

	if (walk.ids != NULL || !peer_is_ready()) {
		walk.again = 1;
		if (walk.ids == NULL)
			timer_set(&walk.more, AGAIN_MS);
		return;
	}
	known_forget_all();
	walk.again = 0;
	walk.n = walk.next = 0;
	if ((walk.ids = calloc(session_count() + 1, sizeof(walk.ids[0]))) ==
	    NULL) {
		timer_set(&walk.more, AGAIN_MS);
		return;
	}
	TAILQ_FOREACH(se, &sessions, entry)
		if (walk.n < session_count())
			strlcpy(walk.ids[walk.n++], se->row.id, UUID_SIZE);
	timer_set(&walk.more, 0);
}

static void
key_saved(void *arg, int ok)
{
	if (ok)
		bus_invalidate(arg);
	free(arg);
}

void
invalidate_say(const char *key)
{
	char	*copy;

	known_forget(key);
	if (bus_is_configured() && (copy = strdup(key)) != NULL)
		turn_after(key_saved, copy);
}
