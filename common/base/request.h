/* SPDX-License-Identifier: ISC */
#ifndef REQUEST_H
#define REQUEST_H

#include "ascii.h"

/*
 * The id of a request, by which its lines in the log are found, from the front
 * door to the store. It is no secret, and nothing is granted for it.
 */
#define REQUEST_SIZE	65	/* with its NUL */

/*
 * Is it one: 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'? Nothing else of a
 * peer's gets into a log line or a head by it. 1 or 0.
 */
static inline int
request_is(const char *s, size_t len)
{
	return (len > 0 && len < REQUEST_SIZE && ascii_all(s, len, "._-"));
}

#endif
