/* SPDX-License-Identifier: ISC */
#include <sys/uio.h>

#include <unistd.h>

#include "file.h"
#include "proxyd/door/conn.h"

#define FILE_PART	65536		/* at once */
#define FILE_PARTS	4		/* then others have their turn */

/* A part as soon as the one before has gone. */
void
file_send(struct conn *c, struct file *f)
{
	static char	 part[FILE_PART];
	struct iovec	 iov;
	ssize_t		 n;
	int		 i;

	if (conn_flush(c) != 1)
		return;
	for (i = 0; i < FILE_PARTS && f->left > 0 && c->out_len == 0; i++) {
		n = read(f->fd, part, f->left < sizeof(part) ?
		    (size_t)f->left : sizeof(part));
		if (n <= 0) {
			conn_close(c, "a file is shorter than it was", 1);
			return;
		}
		f->left -= (uint64_t)n;
		iov.iov_base = part;
		iov.iov_len = (size_t)n;
		if (conn_writev(c, &iov, 1) == -1)
			return;
		conn_deadline(c, FILE_IDLE_MS);
	}
	if (f->left == 0)
		conn_answered(c);
	else
		conn_writing(c);
}
