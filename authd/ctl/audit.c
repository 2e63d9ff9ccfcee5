/* SPDX-License-Identifier: ISC */
/* The audit log, for people: its end, or what came behind an event. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authd/api/api.h"
#include "base/compat.h"
#include "ctl.h"

static void
event_send(const struct asker *asker, const struct audit_row *e)
{
	char	n[24], count[24], at[32];

	snprintf(n, sizeof(n), "%lld", (long long)e->event);
	snprintf(count, sizeof(count), "%lld", (long long)e->count);
	ctl_row(asker, n, api_time(e->at, at), e->action, e->outcome,
	    e->actor[0] != '\0' ? e->actor : "-",
	    e->address[0] != '\0' ? e->address : "-",
	    e->session[0] != '\0' ? e->session : "-", count,
	    e->reason[0] != '\0' ? e->reason : "-", CTL_END);
}

static void
events_known(const struct answer *a, void *arg)
{
	struct asker	*asker = arg;
	size_t		 i;

	if (a->r == 0)
		ctl_row(asker, "event", "time", "action", "outcome", "actor",
		    "address", "session", "count", "reason", CTL_END);
	for (i = 0; i < a->n; i++)
		event_send(asker, &a->event[i]);
	if (a->r == -1)
		ctl_done(asker, 503, "store is unavailable");
	else
		ctl_done(asker, 0, "");
	free(asker);
}

static void
show_audit(struct ctl *ctl, const struct facts *f)
{
	const char	*after = ctl->word[0], *wrong = NULL;
	struct asker	*asker;

	(void)f;
	if (after[0] != '\0')
		(void)strtonum(after, 0, INT64_MAX, &wrong);
	if (wrong != NULL) {
		ctl_done(&ctl->asker, 400, "event: not a number of one");
		return;
	}
	if ((asker = malloc(sizeof(*asker))) == NULL) {
		ctl_done(&ctl->asker, 503, "server is busy");
		return;
	}
	*asker = ctl->asker;
	(void)store_ask(&(struct question){ .what = ASK_AUDIT, .key = after,
	    .asker = asker->instance }, events_known, asker);
}
const struct ctl_handler	ctl_show_audit = { .fn = show_audit };
