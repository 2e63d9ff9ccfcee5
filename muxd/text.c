/* SPDX-License-Identifier: ISC */
#include <jansson.h>

#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "ws/ws.h"

static size_t	mend(const char *, size_t, char *, int *);
static size_t	piece(const char *, size_t, const char **);
static int	escape_read(const char *, size_t, unsigned long *);

int
text_plain(const char *s, size_t len)
{
	size_t	i;

	for (i = 0; i < len; i++)
		if (s[i] <= 0x20 || s[i] >= 0x7f)
			return (0);
	return (1);
}

size_t
text_cut(const char *s, size_t len, size_t max)
{
	if (len <= max)
		return (len);
	/* s[max] is the first byte to go: it must begin a character. */
	while (max > 0 && ((unsigned char)s[max] & 0xc0) == 0x80)
		max--;
	return (max);
}

int
text_json_small(const char *s, size_t len)
{
	size_t	i, n = 0;
	int	string = 0;

	for (i = 0; i < len; i++) {
		if (s[i] == '"')
			string = !string;
		else if (string)
			i += s[i] == '\\';	/* whatever it escapes */
		else if (s[i] == ',' || s[i] == '{' || s[i] == '[')
			n++;
	}
	return (n <= JSON_VALUES_MAX);
}

json_t *
text_json_load(const char *s, size_t len, int *no_memory)
{
	json_error_t	 error = { 0 };
	json_malloc_t	 from;
	json_t		*doc;
	char		*copy = NULL;
	size_t		 n;
	int		 mended;

	n = mend(s, len, NULL, &mended);
	if (mended) {
		json_get_alloc_funcs(&from, NULL);
		if ((copy = from(n)) == NULL) {
			if (no_memory != NULL)
				*no_memory = 1;
			return (NULL);
		}
		mend(s, len, copy, &mended);
		s = copy;
		len = n;
	}
	doc = json_loadb(s, len, 0, no_memory == NULL ? NULL : &error);
	/* It has words for what is wrong, and none for what it lacks. */
	if (no_memory != NULL)
		*no_memory = doc == NULL && (error.text[0] == '\0' ||
		    json_error_code(&error) == json_error_out_of_memory);
	text_json_free(copy);
	return (doc);
}

/*
 * Copy to `to`, or only measure, if it is NULL. The length of the copy. Where
 * strings are need not be known: outside, neither what is replaced nor U+FFFD
 * is JSON.
 */
static size_t
mend(const char *s, size_t len, char *to, int *mended)
{
	const char	*from;
	size_t		 i, n, size, out = 0;

	*mended = 0;
	for (i = 0; i < len; i += n) {
		from = NULL;
		n = piece(s + i, len - i, &from);
		*mended |= from != NULL;
		size = from != NULL ? strlen(from) : n;
		if (to != NULL)
			memcpy(to + out, from != NULL ? from : s + i, size);
		out += size;
	}
	return (out);
}

/* How much is one thing, and what is to stand for it: NULL, itself. */
static size_t
piece(const char *s, size_t left, const char **instead)
{
	const uint8_t	*p = (const uint8_t *)s;
	unsigned long	 unit, low;
	size_t		 n;

	if (*s != '\\') {
		n = *p < 0x80 ? 1 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;
		if (n <= left && ws_utf8(p, n))
			return (n);
		*instead = TEXT_REPLACED;
		return (1);
	}
	if (!escape_read(s, left, &unit))	/* a second one begins none */
		return (left > 1 && s[1] == '\\' ? 2 : 1);
	if (unit >= 0xd800 && unit < 0xdc00 &&
	    escape_read(s + 6, left - 6, &low) && low >= 0xdc00 &&
	    low < 0xe000)
		return (12);
	if (unit == 0 || (unit >= 0xd800 && unit < 0xe000))
		*instead = TEXT_REPLACED;
	return (6);
}

/* Is this \uXXXX? 1 or 0. */
static int
escape_read(const char *s, size_t left, unsigned long *unit)
{
	char	hex[5] = "";

	if (left < 6 || s[0] != '\\' || s[1] != 'u')
		return (0);
	memcpy(hex, s + 2, 4);
	if (strspn(hex, "0123456789abcdefABCDEF") != 4)
		return (0);
	*unit = strtoul(hex, NULL, 16);
	return (1);
}

void
text_json_free(char *text)
{
	json_free_t	to;

	json_get_alloc_funcs(NULL, &to);
	to(text);
}
