/* SPDX-License-Identifier: ISC */
#ifndef UDP_H
#define UDP_H

#include "conn.h"

/*
 * A relay session's slot, and a local UDP socket: a message is a datagram. One
 * that cannot be passed on at once is lost, as datagrams are. `to_sender`: it
 * is not connected, and what comes goes to who has sent last. Takes the
 * descriptor. NULL: no memory, and it was not taken.
 */
struct udp	*udp_start(int fd, int to_sender, conn_fn, void *);

#endif
