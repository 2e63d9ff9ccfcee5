/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "escape.h"

#define CONTROL(c)	((c) & 0x1f)

static enum escaped
meaning(uint8_t c)
{
	return (c == '.' ? ESCAPED_LEAVE : c == CONTROL('Z') ? ESCAPED_STOP :
	    c == '?' ? ESCAPED_HELP : ESCAPED_NOT);
}

enum escaped
escape_take(struct escape *e, const uint8_t *in, size_t len, size_t *used,
    uint8_t *out, size_t *n)
{
	enum escaped	what;
	size_t		i;

	*n = 0;
	for (i = 0; i < len; i++) {
		if (e->seen) {
			e->seen = 0;
			if ((what = meaning(in[i])) != ESCAPED_NOT) {
				*used = i + 1;
				return (what);
			}
			if (in[i] != e->ch)
				out[(*n)++] = (uint8_t)e->ch;
		} else if (!e->midway && in[i] == e->ch) {
			e->seen = 1;
			continue;
		}
		out[(*n)++] = in[i];
		e->midway = in[i] != '\r' && in[i] != '\n';
	}
	*used = len;
	return (ESCAPED_NOT);
}

int
escape_parse(struct escape *e, const char *s)
{
	if (strcmp(s, "none") == 0)
		e->ch = ESCAPE_NONE;
	else if (strlen(s) == 1 && *s > ' ' && *s < 0x7f)
		e->ch = (unsigned char)*s;
	else if (strlen(s) == 2 && *s == '^' && s[1] >= '@' && s[1] <= '~')
		e->ch = CONTROL(s[1]);
	else
		return (-1);
	return (0);
}
