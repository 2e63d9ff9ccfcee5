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
enum route {
	ROUTE_PROXY,		/* row 1: host parsed */
	ROUTE_BAD_HOST,		/* row 1: 400, not a proxy host */
	ROUTE_BAD_NAME,		/* row 1: 400, no service's label */
	ROUTE_HEALTH,		/* row 2: /api/health */
	ROUTE_TUNNEL,		/* row 3 */
	ROUTE_TERMINAL,		/* row 6: id filled */
	ROUTE_API,		/* row 7 */
	ROUTE_NOT_FOUND		/* row 10 */
};

struct route_to {
	struct host	host;
	uint16_t	port;			/* of the Host value */
	struct slice	id;			/* of a session, as sent */
};

/* `host` is the name to go by: Host, or what a trusted proxy says it was. */
enum route	route_find(struct route_to *, const struct httphead *,
		    const struct slice *host, uint32_t listen_flags,
		    const struct conf *);

/*
 * The operator API's table. Returns the enum api_op, 0 for an unknown path,
 * -1 for a known path with another method. *id and *part are set where the
 * pattern has them.
 */
int		route_api(const struct slice *path, const struct slice *method,
		    struct slice *id);

/* Whether this is a UUID: 8-4-4-4-12 hex digits. */
int		route_is_uuid(const struct slice *);

#define ROUTE_API_PREFIX	"/api/support-sessions"

#endif
