/* SPDX-License-Identifier: ISC */
#ifndef OFFERS_H
#define OFFERS_H

#include <stddef.h>

struct services;

/*
 * What a session offers to pages of its siblings, as JSON in its row: an array
 * of objects with `name`, `target`, `host`, `tls`, `path`, `path_prefix` and
 * `node_id`. Pure. several-daemons.md, 3.
 */
#define OFFERS_MAX	(256 * 1024)	/* bytes; more is none */

/* Those with a host, for cJSON_free(); NULL: out of memory. */
char		*offers_print(const struct services *, size_t *len);
/*
 * A table for this system of this organization, for services_free(); NULL: it is
 * none. Entries that no muxd could have told are left out.
 */
struct services	*offers_read(const char *text, size_t len, const char *system,
		    const char *org);

#endif
