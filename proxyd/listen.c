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
#include "conf.h"
#include "listen.h"
#include "log.h"
#include "proc.h"
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
} li;

int
conn_listen(int fd, uint32_t flags)
{
	int	fl;

	if (li.n == CONF_LISTEN_MAX || (fl = fcntl(fd, F_GETFL)) == -1 ||
	    fcntl(fd, F_SETFL, fl | O_NONBLOCK) == -1) {
		close(fd);
		return (-1);
	}
	li.l[li.n].fd = fd;
	li.l[li.n].flags = flags;
	li.n++;
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
		memcpy(li.trusted, nets, i * sizeof(nets[0]));
	li.n_trusted = i;
	return (0);
}

void
conn_run(void)
{
	struct rlimit	rl;
	unsigned int	i;

	/* Counts of what is here, not of a window: they never run out. */
	li.by_address = rate_new(UINT64_MAX, 2 * UNCLASSIFIED_MAX);
	if (li.by_address == NULL)
		fatal("listen");
	li.fds_max = getrlimit(RLIMIT_NOFILE, &rl) == 0 &&
	    rl.rlim_cur < (1 << 20) ? (long)rl.rlim_cur : 1 << 20;
	li.fds = FDS_OWN;
	timer_init(&li.title, listen_title, NULL);
	timer_init(&li.again, listen_again, NULL);
	for (i = 0; i < li.n; i++) {
		event_assign(&li.l[i].ev, proc_base(), li.l[i].fd,
		    EV_READ | EV_PERSIST, listen_event, &li.l[i]);
		event_add(&li.l[i].ev, NULL);
	}
	li.running = 1;
}

void
listen_stop(void)
{
	unsigned int	i;

	for (i = 0; i < li.n; i++) {
		if (li.running && !li.paused)
			event_del(&li.l[i].ev);
		close(li.l[i].fd);
	}
	li.n = 0;
	li.stopped = 1;
}

static void
listen_pause(int pause)
{
	unsigned int	i;

	if (pause == li.paused || li.stopped)
		return;
	li.paused = pause;
	log_warnx("%s", pause ? "out of descriptors: accepting pauses" :
	    "accepting again");
	for (i = 0; i < li.n; i++)
		if (pause)
			event_del(&li.l[i].ev);
		else
			event_add(&li.l[i].ev, NULL);
}

void
conn_fds(int n)
{
	long	high = li.fds_max - li.fds_max * FDS_SPARE_PERCENT / 100;

	li.fds += n;
	if (!timer_is_set(&li.title))
		timer_set(&li.title, TITLE_MS);
	if (!li.paused && li.fds >= high)
		listen_pause(1);
	else if (li.paused && li.fds < high - high / 20)
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
	    (unsigned long)(li.fds - FDS_OWN) - conns);
}

/* Room for one more that we know nothing about? Early drop above half. */
static int
listen_admits(const struct addr *a, int trusted)
{
	uint8_t		key[16];
	unsigned int	half = UNCLASSIFIED_MAX / 2;

	if (li.unclassified >= UNCLASSIFIED_MAX)
		return (0);
	if (li.unclassified > half &&
	    randombytes_uniform(half) < li.unclassified - half)
		return (0);
	if (trusted)	/* one address stands for many */
		return (1);
	addr_key(a, key);
	return (rate_count(li.by_address, key) < UNCLASSIFIED_ADDRESS);
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
	for (i = 0; i < ACCEPT_BURST && !li.paused && !li.stopped; i++) {
		len = sizeof(ss);
		fd = accept4(lfd, (struct sockaddr *)&ss, &len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd == -1) {
			if (errno == EMFILE || errno == ENFILE) {
				/* None of ours may ever go: time has to. */
				listen_pause(1);
				timer_set(&li.again, AGAIN_MS);
			}
			return;
		}
		addr_of_sockaddr(&a, (struct sockaddr *)&ss);
		trusted = addr_in(&a, li.trusted, li.n_trusted);
		if (!listen_admits(&a, trusted)) {
			if (li.dropped++ % 1000 == 0)
				log_info("connections dropped early: %lu",
				    li.dropped);
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
		li.unclassified++;
		if (!c->trusted)
			rate_add(li.by_address, key);
	} else {
		li.unclassified--;
		if (!c->trusted)
			rate_sub(li.by_address, key);
	}
}

void
listen_forwarded(struct conn *c, const struct httphead *h)
{
	c->addr = c->peer;
	if (c->trusted)
		(void)addr_forwarded(&c->addr, h, li.trusted, li.n_trusted);
}
