/* SPDX-License-Identifier: ISC */
#ifndef ROUTE_H
#define ROUTE_H

#include "proc/conf.h"
#include "proxyd/http/host.h"
#include "http/head.h"

/*
 * Where a request goes: the table of architecture.md, "How a connection finds
 * its room", in its order. Pure.
 */
enum route {		/* as in metrics/proxyd.def */
	ROUTE_PROXY,		/* row 1: host parsed */
	ROUTE_BAD_HOST,		/* row 1: 400, not a proxy host */
	ROUTE_BAD_NAME,		/* row 1: 400, no service's label */
	ROUTE_HEALTH,		/* row 2: /api/health */
	ROUTE_PROBE,		/* row 8: route_probe() says which */
	ROUTE_TUNNEL,		/* row 3 */
	ROUTE_TERMINAL,		/* row 6: id filled */
	ROUTE_TCP,		/* row 6: id, and service as sent */
	ROUTE_RELAY,		/* row 4: id is what follows /relay/ */
	ROUTE_ADMIN,		/* row 8: rendezvous, all but its data */
	ROUTE_PAIR,		/* row 5 */
	ROUTE_API,		/* row 7 */
	ROUTE_CONSOLE,		/* row 9 */
	ROUTE_ACME,		/* row 8: a challenge, perhaps */
	ROUTE_NOT_FOUND		/* row 10 */
};

struct route_to {
	struct host	host;
	uint16_t	port;			/* of the Host value */
	struct slice	id;			/* of a session, as sent */
	struct slice	service;
};

/* What asks whether we live, or can serve, on every listener. */
enum probe { PROBE_NONE, PROBE_PAIRING, PROBE_ALIVE, PROBE_READY };
enum probe	route_probe(const struct slice *path);

/* `host` is the name to go by: Host, or what a trusted proxy says it was. */
enum route	route_find(struct route_to *, const struct httphead *,
		    const struct slice *host, uint32_t listen_flags,
		    const struct conf *);

#define ROUTE_ACME_PREFIX	"/.well-known/acme-challenge/"
#define ROUTE_TERMINAL_PATTERN	"/api/support-sessions/{id}/terminal"
#define ROUTE_TCP_PATTERN	"/api/support-sessions/{id}/tcp/{service}"

#endif
