/* SPDX-License-Identifier: ISC */
/*
 * Host names and Origins: whatever comes out as a proxy host prints back to
 * the name that went in, and a host's own origin is its own.
 */
#include <stdio.h>

#include "proxyd/http/host.h"
#include "fuzz.h"

#define DOMAIN	"support.example.com"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct slice	v = { (const char *)data, len }, origin, rest, own;
	struct host	h, again, whose;
	struct origin_at at = { DOMAIN, "https", 443, 0 };
	char		text[512];
	uint16_t	port, p2;

	if (host_parse(&h, &port, &v, DOMAIN) == HOST_OK) {
		snprintf(text, sizeof(text), "https://%s--%s.%s", h.label,
		    h.slug, DOMAIN);
		own.s = text;
		own.len = strlen(text);
		at.own_port = port;
		if (host_origin(&own, &h, &at, &whose) != 2 ||
		    strcmp(whose.label, h.label) != 0)
			abort();
		own.s += 8;
		own.len -= 8;
		if (host_parse(&again, &p2, &own, DOMAIN) != HOST_OK ||
		    strcmp(again.label, h.label) != 0 ||
		    strcmp(again.slug, h.slug) != 0)
			abort();
	}
	memset(&h, 0, sizeof(h));
	strcpy(h.label, "web");
	memset(h.slug, 'a', sizeof(h.slug) - 1);
	at.own_port = 0;
	(void)host_origin(&v, &h, &at, &whose);
	at.scheme = "http";
	at.port = at.own_port = 8080;
	(void)host_origin(&v, &h, &at, &whose);
	if (host_url_origin(&v, &origin, &rest) == 0 &&
	    origin.len + rest.len != len)
		abort();
	return (0);
}
