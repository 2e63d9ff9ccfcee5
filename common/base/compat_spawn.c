/* SPDX-License-Identifier: ISC */
/* Starting programs from a process with many descriptors. */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <unistd.h>

#if defined(__linux__) && !defined(RELAYD_NULL)
#include <sys/syscall.h>

#include <linux/close_range.h>
#include <sched.h>
#endif

#include "compat_spawn.h"

#define FDS_MAX	4

static int	fds_place(int, const int *, int);
static void	fds_reserve(int, int);

/* Into the places that the child will have them in. */
static int
fds_place(int low, const int *fds, int n)
{
	int	i;

	for (i = 0; i < n; i++)
		if (dup2(fds[i], low + i) == -1)
			return (-1);
	return (0);
}

static void
fds_reserve(int low, int n)
{
	int	fd, i, saved = errno;

	if ((fd = open("/dev/null", O_RDWR | O_CLOEXEC)) != -1) {
		for (i = 0; i < n; i++)
			(void)dup3(fd, low + i, O_CLOEXEC);
		close(fd);
	} else {
		/* Out of descriptors: what is there must still not leak. */
		for (i = 0; i < n; i++)
			(void)fcntl(low + i, F_SETFD, FD_CLOEXEC);
	}
	errno = saved;
}

#if defined(__linux__) && !defined(RELAYD_NULL) && defined(CLOSE_RANGE_UNSHARE)

#define STACK_SIZE	(64 * 1024)

struct start {
	const char	*path;
	int		 program;	/* where it is in the child */
	char *const	*argv, *const *envp;
	unsigned	 above;		/* first descriptor to close */
	int		 err;		/* of execve(2) */
};

/*
 * The child, in the parent's memory and with its descriptors while the parent
 * waits: nothing may be changed that is not undone by exec, but the signals,
 * which are a copy. close_range(2) gives us a table that holds the first few.
 */
__attribute__((no_sanitize("address", "undefined"))) static int
start_child(void *arg)
{
	struct start		*s = arg;
	struct sigaction	 sa;
	sigset_t		 none;
	int			 sig;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = SIG_DFL;
	for (sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &sa, NULL);
	(void)syscall(SYS_close_range, s->above, ~0U, CLOSE_RANGE_UNSHARE);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	/* In a table of our own: the parent's copy is as it was. */
	(void)fcntl(s->program, F_SETFD, FD_CLOEXEC);
	(void)syscall(SYS_execveat, s->program, "", s->argv, s->envp,
	    AT_EMPTY_PATH);
	s->err = errno;
	_exit(127);
}

static pid_t
start(struct start *s)
{
	static char	stack[STACK_SIZE] __attribute__((aligned(64)));
	sigset_t	all, old;
	pid_t		pid;
	int		saved;

	/* No handler of ours may run in the child. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid = clone(start_child, stack + sizeof(stack),
	    CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, s);
	saved = errno;
	if (pid != -1 && s->err != 0) {
		(void)waitpid(pid, NULL, 0);
		saved = s->err;
		pid = -1;
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	errno = saved;
	return (pid);
}

#else

struct start {
	const char	*path;
	int		 program;
	char *const	*argv, *const *envp;
	unsigned	 above;
	int		 err;
};

/* All that is above is closed on exec. */
static pid_t
start(struct start *s)
{
	posix_spawnattr_t	attr;
	sigset_t		none, all;
	pid_t			pid = -1;

	if (posix_spawnattr_init(&attr) != 0)
		return (-1);
	sigemptyset(&none);
	sigfillset(&all);
	sigdelset(&all, SIGKILL);
	sigdelset(&all, SIGSTOP);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr,
	    POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	s->err = posix_spawn(&pid, s->path, NULL, &attr, s->argv, s->envp);
	posix_spawnattr_destroy(&attr);
	if (s->err == 0)
		return (pid);
	errno = s->err;
	return (-1);
}

#endif

pid_t
compat_spawn(const char *path, int program, char *const argv[],
    char *const envp[], int low, const int *fds, int n)
{
	struct start	s = { path, low + n, argv, envp,
	    (unsigned)(low + n + 1), 0 };
	pid_t		pid = -1;

	if (n > FDS_MAX) {
		errno = EINVAL;
		return (-1);
	}
	if (fds_place(low, fds, n) == 0 && dup2(program, low + n) != -1)
		pid = start(&s);
	fds_reserve(low, n + 1);
	return (pid);
}
