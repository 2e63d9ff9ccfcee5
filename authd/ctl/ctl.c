/* SPDX-License-Identifier: ISC */
/* relayctl's requests: taken apart, found, answered. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authd/msg/handlers.h"
#include "authd/store/audit.h"
#include "base/compat.h"
#include "base/log.h"
#include "ctl.h"

/* A row of authd's without its handler does not link. */
static const struct ctl_handler	*const handlers[CTL_OP_COUNT] = {
#define C(NAME, word, pattern, words, answers, flags, help)		\
	CTL_OF_##answers(NAME, word)
#define CTL_OF_AUTHD(NAME, word)	[CTL_##NAME] = &ctl_##word,
#define CTL_OF_PARENT(NAME, word)
#include "ctl/ctl.def"
#undef C
};

static void
ctl_known(const struct facts *f, void *arg)
{
	struct ctl	*ctl = arg;

	handlers[ctl->op]->fn(ctl, f);
	freezero(ctl, sizeof(*ctl));
}

/* One word is the key of whatever is needed: the others have none. */
static void
ctl_ask(const struct ctl *from)
{
	const struct ctl_handler	*h = handlers[from->op];
	const char			*key = from->word[h->key];
	struct ctl			*ctl;

	if ((ctl = malloc(sizeof(*ctl))) == NULL) {
		ctl_done(&from->asker, 503, "server is busy");
		return;
	}
	*ctl = *from;
	(void)facts_ask(h->needs, &(struct facts_keys){ .system_key = key,
	    .system_id = key, .session = key, .org_id = key,
	    .system_name = from->word[h->name], .token = key,
	    .new_name = from->word[1],
	    .asker = ctl->asker.instance }, ctl_known, ctl);
}

static char	next_request[REQUEST_SIZE];	/* of the CTL that follows */

int
ctl_on_request(struct chan *c, struct imsg *m)
{
	struct msg_ctl_request	 in;

	(void)c;
	if (get_ctl_request(m, &in) == -1)
		return (-1);
	strlcpy(next_request, in.request, sizeof(next_request));
	return (0);
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
	log_request(next_request);
	next_request[0] = '\0';
	ctl.op = in.op;
	ctl.uid = in.uid;
	ctl.force = in.force != 0;
	ctl.n = in.words.n;
	for (i = 0; i < in.words.n; i++)
		strlcpy(ctl.word[i], in.words.v[i], sizeof(ctl.word[i]));
	ctl.asker = asker_of(c, m);
	if (in.version != CTL_VERSION)
		ctl_done(&ctl.asker, 505, "relayctl of another version");
	else if (ctl.op >= CTL_OP_COUNT || handlers[ctl.op] == NULL)
		ctl_done(&ctl.asker, 400, "unknown request");
	else if ((why = ctl_check(ctl.op, ctl.n)) != NULL)
		ctl_done(&ctl.asker, 400, why);
	else if (!(ctl_info(ctl.op)->flags & CTL_ALWAYS) && !peer_is_ready())
		ctl_done(&ctl.asker, 503, "store is unavailable");
	else
		ctl_ask(&ctl);
	return (0);
}

/* What others have answered, in the audit log. */
int
ctl_on_told(struct chan *c, struct imsg *m)
{
	struct msg_ctl_told	 in;
	const struct ctl_info	*info;
	char			 actor[32];
	struct audit		 a = { .actor = actor,
				    .address = AUDIT_LOCAL };

	(void)c;
	if (get_ctl_told(m, &in) == -1 || (info = ctl_info(in.op)) == NULL ||
	    (info->flags & CTL_LOOKS))
		return (-1);
	snprintf(actor, sizeof(actor), "uid %u", (unsigned)in.uid);
	a.action = info->word;
	a.object = in.object;
	a.reason = in.text;
	a.request = in.request;
	if (in.code != 0)
		audit_refusal(&a);
	else
		audit_done(&a);
	return (0);
}
