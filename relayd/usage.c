/* SPDX-License-Identifier: ISC */
/*
 * What the processes cost: processor time, memory, descriptors, of each role
 * together. A few are looked at each second, so that ten thousand cost no more
 * than ten; what one has used in all is known exactly when it ends.
 */
#include <sys/resource.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "metrics/count.h"
#include "relayd.h"

#define EACH_SECOND	32	/* workers looked at */
#define STANDING_S	5	/* between two looks at the others */
#define WANTED_MS	90000	/* behind a look of relayctl; its own is a minute */

static struct {
	uint64_t	last;		/* the worker looked at last */
	unsigned	seconds;
	uint64_t	wanted_until;	/* ms; by relayctl */
} usage;

/* Of one process, or 0: the kernel does not say. */
static uint64_t
cpu_of(pid_t pid)
{
	struct timespec	ts;
	clockid_t	id;

	if (clock_getcpuclockid(pid, &id) != 0 || clock_gettime(id, &ts) == -1)
		return (0);
	return ((uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000);
}

int
usage_memory(pid_t pid, uint64_t *bytes)
{
	char		path[64], text[128];
	uint64_t	total, resident;
	ssize_t		n;
	int		fd;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return (-1);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return (-1);
	text[n] = '\0';
	if (sscanf(text, "%" SCNu64 " %" SCNu64, &total, &resident) != 2)
		return (-1);
	*bytes = resident * (uint64_t)sysconf(_SC_PAGESIZE);
	return (0);
}

static uint64_t
memory_of(pid_t pid)
{
	uint64_t	bytes;

	return (usage_memory(pid, &bytes) == 0 ? bytes : 0);
}

/* Since Linux 6.2 the size of that directory. */
static uint64_t
fds_of(pid_t pid)
{
	struct stat	st;
	char		path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	return (stat(path, &st) == -1 ? 0 : (uint64_t)st.st_size);
}

/* From what it was to what it is: the sum of its role moves by as much. */
static void
move(unsigned first, const struct child *c, uint64_t *was, uint64_t is)
{
	counts[first + (unsigned)(c->role - ROLE_CONTROL)] += is - *was;
	*was = is;
}

/* Time does not run backwards, whatever it was read from. */
static void
move_cpu(struct child *c, uint64_t is)
{
	if (is > c->cpu_us)
		move(CT_CPU_CONTROL, c, &c->cpu_us, is);
}

static void
look(struct child *c)
{
	if (c->pid == 0)
		return;
	move_cpu(c, cpu_of(c->pid));
	move(CT_MEMORY_CONTROL, c, &c->memory, memory_of(c->pid));
	move(CT_FDS_CONTROL, c, &c->fds, fds_of(c->pid));
}

static uint64_t
us_of(const struct timeval *tv)
{
	return ((uint64_t)tv->tv_sec * 1000000 + (uint64_t)tv->tv_usec);
}

void
usage_ended(struct child *c, const struct rusage *used)
{
	move_cpu(c, us_of(&used->ru_utime) + us_of(&used->ru_stime));
	move(CT_MEMORY_CONTROL, c, &c->memory, 0);
	move(CT_FDS_CONTROL, c, &c->fds, 0);
}

static int
is_wanted(void)
{
	return (clock_ms() < usage.wanted_until);
}

/*
 * relayctl looks. Where nobody did before, all that was used meanwhile counts
 * now, and not as if it were used while relayctl watches.
 */
void
usage_wanted(void)
{
	struct child	*c;
	int		 was = is_wanted() || env()->conf.n_metrics > 0;

	usage.wanted_until = clock_ms() + WANTED_MS;
	for (c = child_after(0); !was && c != NULL; c = child_after(c->instance))
		if (c->pid != 0)
			move_cpu(c, cpu_of(c->pid));
	if (!was)
		usage_round();
}

void
usage_round(void)
{
	struct child	*c;
	int		 i;

	if (env()->conf.n_metrics == 0 && !is_wanted())
		return;
	if (usage.seconds++ % STANDING_S == 0 || is_wanted()) {
		for (c = child_standing(NULL); c != NULL; c = child_standing(c))
			look(c);
		gauge(CT_CPU_PARENT, cpu_of(getpid()));
		gauge(CT_MEMORY_PARENT, memory_of(getpid()));
		gauge(CT_FDS_PARENT, fds_of(getpid()));
	}
	c = child_after(usage.last);
	for (i = 0; c != NULL && i < EACH_SECOND; i++) {
		usage.last = c->instance;
		if (c->slot == NULL)
			look(c);
		c = child_after(c->instance);
	}
	if (c == NULL)
		usage.last = 0;
}
