/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/compat.h"
#include "effect.h"
#include "proc/conf.h"
#include "session.h"
#include "tunnel.h"

struct tunnels	tunnel_ends = TAILQ_HEAD_INITIALIZER(tunnel_ends);
struct tunnels	tunnel_rooms = TAILQ_HEAD_INITIALIZER(tunnel_rooms);

struct tunnel *
tunnel_new(uint64_t instance)
{
	struct tunnel	*t;

	if (effect_owe(OWED_TUNNEL) == -1)
		return (NULL);
	if ((t = calloc(1, sizeof(*t))) == NULL) {
		effect_paid(OWED_TUNNEL);
		return (NULL);
	}
	t->instance = instance;
	TAILQ_INIT(&t->streams);
	TAILQ_INIT(&t->waiting);
	return (t);
}

void
tunnel_retire(struct tunnel *t, uint16_t code, const char *text)
{
	if (t->session != NULL && t->session->tunnel == t)
		session_unbind(t->session);
	if (tunnel_is_ending(t))
		return;
	t->retired = 1;
	t->close_code = code;
	t->close_text = text;
	TAILQ_INSERT_TAIL(&tunnel_ends, t, end_entry);
}

void
tunnel_gone(struct tunnel *t, const struct now *now)
{
	struct session	*se = t->session;

	if (se != NULL && se->newcomer == t)
		se->newcomer = NULL;
	else if (se != NULL && se->tunnel == t)
		session_detach(se, core_env.conf->grace, now);
	t->session = NULL;
	if (t->gone)
		return;
	if (!t->retired)
		TAILQ_INSERT_TAIL(&tunnel_ends, t, end_entry);
	t->gone = 1;
}

void
tunnel_room(struct tunnel *t)
{
	if (t->has_room)
		return;
	t->has_room = 1;
	TAILQ_INSERT_TAIL(&tunnel_rooms, t, room_entry);
}

void
tunnel_free(struct tunnel *t)
{
	if (t->has_room)
		TAILQ_REMOVE(&tunnel_rooms, t, room_entry);
	effect_paid(OWED_TUNNEL);
	free(t);
}
