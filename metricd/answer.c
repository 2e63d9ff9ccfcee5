/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "base/log.h"
#include "metrics/ids.h"
#include "metrics/pages.h"
#include "metrics/table.h"
#include "proc/roles.h"

#define HEAD_MAX	512
#define TEXT_FIRST	49152	/* mostly enough */

struct answer {
	const char	*status, *type, *extra, *body;
};

/* NULL: it can serve. */
static const char *
not_ready(void)
{
	if (pages_number(ROLE_PARENT, CT_STOPPING) != 0)
		return ("stopping");
	if (pages_number(ROLE_PARENT, CT_UP_AUTHD) == 0)
		return ("no authd");
	if (pages_number(ROLE_PARENT, CT_UP_PROXYD) == 0)
		return ("no proxyd");
	if (pages_number(ROLE_AUTHD, CT_STORE_UP) == 0)
		return ("no store");
	return (NULL);
}

/* Everything but the numbers. */
static void
answer_find(enum request_what what, struct answer *a)
{
	a->type = "text/plain; charset=utf-8";
	a->extra = "";
	switch (what) {
	case REQUEST_HEALTH:
		a->status = "200 OK";
		a->body = "ok";
		break;
	case REQUEST_READY:
		a->body = not_ready();
		a->status = a->body == NULL ? "200 OK" :
		    "503 Service Unavailable";
		if (a->body == NULL)
			a->body = "ready";
		break;
	case REQUEST_NOT_FOUND:
		a->status = "404 Not Found";
		a->body = "/metrics, /health and /readyz are here\n";
		break;
	case REQUEST_METHOD:
		a->status = "405 Method Not Allowed";
		a->extra = "Allow: GET, HEAD\r\n";
		a->body = "GET or HEAD\n";
		break;
	case REQUEST_TOO_LONG:
		a->status = "431 Request Header Fields Too Large";
		a->body = "head too long\n";
		break;
	default:
		a->status = "400 Bad Request";
		a->body = "bad request\n";
		break;
	}
}

/* The numbers, behind `room` bytes for the head. */
static char *
numbers(int openmetrics, size_t room, size_t *len)
{
	size_t	 size = TEXT_FIRST;
	char	*buf, *more;

	if ((buf = malloc(room + size)) == NULL)
		return (NULL);
	*len = metrics_text(buf + room, size, pages_seen(), openmetrics);
	while (*len >= size) {
		size = *len + HEAD_MAX;
		if ((more = realloc(buf, room + size)) == NULL) {
			free(buf);
			return (NULL);
		}
		buf = more;
		*len = metrics_text(buf + room, size, pages_seen(),
		    openmetrics);
	}
	return (buf);
}

/* Right before the body, so that both are one piece. */
static char *
head_before(char *buf, size_t room, size_t *len, const struct answer *a,
    int is_head)
{
	char	head[HEAD_MAX];
	int	n;

	n = snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nContent-Type: %s\r\n"
	    "Content-Length: %zu\r\nCache-Control: no-store\r\n"
	    "X-Content-Type-Options: nosniff\r\n%sConnection: close\r\n\r\n",
	    a->status, a->type, *len, a->extra);
	if (n < 0 || (size_t)n > room)
		fatalx("answer: head too long");
	memmove(buf + n, buf + room, *len);
	memcpy(buf, head, (size_t)n);
	*len = (size_t)n + (is_head ? 0 : *len);
	return (buf);
}

char *
answer_make(enum request_what what, int is_head, size_t *len)
{
	struct answer	 a = { "200 OK", NULL, "", NULL };
	char		*buf;

	if (what == REQUEST_METRICS || what == REQUEST_OPENMETRICS) {
		a.type = what == REQUEST_OPENMETRICS ?
		    "application/openmetrics-text; version=1.0.0; "
		    "charset=utf-8" :
		    "text/plain; version=0.0.4; charset=utf-8";
		buf = numbers(what == REQUEST_OPENMETRICS, HEAD_MAX, len);
	} else {
		answer_find(what, &a);
		*len = strlen(a.body);
		if ((buf = malloc(HEAD_MAX + *len)) != NULL)
			memcpy(buf + HEAD_MAX, a.body, *len);
	}
	if (buf == NULL)
		return (NULL);
	return (head_before(buf, HEAD_MAX, len, &a, is_head));
}
