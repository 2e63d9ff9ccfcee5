/* SPDX-License-Identifier: ISC */
/*
 * A listener for members of a cluster: who is let in is who authd says yes to,
 * as the client that the header names, and goes no further, but after a session
 * that left before we began; all else is refused.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proxyd/door/peer.h"
#include "proxyd/moving.h"
#include "regress/lib/proxyd_story.h"
#include "regress/lib/tap.h"

#define SIG	"\r\n\r\n\0\r\nQUIT\n"
#define V4	"\xc0\x00\x02\x07\x7f\x00\x00\x01\x11\x5c\x01\xbb"
#define HEAD	SIG "\x21\x11\0\x14" V4 "\xe0\0\x05" "hello"
#define ASK	"GET /api/support-sessions/" SESSION " HTTP/1.1\r\nHost: a\r\n" \
		"Authorization: Bearer t\r\n"

static struct drive	d;

static int
opens(const char *bytes, size_t len, const char *request)
{
	char	text[1024];
	int	fd = browser(&d, 0);

	memcpy(text, bytes, len);
	snprintf(text + len, sizeof(text) - len, "%s", request);
	put_bytes(fd, text, len + strlen(request));
	return (fd);
}

#define OPEN(bytes, request)	opens(bytes, sizeof(bytes) - 1, request)

/* authd is asked about this header, and says so. */
static void
judged(uint32_t flags, const char *why)
{
	struct msg_peer_head	 in;
	struct imsg		*m = hear_next(d.authd, peer_head, &in);

	ok(in.head.len == sizeof(HEAD) - 1 && memcmp(in.head.p, HEAD,
	    in.head.len) == 0, "authd has the whole header");
	say_id(d.authd, m->id, peer_head_said, .flags = flags, .why = why);
}

/* Two members that remembered each the other would pass it to and fro. */
static void
asked_anew(void)
{
	struct imsg	*m;
	int		 fd = OPEN(HEAD, ASK "\r\n");

	judged(0, "");
	m = hear_next(d.authd, where, NULL);
	say_id(d.authd, m->id, where_is, .member = "");
	m = hear_next(d.authd, api, NULL);
	say_id(d.authd, m->id, api_result, .status = 404);
	is_int(status_of(answer(fd)), 404, "that one goes by what authd says "
	    "to it, not by what it was told before");
	close(fd);
}

/* What has left before we were started is not known here. */
static void
test_begun(void)
{
	struct msg_where	 where;
	struct msg_forward	 in;
	struct imsg		*m;
	uint32_t		 id;
	int			 fd = OPEN(HEAD, ASK "\r\n");

	judged(0, "");
	m = hear_next(d.authd, where, &where);
	is_str(where.session, SESSION, "who has just begun asks where a "
	    "session is that another member thinks to be here");
	say_id(d.authd, m->id, where_is, .member = "b");
	m = hear_next(d.authd, forward, &in);
	id = m->id;
	is_str(in.member, "b", "and passes its request on");
	is_str(in.addr, "192.0.2.7", "for the same client");
	asked_anew();
	say_id(d.authd, id, forward_failed, .why = "it is gone, too");
	m = hear_next(d.authd, where, &where);
	say_id(d.authd, m->id, where_is, .member = "");
	m = hear_next(d.authd, api, NULL);
	say_id(d.authd, m->id, api_result, .status = 404);
	is_int(status_of(answer(fd)), 404, "or it is for here");
	close(fd);
	drive_clock(&d, MOVING_MS);
}

static void
test_yes(void)
{
	struct msg_api	 in;
	struct imsg	*m;
	int		 fd = OPEN(HEAD, ASK "X-Forwarded-For: 192.0.2.99\r\n"
			    "X-Request-Id: mine\r\n\r\n");

	judged(0, "");
	m = hear_next(d.authd, api, &in);
	is_str(in.addr, "192.0.2.7", "it is the client that the header "
	    "names, whatever he says, and asked for here");
	ok(strcmp(in.request, "mine") != 0, "his id for it is not taken");
	say_id(d.authd, m->id, api_result, .status = 200);
	is_int(status_of(answer(fd)), 200, "answered");
	put(fd, ASK "\r\n");
	m = hear_next(d.authd, api, &in);
	is_str(in.addr, "192.0.2.7", "the next request is his, too");
	say_id(d.authd, m->id, api_result, .status = 200);
	(void)answer(fd);
	close(fd);
	fd = OPEN(HEAD, ASK "X-Forwarded-For: 192.0.2.99\r\n"
	    "X-Request-Id: mine\r\n\r\n");
	judged(LISTEN_VOUCHED, "");
	m = hear_next(d.authd, api, &in);
	is_str(in.addr, "192.0.2.7", "behind a proxy of the other member's");
	is_str(in.request, "mine", "what that has said counts");
	say_id(d.authd, m->id, api_result, .status = 200);
	(void)answer(fd);
	close(fd);
	fd = OPEN(HEAD, "GET /api/support-sessions HTTP/1.1\r\nHost: a\r\n\r\n");
	judged(LISTEN_TUNNEL, "");
	is_int(status_of(answer(fd)), 404, "it is held to the listener where "
	    "he came");
	close(fd);
}

static void
test_no(void)
{
	int	fd, i;

	fd = OPEN("GET / HTTP/1.1\r\n", "\r\n");
	ok(end_of(fd) != -1, "no header: closed");
	ok(drive_logs(&d, "127.0.0.1: refused: no PROXY header"), "said");
	close(fd);
	fd = OPEN(SIG "\x21\x11\0\x0c" V4, ASK "\r\n");
	ok(end_of(fd) != -1, "one of any proxy");
	ok(drive_logs(&d, "refused: no header of a member"), "said");
	close(fd);
	ok(is_quiet(d.authd, 20), "authd hears of neither");
	drive_forget();
	for (i = 0; i < PEER_REFUSED; i++) {
		fd = OPEN(HEAD, ASK "\r\n");
		judged(0, "a header\nfrom nowhere");
		ok(end_of(fd) != -1, "authd says no: closed");
		close(fd);
	}
	ok(drive_logs(&d, "refused: a header\\x0afrom nowhere"), "said");
	fd = OPEN(HEAD, ASK "\r\n");
	ok(end_of(fd) != -1, "and then without asking");
	ok(is_quiet(d.authd, 20), "which authd does not notice");
	close(fd);
	drive_clock(&d, 60000);
	fd = OPEN(HEAD, ASK "\r\n");
	judged(0, "no");
	close(fd);
}

/* authd goes while it is asked. */
static void
test_without(void)
{
	int	fd;

	fd = OPEN(HEAD, ASK "\r\n");
	(void)hear_next(d.authd, peer_head, NULL);
	drive_channel(&d);
	ok(end_of(fd) != -1, "without authd nobody is let in");
	close(fd);
	fd = OPEN(HEAD, ASK "\r\n");
	judged(0, "");
	(void)hear_next(d.authd, api, NULL);
	ok(1, "with the next one they are");
	close(fd);
}

int
main(void)
{
	struct conf	cf;

	proxyd_conf(&cf);
	cf.cluster_port = 7;
	drive_with.flags = LISTEN_PEER;
	drive_start(&d, ROLE_PROXYD, &cf);
	test_begun();
	test_yes();
	test_no();
	test_without();
	is_int(drive_leave(&d), 0, "proxyd ends well");
	return (done_testing());
}
