/* SPDX-License-Identifier: ISC */
/*
 * What the store does, on either engine: here on a SQLite file, and by
 * regress/e2e/store_suite.t on a PostgreSQL server. Every question is asked,
 * and every write made.
 */
#include <libpq-fe.h>

#include <stdint.h>
#include <stdlib.h>

#include "authd/store/chain.h"
#include "base/compat.h"
#include "regress/lib/storeworld.h"
#include "regress/lib/tap.h"

#define NOW	1795000000000LL
#define TAKEN	64	/* as many as there are at once */
#define SYS	"11111111-0000-4000-8000-000000000001"
#define SYS2	"11111111-0000-4000-8000-000000000002"
#define SE1	"22222222-0000-4000-8000-000000000001"
#define SE2	"22222222-0000-4000-8000-000000000002"
#define SE3	"22222222-0000-4000-8000-000000000003"
#define GS1	"44444444-0000-4000-8000-000000000001"
#define GS2	"44444444-0000-4000-8000-000000000002"
#define GS3	"44444444-0000-4000-8000-000000000003"
#define GS4	"44444444-0000-4000-8000-000000000004"
#define GS5	"44444444-0000-4000-8000-000000000005"
#define GUESTS	300	/* more than are in one answer */
#define AC1	"33333333-0000-4000-8000-000000000001"
#define AC2	"33333333-0000-4000-8000-000000000002"
#define AC3	"33333333-0000-4000-8000-000000000003"
#define AC4	"33333333-0000-4000-8000-000000000004"

static const struct answer	*a;

static void
test_orgs(void)
{
	static const struct org_row	rows[] = {
		{ "d1", "Distributor", "distributor", "" },
		{ "r1", "Reseller", "reseller", "d1" },
		{ "c1", "Customer", "customer", "r1" },
		{ "c2", "Stranger", "customer", "r9" },
	};
	struct question			q = { .what = ASK_ORG_SEEN,
	    .key = "c1", .org_role = "distributor", .org_id = "d1" };
	size_t				i;

	for (i = 0; i < 4; i++)
		is_int(store_org_add(&rows[i], NOW), 0, "an organization");
	ok(world_commit(), "are written");
	a = world_key(ASK_ORG, "r1");
	ok(a->r == 0 && strcmp(a->org->name, "Reseller") == 0 &&
	    strcmp(a->org->type, "reseller") == 0 &&
	    strcmp(a->org->parent, "d1") == 0, "one is as it was said");
	is_int(world_key(ASK_ORG, "x")->r, STORE_NONE, "another is not there");
	is_int(world_key(ASK_ORG_CHILD, "d1")->r, 0, "one has something below");
	is_int(world_key(ASK_ORG_CHILD, "c1")->r, STORE_NONE, "one has not");
	is_int((long)world_key(ASK_ORGS, "")->n, 4, "there are four");
	is_int(world_ask(&q)->r, 0, "what is below is seen");
	q.key = "c2";
	is_int(world_ask(&q)->r, STORE_NONE, "what is elsewhere is not");
	(void)store_org_delete("c2", NOW);
	ok(world_commit(), "one goes");
	is_int(world_key(ASK_ORG, "c2")->r, STORE_NONE, "and is gone");
	is_int((long)world_key(ASK_ORGS, "")->n, 3, "three are left");
}

static void
add_system(const char *id, const char *name, const char *key, const char *org)
{
	struct system_row	s = { .support_enabled = 1,
	    .registered_at = NOW, .created_at = NOW };
	struct system_more	m = { .notes = "noted", .custom_data =
	    "{\"a\":1}", .created_by = "alice", .created_by_name = "Alice",
	    .created_by_org = "d1" };

	strlcpy(s.id, id, sizeof(s.id));
	strlcpy(s.name, name, sizeof(s.name));
	strlcpy(s.key, key, sizeof(s.key));
	strlcpy(s.org_id, org, sizeof(s.org_id));
	snprintf(s.secret_public, sizeof(s.secret_public), "p%s", key);
	strlcpy(s.secret_stored, "salt:hash", sizeof(s.secret_stored));
	strlcpy(s.type, "ns8", sizeof(s.type));
	is_int(store_system_add(&s, &m), 0, "a system");
}

static void
test_systems(void)
{
	struct group_row	g = { .system_id = SYS };
	struct question		q = { .what = ASK_SYSTEM_DETAILS,
	    .key = "", .groups = &g, .n = 1 };

	add_system(SYS, "box", "K1", "c1");
	add_system(SYS2, "box", "K2", "r1");
	ok(world_commit(), "are written");
	a = world_key(ASK_SYSTEM_BY_KEY, "K1");
	ok(a->r == 0 && strcmp(a->system->id, SYS) == 0 &&
	    strcmp(a->system->secret_stored, "salt:hash") == 0 &&
	    strcmp(a->system->org_id, "c1") == 0 &&
	    a->system->support_enabled == 1 && a->system->deleted_at == 0 &&
	    a->system->registered_at == NOW && a->system->created_at == NOW,
	    "one is as it was said, by its key");
	is_int(world_key(ASK_SYSTEM_BY_ID, SYS)->r, 0, "by its id");
	is_int(world_key(ASK_SYSTEM_BY_PUBLIC, "pK2")->r, 0,
	    "by its secret's public part");
	is_int(world_key(ASK_SYSTEM_BY_KEY, "K9")->r, STORE_NONE, "or not");
	is_int((long)world_key(ASK_SYSTEMS_NAMED, "box")->n, 2,
	    "two have a name");
	is_int((long)world_key(ASK_SYSTEMS, "")->n, 2, "two there are");
	is_int((long)world_key(ASK_SYSTEMS, SYS)->n, 1, "one behind the first");
	is_int(world_key(ASK_ORG_SYSTEM, "c1")->r, 0, "whose it is");
	a = world_ask(&q);
	ok(a->r == 0 && a->n == 1 &&
	    strcmp(a->detail->more.notes, "noted") == 0 &&
	    strcmp(a->detail->more.custom_data, "{\"a\":1}") == 0 &&
	    strcmp(a->detail->more.created_by_name, "Alice") == 0 &&
	    strcmp(a->detail->org_name, "Customer") == 0, "all about it");
}

static void
test_changes(void)
{
	(void)store_system_change(SYS2, &(struct system_change){
	    .name = "other", .notes = "n2" }, NOW + 1);
	(void)store_system_secret(SYS2, "p3", "s3", 0, NOW + 2);
	(void)store_system_enable(SYS2, 0, NOW + 3);
	(void)store_system_suspend(SYS2, 1, NOW + 4);
	ok(world_commit(), "one is changed");
	a = world_key(ASK_SYSTEM_BY_ID, SYS2);
	ok(a->r == 0 && strcmp(a->system->name, "other") == 0 &&
	    strcmp(a->system->org_id, "r1") == 0 &&
	    a->system->support_enabled == 0 &&
	    a->system->suspended_at == NOW + 4, "and is what was said");
	(void)store_system_suspend(SYS2, 0, NOW + 5);
	(void)store_system_enable(SYS2, 1, NOW + 6);
	ok(world_commit(), "back");
	a = world_key(ASK_SYSTEM_BY_ID, SYS2);
	ok(a->r == 0 && a->system->suspended_at == 0 &&
	    a->system->support_enabled == 1, "and is so");
}

static void
test_walk(void)
{
	struct system_query	sq = { .org_role = "owner", .org_id = "o",
	    .sort_by = "name" };
	struct question		q = { .what = ASK_SYSTEMS_WALK, .key = "",
	    .systems = &sq };
	char			ids[2][ID_SIZE];
	size_t			n = 0, i;
	int			rounds = 0;

	do {
		a = world_ask(&q);
		for (i = 0; i < a->n && n < 2; i++)
			strlcpy(ids[n++], a->id[i].id, sizeof(ids[0]));
		sq.walked = a->walked;
	} while (a->r == 0 && !a->walked.done && rounds++ < 9);
	ok(n == 2 && strcmp(ids[0], SYS) == 0 && strcmp(ids[1], SYS2) == 0,
	    "a walk comes by both, by name");
	strlcpy(sq.search, "oth", sizeof(sq.search));
	memset(&sq.walked, 0, sizeof(sq.walked));
	a = world_ask(&q);
	ok(a->r == 0 && a->n == 1 && strcmp(a->id->id, SYS2) == 0,
	    "one that searches by one");
}

static struct session_row
session(const char *id, const char *system, const char *node, int64_t at)
{
	struct session_row	s = { .started_at = at,
	    .expires_at = at + 1000, .created_at = at, .updated_at = at,
	    .status = SESSION_PENDING, .generation = 1 };

	strlcpy(s.id, id, sizeof(s.id));
	strlcpy(s.system_id, system, sizeof(s.system_id));
	strlcpy(s.node, node, sizeof(s.node));
	snprintf(s.token_hash, sizeof(s.token_hash), "t%s", id);
	strlcpy(s.reconnect_hash, "r", sizeof(s.reconnect_hash));
	return (s);
}

static void
test_sessions(void)
{
	struct session_row	s = session(SE1, SYS, "", NOW);
	struct session_row	n = session(SE2, SYS, "1", NOW + 5);
	struct session_row	dup = session(SE3, SYS, "", NOW + 6);
	int			r;

	is_int(store_session_insert(&s), 0, "a session");
	is_int(store_session_insert(&n), 0, "and one of a node");
	ok(world_commit(), "are written");
	r = store_session_insert(&dup);
	ok(world_commit(), "another of the slot");
	ok(r == STORE_TAKEN || strcmp(world_taken(), SE3) == 0,
	    "is refused, and nothing else");
	is_int(world_key(ASK_SESSION, SE3)->r, STORE_NONE, "and not there");
	s.status = SESSION_ACTIVE;
	s.generation = 7;
	s.expires_at = NOW + 9999;
	strlcpy(s.reconnect_prev, "q", sizeof(s.reconnect_prev));
	is_int(store_session_update(&s), 0, "one is in use");
	(void)store_session_diagnostics(SE1, "{\"a\": 1}", 8, NOW + 2);
	(void)store_session_users(SE1, "sealed", 1, NOW + 3);
	ok(world_commit(), "with reports");
	a = world_key(ASK_SESSION, SE1);
	ok(a->r == 0 && a->session->status == SESSION_ACTIVE &&
	    a->session->generation == 7 &&
	    a->session->expires_at == NOW + 9999 &&
	    strcmp(a->session->reconnect_prev, "q") == 0 &&
	    a->session->node[0] == '\0' &&
	    a->session->diagnostics_len == 8 && a->session->users_len == 6 &&
	    a->session->users_good == 1 &&
	    a->session->diagnostics_at == NOW + 2, "is as it was said");
	is_int((long)world_key(ASK_OPEN_SESSIONS, "")->n, 2, "two are open");
	is_int((long)world_key(ASK_OPEN_SESSIONS, SE1)->n, 1,
	    "one behind the first");
	is_int(world_key(ASK_SESSION, "no id")->r, STORE_NONE,
	    "an id that is none is nobody's");
	a = world_key(ASK_ELSEWHERE, SE1);
	ok(a->r == 0 && a->n == 0, "without members all are ours");
}

static void
test_documents(void)
{
	a = world_key(ASK_DIAGNOSTICS, SE1);
	ok(a->r == 0 && a->document->len == 8 && a->document->at == NOW + 2 &&
	    memcmp(a->document->text, "{\"a\": 1}", 8) == 0, "diagnostics");
	a = world_key(ASK_USERS, SE1);
	ok(a->r == 0 && a->document->len == 6 &&
	    memcmp(a->document->text, "sealed", 6) == 0, "users");
	a = world_key(ASK_USERS_OF, SYS);
	ok(a->r == 0 && a->document->len == 6 &&
	    strcmp(a->document->session, SE1) == 0, "a system's");
	is_int(world_key(ASK_USERS_OF, SYS2)->r, STORE_NONE, "none");
}

static void
test_added(void)
{
	struct added_row	row = { .name = "nas", .target = "10.0.0.1:80",
	    .label = "L", .added_by = "alice", .tls = 1, .added_at = NOW };

	(void)store_added_put(SE1, &row);
	strlcpy(row.target, "10.0.0.2:80", sizeof(row.target));
	(void)store_added_put(SE1, &row);
	strlcpy(row.name, "web", sizeof(row.name));
	(void)store_added_put(SE1, &row);
	ok(world_commit(), "services are added");
	a = world_key(ASK_ADDED, SE1);
	ok(a->r == 0 && a->n == 2 && strcmp(a->added[0].name, "nas") == 0 &&
	    strcmp(a->added[0].target, "10.0.0.2:80") == 0 &&
	    a->added[0].tls == 1 && a->added[0].added_at == NOW,
	    "by name, the last word counts");
	(void)store_added_del(SE1, "nas");
	ok(world_commit(), "one goes");
	is_int((long)world_key(ASK_ADDED, SE1)->n, 1, "one is left");
}

static struct access_row
access_of(const char *id, const char *session, int64_t at)
{
	struct access_row	r = { .operator_id = "alice",
	    .operator_name = "Alice", .type = "ui_proxy", .org_role = "owner",
	    .org_id = "d1", .service = "web", .ip = "192.0.2.1",
	    .token_id = "t1", .impersonator = "root", .connected_at = at };

	strlcpy(r.id, id, sizeof(r.id));
	strlcpy(r.session_id, session, sizeof(r.session_id));
	return (r);
}

static void
test_access(void)
{
	struct list_query	lq = { .page = 1, .page_size = 1 };
	struct question		q = { .what = ASK_LOGS, .key = SE1,
	    .list = &lq };
	struct access_row	one = access_of(AC1, SE1, NOW + 10);
	struct access_row	two = access_of(AC2, SE1, NOW + 20);

	is_int(store_access_insert(&one), 0, "an access");
	is_int(store_access_insert(&two), 0, "and another");
	one.disconnected_at = NOW + 30;
	one.bytes_in = 5;
	one.bytes_out = 6;
	strlcpy(one.outcome, "clean", sizeof(one.outcome));
	is_int(store_access_update(&one), 0, "which ends");
	ok(world_commit(), "are written");
	a = world_ask(&q);
	ok(a->r == 0 && a->n == 1 && a->total == 2 &&
	    strcmp(a->access->id, AC2) == 0, "a page, the newest first");
	lq.page = 2;
	a = world_ask(&q);
	ok(a->n == 1 && strcmp(a->access->id, AC1) == 0 &&
	    a->access->bytes_in == 5 && a->access->bytes_out == 6 &&
	    strcmp(a->access->outcome, "clean") == 0 &&
	    strcmp(a->access->ip, "192.0.2.1") == 0 &&
	    a->access->disconnected_at == NOW + 30, "and the next");
	a = world_key(ASK_OPEN_ROWS, "");
	ok(a->n == 1 && strcmp(a->access->id, AC2) == 0 &&
	    strcmp(a->access->impersonator, "root") == 0, "one is open");
}

static void
test_tokens(void)
{
	struct token_row	t = { .id = "t1", .user = "alice",
	    .org_id = "d1", .org_role = "owner", .permissions = "a b",
	    .created_at = NOW, .expires_at = NOW + 1000 };
	struct question		q = { .what = ASK_REVOKED, .key = "t1",
	    .user = "alice", .now = NOW };

	is_int(store_token_add(&t), 0, "a token");
	ok(world_commit(), "is written");
	a = world_ask(&(struct question){ .what = ASK_TOKEN, .key = "t1",
	    .now = NOW });
	ok(a->r == 0 && strcmp(a->token->permissions, "a b") == 0 &&
	    !a->token->revoked, "as it was said");
	is_int(world_ask(&(struct question){ .what = ASK_TOKEN, .key = "t1",
	    .now = NOW + 1001 })->r, STORE_NONE, "until its end");
	is_int(world_ask(&q)->r, STORE_NONE, "nobody is revoked");
	(void)store_revoke("user", "alice", NOW + 500, "gone");
	ok(world_commit(), "one is");
	a = world_ask(&q);
	ok(a->r == 0 && strcmp(a->revoked->kind, "user") == 0 &&
	    strcmp(a->revoked->reason, "gone") == 0, "and why");
	a = world_ask(&(struct question){ .what = ASK_TOKENS, .key = "",
	    .now = NOW });
	ok(a->r == 0 && a->n == 1 && a->token->revoked, "its tokens are");
	q.now = NOW + 501;
	is_int(world_ask(&q)->r, STORE_NONE, "for so long");
}

static void
test_references(void)
{
	struct reference_row	r = { .session_id = SE1,
	    .operator_id = "alice", .sealed = "x", .expires_at = NOW };

	memset(r.id, 'a', HEX64_SIZE - 1);
	is_int(store_reference_add(&r, NOW - 1000), 0, "a reference");
	is_int(store_reference_add(&r, NOW - 1000), 0, "again");
	ok(world_commit(), "is written");
	a = world_key(ASK_REFERENCE, r.id);
	ok(a->r == 0 && strcmp(a->reference->sealed, "x") == 0 &&
	    a->reference->expires_at == NOW, "once");
}

static void
test_relays(void)
{
	struct relay_row	r = { .id = AC1, .initiator = "i",
	    .responder = "r", .channels = 3, .issuer = "https://i",
	    .subject = "s", .addr = "192.0.2.1", .label = "l",
	    .created_at = NOW, .expires_at = NOW + 9, .moved_at = NOW };

	is_int(store_relay_add(&r), 0, "a relay session");
	ok(world_commit(), "is written");
	r.bytes_in = 1ULL << 40;
	r.moved_at = NOW + 5;
	is_int(store_relay_save(&r), 0, "what has moved of it");
	ok(world_commit(), "too");
	a = world_key(ASK_RELAYS, "");
	ok(a->r == 0 && a->n == 1 && a->relay->bytes_in == 1ULL << 40 &&
	    a->relay->moved_at == NOW + 5 && a->relay->channels == 3 &&
	    strcmp(a->relay->issuer, "https://i") == 0 &&
	    a->relay->client[0] == '\0', "as it was said");
	a = world_key(ASK_RELAY_AT, AC1);
	ok(a->r == 0 && a->at->member[0] == '\0', "where it is");
	(void)store_relay_del(AC1);
	ok(world_commit(), "it goes");
	is_int(world_key(ASK_RELAY_AT, AC1)->r, STORE_NONE, "from there");
	is_int(world_key(ASK_RELAYS, "")->r, STORE_NONE, "and is gone");
}

/* Whose it is now, "-" if it is not there. */
static const char *
relay_of(const char *id)
{
	a = world_key(ASK_RELAY, id);
	return (a->r == 0 ? a->relay->member : "-");
}

static long
relays_lost(const char *after, int64_t now)
{
	struct question	q = { .what = ASK_RELAYS_LOST, .key = after,
	    .now = now };

	a = world_ask(&q);
	return (a->r == 0 ? (long)a->n : -1);
}

static void
relay_took(const char *self, const char *from, const char *want,
    const char *what)
{
	store_member(self);
	(void)store_relay_take(AC1, from, NOW);
	ok(world_commit(), "asked for");
	is_str(relay_of(AC1), want, "%s", what);
}

/* several-daemons.md, 2: of several members one has it, or nobody. */
static void
test_relay_members(void)
{
	struct member_row	m = { .address = "192.0.2.1", .port = 1,
	    .version = "1" };
	struct relay_row	r = { .id = AC1, .initiator = "i",
	    .responder = "r", .channels = 1, .subject = "s",
	    .created_at = NOW, .expires_at = NOW + 9, .moved_at = NOW };

	store_member("b");
	strlcpy(m.name, "b", sizeof(m.name));
	(void)store_member_beat(&m, 1);
	(void)store_relay_add(&r);
	ok(world_commit(), "one that b has");
	is_str(relay_of(AC1), "b", "is b's");
	is_int(relays_lost("", NOW), 0, "it is not lost, b has it");
	relay_took("a", "b", "b", "b is alive: a cannot have it");
	relay_took("a", "", "b", "nor as if it were nobody's");
	is_int(relays_lost("", NOW), 0, "nor has b lost it");
	(void)store_member_gone("b");
	ok(world_commit(), "b goes");
	is_int(relays_lost("", NOW), 1, "now it is nobody's");
	ok(a->n == 1 && strcmp(a->relay->id, AC1) == 0 &&
	    strcmp(a->relay->subject, "s") == 0, "as it was said");
	is_int(relays_lost(AC1, NOW), 0, "there is none behind it");
	is_int(relays_lost("", NOW + 9), 0, "when it has ended it is not shown");
	relay_took("a", "c", "b", "it was not c's");
	(void)store_relay_sweep(NOW + 9);
	ok(world_commit(), "the sweep");
	is_str(relay_of(AC1), "b", "leaves what has not ended by then");
	store_member("a");
	(void)store_relay_take(AC1, "b", NOW + 9);
	ok(world_commit(), "asked for as it has ended");
	is_str(relay_of(AC1), "b", "what has ended nobody takes");
	relay_took("a", "b", "a", "a has it");
	strlcpy(m.name, "a", sizeof(m.name));
	(void)store_member_beat(&m, 1);
	ok(world_commit(), "a is alive");
	relay_took("c", "b", "a", "who comes second, and thought it b's, has "
	    "not");
	store_member("b");
	is_int(world_key(ASK_RELAYS, "")->r, STORE_NONE, "b has none");
	r.bytes_in = 5;
	(void)store_relay_save(&r);
	(void)store_relay_leave(AC1);
	(void)store_relay_del(AC1);
	(void)store_relay_sweep(NOW + 10);
	ok(world_commit(), "b, which does not know that yet, writes");
	is_str(relay_of(AC1), "a", "and it is a's");
	ok(a->r == 0 && a->relay->bytes_in == 0, "with a's numbers");
	store_member("a");
	(void)store_relay_save(&r);
	(void)store_relay_leave(AC1);
	ok(world_commit(), "a leaves it");
	is_str(relay_of(AC1), "", "it is nobody's");
	ok(a->r == 0 && a->relay->bytes_in == 5, "with a's numbers");
	store_member("b");
	is_int(relays_lost("", NOW), 1, "all see that");
	relay_took("b", "", "b", "who asks first has it, though a is alive");
	store_member("a");
	(void)store_relay_sweep(NOW + 10);
	ok(world_commit(), "the sweep");
	is_str(relay_of(AC1), "-", "takes what has ended, and is of nobody who "
	    "is alive");
	(void)store_member_gone("a");
	store_member("");
	(void)store_relay_add(&r);
	ok(world_commit(), "one of a relayd that is alone");
	(void)store_relay_del(AC1);
	ok(world_commit(), "is deleted");
	is_str(relay_of(AC1), "-", "by it");
	is_int(store_relay_add(&(struct relay_row){ .id = AC1,
	    .initiator = "i", .responder = "r", .channels = 1 }), 0, "one");
	store_member("b");
	(void)store_relay_take(AC1, "", -1);
	ok(world_commit(), "that a member has");
	store_member("");
	(void)store_relay_save(&r);
	ok(world_commit(), "is written");
	a = world_key(ASK_RELAY, AC1);
	ok(a->r == 0 && a->relay->bytes_in == 5, "by who is alone now, and has "
	    "all");
	(void)store_relay_del(AC1);
	ok(world_commit(), "and gone");
}

/* Who is in sessions through other members than ours. */
static void
test_present(void)
{
	struct group_row	g = { .system_id = SYS };
	struct question		q = { .what = ASK_PRESENT, .key = "",
	    .groups = &g, .n = 1 };
	struct access_row	web = access_of(AC3, SE1, NOW);
	struct access_row	term = access_of(AC4, SE1, NOW);

	strlcpy(term.type, "web_terminal", sizeof(term.type));
	a = world_ask(&q);
	ok(a->r == 0 && a->n == 0, "of members that have no name nobody is "
	    "elsewhere");
	if (world_is_server())
		return;		/* where each has a turn of its own: e2e */
	store_member("b");
	(void)store_access_insert(&web);
	(void)store_access_insert(&term);
	ok(world_commit(), "a terminal and pages by way of b");
	is_int((long)world_ask(&q)->n, 0, "are b's own to know");
	store_member("a");
	a = world_ask(&q);
	ok(a->n == 1 && strcmp(a->present->session, SE1) == 0 &&
	    strcmp(a->present->member, "b") == 0 &&
	    strcmp(a->present->operator_id, "alice") == 0 &&
	    strcmp(a->present->operator_name, "Alice") == 0,
	    "for a it says who, where, by whom; pages are none");
	strlcpy(g.system_id, SYS2, sizeof(g.system_id));
	is_int((long)world_ask(&q)->n, 0, "not in another system's");
	strlcpy(g.system_id, SYS, sizeof(g.system_id));
	term.disconnected_at = web.disconnected_at = NOW + 1;
	(void)store_access_update(&term);
	(void)store_access_update(&web);
	ok(world_commit(), "it ends");
	is_int((long)world_ask(&q)->n, 0, "nobody is there");
	store_member("");
}

/* The store's own clock says how long one has been silent. */
static void
test_members(void)
{
	struct member_row	m = { .name = "b", .address = "192.0.2.1",
	    .version = "1", .port = 7000, .tunnels = 3, .sessions = 4,
	    .forwarded_in = 5, .forwarded_out = 6 };
	int64_t			started;

	is_int(store_member_beat(&m, 1), 0, "a member");
	strlcpy(m.name, "a", sizeof(m.name));
	is_int(store_member_beat(&m, 1), 0, "and another");
	ok(world_commit(), "are written");
	a = world_key(ASK_MEMBERS, "");
	ok(a->r == 0 && a->n == 2 && strcmp(a->member[0].name, "a") == 0 &&
	    strcmp(a->member[1].name, "b") == 0, "both are there, by name");
	ok(a->member[1].port == 7000 && a->member[1].tunnels == 3 &&
	    a->member[1].sessions == 4 && a->member[1].forwarded_in == 5 &&
	    a->member[1].forwarded_out == 6 &&
	    strcmp(a->member[1].address, "192.0.2.1") == 0 &&
	    a->member[1].silent_ms >= 0 && a->member[1].silent_ms < 60000,
	    "as they were said, and silent since a moment");
	started = a->member[0].started_at;
	m.draining = 1;
	(void)store_member_beat(&m, 0);
	(void)store_member_gone("b");
	ok(world_commit(), "one beats again, one goes");
	a = world_key(ASK_MEMBERS, "");
	ok(a->n == 2 && a->member[0].draining &&
	    a->member[0].started_at == started, "and began when it began");
	ok(a->n == 2 && a->member[1].beat_at == 0 &&
	    a->member[1].silent_ms > 1000000000, "who goes has no beat");
	(void)store_member_gone("a");
	(void)world_commit();
}

static void
test_consumed(void)
{
	struct consumed_row	c;
	int			r;

	memset(c.id, 'c', HEX64_SIZE - 1);
	c.id[HEX64_SIZE - 1] = '\0';
	is_int(store_consumed_add(c.id, NOW, 5), 0, "a used token");
	ok(world_commit(), "is written");
	r = store_consumed_add(c.id, NOW + 4, 5);
	ok(world_commit() && (r == STORE_TAKEN ||
	    strcmp(world_taken(), c.id) == 0),
	    "once: who comes second in its time hears so");
	is_int(world_key(ASK_CONSUMED, "")->consumed->until, NOW + 5,
	    "and changes nothing");
	is_int(store_consumed_add(c.id, NOW + 5, 1), 0, "behind its end");
	ok(world_commit() && world_taken()[0] == '\0', "it can be used again");
	a = world_key(ASK_CONSUMED, "");
	ok(a->r == 0 && a->n == 1 && a->consumed->until == NOW + 6,
	    "with its new end");
	a = world_key(ASK_CONSUMED_ONE, c.id);
	ok(a->r == 0 && a->consumed->until == NOW + 6, "asked for alone");
	c.id[0] = 'b';
	is_int(world_key(ASK_CONSUMED_ONE, c.id)->r, STORE_NONE, "no other");
	(void)store_consumed_add(c.id, NOW, 6);
	c.id[0] = 'z';
	(void)store_consumed_add(c.id, NOW, 2);
	ok(world_commit(), "two more");
	a = world_key(ASK_CONSUMED, "");
	ok(a->n == 3 && a->consumed[0].id[0] == 'z' &&
	    a->consumed[1].id[0] == 'b' && a->consumed[2].id[0] == 'c',
	    "each once, by its end");
	is_int((long)world_key(ASK_CONSUMED, c.id)->n, 2, "behind the first");
}

static void
test_recordings(void)
{
	struct list_query	lq = { .page = 1, .page_size = 5 };
	struct recording_row	r = { .id = AC1, .session_id = SE1,
	    .operator_id = "alice", .operator_name = "Alice",
	    .started_at = NOW };

	is_int(store_recording_add(&r), 0, "a recording");
	ok(world_commit(), "begins");
	is_int((long)world_key(ASK_RECORDINGS_OPEN, "")->n, 1, "one is open");
	r.ended_at = NOW + 7;
	r.bytes = 99;
	memset(r.sha256, 'f', HEX64_SIZE - 1);
	(void)store_recording_end(&r);
	(void)store_recording_adopt(AC2, NOW + 3, 1);
	ok(world_commit(), "it ends, and one is found");
	a = world_key(ASK_RECORDING, AC1);
	ok(a->r == 0 && a->recording->bytes == 99 &&
	    a->recording->ended_at == NOW + 30 &&
	    a->recording->sha256[0] == 'f', "when its row ended");
	a = world_key(ASK_RECORDING_SUM, "");
	ok(a->r == 0 && a->recordings->n == 2 && a->recordings->bytes == 100,
	    "how much they are");
	a = world_key(ASK_RECORDING_OLDEST, "");
	ok(a->r == 0 && strcmp(a->recording->id, AC1) == 0, "the oldest");
	is_int((long)world_key(ASK_RECORDINGS, "")->n, 2, "both");
	a = world_ask(&(struct question){ .what = ASK_RECORDINGS_OF,
	    .key = SE1, .list = &lq });
	ok(a->r == 0 && a->total == 2, "of a session");
	(void)store_recording_del(AC2);
	ok(world_commit(), "one goes");
	is_int((long)world_key(ASK_RECORDING_SUM, "")->recordings->n, 1,
	    "one is left");
}

static void
event(int chain, const char *reason)
{
	struct audit_row	r;

	memset(&r, 0, sizeof(r));
	chain_row(&r, chain, NOW, "x", chain == CHAIN_DONE ? "done" :
	    "refused");
	strlcpy(r.reason, reason, sizeof(r.reason));
	is_int(store_audit(&r), 0, "an event");
}

static void
verify(const char *name, long rows)
{
	struct chain_walk	w;
	char			after[24] = "0";
	size_t			i;
	long			n = 0;

	chain_walk_init(&w);
	do {
		a = world_key(ASK_AUDIT, after);
		for (i = 0; i < a->n; i++, n++)
			chain_walk_row(&w, &a->event[i]);
		if (a->n > 0)
			snprintf(after, sizeof(after), "%lld",
			    (long long)a->event[a->n - 1].event);
	} while (a->r == 0 && a->n > 0);
	ok(chain_walk_end(&w) == 1, "%s: the chains hold %s", name, w.why);
	is_int(n, rows, "%s: events", name);
}

static void
test_audit(void)
{
	event(CHAIN_DONE, "one");
	event(CHAIN_REFUSED, "\xc3\xa4");
	ok(world_commit(), "are written");
	event(CHAIN_DONE, "two");
	ok(world_commit(), "and one more");
	verify("three of ours, two that begin", 5);
	is_int((long)world_key(ASK_AUDIT_HEADS, "")->n, 2, "two heads");
	world_reopen();
	event(CHAIN_DONE, "three");
	ok(world_commit(), "who comes anew goes on");
	verify("after that", 6);
}

static void
test_groups(void)
{
	struct list_query	lq = { .org_role = "owner", .org_id = "o",
	    .statuses = STATUS_ALL, .page = 1, .page_size = 5 };
	struct question		q = { .what = ASK_GROUPS, .key = "",
	    .org_role = "owner", .org_id = "o", .list = &lq };
	struct group_row	g;

	a = world_ask(&q);
	ok(a->r == 0 && a->n == 1 && a->total == 1 &&
	    strcmp(a->group->system_id, SYS) == 0 && a->group->has_system &&
	    a->group->status == SESSION_ACTIVE &&
	    strcmp(a->group->system.org_name, "Customer") == 0,
	    "a group of a system's sessions");
	g = *a->group;
	q.what = ASK_PAGE_SESSIONS;
	q.groups = &g;
	q.n = 1;
	a = world_ask(&q);
	ok(a->r == 0 && a->n >= 1 && strcmp(a->session->id, SE1) == 0,
	    "its open ones");
	is_int(world_ask(&(struct question){ .what = ASK_VISIBLE, .key = SYS,
	    .org_role = "reseller", .org_id = "r1" })->r, 0,
	    "a reseller sees it");
	is_int(world_ask(&(struct question){ .what = ASK_VISIBLE, .key = SYS,
	    .org_role = "customer", .org_id = "c2" })->r, STORE_NONE,
	    "a stranger does not");
}

static void
test_over(void)
{
	struct session_row	s = session(SE1, SYS, "", NOW);

	s.status = SESSION_CLOSED;
	s.closed_at = NOW + 50;
	strlcpy(s.closed_by, "operator", sizeof(s.closed_by));
	is_int(store_session_update(&s), 0, "a session ends");
	ok(world_commit(), "and that is written");
	a = world_key(ASK_SESSION, SE1);
	ok(a->r == 0 && a->session->status == SESSION_CLOSED &&
	    a->session->closed_at == NOW + 50 && a->session->users_len == 0 &&
	    a->session->reconnect_hash[0] == '\0', "its reports go");
	is_int(world_key(ASK_USERS, SE1)->r, STORE_NONE, "its users");
	(void)store_system_delete(SYS2, NOW + 60);
	ok(world_commit(), "a system is deleted");
	is_int((long)world_key(ASK_SYSTEMS, "")->n, 1, "and not listed");
}

/* By age: what is older than any goes, with what hangs on it. */
static void
test_purge(void)
{
	struct store_keep	k = { .now = NOW + 100000,
	    .sessions_before = NOW + 100000, .log_before = NOW + 100000,
	    .done_before = 0, .refused_before = 0, .done_max = 1000,
	    .refused_max = 1000, .sessions_max = 100, .log_max = 1000 };

	world_purge(&k);
	is_int(world_key(ASK_SESSION, SE1)->r, STORE_NONE, "a session goes");
	is_int(world_key(ASK_SESSION, SE2)->r, 0, "one that is open stays");
	is_int((long)world_key(ASK_ADDED, SE1)->n, 0, "what was its goes");
	is_int(world_key(ASK_SYSTEM_BY_ID, SYS2)->r, STORE_NONE,
	    "a system that was deleted");
	is_int(world_key(ASK_CONSUMED, "")->r, STORE_NONE, "a used token");
	verify("no event", 6);
	k.done_max = 1;
	world_purge(&k);
	a = world_key(ASK_AUDIT, "0");
	ok(a->r == 0 && a->n < 6, "but by number");
	verify("what is left", (long)a->n);
}

static void
guest_add(const char *id, const char *system, const char *node,
    const char *member)
{
	struct session_row	s = session(id, system, node, NOW);

	s.status = SESSION_ACTIVE;
	strlcpy(s.member, member, sizeof(s.member));
	(void)store_session_insert(&s);
}

static void
guest_end(const char *id, const char *system, const char *node)
{
	struct session_row	s = session(id, system, node, NOW);

	s.status = SESSION_CLOSED;
	s.closed_at = NOW + 50;
	strlcpy(s.closed_by, "operator", sizeof(s.closed_by));
	(void)store_session_update(&s);
	ok(world_commit(), "it ends");
}

/* Of which sessions of others this member hears. */
static long
guests(const char *self, const char *after)
{
	store_member(self);
	a = world_key(ASK_GUESTS, after);
	return (a->r == 0 ? (long)a->n : -1);
}

/* When the services of the only one that a hears of were written. */
static int64_t
guest_services_at(void)
{
	return (guests("a", "") == 1 ? a->guest->services_at : -1);
}

static void
guest_services(const char *self, const char *id, const char *json)
{
	store_member(self);
	is_int(store_session_services(id, json, json != NULL ?
	    strlen(json) : 0, NOW), 0, "%s writes services",
	    self[0] != '\0' ? self : "who is alone");
	ok(world_commit(), "they are written");
}

static void
is_services(const char *id, const char *want, int64_t at)
{
	a = world_key(ASK_GUEST_SERVICES, id);
	ok(a->r == 0 && a->document->len == strlen(want) &&
	    memcmp(a->document->text, want, strlen(want)) == 0 &&
	    a->document->at == at && strcmp(a->document->session, id) == 0,
	    "its services are as they were said, and when");
}

/* Two members with a session each of one system; one with another's. */
static void
test_guests(void)
{
	static const char	one[] = "[{\"name\":\"w\\u00e4b\"}]";
	struct system_row	y = { .created_at = NOW };
	int			i;

	for (i = 1; i <= 3; i++) {
		snprintf(y.id, sizeof(y.id), "guest%d", i);
		strlcpy(y.name, y.id, sizeof(y.name));
		strlcpy(y.key, y.id, sizeof(y.key));
		(void)store_system_add(&y, NULL);
	}
	guest_add(GS1, "guest1", "", "a");
	guest_add(GS2, "guest1", "1", "b");
	guest_add(GS3, "guest1", "2", "");
	guest_add(GS4, "guest2", "", "b");
	ok(world_commit(), "sessions of two members, and of none");
	is_int(guests("a", ""), 1, "a hears of one that b has");
	ok(strcmp(a->guest->id, GS2) == 0 &&
	    strcmp(a->guest->system_id, "guest1") == 0 &&
	    strcmp(a->guest->node, "1") == 0 &&
	    strcmp(a->guest->member, "b") == 0 &&
	    a->guest->status == SESSION_ACTIVE &&
	    a->guest->expires_at == NOW + 1000 && a->guest->services_at == 0,
	    "as it is, without services");
	is_int(guests("a", GS2), 0, "there is none behind it");
	is_int(guests("b", ""), 1, "b of one");
	ok(strcmp(a->guest->id, GS1) == 0 && a->guest->node[0] == '\0' &&
	    strcmp(a->guest->member, "a") == 0, "that a has");
	is_int(guests("c", ""), 0, "who has none of a system hears of none");
	is_int(guests("", ""), 0, "nor who is no member");
	is_int(world_key(ASK_GUEST_SERVICES, GS2)->r, STORE_NONE,
	    "it has no services yet");
	guest_services("b", GS2, one);
	is_int(guest_services_at(), NOW, "a hears when");
	is_services(GS2, one, NOW);
	guest_services("b", GS2, "[]");
	is_int(guest_services_at(), NOW + 1, "written again in the same "
	    "moment, of another one");
	is_services(GS2, "[]", NOW + 1);
	guest_services("a", GS2, one);
	is_services(GS2, "[]", NOW + 1);
	is_int(guest_services_at(), NOW + 1, "of b's a says nothing");
	guest_services("b", GS2, NULL);
	is_int(guest_services_at(), 0, "there are none any more");
	is_int(world_key(ASK_GUEST_SERVICES, GS2)->r, STORE_NONE, "none");
	guest_services("b", GS2, one);
	is_int(guest_services_at(), NOW + 3, "what is written then is of a "
	    "moment that was not yet");
	guest_services("a", GS1, one);
	guest_end(GS1, "guest1", "");
	is_int(guests("a", ""), 0, "and a hears of no more");
	is_int(guests("b", ""), 0, "nor does b");
	is_int(world_key(ASK_GUEST_SERVICES, GS1)->r, STORE_NONE,
	    "its services went with it");
	guest_services("a", GS1, one);
	is_int(world_key(ASK_GUEST_SERVICES, GS1)->r, STORE_NONE,
	    "none come back");
	guest_services("", GS2, one);
	is_services(GS2, one, NOW + 4);
	guest_end(GS2, "guest1", "1");
	is_int(world_key(ASK_GUEST_SERVICES, GS2)->r, STORE_NONE,
	    "without members the same");
}

static void
test_many_guests(void)
{
	char	id[UUID_SIZE], node[16];
	int	i, sorted = 1;

	guest_add(GS5, "guest3", "", "a");
	for (i = 0; i < GUESTS; i++) {
		snprintf(id, sizeof(id), "55555555-0000-4000-8000-%012d", i);
		snprintf(node, sizeof(node), "%d", i + 1);
		guest_add(id, "guest3", node, i % 2 ? "b" : "c");
	}
	ok(world_commit(), "a system with many nodes");
	is_int(guests("a", ""), STORE_MANY, "so many are in one answer");
	for (i = 1; i < STORE_MANY && (size_t)i < a->n; i++)
		sorted &= strcmp(a->guest[i - 1].id, a->guest[i].id) < 0;
	ok(sorted, "by id");
	strlcpy(id, a->guest[STORE_MANY - 1].id, sizeof(id));
	is_int(guests("a", id), GUESTS - STORE_MANY, "the rest behind them");
	is_str(a->guest[a->n - 1].id,
	    "55555555-0000-4000-8000-000000000299", "up to the last");
	store_member("");
}

/* One that is not good, and all of its turn. */
static void
test_void(void)
{
	struct session_row	s = session(SE3, "nobody", "", NOW);

	(void)store_org_add(&(struct org_row){ .id = "void",
	    .name = "V", .type = "customer" }, NOW);
	(void)store_session_insert(&s);
	ok(!world_commit(), "a session of no system is none");
	is_int(world_key(ASK_ORG, "void")->r, STORE_NONE,
	    "and what was written with it is not there");
	(void)store_org_add(&(struct org_row){ .id = "next",
	    .name = "V", .type = "customer" }, NOW);
	ok(world_commit(), "the next turn is good");
	is_int(world_key(ASK_ORG, "next")->r, 0, "and there");
}

/* How many transactions that write the server has begun, with this one. */
static long
transactions(void)
{
	PGconn		*c = PQconnectdb(getenv("RELAYD_STORE_SERVER"));
	PGresult	*r = PQexec(c, "SELECT txid_current()");
	long		 n = PQntuples(r) == 1 ? atol(PQgetvalue(r, 0, 0)) :
			    -1;

	PQclear(r);
	PQfinish(c);
	return (n);
}

static void
many(struct session_row s[TAKEN], const char *member, uint64_t generation)
{
	int	i;

	store_member(member);
	for (i = 0; i < TAKEN; i++) {
		s[i].generation = generation;
		if (generation == 1)
			(void)store_session_insert(&s[i]);
		else
			(void)store_session_update(&s[i]);
	}
}

/*
 * All that a member had, which stood still, have been taken by another: it
 * hears so in one transaction, and not in as many as there are, for which a
 * server has no time. several-daemons.md, 2.
 */
static void
test_taken(void)
{
	static struct session_row	s[TAKEN];
	char				id[UUID_SIZE], node[16];
	long				before;
	int				i;

	if (!world_is_server())
		return;			/* SQLite has one daemon */
	for (i = 0; i < TAKEN; i++) {
		snprintf(id, sizeof(id), "00000000-0000-4000-8000-%012d", i);
		snprintf(node, sizeof(node), "%d", 1000 + i);
		s[i] = session(id, SYS, node, NOW);
		s[i].status = SESSION_ACTIVE;
		strlcpy(s[i].member, "a", sizeof(s[i].member));
	}
	many(s, "a", 1);
	ok(world_commit(), "%d sessions of a member", TAKEN);
	many(s, "b", 2);
	ok(world_commit() && world_taken()[0] == '\0',
	    "another takes all of them");
	store_member("a");
	(void)store_org_add(&(struct org_row){ .id = "taken", .name = "T",
	    .type = "customer" }, NOW);
	for (i = 0; i < TAKEN; i++) {
		s[i].generation = 1;
		(void)store_session_update(&s[i]);
	}
	before = transactions();
	ok(world_commit() && strcmp(world_taken(), s[TAKEN - 1].id) == 0,
	    "the first one's writes are not in the way of what else it says, "
	    "and it hears of each that it is taken");
	ok(transactions() - before < TAKEN, "in fewer transactions than there "
	    "are sessions");
	is_int(world_key(ASK_ORG, "taken")->r, 0, "what else it said is there");
	a = world_key(ASK_SESSION, s[0].id);
	ok(a->r == 0 && a->session->generation == 2 &&
	    strcmp(a->session->member, "b") == 0, "what it wrote is not");
	store_member("");
}

int
main(void)
{
	world_open();
	diag("%s", world_is_server() ? "PostgreSQL" : "SQLite");
	test_orgs();
	test_systems();
	test_changes();
	test_walk();
	test_sessions();
	test_documents();
	test_added();
	test_access();
	test_tokens();
	test_references();
	test_relays();
	test_relay_members();
	test_present();
	test_members();
	test_consumed();
	test_recordings();
	test_audit();
	test_groups();
	test_over();
	test_purge();
	test_guests();
	test_many_guests();
	test_taken();
	test_void();
	world_close();
	done_testing();
	return (tap_status());
}
