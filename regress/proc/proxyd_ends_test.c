/* SPDX-License-Identifier: ISC */
/*
 * The subdomain proxy: answers that are odd or wrong, upgrades, and what ends a
 * request from without.
 */
#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "regress/lib/proxyd_story.h"
#include "regress/lib/tap.h"

#define OK_LENGTH(n)	"HTTP/1.1 200 OK\r\nContent-Length: " n "\r\n\r\n"

static struct drive	 d;

/* Old servers: read as browsers read them, passed on with one framing. */
static void
odd_answers(void)
{
	static const struct {
		const char	*what, *said, *framing, *body;
	} t[] = {
		{ "a length beside chunks", "HTTP/1.1 200 OK\r\nContent-Length: "
		  "9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
		  "\r\nTransfer-Encoding: chunked\r\n",
		  "2\r\nab\r\n0\r\n\r\n" },
		{ "a length twice", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
		  "Content-Length: 2\r\n\r\nab", "\r\nContent-Length: 2\r\n",
		  "ab" },
		{ "lines of line feeds, chunks too", "HTTP/1.0 200 OK\nA : b\n"
		  "Transfer-Encoding: chunked\n\n2\nab\n0\n\n",
		  "\r\nTransfer-Encoding: chunked\r\n",
		  "2\r\nab\r\n0\r\n\r\n" },
		{ "a bad name and a bad length", "HTTP/1.1 200 OK\r\nA(b): c"
		  "\r\nContent-Length: -1\r\nE: f\r\n\r\nab", "\r\nE: f\r\n",
		  "2\r\nab\r\n0\r\n\r\n" },
	};
	size_t	 i;
	int	 fd, st;
	char	*a;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		fd = browser(&d, 0);
		get(fd, "/");
		st = stream_yes(&d);
		(void)request_at(st);
		put(st, "OK\n");
		put_bytes(st, t[i].said, strlen(t[i].said));
		shutdown(st, SHUT_WR);
		a = answer(fd);
		ok(a != NULL && strstr(a, t[i].framing) != NULL,
		    "%s: its framing", t[i].what);
		ok(a != NULL && (strstr(a, "Content-Length") == NULL ||
		    strstr(a, "Transfer-Encoding") == NULL),
		    "%s: no other", t[i].what);
		is_str(a == NULL ? "" : strstr(a, "\r\n\r\n") + 4, t[i].body,
		    "%s: its body", t[i].what);
		close(fd);
		close(st);
	}
}

static void
errors(void)
{
	static const struct {
		const char	*said, *what, *why;
	} garbage[] = {
		{ "what?\n", "a reply line that is none", NULL },
		{ "OK\nnot http\r\n\r\n", "a response that is no HTTP",
		  "does not begin with a status line" },
		{ "OK\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
		  "Content-Length: 2\r\n\r\n", "two lengths",
		  "it names two lengths" },
		{ "OK\nHTTP/1.1 101 Switching\r\nConnection: Upgrade\r\n"
		  "Upgrade: x\r\n\r\n", "a 101 that nobody asked for", NULL },
	};
	size_t	 i;
	int	 fd, st;
	char	*a;

	fd = browser(&d, 0);
	st = open_stream(&d, fd, "/", 0);
	(void)request_at(st);
	put(st, "ERROR dial tcp: \"refused\"\x01\n");
	close(st);
	a = answer(fd);
	is_int(status_of(a), 502, "operator-52: ERROR is 502");
	is_str(body_of(a), "{\"code\":502,\"message\":\"service unavailable: "
	    "dial tcp: \\\"refused\\\"\\\\x01\",\"data\":null}",
	    "operator-52: with its reason, escaped");
	get(fd, "/");
	stream_no(&d, 429, "too many concurrent streams on this tunnel");
	a = answer(fd);
	is_int(status_of(a), 429, "operator-27(partial): cap reached: 429");
	get(fd, "/");
	stream_no(&d, 404, "service not found in tunnel manifest");
	is_int(status_of(answer(fd)), 404, "unknown service: 404");
	for (i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
		get(fd, "/");
		st = stream_yes(&d);
		(void)request_at(st);
		put_bytes(st, garbage[i].said, strlen(garbage[i].said));
		a = answer(fd);
		is_int(status_of(a), 502, "%s: 502", garbage[i].what);
		ok(garbage[i].why == NULL || strstr(body_of(a),
		    garbage[i].why) != NULL, "%s: why", garbage[i].what);
		close(st);
	}
	get(fd, "/slow");
	st = stream_yes(&d);
	(void)request_at(st);
	drive_clock(&d, 59000);
	ok(is_quiet(fd, 30), "no reply line for 59 s");
	drive_clock(&d, 1100);
	a = answer(fd);
	is_int(status_of(a), 504, "no reply line for 60 s: 504");
	is_int(end_of(st), 0, "504: the stream is closed");
	close(st);
	close(fd);
	flush_authd(&d);
	fd = browser(&d, 0);
	st = open_stream(&d, fd, "/slow", 8);
	(void)request_at(st);
	put(st, "OK\n");
	drive_clock(&d, 599000);
	ok(is_quiet(fd, 30), "no answer for 599 s");
	drive_clock(&d, 2000);
	is_int(status_of(answer(fd)), 504, "no answer for 600 s: 504");
	close(st);
	close(fd);
	flush_authd(&d);
}

static void
upgrades(void)
{
	static char	 big[300000];
	int		 fd = browser(&d, 0), st, i;
	char		*a;

	put(fd, "GET /ws HTTP/1.1\r\nHost: " HOST "\r\nOrigin: https://" HOST
	    "\r\nCookie: support_proxy_" SLUG "=%s\r\nConnection: Upgrade\r\n"
	    "Upgrade: websocket\r\nSec-WebSocket-Key: k\r\n"
	    "Sec-WebSocket-Version: 13\r\n\r\nearly",
	    proxy_token(SESSION, "one"));
	grant_yes(&d, 9);
	st = stream_yes(&d);
	a = request_at(st);
	is_str(header_of(a, "upgrade", 0), "websocket",
	    "operator-50(partial): Upgrade passes");
	is_str(header_of(a, "connection", 0), "Upgrade",
	    "operator-50(partial): Connection too");
	is_str(header_of(a, "sec-websocket-key", 0), "k",
	    "operator-50(partial): the key untouched");
	ok(is_quiet(st, 30), "bytes behind it wait for the 101");
	put(st, "OK\nHTTP/1.1 101 Switching\r\nConnection: Upgrade\r\n"
	    "Upgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\nhello");
	a = get_until(fd, "hello");
	is_int(status_of(a), 101, "operator-50(partial): the 101 comes back");
	is_str(header_of(a, "sec-websocket-accept", 0), "x",
	    "operator-50(partial): with its accept value");
	is_str(get_until(st, "early"), "early", "then they pass");
	put(fd, "ping");
	is_str(get_until(st, "ping"), "ping", "raw upwards");
	put(st, "pong");
	is_str(get_until(fd, "pong"), "pong", "raw downwards");
	memset(big, 'b', sizeof(big));
	for (i = 0; i < 2; i++) {
		put_bytes(i ? st : fd, big, sizeof(big) - 1);
		put(i ? st : fd, "!");
		ok(strlen(get_until(i ? fd : st, "!")) == sizeof(big),
		    "300 kB %s", i ? "down" : "up");
	}
	shutdown(st, SHUT_WR);
	is_int(end_of(fd), 0, "the service's end is passed on");
	put(fd, "last");
	is_str(get_until(st, "last"), "last", "the other half still works");
	close(fd);
	is_int(end_of(st), 0, "the browser's end closes the stream");
	close(st);

	fd = browser(&d, 0);
	put(fd, "GET /ws HTTP/1.1\r\nHost: " HOST "\r\nOrigin: https://" HOST
	    "\r\nCookie: support_proxy_" SLUG "=%s\r\nConnection: Upgrade\r\n"
	    "Upgrade: websocket\r\n\r\nGET /smuggled", proxy_token(SESSION,
	    "one"));
	st = stream_yes(&d);
	(void)request_at(st);
	put(st, "OK\n" OK_LENGTH("2") "no");
	a = answer(fd);
	is_str(body_of(a), "no", "no 101: its answer");
	is_int(end_of(fd), 0, "no 101: closed");
	ok(end_of(st) == 0, "no 101: the bytes behind go nowhere");
	close(fd);
	close(st);
}

static void
grants_end(void)
{
	int	 fd = browser(&d, 0), raw = browser(&d, 0), st, st2, i;
	char	*a;

	st = open_stream(&d, fd, "/long", 0);
	(void)request_at(st);
	put(raw, "GET /ws HTTP/1.1\r\nHost: " HOST "\r\nOrigin: https://" HOST
	    "\r\nCookie: support_proxy_" SLUG "=%s\r\nConnection: Upgrade\r\n"
	    "Upgrade: websocket\r\n\r\n", proxy_token(SESSION, "one"));
	st2 = stream_yes(&d);
	(void)request_at(st2);
	put(st2, "OK\nHTTP/1.1 101 S\r\nConnection: Upgrade\r\n"
	    "Upgrade: websocket\r\n\r\n");
	(void)get_until(raw, "\r\n\r\n");
	say(d.authd, grant_end, .grant = 9, .why = END_SESSION);
	a = answer(fd);
	is_int(status_of(a), 502, "operator-34(partial): a request ends");
	is_int(end_of(raw), ECONNRESET, "operator-50(partial): a socket ends");
	ok(end_of(st) == 0 && end_of(st2) == 0, "their streams are closed");
	close(st);
	close(st2);
	close(raw);
	flush_authd(&d);
	get(fd, "/again");
	grant_no(&d, 404, "support session not found");
	is_int(status_of(answer(fd)), 404, "the token is asked for again");

	/* 60 s, and in use asked for before that. */
	get(fd, "/renew");
	grant_yes(&d, 20);
	st = stream_yes(&d);
	(void)request_at(st);
	put(st, "OK\n" OK_LENGTH("0"));
	(void)answer(fd);
	drive_clock(&d, 9000);
	get(fd, "/renew");
	(void)request_at(st);
	put(st, OK_LENGTH("0"));
	(void)answer(fd);
	ok(is_quiet(d.authd, 20), "a young grant is not asked for again");
	for (i = 0; i < 4; i++) {
		drive_clock(&d, 9000);
		get(fd, "/renew");
		(void)request_at(st);
		put(st, OK_LENGTH("0"));
		(void)answer(fd);
	}
	grant_yes(&d, 21);
	flush_authd(&d);
	drive_clock(&d, 9000);
	get(fd, "/renewed");
	(void)request_at(st);
	put(st, OK_LENGTH("0"));
	is_int(status_of(answer(fd)), 200,
	    "a grant in use is renewed and its stream goes on");
	drive_clock(&d, 61000);
	get(fd, "/late");
	grant_no(&d, 401, "invalid proxy token");
	is_int(status_of(answer(fd)), 401,
	    "operator-34(partial): after 60 s it is asked again");
	is_int(end_of(st), 0, "and its idle stream is gone");
	close(st);
	close(fd);
	flush_authd(&d);
}

static void
authd_goes(void)
{
	int	 fd = browser(&d, 0), fd2 = browser(&d, 0), st;
	char	*a;

	st = open_stream(&d, fd, "/run", 30);
	(void)request_at(st);
	get(fd2, "/wait");
	(void)hear_next(d.authd, stream_open, NULL);
	shut(&d.authd);
	is_int(status_of(answer(fd2)), 503, "authd goes: waiting ones get 503");
	put(st, "OK\n" OK_LENGTH("4") "done");
	a = answer(fd);
	is_str(body_of(a), "done", "authd goes: running streams go on");
	is_int(end_of(st), 0, "authd goes: and are not kept");
	close(st);
	get(fd, "/none");
	is_int(status_of(answer(fd)), 503, "no authd: 503");
	drive_channel(&d);
	st = open_stream(&d, fd, "/back", 1);
	(void)request_at(st);
	put(st, "OK\n" OK_LENGTH("0"));
	is_int(status_of(answer(fd)), 200, "a new authd is asked for all");
	/* Malformed tables and answers. */
	say(d.authd, services_end);
	ok(hear_end(d.authd) == 0,
	    "a table's end without a beginning ends the channel");
	close(st);
	drive_channel(&d);
	get(fd, "/fd");
	grant_yes(&d, 2);
	say_id(d.authd, hear_next(d.authd, stream_open, NULL)->id,
	    stream_opened, .stream = 1);
	is_int(status_of(answer(fd)), 503, "STREAM_OPENED without a stream");
	ok(hear_end(d.authd) == 0, "ends the channel");
	drive_channel(&d);
	close(fd);
	close(fd2);
}

/* A session's streams must not lie idle beyond what authd allows. */
static void
many(void)
{
	enum { N = 40 };
	int	 fd[N], st[N], i, closed = 0;

	for (i = 0; i < N; i++) {
		fd[i] = browser(&d, 0);
		st[i] = open_stream(&d, fd[i], "/m", i == 0 ? 3 : 0);
	}
	for (i = 0; i < N; i++) {
		(void)request_at(st[i]);
		put(st[i], "OK\n" OK_LENGTH("1") "m");
	}
	for (i = 0; i < N; i++)
		if (status_of(answer(fd[i])) != 200)
			diag("answer %d", i);
	drive_clock(&d, 300);
	drive_clock(&d, 300);
	for (i = 0; i < N; i++)
		closed += !is_quiet(st[i], 20);
	is_int(closed, N - 32,
	    "operator-51(partial): half the cap may lie idle");
	for (i = 0; i < N; i++) {
		close(fd[i]);
		close(st[i]);
	}
}

int
main(void)
{
	struct conf	cf;

	proxyd_conf(&cf);
	drive_start(&d, ROLE_PROXYD, &cf);
	grant_first(&d);
	odd_answers();
	errors();
	upgrades();
	grants_end();
	authd_goes();
	many();
	ok(!drive_logged(&d, proxy_token(SESSION, "one")) &&
	    !drive_logged(&d, "support_proxy_"),
	    "operator-63(partial): no token or cookie in the log");
	is_int(drive_leave(&d), 0, "proxyd ends well");
	return (done_testing());
}
