/* SPDX-License-Identifier: ISC */
/*
 * Pairing, whose messages paird has for itself: connections are let in, their
 * number is passed on to the proxyds. Its tokens are in consume.c.
 */
#include <string.h>

#include "base/clock.h"
#include "handlers.h"
#include "imsg/msg.h"
#include "pairing.h"
#include "peer.h"
#include "proc/proc.h"

#define TELL_MS		1000	/* between two words to the proxyds */

static struct {
	uint64_t		 instance;	/* of paird; 0: it is not here */
	struct msg_pair_state	 is;
	struct timer		 told;		/* a moment ago */
	uint32_t		 as;		/* what they know */
	int			 missed;	/* not all of them do */
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

static void	tell_all(void);

static void
tell_due(void *arg)
{
	(void)arg;
	if (pairing.missed || pairing.as != pairing.is.sessions)
		tell_all();
}

/* Who is not read would be ended for what a paird says without end. */
static void
tell_all(void)
{
	const struct peer	*pe;

	pairing.as = pairing.is.sessions;
	pairing.missed = 0;
	TAILQ_FOREACH(pe, &peers, entry)
		if (!peer_has(pe, RF_DOORS))
			continue;
		else if (chan_queued(pe->chan) < CHAN_QUEUE_HIGH)
			tell(pe);
		else
			pairing.missed = 1;
	timer_init(&pairing.told, tell_due, NULL);
	timer_set(&pairing.told, TELL_MS);
}

/* It has changed: now, then once a moment, and the last of it always. */
static void
changed(void)
{
	if (!timer_is_set(&pairing.told))
		tell_all();
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
		changed();
	return (0);
}

void
pairing_gone(const struct peer *pe)
{
	if (pe->instance != pairing.instance)
		return;
	pairing.instance = 0;
	memset(&pairing.is, 0, sizeof(pairing.is));
	changed();
}
