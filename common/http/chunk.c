/* SPDX-License-Identifier: ISC */

/*
 * The framing of a chunked body (RFC 9112, section 7.1), looked at while the
 * body streams past. llhttp would do, but takes its input apart into calls and
 * is, in this part, lenient in ways that differ from build to build; a
 * disagreement about where a body ends is how requests are smuggled.
 */

#include <string.h>

#include "head.h"

#define SIZE_DIGITS	15	/* so that a size never overflows */

enum {
	CH_SIZE,		/* at or in the size */
	CH_BLANK,		/* in blanks behind it */
	CH_EXT,			/* behind ';', up to CR */
	CH_SIZE_LF,
	CH_DATA,
	CH_DATA_CR,
	CH_DATA_LF,
	CH_TRAILER,		/* at the start of a line behind the last chunk */
	CH_FIELD,		/* in such a line */
	CH_FIELD_LF,
	CH_END_LF,
	CH_DONE,
	CH_BROKEN
};

static int	chunk_size(struct httphead_chunk *, unsigned char);
static int	chunk_trailer(struct httphead_chunk *, unsigned char);
static int	chunk_framing(struct httphead_chunk *, unsigned char);

static int
is_control(unsigned char b)
{
	return ((b < 0x20 && b != '\t') || b == 0x7f);
}

static int
hex_value(unsigned char b)
{
	if (b >= '0' && b <= '9')
		return (b - '0');
	b |= 0x20;
	if (b >= 'a' && b <= 'f')
		return (b - 'a' + 10);
	return (-1);
}

static int
chunk_sized(struct httphead_chunk *c)
{
	c->line_len = 0;
	return (c->left == 0 ? CH_TRAILER : CH_DATA);
}

/* A byte of the size line; returns the next state. */
static int
chunk_size(struct httphead_chunk *c, unsigned char b)
{
	int		 v;

	if (++c->line_len > HTTPHEAD_CHUNK_LINE)
		return (CH_BROKEN);
	if (c->state == CH_SIZE && (v = hex_value(b)) != -1) {
		if (++c->digits > SIZE_DIGITS)
			return (CH_BROKEN);
		c->left = c->left << 4 | v;
		return (CH_SIZE);
	}
	if (c->digits == 0)
		return (CH_BROKEN);
	if (b == '\r')
		return (CH_SIZE_LF);
	if (b == '\n' && c->lenient) {
		c->odd = 1;
		return (chunk_sized(c));
	}
	if (c->state == CH_EXT || b == ';')
		return (is_control(b) || (b == '"' && c->no_quotes) ?
		    CH_BROKEN : CH_EXT);
	if (b != ' ' && b != '\t')
		return (CH_BROKEN);
	c->odd = 1;
	return (CH_BLANK);
}

/* A byte behind the last chunk; returns the next state. */
static int
chunk_trailer(struct httphead_chunk *c, unsigned char b)
{
	if (++c->line_len > HTTPHEAD_TRAILER_MAX)
		return (CH_BROKEN);
	if (b == '\r')
		return (c->state == CH_TRAILER ? CH_END_LF : CH_FIELD_LF);
	if (b == '\n' && c->lenient) {
		c->odd = 1;
		return (c->state == CH_TRAILER ? CH_DONE : CH_TRAILER);
	}
	if (is_control(b))
		return (CH_BROKEN);
	if (c->state == CH_TRAILER && (b == ' ' || b == '\t' || b == ':'))
		return (CH_BROKEN);
	return (CH_FIELD);
}

/* Behind the data, what ends its line; returns the next state. */
static int
chunk_next(struct httphead_chunk *c, unsigned char b)
{
	c->digits = 0;
	return (b == '\n' ? CH_SIZE : CH_BROKEN);
}

/* One byte that is not chunk data; returns the next state. */
static int
chunk_framing(struct httphead_chunk *c, unsigned char b)
{
	switch (c->state) {
	case CH_SIZE:
	case CH_BLANK:
	case CH_EXT:
		return (chunk_size(c, b));
	case CH_SIZE_LF:
		return (b == '\n' ? chunk_sized(c) : CH_BROKEN);
	case CH_DATA_CR:
		if (b == '\r')
			return (CH_DATA_LF);
		if (!c->lenient)
			return (CH_BROKEN);
		c->open |= !c->odd;
		c->odd = 1;
		return (chunk_next(c, b));
	case CH_DATA_LF:
		return (chunk_next(c, b));
	case CH_TRAILER:
	case CH_FIELD:
		return (chunk_trailer(c, b));
	case CH_FIELD_LF:
		return (b == '\n' ? CH_TRAILER : CH_BROKEN);
	case CH_END_LF:
		return (b == '\n' ? CH_DONE : CH_BROKEN);
	}
	return (CH_BROKEN);
}

/* One byte that is not chunk data. 0 or -1. */
static int
chunk_byte(struct httphead_chunk *c, unsigned char b)
{
	uint8_t		 was = c->state;

	c->state = chunk_framing(c, b);
	if (c->state == CH_BROKEN) {
		c->broken = was;
		return (-1);
	}
	c->done = c->state == CH_DONE;
	c->loose++;
	if (!c->odd && (was == CH_DATA_LF || c->state == CH_DATA || c->done))
		c->loose = 0;
	return (0);
}

int
httphead_chunk_ended(struct httphead_chunk *c)
{
	if (!c->done && c->lenient && (c->state >= CH_TRAILER ?
	    c->state < CH_DONE : c->state == CH_SIZE_LF && c->left == 0)) {
		c->odd = c->done = 1;
		c->state = CH_DONE;
	}
	return (c->done);
}

void
httphead_chunk_resume(struct httphead_chunk *to,
    const struct httphead_chunk *odd)
{
	memset(to, 0, sizeof(*to));
	to->lenient = 1;
	to->state = odd->open ? CH_DATA_CR : CH_SIZE;
}

const char *
httphead_chunk_why(const struct httphead_chunk *c)
{
	static const char *const	why[CH_BROKEN + 1] = {
		[CH_SIZE] = "what should be a size is none",
		[CH_BLANK] = "something behind a size",
		[CH_EXT] = "a control character or a quote behind a size",
		[CH_SIZE_LF] = "a CR alone behind a size",
		[CH_DATA_CR] = "a chunk is longer than its size",
		[CH_DATA_LF] = "a chunk is longer than its size",
		[CH_TRAILER] = "what should be a trailer is none",
		[CH_FIELD] = "a control character in a trailer",
		[CH_FIELD_LF] = "a CR alone in a trailer",
		[CH_END_LF] = "a CR alone in place of the end",
	};

	if (c->digits > SIZE_DIGITS)
		return ("a size has too many digits");
	if (c->line_len > HTTPHEAD_CHUNK_LINE && c->broken < CH_TRAILER)
		return ("the line of a size is too long");
	if (c->line_len > HTTPHEAD_TRAILER_MAX)
		return ("its trailers are too long");
	return (why[c->broken] != NULL ? why[c->broken] : "broken before");
}

ssize_t
httphead_chunk_next(struct httphead_chunk *c, const char *buf, size_t len,
    struct slice *data)
{
	size_t		 i = 0;

	data->s = buf;
	data->len = 0;
	while (i < len && !c->done) {
		if (c->state == CH_DATA) {
			data->s = buf + i;
			data->len = len - i < c->left ? len - i : c->left;
			c->left -= data->len;
			if (c->left == 0)
				c->state = CH_DATA_CR;
			if (c->odd)
				c->loose += data->len;
			return (i + data->len);
		}
		if (chunk_byte(c, buf[i++]) == -1)
			return (-1);
	}
	return (i);
}

/* As far as it goes; what is data to `to`, NULL: nowhere. */
static ssize_t
chunk_walk(struct httphead_chunk *c, const char *buf, size_t len, char *to,
    size_t *out)
{
	struct slice	data;
	size_t		used = 0;
	ssize_t		n;

	*out = 0;
	while (used < len && !c->done) {
		if ((n = httphead_chunk_next(c, buf + used, len - used,
		    &data)) == -1)
			return (-1);
		if (to != NULL)
			memmove(to + *out, data.s, data.len);
		*out += data.len;
		used += n;
	}
	return (used);
}

ssize_t
httphead_chunk_scan(struct httphead_chunk *c, const char *buf, size_t len)
{
	size_t	out;

	return (chunk_walk(c, buf, len, NULL, &out));
}

/*
 * Was this byte one of a trailer, its line's end included, and not of the empty
 * line behind them?
 */
static int
of_trailer(int was, int is)
{
	return (was == CH_FIELD || was == CH_FIELD_LF || is == CH_FIELD);
}

ssize_t
httphead_chunk_bare(struct httphead_chunk *c, char *buf, size_t *len)
{
	struct slice	data;
	size_t		used = 0, out = 0;
	ssize_t		n;
	int		was;

	while (used < *len && !c->done) {
		was = c->state;
		if ((n = httphead_chunk_next(c, buf + used,
		    was == CH_DATA ? *len - used : 1, &data)) == -1)
			return (-1);
		if (!of_trailer(was, c->state)) {
			if (out != used)
				memmove(buf + out, buf + used, (size_t)n);
			out += (size_t)n;
		} else
			c->loose -= (size_t)n;	/* it is not there any more */
		used += (size_t)n;
	}
	if (out != used) {
		memmove(buf + out, buf + used, *len - used);
		*len -= used - out;
	}
	return ((ssize_t)out);
}

ssize_t
httphead_chunk_strip(struct httphead_chunk *c, char *buf, size_t len,
    size_t *out)
{
	return (chunk_walk(c, buf, len, buf, out));
}
