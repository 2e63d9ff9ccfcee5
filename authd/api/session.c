/* SPDX-License-Identifier: ISC */
/* Sessions: which one a call is about, reading it, closing it. */
#include <cjson/cJSON.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "authd/core/may.h"
#include "authd/core/services.h"
#include "authd/core/session.h"
#include "authd/msg/member.h"
#include "authd/msg/unheld.h"
#include "authd/now.h"
#include "authd/turn.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"

struct session *
api_open(const struct api_call *call)
{
	struct session	*se = session_find(call->session);

	if (se == NULL || session_is_open(se, now_at()))
		return (se);
	session_end(se, SESSION_EXPIRED, "timeout", 4000, now_at());
	return (NULL);
}

enum refusal
api_session(const struct api_call *call, const struct facts *f,
    struct session_row *row, struct session **sep)
{
	enum refusal	no;

	*sep = NULL;
	if (session_id_check(call->session) == -1)
		return (REFUSE_SESSION_NONE);
	if ((*sep = api_open(call)) != NULL)
		*row = (*sep)->row;
	else if (f->got_session == 0)
		*row = f->session;
	else
		return (f->got_session == STORE_NONE ? REFUSE_SESSION_NONE :
		    REFUSE_STORE);
	if ((no = may_see(f)) == REFUSE_NOT && *sep == NULL &&
	    row->status <= SESSION_ACTIVE && member_is_elsewhere(row->member))
		no = REFUSE_ELSEWHERE;
	return (no);
}

struct session *
api_active(const struct api_call *call, const struct facts *f)
{
	struct session_row	 row;
	struct session		*se;
	enum refusal		 no;

	no = api_session(call, f, &row, &se);
	if (no == REFUSE_NOT && row.status != SESSION_ACTIVE)
		no = REFUSE_SESSION_STATE;
	/* In grace it is in no member's memory. */
	else if (no == REFUSE_NOT && se == NULL)
		no = REFUSE_TUNNEL_NONE;
	if (no == REFUSE_NOT)
		return (se);
	api_refuse(call, no);
	return (NULL);
}

const struct service *
api_service(const struct api_call *call, const struct session *se)
{
	const char		*name = call->args.service;
	const struct service	*sv;

	if (name[0] == '\0')
		api_invalid(call, REFUSE_SERVICE_MISSING);
	else if (services_check_name(name) == -1)
		api_invalid(call, REFUSE_SERVICE_NAME);
	else if ((sv = services_find(se->services, name)) != NULL)
		return (sv);
	else
		api_refuse(call, se->tunnel == NULL ? REFUSE_TUNNEL_NONE :
		    REFUSE_SERVICE_NONE);
	return (NULL);
}

static void
brief_of(const struct facts *f, struct brief *b)
{
	memset(b, 0, sizeof(*b));
	strlcpy(b->name, f->system.name, sizeof(b->name));
	strlcpy(b->type, f->system.type, sizeof(b->type));
	strlcpy(b->key, f->system.key, sizeof(b->key));
	strlcpy(b->org_id, f->system.org_id, sizeof(b->org_id));
	strlcpy(b->org_name, f->org.name, sizeof(b->org_name));
	strlcpy(b->org_type, f->org.type, sizeof(b->org_type));
}

static void
session_get(struct api_call *call, const struct facts *f)
{
	struct session_row	 row;
	struct session		*se;
	struct brief		 brief;
	cJSON			*o;
	enum refusal		 no;

	if ((no = api_session(call, f, &row, &se)) != REFUSE_NOT) {
		api_refuse(call, no);
		return;
	}
	if (f->got_system != 0 || f->got_org == -1) {
		api_refuse(call, REFUSE_STORE);
		return;
	}
	brief_of(f, &brief);
	o = cJSON_CreateObject();
	cJSON_AddStringToObject(o, "id", row.id);
	cJSON_AddStringToObject(o, "system_id", row.system_id);
	if (row.node[0] != '\0')
		cJSON_AddStringToObject(o, "node_id", row.node);
	api_add_time(o, "started_at", row.started_at);
	api_add_time(o, "expires_at", row.expires_at);
	cJSON_AddStringToObject(o, "status", session_status_name(row.status));
	if (row.closed_at != 0)
		api_add_time(o, "closed_at", row.closed_at);
	if (row.closed_by[0] != '\0')
		cJSON_AddStringToObject(o, "closed_by", row.closed_by);
	api_add_time(o, "created_at", row.created_at);
	api_add_time(o, "updated_at", row.updated_at);
	cJSON_AddBoolToObject(o, "tunnel_connected",
	    se != NULL && se->tunnel != NULL);
	api_add_system(o, &brief);
	api_yes(&call->asker, API_SESSION_GET, o);
}

const struct api_handler	api_get = { session_get, API_SEES | NEED_SYSTEM | NEED_ORG };

/* An answer that waits for the commit. */
struct closing {
	struct asker	asker;
	char		session[UUID_SIZE];
};

static void
api_closed(void *arg, int ok)
{
	struct closing	*cl = arg;
	cJSON		*o;

	if (ok) {
		o = cJSON_CreateObject();
		cJSON_AddStringToObject(o, "session_id", cl->session);
		api_yes(&cl->asker, API_SESSION_CLOSE, o);
	} else {
		api_no(&cl->asker, REFUSE_STORE, NULL);
	}
	free(cl);
}

/* The same of one that no member has. */
struct closing_unheld {
	struct api_call	 call;
	struct closing	*cl;
};

/* What has become of it is known: that alone is in the audit log. */
static void
api_closed_unheld(void *arg, enum unheld how)
{
	struct closing_unheld	*u = arg;

	log_request(u->call.asker.request);
	switch (how) {
	case UNHELD_OVER:
		api_done(&u->call, "");
		turn_after(api_closed, u->cl);
		break;
	case UNHELD_HELD:
		api_refuse(&u->call, REFUSE_ELSEWHERE);
		free(u->cl);
		break;
	default:
		api_closed(u->cl, 0);
		break;
	}
	log_request(NULL);
	freezero(u, sizeof(*u));
}

/* 0 or -1: no memory. */
static int
close_unheld(const struct api_call *call, const struct session_row *row,
    struct closing *cl)
{
	struct closing_unheld	*u = malloc(sizeof(*u));

	if (u == NULL)
		return (-1);
	u->call = *call;
	u->cl = cl;
	if (unheld_close(row, clock_wall_ms(), api_closed_unheld, u) == 0)
		return (0);
	freezero(u, sizeof(*u));
	return (-1);
}

/* The tunnel goes at once; a store that is down delays only the answer. */
static void
session_close(struct api_call *call, const struct facts *f)
{
	struct session_row	 row;
	struct session		*se;
	struct closing		*cl;
	enum refusal		 no;

	if ((no = api_session(call, f, &row, &se)) != REFUSE_NOT) {
		api_refuse(call, no);
		return;
	}
	if ((cl = calloc(1, sizeof(*cl))) == NULL) {
		api_refuse(call, REFUSE_BUSY);
		return;
	}
	cl->asker = call->asker;
	strlcpy(cl->session, row.id, sizeof(cl->session));
	if (se != NULL) {
		api_done(call, "");
		session_end(se, SESSION_CLOSED, "operator", 4000, now_at());
	} else if (row.status <= SESSION_ACTIVE && member_is_one()) {
		/* Its member is gone, and that is not seen by all yet. */
		if (!unheld_is(&row)) {
			free(cl);
			api_refuse(call, REFUSE_ELSEWHERE);
			return;
		}
		if (close_unheld(call, &row, cl) == -1)
			api_closed(cl, 0);
		return;
	}
	turn_after(api_closed, cl);
}

const struct api_handler	api_close = { session_close, API_SEES };

/* The same of one that lasts longer. */
struct extending {
	struct asker	asker;
	char		session[UUID_SIZE];
	uint32_t	hours;
	int64_t		until;
};

static void
api_extended(void *arg, int ok)
{
	struct extending	*ex = arg;
	cJSON			*o;

	if (ok) {
		o = cJSON_CreateObject();
		cJSON_AddStringToObject(o, "session_id", ex->session);
		cJSON_AddNumberToObject(o, "extended_by_hours", ex->hours);
		api_add_time(o, "expires_at", ex->until);
		api_yes(&ex->asker, API_EXTEND, o);
	} else {
		api_no(&ex->asker, REFUSE_STORE, NULL);
	}
	free(ex);
}

static void
session_prolong(struct api_call *call, const struct facts *f)
{
	struct session_row	 row;
	struct session		*se;
	struct extending	*ex;
	enum refusal		 no;
	char			 hours[16];

	no = api_session(call, f, &row, &se);
	if (no == REFUSE_NOT && call->invalid) {
		api_invalid(call, REFUSE_PARAMETERS);
		return;
	}
	if ((ex = calloc(1, sizeof(*ex))) == NULL)
		no = REFUSE_BUSY;
	if (no == REFUSE_NOT)
		no = se != NULL ? session_extend(se, call->args.hours,
		    now_at()) : REFUSE_CLOSED;
	if (no != REFUSE_NOT) {
		free(ex);
		api_refuse(call, no);
		return;
	}
	ex->asker = call->asker;
	strlcpy(ex->session, row.id, sizeof(ex->session));
	ex->hours = call->args.hours;
	ex->until = se->row.expires_at;
	snprintf(hours, sizeof(hours), "%u h", (unsigned)call->args.hours);
	api_done(call, hours);
	turn_after(api_extended, ex);
}

const struct api_handler	api_extend = { session_prolong, API_SEES };
