/* SPDX-License-Identifier: ISC */
/* Sessions: which one is meant, closing it. */
#include <string.h>

#include "authd/core/session.h"
#include "authd/facts.h"
#include "authd/now.h"
#include "ctl.h"

#define BEGINNING_MIN	4	/* of a session's id: no slip closes one */

/* Does the id begin so, with its dashes or without? */
static int
begins(const char *id, const char *word)
{
	for (; *word != '\0'; id++, word++) {
		if (*id == '-' && *word != '-')
			id++;
		if (*id != *word)
			return (0);
	}
	return (1);
}

struct session *
ctl_session(const char *word, int *many)
{
	struct session	*se, *found = NULL;

	*many = 0;
	if (strlen(word) < BEGINNING_MIN)
		return (NULL);
	TAILQ_FOREACH(se, &sessions, entry) {
		if (!begins(se->row.id, word))
			continue;
		if ((*many = found != NULL) != 0)
			return (NULL);
		found = se;
	}
	return (found);
}

static void
session_close(struct ctl *ctl, const struct facts *f)
{
	struct session	*se;
	int		 many, r = f->got_session;

	if ((se = ctl_session(ctl->word[0], &many)) == NULL && !many) {
		ctl_done(&ctl->asker, r == 0 ? 0 : r == -1 ? 503 : 404,
		    r == 0 ? "it was closed already" : r == -1 ?
		    "store is unavailable" : "no such session");
		return;
	}
	if (se == NULL) {
		ctl_done(&ctl->asker, 409, "more than one session begins so");
		return;
	}
	ctl_audit(ctl, se->row.id, "", "");
	session_end(se, SESSION_CLOSED, "operator", 4000, now_at());
	ctl_after(&ctl->asker, CTL_END);
}
const struct ctl_handler	ctl_close = { .fn = session_close,
    .needs = NEED_SESSION };
