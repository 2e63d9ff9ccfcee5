/* SPDX-License-Identifier: ISC */
#ifndef DOOR_PEER_H
#define DOOR_PEER_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

struct plain;
struct proxyhead;

/*
 * What another member of a cluster passes on (LISTEN_PEER): authd says whether
 * its header is genuine, and then it is a connection like any other, of the
 * client that the header names.
 */

#define PEER_REFUSED	30	/* of one source a minute, then none is looked at */

/* Once: what takes those that are genuine (enter()). */
void	peer_init(void (*came)(int fd, uint32_t flags, const struct addr *,
	    const struct plain *from));
/* One has said its header (fd taken). */
void	peer_came(int fd, const struct plain *, const struct addr *from,
	    const struct proxyhead *, const uint8_t *head, size_t len);

#endif
