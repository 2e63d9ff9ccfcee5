/* SPDX-License-Identifier: ISC */
#ifndef MANY_H
#define MANY_H

#include <netinet/in.h>

#include "net/net.h"

/*
 * Many TCP connections over one relay session, each on a channel of its own:
 * where they come from, and where they go. The one end waits on each of its
 * channels; the other takes the next that is free for each connection. Both go
 * on until the session ends. 0, or -1 after a line on standard error.
 */
#define MANY_MAX	256

int	many_listen(const struct sockaddr_in *, unsigned channels);
/* `to` is copied, but not its texts. */
int	many_dial(const struct dial_how *to, unsigned channels);

#endif
