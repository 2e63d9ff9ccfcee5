/* SPDX-License-Identifier: ISC */
#ifndef NET_LISTEN_H
#define NET_LISTEN_H

#include <stdint.h>

#include "base/addr.h"

struct event_base;

/* The listening sockets that a process was given, and who comes there. */

struct listen_ops {
	/* One has come (fd taken, non-blocking), at the n-th of them. */
	void	(*came)(int fd, unsigned n, uint32_t flags,
		    const struct addr *);
	/* The system has no descriptor or memory left: pause, and go on later. */
	void	(*none_left)(void);
};

/* Before the loop: one of them (taken). 0 or -1: too many. */
int	listen_add(int fd, uint32_t flags);
/* Has one these flags, any of them? */
int	listen_has(uint32_t flags);
/* Begin to accept. `ops` lives on. */
void	listen_run(struct event_base *, const struct listen_ops *);
/* No more for now (1), or again (0). */
void	listen_pause(int);
/* No more from now on. Safe at any time. */
void	listen_stop(void);
/* From being told to leave until the last one is accepted: handshakes end. */
#define LEAVE_DOORS_MS	2000
/* The same, when who waits to be accepted has been. */
void	listen_drain(void);

#endif
