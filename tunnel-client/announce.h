/* SPDX-License-Identifier: ISC */
#ifndef ANNOUNCE_H
#define ANNOUNCE_H

#include "client.h"

/*
 * What we tell the server without being asked: the manifest first, then the
 * state of the machine, and from time to time the manifest anew.
 * tunnel-protocol.md, 4.
 */

/*
 * At the start: look for services while the connection is made, so that the
 * first manifest need not wait for them. At once when the request has left.
 */
void	announce_early(void);
void	announce_asked(void);
/* A tunnel is up. `o` is kept until announce_stop(). */
void	announce_start(const struct options *);
/* Something has changed: look for services now, not at the next interval. */
void	announce_again(void);
/* It is no more; safe at any time. */
void	announce_stop(void);
/* At the very end. */
void	announce_clear(void);
/* Send the catalogue as it is now. 0 or -1. */
int	announce_manifest(void);

#endif
