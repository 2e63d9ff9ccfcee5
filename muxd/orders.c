/* SPDX-License-Identifier: ISC */
/*
 * What authd says. authd may die and come back: the new one hears first what
 * only this process knows. messages.md, section 4.
 */
#include <string.h>

#include "base/clock.h"
#include "imsg/imsg.h"
#include "base/log.h"
#include "base/target.h"
#include "manifest.h"
#include "muxd.h"
#include "proc/link.h"
#include "proc/proc.h"

#define BROKEN_MS	30000	/* for a successor, after a break of ours */

static void	authd_came(int);
static void	authd_gone(enum link_end);
static void	authd_missed(void *);
static void	authd_announce(void);
static int	on_stream_open(struct chan *, struct imsg *);
static int	on_stream_kill(struct chan *, struct imsg *);
static int	on_close(struct chan *, struct imsg *);
static int	on_probe(struct chan *, struct imsg *);
static int	on_streams_ask(struct chan *, struct imsg *);
static int	on_command(struct chan *, struct imsg *);

static const struct dispatch authd_table[] = {
	{ IMSG_LOGIN_RESULT, R_AUTHD, S(CH_LOGIN), MF_ANSWER, NULL },
	{ IMSG_CLOSE, R_AUTHD, S(CH_LOGIN) | S(CH_UP), 0, on_close },
	{ IMSG_STREAM_BRIDGE, R_AUTHD, S(CH_UP), 0, on_stream_open },
	{ IMSG_STREAM_KILL, R_AUTHD, S(CH_UP), 0, on_stream_kill },
	{ IMSG_PROBE, R_AUTHD, S(CH_UP), MF_REQUEST, on_probe },
	{ IMSG_STREAMS_ASK, R_AUTHD, S(CH_UP), MF_REQUEST, on_streams_ask },
	{ IMSG_COMMAND, R_AUTHD, S(CH_UP), MF_REQUEST, on_command },
	{ IMSG_CREDIT, R_AUTHD, S(CH_UP), MF_ANSWER, NULL },
	{ IMSG_API_RESULT, R_AUTHD, S(CH_UP), MF_ANSWER, NULL },
	{ IMSG_DOC_CHUNK, R_AUTHD, S(CH_UP), MF_REQUEST, authd_users_chunk },
};

static const struct link_ops	ops = {
	.table = authd_table,
	.rows = sizeof(authd_table) / sizeof(authd_table[0]),
	.came = authd_came,
	.gone = authd_gone,
};

static struct timer	broken;

void
muxd_link(void)
{
	link_init(&ops);
}

static void
authd_came(int again)
{
	if (!again)
		timer_init(&broken, authd_missed, NULL);
	timer_del(&broken);
	if (again && !authd_is_up())
		login_orphan();
	if (authd_is_up())
		authd_announce();
}

static void
authd_gone(enum link_end how)
{
	/* A document of which only a part has come will not be completed. */
	authd_users_lost();
	command_forget();
	tunnel_probe_forget();
	if (how == LINK_REPLACED)
		return;
	if (how == LINK_OFFENCE && authd_is_up())
		timer_set(&broken, BROKEN_MS);
	login_abandon();
}

/*
 * It was we who ended the channel, and nobody came in authd's place: it lives,
 * and to it this tunnel is gone. The client should learn that.
 */
static void
authd_missed(void *arg)
{
	(void)arg;
	tunnel_close(1011, "internal fault", END_TUNNEL);
}

/* A new authd hears what only we know. */
static void
authd_announce(void)
{
	(void)say_announce(link_chan(), 0, -1, &(struct msg_announce){
	    .up = (uint8_t)tunnel_is_up(),
	    .streams = bridge_count() + authd_waiting() });
	/* Those that ended meanwhile too, or their ends would mean nothing. */
	authd_announce_waiting();
	bridge_walk(authd_announce_stream);
	authd_services(control_services(), control_services_version());
	(void)say_announce_end(link_chan(), 0);
	log_info("announced to a new authd, %u stream%s", bridge_count(),
	    PLURAL(bridge_count()));
	authd_tell_waiting();
	lease_renew();
	tunnel_stats();
}

/* Streams. */

static int
on_stream_open(struct chan *c, struct imsg *m)
{
	struct msg_stream_bridge	 in;

	(void)c;
	if (get_stream_bridge(m, &in) == -1)
		return (-1);
	/* It becomes a line on the wire. */
	if (!target_service_ok(in.service, strlen(in.service)))
		return (-1);
	bridge_open(in.stream, in.service, in.tag.p, in.tag.len, m_take_fd(m));
	return (0);
}

static int
on_stream_kill(struct chan *c, struct imsg *m)
{
	struct msg_stream_kill	 in;

	(void)c;
	if (get_stream_kill(m, &in) == -1 || in.why >= END_COUNT)
		return (-1);
	bridge_kill(in.stream, in.why);
	return (0);
}

static int
on_streams_ask(struct chan *c, struct imsg *m)
{
	if (get_streams_ask(m) == -1)
		return (-1);
	bridge_tell_moved();
	(void)say_streams_told(c, m->id);
	return (0);
}

/* The rest. */

static int
on_close(struct chan *c, struct imsg *m)
{
	struct msg_close	 in;

	(void)c;
	if (get_close(m, &in) == -1)
		return (-1);
	if (!authd_is_up()) {
		login_abandon();
		return (0);
	}
	tunnel_close(in.code, in.reason, END_SESSION);
	return (0);
}

static int
on_probe(struct chan *c, struct imsg *m)
{
	(void)c;
	if (get_probe(m) == -1)
		return (-1);
	tunnel_probe(m->id);
	return (0);
}

static int
on_command(struct chan *c, struct imsg *m)
{
	struct msg_command	 in;

	(void)c;
	if (get_command(m, &in) == -1)
		return (-1);
	command_take(m->id, in.wait_s, in.json.p, in.json.len);
	return (0);
}
