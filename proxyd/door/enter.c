/* SPDX-License-Identifier: ISC */
/* Accepting: what may come in at all. */
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "conn.h"
#include "limits.h"
#include "imsg/imsg.h"
#include "listen.h"
#include "metrics/count.h"
#include "proc/conf.h"
#include "proc/proc.h"
#include "trust.h"

#define ACCEPT_BURST		16	/* so that their heads get a turn too */

struct listener {
	int		 fd;
	uint32_t	 flags;
	struct event	 ev;
};

static void	listen_event(evutil_socket_t, short, void *);

static struct {
	struct listener	 l[CONF_LISTEN_MAX];
	unsigned int	 n;
	int		 running, paused, stopped;
	int		 admin;		/* one is for that */
	unsigned long	 dropped;
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
	listeners.l[listeners.n].flags = flags;
	listeners.admin |= (flags & LISTEN_ADMIN) != 0;
	listeners.n++;
	return (0);
}

static void
listen_pause(int pause)
{
	unsigned int	i;

	if (pause == listeners.paused || listeners.stopped)
		return;
	listeners.paused = pause;
	for (i = 0; i < listeners.n; i++)
		if (pause)
			event_del(&listeners.l[i].ev);
		else
			event_add(&listeners.l[i].ev, NULL);
}

void
listen_run(void)
{
	unsigned int	i;

	limits_init(listen_pause, conn_shed);
	for (i = 0; i < listeners.n; i++) {
		event_assign(&listeners.l[i].ev, proc_base(), listeners.l[i].fd,
		    EV_READ | EV_PERSIST, listen_event, &listeners.l[i]);
		event_add(&listeners.l[i].ev, NULL);
	}
	listeners.running = 1;
}

void
listen_stop(void)
{
	unsigned int	i;

	for (i = 0; i < listeners.n; i++) {
		if (listeners.running && !listeners.paused)
			event_del(&listeners.l[i].ev);
		close(listeners.l[i].fd);
	}
	listeners.n = 0;
	listeners.stopped = 1;
}

void
listen_came(int fd, uint32_t flags, const struct addr *a,
    const struct plain *from)
{
	int	trusted = trust_has(a);

	if (conn_admit(a, trusted) == -1) {
		count(CT_DROP_EARLY);
		if (listeners.dropped++ % 1000 == 0)
			log_info("connections dropped early: %lu",
			    listeners.dropped);
		imsg_close_fd(fd);
		return;
	}
	if (listeners.admin && !(flags & LISTEN_ADMIN))
		flags |= LISTEN_NO_ADMIN;
	conn_new(fd, flags, a, trusted, from);
}

static void
listen_event(evutil_socket_t lfd, short what, void *arg)
{
	struct listener		*l = arg;
	struct sockaddr_storage	 ss;
	struct addr		 a;
	socklen_t		 len;
	int			 fd, i, one = 1;

	(void)what;
	for (i = 0; i < ACCEPT_BURST && !listeners.paused &&
	    !listeners.stopped; i++) {
		len = sizeof(ss);
		fd = accept4(lfd, (struct sockaddr *)&ss, &len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd == -1) {
			/* None of ours may ever go: time has to. */
			if (errno == EMFILE || errno == ENFILE)
				limits_again();
			return;
		}
		addr_of_sockaddr(&a, (struct sockaddr *)&ss);
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		listen_came(fd, l->flags, &a, NULL);
	}
}
