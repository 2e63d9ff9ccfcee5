/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "glob.h"

#define STEPS_MAX	100000	/* a pattern with many stars must end, too */

static int	match(const char *, const char *, const char *, unsigned *);

static char
low(char c)
{
	return (c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c);
}

/* One byte against the class at p, behind its `[`: past its end, or NULL. */
static const char *
class_match(const char *p, char c, int *fits)
{
	int	invert = *p == '^', any = 0;
	char	from, to;

	*fits = 0;
	for (p += invert; *p != ']' || !any; any = 1) {
		if (*p == '\\')
			p++;
		if ((from = low(*p)) == '\0')
			return (NULL);
		to = from;
		p++;
		if (*p == '-' && p[1] != ']') {
			p++;
			if (*p == '\\')
				p++;
			if ((to = low(*p)) == '\0')
				return (NULL);
			p++;
		}
		if (c >= from && c <= to)
			*fits = 1;
	}
	*fits ^= invert;
	return (p + 1);
}

static int
match_star(const char *p, const char *s, const char *end, unsigned *steps)
{
	while (*p == '*')
		p++;
	for (;; s++) {
		if (match(p, s, end, steps))
			return (1);
		if (s == end || *s == '/' || *steps > STEPS_MAX)
			return (0);
	}
}

static int
match(const char *p, const char *s, const char *end, unsigned *steps)
{
	int	fits;

	for (; *p != '\0'; s++) {
		if (++*steps > STEPS_MAX)
			return (0);
		if (*p == '*')
			return (match_star(p, s, end, steps));
		if (s == end)
			return (0);
		if (*p == '?') {
			fits = *s != '/';
			p++;
		} else if (*p == '[') {
			p = class_match(p + 1, low(*s), &fits);
			if (p == NULL)
				return (0);
		} else {
			if (*p == '\\' && *++p == '\0')
				return (0);
			fits = low(*p++) == low(*s);
		}
		if (!fits)
			return (0);
	}
	return (s == end);
}

int
glob_match(const char *pattern, const char *s, size_t len)
{
	unsigned	steps = 0;

	return (match(pattern, s, s + len, &steps));
}

struct slice
glob_host(const struct slice *origin)
{
	struct slice	 host = { "", 0 };
	const char	*p = memmem(origin->s, origin->len, "://", 3), *end;

	if (p == NULL || p == origin->s)
		return (host);
	host.s = p + 3;
	host.len = origin->len - (size_t)(host.s - origin->s);
	if ((end = memchr(host.s, '/', host.len)) != NULL)
		host.len = (size_t)(end - host.s);
	return (host);
}

int
glob_origin(const struct slice *origin, const char *patterns, size_t size,
    unsigned n)
{
	struct slice	 host = glob_host(origin), whole;
	const char	*p;
	unsigned	 i;

	if (host.len == 0)
		return (0);
	whole.s = origin->s;
	whole.len = (size_t)(host.s - origin->s) + host.len;
	for (i = 0; i < n; i++) {
		p = patterns + i * size;
		if (strstr(p, "://") != NULL ?
		    glob_match(p, whole.s, whole.len) :
		    glob_match(p, host.s, host.len))
			return (1);
	}
	return (0);
}
