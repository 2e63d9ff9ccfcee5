/* SPDX-License-Identifier: ISC */
/* authd's limits: below, at, above; and that what is above harms nobody. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "regress/lib/authd_story.h"
#include "base/compat.h"
#include "regress/lib/tap.h"

static struct far	*proxyd, *control;
static struct rows	 rows;
static char		*token;
static struct tunnel	 tun;

static void
credits(void)
{
	static struct tunnel	t[64];
	unsigned long		total = stat_of(control, "credit_total_mib"), sum = 0;
	int			i;

	ok(total > 0, "an eighth of memory: %lu MiB", total);
	is_int(lend(tun.mux, 5), 5, "5 MiB are lent");
	is_int(stat_of(control, "credit_leased_mib"), 5, "and counted");
	say(tun.mux->fd, credit_back, .mib = 4000000);
	is_int(lend(tun.mux, 0), 0, "more given back than lent");
	is_int(stat_of(control, "credit_leased_mib"), 0, "counts as what was lent");
	system_add(control, &t[0], "");
	for (i = 1; i < 64 && sum < total; i++) {
		char	node[16];

		t[i] = t[0];
		snprintf(node, sizeof(node), "%d", i);
		login(proxyd, &t[i], node, "", "192.0.2.1");
		up(&t[i], 0);
		sum += lend(t[i].mux, 4000000);
	}
	ok(sum == total / 4 || i == 64, "no more than a quarter for one "
	    "system: %lu MiB", sum);
	is_int(lend(tun.mux, 1), 1, "another one still has some");
	say(tun.mux->fd, credit_back, .mib = 1);
	while (--i >= 1)
		far_close(t[i].mux);
	drive_sync(control);
	is_int(stat_of(control, "credit_leased_mib"), 0,
	    "what a lost tunnel had is free again");
}

static void
service(struct far *mux, const char *name, const char *target,
    const char *host, const char *path)
{
	say(mux->fd, service, .name = name, .target = target, .host = host,
	    .tls = 1, .label = "Label \xc3\xa9", .path = path,
	    .module_id = "m1", .node_id = "1");
}

static void
tables(void)
{
	static const struct {
		const char	*name, *target, *host, *path;
		int		 kept;
	} v[] = {
		{ "good", "127.0.0.1:80", "", "", 1 },
		{ "with.dots-and_1", "10.0.0.1:1", "a.example.org", "/p", 1 },
		{ "name", "host.invalid:65535", "x:1", "", 1 },
		{ "terminal", "127.0.0.1:80", "", "", 0 },
		{ "-bad", "127.0.0.1:80", "", "", 0 },
		{ "bad name", "127.0.0.1:80", "", "", 0 },
		{ "bad\nname", "127.0.0.1:80", "", "", 0 },
		{ "meta", "169.254.169.254:80", "", "", 0 },
		{ "meta6", "[::ffff:169.254.169.254]:80", "", "", 0 },
		{ "metaname", "metadata.google.internal:80", "", "", 0 },
		{ "noport", "127.0.0.1", "", "", 0 },
		{ "port0", "127.0.0.1:0", "", "", 0 },
		{ "badhost", "127.0.0.1:80", "a b", "", 0 },
		{ "badhost2", "127.0.0.1:80", "-a", "", 0 },
		{ "badpath", "127.0.0.1:80", "", "/a b", 0 },
		{ "good", "127.0.0.1:81", "", "", 0 },
	};
	struct api	a = { .token = token, .session = tun.session };
	size_t		i, n = sizeof(v) / sizeof(v[0]);
	char		want[80];

	say(tun.mux->fd, services_begin, .version = 2, .count = (uint32_t)n);
	for (i = 0; i < n; i++)
		service(tun.mux, v[i].name, v[i].target, v[i].host, v[i].path);
	say(tun.mux->fd, services_end);
	lend(tun.mux, 0);
	is_int(api(proxyd, API_SERVICES, &a), 200, "the table");
	for (i = 0; i < n - 1; i++) {
		snprintf(want, sizeof(want), "\"%s\":{", v[i].name);
		is_int(strstr(api_data, want) != NULL, v[i].kept,
		    "tunnel-30(partial): entry %zu is %s", i,
		    v[i].kept ? "kept" : "left out");
	}
	ok(strstr(api_data, "127.0.0.1:81") == NULL,
	    "tunnel-30(partial): the first of two with one name");
}

static void
big_table(void)
{
	struct api	a = { .token = token };
	struct tunnel	t;
	char		name[32];
	int		i;

	system_add(control, &t, "");
	login(proxyd, &t, "", "", "192.0.2.1");
	up(&t, 0);
	a.session = t.session;
	say(t.mux->fd, services_begin, .version = 1, .count = 500);
	for (i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		service(t.mux, name, "127.0.0.1:80", "", "/");
	}
	say(t.mux->fd, services_end);
	lend(t.mux, 0);
	is_int(api(proxyd, API_SERVICES, &a), 200, "500 services");
	ok(strstr(api_data, "\"s499\"") != NULL,
	    "tunnel-29(partial): 500 are kept, over several chunks");
	ctl(control, &rows, CTL_SHOW_SERVICES, t.session, CTL_END);
	is_int(rows.n, 501, "show services lists them");
	rows_free(&rows);
	far_close(t.mux);
}

static long long
stored(long long want)
{
	return (sql_becomes(want, "SELECT ifnull(length(diagnostics), 0) FROM "
	    "support_sessions WHERE id = '%s'", tun.session));
}

static void
reports(void)
{
	static char	big[524288];

	memset(big, 'x', sizeof(big));
	report_say(tun.mux, "{\"a\":1}", 7);
	drive_sync(control);
	is_int(stored(7), 7, "diagnostics are stored");
	report_say(tun.mux, "{\"a\":22}", 8);
	drive_sync(control);
	is_int(stored(7), 7,
	    "tunnel-34(partial): a second one within 30 s is ignored");
	far_close(tun.mux);
	login(proxyd, &tun, "", "", "192.0.2.1");
	up(&tun, 1);
	report_say(tun.mux, "{\"a\":22}", 8);
	drive_sync(control);
	is_int(stored(7), 7,
	    "tunnel-34(partial): also after a reconnect");
	drive_clock(&authd, 30001);
	report_say(tun.mux, big, sizeof(big));
	is_int(stored(524288), 524288,
	    "tunnel-34(partial): 512 KiB after 30 s are stored");
}

/* Two logins of one slot in one turn of the loop. */
static void
at_once(void)
{
	struct tunnel	a, b, *first, *second;
	struct pollfd	pfd[2];
	struct imsg	m;
	uint64_t	na, nb;

	system_add(control, &a, "");
	b = a;
	na = admit(proxyd, "192.0.2.1", NULL);
	nb = admit(proxyd, "192.0.2.1", NULL);
	login_say(&a, na, "", "", "192.0.2.1");
	login_say(&b, nb, "", "", "192.0.2.1");
	pfd[0].fd = a.mux->fd;
	pfd[1].fd = b.mux->fd;
	pfd[0].events = pfd[1].events = POLLIN;
	(void)poll(pfd, 2, 5000);
	first = pfd[0].revents != 0 ? &a : &b;
	second = first == &a ? &b : &a;
	login_wait(first);
	/* In a later turn the winner was asked, in the same one it was not. */
	if (first->status == 0 &&
	    hear_any(first->mux->fd, &m, 50) == IMSG_PROBE) {
		say_id(first->mux->fd, m.id, alive, .alive = 1);
	}
	login_wait(second);
	ok((a.status == 0) != (b.status == 0),
	    "operator-59(partial): one of two at once is in");
	is_int(a.status + b.status, 409,
	    "operator-59(partial): the other is not");
	is_int(world_sql("SELECT count(*) FROM support_sessions WHERE "
	    "system_id = '%s'", a.system), 1,
	    "operator-59(partial): and there is one session");
	far_close(a.mux);
	far_close(b.mux);
}

/* The store refuses in the middle of a login: as if nobody had come. */
static void
no_room(void)
{
	struct tunnel	t, u;

	system_add(control, &t, "");
	u = t;
	world_sql("CREATE TRIGGER full BEFORE INSERT ON support_sessions "
	    "BEGIN SELECT RAISE(ABORT, 'full'); END");
	login(proxyd, &t, "", "", "192.0.2.1");
	is_int(t.status, 503,
	    "operator-59(partial): a store that cannot write: 503");
	ok(t.retry > 0, "with Retry-After");
	far_close(t.mux);
	is_int(get_none(tun.mux, IMSG_CLOSE), 0,
	    "operator-59(partial): tunnels stay");
	world_sql("DROP TRIGGER full");
	login(proxyd, &u, "", "", "192.0.2.1");
	is_int(u.status, 0, "and then it works");
	up(&u, 0);
	drive_sync(control);
	/* The end of a session does not wait for the store. */
	world_sql("CREATE TRIGGER full BEFORE UPDATE ON support_sessions "
	    "BEGIN SELECT RAISE(ABORT, 'full'); END");
	is_int(ctl(control, &rows, CTL_CLOSE, u.session, CTL_END), 503,
	    "close with a store that cannot write: 503");
	rows_free(&rows);
	{

		(void)hear(u.mux->fd, close, NULL);
		ok(1, "but the tunnel is told at once");
	}
	is_int(world_sql("SELECT count(*) FROM support_sessions WHERE id = "
	    "'%s' AND status = 'active'", u.session), 1,
	    "while the row waits");
	world_sql("DROP TRIGGER full");
	drive_clock(&authd, 1100);
	is_int(sql_becomes(1, "SELECT count(*) FROM support_sessions WHERE "
	    "id = '%s' AND status = 'closed' AND closed_by = 'operator'",
	    u.session), 1, "and is written when the store is back");
	far_close(u.mux);
}

static void
admissions(void)
{
	int	i, status = 0;

	for (i = 0; i < 8300; i++) {
		(void)admit(proxyd, "192.0.2.1", &status);
		if (status != 0)
			break;
	}
	ok(i >= 8190 && i <= 8192, "8192 connections on their way: %d", i);
	is_int(status, 503, "the next: 503");
	drive_clock(&authd, 30001);
	ok(admit(proxyd, "192.0.2.1", &status) != 0 && status == 0,
	    "those that never came make room");
}

static void
tickets(void)
{
	struct api	a = { .token = token, .session = tun.session };
	int		i, status = 200;

	for (i = 0; i < 4200 && status == 200; i++)
		status = api(proxyd, API_TERMINAL_TICKET, &a);
	ok(i >= 1024 && i <= 1026, "1024 tickets of one operator: %d", i);
	is_int(status, 503, "the next: 503");
	a.token = operator_token(control, "bob", "", "owner", "");
	is_int(api(proxyd, API_TERMINAL_TICKET, &a), 200,
	    "another operator gets one");
	free((char *)(uintptr_t)a.token);
	ctl(control, &rows, CTL_CLOSE, tun.session, CTL_END);
	rows_free(&rows);
	is_int(stat_of(control, "tickets"), 0, "they go with their session");
}

/* What they hear by now: how often, and the last. */
static int
told(unsigned *last)
{
	struct msg_pairings	 in;
	struct imsg		 m;
	int			 n = 0;

	drive_sync(control);
	while (hear_maybe(proxyd->fd, IMSG_PAIRINGS, &m, 100) == 1) {
		if (get_pairings(&m, &in) == -1)
			bail("not PAIRINGS");
		*last = in.sessions;
		n++;
	}
	return (n);
}

/* A paird that is broken says without end that it has changed. */
static void
pairings(void)
{
#define STATES	2000
	struct far	*paird = drive_spawn(ROLE_PAIRD, 0);
	unsigned	 last = 0;
	int		 i, n;

	say(paird->fd, pair_state, .sessions = 5);
	is_int(told(&last), 1, "the first word is passed on");
	is_int(last, 5, "at once");
	for (i = 1; i <= STATES; i++)
		say(paird->fd, pair_state, .sessions = (uint32_t)(i % 2 + 1));
	say(paird->fd, pair_state, .sessions = 7);
	n = told(&last);
	drive_clock(&authd, 1001);
	n += told(&last);
	ok(n > 0 && n < STATES / 10, "of what follows one a second: %d", n);
	is_int(last, 7, "and never not the last");
	far_close(paird);
	drive_clock(&authd, 1001);
	ok(told(&last) > 0 && last == 0, "nor that it is gone");
}

int
main(void)
{
	authd_init();
	drive_conf.ticket_rate = 1000000;
	/* On a slow machine the first would be too old before the last. */
	drive_conf.ticket_lifetime = 300;
	drive_conf.max_sessions = 100;
	authd_scene(&control, &proxyd, &token);
	system_add(control, &tun, "");
	login(proxyd, &tun, "", "", "192.0.2.1");
	up(&tun, 0);
	credits();
	tables();
	big_table();
	reports();
	at_once();
	no_room();
	admissions();
	tickets();
	pairings();
	is_int(authd_scene_end(control, proxyd, token), 0,
	    "authd stops in order");
	far_close(tun.mux);
	return (done_testing());
}
