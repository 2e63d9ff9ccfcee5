/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/clock.h"
#include "client.h"
#include "accept.h"
#include "proc/conf.h"
#include "proc/proc.h"

#define ACCEPT_BURST	16	/* so that their handshakes get a turn too */
#define AGAIN_MS	1000	/* the system had no descriptor left */
#define NETS_MAX	16	/* of trusted proxies: conf.h */

static struct {
	struct listener {
		int		 fd;
		uint32_t	 flags;
		struct event	 ev;
	}		l[CONF_LISTEN_MAX];
	unsigned	n;
	int		paused, stopped;
	struct timer	again;
	struct addr_net	net[NETS_MAX];	/* of trusted proxies */
	size_t		nnets;
} listeners;

int
accept_add(int fd, uint32_t flags)
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

/* 0 with the networks in `net` and their number in *n, or -1. */
static int
networks(const struct conf *conf, struct addr_net *net, size_t *n)
{
	for (*n = 0; *n < conf->n_trusted_proxy; (*n)++)
		if (addr_net_parse(&net[*n], conf->trusted_proxy[*n]) == -1)
			return (-1);
	return (0);
}

int
accept_judge(const struct conf *conf, const char **why)
{
	struct addr_net	net[NETS_MAX];
	size_t		n;

	*why = "trusted proxy: not an address or network";
	return (networks(conf, net, &n));
}

void
accept_use(const struct conf *conf)
{
	(void)networks(conf, listeners.net, &listeners.nnets);
}

void
accept_pause(int pause)
{
	unsigned	i;

	if (pause == listeners.paused || listeners.stopped)
		return;
	listeners.paused = pause;
	for (i = 0; i < listeners.n; i++)
		if (pause)
			event_del(&listeners.l[i].ev);
		else
			event_add(&listeners.l[i].ev, NULL);
}

static void
accept_again(void *arg)
{
	(void)arg;
	accept_pause(0);
}

static void
accept_event(evutil_socket_t lfd, short what, void *arg)
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
		if (fd == -1 && (errno == EMFILE || errno == ENFILE)) {
			accept_pause(1);
			timer_set(&listeners.again, AGAIN_MS);
		}
		if (fd == -1)
			return;
		addr_of_sockaddr(&a, (struct sockaddr *)&ss);
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
		    sizeof(one));
		client_new(fd, (unsigned)(l - listeners.l), l->flags, &a,
		    addr_in(&a, listeners.net, listeners.nnets));
	}
}

void
accept_run(void)
{
	struct listener	*l = listeners.l;
	unsigned	 i;

	timer_init(&listeners.again, accept_again, NULL);
	for (i = 0; i < listeners.n; i++, l++) {
		event_assign(&l->ev, proc_base(), l->fd, EV_READ | EV_PERSIST,
		    accept_event, l);
		event_add(&l->ev, NULL);
	}
}

void
accept_stop(void)
{
	unsigned	i;

	accept_pause(1);
	for (i = 0; i < listeners.n; i++)
		close(listeners.l[i].fd);
	listeners.stopped = 1;
}
