/* SPDX-License-Identifier: ISC */
#ifndef SERVICES_H
#define SERVICES_H

#include <stddef.h>
#include <stdint.h>

#include "budget.h"
#include "imsg/msg.h"

/*
 * The service table of a session, as its tunnel's manifest has it. muxd has
 * checked it; it is checked again here, since muxd reads what the network
 * wrote. tunnel-protocol.md, 4.2 and 4.3.
 */

#define SERVICES_MAX		500
#define SERVICES_BYTES_MAX	(256U << 20)	/* of all tables together; */
#define SERVICES_BYTES_ONE	(32U << 20)	/* of one system's */
#define SERVICES_BYTES_FEW	(32U << 20)	/* of one organization's, when
						   little is left */
#define SERVICE_TERMINAL	"terminal"	/* built in, never in a table */

struct service {
	const char	*name, *target, *host, *label, *path, *path_prefix;
	const char	*module_id, *node_id;
	int		 tls, tcp;
	int		 tcp_added;	/* who added it said so */
};

struct services {
	uint32_t	 version;
	unsigned	 n;
	unsigned	 left;		/* entries that are still to come */
	struct claim	 bytes;
	char		 system[ID_SIZE], org[ID_SIZE];	/* whose bytes */
	struct service	*v[];		/* one block each */
};

/*
 * A table that `count` (at most SERVICES_MAX) entries will follow into, of this
 * system of this organization ("": none).
 */
struct services	*services_new(uint32_t version, unsigned count,
		    const char *system, const char *org);
void		 services_free(struct services *);
/* NULL when there is none of that name, or no table. */
const struct service	*services_find(const struct services *, const char *);

/* Grammar of names, and of hosts ("" is allowed). 0 or -1. */
int	services_check_name(const char *);
int	services_check_host(const char *);

/*
 * An entry that has come: NULL, or why it was left out. It counts as come in
 * both cases.
 */
const char	*services_add(struct services *, const struct msg_service *);

/*
 * Whether a service is plain TCP: its client says so in the manifest, or the
 * operator who added it said so, which a client need not know. Of the latter
 * is it, or is it not, as long as it has this target; 1 if that is news.
 */
int	service_is_tcp(const struct service *);
int	services_set_tcp(struct services *, const char *name,
	    const char *target, int);
/* What was set in the table that this one is to replace. */
void	services_keep_tcp(struct services *, const struct services *);

#endif
