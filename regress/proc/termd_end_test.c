/* SPDX-License-Identifier: ISC */
/* termd as it runs: slow peers, idle time, every end, authd's restarts. */
#include <sys/socket.h>

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "regress/lib/tap.h"
#include "regress/lib/termd_story.h"

/* Answer the close and see it leave in order. */
static void
leaves(const char *what)
{
	browser_frame(1, WS_OP_CLOSE, NULL, 0);
	is_int(term_wait(), 0, "%s: the process ends", what);
}

/* Write until nothing more is taken for a while: the bytes that went. */
static size_t
fill(int fd, const uint8_t *p, size_t len, size_t max)
{
	struct pollfd	pfd = { fd, POLLOUT, 0 };
	size_t		done = 0;
	ssize_t		n;

	while (done < max) {
		n = send(fd, p + done % len, len - done % len,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0)
			done += (size_t)n;
		else if (poll(&pfd, 1, 300) != 1)
			break;
	}
	return (done);
}

static long
rss_kib(void)
{
	return (drive_kib(&dr.d, "status", "VmRSS:"));
}

#define PIECE	4096		/* a frame on the stream, length included */

/* A browser that reads nothing, then a little at a time. */
static void
test_slow_browser(void)
{
	static uint8_t	 piece[PIECE], sink[16384];
	size_t		 held, taken = 0, off;
	ssize_t		 n;
	long		 before;

	piece[2] = (PIECE - 4) >> 8;
	piece[3] = (PIECE - 4) & 0xff;
	term_open();
	stream_frame("\0", 1);
	(void)browser_wait(1);
	drive_clock(&dr.d, 6000);	/* it answers no ping */
	off = fill(dr.stream, piece, sizeof(piece), 64 << 20);
	ok(off < 4 << 20, "a browser that does not read: %zu bytes are held, "
	    "then the stream waits", off);
	before = rss_kib();
	for (held = 32 << 20; taken < held;) {
		n = recv(dr.sock, sink, sizeof(sink), 0);
		if (n <= 0)
			break;
		taken += (size_t)n;
		/* It has written what it could, and more comes in. */
		drive_clock(&dr.d, 0);
		while ((n = send(dr.stream, piece + off % PIECE, PIECE - off %
		    PIECE, MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
			off += (size_t)n;
	}
	ok(taken >= held, "one that reads a little at a time gets 32 MB");
	ok(rss_kib() - before < 8192, "and they leave no trace in memory: %ld "
	    "KiB more", rss_kib() - before);
	is_int(term_end(), 0, "it ends");
}

/* What comes for the browser, as bytes, until nothing does. */
static size_t
drain(void)
{
	static uint8_t	 sink[65536];
	struct pollfd	 pfd = { dr.sock, POLLIN, 0 };
	size_t		 n = 0;
	ssize_t		 r;

	while (poll(&pfd, 1, 300) == 1 &&
	    (r = recv(dr.sock, sink, sizeof(sink), 0)) > 0)
		n += (size_t)r;
	return (n);
}

/* The same in messages, and their bytes; it is left to be answered. */
static size_t
take(void)
{
	size_t	n;

	do {
		n = dr.total;
		browser_sip(SIZE_MAX);
	} while (dr.total > n);
	dr.n = dr.total = 0;
	return (n);
}

/*
 * What a browser has taken and not read: its system takes all there is, so
 * only marks can tell.
 */
static void
test_ahead(void)
{
	static uint8_t	piece[PIECE];
	size_t		n;

	piece[2] = (PIECE - 4) >> 8;
	piece[3] = (PIECE - 4) & 0xff;
	browser_buffer = 4 << 20;
	term_open();
	(void)fill(dr.stream, piece, sizeof(piece), 16 << 20);
	n = take();
	ok(n >= 24 * 1024 && n <= 64 * 1024, "32 KiB are on their way to a "
	    "browser that has said of none that it was read: %zu", n);
	browser_pong();
	(void)fill(dr.stream, piece, sizeof(piece), 16 << 20);
	n = take();
	ok(n >= 16 * 1024 && n <= 160 * 1024, "when it has, as much again: "
	    "%zu", n);
	is_int(term_end(), 0, "it ends");

	term_open();
	(void)fill(dr.stream, piece, sizeof(piece), 16 << 20);
	drive_clock(&dr.d, 6000);
	(void)fill(dr.stream, piece, sizeof(piece), 16 << 20);
	n = drain();
	ok(n > 200 * 1024, "to one that answers no ping goes all that it "
	    "takes: %zu", n);
	is_int(term_end(), 0, "it ends");
	browser_buffer = 16384;
}

static void
test_slow_stream(void)
{
	static uint8_t	 msg[8 + 1024], zero[1024];
	size_t		 sent, i;

	/* A masked binary message of 1024 zeroes, mask 0: type 0, no text. */
	msg[0] = 0x82;
	msg[1] = 0xfe;
	msg[2] = 4;
	term_open();
	sent = fill(dr.sock, msg, sizeof(msg), 64 << 20);
	ok(sent < 4 << 20, "a customer that does not read: %zu bytes are held, "
	    "then the browser waits", sent);
	drive_clock(&dr.d, 26000);
	drive_clock(&dr.d, 26000);
	drive_clock(&dr.d, 26000);
	drive_clock(&dr.d, 26000);
	drive_clock(&dr.d, 26000);
	stream_frame("\0alive", 6);
	ok(browser_wait(1), "the browser cannot answer pings then, and is not "
	    "taken for dead");
	for (i = 0; i < sent / sizeof(msg); i++)
		if (!stream_got("\0\0\4\0", 4) || !stream_got(zero, 1024))
			break;
	is_int(i, sent / sizeof(msg), "all that was sent arrives");
	shut(&dr.stream);
	is_int(term_heard_end(NULL), END_TUNNEL, "its end is noticed");
	is_int(term_end(), 0, "it ends");

	/* The end of a stream that is full. */
	term_open();
	(void)fill(dr.sock, msg, sizeof(msg), 64 << 20);
	shut(&dr.stream);
	(void)hear_next(dr.d.authd, term_end, NULL);
	is_int(browser_closed(), 1011, "a full stream that breaks: 1011");
	is_int(term_end(), 0, "it ends");
}

/* Pings that are answered into a pipe that nobody empties. */
static void
test_pings(void)
{
	static uint8_t	ping[6 + 125];
	size_t		sent;

	ping[0] = 0x89;
	ping[1] = 0x80 | 125;
	term_open();
	sent = fill(dr.sock, ping, sizeof(ping), 256 << 20);
	ok(sent < 200 << 20, "pings of a browser that reads no pongs stop "
	    "being read");
	is_int(term_end(), 0, "it ends");

	term_open();
	drive_clock(&dr.d, 26000);
	drive_clock(&dr.d, 26000);
	browser_frame(1, WS_OP_PONG, NULL, 0);
	stream_frame("\0a", 2);
	(void)browser_wait(1);
	drive_clock(&dr.d, 26000);
	drive_clock(&dr.d, 26000);
	stream_frame("\0b", 2);
	ok(browser_wait(2), "a browser that answers stays");
	drive_clock(&dr.d, 26000);
	drive_clock(&dr.d, 26000);
	drive_clock(&dr.d, 26000);
	ok(browser_closed() == 1011 && browser_red(2,
	    "browser does not answer"), "three pings without a byte: gone");
	is_int(term_heard_end(NULL), END_LOCAL, "authd hears it");
	is_int(term_end(), 0, "it ends");
}

static void
test_idle(void)
{
	char	text[MESSAGE_SIZE];

	term_open();
	drive_clock(&dr.d, 1700 * 1000);
	browser_send("\0x", 2);
	ok(stream_got("\0\0\0\2\0x", 6), "a keystroke");
	drive_clock(&dr.d, 1700 * 1000);
	stream_frame("\0still here", 11);
	ok(browser_wait(1), "operator-25(partial): keystrokes keep a terminal "
	    "open");
	browser_send("\1{\"cols\":8,\"rows\":2}", 20);
	ok(stream_got("\0\0\0\24\1{\"cols\":8,\"rows\":2}", 24), "a resize");
	drive_clock(&dr.d, 101 * 1000);
	is_int(browser_closed(), 1008, "operator-25(partial): output and "
	    "resizes do not: close 1008");
	ok(dr.n == 2 && browser_red(1, "session closed due to inactivity"),
	    "operator-25(partial): a type 3 text comes first");
	is_int(term_heard_end(text), END_LIMIT, "authd hears why");
	is_str(text, "session closed due to inactivity", "in words");
	ok(stream_ended(), "the stream is let go of");
	leaves("idle");

	term_start();
	term_give(drive_head, NULL, 0);
	term_stream(5);
	(void)browser_status();
	stream_put("OK\n", 3);
	drive_clock(&dr.d, 4000);
	stream_frame("\0x", 2);
	ok(browser_wait(1), "the limit is authd's to say: 4 of 5 s");
	drive_clock(&dr.d, 1000);
	is_int(browser_closed(), 1008, "5 of 5 s");
	drive_clock(&dr.d, 5000);
	is_int(term_wait(), 0, "a browser that does not answer the close gets "
	    "5 s");
}

static void
test_stream_ends(void)
{
	static uint8_t	much[20000];
	size_t		i;

	term_open();
	stream_frame("\0bye", 4);
	shutdown(dr.stream, SHUT_WR);
	is_int(browser_closed(), 1000, "a clean end: 1000");
	ok(dr.n == 1, "after the last output, and without a text");
	is_int(term_heard_end(NULL), END_CLEAN, "authd hears it was clean");
	leaves("clean");

	term_open();
	stream_frame("\0bye", 4);
	shut(&dr.stream);
	ok(browser_closed() == 1011 && browser_red(1,
	    "connection to the system was lost"), "a broken end: 1011, told");
	is_int(term_heard_end(NULL), END_TUNNEL, "authd hears it was not");
	leaves("broken");

	term_open();
	stream_put("\0\0\0\5\0by", 7);
	shutdown(dr.stream, SHUT_WR);
	is_int(browser_closed(), 1011, "a clean end inside a frame is none");
	leaves("inside a frame");

	/* What was said before the end is for a slow browser too. */
	term_open();
	for (i = 0; i < 10; i++)
		stream_frame(much, sizeof(much));
	shutdown(dr.stream, SHUT_WR);
	drive_clock(&dr.d, 0);
	for (i = 0; i < 40; i++) {
		browser_sip(5000);
		drive_clock(&dr.d, 700);
	}
	(void)browser_wait(10);
	is_int(dr.n, 10, "a browser that takes 7 KB a second gets all");
	is_int(browser_closed(), 1000, "and the close behind it");
	leaves("slow end");

	term_open();
	close(dr.sock);
	dr.sock = -1;
	is_int(term_heard_end(NULL), END_LOCAL, "the browser goes");
	ok(stream_ended(), "the stream is let go of");
	is_int(term_wait(), 0, "it ends");

	term_open();
	browser_frame(1, WS_OP_CLOSE, "\3\350bye", 5);
	is_int(browser_closed(), 1000, "the browser's close is answered");
	is_int(term_wait(), 0, "it ends");
}

static void
test_close(void)
{
	char	text[MESSAGE_SIZE];

	term_open();
	term_close(1008, "session closed");
	ok(browser_closed() == 1008 && browser_red(0, "session closed"),
	    "operator-11(partial): authd closes a terminal");
	is_int(term_heard_end(text), END_SESSION, "and hears that it did");
	is_str(text, "session closed", "in its words");
	term_close(1008, "again");
	leaves("closed");

	term_start();
	term_give(drive_head, NULL, 0);
	term_close(1008, "session closed");
	is_int(browser_status(), 503, "before 101 there is a reply instead");
	ok(strstr(dr.head, "session closed") != NULL, "with the reason");
	is_int(term_end(), 0, "it ends");
	term_start();
	term_close(1008, "session closed");
	term_stream(1800);
	term_give(drive_head, NULL, 0);
	is_int(browser_status(), 503, "also before the connection is here");
	is_int(term_end(), 0, "it ends");
}

static void
stop(void)
{
	say(dr.d.parent, stop);
}

static void
test_stop(void)
{
	term_open();
	stop();
	ok(browser_closed() == 1001 && browser_red(0, "server is stopping"),
	    "STOP: 1001");
	is_int(term_heard_end(NULL), END_SESSION, "authd hears it");
	leaves("stop");
	term_start();
	term_give(drive_head, NULL, 0);
	stop();
	is_int(browser_status(), 503, "STOP before 101: 503");
	is_int(term_end(), 0, "it ends");
	term_start();
	stop();
	is_int(term_wait(), 0, "STOP before anything: it ends");
}

static void
test_authd_goes(void)
{
	struct msg_announce		has;
	struct msg_announce_stream	in;

	term_start();
	term_give(drive_head, NULL, 0);
	drive_clock(&dr.d, 0);
	shut(&dr.d.authd);
	is_int(browser_status(), 503, "authd goes before its word: 503");
	is_int(term_end(), 0, "it ends");
	term_start();
	shut(&dr.d.authd);
	drive_clock(&dr.d, 0);
	term_give(drive_head, NULL, 0);
	is_int(browser_status(), 503, "also before the connection is here");
	is_int(term_end(), 0, "it ends");
	term_start();
	term_give(drive_head, NULL, 0);
	drive_clock(&dr.d, 0);
	drive_channel(&dr.d);
	is_int(browser_status(), 503, "a new authd knows of no ticket: 503");
	is_int(term_end(), 0, "it ends");

	term_open();
	browser_send("\0abc", 4);
	(void)stream_got("\0\0\0\4\0abc", 8);
	stream_frame("\0hello", 6);
	(void)browser_wait(1);
	shut(&dr.d.authd);
	drive_clock(&dr.d, 0);
	stream_frame("\0there", 6);
	ok(browser_wait(2), "authd goes: an open terminal goes on");
	drive_channel(&dr.d);
	(void)hear_next(dr.d.authd, announce, &has);
	ok(has.up == 1 && has.streams == 1, "a new one hears ANNOUNCE");
	(void)hear_next(dr.d.authd, announce_stream, &in);
	ok(in.stream == 9 && strcmp(in.service, "terminal") == 0, "the stream");
	ok(in.in == 10 && in.out == 3, "with its bytes");
	(void)hear_next(dr.d.authd, announce_end, NULL);
	drive_channel(&dr.d);
	(void)hear_next(dr.d.authd, announce, NULL);
	ok(1, "a channel in place of a living one likewise");
	(void)hear_next(dr.d.authd, announce_stream, NULL);
	(void)hear_next(dr.d.authd, announce_end, NULL);
	term_close(1008, "over");
	is_int(browser_closed(), 1008, "the new authd may close it");
	is_int(term_heard_end(NULL), END_SESSION, "and hears so");
	drive_channel(&dr.d);
	(void)hear_next(dr.d.authd, announce, NULL);
	(void)hear_next(dr.d.authd, announce_stream, NULL);
	(void)hear_next(dr.d.authd, announce_end, NULL);
	is_int(term_heard_end(NULL), END_SESSION, "one that comes while it "
	    "closes hears the end too");
	leaves("authd");
}

static void
test_parent_goes(void)
{
	term_open();
	shut(&dr.d.parent);
	is_int(term_wait(), 0, "the parent goes: the terminal too");
	term_start();
	shut(&dr.d.parent);
	is_int(term_wait(), 0, "also one that has no connection yet");
}

/* Malformed messages of authd's close its channel; the terminal stays. */
static void
test_bad_authd(void)
{
	static const char	*const	what[] = { "a TERM_STREAM a byte long",
	    "a TERM_STREAM without descriptor", "a second TERM_STREAM",
	    "a TERM_REFUSE with status 200", "a CLOSE with code 999",
	    "a CLOSE with a descriptor", "a message of another's",
	    "an empty packet", "a short packet", "a TERM_REFUSE when open" };
	static const struct msg_term_stream	stream = { .stream = 9,
	    .session = SESSION, .idle_s = 1800 };
	static uint8_t	bytes[256];
	size_t		i;
	long		len;
	int		sv[2];

	for (i = 0; i < sizeof(what) / sizeof(what[0]); i++) {
		term_open();
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == -1)
			bail("socketpair");
		switch (i) {
		case 0:
		case 1:
		case 2:
			len = msg_put(IMSG_TERM_STREAM, &stream, bytes,
			    sizeof(bytes));
			say_raw(dr.d.authd, IMSG_TERM_STREAM, 0, i == 1 ? -1 :
			    dup(sv[0]), bytes, (size_t)len + (i == 0));
			break;
		case 3:
			term_refuse(200, "fine");
			break;
		case 4:
			term_close(999, "x");
			break;
		case 5:
			say_fd(dr.d.authd, 0, dup(sv[0]), close, .code = 1008,
			    .reason = "x");
			break;
		case 6:
			say(dr.d.authd, stream_kill, .stream = 9);
			break;
		case 7:
			(void)send(dr.d.authd, "", 0, 0);
			break;
		case 8:
			(void)send(dr.d.authd, "abc", 3, 0);
			break;
		case 9:
			term_refuse(404, "late");
			break;
		}
		ok(hear_end(dr.d.authd) == 0, "authd: %s ends its channel",
		    what[i]);
		stream_frame("\0on", 3);
		ok(browser_wait(1), "authd: %s: the terminal goes on", what[i]);
		close(sv[0]);
		close(sv[1]);
		is_int(term_end(), 0, "authd: %s: it ends", what[i]);
	}
}

/* The parent's are the parent's fault: nobody is left to serve. */
static void
test_bad_parent(void)
{
	static const char	*const	what[] = { "a GIVE of another class",
	    "a GIVE without descriptor", "a GIVE of a file",
	    "a GIVE a byte long", "a second GIVE", "a CHANNEL of a file",
	    "a STOP a byte long", "a message of another's" };
	static const uint32_t	types[] = { IMSG_CHANNEL, IMSG_STOP,
	    IMSG_SPAWNED_ALL };
	static uint8_t		bytes[GIVE_BYTES_MAX];
	struct msg_give		give = { .nonce = 77, .instance = 5,
	    .addr = "192.0.2.7", .accept = drive_accept,
	    .bytes = { (const uint8_t *)drive_head, strlen(drive_head) } };
	size_t			i;
	long			len;
	int			sv[2];

	for (i = 0; i < sizeof(what) / sizeof(what[0]); i++) {
		term_start();
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == -1)
			bail("socketpair");
		if (i == 4)
			term_give(drive_head, NULL, 0);
		give.class = i == 0 ? CLASS_TUNNEL : CLASS_TERMINAL;
		len = i < 5 ? msg_put(IMSG_GIVE, &give, bytes, sizeof(bytes)) :
		    0;
		say_raw(dr.d.parent, i < 5 ? IMSG_GIVE : types[i - 5], 0,
		    i == 2 || i == 5 ? open("/dev/null", O_RDONLY) :
		    i < 5 && i != 1 ? dup(sv[0]) : -1, bytes,
		    (size_t)len + (i == 3 || i == 6));
		is_int(term_wait(), 1, "parent: %s: the process ends with 1",
		    what[i]);
		close(sv[0]);
		close(sv[1]);
	}
}

/* A terminal with a recording of so many bytes; its file, to be read. */
static int
term_recorded(uint64_t room)
{
	char	path[] = "/tmp/termd_end_test.XXXXXX";
	int	file = mkstemp(path), fd;

	if (file == -1 || (fd = open(path, O_WRONLY | O_APPEND)) == -1)
		bail("recording");
	unlink(path);
	term_start();
	term_give(drive_head, NULL, 0);
	say_fd(dr.d.authd, 0, fd, term_record, .room = room);
	term_stream(1800);
	stream_put("OK\n", 3);
	if (browser_status() != 101 || !browser_wait(1))
		bail("no 101");
	return (file);
}

static const char *
recording(int file)
{
	static char	text[4096];
	ssize_t		n = pread(file, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return (text);
}

static void
test_recording(void)
{
	static uint8_t	much[1000];
	char		text[MESSAGE_SIZE];
	const char	*s;
	int		file = term_recorded(600);

	ok(strstr(dr.head, "\r\nX-Support-Recording: on\r\n") != NULL,
	    "the 101 says that it is recorded");
	ok(browser_red(0, "this terminal is recorded"), "a text, too");
	stream_frame("\0a\303", 3);
	stream_frame("\0\244b", 3);
	ok(browser_wait(3), "output");
	browser_send("\1{\"cols\":8,\"rows\":2}", 20);
	browser_send("\0secret", 7);
	ok(stream_got("\0\0\0\24\1{\"cols\":8,\"rows\":2}\0\0\0\7\0secret",
	    35), "a new size, and input");
	s = recording(file);
	ok(strstr(s, "\303\244b\"]\n") != NULL, "output is in the file, what was "
	    "in pieces is whole: %s", s);
	ok(strstr(s, ",\"r\",\"8x2\"]\n") != NULL, "so is the size");
	ok(strstr(s, "secret") == NULL, "and no input");
	memset(much + 1, 'x', sizeof(much) - 1);
	stream_frame(much, sizeof(much));
	is_int(browser_closed(), 1011, "what has no room in it: 1011");
	ok(dr.n == 4 && browser_red(3, "this terminal's recording is full"),
	    "a text says why, and what is not recorded is not shown");
	ok(strstr(recording(file), "xxx") == NULL, "no part of it is there");
	is_int(term_heard_end(text), END_LIMIT, "authd hears why");
	is_str(text, "this terminal's recording is full", "in words");
	leaves("full");
	close(file);

	file = term_recorded(4096);
	stream_frame("\0end\342\202", 6);
	shutdown(dr.stream, SHUT_WR);
	is_int(browser_closed(), 1000, "a clean end");
	s = recording(file);
	ok(strstr(s, "end\"]\n") != NULL && strstr(s, "\357\277\275\"]\n") !=
	    NULL, "a character that has no end is none: %s", s);
	leaves("recorded");
	close(file);

	/* One that cannot be written. */
	term_start();
	term_give(drive_head, NULL, 0);
	say_fd(dr.d.authd, 0, open("/dev/full", O_WRONLY), term_record,
	    .room = 4096);
	term_stream(1800);
	stream_put("OK\n", 3);
	(void)browser_status();
	stream_frame("\0lost", 5);
	is_int(browser_closed(), 1011, "a full disk: 1011");
	ok(dr.n == 2 && browser_red(1,
	    "this terminal cannot be recorded any more"), "a text says why, "
	    "and nothing was shown");
	leaves("full disk");

	/* Not behind the stream. */
	term_open();
	say_fd(dr.d.authd, 0, open("/dev/null", O_WRONLY), term_record,
	    .room = 1);
	ok(hear_end(dr.d.authd) == 0, "TERM_RECORD for one that is open ends "
	    "the channel");
	is_int(term_end(), 0, "it ends");
}

int
main(void)
{
	test_recording();
	test_slow_browser();
	test_ahead();
	test_slow_stream();
	test_pings();
	test_idle();
	test_stream_ends();
	test_close();
	test_stop();
	test_authd_goes();
	test_parent_goes();
	test_bad_authd();
	test_bad_parent();
	return (done_testing());
}
