/* SPDX-License-Identifier: ISC */
/* Parameters, by their kinds. operator-api.md, 1.2, 1.4 and 4. */
#include <cjson/cJSON.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api.h"
#include "base/compat.h"
#include "base/text.h"
#include "http/upgrade.h"

static void
bad(struct api_args *a, const char *key, const char *rule, const char *value)
{
	if (a->bad_key != NULL)
		return;
	a->bad_key = key;
	a->bad_rule = rule;
	strlcpy(a->bad_value, value, sizeof(a->bad_value));
}

static void *
place(const struct api_param *p, struct api_args *a)
{
	return ((char *)a + p->offset);
}

/* A number of the range; junk and what is out of it is the default. */
static void
take_number(const struct api_param *p, const struct slice *query,
    struct api_args *a)
{
	uint32_t	*v = place(p, a);
	char		 text[16];
	const char	*err;
	long long	 n;

	*v = p->dflt;
	if (upgrade_query_get(query, p->name, text, sizeof(text)) <= 0)
		return;
	n = strtonum(text, p->min, p->max, &err);
	if (err == NULL)
		*v = (uint32_t)n;
}

/* Of a query: what is too long is told from what cannot be decoded. */
static char	whole[HTTPHEAD_MAX];

static void
take_text(const struct api_param *p, const struct slice *query,
    struct api_args *a)
{
	char	*v = place(p, a), *text = whole;
	int	 r = upgrade_query_get(query, p->name, text, sizeof(whole));

	v[0] = '\0';
	if (r == UPGRADE_Q_BAD && p->kind != API_WORD)
		bad(a, p->name, "string", "");
	else if (r >= (int)p->size && p->kind != API_WORD)
		bad(a, p->name, "max", "");
	else if (r > 0 && r < (int)p->size)
		(void)strlcpy(v, text, p->size);
	else if (r <= 0 && p->kind == API_NEEDED)
		bad(a, p->name, "required", "");
}

static void
take_descending(const struct api_param *p, const struct slice *query,
    struct api_args *a)
{
	uint8_t	*v = place(p, a);
	char	 text[WORD_SIZE];

	*v = upgrade_query_get(query, p->name, text, sizeof(text)) > 0 &&
	    strcasecmp(text, "desc") == 0;
}

static const char *const	session_states[] = {
#define SE(NAME, name)	name,
	SESSION_STATES NULL
#undef SE
};

static const char *const	system_states[] = {
#define Y(NAME, word)	word,
	API_SYSTEM_STATES NULL
#undef Y
};

static uint32_t
status_bit(const char *const *states, const char *text)
{
	size_t	i;

	for (i = 0; states[i] != NULL; i++)
		if (strcmp(text, states[i]) == 0)
			return (1U << i);
	return (0);
}

/* The next of a repeated parameter that has a value: as upgrade_query_get(). */
static int
next_value(const char **at, const char *end, const char *name, char *text,
    size_t size)
{
	struct slice	 one;
	const char	*amp;
	int		 r = UPGRADE_Q_NONE;

	while (*at < end && (r == UPGRADE_Q_NONE || r == 0)) {
		amp = memchr(*at, '&', (size_t)(end - *at));
		one.s = *at;
		one.len = (size_t)((amp != NULL ? amp : end) - *at);
		*at = amp != NULL ? amp + 1 : end;
		r = upgrade_query_get(&one, name, text, size);
	}
	return (r == 0 ? UPGRADE_Q_NONE : r);
}

/* Every one of the query, a bit each. */
static void
take_statuses(const struct api_param *p, const struct slice *query,
    struct api_args *a)
{
	const char	*at = query->s;
	const char	*end = at != NULL ? at + query->len : NULL;
	uint32_t	*v = place(p, a), bit;
	char		 text[WORD_SIZE];
	int		 r;

	while (at != NULL && (r = next_value(&at, end, p->name, text,
	    sizeof(text))) != UPGRADE_Q_NONE) {
		bit = r > 0 ? status_bit(p->kind == API_STATUSES ?
		    session_states : system_states, text) : 0;
		if (bit == 0)
			bad(a, p->name, "oneof", r < 0 ? "" : text);
		*v |= bit;
	}
}

/* Every one of the query, a line each. */
static void
take_texts(const struct api_param *p, const struct slice *query,
    struct api_args *a)
{
	const char	*at = query->s;
	const char	*end = at != NULL ? at + query->len : NULL;
	char		*v = place(p, a);
	int		 r;

	while (at != NULL && (r = next_value(&at, end, p->name, whole,
	    sizeof(whole))) != UPGRADE_Q_NONE)
		if (r < 0 || strchr(whole, '\n') != NULL)
			bad(a, p->name, "string", "");
		else if ((v[0] != '\0' &&
		    strlcat(v, "\n", p->size) >= p->size) ||
		    strlcat(v, whole, p->size) >= p->size)
			bad(a, p->name, "max", "");
}

void
api_take_path(unsigned op, const struct slice *holes, struct api_args *a)
{
	const struct api_param	*p;
	const struct slice	*s;

	for (p = api_info(op)->params; p->name != NULL; p++) {
		if (p->place != API_PATH)
			continue;
		s = &holes[api_hole(op, p->name)];
		if (s->len < p->size && memchr(s->s, '\0', s->len) == NULL)
			memcpy(place(p, a), s->s, s->len);
	}
}

typedef void	(*query_fn)(const struct api_param *, const struct slice *,
		    struct api_args *);

void
api_take_query(unsigned op, const struct slice *query, struct api_args *a)
{
	static const query_fn	 take[] = { [API_NUMBER] = take_number,
	    [API_WORD] = take_text,
	    [API_NEEDED] = take_text,
	    [API_DESCENDING] = take_descending,
	    [API_TEXT] = take_text, [API_TEXTS] = take_texts,
	    [API_STATUSES] = take_statuses,
	    [API_SYSTEM_STATUSES] = take_statuses };
	const struct api_param	*p;

	for (p = api_info(op)->params; p->name != NULL; p++)
		if (p->place == API_QUERY)
			take[p->kind](p, query, a);
}

static void
take_name(const struct api_param *p, const cJSON *v, struct api_args *a)
{
	char	*dst = place(p, a);

	if (v == NULL || cJSON_IsNull(v) ||
	    (cJSON_IsString(v) && v->valuestring[0] == '\0'))
		bad(a, p->name, "required", "");
	else if (!cJSON_IsString(v))
		bad(a, p->name, "string", "");
	else if (!text_is_name(v->valuestring))
		bad(a, p->name, "name", "");
	else if (strlcpy(dst, v->valuestring, p->size) >= p->size) {
		dst[0] = '\0';
		bad(a, p->name, "max", "");
	}
}

static void
take_integer(const struct api_param *p, const cJSON *v, struct api_args *a)
{
	uint32_t	*dst = place(p, a);
	char		 text[WORD_SIZE];
	double		 d;

	if (!cJSON_IsNumber(v)) {
		bad(a, p->name, v == NULL ? "required" : "number",
		    v != NULL && cJSON_IsString(v) ? v->valuestring : "");
		return;
	}
	d = v->valuedouble;
	snprintf(text, sizeof(text), "%.15g", d);
	if (!(d >= p->min))
		bad(a, p->name, "min", text);
	else if (!(d <= p->max))
		bad(a, p->name, "max", text);
	else if (d != (double)(uint32_t)d)
		bad(a, p->name, "integer", text);
	else
		*dst = (uint32_t)d;
}

static void
take_given(const struct api_param *p, const cJSON *v, struct api_args *a)
{
	if (!cJSON_IsString(v))
		bad(a, p->name, "string", "");
	else if (strlcpy(place(p, a), v->valuestring, p->size) >= p->size)
		bad(a, p->name, "max", "");
}

static void
take_bool(const struct api_param *p, const cJSON *v, struct api_args *a)
{
	uint8_t	*dst = place(p, a);

	if (!cJSON_IsBool(v))
		bad(a, p->name, "boolean", "");
	*dst = cJSON_IsTrue(v) != 0;
}

/* Numbers that cannot be written again. */
static int
has_infinite(const cJSON *v)
{
	const cJSON	*o;

	if (cJSON_IsNumber(v))
		return (!isfinite(v->valuedouble));
	cJSON_ArrayForEach(o, v)
		if (has_infinite(o))
			return (1);
	return (0);
}

static void
take_object(const struct api_param *p, const cJSON *v, struct api_args *a)
{
	char	*text;

	if (!cJSON_IsObject(v) || has_infinite(v)) {
		bad(a, p->name, cJSON_IsObject(v) ? "number" : "object", "");
		return;
	}
	text = cJSON_PrintUnformatted(v);
	if (text == NULL || strlcpy(place(p, a), text, p->size) >= p->size)
		bad(a, p->name, "max", "");
	cJSON_free(text);
}

/* What a member says; one that is there twice is read in two ways. */
static const cJSON *
member(const cJSON *o, const char *name, struct api_args *a)
{
	const cJSON	*v = cJSON_GetObjectItemCaseSensitive(o, name), *w;

	for (w = v != NULL ? v->next : NULL; w != NULL; w = w->next)
		if (strcmp(w->string, name) == 0)
			bad(a, "unknown", "invalid", "");
	return (v);
}

/* A text of a service; what is missing is "" unless it is needed. */
static void
service_text(cJSON *to, const cJSON *o, const char *name, size_t size,
    int needed, struct api_args *a)
{
	const cJSON	*v = member(o, name, a);

	if ((v == NULL || cJSON_IsNull(v)) && !needed) {
		cJSON_AddStringToObject(to, name, "");
		return;
	}
	if (v == NULL || cJSON_IsNull(v) ||
	    (needed && cJSON_IsString(v) && v->valuestring[0] == '\0'))
		bad(a, name, "required", "");
	else if (!cJSON_IsString(v))
		bad(a, name, "string", "");
	else if (strlen(v->valuestring) >= size)
		bad(a, name, "max", "");
	else
		cJSON_AddStringToObject(to, name, v->valuestring);
}

static void
service_flag(cJSON *to, const cJSON *o, const char *name, struct api_args *a)
{
	const cJSON	*v = member(o, name, a);

	if (v != NULL && !cJSON_IsNull(v) && !cJSON_IsBool(v))
		bad(a, name, "boolean", "");
	cJSON_AddBoolToObject(to, name, cJSON_IsTrue(v));
}

static void
service_take(cJSON *list, const cJSON *o, struct api_args *a)
{
	cJSON	*to = cJSON_CreateObject();

	service_text(to, o, "name", SERVICE_SIZE, 1, a);
	service_text(to, o, "target", TARGET_SIZE, 1, a);
	service_text(to, o, "label", LABEL_SIZE, 0, a);
	service_flag(to, o, "tls", a);
	service_flag(to, o, "tcp", a);
	cJSON_AddItemToArray(list, to);
}

/* Written anew: so many, each with all its members and no others. */
static void
take_services(const struct api_param *p, const cJSON *v, struct api_args *a)
{
	int	 n = cJSON_GetArraySize(v);
	cJSON	*list, *o;
	char	*text;

	if (!cJSON_IsArray(v) || n < (int)p->min || n > (int)p->max) {
		bad(a, p->name, v == NULL || cJSON_IsNull(v) ? "required" :
		    !cJSON_IsArray(v) ? "array" :
		    n < (int)p->min ? "min" : "max", "");
		return;
	}
	list = cJSON_CreateArray();
	cJSON_ArrayForEach(o, v)
		service_take(list, o, a);
	text = cJSON_PrintUnformatted(list);
	if (text == NULL || strlcpy(place(p, a), text, p->size) >= p->size)
		bad(a, p->name, "max", "");
	cJSON_free(text);
	cJSON_Delete(list);
}

typedef void	(*body_fn)(const struct api_param *, const cJSON *,
		    struct api_args *);

/* One that may be missing: null is as well. */
static int
is_missing(const struct api_param *p, const cJSON *v)
{
	return ((p->kind == API_TEXT || p->kind == API_BOOL ||
	    p->kind == API_NEW_NAME || p->kind == API_OBJECT) && (v == NULL || cJSON_IsNull(v)));
}

/* One value and nothing behind it, which every reader reads alike. */
static cJSON *
body_read(const char *body, size_t len)
{
	const char	*end;
	cJSON		*doc;

	if (!text_is_json(body, len))
		return (NULL);
	doc = cJSON_ParseWithLengthOpts(body, len, &end, 0);
	while (doc != NULL && end < body + len && *end != '\0' &&
	    strchr(" \t\r\n", *end) != NULL)
		end++;
	if (doc != NULL && end < body + len) {
		cJSON_Delete(doc);
		return (NULL);
	}
	return (doc);
}

void
api_take_body(unsigned op, const char *body, size_t len, struct api_args *a)
{
	static const body_fn	 take[] = { [API_NAME] = take_name,
	    [API_NEW_NAME] = take_name,
	    [API_INTEGER] = take_integer, [API_TEXT] = take_given,
	    [API_BOOL] = take_bool, [API_OBJECT] = take_object,
	    [API_NEW_SERVICES] = take_services };
	const struct api_param	*p = api_info(op)->params;
	const cJSON		*v;
	cJSON			*doc;
	unsigned		 i = 0;

	while (p[i].name != NULL && p[i].place != API_IN_BODY)
		i++;
	if (p[i].name == NULL)
		return;
	doc = body_read(body != NULL ? body : "", len);
	if (!cJSON_IsObject(doc))
		bad(a, "unknown", "invalid", "");
	for (; p[i].name != NULL && cJSON_IsObject(doc); i++) {
		v = member(doc, p[i].name, a);
		if (p[i].place != API_IN_BODY || is_missing(&p[i], v))
			continue;
		a->given |= 1U << i;
		take[p[i].kind](&p[i], v, a);
	}
	cJSON_Delete(doc);
}
