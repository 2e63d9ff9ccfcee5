/* SPDX-License-Identifier: ISC */
/*
 * Streams through a real muxd: CONNECT, reply line, both directions, ends,
 * deadlines, back-pressure, a new authd. tunnel-protocol.md, 3.3 and 5.
 */
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "regress/lib/muxd_story.h"
#include "regress/lib/tap.h"

/* What STREAM_END says. */
static void
is_end(struct mux *d, uint64_t stream, unsigned reason, const char *what)
{
	struct msg_stream_end	in;

	(void)hear(d->d.authd, stream_end, &in);
	if (!ok(in.stream == stream && in.why == reason,
	    "%s: STREAM_END says %s", what, end_reason_name(reason)))
		diag("stream %llu, %s", (unsigned long long)in.stream,
		    end_reason_name(in.why));
}

/* At the end of the asker's descriptor: 1 broken (hang-up), 0 clean. */
static int
broken(int fd)
{
	struct pollfd	pfd = { fd, POLLIN | POLLRDHUP, 0 };
	char		c;

	if (recv(fd, &c, 1, 0) > 0)
		return (-1);
	poll(&pfd, 1, 0);
	return ((pfd.revents & POLLHUP) != 0);
}

static void
accept_stream(struct mux *d, struct frame *f, uint32_t id)
{
	if (!client_expect(d, id, 0, f))
		bail_out("no CONNECT line");
	client_frame(d, YM_WINDOW, YM_ACK, id, 0, NULL, 0);
}

/* Stream 900 is open, and has moved something. */
static void
test_moved(struct mux *d)
{
	struct msg_stream_moved	in = { .stream = 0 };
	struct imsg		m;

	say_id(d->d.authd, 3, streams_ask);
	while (hear_any(d->d.authd, &m, WAIT_MS) != IMSG_STREAMS_TOLD)
		if (m.type == IMSG_STREAM_MOVED &&
		    get_stream_moved(&m, &in) == -1)
			bail("STREAM_MOVED");
	is_int((int)m.id, 3, "what has moved is told");
	ok(in.stream == 900 && in.in == 5 && in.out == 12 + 18 + 4,
	    "what is open has moved %llu, %llu", (unsigned long long)in.in,
	    (unsigned long long)in.out);
	say_id(d->d.authd, 4, streams_ask);
	while (hear_any(d->d.authd, &m, WAIT_MS) != IMSG_STREAMS_TOLD)
		if (m.type == IMSG_STREAM_MOVED)
			ok(0, "nothing is said twice");
	client_frame(d, YM_DATA, 0, 2, 2, "on", 2);
	mux_pass(d, 16000);
	(void)hear(d->d.authd, stream_moved, &in);
	is_int((int)in.in, 7, "with the statistics it is said unasked");
}

static void
test_request(void)
{
	struct mux	d;
	struct frame	f;
	char		buf[256];
	int		a;

	mux_up(&d);
	a = asker_open_with(&d, 900, "web", "GET / HTTP/1.1\r\n\r\n");
	ok(client_next(&d, &f, WAIT_MS) && (f.type == YM_PING ||
	    f.id == 2), "the first frame is for stream 2, or a ping");
	while (f.type == YM_PING && client_next(&d, &f, WAIT_MS))
		continue;
	ok(f.id == 2 && f.type == YM_DATA && (f.flags & YM_SYN) &&
	    f.len == 12 + 18 && memcmp(f.data, "CONNECT web\nGET / ", 18) == 0,
	    "tunnel-38(partial): CONNECT and request in the same flight");
	client_frame(&d, YM_DATA, YM_ACK, 2, 5, "OK\nhi", 5);
	ok(asker_read(a, buf, 5) == 5 && memcmp(buf, "OK\nhi", 5) == 0,
	    "the reply line is the first line for the asker");
	if (write(a, "more", 4) != 4)
		bail_out("asker");
	ok(client_expect(&d, 2, 0, &f) && f.len == 4 && f.flags == 0 &&
	    memcmp(f.data, "more", 4) == 0, "bytes go on to the client");
	test_moved(&d);
	client_frame(&d, YM_DATA, 0, 2, 3, "end", 3);
	client_frame(&d, YM_WINDOW, YM_FIN, 2, 0, NULL, 0);
	ok(asker_read(a, buf, 5) == 5 && memcmp(buf, "onend", 5) == 0,
	    "the last bytes come");
	is_int(broken(a), 0, "FIN of the client is a clean end");
	if (write(a, "late", 4) != 4)
		bail_out("asker");
	ok(client_expect(&d, 2, 0, &f) && f.len == 4,
	    "the other direction goes on after it");
	close(a);
	ok(client_expect(&d, 2, YM_FIN, &f), "then closing is a FIN");
	is_end(&d, 900, END_CLEAN, "both ends");
	is_int(mux_end(&d), 0, "muxd leaves with status 0");
}

static void
test_ends(void)
{
	struct mux	d;
	struct frame	f;
	char		buf[2048], text[2048];
	int		a;

	mux_up(&d);
	/* 2: the asker goes first */
	a = asker_open(&d, 1, "web");
	accept_stream(&d, &f, 2);
	client_frame(&d, YM_DATA, 0, 2, 3, "OK\n", 3);
	asker_read(a, buf, 3);
	close(a);
	ok(client_expect(&d, 2, YM_FIN | YM_RST, &f) && (f.flags & YM_RST),
	    "tunnel-40(partial): an asker that leaves early is a RST, not FIN");
	is_end(&d, 1, END_LOCAL, "asker left");
	/* 4: the asker half-closes */
	a = asker_open(&d, 2, "web");
	accept_stream(&d, &f, 4);
	client_frame(&d, YM_DATA, 0, 4, 3, "OK\n", 3);
	asker_read(a, buf, 3);
	if (write(a, "req", 3) != 3)
		bail_out("asker");
	shutdown(a, SHUT_WR);
	ok(client_expect(&d, 4, 0, &f) && f.len == 3, "request passed on");
	client_frame(&d, YM_DATA, 0, 4, 5, "reply", 5);
	ok(asker_read(a, buf, 5) == 5 && memcmp(buf, "reply", 5) == 0,
	    "tunnel-40: no FIN while the reply is awaited; it arrives");
	client_frame(&d, YM_WINDOW, YM_FIN, 4, 0, NULL, 0);
	ok(client_expect(&d, 4, YM_FIN | YM_RST, &f) &&
	    (f.flags & (YM_FIN | YM_RST)) == YM_FIN,
	    "both through: one FIN");
	is_end(&d, 2, END_CLEAN, "half-close");
	close(a);
	/* 6: the client resets */
	a = asker_open(&d, 3, "web");
	accept_stream(&d, &f, 6);
	client_frame(&d, YM_DATA, 0, 6, 6, "OK\nabc", 6);
	client_frame(&d, YM_WINDOW, YM_RST, 6, 0, NULL, 0);
	ok(asker_read(a, buf, 6) == 6 && broken(a) == 1,
	    "tunnel-24(partial): RST is a broken end, after the data");
	is_end(&d, 3, END_RESET, "reset");
	close(a);
	/* 8: refused */
	a = asker_open(&d, 4, "db");
	accept_stream(&d, &f, 8);
	client_frame(&d, YM_DATA, 0, 8, 28, "ERROR service not found: db\n",
	    28);
	ok(asker_read(a, buf, 28) == 28 &&
	    memcmp(buf, "ERROR service not found: db\n", 28) == 0,
	    "tunnel-39(partial): the text of ERROR reaches the asker");
	is_end(&d, 4, END_REFUSED, "refused");
	close(a);
	/* 10: a reply of 1024 bytes in two pieces, 12: one byte more */
	memset(text, 'x', sizeof(text));
	memcpy(text, "ERROR ", 6);
	text[1024] = '\n';
	a = asker_open(&d, 5, "web");
	accept_stream(&d, &f, 10);
	client_frame(&d, YM_DATA, 0, 10, 500, text, 500);
	client_frame(&d, YM_DATA, 0, 10, 525, text + 500, 525);
	ok(asker_read(a, buf, 1025) == 1025 && memcmp(buf, text, 1025) == 0,
	    "a reply line of 1024 bytes passes");
	is_end(&d, 5, END_REFUSED, "long reply");
	close(a);
	a = asker_open(&d, 6, "web");
	accept_stream(&d, &f, 12);
	text[1024] = 'x';
	text[1025] = '\n';
	client_frame(&d, YM_DATA, 0, 12, 1026, text, 1026);
	ok(asker_read(a, buf, 6) == 6 && memcmp(buf, "ERROR ", 6) == 0 &&
	    client_expect(&d, 12, YM_RST, &f),
	    "tunnel-39: 1025 bytes are a failure");
	is_end(&d, 6, END_LIMIT, "too long");
	close(a);
	/* 14: garbage, 16: cut short */
	a = asker_open(&d, 7, "web");
	accept_stream(&d, &f, 14);
	client_frame(&d, YM_DATA, 0, 14, 8, "OKAY\nabc", 8);
	is_end(&d, 7, END_REFUSED, "garbage");
	buf[asker_read(a, buf, sizeof(buf) - 1)] = '\0';
	is_str(buf, "ERROR bad reply from the client\n", "garbage is a "
	    "failure, and not shown");
	close(a);
	a = asker_open(&d, 8, "web");
	accept_stream(&d, &f, 16);
	client_frame(&d, YM_DATA, 0, 16, 2, "OK", 2);
	client_frame(&d, YM_WINDOW, YM_FIN, 16, 0, NULL, 0);
	is_end(&d, 8, END_RESET, "cut short");
	buf[asker_read(a, buf, sizeof(buf) - 1)] = '\0';
	is_str(buf, "ERROR client closed before its reply\n",
	    "a reply cut short is a failure");
	close(a);
	/* 18: killed */
	a = asker_open(&d, 9, "web");
	accept_stream(&d, &f, 18);
	say(d.d.authd, stream_kill, .stream = 9, .why = END_GRANT);
	ok(client_expect(&d, 18, YM_RST, &f), "STREAM_KILL resets");
	is_end(&d, 9, END_GRANT, "killed");
	ok(broken(a) == 1, "and the asker's end is broken");
	close(a);
	/* 20: OK in three pieces, data behind it */
	a = asker_open(&d, 10, "web");
	accept_stream(&d, &f, 20);
	client_frame(&d, YM_DATA, 0, 20, 1, "O", 1);
	client_frame(&d, YM_DATA, 0, 20, 1, "K", 1);
	client_frame(&d, YM_DATA, 0, 20, 4, "\nabc", 4);
	ok(asker_read(a, buf, 6) == 6 && memcmp(buf, "OK\nabc", 6) == 0,
	    "a reply line in pieces is put together");
	close(a);
	is_int(mux_end(&d), 0, "muxd leaves with status 0");
}

static void
test_deadlines(void)
{
	struct mux	d;
	struct frame	f;
	struct imsg	m;
	struct msg_stream_end	in;
	int		ended[4] = { 0 };
	char		buf[256];
	int		a, b;

	mux_up(&d);
	d.answer_pings = 1;
	a = asker_open(&d, 1, "web");
	ok(client_expect(&d, 2, 0, &f), "CONNECT");
	/* In steps under the keep-alive's limit, so that it stays quiet. */
	for (int i = 0; i < 14; i++) {
		drive_clock(&d.d, 8000);
		client_frame(&d, YM_PING, YM_SYN, 0, 5, NULL, 0);
		while (d.pongs <= i && client_next(&d, &f, WAIT_MS))
			continue;
	}
	ok(!hear_maybe(d.d.authd, IMSG_STREAM_END, &m, 0),
	    "tunnel-28(partial): 112 s without an answer are waited out");
	drive_clock(&d.d, 8000);
	is_end(&d, 1, END_TIMEOUT, "120 s");
	buf[asker_read(a, buf, sizeof(buf) - 1)] = '\0';
	is_str(buf, "ERROR no answer from the client\n", "the asker reads why");
	ok(client_expect(&d, 2, YM_RST, &f), "and the client a RST");
	close(a);
	/* Once it has accepted one, 15 s. */
	a = asker_open(&d, 2, "web");
	b = asker_open(&d, 3, "web");
	accept_stream(&d, &f, 4);
	ok(client_expect(&d, 6, 0, &f), "CONNECT of the second");
	client_frame(&d, YM_PING, YM_SYN, 0, 5, NULL, 0);
	drive_clock(&d.d, 9000);
	/* A ping of its own comes behind the answer; ours to that arrives. */
	for (int i = d.pongs; d.pongs <= i + 2 &&
	    client_next(&d, &f, WAIT_MS);)
		if (f.type == YM_PING && (f.flags & YM_ACK) &&
		    d.pongs <= i + 2)
			client_frame(&d, YM_PING, YM_SYN, 0, 5, NULL, 0);
	drive_clock(&d.d, 7000);
	/* Both at once: in any order. */
	for (int i = 0; i < 2; i++) {
		(void)hear(d.d.authd, stream_end, &in);
		ended[in.stream & 3] = in.why;
	}
	is_int(ended[2], END_TIMEOUT, "15 s after any ACK");
	is_int(ended[3], END_TIMEOUT, "also for those that wait already");
	close(a);
	close(b);
	is_int(mux_end(&d), 0, "muxd leaves with status 0");
}

/* A slow asker: its window fills, its neighbour runs. */
static void
test_slow(void)
{
	static uint8_t	block[65536], got[65536];
	struct mux	d;
	struct frame	f;
	size_t		sent = 0, i;
	int		a, b, lies = 0, same = 1;

	mux_up(&d);
	a = asker_open(&d, 1, "slow");
	accept_stream(&d, &f, 2);
	b = asker_open(&d, 2, "fast");
	accept_stream(&d, &f, 4);
	client_frame(&d, YM_DATA, 0, 2, 3, "OK\n", 3);
	client_frame(&d, YM_DATA, 0, 4, 3, "OK\n", 3);
	asker_read(a, got, 3);
	asker_read(b, got, 3);
	for (i = 0; i < sizeof(block); i++)
		block[i] = (uint8_t)(i * 7);
	/* All that the first window allows, nobody reads. */
	client_frame(&d, YM_DATA, 0, 2, 65536, block, 65536);
	client_frame(&d, YM_DATA, 0, 2, 65536, block, 65536);
	client_frame(&d, YM_DATA, 0, 2, 65536, block, 65536);
	client_frame(&d, YM_DATA, 0, 2, 65536 - 3, block, 65536 - 3);
	sent = 4 * 65536 - 3;
	for (i = 0; i < 50; i++) {
		client_frame(&d, YM_DATA, 0, 4, 1000, block, 1000);
		if (asker_read(b, got, 1000) != 1000 ||
		    memcmp(got, block, 1000) != 0)
			break;
	}
	is_int(i, 50, "a stalled neighbour does not stop a stream");
	(void)ioctl(a, FIONREAD, &lies);
	is_int(lies, (int)sent, "a whole window lies in the descriptor, and "
	    "muxd keeps none of it");
	for (i = 0; i < sent; i += sizeof(got)) {
		size_t	n = sent - i < sizeof(got) ? sent - i : sizeof(got);

		if (asker_read(a, got, n) != n || memcmp(got, block, n) != 0)
			same = 0;
	}
	ok(same, "and reads all of it, in order, when it wakes");
	while (client_next(&d, &f, WAIT_MS) &&
	    (f.type != YM_WINDOW || f.id != 2))
		continue;
	ok(f.type == YM_WINDOW && f.id == 2, "and credit comes back");
	close(a);
	close(b);
	is_int(mux_end(&d), 0, "muxd leaves with status 0");
}

/* The other direction: sending stops at window 0, goes on after an update. */
static void
test_window(void)
{
	static uint8_t	block[65536];
	struct mux	d;
	struct frame	f;
	size_t		total = 0;
	int		a, more;

	mux_up(&d);
	a = asker_open(&d, 1, "web");
	accept_stream(&d, &f, 2);
	total = f.len;
	client_frame(&d, YM_DATA, 0, 2, 3, "OK\n", 3);
	asker_read(a, block, 3);
	fcntl(a, F_SETFL, O_NONBLOCK);
	for (more = 1; more;) {
		while (write(a, block, sizeof(block)) > 0)
			continue;
		more = client_next(&d, &f, 300);
		if (more && f.type == YM_DATA && f.id == 2)
			total += f.len;
	}
	is_int(total, 262144, "tunnel-22(partial): sending stops at window 0");
	client_frame(&d, YM_WINDOW, 0, 2, 1000, NULL, 0);
	ok(client_expect(&d, 2, 0, &f) && f.len == 1000,
	    "and goes on after an update, by so much");
	/* The asker leaves while nothing can be sent: it is noticed. */
	close(a);
	drive_clock(&d.d, 1000);
	ok(client_expect(&d, 2, YM_RST, &f),
	    "an asker that leaves in front of a closed window is noticed");
	(void)hear(d.d.authd, stream_end, NULL);
	is_int(mux_end(&d), 0, "muxd leaves with status 0");
}

/* authd dies and comes back: nothing stops, all is told. */
static void
test_restart(void)
{
	struct mux	d;
	struct frame	f;
	char		buf[64];
	const char	*manifest = "{\"version\":1,\"services\":{\"web\":"
	    "{\"target\":\"127.0.0.1:80\",\"host\":\"\",\"tls\":false,"
	    "\"label\":\"\"}}}\n";
	struct msg_announce		has;
	struct msg_announce_stream	in;
	int		a, b, c;

	mux_up(&d);
	client_control(&d, 1, "", manifest, strlen(manifest));
	(void)hear(d.d.authd, services_end, NULL);
	a = asker_open(&d, 501, "web");
	accept_stream(&d, &f, 2);
	client_frame(&d, YM_DATA, 0, 2, 3, "OK\n", 3);
	asker_read(a, buf, 3);
	b = asker_open(&d, 502, "web");
	accept_stream(&d, &f, 4);
	shut(&d.d.authd);
	client_frame(&d, YM_DATA, 0, 2, 4, "more", 4);
	ok(asker_read(a, buf, 4) == 4, "streams go on while authd is away");
	close(b);
	ok(client_expect(&d, 4, YM_RST, &f), "and may end");
	drive_channel(&d.d);
	(void)hear(d.d.authd, announce, &has);
	ok(has.up == 1 && has.streams == 2,
	    "ANNOUNCE: up, the stream that runs and the one that ended");
	(void)hear(d.d.authd, announce_stream, &in);
	ok(in.stream == 502, "the one that ended comes first");
	(void)hear(d.d.authd, announce_stream, &in);
	ok(in.stream == 501 && strcmp(in.service, "web") == 0 &&
	    in.in == 7 && in.out == 12 && in.tag.len == 3 &&
	    memcmp(in.tag.p, "tag", 3) == 0,
	    "the one that runs: service, byte counts, tag");
	(void)hear(d.d.authd, services_begin, NULL);
	(void)hear(d.d.authd, services_end, NULL);
	(void)hear(d.d.authd, announce_end, NULL);
	is_end(&d, 502, END_LOCAL, "ended meanwhile");
	c = asker_open(&d, 503, "web");
	ok(client_expect(&d, 6, 0, &f), "the new authd opens streams");
	close(a);
	close(c);
	is_int(mux_end(&d), 0, "muxd leaves with status 0");
}

/* Lend (or not) what muxd asks for; MiB it has given back. */
static unsigned
lend(struct mux *d, int yes)
{
	struct msg_credit_back	given;
	struct msg_credit_ask	ask;
	struct imsg		m;
	uint32_t		back = 0;

	while (hear_any(d->d.authd, &m, 0) > 0) {
		if (get_credit_back(&m, &given) == 0)
			back += given.mib;
		if (get_credit_ask(&m, &ask) == 0)
			say_id(d->d.authd, m.id, credit,
			    .mib = yes ? ask.mib : 0);
	}
	return (back);
}

/* A long line and a quick asker: the window grows, if authd lends memory. */
static void
test_growth(int yes)
{
	static uint8_t	block[65536], got[65536];
	struct mux	d;
	struct frame	f;
	size_t		window = 262144 - 3, widest = 0, n;
	unsigned	back = 0;
	uint64_t	limit;
	int		a, i;

	memset(&f, 0, sizeof(f));
	mux_up(&d);
	d.answer_pings = 0;
	while (d.pings == 0 && client_next(&d, &f, WAIT_MS))
		continue;
	drive_clock(&d.d, 200);	/* so long is the round trip */
	client_frame(&d, YM_PING, YM_SYN, 0, 1, NULL, 0);
	n = f.len;
	while (d.pongs == 0 && client_next(&d, &f, WAIT_MS))
		continue;
	client_frame(&d, YM_PING, YM_ACK, 0, (uint32_t)n, NULL, 0);
	d.answer_pings = 1;
	a = asker_open(&d, 1, "web");
	accept_stream(&d, &f, 2);
	client_frame(&d, YM_DATA, 0, 2, 3, "OK\n", 3);
	asker_read(a, got, 3);
	for (i = 0; i < 200; i++) {
		n = window < sizeof(block) ? window : sizeof(block);
		client_frame(&d, YM_DATA, 0, 2, (uint32_t)n, block, n);
		window -= n;
		if (asker_read(a, got, n) != n)
			break;
		while (client_next(&d, &f, 0) || window == 0)
			if (f.type == YM_WINDOW && f.id == 2)
				window += f.len;
		if (window > widest)
			widest = window;
		lend(&d, yes);
	}
	is_int(i, 200, "the bytes pass");
	if (yes)
		ok(widest > 1048576, "the window grows with the round trip");
	else
		ok(widest <= 262144, "and not without authd's leave");
	diag("widest window: %zu bytes", widest);
	close(a);
	if (!client_expect(&d, 2, YM_RST, &f))
		bail_out("no RST");
	for (limit = now_ms() + WAIT_MS; yes && back == 0 && now_ms() < limit;)
		back += lend(&d, yes);
	ok(back > 0 || !yes, "what is lent goes back with the stream");
	is_int(mux_end(&d), 0, "muxd leaves with status 0");
}

/*
 * Askers that all want to send much over a slow line get even shares: of so
 * many frames that one or two that come late are few.
 */
static void
test_fair(void)
{
	static uint8_t	block[65536];
	struct mux	d;
	struct frame	f;
	size_t		got[8] = { 0 }, total = 0, least = SIZE_MAX;
	int		a[8], i, small = 65536;

	mux_up(&d);
	setsockopt(d.sock, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	for (i = 0; i < 8; i++) {
		a[i] = asker_open(&d, (uint64_t)i + 1, "web");
		accept_stream(&d, &f, (uint32_t)i * 2 + 2);
		client_frame(&d, YM_DATA, 0, (uint32_t)i * 2 + 2, 3, "OK\n", 3);
		asker_read(a[i], block, 3);
		fcntl(a[i], F_SETFL, O_NONBLOCK);
	}
	while (total < 32000000) {
		/* All have something to send whenever it looks. */
		drive_freeze(&d.d, 1);
		for (i = 0; i < 8; i++)
			while (write(a[i], block, sizeof(block)) > 0)
				continue;
		drive_freeze(&d.d, 0);
		if (!client_next(&d, &f, WAIT_MS))
			break;
		if (f.type != YM_DATA || f.len == 0)
			continue;
		got[f.id / 2 - 1] += f.len;
		total += f.len;
		client_frame(&d, YM_WINDOW, 0, f.id, f.len, NULL, 0);
	}
	for (i = 0; i < 8; i++)
		if (got[i] < least)
			least = got[i];
	diag("%zu bytes, the least share is %zu", total, least);
	ok(total >= 32000000 && least > total / 16,
	    "no stream gets less than half of an even share");
	for (i = 0; i < 8; i++)
		close(a[i]);
	is_int(mux_end(&d), 0, "muxd leaves with status 0");
}

static void
test_cap(void)
{
	struct mux	d;
	struct frame	f;
	char		buf[128];
	int		a[65], i;

	mux_up(&d);
	for (i = 0; i < 65; i++)
		a[i] = asker_open(&d, (uint64_t)i + 1, "web");
	buf[asker_read(a[64], buf, sizeof(buf) - 1)] = '\0';
	is_str(buf, "ERROR too many streams\n",
	    "tunnel-41(partial): the 65th stream is refused");
	for (i = 0; i < 64; i++)
		if (!client_expect(&d, (uint32_t)i * 2 + 2, 0, &f))
			break;
	is_int(i, 64, "tunnel-16(partial): 64 are opened, even ids in order");
	is_end(&d, 65, END_LIMIT, "the 65th");
	for (i = 0; i < 65; i++)
		close(a[i]);
	is_int(mux_end(&d), 0, "muxd leaves with status 0");
}

/* The client is gone: askers see a broken end, authd hears of each stream. */
static void
test_lost(void)
{
	struct mux	d;
	struct frame	f;
	char		buf[8];
	int		a;

	mux_up(&d);
	a = asker_open(&d, 1, "web");
	accept_stream(&d, &f, 2);
	client_frame(&d, YM_DATA, 0, 2, 3, "OK\n", 3);
	asker_read(a, buf, 3);
	close(d.sock);
	d.sock = -1;
	is_end(&d, 1, END_TUNNEL, "client vanished");
	is_int(broken(a), 1, "loss of the tunnel is a broken end");
	close(a);
	is_int(mux_wait(&d), 0, "muxd leaves with status 0");
}

int
main(void)
{
	test_request();
	test_ends();
	test_deadlines();
	test_slow();
	test_window();
	test_restart();
	test_growth(1);
	test_growth(0);
	test_fair();
	test_cap();
	test_lost();
	return (done_testing());
}
