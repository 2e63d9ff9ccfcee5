/* SPDX-License-Identifier: ISC */
/* The operator API's systems, as authd answers: operator-api.md, section 5. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "regress/lib/authd_story.h"
#include "base/compat.h"
#include "regress/lib/tap.h"

#define BOTH	"read:systems,manage:systems"

static struct far	*proxyd, *control;
static char		*token, *viewer;
static char		org[ID_SIZE];

#define GIVEN(name)	api_given(API_SYSTEM_UPDATE, name)

/* The same as system_add(), by the API: not registered. */
static void
create(struct tunnel *t, const char *name)
{
	memset(t, 0, sizeof(*t));
	if (api_say(proxyd, API_SYSTEM_CREATE, token, .name = name,
	    .organization_id = org) != 201)
		bail("create: %s", api_message);
	strlcpy(t->system, api_str("id"), sizeof(t->system));
	strlcpy(t->key, api_str("system_key"), sizeof(t->key));
	strlcpy(t->secret, api_str("system_secret"), sizeof(t->secret));
}

static int
get(const char *id)
{
	return (api_say(proxyd, API_SYSTEM_GET, token, .system_id = id));
}

static int
enroll(const char *secret)
{
	return (api_say(proxyd, API_SYSTEM_REGISTER, "",
	    .system_secret = secret));
}

static void
life(void)
{
	struct tunnel	t;
	char		old[SECRET_SIZE];

	is_int(api_say(proxyd, API_SYSTEM_CREATE, token, .name = "Box",
	    .organization_id = org, .notes = "in the cellar",
	    .custom_data = "{\"rack\": 7}"), 201, "a system is made");
	strlcpy(t.system, api_str("id"), sizeof(t.system));
	strlcpy(t.key, api_str("system_key"), sizeof(t.key));
	strlcpy(t.secret, api_str("system_secret"), sizeof(t.secret));
	is_int(strlen(t.secret), 64, "operator-18: its secret is shown");
	is_int(strlen(t.key), 44, "and its key");
	is_str(api_str("status"), "unknown", "it is unknown");
	is_str(api_at("support_enabled"), "false", "has no support yet");
	is_str(api_at("support_session_id"), "null",
	    "operator-19: and no session, in create");
	is_str(api_at("custom_data"), "{\"rack\":7}", "what is noted");
	is_str(api_at("organization.name"), "\"ACME\"", "whose it is");
	is_str(api_at("created_by.user_id"), "\"sys\"", "who made it");
	is_int(get(t.system), 200, "it is read");
	is_str(api_at("system_key"), "\"\"",
	    "operator-18: not registered, it has no key");
	ok(strstr(api_data, "system_secret") == NULL &&
	    strstr(api_data, t.secret + 24) == NULL,
	    "operator-18: and the secret is not shown again");
	login(proxyd, &t, "", "", "192.0.2.1");
	is_int(t.status, 403, "it cannot log in");
	far_close(t.mux);
	strlcpy(old, t.secret, sizeof(old));
	is_int(api_say(proxyd, API_SYSTEM_SECRET, token,
	    .system_id = t.system), 200, "another secret");
	strlcpy(t.secret, api_str("system_secret"), sizeof(t.secret));
	ok(strcmp(old, t.secret) != 0 && strlen(t.secret) == 64,
	    "operator-18: is shown");
	is_str(api_at("support_session_id"), "null",
	    "operator-19: in regenerate");
	is_str(api_str("system_key"), "",
	    "its key only where it was made, and once it has registered");
	is_int(enroll(old), 401, "the old one is void");
	is_int(enroll("my_x"), 400, "what is no secret: 400");
	is_int(enroll(t.secret), 200, "operator-18: it registers");
	is_str(api_str("system_key"), t.key, "operator-18: and has its key");
	is_int(strlen(api_str("registered_at")), 24, "since when");
	ok(get(t.system) == 200 && strcmp(api_at("support_enabled"), "true") ==
	    0, "operator-18: support_enabled becomes true");
	is_str(api_str("system_key"), t.key, "the key is shown");
	is_str(api_str("status"), "inactive", "it is not there");
	is_int(enroll(t.secret), 409, "operator-18: again: 409");
	is_str(api_message, "system is already registered", "its message");
	is_int(api_say(proxyd, API_SYSTEM_SECRET, token,
	    .system_id = t.system), 409, "operator-18: so is regenerate");
	login(proxyd, &t, "", "", "192.0.2.1");
	is_int(t.status, 0, "it logs in");
	up(&t, 1);
	(void)get(t.system);
	is_str(api_str("status"), "active", "it is there");
	is_str(api_str("support_session_id"), t.session,
	    "operator-19: its session, in detail");
	(void)api_say(proxyd, API_SYSTEM_LIST, token, .name = "Box");
	is_str(api_str("support_session_id"), t.session,
	    "operator-19: in the list");
	(void)api_say(proxyd, API_SYSTEM_UPDATE, token, .system_id = t.system,
	    .given = GIVEN("notes"), .notes = "upstairs");
	is_str(api_str("support_session_id"), t.session,
	    "operator-19: in update");
	is_str(api_str("notes"), "upstairs", "a note is changed");
	is_str(api_str("name"), "Box", "what is not given stays");
	world_sql("UPDATE systems SET deleted_at = 1 WHERE id = '%s'",
	    t.system);
	is_int(enroll(t.secret), 403, "one that is deleted: 403");
	far_close(t.mux);
}

static void
support(void)
{
	struct tunnel		t;
	struct msg_close	in;

	create(&t, "Switched");
	(void)enroll(t.secret);
	login(proxyd, &t, "", "", "192.0.2.2");
	up(&t, 1);
	is_int(api_say(proxyd, API_SYSTEM_UPDATE, token, .system_id = t.system,
	    .given = GIVEN("support_enabled")), 200, "support is off");
	is_str(api_at("support_enabled"), "false", "it says");
	is_str(api_at("support_session_id"), "null",
	    "operator-19: without a session, in update");
	(void)hear(t.mux->fd, close, &in);
	is_int(in.code, 4000, "operator-20: its tunnel ends");
	far_close(t.mux);
	login(proxyd, &t, "", "", "192.0.2.2");
	is_int(t.status, 403, "operator-20: and to log in is 403");
	far_close(t.mux);
	(void)api_say(proxyd, API_SYSTEM_UPDATE, token, .system_id = t.system,
	    .given = GIVEN("support_enabled"), .support_enabled = 1);
	login(proxyd, &t, "", "", "192.0.2.2");
	is_int(t.status, 0, "on again, it comes back");
	far_close(t.mux);
}

/*
 * What is known is where to look: the row that each login reads says what the
 * secret is, so that one which others have changed fails at once.
 */
static void
cached(void)
{
	struct tunnel	t;
	int		i;

	create(&t, "Cached");
	world_sql("UPDATE systems SET support_enabled = 1 WHERE id = '%s'",
	    t.system);
	for (i = 0; i < 2; i++) {
		login(proxyd, &t, "", "", "192.0.2.5");
		is_int(t.status, 0, "%s", i == 0 ? "a login" :
		    "another, by what is known of it");
		far_close(t.mux);
	}
	world_sql("UPDATE systems SET system_secret_sha256 = 'x'"
	    " WHERE id = '%s'", t.system);
	login(proxyd, &t, "", "", "192.0.2.5");
	is_int(t.status, 401, "operator-58: what is known of a secret is no "
	    "more than the store has of it");
	far_close(t.mux);
	is_int(api_say(proxyd, API_SYSTEM_SECRET, token,
	    .system_id = t.system), 200, "another secret");
	login(proxyd, &t, "", "", "192.0.2.5");
	is_int(t.status, 401, "operator-58: the old secret fails from then on");
	far_close(t.mux);
	strlcpy(t.secret, api_str("system_secret"), sizeof(t.secret));
	login(proxyd, &t, "", "", "192.0.2.5");
	is_int(t.status, 0, "the new one is good");
	far_close(t.mux);
	world_sql("UPDATE systems SET support_enabled = 0 WHERE id = '%s'",
	    t.system);
	login(proxyd, &t, "", "", "192.0.2.5");
	is_int(t.status, 403, "whether it may is asked each time");
	far_close(t.mux);
	world_sql("UPDATE systems SET deleted_at = 1 WHERE id = '%s'",
	    t.system);
	login(proxyd, &t, "", "", "192.0.2.5");
	is_int(t.status, 401, "and whether it is there");
	far_close(t.mux);
}

/* The session of the lowest node is the system's. */
static void
nodes(void)
{
	struct tunnel	t[3];
	const char	*node[] = { "10", "9", "" };
	int		i;

	create(&t[0], "Cluster");
	(void)enroll(t[0].secret);
	for (i = 0; i < 3; i++) {
		if (i > 0)
			t[i] = t[0];
		login(proxyd, &t[i], node[i], "", "192.0.2.3");
		(void)get(t[0].system);
		is_str(api_str("support_session_id"), t[i].session,
		    "operator-19: node '%s' is the lowest", node[i]);
	}
	for (i = 0; i < 3; i++)
		far_close(t[i].mux);
}

static void
who(void)
{
	static const int	ops[] = { API_SYSTEM_GET, API_SYSTEM_UPDATE,
	    API_SYSTEM_SECRET };
	char			*reader, *stranger, foreign[ID_SIZE];
	struct tunnel		 t;
	size_t			 i;

	create(&t, "Ours");
	org_add(control, "Elsewhere", "customer", "", foreign);
	reader = operator_token(control, "r", "", "owner", "read:systems");
	stranger = operator_token(control, "s", foreign, "customer", BOTH);
	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		is_int(api_say(proxyd, ops[i], viewer, .system_id = t.system),
		    403, "connect:systems is for sessions");
		is_int(api_say(proxyd, ops[i], stranger,
		    .system_id = t.system), 404, "another's is not there");
		is_int(api_say(proxyd, ops[i], token, .system_id = "x"), 404,
		    "nor is what is not");
	}
	is_int(api_say(proxyd, API_SYSTEM_GET, reader, .system_id = t.system),
	    200, "who may read reads");
	is_int(api_say(proxyd, API_SYSTEM_UPDATE, reader,
	    .system_id = t.system), 403, "and no more");
	is_int(api_say(proxyd, API_SYSTEM_LIST, stranger), 200, "a stranger");
	is_str(api_at("systems"), "[]", "sees none");
	is_int(api_say(proxyd, API_SYSTEM_CREATE, stranger, .name = "x",
	    .organization_id = org), 403, "and makes none for others");
	is_int(api_say(proxyd, API_SYSTEM_CREATE, stranger, .name = "x",
	    .organization_id = foreign), 201, "but for himself");
	is_int(api_say(proxyd, API_SYSTEM_CREATE, token, .name = "x",
	    .organization_id = "no such"), 403, "for nobody: 403");
	is_int(api_say(proxyd, API_SYSTEM_CREATE, token, .name = "x",
	    .organization_id = org, .custom_data = "{\"a\":1},\"b\":{}"),
	    400, "what is no object is not kept");
	free(reader);
	free(stranger);
}

/* What a proxy token and a ticket from before say when the system has moved. */
static void
moved(void)
{
	struct tunnel		t;
	struct granted		g;
	struct opened		o;
	struct msg_stream_kill	kill;
	struct msg_admitted	in;
	char			other[ID_SIZE], proxy[TOKEN_SIZE], *owner;

	create(&t, "Mover");
	(void)enroll(t.secret);
	login(proxyd, &t, "", "", "192.0.2.4");
	up(&t, 1);
	org_add(control, "Next", "customer", "", other);
	owner = operator_token(control, "c", org, "customer", "");
	(void)api_say(proxyd, API_PROXY_TOKEN, owner, .session = t.session,
	    .service = "s0");
	strlcpy(proxy, api_str("token"), sizeof(proxy));
	grant(proxyd, proxy, t.session, &g);
	stream_open(proxyd, t.mux, g.grant, "s0", &o);
	is_int(o.status, 0, "a customer uses his system");
	is_int(api_say(proxyd, API_TERMINAL_TICKET, owner,
	    .session = t.session), 200, "and has a ticket");
	is_int(api_say(proxyd, API_SYSTEM_UPDATE, token, .system_id = t.system,
	    .given = GIVEN("organization_id"), .organization_id = other), 200,
	    "it gets another owner");
	is_str(api_at("organization.name"), "\"Next\"", "whose it is now");
	(void)hear(t.mux->fd, stream_kill, &kill);
	ok(kill.stream == o.stream, "operator-6: the stream ends at once");
	is_int(api_say(proxyd, API_SESSION_GET, owner, .session = t.session),
	    404, "operator-6: its session has gone along");
	grant(proxyd, proxy, t.session, &g);
	is_int(g.status, 404, "operator-6: the proxy token notices");
	free(owner);
	owner = operator_token(control, "n", other, "customer", "");
	is_int(api_say(proxyd, API_SESSION_GET, owner, .session = t.session),
	    200, "operator-6: the new owner sees it");
	is_int(api_say(proxyd, API_TERMINAL_TICKET, owner,
	    .session = t.session), 200, "a ticket");
	(void)api_say(proxyd, API_SYSTEM_UPDATE, token, .system_id = t.system,
	    .given = GIVEN("organization_id"), .organization_id = org);
	say_id(proxyd->fd, next_id(proxyd), admit, .class = CLASS_TERMINAL,
	    .addr = "192.0.2.50", .session = t.session,
	    .ticket = api_str("ticket"));
	(void)hear(proxyd->fd, admitted, &in);
	is_int(in.status, 401, "what is no ticket");
	free(owner);
	opened_close(&o);
	far_close(t.mux);
}

/* Its names, in order. */
static const char *
names(void)
{
	static char	 text[4096];
	const char	*p = api_data;
	size_t		 n;

	text[0] = '\0';
	while ((p = strstr(p, "\",\"name\":\"L")) != NULL) {
		p += 10;
		n = strcspn(p, "\"");
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
		    "%.*s ", (int)n, p);
	}
	return (text);
}
#define LIST(want, what, ...) do {					\
	is_int(api_say(proxyd, API_SYSTEM_LIST, token, .search = "l-",	\
	    __VA_ARGS__), 200, "a list");				\
	is_str(names(), want, "%s", what);				\
} while (0)

static void
lists(void)
{
	static const char *const	name[] = { "L-3", "L-1", "L-2" };
	struct tunnel			t[3];
	int				i;

	for (i = 0; i < 3; i++) {
		create(&t[i], name[i]);
		world_sql("UPDATE systems SET created_at = %d, type = '%s',"
		    " version = 'v%d' WHERE id = '%s'", 1000 + i,
		    i == 1 ? "ns8" : "nsec", i, t[i].system);
	}
	LIST("L-3 L-1 L-2 ", "as they were made", .page = 1);
	LIST("L-2 L-1 L-3 ", "the newest first", .sort_direction = 1);
	LIST("L-1 L-2 L-3 ", "by name", .sort_by = "name");
	LIST("L-3 L-2 L-1 ", "and back", .sort_by = "name", .sort_direction = 1);
	LIST("L-2 ", "operator-2: the second page", .page = 2, .page_size = 2);
	is_str(api_at("pagination"), "{\"page\":2,\"page_size\":2,"
	    "\"total_count\":3,\"total_pages\":2,\"has_next\":false,"
	    "\"has_prev\":true,\"prev_page\":1}", "operator-2: its figures");
	LIST("L-1 ", "of a type", .type = "ns8");
	LIST("L-3 L-1 L-2 ", "of any of two", .type = "nsec\nns8");
	LIST("L-3 L-2 ", "of versions", .version = "v0\nv2");
	LIST("L-1 ", "by name alone", .name = "L-1");
	LIST("L-3 L-1 L-2 ", "by who made them", .created_by = "x\nsys");
	LIST("", "nobody's", .created_by = "x");
	LIST("L-3 L-1 L-2 ", "of an organization", .organization_id = org);
	LIST("", "of none", .organization_id = "x");
	LIST("", "by a key that is not shown", .system_key = t[0].key);
	(void)enroll(t[0].secret);
	LIST("L-3 ", "and one that is", .system_key = t[0].key);
	LIST("L-3 ", "by state", .status = 1 << SYSTEM_IS_INACTIVE);
	LIST("L-1 L-2 ", "by another", .status = 1 << SYSTEM_IS_UNKNOWN);
	world_sql("UPDATE systems SET suspended_at = 1 WHERE id = '%s'",
	    t[0].system);
	world_sql("UPDATE systems SET deleted_at = 1 WHERE id = '%s'",
	    t[1].system);
	LIST("L-3 L-2 ", "what is deleted is not there", .page = 1);
	LIST("L-3 L-1 ", "unless asked for",
	    .status = 1 << SYSTEM_IS_DELETED | 1 << SYSTEM_IS_SUSPENDED);
	is_int(api_say(proxyd, API_SYSTEM_LIST, token, .invalid = 1), 400,
	    "what cannot be asked");
}

/* More than are looked at in one turn. */
static void
many(void)
{
	world_sql("INSERT INTO systems (id, name, system_key,"
	    " system_secret_public, system_secret_sha256, organization_id,"
	    " created_at, updated_at) WITH RECURSIVE c(x) AS (SELECT 1 UNION"
	    " ALL SELECT x + 1 FROM c WHERE x < 3500) SELECT"
	    " printf('many-%%05d', x), 'M', 'm' || x, 'p' || x, 's', '%s',"
	    " 5000, 5000 FROM c", org);
	is_int(api_say(proxyd, API_SYSTEM_LIST, token, .name = "M",
	    .page = 35, .page_size = 100), 200, "3,500 systems");
	is_str(api_at("pagination.total_count"), "3500", "are counted");
	ok(strstr(api_data, "many-03401\"") != NULL &&
	    strstr(api_data, "many-03500\"") != NULL &&
	    strstr(api_data, "many-03400\"") == NULL,
	    "operator-2: equal keys are ordered by id");
	is_int(api_say(proxyd, API_SYSTEM_LIST, token, .name = "M",
	    .page_size = 2, .sort_direction = 1, .sort_by = "name"), 200,
	    "from behind");
	ok(strstr(api_data, "many-03500\"") != NULL, "the last is the first");
}

static void
rate(void)
{
	int	i, status = 0;

	for (i = 0; i < 300 && status != 429; i++)
		status = enroll("my_00000000000000000000."
		    "0000000000000000000000000000000000000000");
	is_int(status, 429, "to register has a rate: after %d", i);
	drive_clock(&authd, 60001);
	is_int(enroll("my_00000000000000000000."
	    "0000000000000000000000000000000000000000"), 401, "a minute long");
}

int
main(void)
{
	authd_init();
	drive_conf.rate_address = 40;
	authd_scene(&control, &proxyd, &viewer);
	org_add(control, "ACME", "customer", "", org);
	token = operator_token(control, "sys", "", "owner", BOTH);
	life();
	support();
	nodes();
	cached();
	who();
	moved();
	lists();
	many();
	rate();
	free(token);
	is_int(authd_scene_end(control, proxyd, viewer), 0,
	    "authd stops in order");
	return (done_testing());
}
