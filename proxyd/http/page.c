/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "http/reply.h"
#include "imsg/msg.h"
#include "page.h"

#define AGAIN	"Go back to the console and open the service from there again."
#define OVER	"It was closed or has run out, and will not come back. Look in the " \
		"console whether the customer has another one open."
#define LATER	"Wait a moment, then reload this page."

/*
 * The first row that fits: the status, and what the message begins with. They
 * are the messages of operator-api.md, 7, and those of authd and the clients.
 */
static const struct row {
	int		 status;
	const char	*begins, *title, *next;
} rows[] = {
	{ 400, "support session is not active: it is over",
	    "The session is over", OVER },
	{ 400, "support session is not active", "The session is not connected",
	    "The customer's machine has lost its connection or has not made one"
	    " yet. If it does not come back within a minute, ask the customer "
	    "to start support again." },
	{ 400, "invalid s", "There is no such address",
	    "The name of this host is not one of a service. " AGAIN },
	{ 400, "X-Forwarded-Host", "Two names for one page",
	    "The proxy in front of relayd, or the page, has named another host "
	    "than the browser did. If you run that proxy, have it keep Host and"
	    " not pass X-Forwarded-Host on." },
	{ 401, "", "You are not let in any more",
	    "What opened this service has run out or was not for it. " AGAIN },
	{ 403, "cross-site", "Another site asked for this",
	    "A page of another site has sent you here, and might act in your "
	    "name. If you meant to come, type the address or use the console."
	    },
	{ 403, "service target", "This address is not open to anybody",
	    "The customer's client offers a service at an address that relayd "
	    "never connects to. The customer has to take it out of the list." },
	{ 403, "", "You may not see this",
	    "Your account has no access to this session. Ask whoever manages "
	    "accounts, or open another session in the console." },
	{ 404, "support session", "The session is over", OVER },
	{ 404, "tunnel", "The session is not connected",
	    "The customer's machine is not connected now. " LATER },
	{ 404, "service", "The service is gone",
	    "The customer's machine does not offer it any more. See in the "
	    "console which services there are." },
	{ 404, "", "Nothing is here",
	    "Check the address, or begin at the console." },
	{ 413, "", "That was too much",
	    "Send less at a time." },
	{ 414, "", "The address is too long",
	    "Shorten what stands behind the question mark." },
	{ 429, "too many concurrent", "Too much at once",
	    "All streams of this tunnel are in use. Close other tabs of this "
	    "session, then reload this page." },
	{ 429, "", "Too many attempts",
	    "Wait a minute, then go on." },
	{ 431, "", "The browser sends too many cookies",
	    "Another page has filled them up. They are taken away now: reload "
	    "this page, a few times if need be. If that does not help, delete "
	    "the cookies of this domain in the browser's settings." },
	{ 502, "service unavailable", "The service does not answer",
	    "The customer's machine cannot reach it. Check that the service "
	    "runs there, and that its address in the list is right." },
	{ 502, "the service", "The service's answer cannot be shown",
	    "The reason above is what is wrong with it. If the service runs, "
	    "its address or its mark for TLS in the list may be wrong." },
	{ 502, "", "The connection broke off",
	    LATER " If it happens again, see in the console whether the "
	    "session is still connected." },
	{ 503, "", "Not possible now", LATER },
	{ 504, "", "No answer in time",
	    "The customer's machine or the service on it is slow or hangs. "
	    LATER },
};

static const struct row *
row_of(int status, const char *message)
{
	static const struct row	other = { 0, "", "That did not work", AGAIN };
	size_t			i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].status == status && strncmp(message,
		    rows[i].begins, strlen(rows[i].begins)) == 0)
			return (&rows[i]);
	return (&other);
}

const char *
page_title(int status, const char *message)
{
	return (row_of(status, message)->title);
}

const char *
page_next(int status, const char *message)
{
	return (row_of(status, message)->next);
}

/* Text that may stand in HTML: what is not plain becomes '?'. */
static void
plain_text(char *dst, size_t size, const char *s)
{
	size_t	n = 0;

	for (; *s != '\0' && n + 1 < size; s++)
		dst[n++] = (unsigned char)*s < 0x20 || *s == '<' || *s == '>' ||
		    *s == '&' || *s == '"' || *s == 0x7f ? '?' : *s;
	dst[n] = '\0';
}

size_t
page_build(char *buf, size_t size, int status, const char *message,
    const char *request)
{
	const struct row	*row = row_of(status, message);
	char			 text[MESSAGE_SIZE];
	int			 n;

	plain_text(text, sizeof(text), message);
	n = snprintf(buf, size, "<!DOCTYPE html>\n<html lang=\"en\"><head>"
	    "<meta charset=\"utf-8\"><meta name=\"viewport\" "
	    "content=\"width=device-width\"><title>%s</title><style>"
	    "body{font:16px/1.5 sans-serif;color:#222;background:#fff;"
	    "margin:15%% auto;max-width:34em;padding:1em}h1{font-size:1.4em}"
	    ".why{color:#666}</style></head>\n<body><h1>%s</h1><p>%s</p>"
	    "<p class=\"why\">%d %s: %s<br>Request %s</p></body></html>\n", row->title,
	    row->title, row->next, status, reply_reason(status), text,
	    request);
	return (n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1);
}
