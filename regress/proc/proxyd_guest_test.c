/* SPDX-License-Identifier: ISC */
/*
 * Services of a sibling session that another member of a cluster has: what is for
 * them goes there as it came, once, and nothing goes there that has come here
 * for that. This program is authd and the other member.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proxyd/member.h"
#include "regress/lib/proxyd_story.h"
#include "regress/lib/tap.h"

#define SECOND	"22222222-3e4f-4061-8283-94a5b6c7d8e9"
#define UI	"Host: ui--" SLUG "." DOMAIN "\r\nCookie: support_proxy_" SLUG "="
#define YES	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define SIG	"\r\n\r\n\0\r\nQUIT\n"
#define V4	"\xc0\x00\x02\x07\x7f\x00\x00\x01\x11\x5c\x01\xbb"
#define HEAD	SIG "\x21\x11\0\x14" V4 "\xe0\0\x05" "hello"

static struct drive	d;
static char		head[512];	/* of the last request */

static const char *
token(void)
{
	return (proxy_token(SESSION, "guests"));
}

/* A table of one service with a path of its own; "" member: it is here. */
static void
table(const char *session, const char *node, const char *member,
    const char *name, const char *prefix)
{
	static uint32_t	version;

	say(d.authd, services_begin, .version = ++version, .count = 1,
	    .session = session, .system = "S", .node = node,
	    .member = member);
	say(d.authd, service, .name = name, .target = "10.0.0.1:80",
	    .host = "app.lan", .path_prefix = prefix);
	say(d.authd, services_end);
	flush_authd(&d);
}

static void
tables(const char *first, const char *second)
{
	table(SESSION, "1", first, "ui", "");
	table(SECOND, "2", second, "files", "/files");
}

/* The tables, and then yes: who has them, "" here. */
static void
grants(uint64_t grant, const char *session, const char *first,
    const char *second)
{
	uint32_t	id = hear_next(d.authd, grant, NULL)->id;

	tables(first, second);
	say_id(d.authd, id, granted, .grant = grant, .session = session, .operator = "op",
	    .expires = (uint64_t)time(NULL) + 28800, .idle_max = 32);
}

/* A request of this line, and these fields; its head is kept. */
static void
ask(int fd, const char *line, const char *more)
{
	snprintf(head, sizeof(head), "%s\r\n" UI "%s\r\n%s\r\n", line, token(),
	    more);
	put(fd, "%s", head);
}

/* The other member's end, if it is asked for as it should be. */
static int
led(uint32_t flags)
{
	struct msg_forward	 in;
	struct imsg		*m = hear_next(d.authd, forward, &in);
	int			 sv[2];

	is_str(in.member, "b", "what is a guest's goes to its member");
	is_int(in.flags, flags, "and says why it comes");
	stream_pair(sv);
	say_fd(d.authd, m->id, sv[1], forwarded);
	return (sv[0]);
}

/* A service of ours answers. */
static void
serves(int fd, uint64_t grant, const char *service)
{
	struct msg_stream_open	in;
	uint32_t		id = hear_next(d.authd, stream_open, &in)->id;
	int			sv[2];

	ok(in.grant == grant && strcmp(in.service, service) == 0,
	    "a stream to %s: %s, %llu", service, in.service,
	    (unsigned long long)in.grant);
	stream_pair(sv);
	say_fd(d.authd, id, sv[1], stream_opened, .stream = 8000 + id);
	(void)request_at(sv[0]);
	put(sv[0], "OK\n" YES);
	is_int(status_of(answer(fd)), 200, "is answered");
	close(sv[0]);
}

static void
test_there(void)
{
	int	fd = browser(&d, 0), link;

	ask(fd, "GET /files/x?y HTTP/1.1", "X-Mine: 1\r\n");
	say_id(d.authd, hear_next(d.authd, where, NULL)->id, where_is,
	    .member = "");
	grants(900, SESSION, "", "b");
	link = led(LISTEN_LED);
	is_str(get_until(link, "\r\n\r\n"), head, "operator-40(partial): as it "
	    "came, with the host and the token of the browser");
	put(link, YES);
	is_str(get_until(fd, "ok"), YES, "so does its answer");
	ask(fd, "GET /x HTTP/1.1", "");
	serves(fd, 900, "ui");
	ask(fd, "POST /files HTTP/1.1", "Content-Length: 5\r\n");
	put(fd, "hel");
	(void)get_until(link, "hel");
	put(fd, "lo");
	is_str(get_until(link, "lo"), "lo", "a body, on the same two "
	    "connections, as one for here came between");
	put(link, YES);
	(void)get_until(fd, "ok");
	ask(fd, "PUT /files/x HTTP/1.1", "Transfer-Encoding: chunked\r\n");
	is_str(get_until(link, "\r\n\r\n"), head, "one in chunks");
	put(fd, "3\r\nabc\r\n0\r\n\r\n");
	is_str(get_until(link, "0\r\n\r\n"), "3\r\nabc\r\n0\r\n\r\n",
	    "which come later");
	put(link, YES);
	(void)get_until(fd, "ok");
	ask(fd, "HEAD /files/x HTTP/1.1", "");
	is_str(get_until(link, "\r\n\r\n"), head, "HEAD");
	put(link, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n");
	(void)get_until(fd, "\r\n\r\n");
	ask(fd, "GET /files/ws HTTP/1.1", "Connection: Upgrade\r\n"
	    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
	    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
	is_str(get_until(link, "\r\n\r\n"), head, "an upgrade");
	put(link, "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\n"
	    "Upgrade: websocket\r\n\r\nhello");
	ok(strstr(get_until(fd, "hello"), " 101 ") != NULL, "is one");
	put(fd, "raw");
	is_str(get_until(link, "raw"), "raw", "to its end");
	close(link);
	ok(end_of(fd) != 1, "which comes with the other's");
	close(fd);
}

static void
test_no_member(void)
{
	int	fd = browser(&d, 0);

	drive_clock(&d, MEMBER_KNOWN_MS);
	ask(fd, "GET /files/x HTTP/1.1", "");
	say_id(d.authd, hear_next(d.authd, where, NULL)->id, where_is,
	    .member = "");
	say_id(d.authd, hear_next(d.authd, forward, NULL)->id, forward_failed,
	    .why = "no route");
	is_int(status_of(answer(fd)), 503, "its member cannot be reached: 503");
	ask(fd, "GET /x HTTP/1.1", "");
	serves(fd, 900, "ui");
	close(fd);
}

/* The sibling comes here, and goes again. */
static void
test_moves(void)
{
	struct msg_grant	 in;
	struct imsg		*m;
	int			 fd = browser(&d, 0), link;

	table(SECOND, "2", "", "files", "/files");
	ask(fd, "GET /files/x HTTP/1.1", "");
	m = hear_next(d.authd, grant, &in);
	is_str(in.sibling, SECOND, "what has come here is asked for here");
	say_id(d.authd, m->id, granted, .grant = 901, .session = SECOND,
	    .operator = "op", .expires = (uint64_t)time(NULL) + 28800,
	    .idle_max = 32);
	serves(fd, 901, "files");
	table(SECOND, "2", "b", "files", "/files");
	ask(fd, "GET /files/x HTTP/1.1", "");
	link = led(LISTEN_LED);
	is_str(get_until(link, "\r\n\r\n"), head, "and there, when it is there");
	put(link, YES);
	(void)get_until(fd, "ok");
	close(link);
	close(fd);
}

/* A connection that another member has made, for this. */
static int
from_member(uint32_t flags)
{
	int	fd = browser(&d, 0);

	put_bytes(fd, HEAD, sizeof(HEAD) - 1);
	say_id(d.authd, hear_next(d.authd, peer_head, NULL)->id,
	    peer_head_said, .flags = flags, .why = "");
	return (fd);
}

/* The host's session is the guest here, and what its path leads to is ours. */
static void
test_lent(void)
{
	struct msg_grant	 in;
	struct imsg		*m;
	int			 fd = from_member(LISTEN_LED);

	ask(fd, "GET /files/x HTTP/1.1", "");
	grants(910, SESSION, "a", "");
	m = hear_next(d.authd, grant, &in);
	ok(strcmp(in.sibling, SECOND) == 0 && strcmp(in.slug, SLUG) == 0,
	    "operator-40(partial): a grant on ours is asked for, with the "
	    "guest's token");
	say_id(d.authd, m->id, granted, .grant = 911, .session = SECOND,
	    .operator = "op", .expires = (uint64_t)time(NULL) + 28800,
	    .idle_max = 32);
	serves(fd, 911, "files");
	ask(fd, "GET /x HTTP/1.1", "");
	is_int(status_of(answer(fd)), 503, "what is the guest's own goes not "
	    "back: the two do not know the same");
	table(SECOND, "2", "c", "files", "/files");
	ask(fd, "GET /files/x HTTP/1.1", "");
	is_int(status_of(answer(fd)), 503, "nor does it go to a third");
	ok(is_quiet(d.authd, 20), "of which authd hears nothing");
	close(fd);
}

/* Passed on for the host's session, which is here; its path leads away. */
static void
test_on(void)
{
	int	fd = from_member(0), link;

	tables("", "b");
	ask(fd, "GET /files/x HTTP/1.1", "");
	say_id(d.authd, hear_next(d.authd, where, NULL)->id, where_is,
	    .member = "");
	link = led(LISTEN_LED);
	is_str(get_until(link, "\r\n\r\n"), head,
	    "what was passed on for its host is passed on for its path");
	put(link, YES);
	is_str(get_until(fd, "ok"), YES, "once");
	close(link);
	close(fd);
}

int
main(void)
{
	struct conf	cf;

	proxyd_conf(&cf);
	cf.cluster_port = 7;
	drive_start(&d, ROLE_PROXYD, &cf);
	test_there();
	test_no_member();
	test_moves();
	is_int(drive_leave(&d), 0, "proxyd ends well");
	drive_with.flags = LISTEN_PEER;
	drive_start(&d, ROLE_PROXYD, &cf);
	test_lent();
	test_on();
	is_int(drive_leave(&d), 0, "and one that members come to");
	return (done_testing());
}
