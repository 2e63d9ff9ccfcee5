/* SPDX-License-Identifier: ISC */
/* Whose page makes the browser ask: operator-api.md, 7.5, row by row. */
#include <stdio.h>
#include <string.h>

#include "proxyd/http/origin.h"
#include "regress/lib/tap.h"

#define SLUG	"0123456789abcdef0123456789abcdef"
#define OTHER	"fedcba9876543210fedcba9876543210"
#define SELF	"https://web--" SLUG ".proxy.example"

static const struct {
	const char	*what;
	const char	*method;
	const char	*fields;
	enum origin	 want;
} rows[] = {
	{ "GET with nothing", "GET", "", ORIGIN_OK },
	{ "HEAD with nothing", "HEAD", "", ORIGIN_OK },
	{ "POST with nothing: no browser", "POST", "", ORIGIN_OK },
	{ "PROPFIND with nothing: no browser", "PROPFIND", "", ORIGIN_OK },
	{ "an upgrade with nothing: no browser", "GET",
	    "Connection: Upgrade\r\nUpgrade: websocket\r\n", ORIGIN_OK },
	{ "POST with Sec-Fetch-Mode alone", "POST",
	    "Sec-Fetch-Mode: no-cors\r\n", ORIGIN_FOREIGN },
	{ "POST with an empty Origin", "POST", "Origin:\r\n",
	    ORIGIN_FOREIGN },
	{ "an upgrade with Sec-Fetch-Site alone", "GET", "Connection: Upgrade"
	    "\r\nUpgrade: websocket\r\nSec-Fetch-Site: cross-site\r\n",
	    ORIGIN_FOREIGN },
	{ "Origin null of the host's own page", "POST",
	    "Origin: null\r\nSec-Fetch-Site: same-origin\r\n", ORIGIN_OK },
	{ "Origin null of another's page", "POST",
	    "Origin: null\r\nSec-Fetch-Site: cross-site\r\n",
	    ORIGIN_FOREIGN },
	{ "Origin null of a sibling's page", "POST",
	    "Origin: null\r\nSec-Fetch-Site: same-site\r\n",
	    ORIGIN_FOREIGN },
	{ "Origin null alone, POST", "POST", "Origin: null\r\n",
	    ORIGIN_FOREIGN },
	{ "its own Origin", "POST", "Origin: " SELF "\r\n", ORIGIN_OK },
	{ "a sibling's Origin", "POST",
	    "Origin: https://api--" SLUG ".proxy.example\r\n",
	    ORIGIN_SIBLING },
	{ "another session's Origin", "GET",
	    "Origin: https://web--" OTHER ".proxy.example\r\n",
	    ORIGIN_FOREIGN },
	{ "Origin of another scheme", "GET",
	    "Origin: http://web--" SLUG ".proxy.example\r\n", ORIGIN_FOREIGN },
	{ "Origin null", "GET", "Origin: null\r\n", ORIGIN_FOREIGN },
	{ "Origin goes before what else is said", "POST",
	    "Origin: https://evil.example\r\nSec-Fetch-Site: same-origin\r\n",
	    ORIGIN_FOREIGN },
	{ "same-origin", "POST", "Sec-Fetch-Site: same-origin\r\n",
	    ORIGIN_OK },
	{ "typed in", "GET", "Sec-Fetch-Site: none\r\n", ORIGIN_OK },
	{ "a link on another site", "GET", "Sec-Fetch-Site: cross-site\r\n"
	    "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n",
	    ORIGIN_OK },
	{ "a form on another site", "POST", "Sec-Fetch-Site: cross-site\r\n"
	    "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n",
	    ORIGIN_FOREIGN },
	{ "a frame on another site", "GET", "Sec-Fetch-Site: cross-site\r\n"
	    "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n",
	    ORIGIN_FOREIGN },
	{ "a picture on another site", "GET",
	    "Sec-Fetch-Site: cross-site\r\n", ORIGIN_FOREIGN },
	{ "Referer of its own", "POST", "Referer: " SELF "/a?b\r\n",
	    ORIGIN_OK },
	{ "Referer of a sibling", "POST",
	    "Referer: https://api--" SLUG ".proxy.example/\r\n", ORIGIN_OK },
	{ "Referer of another site", "GET",
	    "Referer: https://evil.example/\r\n", ORIGIN_FOREIGN },
	{ "Referer that is no URL", "GET", "Referer: x\r\n", ORIGIN_OK },
	{ "Referer that is no URL, POST", "POST", "Referer: x\r\n",
	    ORIGIN_FOREIGN },
};

static int
check(const char *method, const char *fields)
{
	static const struct origin_at	 at = { "proxy.example", "https", 443,
					    0 };
	static struct httphead		 h;
	struct httphead_scan		 scan;
	struct host			 self;
	struct slice			 v;
	uint16_t			 port;
	const char			*why;
	char				 head[1024];
	int				 n, status;

	n = snprintf(head, sizeof(head), "%s / HTTP/1.1\r\nHost: web--" SLUG
	    ".proxy.example\r\n%s\r\n", method, fields);
	memset(&scan, 0, sizeof(scan));
	if (httphead_request(&h, &scan, head, (size_t)n, &status, &why) != 1)
		return (-1);
	v = h.host;
	if (host_parse(&self, &port, &v, "proxy.example") != HOST_OK)
		return (-1);
	return ((int)origin_check(&h, &self, &at));
}

int
main(void)
{
	size_t	i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		is_int(check(rows[i].method, rows[i].fields), (int)rows[i].want,
		    "%s", rows[i].what);
	return (done_testing());
}
