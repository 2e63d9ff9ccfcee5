/* SPDX-License-Identifier: ISC */
/* Systems, organizations, tokens. Each change is an audit event. */
#include <cjson/cJSON.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authd/api/api.h"
#include "authd/core/session.h"
#include "authd/cred/jwt.h"
#include "authd/cred/secret.h"
#include "authd/facts.h"
#include "authd/msg/recheck.h"
#include "authd/now.h"
#include "authd/store/audit.h"
#include "base/clock.h"
#include "base/compat.h"
#include "ctl.h"
#include "proc/proc.h"

#define TOKEN_LIFE_S	1800		/* when none is said */
#define TOKEN_LIFE_MAX	31536000
#define PERM_DEFAULT	"connect:systems"

static void
ctl_down(const struct ctl *ctl)
{
	ctl_done(&ctl->asker, 503, "store is unavailable");
}

/* A name for people: something, and printable. */
static int
name_check(const char *s)
{
	size_t	i;

	for (i = 0; s[i] != '\0'; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return (-1);
	return (i > 0 && i < NAME_SIZE ? 0 : -1);
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
		ctl_done(&ctl->asker, 404, "no such organization");
	return (-1);
}

/* Lists: a page of the store's, the rows of it, the next page. */
struct listing {
	struct asker	 asker;
	enum store_what	 what;
	char		 after[ID_SIZE];
	int		 asking, answered, done;
};

static void	listing_on(struct listing *);
static void	system_row_send(const struct asker *,
		    const struct system_row *);
static void	org_row_send(const struct asker *, const struct org_row *);

static void
listing_rows(struct listing *li, const struct answer *a)
{
	size_t	i;

	for (i = 0; i < a->n; i++) {
		if (li->what == ASK_SYSTEMS) {
			system_row_send(&li->asker, &a->system[i]);
			strlcpy(li->after, a->system[i].id,
			    sizeof(li->after));
		} else {
			org_row_send(&li->asker, &a->org[i]);
			strlcpy(li->after, a->org[i].id, sizeof(li->after));
		}
	}
}

static void
listing_page(const struct answer *a, void *arg)
{
	struct listing	*li = arg;

	listing_rows(li, a);
	li->answered = 1;
	if (a->r != 0) {
		li->done = 1;
		if (a->r == -1)
			ctl_done(&li->asker, 503, "store is unavailable");
		else
			ctl_done(&li->asker, 0, "");
	}
	if (!li->asking)
		listing_on(li);
}

static void
listing_on(struct listing *li)
{
	li->asking = 1;
	while (li->answered && !li->done) {
		li->answered = 0;
		(void)store_ask(&(struct question){ .what = li->what,
		    .key = li->after }, listing_page, li);
	}
	li->asking = 0;
	if (li->done)
		free(li);
}

static void
listing_start(const struct ctl *ctl, enum store_what what)
{
	struct listing	*li;

	if ((li = calloc(1, sizeof(*li))) == NULL) {
		ctl_down(ctl);
		return;
	}
	li->asker = ctl->asker;
	li->what = what;
	li->answered = 1;
	listing_on(li);
}

/* --- systems --- */

void
ctl_system_add(struct ctl *ctl, const struct facts *f)
{
	struct system_row	 sys;
	char			 secret[SECRET_SIZE];
	const char		*private;

	if (name_check(ctl->word[0]) == -1) {
		ctl_done(&ctl->asker, 400, "bad name");
		return;
	}
	if (org_known(ctl, f) == -1)
		return;
	memset(&sys, 0, sizeof(sys));
	secret_uuid(sys.id);
	strlcpy(sys.name, ctl->word[0], sizeof(sys.name));
	strlcpy(sys.org_id, ctl->word[1], sizeof(sys.org_id));
	secret_make(sys.key, secret);
	if (secret_parse(secret, sys.secret_public, &private) == -1) {
		ctl_done(&ctl->asker, 503, "cannot make a secret");
		return;
	}
	secret_store(private, sys.secret_stored);
	sys.support_enabled = 1;
	sys.created_at = clock_wall_ms();
	(void)store_system_add(&sys);
	audit_done("relayctl", "", "system_add", "", sys.id);
	ctl_after(&ctl->asker, "id", sys.id, "key", sys.key, "secret", secret,
	    CTL_END);
	explicit_bzero(secret, sizeof(secret));
}

static void
system_row_send(const struct asker *asker, const struct system_row *sys)
{
	char	made[32], n[16];

	snprintf(n, sizeof(n), "%u", session_count_of(sys->id));
	ctl_row(asker, sys->id, sys->key, sys->name,
	    sys->org_id[0] != '\0' ? sys->org_id : "-",
	    sys->suspended_at != 0 ? "suspended" :
	    sys->support_enabled ? "yes" : "no", n,
	    api_time(sys->created_at, made), CTL_END);
}

void
ctl_system_list(struct ctl *ctl, const struct facts *f)
{
	(void)f;
	ctl_row(&ctl->asker, "id", "key", "name", "organization", "enabled",
	    "sessions", "created", CTL_END);
	listing_start(ctl, ASK_SYSTEMS);
}

/* By key or id, not deleted; else the refusal is sent. */
static const struct system_row *
system_named(const struct ctl *ctl, const struct facts *f)
{
	if (f->got_system == 0 && f->system.deleted_at == 0)
		return (&f->system);
	if (f->got_system == -1)
		ctl_down(ctl);
	else
		ctl_done(&ctl->asker, 404, "no such system");
	return (NULL);
}

void
ctl_system_enable(struct ctl *ctl, const struct facts *f)
{
	const struct system_row	*sys = system_named(ctl, f);

	if (sys == NULL)
		return;
	(void)store_system_enable(sys->id, 1, clock_wall_ms());
	audit_done("relayctl", "", "system_enable", "", sys->id);
	ctl_after(&ctl->asker, CTL_END);
}

void
ctl_system_disable(struct ctl *ctl, const struct facts *f)
{
	const struct system_row	*sys = system_named(ctl, f);

	if (sys == NULL)
		return;
	(void)store_system_enable(sys->id, 0, clock_wall_ms());
	audit_done("relayctl", "", "system_disable", "", sys->id);
	session_end_system(sys->id, "operator", now_at());
	ctl_after(&ctl->asker, CTL_END);
}

void
ctl_system_remove(struct ctl *ctl, const struct facts *f)
{
	const struct system_row	*sys = system_named(ctl, f);

	if (sys == NULL)
		return;
	(void)store_system_delete(sys->id, clock_wall_ms());
	audit_done("relayctl", "", "system_remove", "", sys->id);
	session_end_system(sys->id, "operator", now_at());
	ctl_after(&ctl->asker, CTL_END);
}

/* --- organizations --- */

static int
org_type_check(const char *type)
{
	return (strcmp(type, "owner") == 0 ||
	    strcmp(type, "distributor") == 0 ||
	    strcmp(type, "reseller") == 0 ||
	    strcmp(type, "customer") == 0 ? 0 : -1);
}

void
ctl_org_add(struct ctl *ctl, const struct facts *f)
{
	struct org_row	org;

	if (name_check(ctl->word[0]) == -1 ||
	    org_type_check(ctl->word[1]) == -1) {
		ctl_done(&ctl->asker, 400, "bad name, or type not one of "
		    "owner, distributor, reseller, customer");
		return;
	}
	if (org_known(ctl, f) == -1)
		return;
	memset(&org, 0, sizeof(org));
	secret_uuid(org.id);
	strlcpy(org.name, ctl->word[0], sizeof(org.name));
	strlcpy(org.type, ctl->word[1], sizeof(org.type));
	strlcpy(org.parent, ctl->word[2], sizeof(org.parent));
	(void)store_org_add(&org, clock_wall_ms());
	audit_done("relayctl", "", "org_add", "", org.id);
	ctl_after(&ctl->asker, "id", org.id, CTL_END);
}

static void
org_row_send(const struct asker *asker, const struct org_row *org)
{
	ctl_row(asker, org->id, org->name, org->type,
	    org->parent[0] != '\0' ? org->parent : "-", CTL_END);
}

void
ctl_org_list(struct ctl *ctl, const struct facts *f)
{
	(void)f;
	ctl_row(&ctl->asker, "id", "name", "type", "parent", CTL_END);
	listing_start(ctl, ASK_ORGS);
}

void
ctl_org_remove(struct ctl *ctl, const struct facts *f)
{
	if (f->got_org == FACT_NOT_ASKED) {
		ctl_done(&ctl->asker, 404, "no such organization");
		return;
	}
	if (org_known(ctl, f) == -1)
		return;
	(void)store_org_delete(f->org.id, clock_wall_ms());
	audit_done("relayctl", "", "org_remove", "", f->org.id);
	recheck_all();
	ctl_after(&ctl->asker, CTL_END);
}

/* --- tokens --- */

static int
token_life(const char *word, int64_t *life)
{
	const char	*bad = NULL;

	*life = TOKEN_LIFE_S;
	if (word[0] != '\0')
		*life = strtonum(word, 1, TOKEN_LIFE_MAX, &bad);
	return (bad == NULL ? 0 : -1);
}

static char *
token_make(struct operator *who, const char *permissions)
{
	const struct conf	*conf = proc_conf();
	cJSON			*payload;
	char			*token = NULL;

	payload = claims_make_access(who, permissions, conf->jwt_issuer,
	    conf->jwt_audience, clock_wall());
	if (payload != NULL)
		token = jwt_seal(payload);
	cJSON_Delete(payload);
	return (token);
}

void
ctl_token_create(struct ctl *ctl, const struct facts *f)
{
	struct operator	 who;
	char		*token, detail[2 * ID_SIZE + 8];
	int64_t		 life;

	(void)f;
	memset(&who, 0, sizeof(who));
	if (name_check(ctl->word[0]) == -1 ||
	    strlcpy(who.id, ctl->word[0], sizeof(who.id)) >= sizeof(who.id) ||
	    strlcpy(who.name, ctl->word[0],
	    sizeof(who.name)) >= sizeof(who.name) ||
	    strlcpy(who.org_id, ctl->word[1],
	    sizeof(who.org_id)) >= sizeof(who.org_id) ||
	    strlcpy(who.org_role, ctl->word[2][0] != '\0' ? ctl->word[2] :
	    ctl->word[1][0] != '\0' ? "customer" : "owner",
	    sizeof(who.org_role)) >= sizeof(who.org_role) ||
	    token_life(ctl->word[4], &life) == -1) {
		ctl_done(&ctl->asker, 400, "bad user, organization, role or "
		    "lifetime");
		return;
	}
	secret_uuid(who.token_id);
	who.expires = clock_wall() + life;
	token = token_make(&who, ctl->word[3][0] != '\0' ? ctl->word[3] :
	    PERM_DEFAULT);
	if (token == NULL) {
		ctl_done(&ctl->asker, 503, "no signing key is configured");
		return;
	}
	snprintf(detail, sizeof(detail), "%s for %s", who.token_id, who.id);
	audit_done("relayctl", "", "token_create", "", detail);
	ctl_after(&ctl->asker, "token", token, CTL_END);
	freezero(token, strlen(token));
}
