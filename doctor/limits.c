/* SPDX-License-Identifier: ISC */
/* Descriptors and processes, as relayd -n counts them. */
#include <sys/resource.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "doctor.h"
#include "relayd/relayd.h"

/* Open files that a tunnel costs all processes together. */
#define FILES_PER_TUNNEL	16
/* As measured (bench/RESULTS.md); and all that is there without any. */
#define MEMORY_PER_TUNNEL	(160 << 10)
#define MEMORY_BESIDE		(128ULL << 20)
#define TREES_MAX		32	/* of cgroups, version 1 */

/* A limit of cgroups: its file, and in which tree of version 1. */
struct limit {
	const char	*file, *tree, *file_v1;
};
static const struct limit	tasks = { "pids.max", "pids", "pids.max" };
static const struct limit	memory = { "memory.max", "memory",
    "memory.limit_in_bytes" };

/* The least of a group, which is cut, and those above. 0, or -1: none says. */
static int
group_least(const char *tree, char *group, const char *what, uint64_t *least)
{
	char		 file[640], *slash;
	uint64_t	 n;
	int		 r = -1;

	while ((slash = strrchr(group, '/')) != NULL) {
		snprintf(file, sizeof(file), "/sys/fs/cgroup%s%s/%s", tree,
		    group, what);
		if (look(file, "", &n) == 0) {
			if (r == -1 || n < *least)
				*least = n;
			r = 0;
		}
		*slash = '\0';
	}
	return (r);
}

/*
 * The least that the cgroups of a process allow, theirs and those above. Of
 * version 1 each controller has a tree of its own. 0, or -1: none says.
 */
static int
cgroup_least(pid_t pid, const struct limit *l, uint64_t *least)
{
	char	path[64], begin[32], tree[32], group[512];
	int	i;

	if (pid == 0)
		return (-1);
	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	if (look_line(path, "0::", group, sizeof(group)) == 0 &&
	    group_least("", group, l->file, least) == 0)
		return (0);
	snprintf(tree, sizeof(tree), "/%s", l->tree);
	for (i = 1; i <= TREES_MAX; i++) {
		snprintf(begin, sizeof(begin), "%d:%s:", i, l->tree);
		if (look_line(path, begin, group, sizeof(group)) == 0)
			return (group_least(tree, group, l->file_v1, least));
	}
	return (-1);
}

/* Of the one that runs; or what one that were started here could have. */
static uint64_t
files_limit(pid_t pid, uint64_t needed)
{
	char		path[64];
	struct rlimit	rl, more;
	uint64_t	n;

	snprintf(path, sizeof(path), "/proc/%d/limits", (int)pid);
	if (pid != 0 && look(path, "Max open files", &n) == 0)
		return (n);
	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		return (0);
	if (rl.rlim_max == RLIM_INFINITY)
		return (UNLIMITED);
	/* Root may raise it, unless that right has been taken away. */
	more.rlim_cur = more.rlim_max = needed;
	if (rl.rlim_max < needed && setrlimit(RLIMIT_NOFILE, &more) == 0)
		return (needed);
	return (rl.rlim_max);
}

static void
check_processes(pid_t pid, uint64_t needed)
{
	char		path[64];
	uint64_t	n;

	if (look("/proc/sys/kernel/pid_max", "", &n) == 0)
		finding_least("pid_max", n, needed,
		    "sysctl kernel.pid_max=%llu", (unsigned long long)needed);
	if (look("/proc/sys/kernel/threads-max", "", &n) == 0)
		finding_least("threads-max", n, needed,
		    "sysctl kernel.threads-max=%llu",
		    (unsigned long long)needed);
	if (cgroup_least(pid, &tasks, &n) == 0)
		finding_least("TasksMax", n, needed, "TasksMax=%llu in the "
		    "unit, and in the slices above it",
		    (unsigned long long)needed);
	snprintf(path, sizeof(path), "/proc/%d/limits", (int)pid);
	/* It counts for each user, and all muxds are one. */
	if (pid != 0 && look(path, "Max processes", &n) == 0)
		finding_least("LimitNPROC", n, needed, "LimitNPROC=%llu in the "
		    "unit", (unsigned long long)needed);
}

/* Of a max tunnels that nobody has set the start takes what fits. */
static void
check_files(const struct conf *c, uint64_t found, uint64_t needed)
{
	uint64_t	fit = limits_fit(c, found, UNLIMITED);
	char		has[32], wants[32];

	if (found >= needed || c->max_tunnels_given || fit == 0) {
		finding_least("open files", found, needed, "LimitNOFILE=%llu "
		    "in the unit (or ulimit -n), then a restart; or a smaller "
		    "max tunnels", (unsigned long long)needed);
		return;
	}
	snprintf(has, sizeof(has), "%llu", (unsigned long long)found);
	snprintf(wants, sizeof(wants), "%llu", (unsigned long long)needed);
	finding(WARN, "open files", has, wants, "max tunnels is not set: %llu "
	    "fit, not %llu; for more LimitNOFILE=%llu in the unit (or ulimit "
	    "-n), then a restart", (unsigned long long)fit,
	    (unsigned long long)c->max_tunnels, (unsigned long long)needed);
}

void
check_limits(const struct conf *c, pid_t pid)
{
	uint64_t	files, processes, n;

	limits_want(c, &files, &processes);
	check_files(c, files_limit(pid, files), files);
	files += c->max_tunnels * FILES_PER_TUNNEL;
	if (look("/proc/sys/fs/file-max", "", &n) == 0)
		finding_least("file-max", n, files, "sysctl fs.file-max=%llu",
		    (unsigned long long)files);
	check_processes(pid, processes);
}

void
check_memory(const struct conf *c, pid_t pid)
{
	uint64_t	n, group, needed;

	needed = (MEMORY_BESIDE + c->max_tunnels * MEMORY_PER_TUNNEL) >> 20;
	if (look("/proc/meminfo", "MemTotal:", &n) == 0) {
		n >>= 10;
		if (cgroup_least(pid, &memory, &group) == 0 &&
		    group >> 20 < n)
			n = group >> 20;
		finding_least("memory, MiB", n, needed, "more memory (and "
		    "MemoryMax= in the unit), or a smaller max tunnels: an "
		    "idle one takes %u KiB", (unsigned)MEMORY_PER_TUNNEL >> 10);
	}
	if (look("/proc/sys/vm/overcommit_memory", "", &n) == 0)
		finding(n == 2 ? WARN : FINE, "overcommit", n == 2 ?
		    "never (2)" : "yes", "yes", "sysctl "
		    "vm.overcommit_memory=0: each tunnel is a process, and "
		    "reserves more than it uses");
}
