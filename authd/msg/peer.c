/* SPDX-License-Identifier: ISC */
#include "authd/core/tunnel.h"
#include "base/compat.h"
#include "base/log.h"
#include "peer.h"

#define COME_MS	30000	/* to log in, to announce */
#define GO_MS	5000	/* after CLOSE or a refusal */

struct peers	peers = TAILQ_HEAD_INITIALIZER(peers);

static struct {
	struct index	table;
	int		ready;
	int		usable;		/* as all proxyds have been told */
} all;

static void
say_to_door(const struct peer *pe)
{
	if (peer_has(pe, RF_DOORS))
		(void)say_usable(pe->chan, 0, -1, &(struct msg_usable){
		    .yes = (uint8_t)all.usable });
}

void
peer_add(struct peer *pe)
{
	index_add(&all.table, &pe->link, pe->instance);
	TAILQ_INSERT_TAIL(&peers, pe, entry);
	if (all.usable)
		say_to_door(pe);
}

void
peer_remove(struct peer *pe)
{
	index_del(&all.table, &pe->link);
	TAILQ_REMOVE(&peers, pe, entry);
}

struct peer *
peer_find(uint64_t instance)
{
	struct link	*l = index_find(&all.table, instance);

	return (l == NULL ? NULL : OWNER(l, struct peer, link));
}

struct peer *
peer_of(struct chan *c)
{
	return (chan_arg(c));
}

int
peer_has(const struct peer *pe, unsigned flags)
{
	return ((role_info(pe->role)->flags & flags) != 0);
}

struct session *
peer_session(const struct peer *pe)
{
	return (pe->tunnel != NULL ? pe->tunnel->session : NULL);
}

struct chan *
asker_chan(const struct asker *asker)
{
	struct peer	*pe;

	if (asker->instance == 0 || (pe = peer_find(asker->instance)) == NULL)
		return (NULL);
	return (pe->chan);
}

struct asker
asker_of(struct chan *c, const struct imsg *m)
{
	struct asker	asker = { .instance = peer_of(c)->instance,
	    .id = m->id };

	strlcpy(asker.request, log_request_now(), sizeof(asker.request));
	return (asker);
}

enum peer_state
peer_state(const struct peer *pe)
{
	return ((enum peer_state)chan_state(pe->chan));
}

const char *
peer_state_name(enum peer_state state)
{
	static const char *const	names[] = { "new", "login", "bound",
	    "up", "again", "closing", "ready", "refused" };

	return (names[state]);
}

/* What a muxd may say, and what its tunnel is good for, go together. */
static void
tunnel_set_state(struct tunnel *t, enum peer_state state)
{
	static const enum tunnel_state	states[] = {
		[P_NEW] = TUNNEL_NEW, [P_LOGIN] = TUNNEL_LOGIN,
		[P_BOUND] = TUNNEL_BOUND, [P_UP] = TUNNEL_UP,
		[P_AGAIN] = TUNNEL_AGAIN, [P_CLOSING] = TUNNEL_CLOSING,
		[P_REFUSED] = TUNNEL_CLOSING,
	};

	t->state = states[state];
}

/* Once: nothing that it says moves that. */
void
peer_must_go(struct peer *pe)
{
	if (pe->goes)
		return;
	pe->goes = 1;
	timer_set(&pe->late, GO_MS);
}

static void
peer_set_late(struct peer *pe, enum peer_state state)
{
	if (pe->goes)
		return;
	if (state == P_NEW || state == P_AGAIN || state == P_BOUND)
		timer_set(&pe->late, COME_MS);
	else if (state == P_CLOSING || state == P_REFUSED)
		peer_must_go(pe);
	else if (state != P_LOGIN)
		timer_del(&pe->late);
}

void
peer_set_state(struct peer *pe, enum peer_state state)
{
	if (peer_state(pe) != state)
		log_debug("%s %llu: %s, was %s", role_name(pe->role),
		    (unsigned long long)pe->instance,
		    peer_state_name(state),
		    peer_state_name(peer_state(pe)));
	chan_set_state(pe->chan, (int)state);
	peer_set_late(pe, state);
	if (pe->tunnel != NULL)
		tunnel_set_state(pe->tunnel, state);
}

void
peer_close(struct peer *pe, uint16_t code, const char *reason)
{
	(void)say_close(pe->chan, 0, -1, &(struct msg_close){
	    .code = code, .reason = reason });
	if (pe->tunnel != NULL)
		peer_set_state(pe, P_CLOSING);
	else
		peer_must_go(pe);
}

void
peer_say_usable(int usable)
{
	struct peer	*pe;

	if (all.usable == usable)
		return;
	all.usable = usable;
	TAILQ_FOREACH(pe, &peers, entry)
		say_to_door(pe);
}

int
peer_is_ready(void)
{
	return (all.ready);
}

void
peer_set_ready(void)
{
	all.ready = 1;
}

size_t
peer_queue_longest(void)
{
	const struct peer	*pe;
	size_t			 n, most = 0;

	TAILQ_FOREACH(pe, &peers, entry)
		if ((n = chan_queued(pe->chan)) > most)
			most = n;
	return (most);
}
