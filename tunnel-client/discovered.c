/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "base/log.h"
#include "discovered.h"
#include "ws/ws.h"

#define LABEL_MAX	128	/* bytes; more is cut */

void
discovered_clear(struct discovered *d)
{
	services_clear(&d->services);
	cJSON_Delete(d->modules);
	memset(d, 0, sizeof(*d));
}

/* A text that fits, is UTF-8 and has no control characters. 0 or -1. */
static int
take(const cJSON *o, const char *name, char *out, size_t size)
{
	const cJSON	*s = cJSON_GetObjectItemCaseSensitive(o, name);
	const char	*p;

	*out = '\0';
	if (s == NULL)
		return (0);
	if (!cJSON_IsString(s) || strlen(s->valuestring) >= size ||
	    !ws_utf8((const uint8_t *)s->valuestring, strlen(s->valuestring)))
		return (-1);
	for (p = s->valuestring; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return (-1);
	strlcpy(out, s->valuestring, size);
	return (0);
}

static const char *
service_take(struct service *s, const cJSON *o)
{
	memset(s, 0, sizeof(*s));
	if (strlcpy(s->name, o->string, sizeof(s->name)) >= sizeof(s->name) ||
	    take(o, "target", s->target, sizeof(s->target)) == -1 ||
	    take(o, "host", s->host, sizeof(s->host)) == -1 ||
	    take(o, "path", s->path, sizeof(s->path)) == -1 ||
	    take(o, "path_prefix", s->path_prefix, sizeof(s->path_prefix)) ==
	    -1 ||
	    take(o, "module_id", s->module_id, sizeof(s->module_id)) == -1 ||
	    take(o, "node_id", s->node_id, sizeof(s->node_id)) == -1)
		return ("a member is no text, or too long");
	if (take(o, "label", s->label, sizeof(s->label)) == -1 ||
	    strlen(s->label) > LABEL_MAX)
		*s->label = '\0';	/* only shown */
	s->tls = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "tls"));
	return (service_fault(s));
}

/* All that is good. -1: out of memory. */
static int
services_take(struct services *all, const cJSON *from)
{
	struct service	 s;
	const cJSON	*o;
	const char	*fault;
	char		 shown[128];

	cJSON_ArrayForEach(o, from) {
		if (o->string == NULL)
			continue;
		if ((fault = service_take(&s, o)) != NULL) {
			log_warnx("discovery: service \"%s\": %s, skipped",
			    log_escape(shown, sizeof(shown), o->string,
			    strlen(o->string)), fault);
			continue;
		}
		if (services_put(all, &s) == -1)
			return (all->n == CLIENT_SERVICES_MAX ? 0 : -1);
	}
	return (0);
}

/* A node that could not be asked may still have what it had. */
static int
services_keep(struct services *all, const struct services *old,
    const cJSON *failed)
{
	const cJSON	*node;
	size_t		 i;

	cJSON_ArrayForEach(node, failed)
		for (i = 0; cJSON_IsString(node) && i < old->n; i++)
			if (strcmp(old->v[i].node_id, node->valuestring) ==
			    0 && services_get(all, old->v[i].name) == NULL &&
			    services_put(all, &old->v[i]) == -1 &&
			    all->n < CLIENT_SERVICES_MAX)
				return (-1);
	return (0);
}

static void
errors_log(const cJSON *errors)
{
	const cJSON	*e;
	char		 shown[600];

	cJSON_ArrayForEach(e, errors)
		if (cJSON_IsString(e))
			log_warnx("discovery: %s", log_escape(shown,
			    sizeof(shown), e->valuestring,
			    strlen(e->valuestring)));
}

static enum platform
platform_of(const cJSON *mode)
{
	if (!cJSON_IsString(mode))
		return (PLATFORM_NONE);
	if (strcmp(mode->valuestring, "ns8") == 0)
		return (PLATFORM_NS8);
	return (strcmp(mode->valuestring, "nethsecurity") == 0 ?
	    PLATFORM_NETHSECURITY : PLATFORM_NONE);
}

static int
document_take(struct discovered *d, cJSON *top)
{
	struct discovered	 now = { 0 };
	cJSON			*failed, *services;

	errors_log(cJSON_GetObjectItemCaseSensitive(top, "errors"));
	services = cJSON_GetObjectItemCaseSensitive(top, "services");
	failed = cJSON_GetObjectItemCaseSensitive(top, "failed");
	if (!cJSON_IsObject(services) || cJSON_IsTrue(
	    cJSON_GetObjectItemCaseSensitive(top, "fatal")))
		return (-1);
	now.platform = platform_of(cJSON_GetObjectItemCaseSensitive(top,
	    "mode"));
	now.master = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(top,
	    "master"));
	(void)take(top, "node", now.node, sizeof(now.node));
	if (services_take(&now.services, services) == -1 ||
	    services_keep(&now.services, &d->services, failed) == -1) {
		discovered_clear(&now);
		return (-1);
	}
	now.modules = cJSON_DetachItemFromObjectCaseSensitive(top, "modules");
	discovered_clear(d);
	*d = now;
	return (0);
}

int
discovered_read(struct discovered *d, const char *text, size_t len)
{
	cJSON	*top = cJSON_ParseWithLength(text, len);
	int	 r = cJSON_IsObject(top) ? document_take(d, top) : -1;

	if (top == NULL)
		log_warnx("discovery: no answer");
	cJSON_Delete(top);
	return (r);
}
