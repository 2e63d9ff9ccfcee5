/* SPDX-License-Identifier: ISC */
/* A call that is never over: what changes, as it does. */
#include "api.h"
#include "authd/msg/follow.h"

static void
events(struct api_call *call, const struct facts *f)
{
	enum refusal	no = follow_begin(&call->asker, &call->who);

	(void)f;
	if (no != REFUSE_NOT)
		api_refuse(call, no);
	else
		api_yes(&call->asker, call->op, NULL);
}

const struct api_handler	api_events = { events, NEED_NOTHING };
