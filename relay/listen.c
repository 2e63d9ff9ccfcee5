/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <netinet/in.h>
#include <arpa/inet.h>

#include <event2/event.h>
#include <event2/listener.h>
#include <event2/util.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "conn.h"
#include "listen.h"
#include "net/net.h"
#include "relay.h"

#define CONNS_MAX	64	/* at once: the server has no more for one */

static unsigned		 conns;
static struct sockaddr_un	own;	/* our socket; "" none */

static void
ended(void *arg, enum ended how, const char *why)
{
	(void)arg;
	(void)how;
	conns--;
	if (*why != '\0')
		say("%s: %s", relay.service, why);
}

static void
came(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa,
    int len, void *arg)
{
	(void)l;
	(void)sa;
	(void)len;
	(void)arg;
	if (conns >= CONNS_MAX || conn_start(fd, fd, ended, NULL) == NULL) {
		say("%s: one connection too many", relay.service);
		close(fd);
		return;
	}
	conns++;
}

/* Wait for descriptors: the loop would turn for nothing. */
static void
failed(struct evconnlistener *l, void *arg)
{
	(void)l;
	(void)arg;
	say("accept: %s", strerror(errno));
	usleep(100000);
}

static int
is_loopback(const struct sockaddr_storage *ss)
{
	const struct sockaddr_in	*in = (const void *)ss;
	const struct sockaddr_in6	*in6 = (const void *)ss;

	if (ss->ss_family == AF_INET)
		return (ntohl(in->sin_addr.s_addr) >> 24 == 127);
	return (IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr));
}

/* Addresses only: what a name means may change. Port 0 is any that is free. */
static int
where_parse(const char *where, struct sockaddr_storage *ss, int *len)
{
	struct sockaddr_in	*in = (void *)ss;
	struct sockaddr_in6	*in6 = (void *)ss;
	char			 host[INET6_ADDRSTRLEN + 2] = "127.0.0.1";
	const char		*port = strrchr(where, ':'), *err;
	size_t			 n = port == NULL ? 0 : (size_t)(port - where);

	if (n >= sizeof(host))
		return (-1);
	if (n > 0 && strncmp(where, "localhost:", 10) != 0) {
		memcpy(host, where, n);
		host[n] = '\0';
	}
	in->sin_port = htons((uint16_t)strtonum(port == NULL ? where :
	    port + 1, 0, 65535, &err));
	if (err != NULL)
		return (-1);
	if (host[0] == '[' && n > 0 && host[n - 1] == ']') {
		host[n - 1] = '\0';
		in6->sin6_family = AF_INET6;
		*len = sizeof(*in6);
		return (inet_pton(AF_INET6, host + 1, &in6->sin6_addr) == 1 ?
		    0 : -1);
	}
	in->sin_family = AF_INET;
	*len = sizeof(*in);
	return (inet_pton(AF_INET, host, &in->sin_addr) == 1 ? 0 : -1);
}

/* A path is what has a slash. */
static int
own_parse(const char *where)
{
	own.sun_family = AF_UNIX;
	return (strlcpy(own.sun_path, where, sizeof(own.sun_path)) <
	    sizeof(own.sun_path) ? 0 : -1);
}

/* One that a relay left behind, which nobody answers, is no more. */
static void
own_left(void)
{
	struct stat	sb;
	int		fd;

	if (lstat(own.sun_path, &sb) == -1 || !S_ISSOCK(sb.st_mode) ||
	    (fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1)
		return;
	if (connect(fd, (struct sockaddr *)&own, sizeof(own)) == -1 &&
	    errno == ECONNREFUSED)
		(void)unlink(own.sun_path);
	close(fd);
}

static void
own_remove(int sig)
{
	(void)unlink(own.sun_path);
	signal(sig, SIG_DFL);
	(void)raise(sig);
}

static struct evconnlistener *
own_listen(void)
{
	struct evconnlistener	*l;
	mode_t			 before = umask(0177);

	own_left();
	l = evconnlistener_new_bind(net_base(), came, NULL,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, -1,
	    (struct sockaddr *)&own, sizeof(own));
	(void)umask(before);
	if (l == NULL)
		return (NULL);
	signal(SIGHUP, own_remove);
	signal(SIGINT, own_remove);
	signal(SIGTERM, own_remove);
	say("%s: listening on %s", relay.service, own.sun_path);
	return (l);
}

static void
told(struct evconnlistener *l)
{
	struct sockaddr_storage	 ss;
	socklen_t		 len = sizeof(ss);
	char			 host[INET6_ADDRSTRLEN] = "?";
	const struct sockaddr_in	*in = (const void *)&ss;
	const struct sockaddr_in6	*in6 = (const void *)&ss;

	if (getsockname(evconnlistener_get_fd(l), (struct sockaddr *)&ss,
	    &len) == -1)
		return;
	if (ss.ss_family == AF_INET)
		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
	else
		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
	say(ss.ss_family == AF_INET ? "%s: listening on %s:%u" :
	    "%s: listening on [%s]:%u", relay.service, host,
	    ntohs(in->sin_port));
	if (!is_loopback(&ss))
		say("warning: whoever reaches this address reaches %s of the "
		    "customer, with your token", relay.service);
}

int
listen_start(const char *where)
{
	struct sockaddr_storage	 ss;
	struct evconnlistener	*l;
	int			 len, is_path = strchr(where, '/') != NULL;

	memset(&ss, 0, sizeof(ss));
	if ((is_path ? own_parse(where) : where_parse(where, &ss, &len)) ==
	    -1) {
		say("--listen %s: %s", where, is_path ? "too long a path" :
		    "not [address:]port, and no path of a socket");
		return (-1);
	}
	l = is_path ? own_listen() : evconnlistener_new_bind(net_base(), came, NULL,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE,
	    -1, (struct sockaddr *)&ss, len);
	if (l == NULL) {
		say("--listen %s: %s", where, strerror(errno));
		return (-1);
	}
	evconnlistener_set_error_cb(l, failed);
	if (!is_path)
		told(l);
	return (0);
}
