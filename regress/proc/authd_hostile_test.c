/* SPDX-License-Identifier: ISC */
/* What a process that was broken into, or a wicked customer, gains by it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proc/alone.h"
#include "regress/lib/authd_story.h"
#include "base/compat.h"
#include "regress/lib/tap.h"


static struct far	*proxyd, *control;
static struct rows	 rows;
static char		*token;

/* How many of this type come before nothing comes for a while? */
static unsigned
count_of(struct far *p, uint32_t type, unsigned enough)
{
	struct imsg	m;
	unsigned	n = 0;
	int		r;

	while (n < enough && (r = hear_any(p->fd, &m, WAIT_MS)) > 0) {
		if (m.fd != -1)
			close(m.fd);
		n += r == (int)type;
	}
	return (n);
}

static void
tunnel_new(struct tunnel *t, unsigned services)
{
	system_add(control, t, "");
	login(proxyd, t, "", "", "192.0.2.1");
	if (t->status != 0)
		diag("login: %d %s", t->status, t->message);
	up(t, services);
}

static void
proxy_token(const struct tunnel *t, const char *operator, char dst[TOKEN_SIZE])
{
	struct api	a = { .token = operator, .session = t->session,
	    .service = "s0" };

	if (api(proxyd, API_PROXY_TOKEN, &a) != 200)
		diag("no proxy token: %s", api_message);
	strlcpy(dst, api_str("token"), TOKEN_SIZE);
}

/* A terminal of the session: its termd; its stream and tag in *o. */
static struct far *
terminal(const struct tunnel *t, struct opened *o)
{
	struct msg_admitted	in;
	struct api	 a = { .token = token, .session = t->session };
	struct far	*termd;

	api(proxyd, API_TERMINAL_TICKET, &a);
	say_id(proxyd->fd, next_id(proxyd), admit, .class = CLASS_TERMINAL,
	    .addr = "192.0.2.50", .session = t->session,
	    .ticket = api_str("ticket"));
	(void)hear(proxyd->fd, admitted, &in);
	termd = drive_spawn(ROLE_TERMD, in.nonce);
	close(hear(termd->fd, term_stream, NULL)->fd);
	o->stream = 0;
	bridge_take(t->mux, o, "terminal");
	shut(&o->mux_fd);
	return (termd);
}

/* --- ends that have to reach everybody --- */

static void
recheck(void)
{
	struct tunnel	 t;
	struct granted	 g;
	char		 seller[ID_SIZE], client[ID_SIZE], proxy[TOKEN_SIZE];
	char		*tok;
	int		 i, good = 0;

	org_add(control, "Seller", "reseller", "", seller);
	org_add(control, "Client", "customer", seller, client);
	system_add(control, &t, client);
	login(proxyd, &t, "", "", "192.0.2.1");
	up(&t, 1);
	tok = operator_token(control, "bob", seller, "reseller", "");
	proxy_token(&t, tok, proxy);
	for (i = 0; i < 16; i++) {
		grant(proxyd, proxy, t.session, &g);
		good += g.status == 0;
	}
	is_int(good, 16, "sixteen grants of a reseller");
	ctl(control, &rows, CTL_ORG_REMOVE, client, CTL_END);
	rows_free(&rows);
	is_int(count_of(proxyd, IMSG_GRANT_END, 16), 16,
	    "operator-6(partial): the customer goes: every grant ends");
	far_close(t.mux);
	free(tok);
}

/* Who belongs to an organization that was removed sees nothing of it. */
static void
own_organization(void)
{
	struct tunnel	 t;
	struct granted	 g;
	struct api	 a = { 0 };
	char		 org[ID_SIZE], proxy[TOKEN_SIZE];
	char		*tok;

	ctl(control, &rows, CTL_ORG_ADD, "Shop", "customer", "", CTL_END);
	strlcpy(org, cell(&rows, 1, "id"), sizeof(org));
	rows_free(&rows);
	system_add(control, &t, org);
	login(proxyd, &t, "", "", "192.0.2.1");
	up(&t, 1);
	tok = operator_token(control, "carol", org, "customer", "");
	proxy_token(&t, tok, proxy);
	grant(proxyd, proxy, t.session, &g);
	is_int(g.status, 0, "a grant of the organization's own");
	ctl(control, &rows, CTL_ORG_REMOVE, org, CTL_END);
	rows_free(&rows);
	is_int(count_of(proxyd, IMSG_GRANT_END, 1), 1,
	    "operator-6(partial): their organization goes: its grants end");
	a.token = tok;
	a.session = t.session;
	is_int(api(proxyd, API_SESSION_GET, &a), 404,
	    "operator-6(partial): and its people see nothing");
	is_int(api(proxyd, API_SESSION_LIST, &a), 200, "the list works");
	ok(strstr(api_data, t.session) == NULL,
	    "operator-6(partial): and is without it");
	far_close(t.mux);
	free(tok);
}

/* A system is disabled while its second login waits for the first's life. */
static void
probe_disabled(void)
{
	struct tunnel	t, u;
	struct imsg	m;
	uint32_t	id;

	tunnel_new(&t, 0);
	u = t;
	login_send(proxyd, &u, "", "", "192.0.2.1");
	m = *hear(t.mux->fd, probe, NULL);
	id = m.id;
	ctl(control, &rows, CTL_SYSTEM_DISABLE, t.key, CTL_END);
	rows_free(&rows);
	(void)hear(t.mux->fd, close, NULL);
	say_id(t.mux->fd, id, alive);
	login_wait(&u);
	is_int(u.status, 403,
	    "disabled while a login waits: 403");
	is_int(world_sql("SELECT count(*) FROM support_sessions WHERE "
	    "system_id = '%s' AND status IN ('pending', 'active')", t.system),
	    0, "and no session");
	far_close(t.mux);
	far_close(u.mux);
}

/* Without a grant nobody asks again: authd looks by itself. */
static void
terminal_revoked(void)
{
	struct tunnel	 t;
	struct opened	 o;
	struct far	*termd;

	tunnel_new(&t, 0);
	termd = terminal(&t, &o);
	world_sql("INSERT INTO revocations VALUES ('user', 'alice', "
	    "9223372036854775807, 'left')");
	drive_clock(&authd, 61000);
	is_int(count_of(t.mux, IMSG_STREAM_KILL, 1), 1,
	    "operator-34(partial): a revoked user's terminal ends in a minute");
	is_int(count_of(termd, IMSG_CLOSE, 1), 1, "and termd is told");
	world_sql("DELETE FROM revocations");
	far_close(termd);
	far_close(t.mux);
}

/* A proxyd that leaves its channel keeps its streams, as long as they may. */
static void
proxyd_leaves(void)
{
	struct tunnel	 t;
	struct granted	 g;
	struct opened	 o;
	struct far	*bad;
	char		 proxy[TOKEN_SIZE];

	tunnel_new(&t, 1);
	proxy_token(&t, token, proxy);
	bad = drive_spawn(ROLE_PROXYD, 0);
	grant(bad, proxy, t.session, &g);
	stream_open(bad, t.mux, g.grant, "s0", &o);
	far_close(bad);
	drive_sync(control);
	is_int(get_none(t.mux, IMSG_STREAM_KILL), 0, "what runs goes on");
	drive_clock(&authd, 8 * 3600 * 1000UL);
	is_int(count_of(t.mux, IMSG_STREAM_KILL, 1), 1,
	    "operator-34(partial): the token's end is its end all the same");
	opened_close(&o);
	far_close(t.mux);
}

/* --- muxd --- */

/* A muxd that was refused has nothing to say any more. */
static void
refused(void)
{
	struct tunnel	t;

	system_add(control, &t, "");
	t.secret[strlen(t.secret) - 1] ^= 1;
	login(proxyd, &t, "", "", "192.0.2.1");
	is_int(t.status, 401, "a wrong secret: 401");
	say_id(t.mux->fd, 9, credit_ask, .mib = 64);
	is_int(count_of(&parent, IMSG_OFFENCE, 1), 1,
	    "credit for a muxd that was refused: an offence");
	is_int(get_end(t.mux), 0, "its channel ends");
	far_close(t.mux);
}

static void
service(struct far *mux, const char *name, size_t len)
{
	char	path[PATH_SIZE];

	memset(path, 'x', sizeof(path));
	path[len] = '\0';
	say(mux->fd, service, .name = name, .target = "127.0.0.1:8000",
	    .path = path, .path_prefix = path);
}

static void
table(struct far *mux, unsigned n, size_t len)
{
	char		name[16];
	unsigned	i;

	say(mux->fd, services_begin, .version = 1, .count = n);
	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "s%u", i);
		service(mux, name, len);
	}
	say(mux->fd, services_end);
}

/* Tables without end: those proxyds are spared that hold a grant. */
static void
tables(void)
{
	struct tunnel	 t;
	struct granted	 g;
	struct far	*other;
	char		 proxy[TOKEN_SIZE];
	unsigned	 i, n;

	tunnel_new(&t, 1);
	proxy_token(&t, token, proxy);
	other = drive_spawn(ROLE_PROXYD, 0);
	grant(other, proxy, t.session, &g);
	is_int(g.status, 0, "a proxyd that holds a grant");
	for (i = 0; i < 400; i++)
		table(t.mux, 10, 1000);
	drive_sync(control);
	n = count_of(other, IMSG_SERVICES_BEGIN, 400);
	ok(n > 0 && n < 20, "of 400 tables it hears only some: %u", n);
	is_int(get_none(&parent, IMSG_OFFENCE), 0, "and nobody has to go");
	table(t.mux, 3, 10);
	drive_sync(control);
	drive_clock(&authd, 1100);
	is_int(count_of(other, IMSG_SERVICE, 3), 3, "the last one comes");
	far_close(other);
	far_close(t.mux);
}

/*
 * Nothing is asked any more: who does not read then has had all answers that
 * there are. Between two questions of one call a turn may pass.
 */
static void
all_answered(void)
{
	unsigned	quiet = 0;

	while (quiet < 20) {
		drive_sync(control);
		quiet = stat_of(control, "store_questions") == 0 ? quiet + 1 :
		    0;
	}
}

/* A great table, asked for more often than proxyd reads. */
static void
backlog(void)
{
	struct msg_api_result	result;
	struct msg_granted	given;
	struct tunnel	 t;
	struct far	*other;
	struct imsg	 m;
	char		 proxy[TOKEN_SIZE], slug[SLUG_SIZE] = "", *p = slug;
	unsigned	 i, answers = 0, busy = 0;
	int		 r;

	tunnel_new(&t, 1);
	proxy_token(&t, token, proxy);
	table(t.mux, 500, 1000);
	drive_sync(control);
	for (i = 0; t.session[i] != '\0'; i++)
		if (t.session[i] != '-')
			*p++ = t.session[i];
	*p = '\0';
	other = drive_spawn(ROLE_PROXYD, 0);
	for (i = 0; i < 20; i++) {
		say_id(other->fd, next_id(other), grant, .token = proxy,
		    .slug = slug, .addr = "192.0.2.99");
		say_id(other->fd, next_id(other), api, .op = API_SERVICES,
		    .token = token, .addr = "192.0.2.99", .session = t.session);
	}
	all_answered();
	while (answers < 40 && (r = hear_any(other->fd, &m, WAIT_MS)) > 0) {
		if (r != IMSG_GRANTED && r != IMSG_API_RESULT)
			continue;
		answers++;
		busy += (get_granted(&m, &given) == 0 &&
		    given.status == 503) || (get_api_result(&m, &result) == 0 &&
		    result.status == 503);
	}
	is_int(answers, 40, "a backlog: every question is answered");
	ok(busy > 0 && busy < 40, "some of them with 503: %u", busy);
	is_int(get_none(&parent, IMSG_OFFENCE), 0, "and proxyd stays");
	far_close(other);
	far_close(t.mux);
}

static void
greed(void)
{
	struct tunnel	t;

	tunnel_new(&t, 0);
	ok(lend(t.mux, UINT32_MAX) <= 64, "one tunnel gets 64 MiB at most");
	is_int(lend(t.mux, 1), 0, "and then nothing");
	far_close(t.mux);
}

/* Words of the customer's do not push the rest out of the row. */
static void
long_reason(void)
{
	struct tunnel	 t;
	struct opened	 o;
	struct far	*termd;
	char		 text[MESSAGE_SIZE];

	tunnel_new(&t, 0);
	termd = terminal(&t, &o);
	memset(text, 1, sizeof(text));
	text[sizeof(text) - 1] = '\0';
	say(termd->fd, term_end, .why = END_REFUSED, .text = text);
	far_close(termd);
	drive_sync(control);
	stream_end(t.mux, o.stream, END_REFUSED, 1, 2);
	drive_sync(control);
	drive_clock(&authd, 1100);
	is_int(sql_becomes(1, "SELECT count(*) FROM support_access_logs WHERE "
	    "session_id = '%s' AND disconnected_at IS NOT NULL", t.session), 1,
	    "a terminal refused at length");
	is_int(world_sql("SELECT count(*) FROM support_access_logs WHERE "
	    "session_id = '%s' AND json_extract(metadata, '$.ip') = "
	    "'192.0.2.50' AND json_extract(metadata, '$.bytes_out') = 2 AND "
	    "length(json_extract(metadata, '$.outcome')) > 100", t.session), 1,
	    "operator-61(partial): its row says who, what and why");
	far_close(t.mux);
}

/* What is no text does not make a page of the log unreadable. */
static void
odd_reason(void)
{
	struct tunnel	 t;
	struct opened	 o;
	struct far	*termd;

	tunnel_new(&t, 0);
	termd = terminal(&t, &o);
	say(termd->fd, term_end, .why = END_REFUSED,
	    .text = "\x1b[2J \xff \xc2\x9b h\xc3\xa9");
	far_close(termd);
	drive_sync(control);
	stream_end(t.mux, o.stream, END_REFUSED, 1, 2);
	drive_clock(&authd, 1100);
	is_int(sql_becomes(1, "SELECT count(*) FROM support_access_logs WHERE "
	    "session_id = '%s' AND json_extract(metadata, '$.outcome') = "
	    "'\\x1b[2J \\xff \\xc2\\x9b h\xc3\xa9'", t.session), 1,
	    "words of a broken termd are printable in the access log");
	far_close(t.mux);
}

/* The session ends and its client is back within one turn of the loop. */
static void
same_turn(void)
{
	struct tunnel	t, u;
	uint64_t	nonce = 0;

	tunnel_new(&t, 0);
	u = t;
	nonce = admit(proxyd, "192.0.2.1", NULL);
	u.mux = drive_spawn(ROLE_MUXD, nonce);
	drive_sync(control);
	drive_freeze(&authd, 1);
	say_id(control->fd, next_id(control), ctl, .version = CTL_VERSION,
	    .op = CTL_CLOSE, .words = { 1, { t.session } });
	say_id(u.mux->fd, next_id(u.mux), login, .nonce = nonce, .key = t.key,
	    .secret = t.secret, .addr = "192.0.2.1");
	drive_freeze(&authd, 0);
	(void)hear(control->fd, ctl_done, NULL);
	login_wait(&u);
	is_int(u.status, 0, "closed and back in one turn: a new session");
	far_close(t.mux);
	far_close(u.mux);
}

/* One who is refused without end has a row a minute, and nobody loses one. */
static void
loud(void)
{
	struct msg_api_result	in;
	int			i;

	for (i = 0; i < 500; i++)
		say_id(proxyd->fd, next_id(proxyd), api,
		    .op = API_SESSION_LIST, .token = "none",
		    .addr = i == 300 ? "2001:db8:0:2::1" : i % 2 ?
		    "2001:db8:0:1::7" : "2001:db8:0:1::1");
	for (i = 0; i < 500; i++)
		(void)hear(proxyd->fd, api_result, &in);
	is_int(sql_becomes(2, "SELECT count(*) FROM audit_events WHERE "
	    "address LIKE '2001:db8:%%'"), 2, "500 refusals are two rows");
	is_int(sql_becomes(1, "SELECT count(*) FROM audit_events WHERE "
	    "address = '2001:db8:0:2::1' AND count = 1"), 1,
	    "one of who was refused once");
	drive_clock(&authd, 61000);
	is_int(sql_becomes(498, "SELECT max(count) FROM audit_events WHERE "
	    "address = '2001:db8:0:1::1'"), 498,
	    "and one with the count of the others, when the minute is over");
	is_int(world_sql("SELECT sum(count) FROM audit_events WHERE "
	    "address LIKE '2001:db8:0:1::%%'"), 499, "in all none is missing");
	ok(drive_logged(&authd, "list refused 498 times more"),
	    "and the log says so");
	say_id(proxyd->fd, next_id(proxyd), api, .op = API_SESSION_LIST,
	    .token = "none", .addr = "2001:db8:0:1::1");
	(void)hear(proxyd->fd, api_result, &in);
	is_int(sql_becomes(4, "SELECT count(*) FROM audit_events WHERE "
	    "address LIKE '2001:db8:%%'"), 4,
	    "the next minute has the next row");
}

/* Refusals without end: the oldest make room, what was done stays. */
static void
flood(void)
{
	struct msg_api_result	in;
	char			addr[ADDR_SIZE];
	long long		done, last;
	int			i, n;

	drive_sync(control);
	last = world_sql("SELECT max(event) FROM audit_events");
	done = world_sql("SELECT count(*) FROM audit_events WHERE chain = 1");
	for (n = 0; n < 3; n++) {
		for (i = 0; i < 800; i++) {
			snprintf(addr, sizeof(addr), "198.%d.%d.%d", 18 + n,
			    i / 250, i % 250);
			say_id(proxyd->fd, next_id(proxyd), api,
			    .op = API_SESSION_LIST, .token = "none",
			    .addr = addr);
			(void)hear(proxyd->fd, api_result, &in);
		}
		drive_clock(&authd, 1100);
	}
	drive_clock(&authd, 61000);
	is_int(sql_becomes(0, "SELECT max(0, count(*) - 1002) FROM "
	    "audit_events WHERE chain = 2"), 0,
	    "a flood of refusals: the newest thousand stay");
	ok(world_sql("SELECT count(*) FROM audit_events WHERE chain = 2") >=
	    1000, "no fewer");
	is_int(world_sql("SELECT count(*) FROM audit_events WHERE "
	    "chain = 1 AND event <= %lld", last), done,
	    "what was done stays");
	is_int(ctl(control, &rows, CTL_AUDIT_VERIFY, "", CTL_END), 0,
	    "and both chains are whole: %s", rows.text);
	rows_free(&rows);
}

/*
 * What proxyd refuses alone: a row for each address and reason, no more of them
 * in a minute than it may have, and then one for the rest of each reason.
 */
static void
alone(void)
{
	char		 addr[ADDR_SIZE];
	struct far	*p;
	int		 i;

	say(proxyd->fd, refused_alone, .why = ALONE_CROSS_SITE,
	    .addr = "192.0.2.66", .count = 3, .request = "abc-1");
	say(proxyd->fd, refused_alone, .why = ALONE_HEAD,
	    .addr = "192.0.2.66", .count = 1, .request = "abc-2");
	say(proxyd->fd, refused_alone, .why = ALONE_HEAD,
	    .addr = "192.0.2.66", .count = 4, .request = "abc-3");
	is_int(sql_becomes(2, "SELECT count(*) FROM audit_events WHERE "
	    "address = '192.0.2.66' AND action = 'request' AND "
	    "outcome = 'refused' AND chain = 2 AND actor IS NULL"), 2,
	    "what proxyd refuses alone: a row for each reason");
	is_int(world_sql("SELECT count(*) FROM audit_events WHERE "
	    "reason = 'from another site' AND count = 3 AND request_id = "
	    "'abc-1'"), 1, "with the count that it was told with");
	for (i = 0; i < 1000; i++) {
		snprintf(addr, sizeof(addr), "203.0.%d.%d", i / 250, i % 250);
		say(proxyd->fd, refused_alone, .why = i % 2 ? ALONE_TOKEN :
		    ALONE_RATE, .addr = addr, .count = 1, .request = "");
	}
	say_id(proxyd->fd, next_id(proxyd), api, .op = API_SESSION_LIST,
	    .token = "none", .addr = "192.0.2.67");
	(void)hear(proxyd->fd, api_result, NULL);
	drive_clock(&authd, 61000);
	is_int(sql_becomes(4, "SELECT count FROM audit_events WHERE address = "
	    "'192.0.2.66' AND reason = 'malformed request' AND count > 1"), 4,
	    "those that follow are one more");
	is_int(world_sql("SELECT count(*) FROM audit_events WHERE action = "
	    "'request' AND address LIKE '203.%%'"), 254,
	    "of a flood not more than a proxyd's share has rows");
	is_int(sql_becomes(746, "SELECT sum(count) FROM audit_events WHERE "
	    "action = 'request' AND address IS NULL"), 746,
	    "and the others are counted");
	is_int(world_sql("SELECT count(DISTINCT reason) FROM audit_events WHERE "
	    "action = 'request' AND address IS NULL"), 2, "by their reasons");
	is_int(ctl(control, &rows, CTL_AUDIT_VERIFY, "", CTL_END), 0,
	    "the chains are whole");
	rows_free(&rows);
	for (i = 0; i < 4; i++) {
		p = drive_spawn(ROLE_PROXYD, 0);
		say(p->fd, refused_alone, .why = i == 0 ? ALONE_COUNT :
		    ALONE_HEAD, .addr = i == 1 ? "nobody" : "192.0.2.1",
		    .count = i != 2, .request = i == 3 ? "a text" : "");
		is_int(get_end(p), 0, "%s ends it", i == 0 ?
		    "a reason that is none" : i == 1 ? "an address that is "
		    "none" : i == 2 ? "nothing refused" : "any text");
		far_close(p);
	}
}

/* --- after a restart --- */

static void
announce(struct far *p, uint64_t id, const char *name, const uint8_t *tag,
    size_t len)
{
	say(p->fd, announce, .up = 1, .streams = 1);
	say(p->fd, announce_stream, .stream = id, .service = name,
	    .tag = { tag, len });
	say(p->fd, announce_end);
}

/*
 * Three tunnels: one claims the stream of another, one names another's muxd as
 * the terminal that its stream belongs to.
 */
static void
false_claims(void)
{
	struct tunnel	 good, thief, liar;
	struct granted	 g;
	struct opened	 o, stolen, lie;
	char		 proxy[TOKEN_SIZE];

	tunnel_new(&good, 1);
	proxy_token(&good, token, proxy);
	grant(proxyd, proxy, good.session, &g);
	stream_open(proxyd, good.mux, g.grant, "s0", &o);
	tunnel_new(&thief, 1);
	proxy_token(&thief, token, proxy);
	grant(proxyd, proxy, thief.session, &g);
	stream_open(proxyd, thief.mux, g.grant, "s0", &stolen);
	tunnel_new(&liar, 1);
	proxy_token(&liar, token, proxy);
	grant(proxyd, proxy, liar.session, &g);
	stream_open(proxyd, liar.mux, g.grant, "s0", &lie);
	drive_sync(control);
	far_close(proxyd);
	far_close(control);
	drive_kill(&authd);
	authd_start(0);
	control = drive_spawn(ROLE_CONTROL, 0);
	proxyd = drive_spawn(ROLE_PROXYD, 0);
	rebind(&thief);
	rebind(&liar);
	rebind(&good);
	say(parent.fd, spawned_all);
	announce(thief.mux, o.stream, "s0", stolen.tag, stolen.tag_len);
	is_int(count_of(thief.mux, IMSG_STREAM_KILL, 1), 1,
	    "a stream under another's number is killed");
	memcpy(lie.tag + UUID_SIZE, &good.mux->instance, 8);
	announce(liar.mux, lie.stream, "s0", lie.tag, lie.tag_len);
	is_int(count_of(liar.mux, IMSG_STREAM_KILL, 1), 1,
	    "a tag that was changed is none");
	announce(good.mux, o.stream, "s0", o.tag, o.tag_len);
	drive_sync(control);
	ctl(control, &rows, CTL_CLOSE, liar.session, CTL_END);
	rows_free(&rows);
	ctl(control, &rows, CTL_CLOSE, thief.session, CTL_END);
	rows_free(&rows);
	drive_sync(control);
	is_int(hear_any(good.mux->fd, &(struct imsg){ 0 }, 50), 0,
	    "and the honest one hears nothing of all that");
	opened_close(&o);
	opened_close(&stolen);
	opened_close(&lie);
	far_close(good.mux);
	far_close(thief.mux);
	far_close(liar.mux);
}

int
main(void)
{
	authd_init();
	drive_conf.keep_refusals_max = 1000;
	authd_scene(&control, &proxyd, &token);
	recheck();
	own_organization();
	probe_disabled();
	terminal_revoked();
	refused();
	tables();
	backlog();
	greed();
	long_reason();
	odd_reason();
	same_turn();
	loud();
	alone();
	flood();
	false_claims();
	proxyd_leaves();
	is_int(authd_scene_end(control, proxyd, token), 0,
	    "authd stops in order");
	return (done_testing());
}
