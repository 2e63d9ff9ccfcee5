/* SPDX-License-Identifier: ISC */
/*
 * Recordings of a session's terminals: which there are, and one of them.
 * Whoever looks is on record before. operator-api.md, section 11.
 */
#include <cjson/cJSON.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api.h"
#include "authd/core/rowlog.h"
#include "authd/msg/recording.h"
#include "authd/now.h"
#include "authd/turn.h"
#include "base/compat.h"
#include "base/log.h"

/* What is being looked at: by whom, and what is known so far. */
struct viewing {
	struct asker		 asker;
	struct operator		 who;
	char			 addr[ADDR_SIZE], session[UUID_SIZE];
	struct list_query	 lq;
	struct rowlog		*row;
	cJSON			*data;		/* the list */
	int			 fd;		/* or the one, -1: none */
	uint64_t		 bytes;
};

static void
viewing_free(struct viewing *v)
{
	if (v->fd != -1)
		close(v->fd);
	cJSON_Delete(v->data);
	freezero(v, sizeof(*v));
}

static void
viewing_no(struct viewing *v, enum refusal why)
{
	api_no(&v->asker, why, NULL);
	viewing_free(v);
}

/* The caller's, which is answered by it; NULL: it is answered. */
static struct viewing *
viewing_new(struct api_call *call, const struct facts *f)
{
	struct session_row	 row;
	struct session		*se;
	struct viewing		*v = NULL;
	enum refusal		 no;

	if ((no = api_session(call, f, &row, &se)) == REFUSE_NOT &&
	    (v = calloc(1, sizeof(*v))) == NULL)
		no = REFUSE_BUSY;
	if (no != REFUSE_NOT) {
		api_refuse(call, no);
		return (NULL);
	}
	v->asker = call->asker;
	v->who = call->who;
	v->fd = -1;
	strlcpy(v->addr, call->addr, sizeof(v->addr));
	strlcpy(v->session, row.id, sizeof(v->session));
	return (v);
}

static void
viewing_logged(void *arg, int ok)
{
	struct viewing	*v = arg;
	struct chan	*c = asker_chan(&v->asker);

	ok = ok && !v->row->failed;
	rowlog_close(v->row, now_at());
	if (!ok) {
		viewing_no(v, REFUSE_STORE);
		return;
	}
	if (v->data != NULL) {
		api_yes(&v->asker, API_RECORDING_LIST, v->data);
		v->data = NULL;
	} else if (c != NULL) {
		(void)say_api_file(c, v->asker.id, v->fd,
		    &(struct msg_api_file){ .size = v->bytes });
		v->fd = -1;
	}
	viewing_free(v);
}

/* The row first; `what` is looked at. */
static void
viewing_log(struct viewing *v, const char *what)
{
	v->row = rowlog_view(&v->who, v->session, what, v->addr, now_at());
	rowlog_asked(v->row, v->asker.request);
	if (v->row == NULL)
		viewing_no(v, REFUSE_BUSY);
	else
		turn_after(viewing_logged, v);
}

static void
add_recording(cJSON *list, const struct recording_row *r)
{
	cJSON	*o = cJSON_CreateObject();

	cJSON_AddItemToArray(list, o);
	cJSON_AddStringToObject(o, "id", r->id);
	cJSON_AddStringToObject(o, "session_id", r->session_id);
	cJSON_AddStringToObject(o, "operator_id", r->operator_id);
	if (r->operator_name[0] != '\0')
		cJSON_AddStringToObject(o, "operator_name", r->operator_name);
	api_add_time(o, "started_at", r->started_at);
	if (r->ended_at != 0)
		api_add_time(o, "ended_at", r->ended_at);
	cJSON_AddNumberToObject(o, "size", (double)recording_size(r));
	if (r->sha256[0] != '\0')
		cJSON_AddStringToObject(o, "sha256", r->sha256);
}

static void
got_list(const struct answer *a, void *arg)
{
	struct viewing	*v = arg;
	cJSON		*list;
	size_t		 i;

	if (a->r == -1 || api_is_busy(&v->asker)) {
		viewing_no(v, a->r == -1 ? REFUSE_STORE : REFUSE_BUSY);
		return;
	}
	v->data = cJSON_CreateObject();
	list = cJSON_AddArrayToObject(v->data, "recordings");
	for (i = 0; i < a->n; i++)
		add_recording(list, &a->recording[i]);
	api_add_pagination(v->data, &v->lq, a->total);
	viewing_log(v, "recordings");
}

static void
recording_list_get(struct api_call *call, const struct facts *f)
{
	struct viewing	*v = viewing_new(call, f);

	if (v == NULL)
		return;
	api_page(call, 20, &v->lq);
	(void)store_ask(&(struct question){ .what = ASK_RECORDINGS_OF,
	    .key = v->session, .list = &v->lq, .asker = call->asker.instance,
	    .until_ms = call->until_ms }, got_list, v);
}

const struct api_handler	api_recording_list = { recording_list_get,
    API_SEES };

static void
got_one(const struct answer *a, void *arg)
{
	struct viewing	*v = arg;
	char		 what[SERVICE_SIZE];

	if (a->r == -1)
		viewing_no(v, REFUSE_STORE);
	else if (a->r != 0 || strcmp(a->recording->session_id, v->session) !=
	    0)
		viewing_no(v, REFUSE_RECORDING_NONE);
	else if (recording_read(a->recording, &v->fd, &v->bytes) == -1) {
		log_warn("recording %s", a->recording->id);
		viewing_no(v, errno == ENOENT ? REFUSE_RECORDING_NONE :
		    REFUSE_RECORDING_DAMAGED);
	} else {
		snprintf(what, sizeof(what), "recording %s",
		    a->recording->id);
		viewing_log(v, what);
	}
}

static void
recording_get(struct api_call *call, const struct facts *f)
{
	struct viewing	*v = viewing_new(call, f);

	if (v == NULL)
		return;
	(void)store_ask(&(struct question){ .what = ASK_RECORDING,
	    .key = call->args.recording, .asker = call->asker.instance,
	    .until_ms = call->until_ms }, got_one, v);
}

const struct api_handler	api_recording = { recording_get, API_SEES };
