/* SPDX-License-Identifier: ISC */
/* authd dies in mid-traffic and comes back: messages.md, section 4. */
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
sync_authd(void)
{
	drive_sync(control);
}

static void
again(int store)
{
	far_close(proxyd);
	far_close(control);
	drive_kill(&authd);
	if (store)
		world_sql("PRAGMA wal_checkpoint");
	authd_start(0);
	/* Those who ask may come first: they wait. */
	control = drive_spawn(ROLE_CONTROL, 0);
	proxyd = drive_spawn(ROLE_PROXYD, 0);
}

static void
announce_begin(struct far *p, unsigned n)
{
	say(p->fd, announce, .up = 1, .streams = n);
}

static void
announce_stream(struct far *p, uint64_t id, const char *service,
    const uint8_t *tag, size_t len)
{
	say(p->fd, announce_stream, .stream = id, .service = service, .in = 10,
	    .out = 20, .tag = { tag, len });
}

static void
announce_end(struct far *p, int services)
{
	if (services) {
		say(p->fd, services_begin, .version = 7, .count = 1);
		say(p->fd, service, .name = "s0", .target = "127.0.0.1:8000");
		say(p->fd, services_end);
	}
	say(p->fd, announce_end);
}

static void
expect_close(struct far *p, int want, const char *what)
{
	struct msg_close	in;

	(void)hear(p->fd, close, &in);
	is_int(in.code, want, "%s", what);
}

static void
stays(void)
{
	struct msg_admitted	in;
	struct msg_granted	given;
	struct msg_stream_kill	kill;
	struct tunnel	t, gone;
	struct granted	g;
	struct opened	web, term;
	struct imsg	m;
	struct far	*termd;
	struct api	a = { .token = token };
	char		proxy[TOKEN_SIZE];
	uint8_t		forged[STREAM_TAG_MAX];
	uint64_t	nonce, term_instance;

	system_add(control, &t, "");
	login(proxyd, &t, "", "", "192.0.2.1");
	up(&t, 1);
	system_add(control, &gone, "");
	login(proxyd, &gone, "", "", "192.0.2.1");
	up(&gone, 1);
	a.session = t.session;
	a.service = "s0";
	api(proxyd, API_PROXY_TOKEN, &a);
	strlcpy(proxy, api_str("token"), sizeof(proxy));
	grant(proxyd, proxy, t.session, &g);
	stream_open(proxyd, t.mux, g.grant, "s0", &web);
	api(proxyd, API_TERMINAL_TICKET, &a);
	say_id(proxyd->fd, next_id(proxyd), admit, .class = CLASS_TERMINAL,
	    .addr = "192.0.2.50", .session = t.session,
	    .ticket = api_str("ticket"));
	(void)hear(proxyd->fd, admitted, &in);
	nonce = in.nonce;
	termd = drive_spawn(ROLE_TERMD, nonce);
	term_instance = termd->instance;
	close(hear(termd->fd, term_stream, NULL)->fd);
	term.stream = 0;
	bridge_take(t.mux, &term, "terminal");
	shut(&term.mux_fd);

	/* Closed while nobody was there to say so. */
	again(1);
	world_sql("UPDATE support_sessions SET status = 'closed' "
	    "WHERE id = '%s'", gone.session);
	far_close(termd);
	drive_kill(&authd);
	far_close(proxyd);
	far_close(control);
	authd_start(0);
	control = drive_spawn(ROLE_CONTROL, 0);
	proxyd = drive_spawn(ROLE_PROXYD, 0);
	rebind(&t);
	rebind(&gone);
	termd = drive_spawn_kept(ROLE_TERMD, term_instance, nonce);
	/* It tells what it has before it hears that it is over. */
	announce_begin(gone.mux, 0);
	announce_end(gone.mux, 1);
	announce_begin(t.mux, 3);
	announce_stream(t.mux, web.stream, "s0", web.tag, web.tag_len);
	announce_stream(t.mux, term.stream, "terminal", term.tag,
	    term.tag_len);
	memcpy(forged, web.tag, web.tag_len);
	forged[0] = forged[0] == 'a' ? 'b' : 'a';
	announce_stream(t.mux, 99, "s0", forged, web.tag_len);
	announce_begin(termd, 1);
	announce_stream(termd, term.stream, "terminal", NULL, 0);
	announce_end(termd, 0);
	/* proxyd asks before the tunnel has told all: the answer waits. */
	{
		char	slug[SLUG_SIZE] = "", *p = slug;
		size_t	i;

		for (i = 0; t.session[i] != '\0'; i++)
			if (t.session[i] != '-')
				*p++ = t.session[i];
		*p = '\0';
		say_id(proxyd->fd, next_id(proxyd), grant, .token = proxy,
		    .slug = slug, .addr = "192.0.2.99");
	}
	is_int(hear_any(proxyd->fd, &m, 50), 0, "nobody is answered too early");
	say(parent.fd, spawned_all);
	expect_close(gone.mux, 4000,
	    "a session that was closed meanwhile: 4000");
	is_int(get_none(&parent, IMSG_OFFENCE), 0,
	    "and what it has told is no offence");
	(void)hear(t.mux->fd, stream_kill, &kill);
	is_int(kill.stream, 99, "a stream without an open row is killed");
	is_int(hear_any(proxyd->fd, &m, 50), 0,
	    "a grant waits until the tunnel has told what it has");
	announce_end(t.mux, 1);
	(void)hear(proxyd->fd, granted, &given);
	is_int(given.status, 0, "then it is given");
	is_int(get_none(t.mux, IMSG_CLOSE), 0,
	    "tunnel-52(partial): the tunnel stays");
	api(proxyd, API_SESSION_GET, &a);
	is_str(api_str("status"), "active",
	    "tunnel-52(partial): so does its session");
	ok(strstr(api_data, "\"tunnel_connected\":true") != NULL,
	    "with its tunnel");
	ctl(control, &rows, CTL_SHOW_TUNNELS, CTL_END);
	is_str(cell(&rows, 1, "address"), "192.0.2.1",
	    "the tunnel's address is known");
	is_int(strlen(cell(&rows, 1, "since")), 24, "and since when it is: %s",
	    cell(&rows, 1, "since"));
	is_str(cell(&rows, 1, "streams"), "2", "and its two streams");
	rows_free(&rows);
	is_int((long)stat_of(control, "terminals"), 1,
	    "and the terminal counts among those of its operator");
	stream_end(t.mux, web.stream, END_CLEAN, 100, 200);
	sync_authd();
	drive_clock(&authd, 1100);
	sync_authd();
	is_int(sql_becomes(100,
	    "SELECT json_extract(metadata, '$.bytes_in') FROM "
	    "support_access_logs WHERE session_id = '%s' AND access_type = "
	    "'ui_proxy'", t.session), 100, "their bytes are counted");
	is_int(sql_becomes(1, "SELECT count(*) FROM support_access_logs WHERE "
	    "session_id = '%s' AND access_type = 'web_terminal' AND "
	    "disconnected_at IS NULL", t.session), 1,
	    "the terminal's row is still open");
	opened_close(&web);

	/* Expired while authd was away: the new one makes up for it. */
	again(0);
	world_sql("UPDATE support_sessions SET expires_at = 1000 "
	    "WHERE id = '%s'", t.session);
	drive_kill(&authd);
	authd_start(0);
	far_close(control);
	far_close(proxyd);
	control = drive_spawn(ROLE_CONTROL, 0);
	proxyd = drive_spawn(ROLE_PROXYD, 0);
	rebind(&t);
	say(parent.fd, spawned_all);
	expect_close(t.mux, 4000, "one that expired meanwhile: 4000");
	grant(proxyd, proxy, t.session, &g);
	is_int(g.status, 400, "and no grant before that");
	far_close(termd);
	sync_authd();
	drive_clock(&authd, 11000);
	sync_authd();
	drive_clock(&authd, 1100);
	sync_authd();
	is_int(sql_becomes(0, "SELECT count(*) FROM support_access_logs WHERE "
	    "access_type = 'web_terminal' AND disconnected_at IS NULL"), 0,
	    "operator-26(partial): a terminal nobody claims is closed");
	far_close(t.mux);
	far_close(gone.mux);
}

static void
grace(void)
{
	struct tunnel	t, u;

	system_add(control, &t, "");
	login(proxyd, &t, "", "", "192.0.2.1");
	up(&t, 0);
	u = t;
	far_close(t.mux);
	sync_authd();
	again(0);
	say(parent.fd, spawned_all);
	sync_authd();
	drive_clock(&authd, 300000);
	login(proxyd, &t, "", "", "192.0.2.1");
	is_str(t.session, u.session,
	    "tunnel-52(partial): back after a restart: the same session");
	up(&t, 0);
	far_close(t.mux);
	sync_authd();
	again(0);
	say(parent.fd, spawned_all);
	sync_authd();
	drive_clock(&authd, 331000);
	sync_authd();
	is_int(sql_becomes(1,
	    "SELECT count(*) FROM support_sessions WHERE id = "
	    "'%s' AND status = 'closed' AND closed_by = 'disconnect'",
	    t.session), 1,
	    "tunnel-52(partial): without a client it closes after 330 s");
}

static void
two_instances(void)
{
	struct tunnel	old, new;

	system_add(control, &old, "");
	login(proxyd, &old, "", "", "192.0.2.1");
	up(&old, 0);
	new = old;
	again(0);
	new.mux = drive_spawn_bound(ROLE_MUXD, 5000, old.system, old.session,
	    old.generation + 1);
	rebind(&old);
	say(parent.fd, spawned_all);
	expect_close(old.mux, 1001, "of two instances the older one goes");
	announce_begin(new.mux, 0);
	announce_end(new.mux, 0);
	sync_authd();
	ctl(control, &rows, CTL_SHOW_TUNNELS, CTL_END);
	is_str(cell(&rows, 1, "instance"), "5000", "and the newer one stays");
	rows_free(&rows);
	far_close(old.mux);
	far_close(new.mux);
}

/* A muxd that logs in with a nonce of the authd that is no more. */
static void
half_way(void)
{
	struct tunnel	t;
	uint64_t	nonce;

	system_add(control, &t, "");
	nonce = admit(proxyd, "192.0.2.1", NULL);
	again(0);
	say(parent.fd, spawned_all);
	t.mux = drive_spawn(ROLE_MUXD, nonce);
	say_id(t.mux->fd, 1, login, .nonce = nonce, .key = t.key,
	    .secret = t.secret, .addr = "192.0.2.1");
	login_wait(&t);
	is_int(t.status, 503, "a login that fell between two authds: 503");
	far_close(t.mux);
}

/* A store of another version: who was there stays, who is new hears 503. */
static void
old_schema(void)
{
	struct tunnel	t, u;
	struct api	a = { .token = token };
	struct granted	g;
	long long	version = world_sql("PRAGMA user_version");

	system_add(control, &t, "");
	u = t;
	login(proxyd, &t, "", "", "192.0.2.1");
	up(&t, 0);
	again(0);
	drive_kill(&authd);
	world_sql("PRAGMA user_version = 99");
	far_close(proxyd);
	far_close(control);
	authd_start(0);
	control = drive_spawn(ROLE_CONTROL, 0);
	proxyd = drive_spawn(ROLE_PROXYD, 0);
	rebind(&t);
	announce_begin(t.mux, 0);
	announce_end(t.mux, 0);
	say(parent.fd, spawned_all);
	is_int(ctl(control, &rows, CTL_SHOW_STATS, CTL_END), 0,
	    "another schema: show stats works");
	rows_free(&rows);
	is_int(ctl(control, &rows, CTL_SHOW_SESSIONS, CTL_END), 503,
	    "show sessions says that nobody knows");
	rows_free(&rows);
	is_int(ctl(control, &rows, CTL_SYSTEM_LIST, CTL_END), 503,
	    "all else is 503");
	is_int(api(proxyd, API_SESSION_LIST, &a), 503, "so is the API");
	grant(proxyd, "x", t.session, &g);
	is_int(g.status, 503, "and a grant");
	login(proxyd, &u, "", "", "192.0.2.1");
	is_int(u.status, 503, "and a login");
	is_int(get_none(t.mux, IMSG_CLOSE), 0,
	    "operator-59(partial): the tunnel stays");
	world_sql("PRAGMA user_version = %lld", version);
	drive_clock(&authd, 1001);
	drive_sync(control);
	while ((void)ctl(control, &rows, CTL_SHOW_TUNNELS, CTL_END),
	    rows.n < 2)
		rows_free(&rows);
	is_str(cell(&rows, 1, "session"), t.session,
	    "and is known again when the store is");
	rows_free(&rows);
	far_close(t.mux);
	far_close(u.mux);
}

int
main(void)
{
	authd_init();
	authd_scene(&control, &proxyd, &token);
	stays();
	grace();
	two_instances();
	half_way();
	old_schema();
	is_int(authd_scene_end(control, proxyd, token), 0,
	    "authd stops in order");
	return (done_testing());
}
