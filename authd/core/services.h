/* SPDX-License-Identifier: ISC */
#ifndef SERVICES_H
#define SERVICES_H

#include <stddef.h>
#include <stdint.h>

#include "imsg/imsg.h"

struct session;
struct peer;

/*
 * The service table of a session, as its tunnel's manifest has it. muxd has
 * checked it; it is checked again here, since muxd reads what the network
 * wrote. tunnel-protocol.md, 4.2 and 4.3.
 */

#define SERVICES_MAX		500
#define SERVICES_BYTES_MAX	(256U << 20)	/* of all tables together */
#define SERVICE_TERMINAL	"terminal"	/* built in, never in a table */

struct service {
	const char	*name, *target, *host, *label, *path, *path_prefix;
	const char	*module_id, *node_id;
	int		 tls;
};

struct services {
	uint32_t	 version;
	unsigned	 n;
	unsigned	 left;		/* entries that are still to come */
	size_t		 bytes;
	struct service	*v[SERVICES_MAX];	/* one block each */
};

/* A table that `count` (at most SERVICES_MAX) entries will follow into. */
struct services	*services_new(uint32_t version, unsigned count);
void		 services_free(struct services *);
/* NULL when there is none of that name. */
const struct service	*services_find(const struct services *, const char *);

/* Grammar of names, and of hosts ("" is allowed). 0 or -1. */
int	services_check_name(const char *);
int	services_check_host(const char *);

/* Handlers of a muxd's channel. */
int	services_on_begin(struct chan *, struct imsg *);
int	services_on_service(struct chan *, struct imsg *);
int	services_on_end(struct chan *, struct imsg *);

/*
 * Send the session's table to one proxyd, or to all that hold a grant: at once,
 * then once a second at most, the newest. The timer for that is the session's.
 */
void	services_send(const struct session *, struct peer *proxyd);
void	services_push(struct session *);
void	services_push_due(void *session);

#endif
