/* SPDX-License-Identifier: ISC */
/*
 * A document of somebody else's: it is taken if it would be with ASCII for all
 * that may be replaced, its texts are texts then, and what was good stays.
 */
#include <jansson.h>

#include "muxd/text.h"
#include "ws/ws.h"
#include "fuzz.h"

static void
text_check(const char *s, size_t len)
{
	if (strlen(s) != len || !ws_utf8((const uint8_t *)s, len))
		abort();
}

static void
value_check(json_t *v)
{
	const char	*key;
	json_t		*member;
	size_t		 i;

	if (json_is_string(v))
		text_check(json_string_value(v), json_string_length(v));
	json_array_foreach(v, i, member)
		value_check(member);
	json_object_foreach(v, key, member) {
		text_check(key, strlen(key));
		value_check(member);
	}
}

/* Without a look at where strings begin: outside it is no JSON either way. */
static json_t *
load_ascii(const char *data, size_t len)
{
	char	*s = malloc(len + 1);
	json_t	*doc;
	size_t	 i;

	if (s == NULL)
		abort();
	memcpy(s, data, len);
	s[len] = '\0';
	for (i = 0; i < len; i++) {
		if ((uint8_t)s[i] >= 0x80)
			s[i] = '?';
		if (len - i >= 6 && s[i] == '\\' && s[i + 1] == 'u' &&
		    strspn(s + i + 2, "0123456789abcdefABCDEF") >= 4)
			memcpy(s + i + 2, "0041", 4);
	}
	doc = json_loadb(s, len, 0, NULL);
	free(s);
	return (doc);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char	*s = (const char *)data;
	json_t		*doc, *good, *ascii;
	int		 no_memory;

	if (!text_json_small(s, len))
		return (0);
	doc = text_json_load(s, len, &no_memory);
	good = json_loadb(s, len, 0, NULL);
	ascii = load_ascii(s, len);
	if (no_memory || (doc == NULL) != (ascii == NULL) ||
	    (good != NULL && !json_equal(doc, good)))
		abort();
	if (doc != NULL)
		value_check(doc);
	json_decref(doc);
	json_decref(good);
	json_decref(ascii);
	return (0);
}
