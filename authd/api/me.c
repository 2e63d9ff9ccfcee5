/* SPDX-License-Identifier: ISC */
/* Who calls, and what he may: for a console, which shows only that. */
#include <cjson/cJSON.h>

#include "api.h"
#include "authd/core/may.h"

static void
add_permissions(cJSON *data, const struct operator *who)
{
	cJSON		*list = cJSON_AddArrayToObject(data, "permissions");
	uint32_t	 has = who->permits;

	if (may_look_after(who) != REFUSE_NOT)
		has &= ~(1U << NEEDS_STATUS);
#define N(NAME, word)							\
	if (has & (1U << NEEDS_##NAME))					\
		cJSON_AddItemToArray(list, cJSON_CreateString(word));
	API_PERMISSIONS
#undef N
}

static void
me(struct api_call *call, const struct facts *f)
{
	const struct operator	*who = &call->who;
	cJSON			*data = cJSON_CreateObject();

	(void)f;
	cJSON_AddStringToObject(data, "id", who->id);
	cJSON_AddStringToObject(data, "name", who->name);
	cJSON_AddStringToObject(data, "role", who->org_role);
	cJSON_AddStringToObject(data, "organization_id", who->org_id);
	cJSON_AddBoolToObject(data, "impersonated",
	    who->impersonator[0] != '\0');
	api_add_time(data, "expires_at", who->expires * 1000);
	add_permissions(data, who);
	api_yes(&call->asker, call->op, data);
}

const struct api_handler	api_me = { me, NEED_NOTHING };
