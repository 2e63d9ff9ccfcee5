/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "request.h"

static const struct {
	const char		*path;
	enum request_what	 what;
} paths[] = {
	{ "/metrics", REQUEST_METRICS },
	{ "/health", REQUEST_HEALTH },
	{ "/healthz", REQUEST_HEALTH },
	{ "/readyz", REQUEST_READY },
};

/* The next part of `rest` up to `end`, blanks cut off; 0 behind the last. */
static int
part_next(struct slice *rest, char end, struct slice *part)
{
	const char	*s;

	if (rest->s == NULL)
		return (0);
	*part = *rest;
	if ((s = memchr(rest->s, end, rest->len)) != NULL) {
		part->len = (size_t)(s - rest->s);
		rest->len -= part->len + 1;
		rest->s = s + 1;
	} else
		rest->s = NULL;
	slice_trim(part);
	return (1);
}

/* A weight in thousandths: "0.5" is 500; what is none counts as 1. */
static int
weight(const struct slice *v)
{
	int	q = 0, scale = 1000;
	size_t	i;

	for (i = 0; i < v->len && i < 5; i++) {
		if (v->s[i] == '.')
			continue;
		if (v->s[i] < '0' || v->s[i] > '9')
			return (1000);
		q += (v->s[i] - '0') * scale;
		scale /= 10;
	}
	return (q);
}

/*
 * A media range: its weight if it is `type`, of the version if that is named.
 */
static int
range_weight(struct slice range, const char *type, const char *version)
{
	struct slice	part, value;
	int		q = 1000;

	if (!part_next(&range, ';', &part) || !slice_caseeq(&part, type))
		return (-1);
	while (part_next(&range, ';', &part)) {
		value = part;
		(void)part_next(&value, '=', &part);
		if (value.s == NULL)
			continue;
		slice_trim(&value);
		if (slice_caseeq(&part, "q"))
			q = weight(&value);
		else if (slice_caseeq(&part, "version") && version != NULL &&
		    !slice_eq(&value, version))
			return (-1);
	}
	return (q);
}

int
request_accepts(const struct slice *accept)
{
	struct slice	list, range;
	int		open = 0, text = 0, q;

	if (accept == NULL)
		return (0);
	list = *accept;
	while (slice_list_next(&list, &range)) {
		q = range_weight(range, "application/openmetrics-text",
		    "1.0.0");
		if (q > open)
			open = q;
		q = range_weight(range, "text/plain", NULL);
		if (q > text)
			text = q;
	}
	return (open > 0 && open >= text);
}

enum request_what
request_read(struct request *r)
{
	struct httphead	h;
	const char	*why;
	size_t		i;
	int		status, n;

	n = httphead_request_max(&h, &r->scan, sizeof(r->buf) - 1, r->buf,
	    r->len, &status, &why);
	if (n == 0)
		return (r->len < sizeof(r->buf) ? REQUEST_INCOMPLETE :
		    REQUEST_TOO_LONG);
	if (n == -1)
		return (status == 431 || status == 414 ? REQUEST_TOO_LONG :
		    REQUEST_BAD);
	r->is_head = slice_eq(&h.method_name, "HEAD");
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (slice_eq(&h.path, paths[i].path))
			break;
	if (i == sizeof(paths) / sizeof(paths[0]))
		return (REQUEST_NOT_FOUND);
	if (!r->is_head && !slice_eq(&h.method_name, "GET"))
		return (REQUEST_METHOD);
	if (paths[i].what == REQUEST_METRICS &&
	    request_accepts(httphead_get(&h, "Accept")))
		return (REQUEST_OPENMETRICS);
	return (paths[i].what);
}
