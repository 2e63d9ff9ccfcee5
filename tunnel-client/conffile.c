/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "conffile.h"
#include "base/compat.h"

#define BLANKS	" \t"
#define WORD	"abcdefghijklmnopqrstuvwxyz0123456789-"

static const char	*quoted(char *, char **);
static void		 bare(char *);

void
conffile_begin(struct conffile *f, char *text)
{
	f->at = text;
	f->line = 0;
}

/* The value in quotes, in place; NULL or what is wrong. */
static const char *
quoted(char *s, char **rest)
{
	char	*out = s, *in = s + 1;

	for (; *in != '"'; in++) {
		if (*in == '\\' && (in[1] == '"' || in[1] == '\\'))
			in++;
		if (*in == '\0')
			return ("a quote is not closed");
		*out++ = *in;
	}
	*rest = in + 1;
	*out = '\0';
	return (NULL);
}

/* Cut a comment off, and blanks at the end. */
static void
bare(char *s)
{
	char	*p = s;

	while ((p = strchr(p, '#')) != NULL && p != s &&
	    strchr(BLANKS, p[-1]) == NULL)
		p++;
	if (p == NULL)
		p = s + strlen(s);
	while (p > s && strchr(BLANKS, p[-1]) != NULL)
		p--;
	*p = '\0';
}

static const char *
control_check(const char *s)
{
	for (; *s != '\0'; s++)
		if (((unsigned char)*s < ' ' && *s != '\t') || *s == 0x7f)
			return ("has a control character");
	return (NULL);
}

static const char *
line_parse(char *s, char **word, char **value)
{
	const char	*why;
	char		*p, *rest;
	int		 equals;

	*word = s;
	p = s + strspn(s, WORD);
	if (p == s || (*p != '\0' && strchr(BLANKS "=#", *p) == NULL))
		return ("a word expected, then its value");
	rest = p + strspn(p, BLANKS);
	if ((equals = *rest == '='))
		rest += 1 + strspn(rest + 1, BLANKS);
	*p = '\0';
	*value = rest;
	if (*rest == '"') {
		if ((why = quoted(rest, &p)) != NULL)
			return (why);
		p += strspn(p, BLANKS);
		return (*p == '\0' || *p == '#' ? NULL :
		    "something stands behind the quotes");
	}
	bare(rest);
	if (*rest == '\0' && !equals)
		*value = NULL;
	return (NULL);
}

int
conffile_next(struct conffile *f, char **word, char **value, const char **why)
{
	char	*s;
	size_t	 len;

	while ((s = strsep(&f->at, "\n")) != NULL) {
		f->line++;
		len = strlen(s);
		if (len > 0 && s[len - 1] == '\r')
			s[len - 1] = '\0';
		s += strspn(s, BLANKS);
		if (*s == '\0' || *s == '#')
			continue;
		if ((*why = control_check(s)) == NULL)
			*why = line_parse(s, word, value);
		return (*why == NULL ? 1 : -1);
	}
	return (0);
}
