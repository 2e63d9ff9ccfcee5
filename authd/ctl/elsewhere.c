/* SPDX-License-Identifier: ISC */
/* Sessions of other members of the cluster, as the store has them. */
#include <stdlib.h>
#include <string.h>

#include "authd/api/api.h"
#include "authd/core/session.h"
#include "authd/msg/member.h"
#include "authd/turn.h"
#include "base/compat.h"
#include "ctl.h"
#include "elsewhere.h"

struct showing {
	struct asker	asker;
	char		after[UUID_SIZE];
};

static void	show_on(struct showing *);

static void
show_row(const struct asker *asker, const struct elsewhere_row *r)
{
	int	up = r->status == SESSION_ACTIVE &&
		    member_is_elsewhere(r->member);
	char	from[32], to[32];

	ctl_row(asker, r->id, r->system, r->key, r->node[0] != '\0' ?
	    r->node : "-", session_status_name(r->status),
	    up ? "up" : "down", "-", "-", api_time(r->started_at, from),
	    api_time(r->expires_at, to), r->member[0] != '\0' ? r->member :
	    "-", CTL_END);
}

static void
show_page(const struct answer *a, void *arg)
{
	struct showing	*s = arg;
	size_t		 i;

	if (a->r == -1) {
		ctl_done(&s->asker, 503, "store is unavailable: what other "
		    "members have is not shown");
		free(s);
		return;
	}
	/* What is being taken from us is still ours here. */
	for (i = 0; i < a->n; i++)
		if (session_find(a->elsewhere[i].id) == NULL)
			show_row(&s->asker, &a->elsewhere[i]);
	if (a->n < STORE_MANY || asker_chan(&s->asker) == NULL) {
		ctl_done(&s->asker, 0, "");
		free(s);
		return;
	}
	strlcpy(s->after, a->elsewhere[a->n - 1].id, sizeof(s->after));
	show_on(s);
}

static void
show_on(struct showing *s)
{
	(void)store_ask(&(struct question){ .what = ASK_ELSEWHERE,
	    .key = s->after }, show_page, s);
}

void
ctl_elsewhere(const struct ctl *ctl)
{
	struct showing	*s;

	if ((s = calloc(1, sizeof(*s))) == NULL) {
		ctl_done(&ctl->asker, 503, "server is busy");
		return;
	}
	s->asker = ctl->asker;
	turn_flush();
	show_on(s);
}
