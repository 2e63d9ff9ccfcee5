/* SPDX-License-Identifier: ISC */
/* The way to relayd: its control socket. */
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "reach.h"

int
reach(const char *path, int quiet)
{
	struct sockaddr_un	sun = { .sun_family = AF_UNIX };
	const char		*hint = "";
	int			fd;

	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >=
	    sizeof(sun.sun_path)) {
		fprintf(stderr, "relayctl: the path of the socket is too "
		    "long\n");
		exit(EXIT_USAGE);
	}
	if ((fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)) != -1 &&
	    connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0 &&
	    fcntl(fd, F_SETFL, O_NONBLOCK) == 0)
		return (fd);
	if (errno == ENOENT || errno == ECONNREFUSED)
		hint = "; is relayd running?";
	else if (errno == EACCES)
		hint = "; only root and the socket's group may ask";
	if (!quiet)
		fprintf(stderr, "relayctl: %s: %s%s\n", path, strerror(errno),
		    hint);
	exit(EXIT_UNREACHED);
}
