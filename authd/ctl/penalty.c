/* SPDX-License-Identifier: ISC */
/* Addresses that failed to log in: who they are, letting them try again. */
#include <stdio.h>
#include <string.h>

#include "authd/msg/named.h"
#include "base/clock.h"
#include "base/compat.h"
#include "ctl.h"

#define SHOWN_MAX	1000

struct showing {
	const struct asker	*asker;
	int			 out;	/* those that are shut out, or the others */
	size_t			 n;
};

static void
penalty_row(uint64_t proxyd, const struct penalty *p, void *arg)
{
	struct showing	*sh = arg;
	uint64_t	 now = clock_ms();
	struct addr	 a;
	char		 addr[ADDR_SIZE], wait[24], times[16], offences[24];
	char		 instance[24];

	if ((p->out_until > now) != sh->out || sh->n++ >= SHOWN_MAX)
		return;
	memcpy(a.b, p->net, sizeof(a.b));
	addr_print(&a, addr);
	snprintf(wait, sizeof(wait), "%llus", (unsigned long long)(sh->out ?
	    (p->out_until - now + 999) / 1000 : 0));
	snprintf(offences, sizeof(offences), "%llu",
	    (unsigned long long)p->offences);
	snprintf(times, sizeof(times), "%u", p->times);
	snprintf(instance, sizeof(instance), "%llu",
	    (unsigned long long)proxyd);
	ctl_row(sh->asker, addr, wait, offences, times,
	    penalty_cause_name(p->cause), instance, CTL_END);
}

/* Who is shut out comes first; a screen's worth of a flood is enough. */
static void
show_penalties(struct ctl *ctl, const struct facts *f)
{
	struct showing	sh = { .asker = &ctl->asker, .out = 1 };
	char		text[64] = "";

	(void)f;
	ctl_row(&ctl->asker, "address", "wait", "offences", "times", "cause",
	    "proxyd", CTL_END);
	named_penalties(penalty_row, &sh);
	sh.out = 0;
	named_penalties(penalty_row, &sh);
	if (sh.n > SHOWN_MAX)
		snprintf(text, sizeof(text), "%zu more are not shown",
		    sh.n - SHOWN_MAX);
	ctl_done(&ctl->asker, 0, text);
}
const struct ctl_handler	ctl_show_penalties = { .fn = show_penalties };

static void
penalty_clear_address(struct ctl *ctl, const struct facts *f)
{
	const char	*word = ctl->word[0];
	struct addr	 a;
	size_t		 n;
	int		 all = strcmp(word, "all") == 0;

	(void)f;
	if (!all && addr_parse(&a, word, strlen(word)) == -1) {
		ctl_done(&ctl->asker, 400, "neither an address nor all");
		return;
	}
	n = named_forgive(all ? NULL : &a);
	if (n == 0 && !all) {
		ctl_done(&ctl->asker, 404, "this address has no penalty");
		return;
	}
	ctl_audit(ctl, "", word, "");
	ctl_after(&ctl->asker, CTL_END);
}
const struct ctl_handler	ctl_penalty_clear = {
    .fn = penalty_clear_address };
