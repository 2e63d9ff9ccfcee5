/* SPDX-License-Identifier: ISC */
/*
 * A broken child: what stands in libexec in place of a real one and does, with
 * no sandbox around it, what an intruder would. It starts as every child does,
 * then waits for a word in the file ORDERS beside its program, does it, and
 * removes the file. The words are in `orders` below; behind one may stand the
 * pid of who is to find all of it at once. Where its program has a neighbour
 * NAME.real, only the first to start is broken, and again once its file BROKEN
 * has gone; all others become that. Beside a file OTHER-BUILD it is of one.
 */
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imsg/imsg.h"
#include "imsg/msg.h"

#define LINGER_S	20	/* what close() of a weapon takes */
#define DOORS_MAX	8
#define EXTRA_MAX	253

static int	authd = -1;
static int	doors[DOORS_MAX], ndoors;
static int	thrown;			/* a weapon */
static int	quiet;			/* answer nothing any more */

static void
note(const char *what)
{
	char	line[256];
	int	n;

	n = snprintf(line, sizeof(line), "%c%s: %s", 2, what,
	    strerror(errno));
	if (write(LOG_FD, line, (size_t)n) == -1)
		return;
}

static void
say(int sock, uint32_t type, uint32_t id, const void *m)
{
	uint8_t	buf[IMSG_MAX];
	long	n = msg_put(type, m, buf + IMSG_HDR, sizeof(buf) - IMSG_HDR);

	memcpy(buf, &type, 4);
	memcpy(buf + 4, &id, 4);
	if (n == -1 || imsg_send(sock, buf, IMSG_HDR + (size_t)n, -1) == -1)
		note("say");
}

/*
 * A socket whose last close() waits: bytes in its queue that nobody reads, and
 * SO_LINGER. Its far end stays open here.
 */
static int
weapon(void)
{
	static const struct linger	on = { 1, LINGER_S };
	struct sockaddr_in	sin = { .sin_family = AF_INET };
	socklen_t		len = sizeof(sin);
	static char		junk[65536];
	int			l, fd, size = 4096;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	l = socket(AF_INET, SOCK_STREAM, 0);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(l, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (bind(l, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    listen(l, 1) == -1 ||
	    getsockname(l, (struct sockaddr *)&sin, &len) == -1 ||
	    connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    accept(l, NULL, NULL) == -1)
		note("weapon");
	close(l);
	while (send(fd, junk, sizeof(junk), MSG_DONTWAIT) > 0)
		continue;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &on, sizeof(on));
	return (fd);
}

/*
 * One packet with n descriptors, the last one a weapon, of which we keep none.
 */
static void
throw(int sock, const void *buf, size_t len, int n)
{
	static const struct linger	off = { 0, 0 };
	union {
		struct cmsghdr	hdr;
		char		space[CMSG_SPACE(sizeof(int) * EXTRA_MAX)];
	} c;
	struct iovec	iov = { (void *)(uintptr_t)buf, len };
	struct msghdr	mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	int		i, fds[EXTRA_MAX];

	memset(&c, 0, sizeof(c));
	for (i = 0; i < n - 1; i++)
		fds[i] = STDIN_FILENO;
	fds[i] = weapon();
	mh.msg_control = &c;
	mh.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)n);
	c.hdr.cmsg_level = SOL_SOCKET;
	c.hdr.cmsg_type = SCM_RIGHTS;
	c.hdr.cmsg_len = CMSG_LEN(sizeof(int) * (size_t)n);
	memcpy(CMSG_DATA(&c.hdr), fds, sizeof(int) * (size_t)n);
	errno = 0;
	thrown = 1;
	if (sendmsg(sock, &mh, MSG_NOSIGNAL) == -1) {
		note("throw");
		setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &off, sizeof(off));
	}
	close(fds[i]);
}

/* A forbidden message, and behind it one that nobody will read. */
static void
behind_an_offence(int sock)
{
	static const uint32_t	bad[2] = { 9999, 0 };

	(void)imsg_send(sock, (const uint8_t *)bad, sizeof(bad), -1);
	throw(sock, bad, sizeof(bad), 1);
}

/* The orders. */

static void
by_log(void)
{
	throw(LOG_FD, "\2x", 2, 1);
}

static void
by_surplus(void)
{
	throw(PARENT_FD, "12345678", 8, 5);
}

static void
by_flood(void)
{
	throw(PARENT_FD, "12345678", 8, EXTRA_MAX);
}

static void
by_link(void)
{
	throw(authd, "12345678", 8, 5);
}

static void
by_offence(void)
{
	behind_an_offence(PARENT_FD);
}

static void
by_link_offence(void)
{
	behind_an_offence(authd);
}

static void
hang(void)
{
	quiet = 1;
}

static void
door_blocks(void)
{
	int	i;

	for (i = 0; i < ndoors; i++)
		fcntl(doors[i], F_SETFL, 0);
}

static void
door_lingers(void)
{
	static const struct linger	on = { 1, LINGER_S };
	int				i;

	for (i = 0; i < ndoors; i++)
		setsockopt(doors[i], SOL_SOCKET, SO_LINGER, &on, sizeof(on));
}

static void
door_waits(void)
{
	int	i, low = 1 << 20;

	for (i = 0; i < ndoors; i++)
		setsockopt(doors[i], SOL_SOCKET, SO_RCVLOWAT, &low,
		    sizeof(low));
}

static void
door_shuts(void)
{
	int	i;

	for (i = 0; i < ndoors; i++)
		shutdown(doors[i], SHUT_RDWR);
}

/* What somebody left on them. */
static void
door_tells(void)
{
	struct linger	l;
	socklen_t	len;
	char		line[128];
	int		i, low, open, n;

	for (i = 0; i < ndoors; i++) {
		len = sizeof(l);
		(void)getsockopt(doors[i], SOL_SOCKET, SO_LINGER, &l, &len);
		len = sizeof(low);
		(void)getsockopt(doors[i], SOL_SOCKET, SO_RCVLOWAT, &low, &len);
		(void)getsockopt(doors[i], SOL_SOCKET, SO_ACCEPTCONN, &open,
		    &len);
		n = snprintf(line, sizeof(line), "%cdoor: open %d nonblock %d "
		    "linger %d low water %d", 2, open,
		    (fcntl(doors[i], F_GETFL) & O_NONBLOCK) != 0, l.l_onoff,
		    low);
		if (write(LOG_FD, line, (size_t)n) == -1)
			return;
	}
}

/* Whoever comes to us is sent away. */
static void
turn_away(void)
{
	int	i, fd;

	for (i = 0; i < ndoors; i++) {
		struct pollfd	pfd = { doors[i], POLLIN, 0 };

		while (poll(&pfd, 1, 0) == 1 &&
		    (fd = accept(doors[i], NULL, NULL)) != -1)
			close(fd);
	}
}

static const struct {
	const char	*word;
	void		(*fn)(void);
} orders[] = {
	{ "log", by_log },		/* a weapon through the log */
	{ "surplus", by_surplus },	/* five to the parent */
	{ "flood", by_flood },		/* as many as go into a packet */
	{ "link", by_link },		/* five to authd */
	{ "offence", by_offence },	/* behind a forbidden message */
	{ "link-offence", by_link_offence },
	{ "hang", hang },		/* answer nothing any more */
	{ "door-blocks", door_blocks },	/* to the listening sockets */
	{ "door-lingers", door_lingers },
	{ "door-waits", door_waits },
	{ "door-shuts", door_shuts },
	{ "door-tells", door_tells },
};

/* Until it stands still: what we send then is found in one piece. */
static void
stop(pid_t pid)
{
	char	path[64], line[256], *p;
	FILE	*f;
	int	i, stopped = 0;

	if (kill(pid, SIGSTOP) == -1)
		note("stop");
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	for (i = 0; i < 1000 && !stopped; i++) {
		if ((f = fopen(path, "r")) == NULL)
			return;
		if (fgets(line, sizeof(line), f) != NULL &&
		    (p = strrchr(line, ')')) != NULL)
			stopped = p[2] == 'T';
		(void)fclose(f);
		poll(NULL, 0, 1);
	}
}

/* The path of a file beside our program. */
static void
beside(char *path, size_t size, const char *name)
{
	char	*slash;
	ssize_t	n;

	n = readlink("/proc/self/exe", path, size - 1);
	path[n > 0 ? n : 0] = '\0';
	slash = strrchr(path, '/');
	if (slash == NULL || (size_t)(slash - path) + strlen(name) + 2 > size)
		_exit(1);
	strcpy(slash + 1, name);
}

static void
obey(void)
{
	char	path[1024], word[64] = "", *arg;
	pid_t	reader = 0;
	ssize_t	n;
	size_t	i;
	int	fd;

	beside(path, sizeof(path), "ORDERS");
	if ((fd = open(path, O_RDONLY)) == -1)
		return;
	n = read(fd, word, sizeof(word) - 1);
	close(fd);
	word[n > 0 ? n : 0] = '\0';
	if ((arg = strchr(word, ' ')) != NULL) {
		*arg++ = '\0';
		reader = (pid_t)atoi(arg);
	}
	if (reader > 0)
		stop(reader);
	for (i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
		if (strcmp(orders[i].word, word) == 0)
			orders[i].fn();
	unlink(path);
	if (reader > 0)
		kill(reader, SIGCONT);
}

static void
hear(const struct imsg *m)
{
	struct msg_ready		ready = { .build = build_id };
	char				path[1024];
	struct msg_start		start;

	switch (m->type) {
	case IMSG_CHANNEL:
		authd = m->fd;
		break;
	case IMSG_LISTENER:
		if (ndoors < DOORS_MAX)
			doors[ndoors++] = m->fd;
		break;
	case IMSG_START:
		beside(path, sizeof(path), "OTHER-BUILD");
		if (access(path, F_OK) == 0)
			ready.build = "0.0-another";
		if (get_start(m, &start) == 0)
			say(PARENT_FD, IMSG_READY, 0, &ready);
		break;
	case IMSG_PING:
		if (!quiet)
			say(PARENT_FD, IMSG_PONG, 0, NULL);
		break;
	case IMSG_STOP:
		exit(0);
	default:
		break;
	}
}

/* Not the one that is broken: be what we stand in for. */
static void
be_real(char **argv)
{
	char	path[1024], real[64], mine[1024];
	int	fd, first;

	snprintf(real, sizeof(real), "%s.real", argv[0]);
	beside(path, sizeof(path), real);
	if (access(path, X_OK) == -1)
		return;
	/* It is there with our pid in it, or not at all: the test reads it. */
	snprintf(real, sizeof(real), "BROKEN.%d", (int)getpid());
	beside(mine, sizeof(mine), real);
	if ((fd = open(mine, O_CREAT | O_TRUNC | O_WRONLY, 0600)) == -1)
		_exit(1);
	dprintf(fd, "%d\n", (int)getpid());
	close(fd);
	beside(path, sizeof(path), "BROKEN");
	first = link(mine, path) == 0;
	unlink(mine);
	if (first)
		return;
	snprintf(real, sizeof(real), "%s.real", argv[0]);
	beside(path, sizeof(path), real);
	execv(path, argv);
	_exit(1);
}

int
main(int argc, char **argv)
{
	static uint8_t	buf[IMSG_MAX];
	struct pollfd	pfd = { PARENT_FD, POLLIN, 0 };
	struct imsg	m;
	const char	*why;
	long		n;

	(void)argc;
	be_real(argv);
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		if (poll(&pfd, 1, 20) != 1) {
			obey();
			turn_away();
			continue;
		}
		n = imsg_recv(PARENT_FD, buf, &m.fd);
		if (n == -1 && (errno == EAGAIN || errno == ECONNRESET))
			continue;
		if (n <= 0) {
			/* What we threw goes off as long as we stay. */
			if (thrown)
				sleep(LINGER_S);
			return (0);
		}
		if (imsg_parse(&m, buf, (size_t)n, &why) == 0)
			hear(&m);
	}
}
