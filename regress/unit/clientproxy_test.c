/* SPDX-License-Identifier: ISC */
/* Forward proxies: their addresses, who is exempt, which variable counts. */
#include <stdio.h>
#include <stdlib.h>

#include "tunnel-client/client.h"
#include "net/proxy.h"
#include "tunnel-client/reason.h"
#include "base/log.h"
#include "regress/lib/tap.h"

static void
addresses(void)
{
	static const struct {
		const char	*text, *want;
	} v[] = {
		{ "http://p:3128", "0 p 3128 -" },
		{ "HTTP://p/path?x#y", "0 p 80 -" },
		{ "p:3128", "0 p 3128 -" },
		{ "https://p", "1 p 443 -" },
		{ "http://[2001:db8::1]:1", "0 2001:db8::1 1 -" },
		/* "a:b", "a:", "a:b:c", "a@x:b@y", "u:p%" */
		{ "http://a:b@p", "0 p 80 YTpi" },
		{ "a:b@p:1", "0 p 1 YTpi" },
		{ "http://a@p", "0 p 80 YTo=" },
		{ "http://a:b:c@p", "0 p 80 YTpiOmM=" },
		{ "http://a%40x:b@y@p", "0 p 80 YUB4OmJAeQ==" },
		{ "http://u:p%25@p", "0 p 80 dTpwJQ==" },
		{ "http://a%3ab:c@p", "a user cannot have a colon" },
		{ "http://a:%zz@p", "bad %XX in user or password" },
		{ "http://a:%00@p", "bad %XX in user or password" },
		{ "socks5://p:1080", "http:// or https:// expected" },
		{ "http://", "no host" },
		{ "http://a:b@", "no host" },
		{ "http://p:0", "bad port" },
		{ "http://p:x", "bad port" },
		{ "http://p q", "has blanks or control characters" },
		{ "http://p\r\nX: y", "has blanks or control characters" },
	};
	struct proxy	*x = malloc(sizeof(*x));
	const char	*why;
	char		 got[1200];
	size_t		 i;

	for (i = 0; x != NULL && i < sizeof(v) / sizeof(v[0]); i++) {
		if ((why = proxy_parse(x, v[i].text)) == NULL)
			snprintf(got, sizeof(got), "%d %s %u %s", x->at.tls,
			    x->at.host, x->at.port, *x->basic == '\0' ? "-" :
			    x->basic);
		is_str(why == NULL ? got : why, v[i].want, "%s", v[i].text);
	}
	free(x);
}

/* As golang.org/x/net/http/httpproxy answers. */
static void
exempt(void)
{
	static const struct {
		const char	*list, *host;
		uint16_t	 port;
		int		 want;
	} v[] = {
		{ "", "example.com", 443, 0 },
		{ "", "localhost", 443, 1 },
		{ "", "127.0.0.1", 443, 1 },
		{ "", "127.9.9.9", 443, 1 },
		{ "", "::1", 443, 1 },
		{ "", "::ffff:127.0.0.1", 443, 1 },
		{ "*", "example.com", 443, 1 },
		{ "x, * ,y", "example.com", 443, 1 },
		{ "*:443", "example.com", 443, 0 },
		{ "example.com", "example.com", 443, 1 },
		{ "example.com", "a.b.example.com", 443, 1 },
		{ "example.com", "notexample.com", 443, 0 },
		{ "example.com", "EXAMPLE.com", 443, 1 },
		{ " Example.Com ,x", "example.com", 443, 1 },
		{ ".example.com", "example.com", 443, 0 },
		{ ".example.com", "a.example.com", 443, 1 },
		{ "*.example.com", "example.com", 443, 0 },
		{ "*.example.com", "a.example.com", 443, 1 },
		{ "com", "example.com", 443, 1 },
		{ "example.com:443", "example.com", 443, 1 },
		{ "example.com:443", "example.com", 8443, 0 },
		{ "example.com:0443", "example.com", 443, 0 },
		{ "example.com:", "example.com", 8443, 1 },
		{ ":443", "example.com", 443, 0 },
		{ "10.1.2.3", "10.1.2.3", 443, 1 },
		{ "10.1.2.3:443", "10.1.2.3", 443, 1 },
		{ "10.1.2.3:443", "10.1.2.3", 8443, 0 },
		{ "10.1.2.3", "10.1.2.30", 443, 0 },
		{ "2.3", "10.1.2.3", 443, 0 },
		{ "10.0.0.0/8", "10.1.2.3", 443, 1 },
		{ "10.0.0.0/8", "11.1.2.3", 443, 0 },
		{ "10.1.2.0/23", "10.1.3.3", 443, 1 },
		{ "10.1.2.0/23", "10.1.4.3", 443, 0 },
		{ "10.0.0.0/8", "10.example.com", 443, 0 },
		{ "10.0.0.0/8:443", "10.1.2.3", 443, 0 },
		{ "10.0.0.0/33", "10.1.2.3", 443, 0 },
		{ "10.0.0.0/", "10.1.2.3", 443, 0 },
		{ "0.0.0.0/0", "10.1.2.3", 443, 1 },
		{ "0.0.0.0/0", "2001:db8::1", 443, 0 },
		{ "::/0", "10.1.2.3", 443, 0 },
		{ "2001:db8::/32", "2001:db8:1::1", 443, 1 },
		{ "2001:db8::/33", "2001:db8:8000::1", 443, 0 },
		{ "2001:db8::1", "2001:db8:0::1", 443, 1 },
		{ "[2001:db8::1]:443", "2001:db8::1", 443, 1 },
		{ "[2001:db8::1]:443", "2001:db8::1", 8443, 0 },
		{ "[2001:db8::1]", "2001:db8::1", 443, 0 },
		{ "::ffff:10.0.0.0/104", "10.1.2.3", 443, 1 },
		{ "::ffff:10.0.0.0/95", "10.1.2.3", 443, 0 },
		{ "10.0.0.0/8", "::ffff:10.1.2.3", 443, 1 },
	};
	size_t	i;

	for (i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		is_int(proxy_bypassed(v[i].list, v[i].host, v[i].port),
		    v[i].want, "\"%s\": %s port %u", v[i].list, v[i].host,
		    v[i].port);
}

static void
proxy_is(const char *what, char **envp, const char *flag, const char *want)
{
	char		 a0[] = "tunnel-client", a1[] = "--config=", a2[64];
	char		*argv[] = { a0, a1, flag == NULL ? NULL : a2, NULL };
	struct options	 o;

	snprintf(a2, sizeof(a2), "--proxy=%s", flag == NULL ? "" : flag);
	is_int(options_read(&o, flag == NULL ? 2 : 3, argv, envp), 0, "%s",
	    what);
	is_str(o.proxy, want, "  %s", want);
	options_clear(&o);
}

#define REQUIRED(a, b, c)						\
	char a[] = "SUPPORT_URL=wss://x/", b[] = "SYSTEM_KEY=K",	\
	    c[] = "SYSTEM_SECRET=S"

static void
variables(const char *what, const char *x, const char *y, const char *flag,
    const char *want)
{
	REQUIRED(a, b, c);
	char	 d[64], e[64], *envp[] = { a, b, c, d, e, NULL };

	snprintf(d, sizeof(d), "%s", x);
	snprintf(e, sizeof(e), "%s", y);
	proxy_is(what, envp, flag, want);
	ok(envp[0] == NULL && *d == '\0' && *e == '\0', "  and wiped");
}

static void
environment(void)
{
	variables("HTTPS_PROXY", "https_proxy=http://b", "HTTPS_PROXY=http://a",
	    NULL, "http://a");
	variables("https_proxy", "https_proxy=http://b", "ALL_PROXY=http://a",
	    NULL, "http://b");
	variables("ALL_PROXY", "HTTPS_PROXY=", "ALL_PROXY=http://a", NULL,
	    "http://a");
	variables("all_proxy", "all_proxy=a:1", "https_proxy=", NULL, "a:1");
	variables("what we do not speak", "HTTPS_PROXY=socks5://b",
	    "ALL_PROXY=http://a", NULL, "http://a");
	variables("nothing we speak", "HTTPS_PROXY=socks5://b",
	    "ALL_PROXY=http://a b", NULL, "");
	variables("a flag wins", "HTTPS_PROXY=http://b", "ALL_PROXY=http://a",
	    "http://c", "http://c");
	variables("no proxy by flag", "HTTPS_PROXY=http://b",
	    "ALL_PROXY=http://a", "", "");
}

static void
answers(void)
{
	char	text[PROXY_WHY_SIZE];

	proxy_refusal(text, sizeof(text), 407, "Who", 0, 0);
	is_str(text, "it wants a user and a password (407 Who); give them in "
	    "its address, http://user:password@host:port", "407");
	proxy_refusal(text, sizeof(text), 407, "", 1, 0);
	is_str(text, "it refuses user and password (407); check both in its "
	    "address", "407 to credentials");
	proxy_refusal(text, sizeof(text), 407, "", 1, 1);
	is_str(text, "it refuses user and password (407); it takes no Basic, "
	    "and nothing else is spoken here", "407 for Negotiate");
	proxy_refusal(text, sizeof(text), 502, "", 1, 0);
	is_str(text, "it cannot reach the server (502); does it know the name, "
	    "and is the way open from there?", "502");
	proxy_refusal(text, sizeof(text), 418, "Tea", 0, 0);
	is_str(text, "it does not connect us (418 Tea)", "another answer");
	ok(strstr(reason_hint("no such host", 0), "--proxy") != NULL,
	    "an unknown host: perhaps a proxy has to be asked");
	ok(strstr(reason_hint("proxy: no such host", 1), "--proxy") == NULL,
	    "not when it is the proxy that is unknown");
}

int
main(void)
{
	log_init("clientproxy_test", -1, 0);
	addresses();
	exempt();
	environment();
	answers();
	return (done_testing());
}
