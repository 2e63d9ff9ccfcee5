/* SPDX-License-Identifier: ISC */
#include <sys/inotify.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "machine.h"
#include "net/net.h"
#include "watch.h"

#define DIR		"/etc/nginx/conf.d"
#define NAME		"ns-ui.conf"
#define SETTLE_MS	1000	/* it is seldom written once */

static struct {
	void		(*fn)(void);
	int		 fd;		/* -1: nothing is watched */
	struct event	 ev;
	struct timer	 timer;
} watch = { .fd = -1 };

static void
watch_settled(void *arg)
{
	(void)arg;
	log_info("%s/%s has changed", DIR, NAME);
	watch.fn();
}

static void
watch_readable(evutil_socket_t fd, short what, void *arg)
{
	union {
		struct inotify_event	e;	/* for its alignment */
		char			buf[4096 + NAME_MAX];
	}				 u;
	const struct inotify_event	*e;
	ssize_t				 n, at;

	(void)what;
	(void)arg;
	if ((n = read(fd, u.buf, sizeof(u.buf))) <= 0)
		return;
	for (at = 0; at + (ssize_t)sizeof(*e) <= n;
	    at += (ssize_t)(sizeof(*e) + e->len)) {
		e = (const struct inotify_event *)(const void *)(u.buf + at);
		if (e->len > 0 && strcmp(e->name, NAME) == 0)
			timer_set(&watch.timer, SETTLE_MS);
	}
}

void
watch_start(void (*fn)(void))
{
	watch.fn = fn;
	timer_init(&watch.timer, watch_settled, NULL);
	if ((watch.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) == -1)
		return;
	/* Written in place, or renamed into its place, or away. */
	if (inotify_add_watch(watch.fd, machine_path(DIR), IN_CLOSE_WRITE |
	    IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR) == -1) {
		close(watch.fd);
		watch.fd = -1;
		return;
	}
	event_assign(&watch.ev, net_base(), watch.fd, EV_READ | EV_PERSIST,
	    watch_readable, NULL);
	event_add(&watch.ev, NULL);
}

void
watch_stop(void)
{
	timer_del(&watch.timer);
	if (watch.fd == -1)
		return;
	event_del(&watch.ev);
	close(watch.fd);
	watch.fd = -1;
}
