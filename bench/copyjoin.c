/* SPDX-License-Identifier: ISC */

/*
 * copyjoin: where two connections meet and nothing is done to their bytes: each
 * direction is a thread that reads and writes. Each pair of connections that
 * come one after the other is one; what they ask for is answered with a 101, so
 * that a load for WebSocket relays can be put on it.
 *
 *	copyjoin PORT
 */

#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <err.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUF	(256 * 1024)

struct way {
	int	from, to;
};

static void *
copy(void *arg)
{
	struct way	*w = arg;
	char		*buf = malloc(BUF), *p;
	ssize_t		 n, k;

	if (buf == NULL)
		err(1, "malloc");
	while ((n = read(w->from, buf, BUF)) > 0)
		for (p = buf; n > 0; p += k, n -= k)
			if ((k = write(w->to, p, (size_t)n)) == -1)
				goto done;
done:
	(void)shutdown(w->to, SHUT_WR);
	(void)shutdown(w->from, SHUT_RD);
	free(buf);
	free(w);
	return (NULL);
}

/* Its head is read to the end, byte by byte. */
static int
answered(int l)
{
	static const char	yes[] = "HTTP/1.1 101 Switching Protocols\r\n\r\n";
	int			fd = accept(l, NULL, NULL), on = 1;
	char			c;
	unsigned		last = 0;

	if (fd == -1)
		err(1, "accept");
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	while (last != 0x0d0a0d0a && read(fd, &c, 1) == 1)
		last = last << 8 | (unsigned char)c;
	if (write(fd, yes, sizeof(yes) - 1) == -1)
		warn("write");
	return (fd);
}

static void
begin(int from, int to)
{
	pthread_t	 t;
	struct way	*w = malloc(sizeof(*w));

	if (w == NULL)
		err(1, "malloc");
	*w = (struct way){ from, to };
	if (pthread_create(&t, NULL, copy, w) != 0)
		errx(1, "pthread_create");
	(void)pthread_detach(t);
}

int
main(int argc, char **argv)
{
	struct sockaddr_in	sin = { .sin_family = AF_INET };
	int			l, a, b, on = 1;

	if (argc != 2)
		errx(1, "usage: copyjoin port");
	(void)signal(SIGPIPE, SIG_IGN);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sin.sin_port = htons((uint16_t)atoi(argv[1]));
	if ((l = socket(AF_INET, SOCK_STREAM, 0)) == -1 || setsockopt(l,
	    SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1 ||
	    bind(l, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    listen(l, 64) == -1)
		err(1, "listen");
	for (;;) {
		a = answered(l);
		b = answered(l);
		begin(a, b);
		begin(b, a);
	}
}
