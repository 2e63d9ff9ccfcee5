/* SPDX-License-Identifier: ISC */
#include <jansson.h>

#include "text.h"

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

void
text_json_free(char *text)
{
	json_free_t	to;

	json_get_alloc_funcs(NULL, &to);
	to(text);
}
