/* SPDX-License-Identifier: ISC */
/* What a connection says, as far as it goes at once, and the rest. */
#include <sys/socket.h>
#include <sys/uio.h>

#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "conn.h"

int
conn_keep(struct conn *c, const struct iovec *iov, int n, size_t done)
{
	size_t	 len = 0, off = 0, part;
	char	*p;
	int	 i;

	for (i = 0; i < n; i++)
		len += iov[i].iov_len;
	len -= done;
	if ((p = malloc(c->out_len + len)) == NULL)
		return (-1);
	if (c->out_len > 0)
		memcpy(p, c->out + c->out_off, c->out_len);
	off = c->out_len;
	for (i = 0; i < n; i++) {
		part = iov[i].iov_len;
		if (done >= part) {
			done -= part;
			continue;
		}
		memcpy(p + off, (char *)iov[i].iov_base + done, part - done);
		off += part - done;
		done = 0;
	}
	freezero(c->out, c->out_off + c->out_len);
	c->out = p;
	c->out_off = 0;
	c->out_len = off;
	return (0);
}

/* send() goes a shorter way through the kernel than writev(). */
ssize_t
conn_sendv(int fd, struct iovec *iov, int n)
{
	struct msghdr	msg;

	if (n == 1)
		return (send(fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL));
	memset(&msg, 0, sizeof(msg));
	msg.msg_iov = iov;
	msg.msg_iovlen = (size_t)n;
	return (sendmsg(fd, &msg, MSG_NOSIGNAL));
}
