/* SPDX-License-Identifier: ISC */
/*
 * 2 GiB down and 2 GiB up through proxyd in constant memory, a side that does
 * not read stops the other one, and nothing is lost on the way.
 */
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <linux/sockios.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "regress/lib/proxyd_story.h"
#include "regress/lib/tap.h"

#define BULK	(2ULL << 30)
#define PIECE	(256 * 1024)

static struct drive	d;
static char		out_buf[PIECE], in_buf[PIECE];

/* Resident kB of proxyd; VmHWM is the most it ever was. */
static long
memory(const char *what)
{
	char	 path[64], line[256];
	long	 kb = -1;
	FILE	*f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)d.pid);
	if ((f = fopen(path, "r")) == NULL)
		return (-1);
	while (fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, what, strlen(what)) == 0)
			kb = atol(line + strlen(what) + 1);
	(void)fclose(f);
	return (kb);
}

/* Bytes that tell their place, so that a lost or doubled piece is seen. */
static void
fill(char *p, size_t n, uint64_t at)
{
	size_t	i;

	for (i = 0; i < n; i += 8, at += 8)
		memcpy(p + i, &at, 8);
}

/*
 * All this may take longer than the minute of a grant: then proxyd asks for it
 * again, at its own time, and before the stream that is waited for. 1: that one
 * is asked for, or the channel has ended; 0: nothing is there.
 */
static int
asks_again(void)
{
	struct pollfd	pfd = { d.authd, POLLIN, 0 };
	struct imsg	m;
	uint32_t	type;

	while (poll(&pfd, 1, 0) == 1) {
		if (recv(d.authd, &type, sizeof(type), MSG_PEEK) !=
		    (ssize_t)sizeof(type) || type == IMSG_STREAM_OPEN)
			return (1);
		if (type == IMSG_GRANT)
			grant_yes(&d, 1);
		else
			(void)hear_any(d.authd, &m, 0);
	}
	return (0);
}

static int
opened(void)
{
	struct pollfd	pfd = { d.authd, POLLIN, 0 };

	while (!asks_again() && poll(&pfd, 1, WAIT_MS) == 1)
		continue;
	return (stream_yes(&d));
}

static void
requested(int st)
{
	struct pollfd	pfd[2] = { { st, POLLIN, 0 }, { d.authd, POLLIN, 0 } };

	while (poll(pfd, 2, WAIT_MS) > 0 && pfd[0].revents == 0)
		if (asks_again())
			break;
	(void)request_at(st);
}

/*
 * Move `total` bytes (a multiple of 8) from one descriptor to the other by way
 * of proxyd. The bytes that came right.
 */
static uint64_t
pump(int from, int to, uint64_t total)
{
	struct pollfd	pfd[3] = { { from, POLLOUT, 0 }, { to, POLLIN, 0 },
	    { d.authd, POLLIN, 0 } };
	uint64_t	sent = 0, came = 0, want, piece_at = 0;
	size_t		off = PIECE, i;
	ssize_t		n;

	while (came < total && poll(pfd, 3, WAIT_MS) > 0) {
		if (pfd[2].revents != 0 && asks_again())
			pfd[2].fd = -1;
		if (sent < total && (pfd[0].revents & POLLOUT)) {
			if (off == PIECE) {
				fill(out_buf, PIECE, piece_at);
				piece_at += PIECE;
				off = 0;
			}
			n = send(from, out_buf + off, PIECE - off,
			    MSG_DONTWAIT);
			if (n > 0) {
				off += (size_t)n;
				sent += (uint64_t)n;
			}
		}
		if (sent == total)
			pfd[0].events = 0;
		if (!(pfd[1].revents & POLLIN))
			continue;
		if ((n = recv(to, in_buf, PIECE, MSG_DONTWAIT)) <= 0)
			break;
		for (i = 0; i < (size_t)n; i++) {
			want = (came + i) / 8 * 8;
			if (in_buf[i] != ((char *)&want)[(came + i) % 8])
				return (came + i);
		}
		came += (uint64_t)n;
	}
	return (came);
}

/* Bytes that go in before the other side, which does not read, stops them. */
static size_t
stuff(int fd)
{
	struct pollfd	pfd = { fd, POLLOUT, 0 };
	size_t		total = 0;
	ssize_t		n;

	while (total < 64 << 20 && poll(&pfd, 1, 200) == 1) {
		n = send(fd, out_buf, PIECE, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n == -1 && errno != EAGAIN)
			break;		/* it has ended: nothing stops it */
		if (n > 0)
			total += (size_t)n;
	}
	return (total);
}

static void
post(int fd, unsigned long long len)
{
	put(fd, "POST /up HTTP/1.1\r\nHost: " HOST "\r\nOrigin: https://" HOST
	    "\r\nCookie: support_proxy_" SLUG "=%s\r\nContent-Length: %llu"
	    "\r\n\r\n", proxy_token(SESSION, "one"), len);
}

/* Say `total` bytes in chunks, from a process of its own. */
static pid_t
say_chunks(int st, uint64_t total)
{
	uint64_t	at;
	pid_t		pid;

	if ((pid = fork()) != 0)
		return (pid);
	for (at = 0; at < total; at += PIECE) {
		fill(out_buf, PIECE, at);
		put(st, "%x\r\n", PIECE);
		put_bytes(st, out_buf, PIECE);
		put(st, "\r\n");
	}
	put(st, "0\r\n\r\n");
	(void)shutdown(st, SHUT_WR);
	_exit(0);
}

/* A browser of old, slower than the service: its body goes through a stage. */
static void
staged(void)
{
	uint64_t	came = 0, want, total = 64 << 20;
	int		fd = browser(&d, 0), st, status, good = 1;
	long		before = memory("VmHWM:");
	ssize_t		n = 0, i;
	pid_t		pid;

	put(fd, "GET /old HTTP/1.0\r\nHost: " HOST "\r\nCookie: "
	    "support_proxy_" SLUG "=%s\r\n\r\n", proxy_token(SESSION, "one"));
	st = opened();
	requested(st);
	put(st, "OK\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	(void)get_until(fd, "\r\n\r\n");
	pid = say_chunks(st, total);
	while (good && (n = recv(fd, in_buf, 4096 + came % 8192, 0)) > 0) {
		for (i = 0; i < n && good; i++) {
			want = (came + (uint64_t)i) / 8 * 8;
			good = in_buf[i] ==
			    ((char *)&want)[(came + (uint64_t)i) % 8];
		}
		came += (uint64_t)n;
	}
	ok(good && n == 0 && came == total,
	    "64 MiB without their chunks (%llu)", (unsigned long long)came);
	ok(memory("VmHWM:") < before + 2048,
	    "and no more of it is held than fits (%ld kB, then %ld)", before,
	    memory("VmHWM:"));
	ok(waitpid(pid, &status, 0) == pid && status == 0, "all was taken");
	close(st);
	close(fd);
}

/* Does proxyd take what has been said? It may think about it a while. */
static int
taken(int st)
{
	int	i, left = 1;

	for (i = 0; i < 100; i++) {
		if (ioctl(st, SIOCOUTQ, &left) == -1 || left == 0)
			return (left == 0);
		(void)poll(NULL, 0, i == 0 ? 0 : 5);
	}
	return (0);
}

/*
 * A browser that reads nothing has proxyd stop; then the service says its last
 * chunk and hangs up. All has been said, so the browser gets all, and the line at
 * its end where the service has left that out.
 */
static void
last_words(int minor, const char *end)
{
	int	 fd = browser(&d, 0), st;
	size_t	 said = 0, came = 0, framing = minor == 0 ? 0 : 8;
	ssize_t	 n;

	put(fd, "GET /last HTTP/1.%d\r\nHost: " HOST "\r\nConnection: close"
	    "\r\nCookie: support_proxy_" SLUG "=%s\r\n\r\n", minor,
	    proxy_token(SESSION, "one"));
	st = opened();
	requested(st);
	put(st, "OK\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	(void)get_until(fd, "\r\n\r\n");
	do {
		put(st, "1000\r\n");
		put_bytes(st, out_buf, 4096);
		put(st, "\r\n");
		said += 4096 + framing;
	} while (taken(st) && said < 64 << 20);
	put(st, "%s", end);
	said += minor == 0 ? 0 : 5;
	close(st);
	(void)poll(NULL, 0, 100);	/* proxyd hears it */
	while ((n = recv(fd, in_buf, PIECE, 0)) > 0)
		came += (size_t)n;
	ok(n == 0 && came == said, "HTTP/1.%d: a service that hangs up behind "
	    "its last chunk has said all (%zu of %zu)", minor, came, said);
	close(fd);
}

int
main(void)
{
	struct conf	cf;
	const char	*fast = getenv("RELAYD_FAST_BUILD");
	unsigned long	 before, cpu0;
	size_t		 n;
	int		 fd, st;

	if (fast != NULL)
		setenv("RELAYD_BUILD", fast, 1);
	proxyd_conf(&cf);
	drive_start(&d, ROLE_PROXYD, &cf);
	fd = browser(&d, 0);
	get(fd, "/down");
	grant_yes(&d, 1);
	st = stream_yes(&d);
	(void)request_at(st);
	put(st, "OK\nHTTP/1.1 200 OK\r\nContent-Length: %llu\r\n\r\n", BULK);
	(void)get_until(fd, "\r\n\r\n");
	before = (unsigned long)memory("VmRSS:");
	ok(pump(st, fd, BULK) == BULK, "operator-49(partial): 2 GiB down");
	ok(memory("VmHWM:") < (long)before + 1024,
	    "operator-49(partial): in constant memory (%ld kB, then %ld)",
	    (long)before, memory("VmHWM:"));

	post(fd, BULK);
	requested(st);
	ok(pump(fd, st, BULK) == BULK,
	    "operator-49(partial): 2 GiB up, on the same stream");
	ok(memory("VmHWM:") < (long)before + 1024,
	    "operator-49(partial): in constant memory (%ld kB)",
	    memory("VmHWM:"));
	put(st, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
	is_str(body_of(answer(fd)), "done", "and its answer");

	/* Nobody reads, on a socket whose window has not grown yet. */
	close(fd);
	fd = browser(&d, 0);
	get(fd, "/down");
	requested(st);
	put(st, "HTTP/1.1 200 OK\r\nContent-Length: %llu\r\n\r\n", BULK);
	n = stuff(st);
	ok(n < 32 << 20, "a browser that does not read stops the service "
	    "(%zu bytes)", n);
	ok(memory("VmHWM:") < (long)before + 2048, "and costs no memory");
	cpu0 = (unsigned long)memory("voluntary_ctxt_switches:");
	(void)is_quiet(d.parent, 300);
	ok((unsigned long)memory("voluntary_ctxt_switches:") < cpu0 + 10,
	    "nor time");
	close(fd);
	(void)end_of(st);
	close(st);

	fd = browser(&d, 0);
	post(fd, BULK);
	st = opened();
	requested(st);
	n = stuff(fd);
	ok(n < 32 << 20, "a service that does not read stops the browser "
	    "(%zu bytes)", n);
	ok(memory("VmHWM:") < (long)before + 2048, "and costs no memory");
	cpu0 = (unsigned long)memory("voluntary_ctxt_switches:");
	(void)is_quiet(d.parent, 300);
	ok((unsigned long)memory("voluntary_ctxt_switches:") < cpu0 + 10,
	    "nor time");
	close(fd);
	close(st);
	drive_tick(&d, 61000);
	staged();
	drive_tick(&d, 61000);
	last_words(0, "0\r\n\r\n");
	last_words(1, "0\r\n\r\n");
	last_words(0, "0\r\n");
	last_words(1, "0\r\n");
	is_int(drive_leave(&d), 0, "proxyd ends well");
	return (done_testing());
}
