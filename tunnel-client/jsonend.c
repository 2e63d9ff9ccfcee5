/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "jsonend.h"

#define DEPTH_MAX	64

int
jsonend_feed(struct jsonend *j, const uint8_t *p, size_t len, size_t *used)
{
	size_t	i;

	for (i = 0; i < len; i++) {
		if (j->in_string) {
			if (j->escaped)
				j->escaped = 0;
			else if (p[i] == '\\')
				j->escaped = 1;
			else if (p[i] == '"')
				j->in_string = 0;
			continue;
		}
		if (j->depth == 0 && p[i] != '{') {
			if (p[i] == '\0' || strchr(" \t\r\n", p[i]) == NULL)
				return (-1);
			continue;
		}
		if (p[i] == '"')
			j->in_string = 1;
		else if ((p[i] == '{' || p[i] == '[') &&
		    ++j->depth > DEPTH_MAX)
			return (-1);
		else if ((p[i] == '}' || p[i] == ']') && --j->depth == 0) {
			*used = i + 1;
			return (1);
		}
	}
	*used = len;
	return (0);
}
