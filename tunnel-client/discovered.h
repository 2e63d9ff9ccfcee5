/* SPDX-License-Identifier: ISC */
#ifndef DISCOVERED_H
#define DISCOVERED_H

#include <cjson/cJSON.h>

#include "client.h"

/* What a discovery has found: survey.h says how it is written down. */

enum platform { PLATFORM_NONE, PLATFORM_NS8, PLATFORM_NETHSECURITY };

struct discovered {
	enum platform	 platform;
	int		 master;	/* NS8: Redis is written to here */
	char		 node[CLIENT_NODE_SIZE];	/* "" unknown */
	struct services	 services;
	cJSON		*modules;	/* id: {label, domain, node_id} */
};

/*
 * Read a document into *d, which holds what was known: of a node that could not
 * be asked it stays. A service that service_fault() refuses is left out with a
 * warning. 0; or -1 when the document does not count, after a warning, with *d
 * as it was.
 */
int	discovered_read(struct discovered *d, const char *text, size_t len);
void	discovered_clear(struct discovered *);

#endif
