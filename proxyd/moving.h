/* SPDX-License-Identifier: ISC */
#ifndef PROXYD_MOVING_H
#define PROXYD_MOVING_H

/*
 * Sessions that are about to go to another member, or have just come, as authd
 * has said (IDLE_DROP): it is asked for each request, for a while, also if a
 * member has passed it on. several-daemons.md, 4.
 */
#define MOVING_MS	10000	/* longer than a member is known */
#define MOVING_MARKS	16384	/* more: the oldest is forgotten */

/* Once. */
void	moving_init(void);
void	moving_mark(const char *session);
int	moving_is(const char *session);
/*
 * Have we just begun, and know nothing of those that have left before? A member
 * that was drained and starts again is still thought to have them for a moment.
 */
int	moving_has_begun(void);

#endif
