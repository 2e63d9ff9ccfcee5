/* SPDX-License-Identifier: ISC */
#include <sys/resource.h>

#include "base/clock.h"
#include "base/log.h"
#include "limits.h"
#include "proc/proc.h"

#define FDS_OWN			16	/* channels, listeners, log */
#define FDS_SPARE_PERCENT	5	/* for streams of who is here already */
#define TITLE_MS		2000	/* ps is at most that late */
#define AGAIN_MS		1000	/* the system had no descriptor left */

static struct {
	void		(*pause)(int);
	int		(*shed)(void);
	int		 paused;
	long		 fds, fds_max, conns;
	struct timer	 title, again;
} limits;

static void
limits_title(void *arg)
{
	long	streams = limits.fds - FDS_OWN - limits.conns;

	(void)arg;
	proc_title("%ld connection%s, %ld stream%s", limits.conns,
	    PLURAL(limits.conns), streams, PLURAL(streams));
}

static void
limits_look(void *arg)
{
	(void)arg;
	limits_fds(0);
}

void
limits_init(void (*pause)(int), int (*shed)(void))
{
	struct rlimit	rl;

	limits.pause = pause;
	limits.shed = shed;
	limits.fds_max = getrlimit(RLIMIT_NOFILE, &rl) == 0 &&
	    rl.rlim_cur < (1 << 20) ? (long)rl.rlim_cur : 1 << 20;
	limits.fds = FDS_OWN;
	timer_init(&limits.title, limits_title, NULL);
	timer_init(&limits.again, limits_look, NULL);
}

static void
limits_pause(int on)
{
	if (on == limits.paused)
		return;
	limits.paused = on;
	log_warnx("%s", on ? "out of descriptors: accepting pauses" :
	    "accepting again");
	limits.pause(on);
}

void
limits_fds(int n)
{
	long	high = limits.fds_max -
	    limits.fds_max * FDS_SPARE_PERCENT / 100;

	limits.fds += n;
	if (!timer_is_set(&limits.title))
		timer_set(&limits.title, TITLE_MS);
	/* Each one shed comes by here too, with one less. */
	if (n > 0 && limits.fds >= high)
		(void)limits.shed();
	if (limits.fds >= high)
		limits_pause(1);
	else if (limits.fds < high - high / 20)
		limits_pause(0);
}

void
limits_conn(int n)
{
	limits.conns += n;
	limits_fds(n);
}

void
limits_again(void)
{
	limits_pause(1);
	timer_set(&limits.again, AGAIN_MS);
}
