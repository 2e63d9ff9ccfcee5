/* SPDX-License-Identifier: ISC */
/*
 * metricd: shows what the others count. It may touch its listening sockets,
 * their connections, and everybody's counters, which it can read and not write
 * (metrics/pages.h); it has no channel but the parent's, and nothing to say on
 * that. Nobody is asked when somebody looks, so that one who looks costs nobody
 * time but us, and gets an answer whoever hangs.
 *
 * It starts in main(), connections in conn_accept(); each has one request
 * (request.c), one answer (answer.c), and ends in conn_close(). There are few
 * at once: the oldest makes room for a new one, and all have a deadline.
 */
#include <sys/queue.h>
#include <sys/socket.h>

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answer.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/want.h"
#include "metrics/count.h"
#include "metrics/pages.h"
#include "proc/conf.h"
#include "proc/proc.h"
#include "request.h"

#define CONNS_MAX	16
#define CONN_MS		5000	/* from its first byte to our last */
#define PAUSE_MS	1000	/* when descriptors ran out */
#define FILES		(CONNS_MAX + CONF_METRICS_MAX + 32)

struct conn {
	TAILQ_ENTRY(conn)	 entry;		/* oldest first */
	/* set once */
	int			 fd;
	struct event		*readable, *writable;
	/* state */
	struct timer		 deadline;
	struct request		 request;
	char			*out;		/* the answer; NULL: none yet */
	size_t			 len, sent;
	int			 told;		/* all of it; waits for the end */
};

static const struct dispatch	from_parent[] = {
	PROC_ROWS
	PROC_RELOAD_ROWS
};

static int	on_listener(int, uint32_t, const char *);
static void	run(void);
static void	conn_accept(evutil_socket_t, short, void *);
static void	conn_read(evutil_socket_t, short, void *);
static void	conn_write(evutil_socket_t, short, void *);
static void	conn_late(void *);
static void	conn_close(struct conn *);
static void	accept_resume(void *);

static const struct proc_ops	ops = {
	.role = ROLE_METRICD,
	.table = from_parent,
	.rows = sizeof(from_parent) / sizeof(from_parent[0]),
	.files = FILES,
	.listener = on_listener,
	.counters = pages_take,
	.run = run,
};

static struct {
	struct event		*listeners[CONF_METRICS_MAX];
	int			 fds[CONF_METRICS_MAX];
	unsigned		 nlisteners;
	struct timer		 resume;
	TAILQ_HEAD(, conn)	 conns;
	unsigned		 nconns;
} metricd = { .conns = TAILQ_HEAD_INITIALIZER(metricd.conns) };

int
main(int argc, char **argv)
{
	pages_own(ROLE_METRICD);
	proc_main(&ops, argc, argv);
}

static int
on_listener(int fd, uint32_t flags, const char *addr)
{
	(void)addr;
	if (metricd.nlisteners == CONF_METRICS_MAX ||
	    !(flags & LISTEN_METRICS)) {
		close(fd);
		return (-1);
	}
	metricd.fds[metricd.nlisteners++] = fd;
	return (0);
}

static void
run(void)
{
	struct event	*ev;
	unsigned	 i;

	if (metricd.nlisteners == 0)
		fatalx("nowhere to listen");
	for (i = 0; i < metricd.nlisteners; i++) {
		ev = event_new(proc_base(), metricd.fds[i], EV_READ |
		    EV_PERSIST, conn_accept, NULL);
		if (ev == NULL || event_add(ev, NULL) == -1)
			fatalx("out of memory");
		metricd.listeners[i] = ev;
	}
	timer_init(&metricd.resume, accept_resume, NULL);
}

static void
accept_resume(void *arg)
{
	unsigned	i;

	(void)arg;
	for (i = 0; i < metricd.nlisteners; i++)
		event_want(metricd.listeners[i], NULL);
}

static void
accept_pause(void)
{
	unsigned	i;

	log_warn("accept");
	for (i = 0; i < metricd.nlisteners; i++)
		event_del(metricd.listeners[i]);
	timer_set(&metricd.resume, PAUSE_MS);
}

static void
conn_accept(evutil_socket_t listener, short what, void *arg)
{
	struct conn	*c;
	int		 fd;

	(void)what;
	(void)arg;
	/* cppcheck-suppress nullPointer ; nobody asks for the address */
	fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd == -1) {
		if (errno == EMFILE || errno == ENFILE ||
		    errno == ENOMEM || errno == ENOBUFS)
			accept_pause();
		return;
	}
	if (metricd.nconns == CONNS_MAX) {
		count(CT_SCRAPE_CROWDED);
		conn_close(TAILQ_FIRST(&metricd.conns));
	}
	if ((c = calloc(1, sizeof(*c))) == NULL) {
		close(fd);
		return;
	}
	c->fd = fd;
	TAILQ_INSERT_TAIL(&metricd.conns, c, entry);
	metricd.nconns++;
	timer_init(&c->deadline, conn_late, c);
	timer_set(&c->deadline, CONN_MS);
	c->readable = event_new(proc_base(), fd, EV_READ | EV_PERSIST,
	    conn_read, c);
	c->writable = event_new(proc_base(), fd, EV_WRITE, conn_write, c);
	if (c->readable == NULL || c->writable == NULL ||
	    event_add(c->readable, NULL) == -1)
		conn_close(c);
}

/* The one way out. */
static void
conn_close(struct conn *c)
{
	timer_del(&c->deadline);
	if (c->readable != NULL)
		event_free(c->readable);
	if (c->writable != NULL)
		event_free(c->writable);
	TAILQ_REMOVE(&metricd.conns, c, entry);
	metricd.nconns--;
	close(c->fd);
	free(c->out);
	free(c);
}

static void
conn_late(void *arg)
{
	struct conn	*c = arg;

	if (!c->told)
		count(CT_SCRAPE_SLOW);
	conn_close(c);
}

/* What comes behind the request is read and dropped, up to the deadline. */
static void
conn_read(evutil_socket_t fd, short what, void *arg)
{
	struct conn		*c = arg;
	enum request_what	 wanted;
	char			 rest[1024];
	ssize_t			 n;

	(void)what;
	if (c->out == NULL)
		n = read(fd, c->request.buf + c->request.len,
		    sizeof(c->request.buf) - c->request.len);
	else
		n = read(fd, rest, sizeof(rest));
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		conn_close(c);
		return;
	}
	if (c->out != NULL)
		return;
	c->request.len += (size_t)n;
	if ((wanted = request_read(&c->request)) == REQUEST_INCOMPLETE)
		return;
	count(wanted == REQUEST_METRICS || wanted == REQUEST_OPENMETRICS ?
	    CT_SCRAPE_SERVED : CT_SCRAPE_OTHER);
	if ((c->out = answer_make(wanted, c->request.is_head, &c->len)) ==
	    NULL) {
		conn_close(c);
		return;
	}
	conn_write(fd, EV_WRITE, c);
}

static void
conn_write(evutil_socket_t fd, short what, void *arg)
{
	struct conn	*c = arg;
	ssize_t		 n;

	(void)what;
	while (c->sent < c->len) {
		n = write(fd, c->out + c->sent, c->len - c->sent);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN) {
			if (event_add(c->writable, NULL) == -1)
				conn_close(c);
			return;
		}
		if (n == -1) {
			conn_close(c);
			return;
		}
		c->sent += (size_t)n;
	}
	c->told = 1;
	(void)shutdown(fd, SHUT_WR);
}
