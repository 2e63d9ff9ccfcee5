/* SPDX-License-Identifier: ISC */
/*
 * What one may have of what all share: a broken proxyd, a system, an operator
 * takes from himself, not from the others.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "regress/lib/authd_story.h"
#include "regress/lib/tap.h"

#define ADMIT_MAX	8192
#define TERMS_ONE	64
#define TCPS_ONE	64
#define TCPS_SESSION	48
#define CLASS_FULL	96
#define GRANTS		1500
#define RATE		10		/* attempts per address, and per slot */

static struct far	*proxyd, *control;
static struct rows	 rows;
static char		*token;

/* How many of `n` are let in; the parent hears of each first. */
static int
admit_many(struct far *p, const char *addr, int n, int *status)
{
	struct msg_admitted	in;
	uint64_t		nonce;
	int			i;

	for (i = 0; i < n; i++) {
		if ((nonce = admit(p, addr, status)) == 0)
			break;
		(void)hear(parent.fd, admitted, &in);
		if (in.nonce != nonce || in.class != CLASS_TUNNEL ||
		    in.instance != 0)
			break;
	}
	return (i);
}

static void
places(void)
{
	struct far	*bad = drive_spawn(ROLE_PROXYD, 0);
	char		 addr[ADDR_SIZE];
	int		 i, n = 0, status = 0;

	drive_sync(control);
	for (i = 0; status == 0 && i < ADMIT_MAX; i++) {
		snprintf(addr, sizeof(addr), "10.1.%d.%d", i / 250, i % 250);
		n += admit_many(bad, addr, 1, &status);
	}
	is_int(n, ADMIT_MAX / 2, "a proxyd's connections on their way: half "
	    "of the places when there are two");
	is_int(status, 503, "then it hears 503");
	is_int(admit_many(proxyd, "192.0.2.1", 5, &status), 5,
	    "another proxyd's are let in");
	far_close(bad);
	drive_sync(control);
	is_int(stat_of(control, "admissions"), 5, "what it held goes with it");
	drive_clock(&authd, 60001);
}

static void
addresses(void)
{
	struct far	*bad = drive_spawn(ROLE_PROXYD, 0);
	int		 status = 0;

	drive_sync(control);
	is_int(admit_many(bad, "203.0.113.9", 100, &status), RATE,
	    "attempts of the address that a proxyd names");
	is_int(status, 429, "then it is shut out there");
	is_int(admit_many(proxyd, "203.0.113.9", 100, &status), RATE / 2,
	    "half of them are left to it at another proxyd");
	far_close(bad);
	drive_sync(control);
	is_int(admit_many(proxyd, "203.0.113.9", 100, &status), RATE / 2,
	    "with the proxyd its count goes");
	drive_clock(&authd, 60001);
}

/* Wrong secrets under another's key and address. */
static void
secrets(void)
{
	struct far	*bad = drive_spawn(ROLE_PROXYD, 0);
	struct tunnel	 t, lie;
	char		 addr[ADDR_SIZE] = "203.0.113.20";
	int		 i;

	system_add(control, &t, "");
	lie = t;
	lie.secret[strlen(lie.secret) - 1] ^= 1;
	for (i = 0; i < RATE; i++) {
		login(bad, &lie, "", "", addr);
		far_close(lie.mux);
	}
	is_int(lie.status, 401, "a broken proxyd tries wrong secrets");
	drive_clock(&authd, 1);
	login(proxyd, &t, "", "", addr);
	is_int(t.status, 0, "the system itself still gets in elsewhere");
	far_close(t.mux);
	far_close(bad);
	drive_clock(&authd, 60001);
}

static uint64_t	last_stream;		/* terminal()'s */

/* Has authd left it? */
static int
has_ended(const struct far *f)
{
	struct pollfd	pfd = { f->fd, POLLIN, 0 };

	return (poll(&pfd, 1, WAIT_MS) == 1 && (pfd.revents & POLLHUP) != 0);
}

/* Terminals of one operator, each with a ticket and a termd. */
static int
terminal(struct far *p, const struct tunnel *t, struct far **termd)
{
	struct api		a = { .token = token, .session = t->session };
	struct msg_admitted	in;
	struct msg_term_stream	got;
	struct imsg		m;

	*termd = NULL;
	if (api(p, API_TERMINAL_TICKET, &a) != 200)
		bail("no ticket");
	say_id(p->fd, next_id(p), admit, .class = CLASS_TERMINAL,
	    .addr = "192.0.2.50", .session = t->session,
	    .ticket = api_str("ticket"));
	(void)hear(p->fd, admitted, &in);
	if (in.status == 0) {
		*termd = drive_spawn(ROLE_TERMD, in.nonce);
		shut(&hear((*termd)->fd, term_stream, &got)->fd);
		last_stream = got.stream;
		(void)hear_maybe(t->mux->fd, IMSG_STREAM_BRIDGE, &m, WAIT_MS);
		shut(&m.fd);
	}
	return (in.status);
}

static void
terminals(void)
{
	static struct tunnel	 t[2];
	static struct far	*termd[TERMS_ONE + 1], *other, *none;
	static uint64_t		 streams[TERMS_ONE + 1];
	char			*alice = token;
	int			 i, status = 0;

	for (i = 0; i < 2; i++) {
		system_add(control, &t[i], "");
		login(proxyd, &t[i], "", "", i == 0 ? "192.0.2.60" :
		    "192.0.2.61");
		up(&t[i], 1);
	}
	for (i = 0; i <= TERMS_ONE && status == 0; i++) {
		status = terminal(proxyd, &t[i % 2], &termd[i]);
		streams[i] = last_stream;
	}
	is_int(i, TERMS_ONE + 1, "terminals of one operator");
	is_int(status, 429, "then he is refused");
	token = operator_token(control, "bob", "", "owner", "");
	is_int(terminal(proxyd, &t[0], &other), 0, "another operator is not");
	far_close(other);
	free(token);
	token = alice;
	other = termd[1];
	say(t[1].mux->fd, stream_end, .stream = streams[1], .why = END_CLEAN);
	drive_sync(control);
	is_int(terminal(proxyd, &t[0], &termd[1]), 0, "one that is over makes "
	    "room, also while its worker waits for the browser");
	is_int(terminal(proxyd, &t[0], &none), 429, "and once");
	drive_clock(&authd, 5001);
	ok(has_ended(other), "a worker whose place is wanted has to go");
	far_close(other);
	far_close(termd[0]);
	drive_sync(control);
	is_int(terminal(proxyd, &t[0], &termd[0]), 0,
	    "one that ends makes room");
	for (i = 0; i < TERMS_ONE; i++)
		far_close(termd[i]);
	far_close(t[0].mux);
	far_close(t[1].mux);
	drive_clock(&authd, 60001);
}

/* TCP connections of one session, of alice. */
static int
tcp(struct far *p, const struct tunnel *t, struct far **tcpd)
{
	struct api		a = { .token = token, .session = t->session,
				    .service = "s0" };
	struct msg_admitted	in;
	struct imsg		m;

	*tcpd = NULL;
	if (api(p, API_TCP_TICKET, &a) != 200)
		bail("no ticket");
	say_id(p->fd, next_id(p), admit, .class = CLASS_TCP,
	    .addr = "192.0.2.50", .session = t->session, .service = "s0",
	    .ticket = api_str("ticket"));
	(void)hear(p->fd, admitted, &in);
	if (in.status == 0) {
		*tcpd = drive_spawn(ROLE_TCPD, in.nonce);
		shut(&hear((*tcpd)->fd, term_stream, NULL)->fd);
		(void)hear_maybe(t->mux->fd, IMSG_STREAM_BRIDGE, &m, WAIT_MS);
		shut(&m.fd);
	}
	return (in.status);
}

static void
tcps(void)
{
	static struct far	*tcpd[TCPS_SESSION + 1], *other;
	struct tunnel		 t;
	int			 i, status = 0;

	system_add(control, &t, "");
	login(proxyd, &t, "", "", "192.0.2.62");
	up(&t, 1);
	for (i = 0; i <= TCPS_SESSION && status == 0; i++)
		status = tcp(proxyd, &t, &tcpd[i]);
	is_int(i, TCPS_SESSION + 1, "TCP connections of one session");
	is_int(status, 429, "then it is 429");
	is_int(terminal(proxyd, &t, &other), 0, "a terminal is another thing");
	far_close(other);
	far_close(tcpd[0]);
	drive_sync(control);
	is_int(tcp(proxyd, &t, &tcpd[0]), 0, "one that ends makes room");
	for (i = 0; i < TCPS_SESSION; i++)
		far_close(tcpd[i]);
	far_close(t.mux);
	drive_clock(&authd, 60001);
}

static void
report(struct far *mux, size_t len)
{
	static char	text[524288];

	memset(text, 'x', sizeof(text));
	report_say(mux, text, len);
	is_int(lend(mux, 0), 0, "a report of %zu bytes is read", len);
}

static long long
kept(const struct tunnel *t)
{
	return (world_sql("SELECT ifnull(length(diagnostics), 0) FROM "
	    "support_sessions WHERE id = '%s'", t->session));
}

/* With 16 MiB a system may keep 512 KiB: one whole report. */
static void
diagnostics(void)
{
	struct tunnel	t[3];

	system_add(control, &t[0], "");
	t[1] = t[0];
	system_add(control, &t[2], "");
	login(proxyd, &t[0], "1", "", "192.0.2.70");
	login(proxyd, &t[1], "2", "", "192.0.2.70");
	login(proxyd, &t[2], "", "", "192.0.2.70");
	up(&t[0], 1);
	up(&t[1], 1);
	up(&t[2], 1);
	report(t[0].mux, 524288);
	report(t[1].mux, 100);
	report(t[2].mux, 524288);
	drive_sync(control);
	is_int(kept(&t[0]), 524288, "a system's diagnostics are kept");
	is_int(kept(&t[1]), 0, "those of another session of it are too many");
	is_int(kept(&t[2]), 524288, "another system's are kept");
	ctl(control, &rows, CTL_CLOSE, t[0].session, CTL_END);
	rows_free(&rows);
	report(t[1].mux, 100);
	drive_sync(control);
	is_int(kept(&t[0]), 0, "they go with their session");
	is_int(kept(&t[1]), 100, "and make room for the next");
	far_close(t[0].mux);
	far_close(t[1].mux);
	far_close(t[2].mux);
}

/* 48 sessions with the largest report, one after the other: 24 MiB of 16. */
static void
flood(void)
{
	static char	text[524288];
	struct tunnel	t;
	int		i, in = 0;

	memset(text, 'x', sizeof(text));
	system_add(control, &t, "");
	for (i = 0; i < 48; i++) {
		if (i % RATE == 0)
			drive_clock(&authd, 60001);
		login(proxyd, &t, "", "", "192.0.2.80");
		if (t.status != 0)
			break;
		in++;
		up(&t, 1);
		report_say(t.mux, text, sizeof(text));
		(void)lend(t.mux, 0);
		ctl(control, &rows, CTL_CLOSE, t.session, CTL_END);
		rows_free(&rows);
		far_close(t.mux);
	}
	is_int(in, 48, "a system that fills the store still logs in");
	ok(world_sql("PRAGMA page_count") * 4096 <= 16 << 20,
	    "and the store is within its limit");
}

/* Whose access is taken has many grants: others are heard between. */
static void
rechecks(void)
{
	struct api		a = { .token = token, .service = "s0" };
	struct msg_granted	in;
	struct tunnel		t;
	char			org[ID_SIZE], proxy[TOKEN_SIZE], slug[SLUG_SIZE];
	size_t			i, n = 0;
	unsigned long		left;

	org_add(control, "Nobody", "customer", "", org);
	system_add(control, &t, "");
	login(proxyd, &t, "", "", "192.0.2.90");
	up(&t, 1);
	a.session = t.session;
	if (api(proxyd, API_PROXY_TOKEN, &a) != 200)
		bail("no proxy token");
	strlcpy(proxy, api_str("token"), sizeof(proxy));
	for (i = 0; t.session[i] != '\0'; i++)
		if (t.session[i] != '-')
			slug[n++] = t.session[i];
	slug[n] = '\0';
	for (i = 0; i < GRANTS; i++) {
		say_id(proxyd->fd, next_id(proxyd), grant, .token = proxy,
		    .slug = slug, .addr = "192.0.2.99");
		(void)hear(proxyd->fd, granted, &in);
		if (in.status != 0)
			bail("no grant: %s", in.message);
	}
	world_sql("INSERT INTO revocations (kind, id, until) VALUES ('user', "
	    "'alice', 9000000000000)");
	ctl(control, &rows, CTL_ORG_REMOVE, org, CTL_END);
	rows_free(&rows);
	left = stat_of(control, "grants");
	ok(left > GRANTS / 2, "somebody is heard while grants are looked at "
	    "again: %lu are left", left);
	for (i = 0; i < 20 * GRANTS && left > 0; i++)
		left = stat_of(control, "grants");
	is_int(left, 0, "all end");
	world_sql("DELETE FROM revocations");
	far_close(t.mux);
}

/*
 * Three quarters of the workers of a class belong to one organization: the rest
 * is for others, and of those each has a few.
 */
static void
crowd(void)
{
	static struct far	*tcpd[CLASS_FULL];
	static struct tunnel	 t[3];
	struct far		*other;
	char			*alice = token, *of[3], org[2][ID_SIZE];
	int			 i, n = 0, status = 0;

	org_add(control, "One", "customer", "", org[0]);
	org_add(control, "Two", "customer", "", org[1]);
	for (i = 0; i < 3; i++) {
		system_add(control, &t[i], org[i == 2]);
		login(proxyd, &t[i], "", "", "192.0.2.63");
		up(&t[i], 1);
		of[i] = operator_token(control, i == 0 ? "carol" : i == 1 ?
		    "dave" : "bob", org[i == 2], "owner", "");
	}
	while (n < CLASS_FULL && status == 0) {
		token = of[n >= TCPS_ONE];
		if ((status = tcp(proxyd, &t[n >= TCPS_SESSION], &tcpd[n])) ==
		    0)
			n++;
	}
	is_int(n, CLASS_FULL / 4 * 3, "one organization has three quarters");
	is_int(status, 429, "then it is 429");
	is_int(tcp(proxyd, &t[2], &other), 429,
	    "also in another's session");
	token = of[2];
	is_int(tcp(proxyd, &t[1], &other), 429,
	    "also for another's operator, in its sessions");
	is_int(tcp(proxyd, &t[2], &other), 0,
	    "another organization has a place");
	far_close(other);
	token = alice;
	for (i = 0; i < n; i++)
		far_close(tcpd[i]);
	for (i = 0; i < 3; i++) {
		far_close(t[i].mux);
		free(of[i]);
	}
	drive_clock(&authd, 60001);
}

int
main(void)
{
	authd_init();
	drive_conf.rate_address = RATE;
	drive_conf.rate_slot = RATE;
	drive_conf.ticket_rate = 1000;
	drive_conf.startups_full = CLASS_FULL;
	drive_conf.max_streams = 100;
	drive_conf.store_max = 16 << 20;
	authd_scene(&control, &proxyd, &token);
	places();
	addresses();
	secrets();
	terminals();
	tcps();
	crowd();
	diagnostics();
	flood();
	rechecks();
	is_int(authd_scene_end(control, proxyd, token), 0,
	    "authd stops in order");
	return (done_testing());
}
