/* SPDX-License-Identifier: ISC */
/* To be emptied: begun, taken back, and how it stands. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authd/msg/drain.h"
#include "ctl.h"
#include "proc/proc.h"

#define DRAIN_MAX	86400	/* s */

/* A store that is down is one more reason to go, and keeps no log. */
static void
done(const struct ctl *ctl, const char *what)
{
	ctl_audit(ctl, "", "", what);
	if (store_is_up())
		ctl_after(&ctl->asker, CTL_END);
	else
		ctl_done(&ctl->asker, 0, "");
}

static void
drain(struct ctl *ctl, const struct facts *f)
{
	uint64_t	seconds = proc_conf()->drain_time;
	char		text[32];

	(void)f;
	if (ctl->word[0][0] != '\0')
		seconds = strtoull(ctl->word[0], NULL, 10);
	if (seconds == 0 || seconds > DRAIN_MAX) {
		ctl_done(&ctl->asker, 400, "the time is 1 s to 24 h");
		return;
	}
	drain_begin((uint32_t)seconds);
	snprintf(text, sizeof(text), "%llu s", (unsigned long long)seconds);
	done(ctl, text);
}
const struct ctl_handler	ctl_drain = { .fn = drain };

static void
cancel(struct ctl *ctl, const struct facts *f)
{
	(void)f;
	if (drain_cancel() == -1) {
		ctl_done(&ctl->asker, 409, "this relayd does not drain");
		return;
	}
	done(ctl, "");
}
const struct ctl_handler	ctl_drain_cancel = { .fn = cancel };

static void
show_drain(struct ctl *ctl, const struct facts *f)
{
	static const char *const	words[] = { [DRAIN_NOT] = "no",
	    [DRAIN_ON] = "draining", [DRAIN_DONE] = "drained",
	    [DRAIN_LATE] = "late" };
	struct drain			d;

	(void)f;
	drain_look(&d);
	ctl_row(&ctl->asker, "state", "left", "tunnels", "busy", "oldest",
	    "relays", "devices", "moved", CTL_END);
	ctl_row(&ctl->asker, words[d.state], ctl_num(d.left_s),
	    ctl_num(d.tunnels), ctl_num(d.busy), ctl_num(d.oldest_s),
	    ctl_num(d.relays), ctl_num(d.devices), ctl_num(d.moved), CTL_END);
	ctl_done(&ctl->asker, 0, "");
}
const struct ctl_handler	ctl_show_drain = { .fn = show_drain };
