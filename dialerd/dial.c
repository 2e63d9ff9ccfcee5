/* SPDX-License-Identifier: ISC */
#include <sys/queue.h>
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "dial.h"
#include "imsg/imsg.h"
#include "imsg/msg.h"
#include "net/net.h"
#include "proc/link.h"
#include "proc/proc.h"

#define ADDRS		4	/* of a name that are tried */
#define SILENT_MS	30000	/* what is sent is not acknowledged */

struct to {
	LIST_ENTRY(to)	 entry;
	uint32_t	 id;		/* of authd's question */
	struct lookup	*lookup;
	struct net_addr	 addr[ADDRS];
	size_t		 n, next;
	int		 fd;		/* -1: none now */
	struct event	 ev;
	struct timer	 late;
};

static LIST_HEAD(, to)	dials = LIST_HEAD_INITIALIZER(dials);
static unsigned		ndials;

static void	to_next(struct to *, const char *);

static void
to_free(struct to *t)
{
	if (t->lookup != NULL)
		lookup_cancel(t->lookup);
	if (t->fd != -1) {
		event_del(&t->ev);
		close(t->fd);
	}
	timer_del(&t->late);
	LIST_REMOVE(t, entry);
	ndials--;
	free(t);
}

static void
to_fail(struct to *t, const char *why)
{
	struct chan	*c = link_chan();

	if (c != NULL)
		(void)say_dial_failed(c, t->id, -1,
		    &(struct msg_dial_failed){ .why = why });
	to_free(t);
}

static void
to_late(void *arg)
{
	to_fail(arg, "no connection in time");
}

/* It is there: authd's. */
static void
to_done(struct to *t)
{
	struct chan	*c = link_chan();
	int		 fd = t->fd;

	event_del(&t->ev);
	t->fd = -1;
	if (c == NULL)
		close(fd);
	else
		(void)say_dialed(c, t->id, fd,
		    &(struct msg_dialed){ .end_ = 0 });
	to_free(t);
}

static void
to_event(evutil_socket_t fd, short what, void *arg)
{
	struct to	*t = arg;
	int		 err = 0;
	socklen_t	 len = sizeof(err);

	(void)what;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) == -1)
		err = errno;
	if (err == 0) {
		to_done(t);
		return;
	}
	event_del(&t->ev);
	close(t->fd);
	t->fd = -1;
	to_next(t, strerror(err));
}

static socklen_t
address(const struct net_addr *a, struct sockaddr_storage *ss)
{
	struct sockaddr_in	*in = (void *)ss;
	struct sockaddr_in6	*in6 = (void *)ss;
	in_port_t		 port = htons((uint16_t)
				    proc_conf()->cluster_port);

	memset(ss, 0, sizeof(*ss));
	if (a->family == AF_INET6) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = port;
		memcpy(&in6->sin6_addr, a->addr, 16);
		return (sizeof(*in6));
	}
	in->sin_family = AF_INET;
	in->sin_port = port;
	memcpy(&in->sin_addr, a->addr, 4);
	return (sizeof(*in));
}

/* A member that has gone without a word is noticed. */
static void
watch(int fd)
{
	int	on = 1, ms = SILENT_MS;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}

/* The next address; `why` the one before was none. */
static void
to_next(struct to *t, const char *why)
{
	struct sockaddr_storage	 ss;
	const struct net_addr	*a;
	socklen_t		 len;

	while (t->next < t->n) {
		a = &t->addr[t->next++];
		t->fd = socket(a->family, SOCK_STREAM | SOCK_NONBLOCK |
		    SOCK_CLOEXEC, 0);
		if (t->fd == -1) {
			why = strerror(errno);
			continue;
		}
		watch(t->fd);
		len = address(a, &ss);
		event_assign(&t->ev, proc_base(), t->fd, EV_WRITE, to_event,
		    t);
		if ((connect(t->fd, (struct sockaddr *)&ss, len) == 0 ||
		    errno == EINPROGRESS) && event_add(&t->ev, NULL) == 0)
			return;
		why = strerror(errno);
		close(t->fd);
		t->fd = -1;
	}
	to_fail(t, why);
}

static void
to_found(void *arg, const struct net_addr *v, size_t n, const char *why)
{
	struct to	*t = arg;

	t->lookup = NULL;
	if (why != NULL) {
		to_fail(t, why);
		return;
	}
	t->n = n < ADDRS ? n : ADDRS;
	memcpy(t->addr, v, t->n * sizeof(v[0]));
	to_next(t, "it has no address");
}

int
dial_on_dial(struct chan *c, struct imsg *m)
{
	struct msg_dial	 in;
	struct to	*t;

	if (get_dial(m, &in) == -1)
		return (-1);
	if (proc_conf()->cluster_port == 0 || ndials >= DIALS_MAX ||
	    (t = calloc(1, sizeof(*t))) == NULL) {
		(void)say_dial_failed(c, m->id, -1, &(struct msg_dial_failed){
		    .why = "too many are being connected" });
		return (0);
	}
	t->id = m->id;
	t->fd = -1;
	LIST_INSERT_HEAD(&dials, t, entry);
	ndials++;
	timer_init(&t->late, to_late, t);
	timer_set(&t->late, DIAL_MS);
	if ((t->lookup = lookup_start(in.host, to_found, t)) == NULL)
		to_fail(t, "out of memory");
	return (0);
}

void
dial_clear(void)
{
	struct to	*t;

	while ((t = LIST_FIRST(&dials)) != NULL)
		to_free(t);
}

size_t
dial_ports(uint16_t *ports, size_t max)
{
	if (max == 0 || proc_conf()->cluster_port == 0)
		return (0);
	ports[0] = (uint16_t)proc_conf()->cluster_port;
	return (1);
}
