/* SPDX-License-Identifier: ISC */
/* GET /api/support-sessions: one group per system. operator-api.md, 1.4, 4. */
#include <cjson/cJSON.h>

#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "authd/core/rowlog.h"
#include "authd/core/session.h"
#include "authd/facts.h"
#include "authd/msg/member.h"
#include "authd/turn.h"
#include "base/clock.h"
#include "base/compat.h"

#define PAGE_SIZE_MAX	100	/* of api.def */
#define OPERATORS_MAX	16	/* that are named of a session */

/* A list that is being made: its groups, then their sessions. */
struct listing {
	struct asker	 asker;
	uint64_t	 until_ms;
	struct list_query lq;
	struct timer	 more;
	struct group_row groups[PAGE_SIZE_MAX];
	size_t		 n;
	struct present_row *present;	/* at other members */
	size_t		 n_present;
	int64_t		 total;
};

static void
query_of(const struct api_call *call, struct list_query *lq)
{
	const struct api_args	*a = &call->args;

	api_page(call, 20, lq);
	strlcpy(lq->org_role, call->who.org_role, sizeof(lq->org_role));
	strlcpy(lq->org_id, call->who.org_id, sizeof(lq->org_id));
	strlcpy(lq->system_id, a->system_id, sizeof(lq->system_id));
	lq->statuses = a->status & STATUS_ALL;
	if (lq->statuses == 0)
		lq->statuses = STATUS_ALL;
}

/* Who is in a session, each once. */
struct present {
	cJSON		*names;
	const char	*ids[OPERATORS_MAX];
	unsigned	 n;
};

static void
add_operator(struct present *p, const char *id, const char *name)
{
	unsigned	i;

	for (i = 0; i < p->n; i++)
		if (strcmp(p->ids[i], id) == 0)
			return;
	if (p->n == OPERATORS_MAX)
		return;
	p->ids[p->n++] = id;
	cJSON_AddItemToArray(p->names, cJSON_CreateString(name[0] != '\0' ?
	    name : id));
}

/* In memory, which is never behind. */
static void
add_here(const struct rowlog *a, void *arg)
{
	if (strcmp(a->row.type, ROW_WEB) != 0)
		add_operator(arg, a->row.operator_id, a->row.operator_name);
}

/* By session, then by operator: the same list each time. */
static int
present_cmp(const void *a, const void *b)
{
	const struct present_row	*x = a, *y = b;
	int				 r = strcmp(x->session, y->session);

	return (r != 0 ? r : strcmp(x->operator_id, y->operator_id));
}

/* Who was there through a member that is gone is not there any more. */
static void
add_elsewhere(const struct listing *li, const char *session,
    struct present *p)
{
	const struct present_row	*end = li->present + li->n_present, *r;
	size_t				 low = 0, high = li->n_present, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (strcmp(li->present[mid].session, session) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (r = li->present + low; r < end && strcmp(r->session, session) ==
	    0; r++)
		if (member_is_elsewhere(r->member))
			add_operator(p, r->operator_id, r->operator_name);
}

static void
add_session(const struct listing *li, cJSON *list,
    const struct session_row *row)
{
	const struct session	*se = session_find(row->id);
	cJSON			*o = cJSON_CreateObject();
	struct present		 present = { 0 };
	char			 text[32];

	cJSON_AddStringToObject(o, "id", row->id);
	if (row->node[0] != '\0')
		cJSON_AddStringToObject(o, "node_id", row->node);
	cJSON_AddStringToObject(o, "status", session_status_name(row->status));
	cJSON_AddStringToObject(o, "started_at",
	    api_time(row->started_at, text));
	cJSON_AddStringToObject(o, "expires_at",
	    api_time(row->expires_at, text));
	/* Of one that another member has: as the store has it. */
	cJSON_AddBoolToObject(o, "tunnel_connected", se != NULL ?
	    se->tunnel != NULL : row->status == SESSION_ACTIVE &&
	    member_is_elsewhere(row->member));
	if (member_is_one() && row->member[0] != '\0')
		cJSON_AddStringToObject(o, "member", row->member);
	if (api_health(row->health)[0] != '\0')
		cJSON_AddStringToObject(o, "health", api_health(row->health));
	present.names = cJSON_AddArrayToObject(o, "operators");
	rowlog_each_of(row->id, add_here, &present);
	if (li->n_present > 0)
		add_elsewhere(li, row->id, &present);
	cJSON_AddItemToArray(list, o);
}

/* `rows` begins with the sessions of the group; how many they are. */
static size_t
add_group(const struct listing *li, cJSON *list, const struct group_row *g,
    const struct session_row *rows, size_t n)
{
	cJSON	*o = cJSON_CreateObject(), *sessions;
	char	 text[32];
	size_t	 i;

	cJSON_AddItemToArray(list, o);
	cJSON_AddStringToObject(o, "system_id", g->system_id);
	api_add_system(o, &g->system);
	cJSON_AddStringToObject(o, "started_at", api_time(g->started_at, text));
	cJSON_AddStringToObject(o, "expires_at", api_time(g->expires_at, text));
	cJSON_AddStringToObject(o, "status", session_status_name(g->status));
	cJSON_AddNumberToObject(o, "session_count", (double)g->sessions);
	cJSON_AddNumberToObject(o, "node_count", (double)g->nodes);
	sessions = cJSON_AddArrayToObject(o, "sessions");
	for (i = 0; i < n && strcmp(rows[i].system_id, g->system_id) == 0; i++)
		add_session(li, sessions, &rows[i]);
	return (i);
}

static void
list_free(struct listing *li)
{
	free(li->present);
	free(li);
}

static void
list_failed(struct listing *li, int r)
{
	api_no(&li->asker, r == -1 ? REFUSE_STORE : REFUSE_BUSY, NULL);
	list_free(li);
}

static void
got_sessions(const struct answer *a, void *arg)
{
	struct listing	*li = arg;
	cJSON		*data, *list;
	size_t		 i, done = 0;

	if (a->r == -1 || api_is_busy(&li->asker)) {
		list_failed(li, a->r);
		return;
	}
	data = cJSON_CreateObject();
	list = cJSON_AddArrayToObject(data, "support_sessions");
	for (i = 0; i < li->n; i++)
		done += add_group(li, list, &li->groups[i], a->session + done,
		    a->n - done);
	api_add_pagination(data, &li->lq, li->total);
	api_yes(&li->asker, API_SESSION_LIST, data);
	list_free(li);
}

/* About the groups of the page. */
static void
list_ask(struct listing *li, enum store_what what, store_then then)
{
	(void)store_ask(&(struct question){ .what = what, .list = &li->lq,
	    .groups = li->groups, .n = li->n, .asker = li->asker.instance,
	    .until_ms = li->until_ms }, then, li);
}

/* Kept until the sessions are there. */
static void
got_present(const struct answer *a, void *arg)
{
	struct listing	*li = arg;
	int		 r = a->r;

	if (r == 0 && a->n > 0) {
		li->present = reallocarray(NULL, a->n, sizeof(*a->present));
		if (li->present == NULL) {
			r = 1;
		} else {
			memcpy(li->present, a->present,
			    a->n * sizeof(*a->present));
			li->n_present = a->n;
			qsort(li->present, a->n, sizeof(*li->present),
			    present_cmp);
		}
	}
	if (api_is_gone(&li->asker, li->until_ms))
		list_free(li);
	else if (r != 0)
		list_failed(li, r);
	else
		list_ask(li, ASK_PAGE_SESSIONS, got_sessions);
}

/* A group whose system is missing is a store that cannot say. */
static void
got_groups(const struct answer *a, void *arg)
{
	struct listing	*li = arg;
	int		 r = a->r;

	for (; r == 0 && li->n < a->n && li->n < PAGE_SIZE_MAX; li->n++) {
		li->groups[li->n] = a->group[li->n];
		if (!li->groups[li->n].has_system)
			r = -1;
	}
	if (api_is_gone(&li->asker, li->until_ms)) {
		list_free(li);
		return;
	}
	if (r == -1) {
		list_failed(li, r);
		return;
	}
	/* On its way to a page far behind: others are heard first. */
	li->lq.walked = a->walked;
	if (!a->walked.done) {
		timer_set(&li->more, 0);
		return;
	}
	li->total = a->total;
	if (member_is_one())
		list_ask(li, ASK_PRESENT, got_present);
	else
		list_ask(li, ASK_PAGE_SESSIONS, got_sessions);
}

static void
list_on(void *arg)
{
	struct listing	*li = arg;
	struct question	 q = { .what = ASK_GROUPS, .list = &li->lq,
	    .asker = li->asker.instance, .until_ms = li->until_ms };

	(void)store_ask(&q, got_groups, li);
}

static void
list_get(struct api_call *call, const struct facts *f)
{
	struct listing	*li;

	(void)f;
	if (call->invalid) {
		api_invalid(call, REFUSE_PARAMETERS);
		return;
	}
	if ((li = calloc(1, sizeof(*li))) == NULL) {
		api_no(&call->asker, REFUSE_BUSY, NULL);
		return;
	}
	turn_flush();	/* what changed in this turn belongs to it */
	query_of(call, &li->lq);
	li->asker = call->asker;
	li->until_ms = call->until_ms;
	timer_init(&li->more, list_on, li);
	list_on(li);
}

const struct api_handler	api_list = { list_get, 0 };
