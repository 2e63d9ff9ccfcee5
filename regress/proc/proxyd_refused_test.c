/* SPDX-License-Identifier: ISC */
/*
 * What proxyd refuses without asking: each cause is told to authd for the audit
 * log, counted and not one by one, and a flood of addresses has an end.
 * operator-api.md, 11; audit.md.
 */
#include <sys/resource.h>

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
#define TUNNEL "/api/tunnel"
#define LONG "0123456789012345678901234567890123456789012345678901234567890123"
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
	{ "GET " TERMINAL "?ticket=%x HTTP/1.1\r\nHost: a\r\n" UPGRADE
	    "\r\n", 401, ALONE_TICKET },
	{ "GET " TERMINAL "?ticket=x HTTP/1.1\r\nHost: a\r\nConnection: "
	    "upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 12\r\n"
	    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", 400,
	    ALONE_UPGRADE },
	{ "GET " TERMINAL "?ticket=x HTTP/1.1\r\nHost: a\r\nOrigin: https://"
	    LONG LONG LONG LONG LONG "\r\n" UPGRADE "\r\n", 403,
	    ALONE_ORIGIN },
	{ "GET / HTTP/1.1\r\nHost: -a--" SLUG "." DOMAIN "\r\n\r\n", 400,
	    ALONE_HOST },
	{ "GET " API "/" SESSION "/proxy/web/ HTTP/1.1\r\nHost: a\r\n\r\n",
	    401, ALONE_TOKEN },
	{ "GET / SPDY/3\r\n\r\n", 400, ALONE_HEAD },
	{ "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0, ALONE_HEAD },
};

/* The same of tunnels, where authd is asked first: may this address try? */
static const struct cause tunnels[] = {
	{ "GET " TUNNEL " HTTP/1.1\r\nHost: a\r\n\r\n", 400, ALONE_UPGRADE },
	{ "GET " TUNNEL " HTTP/1.1\r\nHost: a\r\nOrigin: https://a\r\n"
	    UPGRADE "\r\n", 403, ALONE_ORIGIN },
	{ "GET " TUNNEL "?node_id=1a HTTP/1.1\r\nHost: a\r\n" UPGRADE "\r\n",
	    400, ALONE_NODE },
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
one_told(enum alone why, const char *from)
{
	struct msg_refused_alone	*in = told();

	ok(in->why == why && strcmp(in->addr, from) == 0 && in->count == 1,
	    "it is told: %s %u %u", in->addr, in->why, in->count);
	ok(request_is(in->request, strlen(in->request)),
	    "with the id of the request");
}

static void
admit(void)
{
	struct msg_admit	in;

	say_id(d.authd, hear(d.authd, admit, &in)->id, admitted,
	    .nonce = 4711, .message = "");
}

static void
each_cause(const struct cause *k, size_t n, int host, int is_tunnel)
{
	char	from[32];
	size_t	i;
	int	fd;

	for (i = 0; i < n; i++, k++, host++) {
		snprintf(from, sizeof(from), "127.0.0.%d", 1 + host);
		fd = browser_from(&d, host);
		put(fd, "%s", k->says);
		if (is_tunnel)
			admit();
		if (k->status != 0)
			is_int(status_of(answer(fd)), k->status, "%s: %d", from,
			    k->status);
		if (k->why != ALONE_COUNT)
			one_told(k->why, from);
		close(fd);
	}
}

/* What takes too long, and what takes too much. */
static void
slow_and_long(void)
{
	static char	pad[70000];
	int		fd;

	memset(pad, 'x', sizeof(pad) - 1);
	fd = browser_from(&d, 60);
	put(fd, "GET / HTTP/1.1\r\nHo");
	(void)is_quiet(fd, 20);
	drive_clock(&d, 10100);
	is_int(status_of(answer(fd)), 408, "half a head");
	one_told(ALONE_SLOW, "127.0.0.61");
	close(fd);
	fd = browser_from(&d, 61);
	put(fd, "GET / HTTP/1.1\r\nHost: a\r\nX: %.17000s\r\n\r\n", pad);
	is_int(status_of(answer(fd)), 431, "a long head");
	one_told(ALONE_HEAD_LONG, "127.0.0.62");
	close(fd);
	fd = browser_from(&d, 62);
	put(fd, "GET / HTTP/1.1\r\nHost: " HOST "\r\nX: %s\r\n\r\n", pad);
	is_int(status_of(answer(fd)), 431, "one of a proxied host");
	one_told(ALONE_HEAD_LONG, "127.0.0.63");
	close(fd);
	fd = browser(&d, 0);
	put(fd, "GET / HTTP/1.1\r\nHost: " HOST "\r\nX-Forwarded-Host: b--" SLUG
	    "." DOMAIN "\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n");
	is_int(status_of(answer(fd)), 400, "a proxy that says two things");
	one_told(ALONE_HOST, "192.0.2.1");
	close(fd);
}

/* A call with this behind its token; it is known then. */
static int
posted(int host, const char *fields)
{
	struct msg_api	in;
	int		fd = browser_from(&d, host);

	put(fd, "POST " API "/" SESSION "/terminal-ticket HTTP/1.1\r\nHost: a\r\n"
	    "Authorization: Bearer t%d\r\n%s\r\n", host, fields);
	say_id(d.authd, hear(d.authd, api, &in)->id, api_result, .status = 400,
	    .message = "");
	return (fd);
}

static void
bodies(void)
{
	int	fd;

	fd = browser_from(&d, 70);
	put(fd, "POST " API "/" SESSION "/terminal-ticket HTTP/1.1\r\nHost: a\r\n"
	    "Authorization: Bearer u\r\nContent-Length: 4097\r\n\r\n");
	is_int(status_of(answer(fd)), 413, "a body that says it is long");
	one_told(ALONE_BODY, "127.0.0.71");
	close(fd);
	fd = posted(71, "Transfer-Encoding: chunked\r\n");
	put(fd, "1001\r\n%4097s\r\n", "");
	is_int(status_of(answer(fd)), 413, "one that is");
	one_told(ALONE_BODY, "127.0.0.72");
	close(fd);
	fd = posted(72, "Transfer-Encoding: chunked\r\n");
	put(fd, "no chunk\r\n");
	is_int(status_of(answer(fd)), 400, "one in no chunks");
	one_told(ALONE_BODY, "127.0.0.73");
	close(fd);
	fd = posted(73, "Content-Length: 10\r\n");
	put(fd, "{");
	(void)is_quiet(fd, 20);
	drive_clock(&d, 30100);
	is_int(status_of(answer(fd)), 408, "one that does not come");
	one_told(ALONE_SLOW, "127.0.0.74");
	close(fd);
}

/* More bodies than there is room for: the first that finds none is told. */
static void
crowd(void)
{
	enum { N = 1026, EACH = 500 };
	static int			 fds[N];
	static char			 part[4095];
	struct msg_api			 in;
	struct rlimit			 rl = { N + 100, N + 100 };
	int				 i;

	if (setrlimit(RLIMIT_NOFILE, &rl) == -1)
		bail("setrlimit");
	for (i = 0; i < N; i++) {
		fds[i] = browser_from(&d, 80 + i / EACH);
		put(fds[i], "POST " API "/" SESSION "/terminal-ticket "
		    "HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer c%d\r\n"
		    "Content-Length: 4096\r\n\r\n", i);
		say_id(d.authd, hear(d.authd, api, &in)->id, api_result,
		    .status = 400, .message = "");
		put_bytes(fds[i], part, sizeof(part));
	}
	ok(told()->why == ALONE_BUSY, "too many bodies at once");
	for (i = 0; i < N; i++)
		close(fds[i]);
	drive_clock(&d, 0);
}

/*
 * Limits are crossed: the calls of a token, the refused tokens of an address.
 */
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
		    "Bearer t%d\r\n\r\n", i < 20 ? i : 0);
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
	fd = browser_from(&d, 102);
	for (i = 0; i <= 20; i++) {
		put(fd, "GET / HTTP/1.1\r\nHost: " HOST "\r\nCookie: "
		    "support_proxy_" SLUG "=%s%d\r\n\r\n",
		    proxy_token(SESSION, "bad"), i < 20 ? i : 0);
		if (i < 20)
			grant_no(&d, 401, "no");
		is_int(status_of(answer(fd)), i < 20 ? 401 : 429,
		    "cookie %d", i);
	}
	ok(told()->why == ALONE_TOKENS, "of a proxied host, too");
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
	each_cause(causes, sizeof(causes) / sizeof(causes[0]), 1, 0);
	each_cause(tunnels, sizeof(tunnels) / sizeof(tunnels[0]), 40, 1);
	slow_and_long();
	bodies();
	crowd();
	limited();
	flood();
	is_int(drive_leave(&d), 0, "it leaves");
	return (done_testing());
}
