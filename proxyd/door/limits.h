/* SPDX-License-Identifier: ISC */
#ifndef LIMITS_H
#define LIMITS_H

/* How many descriptors may be in use at once. messages.md, section 5. */

/*
 * Before the first connection. `pause` stops (1) and resumes (0) accepting;
 * `shed` closes a connection that can be spared, if there is one (1).
 */
void	limits_init(void (*pause)(int), int (*shed)(void));
/*
 * Descriptors in use change by `n`: when they run out a connection is shed for
 * each new one, and accepting pauses when none can be.
 */
void	limits_fds(int n);
/* A connection more (1) or less (-1), with its descriptor. */
void	limits_conn(int n);
/* The system has none left, whoever holds them: look again in a second. */
void	limits_again(void);

#endif
