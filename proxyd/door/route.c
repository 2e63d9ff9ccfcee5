/* SPDX-License-Identifier: ISC */
#include <ctype.h>
#include <string.h>

#include "imsg/msg.h"
#include "route.h"

static const struct {
	const char	*method;
	const char	*part;		/* behind the id; NULL: no id */
	int		 op;
} calls[] = {
	{ "GET",	NULL,			API_SESSION_LIST },
	{ "GET",	"",			API_SESSION_GET },
	{ "DELETE",	"",			API_SESSION_CLOSE },
	{ "GET",	"/services",		API_SERVICES },
	{ "POST",	"/proxy-token",		API_PROXY_TOKEN },
	{ "POST",	"/terminal-ticket",	API_TERMINAL_TICKET },
};

static int
begins(const struct slice *path, const char *prefix)
{
	size_t	n = strlen(prefix);

	return (path->len >= n && memcmp(path->s, prefix, n) == 0);
}

int
route_is_uuid(const struct slice *s)
{
	size_t	i;

	if (s->len != UUID_SIZE - 1)
		return (0);
	for (i = 0; i < s->len; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (s->s[i] != '-')
				return (0);
		} else if (!isxdigit((unsigned char)s->s[i]))
			return (0);
	return (1);
}

/* Split what follows ROUTE_API_PREFIX: 0 none, 1 an id, -1 another path. */
static int
api_split(const struct slice *path, struct slice *id, struct slice *part)
{
	size_t		 n = sizeof(ROUTE_API_PREFIX) - 1;
	const char	*p, *end = path->s + path->len;

	if (!begins(path, ROUTE_API_PREFIX))
		return (-1);
	p = path->s + n;
	if (p == end)
		return (0);
	if (*p != '/' || p + 1 == end)
		return (-1);
	id->s = ++p;
	while (p < end && *p != '/')
		p++;
	id->len = (size_t)(p - id->s);
	part->s = p;
	part->len = (size_t)(end - p);
	return (id->len > 0 ? 1 : -1);
}

int
route_api(const struct slice *path, const struct slice *method,
    struct slice *id)
{
	struct slice	part = { "", 0 };
	size_t		i;
	int		has, known = 0;

	if ((has = api_split(path, id, &part)) == -1)
		return (0);
	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (has != (calls[i].part != NULL) ||
		    (has && !slice_eq(&part, calls[i].part)))
			continue;
		if (slice_eq(method, calls[i].method))
			return (calls[i].op);
		known = 1;
	}
	return (known ? -1 : 0);
}

static int
is_tunnel_path(const struct slice *path, const struct conf *cf)
{
	unsigned int	i;

	for (i = 0; i < cf->n_tunnel_path; i++)
		if (slice_eq(path, cf->tunnel_path[i]))
			return (1);
	/* tunnel-protocol.md, 1.1: both by default */
	return (cf->n_tunnel_path == 0 && (slice_eq(path, "/api/tunnel") ||
	    slice_eq(path, "/support/api/tunnel")));
}

enum route
route_find(struct route_to *to, const struct httphead *h,
    const struct slice *host, uint32_t listen_flags, const struct conf *cf)
{
	struct slice	part;

	if (!(listen_flags & (LISTEN_INTERNAL | LISTEN_TUNNEL)))
		switch (host_parse(&to->host, &to->port, host,
		    cf->proxy_domain)) {
		case HOST_OK:
			return (ROUTE_PROXY);
		case HOST_BAD:
			return (ROUTE_BAD_HOST);
		case HOST_BAD_NAME:
			return (ROUTE_BAD_NAME);
		case HOST_OTHER:
			break;
		}
	if (is_tunnel_path(&h->path, cf))
		return (ROUTE_TUNNEL);
	if (listen_flags & LISTEN_INTERNAL)
		return (slice_eq(&h->path, "/api/health") ? ROUTE_HEALTH :
		    ROUTE_NOT_FOUND);
	if (listen_flags & LISTEN_TUNNEL)
		return (ROUTE_NOT_FOUND);
	if ((h->flags & HTTPHEAD_UPGRADE) &&
	    api_split(&h->path, &to->id, &part) == 1 &&
	    slice_eq(&part, "/terminal"))
		return (ROUTE_TERMINAL);
	if (begins(&h->path, "/api/") || slice_eq(&h->path, "/api"))
		return (ROUTE_API);
	return (ROUTE_NOT_FOUND);
}
