/* SPDX-License-Identifier: ISC */
/* Proxy tokens, grants, streams, tickets, terminals. */
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
sync_authd(void)
{
	drive_sync(control);
}

static void
proxy_token(const struct tunnel *t, const char *operator, const char *service,
    char dst[TOKEN_SIZE])
{
	struct api	a = { .token = operator, .session = t->session,
	    .service = service };

	if (api(proxyd, API_PROXY_TOKEN, &a) != 200)
		diag("no proxy token: %s", api_message);
	strlcpy(dst, api_str("token"), TOKEN_SIZE);
}

/* How many rows of the access log there are; counts change within a second. */
static long long
log_rows(long long want, const char *type, const char *more)
{
	return (sql_becomes(want,
	    "SELECT count(*) FROM support_access_logs WHERE "
	    "session_id = '%s' AND access_type = '%s' %s", tun.session, type,
	    more));
}

/* Who uses what, to relayctl. */
static void
in_use(unsigned row, const char *service, const char *streams)
{
	is_int(ctl(control, &rows, CTL_SHOW_STREAMS, CTL_END), 0,
	    "show streams");
	ok(rows.n == 3 &&
	    strcmp(cell(&rows, row, "session"), tun.session) == 0 &&
	    strcmp(cell(&rows, row, "kind"), "proxy") == 0 &&
	    strlen(cell(&rows, row, "operator")) > 0 &&
	    strlen(cell(&rows, row, "address")) > 0 &&
	    strlen(cell(&rows, row, "since")) == 24,
	    "who is in which session, since when, from where");
	is_str(cell(&rows, row, "service"), service, "at which service");
	is_str(cell(&rows, row, "streams"), streams, "through how many");
	rows_free(&rows);
}

static int
count_asked(struct far *p)
{
	struct imsg	m;

	drive_sync(control);
	return (hear_maybe(p->fd, IMSG_STREAMS_ASK, &m, 50));
}

static void
grants(void)
{
	struct granted	g;
	struct opened	o;
	struct far	*other;
	struct tunnel	u;
	char		proxy[TOKEN_SIZE], bent[TOKEN_SIZE];
	uint64_t	first;

	proxy_token(&tun, token, "s0", proxy);
	is_int(log_rows(1, "ui_proxy", "AND disconnected_at IS NULL"), 1,
	    "operator-61(partial): the token's row");
	grant(proxyd, "", tun.session, &g);
	is_int(g.status, 401, "no token: 401");
	is_str(g.message, "proxy token required", "its message");
	strlcpy(bent, proxy, sizeof(bent));
	bent[strlen(bent) - 3] = bent[strlen(bent) - 3] == 'A' ? 'B' : 'A';
	grant(proxyd, bent, tun.session, &g);
	is_int(g.status, 401, "a bent token: 401");
	is_str(g.message, "invalid proxy token", "its message");
	grant(proxyd, token, tun.session, &g);
	is_int(g.status, 401, "operator-3(partial): an access token: 401");
	system_add(control, &u, "");
	login(proxyd, &u, "", "", "192.0.2.2");
	up(&u, 1);
	grant(proxyd, proxy, u.session, &g);
	is_int(g.status, 403,
	    "operator-32(partial): a token on another session's host: 403");
	is_str(g.message, "proxy token does not match this session",
	    "its message");
	far_close(u.mux);

	grant(proxyd, proxy, tun.session, &g);
	is_int(g.status, 0, "granted");
	first = g.grant;
	grant(proxyd, proxy, tun.session, &g);
	ok(g.status == 0 && g.grant != first, "and again, a fresh grant");
	is_int(log_rows(1, "ui_proxy", ""), 1,
	    "operator-61(partial): one row per operator, session, service");
	stream_open(proxyd, tun.mux, g.grant, "s1", &o);
	is_int(o.status, 0, "another service of the session");
	is_int(log_rows(2, "ui_proxy", ""), 2, "has its own row");
	in_use(2, "s1", "1");
	in_use(1, "s0", "0");
	opened_close(&o);
	stream_end(tun.mux, o.stream, END_CLEAN, 100, 2000);
	sync_authd();
	drive_clock(&authd, 1100);
	sync_authd();
	is_int(log_rows(1, "ui_proxy", "AND json_extract(metadata, "
	    "'$.bytes_in') = 100 AND json_extract(metadata, '$.bytes_out') "
	    "= 2000 AND json_extract(metadata, '$.outcome') = 'finished'"), 1,
	    "operator-61(partial): bytes and outcome are in the row");

	/* A grant is good on its channel only. */
	other = drive_spawn(ROLE_PROXYD, 0);
	stream_open(other, tun.mux, g.grant, "s0", &o);
	is_int(o.status, 401, "another proxyd's grant: 401");
	far_close(other);
	drive_clock(&authd, 121000);
	stream_open(proxyd, tun.mux, g.grant, "s0", &o);
	is_int(o.status, 401, "a lapsed grant: 401");
	say(proxyd->fd, grant_drop, .grant = g.grant);
	stream_open(proxyd, tun.mux, g.grant, "s0", &o);
	is_int(o.status, 401, "a dropped one: 401");
	drive_clock(&authd, 16 * 60000);
	sync_authd();
	drive_clock(&authd, 2000);
	sync_authd();
	is_int(log_rows(0, "ui_proxy", "AND disconnected_at IS NULL"), 0,
	    "operator-61(partial): rows close after 15 idle minutes");
	is_int(ctl(control, &rows, CTL_SHOW_STREAMS, CTL_END), 0,
	    "show streams");
	is_int(rows.n, 1, "and nobody uses anything any more");
	rows_free(&rows);
}

/* What is open has moved, as its muxd says, asked or not; nobody else's. */
static void
moved(void)
{
	struct granted	g;
	struct opened	o;
	struct tunnel	u;
	struct msg_ctl_row row;
	struct imsg	m;
	char		proxy[TOKEN_SIZE];
	uint32_t	id;
	const char	*is = "";

	system_add(control, &u, "");
	login(proxyd, &u, "", "", "192.0.2.2");
	up(&u, 1);
	proxy_token(&tun, token, "s3", proxy);
	grant(proxyd, proxy, tun.session, &g);
	stream_open(proxyd, tun.mux, g.grant, "s3", &o);
	drive_clock(&authd, 2000);	/* nobody has looked just now */
	say_id(control->fd, next_id(control), ctl, .version = CTL_VERSION,
	    .op = CTL_SHOW_STREAMS);
	id = hear(tun.mux->fd, streams_ask, NULL)->id;
	say(tun.mux->fd, stream_moved, .stream = o.stream, .in = 70000,
	    .out = 11);
	say(u.mux->fd, stream_moved, .stream = o.stream, .in = 1 << 30,
	    .out = 12);
	say(tun.mux->fd, stream_moved, .stream = o.stream + 7, .in = 9,
	    .out = 9);
	say_id(tun.mux->fd, id, streams_told);
	while (hear_any(control->fd, &m, WAIT_MS) == IMSG_CTL_ROW &&
	    get_ctl_row(&m, &row) == 0)
		if (strcmp(row.cells.v[4], "s3") == 0)
			is = row.cells.v[6];
	is_str(is, "70000", "show streams: a stream that is open, until now");
	is_int(count_asked(u.mux), 0, "who has no streams is not asked");
	say(tun.mux->fd, stream_moved, .stream = o.stream, .in = 70005,
	    .out = 11);
	drive_clock(&authd, 1100);
	is_int(log_rows(1, "ui_proxy", "AND json_extract(metadata, "
	    "'$.bytes_in') = 70005 AND disconnected_at IS NULL"), 1,
	    "and what is said unasked is in the access log meanwhile");
	opened_close(&o);
	stream_end(tun.mux, o.stream, END_CLEAN, 70009, 11);
	drive_clock(&authd, 1100);
	is_int(log_rows(1, "ui_proxy", "AND json_extract(metadata, "
	    "'$.bytes_in') = 70009"), 1, "which counts nothing twice");
	say(proxyd->fd, grant_drop, .grant = g.grant);
	far_close(u.mux);
}

/* What stands for a token in cookies. */
static void
references(void)
{
	struct granted	g, h;
	struct tunnel	u;
	char		proxy[TOKEN_SIZE], ref[REFERENCE_SIZE];
	size_t		i;
	int		no = 0;

	proxy_token(&tun, token, "s0", proxy);
	grant(proxyd, proxy, tun.session, &g);
	ok(g.status == 0 && strlen(g.reference) > 0 &&
	    strlen(g.reference) <= 64, "a token has a reference of %zu bytes",
	    strlen(g.reference));
	strlcpy(ref, g.reference, sizeof(ref));
	grant(proxyd, ref, tun.session, &h);
	ok(h.status == 0 && strcmp(h.operator, g.operator) == 0 &&
	    strcmp(h.session, g.session) == 0 && h.expires == g.expires,
	    "which is as good as the token, for as long");
	is_str(h.reference, "", "and needs no other");
	grant(proxyd, proxy, tun.session, &h);
	is_str(h.reference, ref, "the token has that one for good");
	for (i = 0; ref[i] != '\0'; i++) {
		ref[i] ^= 1;
		grant(proxyd, ref, tun.session, &h);
		no += h.status == 401;
		ref[i] ^= 1;
	}
	is_int(no, (int)i, "whatever is different in it: 401");
	system_add(control, &u, "");
	login(proxyd, &u, "", "", "192.0.2.2");
	up(&u, 1);
	grant(proxyd, ref, u.session, &h);
	is_int(h.status, 403, "operator-32(partial): on another session's host:"
	    " 403");
	far_close(u.mux);
	is_int((int)world_sql("SELECT count(*) FROM proxy_references WHERE instr("
	    "id || sealed, '%.20s') > 0 OR instr(sealed, 'eyJhbGciOi') > 0", ref + 20),
	    0, "operator-60(partial): the store has neither in the clear");
	is_int((int)world_sql("SELECT count(*) FROM proxy_references"), 32,
	    "but a row of it");
	world_sql("INSERT INTO revocations VALUES ('user', 'alice', "
	    "9223372036854775807, 'left')");
	grant(proxyd, ref, tun.session, &h);
	is_int(h.status, 401, "operator-34(partial): revoked with its user");
	world_sql("DELETE FROM revocations");
}

/* One operator makes as many tokens as he likes. */
static void
reference_many(void)
{
	struct granted	g, h;
	char		proxy[TOKEN_SIZE];
	int		i;

	for (i = 0; i < 40; i++) {
		proxy_token(&tun, token, "s0", proxy);
		grant(proxyd, proxy, tun.session, &g);
	}
	is_int((int)world_sql("SELECT count(*) FROM proxy_references"), 32,
	    "40 tokens: the 32 newest have one; what has ended is gone");
	grant(proxyd, g.reference, tun.session, &h);
	is_int(h.status, 0, "the last one is among them");
}

static long
grants_left(void)
{
	long	n;

	ctl(control, &rows, CTL_SHOW_STATS, CTL_END);
	n = strtol(cell(&rows, 4, "value"), NULL, 10);
	rows_free(&rows);
	return (n);
}

static void
cap(void)
{
	static struct opened	o[65];
	struct granted		g;
	struct msg_stream_bridge late;
	struct imsg		m;
	char			proxy[TOKEN_SIZE];
	int			i, good = 0;

	proxy_token(&tun, token, "s0", proxy);
	grant(proxyd, proxy, tun.session, &g);
	for (i = 0; i < 64; i++) {
		stream_open(proxyd, tun.mux, g.grant, "s0", &o[i]);
		good += o[i].status == 0;
	}
	is_int(good, 64, "64 streams at once");
	stream_open(proxyd, tun.mux, g.grant, "s0", &o[64]);
	is_int(o[64].status, 429,
	    "tunnel-41(partial) operator-27(partial): the 65th: 429");
	is_str(o[64].message, "too many concurrent streams on this tunnel",
	    "its message");
	is_int(get_none(tun.mux, IMSG_STREAM_BRIDGE), 0,
	    "tunnel-41(partial): muxd hears nothing of it");

	/* An idle stream gives way: no refusal. */
	drive_clock(&authd, 300);
	say_id(proxyd->fd, next_id(proxyd), stream_open, .grant = g.grant,
	    .service = "s0");
	m = *hear(proxyd->fd, idle_drop, NULL);
	ok(1, "at the cap proxyd is asked for idle streams");
	opened_close(&o[0]);
	say_id(proxyd->fd, m.id, idle_dropped, .streams = 1);
	stream_end(tun.mux, o[0].stream, END_LOCAL, 0, 0);
	m = *hear(proxyd->fd, stream_opened, NULL);
	ok(m.fd != -1, "operator-27(partial): and the request goes through");
	if (m.fd != -1)
		close(m.fd);
	m = *hear(tun.mux->fd, stream_bridge, &late);
	if (m.fd != -1)
		close(m.fd);
	for (i = 1; i < 64; i++) {
		opened_close(&o[i]);
		stream_end(tun.mux, o[i].stream, END_LOCAL, 0, 0);
	}
	stream_end(tun.mux, late.stream, END_LOCAL, 0, 0);
	drive_clock(&authd, 300);
	stream_open(proxyd, tun.mux, g.grant, "s0", &o[0]);
	is_int(o[0].status, 0, "after some ended: works");
	opened_close(&o[0]);
	stream_end(tun.mux, o[0].stream, END_LOCAL, 0, 0);

	/* A proxyd that goes takes its grants, not the session. */
	far_close(proxyd);
	proxyd = drive_spawn(ROLE_PROXYD, 0);
	/* Its channel may be read after the others. */
	for (i = 0; i < 1000 && grants_left() != 0; i++)
		continue;
	is_int(grants_left(), 0, "grants go with their proxyd");
}

static void
expiry(void)
{
	struct msg_grant_end	end;
	struct msg_stream_kill	kill;
	struct granted	g;
	struct opened	o;
	char		proxy[TOKEN_SIZE], ref[REFERENCE_SIZE];

	proxy_token(&tun, token, "s0", proxy);
	grant(proxyd, proxy, tun.session, &g);
	strlcpy(ref, g.reference, sizeof(ref));
	stream_open(proxyd, tun.mux, g.grant, "s0", &o);
	drive_clock(&authd, 8 * 3600 * 1000UL);
	(void)hear(tun.mux->fd, stream_kill, &kill);
	ok(kill.stream == o.stream,
	    "operator-34(partial): the token's end kills its streams");
	(void)hear(proxyd->fd, grant_end, &end);
	ok(end.grant == g.grant && end.why == END_GRANT,
	    "operator-34(partial): and ends its grant");
	grant(proxyd, proxy, tun.session, &g);
	is_int(g.status, 401, "operator-34(partial): expired: 401");
	grant(proxyd, ref, tun.session, &g);
	is_int(g.status, 401, "operator-34(partial): its reference too: 401");
	opened_close(&o);
	stream_end(tun.mux, o.stream, END_GRANT, 0, 0);
}

/* Two organizations: what one may see, until it may not any more. */
static void
scopes(void)
{
	struct tunnel	 t;
	struct granted	 g;
	struct opened	 o;
	struct api	 a = { 0 };
	char		 seller[ID_SIZE], client[ID_SIZE], proxy[TOKEN_SIZE];
	char		*tok;

	org_add(control, "Seller", "reseller", "", seller);
	org_add(control, "Client", "customer", seller, client);
	system_add(control, &t, client);
	login(proxyd, &t, "", "", "192.0.2.1");
	up(&t, 1);
	tok = operator_token(control, "bob", seller, "reseller", "");
	proxy_token(&t, tok, "s0", proxy);
	grant(proxyd, proxy, t.session, &g);
	is_int(g.status, 0, "operator-6(partial): a reseller's customer");
	stream_open(proxyd, t.mux, g.grant, "s0", &o);
	ctl(control, &rows, CTL_ORG_REMOVE, client, CTL_END);
	rows_free(&rows);
	(void)hear(t.mux->fd, stream_kill, NULL);
	ok(1, "operator-6(partial): the customer goes: streams are killed");
	grant(proxyd, proxy, t.session, &g);
	is_int(g.status, 404, "operator-6(partial): the issued token: 404");
	is_str(g.message, "support session not found", "its message");
	a.token = tok;
	a.session = t.session;
	is_int(api(proxyd, API_SESSION_GET, &a), 404,
	    "operator-7(partial): invisible is like missing");
	opened_close(&o);

	world_sql("INSERT INTO revocations VALUES ('user', 'alice', "
	    "9223372036854775807, 'left')");
	a.token = token;
	is_int(api(proxyd, API_SESSION_GET, &a), 401,
	    "operator-3(partial): a revoked user: 401");
	is_str(api_message, "user account has been suspended", "its message");
	is_str(api_str("reason"), "left", "its reason");
	world_sql("DELETE FROM revocations");
	far_close(t.mux);
	free(tok);
}

static void
outage(void)
{
	struct granted	g;
	struct opened	o;
	struct api	a = { .token = token, .session = tun.session };
	char		proxy[TOKEN_SIZE];

	proxy_token(&tun, token, "s0", proxy);
	grant(proxyd, proxy, tun.session, &g);
	world_sql("ALTER TABLE support_access_logs RENAME TO hidden");
	stream_open(proxyd, tun.mux, g.grant, "s1", &o);
	is_int(o.status, 503,
	    "operator-61(partial) operator-59(partial): no row, no stream");
	is_int(get_none(tun.mux, IMSG_STREAM_BRIDGE), 0,
	    "operator-61(partial): muxd hears nothing");
	a.service = "s2";
	is_int(api(proxyd, API_PROXY_TOKEN, &a), 503,
	    "operator-61(partial): no row, no token");
	ok(strstr(api_data, "token") == NULL, "not even by mistake");
	is_int(get_none(tun.mux, IMSG_CLOSE), 0,
	    "operator-59(partial): the tunnel stays");
	ok(drive_logged(&authd, "store: down"), "the log says so");
	world_sql("ALTER TABLE hidden RENAME TO support_access_logs");
	stream_open(proxyd, tun.mux, g.grant, "s1", &o);
	is_int(o.status, 0, "when it is back, streams open");
	ok(drive_logged(&authd, "store: back"), "and the log says so");
	opened_close(&o);
	stream_end(tun.mux, o.stream, END_LOCAL, 0, 0);
}

static int
admit_terminal(const char *ticket, const char *session, const char *origin,
    uint64_t *nonce)
{
	struct msg_admitted	in;

	say_id(proxyd->fd, next_id(proxyd), admit, .class = CLASS_TERMINAL,
	    .addr = "192.0.2.50", .session = session, .ticket = ticket,
	    .origin = origin);
	(void)hear(proxyd->fd, admitted, &in);
	*nonce = in.nonce;
	return (in.status);
}

/* What stands for a back end's word is another's grant, or none at all. */
static int
admit_under(uint64_t id)
{
	struct msg_admitted	in;

	say_id(proxyd->fd, next_id(proxyd), admit, .class = CLASS_TERMINAL,
	    .addr = "192.0.2.50", .session = tun.session, .ticket = "",
	    .origin = "", .grant = id);
	(void)hear(proxyd->fd, admitted, &in);
	return (in.status);
}

static void
not_internal(void)
{
	struct granted	g;
	char		proxy[TOKEN_SIZE];
	char		*fresh = operator_token(control, "carol", "org-1",
			    "owner", "connect:systems");

	proxy_token(&tun, fresh, "s1", proxy);
	grant(proxyd, proxy, tun.session, &g);
	is_int(g.status, 0, "an operator's grant");
	is_int(admit_under(g.grant), 403,
	    "operator-54(partial): is none for a terminal without a ticket");
	is_int(admit_under(g.grant + 1), 403, "nor is one that nobody has");
	is_int(api_tell(proxyd, API_SERVICES, &(struct msg_api){ .token = "",
	    .session = tun.session, .addr = "192.0.2.50",
	    .grant = g.grant }), 403,
	    "operator-54(partial): nor for the list of services");
	is_int(api_tell(proxyd, API_SERVICES, &(struct msg_api){
	    .token = fresh, .session = tun.session, .addr = "192.0.2.50",
	    .grant = 1 }), 403, "and a token beside it is not looked at");
	say(proxyd->fd, grant_drop, .grant = g.grant);
	free(fresh);
}

static const char *
ticket_for(const char *operator)
{
	struct api	a = { .token = operator, .session = tun.session };

	api(proxyd, API_TERMINAL_TICKET, &a);
	return (api_str("ticket"));
}

static void
tickets(void)
{
	struct tunnel	 u;
	uint64_t	 nonce;
	char		 ticket[HEX64_SIZE];
	int		 i, status;
	struct api	 a = { .token = token, .session = tun.session };

	strlcpy(ticket, ticket_for(token), sizeof(ticket));
	is_int(strlen(ticket), 64, "a ticket of 64 hex digits");
	is_int(admit_terminal("", tun.session, "", &nonce), 401,
	    "no ticket: 401");
	is_int(admit_terminal(ticket, tun.session, "https://evil.example",
	    &nonce), 403, "operator-23(partial): foreign Origin: 403");
	is_int(admit_terminal(ticket, tun.session,
	    "https://console.example.com", &nonce), 0,
	    "operator-21 operator-23(partial): the ticket was not used up");
	is_int(admit_terminal(ticket, tun.session, "", &nonce), 401,
	    "operator-21: a second use: 401");
	strlcpy(ticket, ticket_for(token), sizeof(ticket));
	drive_clock(&authd, 30001);
	is_int(admit_terminal(ticket, tun.session, "", &nonce), 401,
	    "operator-21: after 30 s: 401");
	system_add(control, &u, "");
	login(proxyd, &u, "", "", "192.0.2.2");
	up(&u, 1);
	strlcpy(ticket, ticket_for(token), sizeof(ticket));
	is_int(admit_terminal(ticket, u.session, "", &nonce), 403,
	    "operator-21: for another session: 403");
	is_int(admit_terminal(ticket, tun.session, "", &nonce), 401,
	    "operator-21: and used up by the failed attempt");
	far_close(u.mux);
	drive_clock(&authd, 61000);
	for (i = 0; i < 30; i++)
		if (api(proxyd, API_TERMINAL_TICKET, &a) != 200)
			break;
	is_int(i, 30, "30 tickets a minute");
	status = api(proxyd, API_TERMINAL_TICKET, &a);
	is_int(status, 429, "the 31st: 429");
	drive_clock(&authd, 61000);
}

static void
term_refused(struct far *termd, int want, const char *what)
{
	struct msg_term_refuse	in;

	(void)hear(termd->fd, term_refuse, &in);
	is_int(in.status, want, "%s", what);
}

static void
terminals(void)
{
	struct msg_close	closed;
	struct msg_stream_bridge	bridge;
	struct msg_term_stream	in;
	struct far	*termd;
	struct imsg	 m;
	uint64_t	 nonce = 0, stream = 0;
	char		 org[ID_SIZE];
	char		 ticket[HEX64_SIZE], byte = 't', *tok;
	int		 fd, mux_fd;

	admit_terminal(ticket_for(token), tun.session, "", &nonce);
	termd = drive_spawn(ROLE_TERMD, nonce);
	fd = hear(termd->fd, term_stream, &in)->fd;
	stream = in.stream;
	mux_fd = hear(tun.mux->fd, stream_bridge, &bridge)->fd;
	ok(bridge.stream == stream && strcmp(bridge.service, "terminal") == 0,
	    "a terminal's stream opens");
	ok(write(fd, &byte, 1) == 1 && read(mux_fd, &byte, 1) == 1,
	    "between termd and muxd");
	is_int(log_rows(1, "web_terminal", "AND disconnected_at IS NULL"), 1,
	    "operator-61(partial): its row is there before");
	close(fd);
	close(mux_fd);
	say(termd->fd, term_end, .why = END_CLEAN, .text = "shell ended");
	stream_end(tun.mux, stream, END_CLEAN, 7, 8);
	sync_authd();
	drive_clock(&authd, 1100);
	sync_authd();
	is_int(log_rows(1, "web_terminal", "AND disconnected_at IS NOT NULL"),
	    1, "operator-26(partial): disconnected_at after the shell's end");
	far_close(termd);

	/* The tunnel is lost. */
	admit_terminal(ticket_for(token), tun.session, "", &nonce);
	termd = drive_spawn(ROLE_TERMD, nonce);
	m = *hear(termd->fd, term_stream, NULL);
	close(m_take_fd(&m));
	far_close(tun.mux);
	sync_authd();
	drive_clock(&authd, 1100);
	sync_authd();
	is_int(log_rows(0, "web_terminal", "AND disconnected_at IS NULL"), 0,
	    "operator-26(partial): and after the loss of the tunnel");
	far_close(termd);
	login(proxyd, &tun, "", "", "192.0.2.1");
	up(&tun, 3);

	/* Closed by the operator: the terminal hears why. */
	admit_terminal(ticket_for(token), tun.session, "", &nonce);
	termd = drive_spawn(ROLE_TERMD, nonce);
	m = *hear(termd->fd, term_stream, NULL);
	close(m_take_fd(&m));
	ctl(control, &rows, CTL_CLOSE, tun.session, CTL_END);
	(void)hear(termd->fd, close, &closed);
	is_int(closed.code, 1008,
	    "operator-11(partial): terminals end with it");
	far_close(termd);
	far_close(tun.mux);
	login(proxyd, &tun, "", "", "192.0.2.1");
	up(&tun, 3);

	/* Scope and state are looked at when the ticket is used. */
	ctl(control, &rows, CTL_ORG_ADD, "Shop", "customer", "", CTL_END);
	strlcpy(org, cell(&rows, 1, "id"), sizeof(org));
	rows_free(&rows);
	world_sql("UPDATE systems SET organization_id = '%s' WHERE id = '%s'",
	    org, tun.system);
	tok = operator_token(control, "carol", org, "customer", "");
	strlcpy(ticket, ticket_for(tok), sizeof(ticket));
	world_sql("UPDATE systems SET organization_id = 'other' "
	    "WHERE id = '%s'", tun.system);
	is_int(admit_terminal(ticket, tun.session, "", &nonce), 404,
	    "operator-22 operator-6(partial): scope does not cover it: 404");
	free(tok);
	strlcpy(ticket, ticket_for(token), sizeof(ticket));
	admit_terminal(ticket, tun.session, "", &nonce);
	far_close(tun.mux);
	sync_authd();
	termd = drive_spawn(ROLE_TERMD, nonce);
	term_refused(termd, 404, "the tunnel went meanwhile: 404");
	far_close(termd);
}

/* One of many: his ends before the word is given, whoever else is there. */
static void
revoked_first(void)
{
	struct granted		g;
	struct msg_grant_end	end;
	struct imsg		m;
	char			proxy[TOKEN_SIZE], his[TOKEN_SIZE], *bob;
	int			i;

	proxy_token(&tun, token, "s0", proxy);
	bob = operator_token(control, "bobby", "", "owner", "");
	proxy_token(&tun, bob, "s0", his);
	for (i = 0; i < 800; i++)
		grant(proxyd, proxy, tun.session, &g);
	grant(proxyd, his, tun.session, &g);
	is_int(ctl(control, &rows, CTL_TOKEN_REVOKE_USER, "bobby", "", "",
	    CTL_END), 0, "an operator is revoked, 800 other grants are there");
	ok(hear_maybe(proxyd->fd, IMSG_GRANT_END, &m, 0) &&
	    get_grant_end(&m, &end) == 0 && end.grant == g.grant,
	    "operator-34(partial): his has ended when that is said");
	rows_free(&rows);
	free(bob);
}

int
main(void)
{
	authd_init();
	drive_conf.n_console_origin = 1;
	strlcpy(drive_conf.console_origin[0], "https://console.example.com",
	    sizeof(drive_conf.console_origin[0]));
	authd_scene(&control, &proxyd, &token);
	system_add(control, &tun, "");
	login(proxyd, &tun, "", "", "192.0.2.1");
	up(&tun, 4);
	grants();
	moved();
	reference_many();
	references();
	revoked_first();
	cap();
	scopes();
	outage();
	tickets();
	not_internal();
	expiry();
	terminals();
	is_int(authd_scene_end(control, proxyd, token), 0,
	    "authd stops in order");
	return (done_testing());
}
