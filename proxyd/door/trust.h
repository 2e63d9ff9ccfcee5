/* SPDX-License-Identifier: ISC */
#ifndef TRUST_H
#define TRUST_H

#include "base/addr.h"
#include "http/head.h"

/* What a proxy in front of us (proc/trusted.h) may say of its client. */

/*
 * The name to go by. A page's script may send X-Forwarded-Host to its own
 * origin, and usual proxies pass it on: a trusted peer's counts only where Host
 * is no name under `domain` (which a proxy that keeps Host sends), and then
 * has to say one name, once. 0, or -1: 400, it says another name than Host, or
 * several. operator-api.md, 7.2.
 */
int	trust_host(struct slice *, int trusted, const struct httphead *,
	    const char *domain);
/* Whom a trusted peer names, else `a` stays. */
void	trust_forwarded(struct addr *a, const struct httphead *);

/*
 * The id that a trusted proxy has given the request: 1, or 0: none that can be
 * one (base/request.h).
 */
int	trust_request(char dst[REQUEST_SIZE], const struct httphead *);

#endif
