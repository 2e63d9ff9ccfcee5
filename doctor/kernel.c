/* SPDX-License-Identifier: ISC */
/* The network's settings, what confines processes, and the clock. */
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/timex.h>

#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"

#define OPERATORS	16384	/* connections beside tunnels */
/* What listen(2) is asked for (relayd/listen.c). */
#define QUEUE		1024

/* A proxy on this machine: each of its connections takes a port here. */
static int
proxy_here(const struct conf *c)
{
	unsigned	i;

	for (i = 0; i < c->n_trusted_proxy; i++)
		if (strncmp(c->trusted_proxy[i], "127.", 4) == 0 ||
		    strncmp(c->trusted_proxy[i], "::1", 3) == 0)
			return (1);
	return (0);
}

static void
check_ports(const struct conf *c)
{
	char		line[64];
	unsigned	low, high;

	if (!proxy_here(c) || look_line(
	    "/proc/sys/net/ipv4/ip_local_port_range", "", line,
	    sizeof(line)) == -1 || sscanf(line, "%u %u", &low, &high) != 2)
		return;
	finding_least("ports of the proxy", high < low ? 0 : high - low + 1,
	    c->max_tunnels + c->startups_full, "sysctl "
	    "net.ipv4.ip_local_port_range=\"10240 65535\", or let relayd "
	    "listen on more addresses");
}

void
check_network(const struct conf *c)
{
	uint64_t	n, needed;

	if (look("/proc/sys/net/core/somaxconn", "", &n) == 0)
		finding_least("somaxconn", n, QUEUE,
		    "sysctl net.core.somaxconn=%d, then a restart", QUEUE);
	if (look("/proc/sys/net/ipv4/tcp_max_syn_backlog", "", &n) == 0)
		finding(n < QUEUE ? WARN : FINE, "tcp_max_syn_backlog",
		    n < QUEUE ? "less" : "enough", "", "sysctl "
		    "net.ipv4.tcp_max_syn_backlog=%d: clients that all come "
		    "back at once wait in it", QUEUE);
	needed = (c->max_tunnels + c->startups_full) *
	    (proxy_here(c) ? 2 : 1) + OPERATORS;
	if (look("/proc/sys/net/netfilter/nf_conntrack_max", "", &n) == 0)
		finding_least("conntrack", n, needed,
		    "sysctl net.netfilter.nf_conntrack_max=%llu, or rules "
		    "without state for the ports of relayd",
		    (unsigned long long)needed);
	check_ports(c);
}

static void
check_sandbox(void)
{
	uint32_t	action = SECCOMP_RET_KILL_PROCESS;
	char		text[32];
	long		abi = -1;

#ifdef SYS_landlock_create_ruleset
	abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
#endif
	snprintf(text, sizeof(text), "version %ld", abi);
	finding(abi < 1 ? WARN : FINE, "Landlock", abi < 1 ? "off" : text, "on",
	    "a kernel of 5.13 or later with CONFIG_SECURITY_LANDLOCK, and "
	    "landlock in its lsm=; relayd runs without that layer");
	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0)
		finding(FINE, "seccomp", "on", "on", "%s", "");
	else
		finding(WARN, "seccomp", "off", "on", "a kernel with "
		    "CONFIG_SECCOMP_FILTER: without it nothing limits the "
		    "system calls of who is broken into");
}

/* Tokens and the beats of members end by it. */
static void
check_clock(void)
{
	struct timex	tx = { 0 };
	int		r = adjtimex(&tx);

	finding(r == -1 || r == TIME_ERROR ? WARN : FINE, "clock", r == -1 ?
	    "unknown" : r == TIME_ERROR ? "not synchronised" : "synchronised",
	    "synchronised", "run chrony or systemd-timesyncd: tokens and "
	    "sessions end by the clock");
}

void
check_kernel(const struct conf *c)
{
	uint64_t	n;

	check_sandbox();
	check_clock();
	if (c->n_cert > 0)
		finding(look("/proc/net/tls_stat", "TlsCurrTxSw", &n) == -1 ?
		    WARN : FINE, "TLS in the kernel",
		    look("/proc/net/tls_stat", "TlsCurrTxSw", &n) == -1 ?
		    "off" : "on", "", "modprobe tls before relayd starts: bulk "
		    "costs tlsd more without it");
}
