/* SPDX-License-Identifier: ISC */
#ifndef CALL_H
#define CALL_H

#include <stdint.h>

#include "imsg.h"

/*
 * A question that its asker holds: it lies in the asker's struct, so that the
 * asker can take it back in every state, also when the channel it was put on
 * has ended, and an answer never finds an asker that has gone.
 */
struct call {
	struct chan	*chan;		/* NULL: nothing is asked */
	uint32_t	 id;
	chan_done_fn	 done;
	void		*arg;
};

/*
 * Ask on `chan`: the id for the message that the caller says next, 0 when too
 * many calls wait, memory is short or `chan` is NULL. `done` runs once, as
 * chan_call() has it, unless call_cancel() comes first; the call is free for
 * the next question when it runs. One question at a time.
 */
uint32_t	call_start(struct call *, struct chan *chan,
		    uint64_t deadline_ms, chan_done_fn done, void *arg);
/* Take it back: `done` will not run. Nothing is asked: nothing happens. */
void		call_cancel(struct call *);
int		call_waits(const struct call *);

#endif
