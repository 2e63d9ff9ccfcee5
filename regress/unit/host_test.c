/* SPDX-License-Identifier: ISC */
#include <sodium.h>

#include "base/addr.h"
#include "proxyd/http/host.h"
#include "base/label.h"
#include "regress/lib/tap.h"

#define SLUG	"0f8b1c2d3e4f5061728394a5b6c7d8e9"
#define DOMAIN	"support.example.com"

static struct slice
slice(const char *s)
{
	struct slice	v = { s, strlen(s) };

	return (v);
}

static void
hosts(void)
{
	struct slice	v;
	struct host	h;
	uint16_t	port;

	v = slice("Cluster-Admin--" SLUG "." DOMAIN ".:8443");
	is_int(host_parse(&h, &port, &v, DOMAIN), HOST_OK,
	    "operator-28: case, dot and port do not matter");
	is_str(h.label, "cluster-admin", "the label");
	is_str(h.slug, SLUG, "the slug");
	is_int(port, 8443, "the port");
	v = slice("a--b--" SLUG "." DOMAIN);
	is_int(host_parse(&h, &port, &v, DOMAIN), HOST_BAD,
	    "operator-28: split at the first --");
	v = slice("a." DOMAIN);
	is_int(host_parse(&h, &port, &v, DOMAIN), HOST_BAD, "no slug");
	v = slice("a_--" SLUG "." DOMAIN);
	is_int(host_parse(&h, &port, &v, DOMAIN), HOST_BAD_NAME, "bad label");
	v = slice("a123456789012345678901234567890--" SLUG "." DOMAIN);
	is_int(host_parse(&h, &port, &v, DOMAIN), HOST_BAD_NAME,
	    "a label of 31");
	v = slice("a--" SLUG "." DOMAIN);
	is_int(host_parse(&h, &port, &v, ""), HOST_OTHER, "no domain set");
	v = slice("a--" SLUG ".other");
	is_int(host_parse(&h, &port, &v, DOMAIN), HOST_BAD,
	    "operator-28: a foreign domain");
	v = slice("[::1]:80");
	is_int(host_parse(&h, &port, &v, DOMAIN), HOST_OTHER, "an address");
}

static void
origins(void)
{
	struct host	self = { "web", SLUG };
	static const struct {
		const char	*origin, *scheme;
		uint16_t	 port, own;
		int		 want;
	} t[] = {
		{ "https://web--" SLUG "." DOMAIN, "https", 443, 0, 2 },
		{ "https://web--" SLUG "." DOMAIN ":443", "https", 443, 0, 2 },
		{ "HTTPS://WEB--" SLUG "." DOMAIN, "https", 443, 0, 2 },
		{ "https://api--" SLUG "." DOMAIN, "https", 443, 0, 1 },
		{ "https://api--" SLUG "." DOMAIN ":444", "https", 443, 444,
		    0 },
		{ "https://web--" SLUG "." DOMAIN ":444", "https", 443, 444,
		    2 },
		{ "http://web--" SLUG "." DOMAIN, "https", 443, 0, 0 },
		{ "http://web--" SLUG "." DOMAIN ":8080", "http", 8080, 8080,
		    2 },
		{ "http://api--" SLUG "." DOMAIN ":8080", "http", 8080, 0, 1 },
		{ "http://web--" SLUG "." DOMAIN, "http", 8080, 0, 2 },
		{ "http://api--" SLUG "." DOMAIN, "http", 8080, 0, 0 },
		{ "https://web--11111111222233334444555555555555." DOMAIN,
		    "https", 443, 0, 0 },
		{ "https://web--" SLUG "." DOMAIN ".evil", "https", 443, 0, 0 },
		{ "https://" DOMAIN, "https", 443, 0, 0 },
		{ "https://u@web--" SLUG "." DOMAIN, "https", 443, 0, 0 },
		{ "null", "https", 443, 0, 0 },
		{ "https://", "https", 443, 0, 0 },
	};
	struct origin_at	at = { DOMAIN, NULL, 0, 0 };
	struct slice		v, o, rest;
	struct host		whose;
	size_t			i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		v = slice(t[i].origin);
		at.scheme = t[i].scheme;
		at.port = t[i].port;
		at.own_port = t[i].own;
		is_int(host_origin(&v, &self, &at, &whose), t[i].want,
		    "origin %s", t[i].origin);
	}
	v = slice("https://api--" SLUG "." DOMAIN);
	at.scheme = "https";
	at.port = 443;
	(void)host_origin(&v, &self, &at, &whose);
	is_str(whose.label, "api", "whose it is");
	v = slice("https://a:1/p?q");
	ok(host_url_origin(&v, &o, &rest) == 0 && o.len == 11 &&
	    rest.len == 4, "a Referer's origin");
	v = slice("https://a?x");
	ok(host_url_origin(&v, &o, &rest) == 0 && o.len == 9, "without a path");
	v = slice("about:blank");
	is_int(host_url_origin(&v, &o, &rest), -1, "no origin");
}

static void
labels(void)
{
	static const char *const	names[] = { "web", "a", "cluster-admin",
	    "my.service.example", "UPPER", "a--b", "-x", "x-", "",
	    "abcdefghijklmnopqrstuvwxyz0123456789abcd" };
	char				label[LABEL_DNS_SIZE],
					other[LABEL_DNS_SIZE];
	size_t				i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		label_of_service(names[i], label);
		ok(label_is_safe(label, strlen(label)),
		    "operator-29(partial): %s becomes %s", names[i], label);
	}
	label_of_service("abcdefghijklmnopqrstuvwxyz0123456789abcd", label);
	label_of_service("abcdefghijklmnopqrstuvwxyz0123456789abce", other);
	ok(strcmp(label, other) != 0 && strlen(label) == 29,
	    "operator-29(partial): 40 characters: an alias of its own");
	label_of_service("web", label);
	is_str(label, "web", "a safe name is its own label");
	ok(!label_is_safe("a.b", 3) && !label_is_safe("A", 1) &&
	    !label_is_safe("a--b", 4) && !label_is_safe("a-", 2),
	    "what is not safe");
}

static void
addresses(void)
{
	struct addr	a;
	struct addr_net	n;
	char		k1[ADDR_SIZE], k2[ADDR_SIZE], text[ADDR_SIZE];

	is_int(addr_parse(&a, "192.0.2.7", 9), 0, "IPv4");
	addr_print(&a, text);
	is_str(text, "192.0.2.7", "printed as IPv4");
	addr_key(&a, k1);
	is_int(addr_parse(&a, "::ffff:192.0.2.7", 16), 0, "mapped");
	addr_key(&a, k2);
	is_str(k1, k2, "mapped is IPv4");
	(void)addr_parse(&a, "2001:db8::1", 11);
	addr_key(&a, k1);
	(void)addr_parse(&a, "2001:db8::ffff:1", 16);
	addr_key(&a, k2);
	is_str(k1, k2, "IPv6 counts by /64");
	(void)addr_parse(&a, "2001:db8:0:1::1", 15);
	addr_key(&a, k2);
	ok(strcmp(k1, k2) != 0, "the next /64 is another");
	is_int(addr_parse(&a, "1.2.3", 5), -1, "no address");
	is_int(addr_parse(&a, "", 0), -1, "nothing");
	addr_print(&a, text);
	is_str(text, "2001:db8:0:1::1", "and the old one is left alone");
	is_int(addr_net_parse(&n, "10.0.0.0/33"), -1, "/33");
	is_int(addr_net_parse(&n, "10.0.0.0/x"), -1, "/x");
	is_int(addr_net_parse(&n, "10.1.0.0/15"), 0, "/15");
	(void)addr_parse(&a, "10.0.255.255", 12);
	ok(addr_in(&a, &n, 1), "inside");
	(void)addr_parse(&a, "10.2.0.0", 8);
	ok(!addr_in(&a, &n, 1), "outside");
	(void)addr_net_parse(&n, "0.0.0.0/0");
	ok(addr_in(&a, &n, 1), "/0 is all of IPv4");
	(void)addr_parse(&a, "::1", 3);
	ok(!addr_in(&a, &n, 1), "and no IPv6");
}

int
main(void)
{
	if (sodium_init() == -1)
		bail_out("sodium");
	hosts();
	origins();
	labels();
	addresses();
	return (done_testing());
}
