/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "uuid.h"

#define DIGITS	"0123456789abcdef"

static int
is_dash(size_t i)
{
	return (i == 8 || i == 13 || i == 18 || i == 23);
}

int
uuid_is(const char *s, size_t len)
{
	size_t	i;

	if (len != 36)
		return (0);
	for (i = 0; i < len; i++)
		if (is_dash(i)) {
			if (s[i] != '-')
				return (0);
		} else if (s[i] == '\0' ||
		    strchr(DIGITS, s[i]) == NULL)
			return (0);
	return (1);
}

int
uuid_range(const char *begin, char first[37], char last[37])
{
	size_t	i;

	for (i = 0; i < 36; i++) {
		if (is_dash(i)) {
			first[i] = last[i] = '-';
			if (*begin == '-')
				begin++;
			continue;
		}
		first[i] = *begin != '\0' ? *begin : '0';
		last[i] = *begin != '\0' ? *begin : 'f';
		if (*begin != '\0')
			begin++;
	}
	first[i] = last[i] = '\0';
	return (*begin == '\0' && uuid_is(first, i) ? 0 : -1);
}
