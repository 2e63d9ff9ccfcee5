/* SPDX-License-Identifier: ISC */
/*
 * proxyd, the front door. Holds the listening sockets, every connection until
 * it is given away, operators' HTTP, its ends of streams. Never a key, the
 * store or a logged-in tunnel.
 *
 * Messages: the parent's (below) and authd's (authd.c), both in one state: a
 * proxyd has no stages. It starts in main(). At the door (door/) listen.c
 * accepts and conn.c reads a head; job/begin.c says whose it is. From then on
 * the connection has a job (job/), its own state and a table of what it does:
 *
 *	give.c		tunnels and terminals: authd, then the parent takes it
 *	api.c		operator API: one message to authd, one answer
 *	proxy.c		subdomain proxy: token, grant, stream; then up.c, down.c
 *
 * conn_close() is the one way out. Several proxyds share the listening
 * sockets; none knows of the others.
 */
#include <sys/resource.h>

#include <cjson/cJSON.h>
#include <sodium.h>
#include <string.h>

#include "authd.h"
#include "base/wipe.h"
#include "proc/conf.h"
#include "door/conn.h"
#include "door/enter.h"
#include "door/now.h"
#include "door/peer.h"
#include "door/plain.h"
#include "grant.h"
#include "imsg/imsg.h"
#include "job/acme.h"
#include "job/begin.h"
#include "job/events.h"
#include "job/hold.h"
#include "job/internal.h"
#include "job/proxy.h"
#include "member.h"
#include "moving.h"
#include "base/log.h"
#include "metrics/count.h"
#include "imsg/msg.h"
#include "proc/link.h"
#include "proc/proc.h"
#include "proc/trusted.h"
#include "net/brought.h"
#include "net/listen.h"
#include "refused.h"
#include "upstream.h"
#include "ws/ws.h"

#define FILES_MAX	65536

static int	judge(const struct conf *, const char **);
static void	swapped(void);
static int	on_listener(int, uint32_t, const char *);
static void	run(void);
static void	stop(void);
static void	leave(uint32_t);
static void	after_turn(void);

static const struct dispatch	table[] = {
	PROC_ROWS
	PROC_PEER_ROW
	PROC_LEAVE_ROW
	{ IMSG_CHALLENGE, R_PARENT, S_ANY, 0, acme_on_challenge },
	PROC_RELOAD_ROWS
};

static const struct door_ops	to_jobs = {
	.begin = request_begin,
	.again = request_again,
	.refuse = request_refuse,
};

static const struct grant_ops	ends = {
	.drop_idle = upstream_drop_idle,
	.cut = upstream_cut,
};

int
main(int argc, char **argv)
{
	struct proc_ops	 ops;
	struct rlimit	 rl;

	memset(&ops, 0, sizeof(ops));
	ops.role = ROLE_PROXYD;
	ops.table = table;
	ops.rows = sizeof(table) / sizeof(table[0]);
	ops.listener = on_listener;
	ops.counters = counts_take;
	ops.channel = link_take;
	ops.peer = plain_peer;
	ops.judge = judge;
	ops.swapped = swapped;
	ops.run = run;
	ops.stop = stop;
	ops.leave = leave;
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0)
		ops.files = rl.rlim_max < FILES_MAX ? rl.rlim_max : FILES_MAX;
	if (sodium_init() == -1)
		return (1);
	cJSON_InitHooks(&(cJSON_Hooks){ wipe_malloc, wipe_free });
	conn_init(&to_jobs);
	plain_init(enter_plain);
	peer_init(enter);
	mlink_init();
	moving_init();
	tried_init();
	grants_init(&ends);
	upstream_init();
	hold_init();
	internal_init();
	link_to_authd();
	proc_main(&ops, argc, argv);
}

static int
on_listener(int fd, uint32_t flags, const char *addr)
{
	(void)addr;
	return (listen_add(fd, flags));
}

static void
run(void)
{
	const char	*why;

	if (trusted_judge(proc_conf(), &why) == -1)
		fatalx("%s", why);
	(void)trusted_use(proc_conf());
	enter_run();
	proc_after_turn(after_turn);
}

/* No more come in; what runs may end. */
static void
stop(void)
{
	listen_stop();
	brought_stop();
	refused_tell();
	plain_stop();
	events_end_all();
	conn_stop();
}

static struct timer	doors, end;

/* Whoever was on his way to us is here. */
static void
leave_doors(void *arg)
{
	(void)arg;
	listen_drain();
	conn_shut();
}

static void
leave_end(void *arg)
{
	(void)arg;
	stop();
}

/* The next one's doors are open; ours are, too, for those half-way in. */
static void
leave(uint32_t seconds)
{
	conn_leave();
	plain_leave();
	timer_init(&doors, leave_doors, NULL);
	timer_set(&doors, LEAVE_DOORS_MS);
	timer_init(&end, leave_end, NULL);
	if (seconds > 0)
		timer_set(&end, (uint64_t)seconds * 1000);
}

static void
after_turn(void)
{
	upstream_reap();
	conn_reap();
	now_over();
}

/* Is this a configuration we could run with? Nothing changes yet. */
static int
judge(const struct conf *next, const char **why)
{
	return (trusted_judge(next, why));
}

static void
swapped(void)
{
	(void)trusted_use(proc_conf());	/* it has been judged */
	proxy_reloaded();
}
