/* SPDX-License-Identifier: ISC */
#include <cjson/cJSON.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "reason.h"

#define MESSAGE_MAX	160	/* bytes of the server's own words */

static const struct {
	int		 status;
	const char	*why, *todo;
} answers[] = {
	{ 400, "request refused", "check the node id and the address" },
	{ 401, "key or secret refused", "check both against the server's" },
	{ 403, "refused", "support has to be enabled for this system" },
	{ 404, "no tunnels there", "check the path in the address" },
	{ 409, "this key has a tunnel already",
	    "stop the other client, or wait for its end" },
	{ 429, "too many attempts", "" },
	{ 502, "the server is not there", "" },
	{ 503, "the server takes no tunnels now", "" },
	{ 504, "the server is not there", "" },
};

static const struct {
	int		 error;		/* 0: `text` */
	const char	*text, *todo;
} failures[] = {
	{ ECONNREFUSED, NULL, "nothing listens there, check the address" },
	{ ETIMEDOUT, NULL, "is a firewall in the way?" },
	{ 0, "no such host", "check the address and /etc/resolv.conf" },
	{ 0, "name lookup timed out", "check /etc/resolv.conf" },
	{ 0, "TLS: wrong version number", "is it ws:// that is spoken there?" },
	{ 0, "TLS: certificate refused",
	    "SSL_CERT_FILE names other authorities" },
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
reason_answer(char *dst, size_t size, int status, const char *phrase,
    const char *body, size_t len, int token)
{
	char		 message[4 * MESSAGE_MAX + 1];
	const char	*why = "not taken", *todo = "";
	size_t		 i;

	for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		if (answers[i].status == status) {
			why = answers[i].why;
			todo = answers[i].todo;
		}
	if (status == 403 && token)
		todo = "the next attempt is without its reconnect token";
	if (status >= 300 && status < 400) {
		why = "sent elsewhere";
		todo = "the address has to be the final one";
	}
	server_message(message, sizeof(message), body, len);
	snprintf(dst, size, "%s (%d%s%s%s%s)%s%s", why, status,
	    *phrase == '\0' ? "" : " ", phrase, *message == '\0' ? "" : ": ",
	    message, *todo == '\0' ? "" : "; ", todo);
}

static int
has_value(char *const *env, const char *name)
{
	size_t	len = strlen(name);

	for (; *env != NULL; env++)
		if (strncasecmp(*env, name, len) == 0 && (*env)[len] == '=' &&
		    (*env)[len + 1] != '\0')
			return (1);
	return (0);
}

const char *
reason_hint(const char *why, int tls, char *const *env)
{
	const char	*text;
	size_t		 i;

	for (i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		text = failures[i].error != 0 ? strerror(failures[i].error) :
		    failures[i].text;
		if (strncmp(why, text, strlen(text)) != 0)
			continue;
		if (strncmp(why, "TLS", 3) == 0)
			return (failures[i].todo);
		break;
	}
	if (strncmp(why, "TLS", 3) != 0 && (has_value(env, "ALL_PROXY") ||
	    has_value(env, tls ? "HTTPS_PROXY" : "HTTP_PROXY")))
		return ("a forward proxy is set in the environment, but "
		    "tunnel-client uses none: names and the server have to be "
		    "reachable from here");
	return (i < sizeof(failures) / sizeof(failures[0]) ?
	    failures[i].todo : "");
}
