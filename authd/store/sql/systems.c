/* SPDX-License-Identifier: ISC */
/* Systems, organizations, who sees what, revocations. */
#include <string.h>
#include <strings.h>

#include "base/compat.h"
#include "authd/cred/token_id.h"
#include "authd/store/store.h"
#include "scope.h"
#include "db.h"

/* On a server what only relayd has of a system is beside it. */
#define TOUCH(when)							\
	" INSERT INTO system_more (id, created_at, updated_at)"		\
	" SELECT id, 0, " when " FROM s ON CONFLICT (id) DO UPDATE SET"	\
	" updated_at = excluded.updated_at"

#define SYSTEM_COLUMNS	"SELECT " DB_SYSTEM_COLUMNS " FROM systems s "

void
db_system_read(struct query *q, struct system_row *s)
{
	memset(s, 0, sizeof(*s));
	db_text(q, 0, s->id, sizeof(s->id));
	db_text(q, 1, s->name, sizeof(s->name));
	db_text(q, 2, s->key, sizeof(s->key));
	db_text(q, 3, s->secret_public, sizeof(s->secret_public));
	db_text(q, 4, s->secret_stored, sizeof(s->secret_stored));
	db_text(q, 5, s->org_id, sizeof(s->org_id));
	db_text(q, 6, s->type, sizeof(s->type));
	s->support_enabled = db_int(q, 7) != 0;
	s->suspended_at = db_int(q, 8);
	s->deleted_at = db_int(q, 9);
	s->created_at = db_int(q, 10);
	s->registered_at = db_int(q, 11);
}

static void
system_fill(struct query *q, struct system_row *s)
{
	db_system_read(q, s);
	db_done(q);
}

static int
system_one(struct query *q, const char *key, struct system_row *s)
{
	int	r;

	if ((r = db_read(q, "T", key)) == 0)
		system_fill(q, s);
	return (r);
}

int
db_system_by_key(const char *key, struct system_row *s)
{
	static struct query	q =
	    QUERY(SYSTEM_COLUMNS "WHERE system_key = ?");

	return (system_one(&q, key, s));
}

int
db_system_by_id(const char *id, struct system_row *s)
{
	static struct query	q = QUERY(SYSTEM_COLUMNS "WHERE id = ?");

	return (system_one(&q, id, s));
}

int
db_system_next(const char *after, struct system_row *s)
{
	static struct query	q = QUERY(SYSTEM_COLUMNS
	    "WHERE id > ? AND deleted_at IS NULL ORDER BY id LIMIT 1");

	return (system_one(&q, after, s));
}

int
db_system_named(const char *name, const char *but, struct system_row *s)
{
	static struct query	q = QUERY(SYSTEM_COLUMNS "WHERE name = ?"
	    " AND id <> ? AND deleted_at IS NULL LIMIT 1");
	int			r;

	if ((r = db_read(&q, "TT", name, but)) == 0)
		system_fill(&q, s);
	return (r);
}

int
db_org_system(const char *id, struct system_row *s)
{
	static struct query	q = QUERY(SYSTEM_COLUMNS
	    "WHERE organization_id = ? AND deleted_at IS NULL LIMIT 1");

	return (system_one(&q, id, s));
}

int
db_system_by_public(const char *public, struct system_row *s)
{
	static struct query	q = QUERY(SYSTEM_COLUMNS
	    "WHERE system_secret_public = ? LIMIT 1");

	return (system_one(&q, public, s));
}

static void	(*on_system)(const char *);

void
store_on_system(void (*fn)(const char *id))
{
	on_system = fn;
}

static int
written(const char *id, int r)
{
	if (on_system != NULL)
		on_system(id);
	return (r);
}

int
store_system_add(const struct system_row *s, const struct system_more *more)
{
	static const struct system_more	none;
	static struct query	q = QUERY2("INSERT INTO systems (id, name,"
	    " system_key, system_secret_public, system_secret_sha256,"
	    " organization_id, type, support_enabled, registered_at,"
	    " created_at, updated_at, notes, custom_data, created_by,"
	    " created_by_name, created_by_org)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, nullif(?9, 0), ?10,"
	    " ?10, ?11, ?12, ?13, ?14, ?15)",
	    "WITH s AS (INSERT INTO public.systems (id, name, system_key,"
	    " system_secret_public, system_secret_sha256, organization_id,"
	    " type, support_enabled, registered_at) VALUES ($1, $2, $3, $4,"
	    " $5, $6, $7, $8 <> 0, at($9)) RETURNING id) INSERT INTO"
	    " system_more (id, created_at, updated_at, notes, custom_data,"
	    " created_by, created_by_name, created_by_org)"
	    " SELECT id, $10, $10, $11, $12, $13, $14, $15 FROM s");

	if (more == NULL)
		more = &none;
	return (written(s->id, db_write(&q, "TTTTTttniittttt", s->id, s->name, s->key,
	    s->secret_public, s->secret_stored, s->org_id, s->type,
	    s->support_enabled, s->registered_at, s->created_at, more->notes,
	    more->custom_data, more->created_by, more->created_by_name,
	    more->created_by_org)));
}

/* NULL leaves a column; "" is a value. */
int
store_system_change(const char *id, const struct system_change *c, int64_t now)
{
	static struct query	q = QUERY2("UPDATE systems SET"
	    " name = iif(?2, ?3, name),"
	    " organization_id = iif(?4, ?5, organization_id),"
	    " notes = iif(?6, ?7, notes),"
	    " custom_data = iif(?8, ?9, custom_data),"
	    " updated_at = ?10 WHERE id = ?1",
	    "WITH s AS (UPDATE public.systems SET"
	    " name = CASE WHEN $2 <> 0 THEN $3 ELSE name END,"
	    " organization_id = CASE WHEN $4 <> 0 THEN $5"
	    " ELSE organization_id END WHERE id = $1 RETURNING id)"
	    " INSERT INTO system_more AS m (id, created_at, updated_at, notes,"
	    " custom_data) SELECT id, 0, $10, $7, $9 FROM s"
	    " ON CONFLICT (id) DO UPDATE SET"
	    " notes = CASE WHEN $6 <> 0 THEN $7 ELSE m.notes END,"
	    " custom_data = CASE WHEN $8 <> 0 THEN $9 ELSE m.custom_data END,"
	    " updated_at = $10");

	return (written(id, db_write(&q, "Tntntntnti", id, c->name != NULL,
	    c->name != NULL ? c->name : "", c->org_id != NULL,
	    c->org_id != NULL ? c->org_id : "", c->notes != NULL,
	    c->notes != NULL ? c->notes : "", c->custom_data != NULL,
	    c->custom_data != NULL ? c->custom_data : "", now)));
}

int
store_system_secret(const char *id, const char *public, const char *stored,
    int registered, int64_t now)
{
	static struct query	q = QUERY2("UPDATE systems SET"
	    " system_secret_public = ?2, system_secret_sha256 = ?3,"
	    " updated_at = ?4 WHERE id = ?1 AND (?5 OR registered_at IS NULL)",
	    "WITH s AS (UPDATE public.systems SET"
	    " system_secret_public = $2, system_secret_sha256 = $3"
	    " WHERE id = $1 AND ($5 <> 0 OR registered_at IS NULL)"
	    " RETURNING id)" TOUCH("$4"));

	return (written(id, db_write(&q, "TTTii", id, public, stored, now,
	    (int64_t)(registered != 0))));
}

int
store_system_register(const char *id, int64_t now)
{
	static struct query	q = QUERY2("UPDATE systems SET"
	    " registered_at = ?2, support_enabled = 1, updated_at = ?2"
	    " WHERE id = ?1 AND registered_at IS NULL",
	    "WITH s AS (UPDATE public.systems SET registered_at = at($2),"
	    " support_enabled = true WHERE id = $1 AND registered_at IS NULL"
	    " RETURNING id)" TOUCH("$2"));

	return (written(id, db_write(&q, "Ti", id, now)));
}

int
store_system_enable(const char *id, int enabled, int64_t now)
{
	static struct query	q = QUERY2("UPDATE systems SET"
	    " support_enabled = ?2, updated_at = ?3 WHERE id = ?1",
	    "WITH s AS (UPDATE public.systems SET support_enabled = $2 <> 0"
	    " WHERE id = $1 RETURNING id)" TOUCH("$3"));

	return (written(id, db_write(&q, "Tni", id, enabled, now)));
}

int
store_system_suspend(const char *id, int suspended, int64_t now)
{
	static struct query	q = QUERY2("UPDATE systems SET"
	    " suspended_at = nullif(?2, 0), updated_at = ?3 WHERE id = ?1",
	    "WITH s AS (UPDATE public.systems SET suspended_at = at($2)"
	    " WHERE id = $1 RETURNING id)" TOUCH("$3"));

	return (written(id, db_write(&q, "Tii", id, suspended ? now : (int64_t)0, now)));
}

int
store_system_delete(const char *id, int64_t now)
{
	static struct query	q = QUERY2("UPDATE systems SET deleted_at = ?2,"
	    " support_enabled = 0, updated_at = ?2 WHERE id = ?1",
	    "WITH s AS (UPDATE public.systems SET deleted_at = at($2),"
	    " support_enabled = false WHERE id = $1 RETURNING id)"
	    TOUCH("$2"));

	return (written("", db_write(&q, "Ti", id, now)));
}

static void
org_fill(struct query *q, struct org_row *o)
{
	memset(o, 0, sizeof(*o));
	db_text(q, 0, o->id, sizeof(o->id));
	db_text(q, 1, o->name, sizeof(o->name));
	db_text(q, 2, o->type, sizeof(o->type));
	db_text(q, 3, o->parent, sizeof(o->parent));
	db_done(q);
}

static int
org_one(struct query *q, const char *key, struct org_row *o)
{
	int	r;

	if ((r = db_read(q, "T", key)) == 0)
		org_fill(q, o);
	return (r);
}

int
store_org_add(const struct org_row *o, int64_t now)
{
	static struct query	q = QUERY("INSERT INTO organizations (id, name,"
	    " type, parent, created_at) VALUES (?, ?, ?, ?, ?)");

	return (db_write(&q, "TTTti", o->id, o->name, o->type, o->parent, now));
}

int
db_org_get(const char *id, struct org_row *o)
{
	static struct query	q = QUERY("SELECT id, name, type, parent"
	    " FROM organizations WHERE id = ? AND deleted_at IS NULL");

	return (org_one(&q, id, o));
}

int
db_org_child(const char *id, struct org_row *o)
{
	static struct query	q = QUERY("SELECT id, name, type, parent"
	    " FROM organizations WHERE parent = ? AND deleted_at IS NULL"
	    " LIMIT 1");

	return (org_one(&q, id, o));
}

int
db_org_next(const char *after, struct org_row *o)
{
	static struct query	q = QUERY("SELECT id, name, type, parent"
	    " FROM organizations WHERE id > ? AND deleted_at IS NULL"
	    " ORDER BY id LIMIT 1");

	return (org_one(&q, after, o));
}

int
store_org_delete(const char *id, int64_t now)
{
	static struct query	q = QUERY("UPDATE organizations"
	    " SET deleted_at = ?2 WHERE id = ?1");

	return (db_write(&q, "Ti", id, now));
}

/*
 * "Created by" is the parent; what was deleted does not count, also as the
 * caller's own. An organization may be unknown here: then it was not deleted.
 * `o` is the system's organization, `r` its creator.
 */
#define VISIBLE_FROM							\
	"SELECT 1 FROM systems s"					\
	" LEFT JOIN organizations o ON o.id = s.organization_id"	\
	" AND o.deleted_at IS NULL"					\
	" LEFT JOIN organizations r ON r.id = o.parent"			\
	" AND r.deleted_at IS NULL WHERE s.id = ?1"			\
	" AND NOT EXISTS (SELECT 1 FROM organizations d"		\
	" WHERE d.id = ?2 AND d.deleted_at IS NOT NULL) AND "
#define OWN		"s.organization_id = ?2"
#define OWN_CUSTOMER	"(o.type = 'customer' AND o.parent = ?2)"
#define OWN_RESELLER	"(o.type = 'reseller' AND o.parent = ?2)"
#define RESELLERS_CUSTOMER						\
	"(o.type = 'customer' AND r.type = 'reseller' AND r.parent = ?2)"

static int
ask(struct query *q, const char *system_id, const char *org_id)
{
	int	r;

	if ((r = db_read(q, "Tt", system_id, org_id)) == 0)
		db_done(q);
	return (r);
}

int
db_visible(const char *org_role, const char *org_id, const char *system_id)
{
	static struct query	owner = QUERY("SELECT 1 FROM systems"
	    " WHERE id = ?1 AND (?2 IS NULL OR ?2 IS NOT NULL)");
	static struct query	distributor = QUERY(VISIBLE_FROM "(" OWN
	    " OR " OWN_RESELLER " OR " OWN_CUSTOMER " OR "
	    RESELLERS_CUSTOMER ")");
	static struct query	reseller = QUERY(VISIBLE_FROM "(" OWN " OR "
	    OWN_CUSTOMER ")");
	static struct query	customer = QUERY(VISIBLE_FROM OWN);

	if (strcasecmp(org_role, "owner") == 0)
		return (ask(&owner, system_id, org_id));
	if (strcasecmp(org_role, "distributor") == 0)
		return (ask(&distributor, system_id, org_id));
	if (strcasecmp(org_role, "reseller") == 0)
		return (ask(&reseller, system_id, org_id));
	if (strcasecmp(org_role, "customer") == 0)
		return (ask(&customer, system_id, org_id));
	return (STORE_NONE);
}

void
db_role(const char *role, char dst[WORD_SIZE])
{
	char	*p;

	strlcpy(dst, role, WORD_SIZE);
	for (p = dst; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p + 'a' - 'A');
}

/* Systems may be made for it: the same set, of organizations that are known. */
int
db_org_seen(const char *org_role, const char *org_id, const char *id)
{
	static struct query	q = QUERY("SELECT 1 FROM organizations o"
	    " LEFT JOIN organizations r ON r.id = o.parent"
	    " AND r.deleted_at IS NULL WHERE o.id = ?3"
	    " AND o.deleted_at IS NULL AND (?1 = 'owner' OR ((o.id = ?2"
	    " OR (o.type = 'customer' AND o.parent = ?2"
	    " AND ?1 IN ('distributor', 'reseller'))"
	    " OR (o.type = 'reseller' AND o.parent = ?2"
	    " AND ?1 = 'distributor')"
	    " OR (o.type = 'customer' AND r.type = 'reseller'"
	    " AND r.parent = ?2 AND ?1 = 'distributor'))"
	    " AND ?1 IN ('distributor', 'reseller', 'customer')"
	    " AND" OWN_IS_THERE "))");
	char			role[WORD_SIZE];
	int			r;

	db_role(org_role, role);
	if ((r = db_read(&q, "TtT", role, org_id, id)) == 0)
		db_done(&q);
	return (r);
}

int
db_revoked(const struct question *ask, char kind[WORD_SIZE],
    char reason[MESSAGE_SIZE])
{
	static struct query	q = QUERY("SELECT kind, reason FROM revocations"
	    " WHERE ((kind = 'token' AND id IN (?1, ?2)) OR"
	    " (kind = 'user' AND id IN (?3, ?4))) AND until > ?5 LIMIT 1");
	char			under[ID_SIZE];
	int			r;

	token_id_parent(ask->key, under);
	if ((r = db_read(&q, "tttti", ask->key, under, ask->user,
	    ask->impersonator != NULL ? ask->impersonator : "",
	    ask->now)) != 0)
		return (r);
	db_text(&q, 0, kind, WORD_SIZE);
	db_text(&q, 1, reason, MESSAGE_SIZE);
	db_done(&q);
	return (0);
}

int
store_revoke(const char *kind, const char *id, int64_t until,
    const char *reason)
{
	static struct query	q = QUERY("INSERT INTO revocations"
	    " (kind, id, until, reason) VALUES (?1, ?2, ?3, ?4)"
	    " ON CONFLICT (kind, id) DO UPDATE SET"
	    " until = excluded.until, reason = excluded.reason");

	return (db_write(&q, "TTit", kind, id, until, reason));
}

int
store_token_add(const struct token_row *t)
{
	static struct query	over =
	    QUERY("DELETE FROM access_tokens WHERE expires_at <= ?");
	static struct query	add = QUERY("INSERT INTO access_tokens (id,"
	    " operator_id, organization_id, org_role, permissions,"
	    " created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)");

	(void)db_write(&over, "i", t->created_at);
	return (db_write(&add, "TTtTTii", t->id, t->user, t->org_id,
	    t->org_role, t->permissions, t->created_at, t->expires_at));
}

#define TOKEN_COLUMNS "SELECT id, operator_id,"				\
	" organization_id, org_role, permissions, created_at, expires_at," \
	" EXISTS (SELECT 1 FROM revocations r WHERE r.until > ?2 AND"	\
	" ((r.kind = 'token' AND r.id = access_tokens.id) OR"		\
	" (r.kind = 'user' AND r.id = operator_id)))"			\
	" FROM access_tokens WHERE expires_at > ?2 AND "

static int
token_row(struct query *q, const char *id, int64_t now, struct token_row *t)
{
	int	r;

	if ((r = db_read(q, "Ti", id, now)) != 0)
		return (r);
	memset(t, 0, sizeof(*t));
	db_text(q, 0, t->id, sizeof(t->id));
	db_text(q, 1, t->user, sizeof(t->user));
	db_text(q, 2, t->org_id, sizeof(t->org_id));
	db_text(q, 3, t->org_role, sizeof(t->org_role));
	db_text(q, 4, t->permissions, sizeof(t->permissions));
	t->created_at = db_int(q, 5);
	t->expires_at = db_int(q, 6);
	t->revoked = db_int(q, 7) != 0;
	db_done(q);
	return (0);
}

int
db_token(const char *id, int64_t now, struct token_row *t)
{
	static struct query	q = QUERY(TOKEN_COLUMNS "id = ?1");

	return (token_row(&q, id, now, t));
}

int
db_token_next(const char *after, int64_t now, struct token_row *t)
{
	static struct query	q = QUERY(TOKEN_COLUMNS "id > ?1"
	    " ORDER BY id LIMIT 1");

	return (token_row(&q, after, now, t));
}
