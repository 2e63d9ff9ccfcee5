/* SPDX-License-Identifier: ISC */
/* One URL, two names: operator-api.md, 7.6 and 7.9. */
#include <stdio.h>
#include <string.h>

#include "proxyd/http/urlmap.h"
#include "regress/lib/services_of.h"
#include "regress/lib/tap.h"

#define SLUG	"0123456789abcdef0123456789abcdef"
#define OTHER	"fedcba9876543210fedcba9876543210"
#define AT(l)	l "--" SLUG ".proxy.example"

static struct service	services[] = {
	{ .label = "web", .target = "127.0.0.1:8080" },
	{ .label = "api", .target = "10.0.0.2:443", .tls = 1 },
	{ .label = "app", .target = "10.0.0.3:20001", .host = "app.lan" },
	{ .label = "app2", .target = "10.0.0.3:20002", .host = "app.lan" },
	{ .label = "printer", .target = "10.0.0.4:80" },
	{ .label = "v6", .target = "[fd00::5]:80" },
	{ .label = "old", .target = "10.0.0.6:80", .wants_https = 1 },
};
#define NSERVICES	(sizeof(services) / sizeof(services[0]))
static struct service	*listed[NSERVICES];
#define MAP(browser, at)						\
	{ services_of(services, NSERVICES, listed), NULL, NULL, browser, at }

static char	buf[4096];

static struct slice
slice(const char *s)
{
	struct slice	v = { s, strlen(s) };

	return (v);
}

/* What `label`'s answer becomes. */
static const char *
outward(const char *label, const struct origin_at *at, const char *v,
    enum urlmap_form form)
{
	struct host	browser = { "", SLUG };
	struct urlmap	m = MAP(&browser, at);
	struct out	o = { buf, 0, sizeof(buf) - 1, 0 };
	struct slice	s = slice(v);

	snprintf(browser.label, sizeof(browser.label), "%s", label);
	urlmap_out(&o, &m, &s, form);
	buf[o.len] = '\0';
	return (buf);
}

static const struct origin_at	https = { "proxy.example", "https", 443, 0 };

static void
locations(void)
{
	static const struct {
		const char	*label, *in, *want;
	} t[] = {
		/* what nginx, Apache and lighttpd say of a directory */
		{ "web", "http://127.0.0.1:8080/dir/",
		    "https://" AT("web") "/dir/" },
		{ "web", "http://localhost:8080", "https://" AT("web") },
		{ "web", "HTTP://LocalHost:8080/a%2Fb?x=http://127.0.0.1:8080/",
		    "https://" AT("web") "/a%2Fb?x=http://127.0.0.1:8080/" },
		{ "web", "//127.0.0.1:8080/x", "//" AT("web") "/x" },
		{ "web", "ws://127.0.0.1:8080/x", "wss://" AT("web") "/x" },
		{ "app", "http://app.lan/x", "https://" AT("app") "/x" },
		{ "app", "https://APP.LAN./x", "https://" AT("app") "/x" },
		{ "app", "http://app.lan:20001/x?y#z",
		    "https://" AT("app") "/x?y#z" },
		{ "app2", "https://app.lan", "https://" AT("app2") },
		{ "app", "http://10.0.0.3:20001/", "https://" AT("app") "/" },
		{ "v6", "http://[FD00::5]/x", "https://" AT("v6") "/x" },
		/* a sibling's */
		{ "web", "https://10.0.0.2/x", "https://" AT("api") "/x" },
		{ "web", "http://app.lan:20002/", "https://" AT("app2") "/" },
		{ "app", "http://app.lan:20002/", "https://" AT("app2") "/" },
		{ "web", "http://10.0.0.4/", "https://" AT("printer") "/" },
		{ "printer", "https://10.0.0.4/",
		    "https://" AT("printer") "/" },
		/* as browsers read them */
		{ "web", "http:\\\\127.0.0.1:8080\\x",
		    "https://" AT("web") "\\x" },
		{ "web", "/\\127.0.0.1:8080/x", "//" AT("web") "/x" },
		{ "web", "http:///127.0.0.1:8080/", "https://" AT("web") "/" },
		{ "printer", "http://10.0.0.4:/x", "https://" AT("printer")
		    "/x" },
		{ "v6", "http://[fd00::5]:", "https://" AT("v6") },
		{ "web", "http://admin:a@b@127.0.0.1:8080/x",
		    "https://" AT("web") "/x" },
		{ "web", "http://@127.0.0.1:8080", "https://" AT("web") },
		/* relative */
		{ "web", "/dir/", "/dir/" },
		{ "web", "x?y", "x?y" },
		{ "web", "", "" },
		/* a stranger's */
		{ "web", "http://127.0.0.1:8081/", "http://127.0.0.1:8081/" },
		{ "web", "https://10.0.0.4/", "https://10.0.0.4/" },
		{ "app", "http://app.lan:9/", "http://app.lan:9/" },
		{ "web", "http://app.lan.evil.example/",
		    "http://app.lan.evil.example/" },
		{ "web", "http://127.0.0.1:8080@evil.example/",
		    "http://127.0.0.1:8080@evil.example/" },
		{ "web", "http://127.0.0.1:8080\\@evil.example/",
		    "https://" AT("web") "\\@evil.example/" },
		{ "web", "http://evil.example\\@127.0.0.1:8080/",
		    "http://evil.example\\@127.0.0.1:8080/" },
		{ "web", "http://evil.example/@127.0.0.1:8080/",
		    "http://evil.example/@127.0.0.1:8080/" },
		{ "web", "http:/127.0.0.1:8080/", "http:/127.0.0.1:8080/" },
		{ "web", "//", "//" },
		{ "web", "http://u:p@", "http://u:p@" },
		{ "web", "http://127.0.0.1:80800/",
		    "http://127.0.0.1:80800/" },
		{ "web", "ftp://127.0.0.1:8080/", "ftp://127.0.0.1:8080/" },
		{ "web", "http://", "http://" },
		{ "none", "http://10.0.0.4/", "https://" AT("printer") "/" },
	};
	static const struct origin_at	odd = { "proxy.example", "http", 80,
					    8000 };
	static const struct origin_at	far = { "proxy.example", "https", 8443,
					    0 };
	size_t				i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		is_str(outward(t[i].label, &https, t[i].in, URL_WHOLE),
		    t[i].want, "operator-42: %s: Location %s", t[i].label,
		    t[i].in);
	is_str(outward("web", &odd, "https://10.0.0.2/", URL_WHOLE),
	    "http://" AT("api") ":8000/", "the scheme and port of the browser");
	is_str(outward("web", &far, "http://127.0.0.1:8080/", URL_WHOLE),
	    "https://" AT("web") ":8443/",
	    "the configured port where the browser's did not come through");
}

static void
other_fields(void)
{
	static const struct {
		enum urlmap_form	 form;
		const char		*in, *want;
	} t[] = {
		{ URL_REFRESH, "5; url=http://127.0.0.1:8080/a",
		    "5; url=https://" AT("web") "/a" },
		{ URL_REFRESH, "0;URL='http://127.0.0.1:8080/a' x",
		    "0;URL='https://" AT("web") "/a' x" },
		{ URL_REFRESH, "0, http://app.lan/", "0, https://" AT("app")
		    "/" },
		{ URL_REFRESH, "5", "5" },
		{ URL_REFRESH, "5; url=/a", "5; url=/a" },
		{ URL_REFRESH, "5; url", "5; url" },
		{ URL_REFRESH, "5;url=\"", "5;url=\"" },
		{ URL_LINK, "<http://app.lan/2>; rel=\"next\", </x>; t=\"<htt"
		    "p://app.lan/>\\\"\", <//app.lan>", "<https://" AT("app")
		    "/2>; rel=\"next\", </x>; t=\"<http://app.lan/>\\\"\", <//"
		    AT("app") ">" },
		{ URL_LINK, "<http://app.lan/", "<http://app.lan/" },
		{ URL_LINK, "<>", "<>" },
		{ URL_WORDS, "connect-src 'self' app.lan wss://app.lan:443/x  "
		    "data: *.cdn.example 10.0.0.4 http: ",
		    "connect-src 'self' " AT("app") " wss://" AT("app") "/x  "
		    "data: *.cdn.example " AT("printer") " http: " },
	};
	size_t	i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		is_str(outward("web", &https, t[i].in, t[i].form), t[i].want,
		    "operator-42: %s", t[i].in);
}

static const char *
inward(const char *v)
{
	static const struct host	browser = { "web", SLUG };
	struct urlmap	m = MAP(&browser, &https);
	struct out	o = { buf, 0, sizeof(buf) - 1, 0 };
	struct slice	s = slice(v);
	int		r = urlmap_in(&o, &m, &s);

	buf[o.len] = '\0';
	return (r ? buf : o.len == 0 ? "nothing" : "something");
}

static void
to_service(void)
{
	static const struct {
		const char	*in, *want;
	} t[] = {
		{ "https://" AT("web"), "http://127.0.0.1:8080" },
		{ "https://" AT("web") ":443/p?q", "http://127.0.0.1:8080/p?q" },
		{ "https://" AT("api") "/x", "https://10.0.0.2/x" },
		{ "https://" AT("app"), "http://app.lan" },
		{ "https://" AT("printer"), "http://10.0.0.4" },
		{ "https://" AT("v6"), "http://[fd00::5]" },
		{ "https://" AT("old"), "https://10.0.0.6" },
		{ "https://" AT("gone"), "nothing" },
		{ "https://web--" OTHER ".proxy.example", "nothing" },
		{ "http://" AT("web"), "nothing" },
		{ "https://console.example/x", "nothing" },
		{ "null", "nothing" },
		{ "", "nothing" },
	};
	size_t	i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		is_str(inward(t[i].in), t[i].want, "operator-38: %s", t[i].in);
}

static int
wants(const char *label, const char *location)
{
	struct host	browser = { "", SLUG };
	struct urlmap	m = MAP(&browser, &https);
	struct slice	v = slice(location), rest;

	snprintf(browser.label, sizeof(browser.label), "%s", label);
	return (urlmap_wants_https(&m, &v, &rest));
}

static void
own_https(void)
{
	ok(wants("printer", "https://10.0.0.4/x"), "a device with both");
	ok(wants("app", "https://app.lan/"), "a host with both");
	ok(!wants("printer", "http://10.0.0.4/x"), "plain to plain");
	ok(!wants("api", "https://10.0.0.2/"), "it has https already");
	ok(!wants("web", "https://10.0.0.2/"), "a sibling's https");
	ok(!wants("web", "/x") && !wants("none", "https://a/"), "neither");
}

int
main(void)
{
	locations();
	other_fields();
	to_service();
	own_https();
	return (done_testing());
}
