/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "cast.h"

#define LINE_BEGIN	40	/* bytes that the beginning of a line may have */
#define LINE_END	3	/* and its end */
#define CHAR_MAX_LEN	9	/* of one input byte: two characters */

static const char	replacement[] = "\xef\xbf\xbd";	/* U+FFFD */

static int
has_room(const struct cast *c, size_t n)
{
	return (sizeof(c->buf) - c->len >= n + LINE_END);
}

static void
add(struct cast *c, const void *p, size_t n)
{
	memcpy(c->buf + c->len, p, n);
	c->len += n;
}

static void
line_begin(struct cast *c, uint64_t ms, char type)
{
	char	text[LINE_BEGIN];
	int	n;

	n = snprintf(text, sizeof(text), "[%llu.%03u,\"%c\",\"",
	    (unsigned long long)(ms / 1000), (unsigned)(ms % 1000), type);
	add(c, text, (size_t)n);
	c->open = 1;
}

void
cast_close(struct cast *c)
{
	if (c->open)
		add(c, "\"]\n", LINE_END);
	c->open = 0;
}

/* One character below U+0080. */
static void
add_ascii(struct cast *c, uint8_t b)
{
	static const char	from[] = "\"\\\n\r\t\b\f", to[] = "\"\\nrtbf";
	const char		*s;
	char			 text[8];

	if (b != '\0' && (s = strchr(from, b)) != NULL) {
		text[0] = '\\';
		text[1] = to[s - from];
		add(c, text, 2);
	} else if (b < 0x20 || b == 0x7f) {
		(void)snprintf(text, sizeof(text), "\\u%04x", b);
		add(c, text, 6);
	} else
		add(c, &b, 1);
}

/* One that is whole; the controls behind U+007F are for no terminal to see. */
static void
add_held(struct cast *c)
{
	char	text[8];

	if (c->nheld == 2 && c->held[0] == 0xc2 && c->held[1] < 0xa0) {
		(void)snprintf(text, sizeof(text), "\\u%04x", c->held[1]);
		add(c, text, 6);
	} else
		add(c, c->held, c->nheld);
	c->nheld = c->need = 0;
}

/* The first byte of a longer character: how many follow, which are allowed. */
static int
begins(struct cast *c, uint8_t b)
{
	if (b < 0xc2 || b > 0xf4)
		return (0);
	c->need = b < 0xe0 ? 1 : b < 0xf0 ? 2 : 3;
	c->low = b == 0xe0 ? 0xa0 : b == 0xf0 ? 0x90 : 0x80;
	c->high = b == 0xed ? 0x9f : b == 0xf4 ? 0x8f : 0xbf;
	c->held[0] = b;
	c->nheld = 1;
	return (1);
}

/* WHATWG Encoding, UTF-8 decoder. */
static void
add_byte(struct cast *c, uint8_t b)
{
	if (c->need > 0 && (b < c->low || b > c->high)) {
		add(c, replacement, 3);
		c->nheld = c->need = 0;
	}
	if (c->need > 0) {
		c->held[c->nheld++] = b;
		c->low = 0x80;
		c->high = 0xbf;
		if (--c->need == 0)
			add_held(c);
	} else if (b < 0x80)
		add_ascii(c, b);
	else if (!begins(c, b))
		add(c, replacement, 3);
}

size_t
cast_output(struct cast *c, uint64_t ms, const uint8_t *p, size_t n)
{
	size_t	i;

	if (n == 0)
		return (0);
	if (!c->open) {
		if (!has_room(c, LINE_BEGIN + CHAR_MAX_LEN))
			return (0);
		line_begin(c, ms, 'o');
	}
	for (i = 0; i < n && has_room(c, CHAR_MAX_LEN); i++)
		add_byte(c, p[i]);
	return (i);
}

int
cast_finish(struct cast *c, uint64_t ms)
{
	if (c->need == 0)
		return (0);
	if (!has_room(c, LINE_BEGIN + CHAR_MAX_LEN))
		return (-1);
	if (!c->open)
		line_begin(c, ms, 'o');
	add(c, replacement, 3);
	c->nheld = c->need = 0;
	return (0);
}

int
cast_resize(struct cast *c, uint64_t ms, unsigned cols, unsigned rows)
{
	char	text[32];
	int	n;

	cast_close(c);
	if (!has_room(c, LINE_BEGIN + sizeof(text)))
		return (-1);
	line_begin(c, ms, 'r');
	n = snprintf(text, sizeof(text), "%ux%u", cols, rows);
	add(c, text, (size_t)n);
	cast_close(c);
	return (0);
}
