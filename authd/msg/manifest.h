/* SPDX-License-Identifier: ISC */
#ifndef MANIFEST_H
#define MANIFEST_H

#include "imsg/imsg.h"

struct grant;
struct peer;
struct session;

/* A tunnel's service table on its way: from muxd, to proxyds. */

/*
 * Send the session's table, and if it is the first of the system those of the
 * others, to a proxyd that is about to hear of a grant; or the session's to all
 * that hold one on its system: at once, then once a second at most, the newest.
 */
void	manifest_granted(const struct grant *, struct peer *proxyd);
void	manifest_push(struct session *);

#endif
