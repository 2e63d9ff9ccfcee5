/* SPDX-License-Identifier: ISC */
#include <cjson/cJSON.h>

#include <string.h>

#include "authd/core/services.h"
#include "base/compat.h"
#include "offers.h"

/* What shares a host is all that pages of siblings lead to. */
static cJSON *
offers_tree(const struct services *t)
{
	cJSON			*a = cJSON_CreateArray(), *o;
	const struct service	*sv;
	unsigned		 i;

	for (i = 0; a != NULL && i < t->n; i++) {
		sv = t->v[i];
		if (sv->host[0] == '\0' || service_is_tcp(sv))
			continue;
		o = cJSON_CreateObject();
		if (!cJSON_AddStringToObject(o, "name", sv->name) ||
		    !cJSON_AddStringToObject(o, "target", sv->target) ||
		    !cJSON_AddStringToObject(o, "host", sv->host) ||
		    !cJSON_AddBoolToObject(o, "tls", sv->tls) ||
		    !cJSON_AddStringToObject(o, "path", sv->path) ||
		    !cJSON_AddStringToObject(o, "path_prefix",
		    sv->path_prefix) ||
		    !cJSON_AddStringToObject(o, "node_id", sv->node_id) ||
		    !cJSON_AddItemToArray(a, o)) {
			cJSON_Delete(o);
			cJSON_Delete(a);
			return (NULL);
		}
	}
	return (a);
}

char *
offers_print(const struct services *t, size_t *len)
{
	cJSON	*a = offers_tree(t);
	char	*text = a != NULL ? cJSON_PrintUnformatted(a) : NULL;

	cJSON_Delete(a);
	*len = text != NULL ? strlen(text) : 0;
	return (text);
}

static int
take(char *dst, size_t size, const cJSON *o, const char *name)
{
	const char	*s = cJSON_GetStringValue(
			    cJSON_GetObjectItemCaseSensitive(o, name));

	return (s != NULL && strlcpy(dst, s, size) < size ? 0 : -1);
}

/* As good as a muxd's word: services_add() looks at all of it. */
static int
offers_add(struct services *t, const cJSON *o)
{
	struct msg_service	 w;
	char			 name[SERVICE_SIZE], target[TARGET_SIZE];
	char			 host[HOST_SIZE], path[PATH_SIZE];
	char			 prefix[PATH_SIZE], node[MODULE_SIZE];

	if (take(name, sizeof(name), o, "name") == -1 ||
	    take(target, sizeof(target), o, "target") == -1 ||
	    take(host, sizeof(host), o, "host") == -1 ||
	    take(path, sizeof(path), o, "path") == -1 ||
	    take(prefix, sizeof(prefix), o, "path_prefix") == -1 ||
	    take(node, sizeof(node), o, "node_id") == -1)
		return (-1);
	memset(&w, 0, sizeof(w));
	w.name = name;
	w.target = target;
	w.host = host;
	w.path = path;
	w.path_prefix = prefix;
	w.node_id = node;
	w.label = w.module_id = "";
	w.tls = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "tls"));
	return (services_add(t, &w) == NULL ? 0 : -1);
}

struct services *
offers_read(const char *text, size_t len, const char *system, const char *org)
{
	struct services	*t = NULL;
	cJSON		*a = len <= OFFERS_MAX ?
			    cJSON_ParseWithLength(text, len) : NULL;
	const cJSON	*o;
	int		 n = cJSON_GetArraySize(a);

	if (cJSON_IsArray(a) && n <= SERVICES_MAX)
		t = services_new(1, (unsigned)n, system, org);
	if (t != NULL)
		cJSON_ArrayForEach(o, a)
			(void)offers_add(t, o);
	cJSON_Delete(a);
	return (t);
}
