/* SPDX-License-Identifier: ISC */
#ifndef MANIFEST_H
#define MANIFEST_H

#include "imsg/imsg.h"

struct grant;
struct peer;
struct session;

/* A session's service table on its way to proxyds; from muxd: manifest_in.c. */

/*
 * Send the session's table, and if it is the first of the system those of the
 * others, to a proxyd that is about to hear of a grant; or the session's to all
 * that hold one on its system: at once, then once a second at most, the newest.
 */
void	manifest_granted(const struct grant *, struct peer *proxyd);
void	manifest_push(struct session *);

#endif
