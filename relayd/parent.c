/* SPDX-License-Identifier: ISC */
/*
 * What children may say to the parent, in which state, and what is done. Who
 * says anything else is killed.
 */
#include <stdio.h>
#include <string.h>

#include "base/compat.h"
#include "base/log.h"
#include "metrics/count.h"
#include "relayd.h"

static int	on_ready(struct chan *, struct imsg *);
static int	on_serving(struct chan *, struct imsg *);
static int	on_spoken(struct chan *, struct imsg *);
static int	on_bound(struct chan *, struct imsg *);
static int	on_offence(struct chan *, struct imsg *);
static int	on_drain(struct chan *, struct imsg *);

#define ST_UP	(S(CHILD_READY) | S(CHILD_STOPPING))

const struct dispatch	parent_table[] = {
	/* type, from, states, flags, handler */
	{ IMSG_READY, R_CHILDREN, S(CHILD_STARTING) | S(CHILD_STOPPING),
	    MF_ONCE, on_ready },
	{ IMSG_ADMITTED, R_AUTHD, ST_UP, 0, give_on_admitted },
	{ IMSG_GIVE, R_PROXYD, ST_UP, 0, give_on_give },
	{ IMSG_SPOKEN, R_CHILDREN, ST_UP, 0, on_spoken },
	{ IMSG_SERVING, R_AUTHD, ST_UP, 0, on_serving },
	{ IMSG_PONG, R_CHILDREN, ST_UP, 0, watch_on_pong },
	{ IMSG_BOUND, R_AUTHD, ST_UP, 0, on_bound },
	{ IMSG_OFFENCE, R_AUTHD | R_KEYD, ST_UP, 0, on_offence },
	{ IMSG_DRAIN, R_AUTHD, ST_UP, 0, on_drain },
	{ IMSG_PROCESSES, R_AUTHD, ST_UP, MF_REQUEST, processes_on_ask },
	{ IMSG_CTL_REQUEST, R_CONTROL, ST_UP, 0, admin_on_request },
	{ IMSG_CTL, R_CONTROL, ST_UP, MF_REQUEST, admin_on_ctl },
	{ IMSG_RELOAD_SAID, R_STANDING, ST_UP, MF_ANSWER, NULL },
#ifdef RELAYD_TESTING
	{ IMSG_TRIED, R_CHILDREN, ST_UP, MF_ANSWER, NULL },
#endif
};
const size_t	parent_rows = sizeof(parent_table) / sizeof(parent_table[0]);

/*
 * A channel ended. A child that broke the rules goes at once; one that closed
 * its end is on its way out, and gets a moment to say so by itself.
 */
void
parent_channel_closed(struct chan *chan, int offence, const char *reason)
{
	struct child	*c = chan_arg(chan);

	if (offence) {
		count(CT_OFFENCE_CONTROL + (unsigned)(c->role - ROLE_CONTROL));
		kill_child(c, reason);
		return;
	}
	chan_free(chan);
	c->chan = NULL;
	log_debug("%s: %s", child_name(c), reason);
	if (c->state != CHILD_STOPPING)
		timer_set(&c->deadline, STOP_MS);
}

static int
on_ready(struct chan *chan, struct imsg *m)
{
	struct msg_ready	 in;
	struct child		*c = chan_arg(chan);
	char			 theirs[4 * BUILD_SIZE];
	char			 why[6 * BUILD_SIZE];

	if (get_ready(m, &in) == -1)
		return (-1);
	if (strcmp(in.build, build_id) != 0) {
		log_escape(theirs, sizeof(theirs), in.build,
		    strlen(in.build));
		snprintf(why, sizeof(why), "of another build (%s, not %s): "
		    "restart relayd", theirs, build_id);
		c->misfit = 1;
		kill_child(c, why);
		return (0);
	}
	c->layers = in.layers;
	strlcpy(c->build, in.build, sizeof(c->build));
	if (c->state == CHILD_STARTING)
		supervise_ready(c);
	return (0);
}

/* What follows is in the protocol that we asked for. */
static int
on_spoken(struct chan *chan, struct imsg *m)
{
	struct child	*c = chan_arg(chan);

	if (get_spoken(m) == -1 || !c->turning)
		return (-1);
	c->turning = 0;
	chan_hear(chan, c->protocol);
	return (0);
}

/* authd has its store. */
static int
on_serving(struct chan *chan, struct imsg *m)
{
	(void)chan;
	if (get_serving(m) == -1)
		return (-1);
	env()->was_at[0] = '\0';
	supervise_serving();
	return (0);
}

/* authd says whose tunnel that is; kept for the next authd. */
static int
on_bound(struct chan *chan, struct imsg *m)
{
	struct msg_bound	 in;
	struct child		*c;

	(void)chan;
	if (get_bound(m, &in) == -1 || !child_was(in.instance))
		return (-1);
	if ((c = child_find(in.instance)) == NULL)
		return (0);		/* ended meanwhile */
	if (!(role_info(c->role)->flags & RF_BOUND))
		return (-1);
	child_set_bound(c, &in);
	return (0);
}

/* Kept for the next authd, too: authlink_all() says it. */
static int
on_drain(struct chan *chan, struct imsg *m)
{
	struct msg_drain	in;

	(void)chan;
	if (get_drain(m, &in) == -1)
		return (-1);
	env()->drain_until = in.until;
	return (0);
}

static int
on_offence(struct chan *chan, struct imsg *m)
{
	struct msg_offence	 in;
	struct child		*c;
	char			 text[MESSAGE_SIZE + 32];
	char			 printable[MESSAGE_SIZE];

	if (get_offence(m, &in) == -1 || !child_was(in.instance))
		return (-1);
	if ((c = child_find(in.instance)) == NULL)
		return (0);
	/* Of each only those that it talks to. */
	if ((role_info(c->role)->flags & RF_LINKED ? ROLE_AUTHD : c->role ==
	    ROLE_TLSD ? ROLE_KEYD : ROLE_NONE) != chan_role(chan))
		return (-1);
	count(CT_OFFENCE_CONTROL + (unsigned)(c->role - ROLE_CONTROL));
	log_escape(printable, sizeof(printable), in.reason, strlen(in.reason));
	snprintf(text, sizeof(text), "%s: %s", role_name(chan_role(chan)),
	    printable);
	kill_child(c, text);
	return (0);
}
