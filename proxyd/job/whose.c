/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/compat.h"
#include "base/uuid.h"
#include "http/upgrade.h"
#include "whose.h"

int
whose_id(const struct slice *segment, char id[UUID_SIZE])
{
	slice_unescape(segment, id, UUID_SIZE);
	if (uuid_is(id, strlen(id)))
		return (0);
	id[0] = '\0';
	return (-1);
}

void
whose_slug(const char id[UUID_SIZE], char slug[SLUG_SIZE])
{
	size_t	n = 0;

	for (; *id != '\0' && n < SLUG_SIZE - 1; id++)
		if (*id != '-')
			slug[n++] = *id;
	slug[n] = '\0';
}

/* The segment behind this beginning of a path, and the rest. 0, or -1. */
static int
segment_behind(struct slice *v, struct slice *rest, const struct slice *path,
    const char *prefix)
{
	size_t		 n = strlen(prefix);
	const char	*slash;

	if (path->len <= n || memcmp(path->s, prefix, n) != 0)
		return (-1);
	v->s = path->s + n;
	v->len = path->len - n;
	if ((slash = memchr(v->s, '/', v->len)) != NULL)
		v->len = (size_t)(slash - v->s);
	rest->s = v->s + v->len;
	rest->len = path->len - n - v->len;
	return (0);
}

/* The id of a session there. 0, or -1. */
static int
id_behind(char id[UUID_SIZE], const struct slice *path, const char *prefix)
{
	struct slice	v, rest;

	return (segment_behind(&v, &rest, path, prefix) == -1 ? -1 :
	    whose_id(&v, id));
}

/* Which made the code of a sign-in, as its address in the console says. */
static int
maker(char id[UUID_SIZE], const struct httphead *h)
{
	return (slice_eq(&h->path, "/api/sign-in") && upgrade_query_get(
	    &h->query, "member", id, MEMBER_SIZE) > 0 ? 0 : -1);
}

/* A recording is where it was made, all else where its session is. */
static int
api_behind(char id[UUID_SIZE], const struct slice *path,
    enum forward_kind *kind)
{
	struct slice	v, more, rest;

	if (segment_behind(&v, &more, path, "/api/support-sessions/") == -1 ||
	    whose_id(&v, id) == -1)
		return (-1);
	/* The call takes the name of a recording as it is. */
	if (segment_behind(&v, &rest, &more, "/recordings/") == 0 &&
	    uuid_is(v.s, v.len)) {
		memcpy(id, v.s, v.len);
		*kind = FORWARD_RECORDING;
	}
	return (0);
}

/* The same of a relay session: what of it is its name says authd. */
static int
relay_behind(char id[UUID_SIZE], const struct slice *path, const char *prefix)
{
	static const char	letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789-_";
	struct slice		v, rest;
	char			name[256];

	if (segment_behind(&v, &rest, path, prefix) == -1)
		return (-1);
	slice_unescape(&v, name, sizeof(name));
	name[strspn(name, letters)] = '\0';
	(void)strlcpy(id, name, UUID_SIZE);
	return (id[0] != '\0' ? 0 : -1);
}

int
whose(const struct conn *c, const struct httphead *h, enum route route,
    const struct route_to *to, enum forward_kind *kind, char id[UUID_SIZE])
{
	id[0] = '\0';
	*kind = FORWARD_SESSION;
	switch (route) {
	case ROUTE_PROXY:
		host_session(&to->host, id);
		return (0);
	case ROUTE_TERMINAL:
	case ROUTE_TCP:
		return (id_behind(id, &h->path, "/api/support-sessions/"));
	case ROUTE_API:
		if (c->listen_flags & LISTEN_INTERNAL)
			return (id_behind(id, &h->path, "/api/proxy/") == 0 ?
			    0 : id_behind(id, &h->path, "/api/terminal/"));
		if (api_behind(id, &h->path, kind) == 0)
			return (0);
		*kind = FORWARD_MEMBER;
		return (maker(id, h));
	case ROUTE_RELAY:
	case ROUTE_ADMIN:
		*kind = FORWARD_RELAY;
		return (relay_behind(id, &h->path, route == ROUTE_RELAY ?
		    "/relay/" : "/admin/sessions/"));
	case ROUTE_PAIR:
		*kind = FORWARD_PAIR;	/* all meet in one place */
		return (0);
	default:
		return (-1);
	}
}
