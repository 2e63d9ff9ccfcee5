/* SPDX-License-Identifier: ISC */
/* termd as it runs: slow peers, idle time, every end, authd's restarts. */
#include <sys/socket.h>

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "regress/lib/tap.h"
#include "regress/lib/fields.h"
#include "regress/lib/termd_drive.h"

static const char	*build;

/* Answer the close and see it leave in order. */
static void
leaves(const char *what)
{
	browser_frame(1, WS_OP_CLOSE, NULL, 0);
	is_int(drive_wait(), 0, "%s: the process ends", what);
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
	char	 path[64], line[256];
	FILE	*f;
	long	 kib = -1;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)dr.pid);
	if ((f = fopen(path, "r")) == NULL)
		return (-1);
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "VmRSS: %ld", &kib) == 1)
			break;
	fclose(f);
	return (kib);
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
	drive_open(build);
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
		drive_clock(0);
		while ((n = send(dr.stream, piece + off % PIECE, PIECE - off %
		    PIECE, MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
			off += (size_t)n;
	}
	ok(taken >= held, "one that reads a little at a time gets 32 MB");
	ok(rss_kib() - before < 8192, "and they leave no trace in memory: %ld "
	    "KiB more", rss_kib() - before);
	is_int(drive_end(), 0, "it ends");
}

static void
test_slow_stream(void)
{
	static uint8_t	 msg[8 + 1024], zero[1024];
	size_t		 sent, i;
	struct imsg	 m;

	/* A masked binary message of 1024 zeroes, mask 0: type 0, no text. */
	msg[0] = 0x82;
	msg[1] = 0xfe;
	msg[2] = 4;
	drive_open(build);
	sent = fill(dr.sock, msg, sizeof(msg), 64 << 20);
	ok(sent < 4 << 20, "a customer that does not read: %zu bytes are held, "
	    "then the browser waits", sent);
	drive_clock(26000);
	drive_clock(26000);
	drive_clock(26000);
	drive_clock(26000);
	drive_clock(26000);
	stream_frame("\0alive", 6);
	ok(browser_wait(1), "the browser cannot answer pings then, and is not "
	    "taken for dead");
	for (i = 0; i < sent / sizeof(msg); i++)
		if (!stream_got("\0\0\4\0", 4) || !stream_got(zero, 1024))
			break;
	is_int(i, sent / sizeof(msg), "all that was sent arrives");
	close(dr.stream);
	dr.stream = -1;
	is_int(drive_term_end(NULL), END_TUNNEL, "its end is noticed");
	is_int(drive_end(), 0, "it ends");

	/* The end of a stream that is full. */
	drive_open(build);
	(void)fill(dr.sock, msg, sizeof(msg), 64 << 20);
	close(dr.stream);
	dr.stream = -1;
	drive_expect(dr.authd, IMSG_TERM_END, &m);
	is_int(browser_closed(), 1011, "a full stream that breaks: 1011");
	is_int(drive_end(), 0, "it ends");
}

/* Pings that are answered into a pipe that nobody empties. */
static void
test_pings(void)
{
	static uint8_t	ping[6 + 125];
	size_t		sent;

	ping[0] = 0x89;
	ping[1] = 0x80 | 125;
	drive_open(build);
	sent = fill(dr.sock, ping, sizeof(ping), 256 << 20);
	ok(sent < 200 << 20, "pings of a browser that reads no pongs stop "
	    "being read");
	is_int(drive_end(), 0, "it ends");

	drive_open(build);
	drive_clock(26000);
	drive_clock(26000);
	browser_frame(1, WS_OP_PONG, NULL, 0);
	stream_frame("\0a", 2);
	(void)browser_wait(1);
	drive_clock(26000);
	drive_clock(26000);
	stream_frame("\0b", 2);
	ok(browser_wait(2), "a browser that answers stays");
	drive_clock(26000);
	drive_clock(26000);
	drive_clock(26000);
	ok(browser_closed() == 1011 && browser_red(2,
	    "browser does not answer"), "three pings without a byte: gone");
	is_int(drive_term_end(NULL), END_LOCAL, "authd hears it");
	is_int(drive_end(), 0, "it ends");
}

static void
test_idle(void)
{
	char	text[MESSAGE_SIZE];

	drive_open(build);
	drive_clock(1700 * 1000);
	browser_send("\0x", 2);
	ok(stream_got("\0\0\0\2\0x", 6), "a keystroke");
	drive_clock(1700 * 1000);
	stream_frame("\0still here", 11);
	ok(browser_wait(1), "operator-25(partial): keystrokes keep a terminal "
	    "open");
	browser_send("\1{}", 3);
	ok(stream_got("\0\0\0\3\1{}", 7), "a resize");
	drive_clock(101 * 1000);
	is_int(browser_closed(), 1008, "operator-25(partial): output and "
	    "resizes do not: close 1008");
	ok(dr.n == 2 && browser_red(1, "session closed due to inactivity"),
	    "operator-25(partial): a type 3 text comes first");
	is_int(drive_term_end(text), END_LIMIT, "authd hears why");
	is_str(text, "session closed due to inactivity", "in words");
	ok(stream_ended(), "the stream is let go of");
	leaves("idle");

	drive_start(build);
	drive_give(drive_head, NULL, 0);
	drive_stream(5);
	(void)browser_status();
	stream_put("OK\n", 3);
	drive_clock(4000);
	stream_frame("\0x", 2);
	ok(browser_wait(1), "the limit is authd's to say: 4 of 5 s");
	drive_clock(1000);
	is_int(browser_closed(), 1008, "5 of 5 s");
	drive_clock(5000);
	is_int(drive_wait(), 0, "a browser that does not answer the close gets "
	    "5 s");
}

static void
test_stream_ends(void)
{
	static uint8_t	much[30000];
	size_t		i;

	drive_open(build);
	stream_frame("\0bye", 4);
	shutdown(dr.stream, SHUT_WR);
	is_int(browser_closed(), 1000, "a clean end: 1000");
	ok(dr.n == 1, "after the last output, and without a text");
	is_int(drive_term_end(NULL), END_CLEAN, "authd hears it was clean");
	leaves("clean");

	drive_open(build);
	stream_frame("\0bye", 4);
	close(dr.stream);
	dr.stream = -1;
	ok(browser_closed() == 1011 && browser_red(1,
	    "connection to the system was lost"), "a broken end: 1011, told");
	is_int(drive_term_end(NULL), END_TUNNEL, "authd hears it was not");
	leaves("broken");

	drive_open(build);
	stream_put("\0\0\0\5\0by", 7);
	shutdown(dr.stream, SHUT_WR);
	is_int(browser_closed(), 1011, "a clean end inside a frame is none");
	leaves("inside a frame");

	/* What was said before the end is for a slow browser too. */
	drive_open(build);
	for (i = 0; i < 18; i++)
		stream_frame(much, sizeof(much));
	shutdown(dr.stream, SHUT_WR);
	drive_clock(0);
	for (i = 1; i <= 18; i++) {
		if (!browser_wait(i))
			break;
		drive_clock(700);
	}
	is_int(dr.n, 18, "twelve seconds for the last 540 KB");
	is_int(browser_closed(), 1000, "and the close behind it");
	leaves("slow end");

	drive_open(build);
	close(dr.sock);
	dr.sock = -1;
	is_int(drive_term_end(NULL), END_LOCAL, "the browser goes");
	ok(stream_ended(), "the stream is let go of");
	is_int(drive_wait(), 0, "it ends");

	drive_open(build);
	browser_frame(1, WS_OP_CLOSE, "\3\350bye", 5);
	is_int(browser_closed(), 1000, "the browser's close is answered");
	is_int(drive_wait(), 0, "it ends");
}

static void
test_close(void)
{
	char	text[MESSAGE_SIZE];

	drive_open(build);
	drive_close(1008, "session closed");
	ok(browser_closed() == 1008 && browser_red(0, "session closed"),
	    "operator-11(partial): authd closes a terminal");
	is_int(drive_term_end(text), END_SESSION, "and hears that it did");
	is_str(text, "session closed", "in its words");
	drive_close(1008, "again");
	leaves("closed");

	drive_start(build);
	drive_give(drive_head, NULL, 0);
	drive_close(1008, "session closed");
	is_int(browser_status(), 503, "before 101 there is a reply instead");
	ok(strstr(dr.head, "session closed") != NULL, "with the reason");
	is_int(drive_end(), 0, "it ends");
	drive_start(build);
	drive_close(1008, "session closed");
	drive_stream(1800);
	drive_give(drive_head, NULL, 0);
	is_int(browser_status(), 503, "also before the connection is here");
	is_int(drive_end(), 0, "it ends");
}

static void
stop(void)
{
	pk_begin(IMSG_STOP);
	pk_send(dr.parent, -1);
}

static void
test_stop(void)
{
	drive_open(build);
	stop();
	ok(browser_closed() == 1001 && browser_red(0, "server is stopping"),
	    "STOP: 1001");
	is_int(drive_term_end(NULL), END_SESSION, "authd hears it");
	leaves("stop");
	drive_start(build);
	drive_give(drive_head, NULL, 0);
	stop();
	is_int(browser_status(), 503, "STOP before 101: 503");
	is_int(drive_end(), 0, "it ends");
	drive_start(build);
	stop();
	is_int(drive_wait(), 0, "STOP before anything: it ends");
}

static void
test_authd_goes(void)
{
	struct imsg	m;
	uint64_t	stream = 0, in = 0, out = 0;
	uint32_t	n = 0;
	uint8_t		up = 0;
	char		service[SERVICE_SIZE];

	drive_start(build);
	drive_give(drive_head, NULL, 0);
	drive_clock(0);
	close(dr.authd);
	dr.authd = -1;
	is_int(browser_status(), 503, "authd goes before its word: 503");
	is_int(drive_end(), 0, "it ends");
	drive_start(build);
	close(dr.authd);
	dr.authd = -1;
	drive_clock(0);
	drive_give(drive_head, NULL, 0);
	is_int(browser_status(), 503, "also before the connection is here");
	is_int(drive_end(), 0, "it ends");
	drive_start(build);
	drive_give(drive_head, NULL, 0);
	drive_clock(0);
	drive_channel();
	is_int(browser_status(), 503, "a new authd knows of no ticket: 503");
	is_int(drive_end(), 0, "it ends");

	drive_open(build);
	browser_send("\0abc", 4);
	(void)stream_got("\0\0\0\4\0abc", 8);
	stream_frame("\0hello", 6);
	(void)browser_wait(1);
	close(dr.authd);
	dr.authd = -1;
	drive_clock(0);
	stream_frame("\0there", 6);
	ok(browser_wait(2), "authd goes: an open terminal goes on");
	drive_channel();
	drive_expect(dr.authd, IMSG_ANNOUNCE, &m);
	ok(m_get_u8(&m, &up) == 0 && m_get_u32(&m, &n) == 0 &&
	    m_end(&m) == 0 && up == 1 && n == 1, "a new one hears ANNOUNCE");
	drive_expect(dr.authd, IMSG_ANNOUNCE_STREAM, &m);
	ok(m_get_u64(&m, &stream) == 0 &&
	    m_get_str(&m, service, sizeof(service)) == 0 &&
	    m_get_u64(&m, &in) == 0 && m_get_u64(&m, &out) == 0 &&
	    stream == 9 && strcmp(service, "terminal") == 0, "the stream");
	ok(in == 10 && out == 3, "with its bytes");
	drive_expect(dr.authd, IMSG_ANNOUNCE_END, &m);
	drive_channel();
	drive_expect(dr.authd, IMSG_ANNOUNCE, &m);
	ok(1, "a channel in place of a living one likewise");
	drive_expect(dr.authd, IMSG_ANNOUNCE_STREAM, &m);
	drive_expect(dr.authd, IMSG_ANNOUNCE_END, &m);
	drive_close(1008, "over");
	is_int(browser_closed(), 1008, "the new authd may close it");
	is_int(drive_term_end(NULL), END_SESSION, "and hears so");
	drive_channel();
	drive_expect(dr.authd, IMSG_ANNOUNCE, &m);
	drive_expect(dr.authd, IMSG_ANNOUNCE_STREAM, &m);
	drive_expect(dr.authd, IMSG_ANNOUNCE_END, &m);
	is_int(drive_term_end(NULL), END_SESSION, "one that comes while it "
	    "closes hears the end too");
	leaves("authd");
}

static void
test_parent_goes(void)
{
	drive_open(build);
	close(dr.parent);
	dr.parent = -1;
	is_int(drive_wait(), 0, "the parent goes: the terminal too");
	drive_start(build);
	close(dr.parent);
	dr.parent = -1;
	is_int(drive_wait(), 0, "also one that has no connection yet");
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
	size_t	i;
	int	sv[2];

	for (i = 0; i < sizeof(what) / sizeof(what[0]); i++) {
		drive_open(build);
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == -1)
			bail("socketpair");
		switch (i) {
		case 0:
		case 1:
		case 2:
			pk_begin(IMSG_TERM_STREAM);
			pk_u64(9);
			pk_str(SESSION);
			pk_u32(1800);
			if (i == 0)
				pk_u8(0);
			pk_send(dr.authd, i == 1 ? -1 : dup(sv[0]));
			break;
		case 3:
			drive_refuse(200, "fine");
			break;
		case 4:
			drive_close(999, "x");
			break;
		case 5:
			pk_begin(IMSG_CLOSE);
			pk_u16(1008);
			pk_str("x");
			pk_send(dr.authd, dup(sv[0]));
			break;
		case 6:
			pk_begin(IMSG_STREAM_KILL);
			pk_u64(9);
			pk_u8(0);
			pk_send(dr.authd, -1);
			break;
		case 7:
			(void)send(dr.authd, "", 0, 0);
			break;
		case 8:
			(void)send(dr.authd, "abc", 3, 0);
			break;
		case 9:
			drive_refuse(404, "late");
			break;
		}
		ok(drive_hung_up(dr.authd), "authd: %s ends its channel",
		    what[i]);
		stream_frame("\0on", 3);
		ok(browser_wait(1), "authd: %s: the terminal goes on", what[i]);
		close(sv[0]);
		close(sv[1]);
		is_int(drive_end(), 0, "authd: %s: it ends", what[i]);
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
	size_t	i;
	int	sv[2];

	for (i = 0; i < sizeof(what) / sizeof(what[0]); i++) {
		drive_start(build);
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == -1)
			bail("socketpair");
		if (i == 4)
			drive_give(drive_head, NULL, 0);
		if (i < 5) {
			pk_begin(IMSG_GIVE);
			pk_u8(i == 0 ? CLASS_TUNNEL : CLASS_TERMINAL);
			pk_u64(77);
			pk_u64(5);
			pk_str("192.0.2.7");
			pk_str(drive_accept);
			pk_str(drive_head);
			if (i == 3)
				pk_u8(0);
		} else if (i == 5)
			pk_begin(IMSG_CHANNEL);
		else if (i == 6) {
			pk_begin(IMSG_STOP);
			pk_u8(0);
		} else {
			pk_begin(IMSG_SPAWNED_ALL);
		}
		if (i == 2 || i == 5)
			pk_send(dr.parent, open("/dev/null", O_RDONLY));
		else
			pk_send(dr.parent, i < 5 && i != 1 ? dup(sv[0]) : -1);
		is_int(drive_wait(), 1, "parent: %s: the process ends with 1",
		    what[i]);
		close(sv[0]);
		close(sv[1]);
	}
}

int
main(void)
{
	if ((build = getenv("RELAYD_BUILD")) == NULL)
		build = ".";
	test_slow_browser();
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
