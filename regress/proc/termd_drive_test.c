/* SPDX-License-Identifier: ISC */
/* termd as it runs: how a terminal begins, what passes, what is refused. */
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

/* A reply that refuses: status, envelope, end. */
static void
refused(int status, const char *message, const char *what)
{
	char	want[512];

	is_int(browser_status(), status, "%s: %d", what, status);
	snprintf(want, sizeof(want),
	    "\r\n\r\n{\"code\":%d,\"message\":\"%s\",\"data\":null}", status,
	    message);
	if (!ok(strstr(dr.head, want) != NULL, "%s: says why", what))
		diag("%s", dr.head);
	is_int(term_end(), 0, "%s: the process ends", what);
}

static void
test_begin(void)
{
	static const uint8_t	early[] = { 0x82, 0x83, 1, 2, 3, 4, 0 ^ 1,
				    'a' ^ 2, 'b' ^ 3 };
	char			want[128];

	term_start();
	term_give(drive_head, NULL, 0);
	term_stream(1800);
	is_int(browser_status(), 101, "the connection, then the stream: 101");
	snprintf(want, sizeof(want), "\r\nSec-WebSocket-Accept: %s\r\n",
	    drive_accept);
	ok(strstr(dr.head, want) != NULL, "with proxyd's accept value");
	ok(term_end() == 0, "the browser goes, the process too");

	term_start();
	term_stream(1800);
	term_give(drive_head, early, sizeof(early));
	is_int(browser_status(), 101, "the stream first: 101");
	ok(stream_got("\0\0\0\3\0ab", 7), "what came behind the head passes, "
	    "before the client has answered");
	is_int(term_end(), 0, "it ends");

	term_start();
	term_give(drive_head, NULL, 0);
	drive_clock(&dr.d, 10000);
	refused(503, "terminal service did not answer in time", "no word");
}

static void
test_refuse(void)
{
	term_start();
	term_give(drive_head, NULL, 0);
	term_refuse(429, "too many concurrent streams on this tunnel");
	refused(429, "too many concurrent streams on this tunnel",
	    "operator-27(partial) TERM_REFUSE");
	term_start();
	term_refuse(404, "support session not found");
	term_give(drive_head, NULL, 0);
	refused(404, "support session not found", "TERM_REFUSE comes first");
	term_start();
	term_refuse(503, "a \"quote\" \\ and\r\nlines");
	term_give(drive_head, NULL, 0);
	is_int(browser_status(), 503, "a message that needs escaping");
	ok(strstr(dr.head, "a \\\"quote\\\" \\\\ and\\u000d\\u000alines") !=
	    NULL, "is escaped");
	ok(strstr(dr.head, "\r\nRetry-After: 5\r\n") != NULL,
	    "503 says when to come back");
	is_int(term_end(), 0, "it ends");
	term_start();
	term_stream(1800);
	term_refuse(403, "on second thoughts");
	term_give(drive_head, NULL, 0);
	refused(403, "on second thoughts", "a refusal behind the stream");
}

static void
test_bad_head(void)
{
	static const struct {
		const char	*what, *head;
	} t[] = {
		{ "no upgrade", "GET /x HTTP/1.1\r\nHost: a\r\n\r\n" },
		{ "no end", "GET /x HTTP/1.1\r\nHost: a\r\n" },
		{ "not HTTP", "\x16\x03\x01\x02\r\n\r\n" },
		{ "a POST", "POST /x HTTP/1.1\r\nHost: a\r\n"
		    "Connection: Upgrade\r\nUpgrade: websocket\r\n"
		    "Sec-WebSocket-Version: 13\r\n"
		    "Sec-WebSocket-Key: faYVSnMKWmoWI91H/DuMrg==\r\n\r\n" },
		{ "two keys", "GET /x HTTP/1.1\r\nHost: a\r\n"
		    "Connection: Upgrade\r\nUpgrade: websocket\r\n"
		    "Sec-WebSocket-Version: 13\r\n"
		    "Sec-WebSocket-Key: faYVSnMKWmoWI91H/DuMrg==\r\n"
		    "Sec-WebSocket-Key: faYVSnMKWmoWI91H/DuMrg==\r\n\r\n" },
	};
	size_t	i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		term_start();
		term_stream(1800);
		term_give(t[i].head, NULL, 0);
		ok(browser_status() / 100 == 4, "head, %s: refused", t[i].what);
		is_int(term_heard_end(NULL), END_LOCAL, "head, %s: authd "
		    "hears", t[i].what);
		is_int(term_end(), 0, "head, %s: ends", t[i].what);
	}
	/* The stream behind a bad head finds nobody. */
	term_start();
	term_give(t[0].head, NULL, 0);
	term_stream(1800);
	ok(browser_status() / 100 == 4 && strstr(dr.head, "101") == NULL,
	    "no 101 behind a refusal");
	ok(stream_ended(), "its stream is let go of");
	is_int(term_end(), 0, "it ends");
}

static void
test_first_line(void)
{
	static char	line[2048];
	char		text[MESSAGE_SIZE];

	term_open();
	stream_put("\0\0\0\3\0hi", 7);
	ok(browser_wait(1), "OK, then a frame");
	is_int(term_end(), 0, "it ends");

	term_start();
	term_give(drive_head, NULL, 0);
	term_stream(1800);
	(void)browser_status();
	stream_put("OK\n\0\0\0\3\0hi\0\0\0\2\0!", 16);
	ok(browser_wait(2), "OK and frames in one piece");
	is_int(term_end(), 0, "it ends");

	term_start();
	term_give(drive_head, NULL, 0);
	term_stream(1800);
	(void)browser_status();
	stream_put("ERROR no \x1b[31mshell\n", 20);
	ok(browser_closed() == 1011 && dr.n == 1 && browser_red(0,
	    "terminal not available: no \\x1b[31mshell"),
	    "tunnel-39(partial): ERROR reaches the operator, printable");
	is_int(term_heard_end(text), END_REFUSED, "authd hears the reason");
	ok(stream_ended(), "the stream is let go of");
	leaves("refused by the client");

	term_start();
	term_give(drive_head, NULL, 0);
	term_stream(1800);
	(void)browser_status();
	stream_put("WHAT\n", 5);
	ok(browser_closed() == 1011 && browser_red(0,
	    "terminal not available: unexpected answer"), "neither");
	leaves("neither");

	memcpy(line, "ERROR ", 6);
	memset(line + 6, 'e', sizeof(line) - 6);
	line[1024] = '\n';
	term_start();
	term_give(drive_head, NULL, 0);
	term_stream(1800);
	(void)browser_status();
	stream_put(line, 1025);
	ok(browser_closed() == 1011 && dr.n == 1 && dr.got_len[0] > 200,
	    "an ERROR line of 1024 bytes");
	leaves("1024");
	line[1024] = 'e';
	line[1025] = '\n';
	term_start();
	term_give(drive_head, NULL, 0);
	term_stream(1800);
	(void)browser_status();
	stream_put(line, 1026);
	ok(browser_closed() == 1011 && browser_red(0,
	    "terminal not available: unexpected answer"),
	    "tunnel-39(partial): one of 1025 is a failure");
	leaves("1025");
	line[1025] = 'e';
	term_start();
	term_give(drive_head, NULL, 0);
	term_stream(1800);
	(void)browser_status();
	stream_put(line, sizeof(line));
	ok(browser_closed() == 1011, "so is one without an end");
	leaves("endless");

	term_start();
	term_give(drive_head, NULL, 0);
	term_stream(1800);
	(void)browser_status();
	shut(&dr.stream);
	ok(browser_closed() == 1011 && browser_red(0, "tunnel connect failed"),
	    "the end before any line");
	is_int(term_heard_end(NULL), END_TUNNEL, "authd hears it");
	leaves("no line");
}

static void
test_frames(void)
{
	static const char	bytes[] = "OK\n\0\0\0\4\0abc\0\0\0\1\0";
	static const uint8_t	spoof[] = "\3you were hacked";
	const uint8_t		*p;
	size_t			 len;

	term_open();
	browser_send("\0ls\r", 4);
	ok(stream_got("\0\0\0\4\0ls\r", 8), "operator-24(partial): keystrokes "
	    "get a length in front");
	browser_send("\1{\"cols\":80,\"rows\":24}", 22);
	ok(stream_got("\0\0\0\26\1{\"cols\":80,\"rows\":24}", 26),
	    "operator-24(partial): so does a resize");
	browser_send("", 0);
	browser_send("\0", 1);
	ok(stream_got("\0\0\0\1\0", 5), "an empty message is ignored, one with "
	    "a type only is not");
	browser_frame(0, WS_OP_BINARY, "\0pass", 5);
	browser_frame(1, WS_OP_PING, "?", 1);
	browser_frame(0, WS_OP_CONT, "wo", 2);
	browser_frame(1, WS_OP_CONT, "rd", 2);
	ok(stream_got("\0\0\0\11\0password", 13), "a message in pieces is one "
	    "frame");
	stream_frame("\0out\r\n", 6);
	stream_frame(spoof, sizeof(spoof) - 1);
	stream_frame("\1resize", 7);
	stream_frame("\2", 1);
	stream_frame("", 0);
	stream_frame("\xff", 1);
	stream_frame("\0", 1);
	stream_frame("\0end", 4);
	ok(browser_wait(3), "operator-24(partial): output comes");
	p = browser_message(0, &len);
	ok(len == 6 && memcmp(p, "\0out\r\n", 6) == 0, "operator-24(partial): "
	    "without a length, with its type");
	p = browser_message(2, &len);
	ok(len == 4 && memcmp(p, "\0end", 4) == 0 && dr.n == 3,
	    "a customer's frames of types 1, 2, 3 and 255 are dropped");
	is_int(term_end(), 0, "it ends");

	/* Byte by byte, across every border. */
	term_start();
	term_give(drive_head, NULL, 0);
	term_stream(1800);
	(void)browser_status();
	for (len = 0; len < 16; len++) {
		stream_put(&bytes[len], 1);
		drive_clock(&dr.d, 0);
	}
	ok(browser_wait(2), "frames in single bytes");
	p = browser_message(0, &len);
	ok(len == 4 && memcmp(p, "\0abc", 4) == 0, "come whole");
	is_int(term_end(), 0, "it ends");
}

/* What a client could take for another size than the browser's. */
static void
test_sizes(void)
{
	static const struct {
		const char	*sent, *passes;	/* NULL: nothing does */
	} t[] = {
		{ "{\"cols\":99999,\"rows\":65560}",
		    "{\"cols\":1000,\"rows\":1000}" },
		{ "{\"cols\":1001,\"rows\":1000}",
		    "{\"cols\":1000,\"rows\":1000}" },
		{ "{\"cols\":99999999999999999999,\"rows\":1}",
		    "{\"cols\":1000,\"rows\":1}" },
		{ " { \"x\" : \"y\", \"rows\" : 5 , \"cols\" : 7 } ",
		    "{\"cols\":7,\"rows\":5}" },
		{ "{\"cols\":80,\"rows\":0}", NULL },
		{ "{\"cols\":-1,\"rows\":24}", NULL },
		{ "{\"cols\":80.5,\"rows\":24}", NULL },
		{ "{\"cols\":1e9,\"rows\":24}", NULL },
		{ "{\"cols\":\"80\",\"rows\":24}", NULL },
		{ "{\"cols\":,\"rows\":24}", NULL },
		{ "{\"cols\":80}", NULL },
		{ "{\"cols\":80,\"rows\":24", NULL },
		{ "{\"cols\":80,\"rows", NULL },
		{ "80,24", NULL },
		{ "", NULL },
	};
	char	buf[256];
	size_t	i, len;

	term_open();
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		buf[0] = 1;
		memcpy(buf + 1, t[i].sent, strlen(t[i].sent));
		browser_send(buf, 1 + strlen(t[i].sent));
		browser_send("\0.", 2);
		len = t[i].passes != NULL ? strlen(t[i].passes) : 0;
		memcpy(buf, "\0\0\0", 3);
		buf[3] = (char)(len + 1);
		buf[4] = 1;
		memcpy(buf + 5, t[i].passes != NULL ? t[i].passes : "", len);
		ok((len == 0 || stream_got(buf, 5 + len)) &&
		    stream_got("\0\0\0\2\0.", 6), "tunnel-43(partial): size "
		    "%s: %s", t[i].sent, len > 0 ? t[i].passes : "none");
	}
	is_int(term_end(), 0, "it ends");
}

/* How the shell ended, if the client says so; only as what it can be. */
static void
test_status(void)
{
	static const struct {
		const char	*said, *reason;
	} t[] = {
		{ "exit 0", "exit 0" }, { "exit 7", "exit 7" },
		{ "signal 9", "signal 9" }, { "exit 256", "" },
		{ "signal 0", "" }, { "signal 65", "" }, { "exit", "" },
		{ "exit 7 and a long way to say so", "" }, { "", "" },
		{ "hello", "" }, { NULL, "" },
	};
	char		 buf[64] = "\4", text[MESSAGE_SIZE];
	const char	*reason = "";
	size_t		 i, len;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		term_open();
		if (t[i].said != NULL) {
			memcpy(buf + 1, t[i].said, strlen(t[i].said));
			stream_frame(buf, 1 + strlen(t[i].said));
		}
		(void)shutdown(dr.stream, SHUT_WR);
		is_int(term_heard_end(text), END_CLEAN, "a shell that ended");
		is_int(browser_closed(), 1000, "1000 for the browser");
		len = ws_peer_reason(&dr.ws, &reason);
		ok(len == strlen(t[i].reason) &&
		    memcmp(reason, t[i].reason, len) == 0 && dr.n == 0 &&
		    (len == 0 || strcmp(text, t[i].reason) == 0),
		    "\"%s\": the reason is \"%.*s\"", t[i].said != NULL ?
		    t[i].said : "nothing", (int)len, reason);
		browser_frame(1, WS_OP_CLOSE, NULL, 0);
		is_int(term_wait(), 0, "it ends");
	}
}

/* What is pasted is longer than a frame: whole, and in pieces. */
static void
test_paste(void)
{
	static uint8_t	paste[1048576], want[65536 + 5];
	size_t		i, n, off;
	int		good = 1, pieces;

	for (i = 1; i < sizeof(paste); i++)
		paste[i] = (uint8_t)(i * 31 + (i >> 8));
	for (pieces = 0; pieces < 2; pieces++) {
		term_open();
		if (pieces) {
			browser_frame(0, WS_OP_BINARY, paste, 700000);
			browser_frame(1, WS_OP_CONT, paste + 700000,
			    sizeof(paste) - 700000);
		} else
			browser_send(paste, sizeof(paste));
		for (off = 1; off < sizeof(paste); off += n) {
			n = sizeof(paste) - off;
			n = n < 65535 ? n : 65535;
			want[0] = 0;
			want[1] = (uint8_t)((n + 1) >> 16);
			want[2] = (uint8_t)((n + 1) >> 8);
			want[3] = (uint8_t)(n + 1);
			want[4] = 0;
			memcpy(want + 5, paste + off, n);
			good &= stream_got(want, n + 5);
		}
		ok(good, "operator-24(partial): a message of 1 MiB%s passes, "
		    "in frames of 64 KiB", pieces ? " in pieces" : "");
		browser_send("\0x", 2);
		ok(stream_got("\0\0\0\2\0x", 6), "and typing goes on");
		is_int(term_end(), 0, "it ends");
	}
}

/* One message from the browser that ends the terminal. */
static void
bad_message(int op, const void *p, size_t len, int code, const char *text,
    const char *what)
{
	term_open();
	browser_frame(1, op, p, len);
	is_int(browser_closed(), code, "%s: close %d", what, code);
	if (text != NULL)
		ok(dr.n == 1 && browser_red(0, text), "%s: says so", what);
	ok(stream_ended(), "%s: the stream is let go of", what);
	(void)term_heard_end(NULL);
	leaves(what);
}

static void
test_bad_messages(void)
{
	static uint8_t	 big[65537], resize[258] = { 1 };
	static uint8_t	 paste[1048577];
	const char	*reason;
	uint8_t		*want = malloc(4 + 65536);
	const uint8_t	*p;
	size_t		 len;

	bad_message(WS_OP_BINARY, "\2login", 6, 1008, "frame type not allowed",
	    "operator-24(partial): type 2 from the browser");
	bad_message(WS_OP_BINARY, "\3red", 4, 1008, "frame type not allowed",
	    "operator-24(partial): type 3 from the browser");
	bad_message(WS_OP_BINARY, "\xff", 1, 1008, "frame type not allowed",
	    "type 255");
	bad_message(WS_OP_TEXT, "text", 4, 1003, NULL, "a text message");
	bad_message(3, "x", 1, 1002, NULL, "a reserved opcode");
	bad_message(WS_OP_BINARY, paste, sizeof(paste), 1009, NULL,
	    "operator-24(partial): 1 MiB + 1 from the browser");
	term_open();
	browser_send(paste, sizeof(paste));
	ok(browser_closed() == 1009 &&
	    ws_peer_reason(&dr.ws, &reason) == 22 &&
	    memcmp(reason, "message over the limit", 22) == 0,
	    "the close says why");
	(void)term_heard_end(NULL);
	leaves("1 MiB + 1");
	bad_message(WS_OP_BINARY, resize, 257, 1008, "resize message too long",
	    "a resize of 257 bytes");

	memset(resize, ' ', sizeof(resize));
	memcpy(resize, "\1{\"cols\":80,\"rows\":24}", 22);
	memset(big, 'x', sizeof(big));
	big[0] = 0;
	memcpy(want, "\0\1\0\0", 4);
	memcpy(want + 4, big, 65536);
	term_open();
	browser_send(resize, 256);
	ok(stream_got("\0\0\0\26\1{\"cols\":80,\"rows\":24}", 26),
	    "a resize of 256 bytes passes");
	browser_send(big, 65536);
	ok(stream_got(want, 4 + 65536), "operator-24(partial): 64 KiB from the "
	    "browser pass");
	stream_frame(big, 65536);
	ok(browser_wait(1), "operator-24(partial): 64 KiB to the browser");
	p = browser_message(0, &len);
	ok(len == 65536 && memcmp(p, big, len) == 0, "pass whole");
	stream_frame(big, 65537);
	ok(browser_closed() == 1011 && browser_red(1,
	    "terminal frame too long"), "64 KiB + 1 ends it");
	is_int(term_heard_end(NULL), END_LIMIT, "as a limit");
	leaves("64 KiB + 1");

	term_open();
	stream_put("\xff\xff\xff\xff", 4);
	is_int(browser_closed(), 1011, "a frame of 4 GiB ends it at once");
	leaves("4 GiB");
	free(want);
}

int
main(void)
{
	test_begin();
	test_refuse();
	test_bad_head();
	test_first_line();
	test_frames();
	test_sizes();
	test_status();
	test_paste();
	test_bad_messages();
	return (done_testing());
}
