/* SPDX-License-Identifier: ISC */
/*
 * The way back. Until a new program has said that all is well, whatever ends
 * it, a fault, an exit or a time that has passed, execs the old one instead,
 * which goes on with the children that it had. Nothing here allocates: it may
 * be what a signal calls.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "base/log.h"
#include "signals.h"
#include "upgrade.h"

#define GUARD_S		60	/* for all of it */
#define TABLE_S		10	/* until we turn, at most */
#define WHY_MAX		160
#define ENVIRONMENT	1024	/* variables */

static const int	faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT,
    SIGSYS, SIGALRM };

static struct {
	int			 on, exits;
	int			 exe;
	/* the table that it gets; what is in it is not closed on exec */
	int			 table;
	const uint8_t		*p;
	size_t			 len;
	int			 taken;		/* we have children */
	int			(*writer)(char *, size_t);
	char			*envp[ENVIRONMENT + 2];
	char			 variable[64 + WHY_MAX];
	size_t			 why_at;	/* in `variable` */
} guard = { .exe = -1 };

static void
why_set(const char *why)
{
	size_t	i, at = guard.why_at;

	for (i = 0; i < WHY_MAX - 1 && why[i] != '\0'; i++)
		guard.variable[at + i] = why[i];
	guard.variable[at + i] = '\0';
}

/* With what there is; the children that we made see their channel end. */
static void
go(const char *why)
{
	if (!guard.on)
		return;
	guard.on = 0;
	why_set(why);
	if (guard.p != NULL)
		tablefile_pass(guard.p, guard.len, 1);
	(void)fcntl(guard.table, F_SETFD, 0);
	signals_block();
	(void)fexecve(guard.exe, env()->argv, guard.envp);
}

static void
on_fault(int sig)
{
	static char	text[] = "the new program crashed: signal 00";

	text[sizeof(text) - 3] = (char)('0' + sig / 10 % 10);
	text[sizeof(text) - 2] = (char)('0' + sig % 10);
	go(sig == SIGALRM ? "the new program took too long" : text);
	_exit(1);
}

/* fatal() and its like. */
static void
on_exit_called(void)
{
	go("the new program gave up");
}

static void
table_is(int table)
{
	guard.table = table;
	guard.why_at = (size_t)snprintf(guard.variable,
	    sizeof(guard.variable), TABLE_VARIABLE "=back %d ", table);
}

static void
handlers(void (*fn)(int))
{
	struct sigaction	sa;
	sigset_t		set;
	size_t			i;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = fn;
	sigemptyset(&set);
	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		(void)sigaction(faults[i], &sa, NULL);
		sigaddset(&set, faults[i]);
	}
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* Before the service manager thinks that we hang, and ends us. */
static unsigned
table_seconds(void)
{
	unsigned	n = notify_patience() / 2;

	return (n > 0 && n < TABLE_S ? n : TABLE_S);
}

void
goback_guard(int table, int exe, int (*writer)(char *, size_t))
{
	size_t	i, n = 0;

	for (i = 0; environ[i] != NULL && n < ENVIRONMENT; i++)
		guard.envp[n++] = environ[i];
	guard.envp[n++] = guard.variable;
	guard.envp[n] = NULL;
	guard.exe = exe;
	guard.writer = writer;
	table_is(table);
	guard.on = env()->guarded = 1;
	if (!guard.exits)
		(void)atexit(on_exit_called);
	guard.exits = 1;
	handlers(on_fault);
	(void)alarm(table_seconds());
}

void
goback_table(const uint8_t *p, size_t len)
{
	guard.p = p;
	guard.len = len;
}

void
goback_taken(void)
{
	guard.taken = 1;
	(void)alarm(GUARD_S);
}

void
goback_over(void)
{
	(void)alarm(0);
	guard.on = env()->guarded = 0;
	handlers(SIG_DFL);
	close(guard.exe);
	guard.exe = -1;
}

void
goback_now(const char *why)
{
	char		 err[256];
	const uint8_t	*p;
	const char	*wrong;
	size_t		 len;
	int		 fd;

	log_warnx("upgrade: %s: back to the old program", why);
	/* What has happened since is in this one, without whom we started. */
	if (guard.taken && (fd = guard.writer(err, sizeof(err))) != -1 &&
	    tablefile_map(fd, &p, &len, &wrong) == 0) {
		goback_table(p, len);
		table_is(fd);
	}
	go(why);
	log_warn("upgrade: no way back");
}
