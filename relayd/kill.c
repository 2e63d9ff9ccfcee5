/* SPDX-License-Identifier: ISC */
#include <signal.h>

#include "base/log.h"
#include "metrics/count.h"
#include "relayd.h"

/* The one way a child is ended by force. It stays known until SIGCHLD. */
void
kill_child(struct child *c, const char *reason)
{
	if (!c->killed)
		log_warnx("%s: killed: %s", child_name(c), reason);
	c->killed = 1;
	timer_del(&c->deadline);
	chan_free(c->chan);
	c->chan = NULL;
	if (c->pid > 0)
		kill(c->pid, SIGKILL);
}

void
kill_hung(struct child *c, const char *reason)
{
	count(CT_HUNG_CONTROL + (unsigned)(c->role - ROLE_CONTROL));
	kill_child(c, reason);
}
