/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>
#include <arpa/inet.h>

#include <event2/event.h>
#include <event2/listener.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "conn.h"
#include "many.h"
#include "relay.h"

#define AGAIN_MS	1000	/* a channel that could not be had, again */

struct channel {
	unsigned	 number;
	int		 busy;
	/* where they go */
	struct conn	*conn;		/* waits, or has its connection */
	struct dial	*dial;		/* of its target */
	int		 called;
	struct timer	 again;
};

static struct channel		 channels[MANY_MAX];
static unsigned			 nchannels, nbusy, last;
static struct evconnlistener	*listener;
static struct dial_how		 target;
static const char		*session;	/* without a channel */

/* The session's name is that of the channel, as long as somebody begins. */
static void
channel_name(const struct channel *ch)
{
	static char	name[128];

	snprintf(name, sizeof(name), "%s~%u", session, ch->number);
	relay.session = name;
}

static int
many_init(unsigned n)
{
	unsigned	i;

	if (strchr(relay.session, '~') != NULL) {
		say("--channels: the session is without one");
		return (-1);
	}
	session = relay.session;
	nchannels = n;
	for (i = 0; i < n; i++)
		channels[i].number = i;
	return (0);
}

/* The session is over, or is not ours: no channel will ever be had. */
static int
is_over(enum ended how, const char *why)
{
	if (how != ENDED_REFUSED && strcmp(why, "session closed") != 0 &&
	    strcmp(why, "session expired") != 0)
		return (0);
	say("%s", why);
	tool_end(EXIT_REFUSED);
	return (1);
}

/* ---- where they come from ---- */

static void
came_ended(void *arg, enum ended how, const char *why)
{
	struct channel	*ch = arg;

	ch->busy = 0;
	nbusy--;
	if (is_over(how, why))
		return;
	if (*why != '\0')
		say("channel %u: %s", ch->number, why);
	evconnlistener_enable(listener);
}

/* In turn, so that the other end has time to come back to one. */
static struct channel *
channel_free(void)
{
	unsigned	i, k;

	for (i = 1; i <= nchannels; i++) {
		k = (last + i) % nchannels;
		if (!channels[k].busy) {
			last = k;
			return (&channels[k]);
		}
	}
	return (NULL);
}

static void
came(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa,
    int len, void *arg)
{
	struct channel	*ch = channel_free();

	(void)sa;
	(void)len;
	(void)arg;
	if (ch != NULL)
		channel_name(ch);
	if (ch == NULL || conn_start_hello(fd, came_ended, ch) == NULL) {
		close(fd);
		return;
	}
	ch->busy = 1;
	/* The next one waits in the kernel. */
	if (++nbusy == nchannels)
		evconnlistener_disable(l);
}

int
many_listen(const struct sockaddr_in *in, unsigned n)
{
	struct sockaddr_in	at;
	char			host[INET_ADDRSTRLEN];
	socklen_t		size = sizeof(at);

	if (many_init(n) == -1)
		return (-1);
	last = n - 1;
	listener = evconnlistener_new_bind(relay.base, came, NULL,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE,
	    -1, (const struct sockaddr *)in, sizeof(*in));
	if (listener == NULL || getsockname(evconnlistener_get_fd(listener),
	    (struct sockaddr *)&at, &size) == -1) {
		say("cannot listen: %s", strerror(errno));
		return (-1);
	}
	if (inet_ntop(AF_INET, &at.sin_addr, host, sizeof(host)) != NULL)
		say("listening on %s:%u", host, ntohs(at.sin_port));
	return (0);
}

/* ---- where they go ---- */

static void
target_dialed(void *arg, struct sock *s, const char *why)
{
	struct channel	*ch = arg;
	int		 fd;

	ch->dial = NULL;
	if (why != NULL) {
		say("channel %u: %s", ch->number, why);
		conn_refuse(ch->conn);
		return;
	}
	fd = s->fd;
	s->fd = -1;
	conn_join(ch->conn, fd);
}

static void
called(void *arg)
{
	struct channel	*ch = arg;

	ch->called = 1;
	ch->dial = dial_start(&target, target_dialed, ch);
	if (ch->dial == NULL)
		conn_refuse(ch->conn);
}

static void
wait_ended(void *arg, enum ended how, const char *why)
{
	struct channel	*ch = arg;

	ch->conn = NULL;
	if (ch->dial != NULL)
		dial_cancel(ch->dial);
	ch->dial = NULL;
	if (is_over(how, why))
		return;
	if (how == ENDED_UNREACHED && ch->number == 0)
		say("%s", why);
	timer_set(&ch->again, ch->called ? 0 : AGAIN_MS);
}

static void
channel_wait(void *arg)
{
	struct channel	*ch = arg;

	ch->called = 0;
	channel_name(ch);
	if ((ch->conn = conn_wait(called, wait_ended, ch)) == NULL)
		timer_set(&ch->again, AGAIN_MS);
}

int
many_dial(const struct dial_how *to, unsigned n)
{
	unsigned	i;

	if (many_init(n) == -1)
		return (-1);
	target = *to;
	for (i = 0; i < n; i++) {
		timer_init(&channels[i].again, channel_wait, &channels[i]);
		channel_wait(&channels[i]);
	}
	return (0);
}
