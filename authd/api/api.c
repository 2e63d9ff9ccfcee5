/* SPDX-License-Identifier: ISC */
/* The operator API: who calls, may they, and the calls but for the list. */
#include <cjson/cJSON.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "authd/core/may.h"
#include "authd/core/rowlog.h"
#include "authd/core/services.h"
#include "authd/core/session.h"
#include "authd/msg/issue.h"
#include "authd/now.h"
#include "authd/store/audit.h"
#include "authd/turn.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/label.h"
#include "base/log.h"
#include "proc/proc.h"

static void	api_ask(struct api_call *);
static void	api_known(const struct facts *, void *);
static void	api_get(struct api_call *, const struct facts *);
static void	api_close(struct api_call *, const struct facts *);
static void	api_services(struct api_call *, const struct facts *);
static void	api_proxy_token(struct api_call *, const struct facts *);
static void	api_terminal_ticket(struct api_call *, const struct facts *);

#define SEEN	(NEED_SESSION | NEED_VISIBLE)

/* What has to be known for a call, beside who calls. */
enum {
	list_needs = 0,
	get_needs = SEEN | NEED_SYSTEM | NEED_ORG,
	close_needs = SEEN,
	services_needs = SEEN,
	proxy_token_needs = SEEN,
	terminal_ticket_needs = SEEN
};

/* What authd adds to api.def: a row without its two does not compile. */
static const struct {
	void		(*fn)(struct api_call *, const struct facts *);
	unsigned	needs;
} ops[API_OP_COUNT] = {
#define A(NAME, method, pattern, needs, body, word, text, params)		\
	[API_##NAME] = { api_##word, word##_needs },
#include "api/api.def"
#undef A
};

static void
api_refuse(const struct api_call *call, int status, const char *message)
{
	audit_refusal(call->who.id, call->addr, api_info(call->op)->word,
	    call->session, message);
	api_result(&call->asker, status, message, NULL);
}

/* Who calls: operator-api.md, section 2. */

static int
is_api_key(const char *token)
{
	return (strncmp(token, "myk_", 4) == 0 ||
	    strncmp(token, "myo_", 4) == 0);
}

/* What the token itself says. 0, or a status. */
static int
api_authenticate(struct api_call *call, const char *token,
    const char **message)
{
	const struct conf	*conf = proc_conf();
	cJSON			*payload;
	int			 r;

	*message = "token not provided";
	if (token[0] == '\0')
		return (401);
	*message = "insufficient permissions";
	if (is_api_key(token))
		return (403);
	*message = "invalid token";
	if ((payload = jwt_open(token)) == NULL)
		return (401);
	r = claims_access(payload, conf->jwt_issuer, conf->jwt_audience,
	    clock_wall(), &call->who);
	cJSON_Delete(payload);
	return (r == -1 ? 401 : 0);
}

static int
api_parse(struct api_call *call, const struct msg_api *in)
{
	call->op = in->op;
	strlcpy(call->addr, in->addr, sizeof(call->addr));
	strlcpy(call->session, in->session, sizeof(call->session));
	strlcpy(call->service, in->service, sizeof(call->service));
	call->page = in->page;
	call->page_size = in->page_size;
	strlcpy(call->sort_by, in->sort_by, sizeof(call->sort_by));
	call->descending = in->descending;
	call->statuses = in->statuses;
	strlcpy(call->system_id, in->system, sizeof(call->system_id));
	call->invalid = in->invalid;
	return (api_info(call->op) == NULL || call->invalid > 1 ||
	    call->descending > 1 || (call->statuses & ~STATUS_ALL) != 0 ||
	    call->page > INT32_MAX ? -1 : 0);
}

static void
api_free(struct api_call *call)
{
	freezero(call, sizeof(*call));
}

int
api_on_api(struct chan *c, struct imsg *m)
{
	struct msg_api	 in;
	struct api_call	*call;
	struct asker	 asker;
	const char	*message = "store is unavailable";
	int		 status = 503;

	if (get_api(m, &in) == -1)
		return (-1);
	asker = asker_of(c, m);
	if ((call = calloc(1, sizeof(*call))) == NULL) {
		api_result(&asker, 503, "server is busy", NULL);
		return (0);
	}
	if (api_parse(call, &in) == -1) {
		api_free(call);
		return (-1);
	}
	call->asker = asker;
	if (api_is_busy(&call->asker))
		message = "server is busy";
	else if (peer_is_ready())
		status = api_authenticate(call, in.token, &message);
	if (status == 0) {
		api_ask(call);
		return (0);
	}
	api_refuse(call, status, message);
	api_free(call);
	return (0);
}

/* The session if it is open; one that is overdue ends by being asked for. */
static struct session *
api_open(const struct api_call *call)
{
	struct session	*se = session_find(call->session);

	if (se == NULL || session_is_open(se, now_at()))
		return (se);
	session_end(se, SESSION_EXPIRED, "timeout", 4000, now_at());
	return (NULL);
}

/* What is open is taken from memory, which is never behind. */
static void
api_ask(struct api_call *call)
{
	struct facts_keys	 keys = { .who = &call->who,
	    .session = call->session, .asker = call->asker.instance };
	unsigned		 needs = NEED_REVOKED | ops[call->op].needs;
	struct session		*se = api_open(call);

	if (se != NULL) {
		needs &= ~(unsigned)NEED_SESSION;
		keys.system_id = se->row.system_id;
	} else if (session_id_check(call->session) == -1) {
		needs = NEED_REVOKED;
	} else {
		turn_flush();	/* it may have ended in this turn */
	}
	(void)facts_ask(needs, &keys, api_known, call);
}

static void
api_revoked(const struct api_call *call, const struct facts *f,
    enum refusal why)
{
	const struct refusal_info	*no = refusal_info(why);
	cJSON				*data = NULL;

	if (f->got_revoked == 0 && f->revoked.reason[0] != '\0' &&
	    (data = cJSON_CreateObject()) != NULL)
		cJSON_AddStringToObject(data, "reason", f->revoked.reason);
	audit_refusal(call->who.id, call->addr, api_info(call->op)->word,
	    call->session, no->text);
	api_result(&call->asker, no->status, no->text, data);
}

/* Was it open when the store was asked, and is not any more? */
static int
api_is_behind(const struct api_call *call, const struct facts *f)
{
	return ((ops[call->op].needs & NEED_SESSION) != 0 &&
	    f->got_session == FACT_NOT_ASKED &&
	    session_id_check(call->session) == 0 && api_open(call) == NULL);
}

/* Does the token permit what the call needs? */
static int
api_permits(const struct api_call *call)
{
	switch (api_info(call->op)->needs) {
	case NEEDS_CONNECT:
		return (call->who.may_connect);
	}
	return (0);
}

static void
api_known(const struct facts *f, void *arg)
{
	struct api_call	*call = arg;
	enum refusal	 no;

	if ((no = may_act(f)) == REFUSE_NOT && api_permits(call) &&
	    api_is_behind(call, f)) {
		api_ask(call);
		return;
	}
	if (no != REFUSE_NOT)
		api_revoked(call, f, no);
	else if (!api_permits(call))
		api_refuse(call, 403, "insufficient permissions");
	else if (api_is_busy(&call->asker))
		api_refuse(call, 503, "server is busy");
	else
		ops[call->op].fn(call, f);
	api_free(call);
}

/* The session of a call. */

/*
 * The row, if there is one and the caller may see it. 0, or a status and
 * *message.
 */
static int
api_session(const struct api_call *call, const struct facts *f,
    struct session_row *row, struct session **sep, const char **message)
{
	const struct refusal_info	*no;

	*sep = NULL;
	*message = "support session not found";
	if (session_id_check(call->session) == -1)
		return (404);
	if ((*sep = api_open(call)) != NULL)
		*row = (*sep)->row;
	else if (f->got_session == 0)
		*row = f->session;
	else if (f->got_session == STORE_NONE)
		return (404);
	else {
		*message = "store is unavailable";
		return (503);
	}
	no = refusal_info(may_see(f));
	*message = no->text;
	return (no->status);
}

static void
add_time(cJSON *o, const char *name, int64_t ms)
{
	char	text[32];

	cJSON_AddStringToObject(o, name, api_time(ms, text));
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
api_get(struct api_call *call, const struct facts *f)
{
	struct session_row	 row;
	struct session		*se;
	struct brief		 brief;
	const char		*message;
	cJSON			*o;
	int			 status;

	if ((status = api_session(call, f, &row, &se, &message)) != 0) {
		api_refuse(call, status, message);
		return;
	}
	if (f->got_system != 0 || f->got_org == -1) {
		api_refuse(call, 503, "store is unavailable");
		return;
	}
	brief_of(f, &brief);
	o = cJSON_CreateObject();
	cJSON_AddStringToObject(o, "id", row.id);
	cJSON_AddStringToObject(o, "system_id", row.system_id);
	if (row.node[0] != '\0')
		cJSON_AddStringToObject(o, "node_id", row.node);
	add_time(o, "started_at", row.started_at);
	add_time(o, "expires_at", row.expires_at);
	cJSON_AddStringToObject(o, "status", session_status_name(row.status));
	if (row.closed_at != 0)
		add_time(o, "closed_at", row.closed_at);
	if (row.closed_by[0] != '\0')
		cJSON_AddStringToObject(o, "closed_by", row.closed_by);
	add_time(o, "created_at", row.created_at);
	add_time(o, "updated_at", row.updated_at);
	cJSON_AddBoolToObject(o, "tunnel_connected",
	    se != NULL && se->tunnel != NULL);
	api_add_system(o, &brief);
	api_yes(&call->asker, API_SESSION_GET, o);
}

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
		api_result(&cl->asker, 503, "store is unavailable", NULL);
	}
	free(cl);
}

/* The tunnel goes at once; a store that is down delays only the answer. */
static void
api_close(struct api_call *call, const struct facts *f)
{
	struct session_row	 row;
	struct session		*se;
	struct closing		*cl;
	const char		*message;
	int			 status;

	if ((status = api_session(call, f, &row, &se, &message)) != 0) {
		api_refuse(call, status, message);
		return;
	}
	if ((cl = calloc(1, sizeof(*cl))) == NULL) {
		api_refuse(call, 503, "server is busy");
		return;
	}
	cl->asker = call->asker;
	strlcpy(cl->session, row.id, sizeof(cl->session));
	if (se != NULL) {
		audit_done(call->who.id, call->addr, "close", row.id,
		    call->who.impersonator);
		session_end(se, SESSION_CLOSED, "operator", 4000, now_at());
	}
	turn_after(api_closed, cl);
}

static void
add_service(cJSON *services, const struct service *sv)
{
	cJSON	*o = cJSON_AddObjectToObject(services, sv->name);

	cJSON_AddStringToObject(o, "target", sv->target);
	cJSON_AddStringToObject(o, "host", sv->host);
	cJSON_AddBoolToObject(o, "tls", sv->tls);
	cJSON_AddStringToObject(o, "label", sv->label);
	if (sv->path[0] != '\0')
		cJSON_AddStringToObject(o, "path", sv->path);
	if (sv->path_prefix[0] != '\0')
		cJSON_AddStringToObject(o, "path_prefix", sv->path_prefix);
	if (sv->module_id[0] != '\0')
		cJSON_AddStringToObject(o, "module_id", sv->module_id);
	if (sv->node_id[0] != '\0')
		cJSON_AddStringToObject(o, "node_id", sv->node_id);
}

static void
api_services(struct api_call *call, const struct facts *f)
{
	struct session_row	 row;
	struct session		*se;
	const char		*message;
	cJSON			*o, *services;
	unsigned		 i;
	int			 status;

	if ((status = api_session(call, f, &row, &se, &message)) != 0) {
		api_refuse(call, status, message);
		return;
	}
	o = cJSON_CreateObject();
	services = cJSON_AddObjectToObject(o, "services");
	for (i = 0; se != NULL && se->services != NULL &&
	    i < se->services->n; i++)
		add_service(services, se->services->v[i]);
	api_yes(&call->asker, API_SERVICES, o);
}

/* A visible, active session, or the refusal is sent. */
static struct session *
api_active(struct api_call *call, const struct facts *f)
{
	struct session_row	 row;
	struct session		*se;
	const char		*message;
	int			 status;

	status = api_session(call, f, &row, &se, &message);
	if (status == 0 && (se == NULL || row.status != SESSION_ACTIVE)) {
		status = 400;
		message = "support session is not active";
	}
	if (status == 0)
		return (se);
	api_refuse(call, status, message);
	return (NULL);
}

static void
proxy_url(const struct session *se, const char *service, char *dst, size_t size)
{
	const struct conf	*conf = proc_conf();
	char			 label[LABEL_DNS_SIZE], port[16] = "";

	label_of_service(service, label);
	if (conf->proxy_port != (conf->proxy_plain ? 80 : 443))
		snprintf(port, sizeof(port), ":%u",
		    (unsigned)conf->proxy_port);
	snprintf(dst, size, "%s://%s--%s.%s%s/",
	    conf->proxy_plain ? "http" : "https", label, se->slug,
	    conf->proxy_domain, port);
}

/* An answer with a credential in it that waits for its row. */
struct issue {
	struct asker	 asker;
	char		*token;
	char		 url[1024];
	struct rowlog	*row;
};

static void
api_issued(void *arg, int ok)
{
	struct issue	*is = arg;
	cJSON		*o;

	if (ok && !is->row->failed) {
		o = cJSON_CreateObject();
		cJSON_AddStringToObject(o, "url", is->url);
		cJSON_AddStringToObject(o, "token", is->token);
		api_yes(&is->asker, API_PROXY_TOKEN, o);
	} else {
		api_result(&is->asker, 503, "store is unavailable", NULL);
	}
	rowlog_release(is->row);
	freezero(is->token, strlen(is->token));
	free(is);
}

static char *
proxy_token(const struct api_call *call, const struct session *se)
{
	const struct conf	*conf = proc_conf();
	struct proxy_claims	 pc;
	cJSON			*payload;
	char			*token = NULL;
	int64_t			 now = clock_wall();

	memset(&pc, 0, sizeof(pc));
	pc.who = call->who;
	pc.who.token_id[0] = '\0';	/* one of its own */
	pc.who.expires = now + (int64_t)conf->proxy_token_lifetime;
	if (pc.who.expires > se->row.expires_at / 1000)
		pc.who.expires = se->row.expires_at / 1000;
	strlcpy(pc.session, se->row.id, sizeof(pc.session));
	strlcpy(pc.service, call->service, sizeof(pc.service));
	payload = claims_make_proxy(&pc, conf->jwt_issuer,
	    conf->jwt_audience, now);
	if (payload != NULL)
		token = jwt_seal(payload);
	cJSON_Delete(payload);
	return (token);
}

static void
api_proxy_token(struct api_call *call, const struct facts *f)
{
	struct session	*se;
	struct issue	*is;

	if ((se = api_active(call, f)) == NULL)
		return;
	if (proc_conf()->proxy_domain[0] == '\0') {
		api_refuse(call, 503, "subdomain proxy is not configured");
		return;
	}
	if (call->service[0] == '\0' ||
	    services_check_name(call->service) == -1) {
		api_invalid(call, call->service[0] == '\0' ?
		    "service name required" : "invalid service name");
		return;
	}
	if (services_find(se->services, call->service) == NULL) {
		api_refuse(call, 404, se->tunnel == NULL ?
		    "tunnel not found for session" :
		    "service not found in tunnel manifest");
		return;
	}
	if ((is = calloc(1, sizeof(*is))) == NULL ||
	    (is->row = rowlog_web(&call->who, se->row.id, call->service,
	    call->addr, now_at())) == NULL ||
	    (is->token = proxy_token(call, se)) == NULL) {
		if (is != NULL && is->row != NULL)
			rowlog_release(is->row);
		free(is);
		api_refuse(call, 503, "server is busy");
		return;
	}
	is->asker = call->asker;
	proxy_url(se, call->service, is->url, sizeof(is->url));
	turn_after(api_issued, is);
}

static void
api_terminal_ticket(struct api_call *call, const struct facts *f)
{
	struct session	*se;
	char		 ticket[HEX64_SIZE];
	uint32_t	 retry;
	cJSON		*o;

	if ((se = api_active(call, f)) == NULL)
		return;
	if (issue_ticket(&call->who, se->row.id, ticket, &retry) == -1) {
		if (retry != 0)
			api_refuse(call, 429, "too many terminal tickets");
		else
			api_refuse(call, 503, "server is busy");
		return;
	}
	o = cJSON_CreateObject();
	cJSON_AddStringToObject(o, "ticket", ticket);
	explicit_bzero(ticket, sizeof(ticket));
	api_yes(&call->asker, API_TERMINAL_TICKET, o);
}
