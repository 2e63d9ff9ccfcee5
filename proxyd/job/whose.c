/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/uuid.h"
#include "http/upgrade.h"
#include "whose.h"

/* The id of a session behind this beginning of a path. 0, or -1. */
static int
id_behind(char id[UUID_SIZE], const struct slice *path, const char *prefix)
{
	size_t	n = strlen(prefix), len = UUID_SIZE - 1;

	if (path->len < n + len || memcmp(path->s, prefix, n) != 0 ||
	    (path->len > n + len && path->s[n + len] != '/') ||
	    !uuid_is(path->s + n, len))
		return (-1);
	memcpy(id, path->s + n, len);
	id[len] = '\0';
	return (0);
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
	static const char	more[] = "/recordings/";
	const size_t		n = sizeof("/api/support-sessions/") - 1 +
				    UUID_SIZE - 1;
	struct slice		rest;

	if (id_behind(id, path, "/api/support-sessions/") == -1)
		return (-1);
	rest.s = path->s + n;
	rest.len = path->len - n;
	if (rest.len > sizeof(more) - 1 && id_behind(id, &rest, more) == 0)
		*kind = FORWARD_RECORDING;
	return (0);
}

/* The same of a relay session: what of it is its name says authd. */
static int
relay_behind(char id[UUID_SIZE], const struct slice *path, const char *prefix)
{
	static const char	letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789-_";
	size_t			n = strlen(prefix), len = 0;

	if (path->len < n || memcmp(path->s, prefix, n) != 0)
		return (-1);
	while (n + len < path->len && len < UUID_SIZE - 1 &&
	    path->s[n + len] != '\0' &&
	    strchr(letters, path->s[n + len]) != NULL) {
		id[len] = path->s[n + len];
		len++;
	}
	id[len] = '\0';
	return (len > 0 ? 0 : -1);
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
