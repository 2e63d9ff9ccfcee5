/* SPDX-License-Identifier: ISC */
/* A stream breaks while the browser takes nothing, and all buffers are full. */
#include <sys/socket.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "regress/lib/proxyd_story.h"
#include "regress/lib/tap.h"

#define STALLED_MS	300	/* nothing is taken any more */
#define MANY		(64UL << 20)

static struct drive	d;

/* A browser that asks, and does not read; `st` its stream. */
static int
asks(int *st, uint64_t grant)
{
	int	fd = browser(&d, 0);

	*st = open_stream(&d, fd, "/", grant);
	(void)request_at(*st);
	return (fd);
}

/* Body bytes, `most` at most, until nobody takes more: how many went. */
static size_t
fill(int st, size_t most)
{
	static const char	bytes[65536];
	struct pollfd		p = { st, POLLOUT, 0 };
	size_t			sent = 0, n;
	ssize_t			r;

	while (sent < most && poll(&p, 1, STALLED_MS) == 1) {
		n = most - sent < sizeof(bytes) ? most - sent : sizeof(bytes);
		if ((r = send(st, bytes, n, MSG_NOSIGNAL)) > 0)
			sent += (size_t)r;
	}
	return (sent);
}

static int
ends(int fd)
{
	struct pollfd	p = { fd, 0, 0 };

	return (poll(&p, 1, WAIT_MS) == 1);
}

int
main(void)
{
	struct conf	cf;
	size_t		holds;
	int		fd, st;

	proxyd_conf(&cf);
	drive_start(&d, ROLE_PROXYD, &cf);
	grant_first(&d);
	fd = asks(&st, 0);
	put(st, "OK\nHTTP/1.1 200 OK\r\nContent-Length: %lu\r\n\r\n", MANY);
	holds = fill(st, MANY);
	ok(holds < MANY, "nobody reads: %zu bytes are on the way", holds);
	close(st);
	ok(ends(fd), "operator-52(partial): a broken answer ends though nobody "
	    "reads it");
	close(fd);
	is_int(drive_leave(&d), 0, "proxyd ends well");
	return (done_testing());
}
