/* SPDX-License-Identifier: ISC */
#ifndef PROXYD_FILE_H
#define PROXYD_FILE_H

#include <stdint.h>

struct conn;

#define FILE_IDLE_MS	60000		/* for a caller to take a part */

/* A file that is an answer's body. */
struct file {
	int		fd;		/* its owner's; -1: there is none */
	uint64_t	left;		/* bytes */
};

/*
 * Send on as much as the caller takes, of which he has FILE_IDLE_MS for each
 * part; the request is answered with the last. To be called again when it is
 * writable.
 */
void	file_send(struct conn *, struct file *);

#endif
