/* SPDX-License-Identifier: ISC */
/*
 * What clients have said of themselves, of one session and of all nodes of a
 * system. operator-api.md, section 4.
 */
#include <cjson/cJSON.h>

#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "authd/core/may.h"
#include "authd/core/session.h"
#include "base/compat.h"

#define ALL_MAX	(8 << 20)	/* bytes of one answer */

/* A report that is being made: one node after the other. */
struct diag {
	struct asker	 asker;
	uint64_t	 until_ms;
	enum api_op	 op;
	char		 session[UUID_SIZE];	/* that is asked about */
	char		 system[ID_SIZE];
	cJSON		*data, *nodes;
	size_t		 bytes;
	unsigned	 worst, left;
	enum refusal	 no;
	int		 asking, answered;	/* as in facts.c */
	struct node {
		char	session[UUID_SIZE], node[NODE_SIZE];
	} *node, *next;
};

/* From good to bad. */
static const char *const	statuses[] = { "", "ok", "warning", "timeout",
    "error", "critical" };

static void	diag_on(struct diag *);

static void
diag_end(struct diag *d, enum refusal no)
{
	if (no != REFUSE_NOT) {
		cJSON_Delete(d->data);
		api_no(&d->asker, no, NULL);
	} else {
		api_yes(&d->asker, d->op, d->data);
	}
	free(d->node);
	free(d);
}

/* The text was looked at by the store: it is JSON. */
static void
add_document(cJSON *o, const struct document *doc)
{
	if (doc == NULL) {
		cJSON_AddNullToObject(o, "diagnostics");
		cJSON_AddNullToObject(o, "diagnostics_at");
		return;
	}
	cJSON_AddRawToObject(o, "diagnostics", doc->text);
	api_add_time(o, "diagnostics_at", doc->at);
}

static void
got_one(const struct answer *a, void *arg)
{
	struct diag	*d = arg;

	if (a->r == -1 || api_is_busy(&d->asker)) {
		diag_end(d, a->r == -1 ? REFUSE_STORE : REFUSE_BUSY);
		return;
	}
	add_document(d->data, a->r == 0 ? a->document : NULL);
	diag_end(d, REFUSE_NOT);
}

static unsigned
badness(const char *status)
{
	unsigned	i;

	for (i = sizeof(statuses) / sizeof(statuses[0]) - 1; i > 0; i--)
		if (strcmp(status, statuses[i]) == 0)
			break;
	return (i);
}

const char *
api_health(const char *status)
{
	return (statuses[badness(status)]);
}

static void
got_node(const struct answer *a, void *arg)
{
	struct diag	*d = arg;
	struct node	*n = d->next++;
	cJSON		*o;

	d->left--;
	d->answered = 1;
	if (a->r == 0) {
		d->bytes += a->document->len;
		if (badness(a->document->status) > d->worst)
			d->worst = badness(a->document->status);
	}
	if (a->r == -1)
		d->no = REFUSE_STORE;
	else if (api_is_busy(&d->asker) || d->bytes > ALL_MAX)
		d->no = REFUSE_BUSY;
	cJSON_AddItemToArray(d->nodes, o = cJSON_CreateObject());
	if (n->node[0] != '\0')
		cJSON_AddStringToObject(o, "node_id", n->node);
	else
		cJSON_AddNullToObject(o, "node_id");
	cJSON_AddStringToObject(o, "session_id", n->session);
	add_document(o, a->r == 0 ? a->document : NULL);
	if (!d->asking)
		diag_on(d);
}

static void
diag_on(struct diag *d)
{
	struct question	 q = { .what = ASK_DIAGNOSTICS,
	    .asker = d->asker.instance, .until_ms = d->until_ms };

	d->asking = 1;
	while (d->left > 0 && d->no == REFUSE_NOT) {
		d->answered = 0;
		q.key = d->next->session;
		(void)store_ask(&q, got_node, d);
		if (!d->answered) {
			d->asking = 0;
			return;
		}
	}
	cJSON_AddStringToObject(d->data, "system_id", d->system);
	cJSON_AddStringToObject(d->data, "overall_status",
	    statuses[d->worst]);
	cJSON_AddItemToObject(d->data, "nodes", d->nodes);
	diag_end(d, d->no);
}

static struct diag *
diag_new(const struct api_call *call)
{
	struct diag	*d;

	if ((d = calloc(1, sizeof(*d))) == NULL)
		return (NULL);
	d->asker = call->asker;
	d->until_ms = call->until_ms;
	d->op = (enum api_op)call->op;
	d->data = cJSON_CreateObject();
	return (d);
}

static void
diagnostics_get(struct api_call *call, const struct facts *f)
{
	struct session_row	 row;
	struct session		*se;
	struct diag		*d;
	struct question		 q = { .what = ASK_DIAGNOSTICS,
	    .key = row.id, .asker = call->asker.instance,
	    .until_ms = call->until_ms };
	enum refusal		 no;

	if ((no = api_session(call, f, &row, &se)) == REFUSE_NOT &&
	    (d = diag_new(call)) == NULL)
		no = REFUSE_BUSY;
	if (no != REFUSE_NOT) {
		api_refuse(call, no);
		return;
	}
	cJSON_AddStringToObject(d->data, "session_id", row.id);
	(void)store_ask(&q, got_one, d);
}

const struct api_handler	api_diagnostics = { diagnostics_get, API_SEES };

static int
by_node(const void *a, const void *b)
{
	return (session_node_cmp(((const struct node *)a)->node,
	    ((const struct node *)b)->node));
}

static void
add_node(struct session *se, void *arg)
{
	struct diag	*d = arg;

	strlcpy(d->node[d->left].session, se->row.id, UUID_SIZE);
	strlcpy(d->node[d->left++].node, se->row.node, NODE_SIZE);
}

static void
diagnostics_of_get(struct api_call *call, const struct facts *f)
{
	const char	*system = call->args.system_id;
	struct diag	*d;
	enum refusal	 no;

	if (call->invalid) {
		api_invalid(call, REFUSE_PARAMETERS);
		return;
	}
	if ((no = may_see_system(f)) == REFUSE_NOT && ((d =
	    diag_new(call)) == NULL || (d->node = calloc(session_count_of(
	    system) + 1, sizeof(*d->node))) == NULL)) {
		free(d);
		no = REFUSE_BUSY;
	}
	if (no != REFUSE_NOT) {
		api_refuse(call, no);
		return;
	}
	strlcpy(d->system, system, sizeof(d->system));
	session_each_of(system, add_node, d);
	qsort(d->node, d->left, sizeof(*d->node), by_node);
	d->next = d->node;
	d->nodes = cJSON_CreateArray();
	diag_on(d);
}

const struct api_handler	api_diagnostics_of = { diagnostics_of_get,
    NEED_SYSTEM | NEED_VISIBLE };
