/* SPDX-License-Identifier: ISC */
/* Who used a session: its rows of the access log. operator-api.md, 4 and 11. */
#include <cjson/cJSON.h>

#include <stdlib.h>

#include "api.h"
#include "authd/store/metadata.h"
#include "authd/turn.h"

struct logs {
	struct asker		asker;
	struct list_query	lq;
};

static void
add_log(cJSON *list, const struct access_row *a)
{
	cJSON	*o = cJSON_CreateObject();
	char	 metadata[METADATA_SIZE];

	cJSON_AddItemToArray(list, o);
	cJSON_AddStringToObject(o, "id", a->id);
	cJSON_AddStringToObject(o, "session_id", a->session_id);
	cJSON_AddStringToObject(o, "operator_id", a->operator_id);
	if (a->operator_name[0] != '\0')
		cJSON_AddStringToObject(o, "operator_name", a->operator_name);
	cJSON_AddStringToObject(o, "access_type", a->type);
	api_add_time(o, "connected_at", a->connected_at);
	if (a->disconnected_at != 0)
		api_add_time(o, "disconnected_at", a->disconnected_at);
	metadata_print(a, metadata);
	cJSON_AddStringToObject(o, "metadata", metadata);
}

static void
got_logs(const struct answer *a, void *arg)
{
	struct logs	*lo = arg;
	cJSON		*data, *list;
	size_t		 i;

	if (a->r == -1 || api_is_busy(&lo->asker)) {
		api_no(&lo->asker, a->r == -1 ? REFUSE_STORE : REFUSE_BUSY,
		    NULL);
		free(lo);
		return;
	}
	data = cJSON_CreateObject();
	list = cJSON_AddArrayToObject(data, "access_logs");
	for (i = 0; i < a->n; i++)
		add_log(list, &a->access[i]);
	api_add_pagination(data, &lo->lq, a->total);
	api_yes(&lo->asker, API_LOGS, data);
	free(lo);
}

static void
logs_get(struct api_call *call, const struct facts *f)
{
	struct session_row	 row;
	struct session		*se;
	struct logs		*lo = NULL;
	struct question		 q = { .what = ASK_LOGS, .key = row.id };
	enum refusal		 no;

	if ((no = api_session(call, f, &row, &se)) == REFUSE_NOT &&
	    (lo = calloc(1, sizeof(*lo))) == NULL)
		no = REFUSE_BUSY;
	if (no != REFUSE_NOT) {
		free(lo);
		api_refuse(call, no);
		return;
	}
	turn_flush();	/* what changed in this turn belongs to it */
	api_page(call, 20, &lo->lq);
	lo->asker = call->asker;
	q.list = &lo->lq;
	q.asker = call->asker.instance;
	q.until_ms = call->until_ms;
	(void)store_ask(&q, got_logs, lo);
}

const struct api_handler	api_logs = { logs_get, API_SEES };
