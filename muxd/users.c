/* SPDX-License-Identifier: ISC */
#include <jansson.h>

#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "text.h"
#include "users.h"

/*
 * Members of an entry, one behind the other, an empty one at the end: a table
 * of pointers would be a page of its own in each process.
 */
#define LOGIN	"username\0password\0"
#define DOMAIN	"domain\0module\0username\0password\0"
#define APP	"id\0name\0url\0notes\0"
#define FAULT	"id\0message\0"

/* A member that is a text, if it is short enough. -1: out of memory. */
static int
text_copy(json_t *out, const json_t *in, const char *member)
{
	const json_t	*v = json_object_get(in, member);

	if (!json_is_string(v) || json_string_length(v) > USERS_STRING_MAX)
		return (0);
	return (json_object_set_new(out, member, json_stringn(
	    json_string_value(v), json_string_length(v))));
}

/* A name or a password with it is not the one that the machine has. */
static int
is_exact(const char *text)
{
	return (text == NULL || strstr(text, TEXT_REPLACED) == NULL);
}

/*
 * Nothing of one that has a text too long or, if they are to be exact, one that
 * is not. NULL: out of memory.
 */
static json_t *
entry_copy(const json_t *in, const char *members, int exact)
{
	const json_t	*v;
	json_t		*out = json_object();

	for (; out != NULL && *members != '\0';
	    members += strlen(members) + 1) {
		v = json_object_get(in, members);
		if (json_string_length(v) > USERS_STRING_MAX ||
		    (exact && !is_exact(json_string_value(v)))) {
			(void)json_object_clear(out);
			break;
		}
		if (text_copy(out, in, members) == -1) {
			json_decref(out);
			return (NULL);
		}
	}
	return (out);
}

/* Has it the member that it is nothing without? */
static int
has(const json_t *entry, const char *member)
{
	return (json_string_length(json_object_get(entry, member)) > 0);
}

static int
list_copy(json_t *out, const json_t *in, const char *name, const char *members,
    const char *needed, int exact)
{
	const json_t	*from = json_object_get(in, name);
	json_t		*list, *entry;
	size_t		 i;

	if (!json_is_array(from))
		return (0);
	if ((list = json_array()) == NULL ||
	    json_object_set_new(out, name, list) == -1)
		return (-1);
	for (i = 0; i < json_array_size(from) &&
	    json_array_size(list) < USERS_LIST_MAX; i++) {
		if (!json_is_object(json_array_get(from, i)))
			continue;
		entry = entry_copy(json_array_get(from, i), members, exact);
		if (entry == NULL)
			return (-1);
		if (!has(entry, needed))
			json_decref(entry);
		else if (json_array_append_new(list, entry) == -1)
			return (-1);
	}
	return (0);
}

static int
domains_copy(json_t *out, json_t *in)
{
	json_t	*from = json_object_get(in, "module_domains"), *to, *v;
	void	*it;

	if (!json_is_object(from))
		return (0);
	if ((to = json_object()) == NULL ||
	    json_object_set_new(out, "module_domains", to) == -1)
		return (-1);
	for (it = json_object_iter(from); it != NULL &&
	    json_object_size(to) < USERS_LIST_MAX;
	    it = json_object_iter_next(from, it)) {
		v = json_object_iter_value(it);
		if (!json_is_string(v) ||
		    json_string_length(v) > USERS_STRING_MAX ||
		    strlen(json_object_iter_key(it)) > USERS_STRING_MAX ||
		    !is_exact(json_string_value(v)) ||
		    !is_exact(json_object_iter_key(it)))
			continue;
		if (json_object_set(to, json_object_iter_key(it), v) == -1)
			return (-1);
	}
	return (0);
}

static int
admin_copy(json_t *out, const json_t *in)
{
	const json_t	*from = json_object_get(in, "cluster_admin");
	json_t		*entry;

	if (!json_is_object(from))
		return (0);
	if ((entry = entry_copy(from, LOGIN, 1)) == NULL)
		return (-1);
	if (!has(entry, "username")) {
		json_decref(entry);
		return (0);
	}
	return (json_object_set_new(out, "cluster_admin", entry));
}

/* -1: out of memory; what is there goes with its owner. */
static int
users_copy(json_t *out, json_t *in)
{
	const json_t	*id = json_object_get(in, "session_id");

	return ((is_exact(json_string_value(id)) &&
	    text_copy(out, in, "session_id") == -1) ||
	    text_copy(out, in, "platform") == -1 ||
	    admin_copy(out, in) == -1 ||
	    list_copy(out, in, "domain_users", DOMAIN, "username", 1) == -1 ||
	    list_copy(out, in, "local_users", LOGIN, "username", 1) == -1 ||
	    list_copy(out, in, "apps", APP, "id", 0) == -1 ||
	    list_copy(out, in, "errors", FAULT, "id", 0) == -1 ||
	    domains_copy(out, in) == -1 ||
	    text_copy(out, in, "created_at") == -1 ? -1 : 0);
}

static json_t *
report_copy(const json_t *in)
{
	json_t	*out = json_object(), *users = json_object();
	json_t	*v = json_object_get(in, "duration_ms");

	if (text_copy(out, in, "created_at") == -1 ||
	    (json_is_integer(v) && json_integer_value(v) >= 0 &&
	    json_object_set_new(out, "duration_ms",
	    json_integer(json_integer_value(v))) == -1) ||
	    json_object_set(out, "users", users) == -1 ||
	    users_copy(users, json_object_get(in, "users")) == -1) {
		json_decref(out);
		out = NULL;
	}
	json_decref(users);
	return (out);
}

static int
has_credentials(const json_t *report)
{
	const json_t	*u = json_object_get(report, "users");

	return (json_object_get(u, "cluster_admin") != NULL ||
	    json_array_size(json_object_get(u, "domain_users")) > 0 ||
	    json_array_size(json_object_get(u, "local_users")) > 0);
}

/* NULL: no memory, or it has grown in writing. */
static char *
print(const json_t *report, size_t *len)
{
	char	*text = json_dumps(report, JSON_COMPACT);

	if (text == NULL)
		return (NULL);
	*len = strlen(text);
	if (*len <= USERS_BYTES_MAX)
		return (text);
	text_json_free(text);
	return (NULL);
}

char *
users_rewrite(const char *json, size_t len, size_t *out_len, int *credentials,
    const char **why)
{
	json_t	*in, *copy = NULL;
	char	*text = NULL;

	*why = "too many values";
	if (!text_json_small(json, len))
		return (NULL);
	*why = "not a report of users, or out of memory";
	in = text_json_load(json, len, NULL);
	if (json_is_object(json_object_get(in, "users"))) {
		*why = "too long when written again, or out of memory";
		if ((copy = report_copy(in)) != NULL)
			text = print(copy, out_len);
		*credentials = has_credentials(copy);
	}
	json_decref(copy);
	json_decref(in);
	return (text);
}

/* Merging. */

static void
list_drop(json_t *list, const char *id)
{
	size_t		 i = json_array_size(list);
	const char	*s;

	while (i-- > 0) {
		s = json_string_value(json_object_get(json_array_get(list, i),
		    "id"));
		if (s != NULL && strcmp(s, id) == 0)
			(void)json_array_remove(list, i);
	}
}

/* What is said again takes the place of what was said before. */
static int
list_merge(json_t *to, const json_t *from, const char *name)
{
	json_t	*list = json_object_get(to, name);
	json_t	*more = json_object_get(from, name), *v;
	size_t	 i;

	if (!json_is_array(more))
		return (0);
	if (!json_is_array(list))
		return (json_object_set(to, name, more));
	for (i = 0; i < json_array_size(more); i++) {
		v = json_array_get(more, i);
		list_drop(list, json_string_value(json_object_get(v, "id")));
		if (json_array_size(list) < USERS_LIST_MAX &&
		    json_array_append(list, v) == -1)
			return (-1);
	}
	return (0);
}

static int
domains_merge(json_t *to, json_t *from)
{
	json_t	*have = json_object_get(to, "module_domains");
	json_t	*more = json_object_get(from, "module_domains");

	if (!json_is_object(more))
		return (0);
	return (json_is_object(have) ? json_object_update(have, more) :
	    json_object_set(to, "module_domains", more));
}

char *
users_merge(const char *kept, size_t kept_len, const char *bare, size_t len,
    size_t *out_len)
{
	json_t	*a = json_loadb(kept, kept_len, 0, NULL);
	json_t	*b = json_loadb(bare, len, 0, NULL);
	json_t	*to = json_object_get(a, "users");
	json_t	*from = json_object_get(b, "users");
	char	*text = NULL;

	if (json_is_object(to) && json_is_object(from) &&
	    list_merge(to, from, "apps") == 0 &&
	    list_merge(to, from, "errors") == 0 &&
	    domains_merge(to, from) == 0)
		text = print(a, out_len);
	json_decref(a);
	json_decref(b);
	return (text);
}
