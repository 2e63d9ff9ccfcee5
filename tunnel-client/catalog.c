/* SPDX-License-Identifier: ISC */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "base/compat.h"
#include "base/log.h"

static struct services	 found, added;
static char		*excluded;	/* patterns; NULL: out of memory */

static void
take_discovered(const struct services *d, const char *exclude)
{
	size_t	i;

	for (i = 0; i < d->n; i++)
		if (!services_excluded(d->v[i].name, exclude) &&
		    services_put(&found, &d->v[i]) == -1) {
			log_warnx("too many services: %d at most",
			    CLIENT_SERVICES_MAX);
			return;
		}
}

void
catalog_found(const char *spec, const struct services *discovered,
    const char *exclude)
{
	size_t	i;

	services_clear(&found);
	free(excluded);
	excluded = strdup(exclude);
	if (services_parse(&found, spec, exclude) == -1)
		log_warnx("services: out of memory");
	if (discovered != NULL)
		take_discovered(discovered, exclude);
	for (i = 0; i < found.n; i++)
		services_del(&added, found.v[i].name);
}

void
catalog_forget_added(void)
{
	services_clear(&added);
}

void
catalog_clear(void)
{
	services_clear(&added);
	services_clear(&found);
	free(excluded);
	excluded = NULL;
}

int
catalog_excludes(const char *name)
{
	return (excluded == NULL || services_excluded(name, excluded));
}

const struct service *
catalog_get(const char *name)
{
	const struct service	*s = services_get(&added, name);

	return (s != NULL ? s : services_get(&found, name));
}

size_t
catalog_count(void)
{
	size_t	i, n = found.n;

	for (i = 0; i < added.n; i++)
		n += services_get(&found, added.v[i].name) == NULL;
	return (n);
}

size_t
catalog_found_count(void)
{
	return (found.n);
}

struct services *
catalog_added_copy(void)
{
	struct services	*s;
	size_t		 i;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		return (NULL);
	for (i = 0; i < added.n; i++)
		if (services_put(s, &added.v[i]) == -1) {
			services_clear(s);
			free(s);
			return (NULL);
		}
	return (s);
}

void
catalog_added_restore(struct services *s)
{
	services_clear(&added);
	added = *s;
	free(s);
}

int
catalog_add(const struct service *s)
{
	if (catalog_get(s->name) == NULL &&
	    catalog_count() >= CLIENT_SERVICES_MAX)
		return (-1);
	return (services_put(&added, s));
}

int
catalog_remove(const char *name)
{
	if (services_get(&added, name) == NULL)
		return (0);
	services_del(&added, name);
	return (1);
}

void
catalog_each(void (*fn)(void *, const struct service *), void *arg)
{
	size_t	i;

	for (i = 0; i < found.n; i++)
		if (services_get(&added, found.v[i].name) == NULL)
			fn(arg, &found.v[i]);
	for (i = 0; i < added.n; i++)
		fn(arg, &added.v[i]);
}

/* A member that most services do not have. */
static int
maybe_add(cJSON *o, const char *name, const char *text)
{
	return (*text == '\0' ||
	    cJSON_AddStringToObject(o, name, text) != NULL ? 0 : -1);
}

static int
manifest_entry(cJSON *services, const struct service *s)
{
	cJSON	*o = cJSON_AddObjectToObject(services, s->name);

	return (o != NULL &&
	    cJSON_AddStringToObject(o, "target", s->target) != NULL &&
	    cJSON_AddStringToObject(o, "host", s->host) != NULL &&
	    cJSON_AddBoolToObject(o, "tls", s->tls) != NULL &&
	    cJSON_AddStringToObject(o, "label", s->label) != NULL &&
	    (!s->tcp || cJSON_AddTrueToObject(o, "tcp") != NULL) &&
	    maybe_add(o, "path", s->path) == 0 &&
	    maybe_add(o, "path_prefix", s->path_prefix) == 0 &&
	    maybe_add(o, "module_id", s->module_id) == 0 &&
	    maybe_add(o, "node_id", s->node_id) == 0 ? 0 : -1);
}

char *
catalog_manifest(void)
{
	cJSON	*top = cJSON_CreateObject(), *services;
	char	*text = NULL, *line = NULL;
	size_t	 i, len;
	int	 r = -1;

	if (cJSON_AddNumberToObject(top, "version", 1) == NULL ||
	    (services = cJSON_AddObjectToObject(top, "services")) == NULL)
		goto out;
	for (i = 0; i < found.n; i++)
		if (services_get(&added, found.v[i].name) == NULL &&
		    manifest_entry(services, &found.v[i]) == -1)
			goto out;
	for (i = 0; i < added.n; i++)
		if (manifest_entry(services, &added.v[i]) == -1)
			goto out;
	if ((text = cJSON_PrintUnformatted(top)) == NULL)
		goto out;
	len = strlen(text);
	if ((line = malloc(len + 2)) == NULL)
		goto out;
	memcpy(line, text, len);
	memcpy(line + len, "\n", 2);
	r = 0;
 out:
	cJSON_free(text);
	cJSON_Delete(top);
	if (r == -1)
		log_warnx("manifest: out of memory");
	return (line);
}
