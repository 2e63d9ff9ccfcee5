/* SPDX-License-Identifier: ISC */
/*
 * What a service says of URLs on its way to the browser, in each field's form,
 * and what a browser says on its way to the service. What names a service of
 * the session becomes its proxy host, and turned once more it stays.
 */
#include "proxyd/http/urlmap.h"
#include "fuzz.h"

#define SLUG	"0123456789abcdef0123456789abcdef"

static struct service	services[] = {
	{ .label = "web", .target = "127.0.0.1:8080" },
	{ .label = "api", .target = "10.0.0.2:443", .tls = 1 },
	{ .label = "app", .target = "[fd00::1]:80", .host = "app.lan" },
};
static const struct host	browser = { "web", SLUG };
static const struct origin_at	at = { "support.example.com", "https", 443, 0 };
static struct service *const	listed[] = { &services[0], &services[1],
    &services[2] };
static const struct urlmap	map = { { listed, 3, 3 }, NULL, NULL, &browser,
    &at };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static char	once[65536], twice[65536];
	struct out	a = { once, 0, sizeof(once), 0 };
	struct out	b = { twice, 0, sizeof(twice), 0 };
	struct slice	v, w, rest;

	if (len == 0)
		return (0);
	v.s = (const char *)data + 1;
	v.len = len - 1;
	urlmap_out(&a, &map, &v, data[0] & 3);
	if (a.over)
		return (0);
	w.s = once;
	w.len = a.len;
	urlmap_out(&b, &map, &w, data[0] & 3);
	if (!b.over && (a.len != b.len || memcmp(once, twice, a.len) != 0))
		abort();
	if ((data[0] & 3) == URL_WHOLE && (a.len != v.len ||
	    memcmp(v.s, once, a.len) != 0)) {
		/* It was one of ours: the service knows it by its own name. */
		b.len = 0;
		if (a.len > 8 && memcmp(once, "https://", 8) == 0 &&
		    !urlmap_in(&b, &map, &w))
			abort();
	}
	if (urlmap_wants_https(&map, &v, &rest) && rest.len > v.len)
		abort();
	b.len = 0;
	(void)urlmap_in(&b, &map, &v);
	return (0);
}
