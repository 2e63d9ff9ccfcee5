/* SPDX-License-Identifier: ISC */
/* The store, and what is beside it: is there room, does it answer? */
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "doctor.h"

#define REACH_MS	3000
#define ROOM_LEAST	(64ULL << 20)	/* below that the store is in danger */

/* A socket that blocks from then on, or -1 with errno. */
static int
reach(const struct sockaddr *sa, socklen_t len)
{
	struct pollfd	p;
	socklen_t	n = sizeof(errno);
	int		fd, why = 0;

	if ((fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0)) == -1)
		return (-1);
	if (connect(fd, sa, len) == -1)
		why = errno;
	if (why == EINPROGRESS) {
		p = (struct pollfd){ .fd = fd, .events = POLLOUT };
		if (poll(&p, 1, REACH_MS) != 1)
			why = ETIMEDOUT;
		else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &n) == -1)
			why = errno;
	}
	if (why == 0 && fcntl(fd, F_SETFL, 0) == -1)
		why = errno;
	if (why == 0)
		return (fd);
	close(fd);
	errno = why;
	return (-1);
}

static int
reach_host(const char *host, unsigned port)
{
	struct addrinfo	hints = { .ai_flags = AI_NUMERICHOST,
			    .ai_socktype = SOCK_STREAM }, *ai;
	char		service[8];
	int		fd;

	snprintf(service, sizeof(service), "%u", port);
	if (getaddrinfo(host, service, &hints, &ai) != 0) {
		errno = EINVAL;
		return (-1);
	}
	fd = reach(ai->ai_addr, ai->ai_addrlen);
	freeaddrinfo(ai);
	return (fd);
}

static int
reach_socket(const char *dir, unsigned port)
{
	struct sockaddr_un	sun = { .sun_family = AF_UNIX };

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%.80s/.s.PGSQL.%u", dir,
	    port);
	return (reach((struct sockaddr *)&sun, sizeof(sun)));
}

static void
not_reached(const char *engine, const char *at)
{
	finding(WRONG, engine, strerror(errno), "an answer",
	    "start it, or name another than %s", at);
}

/* A word of libpq's, without quotes (base/conninfo.h); -1: it has none. */
static int
word_of(const char *info, const char *key, char *value, size_t size)
{
	size_t	len = strlen(key), n;

	while (*(info += strspn(info, " ")) != '\0') {
		n = strcspn(info, " ");
		if (n > len && strncmp(info, key, len) == 0 &&
		    info[len] == '=' && n - len - 1 < size) {
			memcpy(value, info + len + 1, n - len - 1);
			value[n - len - 1] = '\0';
			return (0);
		}
		info += n;
	}
	return (-1);
}

static void
check_server(const struct conf *c)
{
	char	host[256];
	int	fd;

	if (word_of(c->store_server, "hostaddr", host, sizeof(host)) == -1 &&
	    word_of(c->store_server, "host", host, sizeof(host)) == -1)
		strlcpy(host, "127.0.0.1", sizeof(host));
	fd = host[0] == '/' ? reach_socket(host, (unsigned)c->store_port) :
	    reach_host(host, (unsigned)c->store_port);
	if (fd == -1) {
		not_reached("PostgreSQL", host);
		return;
	}
	close(fd);
	check_login(c);
}

/* Of the file system that `path` is in, or will be; -1: there is none. */
static int
room(const char *path, uint64_t *bytes)
{
	struct statvfs	fs;
	char		at[1024], *slash;

	strlcpy(at, path, sizeof(at));
	while (statvfs(at, &fs) == -1) {
		if ((slash = strrchr(at, '/')) == NULL || slash == at)
			return (-1);
		*slash = '\0';
	}
	*bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	return (0);
}

static void
check_room(const struct conf *c)
{
	uint64_t	bytes, wants = 0;
	char		has[32], needs[32];

	if (c->store_server[0] == '\0')
		wants += c->store_max;
	if (c->record_terminals)
		wants += c->recording_max + c->recording_free;
	if (wants == 0 || room(c->store_path, &bytes) == -1)
		return;
	snprintf(has, sizeof(has), "%" PRIu64, bytes >> 20);
	snprintf(needs, sizeof(needs), "%" PRIu64, wants >> 20);
	finding(bytes < ROOM_LEAST ? WRONG : bytes < wants ? WARN : FINE,
	    "disk of the store, MiB", has, needs, "it may grow so far: free "
	    "some, or lower store max, and recording directory max");
}

void
check_store(const struct conf *c)
{
	int	fd;

	if (c->store_server[0] != '\0')
		check_server(c);
	if (c->redis_host[0] != '\0') {
		fd = reach_host(c->redis_host, (unsigned)c->redis_port);
		if (fd == -1) {
			not_reached("Redis", c->redis_host);
		} else {
			check_redis(c, fd);
			close(fd);
		}
	}
	check_room(c);
}
