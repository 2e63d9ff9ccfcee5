/* SPDX-License-Identifier: ISC */

/*
 * delay: a line that is long but not narrow.  Takes TCP connections on
 * loopback, connects each to HOST:PORT, and passes bytes on in both directions
 * RTT/2 milliseconds after they came, as many as there are.  Each direction
 * holds at most RINGSIZE bytes; then it stops reading, as a full pipe would.
 *
 *	delay -r RTT_MS [-l PORT] HOST:PORT
 *
 * prints {"port":N} once it listens.  One process, one thread, no limits on
 * connections: it serves benchmarks on loopback, nothing else.
 */

#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RINGSIZE	(64ULL * 1024 * 1024)
#define READMAX		(512ULL * 1024)
#define NMARKS		65536U		/* at 50 us: 3.2 s of line */
#define MERGE_NS	50000ULL

/* The bytes before `end` may leave at `due`. */
struct mark {
	uint64_t	 due;
	uint64_t	 end;
};

/* One direction of one connection. */
struct lane {
	unsigned char	*ring;
	uint64_t	 head;		/* bytes written out */
	uint64_t	 tail;		/* bytes read in */
	struct mark	*marks;
	unsigned int	 mhead, mtail;	/* free running */
	uint64_t	 eof_due;	/* 0: not seen yet */
	int		 blocked;	/* the last write did not fit */
	int		 done;		/* end of file passed on */
};

struct conn;

struct side {
	struct conn	*conn;
	int		 fd;
	uint32_t	 events;	/* what epoll watches now */
	struct lane	 in;		/* what came from this side */
};

struct conn {
	struct conn	*next;
	struct side	 s[2];
	int		 dead;
};

static int		 epfd;
static uint64_t		 delay_ns;
static struct conn	*conns;

static uint64_t
now_ns(void)
{
	struct timespec	 ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec);
}

static struct side *
other(struct side *s)
{
	return (s == &s->conn->s[0] ? &s->conn->s[1] : &s->conn->s[0]);
}

static void
lane_init(struct lane *l)
{
	memset(l, 0, sizeof(*l));
	l->ring = mmap(NULL, RINGSIZE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (l->ring == MAP_FAILED)
		err(1, "mmap");
	if ((l->marks = calloc(NMARKS, sizeof(*l->marks))) == NULL)
		err(1, "calloc");
}

static void
lane_free(struct lane *l)
{
	munmap(l->ring, RINGSIZE);
	free(l->marks);
}

/* The part of the ring from `from` to `to` as at most two pieces. */
static int
lane_iov(struct lane *l, uint64_t from, uint64_t to, struct iovec *iov)
{
	uint64_t	 off = from % RINGSIZE, len = to - from;

	iov[0].iov_base = l->ring + off;
	if (off + len <= RINGSIZE) {
		iov[0].iov_len = len;
		return (1);
	}
	iov[0].iov_len = RINGSIZE - off;
	iov[1].iov_base = l->ring;
	iov[1].iov_len = len - iov[0].iov_len;
	return (2);
}

static int
lane_room(const struct lane *l)
{
	return (l->eof_due == 0 && l->tail - l->head < RINGSIZE &&
	    l->mtail - l->mhead < NMARKS);
}

/* Note that everything up to tail came now. */
static void
lane_stamp(struct lane *l, uint64_t now)
{
	uint64_t	 due = now + delay_ns;
	struct mark	*m;

	if (l->mtail != l->mhead) {
		m = &l->marks[(l->mtail - 1) % NMARKS];
		/* these leave at most MERGE_NS early */
		if (due - m->due < MERGE_NS) {
			m->end = l->tail;
			return;
		}
	}
	m = &l->marks[l->mtail++ % NMARKS];
	m->due = due;
	m->end = l->tail;
}

static void
side_read(struct side *s)
{
	struct lane	*l = &s->in;
	struct iovec	 iov[2];
	uint64_t	 room;
	ssize_t		 n;

	if (!lane_room(l))
		return;
	room = RINGSIZE - (l->tail - l->head);
	if (room > READMAX)
		room = READMAX;
	n = readv(s->fd, iov, lane_iov(l, l->tail, l->tail + room, iov));
	if (n > 0) {
		l->tail += (uint64_t)n;
		lane_stamp(l, now_ns());
	} else if (n == 0)
		l->eof_due = now_ns() + delay_ns;
	else if (errno != EAGAIN && errno != EINTR)
		s->conn->dead = 1;
}

/* Write out what is due of the lane that starts at s. */
static void
side_flush(struct side *s, uint64_t now)
{
	struct lane	*l = &s->in;
	struct side	*to = other(s);
	struct iovec	 iov[2];
	uint64_t	 end = l->head;
	unsigned int	 i;
	ssize_t		 n;

	if (l->blocked || l->done)
		return;
	for (i = l->mhead; i != l->mtail; i++) {
		if (l->marks[i % NMARKS].due > now)
			break;
		end = l->marks[i % NMARKS].end;
	}
	while (l->head < end) {
		n = writev(to->fd, iov, lane_iov(l, l->head, end, iov));
		if (n > 0) {
			l->head += (uint64_t)n;
			continue;
		}
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN)
			l->blocked = 1;
		else
			s->conn->dead = 1;
		break;
	}
	while (l->mhead != l->mtail &&
	    l->marks[l->mhead % NMARKS].end <= l->head)
		l->mhead++;
	if (l->head == l->tail && l->eof_due != 0 && l->eof_due <= now) {
		shutdown(to->fd, SHUT_WR);
		l->done = 1;
	}
}

static void
side_watch(struct side *s)
{
	struct epoll_event	 ev;
	uint32_t		 want = 0;

	if (lane_room(&s->in))
		want |= EPOLLIN;
	if (other(s)->in.blocked)
		want |= EPOLLOUT;
	if (want == s->events)
		return;
	memset(&ev, 0, sizeof(ev));
	ev.events = want;
	ev.data.ptr = s;
	if (epoll_ctl(epfd, EPOLL_CTL_MOD, s->fd, &ev) == -1)
		err(1, "epoll_ctl");
	s->events = want;
}

static void
side_init(struct conn *c, int i, int fd)
{
	struct side		*s = &c->s[i];
	struct epoll_event	 ev;
	int			 on = 1;

	s->conn = c;
	s->fd = fd;
	s->events = EPOLLIN;
	lane_init(&s->in);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	memset(&ev, 0, sizeof(ev));
	ev.events = EPOLLIN;
	ev.data.ptr = s;
	if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev) == -1)
		err(1, "epoll_ctl");
}

static void
conn_accept(int lfd, const struct sockaddr_in *to)
{
	struct conn	*c;
	int		 a, b;

	if ((a = accept4(lfd, NULL, NULL, SOCK_NONBLOCK)) == -1)
		return;
	b = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (b == -1)
		err(1, "socket");
	if (connect(b, (const struct sockaddr *)to, sizeof(*to)) == -1 &&
	    errno != EINPROGRESS) {
		warn("connect");
		close(a);
		close(b);
		return;
	}
	if ((c = calloc(1, sizeof(*c))) == NULL)
		err(1, "calloc");
	side_init(c, 0, a);
	side_init(c, 1, b);
	c->next = conns;
	conns = c;
}

static void
conn_free(struct conn *c)
{
	int	 i;

	for (i = 0; i < 2; i++) {
		close(c->s[i].fd);
		lane_free(&c->s[i].in);
	}
	free(c);
}

/* Flush every lane, drop the dead, tell when the next byte is due. */
static uint64_t
conns_run(void)
{
	struct conn	*c, **cp;
	struct lane	*l;
	uint64_t	 now = now_ns(), next = UINT64_MAX, due;
	int		 i;

	for (cp = &conns; (c = *cp) != NULL; ) {
		for (i = 0; i < 2; i++)
			side_flush(&c->s[i], now);
		if (c->dead || (c->s[0].in.done && c->s[1].in.done)) {
			*cp = c->next;
			conn_free(c);
			continue;
		}
		for (i = 0; i < 2; i++) {
			side_watch(&c->s[i]);
			l = &c->s[i].in;
			if (l->blocked || l->done)
				continue;
			due = l->mhead != l->mtail ?
			    l->marks[l->mhead % NMARKS].due :
			    l->eof_due != 0 ? l->eof_due : UINT64_MAX;
			if (due < next)
				next = due;
		}
		cp = &c->next;
	}
	return (next);
}

static void
run(int lfd, const struct sockaddr_in *to)
{
	struct epoll_event	 ev[64];
	struct timespec		 ts;
	struct side		*s;
	uint64_t		 next, now;
	int			 i, n;

	for (;;) {
		next = conns_run();
		now = now_ns();
		next = next == UINT64_MAX ? 1000000000ULL :
		    next > now ? next - now : 0;
		ts.tv_sec = (time_t)(next / 1000000000ULL);
		ts.tv_nsec = (long)(next % 1000000000ULL);
		n = epoll_pwait2(epfd, ev, 64, &ts, NULL);
		if (n == -1 && errno != EINTR)
			err(1, "epoll_pwait2");
		for (i = 0; i < n; i++) {
			if ((s = ev[i].data.ptr) == NULL) {
				conn_accept(lfd, to);
				continue;
			}
			if (ev[i].events & EPOLLERR)
				s->conn->dead = 1;
			if (ev[i].events & EPOLLOUT)
				other(s)->in.blocked = 0;
			if (ev[i].events & (EPOLLIN | EPOLLHUP))
				side_read(s);
		}
	}
}

static int
do_listen(int port)
{
	struct sockaddr_in	 sin;
	struct epoll_event	 ev;
	socklen_t		 len = sizeof(sin);
	int			 fd, on = 1;

	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_port = htons((uint16_t)port);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if ((fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) == -1)
		err(1, "socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    listen(fd, 128) == -1 ||
	    getsockname(fd, (struct sockaddr *)&sin, &len) == -1)
		err(1, "listen");
	memset(&ev, 0, sizeof(ev));
	ev.events = EPOLLIN;
	if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev) == -1)
		err(1, "epoll_ctl");
	printf("{\"port\":%d}\n", ntohs(sin.sin_port));
	(void)fflush(stdout);
	return (fd);
}

static void
usage(void)
{
	fprintf(stderr, "usage: delay -r rtt_ms [-l port] host:port\n");
	exit(1);
}

int
main(int argc, char **argv)
{
	struct sockaddr_in	 to;
	char			*colon = NULL;
	double			 rtt = -1;
	int			 ch, port = 0;

	while ((ch = getopt(argc, argv, "l:r:")) != -1) {
		switch (ch) {
		case 'l':
			port = atoi(optarg);
			break;
		case 'r':
			rtt = atof(optarg);
			break;
		default:
			usage();
		}
	}
	if (optind + 1 != argc || rtt < 0 || rtt > 5000 ||
	    (colon = strrchr(argv[optind], ':')) == NULL)
		usage();
	*colon = '\0';
	memset(&to, 0, sizeof(to));
	to.sin_family = AF_INET;
	to.sin_port = htons((uint16_t)atoi(colon + 1));
	if (inet_pton(AF_INET, argv[optind], &to.sin_addr) != 1)
		errx(1, "%s: not an IPv4 address", argv[optind]);
	delay_ns = (uint64_t)(rtt * 1000000.0 / 2);
	signal(SIGPIPE, SIG_IGN);
	if ((epfd = epoll_create1(0)) == -1)
		err(1, "epoll_create1");
	run(do_listen(port), &to);
	return (0);
}
