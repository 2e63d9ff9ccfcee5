/* SPDX-License-Identifier: ISC */
#ifndef PROXYD_EVENTS_H
#define PROXYD_EVENTS_H

#include <stdint.h>

struct chan;
struct conn;
struct imsg;

/*
 * A call of the API that is never over: what authd says has changed, as
 * text/event-stream. operator-api.md, section 4.
 */

/* authd has said yes to the call with this id. */
void	events_begin(struct conn *, uint32_t id);
/* Handlers of EVENT and EVENTS_END. */
int	events_on_event(struct chan *, struct imsg *);
int	events_on_end(struct chan *, struct imsg *);
/* The channel to authd has gone, or we stop: all end. */
void	events_end_all(void);

#endif
