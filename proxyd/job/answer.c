/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "answer.h"
#include "base/clock.h"
#include "base/compat.h"
#include "proxyd/door/conn.h"
#include "http/head.h"
#include "http/reply.h"
#include "metrics/count.h"
#include "proxyd/http/page.h"

#define API_FIELDS	"X-Content-Type-Options: nosniff\r\n"		\
	"X-Frame-Options: DENY\r\nCache-Control: no-store\r\n"

/* RFC 9110, 5.6.7; made once a second. */
static const char *
answer_date(void)
{
	static char	text[40];
	static int64_t	at;
	int64_t		now = clock_wall();
	time_t		t = (time_t)now;
	struct tm	tm;

	if (now != at && gmtime_r(&t, &tm) != NULL && strftime(text,
	    sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0)
		at = now;
	return (text);
}

/*
 * The request is answered now: the buffer begins with what is behind its head.
 */
static void
answer_begin(struct conn *c, unsigned status)
{
	c->status = status;
	count(CT_ANSWER_NONE + metric_class(status));
	if (c->head_len > 0 && c->in != NULL)
		buf_drop(c->in, c->head_len);
	c->head_len = 0;
	if (c->body_left)
		c->keep = 0;
}

/* HTTP/1.0 takes it to be closed where nothing is said: RFC 9112, 9.3. */
static const char *
answer_connection(const struct conn *c)
{
	return (!c->keep ? "Connection: close\r\n" :
	    c->http10 ? "Connection: keep-alive\r\n" : "");
}

/* Send head, then up to three pieces of body unless it was HEAD. */
static void
answer_send(struct conn *c, int status, const char *type, const char *fields,
    const char *extra, struct iovec *body, int nbody)
{
	struct iovec	iov[4];
	static char	head[2 * HTTPHEAD_PROXY_MAX + REQUEST_SIZE + 64];	/* Location, token */
	char		length[64] = "";
	size_t		len = 0;
	int		i, n;

	answer_begin(c, (unsigned)status);
	for (i = 0; i < nbody; i++)
		len += body[i].iov_len;
	if (status != 204 && status != 304)
		snprintf(length, sizeof(length), "Content-Length: %zu\r\n",
		    len);
	n = snprintf(head, sizeof(head), "HTTP/1.1 %d %s\r\nDate: %s\r\n"
	    "X-Request-Id: %s\r\n%s%s%s%s%s%s%s\r\n", status,
	    reply_reason(status), answer_date(), c->request,
	    type != NULL ? "Content-Type: " : "", type != NULL ? type : "",
	    type != NULL ? "\r\n" : "", length, fields,
	    extra != NULL ? extra : "",
	    answer_connection(c));
	if (n < 0 || (size_t)n >= sizeof(head)) {
		conn_close(c, "answer too long", 0);
		return;
	}
	iov[0].iov_base = head;
	iov[0].iov_len = (size_t)n;
	for (i = 0; i < nbody; i++)
		iov[i + 1] = body[i];
	if (c->is_head)
		nbody = 0;
	n = conn_writev(c, iov, nbody + 1);
	if (extra != NULL)
		explicit_bzero(head, iov[0].iov_len);	/* a cookie, maybe */
	if (n == 0)
		conn_answered(c);
}

int
wants_page(const struct httphead *h)
{
	const struct slice	*v = httphead_get(h, "accept");

	return (v != NULL && memmem(v->s, v->len, "text/html", 9) != NULL);
}

/* For people: the same status and message, and what to do next. */
static void
answer_page(struct conn *c, int status, const char *message, const char *extra)
{
	char		body[PAGE_MAX];
	struct iovec	iov = { body, page_build(body, sizeof(body), status,
			    message, c->request) };

	answer_send(c, status, "text/html; charset=utf-8",
	    "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n"
	    "Content-Security-Policy: default-src 'none'; "
	    "style-src 'unsafe-inline'; frame-ancestors 'self'\r\n", extra,
	    &iov, 1);
}

void
answer_json(struct conn *c, int status, const char *message, const char *data,
    size_t data_len, const char *extra)
{
	char		text[MESSAGE_SIZE * 6], front[MESSAGE_SIZE * 6 + 64];
	struct iovec	iov[3];
	int		n;

	if (c->html && data == NULL) {
		answer_page(c, status, message, extra);
		return;
	}
	if (reply_json_escape(text, sizeof(text), message) == -1)
		text[0] = '\0';
	n = snprintf(front, sizeof(front),
	    "{\"code\":%d,\"message\":\"%s\",\"data\":", status, text);
	iov[0].iov_base = front;
	iov[0].iov_len = (size_t)n;
	iov[1].iov_base = (void *)(uintptr_t)(data != NULL ? data : "null");
	iov[1].iov_len = data != NULL ? data_len : 4;
	iov[2].iov_base = (void *)(uintptr_t)"}";
	iov[2].iov_len = 1;
	answer_send(c, status, "application/json; charset=utf-8", API_FIELDS,
	    extra, iov, 3);
}

void
answer_error(struct conn *c, int status, const char *message)
{
	answer_json(c, status, message, NULL, 0, NULL);
}

void
answer_later(struct conn *c, int status, const char *message,
    uint32_t retry_after_s)
{
	char	extra[48];

	snprintf(extra, sizeof(extra), "Retry-After: %u\r\n",
	    (unsigned)retry_after_s);
	answer_json(c, status, message, NULL, 0,
	    retry_after_s != 0 ? extra : NULL);
}

void
answer_bare(struct conn *c, int status, const char *message, uint32_t retry_s)
{
	char	text[MESSAGE_SIZE * 6], body[MESSAGE_SIZE * 6 + 16], extra[48];
	int	n;

	if (reply_json_escape(text, sizeof(text), message) == -1)
		text[0] = '\0';
	n = snprintf(body, sizeof(body), "{\"error\":\"%s\"}", text);
	snprintf(extra, sizeof(extra), "Retry-After: %u\r\n",
	    (unsigned)retry_s);
	answer_as(c, status, "application/json; charset=utf-8",
	    retry_s != 0 ? extra : NULL, body, (size_t)n);
}

void
answer_plain(struct conn *c, int status, const char *text)
{
	struct iovec	iov[2];

	if (c->html) {
		answer_page(c, status, text, NULL);
		return;
	}
	iov[0].iov_base = (void *)(uintptr_t)text;
	iov[0].iov_len = strlen(text);
	iov[1].iov_base = (void *)(uintptr_t)"\n";
	iov[1].iov_len = 1;
	answer_send(c, status, "text/plain; charset=utf-8",
	    "X-Content-Type-Options: nosniff\r\n", NULL, iov, 2);
}

void
answer_text(struct conn *c, const char *type, const char *text, size_t len)
{
	struct iovec	iov = { (void *)(uintptr_t)text, len };

	answer_send(c, 200, type, API_FIELDS, NULL, &iov, 1);
}

int
answer_head(struct conn *c, const char *type, const char *fields,
    uint64_t len)
{
	char		head[2048];
	struct iovec	iov = { head, 0 };

	answer_begin(c, 200);
	iov.iov_len = (size_t)snprintf(head, sizeof(head),
	    "HTTP/1.1 200 OK\r\nDate: %s\r\nX-Request-Id: %s\r\n"
	    "Content-Type: %s\r\nContent-Length: %llu\r\n%s%s\r\n",
	    answer_date(), c->request, type, (unsigned long long)len,
	    fields != NULL ? fields : API_FIELDS,
	    answer_connection(c));
	return (conn_writev(c, &iov, 1));
}

int
answer_stream(struct conn *c, const char *type, int chunked)
{
	char		head[1024];
	struct iovec	iov = { head, 0 };

	answer_begin(c, 200);
	iov.iov_len = (size_t)snprintf(head, sizeof(head),
	    "HTTP/1.1 200 OK\r\nDate: %s\r\nX-Request-Id: %s\r\n"
	    "Content-Type: %s\r\n%s%s%s\r\n", answer_date(), c->request, type,
	    chunked ? "Transfer-Encoding: chunked\r\n" : "", API_FIELDS,
	    answer_connection(c));
	return (conn_writev(c, &iov, 1));
}

void
answer_as(struct conn *c, int status, const char *type, const char *extra,
    const char *text, size_t len)
{
	struct iovec	iov = { (void *)(uintptr_t)text, len };

	answer_send(c, status, type, "", extra, &iov, 1);
}

void
answer_empty(struct conn *c, int status, const char *extra)
{
	answer_send(c, status, NULL, "", extra, NULL, 0);
}
