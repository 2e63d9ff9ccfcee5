/* SPDX-License-Identifier: ISC */
/* What authd may tell proxyd, and what is forgotten when it goes. */
#include "door/conn.h"
#include "job/api.h"
#include "job/events.h"
#include "job/internal.h"
#include "job/rendezvous.h"
#include "authd.h"
#include "proc/conf.h"
#include "grant.h"
#include "imsg/imsg.h"
#include "base/log.h"
#include "imsg/msg.h"
#include "proc/link.h"
#include "session.h"
#include "upstream.h"

#define BROKEN_MS	30000	/* for a successor, after a break of ours */

static int	on_usable(struct chan *, struct imsg *);
static int	on_pairings(struct chan *, struct imsg *);
static int	on_rate_over(struct chan *, struct imsg *);

static struct timer	broken;
static unsigned	pairings;
static int	usable;		/* a USABLE_*, of the authd of now */

static const struct dispatch	table[] = {
	{ IMSG_ADMITTED, R_AUTHD, S_ANY, MF_ANSWER, NULL },
	{ IMSG_GRANTED, R_AUTHD, S_ANY, MF_ANSWER, NULL },
	{ IMSG_STREAM_OPENED, R_AUTHD, S_ANY, MF_ANSWER, NULL },
	{ IMSG_STREAM_REFUSED, R_AUTHD, S_ANY, MF_ANSWER, NULL },
	{ IMSG_API_RESULT, R_AUTHD, S_ANY, MF_ANSWER, NULL },
	{ IMSG_API_FILE, R_AUTHD, S_ANY, MF_ANSWER, NULL },
	{ IMSG_WHERE_IS, R_AUTHD, S_ANY, MF_ANSWER, NULL },
	{ IMSG_MEMBERS_ARE, R_AUTHD, S_ANY, MF_ANSWER, NULL },
	{ IMSG_FORWARDED, R_AUTHD, S_ANY, MF_ANSWER, NULL },
	{ IMSG_FORWARD_FAILED, R_AUTHD, S_ANY, MF_ANSWER, NULL },
	{ IMSG_PEER_HEAD_SAID, R_AUTHD, S_ANY, MF_ANSWER, NULL },
	{ IMSG_DOC_CHUNK, R_AUTHD, S_ANY, MF_REQUEST, api_on_chunk },
	{ IMSG_EVENT, R_AUTHD, S_ANY, MF_REQUEST, events_on_event },
	{ IMSG_EVENTS_END, R_AUTHD, S_ANY, MF_REQUEST, events_on_end },
	{ IMSG_SERVICES_BEGIN, R_AUTHD, S_ANY, 0, session_on_begin },
	{ IMSG_SERVICE, R_AUTHD, S_ANY, 0, session_on_service },
	{ IMSG_SERVICES_END, R_AUTHD, S_ANY, 0, session_on_end },
	{ IMSG_USABLE, R_AUTHD, S_ANY, 0, on_usable },
	{ IMSG_PAIRINGS, R_AUTHD, S_ANY, 0, on_pairings },
	{ IMSG_RATE_OVER, R_AUTHD, S_ANY, 0, on_rate_over },
	{ IMSG_GRANT_END, R_AUTHD, S_ANY, 0, grant_on_end },
	{ IMSG_IDLE_DROP, R_AUTHD, S_ANY, MF_REQUEST, upstream_on_idle_drop },
};

int
authd_is_usable(void)
{
	return (usable == USABLE_YES);
}

int
authd_drains(void)
{
	return (usable == USABLE_DRAINS);
}

static int
on_usable(struct chan *c, struct imsg *m)
{
	struct msg_usable	 in;

	(void)c;
	if (get_usable(m, &in) == -1 || in.yes >= USABLE_COUNT)
		return (-1);
	usable = in.yes;
	return (0);
}

static int
on_pairings(struct chan *c, struct imsg *m)
{
	struct msg_pairings	 in;

	(void)c;
	if (get_pairings(m, &in) == -1)
		return (-1);
	pairings = in.sessions;
	return (0);
}

static int
on_rate_over(struct chan *c, struct imsg *m)
{
	struct msg_rate_over	 in;

	(void)c;
	if (get_rate_over(m, &in) == -1)
		return (-1);
	internal_over(in.session, in.wait_s);
	return (0);
}

unsigned
authd_pairings(void)
{
	return (pairings);
}

/*
 * It was we who ended the channel, and nobody came in authd's place: it lives, and
 * nobody would send another channel. Who starts anew gets one.
 */
static void
authd_missed(void *arg)
{
	(void)arg;
	fatalx("no channel to authd");
}

/* Grants do not outlive the channel that they came on. */
static void
authd_gone(enum link_end how)
{
	if (how != LINK_OFFENCE)
		log_info("authd has gone");
	else
		timer_set(&broken, BROKEN_MS);
	usable = USABLE_NO;
	session_forget_half();
	api_forget_all();
	events_end_all();
	rendezvous_forget_all();
	grant_forget_all();
}

static void
authd_came(int again)
{
	(void)again;
	timer_del(&broken);
}

/* Documents of which parts are still to come. */
static int
authd_waits(void)
{
	return (api_is_waiting() || rendezvous_is_waiting());
}

static const struct link_ops	authd = {
	.table = table,
	.rows = sizeof(table) / sizeof(table[0]),
	.came = authd_came,
	.gone = authd_gone,
	.pause = conn_pause,
	.waits = authd_waits,
};

void
link_to_authd(void)
{
	timer_init(&broken, authd_missed, NULL);
	link_init(&authd);
}
