/* SPDX-License-Identifier: ISC */
/* The operator API: tokens, permissions, visibility, pages, groups. */
#include <sodium.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "regress/lib/authd_story.h"
#include "base/compat.h"
#include "regress/lib/tap.h"

#define KEY	"0123456789abcdef0123456789abcdef-test-key"
#define HS256	"{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define B64	sodium_base64_VARIANT_URLSAFE_NO_PADDING
#define MISSING	"00000000-0000-4000-8000-000000000000"

static struct far	*proxyd, *control;
static struct rows	 rows;
static char		*token;

/* A token of our own making. */
static const char *
forge(const char *header, const char *payload, const char *key)
{
	static char				text[TOKEN_SIZE];
	crypto_auth_hmacsha256_state		st;
	uint8_t					mac[32];
	size_t					n;

	sodium_bin2base64(text, sizeof(text), (const uint8_t *)header,
	    strlen(header), B64);
	n = strlen(text);
	text[n++] = '.';
	sodium_bin2base64(text + n, sizeof(text) - n,
	    (const uint8_t *)payload, strlen(payload), B64);
	n = strlen(text);
	crypto_auth_hmacsha256_init(&st, (const uint8_t *)key, strlen(key));
	crypto_auth_hmacsha256_update(&st, (const uint8_t *)text, n);
	crypto_auth_hmacsha256_final(&st, mac);
	text[n++] = '.';
	sodium_bin2base64(text + n, sizeof(text) - n, mac, sizeof(mac), B64);
	return (text);
}

/* An access token's claims, with parts to vary. */
static const char *
claims(const char *type, long exp, long nbf, const char *more,
    const char *user_perms, const char *org_perms)
{
	static char	text[2048];
	long		now = (long)time(NULL);

	snprintf(text, sizeof(text), "{\"token_type\":\"%s\",\"exp\":%ld,"
	    "\"nbf\":%ld,\"iat\":%ld,%s\"user\":{\"id\":\"u1\",\"name\":\"U\","
	    "\"org_role\":\"Owner\",\"organization_id\":\"o\","
	    "\"user_permissions\":[%s],\"org_permissions\":[%s]}}", type,
	    now + exp, now + nbf, now, more, user_perms, org_perms);
	return (text);
}

#define CONNECT	"\"connect:systems\""

/* One call: what is asked, and what of the answer is looked at. */
struct call {
	const char	*what;
	int		 op;
	const char	*service;
	int		 status;
	const char	*message;	/* NULL: not looked at */
	const char	*path;		/* of the JSON; NULL: likewise */
	const char	*value;		/* as it stands there */
	const char	*valued;	/* the description of that */
};

/* Ask them all, as this operator, of this session. */
static void
calls(const struct call *c, size_t n, const char *tok, const char *session)
{
	struct api	a = { .token = tok, .session = session };

	for (; n > 0; n--, c++) {
		a.service = c->service;
		is_int(api(proxyd, c->op, &a), c->status, "%s", c->what);
		if (c->message != NULL)
			is_str(api_message, c->message, "%s", c->valued);
		if (c->path != NULL)
			is_str(api_at(c->path), c->value, "%s", c->valued);
	}
}
#define CALLS(rows, tok, session)					\
	calls(rows, sizeof(rows) / sizeof((rows)[0]), tok, session)

static void
refused(const char *tok, int status, const char *message, const char *what)
{
	struct api	a = { .token = tok };

	is_int(api(proxyd, API_SESSION_LIST, &a), status,
	    "operator-3(partial): %s: %d", what, status);
	is_str(api_message, message, "operator-3(partial): its message");
}

static void
tokens(void)
{
	struct api	 a = { 0 };
	const char	*good = claims("access", 60, -1, "", CONNECT, "");
	/* Five that a token may have, and those of other things. */
	static const char *const types[] = { "\"JWT\"", "\"jwt\"",
	    "\"at+jwt\"", "\"application/at+JWT\"", "\"application/jwt\"",
	    "\"logout+jwt\"", "\"dpop+jwt\"", "\"JWT \"", "\"\"", "5",
	    "null" };
	char		 text[TOKEN_SIZE];
	size_t		 i;
	int		 status;

	a.token = forge(HS256, good, KEY);
	is_int(api(proxyd, API_SESSION_LIST, &a), 200,
	    "operator-3(partial): a good token");
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		snprintf(text, sizeof(text),
		    "{\"alg\":\"HS256\",\"typ\":%s}", types[i]);
		a.token = forge(text, good, KEY);
		is_int(api(proxyd, API_SESSION_LIST, &a), i < 5 ? 200 : 401,
		    "operator-3(partial): typ %s", types[i]);
	}
	refused("", 401, "token not provided", "no token");
	refused("abc", 401, "invalid token", "not a token");
	refused(forge(HS256, good, "another key than that of the server"),
	    401, "invalid token", "bad signature");
	refused(forge("{\"alg\":\"none\"}", good, KEY), 401, "invalid token",
	    "alg none");
	strlcpy(text, forge("{\"alg\":\"none\"}", good, KEY), sizeof(text));
	*(strrchr(text, '.') + 1) = '\0';
	refused(text, 401, "invalid token", "alg none without a signature");
	refused(forge("{\"alg\":\"RS256\"}", good, KEY), 401,
	    "invalid token", "RS256 signed with the HMAC secret");
	refused(forge("{\"alg\":\"HS512\"}", good, KEY), 401,
	    "invalid token", "HS512");
	refused(forge("{\"alg\":\"HS256\",\"crit\":[\"x\"]}", good, KEY), 401,
	    "invalid token", "a critical header");
	refused(forge(HS256, claims("proxy", 60, -1, "", CONNECT, ""), KEY),
	    401, "invalid token", "a proxy token");
	refused(forge(HS256, claims("refresh", 60, -1, "", CONNECT, ""), KEY),
	    401, "invalid token", "a refresh token");
	refused(forge(HS256, claims("access", 60, 30, "", CONNECT, ""), KEY),
	    401, "invalid token", "a future nbf");
	snprintf(text, sizeof(text), "{\"token_type\":\"access\","
	    "\"exp\":%ld,\"iat\":%ld,\"user\":{\"id\":\"u1\"}}",
	    (long)time(NULL) + 600, (long)time(NULL) + 60);
	refused(forge(HS256, text, KEY), 401, "invalid token",
	    "issued in the future");
	refused(forge(HS256, claims("access", -1, -60, "", CONNECT, ""), KEY),
	    401, "invalid token", "expired");
	refused(forge(HS256, "{\"token_type\":\"access\",\"user\":{\"id\":"
	    "\"u\"}}", KEY), 401, "invalid token", "no exp");
	refused(forge(HS256, claims("impersonation", 60, -1, "", CONNECT, ""),
	    KEY), 401, "invalid token", "an impersonation by nobody");
	a.token = forge(HS256, claims("impersonation", 60, -1,
	    "\"is_impersonated\":true,\"impersonated_by\":{\"id\":\"boss\"},",
	    CONNECT, ""), KEY);
	is_int(api(proxyd, API_SESSION_LIST, &a), 200,
	    "operator-3(partial): an impersonation");

	world_sql("INSERT INTO revocations VALUES ('token', 'j1', "
	    "9223372036854775807, 'lost')");
	refused(forge(HS256, claims("access", 60, -1, "\"jti\":\"j1\",",
	    CONNECT, ""), KEY), 401, "token has been revoked",
	    "a revoked token");
	is_str(api_str("reason"), "lost", "operator-3(partial): its reason");
	world_sql("ALTER TABLE revocations RENAME TO hidden");
	refused(forge(HS256, good, KEY), 503,
	    "security service temporarily unavailable",
	    "an unreadable list of revocations");
	world_sql("ALTER TABLE hidden RENAME TO revocations");

	a.session = MISSING;
	a.token = forge(HS256, claims("access", 60, -1, "", "\"read:systems\"",
	    "\"manage:systems\""), KEY);
	for (int op = API_SESSION_LIST; op < API_SYSTEM_LIST; op++)
		is_int(api(proxyd, op, &a), 403,
		    "operator-4(partial): call %d without the permission", op);
	is_str(api_message, "insufficient permissions", "its message");
	for (int op = API_SESSION_LIST; op < API_SYSTEM_LIST; op++) {
		a.token = forge(HS256, claims("access", 60, -1, "", CONNECT,
		    ""), KEY);
		status = api(proxyd, op, &a);
		a.token = forge(HS256, claims("access", 60, -1, "", "",
		    CONNECT), KEY);
		ok(status != 401 && status != 403 &&
		    api(proxyd, op, &a) == status, "operator-4: call %d works "
		    "with it, in one list or the other: %d", op, status);
	}
	a.token = forge(HS256, claims("access", 60, -1, "", "", CONNECT), KEY);
	is_int(api(proxyd, API_SESSION_LIST, &a), 200,
	    "operator-4(partial): in the organization's list it works");
	a.token = "myk_0123456789";
	is_int(api(proxyd, API_SESSION_LIST, &a), 403,
	    "operator-4(partial): an API key: 403");
	a.token = "myo_0123456789";
	is_int(api(proxyd, API_SESSION_LIST, &a), 403,
	    "operator-4(partial): either kind");
}

static void
issuer(void)
{
	struct api	a = { 0 };

	a.token = forge(HS256, claims("access", 60, -1,
	    "\"iss\":\"https://idp\",\"aud\":[\"x\",\"relayd\"],", CONNECT,
	    ""), KEY);
	is_int(api(proxyd, API_SESSION_LIST, &a), 200,
	    "operator-3(partial): iss and aud as configured");
	refused(forge(HS256, claims("access", 60, -1,
	    "\"iss\":\"https://other\",\"aud\":\"relayd\",", CONNECT, ""),
	    KEY), 401, "invalid token", "another issuer");
	refused(forge(HS256, claims("access", 60, -1,
	    "\"iss\":\"https://idp\",\"aud\":\"other\",", CONNECT, ""), KEY),
	    401, "invalid token", "another audience");
	refused(forge(HS256, claims("access", 60, -1, "", CONNECT, ""), KEY),
	    401, "invalid token", "neither");
}

static void
sees(const char *role, const char *of, const struct tunnel *t, int want,
    const char *what)
{
	struct api	 a = { .session = t->session };
	char		*tok = operator_token(control, "x", of, role, "");
	int		 status;

	a.token = tok;
	status = api(proxyd, API_SESSION_GET, &a);
	is_int(status, want, "operator-5: %s", what);
	a.session = NULL;
	a.system_id = t->system;
	api(proxyd, API_SESSION_LIST, &a);
	ok((strstr(api_data, t->session) != NULL) == (want == 200),
	    "operator-5: and in the list");
	free(tok);
}

static void
visibility(void)
{
	struct tunnel	own, res, rescust, cust, foreign;
	char		d[ID_SIZE], r[ID_SIZE], rc[ID_SIZE], c[ID_SIZE],
			d2[ID_SIZE], f[ID_SIZE];
	struct tunnel	*all[] = { &own, &res, &rescust, &cust, &foreign };
	const char	*orgs[] = { d, r, rc, c, f };
	size_t		i;

	org_add(control, "D", "distributor", "", d);
	org_add(control, "R", "reseller", d, r);
	org_add(control, "RC", "customer", r, rc);
	org_add(control, "C", "customer", d, c);
	org_add(control, "D2", "distributor", "", d2);
	org_add(control, "F", "customer", d2, f);
	for (i = 0; i < 5; i++) {
		system_add(control, all[i], orgs[i]);
		login(proxyd, all[i], "", "", "192.0.2.1");
		up(all[i], 0);
	}
	sees("owner", "", &foreign, 200, "owner: everything");
	sees("Distributor", d, &own, 200, "distributor: own");
	sees("distributor", d, &res, 200, "distributor: reseller");
	sees("distributor", d, &rescust, 200, "distributor: its customer");
	sees("distributor", d, &cust, 200, "distributor: own customer");
	sees("distributor", d, &foreign, 404, "distributor: foreign");
	sees("reseller", r, &res, 200, "reseller: own");
	sees("reseller", r, &rescust, 200, "reseller: own customer");
	sees("reseller", r, &cust, 404, "reseller: another's customer");
	sees("reseller", r, &own, 404, "reseller: its distributor");
	sees("customer", c, &cust, 200, "customer: own");
	sees("customer", c, &own, 404, "customer: its distributor");
	sees("guest", d, &own, 404, "unknown role: nothing");
	for (i = 0; i < 5; i++)
		far_close(all[i]->mux);
}

static void
ids(void)
{
	static const char *const	bad[] = { "", "x", "../etc/passwd",
	    "00000000-0000-4000-8000-00000000000G",
	    "00000000000040008000000000000000", MISSING };
	struct api			a = { .token = token };
	size_t				i;
	int				op, good = 1;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		for (op = API_SESSION_GET; op < API_SYSTEM_LIST; op++) {
			a.session = bad[i];
			a.service = "web";
			good &= api(proxyd, op, &a) == 404 && strcmp(
			    api_message, "support session not found") == 0;
		}
	ok(good, "operator-7(partial): a malformed or unknown id gives 404 on "
	    "every call");
}

static void
services(void)
{
	static const struct call	pending[] = {
		{ "a proxy token of a pending session: 400", API_PROXY_TOKEN,
		    "s0", 400, NULL, NULL, NULL, NULL },
		{ "a ticket: 400", API_TERMINAL_TICKET, "s0", 400,
		    "support session is not active", NULL, NULL,
		    "the message" },
	}, active[] = {
		{ "active: 200", API_PROXY_TOKEN, "s0", 200, NULL, NULL, NULL,
		    NULL },
		{ "no service: 400", API_PROXY_TOKEN, "", 400,
		    "service name required", NULL, NULL, "its message" },
		{ "bad service: 400", API_PROXY_TOKEN, "a b", 400,
		    "invalid service name", NULL, NULL, "its message" },
		{ "unknown: 404", API_PROXY_TOKEN, "nope", 404, NULL, NULL,
		    NULL, NULL },
	}, grace[] = {
		{ "in grace", API_SERVICES, NULL, 200, NULL, "services", "{}",
		    "operator-13: an empty object while in grace" },
	}, closed[] = {
		{ "closed", API_SERVICES, NULL, 200, NULL, "services", "{}",
		    "operator-13: and of a closed session" },
		{ "still readable", API_SESSION_GET, NULL, 200, NULL, NULL,
		    NULL, NULL },
	};
	struct tunnel	t;

	system_add(control, &t, "");
	login(proxyd, &t, "", "", "192.0.2.1");
	CALLS(pending, token, t.session);
	up(&t, 1);
	CALLS(active, token, t.session);
	far_close(t.mux);
	drive_sync(control);
	CALLS(grace, token, t.session);
	is_str(api_data, "{\"services\":{}}", "and nothing else");
	ctl(control, &rows, CTL_CLOSE, t.session, CTL_END);
	CALLS(closed, token, t.session);
	ok(strstr(api_data, "token") == NULL,
	    "operator-9(partial): no token in a session");
}

/* A turn that takes too long says what took it. */
static void
slow(void)
{
	struct api	a = { .token = token };

	world_sql("ALTER TABLE revocations RENAME TO hidden");
	world_sql("CREATE VIEW revocations AS SELECT 'token' AS kind,"
	    " CAST(m AS TEXT) AS id, m AS until, '' AS reason FROM"
	    " (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c"
	    " WHERE x < 1500000) SELECT max(x) AS m FROM c)");
	is_int(api(proxyd, API_SESSION_LIST, &a), 200, "a slow answer");
	ok(drive_logs(&authd, "the slowest: db_revoked, "),
	    "the log says which query it was");
	world_sql("DROP VIEW revocations");
	world_sql("ALTER TABLE hidden RENAME TO revocations");
}

/* Who has given up, or is no more, closes nothing. */
static void
gone(void)
{
	struct tunnel		t;
	struct api		a = { .token = token };
	struct far		*other = drive_spawn(ROLE_PROXYD, 0);
	struct msg_api_result	in;

	system_add(control, &t, "");
	login(proxyd, &t, "", "", "192.0.2.1");
	up(&t, 0);
	a.session = t.session;
	say_id(proxyd->fd, next_id(proxyd), api, .op = API_SESSION_CLOSE,
	    .token = token, .addr = "192.0.2.7", .session = t.session,
	    .until_ms = 1);
	is_int(api(proxyd, API_SESSION_GET, &a), 200, "the next call");
	is_str(api_str("status"), "active",
	    "what was asked too long ago is not done");
	say_id(other->fd, next_id(other), api, .op = API_SESSION_CLOSE,
	    .token = token, .addr = "192.0.2.7", .session = t.session,
	    .until_ms = UINT64_MAX);
	(void)hear(other->fd, api_result, &in);
	is_int(in.status, 200, "another");
	api(proxyd, API_SESSION_GET, &a);
	is_str(api_str("status"), "closed", "what is asked in time is");
	far_close(other);
	far_close(t.mux);
}

/* A page of the list: the parameter, and what it gives. */
static const struct page {
	uint32_t	 page, page_size;
	const char	*path, *value, *what;
} page_rows[] = {
	{ 0, 0, "pagination", "{\"page\":1,\"page_size\":20,"
	    "\"total_count\":41,\"total_pages\":3,\"has_next\":true,"
	    "\"has_prev\":false,\"next_page\":2,\"sort_by\":\"started_at\","
	    "\"sort_direction\":\"asc\"}",
	    "operator-2: pagination of the first page" },
	{ 2, 0, "pagination.next_page", "3", "operator-2: of a middle page" },
	{ 2, 0, "pagination.prev_page", "1", "operator-2: its previous one" },
	{ 2, 0, "pagination.has_next", "true", "operator-2: it has a next" },
	{ 2, 0, "pagination.has_prev", "true", "operator-2: and a previous" },
	{ 3, 0, "pagination.prev_page", "2", "operator-2: of the last page" },
	{ 3, 0, "pagination.has_next", "false", "operator-2: it has no next" },
	{ 3, 0, "pagination.has_prev", "true", "operator-2: but a previous" },
	{ 4, 0, "pagination.prev_page", "3", "operator-2: of one behind it" },
	{ 999, 0, "pagination.prev_page", "3",
	    "operator-2: far behind it: the last that exists" },
	{ 999, 0, "pagination.has_prev", "true", "operator-2: which there is" },
	{ 1, 101, "pagination.page_size", "20",
	    "operator-2: page_size 101 gives 20" },
	{ 1, 100, "pagination.page_size", "100", "100 gives 100" },
	{ 1, 100, "pagination.total_pages", "1", "and one page" },
};

/* 41 systems of their own organization, three sessions each of some. */
static void
pages(void)
{
	struct api		 a = { 0 };
	char			 o[ID_SIZE];
	char			*tok, first[8192];
	const struct page	*p;
	int			 i, stable = 1;

	org_add(control, "Pages", "customer", "", o);
	tok = operator_token(control, "pat", o, "customer", "");
	for (i = 0; i < 41; i++)
		world_sql("INSERT INTO systems (id, name, system_key, "
		    "system_secret_public, system_secret_sha256, "
		    "organization_id, created_at, updated_at) VALUES "
		    "('page-%02d', 'P', 'K%d', 'p', 's', '%s', 1, 1)", i, i,
		    o);
	for (i = 0; i < 41; i++)
		world_sql("INSERT INTO support_sessions (id, system_id, "
		    "session_token, started_at, expires_at, status, "
		    "created_at, updated_at, generation) VALUES "
		    "('%08x-0000-4000-8000-000000000000', 'page-%02d', "
		    "'t%d', 1000, 2000, 'closed', 1000, 1000, 1)", i, i, i);
	a.token = tok;
	a.sort_by = "started_at";
	is_int(api(proxyd, API_SESSION_LIST, &a), 200, "the first page");
	strlcpy(first, api_data, sizeof(first));
	for (p = page_rows; p < page_rows + sizeof(page_rows) /
	    sizeof(page_rows[0]); p++) {
		a.page = p->page;
		a.page_size = p->page_size;
		api(proxyd, API_SESSION_LIST, &a);
		is_str(api_at(p->path), p->value, "%s", p->what);
	}
	a.page_size = 0;
	a.page = 2;
	api(proxyd, API_SESSION_LIST, &a);
	ok(strstr(api_data, "page-20") != NULL &&
	    strstr(api_data, "page-39") != NULL &&
	    strstr(api_data, "page-19") == NULL,
	    "operator-2: equal keys have a stable order");
	a.page = 3;
	api(proxyd, API_SESSION_LIST, &a);
	ok(strstr(api_data, "page-40") != NULL,
	    "operator-2: the last one is on the last page");
	a.page = 1;
	for (i = 0; i < 5; i++) {
		api(proxyd, API_SESSION_LIST, &a);
		stable &= strncmp(api_data, first, sizeof(first) - 1) == 0;
	}
	ok(stable, "operator-2: the same page is the same");
	free(tok);
}

/* One system: two open sessions, two that are over. */
static void
groups(void)
{
	struct tunnel	 n1, n0;
	struct api	 a = { 0 };
	char		 o[ID_SIZE], *tok;
	const char	*p0, *p1;

	org_add(control, "Groups", "customer", "", o);
	tok = operator_token(control, "gus", o, "customer", "");
	system_add(control, &n1, o);
	n0 = n1;
	login(proxyd, &n1, "1", "", "192.0.2.1");
	up(&n1, 0);
	login(proxyd, &n0, "", "", "192.0.2.1");
	world_sql("INSERT INTO support_sessions (id, system_id, session_token,"
	    " started_at, expires_at, status, created_at, updated_at, "
	    "generation) VALUES ('aaaaaaaa-0000-4000-8000-000000000000', '%s',"
	    " 'g1', 1000, 2000, 'closed', 1000, 1000, 1)", n1.system);
	world_sql("INSERT INTO support_sessions (id, system_id, session_token,"
	    " started_at, expires_at, status, created_at, updated_at, "
	    "generation) VALUES ('bbbbbbbb-0000-4000-8000-000000000000', '%s',"
	    " 'g2', 3000, 4000, 'expired', 3000, 3000, 1)", n1.system);
	a.token = tok;
	is_int(api(proxyd, API_SESSION_LIST, &a), 200, "the list");
	ok(strstr(api_data, "\"total_count\":1,") != NULL,
	    "operator-8: one group per system");
	ok(strstr(api_data, "\"session_count\":4,\"node_count\":1") != NULL,
	    "operator-8: of all matching rows");
	p0 = strstr(api_data, n0.session);
	p1 = strstr(api_data, n1.session);
	ok(p0 != NULL && p1 != NULL && p0 < p1 &&
	    strstr(api_data, "aaaaaaaa") == NULL,
	    "operator-8: its sessions: open ones only, by node, none first");
	ok(strstr(api_data, "1970-01-01") == NULL,
	    "operator-8: its times are those of open rows");
	is_str(api_str("status"), "active", "operator-8: best of all states");
	ok(strstr(api_data, "session_token") == NULL &&
	    strstr(api_data, "reconnect_token") == NULL,
	    "operator-9(partial): no token in the list");
	a.statuses = 1 << SESSION_ACTIVE | 1 << SESSION_PENDING;
	api(proxyd, API_SESSION_LIST, &a);
	ok(strstr(api_data, "\"session_count\":2") != NULL,
	    "operator-8: status=active&status=pending gives both");
	a.statuses = 1 << SESSION_CLOSED | 1 << SESSION_EXPIRED;
	api(proxyd, API_SESSION_LIST, &a);
	ok(strstr(api_data, "\"started_at\":\"1970-01-01T00:00:03.000Z\"") !=
	    NULL && strstr(api_data, "\"sessions\":[]") != NULL,
	    "operator-8: without open rows: the latest one's times");
	far_close(n0.mux);
	far_close(n1.mux);
	free(tok);
}

/* A tunnel, and a proxy token issued under an access token that says `what`. */
static void
issued(struct tunnel *t, struct api *a, char proxy[TOKEN_SIZE],
    const char *what)
{
	system_add(control, t, "");
	login(proxyd, t, "", "", "192.0.2.1");
	up(t, 1);
	a->session = t->session;
	a->token = forge(HS256, what, KEY);
	is_int(api(proxyd, API_PROXY_TOKEN, a), 200, "a proxy token");
	strlcpy(proxy, api_str("token"), TOKEN_SIZE);
}

/* What is done in another's name is written down as such. */
static void
impersonation(void)
{
	struct tunnel	t;
	struct granted	g;
	struct api	a = { .service = "s0" };
	char		proxy[TOKEN_SIZE];

	issued(&t, &a, proxy, claims("impersonation", 60, -1,
	    "\"impersonated_by\":{\"id\":\"boss\"},", CONNECT, ""));
	grant(proxyd, proxy, t.session, &g);
	is_int(g.status, 0, "is good");
	is_int(sql_becomes(1, "SELECT count(*) FROM support_access_logs WHERE "
	    "session_id = '%s' AND operator_id = 'u1' AND operator_name = 'U' "
	    "AND json_extract(metadata, '$.impersonator') = 'boss' AND "
	    "json_extract(metadata, '$.ip') = '192.0.2.7'", t.session), 1,
	    "operator-61(partial): the impersonator is recorded");
	is_int(ctl(control, &rows, CTL_TOKEN_REVOKE_USER, "boss", "", "",
	    CTL_END), 0, "an operator is revoked");
	is_int(api(proxyd, API_SESSION_LIST, &a), 401,
	    "operator-3(partial): whoever impersonates is suspended");
	is_str(api_message, "user account has been suspended", "its message");
	grant(proxyd, proxy, t.session, &g);
	is_int(g.status, 401, "and so is what was issued to them: %s",
	    g.message);
	is_int(ctl(control, &rows, CTL_TOKEN_REVOKE_USER, "boss", "", "1",
	    CTL_END), 0, "for a second");
	drive_clock(&authd, 1001);
	grant(proxyd, proxy, t.session, &g);
	is_int(g.status, 0, "when that is over");
	far_close(t.mux);
}

/* Whatever an impersonator does, and that nothing goes without its row. */
static void
recorded(void)
{
	static const char	users[] = "{\"users\":{\"local_users\":"
	    "[{\"username\":\"x\",\"password\":\"y\"}]}}";
	struct tunnel		t;
	struct api		a = { .service = "s0" };
	struct msg_admitted	in;
	struct far		*termd;
	char			proxy[TOKEN_SIZE];

	issued(&t, &a, proxy, claims("impersonation", 600, -1,
	    "\"impersonated_by\":{\"id\":\"boss\"},", CONNECT, ""));
	report_say_of(t.mux, REPORT_USERS, users, strlen(users));
	is_int(lend(t.mux, 0), 0, "its users are reported");
	is_int(api(proxyd, API_USERS, &a), 200, "they are read");
	is_int(api(proxyd, API_TERMINAL_TICKET, &a), 200, "a ticket");
	say_id(proxyd->fd, next_id(proxyd), admit, .class = CLASS_TERMINAL,
	    .addr = "192.0.2.50", .session = t.session,
	    .ticket = api_str("ticket"));
	(void)hear(proxyd->fd, admitted, &in);
	termd = drive_spawn(ROLE_TERMD, in.nonce);
	shut(&hear(termd->fd, term_stream, NULL)->fd);
	is_int(sql_becomes(3, "SELECT count(DISTINCT access_type) FROM"
	    " support_access_logs WHERE session_id = '%s' AND operator_id ="
	    " 'u1' AND impersonator = 'boss' AND access_type IN ('ui_proxy',"
	    " 'view', 'web_terminal')", t.session), 3, "operator-61: a row for "
	    "a token, a terminal, and users that were read, each with the "
	    "impersonator");
	world_sql("ALTER TABLE support_access_logs RENAME TO away");
	is_int(api(proxyd, API_USERS, &a), 503,
	    "operator-61: no row, no users");
	world_sql("ALTER TABLE away RENAME TO support_access_logs");
	far_close(termd);
	far_close(t.mux);
}

/* What was issued under a token ends with it. */
static void
revoked(void)
{
	struct tunnel		t;
	struct granted		g;
	struct opened		o;
	struct msg_stream_kill	kill;
	struct api		a = { .service = "s0" };
	char			proxy[TOKEN_SIZE];

	issued(&t, &a, proxy, claims("access", 600, -1, "\"jti\":\"j2\",",
	    CONNECT, ""));
	grant(proxyd, proxy, t.session, &g);
	stream_open(proxyd, t.mux, g.grant, "s0", &o);
	is_int(o.status, 0, "is good for a stream");
	is_int(ctl(control, &rows, CTL_TOKEN_REVOKE, "j3", "", "", CTL_END), 0,
	    "another token is revoked");
	grant(proxyd, proxy, t.session, &g);
	is_int(g.status, 0, "which changes nothing");
	is_int(ctl(control, &rows, CTL_TOKEN_REVOKE, "j2", "lost it", "",
	    CTL_END), 0, "the access token is revoked");
	(void)hear(t.mux->fd, stream_kill, &kill);
	ok(kill.stream == o.stream, "the stream ends at once");
	grant(proxyd, proxy, t.session, &g);
	is_int(g.status, 401, "operator-3(partial): the proxy token, too: %s",
	    g.message);
	is_int(api(proxyd, API_SESSION_LIST, &a), 401,
	    "operator-3(partial): and the token");
	is_str(api_str("reason"), "lost it", "with the reason");
	is_int(ctl(control, &rows, CTL_TOKEN_REVOKE, "", "", "", CTL_END), 400,
	    "no token has no id");
	opened_close(&o);
	far_close(t.mux);
}

static void
no_domain(void)
{
	struct tunnel	t;
	struct api	a = { .token = token, .service = "s0" };

	system_add(control, &t, "");
	login(proxyd, &t, "", "", "192.0.2.1");
	up(&t, 1);
	a.session = t.session;
	is_int(api(proxyd, API_PROXY_TOKEN, &a), 503, "no proxy domain: 503");
	is_str(api_message, "subdomain proxy is not configured",
	    "its message");
	far_close(t.mux);
}

static void
begin(void)
{
	far_close(control);
	far_close(proxyd);
	authd_start(1);
	control = drive_spawn(ROLE_CONTROL, 0);
	proxyd = drive_spawn(ROLE_PROXYD, 0);
}

int
main(void)
{
	if (sodium_init() == -1)
		return (1);
	authd_init();
	begin();
	token = operator_token(control, "alice", "", "owner", "");
	tokens();
	visibility();
	ids();
	services();
	impersonation();
	recorded();
	revoked();
	gone();
	pages();
	groups();
	slow();
	is_int(authd_stop(), 0, "authd stops in order");
	strlcpy(drive_conf.jwt_issuer, "https://idp",
	    sizeof(drive_conf.jwt_issuer));
	strlcpy(drive_conf.jwt_audience, "relayd",
	    sizeof(drive_conf.jwt_audience));
	begin();
	issuer();
	is_int(authd_stop(), 0, "authd stops in order");
	drive_conf.jwt_issuer[0] = drive_conf.jwt_audience[0] = '\0';
	drive_conf.proxy_domain[0] = '\0';
	begin();
	no_domain();
	far_close(control);
	far_close(proxyd);
	free(token);
	return (done_testing());
}
