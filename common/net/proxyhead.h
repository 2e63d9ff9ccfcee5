/* SPDX-License-Identifier: ISC */
#ifndef PROXYHEAD_H
#define PROXYHEAD_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/*
 * The PROXY header, in which a proxy says whose connection it passes on, before
 * the first byte of it: haproxy's proxy-protocol.txt, 2.1 (version 1, a line)
 * and 2.2 (version 2, binary). Pure.
 */

/* A line has 107 at most; what is longer than this is refused. */
#define PROXYHEAD_MAX	4096

/* proxy-protocol.txt, 2.2.8: ours, between the members of a cluster */
#define PROXYHEAD_OURS	0xe0

enum proxyhead_of {
	PROXYHEAD_CLIENT,	/* of this client */
	PROXYHEAD_UNNAMED,	/* of somebody who is not named */
	PROXYHEAD_LOCAL		/* the proxy's own, a health check */
};

struct proxyhead {
	enum proxyhead_of	 of;
	struct addr		 client;	/* PROXYHEAD_CLIENT */
	uint16_t		 port;
	const uint8_t		*ours;		/* PROXYHEAD_OURS, or NULL */
	size_t			 ours_len;
};

/*
 * What stands at the start of these bytes? The header's length; 0: no more of
 * it than its beginning, and all of that; or -1 with *why.
 */
long	proxyhead_parse(struct proxyhead *, const uint8_t *, size_t len,
	    const char **why);

#endif
