/* SPDX-License-Identifier: ISC */
#ifndef HTTPHEAD_INT_H
#define HTTPHEAD_INT_H

#include "head.h"

/* Between the files of the head parser; nobody else includes this. */

/* Why a head is refused. */
struct httphead_fault {
	int		 status;
	const char	*why;
};

/*
 * Look for the end of the head in what is new since the last call and check
 * every byte on the way: no NUL or control character but HTAB, line ends only
 * as CRLF, no folded line. `skip` allows one empty line at the start. Returns
 * 1 with the length of the head (at most `max`), 0 when it is incomplete, -1.
 */
int	httphead_scan(struct httphead_scan *, const char *buf, size_t len,
	    size_t max, int skip, size_t *head_len, struct httphead_fault *);

/*
 * Take a request's target and Host apart and check them: sets path, query and
 * host. `field` is the Host field's value or NULL. Returns 0 or -1.
 */
int	httphead_target(struct httphead *, const struct slice *field,
	    struct httphead_fault *);

/* What the fields of a head say about its framing; NULL: not there. */
struct httphead_known {
	const struct slice	*host;
	const struct slice	*length;
	const struct slice	*coding;
	const struct slice	*upgrade;
};

/*
 * Find these fields and refuse what must not come twice. For a response only
 * Content-Length and Transfer-Encoding count. Returns 0 or -1.
 */
int	httphead_fields(const struct httphead *, int request,
	    struct httphead_known *, struct httphead_fault *);

/*
 * Find out from version and fields where the message ends and whether the
 * connection goes on: sets flags and content_length. `method` is that of the
 * request a response belongs to. Both return 0 or -1.
 */
int	httphead_frame_request(struct httphead *, const struct httphead_known *,
	    struct httphead_fault *);
int	httphead_frame_response(struct httphead *, int method,
	    const struct httphead_known *, struct httphead_fault *);

/* Fill the fault and return -1. */
int	httphead_fault(struct httphead_fault *, int status, const char *why);

#endif
