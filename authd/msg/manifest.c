/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "authd/core/grant.h"
#include "authd/core/guest.h"
#include "authd/core/services.h"
#include "authd/core/session.h"
#include "base/clock.h"
#include "manifest.h"
#include "peer.h"

#define PUSH_MS	1000	/* between two tables of a session to proxyds */

/* One that is over has none. */
static void
manifest_send(const struct session *se, struct peer *proxyd, int anew)
{
	const struct services	*t = se->over ? NULL : se->services;
	const struct service	*sv;
	struct chan		*c = proxyd->chan;
	unsigned		 i, n = t != NULL ? t->n : 0;

	(void)say_services_begin(c, 0, -1, &(struct msg_services_begin){
	    .version = t != NULL ? t->version : 0, .count = n,
	    .session = se->row.id, .system = se->row.system_id,
	    .node = se->row.node, .anew = (uint8_t)anew,
	    .member = se->guest && !se->over ? se->row.member : "" });
	for (i = 0; i < n; i++) {
		sv = t->v[i];
		(void)say_service(c, 0, -1, &(struct msg_service){
		    .name = sv->name, .target = sv->target, .host = sv->host,
		    .tls = (uint8_t)sv->tls,
		    .tcp = (uint8_t)service_is_tcp(sv), .label = sv->label,
		    .path = sv->path, .path_prefix = sv->path_prefix,
		    .module_id = sv->module_id, .node_id = sv->node_id });
	}
	(void)say_services_end(c, 0);
}

static void
push_later(struct session *se)
{
	if (!se->push.is_set)
		due_set(&se->push, clock_ms() + PUSH_MS);
}

/* A guest that is ours by now: its table is that of our own. */
static int
is_ours(const struct session *se)
{
	return (se->guest && session_find(se->row.id) != NULL);
}

struct told {
	const struct session	*se;
	struct peer		*proxyd;
};

static void
tell_sibling(struct session *se, void *arg)
{
	struct told	*told = arg;

	if (se == told->se || se->services == NULL || is_ours(se))
		return;
	if (chan_queued(told->proxyd->chan) > CHAN_QUEUE_HIGH)
		push_later(se);
	else
		manifest_send(se, told->proxyd, 0);
}

/* The first that it has of a system brings all tables of it. */
void
manifest_granted(const struct grant *g, struct peer *proxyd)
{
	struct told	told = { g->session, proxyd };
	const char	*system_id = g->session->row.system_id;
	int		 anew = !grant_holds(&proxyd->door, system_id);

	manifest_send(g->session, proxyd, anew);
	if (!anew)
		return;
	session_each_of(system_id, tell_sibling, &told);
	guest_each_of(system_id, tell_sibling, &told);
}

/*
 * To whoever has a grant on it or a sibling. A muxd that sends tables without
 * end is not to drown proxyds in them.
 */
void
manifest_push(struct session *se)
{
	struct peer	*pe;
	int		 over = se->over;

	if (is_ours(se))
		return;
	if (!over && se->pushed_ms != 0 && clock_ms() - se->pushed_ms < PUSH_MS) {
		push_later(se);
		return;
	}
	due_del(&se->push);
	se->pushed_ms = clock_ms();
	TAILQ_FOREACH(pe, &peers, entry) {
		if (!peer_has(pe, RF_DOORS) ||
		    !grant_holds(&pe->door, se->row.system_id))
			continue;
		if (!over && chan_queued(pe->chan) > CHAN_QUEUE_HIGH)
			push_later(se);
		else
			manifest_send(se, pe, 0);
	}
}
