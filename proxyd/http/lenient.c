/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "hdr.h"
#include "lenient.h"

#define LENGTH_DIGITS	18

/* The head being written, and what its fields have said of the body. */
struct head {
	struct out	 o;
	size_t		 nfields;
	size_t		 field;		/* where the last one begins; 0: none */
	int		 minor;
	/* what the lengths and codings say, all of them together */
	char		 length[LENGTH_DIGITS + 1];
	unsigned int	 lengths:1, bad_length:1, two_lengths:1, chunked:1,
			 other_coding:1;
};

static char	text[HTTPHEAD_RESPONSE_MAX + 4 * HTTPHEAD_FIELDS + 1024];

static int
is_blank(char c)
{
	return (c == ' ' || c == '\t');
}

/* ---- the status line ---- */

/* Why it is none, as far as the first bytes tell; NULL: they tell nothing. */
static const char *
other_protocol(const struct slice *line)
{
	if (line->len > 1 && (line->s[0] == 0x15 || line->s[0] == 0x16) &&
	    line->s[1] == 3)
		return ("it speaks TLS: the service needs the mark for it");
	if (line->len > 4 && memcmp(line->s, "SSH-", 4) == 0)
		return ("it speaks SSH: use a terminal");
	return (NULL);
}

/*
 * The same for one that can become no status line any more: whoever talks so
 * may never end it.
 */
static const char *
no_status_line(const struct slice *line)
{
	const char	*why = other_protocol(line);

	if (why == NULL && line->len > 0 && strncasecmp(line->s, "HTTP/",
	    line->len < 5 ? line->len : 5) != 0 &&
	    memcmp(line->s, "ICY ", line->len < 4 ? line->len : 4) != 0)
		why = "it does not begin with a status line";
	return (why);
}

static int
status_line(struct head *d, const struct slice *line, const char **why)
{
	const char	*s = line->s, *end = line->s + line->len;
	size_t		 i;

	if (line->len > 8 && strncasecmp(s, "HTTP/", 5) == 0 && s[5] >= '1' &&
	    s[5] <= '9' && s[6] == '.' && s[7] >= '0' && s[7] <= '9') {
		d->minor = s[5] > '1' || s[7] > '0';
		s += 8;
	} else if (line->len > 4 && memcmp(s, "ICY ", 4) == 0)
		s += 3;
	else {
		if ((*why = other_protocol(line)) == NULL)
			*why = "it does not begin with a status line";
		return (-1);
	}
	while (s < end && is_blank(*s))
		s++;
	for (i = 0; i < 3 && s + i < end && s[i] >= '0' && s[i] <= '9'; i++)
		continue;
	if (i < 3 || s[0] == '0' || (s + 3 < end && s[3] >= '0' &&
	    s[3] <= '9')) {
		*why = "its status is no number of three digits";
		return (-1);
	}
	/* What is behind the code is for people, if anybody. */
	out_lit(&d->o, "HTTP/1.1 ");
	out_put(&d->o, s, 3);
	out_lit(&d->o, " ");
	for (s += 3; s < end && is_blank(*s); s++)
		continue;
	for (; s < end; s++)
		out_put(&d->o, (unsigned char)*s < 0x20 || *s == 0x7f ? " " :
		    s, 1);
	out_lit(&d->o, "\r\n");
	return (0);
}

/* ---- fields ---- */

static void
put_value(struct out *o, const struct slice *v)
{
	size_t	i, at = o->len;

	out_put(o, v->s, v->len);
	if (o->over)
		return;
	for (i = at; i < o->len; i++)
		if (((unsigned char)o->p[i] < 0x20 && o->p[i] != '\t') ||
		    o->p[i] == 0x7f)
			o->p[i] = ' ';
}

static void
take_length(struct head *d, struct slice v)
{
	struct slice	el;
	size_t		i;
	int		bad;

	while (slice_list_next(&v, &el)) {
		for (i = 0; i < el.len && el.s[i] >= '0' && el.s[i] <= '9'; i++)
			continue;
		bad = i == 0 || i != el.len;
		for (; !bad && el.len > 1 && *el.s == '0'; el.len--)
			el.s++;
		if (bad || el.len > LENGTH_DIGITS) {
			d->bad_length = 1;
			continue;
		}
		if (d->lengths && (strlen(d->length) != el.len ||
		    memcmp(d->length, el.s, el.len) != 0))
			d->two_lengths = 1;
		d->lengths = 1;
		memcpy(d->length, el.s, el.len);
		d->length[el.len] = '\0';
	}
}

static void
take_coding(struct head *d, struct slice v)
{
	struct slice	el;

	while (slice_list_next(&v, &el)) {
		if (slice_caseeq(&el, "chunked"))
			d->chunked = 1;
		else if (el.len > 0 && !slice_caseeq(&el, "identity"))
			d->other_coding = 1;
	}
}

/* The last field has all its lines: one that frames is not passed on. */
static void
field_end(struct head *d)
{
	struct slice	 name, value;
	const char	*colon;

	if (d->field == 0 || d->o.over)
		return;
	name.s = d->o.p + d->field;
	colon = memchr(name.s, ':', d->o.len - d->field);
	name.len = (size_t)(colon - name.s);
	value.s = colon + 1;
	value.len = (size_t)(d->o.p + d->o.len - value.s);
	slice_trim(&value);
	if (slice_caseeq(&name, "content-length"))
		take_length(d, value);
	else if (slice_caseeq(&name, "transfer-encoding"))
		take_coding(d, value);
	else {
		out_lit(&d->o, "\r\n");
		d->nfields++;
		d->field = 0;
		return;
	}
	d->o.len = d->field;
	d->field = 0;
}

static void
field_line(struct head *d, const struct slice *line)
{
	struct slice	 name, value;
	const char	*colon;

	if (is_blank(line->s[0])) {
		value = *line;
		slice_trim(&value);
		if (d->field == 0)
			return;		/* of a line that was left out */
		out_lit(&d->o, " ");
		put_value(&d->o, &value);
		return;
	}
	field_end(d);
	if ((colon = memchr(line->s, ':', line->len)) == NULL)
		return;
	name.s = line->s;
	name.len = (size_t)(colon - line->s);
	value.s = colon + 1;
	value.len = line->len - name.len - 1;
	slice_trim(&name);
	slice_trim(&value);
	if (!slice_is_token(&name))
		return;
	d->field = d->o.len;
	out_put(&d->o, name.s, name.len);
	out_lit(&d->o, ": ");
	put_value(&d->o, &value);
}

/* ---- the whole ---- */

/* The next line without its end. 0: it has not come yet. */
static int
next_line(const char *buf, size_t len, size_t *at, struct slice *line)
{
	const char	*nl = memchr(buf + *at, '\n', len - *at);

	if (nl == NULL)
		return (0);
	line->s = buf + *at;
	line->len = (size_t)(nl - line->s);
	*at += line->len + 1;
	while (line->len > 0 && line->s[line->len - 1] == '\r')
		line->len--;
	return (1);
}

/* One framing, or why not. */
static int
framing(struct head *d, const char **why)
{
	if (d->other_coding)
		*why = "it uses a transfer coding other than chunked";
	else if (d->chunked)
		out_lit(&d->o, "Transfer-Encoding: chunked\r\n");
	else if (d->two_lengths || (d->lengths && d->bad_length))
		*why = "it names two lengths";
	else if (d->lengths) {
		out_lit(&d->o, "Content-Length: ");
		out_str(&d->o, d->length);
		out_lit(&d->o, "\r\n");
	}
	out_lit(&d->o, "\r\n");
	if (d->o.over || d->nfields > HTTPHEAD_FIELDS - 1)
		*why = "its head has too many fields";
	return (*why == NULL ? 0 : -1);
}

/* As lenient_response(), the strict head in d->o. */
static int
rewrite(struct head *d, const char *buf, size_t len, size_t *used,
    const char **why)
{
	struct slice	line;
	size_t		at = 0;

	do
		if (!next_line(buf, len, &at, &line)) {
			line.s = buf + at;
			line.len = len - at;
			if (line.len > 0 && line.s[0] == '\r')
				return (0);
			*why = no_status_line(&line);
			return (*why == NULL ? 0 : -1);
		}
	while (line.len == 0);
	if (status_line(d, &line, why) == -1)
		return (-1);
	for (;;) {
		if (!next_line(buf, len, &at, &line))
			return (0);
		if (line.len == 0)
			break;
		if (memchr(line.s, '\0', line.len) != NULL) {
			*why = "its head has a NUL character";
			return (-1);
		}
		field_line(d, &line);
	}
	field_end(d);
	*used = at;
	return (framing(d, why) == -1 ? -1 : 1);
}

/* Has an empty line come that was not there the last time? */
static int
may_be_whole(struct lenient *l, const char *buf, size_t len)
{
	const char	*nl, *p;

	while ((nl = memchr(buf + l->seen, '\n', len - l->seen)) != NULL) {
		for (p = buf + l->line; *p == '\r'; p++)
			continue;
		l->line = l->seen = (size_t)(nl - buf) + 1;
		if (p == nl)
			return (1);
	}
	l->seen = len;
	return (0);
}

int
lenient_response(struct httphead *h, struct lenient *l, int method,
    const char *buf, size_t len, const char **why)
{
	struct httphead_scan	 again = { 0, 0, 0 };
	struct slice		 first = { buf, len };
	struct head		 d;
	size_t			 used = 0;
	int			 r = -1;

	*why = NULL;
	if (!l->odd)
		r = httphead_response(h, &l->scan, method, buf, len, why);
	if (r == 0 && len > 0 && buf[0] != '\r')
		return ((*why = no_status_line(&first)) == NULL ? 0 : -1);
	if (r != -1)
		return (r);
	l->odd = 1;
	memset(&d, 0, sizeof(d));
	d.o.p = text;
	d.o.cap = sizeof(text);
	*why = NULL;
	r = 0;
	if (may_be_whole(l, buf, len) || !l->begun)
		r = rewrite(&d, buf, len, &used, why);
	l->begun = d.o.len > 0 || l->begun;
	if (r == 0 && len >= HTTPHEAD_RESPONSE_MAX) {
		*why = "its head is too long";
		return (-1);
	}
	if (r != 1)
		return (r);
	if (httphead_response(h, &again, method, text, d.o.len, why) != 1)
		return (-1);
	h->head_len = used;
	h->minor = d.minor;
	h->flags &= ~(unsigned int)HTTPHEAD_KEEPALIVE;
	return (1);
}
