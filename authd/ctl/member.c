/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "authd/api/api.h"
#include "authd/msg/member.h"
#include "ctl.h"

/* Where it is, and where the others reach it. */
static void
show_member(const struct member_row *m, void *arg)
{
	const struct ctl	*ctl = arg;
	char			 since[32];

	ctl_row(&ctl->asker, m->name, !member_is_alive(m) ? "gone" :
	    m->draining ? "draining" : "up",
	    strcmp(m->name, member_self()) == 0 ? "yes" : "no", m->address,
	    ctl_num(m->port), m->version, ctl_num((uint64_t)(m->silent_ms > 0 ?
	    m->silent_ms : 0) / 1000), ctl_num(m->tunnels),
	    ctl_num(m->sessions), ctl_num(m->forwarded_in),
	    ctl_num(m->forwarded_out), api_time(m->started_at, since),
	    CTL_END);
}

static void
show_members(struct ctl *ctl, const struct facts *f)
{
	(void)f;
	if (!member_is_one()) {
		ctl_done(&ctl->asker, 404, "this relayd is no member of a "
		    "cluster");
		return;
	}
	ctl_row(&ctl->asker, "name", "state", "here", "address", "port",
	    "version", "beat", "tunnels", "sessions", "forwarded_in",
	    "forwarded_out", "started", CTL_END);
	member_each(show_member, ctl);
	ctl_shown(ctl);
}
const struct ctl_handler	ctl_show_members = { .fn = show_members };
