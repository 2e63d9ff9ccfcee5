/* SPDX-License-Identifier: ISC */
/*
 * Who closes its half behind a request that is whole has its answer; half a
 * request is none; and who has gone altogether is not waited for.
 */
#include <sys/socket.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http/head.h"
#include "proxyd/door/conn.h"
#include "regress/lib/proxyd_story.h"
#include "regress/lib/tap.h"

#define OK_TWO	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static struct drive	d;

/* A request of a new browser, which says no more than this. */
__attribute__((format(printf, 1, 2))) static int
says(const char *fmt, ...)
{
	static char	text[64 * 1024];
	va_list		ap;
	int		fd = browser(&d, 0), n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put_bytes(fd, text, (size_t)n);
	(void)shutdown(fd, SHUT_WR);
	return (fd);
}

/* The head of one for a page, but for its last line. */
static const char *
page(const char *method, const char *path, const char *version)
{
	static char	text[4096];

	snprintf(text, sizeof(text), "%s %s HTTP/%s\r\nHost: " HOST "\r\n"
	    "Cookie: support_proxy_" SLUG "=%s\r\n", method, path, version,
	    proxy_token(SESSION, "one"));
	return (text);
}

/* Its answer, and behind it the end. */
static void
has(int fd, const char *body, const char *what)
{
	char	*a = answer(fd);

	is_int(status_of(a), 200, "%s: answered", what);
	is_str(body_of(a), body, "%s: whole", what);
	is_int(end_of(fd), 0, "%s: and closed", what);
	close(fd);
}

/* Until its end has been heard, too: what follows comes behind that. */
static void
heard(int fd)
{
	ok(is_quiet(fd, 50), "it waits");
}

static void
pages(void)
{
	static char	 big[300000];
	int		 fd, st;
	char		*a;

	fd = says("%s\r\n", page("GET", "/", "1.1"));
	st = stream_yes(&d);
	(void)request_at(st);
	heard(fd);
	put(st, "OK\n" OK_TWO);
	a = answer(fd);
	is_str(header_of(a, "connection", 0), "close", "a page: says its last");
	is_str(body_of(a), "ok", "a page: whole");
	is_int(end_of(fd), 0, "a page: and closed");
	close(fd);
	close(st);

	/* It is heard before there is a stream. */
	fd = says("%sContent-Length: 5\r\n\r\nhello", page("POST", "/", "1.1"));
	heard(fd);
	st = stream_yes(&d);
	ok(strstr(get_until(st, "hello"), "hello") != NULL,
	    "an upload goes there");
	memset(big, 'b', sizeof(big) - 1);
	put(st, "OK\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "%zx\r\n", sizeof(big) - 1);
	put_bytes(st, big, sizeof(big) - 1);
	put(st, "\r\n0\r\n\r\n");
	a = answer(fd);
	ok(a != NULL && strlen(body_of(a)) > sizeof(big),
	    "its long answer comes, whole");
	is_int(end_of(fd), 0, "and the end");
	close(fd);
	close(st);
}

/* One behind the other; the last is half there. */
static void
several(void)
{
	char	 one[4096], *a;
	int	 fd, st, i;

	snprintf(one, sizeof(one), "%s\r\n", page("GET", "/one", "1.1"));
	fd = says("%s%sGET /half HTT", one, one);
	for (i = 0; i < 2; i++) {
		st = stream_yes(&d);
		(void)request_at(st);
		heard(fd);
		put(st, "OK\nHTTP/1.1 200 OK\r\nConnection: close\r\n"
		    "Content-Length: 2\r\n\r\nok");
		a = answer(fd);
		is_str(body_of(a), "ok", "both of two are answered");
		close(st);
	}
	is_int(end_of(fd), 0, "and not the half one behind them");
	close(fd);
	fd = says("GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
	    "GET /b HTTP/1.1\r\nHost: a\r\n\r\n");
	is_int(status_of(answer(fd)), 404, "without a service, too: one");
	is_int(status_of(answer(fd)), 404, "and two");
	is_int(end_of(fd), 0, "and the end");
	close(fd);
	fd = says("GET / HTTP/1.1\r\nHost: a\r\n");
	is_int(end_of(fd), 0, "half a head is not answered");
	close(fd);
}

/* What has not all of its body is none. */
static void
short_bodies(void)
{
	int	 fd, st;
	char	*a;

	fd = says("%sContent-Length: 5\r\n\r\nhel", page("POST", "/", "1.1"));
	heard(fd);
	st = stream_yes(&d);
	a = answer(fd);
	is_int(status_of(a), 400, "a body that is too short: 400");
	ok(strstr(body_of(a), "ends too early") != NULL, "and why");
	is_int(end_of(fd), 0, "and the end");
	is_int(end_of(st), 0, "the service sees nothing of it");
	close(fd);
	close(st);

	fd = browser(&d, 0);
	put(fd, "%sTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n",
	    page("POST", "/", "1.1"));
	st = stream_yes(&d);
	ok(strstr(get_until(st, "hel\r\n"), "hel") != NULL,
	    "one that is on its way");
	(void)shutdown(fd, SHUT_WR);
	is_int(end_of(st), 0, "is cut off");
	is_int(status_of(answer(fd)), 400, "and told so");
	is_int(end_of(fd), 0, "to its end");
	close(fd);
	close(st);

	fd = says("POST /api/support-sessions/" SESSION "/proxy-token "
	    "HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t\r\n"
	    "Content-Length: 50\r\n\r\n{");
	say_id(d.authd, hear_next(d.authd, api, NULL)->id, api_result,
	    .status = 400, .message = "validation failed");
	a = answer(fd);
	is_int(status_of(a), 400, "one of the API: 400");
	ok(strstr(body_of(a), "ends too early") != NULL, "and why");
	is_int(end_of(fd), 0, "and the end");
	close(fd);
	fd = says("POST /admin/sessions HTTP/1.1\r\nHost: a\r\n"
	    "Authorization: Bearer t\r\nContent-Length: 50\r\n\r\n{");
	a = answer(fd);
	is_int(status_of(a), 400, "of rendezvous administration: 400");
	ok(strstr(body_of(a), "ends too early") != NULL, "and why");
	is_int(end_of(fd), 0, "and the end");
	close(fd);
}

static void
calls(void)
{
	uint32_t	 id;
	int		 fd;
	char		*a;

	fd = says("POST /api/support-sessions/" SESSION "/proxy-token "
	    "HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t\r\n"
	    "Content-Length: 17\r\n\r\n{\"service\":\"web\"}");
	id = hear_next(d.authd, api, NULL)->id;
	heard(fd);
	say_id(d.authd, id, api_result, .status = 200, .message = "made");
	a = answer(fd);
	ok(strstr(body_of(a), "made") != NULL, "a call with a body: answered");
	is_int(end_of(fd), 0, "and closed");
	close(fd);
	fd = says("POST /admin/sessions HTTP/1.1\r\nHost: a\r\n"
	    "Authorization: Bearer t\r\nContent-Length: 2\r\n\r\n{}");
	id = hear_next(d.authd, relay, NULL)->id;
	heard(fd);
	say_id(d.authd, id, api_result, .status = 201, .total = 2);
	say_id(d.authd, id, doc_chunk, .bytes = { (const uint8_t *)"{}", 2 });
	a = answer(fd);
	is_int(status_of(a), 201, "rendezvous administration: answered");
	is_str(body_of(a), "{}\n", "whole");
	is_int(end_of(fd), 0, "and closed");
	close(fd);
}

/* It may have gone: who waits for an answer is sent a word. */
static void
asked(void)
{
	uint32_t	 id;
	int		 fd, st, i;

	fd = says("%s\r\n", page("GET", "/slow", "1.1"));
	st = stream_yes(&d);
	(void)request_at(st);
	put(st, "OK\n");
	heard(fd);
	drive_clock(&d, CONN_LOOK_MS);
	is_int(status_of(answer(fd)), 100, "who waits for long hears of it");
	for (i = 0; i < 5; i++) {
		drive_clock(&d, CONN_HALF_MS);
		is_int(status_of(answer(fd)), 100, "and again each minute");
	}
	put(st, OK_TWO);
	has(fd, "ok", "after five minutes");
	close(st);

	/* Neither prolongs what the service has; and who goes then is heard. */
	fd = says("%s\r\n", page("GET", "/never", "1.1"));
	grant_yes(&d, 12);
	st = stream_yes(&d);
	(void)request_at(st);
	put(st, "OK\n");
	heard(fd);
	drive_clock(&d, CONN_LOOK_MS);
	for (i = 0; i < 9; i++)
		drive_clock(&d, CONN_HALF_MS);
	drive_clock(&d, CONN_HALF_MS);
	ok(strstr(get_until(fd, "HTTP/1.1 504 "), "HTTP/1.1 504 ") != NULL,
	    "a service that never answers is waited for as ever");
	close(fd);
	close(st);
	fd = says("%s\r\n", page("GET", "/later", "1.1"));
	grant_yes(&d, 13);
	st = stream_yes(&d);
	(void)request_at(st);
	put(st, "OK\n");
	heard(fd);
	drive_clock(&d, CONN_LOOK_MS);
	is_int(status_of(answer(fd)), 100, "who has had one word");
	close(fd);
	drive_clock(&d, CONN_HALF_MS);
	is_int(end_of(st), 0, "and goes then is not waited for");
	close(st);

	fd = says("POST /admin/sessions HTTP/1.1\r\nHost: a\r\n"
	    "Authorization: Bearer t\r\n\r\n");
	id = hear_next(d.authd, relay, NULL)->id;
	heard(fd);
	drive_clock(&d, CONN_LOOK_MS);
	is_int(status_of(answer(fd)), 100, "rendezvous administration, too");
	say_id(d.authd, id, api_result, .status = 204);
	is_int(status_of(answer(fd)), 204, "and then the answer");
	close(fd);

	fd = says("%s\r\n", page("GET", "/old", "1.0"));
	grant_yes(&d, 8);
	st = stream_yes(&d);
	(void)request_at(st);
	put(st, "OK\n");
	drive_clock(&d, CONN_HALF_MS - 1000);
	ok(is_quiet(fd, 50), "HTTP/1.0 knows no such word");
	put(st, OK_TWO);
	has(fd, "ok", "it has its answer");
	close(st);
	fd = says("%s\r\n", page("GET", "/old", "1.0"));
	grant_yes(&d, 11);
	st = stream_yes(&d);
	(void)request_at(st);
	put(st, "OK\n");
	heard(fd);
	drive_clock(&d, CONN_HALF_MS);
	is_int(status_of(answer(fd)), 504, "but is not waited for for long");
	close(fd);
	close(st);

	/* Some of the answer is out. */
	fd = says("%s\r\n", page("GET", "/some", "1.1"));
	grant_yes(&d, 9);
	st = stream_yes(&d);
	(void)request_at(st);
	put(st, "OK\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "4\r\nsome\r\n");
	(void)get_until(fd, "some\r\n");
	drive_clock(&d, CONN_HALF_MS - 1000);
	put(st, "4\r\nmore\r\n");
	is_str(get_until(fd, "more\r\n"), "4\r\nmore\r\n", "a stream goes on");
	drive_clock(&d, CONN_HALF_MS);
	is_int(end_of(fd), ECONNRESET, "but not when it is silent for long");
	is_int(end_of(st), 0, "the service hears of it");
	close(fd);
	close(st);
}

static void
gone(void)
{
	struct imsg	 m;
	int		 fd, st;

	fd = browser(&d, 0);
	get(fd, "/");
	grant_yes(&d, 10);
	st = stream_yes(&d);
	(void)request_at(st);
	close(fd);
	is_int(end_of(st), 0, "who has gone is not waited for");
	close(st);

	fd = browser(&d, 0);
	get(fd, "/");
	st = stream_yes(&d);
	(void)request_at(st);
	put(st, "OK\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "4\r\nsome\r\n");
	(void)get_until(fd, "some\r\n");
	close(fd);
	put(st, "4\r\nmore\r\n");
	is_int(end_of(st), 0, "nor, in its answer, behind the next word");
	close(st);

	fd = browser(&d, 0);
	put(fd, "POST /admin/sessions HTTP/1.1\r\nHost: a\r\n"
	    "Authorization: Bearer t\r\n\r\n");
	(void)hear_next(d.authd, relay, NULL);
	close(fd);
	ok(drive_logs(&d, "has gone"), "the log has it");

	fd = says("%sConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
	    page("GET", "/ws", "1.1"));
	is_int(end_of(fd), 0, "who wants another protocol has gone at once");
	close(fd);
	while (hear_any(d.authd, &m, 50) > 0)
		;
}

int
main(void)
{
	struct conf	cf;

	proxyd_conf(&cf);
	cf.relay = 1;
	drive_start(&d, ROLE_PROXYD, &cf);
	grant_first(&d);
	pages();
	several();
	short_bodies();
	calls();
	asked();
	gone();
	is_int(drive_leave(&d), 0, "proxyd ends well");
	return (done_testing());
}
