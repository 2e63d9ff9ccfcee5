/* SPDX-License-Identifier: ISC */
/* The operator API's calls about one session or system, as authd answers. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "regress/lib/authd_story.h"
#include "base/compat.h"
#include "regress/lib/tap.h"

#define HOUR	3600000LL

static struct far	*proxyd, *control;
static struct rows	 rows;
static char		*token;

static void
tunnel(struct tunnel *t, const char *node)
{
	login(proxyd, t, node, "", "192.0.2.1");
	up(t, 1);
}

static int64_t
expires(const char *session)
{
	return (world_sql("SELECT expires_at FROM support_sessions"
	    " WHERE id = '%s'", session));
}

static void
extend(void)
{
	struct tunnel	t;
	int64_t		before;
	int		i;

	system_add(control, &t, "");
	tunnel(&t, "");
	before = expires(t.session);
	is_int(api_say(proxyd, API_EXTEND, token, .session = t.session,
	    .hours = 24), 200, "operator-10: extend by 24");
	is_int(expires(t.session) - before, 24 * HOUR,
	    "operator-10: moves expires_at by 24 h");
	is_str(api_at("extended_by_hours"), "24", "the answer says so");
	is_str(api_str("session_id"), t.session, "and which");
	is_int(strlen(api_str("expires_at")), 24, "and until when: %s",
	    api_str("expires_at"));
	is_int(api_say(proxyd, API_EXTEND, token, .session = t.session,
	    .hours = 0, .invalid = 1), 400,
	    "operator-10: with a bad number: 400");
	for (i = 0; i < 4; i++)
		(void)api_say(proxyd, API_EXTEND, token, .session = t.session,
		    .hours = 168);
	is_int(api_say(proxyd, API_EXTEND, token, .session = t.session,
	    .hours = 1), 409, "operator-10: beyond 30 days: 409");
	is_int(expires(t.session) - before, 29 * 24 * HOUR,
	    "operator-10: just 30 days are not beyond");
	/* It lasts as long. */
	drive_clock(&authd, 29 * 24 * HOUR);
	is_int(api_say(proxyd, API_SESSION_GET, token, .session = t.session),
	    401, "the token is older than that");
	free(token);
	token = operator_token(control, "alice", "", "owner", "");
	(void)api_say(proxyd, API_SESSION_GET, token, .session = t.session);
	is_str(api_str("status"), "active", "a day before, it is active");
	drive_clock(&authd, 24 * HOUR);
	free(token);
	token = operator_token(control, "alice", "", "owner", "");
	(void)api_say(proxyd, API_SESSION_GET, token, .session = t.session);
	is_str(api_str("status"), "expired", "then it is over");
	is_int(api_say(proxyd, API_EXTEND, token, .session = t.session,
	    .hours = 1), 409, "operator-10: a session that is over: 409");
	far_close(t.mux);
}

static void
logs(void)
{
	struct tunnel	t;
	struct granted	g;
	struct opened	o;
	char		proxy[TOKEN_SIZE];

	system_add(control, &t, "");
	tunnel(&t, "");
	is_int(api_say(proxyd, API_LOGS, token, .session = t.session), 200,
	    "the log of a new session");
	is_str(api_at("access_logs"), "[]", "is empty");
	(void)api_say(proxyd, API_PROXY_TOKEN, token, .session = t.session,
	    .service = "s0");
	strlcpy(proxy, api_str("token"), sizeof(proxy));
	grant(proxyd, proxy, t.session, &g);
	stream_open(proxyd, t.mux, g.grant, "s0", &o);
	stream_end(t.mux, o.stream, END_CLEAN, 123, 456);
	opened_close(&o);
	drive_sync(control);
	drive_clock(&authd, 1100);
	drive_sync(control);
	is_int(api_say(proxyd, API_LOGS, token, .session = t.session), 200,
	    "a token was issued and used");
	is_str(api_at("pagination.total_count"), "1",
	    "operator-61(partial): it has a row");
	is_str(api_str("operator_id"), "alice", "of who");
	is_str(api_str("access_type"), "ui_proxy", "and what");
	ok(strstr(api_data, "\\\"bytes_in\\\":123,\\\"bytes_out\\\":456") !=
	    NULL, "operator-61(partial): with the bytes, in a text: %s",
	    api_data);
	is_str(api_str("disconnected_at"), "", "in use");
	far_close(t.mux);
	drive_sync(control);
	ctl(control, &rows, CTL_CLOSE, t.session, CTL_END);
	drive_clock(&authd, 1100);
	drive_sync(control);
	(void)api_say(proxyd, API_LOGS, token, .session = t.session);
	is_int(strlen(api_str("disconnected_at")), 24,
	    "operator-26(partial): it ends with its session: %s",
	    api_str("disconnected_at"));
	world_sql("INSERT INTO support_access_logs (id, session_id,"
	    " operator_id, access_type, connected_at, disconnected_at)"
	    " WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c"
	    " WHERE x < 45) SELECT printf('%%08x-0000-4000-8000-000000000000',"
	    " x), '%s', 'o' || x, 'ui_proxy', 1000, 2000 FROM c", t.session);
	(void)api_say(proxyd, API_LOGS, token, .session = t.session,
	    .page = 3);
	is_str(api_at("pagination"), "{\"page\":3,\"page_size\":20,"
	    "\"total_count\":46,\"total_pages\":3,\"has_next\":false,"
	    "\"has_prev\":true,\"prev_page\":2}",
	    "operator-2: the last page of the log");
	ok(strstr(api_data, "\"o1\"") != NULL &&
	    strstr(api_data, "\"o6\"") != NULL &&
	    strstr(api_data, "\"o7\"") == NULL,
	    "the oldest are last, equal ones in one order");
}

static void
report(struct tunnel *t, const char *text)
{
	report_say(t->mux, text, strlen(text));
	is_int(lend(t->mux, 0), 0, "a report is read");
}

static void
overall(const struct tunnel *t, const char *want, const char *what)
{
	is_int(api_say(proxyd, API_DIAGNOSTICS_OF, token,
	    .system_id = t->system), 200, "of the system");
	is_str(api_str("overall_status"), want, "operator-17: %s", what);
}

static void
diagnostics(void)
{
	struct tunnel	n1, n2;
	char		*stranger;

	system_add(control, &n1, "");
	n2 = n1;
	tunnel(&n1, "1");
	tunnel(&n2, "2");
	is_int(api_say(proxyd, API_DIAGNOSTICS, token,
	    .session = n1.session), 200, "before the first report");
	is_str(api_at("diagnostics"), "null", "there is none");
	is_str(api_at("diagnostics_at"), "null", "at no time");
	overall(&n1, "", "no node has said anything");
	report(&n1, "{\"overall_status\":\"ok\",\"plugins\":[]}");
	drive_sync(control);
	is_int(api_say(proxyd, API_DIAGNOSTICS, token,
	    .session = n1.session), 200, "after it");
	is_str(api_at("diagnostics.overall_status"), "\"ok\"", "as it was");
	is_int(strlen(api_str("diagnostics_at")), 24, "and when");
	overall(&n1, "ok", "one is well");
	report(&n2, "{\"overall_status\":\"timeout\"}");
	overall(&n1, "timeout", "a node with ok and one with timeout");
	is_str(api_str("system_id"), n1.system, "which system");
	ok(strstr(api_data, "{\"node_id\":\"1\",\"session_id\":") <
	    strstr(api_data, "{\"node_id\":\"2\",\"session_id\":") &&
	    strstr(api_data, n2.session) != NULL, "its nodes in order");
	drive_clock(&authd, 31000);
	report(&n2, "{\"overall_status\":\"critical\"}");
	overall(&n1, "critical", "one with critical makes it critical");
	drive_clock(&authd, 31000);
	report(&n2, "null,\"diagnostics_at\":\"x\"");
	overall(&n1, "ok", "what is no JSON");
	ok(strstr(api_data, "\"x\"") == NULL, "is not passed on");
	is_int(api_say(proxyd, API_DIAGNOSTICS_OF, token, .invalid = 1), 400,
	    "which system has to be said");
	is_int(api_say(proxyd, API_DIAGNOSTICS_OF, token, .system_id = "x"),
	    404, "an unknown one: 404");
	is_str(api_message, "system not found", "its message");
	stranger = operator_token(control, "eve", "o", "customer", "");
	is_int(api_say(proxyd, API_DIAGNOSTICS_OF, stranger,
	    .system_id = n1.system), 404, "another's: 404");
	free(stranger);
	far_close(n1.mux);
	far_close(n2.mux);
}

/* Of three nodes one is closed. */
static void
nodes(void)
{
	static const char *const	node[] = { "", "1", "2" };
	struct tunnel			t[3];
	struct msg_close		in;
	int				i;

	system_add(control, &t[0], "");
	for (i = 0; i < 3; i++) {
		if (i > 0)
			t[i] = t[0];
		tunnel(&t[i], node[i]);
	}
	is_int(api_say(proxyd, API_SESSION_CLOSE, token,
	    .session = t[1].session), 200, "one node's session is closed");
	(void)hear(t[1].mux->fd, close, &in);
	is_int(in.code, 4000, "its tunnel ends");
	for (i = 0; i < 3; i += 2) {
		is_int(get_none(t[i].mux, IMSG_CLOSE), 0,
		    "operator-12: the other stays");
		(void)api_say(proxyd, API_SESSION_GET, token,
		    .session = t[i].session);
		ok(strcmp(api_str("status"), "active") == 0 && strcmp(
		    api_at("tunnel_connected"), "true") == 0,
		    "operator-12: and is active");
	}
	for (i = 0; i < 3; i++)
		far_close(t[i].mux);
}

/* Somebody who streams, until something ends it. */
struct user {
	struct tunnel	t;
	struct opened	o;
	char		proxy[TOKEN_SIZE];
};

/* `late`: when the session has so much of its time behind it. */
static void
user_begin(struct user *u, const char *name, uint64_t late)
{
	struct granted	 g;
	char		*own;

	system_add(control, &u->t, "");
	tunnel(&u->t, "");
	drive_clock(&authd, late);
	own = operator_token(control, name, "", "owner", "");
	(void)api_say(proxyd, API_PROXY_TOKEN, own, .session = u->t.session,
	    .service = "s0");
	strlcpy(u->proxy, api_str("token"), sizeof(u->proxy));
	grant(proxyd, u->proxy, u->t.session, &g);
	stream_open(proxyd, u->t.mux, g.grant, "s0", &u->o);
	is_int(u->o.status, 0, "%s streams", name);
	free(own);
}

static void
user_end(struct user *u, int status, const char *why)
{
	struct msg_stream_kill	kill;
	struct granted		g;

	(void)hear(u->t.mux->fd, stream_kill, &kill);
	ok(kill.stream == u->o.stream, "operator-34: %s: what streams is over",
	    why);
	grant(proxyd, u->proxy, u->t.session, &g);
	is_int(g.status, status, "operator-34: and the next request is %d: %s",
	    status, g.message);
	opened_close(&u->o);
	far_close(u->t.mux);
}

static void
ends(void)
{
	struct user	u;

	user_begin(&u, "closed", 0);
	ctl(control, &rows, CTL_CLOSE, u.t.session, CTL_END);
	user_end(&u, 400, "the session is closed");
	user_begin(&u, "revoked", 0);
	ctl(control, &rows, CTL_TOKEN_REVOKE_USER, "revoked", "", "", CTL_END);
	user_end(&u, 401, "the user is revoked");
	user_begin(&u, "token", 0);
	drive_clock(&authd, HOUR + 1000);
	user_end(&u, 401, "the token has expired");
	user_begin(&u, "late", 23 * HOUR + HOUR / 2);
	drive_clock(&authd, HOUR / 2 - 1000);
	is_int(get_none(u.t.mux, IMSG_STREAM_KILL), 0,
	    "a second before its session's end, it streams");
	drive_clock(&authd, 2000);
	user_end(&u, 401, "the session is beyond its end");
}

/* Is it in the store's files? */
static int
stored(const char *secret)
{
	static const char *const	suffix[] = { "", "-wal" };
	char				path[300], *text;
	int				i, found = 0;
	size_t				n;
	FILE				*f;

	if ((text = malloc(16 << 20)) == NULL)
		bail("out of memory");
	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s%s", drive_conf.store_path,
		    suffix[i]);
		if ((f = fopen(path, "r")) == NULL)
			continue;
		n = fread(text, 1, 16 << 20, f);
		found |= memmem(text, n, secret, strlen(secret)) != NULL;
		(void)fclose(f);
	}
	free(text);
	return (found);
}

/* What a copy of the store's files tells. */
static void
dump(void)
{
	struct user	u;
	char		ticket[TICKET_SIZE];

	user_begin(&u, "dumped", 0);
	(void)api_say(proxyd, API_TERMINAL_TICKET, token,
	    .session = u.t.session);
	strlcpy(ticket, api_str("ticket"), sizeof(ticket));
	drive_sync(control);
	ok(stored(u.t.session), "the store's files have the session");
	ok(!stored(u.t.secret) && !stored(strchr(u.t.secret, '.') + 1),
	    "operator-60(partial): not the system's secret");
	ok(!stored(u.t.token), "operator-60(partial): not its reconnect token");
	ok(!stored(u.proxy) && !stored(strrchr(u.proxy, '.') + 1),
	    "operator-60(partial): not a proxy token");
	ok(!stored(token) && !stored(strrchr(token, '.') + 1),
	    "operator-60(partial): nor an operator's");
	ok(!stored(ticket), "operator-60(partial): nor a ticket");
	ctl(control, &rows, CTL_CLOSE, u.t.session, CTL_END);
	user_end(&u, 400, "closed");
}

/* Two ask while authd is busy, and the first does not wait for it. */
static void
gone(void)
{
	struct msg_api	m = { .op = API_SESSION_LIST, .token = token };
	struct imsg	*got;
	uint32_t	 first = next_id(proxyd), second = next_id(proxyd);
	uint32_t	 third = next_id(proxyd);

	kill(authd.pid, SIGSTOP);
	drive_say(proxyd->fd, IMSG_API, first, -1, &m);
	drive_say(proxyd->fd, IMSG_API, second, -1, &m);
	say(proxyd->fd, api_gone, .call = first);
	kill(authd.pid, SIGCONT);
	got = hear(proxyd->fd, api_result, NULL);
	ok(got->id == second, "a call whose asker has gone is not begun");
	drive_say(proxyd->fd, IMSG_API, third, -1, &m);
	ok(hear(proxyd->fd, api_result, NULL)->id == third, "nor answered");
}

int
main(void)
{
	authd_init();
	drive_conf.session_lifetime = 24 * 3600;
	drive_conf.proxy_token_lifetime = 3600;
	authd_scene(&control, &proxyd, &token);
	logs();
	diagnostics();
	nodes();
	dump();
	ends();
	free(token);
	token = operator_token(control, "alice", "", "owner", "");
	extend();
	gone();
	is_int(authd_scene_end(control, proxyd, token), 0,
	    "authd stops in order");
	return (done_testing());
}
