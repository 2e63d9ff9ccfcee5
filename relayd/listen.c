/* SPDX-License-Identifier: ISC */
/* The sockets that only the parent may bind. */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "base/log.h"
#include "entries.h"
#include "upgrade.h"

#define BACKLOG		1024
#define CONTROL_BACKLOG	32
#define CONTROL_GROUP	"relayd"

/*
 * Each proxyd has listening sockets of its own, bound for it when it starts
 * (SO_REUSEPORT): what a broken one does to them, which options it sets or that
 * it shuts them down, is nobody else's, and goes with it, but at an upgrade
 * (entries.h). What we keep here is only bound: it holds the port.
 */
static struct {
	struct door {
		struct sockaddr_storage	addr;
		socklen_t		len;
		int			held;	/* bound, not listening */
		int			next;	/* for who comes next, or -1 */
	} doors[CONF_LISTEN_MAX], metrics[CONF_METRICS_MAX];
	/* those of a configuration that is being judged */
	struct door	judged[CONF_METRICS_MAX];
	unsigned	njudged;
	int	control, looking;	/* -1: none */
	char	control_path[104];	/* what we bound, to remove it */
	char	looking_path[104];
} sockets = { .control = -1, .looking = -1 };

/* What the program before us had bound, until it is used or closed. */
#define TAKEN_MAX	(CONF_LISTEN_MAX + CONF_METRICS_MAX + 2)

static struct {
	struct door	doors[TAKEN_MAX];
	struct {
		int	fd;
		char	path[104];
	}		desks[TAKEN_MAX];
	unsigned	ndoors, ndesks;
} taken;

static int	door_open(struct door *, const struct conf_listen *);
static void	door_init(struct door *, const struct conf_listen *);
static int	door_bind(const struct door *);
static int	control_bind(const char *, const char *);
static int	desk_again(const char *);
static void	taken_close(void);

void
listen_init(void)
{
	const struct conf	*c = &env()->conf;
	unsigned		 i;

	for (i = 0; i < c->n_listen; i++)
		door_init(&sockets.doors[i], &c->listen[i]);
	for (i = 0; i < c->n_metrics; i++)
		door_init(&sockets.metrics[i], &c->metrics[i]);
	sockets.control = control_bind(c->control_path, CONTROL_GROUP);
	strlcpy(sockets.control_path, c->control_path,
	    sizeof(sockets.control_path));
	if (c->looking_path[0] != '\0') {
		sockets.looking = control_bind(c->looking_path,
		    c->looking_group);
		strlcpy(sockets.looking_path, c->looking_path,
		    sizeof(sockets.looking_path));
	}
	taken_close();
}

/* ---- across an upgrade ---- */

static void
door_save(struct table_put *t, const struct door *d)
{
	struct table_record	r = { .type = TABLE_DOOR };

	r.door = (struct table_door){ .address = { &d->addr, d->len },
	    .fd = (uint32_t)d->held, .inode = tablefile_inode(d->held) };
	table_add(t, &r);
}

static void
desk_save(struct table_put *t, int fd, const char *path)
{
	struct table_record	r = { .type = TABLE_DESK };

	if (fd == -1)
		return;
	r.desk = (struct table_desk){ .path = path, .fd = (uint32_t)fd,
	    .inode = tablefile_inode(fd) };
	table_add(t, &r);
}

void
listen_save(struct table_put *t)
{
	const struct conf	*c = &env()->conf;
	unsigned		 i;

	for (i = 0; i < c->n_listen; i++)
		door_save(t, &sockets.doors[i]);
	for (i = 0; i < c->n_metrics; i++)
		door_save(t, &sockets.metrics[i]);
	desk_save(t, sockets.control, sockets.control_path);
	desk_save(t, sockets.looking, sockets.looking_path);
}

void
listen_take_door(const struct table_door *in)
{
	struct door	*d = &taken.doors[taken.ndoors];

	if (taken.ndoors == TAKEN_MAX || in->address.len > sizeof(d->addr)) {
		close((int)in->fd);
		return;
	}
	memcpy(&d->addr, in->address.p, in->address.len);
	d->len = (socklen_t)in->address.len;
	d->held = (int)in->fd;
	d->next = -1;
	taken.ndoors++;
}

void
listen_take_desk(const struct table_desk *in)
{
	if (taken.ndesks == TAKEN_MAX) {
		close((int)in->fd);
		return;
	}
	taken.desks[taken.ndesks].fd = (int)in->fd;
	strlcpy(taken.desks[taken.ndesks].path, in->path,
	    sizeof(taken.desks[0].path));
	taken.ndesks++;
}

static int
desk_again(const char *path)
{
	unsigned	i;
	int		fd;

	for (i = 0; i < taken.ndesks; i++)
		if (taken.desks[i].fd != -1 &&
		    strcmp(taken.desks[i].path, path) == 0) {
			fd = taken.desks[i].fd;
			taken.desks[i].fd = -1;
			return (fd);
		}
	return (-1);
}

/* What the configuration of now has no more. */
static void
taken_close(void)
{
	unsigned	i;

	for (i = 0; i < taken.ndoors; i++)
		if (taken.doors[i].held != -1)
			close(taken.doors[i].held);
	for (i = 0; i < taken.ndesks; i++)
		if (taken.desks[i].fd != -1) {
			unlink(taken.desks[i].path);
			close(taken.desks[i].fd);
		}
	taken.ndoors = taken.ndesks = 0;
}

void
listen_close(void)
{
	if (sockets.control != -1)
		unlink(sockets.control_path);
	if (sockets.looking != -1)
		unlink(sockets.looking_path);
}

/* The address as bind(2) wants it; the parser has checked it. */
static socklen_t
listener_address(const struct conf_listen *l, struct sockaddr_storage *ss)
{
	struct sockaddr_in	*sin = (struct sockaddr_in *)ss;
	struct sockaddr_in6	*sin6 = (struct sockaddr_in6 *)ss;

	memset(ss, 0, sizeof(*ss));
	if (inet_pton(AF_INET, l->address, &sin->sin_addr) == 1) {
		sin->sin_family = AF_INET;
		sin->sin_port = htons(l->port);
		return (sizeof(*sin));
	}
	if (inet_pton(AF_INET6, l->address, &sin6->sin6_addr) != 1)
		fatalx("listen: bad address %s", l->address);
	sin6->sin6_family = AF_INET6;
	sin6->sin6_port = htons(l->port);
	return (sizeof(*sin6));
}

/* A socket with this address, -1 with errno. */
static int
door_socket(const struct door *d, int shared)
{
	int	fd, on = 1, saved;

	fd = socket(d->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0);
	if (fd == -1)
		return (-1);
	/* ":: port 80" and "0.0.0.0 port 80" are two listeners. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	    (!shared || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on,
	    sizeof(on)) == 0) && (d->addr.ss_family != AF_INET6 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0) &&
	    bind(fd, (const struct sockaddr *)&d->addr, d->len) == 0)
		return (fd);
	saved = errno;
	close(fd);
	errno = saved;
	return (-1);
}

/* Nobody else may listen there: a shared socket would not notice. */
static int
door_alone(const struct door *d)
{
	int	fd, r, saved;

	if ((fd = door_socket(d, 0)) == -1)
		return (-1);
	r = listen(fd, 1);
	saved = errno;
	close(fd);
	errno = saved;
	return (r);
}

static uint16_t
door_port(const struct door *d)
{
	return (d->addr.ss_family == AF_INET ?
	    ntohs(((const struct sockaddr_in *)&d->addr)->sin_port) :
	    ntohs(((const struct sockaddr_in6 *)&d->addr)->sin6_port));
}

static int
is_at(const struct door *d, const struct door *wanted)
{
	struct door	a = *wanted;

	if (door_port(&a) == 0 && a.addr.ss_family == AF_INET)
		((struct sockaddr_in *)&a.addr)->sin_port =
		    htons(door_port(d));
	else if (door_port(&a) == 0)
		((struct sockaddr_in6 *)&a.addr)->sin6_port =
		    htons(door_port(d));
	return (d->held != -1 && d->len == a.len &&
	    memcmp(&d->addr, &a.addr, a.len) == 0);
}

/* The one that was there before, if there was. */
static int
door_again(struct door *d)
{
	unsigned	i;

	for (i = 0; i < taken.ndoors; i++)
		if (is_at(&taken.doors[i], d)) {
			*d = taken.doors[i];
			taken.doors[i].held = -1;
			return (0);
		}
	return (-1);
}

/* Take the port. 0, or -1 with errno. */
static int
door_open(struct door *d, const struct conf_listen *l)
{
	uint16_t	port;

	d->next = d->held = -1;
	d->len = listener_address(l, &d->addr);
	if (door_again(d) == 0)
		return (0);
	if ((l->port != 0 && door_alone(d) == -1) ||
	    (d->held = door_socket(d, 1)) == -1 ||
	    getsockname(d->held, (struct sockaddr *)&d->addr, &d->len) == -1)
		return (-1);
	port = door_port(d);
	log_info("listening on %s port %u%s%s%s%s%s%s%s%s", l->address, port,
	    (l->flags & LISTEN_INTERNAL) ? " internal" : "",
	    (l->flags & LISTEN_TUNNEL) ? " tunnel" : "",
	    (l->flags & LISTEN_TLS) ? " tls" :
	    (l->flags & LISTEN_ADMIN) ? " admin" :
	    (l->flags & LISTEN_METRICS) ? " metrics" : "",
	    (l->flags & LISTEN_PAIR) ? " pair" : "",
	    (l->flags & LISTEN_RELAY) ? " relay" : "",
	    (l->flags & LISTEN_ONLY) ? " only" : "",
	    (l->flags & LISTEN_PROXY) ? " proxy protocol" : "",
	    (l->flags & LISTEN_PEER) ? " peer" : "");
	return (0);
}

static void
door_init(struct door *d, const struct conf_listen *l)
{
	if (door_open(d, l) == -1)
		fatal("listen on %s port %u: bind", l->address, l->port);
}

/* A new listening socket, -1 after a line. */
static int
door_bind(const struct door *d)
{
	int	fd = door_socket(d, 1);

	if (fd != -1 && listen(fd, BACKLOG) == 0)
		return (fd);
	log_warn("listen");
	if (fd != -1)
		close(fd);
	return (-1);
}

/* Is this listener for who has these flags (RF_*)? */
static int
is_for(const struct conf_listen *l, unsigned flags)
{
	return ((flags & (l->flags & LISTEN_TLS ? RF_TLS : RF_DOORS)) != 0);
}

/* Nobody listens any more: connections wait for who comes next. */
void
listen_prepare(int role)
{
	const struct conf	*c = &env()->conf;
	struct door		*d = sockets.doors;
	unsigned		 i;

	for (i = 0; i < c->n_listen; i++, d++)
		if (is_for(&c->listen[i], role_info(role)->flags) &&
		    d->next == -1)
			d->next = door_bind(d);
}

/*
 * What a dead daemon left is removed, and only that: not a file, not a socket
 * that somebody answers.
 */
static void
control_unstale(const char *path, const struct sockaddr_un *sun)
{
	struct stat	st;
	int		fd, answered;

	if (lstat(path, &st) == -1) {
		if (errno == ENOENT)
			return;
		fatal("control socket %s", path);
	}
	if (!S_ISSOCK(st.st_mode))
		fatalx("control socket %s: something else is there", path);
	if ((fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, 0)) == -1)
		fatal("socket");
	answered = connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) !=
	    -1 || errno != ECONNREFUSED;
	close(fd);
	if (answered)
		fatalx("control socket %s: another relayd answers", path);
	if (unlink(path) == -1)
		fatal("control socket %s: unlink", path);
}

/* Root and a group ("": nobody else) may connect. */
static int
control_bind(const char *path, const char *group)
{
	struct sockaddr_un	 sun = { .sun_family = AF_UNIX };
	const struct group	*gr;
	mode_t			 mask;
	int			 fd;

	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >=
	    sizeof(sun.sun_path))
		fatalx("control socket %s: the path is too long", path);
	if ((fd = desk_again(path)) != -1)
		return (fd);
	control_unstale(path, &sun);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		fatal("control socket: socket");
	mask = umask(0117);		/* 0660 from the first moment */
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1)
		fatal("control socket %s: bind", path);
	umask(mask);
	if (env()->root && group[0] != '\0') {
		if ((gr = getgrnam(group)) == NULL)
			log_info("no group %s: only root can use %s", group,
			    path);
		else if (lchown(path, 0, gr->gr_gid) == -1)
			fatal("control socket %s: chown", path);
	}
	(void)imsg_refuse_fds(fd);	/* its connections inherit that */
	if (listen(fd, CONTROL_BACKLOG) == -1)
		fatal("control socket %s: listen", path);
	return (fd);
}

static int
desk_send(struct child *to, int fd, uint32_t flags)
{
	int	copy;

	if ((copy = fcntl(fd, F_DUPFD_CLOEXEC, 0)) == -1)
		return (-1);
	return (say_listener(to->chan, 0, copy, &(struct msg_listener){
	    .flags = flags, .addr = "control" }));
}

static int
door_send(struct child *to, struct door *d, const struct conf_listen *l)
{
	int	fd = entries_inherit(to, &d->addr, d->len);

	if (fd == -1) {
		fd = d->next != -1 ? d->next : door_bind(d);
		d->next = -1;
		if (fd == -1)
			return (-1);
		entries_keep(to, &d->addr, d->len, fd);
	}
	return (say_listener(to->chan, 0, fd, &(struct msg_listener){
	    .flags = l->flags, .addr = l->address }));
}

int
listen_send(struct child *to)
{
	const struct conf	*c = &env()->conf;
	unsigned		 i, flags = role_info(to->role)->flags;
	int			 r = 0;

	if (flags & RF_DESK) {
		r |= desk_send(to, sockets.control, 0);
		if (sockets.looking != -1)
			r |= desk_send(to, sockets.looking, LISTEN_READONLY);
	}
	for (i = 0; i < c->n_listen; i++)
		if (is_for(&c->listen[i], flags))
			r |= door_send(to, &sockets.doors[i], &c->listen[i]);
	if (flags & RF_METRICS)
		for (i = 0; i < c->n_metrics; i++)
			r |= door_send(to, &sockets.metrics[i], &c->metrics[i]);
	return (r);
}

/* The listeners for metrics, which may change while we run. */

static int
is_same_listener(const struct conf_listen *a, const struct conf_listen *b)
{
	return (strcmp(a->address, b->address) == 0 && a->port == b->port);
}

/* The place of one that we have already, or -1. */
static int
metrics_find(const struct conf_listen *l)
{
	const struct conf	*c = &env()->conf;
	unsigned		 i;

	for (i = 0; i < c->n_metrics; i++)
		if (is_same_listener(l, &c->metrics[i]))
			return ((int)i);
	return (-1);
}

int
listen_judge(const struct conf *new, char *err, size_t err_size)
{
	const struct conf_listen	*l;
	struct door			*d;
	int				 old;

	for (sockets.njudged = 0; sockets.njudged < new->n_metrics;
	    sockets.njudged++) {
		l = &new->metrics[sockets.njudged];
		d = &sockets.judged[sockets.njudged];
		if ((old = metrics_find(l)) != -1)
			*d = sockets.metrics[old];
		else if (door_open(d, l) == -1) {
			snprintf(err, err_size, "listen on %s port %u: %s",
			    l->address, l->port, strerror(errno));
			if (d->held != -1)
				close(d->held);
			(void)listen_judged(0);
			return (-1);
		}
	}
	return (0);
}

/* Close what is in one list and not in the other. */
static void
metrics_close(const struct door *d, unsigned n, const struct door *other,
    unsigned nother)
{
	unsigned	i;

	for (; n > 0; n--, d++) {
		for (i = 0; i < nother && other[i].held != d->held; i++)
			continue;
		if (i == nother)
			close(d->held);
	}
}

int
listen_judged(int yes)
{
	unsigned	n = env()->conf.n_metrics, i;
	int		changed = n != sockets.njudged;

	if (!yes) {
		metrics_close(sockets.judged, sockets.njudged,
		    sockets.metrics, n);
		sockets.njudged = 0;
		return (0);
	}
	for (i = 0; i < sockets.njudged && i < n; i++)
		changed |= sockets.judged[i].held != sockets.metrics[i].held;
	metrics_close(sockets.metrics, n, sockets.judged, sockets.njudged);
	memcpy(sockets.metrics, sockets.judged, sizeof(sockets.judged));
	sockets.njudged = 0;
	return (changed);
}
