/* SPDX-License-Identifier: ISC */
#include "origin.h"

/*
 * What another site's page makes the browser send is refused. Origin decides;
 * without one Sec-Fetch-Site, then Referer; without any only GET and HEAD
 * pass.
 */
enum origin
origin_check(const struct httphead *h, const struct host *self,
    const struct origin_at *at)
{
	const struct slice	*v, *site, *mode, *dest;
	struct slice		 url, rest;
	int			 plain;

	if ((v = httphead_get(h, "origin")) != NULL && v->len > 0)
		switch (host_origin(v, self, at->domain, at->scheme, at->port,
		    at->own_port)) {
		case 2:
			return (ORIGIN_OK);
		case 1:
			return (ORIGIN_SIBLING);
		default:
			return (ORIGIN_FOREIGN);
		}
	plain = (slice_eq(&h->method_name, "GET") ||
	    slice_eq(&h->method_name, "HEAD")) &&
	    !(h->flags & HTTPHEAD_UPGRADE);
	if ((site = httphead_get(h, "sec-fetch-site")) != NULL) {
		if (slice_eq(site, "same-origin") || slice_eq(site, "none"))
			return (ORIGIN_OK);
		mode = httphead_get(h, "sec-fetch-mode");
		dest = httphead_get(h, "sec-fetch-dest");
		if (plain && mode != NULL && slice_eq(mode, "navigate") &&
		    dest != NULL && slice_eq(dest, "document"))
			return (ORIGIN_OK);
	}
	v = httphead_get(h, "referer");
	if (v != NULL && host_url_origin(v, &url, &rest) == 0)
		return (host_origin(&url, self, at->domain, at->scheme,
		    at->port, at->own_port) > 0 ? ORIGIN_OK : ORIGIN_FOREIGN);
	return (plain && site == NULL ? ORIGIN_OK : ORIGIN_FOREIGN);
}
