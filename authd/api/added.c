/* SPDX-License-Identifier: ISC */
/*
 * Services that operators add to a session and remove: yes is said when the
 * client has. operator-api.md, section 4.
 */
#include <cjson/cJSON.h>

#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "authd/core/may.h"
#include "authd/core/services.h"
#include "authd/core/session.h"
#include "authd/msg/command.h"
#include "authd/msg/manifest.h"
#include "authd/now.h"
#include "authd/store/audit.h"
#include "authd/turn.h"
#include "base/compat.h"
#include "base/target.h"
#include "base/wipe.h"
#include "proc/proc.h"

#define ADD_MAX		10	/* in one call */
#define ADDED_MAX	100	/* to one session */
#define WAIT_S		30	/* for the client's reply */

/*
 * A call until it is through: to add `n` of them, or to remove the first. It is
 * one of `changes` from when it asks what was added before to when that has
 * become more or less; who calls may have his answer earlier.
 */
struct change {
	TAILQ_ENTRY(change)	 entry;
	uint64_t		 id;
	int			 sent;		/* the client is asked */
	int			 stale;		/* and another was through */
	struct asker		 asker;		/* instance 0: answered */
	api_order_fn		 told;		/* NULL: nobody, or told */
	void			*told_arg;
	struct operator		 who;
	char			 addr[ADDR_SIZE], session[UUID_SIZE];
	enum api_op		 op;
	size_t			 n;
	struct added_row	 row[ADD_MAX];
};

static TAILQ_HEAD(, change)	changes = TAILQ_HEAD_INITIALIZER(changes);
static uint64_t			last_id;

static void	change_known(const struct answer *, void *);

static void
change_free(struct change *ch)
{
	struct change	*o;

	TAILQ_REMOVE(&changes, ch, entry);
	TAILQ_FOREACH(o, &changes, entry)
		if (!o->sent && strcmp(o->session, ch->session) == 0)
			o->stale = 1;
	free(ch);
}

static void
change_refused(const struct change *ch, const char *why)
{
	audit_refusal(&(struct audit){ .who = &ch->who, .address = ch->addr,
	    .action = api_info(ch->op)->word, .session = ch->session,
	    .service = ch->n > 0 ? ch->row[0].name : "", .reason = why });
}

static void
change_told(struct change *ch, int status, const char *text)
{
	api_order_fn	told = ch->told;

	ch->told = NULL;
	if (told != NULL)
		told(ch->told_arg, status, text);
}

static void
change_no(struct change *ch, enum refusal no)
{
	if (ch->told != NULL) {
		change_refused(ch, refusal_info(no)->text);
		change_told(ch, refusal_info(no)->status,
		    refusal_info(no)->text);
	}
	if (ch->asker.instance == 0)
		return;
	change_refused(ch, refusal_info(no)->text);
	api_no(&ch->asker, no, NULL);
	ch->asker.instance = 0;
}

static void
change_end(struct change *ch, enum refusal no)
{
	cJSON	*o;

	if (no != REFUSE_NOT) {
		change_no(ch, no);
	} else if (ch->told != NULL) {
		change_told(ch, 200, "");
	} else if (ch->asker.instance != 0) {
		o = cJSON_CreateObject();
		cJSON_AddStringToObject(o, "session_id", ch->session);
		if (ch->op == API_SERVICES_ADD)
			cJSON_AddNumberToObject(o, "count", (double)ch->n);
		else
			cJSON_AddStringToObject(o, "service_name",
			    ch->row[0].name);
		api_yes(&ch->asker, ch->op, o);
	}
	change_free(ch);
}

static void
change_saved(void *arg, int ok)
{
	change_end(arg, ok ? REFUSE_NOT : REFUSE_STORE);
}

/*
 * The client has done it: its manifest, which came first, says what is there,
 * but it need not know what plain TCP is.
 */
static void
change_tcp(const struct change *ch, struct session *se)
{
	size_t	i;
	int	news = 0;

	for (i = 0; i < ch->n; i++)
		news |= services_set_tcp(se->services, ch->row[i].name,
		    ch->row[i].target, ch->op == API_SERVICES_ADD &&
		    ch->row[i].tcp);
	if (news)
		manifest_push(se);
}

/* So it will be again when it returns. */
static void
change_keep(struct change *ch)
{
	struct session	*se = session_find(ch->session);
	size_t		 i;

	if (se != NULL)
		change_tcp(ch, se);
	for (i = 0; i < ch->n; i++)
		if (ch->op == API_SERVICES_ADD)
			(void)store_added_put(ch->session, &ch->row[i]);
		else
			(void)store_added_del(ch->session, ch->row[i].name);
	for (i = 0; i < ch->n; i++)
		audit_done(&(struct audit){ .who = &ch->who,
		    .address = ch->addr, .action = api_info(ch->op)->word,
		    .session = ch->session, .service = ch->row[i].name,
		    .reason = ch->row[i].target });
	turn_after(change_saved, ch);
}

static void
change_answered(void *arg, int status, const char *text)
{
	struct change	*ch = arg;

	if (status == 0) {
		change_keep(ch);
		return;
	}
	change_refused(ch, text);
	change_told(ch, status, text);
	if (ch->asker.instance != 0)
		api_no_text(&ch->asker, status, text);
	change_free(ch);
}

/* Was it an operator who added this? NULL: not that we know. */
static const struct added_row *
added_find(const struct answer *a, const char *name)
{
	size_t	i;

	for (i = 0; a->r == 0 && i < a->n; i++)
		if (strcmp(a->added[i].name, name) == 0)
			return (&a->added[i]);
	return (NULL);
}

static const struct added_row *
change_find(const struct change *ch, const char *name)
{
	size_t	i;

	for (i = 0; i < ch->n; i++)
		if (strcmp(ch->row[i].name, name) == 0)
			return (&ch->row[i]);
	return (NULL);
}

/* Is another call about to add it? Each name counts in one of them. */
static int
is_under_way(const struct change *before, const char *session, const char *name)
{
	const struct change	*ch;

	TAILQ_FOREACH(ch, &changes, entry) {
		if (ch == before)
			break;
		if (ch->sent && ch->op == API_SERVICES_ADD &&
		    strcmp(ch->session, session) == 0 &&
		    change_find(ch, name) != NULL)
			return (1);
	}
	return (0);
}

static size_t
count_under_way(const char *session, const struct answer *a)
{
	const struct change	*ch;
	size_t			 i, n = 0;

	TAILQ_FOREACH(ch, &changes, entry)
		for (i = 0; ch->sent && ch->op == API_SERVICES_ADD &&
		    i < ch->n && strcmp(ch->session, session) == 0; i++)
			n += added_find(a, ch->row[i].name) == NULL &&
			    !is_under_way(ch, session, ch->row[i].name);
	return (n);
}

/* May these be added, now that it is known what was, and is being? */
static enum refusal
add_check(const struct change *ch, const struct session *se,
    const struct answer *a)
{
	size_t	i, all = a->r == 0 ? a->n : 0;

	all += count_under_way(ch->session, a);
	for (i = 0; i < ch->n; i++) {
		if (added_find(a, ch->row[i].name) != NULL ||
		    is_under_way(NULL, ch->session, ch->row[i].name))
			continue;
		if (services_find(se->services, ch->row[i].name) != NULL)
			return (REFUSE_SERVICE_TAKEN);
		if (++all > ADDED_MAX)
			return (REFUSE_SERVICES_MANY);
	}
	return (REFUSE_NOT);
}

static cJSON *
change_command(const struct change *ch)
{
	cJSON	*o;
	size_t	 i;

	if (ch->op == API_SERVICE_REMOVE)
		return (command_remove(ch->row[0].name));
	o = command_add();
	for (i = 0; i < ch->n; i++)
		command_add_service(o, &ch->row[i]);
	return (o);
}

static void
change_read(struct change *ch)
{
	struct question	q = { .what = ASK_ADDED, .key = ch->session,
	    .asker = ch->asker.instance };

	ch->stale = 0;
	(void)store_ask(&q, change_known, ch);
}

static void
change_known(const struct answer *a, void *arg)
{
	struct change	*ch = arg;
	struct session	*se = session_find(ch->session);
	enum refusal	 no;

	if (ch->stale && a->r != -1) {
		change_read(ch);
		return;
	}
	if (a->r == -1)
		no = REFUSE_STORE;
	else if (se == NULL)
		no = REFUSE_NOT_ACTIVE;
	else if (ch->op == API_SERVICES_ADD)
		no = add_check(ch, se, a);
	else
		no = added_find(a, ch->row[0].name) != NULL ? REFUSE_NOT :
		    REFUSE_NOT_ADDED;
	ch->sent = no == REFUSE_NOT;
	if (no == REFUSE_NOT && command_send(se, change_command(ch), WAIT_S,
	    change_answered, ch) == -1)
		no = REFUSE_NO_TUNNEL;
	if (no != REFUSE_NOT)
		change_end(ch, no);
}

/* The client's own grammar, which is narrower than a manifest's. */
static enum refusal
name_check(const char *s)
{
	size_t	len = strlen(s);

	if (len == 0 || len >= SERVICE_SIZE || *s == '_' || *s == '-' ||
	    strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") != len)
		return (REFUSE_SERVICE_NAME);
	return (strcmp(s, SERVICE_TERMINAL) == 0 ? REFUSE_SERVICE_TAKEN :
	    REFUSE_NOT);
}

/*
 * An operator is not to reach what the owner has not listed on its own machine.
 */
static enum refusal
target_check(const char *s)
{
	struct target	t;
	int		r = target_parse(s, &t);

	if (r == TARGET_E_NAME || r == TARGET_E_ADDRESS ||
	    (r == TARGET_OK && !proc_conf()->allow_loopback &&
	    target_is_loopback(&t)))
		return (REFUSE_TARGET_ADDED);
	return (r == TARGET_OK ? REFUSE_NOT : REFUSE_TARGET_FORM);
}

/* One of the call's, as proxyd has written it. */
static enum refusal
row_take(struct added_row *r, const cJSON *o)
{
	const char	*name, *target, *label;
	enum refusal	 no;

	name = cJSON_GetStringValue(cJSON_GetObjectItem(o, "name"));
	target = cJSON_GetStringValue(cJSON_GetObjectItem(o, "target"));
	label = cJSON_GetStringValue(cJSON_GetObjectItem(o, "label"));
	if (name == NULL || target == NULL || label == NULL)
		return (REFUSE_PARAMETERS);
	(void)strlcpy(r->name, name, sizeof(r->name));	/* for the audit log */
	if ((no = name_check(name)) != REFUSE_NOT ||
	    (no = target_check(target)) != REFUSE_NOT)
		return (no);
	if (strlcpy(r->target, target, sizeof(r->target)) >=
	    sizeof(r->target) || strlcpy(r->label, label[0] != '\0' ? label :
	    name, sizeof(r->label)) >= sizeof(r->label))
		return (REFUSE_PARAMETERS);
	r->tls = cJSON_IsTrue(cJSON_GetObjectItem(o, "tls"));
	r->tcp = cJSON_IsTrue(cJSON_GetObjectItem(o, "tcp"));
	return (REFUSE_NOT);
}

static enum refusal
rows_take(struct change *ch, const char *json)
{
	cJSON		*list = cJSON_Parse(json), *o;
	enum refusal	 no = REFUSE_NOT;
	size_t		 i;

	if (list == NULL && wipe_lacks())
		no = REFUSE_BUSY;
	else if (!cJSON_IsArray(list) || list->child == NULL ||
	    cJSON_GetArraySize(list) > ADD_MAX)
		no = REFUSE_PARAMETERS;
	for (o = no == REFUSE_NOT ? list->child : NULL; o != NULL &&
	    no == REFUSE_NOT; o = o->next) {
		no = row_take(&ch->row[ch->n], o);
		for (i = 0; i < ch->n && no == REFUSE_NOT; i++)
			if (strcmp(ch->row[i].name, ch->row[ch->n].name) == 0)
				no = REFUSE_SERVICE_TAKEN;
		ch->n++;
	}
	cJSON_Delete(list);
	return (no);
}

/* What both have in common. NULL: it is answered. */
static struct change *
change_new(struct api_call *call, const struct facts *f)
{
	struct session_row	 row;
	struct session		*se;
	struct change		*ch = NULL;
	enum refusal		 no;

	no = api_session(call, f, &row, &se);
	if (no == REFUSE_NOT && (se == NULL || row.status != SESSION_ACTIVE))
		no = REFUSE_NOT_ACTIVE;
	if (no == REFUSE_NOT && call->invalid) {
		api_invalid(call, REFUSE_PARAMETERS);
		return (NULL);
	}
	if (no == REFUSE_NOT && (ch = calloc(1, sizeof(*ch))) == NULL)
		no = REFUSE_BUSY;
	if (no != REFUSE_NOT) {
		api_refuse(call, no);
		return (NULL);
	}
	ch->id = ++last_id;
	TAILQ_INSERT_TAIL(&changes, ch, entry);
	ch->asker = call->asker;
	ch->who = call->who;
	ch->op = (enum api_op)call->op;
	strlcpy(ch->addr, call->addr, sizeof(ch->addr));
	strlcpy(ch->session, row.id, sizeof(ch->session));
	return (ch);
}

static void
change_ask(struct change *ch, enum refusal no)
{
	size_t	i;

	if (no != REFUSE_NOT) {
		change_end(ch, no);
		return;
	}
	for (i = 0; i < ch->n; i++) {
		strlcpy(ch->row[i].added_by, ch->who.id,
		    sizeof(ch->row[i].added_by));
		ch->row[i].added_at = now_at()->wall_ms;
	}
	change_read(ch);
}

/* ---- may who calls still? ---- */

static void
change_rechecked(const struct facts *f, void *arg)
{
	struct change	*ch;

	TAILQ_FOREACH(ch, &changes, entry)
		if (ch->id == (uint64_t)(uintptr_t)arg)
			break;
	if (ch != NULL && !may_still(f))
		change_no(ch, may_see(f));
}

/* What the client does is done; but nobody hears of it who may not. */
void
api_changes_recheck(void)
{
	struct change	*ch;
	struct session	*se;
	uint64_t	 id, last = last_id;

	for (id = 0; id < last; ) {
		TAILQ_FOREACH(ch, &changes, entry)
			if (ch->id > id)
				break;
		if (ch == NULL || ch->id > last)
			break;
		id = ch->id;
		if ((se = session_find(ch->session)) != NULL)
			(void)facts_ask(NEED_SCOPE, &(struct facts_keys){
			    .who = &ch->who, .system_id = se->row.system_id },
			    change_rechecked, (void *)(uintptr_t)id);
	}
}

static void
services_add_to(struct api_call *call, const struct facts *f)
{
	struct change	*ch = change_new(call, f);

	if (ch != NULL)
		change_ask(ch, rows_take(ch, call->args.services));
}

const struct api_handler	api_services_add = { services_add_to, API_SEES };

static void
service_remove_from(struct api_call *call, const struct facts *f)
{
	struct change	*ch = change_new(call, f);

	if (ch == NULL)
		return;
	ch->n = 1;
	strlcpy(ch->row[0].name, call->args.service, sizeof(ch->row[0].name));
	change_ask(ch, name_check(ch->row[0].name) == REFUSE_NOT ? REFUSE_NOT :
	    REFUSE_NOT_ADDED);
}

const struct api_handler	api_service_remove = { service_remove_from,
    API_SEES };

void
api_services_order(const struct operator *who, const struct session *se,
    const char *services, const char *name, api_order_fn told, void *arg)
{
	struct change	*ch;
	enum refusal	 no;

	if (se->row.status != SESSION_ACTIVE ||
	    (ch = calloc(1, sizeof(*ch))) == NULL) {
		no = se->row.status != SESSION_ACTIVE ? REFUSE_NOT_ACTIVE :
		    REFUSE_BUSY;
		told(arg, refusal_info(no)->status, refusal_info(no)->text);
		return;
	}
	ch->id = ++last_id;
	TAILQ_INSERT_TAIL(&changes, ch, entry);
	ch->who = *who;
	ch->told = told;
	ch->told_arg = arg;
	ch->op = services != NULL ? API_SERVICES_ADD : API_SERVICE_REMOVE;
	strlcpy(ch->session, se->row.id, sizeof(ch->session));
	if (services != NULL) {
		change_ask(ch, rows_take(ch, services));
		return;
	}
	ch->n = 1;
	strlcpy(ch->row[0].name, name, sizeof(ch->row[0].name));
	change_ask(ch, name_check(name) == REFUSE_NOT ? REFUSE_NOT :
	    REFUSE_NOT_ADDED);
}
