/* SPDX-License-Identifier: ISC */
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "consent.h"
#include "status.h"
#include "statussock.h"

#define CLIENTS_MAX	16
#define AGAIN_MS	1000	/* without a descriptor for the next */
#define CLIENT_S	5	/* for one that says or takes nothing */

struct asker {
	TAILQ_ENTRY(asker)	 entry;
	struct bufferevent	*bev;
	int			 answered;
};

static struct {
	struct event_base	*base;
	struct sockaddr_un	 sun;
	int			 fd;
	struct event		*ev;
	struct timer		 again;
	unsigned		 n;
	TAILQ_HEAD(, asker)	 all;
} sock = { .fd = -1, .all = TAILQ_HEAD_INITIALIZER(sock.all) };

static void	listen_again(void *);
static void	asker_new(evutil_socket_t, short, void *);
static void	asker_line(struct bufferevent *, void *);
static void	asker_wrote(struct bufferevent *, void *);
static void	asker_event(struct bufferevent *, short, void *);
static void	asker_free(struct asker *);

/* Making it. */

/* Only the last directory is made: /run is there. */
static void
make_dir(const char *path)
{
	char	dir[sizeof(sock.sun.sun_path)], *slash;

	strlcpy(dir, path, sizeof(dir));
	if ((slash = strrchr(dir, '/')) != NULL && slash != dir) {
		*slash = '\0';
		(void)mkdir(dir, 0755);
	}
}

/* Nobody answers at what a client that was killed has left behind. */
static const char *
clear_stale(void)
{
	int	fd, r;

	/* One whose queue is full is there, and is not waited for. */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return (strerror(errno));
	r = connect(fd, (struct sockaddr *)&sock.sun, sizeof(sock.sun));
	if (r == -1 && errno == ECONNREFUSED)
		(void)unlink(sock.sun.sun_path);
	r = r == 0 || errno == EAGAIN;
	close(fd);
	return (r ? "another client has it" : NULL);
}

static const char *
permit(const char *group)
{
	struct group	*gr;

	if (*group == '\0')
		return (NULL);
	if ((gr = getgrnam(group)) == NULL)
		return ("no such group");
	if (chown(sock.sun.sun_path, (uid_t)-1, gr->gr_gid) == -1 ||
	    chmod(sock.sun.sun_path, 0660) == -1)
		return (strerror(errno));
	return (NULL);
}

static const char *
make_socket(const char *group)
{
	const char	*why;
	mode_t		 mask;
	int		 r;

	make_dir(sock.sun.sun_path);
	if ((why = clear_stale()) != NULL)
		return (why);
	sock.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0);
	if (sock.fd == -1)
		return (strerror(errno));
	mask = umask(0177);
	r = bind(sock.fd, (struct sockaddr *)&sock.sun, sizeof(sock.sun));
	umask(mask);
	if (r == -1) {
		why = strerror(errno);
		close(sock.fd);
		sock.fd = -1;
		return (why);
	}
	if ((why = permit(group)) == NULL && listen(sock.fd, 16) == -1)
		why = strerror(errno);
	return (why);
}

void
statussock_open(struct event_base *base, const char *path, const char *group)
{
	const char	*why = NULL;

	if (strcmp(path, "none") == 0)
		return;
	sock.base = base;
	timer_init(&sock.again, listen_again, NULL);
	sock.sun.sun_family = AF_UNIX;
	if (strlcpy(sock.sun.sun_path, path, sizeof(sock.sun.sun_path)) >=
	    sizeof(sock.sun.sun_path))
		why = "the path is too long";
	else if ((why = make_socket(group)) == NULL) {
		sock.ev = event_new(base, sock.fd, EV_READ | EV_PERSIST,
		    asker_new, NULL);
		if (sock.ev == NULL || event_add(sock.ev, NULL) == -1)
			why = "out of memory";
	}
	if (why == NULL)
		return;
	log_warnx("%s: %s: nobody can ask for the status", path, why);
	statussock_close();
}

void
statussock_close(void)
{
	struct asker	*a;

	while ((a = TAILQ_FIRST(&sock.all)) != NULL)
		asker_free(a);
	timer_del(&sock.again);
	if (sock.ev != NULL)
		event_free(sock.ev);
	sock.ev = NULL;
	if (sock.fd == -1)
		return;
	close(sock.fd);
	sock.fd = -1;
	(void)unlink(sock.sun.sun_path);
}

/* Who asks. */

static void
listen_again(void *arg)
{
	(void)arg;
	event_add(sock.ev, NULL);
}

static void
asker_new(evutil_socket_t lfd, short what, void *arg)
{
	struct timeval	 limit = { .tv_sec = CLIENT_S };
	struct asker	*a;
	int		 fd;

	(void)what;
	(void)arg;
	/* cppcheck-suppress nullPointer ; nobody asks for the address */
	fd = accept4(lfd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd == -1) {
		/* He still waits there: do not look at him all the time. */
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
			event_del(sock.ev);
			timer_set(&sock.again, AGAIN_MS);
		}
		return;
	}
	if (sock.n >= CLIENTS_MAX || (a = calloc(1, sizeof(*a))) == NULL) {
		close(fd);
		return;
	}
	a->bev = bufferevent_socket_new(sock.base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (a->bev == NULL) {
		close(fd);
		free(a);
		return;
	}
	TAILQ_INSERT_TAIL(&sock.all, a, entry);
	sock.n++;
	bufferevent_setcb(a->bev, asker_line, asker_wrote, asker_event, a);
	bufferevent_setwatermark(a->bev, EV_READ, 0, STATUSSOCK_LINE);
	bufferevent_set_timeouts(a->bev, &limit, &limit);
	bufferevent_enable(a->bev, EV_READ | EV_WRITE);
}

static void
answer(struct asker *a, const char *line)
{
	struct evbuffer	*out = bufferevent_get_output(a->bev);
	char		*text, reply[1400];

	a->answered = 1;
	bufferevent_disable(a->bev, EV_READ);
	if (strcmp(line, "status") == 0 && (text = status_json()) != NULL) {
		evbuffer_add_printf(out, "OK\n%s", text);
		free(text);
	} else if (strncmp(line, "consent ", 8) == 0) {
		if (consent_order(line + 8, reply, sizeof(reply)) == 0)
			evbuffer_add_printf(out, "OK\n");
		else
			evbuffer_add_printf(out, "ERROR %s\n", reply);
	} else
		evbuffer_add_printf(out, "ERROR this client does not know "
		    "that\n");
}

static void
asker_line(struct bufferevent *bev, void *arg)
{
	struct evbuffer	*in = bufferevent_get_input(bev);
	struct asker	*a = arg;
	char		*line;

	line = evbuffer_readln(in, NULL, EVBUFFER_EOL_LF);
	if (line != NULL)
		answer(a, line);
	else if (evbuffer_get_length(in) >= STATUSSOCK_LINE)
		asker_free(a);
	free(line);
}

static void
asker_wrote(struct bufferevent *bev, void *arg)
{
	struct asker	*a = arg;

	(void)bev;
	if (a->answered)
		asker_free(a);
}

static void
asker_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	(void)what;
	asker_free(arg);
}

static void
asker_free(struct asker *a)
{
	TAILQ_REMOVE(&sock.all, a, entry);
	sock.n--;
	bufferevent_free(a->bev);
	free(a);
}
