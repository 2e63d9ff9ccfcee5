/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "text.h"
#include "ws/ws.h"

/* The one that begins here, of UTF-8: is it no more than what it looks like? */
static int
is_plain(const unsigned char *p)
{
	if (p[0] < 0x20 || p[0] == 0x7f)
		return (0);
	if (p[0] == 0xc2)			/* U+0080 to U+009F */
		return (p[1] >= 0xa0);
	if (p[0] == 0xe2 && p[1] == 0x80)	/* U+2028 to U+202E */
		return (p[2] < 0xa8 || p[2] > 0xae);
	if (p[0] == 0xe2 && p[1] == 0x81)	/* U+2066 to U+2069 */
		return (p[2] < 0xa6 || p[2] > 0xa9);
	return (p[0] != 0xef || p[1] != 0xbb || p[2] != 0xbf);	/* U+FEFF */
}

int
text_is_name(const char *s)
{
	const unsigned char	*p = (const unsigned char *)s;

	if (s[strspn(s, " ")] == '\0' || !ws_utf8(p, strlen(s)))
		return (0);
	for (; *p != '\0'; p++)
		if (!is_plain(p))
			return (0);
	return (1);
}

static const char *
digits(const char *p, const char *end)
{
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return (p);
}

/* RFC 8259, 6: no zeros in front, and digits on both sides of a point. */
static int
is_number(const char *p, const char *end)
{
	const char	*from;

	if (*p == '-')
		p++;
	from = p;
	p = digits(p, end);
	if (p == from || (p - from > 1 && *from == '0'))
		return (0);
	if (p < end && *p == '.') {
		from = p + 1;
		if ((p = digits(from, end)) == from)
			return (0);
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		from = p;
		if ((p = digits(p, end)) == from)
			return (0);
	}
	return (p == end);
}

/* Of what is in no string: a number, or one byte. 0: it is neither. */
static size_t
outside(const char *s, size_t len)
{
	size_t	n = 0;

	if (*s == '-' || (*s >= '0' && *s <= '9')) {
		while (n < len && s[n] != '\0' &&
		    strchr("0123456789+-.eE", s[n]) != NULL)
			n++;
		return (is_number(s, s + n) ? n : 0);
	}
	return ((unsigned char)*s >= 0x20 || *s == '\t' || *s == '\n' ||
	    *s == '\r');
}

int
text_is_json(const char *s, size_t len)
{
	size_t	i, n;
	int	quoted = 0;

	if (!ws_utf8((const uint8_t *)s, len))
		return (0);
	for (i = 0; i < len; i++) {
		if (!quoted) {
			if ((n = outside(s + i, len - i)) == 0)
				return (0);
			quoted = s[i] == '"';
			i += n - 1;
			continue;
		}
		if ((unsigned char)s[i] < 0x20 || (s[i] == '\\' &&
		    len - i > 5 && memcmp(s + i, "\\u0000", 6) == 0))
			return (0);
		if (s[i] == '"')
			quoted = 0;
		else if (s[i] == '\\')
			i++;
	}
	return (1);
}

/* Its bytes; 0: it is no UTF-8. */
static size_t
utf8_len(const unsigned char *p)
{
	size_t	i, len = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 :
		    2;

	for (i = 1; i < len; i++)
		if (p[i] == '\0')
			return (0);
	return (ws_utf8(p, len) ? len : 0);
}

static size_t
char_len(const unsigned char *p)
{
	size_t	len = utf8_len(p);

	return (len > 0 && is_plain(p) && p[0] != '\\' ? len : 0);
}

void
text_printable(char *dst, size_t size, const char *src)
{
	const unsigned char	*p = (const unsigned char *)src;
	size_t			 n = 0, len;

	for (; *p != '\0'; p += len == 0 ? 1 : len) {
		len = char_len(p);
		if (n + (len == 0 ? 4 : len) >= size)
			break;
		if (len == 0) {
			snprintf(dst + n, size - n, "\\x%02x", *p);
			n += 4;
		} else {
			memcpy(dst + n, p, len);
			n += len;
		}
	}
	dst[n] = '\0';
}

/* None that is not plain has more than three bytes. */
static unsigned
code_of(const unsigned char *p, size_t len)
{
	return (len == 1 ? p[0] : len == 2 ? (p[0] & 0x1fU) << 6 |
	    (p[1] & 0x3fU) : (p[0] & 0xfU) << 12 | (p[1] & 0x3fU) << 6 |
	    (p[2] & 0x3fU));
}

void
text_put_json(FILE *f, const char *json)
{
	const unsigned char	*p = (const unsigned char *)json;
	size_t			 len;

	for (; *p != '\0'; p += len == 0 ? 1 : len) {
		len = utf8_len(p);
		if (len == 0)
			fputs("\\ufffd", f);
		else if (is_plain(p) || *p == '\n' || *p == '\t')
			fwrite(p, 1, len, f);	/* these: between members */
		else
			fprintf(f, "\\u%04x", code_of(p, len));
	}
}
