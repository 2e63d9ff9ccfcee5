/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "api/api.h"
#include "route.h"

static int
begins(const struct slice *path, const char *prefix)
{
	size_t	n = strlen(prefix);

	return (path->len >= n && memcmp(path->s, prefix, n) == 0);
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

enum probe
route_probe(const struct slice *path)
{
	return (slice_eq(path, "/health") ? PROBE_PAIRING :
	    slice_eq(path, "/healthz") ? PROBE_ALIVE :
	    slice_eq(path, "/readyz") ? PROBE_READY : PROBE_NONE);
}

/* rendezvous-protocol.md, 1. Its own 404 says what is below and wrong. */
static enum route
rendezvous(const struct slice *path, struct slice *id)
{
	if (begins(path, "/relay/")) {
		id->s = path->s + 7;
		id->len = path->len - 7;
		return (ROUTE_RELAY);
	}
	if (begins(path, "/admin/sessions/") ||
	    slice_eq(path, "/admin/sessions") || slice_eq(path, "/healthz") ||
	    slice_eq(path, "/.well-known/swsrs-config"))
		return (ROUTE_ADMIN);
	return (ROUTE_NOT_FOUND);
}

/* A listener that pairs, or where peers meet, and that does nothing else. */
static enum route
only(struct route_to *to, const struct slice *path, uint32_t listen_flags,
    const struct conf *cf)
{
	enum route	r = ROUTE_NOT_FOUND;

	if ((listen_flags & LISTEN_PAIR) && slice_eq(path, "/ws"))
		return (ROUTE_PAIR);
	if ((listen_flags & LISTEN_RELAY) && cf->relay)
		r = rendezvous(path, &to->id);
	if (r == ROUTE_ADMIN && (listen_flags & LISTEN_NO_ADMIN) &&
	    begins(path, "/admin/"))
		r = ROUTE_NOT_FOUND;
	return (r != ROUTE_NOT_FOUND || route_probe(path) == PROBE_NONE ? r :
	    ROUTE_PROBE);
}

enum route
route_find(struct route_to *to, const struct httphead *h,
    const struct slice *host, uint32_t listen_flags, const struct conf *cf)
{
	struct slice	holes[API_HOLES];

	if (listen_flags & LISTEN_ADMIN)
		return (cf->relay && rendezvous(&h->path, &to->id) ==
		    ROUTE_ADMIN ? ROUTE_ADMIN :
		    route_probe(&h->path) != PROBE_NONE ? ROUTE_PROBE :
		    ROUTE_NOT_FOUND);
	if (listen_flags & LISTEN_ONLY)
		return (only(to, &h->path, listen_flags, cf));
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
	if (cf->relay && !(listen_flags & (LISTEN_INTERNAL | LISTEN_TUNNEL)))
		switch (rendezvous(&h->path, &to->id)) {
		case ROUTE_RELAY:
			return (ROUTE_RELAY);
		case ROUTE_ADMIN:
			return ((listen_flags & LISTEN_NO_ADMIN) &&
			    begins(&h->path, "/admin/") ? ROUTE_NOT_FOUND :
			    ROUTE_ADMIN);
		default:
			break;
		}
	if ((listen_flags & LISTEN_PAIR) && slice_eq(&h->path, "/ws"))
		return (ROUTE_PAIR);
	if (route_probe(&h->path) != PROBE_NONE)
		return (ROUTE_PROBE);
	if (listen_flags & LISTEN_INTERNAL)
		return (slice_eq(&h->path, "/api/health") ? ROUTE_HEALTH :
		    begins(&h->path, "/api/proxy/") ||
		    begins(&h->path, "/api/terminal/") ? ROUTE_API :
		    ROUTE_NOT_FOUND);
	if (begins(&h->path, ROUTE_ACME_PREFIX))
		return (ROUTE_ACME);
	if (listen_flags & LISTEN_TUNNEL)
		return (ROUTE_NOT_FOUND);
	if ((h->flags & HTTPHEAD_UPGRADE) &&
	    api_fits(&h->path, ROUTE_TERMINAL_PATTERN, holes)) {
		to->id = holes[0];
		return (ROUTE_TERMINAL);
	}
	if ((h->flags & HTTPHEAD_UPGRADE) &&
	    api_fits(&h->path, ROUTE_TCP_PATTERN, holes)) {
		to->id = holes[0];
		to->service = holes[1];
		return (ROUTE_TCP);
	}
	if (begins(&h->path, "/api/") || slice_eq(&h->path, "/api"))
		return (ROUTE_API);
	if (slice_eq(&h->path, "/") || begins(&h->path, "/assets/"))
		return (ROUTE_CONSOLE);
	return (ROUTE_NOT_FOUND);
}
