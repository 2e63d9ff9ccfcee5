/* SPDX-License-Identifier: ISC */
/* One system: reading, making, changing it. operator-api.md, section 5. */
#include <cjson/cJSON.h>

#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "authd/core/may.h"
#include "authd/core/session.h"
#include "authd/cred/secret.h"
#include "authd/msg/invalidate.h"
#include "authd/msg/member.h"
#include "authd/msg/recheck.h"
#include "authd/now.h"
#include "authd/store/audit.h"
#include "authd/turn.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/text.h"
#include "base/wipe_json.h"

/* --- how it is shown --- */

static void
add_text(cJSON *o, const char *name, const char *text)
{
	if (text[0] != '\0')
		cJSON_AddStringToObject(o, name, text);
	else
		cJSON_AddNullToObject(o, name);
}

static void
add_moment(cJSON *o, const char *name, int64_t ms)
{
	if (ms != 0)
		api_add_time(o, name, ms);
	else
		cJSON_AddNullToObject(o, name);
}

static enum system_state
state_of(const struct system_row *s, int has_session)
{
	if (s->deleted_at != 0)
		return (SYSTEM_IS_DELETED);
	if (s->suspended_at != 0)
		return (SYSTEM_IS_SUSPENDED);
	if (has_session)
		return (SYSTEM_IS_ACTIVE);
	return (s->registered_at != 0 ? SYSTEM_IS_INACTIVE :
	    SYSTEM_IS_UNKNOWN);
}

static void
add_owner(cJSON *o, const struct system_detail *d)
{
	cJSON	*oo = cJSON_AddObjectToObject(o, "organization");

	cJSON_AddStringToObject(oo, "id", d->row.org_id);
	cJSON_AddStringToObject(oo, "logto_id", d->row.org_id);
	cJSON_AddStringToObject(oo, "name", d->org_name);
	cJSON_AddStringToObject(oo, "type", d->org_type);
}

static void
add_maker(cJSON *o, const struct system_more *m)
{
	cJSON	*by;

	if (m->created_by[0] == '\0') {
		cJSON_AddNullToObject(o, "created_by");
		return;
	}
	by = cJSON_AddObjectToObject(o, "created_by");
	cJSON_AddStringToObject(by, "user_id", m->created_by);
	cJSON_AddStringToObject(by, "name", m->created_by_name);
	cJSON_AddStringToObject(by, "organization_id", m->created_by_org);
}

struct cJSON *
api_system(const struct system_detail *d, const char *secret, int made)
{
	static const char *const	states[] = {
#define Y(NAME, word)	word,
	    API_SYSTEM_STATES
#undef Y
	};
	const struct system_row		*s = &d->row;
	/*
	 * What is new here is not in the store yet. Of a cluster the store says
	 * which of several it is, whoever is asked.
	 */
	const struct session		*se = session_of_system(s->id);
	int				 ours = se != NULL && (!member_is_one() ||
					    d->session[0] == '\0');
	const char			*open = ours ? se->row.id : d->session;
	cJSON				*o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "id", s->id);
	cJSON_AddStringToObject(o, "name", s->name);
	add_text(o, "type", s->type);
	cJSON_AddStringToObject(o, "status", states[state_of(s,
	    open[0] != '\0')]);
	add_text(o, "version", d->more.version);
	add_owner(o, d);
	cJSON_AddStringToObject(o, "system_key", s->registered_at != 0 ||
	    made ? s->key : "");
	if (secret != NULL)
		cJSON_AddStringToObject(o, "system_secret", secret);
	cJSON_AddBoolToObject(o, "support_enabled", s->support_enabled);
	add_text(o, "support_session_id", open);
	cJSON_AddStringToObject(o, "notes", d->more.notes);
	cJSON_AddRawToObject(o, "custom_data", d->more.custom_data[0] != '\0' ?
	    d->more.custom_data : "{}");
	add_moment(o, "registered_at", s->registered_at);
	add_moment(o, "suspended_at", s->suspended_at);
	add_moment(o, "deleted_at", s->deleted_at);
	api_add_time(o, "created_at", s->created_at);
	api_add_time(o, "updated_at", d->more.updated_at);
	add_maker(o, &d->more);
	return (o);
}

/* An answer that waits for the commit, and then for what the store has. */
struct telling {
	struct asker		asker;
	uint64_t		until_ms;
	unsigned		op;
	int			status;
	struct group_row	group;		/* the system's id */
	char			secret[SECRET_SIZE];
};

static void
telling_free(struct telling *te)
{
	freezero(te, sizeof(*te));
}

static void
tell_known(const struct answer *a, void *arg)
{
	struct telling	*te = arg;
	cJSON		*data;

	if (a->r == 0 && a->n == 1) {
		data = api_system(a->detail, te->secret[0] != '\0' ?
		    te->secret : NULL, te->status == 201);
		if (te->status == 201)
			api_made(&te->asker, te->op, data);
		else
			api_yes(&te->asker, te->op, data);
	} else {
		api_no(&te->asker, a->r == 0 ? REFUSE_SYSTEM_NONE :
		    REFUSE_STORE, NULL);
	}
	telling_free(te);
}

static void
tell_committed(void *arg, int ok)
{
	struct telling	*te = arg;
	struct question	 q = { .what = ASK_SYSTEM_DETAILS,
	    .groups = &te->group, .n = 1, .asker = te->asker.instance,
	    .until_ms = te->until_ms };

	if (ok) {
		(void)store_ask(&q, tell_known, te);
		return;
	}
	api_no(&te->asker, REFUSE_STORE, NULL);
	telling_free(te);
}

void
api_system_tell(const struct api_call *call, const char *id, int status,
    const char *secret)
{
	struct telling	*te;

	if ((te = calloc(1, sizeof(*te))) == NULL) {
		api_no(&call->asker, REFUSE_BUSY, NULL);
		return;
	}
	te->asker = call->asker;
	te->until_ms = call->until_ms;
	te->op = call->op;
	te->status = status;
	strlcpy(te->group.system_id, id, sizeof(te->group.system_id));
	if (secret != NULL)
		strlcpy(te->secret, secret, sizeof(te->secret));
	turn_after(tell_committed, te);
}

/* --- the calls --- */

static void
done(const struct api_call *call, const char *id, const char *more)
{
	audit_done(&(struct audit){ .who = &call->who,
	    .address = call->addr, .action = api_info(call->op)->word,
	    .object = id, .reason = more });
}

/* One that is there and the caller may see; NULL: the refusal is sent. */
static const struct system_row *
seen(const struct api_call *call, const struct facts *f)
{
	enum refusal	no = may_see_system(f);

	if (no == REFUSE_NOT && f->system.deleted_at != 0 &&
	    call->op != API_SYSTEM_GET)
		no = REFUSE_SYSTEM_NONE;
	if (no == REFUSE_NOT)
		return (&f->system);
	api_refuse(call, no);
	return (NULL);
}

static void
system_get(struct api_call *call, const struct facts *f)
{
	const struct system_row	*s = seen(call, f);

	if (s != NULL)
		api_system_tell(call, s->id, 200, NULL);
}

const struct api_handler	api_system_get = { system_get,
    NEED_SYSTEM | NEED_VISIBLE };

/* JSON of an object, as we would write it: it goes into answers as it is. */
static int
custom_read(const char *text, char dst[CUSTOM_SIZE])
{
	cJSON	*o = cJSON_ParseWithOpts(text, NULL, 1);
	char	*own = cJSON_IsObject(o) ? wipe_print(o) : NULL;
	int	 r = -1;

	if (own != NULL && strlcpy(dst, own, CUSTOM_SIZE) < CUSTOM_SIZE)
		r = 0;
	cJSON_free(own);
	cJSON_Delete(o);
	return (r);
}

/* 0, or -1: answered. */
static int
new_secret(const struct api_call *call, struct system_row *s,
    char secret[SECRET_SIZE])
{
	if (secret_new(s->key, secret, s->secret_public, s->secret_stored) ==
	    0)
		return (0);
	api_refuse(call, REFUSE_BUSY);
	return (-1);
}

static void
system_create(struct api_call *call, const struct facts *f)
{
	const struct api_args	*a = &call->args;
	struct system_row	 s = { .id = "" };
	struct system_more	 more = { .notes = "" };
	char			 secret[SECRET_SIZE];
	enum refusal		 no;

	if (call->invalid || !text_is_name(a->name) ||
	    (a->custom_data[0] != '\0' &&
	    custom_read(a->custom_data, more.custom_data) == -1)) {
		api_invalid(call, REFUSE_PARAMETERS);
		return;
	}
	if ((no = may_own(f)) != REFUSE_NOT) {
		api_refuse(call, no);
		return;
	}
	if (new_secret(call, &s, secret) == -1)
		return;
	secret_uuid(s.id);
	strlcpy(s.name, a->name, sizeof(s.name));
	strlcpy(s.org_id, a->organization_id, sizeof(s.org_id));
	s.created_at = clock_wall_ms();
	strlcpy(more.notes, a->notes, sizeof(more.notes));
	strlcpy(more.created_by, call->who.id, sizeof(more.created_by));
	strlcpy(more.created_by_name, call->who.name,
	    sizeof(more.created_by_name));
	strlcpy(more.created_by_org, call->who.org_id,
	    sizeof(more.created_by_org));
	(void)store_system_add(&s, &more);
	done(call, s.id, s.name);
	api_system_tell(call, s.id, 201, secret);
	explicit_bzero(secret, sizeof(secret));
}

const struct api_handler	api_system_create = { system_create,
    NEED_ORG_SEEN };

/* Support is switched: at once, what is open ends. */
static void
system_switch(const char *id, int on)
{
	(void)store_system_enable(id, on, clock_wall_ms());
	if (!on)
		session_end_system(id, "operator", now_at());
}

static void
system_move(const char *id, char *org_id)
{
	session_moved(id, org_id);
	recheck_all();
}

/* Which members, for the audit log. */
static char *
changed(const struct api_call *call, const struct api_args *a, char text[128])
{
	static const char *const	names[] = { "name", "organization_id",
	    "notes", "custom_data", "support_enabled" };
	size_t				i;

	text[0] = '\0';
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!api_has(call->op, a, names[i]))
			continue;
		strlcat(text, text[0] != '\0' ? ", " : "", 128);
		strlcat(text, names[i], 128);
		if (strcmp(names[i], "support_enabled") == 0)
			strlcat(text, a->support_enabled ? " on" : " off",
			    128);
	}
	return (text);
}

static void
system_update(struct api_call *call, const struct facts *f)
{
	struct api_args		*a = &call->args;
	const struct system_row	*s = seen(call, f);
	struct system_change	 c = { NULL, NULL, NULL, NULL };
	char			 custom[CUSTOM_SIZE], text[128];
	enum refusal		 no;

	if (s == NULL)
		return;
	if (api_has(call->op, a, "custom_data"))
		c.custom_data = custom_read(a->custom_data, custom) == 0 ?
		    custom : NULL;
	if (api_has(call->op, a, "name"))
		c.name = a->name;
	if (api_has(call->op, a, "organization_id"))
		c.org_id = a->organization_id;
	if (api_has(call->op, a, "notes"))
		c.notes = a->notes;
	/* Of no organization it would be nobody's but the owner's. */
	if (call->invalid || (c.name != NULL && !text_is_name(c.name)) ||
	    (c.org_id != NULL && c.org_id[0] == '\0') ||
	    (c.custom_data == NULL && api_has(call->op, a, "custom_data"))) {
		api_invalid(call, REFUSE_PARAMETERS);
		return;
	}
	if (c.org_id != NULL && (no = may_own(f)) != REFUSE_NOT) {
		api_refuse(call, no);
		return;
	}
	(void)store_system_change(s->id, &c, clock_wall_ms());
	invalidate_say(s->key);
	if (c.name != NULL)
		session_renamed(s->id, c.name);
	if (api_has(call->op, a, "support_enabled"))
		system_switch(s->id, a->support_enabled);
	if (c.org_id != NULL && strcmp(c.org_id, s->org_id) != 0)
		system_move(s->id, a->organization_id);
	done(call, s->id, changed(call, a, text));
	api_system_tell(call, s->id, 200, NULL);
}

const struct api_handler	api_system_update = { system_update,
    NEED_SYSTEM | NEED_VISIBLE | NEED_ORG_SEEN };

/* The old one counts no more; one that is in use stays. */
static void
system_secret(struct api_call *call, const struct facts *f)
{
	const struct system_row	*s = seen(call, f);
	struct system_row	 with = { .id = "" };
	char			 secret[SECRET_SIZE];

	if (s == NULL)
		return;
	if (s->registered_at != 0) {
		api_refuse(call, REFUSE_REGISTERED);
		return;
	}
	if (new_secret(call, &with, secret) == -1)
		return;
	(void)store_system_secret(s->id, with.secret_public,
	    with.secret_stored, 0, clock_wall_ms());
	invalidate_say(s->key);
	done(call, s->id, "");
	api_system_tell(call, s->id, 200, secret);
	explicit_bzero(secret, sizeof(secret));
}

const struct api_handler	api_system_secret = { system_secret,
    NEED_SYSTEM | NEED_VISIBLE };
