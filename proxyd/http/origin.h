/* SPDX-License-Identifier: ISC */
#ifndef ORIGIN_H
#define ORIGIN_H

#include "http/head.h"
#include "host.h"

/*
 * Whose page makes the browser send this request. Pure. operator-api.md, 7.5.
 */

enum origin {
	ORIGIN_OK,		/* the host's own, or no page at all */
	ORIGIN_SIBLING,		/* another host of the session: CORS */
	ORIGIN_FOREIGN		/* refused */
};

/* ORIGIN_SIBLING comes from the Origin field only. */
enum origin	origin_check(const struct httphead *, const struct host *self,
		    const struct origin_at *);

#endif
