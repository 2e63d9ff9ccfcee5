/* SPDX-License-Identifier: ISC */
/* Operators' tokens. Each change is an audit event. */
#include <cjson/cJSON.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authd/api/api.h"
#include "authd/cred/jwt.h"
#include "authd/cred/secret.h"
#include "authd/facts.h"
#include "authd/msg/recheck.h"
#include "authd/store/audit.h"
#include "authd/store/store.h"
#include "base/clock.h"
#include "base/compat.h"
#include "ctl.h"
#include "proc/proc.h"

#define TOKEN_LIFE_S	1800		/* when none is said */
#define TOKEN_LIFE_MAX	31536000
#define PERM_DEFAULT	"connect:systems"
#define REVOKED_S	(2 * TOKEN_LIFE_MAX)	/* longer than any lives */

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

static void
token_keep(const struct operator *who, const char *permissions)
{
	struct token_row	t = { .created_at = clock_wall_ms(),
	    .expires_at = who->expires * 1000 };

	strlcpy(t.id, who->token_id, sizeof(t.id));
	strlcpy(t.user, who->id, sizeof(t.user));
	strlcpy(t.org_id, who->org_id, sizeof(t.org_id));
	strlcpy(t.org_role, who->org_role, sizeof(t.org_role));
	strlcpy(t.permissions, permissions, sizeof(t.permissions));
	(void)store_token_add(&t);
}

static void
token_row_send(const struct asker *asker, const void *row)
{
	const struct token_row	*t = row;
	char			 made[32], until[32];

	ctl_row(asker, t->id, t->user, t->org_id[0] != '\0' ? t->org_id : "-",
	    t->org_role, t->permissions, api_time(t->created_at, made),
	    api_time(t->expires_at, until), t->revoked ? "yes" : "no",
	    CTL_END);
}

void
ctl_token_list(struct ctl *ctl, const struct facts *f)
{
	(void)f;
	ctl_row(&ctl->asker, "id", "user", "organization", "role",
	    "permissions", "created", "expires", "revoked", CTL_END);
	ctl_list(ctl, ASK_TOKENS, sizeof(struct token_row), token_row_send);
}

void
ctl_token_create(struct ctl *ctl, const struct facts *f)
{
	struct operator	 who;
	const char	*permissions;
	char		*token, detail[2 * ID_SIZE + 8];
	int64_t		 life;

	(void)f;
	memset(&who, 0, sizeof(who));
	if (ctl_name_check(ctl->word[0]) == -1 ||
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
	permissions = ctl->word[3][0] != '\0' ? ctl->word[3] : PERM_DEFAULT;
	token = token_make(&who, permissions);
	if (token == NULL) {
		ctl_done(&ctl->asker, 503, "no signing key is configured");
		return;
	}
	token_keep(&who, permissions);
	snprintf(detail, sizeof(detail), "%s for %s", who.token_id, who.id);
	audit_done("relayctl", "", "token_create", "", detail);
	ctl_after(&ctl->asker, "token", token, CTL_END);
	freezero(token, strlen(token));
}

/* What was issued under it has its id, and ends when all are looked at. */
static void
revoke(const struct ctl *ctl, const char *kind, const char *action)
{
	const char	*bad = NULL;
	int64_t		 life = REVOKED_S;

	if (ctl->word[2][0] != '\0')
		life = strtonum(ctl->word[2], 1, REVOKED_S, &bad);
	if (ctl_name_check(ctl->word[0]) == -1 || bad != NULL ||
	    (ctl->word[1][0] != '\0' && ctl_name_check(ctl->word[1]) == -1)) {
		ctl_done(&ctl->asker, 400, "bad id, reason or duration");
		return;
	}
	(void)store_revoke(kind, ctl->word[0], clock_wall_ms() + life * 1000,
	    ctl->word[1]);
	audit_done("relayctl", "", action, "", ctl->word[0]);
	recheck_all();
	ctl_after(&ctl->asker, CTL_END);
}

void
ctl_token_revoke(struct ctl *ctl, const struct facts *f)
{
	(void)f;
	revoke(ctl, "token", "token_revoke");
}

void
ctl_token_revoke_user(struct ctl *ctl, const struct facts *f)
{
	(void)f;
	revoke(ctl, "user", "user_revoke");
}
