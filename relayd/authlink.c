/* SPDX-License-Identifier: ISC */
/*
 * The channels between authd and everyone else. We make each pair, so authd
 * knows from us who is at the other end, and no worker can claim to be another
 * (messages.md, section 4).
 */
#include <event2/event.h>

#include <unistd.h>

#include "base/log.h"
#include "imsg/proto.h"
#include "relayd.h"

static void
authlink_spawned(struct child *authd, const struct child *c, int bound, int fd)
{
	(void)say_spawned(authd->chan, 0, fd, &(struct msg_spawned){
	    .nonce = c->nonce, .instance = c->instance,
	    .role = (uint8_t)c->role, .bound = (uint8_t)bound,
	    .system = c->system, .session = c->session,
	    .generation = c->generation, .addr = c->addr,
	    .since = c->since,
	    .protocol = proto_of_both(c->protocol, authd->protocol) });
}

int
authlink_join(struct child *c)
{
	return (authlink_join_next(c, child_authd()));
}

int
authlink_join_next(struct child *c, struct child *authd)
{
	int	sv[2];

	if (authd == NULL || authd->chan == NULL || c->chan == NULL)
		return (-1);
	if (imsg_pair(sv) == -1) {
		log_warn("%s: channel to authd", child_name(c));
		return (-1);
	}
	if (imsg_is_spare(sv[0]) || imsg_is_spare(sv[1])) {
		log_warnx("%s: channel to authd: too many open files",
		    child_name(c));
		close(sv[0]);
		close(sv[1]);
		return (-1);
	}
	/*
	 * Nobody but us and dialerd sends authd a descriptor, and authd none to
	 * control.
	 */
	if (!(role_info(c->role)->flags & RF_DIALS))
		(void)imsg_refuse_fds(sv[1]);
	if (role_info(c->role)->flags & RF_DESK)
		(void)imsg_refuse_fds(sv[0]);
	(void)say_channel(c->chan, 0, sv[0], &(struct msg_channel){
	    .protocol = proto_of_both(c->protocol, authd->protocol) });
	authlink_spawned(authd, c, c->bound, sv[1]);
	c->authd = authd->instance;
	return (0);
}

void
authlink_all(void)
{
	struct child	*authd = child_authd(), *c = NULL;

	if (authd == NULL || authd->chan == NULL)
		return;
	for (c = child_after(0); c != NULL; c = child_after(c->instance))
		if ((role_info(c->role)->flags & RF_LINKED) && c->chan != NULL &&
		    c->state != CHILD_STOPPING && c->authd != authd->instance)
			(void)authlink_join(c);
	if (env()->drain_until != 0)
		(void)say_drain(authd->chan, 0, -1, &(struct msg_drain){
		    .until = env()->drain_until });
	if (env()->was_at[0] != '\0')
		(void)say_was_at(authd->chan, 0, -1, &(struct msg_was_at){
		    .address = env()->was_at, .port = env()->was_port });
	(void)say_spawned_all(authd->chan, 0);
}
