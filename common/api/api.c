/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "api.h"
#include "base/compat.h"

#define P(name, kind, place, min, max, dflt)				\
	{ #name, API_##kind, place, offsetof(struct api_args, name),	\
	    sizeof(((struct api_args *)0)->name), min, max, dflt },
#define Q_NUMBER(name, min, max, dflt)	P(name, NUMBER, API_QUERY, min, max, dflt)
#define Q_WORD(name)			P(name, WORD, API_QUERY, 0, 0, 0)
#define Q_DESCENDING(name)		P(name, DESCENDING, API_QUERY, 0, 0, 0)
#define Q_NEEDED(name)			P(name, NEEDED, API_QUERY, 0, 0, 0)
#define Q_STATUSES(name)		P(name, STATUSES, API_QUERY, 0, 0, 0)
#define Q_SYSTEM_STATUSES(name)		P(name, SYSTEM_STATUSES, API_QUERY, 0, 0, 0)
#define Q_TEXT(name)			P(name, TEXT, API_QUERY, 0, 0, 0)
#define Q_TEXTS(name)			P(name, TEXTS, API_QUERY, 0, 0, 0)
#define P_TEXT(name)			P(name, TEXT, API_PATH, 0, 0, 0)
#define B_NAME(name)			P(name, NAME, API_IN_BODY, 0, 0, 0)
#define B_INTEGER(name, min, max)	P(name, INTEGER, API_IN_BODY, min, max, 0)
#define B_NEW_NAME(name)		P(name, NEW_NAME, API_IN_BODY, 0, 0, 0)
#define B_TEXT(name)			P(name, TEXT, API_IN_BODY, 0, 0, 0)
#define B_BOOL(name)			P(name, BOOL, API_IN_BODY, 0, 0, 0)
#define B_OBJECT(name)			P(name, OBJECT, API_IN_BODY, 0, 0, 0)
#define B_SERVICES(name)		P(name, NEW_SERVICES, API_IN_BODY, 1, 10, 0)
#define A(NAME, method, pattern, needs, body, word, text, ...)		\
static const struct api_param	params_##NAME[] = {			\
	__VA_ARGS__ { NULL, API_NUMBER, API_QUERY, 0, 0, 0, 0, 0 }			\
};
#include "api.def"
#undef A

static const struct api_info infos[API_OP_COUNT] = {
#define A(NAME, method, pattern, needs, body, word, text, ...)		\
	[API_##NAME] = { method, pattern, NEEDS_##needs, (body), #word, text,	\
	    params_##NAME },
#include "api.def"
#undef A
};

const struct api_info *
api_info(unsigned op)
{
	return (op > API_NONE && op < API_OP_COUNT ? &infos[op] : NULL);
}

int
api_fits(const struct slice *path, const char *pattern, struct slice *holes)
{
	const char	*p = path->s, *end = path->s + path->len;

	while (*pattern != '\0') {
		if (*pattern != '{') {
			if (p == end || *p++ != *pattern++)
				return (0);
			continue;
		}
		holes->s = p;
		while (p < end && *p != '/')
			p++;
		holes->len = (size_t)(p - holes->s);
		if (holes++->len == 0)
			return (0);
		pattern = strchr(pattern, '}') + 1;
	}
	return (p == end);
}

int
api_hole(unsigned op, const char *name)
{
	const char	*p = infos[op].pattern;
	size_t		 len = strlen(name);
	int		 i;

	for (i = 0; (p = strchr(p, '{')) != NULL; i++)
		if (strncmp(++p, name, len) == 0 && p[len] == '}')
			return (i);
	return (-1);
}

static int
is(const struct slice *s, const char *word)
{
	return (s->len == strlen(word) && memcmp(s->s, word, s->len) == 0);
}

int
api_match(const struct slice *path, const struct slice *method,
    struct slice holes[API_HOLES])
{
	unsigned	op;
	int		known = 0;

	for (op = 1; op < API_OP_COUNT; op++) {
		if (!api_fits(path, infos[op].pattern, holes))
			continue;
		if (is(method, infos[op].method))
			return ((int)op);
		known = 1;
	}
	return (known ? -1 : 0);
}

void
api_allowed(const struct slice *path, char *dst, size_t size)
{
	struct slice	 holes[API_HOLES];
	const char	*method;
	unsigned	 op;

	dst[0] = '\0';
	for (op = 1; op < API_OP_COUNT; op++) {
		method = infos[op].method;
		if (!api_fits(path, infos[op].pattern, holes))
			continue;
		if (dst[0] != '\0')
			(void)strlcat(dst, ", ", size);
		(void)strlcat(dst, method, size);
		if (strcmp(method, "GET") == 0)
			(void)strlcat(dst, ", HEAD", size);
	}
}

int
api_has(unsigned op, const struct api_args *a, const char *name)
{
	const struct api_param	*p = infos[op].params;
	unsigned		 i;

	for (i = 0; p[i].name != NULL; i++)
		if (strcmp(p[i].name, name) == 0)
			return ((a->given >> i) & 1);
	return (0);
}

void
api_args_say(const struct api_args *a, struct msg_api *m)
{
#define U8(name)	m->name = a->name;
#define U32(name)	m->name = a->name;
#define STR(name, size)	m->name = a->name;
#define SECRET(name, size)	m->name = a->name;
	API_ARGS
#undef U8
#undef U32
#undef STR
#undef SECRET
}

void
api_args_get(const struct msg_api *m, struct api_args *a)
{
	memset(a, 0, sizeof(*a));
#define U8(name)	a->name = m->name;
#define U32(name)	a->name = m->name;
#define STR(name, size)	strlcpy(a->name, m->name, size);
#define SECRET(name, size)	strlcpy(a->name, m->name, size);
	API_ARGS
#undef U8
#undef U32
#undef STR
#undef SECRET
}
