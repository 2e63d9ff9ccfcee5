/* SPDX-License-Identifier: ISC */
#ifndef TALK_H
#define TALK_H

#include "client.h"

/* Exit status of `status`: there is a client, but it has no tunnel. */
#define TALK_DOWN	2

/*
 * An order in `words`, for the client that runs: ask it, print its answer.
 * Returns the exit status: 0, 1 after a word on standard error, TALK_DOWN.
 */
int	talk(const struct options *);

#endif
