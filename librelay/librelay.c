/* SPDX-License-Identifier: ISC */
/* See librelay.h. What happens between fork and exec is safe with threads. */
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "librelay.h"

#define READY_FD	3
#define TIMEOUT_MS	30000
#define VARIABLES	4

extern char	**environ;

/* All that the other process is made of, before there is one. */
struct child {
	const char	*program;
	char		*argv[8];
	char		**env;
	char		*own[VARIABLES];	/* of env, ours to free */
	int		 nown;
	int		 sock, ready;
};

static void
why_set(char *why, size_t size, const char *text)
{
	if (why != NULL && size > 0)
		snprintf(why, size, "%s", text);
}

static int
add_variable(struct child *c, const char *name, const char *value)
{
	size_t	n = strlen(name) + strlen(value) + 2;
	char	*s = malloc(n);

	if (s == NULL)
		return (-1);
	snprintf(s, n, "%s=%s", name, value);
	c->own[c->nown++] = s;
	return (0);
}

/* The token is no argument: everybody sees those. */
static int
child_env(struct child *c, const struct relay_options *o)
{
	size_t	n = 0, i = 0, k;

	if (add_variable(c, "SWSRS_URL", o->url) == -1 ||
	    add_variable(c, "SWSRS_SESSION", o->session) == -1 ||
	    add_variable(c, "SWSRS_TOKEN", o->token) == -1)
		return (-1);
	while (environ != NULL && environ[n] != NULL)
		n++;
	if ((c->env = calloc(n + VARIABLES + 1, sizeof(*c->env))) == NULL)
		return (-1);
	for (k = 0; k < n; k++)
		if (strncmp(environ[k], "SWSRS_", 6) != 0)
			c->env[i++] = environ[k];
	for (k = 0; k < (size_t)c->nown; k++)
		c->env[i++] = c->own[k];
	return (0);
}

static void
child_clear(struct child *c)
{
	int	i;

	for (i = 0; i < c->nown; i++) {
		explicit_bzero(c->own[i], strlen(c->own[i]));
		free(c->own[i]);
	}
	free(c->env);
}

static void
child_argv(struct child *c, const struct relay_options *o)
{
	static char	relay[] = "relay", raw[] = "raw", ready[] = "--ready",
			fd[] = "3", ca[] = "--ca-file",
			plain[] = "--allow-plain";
	int		n = 0;

	c->program = o->program != NULL ? o->program : RELAY_PROGRAM;
	c->argv[n++] = relay;
	c->argv[n++] = raw;
	c->argv[n++] = ready;
	c->argv[n++] = fd;
	if (o->ca_file != NULL) {
		c->argv[n++] = ca;
		c->argv[n++] = (char *)(unsigned long)o->ca_file;
	}
	if (o->allow_plain)
		c->argv[n++] = plain;
}

/* In the process that becomes relay(1). errno goes through `ready`. */
static void
child_run(const struct child *c)
{
	sigset_t	none;
	int		sock, ready, null, e;

	/* Above what is taken here. */
	sock = fcntl(c->sock, F_DUPFD, READY_FD + 1);
	ready = fcntl(c->ready, F_DUPFD, READY_FD + 1);
	null = open("/dev/null", O_WRONLY);
	sigemptyset(&none);
	if (sock != -1 && ready != -1 && null != -1 &&
	    dup2(sock, STDIN_FILENO) != -1 && dup2(sock, STDOUT_FILENO) != -1 &&
	    dup2(null, STDERR_FILENO) != -1 && dup2(ready, READY_FD) != -1 &&
	    sigprocmask(SIG_SETMASK, &none, NULL) == 0) {
		closefrom(READY_FD + 1);
		execve(c->program, c->argv, c->env);
	}
	e = errno;
	(void)!write(READY_FD, "!", 1);
	(void)!write(READY_FD, &e, sizeof(e));
	_exit(127);
}

/* A grandchild: nobody has to wait for it when it ends. */
static int
child_start(const struct child *c)
{
	pid_t	pid = fork();
	int	status;

	if (pid == -1)
		return (-1);
	if (pid == 0) {
		pid = fork();
		if (pid == 0)
			child_run(c);
		_exit(pid == -1);
	}
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return (errno == ECHILD ? 0 : -1);
	if (status == 0)
		return (0);
	errno = EAGAIN;
	return (-1);
}

static int
ms_left(const struct timespec *begun, int ms)
{
	struct timespec	now;
	long long	gone;

	clock_gettime(CLOCK_MONOTONIC, &now);
	gone = (now.tv_sec - begun->tv_sec) * 1000LL +
	    (now.tv_nsec - begun->tv_nsec) / 1000000;
	return (gone >= ms ? 0 : (int)(ms - gone));
}

/* What it says: "+" it is in; "-" and why not; "!" and an errno. */
static int
wait_ready(int fd, int ms, char *why, size_t size)
{
	struct pollfd	p = { .fd = fd, .events = POLLIN };
	struct timespec	begun;
	char		text[512];
	size_t		len = 0;
	ssize_t		n;
	int		r, e;

	clock_gettime(CLOCK_MONOTONIC, &begun);
	for (;;) {
		r = poll(&p, 1, ms_left(&begun, ms));
		if (r == 0 || (r == -1 && errno != EINTR)) {
			errno = r == 0 ? ETIMEDOUT : errno;
			why_set(why, size, r == 0 ? "it took too long" :
			    strerror(errno));
			return (-1);
		}
		if (r == -1)
			continue;
		n = read(fd, text + len, sizeof(text) - 1 - len);
		if (n == -1 && errno == EINTR)
			continue;
		len += n > 0 ? (size_t)n : 0;
		if (len > 0 && text[0] == '+')
			return (0);
		if (n <= 0 || len == sizeof(text) - 1)
			break;
	}
	text[len] = '\0';
	if (text[0] == '!' && len == 1 + sizeof(e)) {
		memcpy(&e, text + 1, sizeof(e));
		why_set(why, size, strerror(e));
	} else {
		why_set(why, size, len > 1 ? text + 1 : "relay(1) has ended");
		e = ECONNREFUSED;
	}
	errno = e;
	return (-1);
}

int
relay_open(const struct relay_options *o, char *why, size_t size)
{
	struct child	c = { .nown = 0 };
	int		pair[2], ready[2], e, r = -1;

	why_set(why, size, "");
	if (o == NULL || o->url == NULL || o->session == NULL ||
	    o->token == NULL) {
		why_set(why, size, "url, session and token are needed");
		errno = EINVAL;
		return (-1);
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1) {
		why_set(why, size, strerror(errno));
		return (-1);
	}
	if (pipe2(ready, O_CLOEXEC) == -1) {
		why_set(why, size, strerror(errno));
		e = errno;
		close(pair[0]);
		close(pair[1]);
		errno = e;
		return (-1);
	}
	c.sock = pair[1];
	c.ready = ready[1];
	child_argv(&c, o);
	if (child_env(&c, o) == 0)
		r = child_start(&c);
	if (r == -1)
		why_set(why, size, strerror(errno));
	e = errno;
	child_clear(&c);
	close(pair[1]);
	close(ready[1]);
	if (r == 0) {
		r = wait_ready(ready[0], o->timeout_ms > 0 ? o->timeout_ms :
		    TIMEOUT_MS, why, size);
		e = errno;
	}
	close(ready[0]);
	if (r == 0)
		return (pair[0]);
	close(pair[0]);
	errno = e;
	return (-1);
}
