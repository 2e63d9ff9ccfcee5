/* SPDX-License-Identifier: ISC */
/* The server's address, the request target made of it, Retry-After. */
#include <stdio.h>
#include <stdlib.h>

#include "tunnel-client/handshake.h"
#include "net/url.h"
#include "regress/lib/tap.h"

static const struct {
	const char	*text;		/* NULL host: refused */
	const char	*host;
	uint16_t	 port;
	int		 tls;
	const char	*authority, *target;
} rows[] = {
	{ "ws://h", "h", 80, 0, "h", "/" },
	{ "wss://h", "h", 443, 1, "h", "/" },
	{ "WSS://H/p", "H", 443, 1, "H", "/p" },
	{ "https://h/p", "h", 443, 1, "h", "/p" },
	{ "HTTPS://h:81", "h", 81, 1, "h:81", "/" },
	{ "ws://h:8080/a/b?x=1&y", "h", 8080, 0, "h:8080", "/a/b?x=1&y" },
	{ "ws://h?x", "h", 80, 0, "h", "/?x" },
	{ "ws://[::1]:81/", "::1", 81, 0, "[::1]:81", "/" },
	{ "ws://[::1]", "::1", 80, 0, "[::1]", "/" },
	{ "ws://h/p#frag", "h", 80, 0, "h", "/p" },
	{ "ws://h/?a#?b", "h", 80, 0, "h", "/?a" },
	{ "http://h/", NULL, 0, 0, NULL, NULL },
	{ "h", NULL, 0, 0, NULL, NULL },
	{ "", NULL, 0, 0, NULL, NULL },
	{ "ws://", NULL, 0, 0, NULL, NULL },
	{ "ws:///p", NULL, 0, 0, NULL, NULL },
	{ "ws://:80/", NULL, 0, 0, NULL, NULL },
	{ "ws://u:p@h/", NULL, 0, 0, NULL, NULL },
	{ "ws://h:0/", NULL, 0, 0, NULL, NULL },
	{ "ws://h:65536/", NULL, 0, 0, NULL, NULL },
	{ "ws://h:/", NULL, 0, 0, NULL, NULL },
	{ "ws://h:1x/", NULL, 0, 0, NULL, NULL },
	{ "ws://[::1/", NULL, 0, 0, NULL, NULL },
	{ "ws://[::1]x/", NULL, 0, 0, NULL, NULL },
	{ "ws://h/a b", NULL, 0, 0, NULL, NULL },
	{ "ws://h/\r\nX: y", NULL, 0, 0, NULL, NULL },
};

static const struct {
	const char	*url, *node, *token, *want;
} merges[] = {
	{ "ws://h/t?x=1", "7", "", "/t?node_id=7&x=1" },
	{ "ws://h/t", "7", NULL, "/t?node_id=7" },
	{ "ws://h/t?z=2&a=1", "", "f00", "/t?a=1&reconnect_token=f00&z=2" },
	{ "ws://h/t?z=2&a=1", "7", "f00",
	    "/t?a=1&node_id=7&reconnect_token=f00&z=2" },
	{ "ws://h/t?node_id=1&node_id=2", "7", "", "/t?node_id=7" },
	{ "ws://h/t?node_id=1", "", "", "/t?node_id=1" },
	{ "ws://h/t?node_id=1", "", "f00",
	    "/t?node_id=1&reconnect_token=f00" },
	{ "ws://h/t?b=2&b=1&a", "7", "", "/t?a=&b=2&b=1&node_id=7" },
	{ "ws://h/t?q=a+b%2f%C3%A9", "7", "",
	    "/t?node_id=7&q=a+b%2F%C3%A9" },
	{ "ws://h/t?bad=%zz&ok=1&;=2&nul=%00", "7", "", "/t?node_id=7&ok=1" },
	{ "ws://h/t?q=%zz", "", "", "/t?q=%zz" },
};

static const struct {
	const char	*url;
	int		 here;
} places[] = {
	{ "ws://127.0.0.1/", 1 }, { "ws://127.9.9.9:81/", 1 },
	{ "ws://[::1]:81/", 1 }, { "ws://localhost/", 1 },
	{ "ws://10.0.0.1/", 0 }, { "ws://relay.example.org/", 0 },
	{ "ws://localhost.example.org/", 0 }, { "ws://[fd12::1]/", 0 },
	{ "ws://128.0.0.1/", 0 }, { "ws://a%b/", 0 },
};

static void
retry_after(void)
{
	static const char	date[] = "Sun, 06 Nov 1994 08:49:37 GMT";

	is_int(retry_after_parse("120", 3, 0), 120000, "seconds");
	is_int(retry_after_parse("0", 1, 0), 0, "none");
	is_int(retry_after_parse(date, strlen(date), 784111777 - 30), 30000,
	    "a date");
	is_int(retry_after_parse(date, strlen(date), 784111777 + 30), 0,
	    "a date that has passed");
	is_int(retry_after_parse("soon", 4, 0), 0, "nonsense");
	is_int(retry_after_parse("-5", 2, 0), 0, "negative");
	is_int(retry_after_parse("999999999999", 12, 0), 0, "too much");
}

int
main(void)
{
	struct url	u;
	char		target[URL_TARGET_MAX], big[URL_MAX + 64];
	const char	*why;
	size_t		i;
	int		r;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		why = url_parse(&u, rows[i].text);
		if (rows[i].host == NULL) {
			ok(why != NULL, "refused: %zu: %s", i,
			    why == NULL ? "" : why);
			continue;
		}
		r = why == NULL ? url_target(&u, "", NULL, target,
		    sizeof(target)) : -1;
		ok(r == 0 && strcmp(u.host, rows[i].host) == 0 &&
		    u.port == rows[i].port && u.tls == rows[i].tls &&
		    strcmp(u.authority, rows[i].authority) == 0 &&
		    strcmp(target, rows[i].target) == 0, "%s", rows[i].text);
	}
	for (i = 0; i < sizeof(merges) / sizeof(merges[0]); i++) {
		why = url_parse(&u, merges[i].url);
		r = url_target(&u, merges[i].node, merges[i].token, target,
		    sizeof(target));
		ok(why == NULL && r == 0, "%s with %s", merges[i].url,
		    merges[i].node);
		is_str(target, merges[i].want, "gives %s", merges[i].want);
	}
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		ok(url_parse(&u, places[i].url) == NULL && url_is_here(&u) ==
		    places[i].here, "%s: this machine %d", places[i].url,
		    places[i].here);
	(void)url_parse(&u, "ws://h/t");
	is_int(url_target(&u, "7", "", target, 8), -1, "no room");
	snprintf(big, sizeof(big), "ws://h/%0*d", URL_MAX - 8, 0);
	ok(url_parse(&u, big) == NULL, "an address of %zu bytes", strlen(big));
	snprintf(big, sizeof(big), "ws://h/%0*d", URL_MAX - 7, 0);
	ok(url_parse(&u, big) != NULL, "one more is refused");
	retry_after();
	return (done_testing());
}
