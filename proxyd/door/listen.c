/* SPDX-License-Identifier: ISC */
/*
 * Accepting: what may come in at all. The limits on connections that have not
 * said yet what they want live here (messages.md, section 5).
 */
#include <sys/resource.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "proc/conf.h"
#include "listen.h"
#include "base/log.h"
#include "proc/proc.h"
#include "rate.h"

#define UNCLASSIFIED_MAX	4096
#define UNCLASSIFIED_ADDRESS	64
#define ACCEPT_BURST		16	/* so that their heads get a turn too */
#define FDS_OWN			16	/* channels, listeners, log */
#define TITLE_MS		2000	/* ps is at most that late */
#define AGAIN_MS		1000	/* the system had no descriptor left */
#define FDS_SPARE_PERCENT	5	/* for streams of who is here already */

struct listener {
	int		 fd;
	uint32_t	 flags;
	struct event	 ev;
};

static void	listen_event(evutil_socket_t, short, void *);
static int	listen_admits(const struct addr *, int trusted);
static void	listen_pause(int);
static void	listen_title(void *);
static void	listen_again(void *);

static struct {
	struct listener	 l[CONF_LISTEN_MAX];
	unsigned int	 n;
	int		 running, paused, stopped;
	/* descriptors */
	long		 fds, fds_max;
	/* connections without a head */
	unsigned int	 unclassified;
	struct rate	*by_address;
	/* peers whose X-Forwarded-For counts */
	struct addr_net	 trusted[16];
	size_t		 n_trusted;
	unsigned long	 dropped;
	struct timer	 title, again;
} listeners;

int
conn_listen(int fd, uint32_t flags)
{
	int	fl;

	if (listeners.n == CONF_LISTEN_MAX || (fl = fcntl(fd, F_GETFL)) == -1 ||
	    fcntl(fd, F_SETFL, fl | O_NONBLOCK) == -1) {
		close(fd);
		return (-1);
	}
	listeners.l[listeners.n].fd = fd;
	listeners.l[listeners.n].flags = flags;
	listeners.n++;
	return (0);
}

int
conn_configure(const struct conf *cf, const char **why)
{
	struct addr_net	nets[16];
	size_t		i;

	for (i = 0; i < cf->n_trusted_proxy; i++)
		if (addr_net_parse(&nets[i], cf->trusted_proxy[i]) == -1) {
			*why = "trusted proxy: not an address or network";
			return (-1);
		}
	if (i > 0)
		memcpy(listeners.trusted, nets, i * sizeof(nets[0]));
	listeners.n_trusted = i;
	return (0);
}

void
conn_run(void)
{
	struct rlimit	rl;
	unsigned int	i;

	/* Counts of what is here, not of a window: they never run out. */
	listeners.by_address = rate_new(UINT64_MAX, 2 * UNCLASSIFIED_MAX);
	if (listeners.by_address == NULL)
		fatal("listen");
	listeners.fds_max = getrlimit(RLIMIT_NOFILE, &rl) == 0 &&
	    rl.rlim_cur < (1 << 20) ? (long)rl.rlim_cur : 1 << 20;
	listeners.fds = FDS_OWN;
	timer_init(&listeners.title, listen_title, NULL);
	timer_init(&listeners.again, listen_again, NULL);
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

static void
listen_pause(int pause)
{
	unsigned int	i;

	if (pause == listeners.paused || listeners.stopped)
		return;
	listeners.paused = pause;
	log_warnx("%s", pause ? "out of descriptors: accepting pauses" :
	    "accepting again");
	for (i = 0; i < listeners.n; i++)
		if (pause)
			event_del(&listeners.l[i].ev);
		else
			event_add(&listeners.l[i].ev, NULL);
}

void
conn_fds(int n)
{
	long high =
	    listeners.fds_max - listeners.fds_max * FDS_SPARE_PERCENT / 100;

	listeners.fds += n;
	if (!timer_is_set(&listeners.title))
		timer_set(&listeners.title, TITLE_MS);
	if (!listeners.paused && listeners.fds >= high)
		listen_pause(1);
	else if (listeners.paused && listeners.fds < high - high / 20)
		listen_pause(0);
}

static void
listen_again(void *arg)
{
	(void)arg;
	conn_fds(0);
}

static void
listen_title(void *arg)
{
	unsigned long	conns = conn_count();

	(void)arg;
	proc_title("%lu connections, %lu streams", conns,
	    (unsigned long)(listeners.fds - FDS_OWN) - conns);
}

/* Room for one more that we know nothing about? Early drop above half. */
static int
listen_admits(const struct addr *a, int trusted)
{
	uint8_t		key[16];
	unsigned int	half = UNCLASSIFIED_MAX / 2;

	if (listeners.unclassified >= UNCLASSIFIED_MAX)
		return (0);
	if (listeners.unclassified > half &&
	    randombytes_uniform(half) < listeners.unclassified - half)
		return (0);
	if (trusted)	/* one address stands for many */
		return (1);
	addr_key(a, key);
	return (rate_count(listeners.by_address, key) < UNCLASSIFIED_ADDRESS);
}

static void
listen_event(evutil_socket_t lfd, short what, void *arg)
{
	struct listener		*l = arg;
	struct sockaddr_storage	 ss;
	struct addr		 a;
	socklen_t		 len;
	int			 fd, i, trusted, one = 1;

	(void)what;
	for (i = 0; i < ACCEPT_BURST && !listeners.paused && !listeners.stopped;
	     i++) {
		len = sizeof(ss);
		fd = accept4(lfd, (struct sockaddr *)&ss, &len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd == -1) {
			if (errno == EMFILE || errno == ENFILE) {
				/* None of ours may ever go: time has to. */
				listen_pause(1);
				timer_set(&listeners.again, AGAIN_MS);
			}
			return;
		}
		addr_of_sockaddr(&a, (struct sockaddr *)&ss);
		trusted = addr_in(&a, listeners.trusted, listeners.n_trusted);
		if (!listen_admits(&a, trusted)) {
			if (listeners.dropped++ % 1000 == 0)
				log_info("connections dropped early: %lu",
				    listeners.dropped);
			close(fd);
			continue;
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		conn_new(fd, l->flags, &a, trusted);
	}
}

void
listen_unclassified(const struct conn *c, int n)
{
	uint8_t	key[16];

	addr_key(&c->peer, key);
	if (n > 0) {
		listeners.unclassified++;
		if (!c->trusted)
			rate_add(listeners.by_address, key);
	} else {
		listeners.unclassified--;
		if (!c->trusted)
			rate_sub(listeners.by_address, key);
	}
}

void
listen_forwarded(struct conn *c, const struct httphead *h)
{
	c->addr = c->peer;
	if (c->trusted)
		(void)addr_forwarded(
		    &c->addr, h, listeners.trusted, listeners.n_trusted);
}
