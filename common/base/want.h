/* SPDX-License-Identifier: ISC */
#ifndef WANT_H
#define WANT_H

#include <event2/event.h>

#include "base/log.h"

/*
 * event_add(3) where there is no going on without: the kernel may have no room
 * for one more, and who is not woken waits for ever. Then the process ends, and
 * what it had is told so. `timeout` as there; NULL: none.
 */
static inline void
event_want(struct event *ev, const struct timeval *timeout)
{
	if (event_add(ev, timeout) == -1)
		fatal("no room for an event");
}

#endif
