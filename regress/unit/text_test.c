/* SPDX-License-Identifier: ISC */
/* What may be kept and shown of other people's texts. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "regress/lib/tap.h"

static const struct {
	const char	*what, *text;
	int		 good;
} names[] = {
	{ "a word", "box", 1 },
	{ "with blanks", "the box in the cellar", 1 },
	{ "umlauts, and beyond", "K\xc3\xbc" "che \xe2\x82\xac \xf0\x9f\x98\x80",
	    1 },
	{ "nothing", "", 0 },
	{ "blanks alone", "   ", 0 },
	{ "a line feed", "a\nb", 0 },
	{ "a tab", "a\tb", 0 },
	{ "an escape sequence", "\033[31mred", 0 },
	{ "DEL", "a\x7f", 0 },
	{ "a control character of Latin 1", "a\xc2\x85" "b", 0 },
	{ "a no-break space", "a\xc2\xa0" "b", 1 },
	{ "a line separator", "a\xe2\x80\xa8" "b", 0 },
	{ "a direction turned", "a\xe2\x80\xae" "txt.exe", 0 },
	{ "an isolated direction", "a\xe2\x81\xa7" "b", 0 },
	{ "a byte order mark", "\xef\xbb\xbf" "a", 0 },
	{ "no UTF-8", "a\xff\xfe", 0 },
	{ "half a character", "a\xe2\x80", 0 }
};

#define J(what, text, good)	{ what, text, sizeof(text) - 1, good }
static const struct {
	const char	*what, *text;
	size_t		 len;
	int		 good;
} docs[] = {
	J("an object", "{\n\t\"a\": \"b\\n\\u00e4\"\r\n}", 1),
	J("nothing", "", 1),
	J("a NUL, escaped", "{\"a\":\"b\\u0000c\"}", 0),
	J("in a key", "{\"a\\u0000\":1}", 0),
	J("a backslash before u0000", "{\"a\":\"b\\\\u0000c\"}", 1),
	J("two of them, then it", "{\"a\":\"\\\\\\u0000\"}", 0),
	J("at the very end", "\"\\u0000", 0),
	J("cut short", "\"\\u000", 1),
	J("a NUL in a string", "{\"a\":\"b\0c\"}", 0),
	J("a line feed in a string", "{\"a\":\"b\nc\"}", 0),
	J("a quote that is escaped", "{\"a\":\"\\\"\n\"}", 0),
	J("no UTF-8", "{\"a\":\"\xff\xfe\"}", 0),
	J("a surrogate", "{\"a\":\"\xed\xa0\x80\"}", 0),
	J("all blanks", " \t\r\n{ \"a\"\n:\t1\r} ", 1),
	J("a NUL in front", "\0{\"a\":1}", 0),
	J("a NUL behind", "{\"a\":1}\0", 0),
	J("another control between", "{\"a\":\v1}", 0),
	J("numbers", "[0,-0,10,-1.50,0.0,1e5,1E+05,2.5e-1]", 1),
	J("a number at the end", "-12", 1),
	J("a zero in front", "[01]", 0),
	J("behind a minus", "-00", 0),
	J("no digit before the point", "[-.5]", 0),
	J("none behind it", "[1.]", 0),
	J("none in an exponent", "[1e]", 0),
	J("nor behind its sign", "[1e+]", 0),
	J("two signs", "[--1]", 0),
	J("a minus alone", "-", 0),
	J("two points", "[1.2.3]", 0),
	J("any digits in a string", "[\"01 1. -\"]", 1),
	J("behind a string", "[\"a\",01]", 0)
};

static const struct {
	const char	*what, *json, *out;
} shown[] = {
	{ "what cJSON prints", "{\n\t\"a\":\t\"b\\n\\\"\\\\\"\n}",
	    "{\n\t\"a\":\t\"b\\n\\\"\\\\\"\n}" },
	{ "letters", "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"",
	    "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"" },
	{ "controls of one byte", "\"\x1b[2J\x7f\"", "\"\\u001b[2J\\u007f\"" },
	{ "of two", "\"\xc2\x80\xc2\x9b" "2J\xc2\x9f\xc2\xa0\"",
	    "\"\\u0080\\u009b2J\\u009f\xc2\xa0\"" },
	{ "directions, a byte order mark", "\"\xe2\x80\xae\xe2\x81\xa6\xef\xbb\xbf\"",
	    "\"\\u202e\\u2066\\ufeff\"" },
	{ "no UTF-8", "\"\x9b" "2J\xe2\x80\"", "\"\\ufffd2J\\ufffd\\ufffd\"" },
	{ "half a character at the end", "\xe2\x80", "\\ufffd\\ufffd" },
};

static void
json_is(const char *json, const char *out, const char *what)
{
	char	*text = NULL;
	size_t	 len;
	FILE	*f = open_memstream(&text, &len);

	if (f == NULL)
		exit(1);
	text_put_json(f, json);
	(void)fclose(f);
	is_str(text, out, "JSON is shown: %s", what);
	free(text);
}

int
main(void)
{
	size_t	i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		is_int(text_is_name(names[i].text), names[i].good,
		    "a name: %s", names[i].what);
	for (i = 0; i < sizeof(docs) / sizeof(docs[0]); i++)
		is_int(text_is_json(docs[i].text, docs[i].len), docs[i].good,
		    "JSON: %s", docs[i].what);
	for (i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
		json_is(shown[i].json, shown[i].out, shown[i].what);
	return (done_testing());
}
