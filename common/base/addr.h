/* SPDX-License-Identifier: ISC */
#ifndef ADDR_H
#define ADDR_H

#include <sys/socket.h>

#include <stddef.h>
#include <stdint.h>

#include "imsg/msg.h"

/* An IP address; IPv4 is kept as its mapped form. */
struct addr {
	uint8_t		b[16];
};

struct addr_net {
	struct addr	net;
	unsigned int	bits;		/* of 128 */
};

/* The address of a socket; all zero for other families. */
void	addr_of_sockaddr(struct addr *, const struct sockaddr *);
/*
 * Parse a printed address, an IPv6 one with or without brackets. 0, or -1 and
 * nothing is changed.
 */
int	addr_parse(struct addr *, const char *, size_t len);
/* Print it; mapped IPv4 as IPv4. */
void	addr_print(const struct addr *, char out[ADDR_SIZE]);

/*
 * What limits count by (rate.h): IPv4 whole, IPv6 by its /64; mapped is
 * IPv4. messages.md, section 5.
 */
void	addr_key(const struct addr *, char key[ADDR_SIZE]);
/* The same as bytes. */
void	addr_net_of(const struct addr *, uint8_t net[16]);

/* Parse `address` or `address/bits`. 0 or -1. */
int	addr_net_parse(struct addr_net *, const char *);
int	addr_in(const struct addr *, const struct addr_net *, size_t n);

#endif
