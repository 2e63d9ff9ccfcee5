/* SPDX-License-Identifier: ISC */
/* Systems, organizations. Each change is an audit event. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "authd/api/api.h"
#include "authd/core/session.h"
#include "authd/cred/secret.h"
#include "authd/facts.h"
#include "authd/msg/invalidate.h"
#include "authd/msg/recheck.h"
#include "authd/now.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "ctl.h"

static void
ctl_down(const struct ctl *ctl)
{
	ctl_done(&ctl->asker, 503, "store is unavailable");
}

/* Names are for people, and several may have one. */
static void
org_none(const struct ctl *ctl)
{
	ctl_done(&ctl->asker, 404, "no organization has this id; org list has "
	    "them all");
}

/* The organization that a word named, if one did; else the refusal is sent. */
static int
org_known(const struct ctl *ctl, const struct facts *f)
{
	if (f->got_org == 0 || f->got_org == FACT_NOT_ASKED)
		return (0);
	if (f->got_org == -1)
		ctl_down(ctl);
	else
		org_none(ctl);
	return (-1);
}

/* --- systems --- */

static void
system_add(struct ctl *ctl, const struct facts *f)
{
	struct system_row	 sys;
	char			 secret[SECRET_SIZE];

	if (ctl_name_check(ctl->word[0]) == -1) {
		ctl_done(&ctl->asker, 400, "bad name");
		return;
	}
	if (org_known(ctl, f) == -1)
		return;
	if (f->got_named == -1) {
		ctl_down(ctl);
		return;
	}
	if (f->got_named != STORE_NONE && !ctl->force) {
		ctl_done(&ctl->asker, 409, "another system has this name; -f "
		    "adds one all the same");
		return;
	}
	memset(&sys, 0, sizeof(sys));
	secret_uuid(sys.id);
	strlcpy(sys.name, ctl->word[0], sizeof(sys.name));
	strlcpy(sys.org_id, ctl->word[1], sizeof(sys.org_id));
	if (secret_new(sys.key, secret, sys.secret_public,
	    sys.secret_stored) == -1) {
		ctl_done(&ctl->asker, 503, "cannot make a secret");
		return;
	}
	sys.support_enabled = 1;
	sys.registered_at = sys.created_at = clock_wall_ms();
	(void)store_system_add(&sys, NULL);
	ctl_audit(ctl, "", sys.id, sys.name);
	ctl_after(&ctl->asker, "id", sys.id, "key", sys.key, "secret", secret,
	    CTL_END);
	explicit_bzero(secret, sizeof(secret));
}
const struct ctl_handler	ctl_system_add = { .fn = system_add,
    .needs = NEED_ORG | NEED_SYSTEM_BY_NAME, .key = 1, .name = 0 };

static void
system_row_send(const struct asker *asker, const void *row)
{
	const struct system_row	*sys = row;
	char			 made[32], n[16];

	snprintf(n, sizeof(n), "%u", session_count_of(sys->id));
	ctl_row(asker, sys->id, sys->key, sys->name,
	    sys->org_id[0] != '\0' ? sys->org_id : "-",
	    sys->suspended_at != 0 ? "suspended" :
	    sys->support_enabled ? "yes" : "no", n,
	    api_time(sys->created_at, made), CTL_END);
}

static void
system_list(struct ctl *ctl, const struct facts *f)
{
	(void)f;
	ctl_row(&ctl->asker, "id", "key", "name", "organization", "enabled",
	    "sessions", "created", CTL_END);
	ctl_list(ctl, ASK_SYSTEMS, sizeof(struct system_row), system_row_send);
}
const struct ctl_handler	ctl_system_list = { .fn = system_list };

const struct system_row *
ctl_system(const struct ctl *ctl, const struct facts *f)
{
	if (f->got_system == 0 && f->system.deleted_at == 0)
		return (&f->system);
	if (f->got_system != -1 && f->got_named == 0)
		return (&f->named);
	if (f->got_system == -1 || f->got_named == -1)
		ctl_down(ctl);
	else if (f->got_named == FACT_MANY)
		ctl_done(&ctl->asker, 409, "more than one system has this "
		    "name");
	else
		ctl_done(&ctl->asker, 404, "no such system");
	return (NULL);
}

static void
system_enable(struct ctl *ctl, const struct facts *f)
{
	const struct system_row	*sys = ctl_system(ctl, f);

	if (sys == NULL)
		return;
	(void)store_system_enable(sys->id, 1, clock_wall_ms());
	invalidate_say(sys->key);
	ctl_audit(ctl, "", sys->id, sys->name);
	ctl_after(&ctl->asker, CTL_END);
}
const struct ctl_handler	ctl_system_enable = { .fn = system_enable,
    .needs = CTL_NAMED };

static void
system_disable(struct ctl *ctl, const struct facts *f)
{
	const struct system_row	*sys = ctl_system(ctl, f);

	if (sys == NULL)
		return;
	(void)store_system_enable(sys->id, 0, clock_wall_ms());
	invalidate_say(sys->key);
	ctl_audit(ctl, "", sys->id, sys->name);
	session_end_system(sys->id, "operator", now_at());
	ctl_after(&ctl->asker, CTL_END);
}
const struct ctl_handler	ctl_system_disable = { .fn = system_disable,
    .needs = CTL_NAMED };

static void
system_suspend(struct ctl *ctl, const struct facts *f)
{
	const struct system_row	*sys = ctl_system(ctl, f);

	if (sys == NULL)
		return;
	(void)store_system_suspend(sys->id, 1, clock_wall_ms());
	invalidate_say(sys->key);
	ctl_audit(ctl, "", sys->id, sys->name);
	session_end_system(sys->id, "operator", now_at());
	ctl_after(&ctl->asker, CTL_END);
}
const struct ctl_handler	ctl_system_suspend = { .fn = system_suspend,
    .needs = CTL_NAMED };

static void
system_resume(struct ctl *ctl, const struct facts *f)
{
	const struct system_row	*sys = ctl_system(ctl, f);

	if (sys == NULL)
		return;
	(void)store_system_suspend(sys->id, 0, clock_wall_ms());
	invalidate_say(sys->key);
	ctl_audit(ctl, "", sys->id, sys->name);
	ctl_after(&ctl->asker, CTL_END);
}
const struct ctl_handler	ctl_system_resume = { .fn = system_resume,
    .needs = CTL_NAMED };

static void
system_remove(struct ctl *ctl, const struct facts *f)
{
	const struct system_row	*sys = ctl_system(ctl, f);

	if (sys == NULL)
		return;
	(void)store_system_delete(sys->id, clock_wall_ms());
	invalidate_say(sys->key);
	ctl_audit(ctl, "", sys->id, sys->name);
	session_end_system(sys->id, "operator", now_at());
	ctl_after(&ctl->asker, CTL_END);
}
const struct ctl_handler	ctl_system_remove = { .fn = system_remove,
    .needs = CTL_NAMED };

/* --- organizations --- */

const char *
ctl_role(const char *word)
{
	static const char *const	roles[] = { "owner", "distributor",
	    "reseller", "customer" };
	size_t				i;

	for (i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (strcasecmp(word, roles[i]) == 0)
			return (roles[i]);
	return (NULL);
}

/* One that is to be made, while those that there are are looked at. */
struct org_new {
	struct ctl	ctl;
	struct org_row	row;
	int		twin;
};

static void
org_twin(void *arg, const void *row)
{
	struct org_new	*o = arg;

	o->twin |= strcmp(((const struct org_row *)row)->name,
	    o->row.name) == 0;
}

static void
org_make(void *arg, int r)
{
	struct org_new	*o = arg;

	log_request(o->ctl.asker.request);
	if (r == -1)
		ctl_down(&o->ctl);
	else if (o->twin && !o->ctl.force)
		ctl_done(&o->ctl.asker, 409, "another organization has this "
		    "name; -f adds one all the same");
	else {
		(void)store_org_add(&o->row, clock_wall_ms());
		ctl_audit(&o->ctl, "", o->row.id, o->row.name);
		ctl_after(&o->ctl.asker, "id", o->row.id, CTL_END);
	}
	log_request(NULL);
	free(o);
}

static void
org_add(struct ctl *ctl, const struct facts *f)
{
	struct org_new	*o;
	const char	*type;

	if (ctl_name_check(ctl->word[0]) == -1 ||
	    (type = ctl_role(ctl->word[1])) == NULL) {
		ctl_done(&ctl->asker, 400, "bad name, or type not one of "
		    "owner, distributor, reseller, customer");
		return;
	}
	if (org_known(ctl, f) == -1)
		return;
	if ((o = calloc(1, sizeof(*o))) == NULL) {
		ctl_done(&ctl->asker, 503, "server is busy");
		return;
	}
	o->ctl = *ctl;
	secret_uuid(o->row.id);
	strlcpy(o->row.name, ctl->word[0], sizeof(o->row.name));
	strlcpy(o->row.type, type, sizeof(o->row.type));
	strlcpy(o->row.parent, ctl->word[2], sizeof(o->row.parent));
	if (ctl_walk(ASK_ORGS, sizeof(struct org_row), org_twin, org_make,
	    o) == -1) {
		ctl_done(&ctl->asker, 503, "server is busy");
		free(o);
	}
}
const struct ctl_handler	ctl_org_add = { .fn = org_add,
    .needs = NEED_ORG, .key = 2, .name = 2 };

static void
org_row_send(const struct asker *asker, const void *row)
{
	const struct org_row	*org = row;

	ctl_row(asker, org->id, org->name, org->type,
	    org->parent[0] != '\0' ? org->parent : "-", CTL_END);
}

static void
org_list(struct ctl *ctl, const struct facts *f)
{
	(void)f;
	ctl_row(&ctl->asker, "id", "name", "type", "parent", CTL_END);
	ctl_list(ctl, ASK_ORGS, sizeof(struct org_row), org_row_send);
}
const struct ctl_handler	ctl_org_list = { .fn = org_list };

static void
org_remove(struct ctl *ctl, const struct facts *f)
{
	if (f->got_org == FACT_NOT_ASKED) {
		org_none(ctl);
		return;
	}
	if (org_known(ctl, f) == -1)
		return;
	if (f->got_child == -1 || f->got_owned == -1) {
		ctl_down(ctl);
		return;
	}
	if (f->got_child != STORE_NONE) {
		ctl_done(&ctl->asker, 409, "it is the parent of others");
		return;
	}
	if (f->got_owned != STORE_NONE && !ctl->force) {
		ctl_done(&ctl->asker, 409, "it has systems, which nobody of "
		    "it would see; -f removes it all the same");
		return;
	}
	(void)store_org_delete(f->org.id, clock_wall_ms());
	ctl_audit(ctl, "", f->org.id, f->org.name);
	recheck_all();
	ctl_after(&ctl->asker, CTL_END);
}
const struct ctl_handler	ctl_org_remove = { .fn = org_remove,
    .needs = NEED_ORG | NEED_CHILD | NEED_OWNED };
