/* SPDX-License-Identifier: ISC */
#ifndef LISTEN_H
#define LISTEN_H

#include <stdint.h>

/* The listening sockets: whom limits.c lets in becomes a connection. */

/* Before the loop: one of them (taken). 0 or -1. */
int	listen_add(int fd, uint32_t flags);
/* Begin to accept. */
void	listen_run(void);
/* No more from now on. */
void	listen_stop(void);

#endif
