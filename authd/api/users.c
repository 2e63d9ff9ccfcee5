/* SPDX-License-Identifier: ISC */
/*
 * The users that a session's client has made for support. Whoever reads
 * passwords is on record before. operator-api.md, sections 4 and 11.
 */
#include <cjson/cJSON.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "authd/core/rowlog.h"
#include "authd/core/session.h"
#include "authd/msg/users.h"
#include "authd/now.h"
#include "authd/turn.h"
#include "base/compat.h"

/* What is being read: for whom, and what is known so far. */
struct reading {
	struct asker	 asker;
	struct operator	 who;
	char		 addr[ADDR_SIZE], session[UUID_SIZE];
	cJSON		*data;
	struct rowlog	*row;
};

static void
reading_end(struct reading *r, enum refusal no)
{
	if (no == REFUSE_NOT) {
		api_yes(&r->asker, API_USERS, r->data);
	} else {
		cJSON_Delete(r->data);
		api_no(&r->asker, no, NULL);
	}
	freezero(r, sizeof(*r));
}

static void
users_logged(void *arg, int ok)
{
	struct reading	*r = arg;
	enum refusal	 no = ok && !r->row->failed ? REFUSE_NOT :
			    REFUSE_STORE;

	rowlog_close(r->row, now_at());
	reading_end(r, no);
}

static void
add_users(struct reading *r, cJSON *users, int64_t at)
{
	if (users == NULL) {
		cJSON_AddNullToObject(r->data, "users");
		cJSON_AddNullToObject(r->data, "users_at");
		return;
	}
	cJSON_AddItemToObject(r->data, "users", users);
	api_add_time(r->data, "users_at", at);
}

static void
users_got(const struct answer *a, void *arg)
{
	struct reading	*r = arg;
	cJSON		*users = NULL;
	size_t		 len = 0;
	char		*text;

	if (a->r == -1 || api_is_busy(&r->asker)) {
		reading_end(r, a->r == -1 ? REFUSE_STORE : REFUSE_BUSY);
		return;
	}
	text = a->r == 0 ? users_open(a->document, &len) : NULL;
	if (a->r == 0 && text == NULL && errno == ENOMEM) {
		reading_end(r, REFUSE_BUSY);
		return;
	}
	if (text != NULL)
		users = cJSON_ParseWithLength(text, len);
	if (text != NULL)
		freezero(text, len);
	add_users(r, users, users != NULL ? a->document->at : 0);
	if (users == NULL) {
		reading_end(r, REFUSE_NOT);
		return;
	}
	r->row = rowlog_view(&r->who, r->session, "users", r->addr, now_at());
	rowlog_asked(r->row, r->asker.request);
	if (r->row == NULL)
		reading_end(r, REFUSE_BUSY);
	else
		turn_after(users_logged, r);
}

static void
users_get(struct api_call *call, const struct facts *f)
{
	struct session_row	 row;
	struct session		*se;
	struct reading		*r = NULL;
	struct question		 q = { .what = ASK_USERS, .key = row.id,
	    .asker = call->asker.instance, .until_ms = call->until_ms };
	enum refusal		 no;

	if ((no = api_session(call, f, &row, &se)) == REFUSE_NOT &&
	    (r = calloc(1, sizeof(*r))) == NULL)
		no = REFUSE_BUSY;
	if (no != REFUSE_NOT) {
		api_refuse(call, no);
		return;
	}
	r->asker = call->asker;
	r->who = call->who;
	strlcpy(r->addr, call->addr, sizeof(r->addr));
	strlcpy(r->session, row.id, sizeof(r->session));
	r->data = cJSON_CreateObject();
	cJSON_AddStringToObject(r->data, "session_id", row.id);
	if (se == NULL) {	/* they went with it */
		add_users(r, NULL, 0);
		reading_end(r, REFUSE_NOT);
		return;
	}
	(void)store_ask(&q, users_got, r);
}

const struct api_handler	api_users = { users_get, API_SEES };
