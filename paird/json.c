/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <string.h>

#include "json.h"

struct scan {
	const char	*p, *end;
	unsigned	 depth;
	uint8_t		 is_object[JSON_DEPTH / 8 + 1];	/* a bit a level */
};

static void
blanks(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' ||
	    *s->p == '\n' || *s->p == '\r'))
		s->p++;
}

static int
hex4(const char *p, const char *end, unsigned *v)
{
	unsigned	i, d;

	if (end - p < 4)
		return (-1);
	for (*v = 0, i = 0; i < 4; i++) {
		d = (unsigned char)p[i];
		if (d >= '0' && d <= '9')
			d -= '0';
		else if ((d | 32) >= 'a' && (d | 32) <= 'f')
			d = (d | 32) - 'a' + 10;
		else
			return (-1);
		*v = *v << 4 | d;
	}
	return (0);
}

/* Bytes of one character of UTF-8, 0: it is none (RFC 3629). */
static size_t
utf8(const uint8_t *p, size_t left)
{
	size_t	n, i;

	if (p[0] < 0x80)
		return (1);
	n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4 || left < n)
		return (0);
	for (i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return (0);
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return (0);
	return (n);
}

/* Behind a backslash. */
static int
escape(struct scan *s)
{
	unsigned	v;

	if (s->p == s->end || strchr("\"\\/bfnrtu", *s->p) == NULL ||
	    *s->p == '\0')
		return (-1);
	if (*s->p++ != 'u')
		return (0);
	if (hex4(s->p, s->end, &v) == -1)
		return (-1);
	s->p += 4;
	return (0);
}

static int
string(struct scan *s)
{
	size_t	n;

	for (s->p++; s->p < s->end; s->p += n) {
		n = 0;
		if (*s->p == '"') {
			s->p++;
			return (0);
		}
		if ((unsigned char)*s->p < 0x20)
			return (-1);
		if (*s->p == '\\') {
			s->p++;
			if (escape(s) == -1)
				return (-1);
		} else if ((n = utf8((const uint8_t *)s->p,
		    (size_t)(s->end - s->p))) == 0)
			return (-1);
	}
	return (-1);
}

static int
digits(struct scan *s)
{
	const char	*from = s->p;

	while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
		s->p++;
	return (s->p > from ? 0 : -1);
}

static int
number(struct scan *s)
{
	if (*s->p == '-')
		s->p++;
	if (s->p < s->end && *s->p == '0')
		s->p++;
	else if (digits(s) == -1)
		return (-1);
	if (s->p < s->end && *s->p == '.') {
		s->p++;
		if (digits(s) == -1)
			return (-1);
	}
	if (s->p < s->end && (*s->p | 32) == 'e') {
		s->p++;
		if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
			s->p++;
		return (digits(s));
	}
	return (0);
}

static int
word(struct scan *s, const char *w)
{
	size_t	n = strlen(w);

	if ((size_t)(s->end - s->p) < n || memcmp(s->p, w, n) != 0)
		return (-1);
	s->p += n;
	return (0);
}

static int
enter(struct scan *s, int object)
{
	uint8_t	bit;

	if (s->depth == JSON_DEPTH)
		return (-1);
	bit = (uint8_t)(1 << s->depth % 8);
	if (object)
		s->is_object[s->depth / 8] |= bit;
	else
		s->is_object[s->depth / 8] &= (uint8_t)~bit;
	s->depth++;
	s->p++;
	return (0);
}

static int
in_object(const struct scan *s)
{
	unsigned	d = s->depth - 1;

	return (s->is_object[d / 8] >> d % 8 & 1);
}

/* A member's name and its colon. */
static int
key(struct scan *s, struct json_value *name)
{
	blanks(s);
	if (s->p == s->end || *s->p != '"')
		return (-1);
	name->kind = JSON_STRING;
	name->s = s->p;
	if (string(s) == -1)
		return (-1);
	name->len = (size_t)(s->p - name->s);
	blanks(s);
	if (s->p == s->end || *s->p != ':')
		return (-1);
	s->p++;
	return (0);
}

/* What is whole in itself. -1: not what it began as. */
static int
scalar(struct scan *s, enum json_kind *kind)
{
	switch (*s->p) {
	case '"':
		*kind = JSON_STRING;
		return (string(s));
	case 't':
		*kind = JSON_BOOL;
		return (word(s, "true"));
	case 'f':
		*kind = JSON_BOOL;
		return (word(s, "false"));
	case 'n':
		*kind = JSON_NULL;
		return (word(s, "null"));
	default:
		*kind = JSON_NUMBER;
		return (number(s));
	}
}

static void
take(struct json_member *want, size_t n, const struct json_value *name,
    const struct json_value *v)
{
	char	text[32];
	long	len;
	size_t	i, units;

	if ((len = json_string(name, text, sizeof(text), &units)) == -1)
		return;
	for (i = 0; i < n; i++)
		if (strlen(want[i].name) == (size_t)len &&
		    memcmp(want[i].name, text, (size_t)len) == 0)
			want[i].value = *v;
}

/* Behind a value. 1: one more follows, 0: it was the last, -1: bad. */
static int
behind(struct scan *s)
{
	blanks(s);
	if (s->p == s->end)
		return (-1);
	if (*s->p == ',') {
		s->p++;
		return (1);
	}
	if (*s->p != (in_object(s) ? '}' : ']'))
		return (-1);
	s->p++;
	s->depth--;
	return (0);
}

/* The next value begins; 1: it was an empty or a scalar one, and is over. */
static int
begin(struct scan *s, enum json_kind *kind)
{
	int	object;

	blanks(s);
	if (s->p == s->end)
		return (-1);
	if (*s->p != '{' && *s->p != '[')
		return (scalar(s, kind) == -1 ? -1 : 1);
	object = *s->p == '{';
	*kind = object ? JSON_OBJECT : JSON_ARRAY;
	if (enter(s, object) == -1)
		return (-1);
	blanks(s);
	if (s->p < s->end && *s->p == (object ? '}' : ']')) {
		s->p++;
		s->depth--;
		return (1);
	}
	return (0);
}

int
json_read(const char *text, size_t len, struct json_value *whole,
    struct json_member *want, size_t n)
{
	struct scan		 s = { .p = text, .end = text + len };
	struct json_value	 name = { JSON_ABSENT, NULL, 0 }, any;
	struct json_value	 v = { JSON_ABSENT, NULL, 0 };
	const char		*start;
	enum json_kind		 kind = JSON_ABSENT;
	unsigned		 depth;
	int			 ended;

	blanks(&s);
	whole->s = s.p;
	do {
		blanks(&s);
		start = s.p;
		depth = s.depth;
		if ((ended = begin(&s, &kind)) == -1)
			return (-1);
		if (depth == 0)
			whole->kind = kind;
		else if (depth == 1) {
			v.s = start;
			v.kind = kind;
		}
		/* And all that it is the last of. */
		while (ended && s.depth > 0) {
			if (s.depth == 1 && in_object(&s)) {
				v.len = (size_t)(s.p - v.s);
				take(want, n, &name, &v);
			}
			if ((ended = behind(&s)) == -1)
				return (-1);
			ended = !ended;
		}
		if (s.depth > 0 && in_object(&s) &&
		    key(&s, s.depth == 1 ? &name : &any) == -1)
			return (-1);
	} while (s.depth > 0);
	whole->len = (size_t)(s.p - whole->s);
	blanks(&s);
	return (s.p == s.end ? 0 : -1);
}

static size_t
put(char *dst, unsigned c)
{
	if (c < 0x80) {
		dst[0] = (char)c;
		return (1);
	}
	if (c < 0x800) {
		dst[0] = (char)(0xc0 | c >> 6);
		dst[1] = (char)(0x80 | (c & 0x3f));
		return (2);
	}
	if (c < 0x10000) {
		dst[0] = (char)(0xe0 | c >> 12);
		dst[1] = (char)(0x80 | (c >> 6 & 0x3f));
		dst[2] = (char)(0x80 | (c & 0x3f));
		return (3);
	}
	dst[0] = (char)(0xf0 | c >> 18);
	dst[1] = (char)(0x80 | (c >> 12 & 0x3f));
	dst[2] = (char)(0x80 | (c >> 6 & 0x3f));
	dst[3] = (char)(0x80 | (c & 0x3f));
	return (4);
}

/* One escape at `p`, which json_read() has seen; how long it is. */
static size_t
unescape(const char *p, const char *end, unsigned *c)
{
	static const char	from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char		*f;
	unsigned		 low;

	if (p[1] != 'u') {
		f = strchr(from, p[1]);
		*c = (unsigned char)(f != NULL ? to[f - from] : p[1]);
		return (2);
	}
	(void)hex4(p + 2, end, c);
	if (*c < 0xd800 || *c > 0xdbff || end - p < 12 || p[6] != '\\' ||
	    p[7] != 'u' || hex4(p + 8, end, &low) == -1 || low < 0xdc00 ||
	    low > 0xdfff)
		return (6);
	*c = 0x10000 + ((*c - 0xd800) << 10) + (low - 0xdc00);
	return (12);
}

long
json_string(const struct json_value *v, char *dst, size_t size, size_t *units)
{
	const char	*p, *end;
	char		 one[4];
	size_t		 len = 0, n, step;
	unsigned	 c;

	*units = 0;
	if (v->kind != JSON_STRING)
		return (-1);
	end = v->s + v->len - 1;
	for (p = v->s + 1; p < end; p += step) {
		if (*p == '\\') {
			step = unescape(p, end, &c);
			n = put(one, c);
		} else {
			step = n = utf8((const uint8_t *)p, (size_t)(end - p));
			memcpy(one, p, n);
		}
		if (len + n > size)
			return (-1);
		memcpy(dst + len, one, n);
		len += n;
		*units += n == 4 ? 2 : 1;
	}
	return ((long)len);
}
