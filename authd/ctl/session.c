/* SPDX-License-Identifier: ISC */
/* Sessions: which one is meant, closing it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authd/core/session.h"
#include "authd/facts.h"
#include "authd/msg/member.h"
#include "authd/msg/unheld.h"
#include "authd/now.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "base/uuid.h"
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

static int
is_elsewhere(const struct facts *f)
{
	return (f->got_session == 0 && f->session.status <= SESSION_ACTIVE &&
	    f->session.member[0] != '\0' && member_is_one());
}

void
ctl_session_none(const struct ctl *ctl, const struct facts *f, int many)
{
	char	text[MESSAGE_SIZE];

	if (many)
		ctl_done(&ctl->asker, 409, "more than one session begins so");
	else if (is_elsewhere(f)) {
		snprintf(text, sizeof(text), "member %s has it: ask there",
		    f->session.member);
		ctl_done(&ctl->asker, 409, text);
	} else if (member_is_one() && !uuid_is(ctl->word[0],
	    strlen(ctl->word[0])))
		ctl_done(&ctl->asker, 404, "no such session here; one of "
		    "another member is found by its whole id: show sessions");
	else
		ctl_done(&ctl->asker, 404, "no such session");
}

struct closing {
	struct ctl	ctl;
	char		session[UUID_SIZE];
};

/* What has become of it is known: that alone is in the audit log. */
static void
closed_unheld(void *arg, enum unheld how)
{
	struct closing	*cl = arg;

	log_request(cl->ctl.asker.request);
	if (how == UNHELD_OVER) {
		ctl_audit(&cl->ctl, cl->session, "", "");
		ctl_after(&cl->ctl.asker, CTL_END);
	} else
		ctl_done(&cl->ctl.asker, how == UNHELD_HELD ? 409 : 503,
		    how == UNHELD_HELD ? "another member has it: ask there" :
		    "store is unavailable");
	log_request(NULL);
	free(cl);
}

/* Open, and nothing that is here. */
static void
close_unheld(struct ctl *ctl, const struct session_row *row)
{
	struct closing	*cl;
	char		 text[MESSAGE_SIZE];

	if (!unheld_is(row)) {
		snprintf(text, sizeof(text), member_is_elsewhere(row->member) ?
		    "member %s has it: ask there" :
		    "member %s had it, and is gone: try again in some seconds",
		    row->member);
		ctl_done(&ctl->asker, 409, text);
		return;
	}
	if ((cl = malloc(sizeof(*cl))) == NULL) {
		ctl_done(&ctl->asker, 503, "server is busy");
		return;
	}
	cl->ctl = *ctl;
	strlcpy(cl->session, row->id, sizeof(cl->session));
	if (unheld_close(row, clock_wall_ms(), closed_unheld, cl) == -1)
		closed_unheld(cl, UNHELD_STORE);
}

static void
session_close(struct ctl *ctl, const struct facts *f)
{
	struct session	*se;
	int		 many, r = f->got_session;

	if ((se = ctl_session(ctl->word[0], &many)) == NULL && !many) {
		if (r == 0 && f->session.status <= SESSION_ACTIVE &&
		    member_is_one()) {
			close_unheld(ctl, &f->session);
			return;
		}
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
