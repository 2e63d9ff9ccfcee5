/* SPDX-License-Identifier: ISC */
#include <sodium.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/compat.h"
#include "diag.h"
#include "usersdoc.h"
#include "ws/ws.h"

#define PREFIX		"support-"
#define TEXT_MAX	256	/* bytes of a name, a password, a domain */
#define LIST_MAX	64

static const char *
text_of(const cJSON *o, const char *name)
{
	const cJSON	*s = cJSON_GetObjectItemCaseSensitive(o, name);

	return (cJSON_IsString(s) ? s->valuestring : "");
}

/* Names and passwords. */

/* The parts of `text` between dashes. */
static size_t
parts_of(char *text, char **part, size_t max)
{
	char	*p, *rest = text;
	size_t	 n = 0;

	while ((p = strsep(&rest, "-")) != NULL)
		if (n < max)
			part[n++] = p;
	return (n);
}

static void
random_letters(char *out)
{
	int	i;

	for (i = 0; i < 8; i++)
		out[i] = (char)('a' + randombytes_uniform(26));
	out[i] = '\0';
}

void
users_name(const char *key, char *out, size_t size)
{
	char	 low[TEXT_MAX], *part[32], end[40];
	size_t	 i, n = 0, len;

	for (i = 0; key[i] != '\0' && n + 1 < sizeof(low); i++)
		if (isalnum((unsigned char)key[i]) || key[i] == '-')
			low[n++] = (char)tolower((unsigned char)key[i]);
	low[n] = '\0';
	len = parts_of(low, part, 32);
	if (len > 2)
		snprintf(end, sizeof(end), "%.10s-%.10s-%.10s", part[0],
		    part[1], part[len - 1]);
	else if (len == 2)
		snprintf(end, sizeof(end), "%.16s-%.16s", part[0], part[1]);
	else if (strlen(low) >= 4)
		snprintf(end, sizeof(end), "%.32s", low);
	else
		random_letters(end);
	snprintf(out, size, PREFIX "%s", end);
}

int
users_name_ok(const char *s)
{
	size_t	len = strlen(s), n = strlen(PREFIX);

	return (len > n && len < USERS_NAME_SIZE &&
	    strncmp(s, PREFIX, n) == 0 && strspn(s + n,
	    "abcdefghijklmnopqrstuvwxyz0123456789-") == len - n);
}

void
users_password(char out[USERS_PASSWORD_SIZE])
{
	static const char *const	classes[] = {
	    "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
	    "0123456789", "!@#%^&*" };
	static const char		all[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!@#%^&*";
	uint32_t			i, j;
	char				c;

	for (i = 0; i < USERS_PASSWORD_SIZE - 1; i++)
		out[i] = i < 4 ? classes[i][randombytes_uniform(
		    (uint32_t)strlen(classes[i]))] :
		    all[randombytes_uniform(sizeof(all) - 1)];
	out[i] = '\0';
	while (--i > 0) {
		j = randombytes_uniform(i + 1);
		c = out[i];
		out[i] = out[j];
		out[j] = c;
	}
}

/* Credentials. */

static int
text_ok(const char *s)
{
	size_t	len = strlen(s), i;

	if (len == 0 || len > TEXT_MAX || !ws_utf8((const uint8_t *)s, len))
		return (0);
	for (i = 0; i < len; i++)
		if ((unsigned char)s[i] < ' ' || s[i] == 0x7f)
			return (0);
	return (1);
}

/* One user; NULL when it is none. */
static cJSON *
user_take(const cJSON *from, int of_domain)
{
	const char	*name = text_of(from, "username");
	const char	*password = text_of(from, "password");
	const char	*domain = text_of(from, "domain");
	const char	*module = text_of(from, "module");
	cJSON		*o;

	if (!text_ok(name) || !text_ok(password) ||
	    (of_domain && (!text_ok(domain) || !text_ok(module))) ||
	    (o = cJSON_CreateObject()) == NULL)
		return (NULL);
	if (of_domain) {
		cJSON_AddStringToObject(o, "domain", domain);
		cJSON_AddStringToObject(o, "module", module);
	}
	cJSON_AddStringToObject(o, "username", name);
	cJSON_AddStringToObject(o, "password", password);
	return (o);
}

static void
users_take(cJSON *to, const cJSON *from, const char *name, int of_domain)
{
	const cJSON	*u, *list = cJSON_GetObjectItemCaseSensitive(from, name);
	cJSON		*out = NULL, *o;

	if (!cJSON_IsArray(list))
		return;
	cJSON_ArrayForEach(u, list) {
		if (cJSON_GetArraySize(out) == LIST_MAX ||
		    (o = user_take(u, of_domain)) == NULL)
			continue;
		if (out == NULL)
			out = cJSON_AddArrayToObject(to, name);
		cJSON_AddItemToArray(out, o);
	}
}

cJSON *
users_credentials(const cJSON *from)
{
	cJSON	*o = cJSON_CreateObject(), *admin;

	admin = user_take(cJSON_GetObjectItemCaseSensitive(from,
	    "cluster_admin"), 0);
	if (admin != NULL)
		cJSON_AddItemToObject(o, "cluster_admin", admin);
	users_take(o, from, "domain_users", 1);
	users_take(o, from, "local_users", 0);
	return (o);
}

static int
user_is_ours(const cJSON *u)
{
	return (users_name_ok(text_of(u, "username")));
}

static void
list_keep_ours(cJSON *o, const char *name)
{
	cJSON	*u, *next, *list = cJSON_GetObjectItemCaseSensitive(o, name);

	for (u = list == NULL ? NULL : list->child; u != NULL; u = next) {
		next = u->next;
		if (!user_is_ours(u))
			cJSON_Delete(cJSON_DetachItemViaPointer(list, u));
	}
	if (list != NULL && list->child == NULL)
		cJSON_DeleteItemFromObjectCaseSensitive(o, name);
}

void
users_keep_ours(cJSON *o)
{
	const cJSON	*admin;

	admin = cJSON_GetObjectItemCaseSensitive(o, "cluster_admin");
	if (admin != NULL && !user_is_ours(admin))
		cJSON_DeleteItemFromObjectCaseSensitive(o, "cluster_admin");
	list_keep_ours(o, "domain_users");
	list_keep_ours(o, "local_users");
}

int
users_has_credentials(const cJSON *o)
{
	return (cJSON_HasObjectItem(o, "cluster_admin") ||
	    cJSON_HasObjectItem(o, "domain_users") ||
	    cJSON_HasObjectItem(o, "local_users"));
}

/* Domains of modules. */

/* The domain that has this provider. */
static const char *
domain_of_provider(const char *id, const cJSON *domains,
    const cJSON *credentials)
{
	const cJSON	*d, *p, *u;

	cJSON_ArrayForEach(d, domains) {
		cJSON_ArrayForEach(p, d)
			if (cJSON_IsString(p) && d->string != NULL &&
			    strcmp(p->valuestring, id) == 0)
				return (d->string);
	}
	cJSON_ArrayForEach(u, cJSON_GetObjectItemCaseSensitive(credentials,
	    "domain_users"))
		if (strcmp(text_of(u, "module"), id) == 0)
			return (text_of(u, "domain"));
	return ("");
}

cJSON *
users_module_domains(const cJSON *modules, const cJSON *domains,
    const cJSON *credentials)
{
	cJSON		*o = cJSON_CreateObject();
	const cJSON	*m;
	const char	*domain;

	cJSON_ArrayForEach(m, modules) {
		if (m->string == NULL || !text_ok(m->string))
			continue;
		domain = text_of(m, "domain");
		if (*domain == '\0')
			domain = domain_of_provider(m->string, domains,
			    credentials);
		if (text_ok(domain))
			cJSON_AddStringToObject(o, m->string, domain);
	}
	return (o);
}

/* The report. */

static void
time_add(cJSON *o, int64_t wall_ms)
{
	time_t		s = (time_t)(wall_ms / 1000);
	struct tm	tm;
	char		text[32] = "";

	gmtime_r(&s, &tm);
	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	cJSON_AddStringToObject(o, "created_at", text);
}

static void
copy_in(cJSON *o, const char *name, const cJSON *from)
{
	if (cJSON_GetArraySize(from) > 0)
		cJSON_AddItemToObject(o, name, cJSON_Duplicate(from, 1));
}

cJSON *
users_object(const struct users_facts *f)
{
	static const char *const	names[] = { "cluster_admin",
	    "domain_users", "local_users" };
	cJSON				*o = cJSON_CreateObject();
	size_t				 i;

	cJSON_AddStringToObject(o, "session_id", f->key);
	cJSON_AddStringToObject(o, "platform", f->platform == PLATFORM_NS8 ?
	    "ns8" : "nethsecurity");
	for (i = 0; i < 3; i++)
		copy_in(o, names[i], cJSON_GetObjectItemCaseSensitive(
		    f->credentials, names[i]));
	copy_in(o, "apps", f->apps);
	copy_in(o, "errors", f->errors);
	copy_in(o, "module_domains", f->module_domains);
	time_add(o, f->wall_ms);
	return (o);
}

char *
users_report(const struct users_facts *f, uint64_t duration_ms)
{
	struct users_facts	 less = *f;
	cJSON			*o = cJSON_CreateObject();
	char			*text, *line = NULL;

	time_add(o, f->wall_ms);
	cJSON_AddNumberToObject(o, "duration_ms", (double)duration_ms);
	cJSON_AddItemToObject(o, "users", users_object(f));
	text = cJSON_PrintUnformatted(o);
	cJSON_Delete(o);
	if (text != NULL && strlen(text) >= USERS_JSON_MAX && f->apps != NULL) {
		cJSON_free(text);
		less.apps = NULL;
		return (users_report(&less, duration_ms));
	}
	if (text != NULL && asprintf(&line, "%s\n", text) == -1)
		line = NULL;
	cJSON_free(text);
	return (line);
}

/* Plugins. */

/* A module's id without the digits at its end is what a plugin is for. */
static int
is_for(const char *plugin, const char *id)
{
	size_t	n = strlen(plugin);

	return (n > 0 && strncmp(plugin, id, n) == 0 && id[n] != '\0' &&
	    strspn(id + n, "0123456789") == strlen(id + n) &&
	    !isdigit((unsigned char)plugin[n - 1]));
}

static void
instance_add(cJSON *list, const cJSON *m, const struct discovered *d,
    const char *domain)
{
	const struct service	*s;
	cJSON			*o = cJSON_CreateObject(), *all, *one;
	size_t			 i;

	cJSON_AddStringToObject(o, "id", m->string);
	cJSON_AddStringToObject(o, "node_id", text_of(m, "node_id"));
	cJSON_AddStringToObject(o, "label", text_of(m, "label"));
	cJSON_AddStringToObject(o, "domain", domain);
	all = cJSON_AddObjectToObject(o, "services");
	for (i = 0; i < d->services.n; i++) {
		s = &d->services.v[i];
		if (strcmp(s->module_id, m->string) != 0)
			continue;
		one = cJSON_AddObjectToObject(all, s->name);
		cJSON_AddStringToObject(one, "host", s->host);
		cJSON_AddStringToObject(one, "path", s->path);
		cJSON_AddStringToObject(one, "path_prefix", s->path_prefix);
		cJSON_AddBoolToObject(one, "tls", s->tls);
	}
	cJSON_AddItemToArray(list, o);
}

char *
users_instances(const char *plugin, const struct discovered *d,
    const cJSON *module_domains)
{
	cJSON		*o = cJSON_CreateObject(), *list;
	const cJSON	*m;
	char		*text = NULL;

	cJSON_AddStringToObject(o, "module", plugin);
	list = cJSON_AddArrayToObject(o, "instances");
	cJSON_ArrayForEach(m, d->modules)
		if (m->string != NULL && is_for(plugin, m->string))
			instance_add(list, m, d, text_of(module_domains,
			    m->string));
	if (cJSON_GetArraySize(list) > 0)
		text = cJSON_PrintUnformatted(o);
	cJSON_Delete(o);
	return (text);
}

static int
app_take(cJSON *apps, const cJSON *from)
{
	static const char *const	names[] = { "id", "name", "url",
	    "notes" };
	const char			*s;
	cJSON				*o;
	size_t				 i;

	if (!cJSON_IsObject(from) || *text_of(from, "id") == '\0' ||
	    cJSON_GetArraySize(apps) == LIST_MAX ||
	    (o = cJSON_CreateObject()) == NULL)
		return (-1);
	for (i = 0; i < 4; i++)
		if (*(s = text_of(from, names[i])) != '\0')
			(void)json_add_text(o, names[i], s, strlen(s));
	cJSON_AddItemToArray(apps, o);
	return (0);
}

int
users_apps(cJSON *apps, const char *out, size_t len)
{
	cJSON		*said;
	const cJSON	*app;
	int		 r = 0;

	while (len > 0 && isspace((unsigned char)out[len - 1]))
		len--;
	if (len == 0)
		return (0);
	said = cJSON_ParseWithLength(out, len);
	if (cJSON_IsArray(said)) {
		cJSON_ArrayForEach(app, said)
			r |= app_take(apps, app);
	} else
		r = app_take(apps, said);
	cJSON_Delete(said);
	return (r);
}

void
users_error(cJSON *errors, const char *id, const char *message)
{
	cJSON	*o;

	if (cJSON_GetArraySize(errors) >= LIST_MAX ||
	    (o = cJSON_CreateObject()) == NULL)
		return;
	(void)json_add_text(o, "id", id, strlen(id));
	(void)json_add_text(o, "message", message, strlen(message));
	cJSON_AddItemToArray(errors, o);
}

/* The state file. */

/* The first that is ours: said by itself, the administrator's, a user's. */
static void
name_find(struct users_state *s, const cJSON *o)
{
	static const char *const	 lists[] = { "domain_users",
	    "local_users" };
	const char			*name = text_of(o, "username");
	const cJSON			*u;
	size_t				 i;

	if (!users_name_ok(name))
		name = text_of(cJSON_GetObjectItemCaseSensitive(s->credentials,
		    "cluster_admin"), "username");
	for (i = 0; i < 2; i++)
		cJSON_ArrayForEach(u, cJSON_GetObjectItemCaseSensitive(
		    s->credentials, lists[i]))
			if (!users_name_ok(name))
				name = text_of(u, "username");
	if (users_name_ok(name))
		strlcpy(s->name, name, sizeof(s->name));
}

int
users_state_parse(struct users_state *s, const char *text, size_t len)
{
	cJSON	*o = cJSON_ParseWithLength(text, len);

	memset(s, 0, sizeof(*s));
	if (!cJSON_IsObject(o)) {
		cJSON_Delete(o);
		return (-1);
	}
	s->platform = strcmp(text_of(o, "platform"), "ns8") == 0 ?
	    PLATFORM_NS8 : PLATFORM_NETHSECURITY;
	s->planned = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o,
	    "planned"));
	/* Without a word it was written by another program: it may have. */
	s->plugins = !cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(o,
	    "plugins"));
	s->credentials = users_credentials(o);
	name_find(s, o);
	cJSON_Delete(o);
	return (0);
}

char *
users_state_text(const struct users_state *s, const cJSON *object)
{
	cJSON	*o = cJSON_Duplicate(object, 1);
	char	*text;

	if (*s->name != '\0')
		cJSON_AddStringToObject(o, "username", s->name);
	cJSON_AddBoolToObject(o, "planned", s->planned);
	cJSON_AddBoolToObject(o, "plugins", s->plugins);
	text = cJSON_PrintUnformatted(o);
	cJSON_Delete(o);
	return (text);
}
