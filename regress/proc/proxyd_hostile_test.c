/* SPDX-License-Identifier: ISC */
/* The subdomain proxy among services, pages and authds that misbehave. */
#include <sys/socket.h>

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "regress/lib/proxyd_story.h"
#include "regress/lib/tap.h"

#define OK_LENGTH(n)	"HTTP/1.1 200 OK\r\nContent-Length: " n "\r\n\r\n"

static struct drive	d;

/* A service may say 1xx a few times, not for ever. */
static void
interim(void)
{
	static const char	one[] = "HTTP/1.1 103 Early Hints\r\n\r\n";
	int			fd = browser(&d, 0), st, i, r;

	st = open_stream(&d, fd, "/hints", 1);
	(void)request_at(st);
	put(st, "OK\n");
	for (i = 0; i < 60; i++)
		put(st, one);
	put(st, OK_LENGTH("1") "1");
	for (i = 0; i < 60; i++)
		if (status_of(answer(fd)) != 103)
			break;
	is_int(i, 60, "interim answers are passed on");
	is_int(status_of(answer(fd)), 200, "and the final one behind them");
	get(fd, "/flood");
	(void)request_at(st);
	for (i = 0; i < 300; i++)
		put(st, one);
	r = end_of(st);
	ok(r == 0 || r == ECONNRESET,
	    "a service that never gets to the point is cut (%d)", r);
	for (i = 0; i < 300 && answer(fd) != NULL; i++)
		continue;
	ok(i < 300, "and the browser after what went out (%d)", i);
	close(fd);
	close(st);
}

/* What waits for its stream while another configuration comes. */
static void
reload_between(void)
{
	uint8_t		 buf[CHUNK_MAX];
	struct conf	 cf;
	uint32_t	 call;
	int		 fd = browser(&d, 0), sv[2], i;
	long		 n;

	get(fd, "/first");
	call = hear_next(d.authd, stream_open, NULL)->id;
	proxyd_conf(&cf);
	for (i = 0; i < 2; i++) {
		if (i == 0)
			snprintf(cf.proxy_domain, sizeof(cf.proxy_domain),
			    "other.example");
		else
			proxyd_conf(&cf);
		if ((n = conf_pack(&cf, ROLE_PROXYD, buf, sizeof(buf))) == -1)
			bail_out("conf_pack");
		say_id(d.parent, 5, reload, .conf = { buf, (size_t)n });
		(void)hear_next(d.parent, reload_said, NULL);
		say(d.parent, reload_swap);
		drive_clock(&d, 1);
		if (i == 1)
			break;
		stream_pair(sv);
		say_fd(d.authd, call, sv[1], stream_opened, .stream = 900);
		is_int(status_of(answer(fd)), 400,
		    "the domain is another when the stream comes: 400");
	}
	put(fd, "GET /second HTTP/1.1\r\nHost: " HOST "\r\n\r\n");
	is_int(end_of(sv[0]), 0, "its stream is closed");
	is_int(status_of(answer(fd)), 401, "and nobody's without a token");
	close(fd);
	close(sv[0]);
}

/* A table is half here when the last grant of its session ends. */
static void
half_table(void)
{
	int	fd = browser(&d, 0), st;

	st = open_stream(&d, fd, "/half", 70);
	(void)request_at(st);
	say(d.authd, services_begin, .version = 2, .session = SESSION);
	say(d.authd, grant_end, .grant = 70, .why = END_SESSION);
	is_int(status_of(answer(fd)), 502, "its grant is over");
	close(fd);
	drive_clock(&d, 1);
	drive_clock(&d, 1);
	say(d.authd, services_end);
	fd = browser(&d, 0);
	get(fd, "/half");
	grant_yes(&d, 71);
	close(stream_yes(&d));
	is_int(status_of(answer(fd)), 502,
	    "a table's end after its session's is no offence");
	close(fd);
	close(st);
}

/* Others may plant cookies of our name on the parent domain. */
static void
planted(void)
{
	int	 fd, st = -1, i;
	char	*a = NULL;

	for (i = 0; i < 25; i++) {
		fd = browser(&d, 0);
		put(fd, "GET / HTTP/1.1\r\nHost: " HOST "\r\nCookie: "
		    "support_proxy_" SLUG "=junk; support_proxy_" SLUG
		    "=%s\r\n\r\n", proxy_token(SESSION, "one"));
		if (i == 0) {
			grant_no(&d, 401, "invalid proxy token");
			grant_yes(&d, 80);
			st = stream_yes(&d);
			put(st, "OK\n");
		} else if (!is_quiet(d.authd, 5))
			break;
		(void)request_at(st);
		put(st, OK_LENGTH("0"));
		a = answer(fd);
		close(fd);
	}
	is_int(i, 25, "a planted cookie is not asked for again and again");
	is_int(status_of(a), 200, "and locks nobody out");
	if (st != -1)
		close(st);
}

/* More sessions than there is room for are our problem, not authd's. */
static void
crowded(void)
{
	enum { N = 16500 };
	char	 id[UUID_SIZE];
	int	 fd, i;

	for (i = 0; i < N; i++) {
		snprintf(id, sizeof(id), "00000000-0000-0000-0000-%012x", i);
		say(d.authd, services_begin, .version = 1, .session = id);
		say(d.authd, services_end);
	}
	fd = browser(&d, 0);
	put(fd, "GET / HTTP/1.1\r\nHost: web--0000000000000000000000000000"
	    "ffff." DOMAIN "\r\nCookie: support_proxy_0000000000000000000000"
	    "000000ffff=x\r\n\r\n");
	grant_no(&d, 401, "invalid proxy token");
	is_int(status_of(answer(fd)), 401, "too many tables are left out");
	close(fd);
	drive_clock(&d, 31000);
}

int
main(void)
{
	struct conf	cf;

	proxyd_conf(&cf);
	drive_start(&d, ROLE_PROXYD, &cf);
	interim();
	reload_between();
	drive_clock(&d, 61000);
	flush_authd(&d);
	half_table();
	drive_clock(&d, 61000);
	flush_authd(&d);
	planted();
	crowded();
	is_int(drive_leave(&d), 0, "proxyd ends well");
	return (done_testing());
}
