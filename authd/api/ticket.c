/* SPDX-License-Identifier: ISC */
/* A ticket for one terminal, or for one TCP connection. */
#include <cjson/cJSON.h>

#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "authd/core/services.h"
#include "authd/core/session.h"
#include "authd/core/stream.h"
#include "authd/msg/again.h"
#include "authd/msg/issue.h"
#include "authd/turn.h"
#include "base/compat.h"
#include "proc/proc.h"

/* One that waits for its audit event. */
struct ticketing {
	struct asker	asker;
	enum api_op	op;
	char		ticket[HEX64_SIZE];
};

static void
ticket_committed(void *arg, int ok)
{
	struct ticketing	*ti = arg;
	cJSON			*o;

	if (!ok) {
		api_no(&ti->asker, REFUSE_STORE, NULL);
		freezero(ti, sizeof(*ti));
		return;
	}
	o = cJSON_CreateObject();
	cJSON_AddStringToObject(o, "ticket", ti->ticket);
	if (ti->op == API_TERMINAL_TICKET && proc_conf()->record_terminals)
		cJSON_AddTrueToObject(o, "recorded");
	api_yes(&ti->asker, ti->op, o);
	freezero(ti, sizeof(*ti));
}

static void
ticket_answer(struct api_call *call, const struct session *se,
    const char *service, uint64_t stream, enum refusal often)
{
	struct ticketing	*ti;
	uint32_t		 retry = 0;

	if ((ti = calloc(1, sizeof(*ti))) == NULL ||
	    issue_ticket(&call->who, se->row.id, service, stream, ti->ticket,
	    &retry) == -1) {
		free(ti);
		api_refuse(call, retry != 0 ? often : REFUSE_BUSY);
		return;
	}
	ti->asker = call->asker;
	ti->op = (enum api_op)call->op;
	api_done(call, "");
	turn_after(ticket_committed, ti);
}

static void
terminal_ticket_make(struct api_call *call, const struct facts *f)
{
	const char	*terminal = call->args.terminal;
	struct session	*se = api_active(call, f);
	uint64_t	 stream = 0;

	if (se == NULL)
		return;
	if (terminal[0] != '\0') {
		stream = again_number(terminal);
		if (again_find(&call->who, se->row.id, stream) == NULL) {
			api_refuse(call, REFUSE_TERMINAL_NONE);
			return;
		}
	}
	ticket_answer(call, se, SERVICE_TERMINAL, stream, REFUSE_TICKETS);
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
		ticket_answer(call, se, call->args.service, 0,
		    REFUSE_TCP_TICKETS);
}

const struct api_handler	api_tcp_ticket = { tcp_ticket_make, API_SEES };
