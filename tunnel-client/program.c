/* SPDX-License-Identifier: ISC */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "child.h"
#include "machine.h"
#include "net/net.h"
#include "owned.h"
#include "program.h"

#define FILE_FD	3	/* of what is executed, in the new process */

extern char	**environ;

struct program {
	program_fn	 fn;
	void		*arg;
	char		*name;
	struct child	*child;
	int		 fd;
	struct event	 ev;
	struct timer	 timer;
	char		*out;
	size_t		 len, cap, max;
	int		 flooded;	/* said more than is kept */
};

static void	program_readable(evutil_socket_t, short, void *);
static void	program_ended(void *, int);
static void	program_timeout(void *);
static void	program_finish(struct program *, int);
static void	program_free(struct program *);

/* Which. */

const char *
program_dir_refused(int fd)
{
	struct stat	sb;

	if (fstat(fd, &sb) == -1)
		return (strerror(errno));
	return (owned_refused(&sb));
}

int
program_open(const char *path, const char **why)
{
	struct stat	sb;
	int		fd;

	/* Not blocking: it may be a FIFO. */
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY |
	    O_CLOEXEC);
	*why = owned_file_refused(fd, &sb);
	if (*why == NULL && (sb.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0)
		*why = "not executable";
	if (*why == NULL)
		return (fd);
	if (fd != -1)
		close(fd);
	return (-1);
}

/* Run. */

/*
 * By its path where nobody else can put another file there, so that a script
 * has it as $0. Otherwise what was looked at: its interpreter opens the file
 * anew, through /dev/fd, and the descriptor has to be there for it. A program
 * does not need it.
 */
static void
exec_file(int fd, const char *real, char **argv, char **envp)
{
	struct stat	sb;
	char		magic[2] = { 0 };

	if (real != NULL && fstat(fd, &sb) == 0 && owned_path(real, &sb)) {
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
		(void)execve(real, argv, envp);
		(void)fcntl(fd, F_SETFD, 0);
	}
	if (pread(fd, magic, 2, 0) == 2 && memcmp(magic, "#!", 2) != 0)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	(void)fexecve(fd, argv, envp);
}

__attribute__((noreturn)) static void
program_run(const struct program_spec *s, int in, int out, pid_t parent)
{
	char	*path_only[2] = { program_path(), NULL }, *real = NULL;
	int	 null;

	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent)
		_exit(127);
	if (s->fd != -1)
		real = realpath(s->argv[0], NULL);
	/* Python, among others, looks where it runs first. */
	if (chdir("/") == -1)
		_exit(127);
	if ((null = open("/dev/null", O_RDWR)) == -1 ||
	    dup2(in == -1 ? null : in, STDIN_FILENO) == -1 ||
	    dup2(out, STDOUT_FILENO) == -1 ||
	    dup2(null, STDERR_FILENO) == -1)
		_exit(127);
	if (s->call != NULL) {
		child_reset(3);
		s->call(s->arg);
		_exit(0);
	}
	environ = s->envp == NULL ? path_only : s->envp;
	if (s->fd != -1) {
		if (s->fd == FILE_FD)
			(void)fcntl(FILE_FD, F_SETFD, 0);
		else if (dup2(s->fd, FILE_FD) == -1)
			_exit(127);
		child_reset(FILE_FD + 1);
		exec_file(FILE_FD, real, s->argv, environ);
		_exit(127);
	}
	child_reset(3);
	(void)execvp(s->argv[0], s->argv);
	_exit(127);
}

/* A file without a name: what is in it can be read, once, to its end. */
static int
input_file(const char *text)
{
	size_t	len = strlen(text);
	int	fd;

	if ((fd = memfd_create("input", MFD_CLOEXEC)) == -1)
		return (-1);
	if (write(fd, text, len) != (ssize_t)len ||
	    lseek(fd, 0, SEEK_SET) == -1) {
		close(fd);
		return (-1);
	}
	return (fd);
}

/* -1 after a word in the log. */
static int
program_fork(struct program *p, const struct program_spec *s)
{
	int	fds[2] = { -1, -1 }, in = -1;
	pid_t	self = getpid(), pid = -1;

	if ((s->input == NULL || (in = input_file(s->input)) != -1) &&
	    pipe2(fds, O_CLOEXEC) == 0) {
		if ((pid = fork()) == 0)
			program_run(s, in, fds[1], self);
		close(fds[1]);
		p->fd = fds[0];
	}
	if (in != -1)
		close(in);
	if (pid != -1) {
		(void)setpgid(pid, pid);	/* whoever comes first */
		p->child = child_watch(pid, program_ended, p);
	}
	if (p->child == NULL) {
		log_warn("%s", p->name);
		return (-1);
	}
	return (0);
}

struct program *
program_start(const struct program_spec *s, program_fn fn, void *arg)
{
	struct program	*p;

	if ((p = calloc(1, sizeof(*p))) == NULL)
		return (NULL);
	p->fn = fn;
	p->arg = arg;
	p->max = s->out_max;
	p->fd = -1;
	timer_init(&p->timer, program_timeout, p);
	if ((p->name = strdup(s->name)) == NULL || program_fork(p, s) == -1) {
		program_free(p);
		return (NULL);
	}
	(void)fcntl(p->fd, F_SETFL, O_NONBLOCK);
	event_assign(&p->ev, net_base(), p->fd, EV_READ | EV_PERSIST,
	    program_readable, p);
	event_add(&p->ev, NULL);
	timer_set(&p->timer, s->limit_ms);
	return (p);
}

/* Keep what has room; the rest is read and dropped, so that it can end. */
static void
program_take(struct program *p, const char *buf, size_t n)
{
	char	*bigger;
	size_t	 cap;

	if (n > p->max - p->len) {
		n = p->max - p->len;
		p->flooded = 1;
	}
	if (p->len + n > p->cap) {
		for (cap = p->cap == 0 ? 4096 : p->cap; cap < p->len + n;)
			cap *= 2;
		if ((bigger = recallocarray(p->out, p->cap, cap, 1)) == NULL)
			return;
		p->out = bigger;
		p->cap = cap;
	}
	if (n > 0)
		memcpy(p->out + p->len, buf, n);
	p->len += n;
}

static void
program_readable(evutil_socket_t fd, short what, void *arg)
{
	struct program	*p = arg;
	char		 buf[16384];
	ssize_t		 n;

	(void)what;
	n = read(fd, buf, sizeof(buf));
	if (n > 0)
		program_take(p, buf, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		event_del(&p->ev);	/* now its end, or the limit */
}

/*
 * Its group is dead by now, so what the pipe holds is all there will be; a
 * process that left the group may still hold the other end, and is not waited
 * for.
 */
static void
program_ended(void *arg, int status)
{
	struct program	*p = arg;
	char		 buf[16384];
	ssize_t		 n;
	size_t		 i;

	p->child = NULL;
	for (i = 0; i <= p->max / sizeof(buf) &&
	    (n = read(p->fd, buf, sizeof(buf))) > 0; i++)
		program_take(p, buf, (size_t)n);
	program_finish(p, status);
}

static void
program_timeout(void *arg)
{
	struct program	*p = arg;

	log_info("%s: killed, it took too long", p->name);
	program_finish(p, PROGRAM_TIMEOUT);
}

static void
program_finish(struct program *p, int status)
{
	program_fn	 fn = p->fn;
	void		*arg = p->arg;
	char		*out = p->out;
	size_t		 len = p->len, cap = p->cap;

	if (p->flooded)
		log_info("%s: output over %zu bytes dropped", p->name, p->max);
	p->out = NULL;
	program_free(p);
	fn(arg, out == NULL ? "" : out, len, status);
	freezero(out, cap);	/* it may have said a password */
}

static void
program_free(struct program *p)
{
	timer_del(&p->timer);
	if (p->child != NULL)
		child_kill(p->child);
	if (event_initialized(&p->ev))
		event_del(&p->ev);
	if (p->fd != -1)
		close(p->fd);
	free(p->name);
	freezero(p->out, p->cap);
	free(p);
}

void
program_cancel(struct program *p)
{
	program_free(p);
}
