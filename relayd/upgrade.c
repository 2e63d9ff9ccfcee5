/* SPDX-License-Identifier: ISC */
/*
 * A new version, from the side of the old: look at the program and have it look
 * at the configuration and at the table as it would be; wait until nothing is
 * on its way through us; then write the table and become the new program. Up to
 * the exec nothing has changed, and whatever is wrong is only told.
 */
#include <sys/wait.h>

#include <event2/event.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "base/compat_spawn.h"
#include "base/log.h"
#include "strangers.h"
#include "upgrade.h"

#define CHECK_MS	(30 * 1000)	/* for the new program to look */
#define QUIET_MS	20		/* between two looks at what is on its way */
#define PATIENCE_MS	(10 * 1000)	/* for that to have arrived */
#define ENVIRONMENT	1024		/* variables */

static struct {
	/* set once */
	int		 argc;
	char		 path[PATH_MAX];	/* where the next one will be */
	int		 exe;			/* what we are, open */
	/* state */
	int		 program;	/* what is to be run, open; -1 */
	pid_t		 checker;	/* 0: none */
	int		 status;	/* of it, once it has ended */
	int		 ended;
	unsigned	 protocol;	/* that the new one has */
	int		 said_fd;
	struct event	*said_ev;
	char		 said[MESSAGE_SIZE];
	size_t		 said_len;
	struct timer	 timer;		/* of the checker; then of the wait */
	uint64_t	 until_ms;
	reload_done_fn	 done;
	uint64_t	 who;
	uint32_t	 id;
	char		 request[REQUEST_SIZE];
} upgrade = { .exe = -1, .program = -1, .said_fd = -1 };

static void	check_read(evutil_socket_t, short, void *);
static void	check_over(void);
static void	check_ended(int);
static void	quiet_wait(void *);
static void	stopping(void);
static void	go(void);

void
upgrade_init(int argc, char **argv)
{
	ssize_t	n;

	upgrade.argc = argc;
	env()->argv = argv;
	if (argc > 0 && argv[0][0] == '/')
		strlcpy(upgrade.path, argv[0], sizeof(upgrade.path));
	else if ((n = readlink("/proc/self/exe", upgrade.path,
	    sizeof(upgrade.path) - 1)) > 0)
		upgrade.path[n] = '\0';
}

void
upgrade_open(void)
{
	supervise_on_stop(stopping);
	upgrade.exe = open("/proc/self/exe", O_PATH | O_CLOEXEC);
}

/* Ours with one more variable. */
static void
environment(char *variable, char **envp)
{
	size_t	i, n = 0;

	for (i = 0; environ[i] != NULL && n < ENVIRONMENT; i++)
		envp[n++] = environ[i];
	envp[n++] = variable;
	envp[n] = NULL;
}

static void
forget(void)
{
	timer_del(&upgrade.timer);
	if (upgrade.said_ev != NULL)
		event_free(upgrade.said_ev);
	upgrade.said_ev = NULL;
	if (upgrade.said_fd != -1)
		close(upgrade.said_fd);
	if (upgrade.program != -1)
		close(upgrade.program);
	upgrade.said_fd = upgrade.program = -1;
	env()->upgrading = 0;
}

/* Nothing has changed. */
static void
no(unsigned code, const char *why)
{
	char	text[MESSAGE_SIZE];

	snprintf(text, sizeof(text), "%s", why);
	forget();
	log_request(upgrade.request);
	log_warnx("upgrade: not done, nothing is changed: %s", text);
	log_request(NULL);
	upgrade.done(upgrade.who, upgrade.id, code, text);
}

/* Start the new program to look, with the table as it is now. */
static int
check_start(char *err, size_t err_size)
{
	static char	 variable[] = TABLE_VARIABLE "=check", look[] = "-n";
	char		*argv[64], *envp[ENVIRONMENT + 2];
	int		 said[2], fds[2], i;

	if (upgrade.argc > (int)(sizeof(argv) / sizeof(argv[0])) - 2 ||
	    pipe2(said, O_CLOEXEC | O_NONBLOCK) == -1) {
		snprintf(err, err_size, "%s", strerror(errno));
		return (-1);
	}
	for (i = 0; i < upgrade.argc; i++)
		argv[i] = env()->argv[i];
	argv[i++] = look;
	argv[i] = NULL;
	environment(variable, envp);
	upgrade.said_fd = said[0];
	fds[0] = said[1];
	if ((fds[1] = handover_write(err, err_size)) != -1) {
		upgrade.checker = compat_spawn(upgrade.path, upgrade.program,
		    argv, envp, PARENT_FD, fds, 2);
		if (upgrade.checker == -1)
			snprintf(err, err_size, "%s: %s", upgrade.path,
			    strerror(errno));
		close(fds[1]);
	}
	close(said[1]);
	if (fds[1] == -1 || upgrade.checker == -1) {
		upgrade.checker = 0;
		return (-1);
	}
	if (strangers_add(upgrade.checker, check_ended) == 0)
		return (0);
	snprintf(err, err_size, "out of memory");
	(void)kill(upgrade.checker, SIGKILL);
	upgrade.checker = 0;
	return (-1);
}

static void
check_late(void *arg)
{
	(void)arg;
	/* SIGCHLD comes as ever. */
	if (upgrade.checker != 0)
		kill(upgrade.checker, SIGKILL);
}

void
upgrade_start(reload_done_fn done, uint64_t who, uint32_t id)
{
	char	err[MESSAGE_SIZE];

	if (env()->upgrading || upgrade.checker != 0 || env()->guarded ||
	    env()->stopping) {
		done(who, id, 409, env()->stopping ? "relayd is stopping" :
		    "another upgrade is under way");
		return;
	}
	env()->upgrading = 1;
	upgrade.done = done;
	upgrade.who = who;
	upgrade.id = id;
	upgrade.said_len = 0;
	upgrade.ended = 0;
	strlcpy(upgrade.request, log_request_now(), sizeof(upgrade.request));
	if (program_judge(upgrade.path, err, sizeof(err)) == -1) {
		no(400, err);
		return;
	}
	upgrade.program = open(upgrade.path, O_PATH | O_CLOEXEC);
	if (upgrade.program == -1 || check_start(err, sizeof(err)) == -1) {
		no(503, upgrade.program == -1 ? strerror(errno) : err);
		return;
	}
	timer_init(&upgrade.timer, check_late, NULL);
	timer_set(&upgrade.timer, CHECK_MS);
	upgrade.said_ev = event_new(env()->base, upgrade.said_fd,
	    EV_READ | EV_PERSIST, check_read, NULL);
	if (upgrade.said_ev == NULL || event_add(upgrade.said_ev, NULL) == -1)
		fatalx("upgrade: out of memory");
}

/* What it says: the first so many bytes. */
static void
check_read(evutil_socket_t fd, short what, void *arg)
{
	char	buf[512];
	ssize_t	n;
	size_t	room;

	(void)what;
	(void)arg;
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		room = sizeof(upgrade.said) - 1 - upgrade.said_len;
		if ((size_t)n < room)
			room = (size_t)n;
		memcpy(upgrade.said + upgrade.said_len, buf, room);
		upgrade.said_len += room;
	}
	if (n == -1 && errno == EAGAIN)
		return;
	event_del(upgrade.said_ev);
	close(upgrade.said_fd);
	upgrade.said_fd = -1;
	check_over();
}

static void
check_ended(int status)
{
	upgrade.checker = 0;
	upgrade.status = status;
	upgrade.ended = 1;
	check_over();
}

/* Its last line, for people. */
static const char *
check_words(void)
{
	static char	text[MESSAGE_SIZE];
	char		*line;

	upgrade.said[upgrade.said_len] = '\0';
	while (upgrade.said_len > 0 &&
	    upgrade.said[upgrade.said_len - 1] == '\n')
		upgrade.said[--upgrade.said_len] = '\0';
	line = strrchr(upgrade.said, '\n');
	line = line == NULL ? upgrade.said : line + 1;
	log_escape(text, sizeof(text), line, strlen(line));
	return (text);
}

/* When it has ended and has been heard out. */
static void
check_over(void)
{
	char		 why[MESSAGE_SIZE];
	const char	*words;

	if (!env()->upgrading || !upgrade.ended || upgrade.said_fd != -1)
		return;
	timer_del(&upgrade.timer);
	words = check_words();
	if (WIFSIGNALED(upgrade.status))
		snprintf(why, sizeof(why), "%.300s crashes: signal %d",
		    upgrade.path, WTERMSIG(upgrade.status));
	else if (WEXITSTATUS(upgrade.status) != 0)
		snprintf(why, sizeof(why), "%.400s", words[0] != '\0' ?
		    words : "the new program does not start");
	else if (sscanf(words, TABLE_SAYS "%u", &upgrade.protocol) != 1)
		snprintf(why, sizeof(why), "%.300s cannot take over: restart "
		    "relayd", upgrade.path);
	else {
		upgrade.until_ms = clock_ms() + PATIENCE_MS;
		quiet_wait(NULL);
		return;
	}
	no(400, why);
}

/* Not while a reload is going on, nor with anything of ours on its way. */
static void
quiet_wait(void *arg)
{
	struct child	*c;
	const char	*busy;

	(void)arg;
	/* It is older than its children, which know what it says. */
	for (c = child_after(0); c != NULL; c = child_after(c->instance))
		child_speak(c, upgrade.protocol);
	if ((busy = reload_is_running() ? "a reload is going on" :
	    give_is_waiting() ? "connections are on their way" :
	    child_is_behind()) == NULL) {
		go();
		return;
	}
	if (clock_ms() >= upgrade.until_ms) {
		no(503, busy);
		return;
	}
	timer_init(&upgrade.timer, quiet_wait, NULL);
	timer_set(&upgrade.timer, QUIET_MS);
}

/* We stop: nobody looks any more. */
static void
stopping(void)
{
	if (env()->upgrading)
		no(409, "relayd is stopping");
	if (upgrade.checker != 0)
		(void)kill(upgrade.checker, SIGKILL);
}

/* The point of no return, but for what the new one returns to. */
static void
go(void)
{
	char		 err[256], variable[128], *envp[ENVIRONMENT + 2];
	const uint8_t	*p;
	const char	*why;
	size_t		 len;
	int		 table;

	env()->asked_by = upgrade.who;
	env()->asked_id = upgrade.id;
	if ((table = handover_write(err, sizeof(err))) == -1 ||
	    tablefile_map(table, &p, &len, &why) == -1) {
		no(503, table == -1 ? err : why);
		return;
	}
	snprintf(variable, sizeof(variable), TABLE_VARIABLE "=new %d %d",
	    table, upgrade.exe);
	environment(variable, envp);
	log_info("upgrade: becoming %s", upgrade.path);
	tablefile_pass(p, len, 1);
	(void)fcntl(table, F_SETFD, 0);
	(void)fcntl(upgrade.exe, F_SETFD, 0);
	/* Signals that come in between wait for the new one (signals.h). */
	(void)fexecve(upgrade.program, env()->argv, envp);
	snprintf(err, sizeof(err), "exec: %s", strerror(errno));
	tablefile_pass(p, len, 0);
	(void)fcntl(upgrade.exe, F_SETFD, FD_CLOEXEC);
	close(table);
	no(503, err);
}
