/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/compat.h"
#include "host.h"

#define SLUG_LEN	(SLUG_SIZE - 1)

static int
is_slug(const char *s, size_t len)
{
	size_t	i;

	if (len != SLUG_LEN)
		return (0);
	for (i = 0; i < len; i++)
		if (!((s[i] >= '0' && s[i] <= '9') ||
		    (s[i] >= 'a' && s[i] <= 'f')))
			return (0);
	return (1);
}

/* Split "label--slug" at the first "--". */
static enum host_verdict
left_parse(struct host *h, const char *left, size_t len)
{
	const char	*sep;
	size_t		 label_len;

	sep = memmem(left, len, "--", 2);
	if (sep == NULL)
		return (HOST_BAD);
	label_len = (size_t)(sep - left);
	if (!is_slug(sep + 2, len - label_len - 2))
		return (HOST_BAD);
	if (!label_is_safe(left, label_len))
		return (HOST_BAD_NAME);
	memcpy(h->label, left, label_len);
	h->label[label_len] = '\0';
	memcpy(h->slug, sep + 2, SLUG_LEN);
	h->slug[SLUG_LEN] = '\0';
	return (HOST_OK);
}

/* Where the left part of a name under the domain ends, 0: it is not. */
static size_t
left_len(const char *name, const char *domain)
{
	size_t	len = strlen(name), dlen = strlen(domain);

	return (dlen > 0 && len > dlen + 1 && name[len - dlen - 1] == '.' &&
	    strcmp(name + len - dlen, domain) == 0 ? len - dlen - 1 : 0);
}

void
host_session(const struct host *h, char id[UUID_SIZE])
{
	const char	*s = h->slug;

	snprintf(id, UUID_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", s, s + 8,
	    s + 12, s + 16, s + 20);
}

int
host_is_under(const struct slice *value, const char *domain)
{
	char		name[HTTPHEAD_HOST_SIZE];
	uint16_t	port;

	return (httphead_split_host(value, name, &port) == 0 &&
	    left_len(name, domain) > 0);
}

enum host_verdict
host_parse(struct host *h, uint16_t *port, const struct slice *value,
    const char *domain)
{
	char		 name[HTTPHEAD_HOST_SIZE];
	const char	*dot;
	struct host	 other;
	size_t		 len;

	*port = 0;
	if (domain[0] == '\0' || value->s == NULL ||
	    httphead_split_host(value, name, port) == -1)
		return (HOST_OTHER);
	if ((len = left_len(name, domain)) > 0)
		return (left_parse(h, name, len));
	if ((dot = strchr(name, '.')) != NULL &&
	    left_parse(&other, name, (size_t)(dot - name)) == HOST_OK)
		return (HOST_BAD);
	return (HOST_OTHER);
}

int
host_url_origin(const struct slice *url, struct slice *origin,
    struct slice *rest)
{
	const char	*p, *end;

	if (url->s == NULL || (p = memmem(url->s, url->len, "://", 3)) == NULL)
		return (-1);
	end = url->s + url->len;
	/* Browsers read a backslash as a slash. */
	for (p += 3; p < end && *p != '/' && *p != '?' && *p != '#' &&
	    *p != '\\'; p++)
		continue;
	origin->s = url->s;
	origin->len = (size_t)(p - url->s);
	rest->s = p;
	rest->len = (size_t)(end - p);
	return (0);
}

int
host_origin(const struct slice *origin, const struct host *self,
    const struct origin_at *at, struct host *whose)
{
	struct slice	authority;
	uint16_t	got, dflt = strcmp(at->scheme, "https") == 0 ? 443 : 80;
	size_t		slen = strlen(at->scheme);
	int		same;

	if (origin->len <= slen + 3 ||
	    strncasecmp(origin->s, at->scheme, slen) != 0 ||
	    memcmp(origin->s + slen, "://", 3) != 0)
		return (0);
	authority.s = origin->s + slen + 3;
	authority.len = origin->len - slen - 3;
	if (host_parse(whose, &got, &authority, at->domain) != HOST_OK ||
	    strcmp(whose->slug, self->slug) != 0)
		return (0);
	if (got == 0)
		got = dflt;
	same = strcmp(whose->label, self->label) == 0;
	if (got == at->port)
		return (same ? 2 : 1);
	return (same && got == (at->own_port != 0 ? at->own_port : dflt) ? 2 :
	    0);
}
