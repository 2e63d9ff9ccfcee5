/* SPDX-License-Identifier: ISC */
/*
 * A side of a relay session, and the way to a service, as relay(1) has them,
 * from the request on: the input is the server, who answers, says frames, pieces
 * of them or any bytes, reads or does not and goes, and the socket, pipes or
 * datagrams on this side.
 *
 * Besides what the sanitizers see: what the server gets are requests and whole
 * masked frames, nothing behind a close, and in them each byte that was said
 * here, once and in order; what comes out here is what was in the frames,
 * likewise; the end is told once, a good one only behind a close that says so;
 * and at the end nothing is left.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <event2/event.h>
#include <sodium.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/net.h"
#include "relay/conn.h"
#include "relay/relay.h"
#include "relay/udp.h"
#include "ws/ws.h"
#include "fuzz.h"

#define CHECK(cond)	do { if (!(cond)) abort(); } while (0)
#define STEPS_MAX	96
#define SAID_MAX	(1 << 20)	/* bytes that each side says in a play */
#define REQUEST_MAX	32768
#define MESSAGES_MAX	256
#define LITTLE		4096	/* room in a socket, bytes */
#define EXPIRED		"e30.eyJleHAiOjF9.x"
#define TICKET		"0123456789abcdef0123456789abcdef" \
			"0123456789abcdef0123456789abcdef"

enum kind { SOCKET, PIPES, TERMINAL, HELLO, WAIT, UDP, UDP_SENDER, KINDS };

static const uint8_t	*p, *end;
static enum kind	 kind;
static struct conn	*it;
static int		 spare;		/* the descriptor that is free before */

/* The one dial that there is at a time. */
static struct dial {
	dial_fn		 fn;
	void		*arg;
	int		 on;
} dials;

/* The server. */
static struct {
	int		 fd;		/* -1: none */
	int		 deaf;
	size_t		 piece;		/* what goes at once; 0: all */
	uint8_t		*out;
	size_t		 out_len;
	char		 request[REQUEST_MAX + 1];
	size_t		 len;
	int		 open;		/* it has said 101 */
	int		 in_message, half, closed;
	int		 odd;		/* has said what we do not follow */
	uint64_t	 said, sure;	/* bytes of data; until it was odd */
	size_t		 all;
	unsigned	 messages;	/* UDP */
	/* how it reads */
	uint8_t		 head[WS_HEADER_MAX];
	size_t		 head_len, left, at;
	uint8_t		 op, payload[WS_CONTROL_MAX];
	uint64_t	 got;		/* bytes of data */
	int		 over;		/* a close, or the half, has come */
	unsigned	 last;		/* UDP: the message before */
} srv;

/* This side. */
static struct {
	int		 fd, in;	/* ours: to read of, to write to */
	int		 deaf, shut, called, joined, refused;
	uint64_t	 said, got;
	unsigned	 messages, last;
	int		 ended;
	enum ended	 how;
} here;

/* --- what is not there: names, TLS, chance --- */

struct dial *
dial_start(const struct dial_how *how, dial_fn fn, void *arg)
{
	CHECK(!dials.on && strcmp(how->host, "127.0.0.1") == 0);
	dials.fn = fn;
	dials.arg = arg;
	dials.on = 1;
	return (&dials);
}

struct dial *
dial_over(struct sock *c, const struct dial_how *how, dial_fn fn, void *arg)
{
	(void)c;
	(void)how;
	(void)fn;
	(void)arg;
	abort();
}

void
dial_cancel(struct dial *d)
{
	CHECK(d == &dials && d->on);
	d->on = 0;
}

static const char *
chance_name(void)
{
	return ("none");
}

static uint32_t
chance(void)
{
	return (0x5a17c3e9);
}

static void
chance_buf(void *buf, size_t len)
{
	memset(buf, 0x5a, len);
}

static struct randombytes_implementation	no_chance = {
	.implementation_name = chance_name, .random = chance, .buf = chance_buf
};

/* --- the bytes that are said --- */

static uint8_t
byte(void)
{
	return (p < end ? *p++ : 0);
}

static uint8_t
byte_of(uint64_t n)
{
	return ((uint8_t)(n * 7 + (n >> 8) + 1));
}

/* Of message `number`, which its first two bytes say. */
static void
message_make(uint8_t *dst, size_t len, unsigned number)
{
	size_t	i;

	for (i = 0; i < len; i++)
		dst[i] = (uint8_t)(i == 0 ? number >> 8 : i == 1 ? number :
		    number + i);
}

/* Returns its number, 0 of one that is too short to have one. */
static unsigned
message_check(const uint8_t *m, size_t len, unsigned last)
{
	unsigned	number;
	size_t		i;

	if (len < 2)
		return (last);
	number = (unsigned)(m[0] << 8 | m[1]);
	CHECK(number > last);
	for (i = 2; i < len; i++)
		CHECK(m[i] == (uint8_t)(number + i));
	return (number);
}

static size_t
size_of(uint8_t how)
{
	static const size_t	sizes[] = { 125, 126, 1000, 4096, 4097, 8000,
	    20000, 60000, 65535, 65536, 65537 };

	return (how < 200 ? how % 40 : sizes[how % 11]);
}

static int
is_udp(void)
{
	return (kind == UDP || kind == UDP_SENDER);
}

/* --- the server says --- */

static void
srv_put(const void *bytes, size_t len)
{
	uint8_t	*more;

	if (srv.all + len > SAID_MAX || srv.fd == -1 || len == 0)
		return;
	srv.all += len;
	if ((more = realloc(srv.out, srv.out_len + len)) == NULL)
		abort();
	srv.out = more;
	memcpy(srv.out + srv.out_len, bytes, len);
	srv.out_len += len;
}

/* 1, or 0: it has said enough. */
static int
srv_frame(uint8_t first, const uint8_t *payload, size_t len)
{
	uint8_t	head[WS_HEADER_MAX];
	size_t	n = ws_header(head, WS_OP_BINARY, len, NULL);

	if (srv.all + n + len > SAID_MAX)
		return (0);
	head[0] = first;
	srv_put(head, n);
	srv_put(payload, len);
	return (1);
}

static void
srv_is_odd(void)
{
	if (!srv.odd)
		srv.sure = srv.said;
	srv.odd = 1;
}

/* Data: bit 0 FIN, bit 1 text. */
static void
srv_say(uint8_t how, uint8_t long_)
{
	static uint8_t	buf[65537];
	size_t		len = size_of(long_), i;
	uint8_t		op = srv.in_message ? WS_OP_CONT : how & 2 ?
			    WS_OP_TEXT : WS_OP_BINARY;

	if (!srv.open || srv.closed ||
	    srv.all + len + WS_HEADER_MAX > SAID_MAX)
		return;
	/* Text is no datagram that we can number, and only a half elsewhere. */
	if (op == WS_OP_TEXT || srv.half || (is_udp() && (!(how & 1) || len > 60000)))
		srv_is_odd();
	if (is_udp())
		message_make(buf, len, ++srv.messages);
	else
		for (i = 0; i < len; i++)
			buf[i] = byte_of(srv.said++);
	(void)srv_frame((uint8_t)((how & 1 ? 0x80 : 0) | op), buf, len);
	srv.in_message = !(how & 1);
}

static void
srv_control(uint8_t how)
{
	uint8_t	buf[128] = { 3, (uint8_t)(232 + how / 16) };

	if (!srv.open || srv.closed)
		return;
	if ((how & 3) < 2 && how / 2 > WS_CONTROL_MAX)
		srv_is_odd();
	switch (how & 3) {
	case 0:
		(void)srv_frame(0x89, buf, how / 2);
		break;
	case 1:
		(void)srv_frame(0x8a, buf, how / 2);
		break;
	case 2:
		if (relay.slot || srv.in_message || srv.half)
			srv_is_odd();
		srv.half |= srv_frame(0x81, buf, 0);
		break;
	default:
		memset(buf + 2, 'w', sizeof(buf) - 2);
		if (srv_frame(0x88, buf, how & 4 ? how / 4 + 2U : 2))
			srv.closed = WS_NORMAL + how / 16;
	}
}

static void
srv_raw(uint8_t how)
{
	size_t	len = how < end - p ? how : (size_t)(end - p);

	srv_is_odd();
	srv_put(p, len);
	p += len;
}

static void
srv_upgrade(const char *key, const char *fields)
{
	char	 accept[WS_ACCEPT_LEN + 1], text[512];
	int	 n;

	if (key == NULL || strlen(key) < WS_KEY_LEN)
		return;
	ws_accept_key(key, accept);
	n = snprintf(text, sizeof(text), "HTTP/1.1 101 Switching Protocols\r\n"
	    "Upgrade: websocket\r\nConnection: Upgrade\r\n%s"
	    "Sec-WebSocket-Accept: %s\r\n\r\n", fields, accept);
	srv_put(text, (size_t)n);
	srv.open = 1;
}

static void
request_clear(void)
{
	srv.len = 0;
	srv.request[0] = '\0';
}

/* To a request that is whole. */
static void
srv_answer(uint8_t how)
{
	static const char *const	rows[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 96\r\n\r\n"
		    "{\"code\":200,\"data\":{\"ticket\":\"" TICKET "\"}}",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		    "f\r\n{\"data\":{\"ticke\r\n47\r\nt\":\"" TICKET "\"}}\r\n"
		    "0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
		    "{\"code\":200,\"data\":{\"ticket\":\"" TICKET "\"}}",
		"HTTP/1.1 401 Unauthorized\r\nContent-Length: 34\r\n\r\n"
		    "{\"message\":\"no\",\"data\":{\"reason\":7",
		"HTTP/1.1 401 Unauthorized\r\nContent-Length: 43\r\n\r\n"
		    "{\"message\":\"no\",\"data\":{\"reason\":\"revoked\"}}",
		"HTTP/1.1 404 Not Found\r\nContent-Length: 19\r\n\r\n"
		    "404 page not found\n",
		"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n{\"data\":",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}!",
		"HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\nno\nmore",
	};
#define ROWS	(sizeof(rows) / sizeof(rows[0]))
	char				*key;

	if (srv.open || srv.fd == -1 ||
	    strstr(srv.request, "\r\n\r\n") == NULL)
		return;
	key = strstr(srv.request, "Sec-WebSocket-Key: ");
	if (how < 128)
		srv_upgrade(key != NULL ? key + 19 : NULL, how & 1 ? "" :
		    "Sec-WebSocket-Protocol: half-close\r\n");
	else
		srv_put(rows[how % ROWS], strlen(rows[how % ROWS]));
	if (how < 128 || how % ROWS != 7)
		request_clear();
}

/* --- what the server gets --- */

static void
srv_frame_over(void)
{
	srv.head_len = 0;
	if (is_udp() && srv.op == WS_OP_BINARY)
		return;
	if (srv.op == WS_OP_TEXT) {
		CHECK(!relay.slot && srv.at == 0 && srv.got == here.said);
		srv.over = 1;
	}
	if (srv.op != WS_OP_CLOSE)
		return;
	srv.over = 2;
	/* Of its own: all was said before. */
	if (srv.at >= 2 && !srv.closed && !srv.odd && !here.refused) {
		CHECK((srv.payload[0] << 8 | srv.payload[1]) == WS_NORMAL);
		CHECK(here.shut && srv.got == here.said);
	}
}

static void
srv_data(uint8_t b)
{
	static uint8_t	msg[65536];

	if (srv.op >= WS_OP_CLOSE) {
		srv.payload[srv.at++] = b;
		return;
	}
	if (is_udp()) {
		msg[srv.at++] = b;
		if (srv.left == 1)
			srv.last = message_check(msg, srv.at, srv.last);
		return;
	}
	srv.at++;
	if (kind == HELLO && srv.got == 0 && here.said == srv.got) {
		CHECK(b == 0);
		here.said = srv.got = 1;
		return;
	}
	CHECK(srv.got < here.said && b == byte_of(srv.got));
	srv.got++;
}

/* The header of a frame is whole? */
static void
srv_head(uint8_t b)
{
	size_t	n, i, head;

	CHECK(srv.over != 2);
	srv.head[srv.head_len++] = b;
	if (srv.head_len < 2)
		return;
	CHECK((srv.head[0] & 0xf0) == 0x80 && (srv.head[1] & 0x80) != 0);
	n = srv.head[1] & 0x7f;
	head = (n < 126 ? 2 : n == 126 ? 4 : 10) + 4;
	if (srv.head_len < head)
		return;
	if (head > 6)
		for (n = 0, i = 2; i < head - 4; i++)
			n = n << 8 | srv.head[i];
	CHECK(n <= 65536 && (head == 6) == (n < 126) &&
	    (head == 14) == (n > 65535));
	srv.op = srv.head[0] & 15;
	CHECK(srv.op == WS_OP_BINARY || srv.op == WS_OP_CLOSE ||
	    srv.op == WS_OP_PONG || srv.op == WS_OP_TEXT);
	CHECK(srv.op < WS_OP_CLOSE ? srv.over == 0 : n <= WS_CONTROL_MAX);
	srv.left = n;
	srv.at = 0;
	if (n == 0)
		srv_frame_over();
}

static void
srv_got(uint8_t b)
{
	uint8_t	key[4];

	if (!srv.open) {
		if (srv.len < REQUEST_MAX)
			srv.request[srv.len++] = (char)b;
		srv.request[srv.len] = '\0';
	} else if (srv.head_len == 0 || srv.left == 0)
		srv_head(b);
	else {
		memcpy(key, srv.head + srv.head_len - 4, sizeof(key));
		srv_data(b ^ key[srv.at & 3]);
		if (--srv.left == 0)
			srv_frame_over();
	}
}

static void
srv_gone(void)
{
	if (srv.fd != -1)
		close(srv.fd);
	srv.fd = -1;
	free(srv.out);
	srv.out = NULL;
	srv.out_len = 0;
	request_clear();
}

static int
srv_turn(void)
{
	static uint8_t	buf[65536];
	ssize_t		n, i;
	int		moved = 0;

	if (srv.fd == -1)
		return (0);
	if (srv.out_len > 0) {
		n = send(srv.fd, srv.out, srv.piece != 0 &&
		    srv.piece < srv.out_len ? srv.piece : srv.out_len,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0) {
			memmove(srv.out, srv.out + n, srv.out_len - (size_t)n);
			srv.out_len -= (size_t)n;
			moved = 1;
		}
	}
	if (srv.deaf)
		return (moved);
	n = recv(srv.fd, buf, sizeof(buf), MSG_DONTWAIT);
	if (n == -1 && errno == EAGAIN)
		return (moved);
	for (i = 0; i < n; i++)
		srv_got(buf[i]);
	if (n <= 0)
		srv_gone();
	return (1);
}

/* --- this side --- */

static void
here_say(uint8_t long_)
{
	static uint8_t	buf[65537];
	size_t		len = size_of(long_), i;
	ssize_t		n;

	if (here.in == -1 || here.shut || here.said + len > SAID_MAX)
		return;
	if (is_udp()) {
		if (len > 60000)
			return;
		message_make(buf, len, ++here.messages);
		(void)send(here.in, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		return;
	}
	/* The hello comes before. */
	if (kind == HELLO && here.said == 0)
		return;
	for (i = 0; i < len; i++)
		buf[i] = byte_of(here.said + i);
	if ((n = write(here.in, buf, len)) > 0)
		here.said += (uint64_t)n;
}

static int
here_turn(void)
{
	static uint8_t	buf[65537];
	ssize_t		n, i;

	if (here.fd == -1 || here.deaf)
		return (0);
	n = read(here.fd, buf, sizeof(buf));
	if (n == -1 || (n == 0 && !is_udp()))
		return (0);
	if (is_udp() && !srv.odd)
		here.last = message_check(buf, (size_t)n, here.last);
	for (i = 0; i < n && !is_udp(); i++, here.got++)
		if (!srv.odd || here.got < srv.sure) {
			CHECK(here.got < srv.said);
			CHECK(buf[i] == byte_of(here.got));
		}
	return (1);
}

static void
here_close(void)
{
	if (here.in != -1 && here.in != here.fd)
		close(here.in);
	if (here.fd != -1)
		close(here.fd);
	here.fd = here.in = -1;
	here.shut = 1;
}

static void
here_shut(void)
{
	if (here.in == -1 || is_udp())
		return;
	here.shut = 1;
	if (here.in == here.fd)
		(void)shutdown(here.in, SHUT_WR);
	else {
		close(here.in);
		here.in = -1;
	}
}

static void
on_end(void *arg, enum ended how, const char *why)
{
	CHECK(arg == &here && !here.ended && why != NULL);
	here.ended = 1;
	here.how = how;
	if (how == ENDED_WELL)
		CHECK(srv.odd || srv.closed == WS_NORMAL);
}

static void
on_called(void *arg)
{
	CHECK(arg == &here && !here.called);
	here.called = 1;
}

static int
pair_make(int type, int *ours)
{
	int	sv[2];

	if (socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv) ==
	    -1)
		abort();
	*ours = sv[0];
	return (sv[1]);
}

/* Two that know each other's address. */
static int
udp_make(int *ours)
{
	struct sockaddr_un	sun = { .sun_family = AF_UNIX };
	socklen_t		len = sizeof(sun);
	int			fd = socket(AF_UNIX, SOCK_DGRAM |
				    SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	*ours = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	CHECK(fd != -1 && *ours != -1);
	CHECK(bind(fd, (struct sockaddr *)&sun, sizeof(sa_family_t)) == 0);
	CHECK(bind(*ours, (struct sockaddr *)&sun, sizeof(sa_family_t)) == 0);
	CHECK(getsockname(fd, (struct sockaddr *)&sun, &len) == 0);
	CHECK(connect(*ours, (struct sockaddr *)&sun, len) == 0);
	return (fd);
}

static struct conn *
pipes_start(void)
{
	int	in[2], out[2] = { -1, -1 };

	if (pipe2(in, O_CLOEXEC | O_NONBLOCK) == -1)
		abort();
	here.in = in[1];
	if (kind == TERMINAL)
		out[1] = pair_make(SOCK_STREAM, &out[0]);
	else if (pipe2(out, O_CLOEXEC | O_NONBLOCK) == -1)
		abort();
	here.fd = out[0];
	return (conn_start(in[0], out[1], on_end, &here));
}

static void
begin(uint8_t how)
{
	static char	 expired[] = EXPIRED, valid[] = "secret";
	struct udp	*u;
	int		 fd;

	kind = (enum kind)((how >> 1 & 63) % KINDS);
	relay.slot = is_udp() || kind == HELLO || kind == WAIT || (how & 1);
	relay.service = "web";
	relay.token = how & 128 ? expired : valid;
	here.fd = here.in = srv.fd = -1;
	switch (kind) {
	case SOCKET:
	case HELLO:
		fd = pair_make(SOCK_STREAM, &here.fd);
		here.in = here.fd;
		it = kind == SOCKET ? conn_start(fd, fd, on_end, &here) :
		    conn_start_hello(fd, on_end, &here);
		break;
	case PIPES:
	case TERMINAL:
		it = pipes_start();
		break;
	case WAIT:
		it = conn_wait(on_called, on_end, &here);
		here.got = 1;		/* the hello */
		break;
	default:
		fd = kind == UDP ? pair_make(SOCK_DGRAM, &here.fd) :
		    udp_make(&here.fd);
		here.in = here.fd;
		u = udp_start(fd, kind == UDP_SENDER, on_end, &here);
		CHECK(u != NULL);
		return;
	}
	CHECK(it != NULL);
}

/* --- the play --- */

static void
settle(void)
{
	int	k, moved = 1;

	for (k = 0; k < 3 || (moved && k < 60); k++) {
		moved = srv_turn();
		if (event_base_loop(relay.base, EVLOOP_NONBLOCK) == -1)
			abort();
		moved |= here_turn();
	}
}

static void
dialed(uint8_t how)
{
	struct sock	s = { .fd = -1 };
	int		little = LITTLE;

	if (!dials.on)
		return;
	dials.on = 0;
	if (how & 1) {
		dials.fn(dials.arg, NULL, "TLS: wrong version number");
		return;
	}
	srv_gone();
	s.fd = pair_make(SOCK_STREAM, &srv.fd);
	if (how & 2)
		(void)setsockopt(s.fd, SOL_SOCKET, SO_SNDBUF, &little,
		    sizeof(little));
	dials.fn(dials.arg, &s, NULL);
}

/* What stands on this side of a channel that was called is there, or is not. */
static void
target(uint8_t how)
{
	if (!here.called || here.joined || here.refused || here.ended)
		return;
	if (how & 1) {
		here.refused = 1;
		conn_refuse(it);
	} else {
		here.joined = 1;
		conn_join(it, pair_make(SOCK_STREAM, &here.fd));
		here.in = here.fd;
	}
}

static void
step(void)
{
	uint8_t	op = byte(), how = byte();

	switch (op & 15) {
	case 0:
	case 1:
		dialed(how);
		break;
	case 2:
	case 3:
		srv_answer(how);
		break;
	case 4:
	case 5:
		srv_say(how, byte());
		break;
	case 6:
		srv_control(how);
		break;
	case 7:
		srv_raw(how);
		break;
	case 8:
		srv.deaf = !srv.deaf;
		break;
	case 9:
		srv.piece = how;
		break;
	case 10:
		if (srv.fd != -1 && how & 1)
			(void)shutdown(srv.fd, SHUT_WR);
		else if (how & 2)
			srv_gone();
		break;
	case 11:
	case 12:
		here_say(how);
		break;
	case 13:
		if (how & 1)
			here.deaf = !here.deaf;
		else if (how & 2)
			here_shut();
		else if (how & 4)
			here_close();
		break;
	case 14:
		target(how);
		break;
	default:
		clock_move(how * (op & 16 ? 2000U : 100U));
	}
	/* What follows is there with it, as one. */
	if (!(op & 32))
		settle();
}

static void
over(void)
{
	int	i, left;

	srv.deaf = here.deaf = 0;
	srv.piece = 0;
	for (i = 0; i < 4 && !here.ended; i++) {
		dialed(1);
		target(1);
		settle();
		if (i > 0)
			srv_gone();
		if (i > 1)
			clock_move(200000);
	}
	settle();
	CHECK(here.ended && !dials.on);
	/* All of it, if it says so. */
	if (here.how == ENDED_WELL && here.fd != -1 && !srv.odd &&
	    !here.refused && !is_udp())
		CHECK(here.got == srv.said);
	here_close();
	srv_gone();
	left = dup(STDERR_FILENO);
	CHECK(left == spare);
	close(left);
}

static void
ready(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	relay.base = event_base_new();
	if (relay.base == NULL ||
	    randombytes_set_implementation(&no_chance) == -1 ||
	    sodium_init() == -1)
		abort();
	clock_init(relay.base);
	net_init(relay.base, 0, "");
	relay.quiet = 1;
	relay.session = "s";
	if (url_parse(&relay.url, "ws://127.0.0.1:8080/") != NULL)
		abort();
	relay.url.path[0] = '\0';
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	unsigned	i;

	if (relay.base == NULL)
		ready();
	memset(&srv, 0, sizeof(srv));
	memset(&here, 0, sizeof(here));
	if ((spare = dup(STDERR_FILENO)) == -1)
		abort();
	close(spare);
	p = data;
	end = data + len;
	begin(byte());
	for (i = 0; p < end && i < STEPS_MAX; i++)
		step();
	over();
	return (0);
}
