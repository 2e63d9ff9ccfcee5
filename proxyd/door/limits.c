/* SPDX-License-Identifier: ISC */
#include <sys/resource.h>

#include <sodium.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rate.h"
#include "limits.h"
#include "proc/proc.h"

#define UNCLASSIFIED_MAX	4096
#define UNCLASSIFIED_ADDRESS	64
#define FDS_OWN			16	/* channels, listeners, log */
#define FDS_SPARE_PERCENT	5	/* for streams of who is here already */
#define TITLE_MS		2000	/* ps is at most that late */
#define AGAIN_MS		1000	/* the system had no descriptor left */

static struct {
	void		(*pause)(int);
	int		 paused;
	long		 fds, fds_max, conns;
	struct timer	 title, again;
	/* connections without a head */
	unsigned int	 unclassified;
	struct rate	*by_address;
} limits;

static void
limits_title(void *arg)
{
	(void)arg;
	proc_title("%ld connections, %ld streams", limits.conns,
	    limits.fds - FDS_OWN - limits.conns);
}

static void
limits_look(void *arg)
{
	(void)arg;
	limits_fds(0);
}

void
limits_init(void (*pause)(int))
{
	struct rlimit	rl;

	limits.pause = pause;
	limits.by_address = rate_new(2 * UNCLASSIFIED_MAX);
	if (limits.by_address == NULL)
		fatal("listen");
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

int
limits_admit(const struct addr *a, int trusted)
{
	char		key[ADDR_SIZE];
	uint32_t	ignored;
	unsigned int	half = UNCLASSIFIED_MAX / 2;

	if (limits.unclassified >= UNCLASSIFIED_MAX)
		return (0);
	if (limits.unclassified > half &&
	    randombytes_uniform(half) < limits.unclassified - half)
		return (0);
	if (trusted)	/* one address stands for many */
		return (1);
	addr_key(a, key);
	return (rate_peek(limits.by_address, key, UNCLASSIFIED_ADDRESS,
	    &ignored) == 0);
}

void
limits_unclassified(const struct addr *a, int trusted, int n)
{
	char		key[ADDR_SIZE];
	uint32_t	ignored;

	limits.unclassified += (unsigned)n;
	if (trusted)
		return;
	addr_key(a, key);
	if (n > 0)
		(void)rate_hit(limits.by_address, key, UINT64_MAX, RATE_EVER,
		    &ignored);
	else
		rate_back(limits.by_address, key);
}
