/* SPDX-License-Identifier: ISC */
#ifndef USERSFETCH_H
#define USERSFETCH_H

#include <cjson/cJSON.h>

/*
 * Ask the server for users that another node has made: USERS_FETCH,
 * tunnel-protocol.md 4.6. What it answers is shown and given to plugins, and
 * never taken for ours (T18).
 */

struct usersfetch;
/*
 * `fn` is called once, never before this returns, with the credentials, which
 * it takes over; NULL when there are none. NULL when there is no tunnel.
 */
struct usersfetch	*usersfetch_start(void (*fn)(cJSON *));
/* Safe at any time. */
void	usersfetch_cancel(struct usersfetch *);

#endif
