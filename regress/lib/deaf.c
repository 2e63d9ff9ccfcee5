/* SPDX-License-Identifier: ISC */
/*
 * A worker that was broken into: it starts as any does, named muxd or termd,
 * and from then on hears nothing: no connection, no order to stop. It ends
 * when it is killed.
 */
#include <stdlib.h>
#include <string.h>

#include "imsg/msg.h"
#include "proc/proc.h"

static int
deaf(struct chan *c, struct imsg *m)
{
	(void)c;
	(void)m;
	return (0);
}

static int
channel(int fd, unsigned protocol)
{
	(void)protocol;
	(void)fd;		/* open, and never read */
	return (0);
}

static void
run(void)
{
}

static const struct dispatch	table[] = {
	{ IMSG_GIVE, R_PARENT, S_ANY, 0, deaf },
	{ IMSG_STOP, R_PARENT, S_ANY, MF_ONCE, deaf },
	{ IMSG_LOGLEVEL, R_PARENT, S_ANY, 0, deaf },
	{ IMSG_CHANNEL, R_PARENT, S_ANY, 0, deaf },
#ifdef RELAYD_TESTING
	{ IMSG_CLOCK, R_PARENT, S_ANY, 0, deaf },
#endif
};

int
main(int argc, char **argv)
{
	static struct proc_ops	ops = { .table = table,
	    .rows = sizeof(table) / sizeof(table[0]), .channel = channel,
	    .run = run };

	ops.role = strstr(argv[0], "termd") != NULL ? ROLE_TERMD : ROLE_MUXD;
	proc_main(&ops, argc, argv);
}
