/* SPDX-License-Identifier: ISC */
/*
 * The channels between authd and everyone else. We make each pair, so authd
 * knows from us who is at the other end, and no worker can claim to be another
 * (messages.md, section 4).
 */
#include <event2/event.h>

#include <unistd.h>

#include "base/log.h"
#include "relayd.h"

static void
authlink_spawned(struct child *authd, const struct child *c, int bound, int fd)
{
	chan_begin(authd->chan, IMSG_SPAWNED, 0, fd);
	chan_add_u64(authd->chan, c->nonce);
	chan_add_u64(authd->chan, c->instance);
	chan_add_u8(authd->chan, (uint8_t)c->role);
	chan_add_u8(authd->chan, (uint8_t)bound);
	chan_add_str(authd->chan, c->system);
	chan_add_str(authd->chan, c->session);
	chan_add_u64(authd->chan, c->generation);
	chan_end(authd->chan);
}

int
authlink_join(struct child *c)
{
	struct child	*authd = supervise_authd();
	int		 sv[2];

	if (authd == NULL || authd->chan == NULL || c->chan == NULL)
		return (-1);
	if (imsg_pair(sv) == -1) {
		log_warn("%s: channel to authd", child_name(c));
		return (-1);
	}
	chan_begin(c->chan, IMSG_CHANNEL, 0, sv[0]);
	chan_end(c->chan);
	authlink_spawned(authd, c, c->bound, sv[1]);
	return (0);
}

void
authlink_all(void)
{
	struct child	*authd = supervise_authd(), *c = NULL;

	if (authd == NULL || authd->chan == NULL)
		return;
	for (c = child_after(0); c != NULL; c = child_after(c->instance))
		if (c->role != ROLE_AUTHD && c->chan != NULL &&
		    c->state != CHILD_STOPPING)
			(void)authlink_join(c);
	chan_begin(authd->chan, IMSG_SPAWNED_ALL, 0, -1);
	chan_end(authd->chan);
}
