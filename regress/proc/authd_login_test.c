/* SPDX-License-Identifier: ISC */
/* Systems log in: who may, which session they get, how it ends. */
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

static void
begin(void)
{
	authd_start(1);
	control = drive_spawn(ROLE_CONTROL, 0);
	proxyd = drive_spawn(ROLE_PROXYD, 0);
}

static void
end(void)
{
	is_int(authd_stop(), 0, "authd stops in order");
	far_close(proxyd);
	far_close(control);
}

static void
leave(struct tunnel *t)
{
	far_close(t->mux);
	t->mux = NULL;
}

/* The answer to a question means that all before it was seen. */
static void
sync_authd(void)
{
	drive_sync(control);
}

static void
expect_close(struct tunnel *t, int want, const char *what)
{
	struct msg_close	in;

	(void)hear(t->mux->fd, close, &in);
	is_int(in.code, want, "%s", what);
}

static void
credentials(void)
{
	struct tunnel	t, good, bad;
	char		public[64];

	system_add(control, &good, "");
	t = good;
	strlcpy(t.key, "NETH-0000", sizeof(t.key));
	login(proxyd, &t, "", "", "192.0.2.1");
	is_int(t.status, 401, "tunnel-3(partial): unknown key: 401");
	is_str(t.message, "invalid system credentials",
	    "tunnel-3(partial): its message");
	leave(&t);
	t = good;
	t.secret[strlen(t.secret) - 1] ^= 1;
	login(proxyd, &t, "", "", "192.0.2.1");
	is_int(t.status, 401, "tunnel-3(partial): wrong secret: 401");
	leave(&t);
	t = good;
	t.secret[3] = t.secret[3] == 'a' ? 'b' : 'a';
	login(proxyd, &t, "", "", "192.0.2.1");
	is_int(t.status, 401, "tunnel-3(partial): wrong public part: 401");
	leave(&t);

	/* A store that cannot be asked shows what is asked of it. */
	world_sql("ALTER TABLE systems RENAME TO hidden");
	t = good;
	login(proxyd, &t, "", "", "192.0.2.1");
	is_int(t.status, 503, "a store that fails: 503");
	leave(&t);
	strlcpy(public, good.secret + 3, 21);
	bad = good;
	memmove(bad.secret, good.secret + 3, strlen(good.secret) - 2);
	login(proxyd, &bad, "", "", "192.0.2.1");
	is_int(bad.status, 401, "tunnel-5: no my_: 401 without the store");
	leave(&bad);
	snprintf(bad.secret, sizeof(bad.secret), "my_%.20s.a.%.40s", public,
	    good.secret + 24);
	login(proxyd, &bad, "", "", "192.0.2.1");
	is_int(bad.status, 401, "tunnel-5: two dots: 401 without the store");
	leave(&bad);
	snprintf(bad.secret, sizeof(bad.secret), "my_%.20s.%.31s", public,
	    good.secret + 24);
	login(proxyd, &bad, "", "", "192.0.2.1");
	is_int(bad.status, 401, "tunnel-5: 31 characters: 401 without it");
	leave(&bad);
	world_sql("ALTER TABLE hidden RENAME TO systems");

	login(proxyd, &good, "", "", "192.0.2.1");
	is_int(good.status, 0, "the right ones are let in again");
	leave(&good);
}

static void
disabled(void)
{
	struct tunnel	t;
	long long	before;

	system_add(control, &t, "");
	before = world_sql("SELECT count(*) FROM support_sessions");
	ctl(control, &rows, CTL_SYSTEM_DISABLE, t.key, CTL_END);
	login(proxyd, &t, "", "", "192.0.2.1");
	is_int(t.status, 403, "tunnel-6(partial): disabled: 403");
	is_str(t.message, "support is not enabled for this system",
	    "tunnel-6(partial): its message");
	leave(&t);
	ctl(control, &rows, CTL_SYSTEM_ENABLE, t.key, CTL_END);
	world_sql("UPDATE systems SET suspended_at = 1 WHERE system_key = '%s'",
	    t.key);
	login(proxyd, &t, "", "", "192.0.2.1");
	is_int(t.status, 403, "tunnel-6(partial): suspended: 403");
	leave(&t);
	world_sql("UPDATE systems SET suspended_at = NULL "
	    "WHERE system_key = '%s'", t.key);
	login(proxyd, &t, "1a", "", "192.0.2.1");
	is_int(t.status, 400, "tunnel-6(partial): node_id 1a: 400");
	leave(&t);
	login(proxyd, &t, "-1", "", "192.0.2.1");
	is_int(t.status, 400, "tunnel-6(partial): node_id -1: 400");
	leave(&t);
	ctl(control, &rows, CTL_SYSTEM_REMOVE, t.key, CTL_END);
	login(proxyd, &t, "", "", "192.0.2.1");
	is_int(t.status, 401, "tunnel-3(partial): a deleted system: 401");
	leave(&t);
	is_int(admit(proxyd, "192.0.2.1", NULL) != 0, 1, "an admission");
	is_int(sql_becomes(before, "SELECT count(*) FROM support_sessions"),
	    before,
	    "tunnel-7(partial) tunnel-8(partial): none of it made a session");
}

static void
come_back(void)
{
	struct tunnel	t, u;
	long long	expires;
	char		first[UUID_SIZE];

	system_add(control, &t, "");
	login(proxyd, &t, "", "", "192.0.2.1");
	up(&t, 2);
	strlcpy(first, t.session, sizeof(first));
	expires = world_sql("SELECT expires_at FROM support_sessions "
	    "WHERE id = '%s'", first);
	u = t;
	leave(&t);
	drive_clock(&authd, 5000);
	login(proxyd, &u, "", "", "192.0.2.1");
	is_str(u.session, first,
	    "tunnel-47(partial): back after 5 s: the same session");
	sync_authd();
	is_int(sql_becomes(expires, "SELECT expires_at FROM support_sessions "
	    "WHERE id = '%s'", first), expires,
	    "tunnel-47(partial): and the same end");
	ok(strcmp(u.token, t.token) != 0, "a fresh reconnect token");
	ok(u.generation > t.generation, "a higher generation");
	up(&u, 2);

	/* The current and the previous token are good, others are not. */
	leave(&u);
	t = u;
	login(proxyd, &t, "", "00000000000000000000000000000000"
	    "00000000000000000000000000000000", "192.0.2.1");
	is_int(t.status, 403, "tunnel-51(partial): wrong token: 403");
	leave(&t);
	is_int(sql_becomes((long long)u.generation,
	    "SELECT generation FROM support_sessions WHERE id = '%s'", first),
	    (long long)u.generation,
	    "tunnel-51(partial): the session is untouched");
	t = u;
	login(proxyd, &t, "", u.token, "192.0.2.1");
	is_int(t.status, 0, "tunnel-51(partial): the right one: attached");
	leave(&t);
	t = u;
	login(proxyd, &t, "", u.token, "192.0.2.1");
	is_int(t.status, 0, "tunnel-51(partial): so does the previous one");
	is_str(t.session, first, "to the same session");
	up(&t, 0);
	leave(&t);
	t = u;
	login(proxyd, &t, "", u.token, "192.0.2.1");
	is_int(t.status, 403, "the one before the previous does not");
	leave(&t);

	sync_authd();
	drive_clock(&authd, 61000);
	sync_authd();
	is_int(sql_becomes(1, "SELECT count(*) FROM support_sessions WHERE "
	    "id = '%s' AND status = 'closed' AND closed_by = 'disconnect' "
	    "AND users IS NULL", first), 1,
	    "tunnel-48: no return within grace: closed, disconnect, no users");
	login(proxyd, &u, "", u.token, "192.0.2.1");
	is_int(u.status, 0, "without an open session a token is ignored");
	ok(strcmp(u.session, first) != 0, "and the session is a new one");
	leave(&u);
}

static void
live_slot(void)
{
	struct tunnel	t, u, v;
	struct imsg	m;

	system_add(control, &t, "");
	login(proxyd, &t, "", "", "192.0.2.1");
	up(&t, 1);
	u = t;
	login_send(proxyd, &u, "", "", "192.0.2.2");
	m = *hear(t.mux->fd, probe, NULL);
	v = t;
	login(proxyd, &v, "", "", "192.0.2.3");
	is_int(v.status, 409, "a third one meanwhile: 409");
	leave(&v);
	say_id(t.mux->fd, m.id, alive, .alive = 1);
	login_wait(&u);
	is_int(u.status, 409, "tunnel-49(partial): a live slot: 409");
	is_int(get_none(t.mux, IMSG_CLOSE), 0,
	    "tunnel-49(partial): the first is not disturbed");
	leave(&u);
	u = t;
	login_send(proxyd, &u, "", "", "192.0.2.2");
	(void)hear(t.mux->fd, probe, NULL);
	drive_clock(&authd, 2100);
	login_wait(&u);
	is_int(u.status, 0, "tunnel-49(partial): a dead one is replaced");
	is_str(u.session, t.session, "in the same session");
	(void)hear(t.mux->fd, close, NULL);
	/* T3: the old one's end must not touch what is now the new one's. */
	leave(&t);
	up(&u, 1);
	sync_authd();
	ctl(control, &rows, CTL_SHOW_TUNNELS, CTL_END);
	ok(strcmp(cell(&rows, rows.n - 1, "session"), u.session) == 0 &&
	    strcmp(cell(&rows, rows.n - 1, "state"), "up") == 0,
	    "and outlives the old one");
	rows_free(&rows);
	/* A newcomer that dies while the old one is asked. */
	t = u;
	login_send(proxyd, &t, "", "", "192.0.2.2");
	m = *hear(u.mux->fd, probe, NULL);
	leave(&t);
	sync_authd();
	say_id(u.mux->fd, m.id, alive);
	sync_authd();
	is_int(get_none(u.mux, IMSG_CLOSE), 0,
	    "a newcomer that gives up disturbs nobody");
	leave(&u);
}

static void
nodes(void)
{
	static struct tunnel	t[34];
	char			node[16];
	int			i, good = 0, distinct = 1;

	system_add(control, &t[0], "");
	for (i = 1; i <= 33; i++) {
		t[i] = t[0];
		snprintf(node, sizeof(node), "%d", i);
		login(proxyd, &t[i], node, "", "192.0.2.1");
		if (i == 33)
			break;
		good += t[i].status == 0;
		if (t[i].status == 0)
			up(&t[i], 0);
		if (i > 1 && strcmp(t[i].session, t[i - 1].session) == 0)
			distinct = 0;
	}
	is_int(good, 32, "tunnel-50(partial): nodes 1 to 32 within a minute");
	ok(distinct, "tunnel-50(partial): each with its own session");
	is_int(t[33].status, 409, "the session cap: 409");
	is_str(t[33].message, "too many sessions for this system",
	    "with its reason");
	leave(&t[33]);
	strlcpy(node, "01", sizeof(node));
	ctl(control, &rows, CTL_CLOSE, t[1].session, CTL_END);
	expect_close(&t[1], 4000, "operator-12(partial): one node is closed");
	is_int(get_none(t[2].mux, IMSG_CLOSE), 0,
	    "operator-12(partial): the others stay");
	for (i = 1; i <= 32; i++)
		leave(&t[i]);
}

static void
ends(void)
{
	struct tunnel	t;

	system_add(control, &t, "");
	login(proxyd, &t, "", "", "192.0.2.1");
	up(&t, 0);
	ctl(control, &rows, CTL_SYSTEM_DISABLE, t.key, CTL_END);
	expect_close(&t, 4000,
	    "tunnel-53(partial) operator-20(partial): disabled: 4000");
	leave(&t);
	login(proxyd, &t, "", "", "192.0.2.1");
	is_int(t.status, 403, "operator-20(partial): the next login: 403");
	leave(&t);
	ctl(control, &rows, CTL_SYSTEM_ENABLE, t.key, CTL_END);
	login(proxyd, &t, "", "", "192.0.2.1");
	up(&t, 0);
	ctl(control, &rows, CTL_SYSTEM_REMOVE, t.key, CTL_END);
	expect_close(&t, 4000, "tunnel-53(partial): removed: 4000");
	leave(&t);
	system_add(control, &t, "");
	login(proxyd, &t, "", "", "192.0.2.1");
	up(&t, 0);
	drive_clock(&authd, 86400 * 1000UL - 5000);
	sync_authd();
	is_int(get_none(t.mux, IMSG_CLOSE), 0, "not before its end");
	drive_clock(&authd, 5001);
	expect_close(&t, 4000, "tunnel-53(partial): past expires_at: 4000");
	sync_authd();
	is_int(sql_becomes(1,
	    "SELECT count(*) FROM support_sessions WHERE id = "
	    "'%s' AND status = 'expired' AND closed_by = 'timeout'",
	    t.session), 1, "tunnel-53(partial): the row is expired, timeout");
	leave(&t);
}

static void
rates(void)
{
	struct tunnel	t, u;
	int		i, status;

	for (i = 0; i < 10; i++)
		(void)admit(proxyd, "198.51.100.1", &status);
	is_int(status, 0, "tunnel-9(partial): ten attempts from an address");
	(void)admit(proxyd, "198.51.100.1", &status);
	is_int(status, 429, "tunnel-9(partial): the 11th: 429");
	(void)admit(proxyd, "198.51.100.2", &status);
	is_int(status, 0, "another address is another key");
	(void)admit(proxyd, "::ffff:198.51.100.1", &status);
	is_int(status, 429, "a mapped address is the same key");
	drive_clock(&authd, 60001);
	(void)admit(proxyd, "198.51.100.1", &status);
	is_int(status, 0, "tunnel-9(partial): after the window: accepted");

	system_add(control, &t, "");
	for (i = 0; i < 5; i++) {
		login(proxyd, &t, "", "", "203.0.113.1");
		is_int(t.status, 0, "login %d of a slot", i + 1);
		leave(&t);
	}
	login(proxyd, &t, "", "", "203.0.113.1");
	is_int(t.status, 429, "tunnel-10(partial): the 6th: 429");
	ok(t.retry > 0 && t.retry <= 60, "with Retry-After");
	leave(&t);
	drive_clock(&authd, 60001);
	login(proxyd, &t, "", "", "203.0.113.1");
	is_int(t.status, 0, "tunnel-10(partial): after the window: accepted");
	leave(&t);
	drive_clock(&authd, 60001);
	u = t;
	u.secret[strlen(u.secret) - 1] ^= 1;
	for (i = 0; i < 100; i++) {
		char	addr[32];

		snprintf(addr, sizeof(addr), "198.51.100.%d", 100 + i / 5);
		login(proxyd, &u, "", "", addr);
		if (u.status != 401)
			break;
		leave(&u);
	}
	is_int(i, 100, "100 wrong secrets");
	login(proxyd, &t, "", "", "203.0.113.9");
	is_int(t.status, 0,
	    "tunnel-10(partial): do not refuse the right one from elsewhere");
	leave(&t);
	for (i = 0; i < 6; i++) {
		login(proxyd, &u, "", "", "198.51.100.250");
		leave(&u);
	}
	is_int(u.status, 429, "the 6th failure from one address: 429");
}

static void
full(void)
{
	struct tunnel	t, u;
	long long	before;

	system_add(control, &t, "");
	u = t;
	login(proxyd, &t, "1", "", "192.0.2.1");
	up(&t, 0);
	before = world_sql("SELECT count(*) FROM support_sessions");
	login(proxyd, &u, "2", "", "192.0.2.1");
	is_int(u.status, 503, "tunnel-10(partial): all slots taken: 503");
	ok(u.retry > 0, "tunnel-10(partial): with Retry-After");
	is_int(sql_becomes(before, "SELECT count(*) FROM support_sessions"),
	    before, "tunnel-10(partial): nothing left in the store");
	leave(&u);
	leave(&t);
}

int
main(void)
{
	authd_init();
	begin();
	token = operator_token(control, "alice", "", "owner", "");
	credentials();
	disabled();
	come_back();
	live_slot();
	nodes();
	ends();
	end();
	drive_conf.rate_address = 10;
	drive_conf.rate_slot = 5;
	begin();
	rates();
	end();
	drive_conf.rate_address = drive_conf.rate_slot = 1000;
	drive_conf.max_tunnels = 1;
	begin();
	full();
	end();
	free(token);
	return (done_testing());
}
