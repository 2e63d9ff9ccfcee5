/* SPDX-License-Identifier: ISC */
/* A terminal's output as asciicast lines. */
#include <string.h>

#include "regress/lib/tap.h"
#include "termd/cast.h"

static struct cast	c;

static const char *
text(void)
{
	cast_close(&c);
	c.buf[c.len] = '\0';
	c.len = 0;
	return ((const char *)c.buf);
}

static void
out(uint64_t ms, const char *s)
{
	is_int((int)cast_output(&c, ms, (const uint8_t *)s, strlen(s)),
	    (int)strlen(s), "all is taken");
}

static void
test_lines(void)
{
	out(0, "ls\r\n");
	is_str(text(), "[0.000,\"o\",\"ls\\r\\n\"]\n", "a line");
	out(12345, "a");
	out(12999, "b");
	is_str(text(), "[12.345,\"o\",\"ab\"]\n", "what comes at once is one");
	is_int(cast_resize(&c, 61002, 80, 24), 0, "a size");
	is_str(text(), "[61.002,\"r\",\"80x24\"]\n", "is a line of its own");
	out(1, "a");
	is_int(cast_resize(&c, 2, 1, 1000), 0, "in the middle");
	out(3, "b");
	is_str(text(), "[0.001,\"o\",\"a\"]\n[0.002,\"r\",\"1x1000\"]\n"
	    "[0.003,\"o\",\"b\"]\n", "it ends the one before");
	is_str(text(), "", "nothing is nothing");
}

static void
test_escapes(void)
{
	out(0, "\"\\\b\f\t\033[0m\001\177");
	is_str(text(), "[0.000,\"o\",\"\\\"\\\\\\b\\f\\t\\u001b[0m\\u0001"
	    "\\u007f\"]\n", "controls are escaped");
	is_int((int)cast_output(&c, 0, (const uint8_t *)"\0x", 2), 2, "a NUL");
	is_str(text(), "[0.000,\"o\",\"\\u0000x\"]\n", "is one of them");
	out(0, "\xc2\x9b" "1m\xc2\x80\xc2\x9f\xc2\xa0");
	is_str(text(), "[0.000,\"o\",\"\\u009b1m\\u0080\\u009f\xc2\xa0\"]\n",
	    "so are those of two bytes");
}

#define FFFD	"\xef\xbf\xbd"

/* The tables of the Unicode Standard, 3.9, U+FFFD substitution. */
static void
test_utf8(void)
{
	static const char *const	cases[][2] = {
		{ "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
		    "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80" },
		{ "\xc0\xaf\xe0\x80\xbf\xf0\x81\x82" "A",
		    FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD "A" },
		{ "\xed\xa0\x80\xed\xbf\xbf\xed\xaf" "A",
		    FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD "A" },
		{ "\xf4\x91\x92\x93\xff" "A\x80\xbf" "B",
		    FFFD FFFD FFFD FFFD FFFD "A" FFFD FFFD "B" },
		{ "\xe1\x80\xe2\xf0\x91\x92\xf1\xbf" "A",
		    FFFD FFFD FFFD FFFD "A" },
	};
	char				want[128];
	size_t				i, k;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(want, sizeof(want), "[0.000,\"o\",\"%s\"]\n",
		    cases[i][1]);
		out(0, cases[i][0]);
		is_str(text(), want, "broken UTF-8, %zu", i);
		for (k = 0; cases[i][0][k] != '\0'; k++)
			(void)cast_output(&c, 0,
			    (const uint8_t *)&cases[i][0][k], 1);
		is_str(text(), want, "the same byte by byte");
	}
	out(0, "a\xe2\x82");
	is_str(text(), "[0.000,\"o\",\"a\"]\n", "half a character waits");
	out(5, "\xac");
	is_str(text(), "[0.005,\"o\",\"\xe2\x82\xac\"]\n", "for its end");
	out(0, "\xf0\x9f");
	(void)text();
	is_int(cast_finish(&c, 7), 0, "no more comes");
	is_str(text(), "[0.007,\"o\",\"" FFFD "\"]\n", "then it is none");
	is_int(cast_finish(&c, 8), 0, "once");
	is_str(text(), "", "only");
}

static void
test_room(void)
{
	static uint8_t	big[100000];
	size_t		n;

	memset(big, '\001', sizeof(big));
	n = cast_output(&c, UINT64_MAX, big, sizeof(big));
	ok(n > 10000 && n < 11000, "six bytes each: %zu", n);
	is_int((int)cast_output(&c, 0, big, 1), 0, "then it is full");
	cast_close(&c);
	ok(c.len <= CAST_SIZE && c.buf[c.len - 1] == '\n', "with its end");
	is_int(cast_resize(&c, 0, 1, 1), -1, "no room for a size either");
	c.len = 0;
}

int
main(void)
{
	test_lines();
	test_escapes();
	test_utf8();
	test_room();
	return (done_testing());
}
