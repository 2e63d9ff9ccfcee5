/* SPDX-License-Identifier: ISC */
#ifndef MOVING_H
#define MOVING_H

#include "imsg/msg.h"
#include "member.h"

struct asker;
struct session;

/*
 * Sessions whose client is asked to come to another member while they are in
 * use. The tunnel is let run empty: who asks where such a session is (WHERE)
 * waits, for MOVING_HOLD_MS at most, while what runs runs to its end; then the
 * client goes, and they hear who has it. Through what is in use for longer
 * nothing is held. several-daemons.md, 4.
 */
#define MOVING_HOLD_MS	4000	/* a tunnel's time to run empty */
#define MOVING_WAIT_MS	8000	/* of who waits; proxyd's is longer */
#define MOVING_MAX	1024	/* who wait; one more hears what is known */

void	moving_init(void);
/*
 * A tunnel that is to go is in use: hold what is new, if that may help. 1: it
 * is held, look again soon.
 */
int	moving_hold(struct session *);
/* Its client logs in here, while others drain: it may be asked for already. */
void	moving_comes(struct session *);
/*
 * Where it is: holder_ask(), and the wait before it. `then` is called once, in
 * this call or later.
 */
void	moving_where(const char *session, uint64_t asker, holder_then then,
	    void *arg);

#endif
