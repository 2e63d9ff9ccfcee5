/* SPDX-License-Identifier: ISC */
#ifndef MANIFEST_H
#define MANIFEST_H

#include "imsg/imsg.h"

struct peer;
struct session;

/* A tunnel's service table on its way: from muxd, to proxyds. */

/*
 * Send the session's table to one proxyd, or to all that hold a grant: at once,
 * then once a second at most, the newest.
 */
void	manifest_send(const struct session *, struct peer *proxyd);
void	manifest_push(struct session *);

#endif
