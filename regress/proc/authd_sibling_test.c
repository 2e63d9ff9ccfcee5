/* SPDX-License-Identifier: ISC */
/*
 * The nodes of a cluster are sessions of one system: which tables a proxyd is
 * told, what a token for one of them is worth on another, and when that ends.
 */
#include <stdio.h>
#include <string.h>

#include "base/compat.h"
#include "regress/lib/authd_story.h"
#include "regress/lib/tap.h"

static struct far	*proxyd, *control;
static struct rows	 rows;
static char		*token, *manager;
static struct tunnel	 one, two, other;

static void
node(struct tunnel *t, const char *name, unsigned n)
{
	login(proxyd, t, name, "", "192.0.2.1");
	up(t, n);
}

static void
proxy_token(const char *operator, const struct tunnel *t, char dst[TOKEN_SIZE])
{
	if (api(proxyd, API_PROXY_TOKEN, &(struct api){ .token = operator,
	    .session = t->session, .service = "s0" }) != 200)
		bail("no proxy token: %s", api_message);
	strlcpy(dst, api_str("token"), TOKEN_SIZE);
}

static long long
rows_of(const struct tunnel *t, const char *service)
{
	return (sql_becomes(1, "SELECT count(*) FROM support_access_logs WHERE "
	    "session_id = '%s' AND json_extract(metadata, '$.service') = '%s'",
	    t->session, service));
}

/* Which tables come, and that they come with the first grant of a system. */
static void
tables(const char *proxy)
{
	struct msg_services_begin	 in;
	struct granted			 g, h;

	grant(proxyd, proxy, one.session, &g);
	is_int(g.status, 0, "a grant on one node");
	ok(g.tables == 2 && g.anew == 1,
	    "operator-40(partial): brings the tables of both nodes, anew");
	grant(proxyd, proxy, one.session, &h);
	ok(h.tables == 1 && h.anew == 0, "the next one its own only");
	manifest(two.mux, 5);
	drive_clock(&authd, 1100);
	(void)hear(proxyd->fd, services_begin, &in);
	is_str(in.session, two.session, "a sibling's new table is told");
	is_str(in.system, one.system, "of which system it is");
	is_str(in.node, "2", "and node");
	is_int(in.count, 5, "with its services");
	say(proxyd->fd, grant_drop, .grant = g.grant);
	say(proxyd->fd, grant_drop, .grant = h.grant);
	grant(proxyd, proxy, one.session, &g);
	ok(g.tables == 2 && g.anew == 1, "who has dropped all begins anew");
	say(proxyd->fd, grant_drop, .grant = g.grant);
}

/* The way to the sibling's services, and whose row it is. */
static void
there(const char *proxy)
{
	struct granted	g;
	struct opened	o;

	grant_there(proxyd, proxy, one.session, two.session, "s3", &g);
	is_int(g.status, 0, "operator-40(partial): a grant on a sibling");
	is_str(g.session, two.session, "is for that session");
	is_str(g.reference, "", "and makes no cookie");
	is_int(rows_of(&two, "s3"), 1,
	    "operator-61(partial): its row names the session that serves");
	is_int(rows_of(&one, "s0"), 1, "beside the token's own");
	stream_open(proxyd, two.mux, g.grant, "s3", &o);
	is_int(o.status, 0, "operator-40(partial): a stream to its tunnel");
	opened_close(&o);
	stream_end(two.mux, o.stream, END_CLEAN, 1, 2);
	stream_open(proxyd, one.mux, g.grant, "s9", &o);
	is_int(o.status, 404, "what the sibling has not: 404");
}

static void
refused(const char *proxy)
{
	struct granted	 g;
	char		*stranger = operator_token(control, "eve", "org-9",
			    "customer", "");

	grant_there(proxyd, proxy, one.session, other.session, "s0", &g);
	is_int(g.status, 404, "another system's session is no sibling");
	grant_there(proxyd, proxy, one.session, one.session, "s0", &g);
	is_int(g.status, 404, "nor is one its own");
	grant_there(proxyd, proxy, one.session,
	    "00000000-0000-4000-8000-000000000000", "s0", &g);
	is_int(g.status, 404, "nor one that is none");
	grant_there(proxyd, proxy, two.session, one.session, "s0", &g);
	is_int(g.status, 403, "the token is for its own session's hosts");
	grant_there(proxyd, stranger, one.session, two.session, "s0", &g);
	is_int(g.status, 401, "an access token is none");
	free(stranger);
}

static void
move(const char *org)
{
	is_int(api_say(proxyd, API_SYSTEM_UPDATE, manager,
	    .system_id = one.system, .organization_id = org,
	    .given = api_given(API_SYSTEM_UPDATE, "organization_id")), 200,
	    "the system gets an owner");
}

/* Someone of the organization; then the system moves away from it. */
static void
scoped(void)
{
	struct granted	 g;
	struct opened	 o;
	struct msg_stream_kill	kill;
	char		 a[ID_SIZE], b[ID_SIZE], proxy[TOKEN_SIZE], *bob;

	org_add(control, "A", "customer", "", a);
	org_add(control, "B", "customer", "", b);
	move(a);
	bob = operator_token(control, "bob", a, "customer", "");
	proxy_token(bob, &one, proxy);
	grant_there(proxyd, proxy, one.session, two.session, "s0", &g);
	is_int(g.status, 0, "operator-40(partial): one of its organization");
	stream_open(proxyd, two.mux, g.grant, "s0", &o);
	is_int(o.status, 0, "comes to the sibling");
	move(b);
	(void)hear(two.mux->fd, stream_kill, &kill);
	is_int(kill.stream == o.stream, 1,
	    "operator-6(partial): until the system moves");
	opened_close(&o);
	stream_end(two.mux, o.stream, END_RESET, 0, 0);
	grant_there(proxyd, proxy, one.session, two.session, "s0", &g);
	is_int(g.status, 404, "then never again");
	move(a);
	free(bob);
}

/* A grant on `at` under a token of `by`; the session of `over` is closed. */
static void
closes(struct tunnel *by, struct tunnel *at, struct tunnel *over)
{
	struct msg_stream_kill	kill;
	struct msg_grant_end	end;
	struct granted		own, g;
	struct opened		o;
	char			proxy[TOKEN_SIZE];

	proxy_token(token, by, proxy);
	grant(proxyd, proxy, by->session, &own);
	grant_there(proxyd, proxy, by->session, at->session, "s0", &g);
	stream_open(proxyd, at->mux, g.grant, "s0", &o);
	is_int(o.status, 0, "a stream to a sibling");
	is_int(ctl(control, &rows, CTL_CLOSE, over->session, CTL_END), 0,
	    "a session is closed");
	(void)hear(at->mux->fd, stream_kill, &kill);
	is_int(kill.stream == o.stream, 1, "operator-34(partial): it ends with "
	    "%s session", over == by ? "its token's" : "the sibling's");
	do
		(void)hear(proxyd->fd, grant_end, &end);
	while (end.grant != g.grant);
	is_int(end.why, END_SESSION, "and its grant");
	opened_close(&o);
	if (over != at)
		stream_end(at->mux, o.stream, END_RESET, 0, 0);
	far_close(over->mux);
	rows_free(&rows);
}

/* Whoever knows the sibling's table hears that it is over. */
static void
goes(void)
{
	struct msg_services_begin	in;
	struct granted			g;
	char				proxy[TOKEN_SIZE];

	proxy_token(token, &one, proxy);
	grant(proxyd, proxy, one.session, &g);
	is_int(g.status, 0, "a grant on one of two nodes");
	is_int(ctl(control, &rows, CTL_CLOSE, two.session, CTL_END), 0,
	    "one is closed");
	(void)hear(proxyd->fd, services_begin, &in);
	ok(strcmp(in.session, two.session) == 0 && in.count == 0,
	    "operator-40(partial): it has no services any more");
	far_close(two.mux);
	rows_free(&rows);
}

/* What a stream hangs on, another authd knows from its tag. */
static void
restarts(void)
{
	struct msg_stream_kill	kill;
	struct granted		g;
	struct opened		o;
	char			proxy[TOKEN_SIZE];

	proxy_token(token, &one, proxy);
	grant_there(proxyd, proxy, one.session, two.session, "s0", &g);
	stream_open(proxyd, two.mux, g.grant, "s0", &o);
	is_int(o.status, 0, "a stream to a sibling");
	drive_kill(&authd);
	far_close(proxyd);
	far_close(control);
	authd_start(0);
	control = drive_spawn(ROLE_CONTROL, 0);
	proxyd = drive_spawn(ROLE_PROXYD, 0);
	rebind(&one);
	rebind(&two);
	say(one.mux->fd, announce, .up = 1);
	say(one.mux->fd, announce_end);
	say(two.mux->fd, announce, .up = 1, .streams = 1);
	say(two.mux->fd, announce_stream, .stream = o.stream, .service = "s0",
	    .tag = { o.tag, o.tag_len });
	say(two.mux->fd, announce_end);
	say(parent.fd, spawned_all);
	drive_sync(control);
	is_int(ctl(control, &rows, CTL_CLOSE, one.session, CTL_END), 0,
	    "authd has crashed, the token's session is closed");
	(void)hear(two.mux->fd, stream_kill, &kill);
	is_int(kill.stream == o.stream, 1, "operator-34(partial): what runs "
	    "under its token elsewhere ends, too");
	opened_close(&o);
	far_close(one.mux);
	rows_free(&rows);
}

int
main(void)
{
	char	proxy[TOKEN_SIZE];

	authd_init();
	authd_scene(&control, &proxyd, &token);
	manager = operator_token(control, "manager", "", "owner",
	    "manage:systems");
	system_add(control, &one, "");
	two = one;
	system_add(control, &other, "");
	node(&one, "1", 2);
	node(&two, "2", 4);
	node(&other, "1", 2);
	ok(strcmp(one.session, two.session) != 0, "two nodes, two sessions");
	proxy_token(token, &one, proxy);
	tables(proxy);
	there(proxy);
	refused(proxy);
	scoped();
	closes(&one, &two, &one);
	node(&one, "1", 2);
	closes(&one, &two, &two);
	node(&two, "2", 2);
	goes();
	node(&two, "2", 2);
	restarts();
	free(manager);
	is_int(authd_scene_end(control, proxyd, token), 0, "authd ends well");
	return (done_testing());
}
