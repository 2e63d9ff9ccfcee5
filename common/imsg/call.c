/* SPDX-License-Identifier: ISC */
#include <stddef.h>

#include "call.h"

static int
call_done(struct chan *c, struct imsg *m, void *arg)
{
	struct call	*k = arg;

	k->chan = NULL;
	return (k->done(c, m, k->arg));
}

uint32_t
call_start(struct call *k, struct chan *chan, uint64_t deadline_ms,
    chan_done_fn done, void *arg)
{
	if (chan == NULL ||
	    (k->id = chan_call(chan, deadline_ms, call_done, k)) == 0)
		return (0);
	k->chan = chan;
	k->done = done;
	k->arg = arg;
	return (k->id);
}

void
call_cancel(struct call *k)
{
	if (k->chan == NULL)
		return;
	chan_call_cancel(k->chan, k->id);
	k->chan = NULL;
}

int
call_waits(const struct call *k)
{
	return (k->chan != NULL);
}
