/* SPDX-License-Identifier: ISC */
#include <sys/resource.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "capture.h"
#include "child.h"

#define STEP_MS	50	/* how often to look whether it has ended */

extern char	**environ;

static int
now_ms(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((int)(ts.tv_sec % 1000000 * 1000 + ts.tv_nsec / 1000000));
}

/* What limits us is not for others: api-cli is a Python, or more. */
static void
own_memory(void)
{
	struct rlimit	rl;

	if (getrlimit(RLIMIT_AS, &rl) == -1)
		return;
	rl.rlim_cur = rl.rlim_max;
	(void)setrlimit(RLIMIT_AS, &rl);
}

static pid_t
capture_start(char **argv, char **envp, int *fd)
{
	int	fds[2], null;
	pid_t	pid;

	if (pipe2(fds, O_CLOEXEC) == -1)
		return (-1);
	if ((pid = fork()) == 0) {
		if (chdir("/") == -1 ||
		    (null = open("/dev/null", O_RDWR)) == -1 ||
		    dup2(null, STDIN_FILENO) == -1 ||
		    dup2(fds[1], STDOUT_FILENO) == -1 ||
		    dup2(null, STDERR_FILENO) == -1)
			_exit(127);
		child_reset(3);
		own_memory();
		environ = envp;
		(void)execvp(argv[0], argv);
		_exit(127);
	}
	close(fds[1]);
	if (pid == -1)
		close(fds[0]);
	(void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
	*fd = fds[0];
	return (pid);
}

/* What is there now. -1: nothing more comes, or too much came. */
static int
take(int fd, char *buf, size_t max, size_t *len, const char **why)
{
	ssize_t	n;

	for (;;) {
		if (*len == max) {
			*why = "says too much";
			return (-1);
		}
		n = read(fd, buf + *len, max - *len);
		if (n == -1)
			return (errno == EAGAIN || errno == EINTR ? 0 : -1);
		if (n == 0)
			return (-1);
		*len += (size_t)n;
	}
}

/*
 * Until it has ended; whoever holds its output still is not waited for. Its
 * status, or -1.
 */
static int
capture_wait(pid_t pid, int fd, char *buf, size_t max, int limit_ms,
    size_t *len, const char **why)
{
	struct pollfd	pfd = { .fd = fd, .events = POLLIN };
	int		began = now_ms(), status = 0;

	for (;;) {
		if (poll(&pfd, pfd.fd == -1 ? 0 : 1, STEP_MS) == 1 &&
		    take(fd, buf, max, len, why) == -1)
			pfd.fd = -1;
		if (*why != NULL)
			break;
		if (waitpid(pid, &status, WNOHANG) == pid) {
			if (pfd.fd != -1)
				(void)take(fd, buf, max, len, why);
			return (*why != NULL ? -1 : status);
		}
		if (now_ms() - began >= limit_ms) {
			*why = "takes too long";
			break;
		}
	}
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	return (-1);
}

char *
capture(char **argv, char **envp, size_t max, int limit_ms, size_t *len,
    const char **why)
{
	char	*buf = malloc(max + 1);
	int	 fd = -1, status;
	pid_t	 pid;

	*len = 0;
	*why = NULL;
	if (buf == NULL || (pid = capture_start(argv, envp, &fd)) == -1) {
		*why = "cannot be started";
		free(buf);
		return (NULL);
	}
	status = capture_wait(pid, fd, buf, max, limit_ms, len, why);
	close(fd);
	if (*why == NULL && status != 0)
		*why = WIFEXITED(status) && WEXITSTATUS(status) == 127 ?
		    "cannot be run" : "failed";
	if (*why != NULL) {
		free(buf);
		return (NULL);
	}
	buf[*len] = '\0';
	return (buf);
}
