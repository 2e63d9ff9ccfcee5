/* SPDX-License-Identifier: ISC */
/* What comes to proxyd out of TLS, and what a broken tlsd says. */
#include <sys/socket.h>

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "regress/lib/proxyd_story.h"
#include "regress/lib/tap.h"

#define TLSD	70

static struct drive	d;

static int
tlsd(void)
{
	static uint64_t	instance = TLSD;
	int		sv[2];

	if (imsg_pair(sv) == -1)
		bail("pair");
	say_fd(d.parent, 0, sv[1], peer, .role = ROLE_TLSD,
	    .instance = instance++);
	return (sv[0]);
}

/* A connection with this number and flags: our end. */
static int
gives(int sock, uint64_t id, uint32_t flags, const char *addr)
{
	int	sv[2];

	stream_pair(sv);
	say_fd(sock, 0, sv[1], plain, .id = id, .flags = flags, .addr = addr);
	return (sv[0]);
}

/* All that comes, to its end. */
static const char *
all(int fd)
{
	static char	text[4096];
	struct pollfd	p = { fd, POLLIN, 0 };
	size_t		len = 0;
	ssize_t		n;

	while (len < sizeof(text) - 1 && poll(&p, 1, WAIT_MS) == 1 &&
	    (n = recv(fd, text + len, sizeof(text) - 1 - len, 0)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	return (text);
}

static void
ask(int fd, const char *path, const char *fields)
{
	char	text[256];
	int	n;

	n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: "
	    "x.example\r\n%s\r\n", path, fields);
	put_bytes(fd, text, (size_t)n);
}

static void
test_answer(int sock)
{
	struct msg_plain_end	in;
	int			fd = gives(sock, 7, LISTEN_TLS, "192.0.2.9");

	ask(fd, "/health", "Connection: close\r\n");
	ok(strstr(all(fd), "HTTP/1.1 200 ") != NULL, "a request is answered");
	(void)hear(sock, plain_end, &in);
	is_int((long)in.id, 7, "of which");
	is_int(in.clean, 1, "its end is a clean one");
	ok(drive_logs(&d, "192.0.2.9: GET x.example/health"), "proxyd has "
	    "taken it for the client that tlsd has named");
	shut(&fd);
	fd = gives(sock, 8, LISTEN_TLS | LISTEN_TUNNEL, "2001:db8::1");
	ask(fd, "/api/health", "Connection: close\r\n");
	ok(strstr(all(fd), "HTTP/1.1 404 ") != NULL, "a listener for tunnels "
	    "is one");
	shut(&fd);
}

/* A socket that waits is made one that does not. */
static void
test_blocking(int sock)
{
	struct msg_plain_end	in;
	int			sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == -1)
		bail("pair");
	say_fd(sock, 0, dup(sv[1]), plain, .id = 30, .flags = LISTEN_TLS,
	    .addr = "192.0.2.9");
	ask(sv[0], "/health", "Connection: close\r\n");
	do
		(void)hear(sock, plain_end, &in);	/* it has answered */
	while (in.id != 30);
	ok(fcntl(sv[1], F_GETFL) & O_NONBLOCK, "a socket that would wait "
	    "does not, here");
	shut(&sv[0]);
	shut(&sv[1]);
}

static void
refuses(uint64_t id, uint32_t flags, const char *addr, const char *what)
{
	int	sock = tlsd(), fd = gives(sock, id, flags, addr);

	is_int(hear_end(sock), 0, "%s: the tlsd is not heard any more", what);
	is_str(all(fd), "", "and its connection is closed");
	shut(&fd);
	shut(&sock);
}

int
main(void)
{
	struct conf	cf;
	int		sock, fd;

	conf_init(&cf);
	drive_start(&d, ROLE_PROXYD, &cf);
	sock = tlsd();
	test_answer(sock);
	test_blocking(sock);
	refuses(1, LISTEN_TLS | LISTEN_INTERNAL, "192.0.2.9",
	    "an internal listener");
	refuses(1, 0, "192.0.2.9", "one without TLS");
	refuses(1, LISTEN_TLS | LISTEN_METRICS, "192.0.2.9", "one for metrics");
	refuses(0, LISTEN_TLS, "192.0.2.9", "no number");
	refuses(1, LISTEN_TLS, "nowhere", "no address");
	refuses(1, LISTEN_TLS, "", "an empty address");
	fd = gives(sock, 40, LISTEN_TLS, "192.0.2.9");
	ask(fd, "/health", "Connection: close\r\n");
	ok(strstr(all(fd), "HTTP/1.1 200 ") != NULL, "another tlsd is heard");
	shut(&fd);
	shut(&sock);
	is_int(drive_leave(&d), 0, "it leaves with the parent");
	return (done_testing());
}
