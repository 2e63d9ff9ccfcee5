/* SPDX-License-Identifier: ISC */
/*
 * proxyd between a browser and a service, either of which says anything: the
 * input is one of some requests and then what service and browser say in which
 * pieces, who stops, who goes, and how time passes.
 *
 * Besides what the sanitizers see: what the browser gets is one answer for each
 * request that it made, whole or cut by the end of its connection, framed so
 * that a strict reader finds its end; the service gets one request at a time,
 * as strict, without the token that opened the way to it.
 */
#define main proxyd_main
#include "proxyd/proxyd.c"
#undef main
#include <sys/socket.h>

#include <llhttp.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compat.h"
#include "fuzz.h"
#include "heard.h"
#include "process.h"

#define CHECK(cond)	do { if (!(cond)) abort(); } while (0)
#define SESSION		"0f8b1c2d-3e4f-5061-7283-94a5b6c7d8e9"
#define SLUG		"0f8b1c2d3e4f5061728394a5b6c7d8e9"
#define SECRET		"bm9ib2R5LWlzLXRvLXNlZS10aGlz"
#define TOKEN		"eyJhbGciOiJIUzI1NiJ9.eyJ0b2tlbl90eXBlIjoicHJveHkiLCJz"	\
	"ZXNzaW9uX2lkIjoiMGY4YjFjMmQtM2U0Zi01MDYxLTcyODMtOTRhNWI2YzdkOGU5"	\
	"In0." SECRET
#define COMMON		"Host: web--" SLUG ".support.example.com\r\n"		\
	"Cookie: support_proxy_" SLUG "=" TOKEN "\r\n"
#define STREAMS		8
#define STEPS_MAX	64

static const struct request {
	const char	*text;
	int		 method, upgrade;
} requests[] = {
	{ "GET / HTTP/1.1\r\n" COMMON "\r\n", HTTP_GET, 0 },
	{ "HEAD /a/b HTTP/1.1\r\n" COMMON "\r\n", HTTP_HEAD, 0 },
	{ "POST /p HTTP/1.1\r\n" COMMON "Content-Length: 5\r\n\r\nhello",
	    HTTP_POST, 0 },
	{ "PUT /p HTTP/1.1\r\n" COMMON "Transfer-Encoding: chunked\r\n\r\n"
	    "5\r\nhello\r\n0\r\n\r\n", HTTP_PUT, 0 },
	{ "GET /old HTTP/1.0\r\n" COMMON "\r\n", HTTP_GET, 0 },
	{ "GET /ws HTTP/1.1\r\n" COMMON "Connection: Upgrade\r\n"
	    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
	    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", HTTP_GET, 1 },
	{ "GET /page HTTP/1.1\r\n" COMMON "Accept: text/html\r\n"
	    "Accept-Encoding: gzip\r\n\r\n", HTTP_GET, 0 },
	{ "PUT /e HTTP/1.1\r\n" COMMON "Expect: 100-continue\r\n"
	    "Content-Length: 5\r\n\r\n", HTTP_PUT, 0 },
	{ "GET /end HTTP/1.1\r\n" COMMON "Connection: close\r\n\r\n",
	    HTTP_GET, 0 },
};
#define REQUESTS	(sizeof(requests) / sizeof(requests[0]))
#define ASKED_MAX	8

static const char *const	pieces[] = {
	"OK\n", "ERROR no such service\n", "HTTP/1.1 200 OK\r\n",
	"HTTP/1.0 200 OK\r\n", "HTTP/1.1 204 No Content\r\n",
	"HTTP/1.1 304 Not Modified\r\n", "HTTP/1.1 100 Continue\r\n\r\n",
	"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
	"HTTP/1.1 302 Found\r\n",
	"Content-Length: 5\r\n", "Content-Length: 0\r\n",
	"Transfer-Encoding: chunked\r\n", "Connection: close\r\n",
	"Connection: keep-alive\r\n", "Content-Type: text/html\r\n",
	"Location: http://app.lan/x\r\n", "Set-Cookie: a=b; HttpOnly\r\n",
	"Content-Encoding: gzip\r\n", "\r\n", "hello", "5\r\nhello\r\n",
	"0\r\n\r\n", "0\r\nX: y\r\n\r\n", "<a href=\"http://app.lan/y\">",
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "\n",
	"Trailer: X\r\n", "HTTP/1.1 103 Early Hints\r\n\r\n",
	"Sec-WebSocket-Accept: x\r\n", "Content-Length: 99999999\r\n",
	"ffffffffffffff\r\n", " folded\r\n", "5\nhello\n", "0\n", "5 \r\n",
	"5\r\nhello", "\r\n1;x\r\n,",
};
#define PIECES		(sizeof(pieces) / sizeof(pieces[0]))

static struct take	t;
static int		begun, hosts;
static int		browser_fd = -1;
static struct heard	browser, service[STREAMS];
static int		stream[STREAMS];
static unsigned		nstreams, nasked;
static const struct request *asked[ASKED_MAX];
static uint64_t		grants;

/* --- the other processes --- */

static void
grant_yes(uint32_t id)
{
	int	a = process_authd();

	CHECK(process_say(a, IMSG_SERVICES_BEGIN, 0, -1,
	    &(struct msg_services_begin){ .version = 1, .count = 1,
	    .session = SESSION, .system = "S", .node = "" }) == 0);
	CHECK(process_say(a, IMSG_SERVICE, 0, -1, &(struct msg_service){
	    .name = "web", .target = "10.0.0.5:8080", .host = hosts ?
	    "app.lan" : "", .label = "", .path = "", .path_prefix = "",
	    .module_id = "", .node_id = "" }) == 0);
	CHECK(process_say(a, IMSG_SERVICES_END, 0, -1, NULL) == 0);
	CHECK(process_say(a, IMSG_GRANTED, id, -1, &(struct msg_granted){
	    .message = "", .grant = ++grants, .session = SESSION,
	    .operator = "op", .expires = (uint64_t)clock_wall() + 28800,
	    .idle_max = 4, .reference = "" }) == 0);
}

static void
stream_new(uint32_t id)
{
	static uint64_t	n;
	int		sv[2];

	if (nstreams == STREAMS) {
		CHECK(process_say(process_authd(), IMSG_STREAM_REFUSED, id, -1,
		    &(struct msg_stream_refused){ .status = 503,
		    .message = "full" }) == 0);
		return;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
	    sv) == -1)
		abort();
	stream[nstreams++] = sv[0];
	CHECK(process_say(process_authd(), IMSG_STREAM_OPENED, id, sv[1],
	    &(struct msg_stream_opened){ .stream = ++n }) == 0);
}

static void
authd_answers(void)
{
	struct imsg	m;
	int		r;

	while ((r = process_hear(process_authd(), &m)) != 0) {
		CHECK(r != -1 && m.fd == -1);
		if (m.type == IMSG_GRANT)
			grant_yes(m.id);
		else if (m.type == IMSG_STREAM_OPEN)
			stream_new(m.id);
	}
	while (process_hear(process_parent(), &m) > 0)
		continue;
}

/* Until nobody has anything more to say. */
static void
settle(int browser_reads)
{
	unsigned	i, k;

	for (k = 0; k < 6; k++) {
		process_turn(1);
		authd_answers();
		if (browser_reads)
			heard_listen(browser_fd, &browser);
		for (i = 0; i < nstreams; i++)
			heard_listen(stream[i], &service[i]);
	}
}

/* --- what has to hold --- */

static void
check_browser(void)
{
	static struct httphead	h;
	size_t			at = 0;
	ssize_t			n;
	unsigned		i = 0;
	int			whole = 1, r;

	while (at < browser.len) {
		/* A refusal of what was no request may come unasked. */
		CHECK(whole && i <= nasked);
		r = heard_answer(&browser, &at, i < nasked ?
		    asked[i]->method : HTTP_GET, &h);
		CHECK(r != -1);
		if (r == 0)
			break;		/* cut, or still to come */
		if (h.status == 101) {
			CHECK(i < nasked && asked[i]->upgrade);
			break;		/* bytes from here on */
		}
		n = heard_body(&h, browser.bytes + at, browser.len - at,
		    browser.ended, &whole);
		CHECK(n != -1);
		at += (size_t)n;
		i++;
	}
}

static void
check_service(const struct heard *s)
{
	static struct httphead	 h;
	struct httphead_scan	 scan = { 0, 0, 0 };
	const char		*why, *end;
	size_t			 at = 0;
	ssize_t			 n;
	unsigned		 i;
	int			 whole = 1, status;

	for (i = 0; at < s->len; i++) {
		CHECK(whole && i < nasked);
		memset(&scan, 0, sizeof(scan));
		end = memmem(s->bytes + at, s->len - at, "\r\n\r\n", 4);
		if (end == NULL)
			break;
		CHECK(httphead_request_max(&h, &scan, HTTPHEAD_PROXY_MAX,
		    s->bytes + at, s->len - at, &status, &why) == 1);
		at += h.head_len;
		if (h.flags & HTTPHEAD_UPGRADE)
			break;		/* bytes from here on, of whatever kind */
		n = heard_body(&h, s->bytes + at, s->len - at, s->ended,
		    &whole);
		CHECK(n != -1);
		at += (size_t)n;
	}
	CHECK(memmem(s->bytes, at, SECRET, strlen(SECRET)) == NULL);
}

/* --- the play --- */

static void
ask(const struct request *r)
{
	if (nasked == ASKED_MAX)
		return;
	asked[nasked++] = r;
	heard_say(browser_fd, r->text, strlen(r->text));
}

static void
come(void)
{
	struct addr	a;
	int		sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
	    sv) == -1 || addr_parse(&a, "192.0.2.1", 9) == -1)
		abort();
	browser_fd = sv[0];
	conn_new(sv[1], 0, &a, 0, NULL);
}

static void
gone(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

/* The end of what it says, of all, or time that passes. */
static void
event(uint8_t how, int *fd)
{
	switch (how % 8) {
	case 0:
		if (*fd != -1)
			shutdown(*fd, SHUT_WR);
		break;
	case 1:
		gone(fd);
		break;
	case 2:
		clock_move(take_byte(&t) * 500U);
		break;
	case 3:
		if (browser_fd != -1)
			shutdown(browser_fd, SHUT_WR);
		break;
	case 4:
		heard_listen(browser_fd, &browser);
		check_browser();
		gone(&browser_fd);
		break;
	case 5:
		ask(&requests[take_byte(&t) % REQUESTS]);
		break;
	case 6:
		(void)process_say(process_authd(), IMSG_GRANT_END, 0, -1,
		    &(struct msg_grant_end){ .grant = grants,
		    .why = END_GRANT });
		break;
	default:			/* a burst that fills what is between */
		{
			static char	big[65536];

			memset(big, 'x', sizeof(big));
			heard_say(*fd, big, sizeof(big));
		}
	}
}

static void
step(void)
{
	uint8_t		 op = take_byte(&t);
	int		*fd = &stream[nstreams > 0 ? nstreams - 1 : 0];
	int		 none = -1;
	const uint8_t	*p;
	size_t		 len;

	if (nstreams == 0)
		fd = &none;
	switch (op >> 6) {
	case 0:
	case 1:
		heard_say(*fd, pieces[(op & 127) % PIECES],
		    strlen(pieces[(op & 127) % PIECES]));
		break;
	case 2:
		p = take_bytes(&t, op & 63, &len);
		heard_say(*fd, p, len);
		break;
	default:
		event(op & 63, fd);
	}
	settle((op & 32) == 0 || (op >> 6) != 3);
}

static void
configure(struct conf *c)
{
	strlcpy(c->proxy_domain, "support.example.com",
	    sizeof(c->proxy_domain));
}

static void
begin(void)
{
	unsigned	i;

	process_start(proxyd_main, configure);
	(void)process_say(process_authd(), IMSG_USABLE, 0, -1,
	    &(struct msg_usable){ .yes = 1 });
	if ((browser.bytes = malloc(HEARD_MAX)) == NULL)
		abort();
	for (i = 0; i < STREAMS; i++)
		if ((service[i].bytes = malloc(HEARD_MAX)) == NULL)
			abort();
	begun = 1;
}

/* Nobody is left, and what proxyd keeps has ended. */
static void
over(void)
{
	unsigned	i;

	settle(1);
	check_browser();
	for (i = 0; i < nstreams; i++)
		check_service(&service[i]);
	gone(&browser_fd);
	for (i = 0; i < nstreams; i++)
		gone(&stream[i]);
	(void)process_say(process_authd(), IMSG_GRANT_END, 0, -1,
	    &(struct msg_grant_end){ .grant = grants, .why = END_GRANT });
	settle(0);
	clock_move(100000);
	settle(0);
	for (i = 0; i < nstreams; i++)
		service[i].len = 0;
	for (i = 0; i < STREAMS; i++)
		service[i].ended = 0;
	browser.len = 0;
	browser.ended = 0;
	nstreams = nasked = 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	unsigned	steps;
	uint8_t		first;

	if (!begun)
		begin();
	t.p = data;
	t.end = data + len;
	first = take_byte(&t);
	hosts = first & 128;
	come();
	ask(&requests[(first & 127) % REQUESTS]);
	settle(1);
	for (steps = 0; t.p < t.end && steps < STEPS_MAX; steps++)
		step();
	over();
	return (0);
}
