/* SPDX-License-Identifier: ISC */
#include <strings.h>

#include "origin.h"

/* Does the browser say by Sec-Fetch-Site that the host's own page asks? */
static int
site_is_own(const struct slice *site)
{
	return (site != NULL &&
	    (slice_eq(site, "same-origin") || slice_eq(site, "none")));
}

/* Every browser that can hold a cookie sends one of these (7.5). */
static int
is_browser(const struct httphead *h)
{
	size_t	i;

	for (i = 0; i < h->nfields; i++)
		if (httphead_is(&h->field[i], "origin") ||
		    httphead_is(&h->field[i], "referer") ||
		    (h->field[i].name.len > 10 && strncasecmp(
		    h->field[i].name.s, "sec-fetch-", 10) == 0))
			return (1);
	return (0);
}

/*
 * What another site's page makes the browser send is refused. Origin decides,
 * but for "null", which a page of the host itself says where its policy hides
 * where it is; then Sec-Fetch-Site, then Referer. A client without any of them
 * is no browser.
 */
enum origin
origin_check(const struct httphead *h, const struct host *self,
    const struct origin_at *at)
{
	const struct slice	*v, *site, *mode, *dest;
	struct slice		 url, rest;
	struct host		 whose;
	int			 plain;

	site = httphead_get(h, "sec-fetch-site");
	if ((v = httphead_get(h, "origin")) != NULL && v->len > 0 &&
	    !(slice_eq(v, "null") && site_is_own(site)))
		switch (host_origin(v, self, at, &whose)) {
		case 2:
			return (ORIGIN_OK);
		case 1:
			return (ORIGIN_SIBLING);
		default:
			return (ORIGIN_FOREIGN);
		}
	if (site_is_own(site))
		return (ORIGIN_OK);
	plain = (slice_eq(&h->method_name, "GET") ||
	    slice_eq(&h->method_name, "HEAD")) &&
	    !(h->flags & HTTPHEAD_UPGRADE);
	if (site != NULL) {
		mode = httphead_get(h, "sec-fetch-mode");
		dest = httphead_get(h, "sec-fetch-dest");
		if (plain && mode != NULL && slice_eq(mode, "navigate") &&
		    dest != NULL && slice_eq(dest, "document"))
			return (ORIGIN_OK);
	}
	v = httphead_get(h, "referer");
	if (v != NULL && host_url_origin(v, &url, &rest) == 0)
		return (host_origin(&url, self, at, &whose) > 0 ? ORIGIN_OK :
		    ORIGIN_FOREIGN);
	return ((plain && site == NULL) || !is_browser(h) ? ORIGIN_OK :
	    ORIGIN_FOREIGN);
}
