/* SPDX-License-Identifier: ISC */
/*
 * Pairing, whose messages paird has for itself: connections are let in, their
 * number is passed on to the proxyds. Its tokens are in consume.c.
 */
#include <string.h>

#include "handlers.h"
#include "imsg/msg.h"
#include "pairing.h"
#include "peer.h"
#include "proc/proc.h"

static struct {
	uint64_t		 instance;	/* of paird; 0: it is not here */
	struct msg_pair_state	 is;
} pairing;

/* Above that it is not worth a WebSocket to say no: P22. */
static uint64_t
clients_most(void)
{
	uint64_t	n = proc_conf()->pair_connections;

	return (n + n / 10 + 1);
}

uint64_t
pairing_place(void)
{
	return (pairing.is.clients < clients_most() ? pairing.instance : 0);
}

int
pairing_is(struct msg_pair_state *is)
{
	*is = pairing.is;
	return (pairing.instance != 0 ? 0 : -1);
}

static void
tell(const struct peer *pe)
{
	if (peer_has(pe, RF_DOORS))
		(void)say_pairings(pe->chan, 0, -1, &(struct msg_pairings){
		    .sessions = pairing.is.sessions });
}

/* One that begins knows of none. */
void
pairing_tell(const struct peer *pe)
{
	if (pairing.is.sessions > 0)
		tell(pe);
}

static void
tell_all(void)
{
	const struct peer	*pe;

	TAILQ_FOREACH(pe, &peers, entry)
		tell(pe);
}

void
pairing_leave(void)
{
	const struct peer	*pe = peer_find(pairing.instance);

	if (pe != NULL && pairing.is.clients > 0)
		(void)say_pair_leave(pe->chan, 0);
}

int
pairing_on_state(struct chan *c, struct imsg *m)
{
	struct msg_pair_state	 in;
	uint32_t		 before = pairing.is.sessions;

	if (get_pair_state(m, &in) == -1)
		return (-1);
	pairing.instance = peer_of(c)->instance;
	pairing.is = in;
	if (in.sessions != before)
		tell_all();
	return (0);
}

void
pairing_gone(const struct peer *pe)
{
	if (pe->instance != pairing.instance)
		return;
	pairing.instance = 0;
	memset(&pairing.is, 0, sizeof(pairing.is));
	tell_all();
}
