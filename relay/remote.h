/* SPDX-License-Identifier: ISC */
#ifndef REMOTE_H
#define REMOTE_H

#include "escape.h"

/* What the shell's own status cannot be taken for, as of ssh(1). */
#define REMOTE_FAILED	255

/*
 * A terminal of the session, from this one; operator-api.md, 6.3. It says what
 * is wrong, and ends with tool_end(): the status is the shell's, 128 and the
 * signal that has ended it, or REMOTE_FAILED. 0, or -1: no memory.
 */
int	remote_start(const struct escape *);

#endif
