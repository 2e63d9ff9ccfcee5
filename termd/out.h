/* SPDX-License-Identifier: ISC */
#ifndef OUT_H
#define OUT_H

#include <stddef.h>
#include <stdint.h>

/* Bytes on their way out of a terminal; `off` of them have gone. */
struct outbuf {
	uint8_t	*data;
	size_t	 off, len, cap;
};

/* Copies them behind the others. 0; -1: no memory. */
int	out_add(struct outbuf *, const void *, size_t);
size_t	out_left(const struct outbuf *);
/* 0: all gone or the socket is full; -1: the far end has. */
int	out_write(struct outbuf *, int fd);
/* Forget, and wipe, what is left. */
void	out_clear(struct outbuf *);

#endif
