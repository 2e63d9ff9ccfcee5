/* SPDX-License-Identifier: ISC */
/* Operators' tokens. Each change is an audit event. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authd/api/api.h"
#include "authd/core/signin.h"
#include "authd/cred/secret.h"
#include "authd/facts.h"
#include "authd/msg/issue.h"
#include "authd/msg/member.h"
#include "authd/msg/recheck.h"
#include "authd/store/store.h"
#include "base/clock.h"
#include "base/compat.h"
#include "ctl.h"

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

static void
token_list(struct ctl *ctl, const struct facts *f)
{
	(void)f;
	ctl_row(&ctl->asker, "id", "user", "organization", "role",
	    "permissions", "created", "expires", "revoked", CTL_END);
	ctl_list(ctl, ASK_TOKENS, sizeof(struct token_row), token_row_send);
}
const struct ctl_handler	ctl_token_list = { .fn = token_list };

/* Is one of the list (words and commas) unknown? */
static int
has_unknown(const char *permissions)
{
#define N(NAME, word)	word,
	static const char *const	known[] = { API_PERMISSIONS };
#undef N
	const char			*p;
	size_t				 i, len;

	for (p = permissions; *p != '\0'; p += len + (p[len] == ',')) {
		len = strcspn(p, ",");
		for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			if (strlen(known[i]) == len &&
			    strncmp(known[i], p, len) == 0)
				break;
		if (i == sizeof(known) / sizeof(known[0]))
			return (1);
	}
	return (0);
}

/* The word that is bad, and what it has to be; NULL: none. */
static const char *
token_words(const struct ctl *ctl, struct operator *who, int64_t *life)
{
	const char	*org = ctl->word[1], *role = ctl->word[2];

	if (role[0] == '\0')
		role = org[0] != '\0' ? "customer" : "owner";
	if (ctl_name_check(ctl->word[0]) == -1)
		return ("user: 1 to 256 bytes, printable");
	strlcpy(who->id, ctl->word[0], sizeof(who->id));
	strlcpy(who->name, ctl->word[0], sizeof(who->name));
	if (strlcpy(who->org_id, org, sizeof(who->org_id)) >=
	    sizeof(who->org_id))
		return ("org: at most 256 bytes");
	if (strlcpy(who->org_role, role, sizeof(who->org_role)) >=
	    sizeof(who->org_role))
		return ("role: at most 64 bytes");
	if (token_life(ctl->word[4], life) == -1)
		return ("lifetime: 1s to 365d");
	if (ctl->force)
		return (NULL);
	if (ctl_role(role) == NULL)
		return ("role: not one of owner, distributor, reseller, "
		    "customer; -f takes it all the same");
	if (has_unknown(ctl->word[3]))
		return ("permission: nothing needs one of these; -f takes it "
		    "all the same");
	return (NULL);
}

/* What the request is for. 0, or -1: it is answered. */
static int
token_asked(struct ctl *ctl, struct signin *what)
{
	const char	*bad;

	memset(what, 0, sizeof(*what));
	if ((bad = token_words(ctl, &what->who, &what->life_s)) != NULL) {
		ctl_done(&ctl->asker, 400, bad);
		return (-1);
	}
	secret_uuid(what->who.token_id);
	strlcpy(what->permissions, ctl->word[3][0] != '\0' ? ctl->word[3] :
	    PERM_DEFAULT, sizeof(what->permissions));
	return (0);
}

static void
token_audit(const struct ctl *ctl, const struct signin *what)
{
	char	detail[2 * MESSAGE_SIZE];

	snprintf(detail, sizeof(detail), "for %s: %s", what->who.id,
	    what->permissions);
	ctl_audit(ctl, "", what->who.token_id, detail);
}

#define NO_KEY	"no signing key is configured"

static void
token_create(struct ctl *ctl, const struct facts *f)
{
	struct signin	 what;
	char		*token;

	(void)f;
	if (token_asked(ctl, &what) == -1)
		return;
	what.who.expires = clock_wall() + what.life_s;
	token = issue_access(&what.who, what.permissions);
	if (token == NULL) {
		ctl_done(&ctl->asker, 503, NO_KEY);
		return;
	}
	token_audit(ctl, &what);
	ctl_after(&ctl->asker, "token", token, CTL_END);
	freezero(token, strlen(token));
}
const struct ctl_handler	ctl_token_create = { .fn = token_create };

/*
 * In the fragment, which no server sees, and no log or Referer has. The console
 * tells the member that it is for.
 */
static void
token_once(struct ctl *ctl, const struct facts *f)
{
	struct signin	 what;
	char		 code[HEX64_SIZE], until[32];
	char		 path[HEX64_SIZE + MEMBER_SIZE + 16];

	(void)f;
	if (token_asked(ctl, &what) == -1)
		return;
	if (!issue_has_key()) {
		ctl_done(&ctl->asker, 503, NO_KEY);
		return;
	}
	if (issue_signin(&what, code) == -1) {
		ctl_done(&ctl->asker, 429, "too many wait to be used");
		return;
	}
	token_audit(ctl, &what);
	snprintf(path, sizeof(path), "/#/sign-in/%s%s%s", code,
	    member_is_one() ? "@" : "", member_self());
	ctl_after(&ctl->asker, "path", path, "id", what.who.token_id,
	    "expires", api_time(clock_wall_ms() + SIGNIN_MS, until), CTL_END);
	explicit_bzero(code, sizeof(code));
	explicit_bzero(path, sizeof(path));
}
const struct ctl_handler	ctl_token_once = { .fn = token_once };

/* What was issued under it has its id, and ends when all are looked at. */
static void
revoke(const struct ctl *ctl, const char *kind, const char *remark)
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
	ctl_audit(ctl, "", ctl->word[0], ctl->word[1]);
	recheck_revoked(kind, ctl->word[0]);
	ctl_after_text(&ctl->asker, remark);
}

/* Others make tokens, too, and are revoked before we see them. */
static void
token_revoke(struct ctl *ctl, const struct facts *f)
{
	revoke(ctl, "token", f->got_token != STORE_NONE ? "" : "no token of "
	    "this id was made here, or it has expired; one from elsewhere is "
	    "refused from now on");
}
const struct ctl_handler	ctl_token_revoke = { .fn = token_revoke,
    .needs = NEED_TOKEN };

static void
token_revoke_user(struct ctl *ctl, const struct facts *f)
{
	(void)f;
	revoke(ctl, "user", "");
}
const struct ctl_handler	ctl_token_revoke_user = { .fn = token_revoke_user };
