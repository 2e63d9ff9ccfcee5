/* SPDX-License-Identifier: ISC */
/* First lines, terminal frames, the end of a JSON object. */
#include <stdio.h>

#include "tunnel-client/firstline.h"
#include "tunnel-client/jsonend.h"
#include "tunnel-client/termframe.h"
#include "regress/lib/tap.h"

/* Feed a text in pieces of `step` bytes; what feed said last, bytes used. */
static int
feed(struct firstline *l, const char *s, size_t len, size_t step, size_t *used)
{
	size_t	i, n, u;
	int	r = 0;

	memset(l, 0, sizeof(*l));
	for (i = *used = 0; i < len && r == 0; i += n) {
		n = len - i < step ? len - i : step;
		r = firstline_feed(l, (const uint8_t *)s + i, n, &u);
		*used += u;
	}
	return (r);
}

static void
kind_is(const char *line, size_t len, enum firstline_kind want,
    const char *rest_want)
{
	struct firstline	l = { .len = 0 };
	const char		*rest = "";
	size_t			 used;

	(void)feed(&l, line, len, len, &used);
	is_int(firstline_kind(&l, &rest), want, "kind of \"%.*s\"",
	    (int)strcspn(line, "\n"), line);
	if (rest_want != NULL)
		is_str(rest, rest_want, "and the rest");
}

static void
first_lines(void)
{
	struct firstline	l;
	static char		text[FIRSTLINE_MAX + 8];
	size_t			used, step;

	for (step = 1; step <= 20; step += 6) {
		is_int(feed(&l, "CONNECT web\nPAYLOAD", 19, step, &used), 1,
		    "a line in pieces of %zu", step);
		ok(used == 12 && strcmp(l.text, "CONNECT web") == 0,
		    "not a byte more");
	}
	is_int(feed(&l, "CONNECT w", 9, 3, &used), 0, "incomplete");
	is_int(used, 9, "all used");
	memset(text, 'x', sizeof(text));
	text[FIRSTLINE_MAX] = '\n';
	is_int(feed(&l, text, FIRSTLINE_MAX + 1, 2000, &used), 1,
	    "tunnel-42(partial): 1024 bytes and a newline");
	is_int(used, FIRSTLINE_MAX + 1, "all of it used");
	is_int(feed(&l, text, FIRSTLINE_MAX + 1, 1, &used), 1,
	    "the same byte by byte");
	is_int(feed(&l, text, FIRSTLINE_MAX, 2000, &used), 0,
	    "1024 bytes, the newline to come");
	text[FIRSTLINE_MAX] = 'x';
	text[FIRSTLINE_MAX + 1] = '\n';
	is_int(feed(&l, text, FIRSTLINE_MAX + 2, 2000, &used), -1,
	    "tunnel-42(partial): 1025 bytes");
	is_int(feed(&l, text, FIRSTLINE_MAX + 2, 1, &used), -1,
	    "the same byte by byte");
	is_int(feed(&l, text, FIRSTLINE_MAX + 1, 2000, &used), -1,
	    "1025 without newline");

	kind_is("CONNECT web\n", 12, LINE_CONNECT, "web");
	kind_is("CONNECT a b\n", 12, LINE_CONNECT, "a b");
	kind_is("CONNECT terminal\n", 17, LINE_TERMINAL, NULL);
	kind_is("CONNECT terminals\n", 18, LINE_CONNECT, "terminals");
	kind_is("COMMAND 1\n", 10, LINE_COMMAND, "1");
	kind_is("COMMAND \n", 9, LINE_COMMAND, "");
	kind_is("CONNECT \n", 9, LINE_BAD, NULL);
	kind_is("CONNECT\n", 8, LINE_BAD, NULL);
	kind_is("connect web\n", 12, LINE_BAD, NULL);
	kind_is("CONNECT a\0b\n", 12, LINE_BAD, NULL);
	kind_is("\n", 1, LINE_BAD, NULL);
}

/* Run bytes through the frames in pieces; data as text, resizes counted. */
static int
frames(struct termframe *f, const uint8_t *p, size_t len, size_t step,
    char *out, int *resizes)
{
	size_t		 i, n, used, data_len;
	const uint8_t	*data;

	memset(f, 0, sizeof(*f));
	*out = '\0';
	*resizes = 0;
	for (i = 0; i < len; i += used) {
		n = len - i < step ? len - i : step;
		switch (termframe_next(f, p + i, n, &used, &data,
		    &data_len)) {
		case TERMFRAME_BAD:
			return (-1);
		case TERMFRAME_DATA:
			strncat(out, (const char *)data, data_len);
			break;
		case TERMFRAME_RESIZED:
			(*resizes)++;
			break;
		case TERMFRAME_MORE:
			break;
		}
	}
	return (0);
}

static void
terminal_frames(void)
{
	static const uint8_t	story[] = "\0\0\0\4\0ls\r"
	    "\0\0\0\0"
	    "\0\0\0\26\1{\"cols\":80,\"rows\":24}"
	    "\0\0\0\3\2xx" "\0\0\0\1\0" "\0\0\0\1\1" "\0\0\0\2\377x"
	    "\0\0\0\2\0q";
	static const uint8_t	hello[] = { 0, 0, 0, 4, 0 };
	struct termframe	f;
	uint8_t			h[TERM_HEADER];
	char			out[64];
	int			resizes, bad = 0;
	size_t			step;

	for (step = 1; step <= sizeof(story); step++)
		bad += frames(&f, story, sizeof(story) - 1, step, out,
		    &resizes) != 0 || strcmp(out, "ls\rq") != 0 ||
		    resizes != 1 || f.cols != 80 || f.rows != 24;
	is_int(bad, 0, "tunnel-43(partial): frames in pieces of any size");
	is_int(frames(&f, (const uint8_t *)"\0\20\0\0\0", 5, 5, out,
	    &resizes), 0, "a frame of 1 MiB begins");
	is_int(frames(&f, (const uint8_t *)"\0\20\0\1\0", 5, 5, out,
	    &resizes), -1, "tunnel-43(partial): one of 1 MiB + 1 does not");
	is_int(frames(&f, (const uint8_t *)"\377\377\377\377", 4, 1, out,
	    &resizes), -1, "nor one of 4 GiB");
	(void)frames(&f, (const uint8_t *)
	    "\0\0\0\30\1{\"cols\":65616,\"rows\":1}", 28, 28, out, &resizes);
	is_int(f.cols, 1000, "too many columns are 1000, and do not wrap");
	(void)frames(&f, (const uint8_t *)"\0\0\0\25\1{\"cols\":0,\"rows\":24}",
	    25, 25, out, &resizes);
	is_int(resizes, 0, "no columns: ignored");
	termframe_header(h, 3);
	is_mem(h, hello, sizeof(hello), "a header of ours");
}

static void
json_ends(void)
{
	static const struct {
		const char	*text;
		int		 r;
		size_t		 used;
	} v[] = { { "{}", 1, 2 }, { " \n{}x", 1, 4 }, { "{\"a\":{}}z", 1, 8 },
	    { "{\"a\":\"}\"}z", 1, 9 }, { "{\"a\":\"\\\"}\"}z", 1, 11 },
	    { "{\"a\":[{},{}]}", 1, 13 }, { "{", 0, 1 }, { "{\"}", 0, 3 },
	    { "", 0, 0 }, { "[]", -1, 0 }, { "x{}", -1, 0 },
	    { "\"{}\"", -1, 0 } };
	struct jsonend	j;
	uint8_t		deep[80];
	size_t		i, k, used, sum;
	int		r;

	for (i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		memset(&j, 0, sizeof(j));
		r = jsonend_feed(&j, (const uint8_t *)v[i].text,
		    strlen(v[i].text), &used);
		ok(r == v[i].r && (r == -1 || used == v[i].used),
		    "end of object %zu", i + 1);
		memset(&j, 0, sizeof(j));
		for (k = sum = 0, r = 0; k < strlen(v[i].text) && r == 0;
		    k++, sum += used)
			r = jsonend_feed(&j, (const uint8_t *)v[i].text + k,
			    1, &used);
		ok(r == v[i].r && (r == -1 || sum == v[i].used),
		    "byte by byte");
	}
	memset(deep, '{', sizeof(deep));
	memset(&j, 0, sizeof(j));
	is_int(jsonend_feed(&j, deep, 64, &used), 0, "64 braces deep");
	is_int(jsonend_feed(&j, deep, 1, &used), -1, "not deeper");
}

int
main(void)
{
	first_lines();
	terminal_frames();
	json_ends();
	return (done_testing());
}
