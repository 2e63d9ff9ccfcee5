/* SPDX-License-Identifier: ISC */
/*
 * The channels among those that authd has no part in: each tlsd asks keyd for
 * signatures, and gives every proxyd connections. We make each pair, so that
 * everybody knows from us who is at the other end.
 */
#include <unistd.h>

#include "base/log.h"
#include "imsg/proto.h"
#include "relayd.h"

/*
 * Who is connected with whom, and who is sent descriptors: the second, but none
 * by somebody who is newer, since it is about to leave; and the first where
 * there is TLS between members. So a proxyd that leaves has no tlsd any more if
 * its own have crashed: whoever came by those has gone with them, and who came
 * without hears 503 if he wants another member. That is the last answer on his
 * connection (conn_leave()), and his next one is the successor's.
 */
static const struct {
	int	from, to, carries, brings;
} pairs[] = {
	{ ROLE_TLSD, ROLE_KEYD, 0, 0 },
	{ ROLE_TLSD, ROLE_PROXYD, 1, 1 },
};

static void
say_to(struct child *to, int fd, const struct child *other)
{
	(void)say_peer(to->chan, 0, fd, &(struct msg_peer){
	    .role = (uint8_t)other->role, .instance = other->instance,
	    .protocol = proto_of_both(to->protocol, other->protocol) });
}

static void
peers_pair(struct child *from, struct child *to, int carries, int brings)
{
	int	sv[2];

	if (imsg_pair(sv) == -1) {
		log_warn("%s: channel to %s", child_name(from),
		    role_name(to->role));
		return;
	}
	if (imsg_is_spare(sv[0]) || imsg_is_spare(sv[1])) {
		log_warnx("%s: channel to %s: too many open files",
		    child_name(from), role_name(to->role));
		close(sv[0]);
		close(sv[1]);
		return;
	}
	if (!brings || env()->conf.cluster_ca_file[0] == '\0')
		(void)imsg_refuse_fds(sv[0]);
	if (!carries)
		(void)imsg_refuse_fds(sv[1]);
	say_to(from, sv[0], to);
	say_to(to, sv[1], from);
}

void
peers_join(struct child *c)
{
	struct child	*o;
	size_t		 i;

	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (c->role != pairs[i].from && c->role != pairs[i].to)
			continue;
		for (o = child_after(0); o != NULL;
		    o = child_after(o->instance)) {
			if (o->chan == NULL || o->state == CHILD_STOPPING)
				continue;
			if (c->role == pairs[i].from &&
			    o->role == pairs[i].to &&
			    !(pairs[i].carries && o->old))
				peers_pair(c, o, pairs[i].carries,
				    pairs[i].brings);
			else if (c->role == pairs[i].to &&
			    o->role == pairs[i].from)
				peers_pair(o, c, pairs[i].carries,
				    pairs[i].brings);
		}
	}
}
