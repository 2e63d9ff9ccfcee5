/* SPDX-License-Identifier: ISC */
/* What is typed for relay itself, and what is passed on. */
#include <string.h>

#include "relay/escape.h"
#include "regress/lib/tap.h"

static const struct {
	const char	*typed, *passed;
	enum escaped	 what;
	size_t		 used;
} rows[] = {
	{ "ls\r", "ls\r", ESCAPED_NOT, 3 },
	{ "~.", "", ESCAPED_LEAVE, 2 },
	{ "a~.", "a~.", ESCAPED_NOT, 3 },
	{ "a\r~.b", "a\r", ESCAPED_LEAVE, 4 },
	{ "a\n~?b", "a\n", ESCAPED_HELP, 4 },
	{ "\r~\032", "\r", ESCAPED_STOP, 3 },
	{ "~~", "~", ESCAPED_NOT, 2 },
	{ "~~.", "~.", ESCAPED_NOT, 3 },
	{ "~~~.", "~~.", ESCAPED_NOT, 4 },
	{ "~x", "~x", ESCAPED_NOT, 2 },
	{ "~\r~.", "~\r", ESCAPED_LEAVE, 4 },
	{ "~", "", ESCAPED_NOT, 1 },
	{ "\r\r~~\r~.", "\r\r~\r", ESCAPED_LEAVE, 7 },
};

/* In pieces of `step` bytes: all is as it is at once. */
static void
row(size_t i, size_t step)
{
	struct escape	 e = { .ch = ESCAPE_CHAR };
	const char	*in = rows[i].typed;
	uint8_t		 out[64];
	size_t		 len = strlen(in), at = 0, n, used, got = 0, part;
	enum escaped	 what = ESCAPED_NOT;

	while (at < len && what == ESCAPED_NOT) {
		part = len - at < step ? len - at : step;
		what = escape_take(&e, (const uint8_t *)in + at, part, &used,
		    out + got, &n);
		at += used;
		got += n;
	}
	out[got] = '\0';
	ok(what == rows[i].what && at == rows[i].used &&
	    strcmp((char *)out, rows[i].passed) == 0,
	    "row %zu, %zu at once", i, step);
}

int
main(void)
{
	static const char *const	bad[] = { "", "ab", " ", "\x7f", "^ab",
					    "^1", "None" };
	struct escape			e = { 0 };
	uint8_t				out[8];
	size_t				i, step, n, used;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (step = 1; step < 9; step += 3)
			row(i, step);
	ok(escape_parse(&e, "none") == 0 && e.ch == ESCAPE_NONE, "none");
	is_int(escape_take(&e, (const uint8_t *)"~.", 2, &used, out, &n),
	    ESCAPED_NOT, "then ~. is nothing");
	ok(n == 2 && memcmp(out, "~.", 2) == 0, "and is passed on");
	ok(escape_parse(&e, "^]") == 0 && e.ch == 0x1d, "^]");
	ok(escape_parse(&e, "%") == 0 && e.ch == '%', "a character");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		is_int(escape_parse(&e, bad[i]), -1, "\"%s\" is none", bad[i]);
	return (done_testing());
}
