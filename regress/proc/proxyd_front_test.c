/* SPDX-License-Identifier: ISC */
/* Behind a trusted front proxy: who says where a request goes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "regress/lib/proxyd_story.h"
#include "regress/lib/tap.h"

#define OTHER	"web--11111111222233334444555555555555." DOMAIN

static struct drive	d;

static int
status(const char *host, const char *fields)
{
	int	 fd = browser(&d, 0), r;

	put(fd, "GET /elsewhere HTTP/1.1\r\nHost: %s\r\n%s\r\n", host, fields);
	r = status_of(answer(fd));
	close(fd);
	return (r);
}

/*
 * A page of one session sends X-Forwarded-Host to its own origin; the front
 * proxy passes both names on, and the browser the cookies of the first.
 */
static void
forwarded_host(void)
{
	static const struct {
		const char	*host, *fields;
		int		 status;
		const char	*what;
	} t[] = {
		{ HOST, "X-Forwarded-Host: " OTHER "\r\n", 400,
		    "a page's own X-Forwarded-Host for another session: 400" },
		{ HOST, "X-Forwarded-Host: api--" SLUG "." DOMAIN "\r\n", 400,
		    "for a sibling too" },
		{ HOST, "X-Forwarded-Host: console.example\r\n", 400,
		    "and for a host that is none of ours" },
		{ HOST, "X-Forwarded-Host: \r\n", 400, "an empty one" },
		{ HOST, "X-Forwarded-Host: " HOST "\r\n", 401,
		    "what the front says as well goes on" },
		{ HOST ":8443", "X-Forwarded-Host: WEB--" SLUG "." DOMAIN
		    ".\r\n", 401, "in any case, with any port" },
		{ HOST, "X-Forwarded-Host: " HOST "\r\n"
		    "X-Forwarded-Host: " HOST "\r\n", 400, "twice: 400" },
		{ "x." DOMAIN, "X-Forwarded-Host: " HOST "\r\n", 400,
		    "a bad name under the domain is one under the domain" },
		{ "inside:8080", "X-Forwarded-Host: " HOST "\r\n", 401,
		    "where Host is another name it counts" },
		{ "inside:8080", "X-Forwarded-Host: " OTHER ", " HOST "\r\n",
		    400, "but not a list, to which a proxy has added" },
		{ "inside:8080", "X-Forwarded-Host: " OTHER "\r\n"
		    "X-Forwarded-Host: " HOST "\r\n", 400, "nor twice" },
		{ "inside:8080", "X-Forwarded-Host: console.example\r\n", 404,
		    "a console's name is a console's" },
		{ "inside:8080", "Forwarded: host=" HOST "\r\n", 404,
		    "Forwarded says nothing" },
		{ "inside:8080", "X_Forwarded_Host: " HOST "\r\n"
		    "X-Original-Host: " HOST "\r\nX-Host: " HOST "\r\n", 404,
		    "nor does any other spelling" },
	};
	size_t	i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		is_int(status(t[i].host, t[i].fields), t[i].status,
		    "operator-32(partial): %s", t[i].what);
	ok(is_quiet(d.authd, 20), "authd is asked about none of them");
}

/* The cookie of A with a name of B: B's grant is never asked for. */
static void
cookie_of_both(void)
{
	int	 fd = browser(&d, 0);
	char	 mine[4096];

	snprintf(mine, sizeof(mine), "%s", proxy_token(SESSION, "a"));
	put(fd, "GET / HTTP/1.1\r\nHost: " HOST "\r\nX-Forwarded-Host: " OTHER
	    "\r\nSec-Fetch-Site: same-origin\r\n"
	    "Cookie: support_proxy_" SLUG "=%s; support_proxy_"
	    "11111111222233334444555555555555=%s\r\n\r\n", mine,
	    proxy_token("11111111-2222-3333-4444-555555555555", "b"));
	is_int(status_of(answer(fd)), 400, "both sessions' cookies: 400");
	ok(is_quiet(d.authd, 20), "and authd hears of neither");
	close(fd);
}

int
main(void)
{
	struct conf	cf;

	proxyd_conf(&cf);
	snprintf(cf.trusted_proxy[0], sizeof(cf.trusted_proxy[0]),
	    "127.0.0.0/8");
	cf.n_trusted_proxy = 1;
	drive_start(&d, ROLE_PROXYD, &cf);
	forwarded_host();
	cookie_of_both();
	is_int(drive_leave(&d), 0, "proxyd ends well");
	return (done_testing());
}
