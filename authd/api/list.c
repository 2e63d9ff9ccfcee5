/* SPDX-License-Identifier: ISC */
/* GET /api/support-sessions: one group per system. operator-api.md, 1.4, 4. */
#include <cjson/cJSON.h>

#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "base/compat.h"
#include "authd/core/session.h"
#include "authd/store/store.h"
#include "authd/turn.h"

#define PAGE_SIZE	20
#define PAGE_SIZE_MAX	100

static void
query_of(const struct api_call *call, struct list_query *lq)
{
	memset(lq, 0, sizeof(*lq));
	strlcpy(lq->org_role, call->who.org_role, sizeof(lq->org_role));
	strlcpy(lq->org_id, call->who.org_id, sizeof(lq->org_id));
	strlcpy(lq->system_id, call->system_id, sizeof(lq->system_id));
	strlcpy(lq->sort_by, call->sort_by, sizeof(lq->sort_by));
	lq->statuses = call->statuses != 0 ? call->statuses : STATUS_ALL;
	lq->descending = call->descending;
	lq->page = call->page != 0 ? call->page : 1;
	lq->page_size = call->page_size != 0 &&
	    call->page_size <= PAGE_SIZE_MAX ? call->page_size : PAGE_SIZE;
}

static void
add_session(const struct session_row *row, void *arg)
{
	cJSON	*o = cJSON_CreateObject();
	char	 text[32];

	cJSON_AddStringToObject(o, "id", row->id);
	if (row->node[0] != '\0')
		cJSON_AddStringToObject(o, "node_id", row->node);
	cJSON_AddStringToObject(o, "status", session_status_name(row->status));
	cJSON_AddStringToObject(o, "started_at",
	    api_time(row->started_at, text));
	cJSON_AddStringToObject(o, "expires_at",
	    api_time(row->expires_at, text));
	cJSON_AddItemToArray(arg, o);
}

static int
add_group(cJSON *list, const struct list_query *lq, const struct group_row *g)
{
	cJSON	*o = cJSON_CreateObject();
	char	 text[32];

	cJSON_AddItemToArray(list, o);
	cJSON_AddStringToObject(o, "system_id", g->system_id);
	if (api_add_system(o, g->system_id) == -1)
		return (-1);
	cJSON_AddStringToObject(o, "started_at", api_time(g->started_at, text));
	cJSON_AddStringToObject(o, "expires_at", api_time(g->expires_at, text));
	cJSON_AddStringToObject(o, "status", session_status_name(g->status));
	cJSON_AddNumberToObject(o, "session_count", (double)g->sessions);
	cJSON_AddNumberToObject(o, "node_count", (double)g->nodes);
	return (store_group_sessions(lq, g->system_id, add_session,
	    cJSON_AddArrayToObject(o, "sessions")));
}

static void
add_pagination(cJSON *data, const struct api_call *call,
    const struct list_query *lq, int64_t total)
{
	cJSON	*o = cJSON_AddObjectToObject(data, "pagination");
	int64_t	 pages = (total + lq->page_size - 1) / lq->page_size;

	cJSON_AddNumberToObject(o, "page", lq->page);
	cJSON_AddNumberToObject(o, "page_size", lq->page_size);
	cJSON_AddNumberToObject(o, "total_count", (double)total);
	cJSON_AddNumberToObject(o, "total_pages", (double)pages);
	cJSON_AddBoolToObject(o, "has_next", lq->page < pages);
	cJSON_AddBoolToObject(o, "has_prev", lq->page > 1);
	if (lq->page < pages)
		cJSON_AddNumberToObject(o, "next_page", (double)lq->page + 1);
	if (lq->page > 1)
		cJSON_AddNumberToObject(o, "prev_page", (double)lq->page - 1);
	if (call->sort_by[0] == '\0')
		return;
	cJSON_AddStringToObject(o, "sort_by", lq->sort_by);
	cJSON_AddStringToObject(o, "sort_direction",
	    lq->descending ? "desc" : "asc");
}

void
api_list(struct api_call *call)
{
	static struct group_row	 groups[PAGE_SIZE_MAX];
	struct list_query	 lq;
	cJSON			*data, *list;
	int64_t			 total;
	size_t			 i, n = 0;
	int			 r;

	turn_flush();	/* what changed in this turn belongs to it */
	query_of(call, &lq);
	data = cJSON_CreateObject();
	list = cJSON_AddArrayToObject(data, "support_sessions");
	r = store_groups_count(&lq, &total);
	if (r == 0)
		r = store_groups(&lq, groups, &n);
	for (i = 0; r == 0 && i < n; i++)
		r = add_group(list, &lq, &groups[i]);
	if (r != 0 || list == NULL) {
		cJSON_Delete(data);
		api_result(&call->asker, 503, "store is unavailable", NULL);
		return;
	}
	add_pagination(data, call, &lq, total);
	api_result(&call->asker, 200,
	    "support sessions retrieved successfully", data);
}
