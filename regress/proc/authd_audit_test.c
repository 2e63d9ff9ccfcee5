/* SPDX-License-Identifier: ISC */
/*
 * Each thing that an operator or relayctl does or is refused, and the event of
 * the audit log that it leaves: who, from where, what, in which session, with
 * which service, for how long, how many bytes. operator-api.md, 11; audit.md.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "regress/lib/authd_story.h"
#include "regress/lib/tap.h"

#define USERS	"{\"provision\":{\"session_id\":\"s\"},\"users\":["	\
	"{\"username\":\"u\",\"password\":\"p\"}]}"

static struct far	*proxyd, *control;
static struct rows	 rows;
static struct tunnel	 tun;
static char		*token, *manager;
static char		 org[ID_SIZE], sys[ID_SIZE], made[SECRET_SIZE];

static void
call(int op, struct msg_api *m)
{
	m->token = op == API_SYSTEM_CREATE || op == API_SYSTEM_UPDATE ||
	    op == API_SYSTEM_SECRET ? manager : token;
	m->addr = "192.0.2.7";
	m->session = tun.session;
	api_ask(proxyd, op, m);
}
#define CALL(op, ...)							\
	(call(op, &(struct msg_api){ __VA_ARGS__ }), (void)api_hear(proxyd))

/* An operator's call that waits for the client, which does it. */
static void
changes(int op, const char *services, const char *service)
{
	struct msg_api	m = { .services = services, .service = service };
	uint32_t	id;

	call(op, &m);
	id = hear(tun.mux->fd, command, NULL)->id;
	say_id(tun.mux->fd, id, commanded, .status = 0, .message = "");
	is_int(api_hear(proxyd), 200, "%s", api_info((unsigned)op)->word);
}

static void
services_add(void)
{
	changes(API_SERVICES_ADD, "[{\"name\":\"a\",\"target\":"
	    "\"192.0.2.9:80\",\"label\":\"\",\"tls\":false}]", "");
}

static void
service_remove(void)
{
	changes(API_SERVICE_REMOVE, "", "a");
}

static void
services_bad(void)
{
	CALL(API_SERVICES_ADD, .services = "[{\"name\":\"b\",\"target\":"
	    "\"127.0.0.1:22\",\"label\":\"\",\"tls\":false}]");
}

static void
extend(void)
{
	CALL(API_EXTEND, .hours = 2);
}

static void
proxy_token(void)
{
	CALL(API_PROXY_TOKEN, .service = "s0");
}

static void
ticket(void)
{
	CALL(API_TERMINAL_TICKET, .page = 0);
}

static void
no_service(void)
{
	CALL(API_PROXY_TOKEN, .service = "none");
}

static void
create(void)
{
	CALL(API_SYSTEM_CREATE, .name = "Box", .organization_id = org);
	strlcpy(sys, api_str("id"), sizeof(sys));
	strlcpy(made, api_str("system_secret"), sizeof(made));
}

static uint32_t
given(const char *name)
{
	const struct api_param	*p = api_info(API_SYSTEM_UPDATE)->params;
	unsigned		 i;

	for (i = 0; strcmp(p[i].name, name) != 0; i++)
		continue;
	return (1U << i);
}

static void
update(void)
{
	CALL(API_SYSTEM_UPDATE, .system_id = sys, .notes = "n",
	    .support_enabled = 1,
	    .given = given("notes") | given("support_enabled"));
}

static void
secret(void)
{
	CALL(API_SYSTEM_SECRET, .system_id = sys);
	strlcpy(made, api_str("system_secret"), sizeof(made));
}

static void
enroll(void)
{
	CALL(API_SYSTEM_REGISTER, .system_secret = made);
}

static void
sign_in_badly(void)
{
	CALL(API_SIGN_IN, .code = "0123");
}

static void
enroll_badly(void)
{
	made[strlen(made) - 1] ^= 1;
	CALL(API_SYSTEM_REGISTER, .system_secret = made);
}

static void
users(void)
{
	report_say_of(tun.mux, REPORT_USERS, USERS, strlen(USERS));
	is_int((int)lend(tun.mux, 0), 0, "a report is read");
	CALL(API_USERS, .page = 0);
	drive_clock(&authd, 1100);
}

/* A stream of a proxyd, through its whole life. */
static void
page(void)
{
	struct granted	g;
	struct opened	o;
	char		proxy[TOKEN_SIZE];

	CALL(API_PROXY_TOKEN, .service = "s0");
	strlcpy(proxy, api_str("token"), sizeof(proxy));
	grant(proxyd, proxy, tun.session, &g);
	stream_open(proxyd, tun.mux, g.grant, "s0", &o);
	stream_end(tun.mux, o.stream, END_CLEAN, 11, 22);
	opened_close(&o);
	stream_open(proxyd, tun.mux, g.grant, "gone", &o);
	is_int(o.status, 404, "a stream to what is not there");
}

static void
no_grant(void)
{
	struct granted	g;

	grant(proxyd, "nothing", tun.session, &g);
}

static void
terminal(void)
{
	struct msg_admitted	in;
	struct far		*termd;
	struct opened		 o;

	CALL(API_TERMINAL_TICKET, .page = 0);
	say_id(proxyd->fd, next_id(proxyd), admit, .class = CLASS_TERMINAL,
	    .addr = "192.0.2.50", .session = tun.session,
	    .ticket = api_str("ticket"));
	(void)hear(proxyd->fd, admitted, &in);
	termd = drive_spawn(ROLE_TERMD, in.nonce);
	close(hear(termd->fd, term_stream, NULL)->fd);
	bridge_take(tun.mux, &o, "terminal");
	drive_clock(&authd, 5000);
	stream_end(tun.mux, o.stream, END_CLEAN, 7, 8);
	close(o.mux_fd);
	far_close(termd);
	drive_clock(&authd, 1100);
}

static void
bad_ticket(void)
{
	say_id(proxyd->fd, next_id(proxyd), admit, .class = CLASS_TERMINAL,
	    .addr = "192.0.2.51", .session = tun.session, .ticket = "none");
	(void)hear(proxyd->fd, admitted, NULL);
}

static void
bad_login(void)
{
	struct tunnel	t = tun;

	t.secret[strlen(t.secret) - 1] ^= 1;
	login(proxyd, &t, "", "", "192.0.2.9");
	far_close(t.mux);
}

static void
close_session(void)
{
	CALL(API_SESSION_CLOSE, .page = 0);
	drive_clock(&authd, 1100);
}

static void
closed(void)
{
	CALL(API_EXTEND, .hours = 1);
}

static void
told_no(void)
{
	say(control->fd, ctl_told, .op = CTL_SYSTEM_ADD, .uid = 1234,
	    .code = 403, .object = "box", .text = "for looking only",
	    .request = "r1");
}

static void
told_done(void)
{
	say(control->fd, ctl_told, .op = CTL_RELOAD, .uid = 1234);
}

/* ?: the tunnel's session, or its key. */
static const struct deed {
	const char	*name;
	void		(*fn)(void);
	const char	*event;		/* as SQL finds it */
} deeds[] = {
	{ "services added", services_add, "action = 'services_add' AND outcome"
	    " = 'done' AND actor = 'alice' AND address = '192.0.2.7' AND"
	    " session_id = '?' AND service = 'a' AND reason = '192.0.2.9:80'"
	    " AND token_id IS NOT NULL" },
	{ "and removed", service_remove, "action = 'service_remove' AND"
	    " outcome = 'done' AND actor = 'alice' AND session_id = '?' AND"
	    " service = 'a'" },
	{ "or refused", services_bad, "action = 'services_add' AND outcome ="
	    " 'refused' AND actor = 'alice' AND session_id = '?' AND service ="
	    " 'b' AND reason = 'service target is not allowed'" },
	{ "extended", extend, "action = 'extend' AND outcome = 'done' AND"
	    " actor = 'alice' AND session_id = '?' AND reason = '2 h'" },
	{ "a proxy token", proxy_token, "action = 'proxy_token' AND outcome ="
	    " 'done' AND actor = 'alice' AND session_id = '?' AND service ="
	    " 's0'" },
	{ "none for what is not there", no_service, "action = 'proxy_token'"
	    " AND outcome = 'refused' AND actor = 'alice' AND service = 'none'"
	    " AND reason LIKE 'service not found%'" },
	{ "a ticket", ticket, "action = 'terminal_ticket' AND outcome = 'done'"
	    " AND actor = 'alice' AND session_id = '?'" },
	{ "users are read", users, "action = 'view' AND outcome = 'ended' AND"
	    " actor = 'alice' AND session_id = '?' AND service = 'users' AND"
	    " duration_ms >= 0 AND access_id IS NOT NULL" },
	{ "a page", page, "action = 'ui_proxy' AND outcome = 'refused' AND"
	    " actor = 'alice' AND address = '192.0.2.99' AND session_id = '?'"
	    " AND service = 'gone'" },
	{ "a token that is none", no_grant, "action = 'ui_proxy' AND outcome ="
	    " 'refused' AND actor IS NULL AND reason = 'invalid proxy token'" },
	{ "a terminal", terminal, "action = 'web_terminal' AND outcome ="
	    " 'ended' AND actor = 'alice' AND address = '192.0.2.50' AND"
	    " session_id = '?' AND service = 'terminal' AND duration_ms >="
	    " 5000 AND bytes_in = 7 AND bytes_out = 8 AND reason ="
	    " 'finished'" },
	{ "a ticket that is none", bad_ticket, "action = 'web_terminal' AND"
	    " outcome = 'refused' AND address = '192.0.2.51' AND session_id ="
	    " '?' AND reason = 'invalid or expired ticket'" },
	{ "a secret that is wrong", bad_login, "action = 'login' AND outcome ="
	    " 'refused' AND actor = '#' AND address = '192.0.2.9'" },
	{ "a system made", create, "action = 'system_create' AND outcome ="
	    " 'done' AND actor = 'sys' AND reason = 'Box' AND object IS NOT"
	    " NULL" },
	{ "changed", update, "action = 'system_update' AND outcome = 'done'"
	    " AND actor = 'sys' AND reason = 'notes, support_enabled on'" },
	{ "its secret", secret, "action = 'system_secret' AND outcome = 'done'"
	    " AND actor = 'sys'" },
	{ "registered", enroll, "action = 'system_register' AND outcome ="
	    " 'done' AND address = '192.0.2.7' AND object IS NOT NULL" },
	{ "or not", enroll_badly, "action = 'system_register' AND outcome ="
	    " 'refused' AND address = '192.0.2.7'" },
	{ "a sign-in with a wrong code", sign_in_badly, "action = 'sign_in' AND"
	    " outcome = 'refused' AND actor IS NULL AND address = '192.0.2.7'"
	    " AND reason = 'invalid or expired sign-in code'" },
	{ "relayctl is refused", told_no, "action = 'system_add' AND outcome ="
	    " 'refused' AND actor = 'uid 1234' AND address = 'relayctl' AND"
	    " object = 'box' AND reason = 'for looking only' AND request_id ="
	    " 'r1'" },
	{ "or the parent did it", told_done, "action = 'reload' AND outcome ="
	    " 'done' AND actor = 'uid 1234'" },
	{ "closed", close_session, "action = 'ui_proxy' AND outcome = 'ended'"
	    " AND actor = 'alice' AND address IS NOT NULL AND session_id = '?'"
	    " AND service = 's0' AND bytes_in = 11 AND bytes_out = 22 AND"
	    " duration_ms > 0" },
	{ "too late", closed, "action = 'extend' AND outcome = 'refused' AND"
	    " actor = 'alice' AND session_id = '?' AND reason = 'support"
	    " session is over'" },
};

static void
each(void)
{
	char		want[1024], *w;
	const char	*p;
	long long	last;
	size_t		i;

	for (i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++) {
		last = world_sql("SELECT max(event) FROM audit_events");
		deeds[i].fn();
		for (w = want, p = deeds[i].event; *p != '\0'; p++) {
			if (*p == '?')
				w += strlcpy(w, tun.session, UUID_SIZE);
			else if (*p == '#')
				w += strlcpy(w, tun.key, SYSKEY_SIZE);
			else
				*w++ = *p;
		}
		*w = '\0';
		is_int(sql_becomes(1, "SELECT count(*) FROM audit_events WHERE"
		    " event > %lld AND %s", last, want), 1, "operator-61(partial): "
		    "%s", deeds[i].name);
	}
	is_int(world_sql("SELECT count(*) FROM audit_events o JOIN"
	    " audit_events e ON e.access_id = o.access_id AND e.outcome ="
	    " 'ended' WHERE o.outcome = 'opened' AND o.event < e.event"),
	    world_sql("SELECT count(*) FROM support_access_logs"),
	    "each row of the access log is opened and ended");
}

/* Whoever calls without a token is refused, whatever it is. */
static void
strangers(void)
{
	const struct api_info	*info;
	char			 addr[ADDR_SIZE];
	unsigned		 op;
	int			 wrong = 0, n = 0;

	for (op = 0; op < API_OP_COUNT; op++) {
		info = api_info(op);
		if (info == NULL || info->needs == NEEDS_NOTHING)
			continue;
		n++;
		snprintf(addr, sizeof(addr), "198.51.100.%u", op);
		(void)api_tell(proxyd, (int)op, &(struct msg_api){
		    .token = "none", .addr = addr, .session = tun.session });
		if (sql_becomes(1, "SELECT count(*) FROM audit_events WHERE"
		    " action = '%s' AND outcome = 'refused' AND address = '%s'"
		    " AND reason = 'invalid token'", info->word, addr) != 1) {
			diag("%s", info->word);
			wrong++;
		}
	}
	is_int(wrong, 0, "each of %d calls without a token has its event", n);
}

/* All that relayctl can change. */
static void
administrator(void)
{
	static const char *const	on_system[] = { "system_enable",
	    "system_suspend", "system_resume", "system_disable",
	    "system_remove" };
	static const int		ops[] = { CTL_SYSTEM_ENABLE,
	    CTL_SYSTEM_SUSPEND, CTL_SYSTEM_RESUME, CTL_SYSTEM_DISABLE,
	    CTL_SYSTEM_REMOVE };
	struct tunnel			 t;
	const struct ctl_info		*info;
	char				 other[ID_SIZE];
	unsigned			 i;
	int				 wrong = 0, n = 0;

	system_add(control, &t, "");
	login(proxyd, &t, "", "", "192.0.2.1");
	ctl(control, &rows, CTL_CLOSE, t.session, CTL_END);
	is_int(sql_becomes(1, "SELECT count(*) FROM audit_events WHERE action ="
	    " 'close' AND session_id = '%s' AND actor = 'uid 0' AND address ="
	    " 'relayctl'", t.session), 1, "relayctl closes a session");
	ctl(control, &rows, CTL_SYSTEM_RENAME, t.key, "Another", CTL_END);
	is_int(sql_becomes(1, "SELECT count(*) FROM audit_events WHERE action ="
	    " 'system_rename' AND object = '%s' AND reason = 'Another'",
	    t.system), 1, "a new name, and which");
	ctl(control, &rows, CTL_SYSTEM_ROTATE, t.key, CTL_END);
	rows_free(&rows);
	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		ctl(control, &rows, ops[i], t.key, CTL_END);
		wrong += world_sql("SELECT count(*) FROM audit_events WHERE"
		    " action = '%s' AND object = '%s' AND actor = 'uid 0'",
		    on_system[i], t.system) != 1;
	}
	is_int(wrong, 0, "whatever it does to a system is on record");
	org_add(control, "Other", "customer", "", other);
	ctl(control, &rows, CTL_ORG_REMOVE, other, CTL_END);
	ctl(control, &rows, CTL_TOKEN_REVOKE, "some", "", "", CTL_END);
	ctl(control, &rows, CTL_TOKEN_REVOKE_USER, "mallory", "left", "",
	    CTL_END);
	is_int(world_sql("SELECT count(*) FROM audit_events WHERE action ="
	    " 'token_revoke_user' AND object = 'mallory' AND reason = 'left'"),
	    1, "what somebody was revoked for");
	ctl(control, &rows, CTL_TOKEN_ONCE, "alice", "", "", "", "", CTL_END);
	rows_free(&rows);
	ctl(control, &rows, CTL_PENALTY_CLEAR, "all", CTL_END);
	ctl(control, &rows, CTL_SCHEMA_APPLY, CTL_END);
	ctl(control, &rows, CTL_DRAIN, "60", CTL_END);
	ctl(control, &rows, CTL_DRAIN_CANCEL, CTL_END);
	drive_sync(control);
	for (i = 0; i < CTL_OP_COUNT; i++) {
		info = ctl_info(i);
		/* What is read in parts has its event in recording.t. */
		if (info == NULL || (info->flags & (CTL_LOOKS | CTL_PARTS)) ||
		    info->role != ROLE_AUTHD)
			continue;
		n++;
		if (world_sql("SELECT count(*) FROM audit_events WHERE action"
		    " = '%s' AND outcome = 'done' AND actor = 'uid 0'",
		    info->word) > 0)
			continue;
		diag("%s", info->word);
		wrong++;
	}
	is_int(wrong, 0, "none of the %d commands that change something is "
	    "left out", n);
	far_close(t.mux);
}

int
main(void)
{
	authd_init();
	authd_scene(&control, &proxyd, &token);
	org_add(control, "ACME", "customer", "", org);
	manager = operator_token(control, "sys", "", "owner",
	    "read:systems,manage:systems");
	system_add(control, &tun, "");
	login(proxyd, &tun, "", "", "192.0.2.1");
	up(&tun, 1);
	each();
	strangers();
	administrator();
	is_int(ctl(control, &rows, CTL_AUDIT_VERIFY, "", CTL_END), 0,
	    "and all of it is a chain: %s", rows.text);
	rows_free(&rows);
	far_close(tun.mux);
	free(manager);
	is_int(authd_scene_end(control, proxyd, token), 0,
	    "authd stops in order");
	return (done_testing());
}
