/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "firstline.h"

int
firstline_feed(struct firstline *l, const uint8_t *p, size_t len, size_t *used)
{
	size_t		 room = FIRSTLINE_MAX - l->len, n;
	const uint8_t	*nl;

	nl = memchr(p, '\n', len < room + 1 ? len : room + 1);
	n = nl == NULL ? len : (size_t)(nl - p);
	*used = nl == NULL ? n : n + 1;
	if (n > room) {
		*used = 0;
		return (-1);
	}
	memcpy(l->text + l->len, p, n);
	l->len += n;
	l->text[l->len] = '\0';
	return (nl != NULL);
}

enum firstline_kind
firstline_kind(struct firstline *l, const char **rest)
{
	static const char	connect[] = "CONNECT ", command[] = "COMMAND ";

	if (l->len != strlen(l->text))
		return (LINE_BAD);
	if (strncmp(l->text, command, sizeof(command) - 1) == 0) {
		*rest = l->text + sizeof(command) - 1;
		return (LINE_COMMAND);
	}
	if (strncmp(l->text, connect, sizeof(connect) - 1) != 0)
		return (LINE_BAD);
	*rest = l->text + sizeof(connect) - 1;
	if (**rest == '\0')
		return (LINE_BAD);
	return (strcmp(*rest, "terminal") == 0 ? LINE_TERMINAL : LINE_CONNECT);
}
