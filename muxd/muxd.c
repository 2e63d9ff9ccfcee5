/* SPDX-License-Identifier: ISC */
/*
 * muxd: one process for one tunnel.
 *
 * May touch: the tunnel's socket, its ends of that tunnel's streams, the
 * channels to parent and authd. No file, no other tunnel, no credential after
 * login.
 *
 * Who says what to it:
 *	parent	GIVE, once: the connection and what was read from it
 *		STOP, LOGLEVEL, CHANNEL (a new authd)
 *	authd	before login: LOGIN_RESULT, CLOSE
 *		after it: STREAM_OPEN, STREAM_KILL, CLOSE, PROBE, CREDIT and
 *		the users report
 *	client	everything else, and none of it is believed
 *
 * Starts in main(), then on_give() -> login.c (one question to authd, 101 or a
 * refusal) -> tunnel.c (mux/sock.h) -> bridge.c, control.c (its streams) ->
 * authd.c (what authd is told). What authd says comes in at orders.c. No file
 * uses one that is named before it: muxd, orders, login, tunnel, control,
 * bridge, bridge_in, bridge_base, authd, exit.
 */
#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

#include <jansson.h>

#include "base/clock.h"
#include "imsg/imsg.h"
#include "base/log.h"
#include "base/wipe.h"
#include "imsg/msg.h"
#include "muxd.h"
#include "proc/link.h"
#include "proc/proc.h"

#define GIVE_MS		10000	/* from start to the connection */
#define FILES_MAX	4352	/* the largest stream cap, and some */

/* States of the parent's channel. */
#define GV_EMPTY	0
#define GV_GIVEN	1

static int	on_give(struct chan *, struct imsg *);
static int	on_retire(struct chan *, struct imsg *);
static void	muxd_run(void);
static void	muxd_turn(void);
static void	muxd_stop(void);
static void	muxd_unused(void *);

static const struct dispatch parent_table[] = {
	PROC_ROWS
	{ IMSG_GIVE, R_PARENT, S(GV_EMPTY), MF_ONCE, on_give },
	{ IMSG_RETIRE, R_PARENT, S_ANY, 0, on_retire },
};

static const struct proc_ops ops = {
	.role = ROLE_MUXD,
	.table = parent_table,
	.rows = sizeof(parent_table) / sizeof(parent_table[0]),
	.files = FILES_MAX,
	.channel = link_take,
	.run = muxd_run,
	.stop = muxd_stop,
};

static struct timer	unused;

int
main(int argc, char *argv[])
{
	uint32_t	seed;

	/*
	 * An idle tunnel keeps no more than it needs: large blocks come from
	 * mmap and go back at once, and the heap's end is trimmed early.
	 */
	mallopt(M_MMAP_THRESHOLD, 65536);
	mallopt(M_TRIM_THRESHOLD, 65536);
	mallopt(M_TOP_PAD, 4096);
	/*
	 * libsodium's ciphers, whose start asks the processor much, it needs
	 * not.
	 */
	if (getentropy(&seed, sizeof(seed)) == -1)
		_exit(1);
	json_object_seed(seed | 1);
	/* Without memory jansson (2.14, load.c) reads beyond what it kept. */
	json_set_alloc_funcs(wipe_need, wipe_free);
	muxd_link();
	proc_main(&ops, argc, argv);
}

static void
muxd_run(void)
{
	timer_init(&unused, muxd_unused, NULL);
	timer_set(&unused, GIVE_MS);
	proc_after_turn(muxd_turn);
}

static void
muxd_turn(void)
{
	tunnel_turn();
	proc_beat();
}

static void
muxd_unused(void *arg)
{
	(void)arg;
	log_warnx("no connection was given");
	muxd_exit(0);
}

static int
on_give(struct chan *c, struct imsg *m)
{
	struct msg_give	 in;

	if (get_give(m, &in) == -1 || in.class != CLASS_TUNNEL)
		return (-1);
	chan_set_state(c, GV_GIVEN);
	timer_del(&unused);
	proc_title("login from %s", in.addr);
	login_start(m_take_fd(m), in.nonce, in.addr, in.accept, in.request, in.bytes.p,
	    in.bytes.len);
	return (0);
}

/* The client comes again at once, to a muxd of the version of now. */
static int
on_retire(struct chan *c, struct imsg *m)
{
	(void)c;
	if (get_retire(m) == -1)
		return (-1);
	if (tunnel_is_up() && bridge_count() == 0)
		tunnel_close(1001, "upgraded", END_TUNNEL);
	return (0);
}

static void
muxd_stop(void)
{
	if (!tunnel_is_up()) {
		login_abandon();
		muxd_exit(0);
	}
	tunnel_close(1001, "stopping", END_TUNNEL);
}
