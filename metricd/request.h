/* SPDX-License-Identifier: ISC */
#ifndef METRICD_REQUEST_H
#define METRICD_REQUEST_H

#include <stddef.h>

#include "http/head.h"

/* What is asked of us. Pure. */

#define REQUEST_MAX	4096	/* bytes of a head */

enum request_what {
	REQUEST_INCOMPLETE,	/* call again when there is more */
	REQUEST_METRICS,	/* as text 0.0.4 */
	REQUEST_OPENMETRICS,
	REQUEST_HEALTH,		/* does it live? */
	REQUEST_READY,		/* can it serve? */
	REQUEST_NOT_FOUND, REQUEST_METHOD, REQUEST_TOO_LONG, REQUEST_BAD
};

struct request {
	char			 buf[REQUEST_MAX];
	size_t			 len;		/* that have come */
	struct httphead_scan	 scan;
	int			 is_head;
};

enum request_what	request_read(struct request *);

/*
 * What an Accept field is content with (RFC 9110, 12.5.1): is it OpenMetrics?
 */
int	request_accepts(const struct slice *accept);

#endif
