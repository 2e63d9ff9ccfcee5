/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "resize.h"

/* What is left to read. */
struct text {
	const uint8_t	*p, *end;
};

static void
skip_blanks(struct text *t)
{
	while (t->p < t->end && memchr(" \t\r\n", *t->p, 4) != NULL)
		t->p++;
}

/* The next character but blanks is this one, and is taken. */
static int
take(struct text *t, char c)
{
	skip_blanks(t);
	if (t->p == t->end || *t->p != (uint8_t)c)
		return (0);
	t->p++;
	return (1);
}

/* A text in quotes, as it is written: nobody needs an escape in it. */
static int
take_quoted(struct text *t, const uint8_t **s, size_t *len)
{
	const uint8_t	*end;

	if (!take(t, '"') || (end = memchr(t->p, '"',
	    (size_t)(t->end - t->p))) == NULL)
		return (0);
	*s = t->p;
	*len = (size_t)(end - t->p);
	t->p = end + 1;
	return (memchr(*s, '\\', *len) == NULL);
}

static int
is_digit(uint8_t c)
{
	return (c >= '0' && c <= '9');
}

/* A value up to what ends it: the number it is, 0: none that is a size. */
static unsigned
take_size(struct text *t)
{
	unsigned	n = 0;
	int		good = 1;

	for (; t->p < t->end && memchr(",} \t\r\n", *t->p, 6) == NULL; t->p++) {
		if (!is_digit(*t->p))
			good = 0;
		else if (n <= RESIZE_SIZE_MAX)
			n = n * 10 + (*t->p - '0');
	}
	return (!good ? 0 : n > RESIZE_SIZE_MAX ? RESIZE_SIZE_MAX : n);
}

/* One member: 0, or -1 when this is none of a flat object. */
static int
member(struct text *t, unsigned *cols, unsigned *rows)
{
	const uint8_t	*name, *value;
	size_t		 len, n;
	unsigned	 size;

	if (!take_quoted(t, &name, &len) || !take(t, ':'))
		return (-1);
	skip_blanks(t);
	if (t->p < t->end && *t->p == '"')
		return (take_quoted(t, &value, &n) ? 0 : -1);
	size = take_size(t);
	if (len == 4 && memcmp(name, "cols", len) == 0)
		*cols = size;
	else if (len == 4 && memcmp(name, "rows", len) == 0)
		*rows = size;
	return (0);
}

size_t
resize_clamp(const uint8_t *text, size_t len, char out[RESIZE_TEXT])
{
	struct text	t = { text, text + len };
	unsigned	cols = 0, rows = 0;

	if (!take(&t, '{'))
		return (0);
	do {
		if (member(&t, &cols, &rows) == -1)
			return (0);
	} while (take(&t, ','));
	if (!take(&t, '}') || cols == 0 || rows == 0)
		return (0);
	return ((size_t)snprintf(out, RESIZE_TEXT,
	    "{\"cols\":%u,\"rows\":%u}", cols, rows));
}
