/* SPDX-License-Identifier: ISC */
#ifndef GONE_H
#define GONE_H

#include <poll.h>

/*
 * Has the other side of this socket gone for good? Who has closed one direction
 * only has not, nor has who has closed both and was sent nothing since: TCP
 * tells the two apart when something comes to them.
 */
static inline int
fd_is_gone(int fd)
{
	struct pollfd	pfd = { fd, 0, 0 };

	return (poll(&pfd, 1, 0) == 1 && (pfd.revents & (POLLHUP | POLLERR)));
}

#endif
