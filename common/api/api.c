/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "api.h"
#include "base/compat.h"

#define P(name, kind, body, min, max, dflt)				\
	{ #name, API_##kind, body, offsetof(struct api_args, name),	\
	    sizeof(((struct api_args *)0)->name), min, max, dflt },
#define Q_NUMBER(name, min, max, dflt)	P(name, NUMBER, 0, min, max, dflt)
#define Q_WORD(name)			P(name, WORD, 0, 0, 0, 0)
#define Q_DESCENDING(name)		P(name, DESCENDING, 0, 0, 0, 0)
#define Q_ID(name)			P(name, ID, 0, 0, 0, 0)
#define Q_STATUSES(name)		P(name, STATUSES, 0, 0, 0, 0)
#define B_NAME(name)			P(name, NAME, 1, 0, 0, 0)
#define A(NAME, method, pattern, needs, body, word, text, ...)		\
static const struct api_param	params_##NAME[] = {			\
	__VA_ARGS__ { NULL, API_NUMBER, 0, 0, 0, 0, 0, 0 }			\
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
api_fits(const struct slice *path, const char *pattern, struct slice *id)
{
	const char	*p = path->s, *end = path->s + path->len;
	const char	*hole = strstr(pattern, "{id}");
	size_t		 n = hole != NULL ? (size_t)(hole - pattern) :
	    strlen(pattern);

	if ((size_t)(end - p) < n || memcmp(p, pattern, n) != 0)
		return (0);
	if (hole == NULL)
		return ((size_t)(end - p) == n);
	id->s = p += n;
	while (p < end && *p != '/')
		p++;
	id->len = (size_t)(p - id->s);
	hole += sizeof("{id}") - 1;
	n = strlen(hole);
	return (id->len > 0 && (size_t)(end - p) == n &&
	    memcmp(p, hole, n) == 0);
}

static int
is(const struct slice *s, const char *word)
{
	return (s->len == strlen(word) && memcmp(s->s, word, s->len) == 0);
}

int
api_match(const struct slice *path, const struct slice *method,
    struct slice *id)
{
	unsigned	op;
	int		known = 0;

	for (op = 1; op < API_OP_COUNT; op++) {
		if (!api_fits(path, infos[op].pattern, id))
			continue;
		if (is(method, infos[op].method))
			return ((int)op);
		known = 1;
	}
	return (known ? -1 : 0);
}

void
api_args_say(const struct api_args *a, struct msg_api *m)
{
#define U8(name)	m->name = a->name;
#define U32(name)	m->name = a->name;
#define STR(name, size)	m->name = a->name;
	API_ARGS
#undef U8
#undef U32
#undef STR
}

void
api_args_get(const struct msg_api *m, struct api_args *a)
{
	memset(a, 0, sizeof(*a));
#define U8(name)	a->name = m->name;
#define U32(name)	a->name = m->name;
#define STR(name, size)	strlcpy(a->name, m->name, size);
	API_ARGS
#undef U8
#undef U32
#undef STR
}
