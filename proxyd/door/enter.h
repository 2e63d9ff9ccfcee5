/* SPDX-License-Identifier: ISC */
#ifndef LISTEN_H
#define LISTEN_H

#include <stdint.h>

#include "base/addr.h"

/* The listening sockets: whom limits.c lets in becomes a connection. */

/* Before the loop: one of them (taken). 0 or -1. */
int	listen_add(int fd, uint32_t flags);
/*
 * A connection has come (fd taken), `from` a tlsd or, NULL, to one of our own
 * listeners: let it in or not.
 */
struct plain;
void	listen_came(int fd, uint32_t flags, const struct addr *,
	    const struct plain *from);
/* Begin to accept. */
void	listen_run(void);
/* No more from now on. */
void	listen_stop(void);

#endif
