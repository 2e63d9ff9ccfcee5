/* SPDX-License-Identifier: ISC */
#ifndef MOVING_H
#define MOVING_H

struct session;

/*
 * Sessions whose client is asked to come to another member while they are in
 * use. The tunnel is let run empty: who asks where such a session is waits
 * (await.h), for MOVING_HOLD_MS at most, while what runs runs to its end; then
 * the client goes, and they hear who has it. Through what is in use for longer
 * nothing is held. several-daemons.md, 4.
 */
#define MOVING_HOLD_MS	4000	/* a tunnel's time to run empty */
#define MOVING_COME_MS	8000	/* a client's, to say what it offers */

enum moving {
	MOVING_NOT,
	MOVING_HELD,	/* its client is to go */
	MOVING_COMES	/* it is there, what it offers is still to be told */
};
enum moving	moving_of(const struct session *);

/*
 * A tunnel that is to go is in use: hold what is new, if that may help. 1: it
 * is held, look again soon.
 */
int	moving_hold(struct session *);
/* The proxyds ask for each request from now on, whatever they know. */
void	moving_tell(struct session *);
/* Its client logs in here, while others drain: it may be asked for already. */
void	moving_comes(struct session *);

#endif
