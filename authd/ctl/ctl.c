/* SPDX-License-Identifier: ISC */
/* relayctl's requests: taken apart, found, answered. */
#include <stdlib.h>
#include <string.h>

#include "authd/facts.h"
#include "base/compat.h"
#include "ctl.h"

/*
 * Handlers of the requests that ctl.def has for authd, with what they need from
 * the store and which word names it.
 */
#define NEED_NAMED							\
	(NEED_SYSTEM_BY_KEY | NEED_SYSTEM | NEED_SYSTEM_BY_NAME)
static const struct {
	void		(*fn)(struct ctl *, const struct facts *);
	unsigned	needs, word;
} handlers[CTL_OP_COUNT] = {
	[CTL_SHOW_SESSIONS] = { ctl_show_sessions, 0, 0 },
	[CTL_SHOW_TUNNELS] = { ctl_show_tunnels, 0, 0 },
	[CTL_SHOW_SERVICES] = { ctl_show_services, 0, 0 },
	[CTL_SHOW_STATS] = { ctl_show_stats, 0, 0 },
	[CTL_CLOSE] = { ctl_close, NEED_SESSION, 0 },
	[CTL_SYSTEM_ADD] = { ctl_system_add,
	    NEED_ORG | NEED_SYSTEM_BY_NAME, 1 },
	[CTL_SYSTEM_LIST] = { ctl_system_list, 0, 0 },
	[CTL_SYSTEM_ENABLE] = { ctl_system_enable, NEED_NAMED, 0 },
	[CTL_SYSTEM_DISABLE] = { ctl_system_disable, NEED_NAMED, 0 },
	[CTL_SYSTEM_REMOVE] = { ctl_system_remove, NEED_NAMED, 0 },
	[CTL_ORG_ADD] = { ctl_org_add, NEED_ORG, 2 },
	[CTL_ORG_LIST] = { ctl_org_list, 0, 0 },
	[CTL_ORG_REMOVE] = { ctl_org_remove, NEED_ORG | NEED_CHILD, 0 },
	[CTL_TOKEN_CREATE] = { ctl_token_create, 0, 0 },
	[CTL_TOKEN_LIST] = { ctl_token_list, 0, 0 },
	[CTL_TOKEN_REVOKE] = { ctl_token_revoke, 0, 0 },
	[CTL_TOKEN_REVOKE_USER] = { ctl_token_revoke_user, 0, 0 },
};

static void
ctl_known(const struct facts *f, void *arg)
{
	struct ctl	*ctl = arg;

	handlers[ctl->op].fn(ctl, f);
	freezero(ctl, sizeof(*ctl));
}

/* One word is the key of whatever is needed: the others have none. */
static void
ctl_ask(const struct ctl *from)
{
	const char	*word = from->word[handlers[from->op].word];
	struct ctl	*ctl;

	if ((ctl = malloc(sizeof(*ctl))) == NULL) {
		ctl_done(&from->asker, 503, "server is busy");
		return;
	}
	*ctl = *from;
	(void)facts_ask(handlers[ctl->op].needs, &(struct facts_keys){
	    .system_key = word, .system_id = word, .session = word,
	    .org_id = word, .system_name = ctl->op == CTL_SYSTEM_ADD ?
	    ctl->word[0] : word, .asker = ctl->asker.instance }, ctl_known, ctl);
}

int
ctl_on_ctl(struct chan *c, struct imsg *m)
{
	static struct ctl	ctl;
	struct msg_ctl		in;
	const char		*why;
	uint32_t		i;

	if (get_ctl(m, &in) == -1)
		return (-1);
	memset(&ctl, 0, sizeof(ctl));
	ctl.op = in.op;
	ctl.force = in.force != 0;
	ctl.n = in.words.n;
	for (i = 0; i < in.words.n; i++)
		strlcpy(ctl.word[i], in.words.v[i], sizeof(ctl.word[i]));
	ctl.asker = asker_of(c, m);
	if (in.version != CTL_VERSION)
		ctl_done(&ctl.asker, 505, "relayctl of another version");
	else if (ctl.op >= CTL_OP_COUNT || handlers[ctl.op].fn == NULL)
		ctl_done(&ctl.asker, 400, "unknown request");
	else if ((why = ctl_check(ctl.op, ctl.n)) != NULL)
		ctl_done(&ctl.asker, 400, why);
	else if (!(ctl_info(ctl.op)->flags & CTL_ALWAYS) && !peer_is_ready())
		ctl_done(&ctl.asker, 503, "store is unavailable");
	else
		ctl_ask(&ctl);
	return (0);
}
