/* SPDX-License-Identifier: ISC */
#include <sys/queue.h>
#include <sys/wait.h>

#include <event2/event.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"

#define KILL_MS		2000	/* from hang-up to kill */
#define END_MS		1000

struct child {
	TAILQ_ENTRY(child)	 entry;
	pid_t			 pid;
	child_fn		 fn;	/* NULL: nobody wants to know */
	void			*arg;
	struct timer		 kill;
};

static void	child_signal(evutil_socket_t, short, void *);
static void	child_collect(void);
static void	child_kill_now(void *);

static TAILQ_HEAD(, child)	 children = TAILQ_HEAD_INITIALIZER(children);
static struct event		*sigchld;

int
child_init(struct event_base *base)
{
	sigchld = evsignal_new(base, SIGCHLD, child_signal, NULL);
	return (sigchld == NULL || event_add(sigchld, NULL) == -1 ? -1 : 0);
}

void
child_clear(void)
{
	if (sigchld != NULL)
		event_free(sigchld);
	sigchld = NULL;
}

struct child *
child_watch(pid_t pid, child_fn fn, void *arg)
{
	struct child	*c;

	if ((c = calloc(1, sizeof(*c))) == NULL) {
		(void)kill(-pid, SIGKILL);
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		return (NULL);
	}
	c->pid = pid;
	c->fn = fn;
	c->arg = arg;
	timer_init(&c->kill, child_kill_now, c);
	TAILQ_INSERT_TAIL(&children, c, entry);
	/* It may have ended already: its SIGCHLD is still to be delivered. */
	return (c);
}

static void
child_signal(evutil_socket_t sig, short what, void *arg)
{
	(void)sig;
	(void)what;
	(void)arg;
	child_collect();
}

/* waitid() leaves it a zombie, so that its group's number stays its own. */
static int
child_has_ended(const struct child *c, int *status)
{
	siginfo_t	si;

	memset(&si, 0, sizeof(si));
	if (waitid(P_PID, (id_t)c->pid, &si, WEXITED | WNOHANG | WNOWAIT) ==
	    -1)
		return (errno == ECHILD);
	if (si.si_pid != c->pid)
		return (0);
	*status = si.si_code == CLD_EXITED ? W_EXITCODE(si.si_status, 0) :
	    si.si_status;
	return (1);
}

static void
child_collect(void)
{
	struct child	*c, *next;
	int		 status;

	for (c = TAILQ_FIRST(&children); c != NULL; c = next) {
		next = TAILQ_NEXT(c, entry);
		status = 0;
		if (!child_has_ended(c, &status))
			continue;
		TAILQ_REMOVE(&children, c, entry);
		timer_del(&c->kill);
		(void)kill(-c->pid, SIGKILL);
		if (c->fn != NULL)
			c->fn(c->arg, status);
		(void)waitpid(c->pid, NULL, WNOHANG);
		free(c);
		/* `fn` may have started or ended others. */
		next = TAILQ_FIRST(&children);
	}
}

void
child_hangup(struct child *c)
{
	c->fn = NULL;
	(void)kill(-c->pid, SIGHUP);
	(void)kill(-c->pid, SIGCONT);
	timer_set(&c->kill, KILL_MS);
}

void
child_kill(struct child *c)
{
	c->fn = NULL;
	child_kill_now(c);
}

static void
child_kill_now(void *arg)
{
	struct child	*c = arg;

	(void)kill(-c->pid, SIGKILL);
	(void)kill(c->pid, SIGKILL);	/* its group may not be made yet */
}

void
child_end_all(void)
{
	struct timespec	 nap = { 0, 10 * 1000 * 1000 };
	struct child	*c;
	int		 i;

	TAILQ_FOREACH(c, &children, entry)
		if (c->fn != NULL)
			child_hangup(c);
	for (i = 0; i < END_MS / 10 && !TAILQ_EMPTY(&children); i++) {
		nanosleep(&nap, NULL);
		child_collect();
	}
	while ((c = TAILQ_FIRST(&children)) != NULL) {
		child_kill(c);
		timer_del(&c->kill);
		(void)waitpid(c->pid, NULL, 0);
		TAILQ_REMOVE(&children, c, entry);
		free(c);
	}
}

void
child_reset(int low)
{
	sigset_t	none;
	int		sig;

	for (sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	closefrom(low);
}
