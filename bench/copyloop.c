/* SPDX-License-Identifier: ISC */

/*
 * copyloop: what it costs to move bytes through so many processes when
 * nothing is done to them.  A source writes to the first hop over TCP, each
 * hop reads and writes, hops are joined by socketpairs, the last one writes to
 * a sink over TCP: the way of the bytes through relayd, without the work.
 *
 *	copyloop [-n hops] [-m megabytes] [-s bufsize]
 *
 * prints a line of JSON: CPU (user+system, of the hops alone) per byte, and
 * the rate.
 */

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <netinet/in.h>

#include <err.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAXHOPS	16

static void
tcp_pair(int fd[2])
{
	struct sockaddr_in	 sin;
	socklen_t		 len = sizeof(sin);
	int			 l;

	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if ((l = socket(AF_INET, SOCK_STREAM, 0)) == -1 ||
	    bind(l, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    listen(l, 1) == -1 ||
	    getsockname(l, (struct sockaddr *)&sin, &len) == -1 ||
	    (fd[0] = socket(AF_INET, SOCK_STREAM, 0)) == -1 ||
	    connect(fd[0], (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    (fd[1] = accept(l, NULL, NULL)) == -1)
		err(1, "tcp pair");
	close(l);
}

static void
write_all(int fd, const char *p, size_t n)
{
	ssize_t	 w;

	while (n > 0) {
		if ((w = write(fd, p, n)) == -1)
			err(1, "write");
		p += w;
		n -= (size_t)w;
	}
}

/* Read to the end of `in`; write it to `out` unless that is -1. */
static void
copy(int in, int out, char *buf, size_t size)
{
	ssize_t	 n;

	while ((n = read(in, buf, size)) > 0)
		if (out != -1)
			write_all(out, buf, (size_t)n);
	if (n == -1)
		err(1, "read");
}

/*
 * Fork the i-th process of the chain: 0 is the source, the last one the sink.
 * fds holds both ends of all links; a child keeps what it needs.
 */
static pid_t
start(int i, int last, int (*fds)[2], uint64_t bytes, size_t size)
{
	pid_t	 pid;
	char	*buf;
	int	 j, in = -1, out = -1;

	if ((pid = fork()) == -1)
		err(1, "fork");
	if (pid != 0)
		return (pid);
	if (i > 0)
		in = fds[i - 1][1];
	if (i < last)
		out = fds[i][0];
	for (j = 0; j < last; j++) {
		if (fds[j][0] != out)
			close(fds[j][0]);
		if (fds[j][1] != in)
			close(fds[j][1]);
	}
	if ((buf = calloc(1, size)) == NULL)
		err(1, "calloc");
	if (i == 0) {
		for (; bytes >= size; bytes -= size)
			write_all(out, buf, size);
		write_all(out, buf, (size_t)bytes);
	} else
		copy(in, out, buf, size);
	_exit(0);
}

static double
seconds(const struct timeval *tv)
{
	return ((double)tv->tv_sec + (double)tv->tv_usec / 1e6);
}

int
main(int argc, char **argv)
{
	struct rusage	 ru;
	struct timespec	 a, b;
	uint64_t	 bytes = 1024ULL << 20;
	size_t		 size = 65536;
	double		 cpu = 0, wall;
	pid_t		 pids[MAXHOPS + 2];
	int		 fds[MAXHOPS + 1][2];
	int		 ch, i, hops = 2, status;

	while ((ch = getopt(argc, argv, "m:n:s:")) != -1) {
		switch (ch) {
		case 'm':
			bytes = strtoull(optarg, NULL, 10) << 20;
			break;
		case 'n':
			hops = atoi(optarg);
			break;
		case 's':
			size = strtoul(optarg, NULL, 10);
			break;
		default:
			errx(1, "usage: copyloop [-m megabytes] [-n hops] "
			    "[-s bufsize]");
		}
	}
	if (hops < 1 || hops > MAXHOPS || size == 0 || bytes == 0)
		errx(1, "bad argument");
	signal(SIGPIPE, SIG_IGN);
	for (i = 0; i <= hops; i++) {
		if (i == 0 || i == hops)
			tcp_pair(fds[i]);
		else if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds[i]) == -1)
			err(1, "socketpair");
	}
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (i = 0; i <= hops + 1; i++)
		pids[i] = start(i, hops + 1, fds, bytes, size);
	for (i = 0; i <= hops; i++) {
		close(fds[i][0]);
		close(fds[i][1]);
	}
	for (i = 0; i <= hops + 1; i++) {
		if (wait4(pids[i], &status, 0, &ru) == -1 || status != 0)
			errx(1, "process %d failed", i);
		if (i > 0 && i <= hops)
			cpu += seconds(&ru.ru_utime) + seconds(&ru.ru_stime);
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	wall = (double)(b.tv_sec - a.tv_sec) +
	    (double)(b.tv_nsec - a.tv_nsec) / 1e9;
	printf("{\"hops\":%d,\"bytes\":%llu,\"bufsize\":%zu,\"seconds\":%.3f,"
	    "\"mb_per_s\":%.0f,\"cpu_ns_per_byte\":%.4f}\n", hops,
	    (unsigned long long)bytes, size, wall,
	    (double)bytes / wall / 1e6, cpu * 1e9 / (double)bytes);
	return (0);
}
