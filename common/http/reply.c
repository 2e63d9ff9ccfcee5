/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "imsg/msg.h"
#include "reply.h"
#include "ws/ws.h"

/* A message of nothing but control characters, six bytes each. */
#define ESCAPED_MAX	(6 * MESSAGE_SIZE + 1)

/*
 * No pointers here, nor in other such tables: each worker would relocate them.
 */
static const struct {
	int	status;
	char	reason[32];
} reasons[] = {
	{ 200, "OK" }, { 201, "Created" }, { 204, "No Content" },
	{ 302, "Found" }, { 400, "Bad Request" }, { 401, "Unauthorized" },
	{ 403, "Forbidden" }, { 404, "Not Found" },
	{ 405, "Method Not Allowed" }, { 408, "Request Timeout" },
	{ 409, "Conflict" }, { 411, "Length Required" },
	{ 413, "Content Too Large" }, { 414, "URI Too Long" },
	{ 422, "Unprocessable Content" }, { 426, "Upgrade Required" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" }, { 501, "Not Implemented" },
	{ 502, "Bad Gateway" }, { 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" }, { 505, "HTTP Version Not Supported" },
};

const char *
reply_reason(int status)
{
	size_t	i;

	for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return (reasons[i].reason);
	return ("Status");
}

int
reply_json_escape(char *dst, size_t size, const char *s)
{
	static const char	hex[] = "0123456789abcdef";
	int			utf8 = ws_utf8((const uint8_t *)s, strlen(s));
	size_t			n = 0;
	unsigned char		c;

	for (; (c = (unsigned char)*s) != '\0'; s++) {
		if (n + 7 > size)
			return (-1);
		if (c == '"' || c == '\\') {
			dst[n++] = '\\';
			dst[n++] = (char)c;
		} else if (c < 0x20 || c == 0x7f) {
			memcpy(dst + n, "\\u00", 4);
			dst[n + 4] = hex[c >> 4];
			dst[n + 5] = hex[c & 15];
			n += 6;
		} else
			dst[n++] = c >= 0x80 && !utf8 ? '?' : (char)c;
	}
	if (n >= size)
		return (-1);
	dst[n] = '\0';
	return (0);
}

long
reply_refusal(char *buf, size_t size, int status, const char *message,
    uint32_t retry_after, const char *request, const char *extra)
{
	char	text[ESCAPED_MAX], body[ESCAPED_MAX + 64], retry[48] = "";
	int	blen, n;

	if (reply_json_escape(text, sizeof(text), message) == -1)
		return (-1);
	blen = snprintf(body, sizeof(body),
	    "{\"code\":%d,\"message\":\"%s\",\"data\":null}", status, text);
	if (retry_after != 0)
		snprintf(retry, sizeof(retry), "Retry-After: %u\r\n",
		    (unsigned)retry_after);
	n = snprintf(buf, size, "HTTP/1.1 %d %s\r\n"
	    "Content-Type: application/json; charset=utf-8\r\n"
	    "Content-Length: %d\r\nCache-Control: no-store\r\n"
	    "X-Content-Type-Options: nosniff\r\n%s%s%s%s%s%s"
	    "Connection: close\r\n\r\n%s", status, reply_reason(status), blen,
	    retry, request[0] != '\0' ? "X-Request-Id: " : "", request,
	    request[0] != '\0' ? "\r\n" : "", extra != NULL ? extra : "", extra != NULL ? "\r\n" : "",
	    body);
	return (n < 0 || (size_t)n >= size ? -1 : n);
}
