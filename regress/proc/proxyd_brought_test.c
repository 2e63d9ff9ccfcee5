/* SPDX-License-Identifier: ISC */
/*
 * A listener with `proxy protocol`: whom authd hears of, in how many pieces the
 * header may come, and who is refused.
 */
#include <sys/resource.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "net/brought.h"
#include "net/listen.h"
#include "regress/lib/proxyd_story.h"
#include "regress/lib/tap.h"

#define V4	"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"			\
		"\xc0\x00\x02\x07\x7f\x00\x00\x01\x11\x5c\x01\xbb"
#define LINE	"PROXY TCP4 192.0.2.7 127.0.0.1 4444 80\r\n"
#define ASK	"GET /api/support-sessions HTTP/1.1\r\nHost: a\r\n"	\
		"Authorization: Bearer t\r\n"

static struct drive	d;

/* Whom authd hears of, when a call of its API comes; it is answered. */
static const char *
caller(int fd)
{
	static char	addr[ADDR_SIZE];
	struct msg_api	in;
	struct imsg	*m = hear(d.authd, api, &in);

	snprintf(addr, sizeof(addr), "%s", in.addr);
	say_id(d.authd, m->id, api_result, .status = 200);
	is_int(status_of(answer(fd)), 200, "answered");
	return (addr);
}

/* These bytes at once, with what follows `fields` as one request. */
static const char *
client_of(const char *head, size_t len, const char *fields)
{
	static char	 addr[ADDR_SIZE];
	char		 text[1024];
	int		 fd = browser(&d, 0), n;

	memcpy(text, head, len);
	n = snprintf(text + len, sizeof(text) - len, ASK "%s\r\n", fields);
	put_bytes(fd, text, len + (size_t)n);
	snprintf(addr, sizeof(addr), "%s", caller(fd));
	close(fd);
	return (addr);
}

#define CLIENT(head, fields)	client_of(head, sizeof(head) - 1, fields)

static void
test_named(void)
{
	is_str(CLIENT(LINE, ""), "192.0.2.7", "version 1");
	is_str(CLIENT(V4, ""), "192.0.2.7", "version 2");
	is_str(CLIENT("PROXY TCP6 2001:db8::9 ::1 1 2\r\n", ""),
	    "2001:db8::9", "IPv6");
	is_str(CLIENT(LINE, "X-Forwarded-For: 192.0.2.99\r\n"), "192.0.2.7",
	    "what the client itself says of its address counts for nothing");
	is_str(CLIENT("PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n",
	    "X-Forwarded-For: 192.0.2.99\r\n"), "192.0.2.99",
	    "a client that is a trusted proxy is believed");
	is_str(CLIENT("PROXY UNKNOWN\r\n", "X-Forwarded-For: 192.0.2.99\r\n"),
	    "127.0.0.1", "who is not named is not");
	is_str(CLIENT("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
	    "X-Forwarded-For: 192.0.2.99\r\n"), "192.0.2.99",
	    "the proxy itself is");
}

/* Byte by byte, and the request's first byte with the header's last. */
static void
test_pieces(void)
{
	static const char	text[] = V4 ASK "\r\n";
	int			fd = browser(&d, 0);
	size_t			i, len = sizeof(V4) - 1;

	for (i = 0; i < len - 1; i++) {
		put_bytes(fd, text + i, 1);
		drive_clock(&d, 1);
	}
	put_bytes(fd, text + i, sizeof(text) - 1 - i);
	is_str(caller(fd), "192.0.2.7", "in pieces");
	put(fd, ASK "\r\n");
	is_str(caller(fd), "192.0.2.7", "the next request has no header, and "
	    "is of the same client");
	close(fd);
}

/* A header of 3000 bytes, for which the first piece of memory is too small. */
static void
test_large(void)
{
	static char	head[3000 + 1] = V4;
	size_t		i, at = sizeof(V4) - 1, n = 3000 - at - 3;
	int		fd = browser(&d, 0);

	head[14] = (char)((3000 - 16) >> 8);
	head[15] = (char)((3000 - 16) & 0xff);
	head[at] = 4;
	head[at + 1] = (char)(n >> 8);
	head[at + 2] = (char)(n & 0xff);
	for (i = at + 3; i < 3000; i++)
		head[i] = 'x';
	for (i = 0; i < 3000; i += 500) {
		put_bytes(fd, head + i, 500);
		drive_clock(&d, 1);
	}
	put(fd, ASK "\r\n");
	is_str(caller(fd), "192.0.2.7", "a long one");
	close(fd);
}

static void
refused(const char *bytes, size_t len, const char *why)
{
	int	fd = browser(&d, 0);

	drive_forget();
	put_bytes(fd, bytes, len);
	ok(end_of(fd) != -1, "closed: %s", why);
	ok(drive_logs(&d, why), "and said why");
	shut(&fd);
	drive_forget();
	fd = browser(&d, 0);
	put_bytes(fd, bytes, len);
	ok(end_of(fd) != -1, "again");
	(void)client_of(LINE, strlen(LINE), "");
	ok(!drive_logged(&d, "refused"), "which is said once");
	shut(&fd);
}

#define REFUSED(bytes, why)	refused(bytes, sizeof(bytes) - 1, why)

static void
test_refused(void)
{
	int	fd;

	REFUSED(ASK "\r\n", "127.0.0.1: refused: no PROXY header");
	REFUSED("PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n" ASK "\r\n",
	    "refused: PROXY line: not two addresses and two ports");
	REFUSED("\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c",
	    "refused: PROXY header: not version 2");
	drive_forget();
	fd = browser_from(&d, 5);
	put(fd, LINE ASK "\r\n");
	ok(end_of(fd) != -1, "who is no trusted proxy brings nobody");
	ok(drive_logs(&d, "127.0.0.6: refused: not of a network of"),
	    "and it is said");
	close(fd);
	drive_forget();
	fd = browser(&d, 0);
	put(fd, "PROXY TC");
	drive_clock(&d, 1);
	shut(&fd);
	ok(drive_logs(&d, "refused: closed in its PROXY header"),
	    "one that closes in the middle");
}

static void
test_time(void)
{
	int	silent = browser(&d, 0), half = browser(&d, 0);

	put(half, "PROXY TCP4");
	drive_clock(&d, BROUGHT_MS - 100);
	put(half, " ");
	drive_clock(&d, 1);
	ok(is_quiet(silent, 20) && is_quiet(half, 20), "there is time");
	drive_clock(&d, 200);
	is_int(end_of(silent), 0, "and an end to it, for the silent");
	ok(end_of(half) != -1, "and for who says little");
	ok(drive_logs(&d, "refused: no PROXY header in time"), "why");
	ok(drive_logs(&d, "refused: PROXY header not complete in time"),
	    "why it was too late");
	close(silent);
	close(half);
}

/* As many as may wait, and one more. */
static void
test_crowd(void)
{
	static int	fd[BROUGHT_MAX + 1];
	int		i;

	for (i = 0; i < BROUGHT_MAX; i++)
		fd[i] = browser(&d, 0);
	drive_clock(&d, 1);
	ok(is_quiet(fd[0], 20), "as many as may wait");
	fd[BROUGHT_MAX] = browser(&d, 0);
	is_int(end_of(fd[0]), 0, "one more: the oldest goes");
	ok(is_quiet(fd[1], 20), "and no other");
	ok(drive_logs(&d, "too many wait for a PROXY header"), "said");
	put(fd[BROUGHT_MAX], LINE ASK "\r\n");
	is_str(caller(fd[BROUGHT_MAX]), "192.0.2.7", "the new one is served");
	for (i = 0; i <= BROUGHT_MAX; i++)
		close(fd[i]);
}

/* Who was in the door when it leaves is heard out, as one who has come. */
static void
test_leave(void)
{
	static const char	all[] = LINE ASK "\r\n";
	int			fd = browser(&d, 0);

	put_bytes(fd, all, 9);
	drive_clock(&d, 1);
	say(d.parent, leave, .seconds = 3600);
	drive_clock(&d, LEAVE_DOORS_MS);
	put(fd, all + 9);
	is_str(caller(fd), "192.0.2.7", "half-way in when it leaves: served");
	is_int(drive_wait(&d), 0, "and with him it goes");
	close(fd);
}

int
main(void)
{
	struct conf	cf;
	struct rlimit	rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
		rl.rlim_cur = rl.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &rl);
	}
	proxyd_conf(&cf);
	snprintf(cf.trusted_proxy[0], sizeof(cf.trusted_proxy[0]),
	    "127.0.0.1/32");
	cf.n_trusted_proxy = 1;
	drive_with.flags = LISTEN_PROXY;
	drive_start(&d, ROLE_PROXYD, &cf);
	test_named();
	test_pieces();
	test_large();
	test_refused();
	test_time();
	test_crowd();
	is_int(drive_leave(&d), 0, "proxyd ends well");
	drive_start(&d, ROLE_PROXYD, &cf);
	test_leave();
	return (done_testing());
}
