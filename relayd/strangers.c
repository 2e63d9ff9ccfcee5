/* SPDX-License-Identifier: ISC */
#include <sys/queue.h>
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "relayd.h"
#include "strangers.h"

struct stranger {
	LIST_ENTRY(stranger)	 entry;
	pid_t			 pid;
	void			(*ended)(int);
};

static LIST_HEAD(, stranger)	strangers = LIST_HEAD_INITIALIZER(strangers);
static struct timer		late;

int
strangers_add(pid_t pid, void (*ended)(int))
{
	struct stranger	*s;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		return (-1);
	s->pid = pid;
	s->ended = ended;
	LIST_INSERT_HEAD(&strangers, s, entry);
	return (0);
}

int
strangers_ended(pid_t pid, int status)
{
	struct stranger	*s;
	void		(*ended)(int);

	LIST_FOREACH(s, &strangers, entry)
		if (s->pid == pid)
			break;
	if (s == NULL)
		return (0);
	ended = s->ended;
	LIST_REMOVE(s, entry);
	free(s);
	if (ended != NULL)
		ended(status);
	return (1);
}

static void
strangers_late(void *arg)
{
	struct stranger	*s;

	(void)arg;
	LIST_FOREACH(s, &strangers, entry) {
		if (s->ended != NULL)
			continue;
		log_warnx("process %d of the program that gave up does not "
		    "end: killed", (int)s->pid);
		(void)kill(s->pid, SIGKILL);
	}
}

/* We have one thread: its children are all of ours (proc_pid_children(5)). */
void
strangers_find(unsigned ms)
{
	char	 path[64];
	FILE	*f;
	int	 pid;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children",
	    (int)getpid());
	if ((f = fopen(path, "re")) == NULL) {
		log_debug("%s: cannot be read", path);
		return;
	}
	while (fscanf(f, "%d", &pid) == 1)
		if (child_find_pid(pid) == NULL &&
		    strangers_add(pid, NULL) == -1)
			log_warnx("process %d is left alone", pid);
	fclose(f);
	timer_init(&late, strangers_late, NULL);
	if (!LIST_EMPTY(&strangers))
		timer_set(&late, ms);
}

void
strangers_end(void)
{
	struct stranger	*s;

	timer_del(&late);
	while ((s = LIST_FIRST(&strangers)) != NULL) {
		(void)kill(s->pid, SIGKILL);
		while (waitpid(s->pid, NULL, 0) == -1 && errno == EINTR)
			continue;
		LIST_REMOVE(s, entry);
		free(s);
	}
}
