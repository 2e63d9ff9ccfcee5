/* SPDX-License-Identifier: ISC */
#ifndef URLMAP_H
#define URLMAP_H

#include <stddef.h>

#include "hdr.h"
#include "host.h"
#include "origin.h"
#include "service.h"

/*
 * A service has two names: the browser says https://{label}--{slug}.{domain},
 * the service knows itself as its host, or as its target where it has none.
 * What one says of the other is translated on the way, so that the service
 * sees what it would see if the browser were beside it, and the browser stays
 * in the tunnel. Pure. operator-api.md, 7.6 and 7.9.
 */
struct urlmap {
	struct services		 services;	/* of the host's session */
	const struct service	*from;		/* who answers, or NULL */
	const struct session	*tunnel;	/* through which it does */
	const struct host	*browser;	/* label and slug */
	const struct origin_at	*at;
};

/*
 * To the service: write the URL or origin `v` as the service knows it, when it
 * names a host of this session. 1, or 0 with nothing written.
 */
int	urlmap_in(struct out *, const struct urlmap *, const struct slice *v);

/*
 * To the browser: write the value of a field, every URL in it that names a
 * service of the session turned into that service's proxy host, the rest byte
 * for byte. Where several fit, the service of this very request goes first.
 */
enum urlmap_form {
	URL_WHOLE,		/* Location, Content-Location */
	URL_REFRESH,		/* 5; url=... */
	URL_LINK,		/* <...>; rel=next, <...> */
	URL_WORDS		/* a directive of Content-Security-Policy */
};
void	urlmap_out(struct out *, const struct urlmap *, const struct slice *v,
	    enum urlmap_form);

/* What every proxy host of the session has behind its label. */
void	urlmap_put_rest(struct out *, const struct urlmap *);

/*
 * Whether this Location sends the browser to the very service that it came
 * from, but by https where we speak plain HTTP to it: it wants to be told
 * that the browser came by https. `rest` is what follows the authority.
 */
int	urlmap_wants_https(const struct urlmap *, const struct slice *location,
	    struct slice *rest);

#endif
