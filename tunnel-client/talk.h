/* SPDX-License-Identifier: ISC */
#ifndef TALK_H
#define TALK_H

#include "client.h"

/*
 * An order in `words`, for the client that runs: ask it, print its answer.
 * Returns the exit status. After a word on standard error: EXIT_USAGE,
 * EXIT_UNREACHED (no client that answers), EXIT_WRONG (it will not); without:
 * EXIT_WRONG, `status` of one that has no tunnel.
 */
int	talk(const struct options *);

#endif
