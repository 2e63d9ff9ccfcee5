/* SPDX-License-Identifier: ISC */
/*
 * What children may say to the parent, in which state, and what is done. Who
 * says anything else is killed.
 */
#include <sys/socket.h>

#include <event2/event.h>
#include <sodium.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "base/log.h"
#include "relayd.h"

static int	on_ready(struct chan *, struct imsg *);
static int	on_give(struct chan *, struct imsg *);
static int	on_bound(struct chan *, struct imsg *);
static int	on_offence(struct chan *, struct imsg *);

#define ST_UP	(S(CHILD_READY) | S(CHILD_STOPPING))

const struct dispatch	parent_table[] = {
	/* type, from, states, flags, handler */
	{ IMSG_READY, R_CHILDREN, S(CHILD_STARTING) | S(CHILD_STOPPING),
	    MF_ONCE, on_ready },
	{ IMSG_GIVE, R_PROXYD, ST_UP, 0, on_give },
	{ IMSG_BOUND, R_AUTHD, ST_UP, 0, on_bound },
	{ IMSG_OFFENCE, R_AUTHD, ST_UP, 0, on_offence },
	{ IMSG_CTL, R_CONTROL, ST_UP, MF_REQUEST, ctl_request },
	{ IMSG_RELOAD_SAID, R_STANDING, ST_UP, MF_ANSWER, NULL },
#ifdef RELAYD_TESTING
	{ IMSG_TRIED, R_CHILDREN, ST_UP, MF_ANSWER, NULL },
#endif
};
const size_t	parent_rows = sizeof(parent_table) / sizeof(parent_table[0]);

static void	give_new(const struct msg_give *, int);
static void	give_known(const struct msg_give *, int);
static void	give_send(struct child *, const struct msg_give *, int);
static void	give_refuse(int, const char *);
static void	refused_note(const char *);

#define NOTE_MS	10000	/* between two lines about refused connections */

static struct {
	uint64_t	noted_ms;
	unsigned long	n;		/* refused since then */
} refused;

/*
 * A channel ended. A child that broke the rules goes at once; one that closed
 * its end is on its way out, and gets a moment to say so by itself.
 */
void
parent_channel_closed(struct chan *chan, int offence, const char *reason)
{
	struct child	*c = chan_arg(chan);

	if (offence) {
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

	if (get_ready(m, &in) == -1)
		return (-1);
	c->layers = in.layers;
	if (c->state == CHILD_STARTING)
		supervise_ready(c);
	return (0);
}

/*
 * A connection goes to its room: a new one, or one that authd has named. The
 * bytes are the peer's, and nobody here reads them.
 */
static int
on_give(struct chan *chan, struct imsg *m)
{
	const struct child	*c;
	struct msg_give		 in;

	(void)chan;
	if (get_give(m, &in) == -1 || class_info(in.class) == NULL)
		return (-1);
	if (in.instance == 0) {
		give_new(&in, m_take_fd(m));
		return (0);
	}
	/* It may have ended meanwhile, but it must have been. */
	if (!child_was(in.instance))
		return (-1);
	c = child_find(in.instance);
	if (c != NULL && c->role != class_info(in.class)->role)
		return (-1);
	give_known(&in, m_take_fd(m));
	return (0);
}

/* Is one more of this class too many? */
static int
give_is_full(const struct class_info *class)
{
	const struct conf	*conf = &env()->conf;
	uint64_t		 cap = conf->startups_full;

	if (class->startups) {
		cap += conf->max_tunnels;
		if (limits_drop(conf, child_startups(),
		    randombytes_uniform(100)))
			return (1);
	}
	return (child_count(class->role) >= cap);
}

static void
give_new(const struct msg_give *g, int fd)
{
	const struct class_info	*class = class_info(g->class);
	struct child		*c;

	if (env()->stopping || child_authd() == NULL) {
		give_refuse(fd, "stopping or starting");
		return;
	}
	if (give_is_full(class)) {
		give_refuse(fd, class->full);
		return;
	}
	c = spawn_child(class->role, NULL, g->nonce);
	if (c == NULL) {
		give_refuse(fd, "no worker");
		return;
	}
	give_send(c, g, fd);
}

static void
give_known(const struct msg_give *g, int fd)
{
	struct child	*c = child_find(g->instance);

	if (c == NULL || c->chan == NULL || c->state == CHILD_STOPPING)
		give_refuse(fd, "the worker has gone");
	else
		give_send(c, g, fd);
}

static void
give_send(struct child *c, const struct msg_give *g, int fd)
{
	struct msg_give	out = *g;

	out.instance = c->instance;
	(void)say_give(c->chan, 0, fd, &out);
}

/* All that the parent ever says on the network. */
static void
give_refuse(int fd, const char *why)
{
	static const char	reply[] =
	    "HTTP/1.1 503 Service Unavailable\r\n"
	    "Content-Type: application/json\r\n"
	    "Content-Length: 57\r\n"
	    "Retry-After: 5\r\n"
	    "Connection: close\r\n"
	    "\r\n"
	    "{\"code\":503,\"message\":\"too many connections\","
	    "\"data\":null}";

	refused_note(why);
	if (send(fd, reply, sizeof(reply) - 1, MSG_DONTWAIT | MSG_NOSIGNAL) ==
	    -1)
		log_debug("connection refused: %s", strerror(errno));
	(void)shutdown(fd, SHUT_WR);
	imsg_drop_fd(fd);
}

/* A flood of connections must not become a flood of lines. */
static void
refused_note(const char *why)
{
	uint64_t	now = clock_ms();

	refused.n++;
	if (refused.noted_ms != 0 && now - refused.noted_ms < NOTE_MS)
		return;
	log_info("%lu %s refused, the last: %s; %zu workers not logged in",
	    refused.n, refused.n == 1 ? "connection" : "connections", why,
	    child_startups());
	refused.noted_ms = now;
	refused.n = 0;
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
	child_set_bound(c, in.system, in.session, in.generation);
	return (0);
}

static int
on_offence(struct chan *chan, struct imsg *m)
{
	struct msg_offence	 in;
	struct child		*c;
	char			 text[MESSAGE_SIZE + 32];
	char			 printable[MESSAGE_SIZE];

	(void)chan;
	if (get_offence(m, &in) == -1 || !child_was(in.instance))
		return (-1);
	if ((c = child_find(in.instance)) == NULL)
		return (0);
	if (c->role == ROLE_AUTHD)
		return (-1);
	log_escape(printable, sizeof(printable), in.reason, strlen(in.reason));
	snprintf(text, sizeof(text), "authd: %s", printable);
	kill_child(c, text);
	return (0);
}
