/* SPDX-License-Identifier: ISC */
/*
 * A stream breaks: while the browser takes nothing, and all buffers are full; or
 * it takes no more, and its other side is there still.
 */
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
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

/* A browser that has sent a part of its body; `st` its stream, which has it. */
static int
uploads(int *st)
{
	int	fd = browser(&d, 0);

	put(fd, "POST /up HTTP/1.1\r\nHost: " HOST "\r\nOrigin: https://" HOST
	    "\r\nCookie: support_proxy_" SLUG "=%s\r\n"
	    "Content-Length: 10\r\n\r\npart", proxy_token(SESSION, "one"));
	*st = stream_yes(&d);
	(void)request_at(*st);
	(void)get_until(*st, "part");
	return (fd);
}

/*
 * In one turn: the browser sends `more`, for which the stream has no room any
 * more, and on the stream there is this answer, behind which it stays open.
 */
static void
at_once(int fd, const char *more, int st, const char *said)
{
	kill(d.pid, SIGSTOP);
	(void)waitpid(d.pid, NULL, WUNTRACED);
	put(fd, "%s", more);
	put(st, "%s", said);
	shutdown(st, SHUT_RD);
	kill(d.pid, SIGCONT);
}

static void
takes_no_more(void)
{
	static const struct {
		const char	*what, *said, *body;
		int		 status;
	} t[] = {
		{ "nothing was said", "", NULL, 502 },
		{ "a reply line", "OK\n", NULL, 502 },
		{ "half a head", "OK\nHTTP/1.1 200 OK\r\nContent-", NULL, 502 },
		{ "a whole answer", "OK\nHTTP/1.1 413 No\r\nContent-Length: 4"
		  "\r\n\r\nlong", "long", 413 },
		{ "a refusal", "ERROR too late\n", "{\"code\":502,\"message\":"
		  "\"service unavailable: too late\",\"data\":null}", 502 },
	};
	size_t	 i;
	int	 fd, st;
	char	*a;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		fd = uploads(&st);
		at_once(fd, "more", st, t[i].said);
		a = answer(fd);
		is_int(status_of(a), t[i].status,
		    "operator-52(partial): takes no more, %s: %d", t[i].what,
		    t[i].status);
		if (t[i].body != NULL)
			is_str(body_of(a), t[i].body, "%s: passed on",
			    t[i].what);
		ok(ends(st), "%s: the stream is closed", t[i].what);
		close(st);
		close(fd);
	}
	fd = uploads(&st);
	at_once(fd, "more", st, "OK\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n"
	    "\r\nhalf");
	(void)get_until(fd, "half");
	is_int(end_of(fd), ECONNRESET, "half a body: passed on, and cut");
	ok(ends(st), "half a body: the stream is closed");
	close(st);
	close(fd);
}

/* A browser and a service that have switched protocols. */
static int
switched(int *st)
{
	int	fd = browser(&d, 0);

	put(fd, "GET /ws HTTP/1.1\r\nHost: " HOST "\r\nOrigin: https://" HOST
	    "\r\nCookie: support_proxy_" SLUG "=%s\r\nConnection: Upgrade\r\n"
	    "Upgrade: websocket\r\n\r\n", proxy_token(SESSION, "one"));
	*st = stream_yes(&d);
	(void)request_at(*st);
	put(*st, "OK\nHTTP/1.1 101 S\r\nConnection: Upgrade\r\n"
	    "Upgrade: websocket\r\n\r\n");
	(void)get_until(fd, "\r\n\r\n");
	return (fd);
}

static void
switched_takes_no_more(void)
{
	int	 fd, st;

	fd = switched(&st);
	at_once(fd, "more", st, "last words");
	is_str(get_until(fd, "words"), "last words",
	    "operator-50(partial): a socket takes no more: what it said comes");
	ok(end_of(fd) != -1, "and then its end");
	ok(ends(st), "on both sides");
	close(st);
	close(fd);

	fd = switched(&st);
	shutdown(st, SHUT_WR);
	is_int(end_of(fd), 0, "its service has said all");
	shutdown(st, SHUT_RD);
	put(fd, "more");
	ok(ends(fd), "and takes no more: it ends");
	ok(ends(st), "on both sides, too");
	close(st);
	close(fd);
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
	takes_no_more();
	switched_takes_no_more();
	is_int(drive_leave(&d), 0, "proxyd ends well");
	return (done_testing());
}
