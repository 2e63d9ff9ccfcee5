/* SPDX-License-Identifier: ISC */
#ifndef AWAIT_H
#define AWAIT_H

#include "member.h"

/*
 * Who asks where a session is (WHERE). While it is on its way from one member
 * to another he waits for it: as long as it is held (moving.h), and AWAIT_MS
 * from then on, or from when its row says that its tunnel went. The store is
 * asked once for all who wait for the same. several-daemons.md, 4.
 */
#define AWAIT_MS	8000	/* a client's time to come again; */
#define AWAIT_ASK_MS	200	/* between two questions about a session */
#define AWAIT_MAX	2048	/* who wait, */
#define AWAIT_ONE	1024	/* of one proxyd, */
#define AWAIT_SESSION	256	/* for one session; one more hears nothing */

void	await_init(void);
/*
 * As holder_then is called: once, in this call or later; asker: an instance.
 * DOWN also for one who may not wait.
 */
void	await_where(const char *session, uint64_t asker, holder_then then,
	    void *arg);

/* Who waits, here; they would be cut off if this relayd stopped. */
unsigned	await_count(void);

#endif
