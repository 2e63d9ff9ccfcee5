/* SPDX-License-Identifier: ISC */
#ifndef PROXY_H
#define PROXY_H

#include <stddef.h>
#include <stdint.h>

#include "url.h"

/*
 * Forward proxies: which one, and whether it is to be asked at all. Pure.
 */

#define PROXY_BASIC_SIZE	1024

struct proxy {
	struct url	at;			/* `tls`: TLS to the proxy */
	char		basic[PROXY_BASIC_SIZE];	/* credentials; "" none */
};

/*
 * Take `http://user:password@host:port` or `https://...` apart; without a
 * scheme it is http://, a path is ignored, user and password may have %XX.
 * NULL, or a constant text that says what is wrong.
 */
const char	*proxy_parse(struct proxy *, const char *);

/*
 * Is host:port to be reached without a proxy? localhost and loopback addresses
 * always are, the others when a piece of `list` (commas) says so: `*`; an
 * address, with a port or not; a CIDR; a domain with all below it, `.domain` or
 * `*.domain` without the domain itself, each with a port or not. As
 * golang.org/x/net/http/httpproxy reads NO_PROXY.
 */
int		 proxy_bypassed(const char *list, const char *host,
		    uint16_t port);

/*
 * It has answered something else than 2xx: why, for people, and what to do.
 * `phrase` (may be "") is printable; `credentials` were sent; `other_scheme`:
 * it asks for something else than Basic.
 */
#define PROXY_WHY_SIZE	400
void		 proxy_refusal(char *dst, size_t size, int status,
		    const char *phrase, int credentials, int other_scheme);

#endif
