/* SPDX-License-Identifier: ISC */
/*
 * mux/sock.h and mux/bridge.h: a server and a client over one socketpair, in
 * one loop. The client's side of it goes through functions, as TLS does, which
 * take little and sometimes nothing.
 */
#include <sys/socket.h>

#include <event2/event.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "mux/bridge.h"
#include "regress/lib/tap.h"

#define BULK		(3 * 1024 * 1024)

struct side {
	struct mux		 m;
	int			 fd;
	unsigned		 writes, done, gone, idle;
	int			 fault;			/* -1: none */
	struct yamux_stream	*ys;
	size_t			 got, wrong;
	/* the client's connection */
	size_t			 takes;			/* 0: all */
	int			 refuse, broken;
	const uint8_t		*first;			/* when it took none */
	uint8_t			 begin[64];
	size_t			 begin_len, moved;
};

static struct event_base	*base;
static struct side		 server, client;
static struct {
	struct mux_bridge	 m;
	int			 asker;
	int			 touched, waiting, ended, deaf;
	size_t			 sent, got, wrong, kept_max;
} bridge;

static struct {
	uint8_t	p[300000];
	size_t	n, off;
} pocket;

static uint8_t
pattern(size_t i)
{
	return ((uint8_t)(i * 31 + (i >> 8) + (i >> 16)));
}

static void
fill(uint8_t *p, size_t from, size_t n)
{
	size_t	i;

	for (i = 0; i < n; i++)
		p[i] = pattern(from + i);
}

static size_t
differ(const uint8_t *p, size_t from, size_t n)
{
	size_t	i, bad = 0;

	for (i = 0; i < n; i++)
		bad += p[i] != pattern(from + i);
	return (bad);
}

static struct side *
side_of(struct mux *m)
{
	return (m->arg);
}

/* The bridge's owner. */

static void
br_touch(struct mux_bridge *m)
{
	(void)m;
	bridge.touched = 1;
}

static void
br_wait(struct mux_bridge *m)
{
	(void)m;
	bridge.waiting = 1;
}

static void
br_wrote(struct mux_bridge *m)
{
	if (m->kept > bridge.kept_max)
		bridge.kept_max = m->kept;
}

static void
br_eof(struct mux_bridge *m)
{
	(void)m;
	bridge.ended++;
}

static int
br_failed(struct mux_bridge *m, enum mux_bridge_fault fault)
{
	(void)m;
	bridge.deaf += fault == MB_WRITE;
	return (0);
}

static void
br_header(struct mux_bridge *m, uint8_t *p, size_t len)
{
	(void)len;
	fill(p, 0, m->head);
	m->head = 0;
}

/* As TLS does, a read takes what the descriptor has, and keeps what is over. */
static ssize_t
br_read(struct mux_bridge *m, void *buf, size_t len)
{
	ssize_t	r = recv(m->fd, pocket.p + pocket.n, sizeof(pocket.p) -
		    pocket.n, 0);

	if (r > 0)
		pocket.n += (size_t)r;
	if (pocket.off == pocket.n) {
		errno = EAGAIN;
		return (-1);
	}
	if (len > pocket.n - pocket.off)
		len = pocket.n - pocket.off;
	memcpy(buf, pocket.p + pocket.off, len);
	pocket.off += len;
	return ((ssize_t)len);
}

static int
br_pending(struct mux_bridge *m)
{
	(void)m;
	return (pocket.off < pocket.n ? MUX_MORE : 0);
}

static const struct mux_bridge_ops pocket_ops = { .touch = br_touch,
    .wait = br_wait, .wrote = br_wrote, .eof = br_eof, .failed = br_failed,
    .header = br_header, .read = br_read, .pending = br_pending };
static const struct mux_bridge_ops br_ops = { .touch = br_touch,
    .wait = br_wait, .wrote = br_wrote, .eof = br_eof, .failed = br_failed,
    .header = br_header };

/* What the two tunnels say. */

static void
on_flush(struct mux *m)
{
	if (m == &server.m && bridge.touched) {
		bridge.touched = 0;
		mux_bridge_flush(&bridge.m);
	}
}

static void
on_room(struct mux *m)
{
	if (m == &server.m && bridge.waiting) {
		bridge.waiting = 0;
		mux_bridge_resume(&bridge.m);
	}
}

static void
on_fault(struct mux *m, enum mux_fault fault, uint16_t code, const char *text)
{
	side_of(m)->fault = (int)fault;
	mux_close(m, code, text, 1000);
}

static void
on_done(struct mux *m)
{
	side_of(m)->done++;
}

static void
on_gone(struct mux *m, const char *why)
{
	(void)why;
	side_of(m)->gone++;
	mux_free(m);
}

static void
on_idle(struct mux *m)
{
	side_of(m)->idle++;
	mux_bridge_trim();
}

static void
on_random(uint8_t *p, size_t n)
{
	memset(p, 0x5a, n);
}

static ssize_t
on_read(struct mux *m, void *buf, size_t len)
{
	return (recv(side_of(m)->fd, buf, len, MSG_DONTWAIT));
}

/* Every other time nothing, and then the same bytes have to come again. */
static ssize_t
on_write(struct mux *m, const void *p, size_t len)
{
	struct side	*s = side_of(m);

	s->writes++;
	if (s->broken) {
		errno = EPIPE;
		return (-1);
	}
	if (s->begin_len > 0 && (len < s->begin_len ||
	    memcmp(s->begin, p, s->begin_len) != 0))
		s->wrong++;
	s->moved += s->begin_len > 0 && p != s->first;
	s->begin_len = 0;
	if (s->takes > 0 && (s->refuse = !s->refuse)) {
		s->first = p;
		s->begin_len = len < sizeof(s->begin) ? len : sizeof(s->begin);
		memcpy(s->begin, p, s->begin_len);
		errno = EAGAIN;
		return (-1);
	}
	if (s->takes > 0 && len > s->takes)
		len = s->takes;
	return (send(s->fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL));
}

static int
on_pending(struct mux *m)
{
	(void)m;
	return (0);
}

static const struct mux_ops server_ops = { .flush = on_flush, .room = on_room,
    .fault = on_fault, .done = on_done, .gone = on_gone, .idle = on_idle };
static const struct mux_ops client_ops = { .flush = on_flush, .room = on_room,
    .fault = on_fault, .done = on_done, .gone = on_gone, .idle = on_idle,
    .random = on_random, .read = on_read, .write = on_write,
    .pending = on_pending };

/* yamux */

static void
on_open(void *arg, struct yamux_stream *ys)
{
	struct side	*s = arg;

	s->ys = ys;
	yamux_accept(ys);
}

static void
on_data(void *arg, struct yamux_stream *ys, const uint8_t *p, size_t len)
{
	struct side	*s = arg;

	if (s == &server && bridge.m.ys != NULL) {
		(void)mux_bridge_deliver(&bridge.m, p, len);
		return;
	}
	s->wrong += differ(p, s->got, len);
	s->got += len;
	yamux_consumed(ys, len, clock_ns());
}

static void
on_fin(void *arg, struct yamux_stream *ys)
{
	(void)arg;
	(void)ys;
}

static void
on_close(void *arg, struct yamux_stream *ys, enum yamux_reason why)
{
	(void)arg;
	(void)ys;
	(void)why;
}

static void
on_window(void *arg, struct yamux_stream *ys)
{
	(void)ys;
	if (arg == &server && !bridge.waiting)
		mux_bridge_resume(&bridge.m);
}

static const struct yamux_callbacks callbacks = { .on_open = on_open,
    .on_data = on_data, .on_fin = on_fin, .on_close = on_close,
    .on_window = on_window };

static void
turn(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
	mux_turn(&server.m);
	mux_turn(&client.m);
}

static void
turns(int n)
{
	while (n-- > 0)
		turn();
}

static void
begin_side(struct side *s, int fd, const struct mux_ops *ops)
{
	struct yamux_config	cf;

	memset(s, 0, sizeof(*s));
	s->fd = fd;
	s->fault = -1;
	yamux_config_default(&cf);
	ok(mux_init(&s->m, base, fd, ops, &cf, &callbacks, s) == 0,
	    "a tunnel begins");
	mux_start(&s->m, NULL, 0);
}

static void
pair(int fd[2])
{
	int	i;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == -1)
		abort();
	for (i = 0; i < 2; i++)
		if (fcntl(fd[i], F_SETFL, O_NONBLOCK) == -1)
			abort();
}

/* Both tunnels, and a stream with a bridge at the server's end. */
static void
begin(size_t head)
{
	int	fd[2];

	pair(fd);
	begin_side(&server, fd[0], &server_ops);
	begin_side(&client, fd[1], &client_ops);
	memset(&bridge, 0, sizeof(bridge));
	pair(fd);
	bridge.asker = fd[0];
	bridge.m.ops = &br_ops;
	bridge.m.mux = &server.m;
	bridge.m.fd = fd[1];
	bridge.m.max = FRAME_MAX;
	bridge.m.head = head;
	bridge.m.flags = head > 0 ? MB_ALONE : 0;
	if (yamux_open(server.m.y, NULL, &bridge.m.ys) != 0)
		abort();
	mux_bridge_init(&bridge.m, base);
	mux_bridge_resume(&bridge.m);
}

static void
end(void)
{
	mux_bridge_clear(&bridge.m);
	mux_free(&server.m);
	mux_free(&client.m);
	close(server.fd);
	close(client.fd);
	close(bridge.asker);
	close(bridge.m.fd);
}

static void
asker_write(size_t n)
{
	uint8_t	buf[16384];
	ssize_t	r;

	if (n > sizeof(buf))
		n = sizeof(buf);
	fill(buf, bridge.sent, n);
	if ((r = send(bridge.asker, buf, n, MSG_DONTWAIT)) > 0)
		bridge.sent += (size_t)r;
}

static void
asker_read(void)
{
	uint8_t	buf[65536];
	ssize_t	r;

	while ((r = recv(bridge.asker, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		bridge.wrong += differ(buf, bridge.got, (size_t)r);
		bridge.got += (size_t)r;
	}
}

/* The client says as much of `n` bytes as it may; what it has said in all. */
static size_t
client_send(size_t said, size_t n)
{
	uint8_t	*p;
	size_t	 k;

	while (said < n && (k = yamux_sendable(client.ys)) > 0) {
		if (k > 5000)
			k = 5000;
		if (k > n - said)
			k = n - said;
		if ((p = mux_reserve(&client.m, k)) == NULL)
			break;
		fill(p, said, k);
		if (mux_send(&client.m, client.ys, p, k) == -1)
			break;
		said += k;
	}
	return (said);
}

static void
test_first_frame(void)
{
	begin(9);
	ok(mux_bridge_pull(&bridge.m) == 0, "nothing to read yet");
	turns(4);
	ok(client.got == 9 && client.wrong == 0,
	    "the head of a new stream goes alone");
	bridge.sent = 9;
	asker_write(1000);
	turns(4);
	ok(client.got == 1009 && client.wrong == 0, "and only once");
	ok(bridge.m.out == 1009, "all that was placed is counted");
	end();
}

static void
test_one_write(void)
{
	unsigned	before;
	uint8_t		*p;
	int		 i;

	begin(1);
	(void)mux_bridge_pull(&bridge.m);
	turns(4);
	bridge.m.ys = NULL;		/* on_data() counts by itself */
	before = client.writes;
	for (i = 0; i < 50; i++) {
		if ((p = mux_reserve(&client.m, 10)) == NULL)
			abort();
		fill(p, (size_t)i * 10, 10);
		(void)mux_send(&client.m, client.ys, p, 10);
	}
	ok(client.writes == before, "nothing leaves before the turn's end");
	mux_turn(&client.m);
	ok(client.writes == before + 1, "50 frames leave in one write");
	turns(4);
	ok(server.got == 500 && server.wrong == 0, "and arrive, unmasked");
	end();
}

static void
test_moved(void)
{
	begin(1);
	(void)mux_bridge_pull(&bridge.m);
	turns(4);
	bridge.m.ys = NULL;
	client.takes = BULK;
	(void)client_send(0, 10);
	mux_turn(&client.m);
	ok(client.begin_len > 0, "a small frame is not taken");
	(void)client_send(10, 60000);
	turns(10);
	ok(client.moved == 1 && client.wrong == 0,
	    "behind it there is more: the same bytes at another address");
	ok(server.got == 60000 && server.wrong == 0, "and all arrive");
	end();
}

static void
test_bulk_up(void)
{
	size_t	was;
	int	i;

	begin(1);
	bridge.sent = 1;
	for (i = 0; i < 20000 && client.got < BULK; i++) {
		do {
			was = bridge.sent;
			asker_write(BULK - bridge.sent);
		} while (bridge.sent != was);
		turn();
	}
	ok(client.got == BULK && client.wrong == 0,
	    "bulk from the descriptor arrives whole and in order");
	shutdown(bridge.asker, SHUT_WR);
	turns(2);
	ok(bridge.ended == 1 && !(bridge.m.flags & MB_READING),
	    "its end is told once, and it is not read any more");
	end();
}

/* More than goes in one turn, of which the descriptor says nothing any more. */
static void
test_pocket(void)
{
	begin(0);
	bridge.m.ops = &pocket_ops;
	pocket.n = bridge.sent = 4 * FRAME_MAX + 50;
	fill(pocket.p, 0, pocket.n);
	asker_write(1);
	turns(8);
	is_int(client.got, bridge.sent, "what was read already is passed on");
	is_int(client.wrong, 0, "as it is");
	end();
}

static void
test_bulk_down(void)
{
	size_t	said = 0;
	int	i;

	begin(1);
	(void)mux_bridge_pull(&bridge.m);
	turns(4);
	client.takes = 3000;
	/* The asker takes nothing: no more than a window is kept. */
	for (i = 0; i < 2000; i++) {
		said = client_send(said, BULK);
		turn();
	}
	ok(said < BULK && bridge.kept_max > 0 && bridge.kept_max <= said,
	    "an asker that takes nothing stops its own stream");
	ok(bridge.m.kept <= 256 * 1024, "at most a window is kept");
	ok(server.m.state == MUX_UP && server.fault == -1,
	    "and the tunnel is well");
	for (i = 0; i < 20000 && bridge.got < BULK; i++) {
		said = client_send(said, BULK);
		turn();
		asker_read();
	}
	ok(bridge.got == BULK && bridge.wrong == 0,
	    "then all of it arrives, in order");
	ok(mux_bridge_through(&bridge.m) && !(bridge.m.flags & MB_WRITING),
	    "and nothing is waited for");
	ok(client.wrong == 0,
	    "a write that was not taken begins with the same bytes");
	end();
}

static void
test_deaf(void)
{
	size_t	said = 0;
	int	i;

	begin(1);
	(void)mux_bridge_pull(&bridge.m);
	turns(4);
	for (i = 0; i < 50; i++) {
		said = client_send(said, BULK);
		turn();
	}
	ok(bridge.m.kept > 0, "bytes are kept");
	close(bridge.asker);
	for (i = 0; i < 20000 && said < BULK; i++) {
		said = client_send(said, BULK);
		turn();
	}
	ok(bridge.deaf >= 1 && bridge.m.kept == 0, "who has gone is deaf");
	ok(said == BULK, "what comes for it is thrown away, with credit");
	bridge.asker = -1;
	end();
}

static void
test_close(void)
{
	begin(1);
	(void)mux_bridge_pull(&bridge.m);
	turns(2);
	mux_close(&server.m, 1001, "stopping", 5000);
	mux_close(&server.m, 1002, "twice", 1);
	ok(mux_reserve(&server.m, 10) == NULL, "nothing is said after a close");
	turns(6);
	ok(client.fault == MUX_CLOSED && ws_peer_code(&client.m.ws) == 1001,
	    "the other side hears of the close, the first that was said");
	ok(server.done == 1 && client.done == 1, "both are done, once");
	shutdown(server.fd, SHUT_WR);
	turns(2);
	ok(client.gone == 1 && client.m.state == MUX_DOWN,
	    "and gone with the connection");
	end();
}

static void
test_late(void)
{
	begin(0);
	client.takes = 1;
	client.refuse = 0;
	mux_close(&server.m, 1001, NULL, 5000);
	event_del(&client.m.ev_read);		/* it does not answer */
	turns(4);
	ok(server.gone == 0, "a close waits for the other");
	clock_move(5001);
	turns(2);
	ok(server.gone == 1, "but not for ever");
	end();
}

static void
test_faults(void)
{
	static const uint8_t	bad[] = { 0x82, 0x01, 0x00 };

	begin(0);
	if (send(client.fd, bad, sizeof(bad), 0) != sizeof(bad))
		abort();
	turns(4);
	ok(server.fault == MUX_WS, "a frame that is not masked is a fault");
	ok(server.done == 1 && server.m.state == MUX_LINGER,
	    "after which it is read on, for a while");
	end();

	begin(0);
	client.broken = 1;
	if (yamux_ping(client.m.y, clock_ns()) != 0)
		abort();
	turns(2);
	ok(client.m.state == MUX_UP && client.gone == 0,
	    "a write that fails is not the end: reading tells");
	close(server.fd);
	mux_free(&server.m);
	turns(2);
	ok(client.gone == 1, "and it does");
	server.fd = -1;
	end();
}

static void
test_idle(void)
{
	size_t	said = 0;
	int	i;

	begin(1);
	(void)mux_bridge_pull(&bridge.m);
	turns(4);
	for (i = 0; i < 100; i++) {
		said = client_send(said, 500000);
		turn();
		asker_read();
	}
	ok(bridge.got == 500000 && server.m.in != NULL &&
	    client.m.out.buf != client.m.out.small, "a burst takes buffers");
	for (i = 0; i < 3; i++) {
		clock_move(2001);
		turns(2);
	}
	ok(server.m.in == NULL && client.m.out.buf == client.m.out.small,
	    "which an idle tunnel gives back");
	ok(server.idle > 0 && client.idle > 0, "and its owner too");
	end();
}

int
main(void)
{
	if ((base = event_base_new()) == NULL)
		return (1);
	clock_init(base);
	signal(SIGPIPE, SIG_IGN);
	test_first_frame();
	test_one_write();
	test_moved();
	test_bulk_up();
	test_pocket();
	test_bulk_down();
	test_deaf();
	test_close();
	test_late();
	test_faults();
	test_idle();
	clock_clear();
	event_base_free(base);
	done_testing();
	return (tap_status());
}
