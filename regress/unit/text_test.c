/* SPDX-License-Identifier: ISC */
/* What may be kept and shown of other people's texts. */
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
	J("a surrogate", "{\"a\":\"\xed\xa0\x80\"}", 0)
};

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
	return (done_testing());
}
