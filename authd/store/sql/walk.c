/* SPDX-License-Identifier: ISC */
/*
 * The list of systems. What it can be asked for is too much for an index, so
 * the whole table is walked through, a few rows at a time: who waits for a
 * list is the only one who waits.
 */
#include <string.h>

#include "api/api.h"
#include "base/compat.h"
#include "authd/store/store.h"
#include "scope.h"
#include "db.h"

#define STEP	1000	/* systems that are looked at in one go */

/* Is a text one of the lines of a parameter? */
#define IS_ONE(text, of)						\
	"(" of " IS NULL OR instr(char(10) || " of " || char(10),"	\
	" char(10) || " text " || char(10)) > 0)"
/* As it is shown: it has no key before it is registered. */
#define KEY	"iif(g.registered_at IS NULL, '', g.system_key)"
/* In the order of enum system_state. */
#define STATE								\
	"CASE WHEN g.deleted_at IS NOT NULL THEN 16"			\
	" WHEN g.suspended_at IS NOT NULL THEN 8"			\
	" WHEN EXISTS (SELECT 1 FROM support_sessions e"		\
	" WHERE e.system_id = g.system_id"				\
	" AND e.status IN ('active', 'pending')) THEN 2"		\
	" WHEN g.registered_at IS NOT NULL THEN 4 ELSE 1 END"
/* ?3 states; ?4, ?5 behind which, ?6 how many; ?7 and on what they match. */
#define WALK(sort, than, desc)						\
	"SELECT g.system_id, g." sort ", (" STATE " & ?3) <> 0"		\
	" AND (?7 IS NULL OR instr(lower(g.name), lower(?7)) > 0"	\
	" OR instr(lower(" KEY "), lower(?7)) > 0)"			\
	" AND (?8 IS NULL OR g.name = ?8)"				\
	" AND (?9 IS NULL OR " KEY " = ?9)"				\
	" AND " IS_ONE("ifnull(g.type, '')", "?10")			\
	" AND " IS_ONE("ifnull(g.version, '')", "?11")			\
	" AND " IS_ONE("ifnull(g.organization_id, '')", "?12")		\
	" AND " IS_ONE("ifnull(g.created_by, '')", "?13")		\
	" AND (?1 = 'owner' OR" OWN_IS_THERE ")" IS_SEEN		\
	" FROM (SELECT s.id AS system_id, s.* FROM systems s"		\
	" WHERE (s." sort ", s.id) " than " (?4, ?5)"			\
	" ORDER BY s." sort desc ", s.id" desc " LIMIT ?6) g"

/* By direction, by sort key. */
#define K(sort)								\
	{ { .sql = WALK(#sort, ">", ""), .name = "systems by " #sort },	\
	{ .sql = WALK(#sort, "<", " DESC"), .name = "systems by " #sort } },
static struct query	walks[][2] = { API_SYSTEM_SORT_KEYS };
#undef K
#define K(sort)	#sort,
static const char *const	sorts[] = { API_SYSTEM_SORT_KEYS };
#undef K
#define BY_NAME	1	/* the one whose key is a text */

/* Behind every text that there can be. */
#define LAST	"\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf"

static unsigned
sort_of(const char *name)
{
	return (strcmp(name, sorts[BY_NAME]) == 0 ? BY_NAME : 0);
}

static int
walk_begin(struct query *q, const struct system_query *sq, unsigned by,
    const char *role)
{
	const struct walked	*w = &sq->walked;
	int64_t			 number = w->number;
	const char		*text = w->text;
	int			 status = (int)sq->status;

	if (status == 0)
		status = (1 << SYSTEM_STATES) - 1 -
		    (1 << SYSTEM_IS_DELETED);
	if (!w->begun) {
		number = sq->descending ? INT64_MAX : INT64_MIN;
		text = sq->descending ? LAST : "";
	}
	if (by == BY_NAME)
		return (db_read(q, "TtnTTnttttttt", role, sq->org_id, status,
		    text, w->id, STEP, sq->search, sq->name, sq->key,
		    sq->types, sq->versions, sq->orgs, sq->created_by));
	return (db_read(q, "TtniTnttttttt", role, sq->org_id, status, number,
	    w->id, STEP, sq->search, sq->name, sq->key, sq->types,
	    sq->versions, sq->orgs, sq->created_by));
}

int
db_systems_walk(const struct system_query *sq, struct walked *w,
    void (*fn)(const char *, void *), void *arg)
{
	unsigned	 by = sort_of(sq->sort_by), n = 0;
	struct query	*q = &walks[by][sq->descending != 0];
	char		 role[WORD_SIZE];
	int		 r;

	db_role(sq->org_role, role);
	*w = sq->walked;
	for (r = walk_begin(q, sq, by, role); r == 0; r = db_step(q)) {
		n++;
		w->begun = 1;
		db_text(q, 0, w->id, sizeof(w->id));
		if (by == BY_NAME)
			db_text(q, 1, w->text, sizeof(w->text));
		else
			w->number = db_int(q, 1);
		if (db_int(q, 2))
			fn(w->id, arg);
	}
	w->done = n < STEP;
	return (r == STORE_NONE ? 0 : -1);
}

int
db_system_detail(const char *id, struct system_detail *d)
{
	static struct query	q = QUERY("SELECT " DB_SYSTEM_COLUMNS
	    ", s.notes, s.custom_data, s.version, s.created_by,"
	    " s.created_by_name, s.created_by_org, s.updated_at, o.name,"
	    " o.type, (SELECT e.id FROM support_sessions e"
	    " WHERE e.system_id = s.id AND e.status IN ('pending', 'active')"
	    " ORDER BY e.node_id IS NOT NULL, length(e.node_id), e.node_id"
	    " LIMIT 1) FROM systems s LEFT JOIN organizations o"
	    " ON o.id = s.organization_id AND o.deleted_at IS NULL"
	    " WHERE s.id = ?");
	struct system_more	*m = &d->more;
	int			 i = DB_SYSTEM_NCOLUMNS, r;

	if ((r = db_read(&q, "T", id)) != 0)
		return (r);
	memset(d, 0, sizeof(*d));
	db_system_read(&q, &d->row);
	db_text(&q, i++, m->notes, sizeof(m->notes));
	db_text(&q, i++, m->custom_data, sizeof(m->custom_data));
	db_text(&q, i++, m->version, sizeof(m->version));
	db_text(&q, i++, m->created_by, sizeof(m->created_by));
	db_text(&q, i++, m->created_by_name, sizeof(m->created_by_name));
	db_text(&q, i++, m->created_by_org, sizeof(m->created_by_org));
	m->updated_at = db_int(&q, i++);
	db_text(&q, i++, d->org_name, sizeof(d->org_name));
	db_text(&q, i++, d->org_type, sizeof(d->org_type));
	db_text(&q, i++, d->session, sizeof(d->session));
	db_done(&q);
	return (0);
}
