/* SPDX-License-Identifier: ISC */
/* Pages for people: each refusal that a browser may see has its own words. */
#include <stdio.h>
#include <string.h>

#include "imsg/msg.h"
#include "proxyd/http/page.h"
#include "regress/lib/tap.h"

int
main(void)
{
	static const struct {
		int		 status;
		const char	*message, *title;
	} t[] = {
		{ 401, "proxy token required", "You are not let in any more" },
		{ 401, "invalid proxy token", "You are not let in any more" },
		{ 400, "support session is not active",
		    "The session is not connected" },
		{ 400, "support session is not active: it is over",
		    "The session is over" },
		{ 400, "invalid support proxy subdomain",
		    "There is no such address" },
		{ 403, "cross-site request refused",
		    "Another site asked for this" },
		{ 404, "support session not found", "The session is over" },
		{ 404, "service not found in tunnel manifest",
		    "The service is gone" },
		{ 404, "404 page not found", "Nothing is here" },
		{ 429, "too many concurrent streams on this tunnel",
		    "Too much at once" },
		{ 502, "service unavailable: refused",
		    "The service does not answer" },
		{ 502, "the service's answer is no HTTP: x",
		    "The service's answer cannot be shown" },
		{ 504, "the client did not answer in time",
		    "No answer in time" },
		{ 599, "something", "That did not work" },
	};
	static char	page[PAGE_MAX], message[MESSAGE_SIZE], request[65];
	size_t		i, n;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		is_str(page_title(t[i].status, t[i].message), t[i].title,
		    "%d %s", t[i].status, t[i].message);
		n = page_build(page, sizeof(page), t[i].status, t[i].message,
		    "4f00d");
		ok(n == strlen(page) && strstr(page, t[i].title) != NULL &&
		    strstr(page, page_next(t[i].status, t[i].message)) != NULL,
		    "with what to do next");
		ok(strstr(page, "Request 4f00d") != NULL, "and its id");
	}
	(void)page_build(page, sizeof(page), 502, "<b>&\"\001", "4f00d");
	ok(strstr(page, "<b>") == NULL && strstr(page, "?b????") != NULL,
	    "what a client says cannot become a part of the page");
	memset(message, 'm', sizeof(message) - 1);
	memset(request, 'r', sizeof(request) - 1);
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		n = page_build(page, sizeof(page), t[i].status, message, request);
		ok(n < sizeof(page) - 1 && strcmp(page + n - 15,
		    "</body></html>\n") == 0, "the longest message fits");
	}
	return (done_testing());
}
