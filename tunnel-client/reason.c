/* SPDX-License-Identifier: ISC */
#include <cjson/cJSON.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "net/net.h"
#include "reason.h"

#define MESSAGE_MAX	160	/* bytes of the server's own words */
#define PATH_SHOWN	100	/* and of what was asked for */

static const struct {
	int		 status;
	const char	*why, *todo;
} answers[] = {
#define NO_TUNNELS	0
	{ 404, "no tunnels there", "" },	/* its path is shown */
	{ 400, "request refused", "check the node id and the address" },
	{ 401, "key or secret refused", "check both against the server's" },
	{ 403, "refused", "support has to be enabled for this system" },
	{ 409, "this key has a tunnel already",
	    "stop the other client, or wait for its end" },
	{ 429, "too many attempts", "" },
	{ 502, "the server is not there", "" },
	{ 503, "the server takes no tunnels now", "" },
	{ 504, "the server is not there", "" },
};

#define PROXY_HINT	", or name the forward proxy of this network (--proxy)"

/* What to do: when it is the server; without a proxy; when it is the proxy. */
static const struct {
	int		 error;		/* 0: `text` */
	const char	*text, *todo, *direct_todo, *proxy_todo;
} failures[] = {
	{ ECONNREFUSED, NULL, "", "nothing listens there, check the address",
	    "nothing listens there, check its address" },
	{ ETIMEDOUT, NULL, "", "is a firewall in the way? Open it"
	    PROXY_HINT, "is a firewall in the way?" },
	{ ENETUNREACH, NULL, "", "there is no way there; make one" PROXY_HINT,
	    "there is no way there" },
	{ 0, "no such host", "", "check the address and /etc/resolv.conf"
	    PROXY_HINT, "check its address and /etc/resolv.conf" },
	{ 0, "name lookup timed out", "", "check /etc/resolv.conf" PROXY_HINT,
	    "check /etc/resolv.conf" },
	{ 0, "TLS: wrong version number", "is it ws:// that is spoken there?",
	    "is it ws:// that is spoken there?",
	    "is it http:// that is spoken there?" },
};

/* The envelope's message, else the first line of a text; "" none. */
static void
server_message(char *dst, size_t size, const char *body, size_t len)
{
	static const char *const members[] = { "message", "error" };
	const cJSON	*s = NULL;
	cJSON		*o = cJSON_ParseWithLength(body, len);
	size_t		 i, n;

	dst[0] = '\0';
	for (i = 0; i < 2 && s == NULL; i++) {
		s = cJSON_GetObjectItemCaseSensitive(o, members[i]);
		if (!cJSON_IsString(s))
			s = NULL;
	}
	if (s != NULL) {
		body = s->valuestring;
		len = strlen(body);
	} else if (len > 0 && strchr("<{[", body[0]) != NULL)
		len = 0;	/* a page, or JSON of somebody else */
	for (n = 0; n < len && n < MESSAGE_MAX && body[n] != '\n' &&
	    body[n] != '\r'; n++)
		;
	if (n > 0)
		log_escape(dst, size, body, n);
	cJSON_Delete(o);
}

void
reason_answer(char *dst, size_t size, const char *path, int status,
    const char *phrase, const char *body, size_t len, int token)
{
	char		 message[4 * MESSAGE_MAX + 1];
	char		 asked[4 * PATH_SHOWN + 1], check[4 * PATH_SHOWN + 100];
	const char	*why = "not taken", *todo = "";
	size_t		 i;

	for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		if (answers[i].status == status) {
			why = answers[i].why;
			todo = answers[i].todo;
		}
	if (status == 403 && token)
		todo = "the next attempt is without its reconnect token";
	if (status >= 200 && status < 300)
		why = answers[NO_TUNNELS].why;	/* some other thing is */
	if (status >= 300 && status < 400) {
		why = "sent elsewhere";
		todo = "the address has to be the final one";
	}
	server_message(message, sizeof(message), body, len);
	if (why == answers[NO_TUNNELS].why) {
		log_escape(asked, sizeof(asked), path,
		    strnlen(path, PATH_SHOWN));
		snprintf(check, sizeof(check), "check the path in the address, "
		    "\"%s\": a server's default is /support/api/tunnel", asked);
		todo = check;
	}
	snprintf(dst, size, "%s (%d%s%s%s%s)%s%s", why, status,
	    *phrase == '\0' ? "" : " ", phrase, *message == '\0' ? "" : ": ",
	    message, *todo == '\0' ? "" : "; ", todo);
}

const char *
reason_hint(const char *why, int proxied)
{
	int		 proxy = strncmp(why, "proxy: ", 7) == 0;
	const char	*text;
	size_t		 i;

	if (proxy)
		why += 7;
	for (i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		text = failures[i].error != 0 ? strerror(failures[i].error) :
		    failures[i].text;
		if (strncmp(why, text, strlen(text)) == 0)
			break;
	}
	if (i == sizeof(failures) / sizeof(failures[0]))
		return (net_advice(why));
	if (proxy)
		return (failures[i].proxy_todo);
	return (proxied ? failures[i].todo : failures[i].direct_todo);
}
