/* SPDX-License-Identifier: ISC */
#ifndef ASCII_H
#define ASCII_H

#include <stddef.h>
#include <string.h>

/* An ASCII letter or digit, whatever the locale. 1 or 0. */
static inline int
ascii_alnum(char c)
{
	return ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9'));
}

/* Letters, digits and the characters of `more`, nothing else. 1 or 0. */
static inline int
ascii_all(const char *s, size_t len, const char *more)
{
	size_t	i;

	for (i = 0; i < len; i++)
		if (!ascii_alnum(s[i]) && (s[i] == '\0' ||
		    strchr(more, s[i]) == NULL))
			return (0);
	return (1);
}

#endif
