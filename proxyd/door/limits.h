/* SPDX-License-Identifier: ISC */
#ifndef LIMITS_H
#define LIMITS_H

#include "addr.h"

/*
 * How much may be here at once: descriptors, and connections that have not
 * said yet what they want. messages.md, section 5.
 */

/* Before the first connection. `pause` stops (1) and resumes (0) accepting. */
void	limits_init(void (*pause)(int));
/* Descriptors in use change by `n`: accepting pauses when they run out. */
void	limits_fds(int n);
/* A connection more (1) or less (-1), with its descriptor. */
void	limits_conn(int n);
/* The system has none left, whoever holds them: look again in a second. */
void	limits_again(void);

/* Room for one more that we know nothing about? Early drop above half. */
int	limits_admit(const struct addr *, int trusted);
/* One more (1) or less (-1) whose head is not there yet. */
void	limits_unclassified(const struct addr *, int trusted, int n);

#endif
