/* SPDX-License-Identifier: ISC */
/*
 * How the daemon is, for who looks after it: its processes, what is now, and
 * the last hour. It is about everybody's tunnels together, so that the
 * permission is not enough: only who is above all organizations may look.
 */
#include <cjson/cJSON.h>

#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "authd/core/may.h"
#include "authd/msg/member.h"
#include "authd/msg/processes.h"
#include "base/clock.h"
#include "metrics/ids.h"
#include "metrics/pages.h"

#define NUMBER_MAX	9007199254740991.0	/* what JSON's readers can count to */

/* A call that waits for the parent. */
struct look {
	struct asker	asker;
	uint64_t	until_ms;
	uint8_t		op;
};

static void
add_number(cJSON *o, const char *name, uint64_t n)
{
	double	d = (double)n;

	cJSON_AddNumberToObject(o, name, d < NUMBER_MAX ? d : NUMBER_MAX);
}

static void
add_layers(cJSON *o, uint32_t layers)
{
	cJSON	*has = cJSON_AddArrayToObject(o, "layers");

#define L(NAME, bit, word)						\
	if (layers & SB_##NAME)						\
		cJSON_AddItemToArray(has, cJSON_CreateString(word));
	SANDBOX_LAYERS
#undef L
}

static void
add_process(cJSON *list, const struct process *p)
{
	int64_t	 now = clock_wall_ms();
	cJSON	*o = cJSON_CreateObject();

	cJSON_AddItemToArray(list, o);
	cJSON_AddStringToObject(o, "role", role_name(p->role));
	cJSON_AddStringToObject(o, "state", p->state);
	add_number(o, "count", p->count);
	add_layers(o, p->layers);
	api_add_time(o, "oldest_started_at", now - (int64_t)p->oldest_ms);
	api_add_time(o, "newest_started_at", now - (int64_t)p->newest_ms);
	add_number(o, "memory_bytes", p->memory);
	add_number(o, "restarts", p->restarts);
}

static void
add_member(const struct member_row *m, void *arg)
{
	cJSON	*o = cJSON_CreateObject();

	cJSON_AddItemToArray(arg, o);
	cJSON_AddStringToObject(o, "name", m->name);
	cJSON_AddStringToObject(o, "state", !member_is_alive(m) ? "gone" :
	    m->draining ? "draining" : "up");
	cJSON_AddBoolToObject(o, "here", strcmp(m->name, member_self()) == 0);
	cJSON_AddStringToObject(o, "version", m->version);
	add_number(o, "tunnels", m->tunnels);
	add_number(o, "sessions", m->sessions);
	add_number(o, "forwarded_in", m->forwarded_in);
	add_number(o, "forwarded_out", m->forwarded_out);
	add_number(o, "silent_seconds", m->silent_ms > 0 ?
	    (uint64_t)m->silent_ms / 1000 : 0);
	api_add_time(o, "started_at", m->started_at);
}

/* Only where there is a cluster. */
static void
add_members(cJSON *data)
{
	if (member_is_one())
		member_each(add_member, cJSON_AddArrayToObject(data,
		    "members"));
}

static void
add_now(cJSON *data)
{
	cJSON			*o = cJSON_AddObjectToObject(data, "now");
	struct history_look	 look;
	unsigned		 i;

	history_see(&look, pages_seen(), clock_wall_ms());
	for (i = 0; i < HISTORY_SERIES; i++)
		if (!history_grows(i))
			add_number(o, history_name(i), look.n[i]);
}

static void
add_series(cJSON *list, const struct history *h, unsigned series)
{
	cJSON		*o = cJSON_CreateObject(), *values;
	unsigned	 i;
	double		 d;

	cJSON_AddItemToArray(list, o);
	cJSON_AddStringToObject(o, "name", history_name(series));
	cJSON_AddBoolToObject(o, "grows", history_grows(series));
	values = cJSON_AddArrayToObject(o, "values");
	for (i = 1; history_at(h, i) != NULL; i++) {
		d = (double)history_value(history_at(h, i - 1),
		    history_at(h, i), series);
		cJSON_AddItemToArray(values, cJSON_CreateNumber(d < NUMBER_MAX ?
		    d : NUMBER_MAX));
	}
}

/* Of each minute that has passed; what is before the first is not known. */
static void
add_history(cJSON *data, const struct history *h)
{
	cJSON		*o = cJSON_AddObjectToObject(data, "history");
	cJSON		*times, *list;
	unsigned	 i;
	char		 text[32];

	if (history_at(h, 0) != NULL)
		api_add_time(o, "since", history_at(h, 0)->at);
	times = cJSON_AddArrayToObject(o, "at");
	for (i = 1; history_at(h, i) != NULL; i++)
		cJSON_AddItemToArray(times, cJSON_CreateString(api_time(
		    history_at(h, i)->at, text)));
	list = cJSON_AddArrayToObject(o, "series");
	for (i = 0; i < HISTORY_SERIES; i++)
		add_series(list, h, i);
}

static void
add_times(cJSON *data)
{
	api_add_time(data, "now_at", clock_wall_ms());
	api_add_time(data, "started_at", (int64_t)(pages_number(ROLE_PARENT,
	    CT_STARTED_AT) / 1000));
	api_add_time(data, "configured_at", (int64_t)(pages_number(ROLE_PARENT,
	    CT_RELOADED_AT) / 1000));
}

static void
look_said(void *arg, const struct process *rows, size_t n)
{
	struct look	*l = arg;
	cJSON		*data, *list;
	size_t		 i;

	if (api_is_gone(&l->asker, l->until_ms)) {
		free(l);
		return;
	}
	if (rows == NULL) {
		api_no(&l->asker, REFUSE_BUSY, NULL);
		free(l);
		return;
	}
	data = cJSON_CreateObject();
	cJSON_AddStringToObject(data, "version", RELAYD_VERSION);
	add_times(data);
	list = cJSON_AddArrayToObject(data, "processes");
	for (i = 0; i < n; i++)
		add_process(list, &rows[i]);
	add_members(data);
	add_now(data);
	add_history(data, processes_history());
	api_yes(&l->asker, l->op, data);
	free(l);
}

static void
daemon_status(struct api_call *call, const struct facts *f)
{
	enum refusal	 no;
	struct look	*l;

	(void)f;
	if ((no = may_look_after(&call->who)) != REFUSE_NOT) {
		api_refuse(call, no);
		return;
	}
	if ((l = calloc(1, sizeof(*l))) != NULL) {
		l->asker = call->asker;
		l->until_ms = call->until_ms;
		l->op = call->op;
		if (processes_ask(look_said, l) == 0)
			return;
		free(l);
	}
	api_no(&call->asker, REFUSE_BUSY, NULL);
}

const struct api_handler	api_daemon_status = { daemon_status,
    NEED_NOTHING };
