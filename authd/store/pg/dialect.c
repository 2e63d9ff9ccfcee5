/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "base/compat.h"
#include "dialect.h"

static const struct word {
	const char	*from, *to;
} words[] = {
	{ "CROSS JOIN ", "JOIN " },	/* there it is about the order only */
	{ "INDEXED BY support_sessions_open ", "" },
	{ "ifnull(", "coalesce(" },
	{ "char(10)", "chr(10)" },
	{ "LIMIT -1 ", "" },
};

static const struct word *
word_at(const char *s)
{
	size_t	i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strncmp(s, words[i].from, strlen(words[i].from)) == 0)
			return (&words[i]);
	return (NULL);
}

int
dialect_pg(const char *sql, char *dst, size_t size)
{
	const struct word	*w;
	unsigned		 n = 0;
	size_t			 len = 0;
	int			 quoted = 0;

	while (*sql != '\0') {
		if (len + 24 > size)
			return (-1);
		if (*sql == '\'')
			quoted = !quoted;
		w = quoted ? NULL : word_at(sql);
		if (w != NULL) {
			len += strlcpy(dst + len, w->to, size - len);
			sql += strlen(w->from);
		} else if (!quoted && *sql == '?') {
			if (sql[1] >= '0' && sql[1] <= '9')
				dst[len++] = '$';
			else
				len += (size_t)snprintf(dst + len, size - len,
				    "$%u", ++n);
			sql++;
		} else {
			dst[len++] = *sql++;
		}
	}
	dst[len] = '\0';
	return (0);
}
