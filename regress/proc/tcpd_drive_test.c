/* SPDX-License-Identifier: ISC */
/*
 * tcpd as it runs: how a connection begins, bytes and half-closes both ways,
 * every end, slow and hostile peers, its death, authd's restarts.
 * operator-api.md, 6.4.
 */
#include <sys/socket.h>
#include <sys/wait.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "regress/lib/tap.h"
#include "regress/lib/termd_story.h"

#define IDLE_S	7200

static const char	half_head[] =
    "GET /api/support-sessions/" SESSION "/tcp/web?ticket=abc HTTP/1.1\r\n"
    "Host: support.example.com\r\nConnection: Upgrade\r\n"
    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: half-close\r\n"
    "Sec-WebSocket-Key: faYVSnMKWmoWI91H/DuMrg==\r\n\r\n";

/* Open, with an operator who knows half-closes or not. */
static void
opened(int half)
{
	term_start();
	term_give(half ? half_head : drive_head, NULL, 0);
	if (half)
		ws_take_half(&dr.ws);
	term_stream(IDLE_S);
	stream_put("OK\n", 3);
	if (browser_status() != 101)
		bail("no 101");
}

/* The far end of the stream has said that no more comes. */
static int
shut_down(void)
{
	struct pollfd	pfd = { dr.stream, POLLIN, 0 };
	char		c;

	return (poll(&pfd, 1, WAIT_MS) == 1 && recv(dr.stream, &c, 1, 0) == 0);
}

/* All that has come for the operator is this. */
static int
operator_got(const char *want)
{
	size_t	len = strlen(want);

	while (dr.total < len)
		if (!browser_wait(dr.n + 1))
			return (0);
	return (dr.total == len && memcmp(dr.got, want, len) == 0);
}

/* The tunnel's last word, as authd passes it on. */
static void
over(enum end_reason why)
{
	say(dr.d.authd, term_over, .why = why);
}

/* Its close is answered: it leaves in order. */
static void
leaves(int code, const char *what)
{
	is_int(browser_closed(), code, "%s: close %d", what, code);
	browser_frame(1, WS_OP_CLOSE, NULL, 0);
	is_int(term_wait(), 0, "%s: the process ends", what);
}

static void
test_begin(void)
{
	static const uint8_t	early[] = { 0x82, 0x83, 1, 2, 3, 4, 'x' ^ 1,
				    'a' ^ 2, 'b' ^ 3 };
	char			line[1100], text[MESSAGE_SIZE];

	term_start();
	term_give(drive_head, early, sizeof(early));
	term_stream(IDLE_S);
	stream_put("OK\nhello", 8);
	is_int(browser_status(), 101, "OK: 101");
	ok(strstr(dr.head, "Sec-WebSocket-Protocol") == NULL,
	    "without half-close, which was not asked for");
	ok(stream_got("xab", 3), "what came behind the head goes on");
	ok(operator_got("hello"), "and what came behind the reply line");
	is_int(term_end(), 0, "the operator goes, the process too");

	opened(1);
	ok(strstr(dr.head, "Sec-WebSocket-Protocol: half-close\r\n") != NULL,
	    "half-close is agreed on");
	is_int(term_end(), 0, "it ends");

	term_start();
	term_give(drive_head, NULL, 0);
	term_stream(IDLE_S);
	stream_put("ERROR failed to connect\n", 24);
	is_int(browser_status(), 502, "a service that is not there: 502");
	ok(strstr(dr.head, "service not available: failed to connect") !=
	    NULL, "with the client's reason");
	is_int(term_heard_end(text), END_REFUSED, "authd hears of it");
	is_int(term_end(), 0, "it ends");

	memset(line, 'x', sizeof(line));
	term_start();
	term_give(drive_head, NULL, 0);
	term_stream(IDLE_S);
	stream_put(line, sizeof(line));
	is_int(browser_status(), 502, "a reply line without an end: 502");
	is_int(term_end(), 0, "it ends");

	term_start();
	term_give(drive_head, NULL, 0);
	drive_clock(&dr.d, 10000);
	is_int(browser_status(), 503, "no word of authd's in 10 s: 503");
	is_int(term_end(), 0, "it ends");

	term_start();
	term_give("GET / HTTP/1.1\r\nHost: a\r\n\r\n", NULL, 0);
	is_int(browser_status(), 400, "no upgrade: 400");
	is_int(term_end(), 0, "it ends");
}

static void
test_halves(void)
{
	opened(1);
	browser_send("request", 7);
	browser_frame(1, WS_OP_TEXT, NULL, 0);
	ok(stream_got("request", 7) && shut_down(),
	    "the operator's end: the service sees it, behind all bytes");
	stream_put("answer", 6);
	ok(operator_got("answer"), "and can still answer");
	shutdown(dr.stream, SHUT_WR);
	over(END_CLEAN);
	leaves(1000, "both have ended");

	opened(1);
	stream_put("banner", 6);
	shutdown(dr.stream, SHUT_WR);
	ok(operator_got("banner"), "the service says all");
	while (!ws_half_rcvd(&dr.ws) && !dr.eof)
		browser_sip(SIZE_MAX);
	ok(!dr.eof, "its end comes as an empty text");
	browser_send("more", 4);
	ok(stream_got("more", 4), "and it still hears");
	browser_frame(1, WS_OP_TEXT, NULL, 0);
	ok(shut_down(), "to the operator's end");
	leaves(1000, "both have ended");

	opened(0);
	stream_put("all", 3);
	shutdown(dr.stream, SHUT_WR);
	ok(operator_got("all"), "who does not know half-closes");
	leaves(1000, "hears a close at the service's end");

	opened(1);
	browser_frame(1, WS_OP_TEXT, NULL, 0);
	ok(shut_down(), "the operator has ended");
	shut(&dr.stream);
	over(END_RESET);
	leaves(1011, "the service breaks off then");

	opened(1);
	browser_send("last", 4);
	browser_frame(1, WS_OP_CLOSE, "\003\350", 2);
	ok(stream_got("last", 4) && shut_down(),
	    "an orderly close: what came before it is complete");
	drive_clock(&dr.d, 10000);
	ok(stream_ended(), "the service has 10 s for its end");
	is_int(term_wait(), 0, "the process ends");
}

static void
test_ends(void)
{
	char	text[MESSAGE_SIZE];

	opened(1);
	shut(&dr.stream);
	leaves(1011, "the tunnel goes");

	opened(1);
	term_close(4000, "session closed");
	is_int(term_heard_end(text), END_SESSION, "CLOSE: authd hears back");
	ok(stream_ended(), "the stream is let go of at once");
	leaves(4000, "CLOSE");

	opened(1);
	term_close(4000, "session closed");
	is_int(browser_closed(), 4000, "an operator that does not answer");
	drive_clock(&dr.d, 4000);
	is_int(term_wait(), 0, "has 4 s");

	opened(1);
	drive_clock(&dr.d, 3600 * 1000);
	stream_put("x", 1);
	(void)browser_wait(1);
	drive_clock(&dr.d, 3600 * 1000);
	ok(drive_logged(&dr.d, "inactivity") == 0,
	    "a byte in between is a sign of life");
	drive_clock(&dr.d, 3600 * 1000);
	leaves(1008, "two hours without one");

	opened(1);
	shut(&dr.d.parent);
	is_int(term_wait(), 0, "the parent goes: so does it");

	opened(1);
	drive_kill(&dr.d);
	is_int(browser_closed(), 0, "killed: the operator sees no close");
	ok(stream_ended(), "and the service a broken stream");
	shut(&dr.sock);
	shut(&dr.stream);
}

/* Frames that are none, and texts that have something in them. */
static void
test_hostile(void)
{
	static const struct {
		const char	*what, *bytes;
		size_t		 len;
		int		 code;
	} t[] = {
		{ "a frame without a mask", "\x82\x01x", 3, 1002 },
		{ "a reserved opcode", "\x83\x80\0\0\0\0", 6, 1002 },
		{ "a reserved bit", "\xc2\x80\0\0\0\0", 6, 1002 },
		{ "a text", "\x81\x81\0\0\0\0x", 7, 1003 },
		{ "a length of 2^63", "\x82\xff\x80\0\0\0\0\0\0\0\0\0\0\0", 14,
		    1002 },
		{ "a continuation of nothing", "\x80\x80\0\0\0\0", 6, 1002 },
		{ "a long ping", "\x89\xfe\0\x7e\0\0\0\0", 8, 1002 },
		{ "a close of one byte", "\x88\x81\0\0\0\0x", 7, 1002 },
	};
	size_t	i;
	int	code;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		opened(1);
		browser_raw(t[i].bytes, t[i].len);
		code = browser_closed();
		ok(code == t[i].code, "%s: close %d", t[i].what, code);
		ok(stream_ended(), "%s: the service hears nothing of it",
		    t[i].what);
		shut(&dr.sock);
		is_int(term_wait(), 0, "%s: the process ends", t[i].what);
	}
}

/* Write until nothing more is taken for a while: the bytes that went. */
static size_t
fill(int fd, size_t max)
{
	static uint8_t	 zero[65536];
	struct pollfd	 pfd = { fd, POLLOUT, 0 };
	size_t		 done = 0;
	ssize_t		 n;

	while (done < max) {
		n = send(fd, zero, sizeof(zero), MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0)
			done += (size_t)n;
		else if (poll(&pfd, 1, 300) != 1)
			break;
	}
	return (done);
}

/* Is it still there? It stays a zombie until term_wait(). */
static int
lives(void)
{
	siginfo_t	si = { .si_pid = 0 };

	return (waitid(P_PID, (id_t)dr.d.pid, &si, WEXITED | WNOHANG |
	    WNOWAIT) == 0 && si.si_pid == 0);
}

static void
test_slow(void)
{
	static const uint8_t	frame[] = { 0x82, 0xff, 0, 0, 0, 0, 4, 0, 0, 0,
				    0, 0, 0, 0 };	/* 64 MiB of zeros */
	size_t			n;
	long			before;
	int			i;

	opened(1);
	n = fill(dr.stream, 64 << 20);
	ok(n < 8 << 20, "an operator that reads nothing: %zu bytes wait", n);
	shut(&dr.sock);
	is_int(term_wait(), 0, "it goes, and so does the process");

	opened(1);
	before = drive_kib(&dr.d, "status", "VmRSS:");
	browser_raw(frame, sizeof(frame));
	n = fill(dr.sock, 64 << 20);
	ok(n < 8 << 20, "a service that reads nothing: %zu bytes wait", n);
	ok(drive_kib(&dr.d, "status", "VmRSS:") - before < 8192,
	    "and not in the process");
	shut(&dr.sock);
	drive_forget();
	for (i = 0; i < 3 && !drive_logged(&dr.d, "was lost"); i++) {
		drive_clock(&dr.d, 25000);
		usleep(20000);
	}
	ok(i < 3, "nobody reads that it goes: two pings find it");
	is_int(term_wait(), 0, "the process ends");

	/* The service has ended; the operator takes a little at a time. */
	opened(0);
	drive_forget();
	(void)fill(dr.stream, 64 << 20);
	shutdown(dr.stream, SHUT_WR);
	for (i = 0; i < 400 && !drive_logged(&dr.d, ": finished"); i++) {
		(void)recv(dr.sock, (char[65536]){ 0 }, 65536, MSG_DONTWAIT);
		drive_clock(&dr.d, 1);
	}
	ok(i < 400, "the last of it waits for the operator");
	drive_clock(&dr.d, 59000);
	ok(lives(), "who takes it at his leisure");
	drive_clock(&dr.d, 1000);
	is_int(term_wait(), 0, "and has a minute for it");
}

/* A new authd hears what has moved, and how it ended meanwhile. */
static void
test_restart(void)
{
	struct msg_announce_stream	in;
	char				text[MESSAGE_SIZE];

	opened(1);
	browser_send("12345", 5);
	ok(stream_got("12345", 5), "five bytes");
	stream_put("678", 3);
	(void)browser_wait(1);
	drive_channel(&dr.d);
	(void)hear(dr.d.authd, announce_stream, &in);
	ok(in.stream == 9 && in.in == 3 && in.out == 5,
	    "a new authd hears of them");
	shut(&dr.d.authd);
	shut(&dr.stream);
	is_int(browser_closed(), 1011, "without authd it ends, too");
	drive_channel(&dr.d);
	(void)hear(dr.d.authd, announce_end, NULL);
	is_int(term_heard_end(text), END_TUNNEL, "which the next one hears");
	browser_frame(1, WS_OP_CLOSE, NULL, 0);
	is_int(term_wait(), 0, "the process ends");
}

int
main(void)
{
	term_role = ROLE_TCPD;
	test_begin();
	test_halves();
	test_ends();
	test_hostile();
	test_slow();
	test_restart();
	return (done_testing());
}
