/* SPDX-License-Identifier: ISC */
/* What the session's client offers now. */
#include <cjson/cJSON.h>

#include "api.h"
#include "authd/core/services.h"
#include "authd/core/session.h"

static void
add_service(cJSON *services, const struct service *sv)
{
	cJSON	*o = cJSON_AddObjectToObject(services, sv->name);

	cJSON_AddStringToObject(o, "target", sv->target);
	cJSON_AddStringToObject(o, "host", sv->host);
	cJSON_AddBoolToObject(o, "tls", sv->tls);
	cJSON_AddStringToObject(o, "label", sv->label);
	if (service_is_tcp(sv))
		cJSON_AddTrueToObject(o, "tcp");
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
services_get(struct api_call *call, const struct facts *f)
{
	struct session_row	 row;
	struct session		*se;
	cJSON			*o, *services;
	unsigned		 i;
	enum refusal		 no;

	if ((no = api_session(call, f, &row, &se)) != REFUSE_NOT) {
		api_refuse(call, no);
		return;
	}
	/* operator-api.md, 9: for an operator there are none just now. */
	if (call->internal && (se == NULL || session_tunnel(se) == NULL)) {
		api_refuse(call, REFUSE_TUNNEL_NONE);
		return;
	}
	o = cJSON_CreateObject();
	services = cJSON_AddObjectToObject(o, "services");
	for (i = 0; se != NULL && se->services != NULL &&
	    i < se->services->n; i++)
		add_service(services, se->services->v[i]);
	api_yes(&call->asker, API_SERVICES, o);
}

const struct api_handler	api_services = { services_get, API_SEES };
