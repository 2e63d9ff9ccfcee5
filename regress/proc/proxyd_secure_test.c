/* SPDX-License-Identifier: ISC */
/*
 * TLS between members of a cluster, as proxyd has part in it: connections to
 * another member go by way of a tlsd or not at all, and of what a tlsd has from
 * one the header is looked at first. This program is authd, tlsds and the
 * member.
 */
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "proxyd/member.h"
#include "regress/lib/proxyd_story.h"
#include "regress/lib/tap.h"

#define PATH	"/api/support-sessions/" SESSION
#define ASK	"GET " PATH " HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t\r\n"
#define YES	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
#define HEAD	"the header of a"
/* As another member's is, for whoever does not look at its vector. */
#define CAME	"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x14"			\
	"\xc0\x00\x02\x07\x7f\x00\x00\x01\x11\x5c\x01\xbb\xe0\0\x05hello"

static struct drive	d;

static int
tlsd(void)
{
	static uint64_t	instance = 70;
	int		sv[2];

	if (imsg_pair(sv) == -1)
		bail("pair");
	say_fd(d.parent, 0, sv[1], peer, .role = ROLE_TLSD,
	    .instance = ++instance);
	return (sv[0]);
}

/* A browser's request, for which authd gives a connection; our end of that. */
static int
forwarded_with(int fd, const char *head)
{
	struct imsg	*m;
	int		 sv[2];

	put(fd, ASK "\r\n");
	m = hear_next(d.authd, where, NULL);
	say_id(d.authd, m->id, where_is, .member = "b");
	m = hear_next(d.authd, forward, NULL);
	stream_pair(sv);
	say_fd(d.authd, m->id, sv[1], forwarded, .head = { head,
	    strlen(head) });
	return (sv[0]);
}

/* What a tlsd is asked, of this connection. */
static uint32_t
secure(int sock, int raw)
{
	struct msg_secure	 in;
	struct imsg		*m = hear_next(sock, secure, &in);
	char			 c = 0;

	is_str(in.member, "b", "a tlsd is asked for TLS to b");
	if (m->fd == -1 || send(m->fd, "x", 1, MSG_NOSIGNAL) != 1 ||
	    recv(raw, &c, 1, 0) != 1 || c != 'x')
		bail("SECURE: another connection");
	close(m->fd);
	return (m->id);
}

static void
forget(int fd, int raw)
{
	close(fd);
	close(raw);
	drive_clock(&d, MEMBER_KNOWN_MS);
}

/* It fails for this reason; no byte of it has gone anywhere. */
static void
no(int fd, int raw, const char *why, const char *what)
{
	struct imsg	*m = hear_next(d.authd, where, NULL);

	/* It is asked anew who has it; then there is no way to it, either. */
	say_id(d.authd, m->id, where_is, .member = "b");
	m = hear_next(d.authd, forward, NULL);
	say_id(d.authd, m->id, forward_failed, .why = "gone");
	is_int(status_of(answer(fd)), 503, "%s: 503", what);
	ok(drive_logs(&d, why), "and why");
	is_int(end_of(raw), 0, "nothing was said, and it is closed");
	drive_forget();
	forget(fd, raw);
}

static void
test_exchange(int sock)
{
	struct msg_plain_end	 in;
	int			 fd = browser(&d, 0), sv[2], raw;
	uint32_t		 id;

	raw = forwarded_with(fd, HEAD);
	id = secure(sock, raw);
	/* One that would wait does not, here. */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == -1)
		bail("pair");
	say_fd(sock, id, dup(sv[1]), secured, .id = 9);
	is_str(get_until(sv[0], "\r\n\r\n"), HEAD ASK "\r\n", "the header, "
	    "and the request behind it");
	ok(fcntl(sv[1], F_GETFL) & O_NONBLOCK, "on a socket that does not wait");
	close(sv[1]);
	put(sv[0], YES "ok");
	ok(strstr(get_until(fd, "ok"), "200") != NULL, "answered");
	put(fd, ASK "\r\n");
	is_str(get_until(sv[0], "\r\n\r\n"), ASK "\r\n", "the next one goes "
	    "the same way");
	put(sv[0], YES "ok");
	(void)get_until(fd, "ok");
	drive_clock(&d, MEMBER_IDLE_MS);
	(void)hear_next(sock, plain_end, &in);
	is_int((long)in.id, 9, "its tlsd hears of its end");
	is_int(in.clean, 1, "a clean one");
	is_int(end_of(sv[0]), 0, "and it comes");
	close(sv[0]);
	forget(fd, raw);
}

/* An answer that its connection's end ends: cut off, it is none. */
static void
test_cut(int sock)
{
	int		fd, raw, sv[2], all;
	uint32_t	id;

	for (all = 1; all >= 0; all--) {
		fd = browser(&d, 0);
		raw = forwarded_with(fd, HEAD);
		id = secure(sock, raw);
		stream_pair(sv);
		say_fd(sock, id, sv[1], secured, .id = (uint64_t)50 + all);
		(void)get_until(sv[0], "\r\n\r\n");
		put(sv[0], "HTTP/1.1 200 OK\r\n\r\nall of it");
		(void)get_until(fd, "all of it");
		/* Another's does not count. */
		say(sock, secure_end, .id = (uint64_t)51);
		close(sv[0]);
		is_int(end_of(fd), all ? 0 : ECONNRESET, "an answer that %s",
		    all ? "is whole" : "is cut off");
		(void)hear_next(sock, plain_end, NULL);
		forget(fd, raw);
	}
}

static void
test_no(int sock)
{
	int		fd = browser(&d, 0), raw, sv[2], lies;
	uint32_t	id;

	raw = forwarded_with(fd, HEAD);
	say_id(sock, secure(sock, raw), secure_failed, .why = "its\nname");
	no(fd, raw, "member b: its\\x0aname", "a tlsd that says no");
	fd = browser(&d, 0);
	raw = forwarded_with(fd, "");
	no(fd, raw, "member b: authd knows of no TLS", "a connection without");
	ok(is_quiet(sock, 20), "of which no tlsd hears");
	fd = browser(&d, 0);
	raw = forwarded_with(fd, HEAD);
	(void)secure(sock, raw);
	drive_clock(&d, SECURE_MS);
	no(fd, raw, "member b: tlsd does not answer", "one that says nothing");
	lies = tlsd();
	fd = browser(&d, 0);
	raw = forwarded_with(fd, HEAD);
	id = secure(lies, raw);
	stream_pair(sv);
	say_fd(lies, id, sv[1], secured, .id = 0);
	is_int(hear_end(lies), 0, "one that gives it no number is not heard "
	    "any more");
	no(fd, raw, "member b: tlsd says what it may not", "and its connection");
	is_int(end_of(sv[0]), 0, "is closed");
	close(sv[0]);
	shut(&lies);
	lies = tlsd();
	fd = browser(&d, 0);
	raw = forwarded_with(fd, HEAD);
	(void)secure(lies, raw);
	shut(&lies);
	no(fd, raw, "member b: tlsd does not answer", "one that goes");
}

/* One that leaves is not asked, unless it is the only one. */
static void
test_leave(int *sock)
{
	int		old = tlsd(), fd = browser(&d, 0), raw, i;
	uint32_t	id;

	say(old, secure_leave);
	for (i = 0; i < 3; i++) {
		raw = forwarded_with(fd, HEAD);
		id = secure(*sock, raw);
		say_id(*sock, id, secure_failed, .why = "no");
		no(fd, raw, "member b: no", "the one that stays");
		fd = browser(&d, 0);
	}
	shut(sock);
	raw = forwarded_with(fd, HEAD);
	say_id(old, secure(old, raw), secure_failed, .why = "gone soon");
	no(fd, raw, "member b: gone soon", "one that leaves, alone");
	*sock = tlsd();
	say_raw(old, IMSG_SECURE_LEAVE, 0, -1, "x", 1);
	is_int(hear_end(old), 0, "more than that it may not say");
	shut(&old);
}

static void
test_without(void)
{
	int	fd = browser(&d, 0), raw;

	raw = forwarded_with(fd, HEAD);
	no(fd, raw, "member b: there is no tlsd", "without a tlsd");
}

/* What a tlsd has from another member: our end. */
static int
gives(int sock, uint64_t id, uint32_t flags, const void *bytes, size_t len)
{
	int	sv[2];

	stream_pair(sv);
	put_bytes(sv[0], bytes, len);
	say_fd(sock, 0, sv[1], plain, .id = id, .flags = flags,
	    .addr = "192.0.2.50");
	return (sv[0]);
}

static void
test_came(int sock)
{
	static const char	all[] = CAME ASK "\r\n";
	struct msg_peer_head	 in;
	struct msg_plain_end	 end;
	struct msg_api		 api;
	struct imsg		*m;
	int			 fd;

	fd = gives(sock, 20, LISTEN_TLS | LISTEN_PEER, all, sizeof(all) - 1);
	m = hear_next(d.authd, peer_head, &in);
	ok(in.head.len == sizeof(CAME) - 1 && memcmp(in.head.p, CAME,
	    in.head.len) == 0, "authd has its header");
	say_id(d.authd, m->id, peer_head_said);
	m = hear_next(d.authd, api, &api);
	is_str(api.addr, "192.0.2.7", "it is the client of the header");
	say_id(d.authd, m->id, api_result, .status = 200);
	is_int(status_of(answer(fd)), 200, "answered, and asked for here");
	close(fd);
	(void)hear_next(sock, plain_end, &end);
	is_int((long)end.id, 20, "its tlsd hears of its end");
	is_int(end.clean, 1, "a clean one");
	fd = gives(sock, 21, LISTEN_TLS | LISTEN_PEER, all, sizeof(all) - 1);
	m = hear_next(d.authd, peer_head, NULL);
	say_id(d.authd, m->id, peer_head_said, .why = "not ours");
	ok(end_of(fd) != -1, "authd says no: closed");
	(void)hear_next(sock, plain_end, &end);
	is_int((long)end.id * 10 + end.clean, 210, "broken off");
	ok(drive_logs(&d, "192.0.2.50: refused: not ours"), "the address is "
	    "the member's");
	close(fd);
	fd = gives(sock, 22, LISTEN_TLS | LISTEN_PEER, ASK "\r\n",
	    sizeof(ASK) + 1);
	ok(end_of(fd) != -1, "no header: closed");
	(void)hear_next(sock, plain_end, &end);
	is_int((long)end.id * 10 + end.clean, 220, "broken off");
	ok(is_quiet(d.authd, 20), "authd does not hear of it");
	close(fd);
}

static void
test_flags(void)
{
	int	sock = tlsd(), fd;

	fd = gives(sock, 1, LISTEN_TLS | LISTEN_PEER | LISTEN_TUNNEL, "x", 1);
	is_int(hear_end(sock), 0, "a listener of members that is more: that "
	    "tlsd is not heard any more");
	close(fd);
	shut(&sock);
}

int
main(void)
{
	struct conf	cf;
	int		sock;

	proxyd_conf(&cf);
	cf.cluster_port = 7;
	strlcpy(cf.cluster_ca_file, "/ca", sizeof(cf.cluster_ca_file));
	drive_start(&d, ROLE_PROXYD, &cf);
	test_without();
	sock = tlsd();
	test_exchange(sock);
	test_cut(sock);
	test_no(sock);
	test_leave(&sock);
	test_came(sock);
	test_flags();
	is_int(drive_leave(&d), 0, "proxyd ends well");
	return (done_testing());
}
