/* SPDX-License-Identifier: ISC */
/* Will it fit, and who has to wait. */
#include <sys/resource.h>

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "relayd.h"

#define FILES_PER_CHILD	2	/* channel and log */
/* Listeners, connections on their way, and what nobody asked for. */
#define FILES_OTHER	(128 + IMSG_SPARE)
#define FILES_PER_PROXYD (GIVES_EARLY + 1) /* that authd has yet to let in, and
					   what it counts in */
#define PIDS_OTHER	512	/* of the rest of the system */

unsigned
limits_proxyds(const struct conf *c)
{
	long	n = (long)c->proxyd_count;

	if (n == 0)
		n = sysconf(_SC_NPROCESSORS_ONLN);
	return (n < 1 ? 1 : n > PROXYD_MAX ? PROXYD_MAX : (unsigned)n);
}

unsigned
limits_places(const struct conf *c, int role)
{
	switch (role_info(role)->many) {
	case MANY_ONE:
	case MANY_METRICS:
	case MANY_ISSUERS:
		return (1);
	case MANY_PROXYDS:
		return (limits_proxyds(c));
	case MANY_KEYD:
	case MANY_PAIRS:
		return (limits_wants(c, role));
	case MANY_TLSDS:
		return (!limits_wants(c, role) ? 0 : c->tlsd_count != 0 ?
		    (unsigned)c->tlsd_count : limits_proxyds(c));
	default:
		return (0);
	}
}

int
limits_wants(const struct conf *c, int role)
{
	unsigned	i;

	if (role_info(role)->flags & RF_RELAY)
		return (c->relay != 0);
	switch (role_info(role)->many) {
	case MANY_METRICS:
		return (c->n_metrics > 0);
	case MANY_ISSUERS:
		return (c->n_issuer > 0 || c->cluster_port != 0);
	case MANY_KEYD:
	case MANY_TLSDS:
		return (c->n_cert > 0);
	case MANY_PAIRS:
		for (i = 0; i < c->n_listen; i++)
			if (c->listen[i].flags & LISTEN_PAIR)
				return (1);
		return (0);
	default:
		return (1);
	}
}

/*
 * Each tunnel is a muxd; beside them live those that have not logged in, the
 * fixed children, and terminals and TCP connections, for each of which as much
 * again as for logins is kept.
 */
static uint64_t
children_beside(const struct conf *c)
{
	return (3 * c->startups_full + 4 + limits_proxyds(c) +
	    limits_places(c, ROLE_TLSD) + limits_places(c, ROLE_KEYD) +
	    limits_places(c, ROLE_PAIRD));
}

static uint64_t
files_beside(const struct conf *c)
{
	unsigned	proxyds = limits_proxyds(c);
	unsigned	tlsds = limits_places(c, ROLE_TLSD);

	/* Who has which place has a socket for each listener (entries.h). */
	return (FILES_OTHER + FILES_PER_PROXYD * proxyds +
	    c->n_listen * (proxyds > tlsds ? proxyds : tlsds));
}

uint64_t
limits_fit(const struct conf *c, uint64_t files, uint64_t pids)
{
	uint64_t	fixed, fit;

	fixed = children_beside(c);
	if (files < files_beside(c) + FILES_PER_CHILD * fixed ||
	    pids < PIDS_OTHER + fixed)
		return (0);
	fit = (files - files_beside(c)) / FILES_PER_CHILD - fixed;
	if (fit > pids - PIDS_OTHER - fixed)
		fit = pids - PIDS_OTHER - fixed;
	return (fit);
}

static uint64_t
pid_max(void)
{
	FILE		*f;
	uint64_t	 n = 0;

	if ((f = fopen("/proc/sys/kernel/pid_max", "re")) != NULL) {
		if (fscanf(f, "%" SCNu64, &n) != 1)
			n = 0;
		fclose(f);
	}
	return (n == 0 ? 32768 : n);
}

void
limits_want(const struct conf *c, uint64_t *files, uint64_t *processes)
{
	*files = files_beside(c) + FILES_PER_CHILD *
	    (children_beside(c) + c->max_tunnels);
	*processes = PIDS_OTHER + children_beside(c) + c->max_tunnels;
}

/* As many descriptors as are wanted, or as we may have. */
static uint64_t
files_raise(uint64_t want)
{
	struct rlimit	rl, up;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		return (0);
	if (rl.rlim_cur >= want)
		return (rl.rlim_cur);
	up.rlim_cur = want;
	up.rlim_max = rl.rlim_max > want ? rl.rlim_max : want;
	if (setrlimit(RLIMIT_NOFILE, &up) == 0)		/* root */
		return (want);
	up.rlim_cur = up.rlim_max = rl.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &up) == 0)
		return (rl.rlim_max);
	return (rl.rlim_cur);
}

int
limits_check(struct conf *c, char *err, size_t err_size)
{
	static uint64_t	told;		/* once is enough */
	uint64_t	files, pids, fit;

	limits_want(c, &files, &pids);
	files = files_raise(files);
	imsg_set_spare((int)files - IMSG_SPARE);
	pids = pid_max();
	fit = limits_fit(c, files, pids);
	if (fit >= c->max_tunnels)
		return (0);
	if (!c->max_tunnels_given && fit > 0) {
		if (told != fit)
			log_info("max tunnels is %" PRIu64 ", not %" PRIu64
			    ": what RLIMIT_NOFILE and pid_max allow", fit,
			    c->max_tunnels);
		told = fit;
		c->max_tunnels = fit;
		return (0);
	}
	snprintf(err, err_size, "max tunnels %" PRIu64 " with max startups "
	    "%" PRIu64 " does not fit: %" PRIu64 " open files "
	    "(RLIMIT_NOFILE) and %" PRIu64 " processes (pid_max) are enough "
	    "for max tunnels %" PRIu64, c->max_tunnels, c->startups_full,
	    files, pids, fit);
	return (-1);
}

int
limits_drop(const struct conf *c, uint64_t n, unsigned dice)
{
	uint64_t	p;

	if (n < c->startups_begin)
		return (0);
	if (n >= c->startups_full || c->startups_rate == 100)
		return (1);
	p = 100 - c->startups_rate;
	p *= n - c->startups_begin;
	p /= c->startups_full - c->startups_begin;
	return (dice < p + c->startups_rate);
}

static uint64_t
share_of(uint64_t all, uint64_t doors)
{
	uint64_t	share = doors > 1 ? all / doors : all;

	return (share > 0 ? share : 1);
}

int
limits_share(const struct conf *c, uint64_t doors, uint64_t n)
{
	return (n >= share_of(c->startups_full, doors));
}

uint64_t
limits_seen(const struct conf *c, uint64_t doors)
{
	return (share_of(c->startups_begin, doors));
}
