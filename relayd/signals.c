/* SPDX-License-Identifier: ISC */
#include <sys/signalfd.h>

#include <event2/event.h>

#include <signal.h>
#include <unistd.h>

#include "base/log.h"
#include "signals.h"

static const int	wanted[] = { SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGUSR2 };

static struct {
	int		 fd;
	struct event	*ev;
	void		(*fn)(int);
} sig = { .fd = -1 };

static void
wanted_set(sigset_t *set)
{
	size_t	i;

	sigemptyset(set);
	for (i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		sigaddset(set, wanted[i]);
}

void
signals_block(void)
{
	sigset_t	set;

	wanted_set(&set);
	(void)sigprocmask(SIG_SETMASK, &set, NULL);
}

/* One at a time: what it starts may be that there is no other for us. */
static void
signals_readable(evutil_socket_t fd, short what, void *arg)
{
	struct signalfd_siginfo	si;

	(void)what;
	(void)arg;
	if (read(fd, &si, sizeof(si)) == (ssize_t)sizeof(si))
		sig.fn((int)si.ssi_signo);
}

void
signals_init(struct event_base *base, void (*fn)(int))
{
	sigset_t	set;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	signals_block();
	wanted_set(&set);
	sig.fn = fn;
	if ((sig.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC)) == -1)
		fatal("signals");
	sig.ev = event_new(base, sig.fd, EV_READ | EV_PERSIST,
	    signals_readable, NULL);
	if (sig.ev == NULL || event_add(sig.ev, NULL) == -1)
		fatalx("signals: out of memory");
}

void
signals_clear(void)
{
	if (sig.ev != NULL)
		event_free(sig.ev);
	sig.ev = NULL;
	if (sig.fd != -1)
		close(sig.fd);
	sig.fd = -1;
}
