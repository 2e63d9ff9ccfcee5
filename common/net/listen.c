/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/want.h"
#include "listen.h"
#include "proc/conf.h"

#define DRAIN_MAX	64	/* bursts at the end */
#define ACCEPT_BURST	16	/* so that who came gets a turn too */

static struct {
	struct listener {
		int		 fd;
		uint32_t	 flags;
		struct event	 ev;
	}			 l[CONF_LISTEN_MAX];
	unsigned		 n;
	int			 running, paused;
	const struct listen_ops	*ops;
} listeners;

int
listen_add(int fd, uint32_t flags)
{
	int	fl;

	if (listeners.n == CONF_LISTEN_MAX || (fl = fcntl(fd, F_GETFL)) == -1 ||
	    fcntl(fd, F_SETFL, fl | O_NONBLOCK) == -1) {
		close(fd);
		return (-1);
	}
	listeners.l[listeners.n].fd = fd;
	listeners.l[listeners.n++].flags = flags;
	return (0);
}

int
listen_has(uint32_t flags)
{
	unsigned	i;

	for (i = 0; i < listeners.n; i++)
		if (listeners.l[i].flags & flags)
			return (1);
	return (0);
}

void
listen_pause(int pause)
{
	unsigned	i;

	if (pause == listeners.paused || !listeners.running)
		return;
	listeners.paused = pause;
	for (i = 0; i < listeners.n; i++)
		if (pause)
			event_del(&listeners.l[i].ev);
		else
			event_want(&listeners.l[i].ev, NULL);
}

/* Accept some; how many, ACCEPT_BURST: there may be more. */
static int
listen_some(struct listener *l)
{
	struct sockaddr_storage	 ss;
	struct addr		 a;
	socklen_t		 len;
	int			 fd, i, one = 1;

	for (i = 0; i < ACCEPT_BURST && listeners.running &&
	    !listeners.paused; i++) {
		len = sizeof(ss);
		fd = accept4(l->fd, (struct sockaddr *)&ss, &len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd == -1 && (errno == EMFILE || errno == ENFILE ||
		    errno == ENOMEM || errno == ENOBUFS))
			listeners.ops->none_left();
		/* Who had it before an upgrade has it still, for a while. */
		if (fd == -1 && errno == EINVAL)
			fatalx("a listening socket was shut down");
		if (fd == -1)
			break;
		addr_of_sockaddr(&a, (struct sockaddr *)&ss);
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
		    sizeof(one));
		listeners.ops->came(fd, (unsigned)(l - listeners.l), l->flags,
		    &a);
	}
	return (i);
}

static void
listen_event(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)listen_some(arg);
}

void
listen_run(struct event_base *base, const struct listen_ops *ops)
{
	struct listener	*l = listeners.l;
	unsigned	 i;

	listeners.ops = ops;
	for (i = 0; i < listeners.n; i++, l++) {
		event_assign(&l->ev, base, l->fd, EV_READ | EV_PERSIST,
		    listen_event, l);
		event_want(&l->ev, NULL);
	}
	listeners.running = 1;
}

void
listen_drain(void)
{
	unsigned	i;
	int		n;

	for (i = 0; i < listeners.n; i++)
		for (n = 0; n < DRAIN_MAX && listeners.running &&
		    !listeners.paused; n++)
			if (listen_some(&listeners.l[i]) < ACCEPT_BURST)
				break;
	listen_stop();
}

void
listen_stop(void)
{
	unsigned	i;

	listen_pause(1);
	for (i = 0; i < listeners.n; i++)
		close(listeners.l[i].fd);
	listeners.n = 0;
	listeners.running = 0;
}
