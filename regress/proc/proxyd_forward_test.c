/* SPDX-License-Identifier: ISC */
/*
 * What another member of a cluster has: how a request goes there, how its
 * answer comes back, and what a broken member, or none, does to it. This
 * program is authd and the other member.
 */
#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proxyd/door/conn.h"
#include "proxyd/member.h"
#include "proxyd/moving.h"
#include "regress/lib/proxyd_story.h"
#include "regress/lib/tap.h"

#define PATH	"/api/support-sessions/" SESSION
#define ASK	"GET " PATH " HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t\r\n"
#define YES	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"

static struct drive	d;

/* authd: the member that has it. */
static void
at(const char *member)
{
	struct msg_where	 in;
	struct imsg		*m = hear(d.authd, where, &in);

	is_str(in.session, SESSION, "authd is asked where it is");
	say_id(d.authd, m->id, where_is, .member = member);
}

/* authd: a connection to it, of which this is the far end. */
static int
linked(uint32_t flags)
{
	struct msg_forward	 in;
	struct imsg		*m = hear(d.authd, forward, &in);
	int			 sv[2];

	is_str(in.member, "b", "and for a connection there");
	is_str(in.addr, "127.0.0.1", "for this client");
	is_int(in.flags, flags, "of this listener");
	stream_pair(sv);
	say_fd(d.authd, m->id, sv[1], forwarded);
	return (sv[0]);
}

/* Until these bytes are there; all that came. */
static const char *
got(int fd, const char *end)
{
	return (get_until(fd, end));
}

/* It is known for a moment who has it. */
static void
forget(void)
{
	drive_clock(&d, MEMBER_KNOWN_MS);
}

static void
test_exchange(void)
{
	int	fd = browser(&d, 0), link;

	put(fd, ASK "X-Mine: 1\r\n\r\n");
	at("b");
	link = linked(0);
	is_str(got(link, "\r\n\r\n"), ASK "X-Mine: 1\r\n\r\n",
	    "the request goes there as it came");
	put(link, "HTTP/1.1 103 Early\r\nX: 1\r\n\r\n" YES "ok");
	is_str(got(fd, "ok"), "HTTP/1.1 103 Early\r\nX: 1\r\n\r\n" YES "ok",
	    "the answer comes as it is");
	put(fd, "POST " PATH "/proxy-token HTTP/1.1\r\nHost: a\r\n"
	    "Content-Length: 5\r\n\r\nhel");
	ok(strstr(got(link, "hel"), "POST ") != NULL, "the next one goes on "
	    "the same connections, and begins before it is whole");
	put(fd, "lo");
	is_str(got(link, "lo"), "lo", "to its end");
	put(link, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "3\r\nabc\r\n");
	ok(strstr(got(fd, "abc\r\n"), "chunked") != NULL, "an answer in "
	    "chunks, as they come");
	put(link, "0\r\n\r\n");
	is_str(got(fd, "0\r\n\r\n"), "0\r\n\r\n", "to the last");
	close(fd);
	fd = browser(&d, 0);
	put(fd, ASK "\r\n");
	ok(strstr(got(link, "\r\n\r\n"), ASK) != NULL,
	    "the client's next connection finds it, too");
	put(link, YES "ok");
	(void)got(fd, "ok");
	drive_clock(&d, MEMBER_IDLE_MS);
	is_int(end_of(link), 0, "it is not kept for ever");
	close(fd);
	close(link);
}

/* Not for here, and for nobody: as without a cluster. */
static void
test_here(void)
{
	struct msg_api	 in;
	struct imsg	*m;
	int		 fd = browser(&d, 0), i;

	for (i = 0; i < 2; i++) {
		put(fd, ASK "\r\n");
		if (i == 0)
			at("");
		m = hear_next(d.authd, api, &in);
		is_str(in.session, SESSION, i == 0 ? "it is here" :
		    "which is known for a while");
		say_id(d.authd, m->id, api_result, .status = 200);
		is_int(status_of(answer(fd)), 200, "answered");
	}
	put(fd, "GET /api/support-sessions HTTP/1.1\r\nHost: a\r\n"
	    "Authorization: Bearer t\r\n\r\n");
	m = hear_next(d.authd, api, &in);
	say_id(d.authd, m->id, api_result, .status = 200);
	is_int(status_of(answer(fd)), 200, "a list is for here");
	close(fd);
	forget();
}

/* An id that is percent-coded is the same, here and when it is looked for. */
static void
test_coded(void)
{
	static const char	coded[] = "%30f8b1c2d%2d3e4f%2D5061-7283-"
				    "94a5b6c7d8e9";
	struct msg_where	 in;
	struct msg_api		 call;
	struct msg_admit	 seat;
	struct imsg		*m;
	int			 fd = browser(&d, 0), link;

	put(fd, "GET /api/support-sessions/%s/users HTTP/1.1\r\nHost: a\r\n"
	    "Authorization: Bearer t\r\n\r\n", coded);
	at("b");
	link = linked(0);
	ok(strstr(got(link, "\r\n\r\n"), coded) != NULL,
	    "it goes there as it came");
	put(link, YES "ok");
	(void)got(fd, "ok");
	close(link);
	close(fd);
	forget();
	fd = browser(&d, 0);
	put(fd, "GET /api/support-sessions/%s HTTP/1.1\r\nHost: a\r\n"
	    "Authorization: Bearer t\r\n\r\n", coded);
	at("");
	m = hear_next(d.authd, api, &call);
	is_str(call.session, SESSION, "one that is here is called by its id");
	say_id(d.authd, m->id, api_result, .status = 200);
	is_int(status_of(answer(fd)), 200, "answered");
	put(fd, "GET /api/support-sessions/%s/terminal?ticket=x HTTP/1.1\r\n"
	    "Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
	    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
	    "AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", coded);
	m = hear_next(d.authd, admit, &seat);
	is_str(seat.session, SESSION, "and its terminal");
	say_id(d.authd, m->id, admitted, .status = 401, .message = "no");
	is_int(status_of(answer(fd)), 401, "answered");
	close(fd);
	fd = browser(&d, 0);
	put(fd, "GET /relay/abc%%2Ddef%%5F1 HTTP/1.1\r\nHost: a\r\n\r\n");
	m = hear(d.authd, where, &in);
	ok(in.kind == FORWARD_RELAY && strcmp(in.session, "abc-def_1") == 0,
	    "a relay session's");
	say_id(d.authd, m->id, where_is, .member = "");
	(void)hear_next(d.authd, admit, &seat);
	is_str(seat.session, "abc-def_1", "which has it here, too");
	close(fd);
	forget();
}

/* The status that a client gets when b says this (NULL: hangs up). */
static int
broken(const char *said)
{
	int	fd = browser(&d, 0), link, r;

	put(fd, ASK "\r\n");
	at("b");
	link = linked(0);
	(void)got(link, "\r\n\r\n");
	if (said != NULL)
		put(link, "%s", said);
	shutdown(link, SHUT_WR);
	r = status_of(answer(fd));
	close(fd);
	close(link);
	forget();
	return (r);
}

static void
test_broken(void)
{
	struct msg_forward	 in;
	struct imsg		*m;
	int			 fd, link;

	is_int(broken("HTTP/1.1 2"), 503, "in the middle of a head");
	is_int(broken("SSH-2.0-x\r\n\r\n"), 503, "it speaks something else");
	is_int(broken("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n"), 503, "two framings");
	fd = browser(&d, 0);
	put(fd, ASK "\r\n");
	at("b");
	m = hear(d.authd, forward, &in);
	say_id(d.authd, m->id, forward_failed, .why = "no\nway");
	at("b");
	m = hear(d.authd, forward, &in);
	say_id(d.authd, m->id, forward_failed, .why = "no\nway");
	is_int(status_of(answer(fd)), 503, "nobody is there, nor was it "
	    "elsewhere when authd was asked anew: 503");
	ok(drive_logs(&d, "member b: no\\x0away"), "and why");
	put(fd, ASK "\r\n");
	link = linked(0);
	(void)got(link, "\r\n\r\n");
	put(link, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
	(void)got(fd, "half");
	close(link);
	ok(end_of(fd) != -1, "half an answer: the connection ends");
	close(fd);
	forget();
}

/* It is not there any more: what was known of it was too old. */
static void
test_left(void)
{
	struct msg_forward	 in;
	struct msg_api		 api;
	struct imsg		*m;
	int			 fd = browser(&d, 0), link;

	put(fd, ASK "\r\n");
	at("b");
	link = linked(0);
	(void)got(link, "\r\n\r\n");
	close(link);
	at("b");
	link = linked(0);
	is_str(got(link, "\r\n\r\n"), ASK "\r\n", "a member hangs up: authd "
	    "is asked anew who has it");
	close(link);
	is_int(status_of(answer(fd)), 503, "once");
	put(fd, ASK "\r\n");
	link = linked(0);
	(void)got(link, "\r\n\r\n");
	close(link);
	at("");
	m = hear_next(d.authd, api, &api);
	say_id(d.authd, m->id, api_result, .status = 200);
	is_int(status_of(answer(fd)), 200, "it has come here meanwhile");
	forget();
	put(fd, "POST " PATH "/proxy-token HTTP/1.1\r\nHost: a\r\n"
	    "Content-Length: 5\r\n\r\nhello");
	at("b");
	m = hear(d.authd, forward, &in);
	say_id(d.authd, m->id, forward_failed, .why = "refused");
	at("b");
	link = linked(0);
	ok(strstr(got(link, "hello"), "POST ") != NULL, "a POST that has gone "
	    "nowhere, too");
	close(link);
	is_int(status_of(answer(fd)), 503, "and not one that has");
	close(fd);
	forget();
}

/* An answer that its connection's end ends: after a reset it is none. */
static void
test_cut(void)
{
	int	fd, link, whole;

	for (whole = 1; whole >= 0; whole--) {
		fd = browser(&d, 0);
		put(fd, ASK "\r\n");
		at("b");
		link = linked(0);
		if (whole)
			(void)got(link, "\r\n\r\n");
		put(link, "HTTP/1.1 200 OK\r\n\r\nall of it");
		(void)got(fd, "all of it");
		close(link);	/* with the request unread: a reset */
		is_int(end_of(fd), whole ? 0 : ECONNRESET, "an answer that %s",
		    whole ? "is whole" : "is cut off");
		close(fd);
		forget();
	}
}

/*
 * Its client closes its half behind a request that is whole, or too early; or
 * it goes.
 */
static void
test_half(void)
{
	int	fd = browser(&d, 0), link;

	put(fd, ASK "\r\n");
	(void)shutdown(fd, SHUT_WR);
	ok(is_quiet(fd, 50), "it waits");
	at("b");
	link = linked(0);
	is_str(got(link, "\r\n\r\n"), ASK "\r\n", "a client has closed its "
	    "half: its request goes there");
	drive_clock(&d, CONN_LOOK_MS);
	is_int(status_of(answer(fd)), 100, "who waits for long hears of it");
	ok(is_quiet(link, 50), "and the member does not");
	put(link, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "3\r\nabc\r\n");
	is_str(body_of(got(fd, "abc\r\n")), "3\r\nabc\r\n", "the answer comes");
	drive_clock(&d, CONN_HALF_MS - 1000);
	put(link, "0\r\n\r\n");
	is_str(got(fd, "0\r\n\r\n"), "0\r\n\r\n", "to its last chunk");
	is_int(end_of(fd), 0, "then it is closed");
	close(fd);
	drive_clock(&d, MEMBER_IDLE_MS);
	close(link);
	forget();

	fd = browser(&d, 0);
	put(fd, "POST " PATH "/proxy-token HTTP/1.1\r\nHost: a\r\n"
	    "Content-Length: 5\r\n\r\nhel");
	(void)shutdown(fd, SHUT_WR);
	ok(is_quiet(fd, 50), "it waits");
	at("b");
	link = linked(0);
	is_int(status_of(answer(fd)), 400, "half a body: 400");
	is_int(end_of(link), 0, "and nothing goes there");
	close(fd);
	close(link);
	forget();

	fd = browser(&d, 0);
	put(fd, ASK "\r\n");
	at("b");
	link = linked(0);
	(void)got(link, "\r\n\r\n");
	close(fd);
	is_int(end_of(link), 0, "a client that goes ends its request there");
	close(link);
	forget();
}

/* One that waited was closed over there meanwhile. */
static void
test_stale(void)
{
	int	fd = browser(&d, 0), link;

	put(fd, ASK "\r\n");
	at("b");
	link = linked(0);
	(void)got(link, "\r\n\r\n");
	put(link, YES "ok");
	(void)got(fd, "ok");
	drive_freeze(&d, 1);
	close(link);
	put(fd, ASK "\r\n");
	drive_freeze(&d, 0);
	link = linked(0);
	(void)got(link, "\r\n\r\n");
	put(link, YES "ok");
	ok(strstr(got(fd, "ok"), "200") != NULL, "a new one is taken for a "
	    "GET");
	close(fd);
	close(link);
	forget();
}

static void
test_raw(void)
{
	int	fd = browser(&d, 0), link;

	put(fd, "GET " PATH "/terminal?ticket=x HTTP/1.1\r\nHost: a\r\n"
	    "Connection: Upgrade\r\nUpgrade: websocket\r\n"
	    "Sec-WebSocket-Version: 13\r\n"
	    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\nearly");
	at("b");
	link = linked(0);
	ok(strstr(got(link, "\r\n\r\n"), "ticket=x") != NULL,
	    "an upgrade goes there with its ticket");
	put(link, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
	    "Connection: Upgrade\r\n\r\nhello");
	ok(strstr(got(fd, "hello"), "101") != NULL, "its answer, and what "
	    "stands behind it");
	is_str(got(link, "early"), "early", "what was sent early comes now");
	put(fd, "GET ");
	is_str(got(link, "GET "), "GET ", "bytes go there");
	put(link, "HTTP/1.1 x");
	is_str(got(fd, "x"), "HTTP/1.1 x", "and back, whatever they are");
	drive_clock(&d, 3600 * 1000);
	put(link, "y");
	is_str(got(fd, "y"), "y", "after an hour, too");
	close(link);
	is_int(end_of(fd), 0, "to the end");
	close(fd);
	forget();
}

/* The host of a service names its session; the other listeners go along. */
static void
test_others(void)
{
	int	fd = browser(&d, 0), link;

	put(fd, "GET / HTTP/1.1\r\nHost: " HOST "\r\n\r\n");
	at("b");
	link = linked(0);
	ok(strstr(got(link, "\r\n\r\n"), HOST) != NULL, "a service's page");
	put(link, YES "ok");
	(void)got(fd, "ok");
	close(fd);
	close(link);
	forget();
	fd = browser(&d, 1);
	put(fd, "GET /api/proxy/" SESSION "/web/ HTTP/1.1\r\nHost: a\r\n\r\n");
	at("b");
	link = linked(LISTEN_INTERNAL);
	ok(strstr(got(link, "\r\n\r\n"), "/api/proxy/") != NULL,
	    "a back end's request");
	put(link, YES "ok");
	(void)got(fd, "ok");
	close(fd);
	close(link);
	forget();
}

/* Many at once, and then none: how many stay, and for how long. */
static void
test_idle(void)
{
	static int	fd[MEMBER_MOST + 2], link[MEMBER_MOST + 2];
	int		i, n, open;

	for (n = MEMBER_IDLE + 2;; n = MEMBER_MOST + 2) {
		for (i = 0; i < n; i++) {
			fd[i] = browser(&d, 0);
			put(fd[i], ASK "\r\n");
			if (i == 0)
				at("b");
			link[i] = linked(0);
			(void)got(link[i], "\r\n\r\n");
		}
		for (i = 0; i < n; i++) {
			put(link[i], YES "ok");
			(void)got(fd[i], "ok");
			close(fd[i]);
		}
		drive_clock(&d, 1);
		for (open = i = 0; i < n; i++)
			open += is_quiet(link[i], i < n - MEMBER_MOST ? 100 : 0);
		is_int(open, n <= MEMBER_MOST ? n : MEMBER_MOST,
		    "of %d that were busy so many wait", n);
		drive_clock(&d, MEMBER_MORE_MS);
		for (open = i = 0; i < n; i++)
			open += is_quiet(link[i], open < MEMBER_IDLE ? 0 : 100);
		ok(open <= MEMBER_IDLE, "after a second %d are left", open);
		for (i = 0; i < n; i++)
			close(link[i]);
		drive_clock(&d, MEMBER_IDLE_MS);
		if (n > MEMBER_MOST)
			break;
	}
}

/* authd: it is about to go, or has just come. */
static void
moves(const char *session)
{
	say_id(d.authd, 78, idle_drop, .session = session, .moves = 1);
	(void)hear(d.authd, idle_dropped, NULL);
}

/* A request for the session: is authd asked where it is? */
static void
asks(const char *why)
{
	int	fd = browser(&d, 0), link;

	put(fd, "GET / HTTP/1.1\r\nHost: " HOST "\r\n\r\n");
	at("b");
	link = linked(0);
	(void)got(link, "\r\n\r\n");
	put(link, YES "ok");
	ok(strstr(got(fd, "ok"), "200") != NULL, "%s", why);
	close(fd);
	close(link);
}

/* Others that move do not make that it is taken for known. */
static void
test_marks(void)
{
	char	 other[UUID_SIZE];
	int	 fd, link, i;

	moves(SESSION);
	for (i = 1; i < MOVING_MARKS; i++) {
		snprintf(other, sizeof(other),
		    "0f8b1c2d-3e4f-5061-7283-%012x", (unsigned)i);
		moves(other);
	}
	asks("of a session that moves authd is asked, ");
	asks("and each time, however many move");
	moves("0f8b1c2d-3e4f-5061-7283-ffffffffffff");
	asks("of the oldest of one too many");
	fd = browser(&d, 0);
	put(fd, "GET / HTTP/1.1\r\nHost: " HOST "\r\n\r\n");
	link = linked(0);
	ok(strstr(got(link, "\r\n\r\n"), HOST) != NULL,
	    "only once: that is known for a moment");
	put(link, YES "ok");
	(void)got(fd, "ok");
	close(fd);
	close(link);
	moves(SESSION);
	asks("one that moves again");
	drive_clock(&d, MOVING_MS);
	asks("when that is over, authd is asked");
	fd = browser(&d, 0);
	put(fd, "GET / HTTP/1.1\r\nHost: " HOST "\r\n\r\n");
	link = linked(0);
	ok(strstr(got(link, "\r\n\r\n"), HOST) != NULL, "once");
	put(link, YES "ok");
	(void)got(fd, "ok");
	close(fd);
	close(link);
	forget();
}

/* The same by paths, over this link: the head goes on as it came. */
static void
gone_by_path(int link)
{
	static const char	page[] = "GET " PATH "/proxy/web/x HTTP/1.1\r\n"
	    "Host: a\r\nAuthorization: Bearer t\r\nCookie: c=1\r\n\r\n";
	static const char	term[] = "GET /api/terminal/" SESSION
	    " HTTP/1.1\r\nHost: a\r\nX-Internal-Secret: s\r\n"
	    "X-Session-Token: t\r\nConnection: Upgrade\r\n"
	    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
	    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
	struct msg_admit	 in;
	struct imsg		*m;
	int			 fd = browser(&d, 0);

	put(fd, "%s", page);
	at("");
	grant_no(&d, 404, "tunnel not found for session");
	at("b");
	is_str(got(link, "\r\n\r\n"), page, "a page by its path is asked for "
	    "again, with all that it came with");
	put(link, YES "ok");
	(void)got(fd, "ok");
	close(fd);
	fd = browser(&d, 1);
	put(fd, "%s", term);
	at("");
	grant_yes(&d, 11);
	m = hear_next(d.authd, admit, &in);
	is_int(in.grant, 11, "a back end's terminal");
	say_id(d.authd, m->id, admitted, .status = 404, .message = "gone");
	at("b");
	link = linked(LISTEN_INTERNAL);
	is_str(got(link, "\r\n\r\n"), term, "is asked for again, too");
	close(fd);
	close(link);
}

/* authd said that it is here, and it has gone when the request comes to it. */
static void
test_gone(void)
{
	int	fd = browser(&d, 0), link;

	moves(SESSION);
	get(fd, "/");
	at("");
	grant_no(&d, 404, "tunnel not found for session");
	at("b");
	link = linked(0);
	ok(strstr(got(link, "\r\n\r\n"), HOST) != NULL,
	    "a session that has left under its request is asked for again");
	put(link, YES "ok");
	ok(strstr(got(fd, "ok"), "200") != NULL, "and answers");
	get(fd, "/");
	at("");
	grant_yes(&d, 9);
	stream_no(&d, 404, "service not found in tunnel manifest");
	at("b");
	ok(strstr(got(link, "\r\n\r\n"), HOST) != NULL,
	    "also where the stream was refused");
	put(link, YES "ok");
	(void)got(fd, "ok");
	get(fd, "/");
	at("");
	stream_no(&d, 404, "one");
	at("");
	stream_no(&d, 404, "two");
	is_int(status_of(answer(fd)), 404, "once");
	gone_by_path(link);
	drive_clock(&d, MOVING_MS);
	get(fd, "/");
	at("");
	stream_no(&d, 404, "three");
	is_int(status_of(answer(fd)), 404, "and not for one that stays");
	close(fd);
	close(link);
	forget();
}

/* Somebody asks for a session; answered is he not. */
static void
waits(int fd, unsigned of)
{
	put(fd, "GET /api/support-sessions/0f8b1c2d-3e4f-5061-7283-%012x "
	    "HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t\r\n\r\n", of);
}

/* By an RST: who only closes is looked for later, and has his place until then. */
static void
leaves(int fd)
{
	const struct linger	now = { 1, 0 };

	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)) == -1)
		bail("SO_LINGER");
	close(fd);
}

/* A first ask may turn out to be for one that moves: they are counted, too. */
static void
test_first(void)
{
#define FIRST	512	/* forward.c */
	static int	 fd[FIRST];
	struct imsg	 heard;
	const char	*said;
	int		 i, more;

	for (i = 0; i < FIRST; i++) {
		fd[i] = browser(&d, 0);
		waits(fd[i], 0x1000 + (unsigned)i);
		(void)hear(d.authd, where, NULL);
	}
	more = browser(&d, 0);
	waits(more, 0x999);
	said = answer(more);
	ok(status_of(said) == 503 && strstr(said, "Retry-After: 1") != NULL &&
	    strstr(said, "of this address") != NULL, "of one address %d asks "
	    "wait to hear where a session is, one more is told", i);
	close(more);
	more = browser_from(&d, 9);
	waits(more, 0x999);
	ok(hear_maybe(d.authd, IMSG_WHERE, &heard, WAIT_MS) == 1,
	    "another address has a place");
	close(more);
	for (i = 0; i < FIRST; i++)
		leaves(fd[i]);
}

/* However many sessions one address names, others have a place. */
static void
test_waits(void)
{
#define WAITS	256	/* forward.c */
	char		 id[UUID_SIZE];
	int		 fd[WAITS], more, i, got_one;
	struct imsg	 heard;
	const char	*said;

	for (i = 0; i < 4; i++) {
		snprintf(id, sizeof(id), "0f8b1c2d-3e4f-5061-7283-%012x",
		    (unsigned)i);
		moves(id);
	}
	for (i = 0; i < WAITS; i++) {
		fd[i] = browser(&d, 0);
		waits(fd[i], (unsigned)i % 4);
		(void)hear(d.authd, where, NULL);
	}
	more = browser(&d, 0);
	waits(more, 0);
	said = answer(more);
	ok(status_of(said) == 503 && strstr(said, "Retry-After: 1") != NULL,
	    "of one address %d wait for sessions that move, one more hears "
	    "when to come again", i);
	ok(strstr(said, "of this address") != NULL, "and why");
	close(more);
	more = browser_from(&d, 9);
	waits(more, 0);
	ok(hear_maybe(d.authd, IMSG_WHERE, &heard, WAIT_MS) == 1,
	    "another address has a place");
	close(more);
	leaves(fd[0]);
	for (i = got_one = 0; i < 100 && !got_one; i++) {
		fd[0] = browser(&d, 0);
		waits(fd[0], 1);
		got_one = hear_maybe(d.authd, IMSG_WHERE, &heard, 100) == 1;
		if (!got_one)
			close(fd[0]);
	}
	ok(got_one, "and so has the first, when one of its own has gone");
	for (i = 0; i < WAITS; i++)
		leaves(fd[i]);
	drive_clock(&d, MOVING_MS);
	forget();
}

int
main(void)
{
	struct conf	cf;

	proxyd_conf(&cf);
	cf.cluster_port = 7;
	cf.path_proxy = 1;
	cf.relay = 1;
	drive_start(&d, ROLE_PROXYD, &cf);
	test_exchange();
	forget();
	test_here();
	test_coded();
	test_broken();
	test_left();
	test_cut();
	test_half();
	test_stale();
	test_raw();
	test_others();
	test_marks();
	test_gone();
	test_waits();
	test_first();
	test_idle();
	is_int(drive_leave(&d), 0, "proxyd ends well");
	return (done_testing());
}
