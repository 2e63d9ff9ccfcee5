/* SPDX-License-Identifier: ISC */
/* Sessions, the access log. */
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "authd/store/metadata.h"
#include "authd/store/store.h"
#include "db.h"

#define SE(NAME, name)	name,
static const char *const	status_names[] = { SESSION_STATES };
#undef SE

static int
status_number(const char *name)
{
	int	i;

	for (i = 0; i < (int)(sizeof(status_names) /
	    sizeof(status_names[0])); i++)
		if (strcmp(name, status_names[i]) == 0)
			return (i);
	return (SESSION_CLOSED);
}

void
db_session_read(struct query *q, struct session_row *s)
{
	char	status[WORD_SIZE];

	memset(s, 0, sizeof(*s));
	db_text(q, 0, s->id, sizeof(s->id));
	db_text(q, 1, s->system_id, sizeof(s->system_id));
	db_text(q, 2, s->node, sizeof(s->node));
	db_text(q, 3, s->token_hash, sizeof(s->token_hash));
	db_text(q, 4, s->reconnect_hash, sizeof(s->reconnect_hash));
	db_text(q, 5, s->reconnect_prev, sizeof(s->reconnect_prev));
	s->started_at = db_int(q, 6);
	s->expires_at = db_int(q, 7);
	s->closed_at = db_int(q, 8);
	s->created_at = db_int(q, 9);
	s->updated_at = db_int(q, 10);
	s->diagnostics_at = db_int(q, 11);
	db_text(q, 12, status, sizeof(status));
	s->status = status_number(status);
	db_text(q, 13, s->closed_by, sizeof(s->closed_by));
	s->generation = (uint64_t)db_int(q, 14);
	s->diagnostics_len = (uint64_t)db_int(q, 15);
	s->users_len = (uint64_t)db_int(q, 16);
	s->users_good = db_int(q, 17) != 0;
	db_text(q, 18, s->member, sizeof(s->member));
	s->grace_at = db_int(q, 19);
	db_text(q, 20, s->health, sizeof(s->health));
}

static int
session_found(struct query *q, int r, struct session_row *s)
{
	if (r == 0) {
		db_session_read(q, s);
		db_done(q);
	}
	return (r);
}

int
store_session_insert(const struct session_row *s)
{
	static struct query	undo = QUERY2("", "UPDATE"
	    " public.support_sessions SET status = 'closed', closed_at ="
	    " now(), closed_by = 'timeout', updated_at = now(),"
	    " reconnect_token = NULL WHERE id = $1");
	static struct query	q = { .name = "session_insert",
	    .may_be_taken = 1, .undo = &undo, .sql =
	    "INSERT INTO support_sessions (id,"
	    " system_id, node_id, session_token, reconnect_token,"
	    " reconnect_prev, started_at, expires_at, status, created_at,"
	    " updated_at, generation, member)"
	    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", .pg =
	    "WITH s AS (INSERT INTO public.support_sessions AS t (id,"
	    " system_id, node_id, session_token, reconnect_token, started_at,"
	    " expires_at, status, created_at, updated_at) VALUES ($1, $2, $3,"
	    " $4, $5, at($7), at($8), $9, at($10), at($11))"
	    " ON CONFLICT (id) DO UPDATE SET status = excluded.status,"
	    " reconnect_token = excluded.reconnect_token, closed_at = NULL,"
	    " closed_by = NULL, expires_at = excluded.expires_at,"
	    " updated_at = excluded.updated_at RETURNING id)"
	    " INSERT INTO session_more (id, reconnect_prev, generation,"
	    " member) SELECT id, $6, $12, $13 FROM s"
	    " ON CONFLICT (id) DO UPDATE SET"
	    " reconnect_prev = excluded.reconnect_prev,"
	    " generation = excluded.generation, member = excluded.member" };
	int			r;

	r = db_write(&q, "UTtTttiiTiiit", s->id, s->system_id, s->node,
	    s->token_hash, s->reconnect_hash, s->reconnect_prev,
	    s->started_at, s->expires_at, status_names[s->status],
	    s->created_at, s->updated_at, (int64_t)s->generation, s->member);
	if (r == 0)
		db_trim(s->system_id);
	return (r);
}

/* What the holder writes: the server says no if it is none any more. */
static int
member_write(const struct session_row *s)
{
	/*
	 * Of many that were taken at once, as from a member that stood still,
	 * none is an error, behind which all others would have to be written
	 * anew. The function looks again, and is right when the two differ.
	 */
	static struct query	open = { .name = "session_write", .sql = "",
	    .may_be_taken = 1, .none_is_taken = 1, .pg = "SELECT"
	    " relayd.session_write($1, $2, $3, $4, $5, $6, $7, $8, $9)"
	    " WHERE EXISTS (SELECT 1 FROM public.support_sessions s"
	    " LEFT JOIN relayd.session_more m ON m.id = s.id WHERE s.id = $1"
	    " AND s.status IN ('pending', 'active')"
	    " AND (coalesce(m.generation, 0) = $7 - 1"
	    " OR coalesce(m.generation, 0) = $7"
	    " AND coalesce(m.member, $8) = $8))" };
	static struct query	over = { .name = "session_end", .sql = "",
	    .pg = "SELECT relayd.session_end($1, $2, $3, $4, $5, $6)" };

	if (s->status == SESSION_PENDING || s->status == SESSION_ACTIVE)
		return (db_write(&open, "UttiTiiTi", s->id, s->reconnect_hash,
		    s->reconnect_prev, s->expires_at, status_names[s->status],
		    s->updated_at, (int64_t)s->generation, db_member(),
		    (int64_t)s->leave_s * 1000));
	return (db_write(&over, "UTitiT", s->id, status_names[s->status],
	    s->closed_at, s->closed_by, (int64_t)s->generation, db_member()));
}

int
store_session_update(const struct session_row *s)
{
	static struct query	open = QUERY2("UPDATE support_sessions SET"
	    " reconnect_token = ?2, reconnect_prev = ?3, expires_at = ?4,"
	    " status = ?5, updated_at = ?6, generation = ?7, member = ?8"
	    " WHERE id = ?1",
	    "WITH s AS (UPDATE public.support_sessions SET"
	    " reconnect_token = $2, expires_at = at($4), status = $5,"
	    " updated_at = at($6) WHERE id = $1 RETURNING id)"
	    " INSERT INTO session_more (id, reconnect_prev, generation,"
	    " member) SELECT id, $3, $7, $8 FROM s"
	    " ON CONFLICT (id) DO UPDATE SET"
	    " reconnect_prev = excluded.reconnect_prev,"
	    " generation = excluded.generation, member = excluded.member");
	static struct query	over = QUERY2("UPDATE support_sessions SET"
	    " status = ?2, closed_at = ?3, closed_by = ?4, updated_at = ?3,"
	    " reconnect_token = NULL, reconnect_prev = NULL, users = NULL,"
	    " users_at = NULL, users_len = 0, users_good = 0,"
	    " diagnostics = NULL, diagnostics_len = 0,"
	    " services = NULL, services_at = 0 WHERE id = ?1",
	    "WITH m AS (UPDATE session_more SET reconnect_prev = NULL,"
	    " users_len = 0, users_good = 0, diagnostics_len = 0,"
	    " services = NULL, services_at = 0 WHERE id = $1)"
	    " UPDATE public.support_sessions SET"
	    " status = $2, closed_at = at($3), closed_by = $4,"
	    " updated_at = at($3), reconnect_token = NULL, users = NULL,"
	    " users_at = NULL, diagnostics = NULL WHERE id = $1");

	if (db_is_shared())
		return (member_write(s));
	if (s->status == SESSION_PENDING || s->status == SESSION_ACTIVE)
		return (db_write(&open, "UttiTiit", s->id, s->reconnect_hash,
		    s->reconnect_prev, s->expires_at,
		    status_names[s->status], s->updated_at,
		    (int64_t)s->generation, s->member));
	return (db_write(&over, "UTit", s->id, status_names[s->status],
	    s->closed_at, s->closed_by));
}

/* Before all, if it is none. */
const char *
db_uuid_after(const char *after)
{
	return (after[0] != '\0' ? after :
	    "00000000-0000-0000-0000-000000000000");
}

int
db_session_get(const char *id, struct session_row *s)
{
	static struct query	q = QUERY(DB_SESSION_COLUMNS "WHERE id = ?");

	return (session_found(&q, db_read(&q, "U", id), s));
}

int
db_session_slot(const char *system, const char *node, struct session_row *s)
{
	static struct query	q = QUERY(DB_SESSION_COLUMNS
	    "WHERE system_id = ?1 AND ifnull(node_id, '') = ?2"
	    " AND status IN ('pending', 'active')");

	return (session_found(&q, db_read(&q, "TT", system, node), s));
}

int
db_session_next_open(const char *after, struct session_row *s)
{
	static struct query	q = QUERY(DB_SESSION_COLUMNS
	    "INDEXED BY support_sessions_open WHERE id > ?1 AND"
	    " status IN ('pending', 'active') AND (?2 = '' OR member = ?2)"
	    " ORDER BY id LIMIT 1");
	int			r;

	r = db_read(&q, "UT", db_uuid_after(after), db_member());
	return (session_found(&q, r, s));
}

int
db_elsewhere(const char *after,
    void (*fn)(const struct elsewhere_row *, void *), void *arg)
{
	static struct query	q = QUERY("SELECT s.id, ifnull(s.node_id, ''),"
	    " ifnull(s.member, ''), y.name, y.system_key, s.status,"
	    " s.started_at, s.expires_at FROM support_sessions s"
	    " INDEXED BY support_sessions_open"
	    " JOIN systems y ON y.id = s.system_id WHERE s.id > ?1 AND"
	    " s.status IN ('pending', 'active') AND ifnull(s.member, '') <> ?2"
	    " ORDER BY s.id LIMIT ?3");
	struct elsewhere_row	e;
	char			status[WORD_SIZE];
	int			r;

	for (r = db_read(&q, "UTn", db_uuid_after(after), db_member(),
	    STORE_MANY); r == 0; r = db_step(&q)) {
		memset(&e, 0, sizeof(e));
		db_text(&q, 0, e.id, sizeof(e.id));
		db_text(&q, 1, e.node, sizeof(e.node));
		db_text(&q, 2, e.member, sizeof(e.member));
		db_text(&q, 3, e.system, sizeof(e.system));
		db_text(&q, 4, e.key, sizeof(e.key));
		db_text(&q, 5, status, sizeof(status));
		e.status = status_number(status);
		e.started_at = db_int(&q, 6);
		e.expires_at = db_int(&q, 7);
		fn(&e, arg);
	}
	return (r == STORE_NONE ? 0 : -1);
}

/*
 * A server begins with our own: most have no sibling, and to look for ours with
 * each open one of others, as it else does, takes it ten times as long.
 */
int
db_guests(const char *after,
    void (*fn)(const struct guest_row *, void *), void *arg)
{
	static struct query	q = QUERY2("SELECT s.id, s.system_id,"
	    " ifnull(s.node_id, ''), s.member, s.status, s.expires_at,"
	    " CASE WHEN s.services IS NULL THEN 0 ELSE s.services_at END"
	    " FROM support_sessions s INDEXED BY support_sessions_open"
	    " WHERE s.id > ?1 AND s.status IN ('pending', 'active') AND"
	    " s.member <> ?2 AND EXISTS (SELECT 1 FROM support_sessions o"
	    " WHERE o.system_id = s.system_id AND o.status IN ('pending',"
	    " 'active') AND o.member = ?2) ORDER BY s.id LIMIT ?3",
	    "SELECT s.id, s.system_id, coalesce(s.node_id, ''), m.member,"
	    " s.status, ms(s.expires_at),"
	    " CASE WHEN m.services IS NULL THEN 0 ELSE m.services_at END"
	    " FROM public.support_sessions s JOIN session_more m"
	    " ON m.id = s.id WHERE s.id > $1 AND"
	    " s.status IN ('pending', 'active') AND m.member <> $2 AND"
	    " s.system_id = ANY (ARRAY(SELECT o.system_id"
	    " FROM session_more x JOIN public.support_sessions o"
	    " ON o.id = x.id WHERE x.member = $2 AND o.status IN ('pending',"
	    " 'active'))) ORDER BY s.id LIMIT $3");
	struct guest_row	g;
	char			status[WORD_SIZE];
	int			r;

	for (r = db_read(&q, "UTn", db_uuid_after(after), db_member(),
	    STORE_MANY); r == 0; r = db_step(&q)) {
		memset(&g, 0, sizeof(g));
		db_text(&q, 0, g.id, sizeof(g.id));
		db_text(&q, 1, g.system_id, sizeof(g.system_id));
		db_text(&q, 2, g.node, sizeof(g.node));
		db_text(&q, 3, g.member, sizeof(g.member));
		db_text(&q, 4, status, sizeof(status));
		g.status = status_number(status);
		g.expires_at = db_int(&q, 5);
		g.services_at = db_int(&q, 6);
		fn(&g, arg);
	}
	return (r == STORE_NONE ? 0 : -1);
}

int
store_session_diagnostics(const char *id, const char *json, size_t len,
    int64_t now)
{
	static struct query	q = QUERY2("UPDATE support_sessions SET"
	    " diagnostics = ?2, diagnostics_at = ?3, diagnostics_len = ?4"
	    " WHERE id = ?1",
	    "WITH s AS (UPDATE public.support_sessions SET"
	    " diagnostics = json($2), diagnostics_at = at($3) WHERE id = $1"
	    " RETURNING id) INSERT INTO session_more (id, diagnostics_len)"
	    " SELECT id, $4 FROM s ON CONFLICT (id) DO UPDATE SET"
	    " diagnostics_len = excluded.diagnostics_len");

	return (db_write(&q, "Ujii", id, json, len, now,
	    (int64_t)len));
}

int
store_session_users(const char *id, const char *sealed, int credentials,
    int64_t now)
{
	static struct query	q = QUERY2("UPDATE support_sessions SET"
	    " users = ?2, users_at = ?3, users_len = ?4, users_good = ?5"
	    " WHERE id = ?1 AND status IN ('pending', 'active')",
	    "WITH s AS (UPDATE public.support_sessions SET"
	    " users = to_jsonb($2), users_at = at($3) WHERE id = $1"
	    " AND status IN ('pending', 'active') RETURNING id)"
	    " INSERT INTO session_more (id, users_len, users_good)"
	    " SELECT id, $4, $5 FROM s ON CONFLICT (id) DO UPDATE SET"
	    " users_len = excluded.users_len,"
	    " users_good = excluded.users_good");

	return (db_write(&q, "UTiin", id, sealed, now,
	    (int64_t)strlen(sealed), credentials));
}

/*
 * Who reads them elsewhere has read them already if the time is the same: it
 * grows even if the clock does not, or is another member's. What is none has
 * one, too, for what is written behind it.
 */
int
store_session_services(const char *id, const char *json, size_t len,
    int64_t now)
{
	static struct query	q = QUERY2("UPDATE support_sessions SET"
	    " services = ?2, services_at = max(?3, services_at + 1)"
	    " WHERE id = ?1 AND status IN ('pending', 'active')"
	    " AND (?4 = '' OR ifnull(member, ?4) = ?4)",
	    "INSERT INTO session_more AS m (id, services, services_at)"
	    " SELECT id, $2, $3 FROM public.support_sessions WHERE id = $1"
	    " AND status IN ('pending', 'active')"
	    " ON CONFLICT (id) DO UPDATE SET services = excluded.services,"
	    " services_at = greatest(excluded.services_at, m.services_at + 1)"
	    " WHERE $4 = '' OR coalesce(m.member, $4) = $4");

	return (db_write(&q, "UjiT", id, json, json != NULL ? len : 0, now,
	    db_member()));
}

int
store_added_put(const char *session, const struct added_row *a)
{
	static struct query	q = QUERY("INSERT INTO support_session_services"
	    " (session_id, name, target, label, tls, tcp, added_by, added_at)"
	    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
	    " ON CONFLICT (session_id, name) DO UPDATE SET"
	    " target = excluded.target, label = excluded.label,"
	    " tls = excluded.tls, tcp = excluded.tcp,"
	    " added_by = excluded.added_by, added_at = excluded.added_at");

	return (db_write(&q, "UTTtnnti", session, a->name, a->target, a->label,
	    a->tls, a->tcp, a->added_by, a->added_at));
}

int
store_added_del(const char *session, const char *name)
{
	static struct query	q = QUERY("DELETE FROM"
	    " support_session_services WHERE session_id = ? AND name = ?");

	return (db_write(&q, "UT", session, name));
}

int
db_added(const char *session, void (*fn)(const struct added_row *, void *),
    void *arg)
{
	static struct query	q = QUERY("SELECT name, target, label, tls,"
	    " tcp, added_by, added_at FROM support_session_services"
	    " WHERE session_id = ? ORDER BY name");
	struct added_row	a;
	int			r;

	for (r = db_read(&q, "U", session); r == 0; r = db_step(&q)) {
		memset(&a, 0, sizeof(a));
		db_text(&q, 0, a.name, sizeof(a.name));
		db_text(&q, 1, a.target, sizeof(a.target));
		db_text(&q, 2, a.label, sizeof(a.label));
		a.tls = db_int(&q, 3) != 0;
		a.tcp = db_int(&q, 4) != 0;
		db_text(&q, 5, a.added_by, sizeof(a.added_by));
		a.added_at = db_int(&q, 6);
		fn(&a, arg);
	}
	return (r == STORE_NONE ? 0 : -1);
}

int
store_access_insert(const struct access_row *a)
{
	static struct query	undo = QUERY2("",
	    "WITH m AS (UPDATE access_more SET outcome = 'was not given'"
	    " WHERE id = $1) UPDATE public.support_access_logs"
	    " SET disconnected_at = connected_at WHERE id = $1");
	static struct query	q = { .name = "access_insert",
	    .undo = &undo, .sql = "INSERT INTO support_access_logs"
	    " (id, session_id, operator_id, operator_name, access_type,"
	    " connected_at, metadata, org_role, organization_id, service, ip,"
	    " token_id, impersonator, member)"
	    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", .pg =
	    "WITH a AS (INSERT INTO public.support_access_logs (id,"
	    " session_id, operator_id, operator_name, access_type,"
	    " connected_at, metadata) VALUES ($1, $2, $3, $4, $5, at($6),"
	    " json($7)) RETURNING id)"
	    " INSERT INTO access_more (id, org_role, organization_id, service,"
	    " ip, token_id, impersonator, member)"
	    " SELECT id, $8, $9, $10, $11, $12, $13, $14 FROM a" };
	static struct query	used = QUERY2("UPDATE support_sessions"
	    " SET used = 1 WHERE id = ? AND used = 0",
	    "INSERT INTO session_more (id, used)"
	    " SELECT id, 1 FROM public.support_sessions WHERE id = $1"
	    " ON CONFLICT (id) DO UPDATE SET used = 1"
	    " WHERE session_more.used = 0");
	char			metadata[METADATA_SIZE];

	if (db_write(&used, "U", a->session_id) == -1)
		return (-1);
	metadata_print(a, metadata);
	return (db_write(&q, "UUTtTiTttTtttt", a->id, a->session_id,
	    a->operator_id, a->operator_name, a->type, a->connected_at,
	    metadata, a->org_role, a->org_id, a->service, a->ip, a->token_id,
	    a->impersonator, db_member()));
}

int
store_access_update(const struct access_row *a)
{
	static struct query	q = QUERY2("UPDATE support_access_logs SET"
	    " disconnected_at = nullif(?2, 0), metadata = ?3, bytes_in = ?4,"
	    " bytes_out = ?5, outcome = ?6 WHERE id = ?1",
	    "WITH m AS (UPDATE access_more SET bytes_in = $4, bytes_out = $5,"
	    " outcome = $6 WHERE id = $1) UPDATE public.support_access_logs"
	    " SET disconnected_at = at($2), metadata = json($3)"
	    " WHERE id = $1");
	char			metadata[METADATA_SIZE];

	metadata_print(a, metadata);
	return (db_write(&q, "UiTiit", a->id, a->disconnected_at, metadata,
	    (int64_t)a->bytes_in, (int64_t)a->bytes_out, a->outcome));
}

#define ACCESS_COLUMNS							\
	"SELECT id, session_id, operator_id, operator_name, access_type,"	\
	" connected_at, org_role, organization_id, service, ip, token_id,"	\
	" impersonator, bytes_in, bytes_out, outcome, disconnected_at,"	\
	" CASE WHEN json_valid(metadata) THEN"				\
	" json_extract(metadata, '$.request') END"			\
	" FROM support_access_logs "

static void
access_fill(struct query *q, struct access_row *a)
{
	memset(a, 0, sizeof(*a));
	db_text(q, 0, a->id, sizeof(a->id));
	db_text(q, 1, a->session_id, sizeof(a->session_id));
	db_text(q, 2, a->operator_id, sizeof(a->operator_id));
	db_text(q, 3, a->operator_name, sizeof(a->operator_name));
	db_text(q, 4, a->type, sizeof(a->type));
	a->connected_at = db_int(q, 5);
	db_text(q, 6, a->org_role, sizeof(a->org_role));
	db_text(q, 7, a->org_id, sizeof(a->org_id));
	db_text(q, 8, a->service, sizeof(a->service));
	db_text(q, 9, a->ip, sizeof(a->ip));
	db_text(q, 10, a->token_id, sizeof(a->token_id));
	db_text(q, 11, a->impersonator, sizeof(a->impersonator));
	a->bytes_in = (uint64_t)db_int(q, 12);
	a->bytes_out = (uint64_t)db_int(q, 13);
	db_text(q, 14, a->outcome, sizeof(a->outcome));
	a->disconnected_at = db_int(q, 15);
	db_text(q, 16, a->request, sizeof(a->request));
}

int
db_access_next_open(const char *after, struct access_row *a)
{
	static struct query	q = QUERY(ACCESS_COLUMNS
	    "WHERE id > ?1 AND disconnected_at IS NULL"
	    " AND (?2 = '' OR member = ?2) ORDER BY id LIMIT 1");
	int			r;

	if ((r = db_read(&q, "UT", db_uuid_after(after), db_member())) != 0)
		return (r);
	access_fill(&q, a);
	db_done(&q);
	return (0);
}

int
db_present(const char *system_id,
    void (*fn)(const struct present_row *, void *), void *arg)
{
	static struct query	q = QUERY("SELECT DISTINCT a.session_id,"
	    " a.member, a.operator_id, a.operator_name"
	    " FROM support_sessions s"
	    " CROSS JOIN support_access_logs a ON a.session_id = s.id"
	    " WHERE s.system_id = ?1 AND s.status IN ('pending', 'active') AND"
	    " a.disconnected_at IS NULL AND a.access_type <> 'ui_proxy' AND"
	    " a.member <> ?2 LIMIT ?3");
	struct present_row	p;
	int			r;

	for (r = db_read(&q, "TTn", system_id, db_member(), STORE_PRESENT);
	    r == 0; r = db_step(&q)) {
		memset(&p, 0, sizeof(p));
		db_text(&q, 0, p.session, sizeof(p.session));
		db_text(&q, 1, p.member, sizeof(p.member));
		db_text(&q, 2, p.operator_id, sizeof(p.operator_id));
		db_text(&q, 3, p.operator_name, sizeof(p.operator_name));
		fn(&p, arg);
	}
	return (r == STORE_NONE ? 0 : -1);
}

/* Counting stops where the list does. */
static int
logs_count(const char *id, int64_t *total)
{
	static struct query	q = QUERY("SELECT count(*) FROM (SELECT 1"
	    " FROM support_access_logs WHERE session_id = ?1 LIMIT ?2) few");

	return (db_number(&q, db_read(&q, "Un", id, STORE_LOGS), total));
}

int
db_logs(const char *id, const struct list_query *lq, int64_t *total,
    void (*fn)(const struct access_row *, void *), void *arg)
{
	static struct query	q = QUERY(ACCESS_COLUMNS
	    "WHERE session_id = ? ORDER BY connected_at DESC, rowid DESC"
	    " LIMIT ? OFFSET ?");
	struct access_row	a;
	int64_t			skip = ((int64_t)lq->page - 1) * lq->page_size;
	int			r;

	if (logs_count(id, total) != 0)
		return (-1);
	if (skip >= *total)
		return (0);
	for (r = db_read(&q, "Uii", id, (int64_t)lq->page_size, skip); r == 0;
	    r = db_step(&q)) {
		access_fill(&q, &a);
		fn(&a, arg);
	}
	return (r == STORE_NONE ? 0 : -1);
}

/* The row that a question has found: what was reported, when, of whom, how. */
static int
document_read(struct query *q, struct document **doc)
{
	const char	*text;
	size_t		 len;
	int		 r = 0;

	text = db_bytes(q, 0, &len);
	if (text == NULL)
		r = STORE_NONE;
	else if ((*doc = calloc(1, sizeof(**doc) + len + 1)) == NULL)
		r = -1;
	if (r == 0) {
		(*doc)->at = db_int(q, 1);
		db_text(q, 2, (*doc)->session, sizeof((*doc)->session));
		db_text(q, 3, (*doc)->status, sizeof((*doc)->status));
		(*doc)->len = len;
		memcpy((*doc)->text, text, len);
	}
	db_done(q);
	return (r);
}

int
db_document(enum store_what what, const char *key, struct document **doc)
{
	static struct query	diagnostics = QUERY("SELECT diagnostics,"
	    " diagnostics_at, id,"
	    " json_extract(diagnostics, '$.overall_status')"
	    " FROM support_sessions WHERE id = ? AND json_valid(diagnostics)");
	static struct query	users = QUERY("SELECT users, users_at, id, ''"
	    " FROM support_sessions WHERE id = ?");
	static struct query	users_of = QUERY("SELECT users, users_at, id,"
	    " '' FROM support_sessions WHERE id = (SELECT id"
	    " FROM support_sessions WHERE system_id = ? AND status IN"
	    " ('pending', 'active') AND users_good = 1"
	    " ORDER BY users_at DESC LIMIT 1)");
	static struct query	services = QUERY("SELECT services,"
	    " services_at, id, '' FROM support_sessions WHERE id = ?");
	struct query		*q = what == ASK_DIAGNOSTICS ? &diagnostics :
				    what == ASK_USERS ? &users :
				    what == ASK_USERS_OF ? &users_of :
				    &services;
	int			 r;

	r = db_read(q, what == ASK_USERS_OF ? "T" : "U", key);
	if (r != 0)
		return (r);
	return (document_read(q, doc));
}
