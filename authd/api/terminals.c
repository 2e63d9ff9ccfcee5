/* SPDX-License-Identifier: ISC */
/* The caller's own terminals, which he may come back to or end. */
#include <cjson/cJSON.h>

#include <stdio.h>

#include "api.h"
#include "authd/core/session.h"
#include "authd/core/stream.h"
#include "authd/msg/again.h"

static void
add_terminal(struct stream *st, uint64_t away_ms, void *arg)
{
	cJSON	*o = cJSON_CreateObject();
	char	 number[24];

	(void)snprintf(number, sizeof(number), "%llu",
	    (unsigned long long)st->id);
	cJSON_AddStringToObject(o, "terminal", number);
	cJSON_AddStringToObject(o, "session_id", st->tunnel->session->row.id);
	cJSON_AddStringToObject(o, "system_id",
	    st->tunnel->session->row.system_id);
	cJSON_AddStringToObject(o, "node_id", st->tunnel->session->row.node);
	api_add_time(o, "connected_at", st->row->row.connected_at);
	cJSON_AddBoolToObject(o, "waits", away_ms != 0);
	cJSON_AddItemToArray(arg, o);
}

static void
terminal_list(struct api_call *call, const struct facts *f)
{
	cJSON	*o = cJSON_CreateObject();

	(void)f;
	again_each(&call->who, add_terminal,
	    cJSON_AddArrayToObject(o, "terminals"));
	api_yes(&call->asker, call->op, o);
}

const struct api_handler	api_terminals = { terminal_list, NEED_NOTHING };

static void
terminal_end(struct api_call *call, const struct facts *f)
{
	struct stream	*st;

	(void)f;
	st = again_find(&call->who, NULL, again_number(call->args.terminal));
	if (st == NULL) {
		api_refuse(call, REFUSE_TERMINAL_NONE);
		return;
	}
	rowlog_say(st->row, "ended by its operator");
	stream_kill(st, END_GRANT);
	api_done(call, call->args.terminal);
	api_yes(&call->asker, call->op, NULL);
}

const struct api_handler	api_terminal_end = { terminal_end,
    NEED_NOTHING };

static void
end_waiting(struct stream *st, uint64_t away_ms, void *arg)
{
	(void)arg;
	if (away_ms == 0)
		return;
	rowlog_say(st->row, "its operator signed out");
	stream_kill(st, END_GRANT);
}

static void
terminals_end(struct api_call *call, const struct facts *f)
{
	(void)f;
	again_each(&call->who, end_waiting, NULL);
	api_done(call, "");
	api_yes(&call->asker, call->op, NULL);
}

const struct api_handler	api_terminals_end = { terminals_end,
    NEED_NOTHING };
