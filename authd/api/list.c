/* SPDX-License-Identifier: ISC */
/* GET /api/support-sessions: one group per system. operator-api.md, 1.4, 4. */
#include <cjson/cJSON.h>

#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "authd/core/session.h"
#include "authd/facts.h"
#include "authd/turn.h"
#include "base/compat.h"

#define PAGE_SIZE	20
#define PAGE_SIZE_MAX	100

/* A list that is being made: its groups, the system of each, its sessions. */
struct listing {
	struct asker	 asker;
	struct list_query lq;
	int		 sorted;	/* the caller said how */
	struct group_row groups[PAGE_SIZE_MAX];
	size_t		 n, i;
	int64_t		 total;
	cJSON		*data, *list;
	cJSON		*sessions;	/* of the group whose are asked for */
	int		 begun, failed;
	int		 asking, answered;
};

static void	list_go_on(struct listing *, int);
static void	list_on(struct listing *);

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
add_session(cJSON *list, const struct session_row *row)
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
	cJSON_AddItemToArray(list, o);
}

/* The system of a group: then its own figures. */
static void
got_system(const struct facts *f, void *arg)
{
	struct listing		*li = arg;
	const struct group_row	*g = &li->groups[li->i];
	cJSON			*o = cJSON_CreateObject();
	char			 text[32];

	cJSON_AddItemToArray(li->list, o);
	cJSON_AddStringToObject(o, "system_id", g->system_id);
	if (api_add_system(o, f) == -1) {
		list_go_on(li, -1);
		return;
	}
	cJSON_AddStringToObject(o, "started_at", api_time(g->started_at, text));
	cJSON_AddStringToObject(o, "expires_at", api_time(g->expires_at, text));
	cJSON_AddStringToObject(o, "status", session_status_name(g->status));
	cJSON_AddNumberToObject(o, "session_count", (double)g->sessions);
	cJSON_AddNumberToObject(o, "node_count", (double)g->nodes);
	li->sessions = cJSON_AddArrayToObject(o, "sessions");
	list_go_on(li, 0);
}

static void
got_sessions(const struct answer *a, void *arg)
{
	struct listing	*li = arg;
	size_t		 i;

	for (i = 0; i < a->n; i++)
		add_session(li->sessions, &a->session[i]);
	li->sessions = NULL;
	li->i++;
	list_go_on(li, a->r);
}

static void
got_groups(const struct answer *a, void *arg)
{
	struct listing	*li = arg;

	li->n = a->n < PAGE_SIZE_MAX ? a->n : PAGE_SIZE_MAX;
	if (a->r == 0)
		memcpy(li->groups, a->group, li->n * sizeof(li->groups[0]));
	li->total = a->total;
	li->begun = 1;
	list_go_on(li, a->r);
}

static void
add_pagination(const struct listing *li)
{
	const struct list_query	*lq = &li->lq;
	cJSON	*o = cJSON_AddObjectToObject(li->data, "pagination");
	int64_t	 pages = (li->total + lq->page_size - 1) / lq->page_size;

	cJSON_AddNumberToObject(o, "page", lq->page);
	cJSON_AddNumberToObject(o, "page_size", lq->page_size);
	cJSON_AddNumberToObject(o, "total_count", (double)li->total);
	cJSON_AddNumberToObject(o, "total_pages", (double)pages);
	cJSON_AddBoolToObject(o, "has_next", lq->page < pages);
	cJSON_AddBoolToObject(o, "has_prev", lq->page > 1);
	if (lq->page < pages)
		cJSON_AddNumberToObject(o, "next_page", (double)lq->page + 1);
	if (lq->page > 1)
		cJSON_AddNumberToObject(o, "prev_page", (double)lq->page - 1);
	if (!li->sorted)
		return;
	cJSON_AddStringToObject(o, "sort_by", lq->sort_by);
	cJSON_AddStringToObject(o, "sort_direction",
	    lq->descending ? "desc" : "asc");
}

static void
list_end(struct listing *li)
{
	if (li->failed || li->list == NULL || api_is_busy(&li->asker)) {
		cJSON_Delete(li->data);
		api_result(&li->asker, 503, li->failed ?
		    "store is unavailable" : "server is busy", NULL);
	} else {
		add_pagination(li);
		api_yes(&li->asker, API_SESSION_LIST, li->data);
	}
	free(li);
}

static void
list_go_on(struct listing *li, int r)
{
	li->failed |= r == -1;
	li->answered = 1;
	if (!li->asking)
		list_on(li);
}

static void
list_ask(struct listing *li)
{
	struct question	q = { .list = &li->lq, .what = ASK_GROUPS };

	if (!li->begun) {
		(void)store_ask(&q, got_groups, li);
		return;
	}
	q.key = li->groups[li->i].system_id;
	q.what = ASK_GROUP_SESSIONS;
	if (li->sessions != NULL)
		(void)store_ask(&q, got_sessions, li);
	else
		(void)facts_ask(NEED_SYSTEM | NEED_ORG, &(struct facts_keys){
		    .system_id = q.key }, got_system, li);
}

static void
list_on(struct listing *li)
{
	li->asking = 1;
	while (li->answered && !li->failed && (!li->begun || li->i < li->n)) {
		li->answered = 0;
		list_ask(li);
	}
	li->asking = 0;
	if (li->answered)
		list_end(li);
}

void
api_list(struct api_call *call, const struct facts *f)
{
	struct listing	*li;

	(void)f;
	if (call->invalid) {
		api_invalid(call, "validation failed");
		return;
	}
	if ((li = calloc(1, sizeof(*li))) == NULL) {
		api_result(&call->asker, 503, "server is busy", NULL);
		return;
	}
	turn_flush();	/* what changed in this turn belongs to it */
	query_of(call, &li->lq);
	li->asker = call->asker;
	li->sorted = call->sort_by[0] != '\0';
	li->data = cJSON_CreateObject();
	li->list = cJSON_AddArrayToObject(li->data, "support_sessions");
	li->answered = 1;
	list_on(li);
}
