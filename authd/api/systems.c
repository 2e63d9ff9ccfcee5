/* SPDX-License-Identifier: ISC */
/*
 * GET /api/systems. All systems are walked through, a few in a turn, so that
 * nobody else waits for it. operator-api.md, section 5.
 */
#include <cjson/cJSON.h>

#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "authd/turn.h"
#include "base/clock.h"
#include "base/compat.h"

#define PAGE_SIZE_MAX	100	/* of api.def */

/* A list that is being made: the ids of its page, and how many there are. */
struct walk {
	struct asker		 asker;
	uint64_t		 until_ms;
	struct list_query	 lq;
	struct system_query	 sq;
	struct timer		 more;
	struct group_row	 ids[PAGE_SIZE_MAX];
	size_t			 n;
	int64_t			 total;
};

static void
walk_end(struct walk *w, enum refusal no)
{
	if (no != REFUSE_NOT)
		api_no(&w->asker, no, NULL);
	free(w);
}

static void
got_details(const struct answer *a, void *arg)
{
	struct walk	*w = arg;
	cJSON		*data, *list;
	size_t		 i;

	if (a->r == -1 || api_is_busy(&w->asker)) {
		walk_end(w, a->r == -1 ? REFUSE_STORE : REFUSE_BUSY);
		return;
	}
	data = cJSON_CreateObject();
	list = cJSON_AddArrayToObject(data, "systems");
	for (i = 0; i < a->n; i++)
		cJSON_AddItemToArray(list, api_system(&a->detail[i], NULL,
		    0));
	api_add_pagination(data, &w->lq, w->total);
	api_yes(&w->asker, API_SYSTEM_LIST, data);
	walk_end(w, REFUSE_NOT);
}

static void
got_some(const struct answer *a, void *arg)
{
	struct walk	*w = arg;
	struct question	 q = { .what = ASK_SYSTEM_DETAILS,
	    .groups = w->ids, .asker = w->asker.instance,
	    .until_ms = w->until_ms };
	int64_t		 skip = ((int64_t)w->lq.page - 1) * w->lq.page_size;
	size_t		 i;

	if (a->r == -1 || api_is_gone(&w->asker, w->until_ms)) {
		walk_end(w, a->r == -1 ? REFUSE_STORE : REFUSE_NOT);
		return;
	}
	for (i = 0; i < a->n; i++, w->total++)
		if (w->total >= skip && w->n < w->lq.page_size)
			strlcpy(w->ids[w->n++].system_id, a->id[i].id,
			    ID_SIZE);
	w->sq.walked = a->walked;
	if (!a->walked.done) {
		timer_set(&w->more, 0);
		return;
	}
	q.n = w->n;
	(void)store_ask(&q, got_details, w);
}

static void
walk_on(void *arg)
{
	struct walk	*w = arg;
	struct question	 q = { .what = ASK_SYSTEMS_WALK,
	    .systems = &w->sq, .asker = w->asker.instance,
	    .until_ms = w->until_ms };

	(void)store_ask(&q, got_some, w);
}

static void
query_of(const struct api_call *call, struct system_query *sq)
{
	const struct api_args	*a = &call->args;

	strlcpy(sq->org_role, call->who.org_role, sizeof(sq->org_role));
	strlcpy(sq->org_id, call->who.org_id, sizeof(sq->org_id));
	strlcpy(sq->search, a->search, sizeof(sq->search));
	strlcpy(sq->name, a->name, sizeof(sq->name));
	strlcpy(sq->key, a->system_key, sizeof(sq->key));
	strlcpy(sq->types, a->type, sizeof(sq->types));
	strlcpy(sq->versions, a->version, sizeof(sq->versions));
	strlcpy(sq->orgs, a->organization_id, sizeof(sq->orgs));
	strlcpy(sq->created_by, a->created_by, sizeof(sq->created_by));
	strlcpy(sq->sort_by, a->sort_by, sizeof(sq->sort_by));
	sq->status = a->status;
	sq->descending = a->sort_direction;
}

static void
systems_get(struct api_call *call, const struct facts *f)
{
	struct walk	*w;

	(void)f;
	if (call->invalid) {
		api_invalid(call, REFUSE_PARAMETERS);
		return;
	}
	if ((w = calloc(1, sizeof(*w))) == NULL) {
		api_refuse(call, REFUSE_BUSY);
		return;
	}
	turn_flush();	/* what changed in this turn belongs to it */
	w->asker = call->asker;
	w->until_ms = call->until_ms;
	api_page(call, 50, &w->lq);
	query_of(call, &w->sq);
	timer_init(&w->more, walk_on, w);
	walk_on(w);
}

const struct api_handler	api_systems = { systems_get, 0 };
