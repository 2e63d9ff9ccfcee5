/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "uuid.h"

int
uuid_is(const char *s, size_t len)
{
	size_t	i;

	if (len != 36)
		return (0);
	for (i = 0; i < len; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (s[i] != '-')
				return (0);
		} else if (s[i] == '\0' ||
		    strchr("0123456789abcdef", s[i]) == NULL)
			return (0);
	return (1);
}
