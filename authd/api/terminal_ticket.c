/* SPDX-License-Identifier: ISC */
/* A ticket for one terminal. */
#include <cjson/cJSON.h>

#include "api.h"
#include "authd/core/session.h"
#include "authd/msg/issue.h"
#include "base/compat.h"
#include "proc/proc.h"

static void
terminal_ticket_make(struct api_call *call, const struct facts *f)
{
	struct session	*se;
	char		 ticket[HEX64_SIZE];
	uint32_t	 retry;
	cJSON		*o;

	if ((se = api_active(call, f)) == NULL)
		return;
	if (issue_ticket(&call->who, se->row.id, ticket, &retry) == -1) {
		if (retry != 0)
			api_refuse(call, REFUSE_TICKETS);
		else
			api_refuse(call, REFUSE_BUSY);
		return;
	}
	o = cJSON_CreateObject();
	cJSON_AddStringToObject(o, "ticket", ticket);
	explicit_bzero(ticket, sizeof(ticket));
	if (proc_conf()->record_terminals)
		cJSON_AddTrueToObject(o, "recorded");
	api_yes(&call->asker, API_TERMINAL_TICKET, o);
}

const struct api_handler	api_terminal_ticket = { terminal_ticket_make, API_SEES };
