/* SPDX-License-Identifier: ISC */
/*
 * Documents of clients, with what no text can have in their strings.
 * tunnel-protocol.md, 4.1.
 */
#include <jansson.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "muxd/text.h"
#include "regress/lib/tap.h"

#define R	TEXT_REPLACED
#define D(what, in, out)	{ what, in, sizeof(in) - 1, out }

/* What it is when it is written again; NULL: refused. */
static const struct {
	const char	*what, *in;
	size_t		 len;
	const char	*out;
} docs[] = {
	/* What was good stays. */
	D("nothing odd", "{\"a\":[1,\"b\",null]}", "{\"a\":[1,\"b\",null]}"),
	D("UTF-8 of each length", "[\"\x7f \xc2\x80 \xdf\xbf \xe0\xa0\x80 "
	    "\xef\xbf\xbf \xf0\x90\x80\x80 \xf4\x8f\xbf\xbf\"]", "[\"\x7f "
	    "\xc2\x80 \xdf\xbf \xe0\xa0\x80 \xef\xbf\xbf \xf0\x90\x80\x80 "
	    "\xf4\x8f\xbf\xbf\"]"),
	D("around the surrogates", "[\"\xed\x9f\xbf\xee\x80\x80"
	    "\\ud7ff\\ue000\"]", "[\"\xed\x9f\xbf\xee\x80\x80"
	    "\xed\x9f\xbf\xee\x80\x80\"]"),
	D("a pair of surrogates", "[\"\\ud83d\\ude00\\uD83D\\uDE00\"]",
	    "[\"\xf0\x9f\x98\x80\xf0\x9f\x98\x80\"]"),
	D("the first pair and the last", "[\"\\ud800\\udc00\\udbff\\udfff\"]",
	    "[\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"]"),
	D("U+FFFD of its own", "[\"" R "\\ufffd\"]", "[\"" R R "\"]"),
	D("\\u0001", "[\"\\u0001\"]", "[\"\\u0001\"]"),

	/* NUL. */
	D("\\u0000", "[\"a\\u0000b\"]", "[\"a" R "b\"]"),
	D("twice", "[\"\\u0000\\u0000\"]", "[\"" R R "\"]"),
	D("in a key", "{\"a\\u0000\":1,\"b\":2}", "{\"a" R "\":1,\"b\":2}"),
	D("a backslash, and u0000", "[\"\\\\u0000\"]", "[\"\\\\u0000\"]"),
	D("a backslash, and \\u0000", "[\"\\\\\\u0000\"]", "[\"\\\\" R "\"]"),
	D("two backslashes, and u0000", "[\"\\\\\\\\u0000\"]",
	    "[\"\\\\\\\\u0000\"]"),
	D("behind a quote that is escaped", "[\"\\\"\\u0000\",\"\\\\\",1]",
	    "[\"\\\"" R "\",\"\\\\\",1]"),
	D("and a zero", "[\"\\u00000\"]", "[\"" R "0\"]"),

	/* Half a pair. */
	D("a high one", "[\"\\ud800\"]", "[\"" R "\"]"),
	D("a low one", "[\"\\udC00\"]", "[\"" R "\"]"),
	D("the last ones", "[\"\\udbff\",\"\\udfff\"]", "[\"" R "\",\"" R
	    "\"]"),
	D("a high one and a letter", "[\"\\ud83dx\\u0041\"]", "[\"" R
	    "xA\"]"),
	D("a high one and \\u0041", "[\"\\ud83d\\u0041\"]", "[\"" R "A\"]"),
	D("a high one and \\u0000", "[\"\\ud83d\\u0000\"]", "[\"" R R "\"]"),
	D("a high one and \\ue000", "[\"\\ud83d\\ue000\"]", "[\"" R
	    "\xee\x80\x80\"]"),
	D("a high one and a pair", "[\"\\ud83d\\ud83d\\ude00\"]",
	    "[\"" R "\xf0\x9f\x98\x80\"]"),
	D("a pair and a low one", "[\"\\ud83d\\ude00\\ude00\"]",
	    "[\"\xf0\x9f\x98\x80" R "\"]"),
	D("the wrong way round", "[\"\\ude00\\ud83d\"]", "[\"" R R "\"]"),
	D("a high one and a backslash before udc00", "[\"\\ud800\\\\udc00\"]",
	    "[\"" R "\\\\udc00\"]"),

	/* Bytes that are not UTF-8. */
	D("Latin-1", "[\"caf\xe9 f\xfcr\",1]", "[\"caf" R " f" R "r\",1]"),
	D("Latin-1 before the end", "[\"caf\xe9\",\"\xc3\",\"\xf0\"]",
	    "[\"caf" R "\",\"" R "\",\"" R "\"]"),
	D("in a key", "{\"\xe4\":1,\"o\":2}", "{\"" R "\":1,\"o\":2}"),
	D("before an escaped quote", "[\"\xe4\\\"\xe4\"]",
	    "[\"" R "\\\"" R "\"]"),
	D("before \\u0000", "[\"\xe4\\u0000\"]", "[\"" R R "\"]"),
	D("behind a backslash that is escaped", "[\"\\\\\xe4\"]",
	    "[\"\\\\" R "\"]"),
	D("a byte that only continues", "[\"\x80\xbf\"]", "[\"" R R "\"]"),
	D("cut characters", "[\"\xe2\x82x\xf0\x9f\x98\"]",
	    "[\"" R R "x" R R R "\"]"),
	D("a cut one before a good one", "[\"\xe2\x82\xe2\x82\xac\"]",
	    "[\"" R R "\xe2\x82\xac\"]"),
	D("overlong NUL", "[\"\xc0\x80\"]", "[\"" R R "\"]"),
	D("overlong, of each length", "[\"\xc1\xbf\",\"\xe0\x9f\xbf\","
	    "\"\xf0\x8f\xbf\xbf\"]", "[\"" R R "\",\"" R R R "\",\"" R R R R
	    "\"]"),
	D("surrogates", "[\"\xed\xa0\x80\xed\xbf\xbf\"]",
	    "[\"" R R R R R R "\"]"),
	D("a pair of them", "[\"\xed\xa0\xbd\xed\xb8\x80\"]",
	    "[\"" R R R R R R "\"]"),
	D("above U+10FFFF", "[\"\xf4\x90\x80\x80\xf5\xfe\xff\"]",
	    "[\"" R R R R R R R "\"]"),

	/* What stays refused. */
	D("nothing", "", NULL),
	D("outside of strings", "[\"\xe4\",\xe4]", NULL),
	D("UTF-8 outside", "[\"\xe4\"\xc3\xa4]", NULL),
	D("a byte order mark", "\xef\xbb\xbf[]", NULL),
	D("\\u0000 outside", "[\"\\u0000\",\\u0000]", NULL),
	D("behind the end", "[\"\xe4\"]\xe4", NULL),
	D("a NUL outside", "[\"\xe4\"]\0", NULL),
	D("a raw NUL in a string", "[\"\xe4\0\"]", NULL),
	D("a line feed in a string", "[\"\xe4\n\"]", NULL),
	D("an escape of nothing", "[\"\\\xe4\"]", NULL),
	D("\\x", "[\"\xe4\\x00\"]", NULL),
	D("no hexadecimal digits", "[\"\xe4\\u00g0\"]", NULL),
	D("too few", "[\"\xe4\\u000\"]", NULL),
	D("a capital U", "[\"\xe4\\U0000\"]", NULL),
	D("a pair cut short", "[\"\\ud800\\udc0\"]", NULL),
	D("a string without end", "[\"\xe4", NULL),
	D("cut in a character", "[\"\xe2\x82", NULL),
	D("cut behind a backslash", "[\"\xe4\\", NULL),
	D("cut in an escape", "[\"\xe4\\u", NULL),
	D("cut behind half a pair", "[\"\\ud800", NULL),
	D("cut in the other half", "[\"\\ud800\\udc0", NULL),
	D("a comma too many", "[\"\xe4\",]", NULL)
};

/*
 * From a block of exactly that length: a sanitizer sees what is read behind it.
 */
static json_t *
load(const char *in, size_t len, int *no_memory)
{
	char	*s = malloc(len + (len == 0));
	json_t	*doc;

	if (s == NULL)
		bail_out("no memory");
	memcpy(s, in, len);
	doc = text_json_load(s, len, no_memory);
	free(s);
	return (doc);
}

static void
table(void)
{
	size_t	 i;
	json_t	*doc;
	char	*out;
	int	 no_memory;

	for (i = 0; i < sizeof(docs) / sizeof(docs[0]); i++) {
		no_memory = -1;
		doc = load(docs[i].in, docs[i].len, &no_memory);
		out = doc == NULL ? NULL : json_dumps(doc, JSON_COMPACT);
		is_str(out, docs[i].out, "tunnel-30(partial): %s",
		    docs[i].what);
		if (no_memory != 0)
			ok(0, "%s: memory is not lacking", docs[i].what);
		json_decref(doc);
		text_json_free(out);
	}
}

/* An allocator that keeps books, as jansson's. */
static size_t	largest, blocks, fail_from;
static int	failing;

static void *
book_malloc(size_t n)
{
	if (failing && n >= fail_from)
		return (NULL);
	if (n > largest)
		largest = n;
	blocks++;
	return (malloc(n));
}

static void
book_free(void *p)
{
	blocks -= p != NULL;
	free(p);
}

/* A copy is no longer than it has to be, and there only if it has to be. */
static void
memory(void)
{
	const size_t	 len = 100000;
	char		*s = malloc(len);
	json_t		*doc;
	int		 no_memory;
	size_t		 i;

	if (s == NULL)
		bail_out("no memory");
	json_set_alloc_funcs(book_malloc, book_free);
	/* Many short ones: no text is as long as the copy. */
	for (i = 0; i < len; i += 10)
		memcpy(s + i, "\"\xe4\xe4\xe4\xe4\xe4\xe4\xe4\",", 10);
	s[0] = '[';
	s[1] = '"';
	s[len - 1] = ']';
	doc = load(s, len, &no_memory);
	is_int((long long)json_array_size(doc), (long long)len / 10,
	    "a long document");
	is_int((long long)largest, (long long)(len + (7 * len / 10 - 1) * 2),
	    "its copy is jansson's, who wipes, and as long as it has to be");
	json_decref(doc);
	is_int((long long)blocks, 0, "and is given back");

	failing = 1;
	fail_from = largest;
	ok(load(s, len, &no_memory) == NULL && no_memory == 1,
	    "no memory for the copy is told");
	ok(load(s, len, NULL) == NULL, "or not, if nobody asks");
	fail_from = 0;
	ok(load("[]", 2, &no_memory) == NULL && no_memory == 1,
	    "and none for what is parsed");
	failing = 0;
	largest = 0;
	memset(s, ' ', len);
	s[0] = '[';
	s[len - 1] = ']';
	doc = load(s, len, &no_memory);
	ok(doc != NULL && largest < len, "a good one is not copied");
	json_decref(doc);
	json_set_alloc_funcs(malloc, free);
	free(s);
}

int
main(void)
{
	table();
	memory();
	return (done_testing());
}
