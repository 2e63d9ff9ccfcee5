/* SPDX-License-Identifier: ISC */
/* A ticket for one terminal, or for one TCP connection. */
#include <cjson/cJSON.h>

#include "api.h"
#include "authd/core/services.h"
#include "authd/core/session.h"
#include "authd/msg/issue.h"
#include "base/compat.h"
#include "proc/proc.h"

static void
ticket_answer(struct api_call *call, const struct session *se,
    const char *service, enum refusal often)
{
	char		 ticket[HEX64_SIZE];
	uint32_t	 retry;
	cJSON		*o;

	if (issue_ticket(&call->who, se->row.id, service, ticket, &retry) ==
	    -1) {
		api_refuse(call, retry != 0 ? often : REFUSE_BUSY);
		return;
	}
	o = cJSON_CreateObject();
	cJSON_AddStringToObject(o, "ticket", ticket);
	explicit_bzero(ticket, sizeof(ticket));
	if (call->op == API_TERMINAL_TICKET && proc_conf()->record_terminals)
		cJSON_AddTrueToObject(o, "recorded");
	api_yes(&call->asker, (enum api_op)call->op, o);
}

static void
terminal_ticket_make(struct api_call *call, const struct facts *f)
{
	struct session	*se = api_active(call, f);

	if (se != NULL)
		ticket_answer(call, se, SERVICE_TERMINAL, REFUSE_TICKETS);
}

const struct api_handler	api_terminal_ticket = { terminal_ticket_make,
    API_SEES };

static void
tcp_ticket_make(struct api_call *call, const struct facts *f)
{
	struct session	*se;

	if ((se = api_active(call, f)) == NULL)
		return;
	if (api_service(call, se))
		ticket_answer(call, se, call->args.service,
		    REFUSE_TCP_TICKETS);
}

const struct api_handler	api_tcp_ticket = { tcp_ticket_make, API_SEES };
