/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "authd/core/effect.h"
#include "authd/core/session.h"
#include "authd/facts.h"
#include "authd/now.h"
#include "base/compat.h"
#include "base/log.h"
#include "guests.h"
#include "held.h"
#include "member.h"

#define CLOSE_MOVED	1001	/* the client comes again */
#define CLOSE_OVER	4000	/* tunnel-protocol.md, section 2 */

static struct {
	int	looking, again;
} held;

struct look {
	struct loss_row	loss;		/* generation 0: there is no row */
};

static void
look_at(struct session *se, const struct session_row *row)
{
	int	open = row != NULL && (row->status == SESSION_PENDING ||
		    row->status == SESSION_ACTIVE);

	if (!open) {
		log_info("session %s: it is over, say others", se->row.id);
		session_lose(se, CLOSE_OVER, "session_closed");
	} else if (row->generation > se->row.generation ||
	    (row->member[0] != '\0' &&
	    strcmp(row->member, member_self()) != 0)) {
		log_info("session %s: member %s has it", se->row.id,
		    row->member[0] != '\0' ? row->member : "-");
		session_lose(se, CLOSE_MOVED, "moved");
		guests_look();
	} else {
		if (row->member[0] == '\0') {
			log_info("session %s: ours again", se->row.id);
			session_touch(se, now_at());
		}
		guests_held(se);
	}
}

static void
looked(const struct facts *f, void *arg)
{
	struct look	*l = arg;
	struct session	*se = session_find(l->loss.session);

	if (f->got_session != -1) {
		if (se != NULL && se->tunnel != NULL &&
		    se->tunnel->state == TUNNEL_LOGIN)
			se = NULL;	/* it is being taken back */
		if (se != NULL)
			look_at(se, f->got_session == 0 ? &f->session : NULL);
		if (l->loss.generation != 0)
			(void)store_loss_seen(&l->loss);
	}
	free(l);
}

static void
look(const struct loss_row *loss)
{
	struct look	*l = malloc(sizeof(*l));

	if (l == NULL)
		return;
	l->loss = *loss;
	(void)facts_ask(NEED_SESSION, &(struct facts_keys){
	    .session = loss->session }, looked, l);
}

/* The store has no generation 0 of a session that somebody had. */
void
run_taken(const struct effect *e)
{
	struct loss_row	loss = { .generation = 0 };

	strlcpy(loss.session, e->session->row.id, sizeof(loss.session));
	look(&loss);
}

static void
losses_known(const struct answer *a, void *arg)
{
	size_t	i;

	(void)arg;
	held.looking = 0;
	for (i = 0; i < a->n; i++)
		look(&a->loss[i]);
	if (held.again)
		held_losses();
}

void
held_losses(void)
{
	held.again = held.looking;
	if (held.looking || !store_is_up())
		return;
	held.looking = 1;
	(void)store_ask(&(struct question){ .what = ASK_LOSSES, .key = "" },
	    losses_known, NULL);
}
