/* SPDX-License-Identifier: ISC */
#ifndef LIST_H
#define LIST_H

#include "relay.h"

/* What there is to reach: the sessions that are open, and their services. */

/*
 * The one session that is meant: by a beginning of its id, of four characters
 * at least, or by the name or key of its system. ENDED_WELL: `id` is it, for as
 * long as the call; else `why`, for people.
 */
typedef void	(*list_fn)(enum ended, const char *id, const char *why);
/* Later than it returns, once. 0, or -1: no memory. */
int	list_find(const char *word, list_fn);

/* Print tables, or words that begin so. It ends with tool_end(). 0, -1. */
void	list_only(const char *begin);
int	list_sessions(void);
int	list_services(void);

#endif
