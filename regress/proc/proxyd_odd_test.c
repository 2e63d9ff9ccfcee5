/* SPDX-License-Identifier: ISC */
/* Clients and servers that are old or odd, and mean well. */
#include <sys/socket.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "regress/lib/proxyd_story.h"
#include "regress/lib/tap.h"

static struct drive	d;

/* ---- clients ---- */

/* A request line and fields to the service; the head as it arrives there. */
static const char *
arrives(const char *line, const char *fields)
{
	static char	 text[65536];
	int		 fd = browser(&d, 0), st;

	put(fd, "%s HTTP/1.1\r\nHost: " HOST "\r\nCookie: support_proxy_" SLUG
	    "=%s\r\n%s\r\n", line, proxy_token(SESSION, "one"), fields);
	st = stream_yes(&d);
	snprintf(text, sizeof(text), "%s", request_at(st));
	put(st, "OK\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	if (status_of(answer(fd)) != 200)
		diag("%s: no answer", line);
	close(st);
	close(fd);
	return (text);
}

static int
begins(const char *s, const char *with)
{
	return (strncmp(s, with, strlen(with)) == 0);
}

static void
clients(void)
{
	static const char	frames[] = "\0\0\0\4\0\0\0\0\0\0\0\x20\7";
	const char		*a;
	char			 got[80];
	int			 fd, st;

	ok(begins(arrives("BREW /pot", ""), "BREW /pot HTTP/1.1\r\n"),
	    "an unknown method goes to the service");
	ok(begins(arrives("GET /caf\303\251?\344=1", ""),
	    "GET /caf\303\251?\344=1 HTTP/1.1\r\n"),
	    "bytes above ASCII go as they are");
	a = arrives("POST /x", "Connection: Upgrade, HTTP2-Settings\r\n"
	    "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
	    "Content-Length: 0\r\n");
	ok(begins(a, "POST /x HTTP/1.1\r\n") && strstr(a, "Upgrade") == NULL &&
	    strstr(a, "Settings") == NULL,
	    "Upgrade: h2c is an ordinary request");
	a = arrives("GET /x", "Connection: upgrade\r\nUpgrade: tls/1.0\r\n");
	ok(strstr(a, "pgrade") == NULL, "no service sees another upgrade");

	fd = browser(&d, 0);
	put(fd, "GET /ws HTTP/1.1\r\nHost: " HOST "\r\nCookie: support_proxy_"
	    SLUG "=%s\r\nConnection: Upgrade\r\nUpgrade: h2c, WebSocket\r\n\r\n",
	    proxy_token(SESSION, "one"));
	st = stream_yes(&d);
	is_str(header_of(request_at(st), "upgrade", 0), "websocket",
	    "of a list of upgrades it sees WebSocket");
	put(st, "OK\nHTTP/1.1 101 Over\r\nConnection: Upgrade\r\n"
	    "Upgrade: h2c\r\n\r\n");
	is_int(status_of(answer(fd)), 502, "and may take up no other");
	close(st);
	close(fd);

	fd = browser(&d, 0);
	put(fd, "POST /api/support-sessions HTTP/1.1\r\nHost: a\r\n"
	    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
	    "HTTP2-Settings: AAMAAABk\r\nContent-Length: 0\r\n\r\n");
	is_int(status_of(answer(fd)), 404, "h2c to the API is no upgrade");
	close(fd);
	fd = browser(&d, 0);
	put(fd, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	(void)shutdown(fd, SHUT_WR);
	memset(got, 0, sizeof(got));
	ok(recv(fd, got, sizeof(got), MSG_WAITALL) > 40 &&
	    memcmp(got, frames, sizeof(frames) - 1) == 0,
	    "HTTP/2 unasked: SETTINGS and GOAWAY");
	ok(got[25] == 0xd && memcmp(got + 26, "HTTP/1.1", 8) == 0,
	    "with HTTP_1_1_REQUIRED");
	is_int(end_of(fd), 0, "and the end");
	close(fd);
}

int
main(void)
{
	struct conf	cf;
	int		fd;

	proxyd_conf(&cf);
	drive_start(&d, ROLE_PROXYD, &cf);
	fd = browser(&d, 0);
	close(open_stream(&d, fd, "/", 7));
	(void)answer(fd);
	close(fd);
	clients();
	is_int(drive_leave(&d), 0, "proxyd ends well");
	return (done_testing());
}
