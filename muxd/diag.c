/* SPDX-License-Identifier: ISC */
#include <jansson.h>

#include <stdlib.h>
#include <string.h>

#include "diag.h"
#include "text.h"

static json_t	*report_copy(const json_t *);
static json_t	*plugin_copy(const json_t *);
static json_t	*check_copy(const json_t *);
static json_t	*list_copy(const json_t *, size_t, json_t *(*)(const json_t *));
static int	 string_copy(json_t *, const json_t *, const char *, int);
static int	 status_copy(json_t *, const json_t *, const char *);
static int	 details_copy(json_t *, json_t *);

char *
diag_rewrite(const char *json, size_t len, size_t *out_len, const char **why)
{
	json_t	*in, *copy = NULL;
	char	*text = NULL;
	int	 lacking;

	*why = "too long";
	if (len > DIAG_BYTES_MAX)
		return (NULL);
	*why = "too many values";
	if (!text_json_small(json, len))
		return (NULL);
	in = text_json_load(json, len, &lacking);
	*why = lacking ? "out of memory" : "not a JSON object";
	if (json_is_object(in)) {
		*why = "out of memory";
		if ((copy = report_copy(in)) != NULL)
			text = json_dumps(copy, JSON_COMPACT);
		if (text != NULL)
			*out_len = strlen(text);
		/* Numbers may have grown in writing. */
		if (text != NULL && *out_len > DIAG_BYTES_MAX) {
			*why = "too long when written again";
			text_json_free(text);
			text = NULL;
		}
	}
	json_decref(copy);
	json_decref(in);
	return (text);
}

/* Each copy returns NULL only when memory runs out or the thing is no good. */
static json_t *
report_copy(const json_t *in)
{
	const json_t	*v;
	json_t		*out, *list;

	if ((out = json_object()) == NULL)
		return (NULL);
	if (string_copy(out, in, "collected_at", 0) == -1)
		goto fail;
	v = json_object_get(in, "duration_ms");
	if (json_is_integer(v) && json_integer_value(v) >= 0 &&
	    json_object_set_new(out, "duration_ms",
	    json_integer(json_integer_value(v))) == -1)
		goto fail;
	if (status_copy(out, in, "overall_status") == -1)
		goto fail;
	list = list_copy(json_object_get(in, "plugins"), DIAG_PLUGINS_MAX,
	    plugin_copy);
	if (json_object_set_new(out, "plugins", list) == -1)
		goto fail;
	return (out);
fail:
	json_decref(out);
	return (NULL);
}

static json_t *
plugin_copy(const json_t *in)
{
	json_t	*out, *list;

	if ((out = json_object()) == NULL)
		return (NULL);
	if (string_copy(out, in, "id", 1) == -1 ||
	    string_copy(out, in, "name", 0) == -1 ||
	    status_copy(out, in, "status") == -1 ||
	    string_copy(out, in, "summary", 0) == -1)
		goto fail;
	if (json_is_array(json_object_get(in, "checks"))) {
		list = list_copy(json_object_get(in, "checks"),
		    DIAG_CHECKS_MAX, check_copy);
		if (json_object_set_new(out, "checks", list) == -1)
			goto fail;
	}
	return (out);
fail:
	json_decref(out);
	return (NULL);
}

static json_t *
check_copy(const json_t *in)
{
	json_t	*out;

	if ((out = json_object()) == NULL)
		return (NULL);
	if (string_copy(out, in, "name", 1) == -1 ||
	    status_copy(out, in, "status") == -1 ||
	    string_copy(out, in, "value", 0) == -1 ||
	    details_copy(out, json_object_get(in, "details")) == -1) {
		json_decref(out);
		return (NULL);
	}
	return (out);
}

/* An array with the first `max` members that `copy` takes; never holds NULL. */
static json_t *
list_copy(const json_t *in, size_t max, json_t *(*copy)(const json_t *))
{
	json_t		*out, *member;
	const json_t	*v;
	size_t		 i;

	if ((out = json_array()) == NULL)
		return (NULL);
	for (i = 0; i < json_array_size(in) && json_array_size(out) < max;
	    i++) {
		v = json_array_get(in, i);
		if (json_is_object(v) && (member = copy(v)) != NULL)
			json_array_append_new(out, member);
	}
	return (out);
}

static int
string_copy(json_t *out, const json_t *in, const char *member, int required)
{
	const json_t	*v = json_object_get(in, member);
	const char	*s;
	size_t		 len;

	if (!json_is_string(v))
		return (required ? -1 : 0);
	s = json_string_value(v);
	len = text_cut(s, json_string_length(v), DIAG_STRING_MAX);
	return (json_object_set_new(out, member, json_stringn(s, len)));
}

static int
status_copy(json_t *out, const json_t *in, const char *member)
{
	static const char known[][12] = {
		"ok", "warning", "critical", "error", "timeout" };
	const char	*s = json_string_value(json_object_get(in, member));
	size_t		 i;

	for (i = 0; s != NULL && i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(s, known[i]) == 0)
			return (json_object_set_new(out, member,
			    json_string(known[i])));
	return (json_object_set_new(out, member, json_string("error")));
}

/* A flat object of scalars, whole and small enough, or nothing. */
static int
details_copy(json_t *out, json_t *in)
{
	json_t	*flat, *v;
	void	*it;
	size_t	 size;

	if (!json_is_object(in))
		return (0);
	if ((flat = json_object()) == NULL)
		return (-1);
	for (it = json_object_iter(in); it != NULL;
	    it = json_object_iter_next(in, it)) {
		v = json_object_iter_value(it);
		if (json_is_object(v) || json_is_array(v))
			continue;
		if (json_object_set(flat, json_object_iter_key(it), v) == -1) {
			json_decref(flat);
			return (-1);
		}
	}
	size = json_dumpb(flat, NULL, 0, JSON_COMPACT);
	if (size == 0 || size > DIAG_DETAILS_MAX) {
		json_decref(flat);
		return (0);
	}
	return (json_object_set_new(out, "details", flat));
}
