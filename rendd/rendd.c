/* SPDX-License-Identifier: ISC */
/*
 * rendd: one relay session that somebody has joined. Its peers' WebSockets meet
 * here and nowhere else: the first one's arrival starts it, all others are
 * brought to the same process, and when the last has gone so is it.
 *
 * May touch: the sockets of this session; no file, no key, no token, no other
 * socket; it cannot open any. No head of a request is read here: proxyd has,
 * and says what the 101 is. Hears from: the parent GIVE, a connection; authd
 * SEATED, where that belongs, and CLOSE, the session's end. States: none of its
 * own; each leg has one (leg.h). Starts in main(); the story goes on in pair.c
 * (who meets whom), leg.c (what is read) and out.c (what is written).
 */
#include <unistd.h>

#include "base/log.h"
#include "leg.h"
#include "pair.h"
#include "proc/link.h"
#include "proc/proc.h"

#define FILES_MAX	(2 * RELAY_CHANNELS + 128)

static int	on_give(struct chan *, struct imsg *);
static int	on_close(struct chan *, struct imsg *);
static void	authd_came(int);
static void	rendd_stop(void);

static const struct dispatch	parent_table[] = {
	PROC_ROWS
	{ IMSG_GIVE, R_PARENT, S_ANY, 0, on_give },
};

static const struct dispatch	authd_table[] = {
	{ IMSG_SEATED, R_AUTHD, S_ANY, MF_ANSWER, NULL },
	{ IMSG_CLOSE, R_AUTHD, S_ANY, 0, on_close },
};

static const struct link_ops	authd = {
	.table = authd_table,
	.rows = sizeof(authd_table) / sizeof(authd_table[0]),
	.came = authd_came,
};

static const struct proc_ops	ops = {
	.role = ROLE_RENDD,
	.table = parent_table,
	.rows = sizeof(parent_table) / sizeof(parent_table[0]),
	.files = FILES_MAX,
	.channel = link_take,
	.run = pair_init,
	.stop = rendd_stop,
};

int
main(int argc, char **argv)
{
	link_init(&authd);
	proc_main(&ops, argc, argv);
}

static int
on_give(struct chan *c, struct imsg *m)
{
	struct msg_give	 in;
	struct leg	*l;
	int		 fd;

	(void)c;
	if (get_give(m, &in) == -1 || in.class != CLASS_RELAY ||
	    in.resume > RESUME_AGAIN)
		return (-1);
	fd = m_take_fd(m);
	if ((l = leg_new(fd, in.addr, in.request)) == NULL) {
		log_warn("relay: connection dropped");
		close(fd);
		return (0);
	}
	if (leg_begin(l, in.bytes.p, in.bytes.len) == -1) {
		log_warnx("relay: connection dropped: not what it should be");
		leg_discard(l);
		return (0);
	}
	if (in.resume != RESUME_NOT && leg_resumes(l, in.resume ==
	    RESUME_AGAIN, in.seen) == -1) {
		log_warn("relay: connection dropped");
		leg_discard(l);
		return (0);
	}
	pair_arrive(l, in.nonce);
	return (0);
}

static int
on_close(struct chan *c, struct imsg *m)
{
	struct msg_close	 in;

	(void)c;
	if (get_close(m, &in) == -1 || in.code < 1000 || in.code > 4999)
		return (-1);
	pair_close_all(in.code, in.reason);
	return (0);
}

static void
authd_came(int again)
{
	if (again)
		pair_announce();
}

static void
rendd_stop(void)
{
	pair_close_all(WS_GOING_AWAY, "server shutting down");
}
