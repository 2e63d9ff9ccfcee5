/* SPDX-License-Identifier: ISC */
/*
 * What proxyd refuses without asking: each cause is told to authd for the audit
 * log, counted and not one by one, and a flood of addresses has an end.
 * operator-api.md, 11; audit.md.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/request.h"
#include "proc/alone.h"
#include "proxyd/refused.h"
#include "regress/lib/proxyd_story.h"
#include "regress/lib/tap.h"

#define API	"/api/support-sessions"
#define UPGRADE	"Connection: Upgrade\r\nUpgrade: websocket\r\n"		\
	"Sec-WebSocket-Version: 13\r\n"					\
	"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
#define TERMINAL API "/" SESSION "/terminal"

static struct drive	d;

static const struct cause {
	const char	*says;
	int		 status;
	enum alone	 why;
} causes[] = {
	{ "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, ALONE_HEAD },
	{ "GET / HTTP/1.1\r\nHost: x--" SLUG "y." DOMAIN "\r\n\r\n", 400,
	    ALONE_HOST },
	{ "POST / HTTP/1.1\r\nHost: " HOST "\r\nOrigin: https://evil.example"
	    "\r\nContent-Length: 0\r\n\r\n", 403, ALONE_CROSS_SITE },
	{ "GET / HTTP/1.1\r\nHost: " HOST "\r\n\r\n", 401, ALONE_TOKEN },
	{ "GET " API " HTTP/1.1\r\nHost: a\r\n\r\n", 401, ALONE_TOKEN },
	{ "GET " API "/" SESSION "/services/web/ HTTP/1.1\r\nHost: a\r\n"
	    "Authorization: Basic eDp5\r\n\r\n", 404, ALONE_COUNT },
	{ "GET " API " HTTP/1.1\r\nHost: a\r\n" UPGRADE "\r\n", 400,
	    ALONE_UPGRADE },
	{ "GET " API " HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t\r\n"
	    "Content-Length: 3\r\n\r\nabc", 400, ALONE_BODY },
	{ "GET " TERMINAL " HTTP/1.1\r\nHost: a\r\n" UPGRADE "\r\n", 401,
	    ALONE_TICKET },
	{ "GET " TERMINAL "?ticket=%%%% HTTP/1.1\r\nHost: a\r\n" UPGRADE
	    "\r\n", 401, ALONE_TICKET },
};

/* What is told next: whose, or "" for others. */
static struct msg_refused_alone *
told(void)
{
	static struct msg_refused_alone	in;

	(void)hear(d.authd, refused_alone, &in);
	return (&in);
}

static void
each_cause(void)
{
	struct msg_refused_alone	*in;
	const struct cause		*k;
	char				 from[32];
	size_t				 i;
	int				 fd;

	for (i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
		k = &causes[i];
		snprintf(from, sizeof(from), "127.0.0.%zu", 2 + i);
		fd = browser_from(&d, 1 + (int)i);
		put(fd, "%s", k->says);
		is_int(status_of(answer(fd)), k->status, "%s: %d", from,
		    k->status);
		close(fd);
		if (k->why == ALONE_COUNT)
			continue;
		in = told();
		ok(in->why == k->why && strcmp(in->addr, from) == 0 &&
		    in->count == 1, "it is told: %s %u %u", in->addr, in->why, in->count);
		ok(request_is(in->request, strlen(in->request)),
		    "with the id of the request");
	}
}

/* Limits are crossed: the calls of a token, the refused tokens of an address. */
static void
limited(void)
{
	struct msg_api	 in;
	uint32_t	 id;
	int		 fd = browser_from(&d, 100), i;

	for (i = 0; i < 2; i++) {
		put(fd, "GET " API " HTTP/1.1\r\nHost: a\r\nAuthorization: "
		    "Bearer once\r\n\r\n");
		if (i == 0) {
			id = hear(d.authd, api, &in)->id;
			say_id(d.authd, id, api_result, .status = 404,
			    .message = "");
		}
		is_int(status_of(answer(fd)), i == 0 ? 404 : 429, "call %d",
		    i);
	}
	ok(told()->why == ALONE_RATE, "too many calls are told");
	close(fd);
	fd = browser_from(&d, 101);
	for (i = 0; i <= 20; i++) {
		put(fd, "GET " API " HTTP/1.1\r\nHost: a\r\nAuthorization: "
		    "Bearer t%d\r\n\r\n", i);
		if (i < 20) {
			id = hear(d.authd, api, &in)->id;
			say_id(d.authd, id, api_result, .status = 401,
			    .message = "");
		}
		is_int(status_of(answer(fd)), i < 20 ? 401 : 429, "token %d",
		    i);
	}
	ok(told()->why == ALONE_TOKENS, "and too many refused tokens");
	close(fd);
}

/* Hear all that is told of this flood; the messages, and what they count. */
static void
heard(unsigned *messages, unsigned *others, uint64_t *sum, uint64_t until)
{
	struct msg_refused_alone	*in;

	*messages = *others = 0;
	for (*sum = 0; *sum < until; *sum += in->count) {
		in = told();
		(*messages)++;
		*others += in->addr[0] == '\0';
	}
}

static void
ask_as(int fd, int n)
{
	put(fd, "GET " API " HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: "
	    "198.51.%d.%d\r\n\r\n", n / 250, n % 250);
	(void)answer(fd);
}

static void
flood(void)
{
	unsigned	 messages, others;
	uint64_t	 sum;
	int		 fd = browser(&d, 0), i, n = 3000;

	for (i = 0; i < n; i++)
		ask_as(fd, i);
	heard(&messages, &others, &sum, (uint64_t)n);
	is_int((int)sum, n, "of a flood none is missing");
	ok(others > 0 && messages <= 65 * (others + 1),
	    "%u messages, in %u seconds", messages, others);
	for (i = 0; i < 500; i++)
		ask_as(fd, 1);
	heard(&messages, &others, &sum, 500);
	ok(others == 0 && messages < 20, "one address: %u messages",
	    messages);

	/* Without authd it is kept, no more than that. */
	shut(&d.authd);
	ok(drive_logs(&d, "authd has gone"), "authd goes");
	for (i = 0; i < n; i++)
		ask_as(fd, i);
	drive_channel(&d);
	heard(&messages, &others, &sum, (uint64_t)n);
	is_int((int)sum, n, "the next one hears all");
	ok(messages <= 2 * (REFUSED_PLACES + 1), "in %u messages", messages);
	close(fd);
}

int
main(void)
{
	struct conf	cf;

	proxyd_conf(&cf);
	cf.api_rate = 1;
	snprintf(cf.trusted_proxy[0], sizeof(cf.trusted_proxy[0]),
	    "127.0.0.1/32");
	cf.n_trusted_proxy = 1;
	drive_start(&d, ROLE_PROXYD, &cf);
	each_cause();
	limited();
	flood();
	is_int(drive_leave(&d), 0, "it leaves");
	return (done_testing());
}
