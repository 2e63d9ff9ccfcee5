/* SPDX-License-Identifier: ISC */
/* What tokens say, and whether to believe it. operator-api.md, 2 and 7.3. */
#include <cjson/cJSON.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/compat.h"
#include "jwt.h"
#include "secret.h"

#define OWN_NAME	"relayd"	/* iss and aud where none is configured */
#define TIME_LIMIT	9007199254740992.0	/* beyond: not an integer */

/* Copy a string claim. 0; -1 when it is not a string or does not fit. */
static int
claim_str(const cJSON *o, const char *name, char *dst, size_t size)
{
	const cJSON	*v = cJSON_GetObjectItemCaseSensitive(o, name);

	dst[0] = '\0';
	if (v == NULL || cJSON_IsNull(v))
		return (0);
	if (!cJSON_IsString(v) || strlcpy(dst, v->valuestring, size) >= size)
		return (-1);
	return (0);
}

/* 1: there, 0: absent, -1: not a time. */
static int
claim_time(const cJSON *o, const char *name, int64_t *t)
{
	const cJSON	*v = cJSON_GetObjectItemCaseSensitive(o, name);

	if (v == NULL)
		return (0);
	if (!cJSON_IsNumber(v) || !(v->valuedouble >= 0) ||
	    !(v->valuedouble < TIME_LIMIT))
		return (-1);
	*t = (int64_t)floor(v->valuedouble);
	return (1);
}

static int
list_has(const cJSON *list, const char *word)
{
	const cJSON	*e;

	if (cJSON_IsString(list))
		return (strcmp(list->valuestring, word) == 0);
	if (!cJSON_IsArray(list))
		return (0);
	cJSON_ArrayForEach(e, list)
		if (cJSON_IsString(e) && strcmp(e->valuestring, word) == 0)
			return (1);
	return (0);
}

/* Does it lie in the future, or is no time? */
static int
is_ahead(const cJSON *o, const char *name, int64_t now)
{
	int64_t	t;
	int	r = claim_time(o, name, &t);

	return (r == -1 || (r == 1 && t > now));
}

/* The claims that every token of ours has. */
static int
claims_common(const cJSON *o, const char *iss, const char *aud, int64_t now,
    struct operator *who)
{
	const cJSON	*v;

	if (claim_time(o, "exp", &who->expires) != 1 || who->expires <= now ||
	    is_ahead(o, "nbf", now) || is_ahead(o, "iat", now))
		return (-1);
	v = cJSON_GetObjectItemCaseSensitive(o, "iss");
	if (iss[0] != '\0' &&
	    (!cJSON_IsString(v) || strcmp(v->valuestring, iss) != 0))
		return (-1);
	if (aud[0] != '\0' &&
	    !list_has(cJSON_GetObjectItemCaseSensitive(o, "aud"), aud))
		return (-1);
	return (claim_str(o, "jti", who->token_id, sizeof(who->token_id)));
}

static int
type_is(const cJSON *o, const char *type)
{
	const cJSON	*v = cJSON_GetObjectItemCaseSensitive(o, "token_type");

	return (cJSON_IsString(v) && strcmp(v->valuestring, type) == 0);
}

/* In either list. */
static int
permits(const cJSON *user, const char *word)
{
	return (list_has(cJSON_GetObjectItemCaseSensitive(user,
	    "user_permissions"), word) ||
	    list_has(cJSON_GetObjectItemCaseSensitive(user,
	    "org_permissions"), word));
}

static int
claims_user(const cJSON *user, struct operator *who)
{
	if (!cJSON_IsObject(user) ||
	    claim_str(user, "id", who->id, sizeof(who->id)) == -1)
		return (-1);
	if (who->id[0] == '\0' &&
	    claim_str(user, "logto_id", who->id, sizeof(who->id)) == -1)
		return (-1);
	if (who->id[0] == '\0' ||
	    claim_str(user, "name", who->name, sizeof(who->name)) == -1 ||
	    claim_str(user, "org_role", who->org_role,
	    sizeof(who->org_role)) == -1 ||
	    claim_str(user, "organization_id", who->org_id,
	    sizeof(who->org_id)) == -1)
		return (-1);
#define N(NAME, word)							\
	if (permits(user, word))					\
		who->permits |= 1U << NEEDS_##NAME;
	API_PERMISSIONS
#undef N
	return (0);
}

int
claims_access(const struct cJSON *o, const char *iss, const char *aud,
    int64_t now, struct operator *who)
{
	struct operator	by;

	memset(who, 0, sizeof(*who));
	if (claims_common(o, iss, aud, now, who) == -1 ||
	    claims_user(cJSON_GetObjectItemCaseSensitive(o, "user"),
	    who) == -1)
		return (-1);
	if (type_is(o, "access"))
		return (0);
	if (!type_is(o, "impersonation"))
		return (-1);
	/* Without a name for who acts there is nothing to write down. */
	memset(&by, 0, sizeof(by));
	if (claims_user(cJSON_GetObjectItemCaseSensitive(o,
	    "impersonated_by"), &by) == -1)
		return (-1);
	strlcpy(who->impersonator, by.id, sizeof(who->impersonator));
	return (0);
}

int
claims_proxy(const struct cJSON *o, const char *iss, const char *aud,
    int64_t now, struct proxy_claims *pc)
{
	struct operator	*who = &pc->who;

	memset(pc, 0, sizeof(*pc));
	if (!type_is(o, "proxy") ||
	    claims_common(o, iss, aud, now, who) == -1 ||
	    claim_str(o, "session_id", pc->session,
	    sizeof(pc->session)) == -1 ||
	    claim_str(o, "service_name", pc->service,
	    sizeof(pc->service)) == -1 ||
	    claim_str(o, "user_id", who->id, sizeof(who->id)) == -1 ||
	    claim_str(o, "user_name", who->name, sizeof(who->name)) == -1 ||
	    claim_str(o, "impersonator", who->impersonator,
	    sizeof(who->impersonator)) == -1 ||
	    claim_str(o, "org_role", who->org_role,
	    sizeof(who->org_role)) == -1 ||
	    claim_str(o, "organization_id", who->org_id,
	    sizeof(who->org_id)) == -1)
		return (-1);
	if (pc->session[0] == '\0' || pc->service[0] == '\0' ||
	    who->org_role[0] == '\0')
		return (-1);
	return (0);
}

/* exp, iat, nbf, iss, sub, aud, jti. */
static int
make_common(cJSON *o, const struct operator *who, const char *iss,
    const char *aud, int64_t now)
{
	char	 jti[UUID_SIZE];
	cJSON	*list;

	secret_uuid(jti);
	if (iss[0] == '\0')
		iss = OWN_NAME;
	if (aud[0] == '\0')
		aud = OWN_NAME;
	if (cJSON_AddStringToObject(o, "iss", iss) == NULL ||
	    cJSON_AddStringToObject(o, "sub", who->id) == NULL ||
	    (list = cJSON_AddArrayToObject(o, "aud")) == NULL ||
	    !cJSON_AddItemToArray(list, cJSON_CreateString(aud)) ||
	    cJSON_AddNumberToObject(o, "exp", (double)who->expires) == NULL ||
	    cJSON_AddNumberToObject(o, "iat", (double)now) == NULL ||
	    cJSON_AddNumberToObject(o, "nbf", (double)now) == NULL ||
	    cJSON_AddStringToObject(o, "jti", who->token_id[0] != '\0' ?
	    who->token_id : jti) == NULL)
		return (-1);
	return (0);
}

struct cJSON *
claims_make_proxy(const struct proxy_claims *pc, const char *iss,
    const char *aud, int64_t now)
{
	const struct operator	*who = &pc->who;
	cJSON			*o;

	if ((o = cJSON_CreateObject()) == NULL)
		return (NULL);
	if (cJSON_AddStringToObject(o, "token_type", "proxy") == NULL ||
	    make_common(o, who, iss, aud, now) == -1 ||
	    cJSON_AddStringToObject(o, "session_id", pc->session) == NULL ||
	    cJSON_AddStringToObject(o, "service_name", pc->service) == NULL ||
	    cJSON_AddStringToObject(o, "user_id", who->id) == NULL ||
	    cJSON_AddStringToObject(o, "user_name", who->name) == NULL ||
	    (who->impersonator[0] != '\0' && cJSON_AddStringToObject(o,
	    "impersonator", who->impersonator) == NULL) ||
	    cJSON_AddStringToObject(o, "org_role", who->org_role) == NULL ||
	    cJSON_AddStringToObject(o, "organization_id",
	    who->org_id) == NULL) {
		cJSON_Delete(o);
		return (NULL);
	}
	return (o);
}

static int
add_words(cJSON *user, const char *name, const char *words)
{
	char	*copy, *rest, *word;
	cJSON	*list;
	int	 r = 0;

	if ((list = cJSON_AddArrayToObject(user, name)) == NULL ||
	    (copy = strdup(words)) == NULL)
		return (-1);
	for (rest = copy; r == 0 && (word = strsep(&rest, ",")) != NULL;)
		if (word[0] != '\0' &&
		    !cJSON_AddItemToArray(list, cJSON_CreateString(word)))
			r = -1;
	free(copy);
	return (r);
}

struct cJSON *
claims_make_access(const struct operator *who, const char *permissions,
    const char *iss, const char *aud, int64_t now)
{
	cJSON	*o, *user;

	if ((o = cJSON_CreateObject()) == NULL)
		return (NULL);
	if (cJSON_AddStringToObject(o, "token_type", "access") == NULL ||
	    make_common(o, who, iss, aud, now) == -1 ||
	    (user = cJSON_AddObjectToObject(o, "user")) == NULL ||
	    cJSON_AddStringToObject(user, "id", who->id) == NULL ||
	    cJSON_AddStringToObject(user, "username", who->id) == NULL ||
	    cJSON_AddStringToObject(user, "name", who->name) == NULL ||
	    add_words(user, "user_permissions", permissions) == -1 ||
	    add_words(user, "org_permissions", "") == -1 ||
	    cJSON_AddStringToObject(user, "org_role", who->org_role) == NULL ||
	    cJSON_AddStringToObject(user, "organization_id",
	    who->org_id) == NULL) {
		cJSON_Delete(o);
		return (NULL);
	}
	return (o);
}
