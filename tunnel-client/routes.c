/* SPDX-License-Identifier: ISC */
/* What the router of an NS8 node says about its routes. 7.4 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "client.h"
#include "survey.h"

void
routes_module(const char *instance, char *out, size_t size)
{
	const char	*p = instance;

	strlcpy(out, "", size);
	if (isdigit((unsigned char)*p))
		return;
	while (*p != '\0') {
		if (!isdigit((unsigned char)*p)) {
			p++;
			continue;
		}
		while (isdigit((unsigned char)*p))
			p++;
		if (*p != '\0' && *p != '-' && *p != '_')
			continue;
		if ((size_t)(p - instance) < size) {
			memcpy(out, instance, (size_t)(p - instance));
			out[p - instance] = '\0';
		}
		return;
	}
}

/* `scheme://host[:port]/...` as host:port; 0 or -1. */
static int
url_target_of(const char *url, char *out, size_t size, int *tls)
{
	const char	*p = strstr(url, "://"), *colon;
	char		 host[CLIENT_TARGET_SIZE];
	size_t		 n;

	if (p == NULL)
		return (-1);
	*tls = strncmp(url, "https:", 6) == 0;
	if (!*tls && strncmp(url, "http:", 5) != 0)
		return (-1);
	p += 3;
	n = strcspn(p, "/?#");
	if (n == 0 || n >= sizeof(host) || memchr(p, '@', n) != NULL)
		return (-1);
	memcpy(host, p, n);
	host[n] = '\0';
	colon = strrchr(host, ':');
	if (colon != NULL && strchr(colon, ']') == NULL)
		n = strlcpy(out, host, size);
	else
		n = (size_t)snprintf(out, size, "%s:%d", host, *tls ? 443 : 80);
	return (n >= size ? -1 : 0);
}

static const char *
text_of(const cJSON *o, const char *name)
{
	const cJSON	*s = cJSON_GetObjectItemCaseSensitive(o, name);

	return (cJSON_IsString(s) ? s->valuestring : "");
}

static int
route_take(cJSON *services, const cJSON *route, const char *node,
    const char *address)
{
	const char	*name = text_of(route, "instance"), *path;
	char		 target[CLIENT_TARGET_SIZE];
	char		 module[CLIENT_MODULE_SIZE];
	cJSON		*o;
	int		 tls, strip;

	if (*name == '\0' ||
	    cJSON_GetObjectItemCaseSensitive(services, name) != NULL ||
	    url_target_of(text_of(route, "url"), target, sizeof(target),
	    &tls) == -1)
		return (0);
	path = text_of(route, "path");
	strip = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(route,
	    "strip_prefix"));
	if (address != NULL) {
		/* Through that node's router, which does the stripping. */
		snprintf(target, sizeof(target), strchr(address, ':') != NULL ?
		    "[%s]:443" : "%s:443", address);
		tls = 1;
		strip = 0;
	}
	routes_module(name, module, sizeof(module));
	o = cJSON_AddObjectToObject(services, name);
	cJSON_AddStringToObject(o, "target", target);
	cJSON_AddStringToObject(o, "host", text_of(route, "host"));
	cJSON_AddBoolToObject(o, "tls", tls);
	cJSON_AddStringToObject(o, "path", path);
	cJSON_AddStringToObject(o, "path_prefix", strip ? path : "");
	cJSON_AddStringToObject(o, "module_id", module);
	cJSON_AddStringToObject(o, "node_id", node);
	return (1);
}

int
routes_take(cJSON *services, const char *text, size_t len, const char *node,
    const char *address)
{
	cJSON		*all = cJSON_ParseWithLength(text, len);
	const cJSON	*route;
	int		 n = 0, room;

	if (!cJSON_IsArray(all)) {
		cJSON_Delete(all);
		return (-1);
	}
	room = CLIENT_SERVICES_MAX - cJSON_GetArraySize(services);
	cJSON_ArrayForEach(route, all) {
		if (n >= room)
			break;
		if (cJSON_IsObject(route))
			n += route_take(services, route, node, address);
	}
	cJSON_Delete(all);
	return (n);
}
