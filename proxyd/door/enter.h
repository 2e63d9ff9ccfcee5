/* SPDX-License-Identifier: ISC */
#ifndef ENTER_H
#define ENTER_H

#include <stdint.h>

#include "base/addr.h"

/* Who comes to the listening sockets, or from a tlsd: may he come in? */

/*
 * A connection has come (fd taken), `from` a tlsd or, NULL, to one of our own
 * listeners.
 */
struct plain;
void	enter(int fd, uint32_t flags, const struct addr *,
	    const struct plain *from);
/*
 * The same of what a tlsd has: who comes where members do says a header first.
 */
void	enter_plain(int fd, uint32_t flags, const struct addr *,
	    const struct plain *from);
/* Begin to accept. */
void	enter_run(void);

#endif
