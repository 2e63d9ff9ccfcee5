/* SPDX-License-Identifier: ISC */
/*
 * An address with many refused tokens: the good ones of others there are served
 * all the same. doc/messages.md, 5.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proc/alone.h"
#include "regress/lib/proxyd_story.h"
#include "regress/lib/tap.h"

#define API	"/api/support-sessions"

static struct drive	d;

/* What is told of refusals meanwhile: how many with too many tokens. */
static unsigned
later(uint64_t ms)
{
	struct msg_refused_alone	 in;
	struct imsg			 m;
	unsigned			 n = 0;

	drive_clock(&d, ms);
	while (hear_any(d.authd, &m, 0) > 0)
		if (get_refused_alone(&m, &in) == 0 && in.why == ALONE_TOKENS)
			n += in.count;
	return (n);
}

/* ---- the operator API ---- */

static void
said(uint16_t status)
{
	const char	data[] = "{\"reason\":\"revoked\"}";
	struct msg_api	in;
	uint32_t	id = hear_next(d.authd, api, &in)->id;

	say_id(d.authd, id, api_result, .status = status, .message = "said",
	    .total = sizeof(data) - 1);
	say_id(d.authd, id, doc_chunk,
	    .bytes = { (const uint8_t *)data, sizeof(data) - 1 });
}

/* With this token: what authd says, 0: it is not asked; the answer. */
static char *
call(int fd, const char *method, int token, uint16_t status)
{
	put(fd, "%s " API "/" SESSION "%s HTTP/1.1\r\nHost: a\r\nAuthorization:"
	    " Bearer token%d\r\n%s\r\n", method, *method == 'P' ? "/extend" :
	    "", token, *method == 'P' ? "Content-Length: 9\r\n" : "");
	if (status != 0)
		said(status);
	return (answer(fd));
}

static int
called(int fd, int token, uint16_t status)
{
	return (status_of(call(fd, "GET", token, status)));
}

static int
wait_s(const char *a)
{
	return (atoi(header_of(a, "retry-after", 0)));
}

static void
calls(void)
{
	int	 fd = browser_from(&d, 10), other = browser_from(&d, 11), i;
	char	*a;

	for (i = 0; i < 20; i++)
		is_int(called(fd, i, 401), 401, "refused token %d", i + 1);
	a = call(fd, "GET", 20, 401);
	is_int(status_of(a), 429, "the 21st, which authd is asked about: 429");
	ok(wait_s(a) > 1 && wait_s(a) <= 60, "429: Retry-After");
	is_str(body_of(a), "{\"code\":429,\"message\":\"too many refused "
	    "tokens\",\"data\":null}", "429: why, and no more");
	a = call(fd, "GET", 20, 0);
	is_int(status_of(a), 429, "the same once more: 429");
	ok(wait_s(a) > 1, "429: Retry-After");
	ok(is_quiet(d.authd, 20), "and authd is not asked");
	is_int(called(fd, 21, 200), 200, "a good one: 200");
	is_int(called(fd, 22, 403), 403, "what it does not permit: 403");
	is_int(called(fd, 23, 404), 404, "what is not there: 404");
	is_int(called(other, 24, 401), 401, "another address hears 401");
	a = call(fd, "PATCH", 25, 401);
	is_int(status_of(a), 429, "a bad one, before its body comes: 429");
	ok(wait_s(a) > 1, "429: Retry-After");
	close(fd);

	fd = browser_from(&d, 10);
	is_int(later(1000), 1, "told as not asked about: the one");
	for (i = 0; i < 10; i++)
		is_int(called(fd, 30 + i, 401), 429, "asked about %d", i + 1);
	a = call(fd, "GET", 40, 0);
	is_int(status_of(a), 429, "and no more in a second");
	is_int(wait_s(a), 1, "but in the next");
	ok(is_quiet(d.authd, 20), "authd is not asked");
	is_int(called(fd, 21, 200), 200, "but about one that was good lately");
	is_int(called(fd, 21, 401), 429, "until it is not");
	is_int(called(fd, 21, 0), 429, "then about that one neither");
	is_int(called(other, 41, 200), 200, "another address is not touched");
	is_int(later(1000), 2, "both are told");
	is_int(called(fd, 40, 200), 200, "in the next second it is served");
	(void)later(60000);
	is_int(called(fd, 42, 401), 401, "a minute later a bad one is 401");
	close(fd);
	close(other);
}

/* Codes for an access token are judged, and counted, where they are known. */
static void
sign_in(void)
{
	int	fd = browser_from(&d, 12), i;

	for (i = 0; i < 20; i++)
		(void)called(fd, 100 + i, 401);
	for (i = 0; i < 2; i++) {
		put(fd, "POST /api/sign-in HTTP/1.1\r\nHost: a\r\n"
		    "Content-Length: 12\r\n\r\n{\"code\":\"c\"}");
		said(i == 0 ? 401 : 200);
		is_int(status_of(answer(fd)), i == 0 ? 429 : 200,
		    i == 0 ? "a wrong code: 429" : "a good one: 200");
	}
	close(fd);
}

/* ---- proxied hosts ---- */

static void
visit(int fd, const char *cookies)
{
	put(fd, "GET / HTTP/1.1\r\nHost: " HOST "\r\nCookie: %s\r\n\r\n",
	    cookies);
}

#define COOKIE	"support_proxy_" SLUG "="

static void
hosts(void)
{
	char	 text[64], *a;
	int	 fd = browser_from(&d, 13), i, stream;

	for (i = 0; i < 20; i++) {
		snprintf(text, sizeof(text), COOKIE "t%d", i);
		visit(fd, text);
		grant_no(&d, i % 2 ? 401 : 403, "no");
		is_int(status_of(answer(fd)), i % 2 ? 401 : 403,
		    "refused cookie %d", i + 1);
	}
	visit(fd, COOKIE "t20");
	grant_no(&d, 401, "no");
	a = answer(fd);
	is_int(status_of(a), 429, "the 21st: 429");
	ok(wait_s(a) > 1 && strstr(body_of(a), "too many refused tokens") !=
	    NULL, "with Retry-After, and why");
	visit(fd, COOKIE "t20");
	a = answer(fd);
	ok(status_of(a) == 429 && wait_s(a) > 1 && is_quiet(d.authd, 20),
	    "the same once more: authd is not asked");
	put(fd, "GET /?token=%s HTTP/1.1\r\nHost: " HOST "\r\n\r\n",
	    proxy_token(SESSION, "t21"));
	grant_no(&d, 403, "no");
	is_int(status_of(answer(fd)), 429, "a link that leads nowhere: 429");
	put(fd, "GET /?token=%s HTTP/1.1\r\nHost: " HOST "\r\n\r\n",
	    proxy_token(SESSION, "t21"));
	is_int(status_of(answer(fd)), 429, "nor does it the next time");
	ok(is_quiet(d.authd, 20), "and authd is not asked");

	/* A stale cookie in front is no reason not to look at the next. */
	visit(fd, COOKIE "t20; " COOKIE "t22; " COOKIE "good");
	grant_no(&d, 401, "no");
	grant_yes(&d, 50);
	stream = stream_yes(&d);
	close(stream);
	is_int(status_of(answer(fd)), 502, "of several cookies the good one "
	    "counts");
	close(fd);

	fd = browser_from(&d, 13);
	(void)later(1000);
	for (i = 0; i < 10; i++) {
		snprintf(text, sizeof(text), COOKIE "f%d", i);
		visit(fd, text);
		grant_no(&d, 401, "no");
		is_int(status_of(answer(fd)), 429, "asked about %d", i + 1);
	}
	visit(fd, COOKIE "f10");
	a = answer(fd);
	is_int(status_of(a), 429, "and no more in a second");
	is_int(wait_s(a), 1, "but in the next");
	ok(is_quiet(d.authd, 20), "authd is not asked");
	(void)later(1000);
	visit(fd, COOKIE "f11");
	grant_yes(&d, 51);
	close(stream_yes(&d));
	is_int(status_of(answer(fd)), 502, "in which a good one is served");
	close(fd);
}

/* Many wait for one answer: each hears what its own address may. */
static void
crowd(void)
{
	struct msg_grant	in;
	uint32_t		id;
	int			fd[3], i;

	for (i = 0; i < 3; i++)
		fd[i] = browser_from(&d, i < 2 ? 14 : 15);
	for (i = 0; i < 20; i++)
		(void)called(fd[0], 200 + i, 401);
	for (i = 0; i < 3; i++)
		visit(fd[i], COOKIE "crowd");
	id = hear_next(d.authd, grant, &in)->id;
	drive_clock(&d, 0);
	ok(is_quiet(d.authd, 20), "three ask for the same: one question");
	say_id(d.authd, id, granted, .status = 401, .message = "no");
	for (i = 0; i < 3; i++) {
		is_int(status_of(answer(fd[i])), i < 2 ? 429 : 401,
		    i < 2 ? "429 where many were refused" : "401 elsewhere");
		close(fd[i]);
	}
}

int
main(void)
{
	struct conf	cf;

	/* What is within a second is so on a busy machine, too. */
	setenv("RELAYD_CLOCK_SLOW", "1000", 1);
	proxyd_conf(&cf);
	drive_start(&d, ROLE_PROXYD, &cf);
	calls();
	sign_in();
	hosts();
	crowd();
	is_int(drive_leave(&d), 0, "proxyd ends well");
	return (done_testing());
}
