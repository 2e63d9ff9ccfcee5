/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/compat.h"
#include "usage.h"

#define WIDTH	79
#define INDENT	20	/* of what goes on */

/* The bytes of a word, or of all between a bracket and its end. */
static size_t
piece(const char *s)
{
	size_t	n;
	int	depth = 0;

	for (n = 0; s[n] != '\0' && (s[n] != ' ' || depth > 0); n++) {
		depth += s[n] == '[' ? 1 : s[n] == ']' ? -1 : 0;
		if (depth < 0)
			break;
	}
	return (n);
}

void
usage_line(FILE *f, int first, const char *name, const char *synopsis)
{
	int	col = fprintf(f, "%s relay %s", first ? "usage:" : "      ",
		    name);
	size_t	n;

	for (; *synopsis != '\0'; synopsis += n) {
		synopsis += strspn(synopsis, " ");
		n = piece(synopsis);
		if (col + 1 + (int)n > WIDTH)
			col = fprintf(f, "\n%*s", INDENT - 1, "") - 1;
		col += fprintf(f, " %.*s", (int)n, synopsis);
	}
	fputc('\n', f);
}

int
usage_option(const char **at, char option[32], char value[64])
{
	const char	*s = strstr(*at, "--");
	size_t		 n;

	if (s == NULL)
		return (0);
	n = strcspn(s, " ]");
	snprintf(option, 32, "%.*s", (int)n, s);
	s += n;
	value[0] = '\0';
	if (*s == ' ' && s[1] != '-' && strncmp(s, " [-", 3) != 0) {
		n = piece(s + 1);
		snprintf(value, 64, "%.*s", (int)n, s + 1);
	}
	*at = s;
	return (1);
}
