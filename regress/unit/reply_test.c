/* SPDX-License-Identifier: ISC */
/* Refusals: every message that can be sent is one that can be read. */
#include <cjson/cJSON.h>

#include <stdint.h>

#include "imsg/msg.h"
#include "http/reply.h"
#include "regress/lib/tap.h"

/* The body's message, parsed; NULL when the reply is not well formed. */
static char *
message_of(const char *reply, int status)
{
	const char	*body = strstr(reply, "\r\n\r\n");
	const char	*len = strstr(reply, "Content-Length: ");
	char		*text = NULL;
	cJSON		*json;
	const cJSON	*m;

	if (body == NULL || len == NULL ||
	    strlen(body + 4) != strtoul(len + 16, NULL, 10))
		return (NULL);
	if ((json = cJSON_ParseWithLengthOpts(body + 4, strlen(body + 4) + 1,
	    NULL, 1)) == NULL)
		return (NULL);
	m = cJSON_GetObjectItemCaseSensitive(json, "message");
	if (cJSON_GetObjectItemCaseSensitive(json, "code")->valueint ==
	    status && cJSON_IsString(m) && cJSON_IsNull(
	    cJSON_GetObjectItemCaseSensitive(json, "data")))
		text = strdup(m->valuestring);
	cJSON_Delete(json);
	return (text);
}

static void
test_refusal(void)
{
	char	 buf[REPLY_MAX], *m;
	long	 n;

	n = reply_refusal(buf, sizeof(buf), 429, "slow \"down\"", 7, "",
	    "X-Extra: yes");
	is_int(n, (long)strlen(buf), "operator-1(partial): the length counts no "
	    "NUL");
	ok(strncmp(buf, "HTTP/1.1 429 Too Many Requests\r\n", 32) == 0,
	    "status line");
	m = message_of(buf, 429);
	is_str(m, "slow \"down\"", "envelope and content length");
	free(m);
	ok(strstr(buf, "\r\nRetry-After: 7\r\n") != NULL, "Retry-After");
	ok(strstr(buf, "\r\nX-Extra: yes\r\n") != NULL, "one more header");
	ok(strstr(buf, "X-Request-Id") == NULL, "no id, no field");
	(void)reply_refusal(buf, sizeof(buf), 404, "no", 0, "ab-1", NULL);
	ok(strstr(buf, "\r\nX-Request-Id: ab-1\r\n") != NULL, "the id");
	ok(strstr(buf, "\r\nConnection: close\r\n") != NULL, "it closes");
	(void)reply_refusal(buf, sizeof(buf), 404, "no", 0, "", NULL);
	ok(strstr(buf, "Retry-After") == NULL, "no Retry-After unless asked");
	is_int(reply_refusal(buf, (size_t)strlen(buf), 404, "no", 0, "", NULL), -1,
	    "a buffer one byte short");
	ok(reply_refusal(buf, sizeof(buf), 299, "odd", 0, "", NULL) > 0 &&
	    strncmp(buf, "HTTP/1.1 299 Status\r\n", 21) == 0,
	    "an unknown status has a phrase too");
}

static void
test_worst(void)
{
	char	 buf[REPLY_MAX], text[MESSAGE_SIZE], id[65], *m;
	int	 c, bad = 0;

	memset(id, 'i', sizeof(id) - 1);
	id[sizeof(id) - 1] = '\0';
	for (c = 1; c < 256; c++) {
		memset(text, c, sizeof(text) - 1);
		text[sizeof(text) - 1] = '\0';
		if (reply_refusal(buf, sizeof(buf), 503, text, 4294967295U, id,
		    "X-Filler: 0123456789012345678901234567890123456789") ==
		    -1 || (m = message_of(buf, 503)) == NULL) {
			bad++;
			continue;
		}
		if (c < 0x80 ? strcmp(m, text) != 0 :
		    strlen(m) != sizeof(text) - 1 || m[0] != '?')
			bad++;
		free(m);
	}
	is_int(bad, 0, "the longest message of any byte fits and reads back");
}

static void
test_escape(void)
{
	char	buf[16];

	is_int(reply_json_escape(buf, sizeof(buf), "a\"b\\c"), 0, "escape");
	is_str(buf, "a\\\"b\\\\c", "quote and backslash");
	(void)reply_json_escape(buf, sizeof(buf), "\r\n");
	is_str(buf, "\\u000d\\u000a", "line ends cannot split a header");
	(void)reply_json_escape(buf, sizeof(buf), "\xc3\xa9");
	is_str(buf, "\xc3\xa9", "UTF-8 passes");
	(void)reply_json_escape(buf, sizeof(buf), "a\xc3");
	is_str(buf, "a?", "what is none does not");
	is_int(reply_json_escape(buf, 8, "\x01\x01"), -1, "too small");
	is_int(reply_json_escape(buf, 0, ""), -1, "no room at all");
}

int
main(void)
{
	test_refusal();
	test_worst();
	test_escape();
	return (done_testing());
}
