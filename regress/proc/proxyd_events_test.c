/* SPDX-License-Identifier: ISC */
/*
 * The stream of events at proxyd: who reads it, who does not, and an authd that
 * lies.
 */
#include <sys/socket.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "regress/lib/proxyd_story.h"
#include "regress/lib/tap.h"

#define OTHER	"11111111-3e4f-5061-7283-94a5b6c7d8e9"

static struct drive	d;

/* A stream that has begun: its call's id. */
static uint32_t
follow(int fd, const char *method, const char *version)
{
	uint32_t	id;

	put(fd, "%s /api/events %s\r\nHost: a\r\nAuthorization: Bearer "
	    "sometoken\r\n\r\n", method, version);
	id = hear_next(d.authd, api, NULL)->id;
	say_id(d.authd, id, api_result, .status = 200, .message = "");
	return (id);
}

static void
session(uint32_t id)
{
	say_id(d.authd, id, event, .kind = EVENT_SESSION, .session = SESSION,
	    .system = "sys-1");
}

static int
is_gone(uint32_t id)
{
	struct msg_api_gone	gone;

	(void)hear(d.authd, api_gone, &gone);
	return (gone.call == id);
}

static void
words(void)
{
	uint32_t	id, other;
	char		*got;
	int		 fd = browser(&d, 0), fd2 = browser(&d, 0), r;

	id = follow(fd, "GET", "HTTP/1.1");
	(void)get_until(fd, "retry: 2000\n\n\r\n");
	other = follow(fd2, "GET", "HTTP/1.0");
	ok(strstr(get_until(fd2, "retry: 2000\n\n"), "chunked") == NULL,
	    "HTTP/1.0 has no chunks");
	session(id);
	got = get_until(fd, "\n\n\r\n");
	is_str(got, "60\r\nevent: session\ndata: {\"session_id\":\"" SESSION
	    "\",\"system_id\":\"sys-1\"}\n\n\r\n", "what a session's says");
	say_id(d.authd, other, event, .kind = EVENT_SYSTEM, .session = "",
	    .system = "sys-2");
	is_str(get_until(fd2, "\n\n"), "event: system\ndata: {\"system_id\":"
	    "\"sys-2\"}\n\n", "a system's, to whom it is for alone");
	say_id(d.authd, id, event, .kind = EVENT_ALL, .session = "",
	    .system = "");
	is_str(get_until(fd, "\n\n\r\n"), "15\r\nevent: all\ndata: {}\n\n\r\n",
	    "and that of all");
	drive_clock(&d, 21000);
	is_str(get_until(fd, "\n\n\r\n"), "3\r\n:\n\n\r\n",
	    "a comment when nothing was said for long");
	say_id(d.authd, id, events_end, .why = "revoked");
	is_str(get_until(fd, "0\r\n\r\n"), "0\r\n\r\n", "its end is clean");
	ok(is_gone(id), "authd hears that it is gone");
	session(id);
	r = end_of(fd);
	ok(r == 0, "the connection ends with the stream (%d)", r);
	close(fd);
	(void)get_until(fd2, ":\n\n");
	shutdown(fd2, SHUT_WR);
	is_str(get_until(fd2, "\n\n"), ":\n\n",
	    "a reader that closes its half is spoken to");
	say_id(d.authd, other, event, .kind = EVENT_SYSTEM, .session = "",
	    .system = "sys-3");
	is_str(get_until(fd2, "\n\n"), "event: system\ndata: {\"system_id\":"
	    "\"sys-3\"}\n\n", "and hears on");
	close(fd2);
	drive_clock(&d, 21000);
	ok(is_gone(other), "authd hears of it when it has gone");
	fd = browser(&d, 0);
	id = follow(fd, "GET", "HTTP/1.1");
	close(fd);
	ok(is_gone(id), "and at once of a reader who leaves");
}

static void
head(void)
{
	uint32_t	 id;
	int		 fd = browser(&d, 0);

	id = follow(fd, "HEAD", "HTTP/1.1");
	ok(strstr(get_until(fd, "\r\n\r\n"), "text/event-stream") != NULL,
	    "HEAD has the head");
	ok(is_gone(id), "and no stream is kept for it");
	put(fd, "GET /api/openapi.yaml HTTP/1.1\r\nHost: a\r\n\r\n");
	is_int(status_of(answer(fd)), 200, "the connection goes on");
	close(fd);
}

/* Who takes nothing is cut off, and costs no more than that; others go on. */
static void
unread(void)
{
	uint32_t	id, other, n;
	int		fd = browser(&d, 0), fd2 = browser(&d, 0), size = 4096;
	long		before, more;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	id = follow(fd, "GET", "HTTP/1.1");
	other = follow(fd2, "GET", "HTTP/1.1");
	(void)get_until(fd2, "retry: 2000\n\n\r\n");
	before = drive_kib(&d, "status", "VmRSS");
	for (n = 0; n < 200000 && !drive_logged(&d, "reads no events"); n++) {
		session(id);
		if (n % 1000 == 0)
			flush_authd(&d);
	}
	ok(n < 200000, "who reads nothing is cut off (after %u words)", n);
	more = drive_kib(&d, "status", "VmRSS") - before;
	ok(more < 16384, "and held no memory to speak of (%ld KiB)", more);
	ok(is_gone(id), "authd hears of it");
	session(other);
	ok(strstr(get_until(fd2, "\n\n\r\n"), SESSION) != NULL,
	    "others hear on");
	close(fd);
	close(fd2);
	(void)is_gone(other);
}

/*
 * An authd of another mind: the stream ends, and nobody is told a lie's form.
 */
static void
lies(void)
{
	static const struct {
		uint8_t		 kind;
		const char	*session, *system, *what;
	} t[] = {
		{ EVENT_KINDS, SESSION, "s", "an unknown kind" },
		{ EVENT_SESSION, "x", "s", "a session of another form" },
		{ EVENT_SYSTEM, "", "a\"b", "an id that would end a text" },
		{ EVENT_SYSTEM, "", "a\nevent: x", "one of two lines" },
		{ EVENT_SYSTEM, "", "\xc3\xa4", "one that is not plain" },
	};
	uint32_t	 id;
	char		*got;
	size_t		 i;
	int		 fd;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		fd = browser(&d, 0);
		id = follow(fd, "GET", "HTTP/1.1");
		(void)get_until(fd, "retry: 2000\n\n\r\n");
		say_id(d.authd, id, event, .kind = t[i].kind,
		    .session = t[i].session, .system = t[i].system);
		got = get_until(fd, "0\r\n\r\n");
		is_str(got, "0\r\n\r\n", "%s: the stream ends, and was told "
		    "nothing", t[i].what);
		is_int(hear_end(d.authd), 0, "so does the channel");
		close(fd);
		drive_channel(&d);
		say(d.authd, usable, .yes = 1);
		flush_authd(&d);
	}
	fd = browser(&d, 0);
	id = follow(fd, "GET", "HTTP/1.1");
	(void)get_until(fd, "retry: 2000\n\n\r\n");
	say_id(d.authd, id + 100, event, .kind = EVENT_SESSION,
	    .session = OTHER, .system = "s");
	say_id(d.authd, id + 100, events_end, .why = "x");
	session(id);
	got = get_until(fd, "\n\n\r\n");
	ok(strstr(got, OTHER) == NULL && strstr(got, SESSION) != NULL,
	    "what is for nobody is dropped");
	close(fd);
}

int
main(void)
{
	struct conf	cf;

	proxyd_conf(&cf);
	drive_start(&d, ROLE_PROXYD, &cf);
	words();
	head();
	unread();
	lies();
	ok(!drive_logged(&d, "sometoken"), "no token in the log");
	is_int(drive_leave(&d), 0, "proxyd ends well");
	return (done_testing());
}
