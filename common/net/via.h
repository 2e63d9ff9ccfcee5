/* SPDX-License-Identifier: ISC */
#ifndef VIA_H
#define VIA_H

#include "net.h"
#include "proxy.h"

/*
 * Connect through a forward proxy: to the proxy, CONNECT, and TLS with the
 * server over that. Only TLS goes through: the proxy sees no secret of ours.
 */

#define VIA_ANSWER_MS	10000	/* for the proxy's answer */

struct via;

/*
 * As dial_start(); `how` is the server's, with `tls` DIAL_TLS_SERVER. Texts of
 * failures begin with "proxy: " when it is the proxy that fails. *x is borrowed
 * until `fn` is called. The proxy is told that it is `agent` who asks.
 */
struct via	*via_start(const struct proxy *x, const struct dial_how *how,
		    const char *agent, dial_fn, void *);
void		 via_cancel(struct via *);

#endif
