/* SPDX-License-Identifier: ISC */
/* What there is of pairing, and how much of it there may be. */
#include "authd/core/consumed.h"
#include "authd/msg/pairing.h"
#include "ctl.h"
#include "proc/proc.h"

static void
show_pairing(struct ctl *ctl, const struct facts *f)
{
	const struct asker	*a = &ctl->asker;
	const struct conf	*c = proc_conf();
	struct msg_pair_state	 is;

	(void)f;
	if (pairing_is(&is) == -1) {
		ctl_done(a, 404, "nobody can pair: no listener has \"pair\", or "
		    "paird is starting");
		return;
	}
	ctl_row(a, "name", "count", "most", CTL_END);
	ctl_row(a, "connections", ctl_num(is.clients),
	    ctl_num(c->pair_connections), CTL_END);
	ctl_row(a, "codes", ctl_num(is.sessions),
	    ctl_num(c->pair_sessions), CTL_END);
	ctl_row(a, "paired", ctl_num(is.paired), ctl_num(c->pair_sessions),
	    CTL_END);
	ctl_row(a, "watches", ctl_num(is.watches), "-", CTL_END);
	ctl_row(a, "used tokens", ctl_num(consumed_count()),
	    ctl_num(c->pair_tokens), CTL_END);
	ctl_done(a, 0, "");
}
const struct ctl_handler	ctl_show_pairing = { .fn = show_pairing };
